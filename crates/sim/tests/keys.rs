//! Keys: who can open what, after rekeys, tickets and joins that did not know of each other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::engine::api::{Command, RoomStanding};
use parlor_core::keys;
use parlor_sim::act::{three, ticket_keys};
use parlor_sim::check::Held;
use parlor_sim::dice::Dice;
use parlor_sim::{Session, World};
use parlor_wire::control::{ControlBody, Grant, Rekey, Role};
use parlor_wire::{EntryId, KeyId, PeerId, RecipientId, RoomId, limits};

/// Everybody who is in reads everything, each message was given once to a session that was there from the start.
fn check(world: &mut World, room: RoomId, session: &mut Session, said: &[String]) {
    world.settle();
    world.check_room(room);
    for node in world.members(room) {
        let mut texts = world.texts(node, room);
        texts.retain(|text| text.contains('#'));
        texts.sort();
        let mut wanted = said.to_vec();
        wanted.sort();
        assert_eq!(texts, wanted, "node {node} reads something else");
    }
    let mut given = session.drain(world);
    given.extend(session.given.keys().cloned());
    given.sort_by_key(|mark| mark.parse::<u64>().unwrap());
    given.dedup();
    let wanted: Vec<String> = (0..said.len()).map(|n| n.to_string()).collect();
    assert_eq!(given, wanted);
}

/// Scenario 3: rekeys, tickets and joins at once on both sides of a partition.
#[test]
fn concurrent_rekeys_tickets_and_joins_open_to_every_entitled_reader() {
    for seed in 0..12 {
        let mut world = World::new(100 + seed);
        let mut dice = Dice::new(seed);
        let nodes: Vec<usize> = ["a", "b", "c", "d", "e"].iter().map(|nick| world.add_node(nick)).collect();
        let first = world.start_room(nodes[0], "room");
        let room = first.room;
        world.join(nodes[1], &first.text, 5_000).unwrap().unwrap();
        world.settle();
        let mut session = Session::new(&world, nodes[0], "s", room);
        session.drain(&mut world);
        let mut said = Vec::new();
        let mut tickets = vec![first.clone()];
        for _ in 0..6 {
            for a in &nodes {
                for b in &nodes {
                    if a < b && dice.chance(400) {
                        world.cut(*a, *b);
                    } else if a < b {
                        world.mend(*a, *b);
                    }
                }
            }
            for _ in 0..6 {
                let node = nodes[dice.below(5) as usize];
                match dice.below(5) {
                    0 => {
                        // A close carries a new key; the genesis' ticket stays, so that joins stay possible.
                        if tickets.len() > 1 {
                            let ticket = tickets.pop().unwrap();
                            let _ = world.close_ticket(nodes[0], room, ticket.id);
                        }
                    }
                    1 => {
                        let expires = Some(world.wall_ms(nodes[0]) + 90_000_000);
                        if let Some(Ok(ticket)) = world.invite(nodes[0], room, expires) {
                            tickets.push(ticket);
                        }
                    }
                    2 => {
                        let ticket = dice.pick(&tickets).unwrap();
                        let _ = world.join(node, &ticket.text, 0);
                    }
                    _ => {
                        let text = format!("#{}# hello", said.len());
                        if let Some(Ok(_)) = world.say(node, room, &text) {
                            said.push((node, text));
                        }
                    }
                }
                let ms = dice.between(0, 3_000);
                world.pass(ms);
            }
            session.drain(&mut world);
        }
        world.settle();
        let members = world.members(room);
        // A join that a close had not seen is undone, and what was said under it does not count.
        let kept: Vec<String> =
            said.iter().filter(|(node, _)| members.contains(node)).map(|(_, text)| text.clone()).collect();
        if kept.len() == said.len() {
            check(&mut world, room, &mut session, &kept);
        } else {
            world.check_room(room);
        }
    }
}

/// A message comes before the key that opens it: it waits, arrives once, and is given once.
#[test]
fn a_message_that_opens_late_is_given_once() {
    let mut world = World::new(21);
    let (alice, bob, carol) = (world.add_node("a"), world.add_node("b"), world.add_node("c"));
    let first = world.start_room(alice, "room");
    let room = first.room;
    world.join(bob, &first.text, 5_000).unwrap().unwrap();
    world.settle();
    let mut session = Session::new(&world, bob, "s", room);
    session.drain(&mut world);
    // Alice closes the ticket while Carol is joining by Bob: Carol's join is undone, and tried again.
    world.cut(alice, carol);
    world.cut(alice, bob);
    let by_bob = world.ticket_naming(&first.text, bob);
    world.join(carol, &by_bob, 5_000).unwrap().unwrap();
    world.say_surely(carol, room, "#0# heard by Bob at once");
    world.pass(2_000);
    assert_eq!(session.drain(&mut world), ["0"]);
    let second = world.invite(alice, room, Some(world.wall_ms(alice) + 9_000_000)).unwrap().unwrap();
    world.say_surely(alice, room, "#1# under the old key");
    world.close_ticket(alice, room, first.id).unwrap().unwrap();
    world.say_surely(alice, room, "#2# under the new key");
    world.mend_all();
    world.settle();
    assert_eq!(world.members(room), [alice, bob]);
    assert_eq!(session.drain(&mut world), ["1", "2"]);
    world.join(carol, &second.text, 20_000).unwrap().unwrap();
    world.settle();
    assert_eq!(world.members(room), [alice, bob, carol]);
    assert_eq!(world.texts(carol, room), ["#1# under the old key", "#2# under the new key"]);
    world.say_surely(carol, room, "#3# again");
    world.settle();
    assert_eq!(session.drain(&mut world), ["3"]);
    world.check_room(room);
}

/// K3: a sealer that finds no fit key makes one, and nobody who left by a close can open it.
#[test]
fn what_is_sealed_after_a_close_does_not_open_to_the_ticket() {
    let mut world = World::new(22);
    let (alice, bob) = (world.add_node("a"), world.add_node("b"));
    let first = world.start_room(alice, "room");
    let room = first.room;
    world.join(bob, &first.text, 5_000).unwrap().unwrap();
    world.settle();
    world.close_ticket(alice, room, first.id).unwrap().unwrap();
    world.say_surely(alice, room, "#0# after the close");
    world.settle();
    let held = world.held(bob, room).unwrap();
    let keys = ticket_keys(&first.text);
    let to = parlor_wire::control::ticket_recipient(&keys.signing_key(), &keys.sealing_key);
    let opener = parlor_core::keys::Opener { to, secret: &keys.sealing_secret };
    let mut ring = parlor_core::keys::KeyRing::default();
    ring.read(&room, &held.dag, &held.roster, &[opener], 0);
    let message = held.rows.iter().find(|row| row.arrival == Some(1)).unwrap();
    assert!(ring.get(&message.key).is_none(), "the ticket's text opens what came after its close");
    assert!(!ring.is_empty(), "and opens what came before");
    assert_eq!(world.texts(bob, room), ["#0# after the close"]);
}

/// An unknown kind of control entry by a member makes the room read-only here; by a stranger it is nothing.
#[test]
fn an_unknown_control_kind_freezes_the_room_and_loses_nothing() {
    use parlor_wire::control::{ControlBody, ControlHeader, Note};
    use parlor_wire::{Control, RULES, SUITE, WIRE_VERSION, domain};
    let mut world = World::new(23);
    let (alice, bob, carol) = (world.add_node("a"), world.add_node("b"), world.add_node("c"));
    let first = world.start_room(alice, "room");
    let room = first.room;
    for node in [bob, carol] {
        world.join(node, &first.text, 5_000).unwrap().unwrap();
    }
    world.say_surely(bob, room, "#0# before");
    world.settle();
    let held = world.held(bob, room).unwrap();
    let membership = |node: usize, world: &World| {
        let peer = world.nodes[node].peer;
        *held.roster.memberships.iter().find(|(_, membership)| membership.identity == peer).unwrap().0
    };
    let unknown = |author: usize, acts_as: usize, world: &World| {
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room: Some(room),
            author: world.nodes[author].peer,
            membership: Some(membership(acts_as, world)),
            kind: 999,
            after: held.dag.heads().iter().copied().collect(),
            time: 1,
            body: Vec::new().into(),
        };
        let signature = world.identity(author).sign(domain::CONTROL_SIGNATURE, &header.bytes());
        Control::new(header, ControlBody::Note(Note {}), signature, None)
    };
    let frozen = |world: &World, node: usize| {
        let view = world.nodes[node].engine.as_ref().unwrap().room(&room).unwrap();
        matches!(view.state, RoomStanding::Frozen(_))
    };
    // Somebody who is no member, and a member in another's name.
    let rogue = world.add_node("m");
    let keys = ticket_keys(&first.text);
    let by_stranger = unknown(rogue, bob, &world);
    let by_member = unknown(carol, carol, &world);
    world.make_puppet(rogue);
    let link = world.puppet_opens(rogue, alice, room, Some(&keys));
    let batch = |control: &Control| {
        let entries = vec![control.encode().into()];
        parlor_wire::frame::Frame::ControlBatch(parlor_wire::frame::ControlBatch { entries, more: false })
    };
    world.puppet_says(rogue, link, &batch(&by_stranger));
    world.pass(1_000);
    assert!(!frozen(&world, alice));
    world.puppet_says(rogue, link, &batch(&by_member));
    world.pass(1_000);
    assert!(frozen(&world, alice) && !frozen(&world, bob));
    let refused = world.say(alice, room, "#1#").unwrap();
    assert!(matches!(refused, Err(parlor_core::engine::api::Failure::Frozen(_))), "{refused:?}");
    world.kill(alice);
    world.pass(10_000);
    assert!(frozen(&world, alice), "a restart does not thaw it");
    assert_eq!(world.texts(alice, room), ["#0# before"]);
    world.say_surely(bob, room, "#2# after");
    world.pass(5_000);
    assert_eq!(world.texts(alice, room), ["#0# before", "#2# after"]);
}

/// K5: a key that a closed ticket knows is sealed under no more, and what was sealed under it still opens to whoever
/// comes later.
#[test]
fn what_was_sealed_in_a_partition_under_a_key_unfit_since_opens_to_later_joiners() {
    let mut world = World::new(24);
    let (alice, bob, carol) = (world.add_node("a"), world.add_node("b"), world.add_node("c"));
    let first = world.start_room(alice, "room");
    let room = first.room;
    world.join(bob, &first.text, 5_000).unwrap().unwrap();
    let expires = Some(world.wall_ms(alice) + 60_000);
    world.invite(alice, room, expires).unwrap().unwrap();
    world.pass(5_000);
    world.cut(alice, bob);
    world.pass(120_000);
    // Bob's key is unfit, for a ticket that knows it has expired: he makes one, and the first ticket is to know it.
    world.say_surely(bob, room, "#0# in the partition");
    world.close_ticket(alice, room, first.id).unwrap().unwrap();
    let third = world.invite(alice, room, Some(world.wall_ms(alice) + 9_000_000)).unwrap().unwrap();
    world.mend_all();
    world.settle();
    let by_bob = world.held(alice, room).unwrap().rows.iter().find(|row| row.arrival.is_some()).unwrap().key;
    world.say_surely(alice, room, "#1# afterwards");
    world.say_surely(bob, room, "#2# afterwards");
    world.settle();
    let after = world.held(alice, room).unwrap().rows.last().unwrap().key;
    assert_ne!(by_bob, after, "a key that a closed ticket knows is sealed under no more");
    world.join(carol, &third.text, 20_000).unwrap().unwrap();
    world.settle();
    assert_eq!(world.members(room), [alice, bob, carol]);
    world.check_room(room);
    assert_eq!(world.texts(carol, room).len(), 3);
}

/// K8: by time, the next sealer makes a new key, and the old one still opens what was sealed under it.
#[test]
fn k8_a_key_is_worn_after_seven_days() {
    let mut world = World::new(8);
    let [a, b] = ["alice", "bob"].map(|nick| world.add_node(nick));
    let invited = world.start_room(a, "room");
    let room = invited.room;
    world.join(b, &invited.text, 20_000).unwrap().unwrap();
    world.say_surely(a, room, "#0# one");
    world.settle();
    let keys = |world: &mut World| -> BTreeSet<KeyId> {
        world.held(b, room).unwrap().rows.iter().map(|row| row.key).collect()
    };
    world.say_surely(b, room, "#1# the same day");
    world.settle();
    let before = keys(&mut world);
    // The ticket expires meanwhile, which alone would ask for a new key; let that be done with.
    world.pass(8 * 24 * 60 * 60 * 1000);
    world.say_surely(a, room, "#2# a week later");
    world.settle();
    let later = keys(&mut world);
    assert_eq!(later.len(), before.len() + 1);
    world.say_surely(a, room, "#3# at once");
    world.settle();
    assert_eq!(keys(&mut world), later, "not one for each message");
    world.pass(8 * 24 * 60 * 60 * 1000);
    world.say_surely(a, room, "#4# another week");
    world.settle();
    assert_eq!(keys(&mut world).len(), later.len() + 1, "no ticket is open any more: it is the time alone");
    world.check_room(room);
    assert_eq!(world.texts(b, room).len(), 5);
}

/// K8: and by number, by the sealer's own count.
#[test]
fn k8_a_key_is_worn_after_ten_thousand_messages() {
    let mut world = World::new(9);
    let a = world.add_node("alice");
    let room = world.start_local(a, "notes");
    let keys = |world: &mut World| -> BTreeSet<KeyId> {
        world.held(a, room).unwrap().rows.iter().map(|row| row.key).collect()
    };
    for number in 0..limits::MAX_ENTRIES_PER_KEY {
        world.say_surely(a, room, &format!("#{number}#"));
    }
    assert_eq!(keys(&mut world).len(), 1, "ten thousand are sealed under one");
    world.say_surely(a, room, "one more");
    assert_eq!(keys(&mut world).len(), 2, "and the next under another");
    world.say_surely(a, room, "at once");
    assert_eq!(keys(&mut world).len(), 2, "not one for each message");
}

/// The cards and tickets a key is to be sealed to, by what a node holds.
fn due(held: &Held, now: u64) -> BTreeSet<RecipientId> {
    keys::recipients(&held.roster, now).into_iter().map(|one| one.to).collect()
}

#[test]
fn k1_a_new_key_is_sealed_to_everyone_entitled_and_wraps_the_one_before() {
    let (mut world, room, [a, b, _], _) = three(10);
    for node in [a, b] {
        world.rule(node, Command::Rekey { room });
        world.settle();
    }
    let held = world.held(a, room).unwrap();
    let rekeys: Vec<&Rekey> = held.dag.iter().filter_map(|control| control.body.rekey()).collect();
    assert!(rekeys.len() >= 3);
    for pair in rekeys.windows(2) {
        let wrapped: Vec<KeyId> = pair[1].wraps.iter().map(|wrap| wrap.key).collect();
        assert_eq!(wrapped, [pair[0].key]);
    }
    let sealed: BTreeSet<RecipientId> = rekeys[rekeys.len() - 1].seals.iter().map(|seal| seal.to).collect();
    assert_eq!(sealed, due(&held, world.wall_ms(a)));
    assert_eq!(sealed.len(), 4, "three people and a ticket");
}

/// K4: the entry that lets in or keeps out carries the keys itself, so that neither is lost without the other. The sealer
/// would make up for most of what is missing here, later.
#[test]
fn k4_what_lets_in_carries_all_heads_and_what_keeps_out_a_key_that_is_not_given_to_the_outs() {
    let (mut world, room, [a, b, _], _) = three(11);
    let free = world.ticket(a, room, Role::Member, false);
    let asking = world.ticket(a, room, Role::Member, true);
    let d = world.add_node("fourth");
    world.join(d, &asking.text, 20_000).unwrap().unwrap();
    world.pass(5_000);
    let (bob, fourth) = (world.nodes[b].peer, world.nodes[d].peer);
    world.rule(a, Command::Approve { room, peer: fourth });
    world.settle();
    world.rule(a, Command::CloseTicket { room, ticket: free.id });
    world.remove(a, room, b);
    let held = world.held(a, room).unwrap();
    let recipient = |ticket: &EntryId| match &held.dag.get(ticket).unwrap().body {
        ControlBody::Ticket(ticket) => ticket.recipient(),
        other => panic!("{other:?}"),
    };
    let granted = |grants: &[Grant]| -> Vec<RecipientId> {
        grants.iter().flat_map(|grant| grant.seals.iter().map(|seal| seal.to)).collect()
    };
    let rekeyed = |rekey: &Option<Rekey>| -> BTreeSet<RecipientId> {
        rekey.as_ref().unwrap().seals.iter().map(|seal| seal.to).collect()
    };
    let cards_of =
        |peer: PeerId| held.roster.cards.iter().filter(move |(_, of)| **of == peer).map(|(id, _)| *id);
    let mut seen = Vec::new();
    for control in held.dag.iter() {
        match &control.body {
            ControlBody::Ticket(ticket) if ticket.approve => assert_eq!(ticket.grants, []),
            ControlBody::Ticket(ticket) if control.id == free.id => {
                assert_eq!(granted(&ticket.grants), [ticket.recipient()]);
            }
            ControlBody::Admit(admit) => {
                assert_eq!(granted(&admit.grants), cards_of(fourth).collect::<Vec<_>>());
            }
            ControlBody::Close(close) if close.ticket == free.id => {
                assert!(!rekeyed(&close.rekey).contains(&recipient(&free.id)));
                assert!(cards_of(bob).all(|card| rekeyed(&close.rekey).contains(&card)));
            }
            ControlBody::Remove(remove) => {
                let given = rekeyed(&remove.rekey);
                assert!(cards_of(bob).all(|card| !given.contains(&card)), "not to the removed");
                let came_by = remove.memberships.iter().filter_map(|id| held.roster.ticket_of(id));
                let tickets: Vec<RecipientId> = came_by.map(|ticket| recipient(&ticket)).collect();
                assert!(tickets.len() == 1 && !given.contains(&tickets[0]), "nor to the text he came by");
                assert_eq!(given, due(&held, world.wall_ms(a)), "but to everybody who stays");
            }
            _ => continue,
        }
        seen.push(control.body.kind());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [2, 3, 6, 7], "a ticket, a close, an admit and a remove were looked at");
}
