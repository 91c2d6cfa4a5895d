//! Disks: restored, copied, failing, and processes that die at every step. No key and salt is used twice and
//! nobody is silenced; the world watches both in every test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Outcome};
use parlor_sim::act::three;
use parlor_sim::{Trouble, World};
use parlor_wire::RoomId;

fn all_texts(world: &mut World, room: RoomId, count: usize) {
    world.settle();
    world.check_room(room);
    for node in world.members(room) {
        assert_eq!(world.texts(node, room).len(), count, "node {node}");
    }
}

#[test]
fn wound_05_an_old_backup_silences_nobody_and_repeats_no_key_and_salt() {
    for same in [false, true] {
        let (mut world, room, ..) = three(31);
        world.same_seed = same.then_some([9; 32]);
        world.kill(1);
        world.pass(5_000);
        world.say_surely(1, room, "#0# before the backup");
        world.settle();
        let backup = world.nodes[1].store.clone();
        world.say_surely(1, room, "#1# after it");
        world.say_surely(1, room, "#2# after it");
        world.settle();
        // The restored machine speaks before anybody can tell it what it has forgotten, at the same place of its
        // chain, with the same generator.
        world.cut(0, 1);
        world.cut(1, 2);
        world.restore_disk(1, backup);
        world.say_surely(1, room, "#1# after it");
        world.say_surely(1, room, "#3# another");
        world.mend_all();
        all_texts(&mut world, room, 5);
        world.say_surely(1, room, "#4# still heard");
        world.say_surely(0, room, "#5#");
        all_texts(&mut world, room, 7);
        let held = world.held(1, room).unwrap();
        let own = world.nodes[1].peer;
        let chains = held.roster.chains.values().filter(|state| state.author == own).count();
        assert_eq!(chains, 2, "a new chain was opened, once");
    }
}

#[test]
fn a_copied_machine_silences_nobody_and_repeats_no_key_and_salt() {
    let (mut world, room, ..) = three(32);
    world.same_seed = Some([3; 32]);
    world.say_surely(1, room, "#0# before");
    world.settle();
    let copy = world.clone_node(1);
    let mut n = 1;
    for round in 0..4 {
        let (on, off) = if round % 2 == 0 { (copy, 1) } else { (1, copy) };
        world.put_to_sleep(off);
        world.wake(on);
        // First alone, then linked: both write at the same place before they hear of each other.
        for other in [0, 2] {
            world.cut(on, other);
        }
        for _ in 0..3 {
            world.say_surely(on, room, &format!("#{n}# by {on}"));
            n += 1;
        }
        world.mend_all();
        world.settle();
    }
    world.put_to_sleep(1);
    world.wake(copy);
    all_texts(&mut world, room, n);
    world.put_to_sleep(copy);
    world.wake(1);
    all_texts(&mut world, room, n);
}

#[test]
fn wound_05_a_process_that_dies_at_every_step_loses_nothing_it_acknowledged() {
    for (seed, trouble) in [
        (33, Trouble { dies_before_commit: 60, ..Trouble::default() }),
        (34, Trouble { dies_after_commit: 60, ..Trouble::default() }),
        (35, Trouble { commit_fails: 100, ..Trouble::default() }),
        (
            36,
            Trouble {
                dies_before_commit: 30,
                dies_after_commit: 30,
                commit_fails: 30,
                holds: 500,
                load_fails: 20,
            },
        ),
    ] {
        let (mut world, room, ..) = three(seed);
        world.trouble = trouble;
        let mut pending: Vec<(usize, String)> = (0..40).map(|n| (n % 3, format!("#{n}# persist"))).collect();
        for _ in 0..400 {
            if pending.is_empty() {
                break;
            }
            let (node, text) = pending.remove(0);
            if !matches!(world.say(node, room, &text), Some(Ok(_))) {
                pending.push((node, text));
            }
            world.pass(200);
        }
        assert!(pending.is_empty(), "{seed}: never acknowledged: {pending:?}");
        all_texts(&mut world, room, 40);
    }
}

#[test]
fn wound_06_a_retried_send_is_one_message_even_when_retried_at_once_and_after_a_crash() {
    let (mut world, room, ..) = three(37);
    let command = world.sending(room, "#0# once", "the request", None);
    let requests = [0; 3].map(|_| world.tell(0, command.clone()));
    world.pass(1_000);
    let mut ids = Vec::new();
    for request in requests {
        match world.nodes[0].replies.remove(&request) {
            Some(Ok(Outcome::Sent(sent))) => ids.push(sent.id),
            other => panic!("{other:?}"),
        }
    }
    world.kill(0);
    world.pass(5_000);
    match world.ask(0, command) {
        Some(Ok(Outcome::Sent(sent))) => ids.push(sent.id),
        other => panic!("{other:?}"),
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    all_texts(&mut world, room, 1);
}

#[test]
fn wound_06_reached_counts_those_who_have_it_on_disk_and_nobody_else() {
    let (mut world, room, ..) = three(38);
    let mut command = world.sending(room, "#0# to all", "r0", None);
    let wait = |command: &mut Command, ms| {
        if let Command::Send(send) = command {
            send.wait_ms = ms;
        }
    };
    wait(&mut command, 5_000);
    let reached = |answer: Option<Result<Outcome, _>>| match answer {
        Some(Ok::<_, parlor_core::engine::api::Failure>(Outcome::Sent(sent))) => (sent.reached, sent.of),
        other => panic!("{other:?}"),
    };
    assert_eq!(reached(world.ask(0, command.clone())), (2, 2));
    world.put_to_sleep(2);
    world.pass(60_000);
    let mut command = world.sending(room, "#1# to one", "r1", None);
    wait(&mut command, 5_000);
    assert_eq!(reached(world.ask(0, command.clone())), (1, 2));
    world.put_to_sleep(1);
    world.pass(60_000);
    let mut command = world.sending(room, "#2# to nobody", "r2", None);
    wait(&mut command, 5_000);
    assert_eq!(reached(world.ask(0, command)), (0, 2));
}

#[test]
fn wound_07_a_text_over_the_limit_is_refused_at_send_and_the_longest_one_travels() {
    let (mut world, room, ..) = three(39);
    let limit = parlor_wire::limits::MAX_TEXT_BYTES;
    let over = world.say(0, room, &"x".repeat(limit + 1)).unwrap();
    assert!(matches!(over, Err(parlor_core::engine::api::Failure::TooLong(..))), "{over:?}");
    world.say_surely(0, room, &"y".repeat(limit));
    world.say_surely(0, room, "#1# still heard");
    all_texts(&mut world, room, 2);
}

/// The key is on the disk, what waited for it is not opened yet, and the process dies: nothing else will ever say
/// that there is something to open.
#[test]
fn a_key_that_came_just_before_a_crash_opens_what_waited_after_it() {
    let mut world = World::new(40);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room_with(alice, &[bob]);
    let room = invited.room;
    world.close_ticket(alice, room, invited.id).unwrap().unwrap();
    for n in 0..3 {
        world.say_surely(alice, room, &format!("#{n}# under a key the ticket does not know"));
    }
    world.settle();
    world.restore_disk(bob, Default::default());
    world.join(bob, &invited.text, 0).unwrap().unwrap();
    let newest = world.held(alice, room).unwrap().rows.last().unwrap().key;
    let has_key = |world: &mut World| {
        world.held(bob, room).is_some_and(|held| held.snapshot.keys.iter().any(|(id, _)| *id == newest))
    };
    let until = world.now_ms + 60_000;
    while !has_key(&mut world) {
        assert!(world.step(until), "the key never came");
    }
    let waiting = world.held(bob, room).unwrap().snapshot.waiting.len();
    assert!(waiting > 0, "it was opened in the same step: this test shows nothing");
    world.kill(bob);
    // Nobody speaks to it again.
    world.put_to_sleep(alice);
    world.pass(60_000);
    assert_eq!(world.texts(bob, room).len(), 3);
}
