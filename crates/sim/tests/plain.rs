//! The plain path: start, ticket, join, send both ways, take and commit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::Outcome;
use parlor_sim::{Session, World};

#[test]
fn one_line_is_heard_and_answered() {
    let mut world = World::new(1);
    let alice = world.add_node("alice");
    let bob = world.add_node("bob");
    let invited = world.start_room(alice, "payments");
    let room = invited.room;
    let mut session = Session::new(&world, alice, "s1", room);
    let joined = world.join(bob, &invited.text, 5_000);
    assert!(matches!(joined, Some(Ok(Outcome::Joined { already: false, .. }))), "{joined:?}");
    let sent = world.say_surely(bob, room, "#1# postgres, we have it");
    assert_eq!(sent.of, 1);
    world.pass(1_000);
    let giving = session.take(&mut world, 1).expect("taken");
    assert!(giving.text.contains("#1# postgres, we have it"), "{}", giving.text);
    assert!(giving.text.contains("@bob"), "{}", giving.text);
    session.commit(&mut world, &giving);
    assert!(session.drain(&mut world).is_empty());
    world.say_surely(alice, room, "#2# good, thank you");
    world.pass(1_000);
    assert_eq!(world.texts(bob, room), ["#1# postgres, we have it", "#2# good, thank you"]);
    world.settle();
    world.check_room(room);
}
