//! Rooms of the local network, and direct rooms of people who share no other: what was said there goes nowhere else, whoever leaves
//! or joins anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::engine::api::{Command, NEAR, Outcome, Reach};
use parlor_sim::World;
use parlor_wire::control::direct_room;
use parlor_wire::ticket::TicketText;
use parlor_wire::{PeerId, RoomId};

/// Alice's room of the local network, with Bob in it, and the text he came by. Links are of the local network.
fn office(world: &mut World, alice: usize, bob: usize) -> (RoomId, String) {
    world.link_near(true);
    let expires = Some(world.wall_ms(alice) + 3_600_000);
    let start = Command::Start { name: "office".into(), reach: Reach::Lan, expires, endpoints: Vec::new() };
    let Outcome::Started { invited: Some(invited), room } = world.ask(alice, start).unwrap().unwrap() else {
        panic!("no room")
    };
    let text = world.ticket_naming(&invited.text, alice);
    world.join(bob, &text, 20_000).unwrap().unwrap();
    world.pass(5_000);
    (room, text)
}

fn peer(world: &World, node: usize) -> PeerId {
    world.nodes[node].peer
}

fn is_lan(world: &World, node: usize, room: RoomId) -> bool {
    world.nodes[node].engine.as_ref().unwrap().is_lan(&room)
}

fn needs_relays(world: &World, node: usize) -> bool {
    world.nodes[node].engine.as_ref().unwrap().relayed_rooms().is_some()
}

fn leave(world: &mut World, node: usize, room: RoomId) {
    world.ask(node, Command::Leave { room, abandon: false }).unwrap().unwrap();
    world.pass(20_000);
}

#[test]
fn what_two_said_in_the_office_alone_stays_there_when_one_leaves_it() {
    let mut world = World::new(1);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let (room, _) = office(&mut world, alice, bob);
    world.open_direct(alice, bob).unwrap().unwrap();
    world.pass(2_000);
    world.open_direct(bob, alice).unwrap().unwrap();
    let direct = direct_room(&peer(&world, alice), &peer(&world, bob)).unwrap();
    world.say_surely(alice, direct, "first");
    world.say_surely(bob, direct, "an answer");
    world.pass(2_000);
    assert!(is_lan(&world, alice, direct) && !needs_relays(&world, alice));
    world.cut(alice, bob);
    world.pass(30_000);
    world.say_surely(alice, direct, "second, while he was out");
    leave(&mut world, bob, room);
    world.mend(alice, bob);
    world.link_near(false);
    world.kill(bob);
    world.pass(120_000);
    assert!(is_lan(&world, alice, direct) && !needs_relays(&world, alice));
    // Both in one millisecond: which of them stands first is chance.
    let held: BTreeSet<String> = world.texts(bob, direct).into_iter().collect();
    assert_eq!(held, ["an answer", "first"].map(String::from).into(), "not over any other link");
    world.link_near(true);
    world.pass(120_000);
    assert_eq!(world.texts(bob, direct).len(), 3, "back in the office it comes");
}

#[test]
fn who_opens_a_direct_room_and_goes_makes_nobody_need_a_relay() {
    let mut world = World::new(2);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let (room, _) = office(&mut world, alice, bob);
    world.open_direct(bob, alice).unwrap().unwrap();
    world.pass(5_000);
    leave(&mut world, bob, room);
    assert!(!needs_relays(&world, alice), "she never answered");
}

#[test]
fn a_direct_room_goes_home_when_the_last_room_elsewhere_ends() {
    let mut world = World::new(3);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    office(&mut world, alice, bob);
    world.link_near(false);
    let elsewhere = world.start_room_with(alice, &[bob]).room;
    world.open_direct(alice, bob).unwrap().unwrap();
    let direct = direct_room(&peer(&world, alice), &peer(&world, bob)).unwrap();
    world.say_surely(alice, direct, "wherever");
    world.pass(2_000);
    assert!(!is_lan(&world, alice, direct));
    world.link_near(true);
    leave(&mut world, bob, elsewhere);
    world.pass(60_000);
    assert!(is_lan(&world, alice, direct));
    let of_direct = world.nodes[alice].links.iter().filter(|(_, side)| side.room == direct);
    assert!(of_direct.map(|(link, _)| link & NEAR).all(|near| near != 0), "on no other link");
}

#[test]
fn no_other_text_of_a_ticket_lets_a_room_out_of_the_local_network() {
    let mut world = World::new(4);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let (room, text) = office(&mut world, alice, bob);
    leave(&mut world, bob, room);
    let mut text = TicketText::parse(&text).unwrap();
    text.relay = Some("https://relay.example/".into());
    world.join(bob, &text.to_text(), 2_000);
    assert!(is_lan(&world, bob, room) && !needs_relays(&world, bob));
}
