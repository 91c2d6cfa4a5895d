//! Rooms nobody is invited to, in simulated worlds: the direct room of two, and rooms that stay on their node.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::engine::api::{Command, Failure, Outcome, RoomStanding, Sent, Take, TakeRoom};
use parlor_sim::World;
use parlor_sim::act::three;
use parlor_sim::story::{Plot, Story};
use parlor_wire::control::direct_room;
use parlor_wire::frame::{Frame, Refusal};
use parlor_wire::{PeerId, RoomId};

fn room_of(world: &World, one: usize, other: usize) -> RoomId {
    direct_room(&world.nodes[one].peer, &world.nodes[other].peer).unwrap()
}

/// Tells somebody something alone, or one session of theirs.
fn tell(world: &mut World, from: usize, to: usize, session: Option<&str>, text: &str) -> Sent {
    assert!(matches!(world.open_direct(from, to), Some(Ok(Outcome::Joined { .. }))));
    let room = room_of(world, from, to);
    let Command::Send(mut send) = world.sending(room, text, text, None) else { unreachable!() };
    send.to = session.map(str::to_owned);
    match world.ask(from, Command::Send(send)) {
        Some(Ok(Outcome::Sent(sent))) => sent,
        other => world.fail(&format!("tell: {other:?}")),
    }
}

/// What a session hears that hears a room.
fn heard(world: &World, node: usize, room: RoomId) -> Vec<TakeRoom> {
    world.nodes[node].engine.as_ref().unwrap().with_directs(vec![TakeRoom { room, bound_at: 0 }])
}

/// What a session that hears `room` is given, and its cursor moves.
fn given(world: &mut World, node: usize, session: &str, room: RoomId) -> String {
    let rooms = heard(world, node, room);
    let take =
        Take { holder: 1, session: session.into(), label: Some(session.into()), rooms, ..Take::default() };
    let Some(Ok(Outcome::Taken(taken))) = world.ask(node, Command::Take(take)) else { panic!() };
    if let Some(token) = taken.token {
        assert!(matches!(world.ask(node, Command::Commit { token }), Some(Ok(Outcome::Done))));
    }
    taken.text
}

fn unread(world: &mut World, node: usize, session: &str, room: RoomId) -> u64 {
    let rooms = heard(world, node, room);
    let ask = Command::Unread { session: session.into(), label: Some(session.into()), rooms };
    let Some(Ok(Outcome::Unread(counted))) = world.ask(node, ask) else { panic!() };
    counted.into_iter().map(|(_, count)| count).sum()
}

fn standing(world: &World, node: usize, room: RoomId) -> Option<RoomStanding> {
    world.nodes[node].engine.as_ref().unwrap().room(&room).map(|view| view.state)
}

#[test]
fn what_is_told_to_one_arrives_at_that_one_alone_and_is_heard_where_both_are() {
    let (mut world, shared, [a, b, c], _) = three(1);
    let sent = tell(&mut world, a, b, None, "for bob alone");
    assert_eq!(sent.of, 1);
    world.settle();
    let room = room_of(&world, a, b);
    assert_eq!(world.texts(b, room), ["for bob alone"]);
    assert_eq!(standing(&world, c, room), None, "nobody else holds it");
    given(&mut world, b, "api", shared);
    let text = given(&mut world, b, "web", shared);
    assert!(text.contains("for bob alone") && text.contains("[@alice @alice"), "{text}");
    // Where he hears no room with Alice in it, he is not given what she tells him.
    let own = world.start_room(b, "his own").room;
    assert_eq!(given(&mut world, b, "elsewhere", own), "");
    assert_eq!(unread(&mut world, b, "elsewhere", own), 0);
    // He answers in the same room, and a session that was there is given it as new.
    tell(&mut world, b, a, None, "and back");
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(a, room), ["for bob alone", "and back"]);
    let people = world.nodes[a].engine.as_ref().unwrap().people(&room);
    assert_eq!(people.len(), 2);
    let view = world.nodes[a].engine.as_ref().unwrap().room(&room).unwrap();
    assert_eq!((view.name.as_str(), view.direct), ("@bob", Some(world.nodes[b].peer)));
}

#[test]
fn who_sleeps_is_told_when_they_wake_without_having_opened_the_room() {
    let (mut world, _, [a, b, _], _) = three(2);
    world.put_to_sleep(b);
    let sent = tell(&mut world, a, b, None, "when you wake");
    assert_eq!(sent.reached, 0);
    world.pass(60_000);
    let room = room_of(&world, a, b);
    let held = world.held(a, room).unwrap();
    let given: BTreeSet<PeerId> = held
        .dag
        .iter()
        .filter_map(|control| control.body.rekey())
        .flat_map(|rekey| rekey.seals.iter().map(|seal| held.roster.cards[&seal.to]))
        .collect();
    assert_eq!(given, BTreeSet::from([a, b].map(|node| world.nodes[node].peer)), "by the card she knew");
    world.wake(b);
    world.settle();
    assert_eq!(world.texts(b, room), ["when you wake"]);
    world.check_room(room);
}

#[test]
fn two_who_tell_each_other_at_once_have_one_room_and_read_all_of_it() {
    for seed in 0..20 {
        let (mut world, _, [a, b, _], _) = three(100 + seed);
        world.cut(a, b);
        tell(&mut world, a, b, None, "from alice");
        tell(&mut world, b, a, None, "from bob");
        world.settle();
        let room = room_of(&world, a, b);
        for node in [a, b] {
            let mut texts = world.texts(node, room);
            texts.sort();
            assert_eq!(texts, ["from alice", "from bob"], "seed {seed}");
        }
        world.check_room(room);
        // And again under whatever keys there are.
        tell(&mut world, a, b, None, "again");
        world.settle();
        assert_eq!(world.texts(b, room).last().unwrap(), "again");
    }
}

#[test]
fn a_stranger_opens_no_direct_room_and_hears_none() {
    let (mut world, _, [a, _, _], _) = three(3);
    let d = world.add_node("fourth");
    world.start_room(d, "elsewhere");
    assert!(matches!(world.open_direct(d, a), Some(Err(Failure::NoSharedRoom))));
    assert!(matches!(world.open_direct(a, a), Some(Err(Failure::OwnPeer))));
    let room = room_of(&world, a, d);
    world.settle();
    assert_eq!((standing(&world, a, room), standing(&world, d, room)), (None, None));
    // Nor by naming it on a link of his own.
    world.make_puppet(d);
    let link = world.puppet_opens(d, a, room, None);
    assert!(!world.puppet_is_linked(d, link));
    assert_eq!(standing(&world, a, room), None, "nothing is kept of it");
}

#[test]
fn who_shares_no_room_any_more_is_heard_only_by_who_has_spoken_to_them() {
    let (mut world, shared, [a, b, c], _) = three(4);
    tell(&mut world, b, a, None, "to alice, who never answers");
    tell(&mut world, c, b, None, "to bob");
    tell(&mut world, b, c, None, "to carol");
    world.settle();
    world.remove(a, shared, b);
    world.settle();
    let [with_alice, with_carol] = [room_of(&world, a, b), room_of(&world, b, c)];
    for (to, text) in [(a, "alice, still there?"), (c, "carol, still there?")] {
        let room = room_of(&world, b, to);
        world.say_surely(b, room, text);
    }
    world.settle();
    assert_eq!(world.texts(a, with_alice), ["to alice, who never answers"], "not read any more");
    assert_eq!(world.texts(c, with_carol).last().unwrap(), "carol, still there?", "she has spoken to him");
}

#[test]
fn what_is_for_one_session_is_given_to_that_session_alone() {
    let (mut world, shared, [a, b, _], _) = three(5);
    for session in ["api", "web"] {
        given(&mut world, b, session, shared);
    }
    tell(&mut world, a, b, Some("api"), "only the api session");
    tell(&mut world, a, b, None, "whoever listens");
    world.settle();
    assert_eq!((unread(&mut world, b, "api", shared), unread(&mut world, b, "web", shared)), (2, 1));
    let (api, web) = (given(&mut world, b, "api", shared), given(&mut world, b, "web", shared));
    assert!(api.contains("only the api session") && api.contains("to you"), "{api}");
    assert!(web.contains("whoever listens") && !web.contains("only the api session"), "{web}");
    for session in ["api", "web"] {
        assert_eq!(given(&mut world, b, session, shared), "", "given once");
        assert_eq!(unread(&mut world, b, session, shared), 0);
    }
}

#[test]
fn nobody_rules_a_direct_room() {
    let (mut world, _, [a, b, c], _) = three(6);
    tell(&mut world, a, b, None, "hello");
    world.settle();
    let room = room_of(&world, a, b);
    let (bob, carol) = (world.nodes[b].peer, world.nodes[c].peer);
    let acts = [
        Command::Remove { room, peer: bob, keep: Vec::new() },
        Command::Approve { room, peer: carol },
        Command::SetRole { room, peer: bob, role: parlor_wire::control::Role::Reader },
        Command::Leave { room, abandon: true },
        Command::Rename { room, name: "mine".into() },
    ];
    for act in acts {
        let said = format!("{act:?}");
        assert!(matches!(world.ask(a, act), Some(Err(Failure::Direct))), "{said}");
    }
    assert!(matches!(world.invite(a, room, None), Some(Err(Failure::Direct))));
    world.rule(a, Command::Rekey { room });
    world.say_surely(a, room, "under a new key");
    world.settle();
    assert_eq!(world.texts(b, room).last().unwrap(), "under a new key");
}

#[test]
fn a_store_that_was_lost_finds_its_direct_rooms_when_the_other_speaks() {
    let (mut world, _, [a, b, _], _) = three(7);
    let before = world.nodes[b].store.clone();
    tell(&mut world, a, b, None, "one");
    world.settle();
    tell(&mut world, b, a, None, "two");
    world.settle();
    // Bob's disk is that of before his first direct word.
    world.restore_disk(b, before);
    world.settle();
    let room = room_of(&world, a, b);
    tell(&mut world, b, a, None, "three");
    world.settle();
    assert_eq!(world.texts(a, room), ["one", "two", "three"]);
    assert_eq!(world.texts(b, room), ["one", "two", "three"]);
    world.check_room(room);
}

#[test]
fn a_local_room_is_spoken_of_with_nobody() {
    let (mut world, _, [a, b, _], _) = three(8);
    let room = world.start_local(a, "notes");
    world.say_surely(a, room, "to myself");
    assert!(matches!(world.invite(a, room, None), Some(Err(Failure::StaysHere))));
    world.settle();
    let engine = world.nodes[a].engine.as_ref().unwrap();
    assert!(engine.room(&room).unwrap().stays_here);
    assert!(engine.wanted_links().iter().all(|link| link.room != room));
    assert_eq!(standing(&world, b, room), None);
    // And when it starts again.
    world.kill(a);
    world.start(a);
    world.settle();
    assert!(world.nodes[a].engine.as_ref().unwrap().room(&room).unwrap().stays_here);
    assert_eq!(world.texts(a, room), ["to myself"]);
}

/// The random stories of `seeds` are not about rooms of many alone.
#[test]
fn random_stories_have_people_who_speak_alone() {
    let spoken = |seed| {
        let mut story = Story::new(seed, Plot::of(seed));
        story.play();
        story.end();
        story.spoken
    };
    assert!((1..30).map(spoken).sum::<usize>() >= 10, "too few to show anything");
}

/// Somebody who knows the id of a room that is none of theirs: one that stays where it is, or that of two others.
#[test]
fn who_names_a_local_room_or_the_room_of_two_others_is_refused_as_if_there_were_none() {
    let (mut world, shared, [a, b, c], _) = three(9);
    let notes = world.start_local(a, "notes");
    tell(&mut world, a, b, None, "for bob alone");
    world.settle();
    let theirs = room_of(&world, a, b);
    world.make_puppet(c);
    for room in [notes, theirs, room_of(&world, b, c), RoomId([9; 32])] {
        let link = world.puppet_opens(c, a, room, None);
        let heard = world.puppet_hears(c, link);
        assert!(heard.contains(&Frame::Refuse(Refusal::NotEntitled)), "{room:?}: {heard:?}");
        assert!(!world.puppet_is_linked(c, link));
    }
    // But the room of all three is open to her, and the one she has with Alice.
    for room in [shared, room_of(&world, a, c)] {
        let link = world.puppet_opens(c, a, room, None);
        assert!(world.puppet_is_linked(c, link), "{room:?}");
    }
}

/// Whoever tells somebody something for the first time waits for a link that does not stand yet.
#[test]
fn the_first_word_to_one_who_is_there_is_told_to_have_reached_them() {
    let (mut world, _, [a, b, _], _) = three(10);
    assert!(matches!(world.open_direct(a, b), Some(Ok(Outcome::Joined { already: false, .. }))));
    let room = room_of(&world, a, b);
    let Command::Send(mut send) = world.sending(room, "hello", "hello", None) else { unreachable!() };
    send.wait_ms = 5_000;
    let Some(Ok(Outcome::Sent(sent))) = world.ask(a, Command::Send(send)) else { panic!() };
    assert_eq!((sent.reached, sent.of), (1, 1));
}
