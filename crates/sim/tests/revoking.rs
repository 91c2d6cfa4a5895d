//! Revoking an identity in simulated worlds: all rooms hear of it, whoever speaks by it later is marked, and it takes nobody's
//! rights away by itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Failure, Outcome, RoomStanding};
use parlor_sim::World;
use parlor_sim::act::{come_in_by_a_copy, three};
use parlor_wire::control::Role;

fn is_revoked(world: &World, node: usize, whom: usize) -> bool {
    let peers = world.nodes[node].engine.as_ref().unwrap().peers();
    let peer = world.nodes[whom].peer;
    peers.iter().any(|known| known.peer == peer && known.revoked.is_some())
}

#[test]
fn a_revoked_identity_leaves_every_room_and_is_known_as_such_by_all_who_were_in_one() {
    let (mut world, room, [a, b, c], ticket) = three(1);
    let other = world.start_room(c, "other");
    assert!(matches!(world.join(b, &other.text, 20_000), Some(Ok(_))));
    world.say_surely(b, room, "before");
    world.settle();
    let outcome = world.rule(b, Command::Revoke { abandon: false });
    assert!(
        matches!(&outcome, Outcome::Revoked { told, abandoned } if told.len() == 2 && abandoned.is_empty())
    );
    world.settle();
    for node in [a, c] {
        assert!(is_revoked(&world, node, b), "node {node}");
        let people = world.nodes[node].engine.as_ref().unwrap().people(&room);
        assert!(people.iter().all(|person| person.peer != world.nodes[b].peer), "he has left");
        assert!(world.messages(node, room)[0].revoked, "and what he said is marked");
    }
    let standing = world.nodes[b].engine.as_ref().unwrap().room(&room).unwrap().state;
    assert_eq!(standing, RoomStanding::Left);
    // He writes, joins and starts nothing any more, and not after a restart either.
    for _ in 0..2 {
        assert!(matches!(world.say(b, room, "x"), Some(Err(Failure::Revoked))));
        assert!(matches!(world.join(b, &ticket, 0), Some(Err(Failure::Revoked))));
        assert!(matches!(world.open_direct(b, a), Some(Err(Failure::Revoked))));
        world.kill(b);
        world.start(b);
        world.settle();
    }
    world.kill(a);
    world.start(a);
    world.settle();
    assert!(is_revoked(&world, a, b), "it is remembered");
}

/// Also who heard of it from somebody else, and stops before anything else is written down.
#[test]
fn who_hears_of_a_revocation_from_others_remembers_it() {
    let (mut world, _, [_, b, c], _) = three(4);
    world.cut(b, c);
    world.pass(1_000);
    world.rule(b, Command::Revoke { abandon: false });
    world.pass(5_000);
    assert!(is_revoked(&world, c, b));
    world.kill(c);
    world.start(c);
    assert!(is_revoked(&world, c, b));
}

/// Who has the key and a ticket comes in again: everybody sees who that is not, and an owner ends it.
#[test]
fn who_comes_in_by_a_revoked_identity_is_warned_of_until_an_owner_puts_it_out() {
    let (mut world, room, [a, b, c], ticket) = three(2);
    let thief = come_in_by_a_copy(&mut world, b, &ticket);
    world.say(thief, room, "it is me");
    world.settle();
    // Whoever has the key may have said it: it stops no machine of that identity, and its person is told.
    assert!(!is_revoked(&world, thief, b));
    let warnings = world.nodes[thief].engine.as_ref().unwrap().room(&room).unwrap().warnings;
    assert!(warnings.iter().any(|said| said.contains("revoked from another machine")), "{warnings:?}");
    let engine = world.nodes[c].engine.as_ref().unwrap();
    let person = engine.people(&room).into_iter().find(|person| person.peer == world.nodes[b].peer);
    assert!(person.unwrap().warning.unwrap().contains("has revoked this identity"));
    assert!(engine.room(&room).unwrap().warnings.iter().any(|said| said.contains("has revoked")));
    assert!(world.messages(c, room).iter().any(|view| view.text.as_str() == "it is me" && view.revoked));
    world.remove(a, room, b);
    world.settle();
    assert!(world.nodes[c].engine.as_ref().unwrap().people(&room).len() == 2);
}

#[test]
fn the_last_owner_revokes_only_by_saying_that_its_rooms_are_abandoned() {
    let (mut world, room, [a, b, _], _) = three(3);
    assert!(matches!(world.ask(a, Command::Revoke { abandon: false }), Some(Err(Failure::LastOwner))));
    world.say_surely(a, room, "nothing was done");
    let peer = world.nodes[b].peer;
    world.rule(a, Command::SetRole { room, peer, role: Role::Owner });
    world.settle();
    let outcome = world.rule(a, Command::Revoke { abandon: false });
    assert!(
        matches!(&outcome, Outcome::Revoked { abandoned, .. } if abandoned.is_empty()),
        "another rules it"
    );
    world.settle();
    let outcome = world.rule(b, Command::Revoke { abandon: true });
    assert!(matches!(&outcome, Outcome::Revoked { abandoned, .. } if *abandoned == [room]));
}

#[test]
fn rooms_that_nobody_else_is_in_are_left_too_and_their_tickets_closed() {
    let mut world = World::new(4);
    let alice = world.add_node("alice");
    let alone = world.start_room(alice, "alone");
    let local = world.start_local(alice, "notes");
    let outcome = world.rule(alice, Command::Revoke { abandon: false });
    assert!(
        matches!(&outcome, Outcome::Revoked { told, abandoned } if told.is_empty() && abandoned.is_empty())
    );
    for room in [alone.room, local] {
        let view = world.nodes[alice].engine.as_ref().unwrap().room(&room).unwrap();
        assert_eq!((view.state, view.open_tickets), (RoomStanding::Left, 0));
        assert!(view.warnings.is_empty(), "its own word is no warning: {:?}", view.warnings);
    }
    let bob = world.add_node("bob");
    world.join(bob, &alone.text, 10_000);
    world.settle();
    let view = world.nodes[bob].engine.as_ref().unwrap().room(&alone.room).unwrap();
    assert_ne!(view.state, RoomStanding::Joined, "nobody is let in any more");
}

#[test]
fn who_tells_a_revoked_identity_something_is_warned() {
    let (mut world, _, [a, b, _], _) = three(5);
    assert!(matches!(world.open_direct(a, b), Some(Ok(_))));
    let room = parlor_wire::control::direct_room(&world.nodes[a].peer, &world.nodes[b].peer).unwrap();
    world.settle();
    assert!(world.say_surely(a, room, "before").warnings.is_empty());
    world.rule(b, Command::Revoke { abandon: false });
    world.settle();
    let warnings = world.say_surely(a, room, "after").warnings;
    assert!(warnings.iter().any(|said| said.contains("may be somebody else")), "{warnings:?}");
}
