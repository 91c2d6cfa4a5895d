//! Many control heads at once, by chance or on purpose, and what comes from hands that are nobody's: they keep nobody from
//! coming in, going, ruling or speaking, and fill nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Failure, Outcome, RoomStanding};
use parlor_sim::World;
use parlor_sim::act::three;
use parlor_wire::control::{Control, ControlBody, Role, Want, direct_room};
use parlor_wire::frame::{ControlBatch, DataHeads, Frame, Open};
use parlor_wire::ticket::{Endpoint, TicketText};
use parlor_wire::{EntryId, KeyId, RoomId};

fn membership(world: &mut World, at: usize, room: RoomId, whom: usize) -> EntryId {
    let peer = world.nodes[whom].peer;
    let held = world.held(at, room).unwrap();
    *held.roster.members[&peer].memberships.iter().next().unwrap()
}

/// So many entries of a puppet that nothing stands on, with lower ids than every honest head.
fn low_heads(world: &mut World, puppet: usize, at: usize, room: RoomId, count: usize) -> Vec<Control> {
    let own = membership(world, at, room, puppet);
    let honest: Vec<EntryId> = world.held(at, room).unwrap().dag.heads().iter().copied().collect();
    let note = |n: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        let want = ControlBody::Want(Want { keys: vec![KeyId(key)] });
        world.puppet_control(puppet, (room, Some(own)), &[own], want, None)
    };
    (0..).map(note).filter(|low| honest.iter().all(|head| low.id < *head)).take(count).collect()
}

fn give(world: &mut World, puppet: usize, to: usize, room: RoomId, entries: &[Control]) {
    let link = world.puppet_opens(puppet, to, room, None);
    let entries = entries.iter().map(|control| control.encode().into()).collect();
    world.puppet_says(puppet, link, &Frame::ControlBatch(ControlBatch { entries, more: false }));
    world.pass(1_000);
}

fn standing(world: &World, node: usize, room: RoomId) -> Option<RoomStanding> {
    world.nodes[node].engine.as_ref().unwrap().room(&room).map(|view| view.state)
}

fn heads(world: &mut World, node: usize, room: RoomId) -> usize {
    world.held(node, room).unwrap().dag.heads().len()
}

#[test]
fn forty_who_come_in_at_once_can_all_speak_and_leave() {
    let mut world = World::new(1);
    let alice = world.add_node("alice");
    let invited = world.start_room(alice, "room");
    let people: Vec<usize> = (0..40).map(|n| world.add_node(&format!("member {n}"))).collect();
    for node in &people {
        let ticket = TicketText::parse(&invited.text).unwrap();
        world.tell(*node, Command::Join { ticket, wait_ms: 0 });
    }
    world.pass(30_000);
    world.put_to_sleep(alice);
    for node in &people {
        let left = world.ask(*node, Command::Leave { room: invited.room, abandon: false });
        assert!(matches!(left, Some(Ok(Outcome::Done))), "{node}: {left:?}");
    }
}

#[test]
fn heads_with_low_ids_keep_no_member_from_speaking_ruling_or_leaving() {
    let (mut world, room, [a, m, c], _) = three(2);
    let peer = world.nodes[c].peer;
    world.rule(a, Command::SetRole { room, peer, role: Role::Owner });
    world.settle();
    world.make_puppet(m);
    let flood = low_heads(&mut world, m, c, room, 17);
    world.put_to_sleep(a);
    give(&mut world, m, c, room, &flood);
    assert!(heads(&mut world, c, room) > 16, "or this shows nothing");
    world.rule(c, Command::Rekey { room });
    world.say_surely(c, room, "still here");
    world.remove(c, room, m);
    world.rule(c, Command::Leave { room, abandon: false });
    world.wake(a);
    world.settle();
    assert_eq!(world.texts(a, room), ["still here"]);
    assert_eq!(world.held(a, room).unwrap().roster.members.len(), 1);
}

#[test]
fn heads_with_low_ids_keep_nobody_from_coming_in() {
    let (mut world, room, [a, m, _], _) = three(3);
    let newcomer = world.add_node("fourth");
    let invited = world.ticket(a, room, Role::Member, false);
    world.settle();
    world.make_puppet(m);
    let flood = low_heads(&mut world, m, a, room, 20);
    give(&mut world, m, a, room, &flood);
    assert!(heads(&mut world, a, room) > 16, "or this shows nothing");
    assert!(matches!(world.join(newcomer, &invited.text, 20_000), Some(Ok(_))));
    assert_eq!(standing(&world, newcomer, room), Some(RoomStanding::Joined));
}

#[test]
fn nothing_new_is_taken_from_the_hands_of_one_who_was_put_out() {
    let (mut world, room, [a, m, _], _) = three(4);
    let flood = {
        let mut copy = World::new(4);
        std::mem::swap(&mut copy, &mut world);
        copy.make_puppet(m);
        let flood = low_heads(&mut copy, m, a, room, 20);
        world = copy;
        flood
    };
    world.remove(a, room, m);
    world.settle();
    let before = world.held(a, room).unwrap().dag.len();
    give(&mut world, m, a, room, &flood);
    assert_eq!(world.held(a, room).unwrap().dag.len(), before);
}

/// A ticket's text can name any room; that of two is nobody's to invite to.
#[test]
fn a_ticket_that_names_a_direct_room_is_refused_and_spoils_none() {
    let (mut world, _, [a, b, c], text) = three(5);
    let room = direct_room(&world.nodes[a].peer, &world.nodes[b].peer).unwrap();
    let mut ticket = TicketText::parse(&text).unwrap();
    ticket.room = room;
    for node in [a, b] {
        let joined = world.join(node, &ticket.to_text(), 0);
        assert!(matches!(joined, Some(Err(Failure::Direct))), "{joined:?}");
        assert_eq!(standing(&world, node, room), None);
    }
    // Nor that of this one and a stranger whom the text names.
    let stranger = world.add_node("fourth");
    let peer = world.nodes[stranger].peer;
    ticket.room = direct_room(&world.nodes[a].peer, &peer).unwrap();
    ticket.endpoints = vec![Endpoint { peer, addresses: Vec::new() }];
    assert!(matches!(world.join(a, &ticket.to_text(), 0), Some(Err(Failure::Direct))));
    // Whom nobody had heard of when the text was pasted, and who opens it later, is one of two all the same.
    let unheard = world.add_node("unheard");
    ticket.room = direct_room(&world.nodes[a].peer, &world.nodes[unheard].peer).unwrap();
    ticket.endpoints = vec![Endpoint { peer: world.nodes[c].peer, addresses: Vec::new() }];
    assert!(matches!(world.join(a, &ticket.to_text(), 0), Some(Ok(_))));
    world.make_puppet(unheard);
    let card = world.identity(unheard).card(0, 0);
    let other = world.nodes[a].peer;
    let body = ControlBody::Direct(parlor_wire::control::Direct { other, card, known: Vec::new() });
    let opening = world.puppet_control(unheard, (ticket.room, None), &[], body, None);
    give(&mut world, unheard, a, ticket.room, &[opening]);
    let view = world.nodes[a].engine.as_ref().unwrap().room(&ticket.room).unwrap();
    assert_eq!(view.direct, Some(world.nodes[unheard].peer), "known for what it is");
    assert!(
        world.nodes[a].engine.as_ref().unwrap().wanted_links().iter().all(|link| link.room != ticket.room)
    );
}

/// Callers nobody knows, each with a link that only stands there.
#[test]
fn three_hundred_strangers_who_stay_keep_nobody_from_coming_in() {
    let mut world = World::new(6);
    let alice = world.add_node("alice");
    let invited = world.start_room(alice, "room");
    for n in 0..30 {
        let stranger = world.add_node(&format!("stranger {n}"));
        world.make_puppet(stranger);
        let link = world.puppet_opens(stranger, alice, invited.room, None);
        let nothing = DataHeads { chains: Vec::new(), complete: true };
        world.puppet_says(stranger, link, &Frame::DataHeads(nothing));
        // And links on which nothing is said.
        for _ in 0..9 {
            world.puppet_dials(stranger, alice, RoomId([n; 32]));
        }
    }
    let links = world.nodes[alice].engine.as_ref().unwrap().sizes().links;
    assert_eq!(links, 256, "or this shows nothing");
    let bob = world.add_node("bob");
    assert!(matches!(world.join(bob, &invited.text, 20_000), Some(Ok(_))));
    assert_eq!(standing(&world, bob, invited.room), Some(RoomStanding::Joined));
}

#[test]
fn what_a_stranger_gives_without_its_parents_is_not_kept() {
    let (mut world, room, [a, _, _], _) = three(7);
    let stranger = world.add_node("fourth");
    world.make_puppet(stranger);
    let made_up = |n: u8| {
        let note = ControlBody::Want(Want { keys: vec![KeyId([n; 32])] });
        world.puppet_control(stranger, (room, Some(EntryId([n; 32]))), &[EntryId([n; 32])], note, None)
    };
    let flood: Vec<Control> = (0..100).map(made_up).collect();
    give(&mut world, stranger, a, room, &flood);
    assert_eq!(world.nodes[a].engine.as_ref().unwrap().sizes().missing, 0);
}

#[test]
fn a_member_proves_no_ticket_to_somebody_nobody_knows() {
    let (mut world, room, [_, b, _], _) = three(8);
    let stranger = world.add_node("fourth");
    world.make_puppet(stranger);
    let link = world.puppet_dials(stranger, b, room);
    let hello = parlor_wire::frame::Hello {
        v: parlor_wire::WIRE_VERSION,
        nonce: parlor_wire::Salt([1; 16]),
        knows: 0,
    };
    world.puppet_says(stranger, link, &Frame::Hello(hello));
    world.puppet_says(stranger, link, &Frame::Open(Open { room, proof: None }));
    let heard = world.puppet_hears(stranger, link);
    assert!(heard.iter().any(|frame| matches!(frame, Frame::Open(Open { proof: None, .. }))), "{heard:?}");
}

/// Bob came by a ticket and writes nothing after he revoked, not even keys for who asks, nor his name.
#[test]
fn a_revoked_identity_writes_nothing_whatever_it_is_asked() {
    let (mut world, _, [a, b, _], _) = three(9);
    assert!(matches!(world.open_direct(b, a), Some(Ok(Outcome::Joined { .. }))));
    let room = direct_room(&world.nodes[a].peer, &world.nodes[b].peer).unwrap();
    world.say_surely(b, room, "hello");
    world.settle();
    world.rule(b, Command::Revoke { abandon: true });
    world.settle();
    let held = world.held(b, room).unwrap();
    let before = (held.dag.len(), held.rows.len());
    let _ = world.ask(b, Command::SetNick("robert".into()));
    // Alice says that the key he made has not reached her: who may would give it at once.
    let own = membership(&mut world, a, room, a);
    let heads: Vec<EntryId> = held.dag.heads().iter().copied().collect();
    let want = ControlBody::Want(Want { keys: vec![held.snapshot.keys[0].0] });
    world.make_puppet(a);
    let want = world.puppet_control(a, (room, Some(own)), &heads, want, None);
    give(&mut world, a, b, room, &[want]);
    world.pass(60_000);
    let held = world.held(b, room).unwrap();
    assert!(held.dag.len() > before.0, "her entry is there, or this shows nothing");
    let own = world.nodes[b].peer;
    assert_eq!(held.rows.len(), before.1);
    let of_bob = held.dag.iter().skip(before.0).filter(|control| control.header.author == own).count();
    assert_eq!(of_bob, 0);
}
