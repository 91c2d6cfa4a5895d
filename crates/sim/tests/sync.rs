//! Sync: by heads, both ways, from anyone; forks, gaps, long backlogs, links that fail without a word.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Presence};
use parlor_sim::act::three;
use parlor_sim::dice::Dice;
use parlor_sim::{Faults, Session, Trouble, World};
use parlor_wire::{RoomId, Salt};

fn say(world: &mut World, node: usize, room: RoomId, from: usize, count: usize) {
    for n in from..from + count {
        world.say_surely(node, room, &format!("#{n}# {}", "x".repeat(n % 300)));
    }
}

#[test]
fn wound_08_gaps_are_filled_both_ways_after_a_partition_and_a_restart() {
    let (mut world, room, ..) = three(41);
    world.cut(0, 1);
    world.cut(0, 2);
    say(&mut world, 0, room, 0, 700);
    say(&mut world, 1, room, 700, 600);
    say(&mut world, 2, room, 1300, 5);
    world.kill(1);
    world.settle();
    world.check_room(room);
    for node in 0..3 {
        assert_eq!(world.texts(node, room).len(), 1305, "{node}");
    }
}

#[test]
fn how_much_is_missing_is_known_as_soon_as_somebody_says_what_there_is_and_falls_to_nothing() {
    let (mut world, room, ..) = three(47);
    world.cut(2, 0);
    world.cut(2, 1);
    say(&mut world, 0, room, 0, 3_000);
    say(&mut world, 1, room, 3_000, 500);
    let view = |world: &World| world.nodes[2].engine.as_ref().unwrap().room(&room).unwrap();
    assert_eq!((view(&world).missing, view(&world).arrivals), (0, 0), "nobody has told it of anything");
    world.mend_all();
    let (mut most, mut before) = (0, u64::MAX);
    while view(&world).arrivals < 3_500 {
        assert!(world.step(u64::MAX), "it catches up");
        let (missing, arrivals) = (view(&world).missing, view(&world).arrivals);
        if missing > 0 {
            // Two tell it: what the second adds comes in between.
            assert!(missing + arrivals <= 3_510, "{missing} {arrivals}");
            most = missing.max(most);
            before = missing;
        }
    }
    // A batch may be here already when it is first told.
    assert!(most >= 3_000 - 256, "{most}");
    assert!(before < 3_000, "{before}");
    world.settle();
    assert_eq!(view(&world).missing, 0);
}

#[test]
fn wound_03_a_message_reaches_all_through_one_who_knows_both() {
    let (mut world, room, ..) = three(42);
    world.cut(0, 2);
    world.pass(60_000);
    world.say_surely(0, room, "#0# to Carol by Bob");
    world.say_surely(2, room, "#1# to Alice by Bob");
    world.pass(5_000);
    assert_eq!(world.texts(2, room).len(), 2);
    assert_eq!(world.texts(0, room).len(), 2);
}

#[test]
fn wound_03_what_was_said_while_somebody_was_away_waits_for_them() {
    let (mut world, room, ..) = three(43);
    let mut session = Session::new(&world, 2, "s", room);
    session.drain(&mut world);
    world.put_to_sleep(2);
    say(&mut world, 0, room, 0, 30);
    world.pass(3_600_000);
    // Alice is gone when Carol comes back: Bob has it all.
    world.put_to_sleep(0);
    world.wake(2);
    world.pass(30_000);
    assert_eq!(session.drain(&mut world).len(), 30);
}

#[test]
fn wound_16_a_link_that_died_without_a_word_is_replaced_and_nothing_is_missed() {
    let (mut world, room, ..) = three(44);
    world.pass(8 * 3_600_000);
    // The ends notice only after a long time; everything sent meanwhile vanishes.
    world.faults = Faults { unnoticed_ms: 20_000, ..Faults::NONE };
    for cable in 0..world.net.cables.len() {
        world.kill_cable(cable);
    }
    say(&mut world, 0, room, 0, 5);
    world.pass(60_000);
    assert_eq!(world.texts(1, room).len(), 5);
    assert_eq!(world.texts(2, room).len(), 5);
}

#[test]
fn wound_16_a_peer_that_takes_pushes_and_never_acknowledges_is_let_go() {
    let (mut world, room, ..) = three(45);
    world.cut(1, 2);
    world.cut(0, 2);
    world.pass(10_000);
    // From now on every frame is lost and nobody is told.
    world.faults = Faults { vanishes: 1000, ..Faults::NONE };
    say(&mut world, 0, room, 0, 3);
    world.pass(21_000);
    world.faults = Faults::NONE;
    world.pass(30_000);
    assert_eq!(world.texts(1, room).len(), 3);
}

#[test]
fn wound_22_both_dial_at_once_and_one_link_stays() {
    for seed in 0..20 {
        let (mut world, room, ..) = three(500 + seed);
        for cable in 0..world.net.cables.len() {
            world.kill_cable(cable);
        }
        world.pass(30_000);
        let linked: Vec<usize> = world.nodes.iter().map(|node| node.links.len()).collect();
        assert_eq!(linked, [2, 2, 2], "{seed}: one link to each of the others");
        say(&mut world, 1, room, 0, 1);
        world.pass(1_000);
        assert_eq!(world.texts(0, room).len(), 1);
    }
}

/// Branches of one chain: copies of one machine write at the same places, up to eight tips, in long and short
/// branches, and every replica comes to hold all of them in one order.
#[test]
fn forks_up_to_eight_tips_sync_both_ways() {
    for (seed, lengths) in [
        (46, vec![3, 5]),
        (47, vec![600, 2]),
        (48, vec![2, 700, 300]),
        (49, vec![1, 1, 1, 1, 1, 1, 1, 1]),
        (50, vec![5, 400, 5, 300, 5, 1, 2, 260]),
    ] {
        let (mut world, room, ..) = three(seed);
        say(&mut world, 1, room, 0, 400);
        world.settle();
        let backup = world.nodes[1].store.clone();
        let mut n = 400;
        for length in &lengths {
            // Each branch is written alone and heard by one of the others only.
            world.cut(0, 1);
            world.cut(1, 2);
            world.cut(0, 2);
            world.restore_disk(1, backup.clone());
            say(&mut world, 1, room, n, *length);
            n += length;
            world.mend(if n % 2 == 0 { 0 } else { 2 }, 1);
            world.pass(40_000);
        }
        world.settle();
        world.check_room(room);
        assert_eq!(world.texts(0, room).len(), n, "{seed}");
        assert_eq!(world.texts(2, room).len(), n, "{seed}");
        let view = world.nodes[0].engine.as_ref().unwrap().room(&room).unwrap();
        assert!(view.warnings.iter().any(|warning| warning.contains("copied")), "{:?}", view.warnings);
        say(&mut world, 1, room, n, 2);
        world.settle();
        world.check_room(room);
        assert_eq!(world.texts(0, room).len(), n + 2);
    }
}

/// Scenario 10: a joiner far behind, two sessions prompting, hooks killed at every step, sends retried, the node
/// killed again and again, on a bad network.
#[test]
fn scenario_10_a_joiner_far_behind_catches_up_and_gives_each_message_once() {
    let mut world = World::new(51);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    let room = invited.room;
    let behind = 3_000;
    for n in 0..behind {
        world.say_surely(alice, room, &format!("history {n}"));
    }
    world.faults = Faults { breaks: 5, ..Faults::BAD };
    world.trouble = Trouble { dies_before_commit: 3, dies_after_commit: 3, ..Trouble::default() };
    world.join(bob, &invited.text, 0);
    let mut sessions: Vec<Session> = Vec::new();
    let mut dice = Dice::new(51);
    let mut open: Vec<usize> = Vec::new();
    for n in 0..80 {
        // Alice goes on talking; what was not acknowledged is said again.
        open.push(n);
        open.retain(|n| !matches!(world.say(alice, room, &format!("#{n}# now")), Some(Ok(_))));
        if sessions.is_empty() && world.nodes[bob].engine.as_ref().is_some_and(|e| e.room(&room).is_some()) {
            sessions.extend(
                ["s1", "s2"].map(|key| Session { bound_at: 0, ..Session::new(&world, bob, key, room) }),
            );
        }
        for session in &mut sessions {
            let Some(giving) = session.take(&mut world, n as u64) else { continue };
            if dice.chance(300) {
                session.dies(&mut world, &giving);
            } else {
                session.commit(&mut world, &giving);
            }
        }
        world.pass(dice.between(0, 3_000));
    }
    world.settle();
    for n in open {
        world.say_surely(alice, room, &format!("#{n}# now"));
    }
    world.settle();
    world.check_room(room);
    assert_eq!(world.texts(bob, room).len(), behind + 80);
    let held = world.held(bob, room).unwrap();
    for session in &mut sessions {
        session.drain(&mut world);
        let fresh = held.rows.iter().filter(|row| row.arrival.is_some() && !row.history).count();
        assert!(fresh > 0 && session.given.len() >= fresh, "{} of {fresh}", session.given.len());
    }
}

#[test]
fn the_same_order_everywhere_whatever_the_clocks_say() {
    let mut world = World::new(52);
    let skews = [0, 6 * 3_600_000, -6 * 3_600_000, -1_780_000_000_000];
    let nodes: Vec<usize> = skews.iter().map(|skew| world.add_node_skewed("n", *skew)).collect();
    let room = world.start_room(nodes[0], "room").room;
    let ticket = world.invite(nodes[0], room, Some(u64::MAX >> 12)).unwrap().unwrap();
    for node in &nodes[1..] {
        world.join(*node, &ticket.text, 5_000).unwrap().unwrap();
    }
    for round in 0..5 {
        for node in &nodes {
            world.say_surely(*node, room, &format!("#{}# {node}", round * 4 + node));
        }
        world.pass(1_000);
    }
    world.settle();
    world.check_room(room);
    let texts = world.texts(0, room);
    for node in &nodes[1..] {
        assert_eq!(world.texts(*node, room), texts);
    }
}

#[test]
fn presence_comes_by_others_ends_and_survives_a_restart_of_its_node() {
    let (mut world, room, ..) = three(53);
    world.cut(0, 2);
    world.pass(30_000);
    let announce = |world: &mut World, on: bool| {
        let presence =
            on.then(|| Presence { label: "api-fix".into(), program: "claude".into(), ..Presence::default() });
        world.inform(0, Command::Announce { room, session: Salt([5; 16]), presence });
    };
    let seen = |world: &World| -> usize {
        let people = world.nodes[2].engine.as_ref().unwrap().people(&room);
        people.iter().map(|person| person.sessions.len()).sum()
    };
    announce(&mut world, true);
    world.pass(5_000);
    assert_eq!(seen(&world), 1, "by Bob");
    world.pass(600_000);
    assert_eq!(seen(&world), 1, "kept alive");
    world.kill(0);
    world.pass(20_000);
    announce(&mut world, true);
    world.pass(80_000);
    assert_eq!(seen(&world), 1, "the new run is heard while the old lease lasts");
    announce(&mut world, false);
    world.pass(5_000);
    assert_eq!(seen(&world), 0, "ended");
    announce(&mut world, true);
    world.pass(5_000);
    world.put_to_sleep(0);
    world.pass(100_000);
    assert_eq!(seen(&world), 0, "the lease ran out");
}

/// Heads are told again every five minutes on each link, by either end, and hardly anything else.
#[test]
fn next_to_nothing_is_sent_at_rest() {
    let (mut world, room, ..) = three(54);
    say(&mut world, 0, room, 0, 10);
    world.settle();
    world.pass(600_000);
    let (frames, bytes) = (world.frames, world.nodes.iter().map(|node| node.sent.bytes).sum::<u64>());
    world.pass(24 * 3_600_000);
    let rounds = 24 * 12 * 6;
    let frames = world.frames - frames;
    let bytes = world.nodes.iter().map(|node| node.sent.bytes).sum::<u64>() - bytes;
    assert!((rounds..rounds + 24 * 6).contains(&frames), "{frames} frames in a day");
    assert!(bytes < 256 * 1024, "{bytes} bytes in a day");
}

/// Alice and Carol know each other by Bob alone. The frame by which he tells Carol of something new is lost, and nobody is told:
/// a stream lied, a buffer overran. Nobody says anything more.
#[test]
fn wound_15_who_missed_what_was_told_hears_it_again_without_anybody_saying_more() {
    let (mut world, room, [alice, bob, carol], _) = three(56);
    world.cut(alice, carol);
    world.pass(10_000);
    world.say_surely(alice, room, "said once");
    // Bob has it, and gathers for 20 milliseconds what he tells Carol.
    world.pass(5);
    world.faults.vanishes = 1_000;
    world.pass(200);
    world.faults.vanishes = 0;
    world.pass(60_000);
    assert_eq!(world.texts(bob, room), ["said once"]);
    assert!(world.texts(carol, room).is_empty(), "it was lost");
    world.pass(6 * 60_000);
    assert_eq!(world.texts(carol, room), ["said once"]);
}
