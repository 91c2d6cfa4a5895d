//! Receipts: never more than was committed, told once, and then nothing: an idle room is silent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, MessageView, Moment, Priority};
use parlor_core::engine::receipts::ReceiptView;
use parlor_sim::dice::Dice;
use parlor_sim::{Faults, Session, World};
use parlor_wire::RoomId;
use parlor_wire::control::Role;

const SECOND_MS: u64 = 1_000;

fn receipts(world: &World, node: usize, message: &MessageView) -> Vec<ReceiptView> {
    let engine = world.nodes[node].engine.as_ref().unwrap();
    engine.receipts(&message.room, &message.chain, message.seq)
}

fn rows(world: &mut World, node: usize, room: RoomId) -> usize {
    world.held(node, room).unwrap().rows.len()
}

fn find(world: &mut World, node: usize, room: RoomId, text: &str) -> MessageView {
    let all = world.messages(node, room);
    all.into_iter().find(|message| message.text.as_str() == text).unwrap()
}

/// Alice, Bob and a session of his that was given everything.
fn two(seed: u64) -> (World, RoomId, Session) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let room = world.start_room_with(alice, &[bob]).room;
    let mut session = Session::new(&world, bob, "s1", room);
    session.drain(&mut world);
    (world, room, session)
}

#[test]
fn wound_06_a_message_is_told_to_be_handed_when_it_was_committed_and_not_before() {
    let (mut world, room, mut session) = two(1);
    world.say_surely(0, room, "#1# seen?");
    world.pass(10 * SECOND_MS);
    let message = find(&mut world, 0, room, "#1# seen?");
    assert!(receipts(&world, 0, &message).is_empty(), "nobody was given it");
    let giving = session.take(&mut world, 7).unwrap();
    world.pass(10 * SECOND_MS);
    assert!(receipts(&world, 0, &message).is_empty(), "it is leased, and may not have been written");
    session.commit(&mut world, &giving);
    world.pass(10 * SECOND_MS);
    let told = receipts(&world, 0, &message);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].label.as_ref().unwrap().as_str(), told[0].handed, told[0].shown),
        ("label-s1", true, false)
    );
    world.inform(1, Command::Shown { session: "s1".into(), mark: "another text".into() });
    world.pass(10 * SECOND_MS);
    assert!(!receipts(&world, 0, &message)[0].shown);
}

#[test]
fn wound_35_receipts_are_no_messages_bring_no_receipts_and_end() {
    let (mut world, room, mut session) = two(2);
    let mut others = Session::new(&world, 0, "a1", room);
    others.drain(&mut world);
    for round in 0..5 {
        world.say_surely(0, room, &format!("#{round}# x"));
        world.pass(SECOND_MS);
        session.drain(&mut world);
    }
    world.settle();
    assert_eq!(world.texts(1, room).len(), 5);
    assert_eq!(others.drain(&mut world).len(), 5, "what another session of one's own says");
    world.settle();
    assert!(others.drain(&mut world).is_empty(), "a receipt is unread to nobody");
    let before = (rows(&mut world, 0, room), rows(&mut world, 1, room));
    world.pass(3_600 * SECOND_MS);
    assert_eq!((rows(&mut world, 0, room), rows(&mut world, 1, room)), before, "an idle room is silent");
    assert!(before.0 < 5 + 12, "five messages cost {} entries", before.0);
    let arrivals = world.nodes[1].engine.as_ref().unwrap().room(&room).unwrap().arrivals;
    assert_eq!(arrivals, 5);
}

#[test]
fn receipts_are_kept_across_a_restart_on_both_sides() {
    let (mut world, room, mut session) = two(3);
    world.say_surely(0, room, "#1# before");
    world.pass(SECOND_MS);
    session.drain(&mut world);
    world.settle();
    world.kill(0);
    world.kill(1);
    world.settle();
    world.say_surely(0, room, "#2# after");
    world.pass(SECOND_MS);
    session.drain(&mut world);
    world.settle();
    for text in ["#1# before", "#2# after"] {
        let message = find(&mut world, 0, room, text);
        assert!(receipts(&world, 0, &message).iter().any(|told| told.handed), "{text}");
    }
}

#[test]
fn a_reader_tells_what_it_was_given() {
    let mut world = World::new(4);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let room = world.start_room(alice, "room").room;
    let ticket = world.ticket(alice, room, Role::Reader, false).text;
    world.join(bob, &ticket, 30_000).unwrap().unwrap();
    world.settle();
    let mut session = Session::new(&world, bob, "s1", room);
    session.drain(&mut world);
    world.say_surely(alice, room, "#1# to a reader");
    world.pass(SECOND_MS);
    assert_eq!(session.drain(&mut world), ["1"]);
    world.settle();
    let message = find(&mut world, alice, room, "#1# to a reader");
    assert!(receipts(&world, alice, &message).iter().any(|told| told.handed));
}

/// Whatever happens: what anybody is told of a session was committed at its node.
#[test]
fn wound_01_no_receipt_claims_what_was_not_committed() {
    let mut seen = 0;
    for seed in 100..112 {
        let (mut world, room, first) = two(seed);
        let mut sessions = [first, Session::new(&world, 0, "a1", room), Session::new(&world, 1, "b2", room)];
        let mut dice = Dice::new(seed);
        world.faults = Faults { breaks: 10, twice: 10, overtakes: 5, ..Faults::BAD };
        for step in 0..60_u64 {
            match dice.between(0, 9) {
                0..=3 => {
                    let node = usize::from(dice.between(0, 1) == 1);
                    let mut command =
                        world.sending(room, &format!("#{step}# x"), &format!("{seed}-{step}"), None);
                    if let Command::Send(send) = &mut command
                        && dice.between(0, 2) == 0
                    {
                        send.priority = Priority::Now;
                    }
                    world.ask(node, command);
                }
                4..=7 => {
                    let at = dice.between(0, 2) as usize;
                    let moment = if dice.between(0, 1) == 0 { Moment::Tools } else { Moment::Prompt };
                    if let Some(giving) = sessions[at].take_at(&mut world, 1_000 + step, moment) {
                        if dice.between(0, 3) == 0 {
                            sessions[at].dies(&mut world, &giving);
                        } else {
                            sessions[at].commit(&mut world, &giving);
                        }
                    }
                }
                8 => world.kill(dice.between(0, 1) as usize),
                _ => {}
            }
            world.pass(dice.between(10, 4_000));
        }
        world.settle();
        for author in 0..2 {
            for message in world.messages(author, room).into_iter().filter(|message| message.own) {
                let told = receipts(&world, author, &message);
                for receipt in told.into_iter().filter(|told| told.handed) {
                    let node = 1 - author;
                    let arrival = find(&mut world, node, room, message.text.as_str()).arrival;
                    let label = receipt.label.unwrap().into_string();
                    let key = label.trim_start_matches("label-");
                    let engine = world.nodes[node].engine.as_ref().unwrap();
                    assert!(engine.was_given(room, key, arrival), "{seed}: {} {key}", message.text.as_str());
                    seen += 1;
                }
            }
        }
        world.check_room(room);
    }
    assert!(seen > 50, "so many receipts were looked at: {seen}");
}

#[test]
fn receipts_go_on_after_more_sessions_than_are_kept() {
    let (mut world, room, _) = two(21);
    world.say_surely(0, room, "#1# hello");
    world.pass(3 * SECOND_MS);
    let message = find(&mut world, 0, room, "#1# hello");
    for n in 0..1_030 {
        let mut session = Session { bound_at: 0, ..Session::new(&world, 1, &format!("n{n}"), room) };
        let giving = session.take(&mut world, 7).unwrap();
        assert!(session.commit(&mut world, &giving));
        if n % 100 == 0 {
            world.pass(2 * SECOND_MS);
        }
    }
    world.pass(2 * SECOND_MS);
    let told = receipts(&world, 0, &message);
    let is_last = |label: &str| label == "label-n1029";
    assert!(told.iter().any(|one| one.label.as_ref().is_some_and(|label| is_last(label.as_str()))));
}
