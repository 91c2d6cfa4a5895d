//! Coming in: by tickets that are open, expired, closed, or made by somebody who is off; coming back after a loss.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Failure, Outcome, RoomStanding, Terms};
use parlor_sim::act::ticket_keys;
use parlor_sim::{Carrier, World};
use parlor_wire::control::{ControlBody, Join, Note, Role};
use parlor_wire::frame::{ControlBatch, Frame, Refusal};
use parlor_wire::{EntryId, RoomId};

const HOUR_MS: i64 = 3_600_000;

fn standing(world: &World, node: usize, room: parlor_wire::RoomId) -> Option<RoomStanding> {
    world.nodes[node].engine.as_ref()?.room(&room).map(|view| view.state)
}

#[test]
fn wound_04_a_join_while_the_starter_is_off_happens_by_itself() {
    let mut world = World::new(1);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    world.put_to_sleep(alice);
    let saved = world.join(bob, &invited.text, 3_000);
    assert!(matches!(saved, Some(Ok(Outcome::Joined { already: false, .. }))), "{saved:?}");
    assert_eq!(standing(&world, bob, invited.room), Some(RoomStanding::Joining));
    assert!(matches!(world.say(bob, invited.room, "#1#"), Some(Err(Failure::NotJoined))));
    world.pass(3_600_000);
    world.kill(bob);
    world.pass(60_000);
    world.wake(alice);
    world.pass(60_000);
    assert_eq!(standing(&world, bob, invited.room), Some(RoomStanding::Joined));
    world.say_surely(bob, invited.room, "#2#");
    world.settle();
    assert_eq!(world.texts(alice, invited.room), ["#2#"]);
    world.check_room(invited.room);
}

#[test]
fn wound_23_an_expired_ticket_lets_nobody_in_whatever_the_joiners_clock_says() {
    for skew in [0, 6 * HOUR_MS, -6 * HOUR_MS, -1_780_000_000_000] {
        let mut world = World::new(2);
        let alice = world.add_node("alice");
        let bob = world.add_node_skewed("bob", skew);
        let room = world.start_room(alice, "room").room;
        let expires = world.wall_ms(alice) + 60_000;
        let ticket = world.invite(alice, room, Some(expires)).unwrap().unwrap();
        world.pass(120_000);
        let joined = world.join(bob, &ticket.text, 60_000).unwrap();
        let refused = matches!(
            joined,
            Err(Failure::TicketExpired | Failure::Refused(Refusal::TicketExpired | Refusal::TicketClosed))
        );
        assert!(refused, "{skew}: {joined:?}");
        world.settle();
        assert_eq!(world.members(room), [alice]);
    }
}

/// R9: whoever takes a join from the joiner looks at its ticket, also where nothing was proved and no owner is awake.
#[test]
fn wound_23_a_join_by_a_dead_ticket_is_refused_on_a_link_that_proves_nothing() {
    let mut world = World::new(6);
    let [alice, bob, carol, late] = ["alice", "bob", "carol", "late"].map(|nick| world.add_node(nick));
    let first = world.start_room(alice, "room");
    let room = first.room;
    world.join(bob, &first.text, 20_000).unwrap().unwrap();
    let made = |world: &mut World, lasts_ms: u64, uses: Option<u32>| {
        let expires = world.wall_ms(alice) + lasts_ms;
        let terms = Terms { expires, uses, role: Role::Member, approve: false };
        world.invite_on(alice, room, Some(terms)).unwrap().unwrap()
    };
    let day = 24 * 3_600_000;
    let closed = made(&mut world, day, None);
    let spent = made(&mut world, day, Some(1));
    let expired = made(&mut world, 600_000, None);
    let open = made(&mut world, day, None);
    world.rule(alice, Command::CloseTicket { room, ticket: closed.id });
    world.settle();
    world.put_to_sleep(alice);
    let by_bob = world.ticket_naming(&spent.text, bob);
    world.join(carol, &by_bob, 20_000).unwrap().unwrap();
    world.pass(1_200_000);
    world.make_puppet(late);
    let tries = [
        (closed, Some(Refusal::TicketClosed)),
        (spent, Some(Refusal::TicketSpent)),
        (expired, Some(Refusal::TicketExpired)),
        (open, None),
    ];
    for (ticket, why) in tries {
        let keys = ticket_keys(&ticket.text);
        let body = ControlBody::Join(Join { ticket: ticket.id, card: world.identity(late).card(0, 1) });
        let join = world.puppet_control(late, (room, None), &[ticket.id], body, Some(&keys));
        let link = world.puppet_opens(late, bob, room, None);
        let batch = ControlBatch { entries: vec![join.encode().into()], more: false };
        world.puppet_says(late, link, &Frame::ControlBatch(batch));
        let heard = world.puppet_hears(late, link);
        let refused = heard.iter().find_map(|frame| match frame {
            Frame::Refuse(why) => Some(*why),
            _ => None,
        });
        assert_eq!(refused, why);
        let held = world.held(bob, room).unwrap();
        assert_eq!(held.dag.contains(&join.id), why.is_none(), "{why:?}");
    }
    assert!(reads(&mut world, bob, room, late), "by the one that was open");
}

#[test]
fn an_owner_closes_an_expired_ticket_by_itself() {
    let mut world = World::new(3);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let first = world.start_room(alice, "room");
    world.join(bob, &first.text, 5_000).unwrap().unwrap();
    let expires = world.wall_ms(alice) + 60_000;
    let ticket = world.invite(alice, first.room, Some(expires)).unwrap().unwrap();
    world.settle();
    for node in [alice, bob] {
        let held = world.held(node, first.room).unwrap();
        assert!(held.roster.tickets[&ticket.id].closed, "{node}");
        assert!(!held.roster.tickets[&first.id].closed, "{node}");
    }
}

#[test]
fn wound_23_a_closed_ticket_lets_nobody_in_and_says_so() {
    let mut world = World::new(4);
    let (alice, bob, carol) = (world.add_node("alice"), world.add_node("bob"), world.add_node("carol"));
    let invited = world.start_room(alice, "room");
    world.join(bob, &invited.text, 5_000).unwrap().unwrap();
    world.close_ticket(alice, invited.room, invited.id).unwrap().unwrap();
    world.settle();
    let refused = world.join(carol, &invited.text, 5_000).unwrap();
    assert!(matches!(refused, Err(Failure::Refused(Refusal::TicketClosed))), "{refused:?}");
    world.say_surely(bob, invited.room, "#1#");
    world.settle();
    if world.members(invited.room).len() < 2 {
        world.fail(&format!("{:?}", standing(&world, bob, invited.room)));
    }
    assert_eq!(world.members(invited.room), [alice, bob]);
    let ticket = world.invite(alice, invited.room, None).unwrap().unwrap();
    assert_ne!(ticket.id, invited.id);
    world.join(carol, &ticket.text, 5_000).unwrap().unwrap();
    world.settle();
    assert_eq!(world.members(invited.room), [alice, bob, carol]);
    assert_eq!(world.texts(carol, invited.room), ["#1#"]);
    world.check_room(invited.room);
}

/// A join whose only witness dies before anybody else hears of it, and a close that has not seen it.
#[test]
fn a_join_undone_by_a_close_is_told_and_another_ticket_helps() {
    let mut world = World::new(5);
    let (alice, bob, carol) = (world.add_node("alice"), world.add_node("bob"), world.add_node("carol"));
    let invited = world.start_room_with(alice, &[bob]);
    let before = world.nodes[bob].store.clone();
    // Carol comes in by Bob alone, and Bob's disk forgets it.
    world.cut(alice, carol);
    world.cut(alice, bob);
    let by_bob = world.ticket_naming(&invited.text, bob);
    world.join(carol, &by_bob, 0).unwrap().unwrap();
    world.pass(20_000);
    world.restore_disk(bob, before);
    world.cut(bob, carol);
    world.mend(alice, bob);
    world.close_ticket(alice, invited.room, invited.id).unwrap().unwrap();
    world.settle();
    assert_eq!(world.members(invited.room), [alice, bob]);
    let ticket = world.invite(alice, invited.room, None).unwrap().unwrap();
    let joined = world.join(carol, &ticket.text, 30_000);
    world.settle();
    if world.members(invited.room).len() < 3 {
        world.fail(&format!("{joined:?}"));
    }
    assert_eq!(world.members(invited.room), [alice, bob, carol]);
    world.say_surely(carol, invited.room, "#1#");
    world.settle();
    assert_eq!(world.texts(alice, invited.room), ["#1#"]);
    world.check_room(invited.room);
}

#[test]
fn a_member_who_lost_the_store_and_kept_the_identity_comes_back_and_reads_all() {
    for closed in [false, true] {
        let mut world = World::new(6);
        let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
        let invited = world.start_room(alice, "room");
        let room = invited.room;
        world.join(bob, &invited.text, 5_000).unwrap().unwrap();
        world.say_surely(bob, room, "#1# mine");
        world.say_surely(alice, room, "#2#");
        world.settle();
        if closed {
            world.close_ticket(alice, room, invited.id).unwrap().unwrap();
            world.say_surely(alice, room, "#3# under a key the ticket does not know");
            world.settle();
        }
        world.restore_disk(bob, Default::default());
        world.join(bob, &invited.text, 20_000).unwrap().unwrap();
        world.settle();
        assert_eq!(standing(&world, bob, room), Some(RoomStanding::Joined), "{closed}");
        world.say_surely(bob, room, "#4# again");
        world.settle();
        world.check_room(room);
        assert_eq!(world.texts(bob, room), world.texts(alice, room));
        assert_eq!(world.texts(bob, room).len(), if closed { 4 } else { 3 });
        let held = world.held(alice, room).unwrap();
        assert_eq!(held.roster.members.len(), 2);
    }
}

#[test]
fn a_retried_join_is_one_membership() {
    let mut world = World::new(7);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    for _ in 0..3 {
        world.join(bob, &invited.text, 0).unwrap().unwrap();
    }
    world.settle();
    let again = world.join(bob, &invited.text, 0).unwrap().unwrap();
    assert!(matches!(again, Outcome::Joined { already: true, .. }), "{again:?}");
    assert_eq!(world.held(alice, invited.room).unwrap().roster.memberships.len(), 2);
}

fn reads(world: &mut World, node: usize, room: RoomId, whom: usize) -> bool {
    let peer = world.nodes[whom].peer;
    world.held(node, room).unwrap().roster.reads(&peer)
}

/// A ticket for one: Carol joins by it at Alice's, the fourth at Bob's, in a partition; Alice closes it having heard of Carol. Then the latecomer, who
/// kept the text, writes a join upon nothing but the ticket, with a stamp of long before: she gives it herself, and Carol, who is in,
/// builds upon it so that nobody can refuse it. Clocks are six hours wrong.
#[test]
fn scenario_4_one_use_two_joins_in_a_partition_a_close_and_a_backdated_third() {
    for (seed, skew) in [(40, 0), (41, 6 * HOUR_MS), (42, -6 * HOUR_MS)] {
        let mut world = World::new(seed);
        let (alice, bob) = (world.add_node("alice"), world.add_node_skewed("bob", -skew));
        let (carol, fourth) = (world.add_node_skewed("carol", skew), world.add_node_skewed("fourth", -skew));
        let late = world.add_node_skewed("late", skew);
        let first = world.start_room(alice, "room");
        let room = first.room;
        world.join(bob, &first.text, 20_000).unwrap().unwrap();
        let expires = world.wall_ms(alice) + 90_000_000;
        let terms = Terms { expires, uses: Some(1), role: Role::Member, approve: false };
        let once = world.invite_on(alice, room, Some(terms)).unwrap().unwrap();
        world.settle();
        for (one, other) in [(alice, bob), (alice, fourth), (bob, carol), (carol, fourth)] {
            world.cut(one, other);
        }
        world.join(carol, &once.text, 20_000).unwrap().unwrap();
        let by_bob = world.ticket_naming(&once.text, bob);
        world.join(fourth, &by_bob, 20_000).unwrap().unwrap();
        world.pass(120_000);
        assert!(
            reads(&mut world, alice, room, carol) && reads(&mut world, bob, room, fourth),
            "{seed}: both are in"
        );
        world.settle();
        world.check_room(room);
        let held = world.held(alice, room).unwrap();
        assert!(held.roster.tickets[&once.id].closed, "{seed}");
        let in_now = |world: &mut World| [carol, fourth, late].map(|whom| reads(world, bob, room, whom));
        assert_eq!(
            in_now(&mut world),
            [true, false, false],
            "{seed}: the close had seen the one and not the other"
        );
        let keys = ticket_keys(&once.text);
        world.make_puppet(late);
        let body = ControlBody::Join(Join { ticket: once.id, card: world.identity(late).card(0, 1) });
        let join = world.puppet_control(late, (room, None), &[once.id], body, Some(&keys));
        let mut hers = Carrier::of(&mut world, late, alice, room);
        let backdated = hers.add(&world, join.clone());
        for to in [alice, bob] {
            hers.serves(&mut world, to, Some(&keys), 10_000);
            assert!(!reads(&mut world, to, room, late), "{seed}: {to} lets her in");
        }
        world.make_puppet(carol);
        let peer = world.nodes[carol].peer;
        let membership = *held.roster.members[&peer].memberships.first().unwrap();
        let mut carols = Carrier::of(&mut world, carol, alice, room);
        carols.dag.insert(join);
        let heads: Vec<EntryId> = carols.dag.heads().iter().copied().collect();
        let body = ControlBody::Note(Note {});
        let note = world.puppet_control(carol, (room, Some(membership)), &heads, body, None);
        carols.add(&world, note);
        carols.serves(&mut world, bob, None, 10_000);
        world.settle();
        world.check_room(room);
        for node in [alice, bob] {
            assert!(
                world.held(node, room).unwrap().dag.contains(&backdated),
                "{seed}: it is part of the past"
            );
        }
        assert_eq!(in_now(&mut world), [true, false, false], "{seed}: and lets nobody in");
        world.say_surely(alice, room, "#1#");
        world.settle();
        assert_eq!(world.texts(bob, room), ["#1#"], "{seed}");
    }
}

/// Nobody was reached, and the one who wanted in wants no more: it was not refused by anybody.
#[test]
fn who_gives_up_before_anybody_was_reached_has_left_and_was_not_refused() {
    let mut world = World::new(77);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    world.cut(alice, bob);
    assert!(!matches!(
        world.join(bob, &invited.text, 1_000),
        Some(Ok(Outcome::Joined { already: true, .. }))
    ));
    world.ask(bob, Command::Leave { room: invited.room, abandon: false }).unwrap().unwrap();
    let state = |world: &World| world.nodes[bob].engine.as_ref().unwrap().room(&invited.room).unwrap().state;
    assert_eq!(state(&world), RoomStanding::Left);
    assert!(world.nodes[bob].engine.as_ref().unwrap().wanted_links().is_empty());
    world.mend_all();
    world.join(bob, &invited.text, 20_000).unwrap().unwrap();
    assert_eq!(state(&world), RoomStanding::Joined, "by the same ticket, when it is wanted again");
}
