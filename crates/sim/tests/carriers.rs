//! Scenarios 6 and 7: somebody who says two things to two nodes, and a peer that carries for others and withholds,
//! hides, shows what is old and goes back, beside an honest one. What an honest one tells mends all of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::Command;
use parlor_sim::act::ticket_keys;
use parlor_sim::{Carrier, World, Writing};
use parlor_wire::control::{ControlBody, Note, Remove, Role, SetRole};
use parlor_wire::roster::Dag;
use parlor_wire::{Control, Data, EntryId, RoomId};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
/// Carries.
const ROGUE: usize = 3;

/// Alice's room with the three others in it, and the text they came by.
fn four(seed: u64) -> (World, RoomId, String) {
    let mut world = World::new(seed);
    for nick in ["alice", "bob", "carol", "rogue"] {
        world.add_node(nick);
    }
    let invited = world.start_room_with(ALICE, &[BOB, CAROL, ROGUE]);
    (world, invited.room, invited.text)
}

fn part(world: &mut World, pairs: &[(usize, usize)]) {
    pairs.iter().for_each(|(one, other)| world.cut(*one, *other));
}

fn warns(world: &World, node: usize, room: RoomId, of: &str) -> bool {
    let view = world.nodes[node].engine.as_ref().unwrap().room(&room).unwrap();
    view.warnings.iter().any(|warning| warning.contains(of))
}

fn membership(world: &mut World, room: RoomId, whom: usize) -> EntryId {
    let peer = world.nodes[whom].peer;
    let held = world.held(ALICE, room).unwrap();
    *held.roster.members[&peer].memberships.iter().max_by_key(|id| held.roster.memberships[*id].role).unwrap()
}

/// Rogue shows Carol the room as it was before Bob was put out, with what Bob said since; then what Alice said since, and
/// still not why.
#[test]
fn scenario_7_a_carrier_that_withholds_a_removal_puts_it_off_and_no_more() {
    let (mut world, room, text) = four(700);
    let ticket = ticket_keys(&text);
    world.say_surely(BOB, room, "known to all");
    world.settle();
    world.make_puppet(ROGUE);
    part(&mut world, &[(CAROL, ALICE), (CAROL, BOB), (ALICE, BOB)]);
    let before = Carrier::of(&mut world, ROGUE, ALICE, room);
    world.remove(ALICE, room, BOB);
    world.say_surely(ALICE, room, "after the removal");
    world.say_surely(BOB, room, "too late");
    let late = Carrier { dag: before.dag.clone(), ..Carrier::of(&mut world, ROGUE, BOB, room) };
    late.serves(&mut world, CAROL, Some(&ticket), 20_000);
    assert!(world.texts(CAROL, room).contains(&"too late".to_owned()), "until it hears, a node takes it");
    assert!(!warns(&world, CAROL, room, "roster"), "and cannot know better");
    let hiding = Carrier { dag: before.dag, ..Carrier::of(&mut world, ROGUE, ALICE, room) };
    hiding.serves(&mut world, CAROL, Some(&ticket), 14_000);
    assert!(
        !world.texts(CAROL, room).contains(&"after the removal".to_owned()),
        "not before its roster is known"
    );
    assert!(warns(&world, CAROL, room, "roster"), "but what is withheld is mentioned");
    world.say_surely(CAROL, room, "not knowing");
    world.settle();
    world.check_room(room);
    for node in [ALICE, CAROL] {
        let mut texts = world.texts(node, room);
        texts.sort();
        assert_eq!(texts, ["after the removal", "known to all", "not knowing"], "node {node}");
        assert!(!warns(&world, node, room, "roster"), "node {node}");
    }
    world.say_surely(CAROL, room, "knowing");
    world.settle();
    assert!(!world.texts(BOB, room).iter().any(|text| text == "knowing" || text == "after the removal"));
}

#[test]
fn scenario_7_hidden_tails_show_when_anybody_else_mentions_them() {
    let (mut world, room, text) = four(701);
    let ticket = ticket_keys(&text);
    world.make_puppet(ROGUE);
    part(&mut world, &[(CAROL, ALICE), (CAROL, BOB)]);
    for n in 0..5 {
        world.say_surely(ALICE, room, &format!("#{n}#"));
    }
    world.pass(5_000);
    let all = Carrier::of(&mut world, ROGUE, ALICE, room);
    let last = all.data.iter().map(|data| data.header.seq).max().unwrap();
    all.clone().showing(|data| data.header.seq + 2 <= last).serves(&mut world, CAROL, Some(&ticket), 10_000);
    assert_eq!(world.texts(CAROL, room), ["#0#", "#1#", "#2#"], "nobody can see that something is missing");
    // Alice sleeps; Bob mentions it.
    world.put_to_sleep(ALICE);
    world.mend(CAROL, BOB);
    world.pass(60_000);
    assert_eq!(world.texts(CAROL, room), ["#0#", "#1#", "#2#", "#3#", "#4#"]);
    world.wake(ALICE);
    world.settle();
    world.check_room(room);
}

/// It shows all, then what was a while ago, then nothing, then all again.
#[test]
fn scenario_7_a_carrier_that_goes_back_takes_nothing_back() {
    let (mut world, room, text) = four(702);
    let ticket = ticket_keys(&text);
    world.make_puppet(ROGUE);
    let first = Carrier::of(&mut world, ROGUE, ALICE, room);
    part(&mut world, &[(CAROL, ALICE), (CAROL, BOB)]);
    for n in 0..4 {
        world.say_surely(ALICE, room, &format!("#{n}#"));
    }
    let third = world.invite(ALICE, room, None).unwrap().unwrap();
    let all = Carrier::of(&mut world, ROGUE, ALICE, room);
    let told = ["#0#", "#1#", "#2#", "#3#"];
    let nothing = Carrier { dag: Dag::new(room), ..first.clone() }.showing(|_| false);
    let half = all.clone().showing(|data| data.header.seq < 2);
    for (nth, carrier) in [&all, &first, &nothing, &half, &all].into_iter().enumerate() {
        carrier.serves(&mut world, CAROL, Some(&ticket), 5_000);
        assert_eq!(world.texts(CAROL, room), told, "{nth}");
        let held = world.held(CAROL, room).unwrap();
        assert!(held.roster.tickets.contains_key(&third.id), "{nth}");
    }
    world.say_surely(CAROL, room, "#4#");
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(ALICE, room).len(), 5);
}

/// Bob lost his store and came again, with a new card, of which Rogue tells Carol nothing. Carol makes a new key meanwhile. No
/// ticket is open that would open it to him.
#[test]
fn scenario_7_a_carrier_that_shows_old_cards_keeps_nobody_from_reading() {
    let (mut world, room, text) = four(703);
    let tickets = world.held(ALICE, room).unwrap().roster.tickets;
    world.close_ticket(ALICE, room, *tickets.first_key_value().unwrap().0).unwrap().unwrap();
    world.say_surely(ALICE, room, "before");
    world.settle();
    world.make_puppet(ROGUE);
    part(&mut world, &[(CAROL, ALICE), (CAROL, BOB)]);
    let old = Carrier::of(&mut world, ROGUE, ALICE, room);
    world.restore_disk(BOB, Default::default());
    world.join(BOB, &text, 20_000).unwrap().unwrap();
    world.pass(60_000);
    let cards = |world: &mut World, node: usize| {
        let peer = world.nodes[BOB].peer;
        world.held(node, room).unwrap().roster.members[&peer]
            .cards
            .iter()
            .map(|one| one.card.id())
            .collect::<Vec<_>>()
    };
    let (new, known) = (cards(&mut world, ALICE), cards(&mut world, CAROL));
    old.serves(&mut world, CAROL, None, 10_000);
    assert_eq!(cards(&mut world, CAROL), known);
    world.rule(CAROL, Command::Rekey { room });
    world.say_surely(CAROL, room, "to the old card");
    let held = world.held(CAROL, room).unwrap();
    let key = held.rows.iter().max_by_key(|row| row.sort_ms).unwrap().key;
    let rekeys = held.dag.iter().filter_map(|control: &Control| control.body.rekey());
    let sealed_to: Vec<_> = rekeys
        .filter(|rekey| rekey.key == key)
        .flat_map(|rekey| rekey.seals.iter().map(|seal| seal.to))
        .collect();
    assert!(
        !sealed_to.is_empty()
            && new.iter().filter(|card| !known.contains(card)).all(|card| !sealed_to.contains(card))
    );
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(BOB, room), ["before", "to the old card"]);
}

/// One place in Rogue's chain, two entries, each told to one node; branches of one length and of others.
#[test]
fn scenario_6_two_branches_of_data_told_to_two_nodes_come_to_all() {
    for (seed, left, right) in [(600, 1, 1), (601, 300, 300), (602, 1, 300), (603, 40, 2)] {
        let (mut world, room, text) = four(seed);
        let ticket = ticket_keys(&text);
        world.say_surely(ROGUE, room, "#0# the last true word");
        world.settle();
        let held = world.held(ROGUE, room).unwrap();
        let key = held.snapshot.keys.last().cloned().unwrap();
        let row = held.rows.iter().max_by_key(|row| row.sort_ms).unwrap();
        let (chain, last) = (row.chain, Some((row.seq, row.id)));
        world.make_puppet(ROGUE);
        part(&mut world, &[(ALICE, BOB), (ALICE, CAROL)]);
        let writing = Writing { room, chain, key: &key, time: world.wall_ms(ALICE), heads: None };
        let mut carrier = Carrier::of(&mut world, ROGUE, ALICE, room);
        let before = carrier.data.clone();
        for (to, count) in [(ALICE, left), (BOB, right)] {
            let texts = (0..count).map(|n| format!("{n} to {to}"));
            let branch: Vec<Data> = world.puppet_entries(ROGUE, &writing, last, texts);
            carrier.data = [before.clone(), branch].concat();
            carrier.serves(&mut world, to, Some(&ticket), 10_000);
            assert_eq!(world.texts(to, room).len(), 1 + count, "{seed}");
        }
        world.settle();
        world.check_room(room);
        for node in [ALICE, BOB, CAROL] {
            assert_eq!(world.texts(node, room).len(), 1 + left + right, "{seed}: node {node}");
            assert!(warns(&world, node, room, "copied"), "{seed}: node {node} says so");
        }
        world.check_quiet();
    }
}

/// An owner tells Alice that Carol is put out, and Bob that Carol is a reader; by one entry each, or with notes behind one of
/// them.
#[test]
fn scenario_6_an_owner_who_tells_two_nodes_two_things_is_heard_by_all_alike() {
    for (seed, left, right) in [(610, 0, 0), (611, 0, 40), (612, 300, 3)] {
        let (mut world, room, text) = four(seed);
        let ticket = ticket_keys(&text);
        let rogue = world.nodes[ROGUE].peer;
        world.rule(ALICE, Command::SetRole { room, peer: rogue, role: Role::Owner });
        world.say_surely(CAROL, room, "#0#");
        world.settle();
        let (own, carols) = (membership(&mut world, room, ROGUE), membership(&mut world, room, CAROL));
        world.make_puppet(ROGUE);
        part(&mut world, &[(ALICE, BOB), (ALICE, CAROL)]);
        let identity = world.nodes[CAROL].peer;
        let removes = Remove { identity, memberships: vec![carols], cuts: vec![], rekey: None };
        let demotes = SetRole { identity, role: Role::Reader, cuts: vec![] };
        let told = [(ALICE, ControlBody::Remove(removes), left), (BOB, ControlBody::Role(demotes), right)];
        for (to, body, notes) in told {
            let mut carrier = Carrier::of(&mut world, ROGUE, to, room);
            let heads: Vec<EntryId> = carrier.dag.heads().iter().copied().collect();
            let entry = world.puppet_control(ROGUE, (room, Some(own)), &heads, body, None);
            let mut last = carrier.add(&world, entry);
            for _ in 0..notes {
                let note = ControlBody::Note(Note {});
                let note = world.puppet_control(ROGUE, (room, Some(own)), &[last], note, None);
                last = carrier.add(&world, note);
            }
            carrier.serves(&mut world, to, Some(&ticket), 10_000);
            assert!(world.held(to, room).unwrap().dag.contains(&last), "{seed}: {to} was told");
        }
        let role = |world: &mut World, node: usize| {
            world.held(node, room).unwrap().roster.members.get(&identity).map(|member| member.role)
        };
        assert_eq!((role(&mut world, ALICE), role(&mut world, BOB)), (None, Some(Role::Reader)), "{seed}");
        world.settle();
        world.check_room(room);
        assert_eq!((role(&mut world, ALICE), role(&mut world, BOB)), (None, None), "{seed}: a remove stands");
        let held = [ALICE, BOB].map(|node| world.held(node, room).unwrap());
        assert_eq!(held[0].roster, held[1].roster, "{seed}");
        world.say_surely(BOB, room, "#1# afterwards");
        world.settle();
        assert!(!world.texts(CAROL, room).contains(&"#1# afterwards".to_owned()), "{seed}");
        assert!(world.texts(ALICE, room).contains(&"#1# afterwards".to_owned()), "{seed}");
    }
}
