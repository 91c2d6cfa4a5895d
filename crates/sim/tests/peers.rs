//! What a person calls peers, and whom they have verified: over all rooms, over restarts, and against those who take
//! another's name.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Failure, Outcome, PeerView, PersonView};
use parlor_sim::World;
use parlor_wire::{PeerId, RoomId};

fn peer(world: &World, node: usize) -> PeerId {
    world.nodes[node].engine.as_ref().unwrap().me()
}

fn people(world: &World, node: usize, room: RoomId) -> Vec<PersonView> {
    world.nodes[node].engine.as_ref().unwrap().people(&room)
}

fn peers(world: &World, node: usize) -> Vec<PeerView> {
    world.nodes[node].engine.as_ref().unwrap().peers()
}

fn shown(world: &World, node: usize, room: RoomId, of: PeerId) -> String {
    people(world, node, room).into_iter().find(|person| person.peer == of).unwrap().name.into_string()
}

fn call(world: &mut World, node: usize, peer: PeerId, name: Option<&str>) -> Result<Outcome, Failure> {
    world.ask(node, Command::SetPetname { peer, name: name.map(str::to_owned) }).unwrap()
}

#[test]
fn a_petname_is_what_a_peer_is_called_in_people_and_messages_until_it_is_taken_away() {
    let mut world = World::new(1);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let room = world.start_room_with(alice, &[bob]).room;
    let bob_id = peer(&world, bob);
    call(&mut world, alice, bob_id, Some("  robert  of ops ")).unwrap();
    assert_eq!(shown(&world, alice, room, bob_id), "robert-of-ops");
    world.say_surely(bob, room, "#1#");
    world.settle();
    assert_eq!(world.messages(alice, room)[0].name.as_str(), "robert-of-ops");
    assert_eq!(shown(&world, bob, room, bob_id), "bob", "it is alice's name for him and no news to others");
    world.kill(alice);
    world.pass(5_000);
    assert_eq!(shown(&world, alice, room, bob_id), "robert-of-ops", "and outlives her node");
    call(&mut world, alice, bob_id, None).unwrap();
    assert_eq!(shown(&world, alice, room, bob_id), "bob");
}

#[test]
fn wound_20_who_takes_the_name_of_a_named_peer_is_shown_apart_and_warned_of_even_in_another_room() {
    let mut world = World::new(2);
    let (alice, bob, rogue) = (world.add_node("alice"), world.add_node("bob"), world.add_node("rogue"));
    let first = world.start_room_with(alice, &[bob]).room;
    let second = world.start_room_with(alice, &[rogue]).room;
    let (bob_id, rogue_id) = (peer(&world, bob), peer(&world, rogue));
    call(&mut world, alice, bob_id, Some("bob")).unwrap();
    world.ask(rogue, Command::SetNick("B\u{43e}b".into())).unwrap().unwrap();
    world.say_surely(rogue, second, "#1#");
    world.settle();
    let name = shown(&world, alice, second, rogue_id);
    assert!(name.starts_with("B\u{43e}b~"), "{name}");
    let said = format!("“{name}” is not the bob you named, who is {}", bob_id.short());
    let room =
        |world: &World, room| world.nodes[alice].engine.as_ref().unwrap().room(&room).unwrap().warnings;
    assert_eq!(room(&world, second), std::slice::from_ref(&said));
    assert_eq!(room(&world, first), [""; 0]);
    let warned: Vec<_> =
        people(&world, alice, second).into_iter().filter_map(|person| person.warning).collect();
    assert_eq!(warned, [said]);
    // Whoever is given a name of their own is known by that.
    call(&mut world, alice, rogue_id, Some("rogue")).unwrap();
    assert_eq!(room(&world, second), [""; 0]);
    assert_eq!(shown(&world, alice, second, rogue_id), "rogue");
}

#[test]
fn a_petname_names_one_peer_and_who_has_it_is_said() {
    let mut world = World::new(3);
    let (alice, bob, carol) = (world.add_node("alice"), world.add_node("bob"), world.add_node("carol"));
    let room = world.start_room_with(alice, &[bob, carol]).room;
    let (own, bob_id, carol_id) = (peer(&world, alice), peer(&world, bob), peer(&world, carol));
    call(&mut world, alice, bob_id, Some("bob")).unwrap();
    for twin in ["bob", "B0B", "b\u{43e}b"] {
        let taken = Failure::PetnameTaken { peer: bob_id, petname: "bob".into() };
        assert_eq!(call(&mut world, alice, carol_id, Some(twin)).unwrap_err(), taken, "{twin}");
    }
    call(&mut world, alice, bob_id, Some("bob")).unwrap();
    assert_eq!(call(&mut world, alice, carol_id, Some("\u{2060}")).unwrap_err(), Failure::NoName);
    assert_eq!(call(&mut world, alice, own, Some("me")).unwrap_err(), Failure::OwnPeer);
    assert_eq!(call(&mut world, alice, PeerId([7; 32]), Some("x")).unwrap_err(), Failure::NoSuchPeer);
    assert_eq!(shown(&world, alice, room, carol_id), "carol");
    call(&mut world, alice, bob_id, None).unwrap();
    call(&mut world, alice, carol_id, Some("bob")).unwrap();
}

#[test]
fn every_peer_is_listed_once_with_its_rooms_and_whether_it_is_verified() {
    let mut world = World::new(4);
    let (alice, bob, carol) = (world.add_node("alice"), world.add_node("bob"), world.add_node("carol"));
    let both = world.start_room_with(alice, &[bob, carol]).room;
    let bobs = world.start_room_with(alice, &[bob]).room;
    let (own, bob_id, carol_id) = (peer(&world, alice), peer(&world, bob), peer(&world, carol));
    let verify = |world: &mut World, peer| world.ask(alice, Command::SetVerified { peer }).unwrap();
    verify(&mut world, bob_id).unwrap();
    assert_eq!(verify(&mut world, own).unwrap_err(), Failure::OwnPeer);
    assert_eq!(verify(&mut world, PeerId([7; 32])).unwrap_err(), Failure::NoSuchPeer);
    world.kill(alice);
    world.pass(5_000);
    let listed = peers(&world, alice);
    assert_eq!(listed.iter().map(|peer| peer.peer).collect::<Vec<_>>(), [own, bob_id, carol_id]);
    assert!(listed[0].own && listed[1].verified.is_some() && listed[2].verified.is_none());
    let sorted = |mut rooms: Vec<RoomId>| {
        rooms.sort();
        rooms
    };
    assert_eq!(sorted(listed[1].rooms.clone()), sorted(vec![both, bobs]));
    assert_eq!(listed[2].rooms, [both]);
    let bob_there = people(&world, alice, bobs).into_iter().find(|person| person.peer == bob_id).unwrap();
    assert!(bob_there.verified.is_some());
}
