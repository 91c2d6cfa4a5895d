//! Ruling a room in simulated worlds: people are let in, put out, given roles, and leave, over cuts and crashes; all
//! who are in come to the same end, and nobody who is out opens what came after.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Failure, Outcome, RoomStanding};
use parlor_sim::World;
use parlor_sim::act::three;
use parlor_sim::dice::Dice;
use parlor_wire::RoomId;
use parlor_wire::control::{ControlBody, Role};
use parlor_wire::frame::Refusal;

fn standing(world: &World, node: usize, room: RoomId) -> RoomStanding {
    world.nodes[node].engine.as_ref().unwrap().room(&room).unwrap().state
}

fn member(world: &World, node: usize, room: RoomId, whom: usize) -> Option<Role> {
    let people = world.nodes[node].engine.as_ref().unwrap().people(&room);
    people.into_iter().find(|person| person.peer == world.nodes[whom].peer).map(|person| person.role)
}

fn set_role(world: &mut World, node: usize, room: RoomId, whom: usize, role: Role) {
    let peer = world.nodes[whom].peer;
    world.rule(node, Command::SetRole { room, peer, role });
}

#[test]
fn the_removed_is_out_for_all_and_reads_nothing_that_comes_after() {
    let (mut world, room, [a, b, c], ticket) = three(1);
    world.say_surely(b, room, "before");
    world.settle();
    world.remove(a, room, b);
    world.settle();
    for node in [a, c] {
        assert_eq!(member(&world, node, room, b), None);
        assert_eq!(world.texts(node, room), ["before"], "what was said before stays");
    }
    world.say_surely(a, room, "after");
    world.pass(1_000);
    world.say_surely(c, room, "after too");
    world.settle();
    assert_eq!(world.texts(c, room), ["before", "after", "after too"]);
    assert_eq!(world.texts(b, room), ["before"]);
    assert_eq!(standing(&world, b, room), RoomStanding::Removed, "his own node can say so");
    assert!(matches!(world.say(b, room, "x"), Some(Err(Failure::PutOut))));
    assert!(world.held(a, room).unwrap().roster.tickets.values().all(|state| state.closed));
    // The old text does not bring him back; a new one does.
    world.join(b, &ticket, 5_000);
    world.settle();
    assert_eq!(member(&world, a, room, b), None);
    let again = world.ticket(a, room, Role::Member, false);
    world.settle();
    assert!(matches!(world.join(b, &again.text, 30_000), Some(Ok(_))));
    world.settle();
    assert_eq!(member(&world, c, room, b), Some(Role::Member));
    world.say_surely(b, room, "again");
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(c, room).last().unwrap(), "again");
    assert_eq!(world.texts(b, room).len(), 4, "full history, once he is in again");
}

/// Scenario 8 and the plainest attack: what the removed says where nobody has heard of it does not count once they
/// have.
#[test]
fn what_the_removed_says_beyond_the_cut_does_not_count_after_the_partition_heals() {
    let (mut world, room, [a, b, c], _) = three(2);
    world.say_surely(b, room, "known to all");
    world.settle();
    world.cut(a, b);
    world.cut(a, c);
    world.remove(a, room, b);
    world.say_surely(b, room, "too late");
    world.pass(10_000);
    assert!(world.texts(c, room).contains(&"too late".to_owned()), "until it hears, a node takes it");
    world.settle();
    for node in [a, c] {
        assert_eq!(world.texts(node, room), ["known to all"], "node {node}");
    }
    world.check_room(room);
}

#[test]
fn one_who_asks_waits_for_an_owner_and_is_in_when_one_says_so() {
    let (mut world, room, [a, _, c], _) = three(3);
    let d = world.add_node("fourth");
    let asks = world.ticket(a, room, Role::Member, true);
    world.say_surely(c, room, "before");
    world.settle();
    assert!(matches!(world.join(d, &asks.text, 30_000), Some(Ok(Outcome::Joined { already: false, .. }))));
    world.settle();
    assert_eq!(standing(&world, d, room), RoomStanding::Asking);
    assert!(world.texts(d, room).is_empty(), "nothing can be read yet");
    let asking = world.nodes[a].engine.as_ref().unwrap().asking(&room);
    assert_eq!(asking.iter().map(|one| one.peer).collect::<Vec<_>>(), [world.nodes[d].peer]);
    assert!(matches!(
        world.ask(c, Command::Approve { room, peer: world.nodes[d].peer }),
        Some(Err(Failure::OwnersOnly))
    ));
    let peer = world.nodes[d].peer;
    world.rule(a, Command::Approve { room, peer });
    world.settle();
    assert_eq!(standing(&world, d, room), RoomStanding::Joined);
    assert!(world.nodes[a].engine.as_ref().unwrap().asking(&room).is_empty());
    world.say_surely(d, room, "here I am");
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(c, room), ["before", "here I am"]);
    assert_eq!(world.texts(d, room), ["before", "here I am"]);
}

#[test]
fn a_request_reaches_an_owner_who_slept_through_members() {
    let (mut world, room, [a, b, c], _) = three(4);
    let d = world.add_node("fourth");
    let asks = world.ticket(a, room, Role::Reader, true);
    world.settle();
    world.cut(a, d);
    world.put_to_sleep(a);
    world.join(d, &asks.text, 1_000);
    world.pass(60_000);
    world.wake(a);
    world.pass(60_000);
    let asking = world.nodes[a].engine.as_ref().unwrap().asking(&room);
    assert_eq!(asking.len(), 0, "d knows only a, whom it does not reach: nobody has heard of it");
    world.mend(a, d);
    world.pass(120_000);
    // Whoever carries the room passes it on, and it outlives a restart.
    for node in [a, b, c] {
        assert_eq!(world.nodes[node].engine.as_ref().unwrap().asking(&room).len(), 1, "node {node}");
    }
    world.kill(a);
    world.start(a);
    world.pass(1_000);
    let peer = world.nodes[d].peer;
    world.rule(a, Command::Approve { room, peer });
    world.settle();
    assert_eq!(member(&world, b, room, d), Some(Role::Reader));
    assert!(matches!(world.say(d, room, "x"), Some(Err(Failure::ReadersDoNotWrite))));
}

#[test]
fn a_reader_reads_and_does_not_write_and_may_be_made_a_member_again() {
    let (mut world, room, [a, b, c], _) = three(5);
    world.say_surely(b, room, "as a member");
    world.settle();
    set_role(&mut world, a, room, b, Role::Reader);
    world.settle();
    assert!(matches!(world.say(b, room, "x"), Some(Err(Failure::ReadersDoNotWrite))));
    world.say_surely(a, room, "to all");
    world.settle();
    assert_eq!(world.texts(b, room), ["as a member", "to all"]);
    set_role(&mut world, a, room, b, Role::Member);
    world.settle();
    world.say_surely(b, room, "a member again");
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(c, room).last().unwrap(), "a member again");
}

#[test]
fn an_owner_made_so_rules_and_nobody_puts_an_owner_out() {
    let (mut world, room, [a, b, c], _) = three(6);
    set_role(&mut world, a, room, b, Role::Owner);
    world.settle();
    let alice = world.nodes[a].peer;
    assert!(matches!(
        world.ask(b, Command::Remove { room, peer: alice, keep: Vec::new() }),
        Some(Err(Failure::OwnersStay))
    ));
    world.remove(b, room, c);
    world.settle();
    assert_eq!(member(&world, a, room, c), None);
    world.rule(a, Command::Leave { room, abandon: false });
    world.settle();
    assert_eq!(standing(&world, a, room), RoomStanding::Left);
    assert!(matches!(world.ask(b, Command::Leave { room, abandon: false }), Some(Err(Failure::LastOwner))));
    world.say_surely(b, room, "alone");
    world.settle();
    world.check_room(room);
}

#[test]
fn who_leaves_hears_nothing_more_and_what_was_said_stays() {
    let (mut world, room, [a, b, c], _) = three(7);
    world.say_surely(b, room, "farewell");
    world.rule(b, Command::Leave { room, abandon: false });
    world.settle();
    assert_eq!(standing(&world, b, room), RoomStanding::Left);
    assert!(matches!(world.say(b, room, "x"), Some(Err(Failure::Left))));
    world.say_surely(a, room, "after");
    world.settle();
    assert_eq!(world.texts(c, room), ["farewell", "after"]);
    assert_eq!(world.texts(b, room), ["farewell"]);
    world.check_room(room);
}

/// Scenario 1: the remover is killed at any moment between removing and saying the next thing; whatever is heard of
/// it, the removed opens nothing that is said by one who has heard.
#[test]
fn a_remover_killed_at_any_step_leaves_a_room_that_keeps_the_removed_out() {
    for seed in 0..20 {
        let (mut world, room, [a, b, c], _) = three(100 + seed);
        let mut dice = Dice::new(seed);
        let peer = world.nodes[b].peer;
        world.ask(a, Command::Remove { room, peer, keep: Vec::new() });
        world.pass(dice.below(300));
        world.kill(a);
        world.pass(dice.below(5_000));
        world.start(a);
        world.pass(dice.below(2_000));
        world.settle();
        assert_eq!(member(&world, c, room, b), None, "seed {seed}");
        world.say_surely(a, room, "secret of a");
        world.say_surely(c, room, "secret of c");
        world.settle();
        assert!(world.texts(b, room).is_empty(), "seed {seed}");
        assert_eq!(world.texts(c, room).len(), 2, "seed {seed}");
        world.check_room(room);
    }
}

/// A store that was restored has lost the secret of the ticket it came by, to which the key was sealed, and its person has
/// only the text of another, closed before that key was made: it says what it lacks, and is given it.
#[test]
fn keys_that_did_not_reach_a_restored_store_are_wanted_and_given() {
    let mut world = World::new(641);
    let [a, b] = ["alice", "bob"].map(|nick| world.add_node(nick));
    let first = world.start_room(a, "room");
    let dead = world.ticket(a, first.room, Role::Member, false);
    world.rule(a, Command::CloseTicket { room: first.room, ticket: dead.id });
    world.say_surely(a, first.room, "before he came");
    let disk = world.nodes[b].store.clone();
    world.join(b, &first.text, 20_000).unwrap().unwrap();
    world.settle();
    world.restore_disk(b, disk);
    world.join(b, &dead.text, 20_000).unwrap().unwrap();
    world.settle();
    let held = world.held(a, first.room).unwrap();
    assert!(held.dag.iter().any(|control| matches!(control.body, ControlBody::Want(_))), "it was wanted");
    assert_eq!(world.texts(b, first.room), ["before he came"]);
    world.check_room(first.room);
}

/// Somebody who has left, or was put out while a ticket stays open, must not make every sender write a new key.
#[test]
fn who_left_by_a_ticket_that_stays_open_makes_nobody_write_keys_for_ever() {
    let (mut world, room, [a, b, c], _) = three(9);
    world.rule(b, Command::Leave { room, abandon: false });
    world.settle();
    let control = |world: &mut World| world.held(a, room).unwrap().snapshot.control.len();
    world.say_surely(a, room, "first");
    world.settle();
    let before = control(&mut world);
    for round in 0..10 {
        world.say_surely(if round % 2 == 0 { c } else { a }, room, &format!("round {round}"));
        world.settle();
    }
    let after = control(&mut world);
    assert!(after <= before + 1, "{before} control entries before, {after} after");
    world.check_room(room);
}

/// Bob sleeps while he is put out and the room goes on, and has to be told when he comes back, however much was written
/// before it; he learns nothing of what came after.
#[test]
fn who_was_put_out_while_away_is_told_when_coming_back() {
    for (before, after) in [(0, 0), (3, 100), (400, 5)] {
        let (mut world, room, [a, b, c], _) = three(10);
        world.put_to_sleep(b);
        for _ in 0..before {
            world.rule(a, Command::Rekey { room });
        }
        world.remove(a, room, b);
        world.settle();
        for _ in 0..after {
            world.rule(a, Command::Rekey { room });
        }
        world.say_surely(c, room, "after");
        world.settle();
        let removal = world.held(a, room).unwrap();
        world.wake(b);
        world.pass(120_000);
        assert_eq!(standing(&world, b, room), RoomStanding::Removed, "{before} before, {after} after");
        assert!(matches!(world.say(b, room, "x"), Some(Err(Failure::PutOut))));
        let known = world.held(b, room).unwrap().dag;
        assert_eq!(known.len(), removal.dag.len() - after, "nothing of what came after the removal");
        assert!(world.texts(b, room).is_empty());
        let view = world.nodes[b].engine.as_ref().unwrap().room(&room).unwrap();
        assert!(view.warnings.is_empty(), "{:?}", view.warnings);
        world.settle();
        world.check_quiet();
        assert!(world.nodes[b].links.is_empty(), "and wants no links");
    }
}

/// Out, and away while it was made and closed, he tries a ticket he cannot learn anything of.
#[test]
fn who_was_put_out_is_told_why_another_ticket_is_of_no_use() {
    let (mut world, room, [a, b, _], _) = three(11);
    world.put_to_sleep(b);
    world.remove(a, room, b);
    let other = world.ticket(a, room, Role::Member, false);
    world.close_ticket(a, room, other.id).unwrap().unwrap();
    world.settle();
    world.wake(b);
    world.pass(60_000);
    let refused = world.join(b, &other.text, 30_000);
    assert!(matches!(refused, Some(Err(Failure::Refused(Refusal::TicketClosed)))), "{refused:?}");
}

#[test]
fn a_room_that_was_left_stays_left_and_who_left_keeps_their_name() {
    let (mut world, room, [a, b, c], _) = three(40);
    world.say_surely(b, room, "from bob");
    world.settle();
    for _ in 0..2 {
        world.rule(b, Command::Leave { room, abandon: false });
        world.settle();
        assert_eq!(standing(&world, b, room), RoomStanding::Left);
    }
    for node in [a, c] {
        assert_eq!(world.messages(node, room)[0].name.as_str(), "bob");
    }
    world.remove(a, room, c);
    world.settle();
    assert_eq!(standing(&world, c, room), RoomStanding::Removed);
    world.rule(c, Command::Leave { room, abandon: false });
    assert_eq!(standing(&world, c, room), RoomStanding::Removed, "who was put out has not left");
}
