//! Where nodes are reached, told inside their rooms: heard through anybody, kept, believed of nobody but the author, and never
//! of another room's kind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::net::SocketAddr;

use common::{ALICE, BOB, ROGUE, Stage};
use parlor_core::crypto::seal_signal;
use parlor_core::engine::api::{Command, NEAR, Places, Presence, Reach};
use parlor_core::room::said::Whereabouts;
use parlor_sim::{World, act};
use parlor_wire::frame::{Frame, Signal};
use parlor_wire::ticket::{LAN, TicketText};
use parlor_wire::{PeerId, RoomId, Salt, domain};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn places(world: &World, node: usize, of: PeerId, room: RoomId) -> Places {
    world.nodes[node].engine.as_ref().unwrap().places_of(&of, &room)
}

fn moves(world: &mut World, node: usize, to: &str, relay: Option<&str>) {
    let far = Places { addresses: vec![at(to)], relays: relay.map(str::to_owned).into_iter().collect() };
    world.inform(node, Command::Here { far, near: vec![at("10.9.9.9:9")] });
}

#[test]
fn who_moved_is_known_at_its_new_place_by_all_who_hear_of_it_through_one() {
    let (mut world, room, [alice, bob, carol], _) = act::three(900);
    world.cut(bob, carol);
    world.pass(20_000);
    moves(&mut world, bob, "192.0.2.7:4711", Some("https://relay.example/"));
    world.pass(1_000);
    let whose = world.nodes[bob].peer;
    for node in [alice, carol] {
        let known = places(&world, node, whose, room);
        assert_eq!(known.addresses[0], at("192.0.2.7:4711"), "node {node}");
        assert_eq!(known.relays, ["https://relay.example/"]);
        assert!(!known.addresses.contains(&at("10.9.9.9:9")), "that is of rooms of a local network");
    }
    world.kill(carol);
    world.pass(5_000);
    assert_eq!(places(&world, carol, whose, room).addresses[0], at("192.0.2.7:4711"), "kept over a restart");
    moves(&mut world, bob, "192.0.2.8:4711", None);
    world.pass(1_000);
    let known = places(&world, carol, whose, room);
    assert_eq!(known.addresses[..2], [at("192.0.2.8:4711"), at("192.0.2.7:4711")], "the newest first");
}

#[test]
fn who_comes_later_is_told_where_those_are_whom_it_has_never_reached() {
    let mut world = World::new(901);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|nick| world.add_node(nick));
    let invited = world.start_room_with(alice, &[bob]);
    moves(&mut world, bob, "192.0.2.7:4711", None);
    world.pass(1_000);
    world.cut(bob, carol);
    world.join(carol, &invited.text, 20_000).unwrap().unwrap();
    world.pass(1_000);
    let known = places(&world, carol, world.nodes[bob].peer, invited.room);
    assert_eq!(known.addresses, [at("192.0.2.7:4711")]);
}

/// The joiner's word comes before the entry that makes it a member is here.
#[test]
fn where_a_joiner_is_is_known_as_soon_as_it_is_in() {
    let mut world = World::new(906);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    moves(&mut world, bob, "192.0.2.7:4711", None);
    // What is said again half a minute later is not what is waited for.
    world.pass(40_000);
    world.join(bob, &invited.text, 5_000).unwrap().unwrap();
    world.pass(2_000);
    let known = places(&world, alice, world.nodes[bob].peer, invited.room);
    assert_eq!(known.addresses, [at("192.0.2.7:4711")]);
}

/// The place of Rogue, or what she says is Bob's.
fn told(stage: &Stage, author: usize, counter: u64, address: &str) -> Frame {
    let said = Whereabouts { addresses: vec![address.into()], relay: None }.encode();
    let mut signal = Signal {
        author: stage.world.nodes[author].peer,
        session: Salt([0; 16]),
        counter,
        ttl_s: 0,
        key: stage.key.0,
        salt: Salt([7; 16]),
        sealed: Vec::new().into(),
        signature: None,
    };
    signal.sealed = seal_signal(&stage.key.1, &stage.room, &signal, &said).unwrap().into();
    let message = [&stage.room.0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(stage.world.identity(ROGUE).sign(domain::SIGNAL_SIGNATURE, &message));
    Frame::Whereabouts(signal)
}

#[test]
fn nobody_says_where_another_is_and_an_old_word_does_not_undo_a_new_one() {
    let mut stage = Stage::new(902);
    let link = stage.open(ALICE);
    let rogue = stage.world.nodes[ROGUE].peer;
    let known = |stage: &Stage, of: PeerId| places(&stage.world, ALICE, of, stage.room).addresses;
    for (counter, address) in [(5, "192.0.2.5:5"), (4, "192.0.2.4:4"), (5, "192.0.2.6:6")] {
        let frame = told(&stage, ROGUE, counter, address);
        stage.world.puppet_says(ROGUE, link, &frame);
    }
    assert_eq!(known(&stage, rogue).first(), Some(&at("192.0.2.5:5")));
    let bob = stage.world.nodes[BOB].peer;
    let before = known(&stage, bob);
    let frame = told(&stage, BOB, u64::MAX, "192.0.2.66:66");
    stage.world.puppet_says(ROGUE, link, &frame);
    assert!(stage.lost(link), "in Bob's name");
    assert_eq!(known(&stage, bob), before);
    stage.others_are_well(0);
}

#[test]
fn a_member_that_moves_without_end_is_heeded_ten_times_a_minute() {
    let mut stage = Stage::new(903);
    let link = stage.open(ALICE);
    for n in 1..300 {
        let frame = told(&stage, ROGUE, n, &format!("192.0.2.1:{n}"));
        stage.world.puppet_says(ROGUE, link, &frame);
    }
    let rogue = stage.world.nodes[ROGUE].peer;
    let last = |stage: &Stage| places(&stage.world, ALICE, rogue, stage.room).addresses[0];
    assert_eq!(last(&stage), at("192.0.2.1:10"));
    stage.world.pass(61_000);
    let link = stage.open(ALICE);
    let frame = told(&stage, ROGUE, 1_000, "192.0.2.1:1000");
    stage.world.puppet_says(ROGUE, link, &frame);
    assert_eq!(last(&stage), at("192.0.2.1:1000"), "a minute later it is heeded again");
}

/// The puppet's hello says that it knows nothing beyond version 1.
#[test]
fn who_does_not_know_the_frame_is_not_sent_it() {
    let mut stage = Stage::new(904);
    let link = stage.open(ALICE);
    moves(&mut stage.world, ALICE, "192.0.2.7:4711", None);
    stage.world.pass(1_000);
    let heard = stage.world.puppet_hears(ROGUE, link);
    assert!(heard.iter().any(|frame| matches!(frame, Frame::DataHeads(_))), "{heard:?}");
    assert!(!heard.iter().any(|frame| matches!(frame, Frame::Whereabouts(_))), "{heard:?}");
}

/// The simulated links are none of a local network: no room that stays in one is spoken of on them.
#[test]
fn a_room_of_the_local_network_is_spoken_of_on_no_other_link() {
    let mut world = World::new(905);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let start = Command::Start {
        name: "office".into(),
        reach: Reach::Lan,
        expires: Some(world.wall_ms(alice) + 3_600_000),
        endpoints: Vec::new(),
    };
    let parlor_core::engine::api::Outcome::Started { invited: Some(invited), room } =
        world.ask(alice, start).unwrap().unwrap()
    else {
        panic!("no room")
    };
    let ticket = TicketText::parse(&invited.text).unwrap();
    assert_eq!(ticket.relay.as_deref(), Some(LAN));
    let naming = world.ticket_naming(&invited.text, alice);
    world.join(bob, &naming, 20_000);
    world.pass(60_000);
    let engine = world.nodes[bob].engine.as_ref().unwrap();
    assert!(engine.is_lan(&room) && engine.relayed_rooms().is_none());
    assert_eq!(engine.room(&room).unwrap().members, 0, "nobody was reached");
    assert!(world.nodes[alice].links.keys().all(|link| link & NEAR == 0));
}

/// Something Bob really signed once, and Rogue kept.
fn old_word(stage: &Stage, session: Salt, counter: u64, said: &[u8]) -> Signal {
    let mut signal = Signal {
        author: stage.world.nodes[BOB].peer,
        session,
        counter,
        ttl_s: 0,
        key: stage.key.0,
        salt: Salt([counter as u8; 16]),
        sealed: Vec::new().into(),
        signature: None,
    };
    signal.sealed = seal_signal(&stage.key.1, &stage.room, &signal, said).unwrap().into();
    let message = [&stage.room.0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(stage.world.identity(BOB).sign(domain::SIGNAL_SIGNATURE, &message));
    signal
}

/// Alice has heard where Bob is; both sleep, she wakes alone, and is told what he said long ago.
#[test]
fn old_words_replayed_after_a_restart_do_not_undo_where_somebody_is() {
    for put_out in [false, true] {
        let mut stage = Stage::new(907);
        moves(&mut stage.world, BOB, "192.0.2.200:4711", None);
        stage.world.pass(1_000);
        if put_out {
            stage.world.remove(ALICE, stage.room, ROGUE);
        }
        stage.world.put_to_sleep(BOB);
        stage.world.put_to_sleep(ALICE);
        stage.world.wake(ALICE);
        stage.world.pass(5_000);
        let addresses = (1..9).map(|n| format!("198.51.100.{n}:4711")).collect();
        let said = Whereabouts { addresses, relay: None }.encode();
        let old = old_word(&stage, Salt([0; 16]), 7, &said);
        let room = stage.room;
        let link = stage.world.puppet_opens(ROGUE, ALICE, room, None);
        stage.world.puppet_says(ROGUE, link, &Frame::Whereabouts(old));
        stage.world.pass(1_000);
        let known = places(&stage.world, ALICE, stage.world.nodes[BOB].peer, room).addresses;
        assert_eq!(known, [at("192.0.2.200:4711")], "put out: {put_out}");
    }
}

/// His clock was two days ahead when he said where he was; it is put right, and he starts again elsewhere.
#[test]
fn a_clock_that_is_put_right_leaves_a_node_heard() {
    let (mut world, room, [alice, bob, _], _) = act::three(908);
    world.nodes[bob].skew_ms = 2 * 24 * 3_600_000;
    moves(&mut world, bob, "192.0.2.1:1", None);
    world.pass(2_000);
    world.nodes[bob].skew_ms = 0;
    world.kill(bob);
    world.pass(10_000);
    moves(&mut world, bob, "192.0.2.2:2", None);
    world.pass(60_000);
    assert_eq!(places(&world, alice, world.nodes[bob].peer, room).addresses[0], at("192.0.2.2:2"));
}

/// Whereabouts are signed like a session's signal. Shown as one they are nothing, and use nothing up.
#[test]
fn whereabouts_shown_as_signals_silence_nobody() {
    let mut stage = Stage::new(909);
    let (room, bob) = (stage.room, stage.world.nodes[BOB].peer);
    let presence = Presence { label: "api".into(), program: "claude".into(), ..Presence::default() };
    stage.world.inform(BOB, Command::Announce { room, session: Salt([5; 16]), presence: Some(presence) });
    stage.world.pass(1_000);
    let said = Whereabouts { addresses: vec!["192.0.2.1:1".into()], relay: None }.encode();
    let word = old_word(&stage, Salt([0; 16]), stage.world.wall_ms(BOB), &said);
    for _ in 0..10 {
        let link = stage.open(ALICE);
        for _ in 0..200 {
            stage.world.puppet_says(ROGUE, link, &Frame::Signal(word.clone()));
        }
        stage.world.pass(20_000);
        let people = stage.world.nodes[ALICE].engine.as_ref().unwrap().people(&room);
        let his = people.iter().find(|person| person.peer == bob).unwrap();
        assert_eq!(his.sessions.len(), 1, "he is there all the time");
    }
}
