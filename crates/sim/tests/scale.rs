//! Large rooms on a network of which hops take time: what is said reaches all soon, nobody carries the room for the others,
//! members who are not there cost few dials, what was parted finds itself again. `PARLOR_SIM_SEEDS=N` runs so many seeds
//! of each; the full figures are those of `examples/scale.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::engine::api::{Command, Presence};
use parlor_sim::{Dialling, Faults, World};
use parlor_wire::{RoomId, Salt, limits};

const MINUTE_MS: u64 = 60_000;
/// Rooms of one node; the example takes twenty.
const ROOMS: usize = 8;

fn seeds() -> u64 {
    std::env::var("PARLOR_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// So many nodes, frames take 10 to 50 milliseconds, carriers dial as the p2p one does.
fn world(seed: u64, count: usize) -> (World, Vec<usize>) {
    let mut world = World::new(seed);
    world.most = u64::MAX;
    world.dialling = Dialling::REAL;
    world.faults = Faults { least_ms: 10, most_ms: 50, unnoticed_ms: 5_000, ..Faults::NONE };
    let nodes = (0..count).map(|n| world.add_node(&format!("n{n}"))).collect();
    (world, nodes)
}

fn announce(world: &mut World, nodes: &[usize], room: RoomId) {
    for node in nodes {
        let presence =
            Presence { label: format!("s{node}"), program: "claude".into(), ..Presence::default() };
        // None of all zeros: that handle is no session's.
        let session = Salt(std::array::from_fn(|at| ((*node + 1) >> (8 * (at % 2))) as u8));
        world.inform(*node, Command::Announce { room, session, presence: Some(presence) });
    }
}

fn degree(world: &World, node: usize, room: RoomId) -> usize {
    world.nodes[node].links.values().filter(|link| link.room == room).count()
}

/// The mean and the most of something that each node counts.
fn load(counts: &[u64]) -> (f64, f64) {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    (mean, counts.iter().copied().max().unwrap_or(0) as f64)
}

fn frames(world: &World, nodes: &[usize]) -> Vec<u64> {
    nodes.iter().map(|node| world.nodes[*node].sent.frames).collect()
}

/// 512 members of whom 30 are there: everything the room is asked for, at once.
#[test]
fn wound_08_in_a_room_of_512_every_entry_is_once_everywhere_and_nobody_carries_it_alone() {
    for seed in 0..seeds() {
        let (mut world, nodes) = world(8_000 + seed, 30);
        let (room, _) = world.settled_room(&nodes, limits::MAX_MEMBERS);
        world.pass(2 * MINUTE_MS);
        announce(&mut world, &nodes, room);
        world.pass(4 * MINUTE_MS);
        let (before, dials) =
            (frames(&world, &nodes), nodes.iter().map(|at| world.nodes[*at].dials).sum::<u64>());
        let since = world.now_ms;
        for n in 0..20 {
            let from = nodes[(n * 7) % nodes.len()];
            let others: Vec<usize> = nodes.iter().copied().filter(|node| *node != from).collect();
            let sent = world.say_surely(from, room, &format!("#{n}#"));
            assert_eq!(sent.of, limits::MAX_MEMBERS as u64 - 1, "{seed}");
            let took = world.spread(&others, room, &format!("#{n}#"), 5_000);
            let last = took.iter().max().unwrap();
            assert!(*last <= 1_000, "{seed}: {last} ms until the last one had it");
        }
        world.pass(2 * MINUTE_MS);
        let after = frames(&world, &nodes);
        let sent: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        let (mean, most) = load(&sent);
        assert!(most <= 2.5 * mean, "{seed}: {most} frames of one node, {mean} on average");
        assert!(
            (sent[0] as f64) <= 1.75 * mean,
            "{seed}: {} frames of the starter, {mean} on average",
            sent[0]
        );
        for node in &nodes {
            let degree = degree(&world, *node, room);
            assert!(
                (limits::MESH_LINKS..=limits::MAX_MESH_LINKS).contains(&degree),
                "{seed}: {degree} links"
            );
            assert_eq!(world.texts(*node, room).len(), 20, "{seed}: node {node}");
        }
        let minutes = (world.now_ms - since) as f64 / MINUTE_MS as f64;
        let dialled = nodes.iter().map(|at| world.nodes[*at].dials).sum::<u64>() - dials;
        let each = dialled as f64 / nodes.len() as f64 / minutes;
        assert!(each <= 4.0, "{seed}: {each} dials a minute of each node");
        world.check_room(room);
    }
}

/// Nobody knows more than the starter: thirty come at once, by its ticket.
#[test]
fn thirty_join_at_once_by_one_ticket_and_spread_over_each_other() {
    for seed in 0..seeds() {
        let (mut world, nodes) = world(8_100 + seed, 31);
        let invited = world.start_room(nodes[0], "room");
        for n in 0..100 {
            world.say_surely(nodes[0], invited.room, &format!("before {n}"));
        }
        let took = world.all_join(&nodes[1..], &invited.text);
        assert!(took <= 30_000, "{seed}: {took} ms until all were in");
        announce(&mut world, &nodes, invited.room);
        world.pass(15 * MINUTE_MS);
        let degrees: Vec<u64> = nodes.iter().map(|node| degree(&world, *node, invited.room) as u64).collect();
        let (mean, most) = load(&degrees);
        assert!(most <= 2.0 * mean && degrees[0] as f64 <= 1.75 * mean, "{seed}: {degrees:?}");
        world.say_surely(nodes[30], invited.room, "after");
        world.spread(&nodes[..30], invited.room, "after", 5_000);
        assert_eq!(world.members(invited.room).len(), 31, "{seed}");
        world.check_room(invited.room);
    }
}

/// Two halves of a room, each with links enough, say different things for an hour.
#[test]
fn wound_08_a_room_of_100_parted_for_an_hour_is_one_again_soon() {
    for seed in 0..seeds() {
        let (mut world, nodes) = world(8_200 + seed, 30);
        let (room, _) = world.settled_room(&nodes, 100);
        announce(&mut world, &nodes, room);
        world.pass(3 * MINUTE_MS);
        let beyond: BTreeSet<usize> = nodes.iter().copied().filter(|node| node % 2 == 1).collect();
        world.part(beyond);
        for node in &nodes[..10] {
            world.pass(6 * MINUTE_MS);
            world.say_surely(*node, room, &format!("#{node}#"));
        }
        world.pass(MINUTE_MS);
        let heard = |world: &mut World, node: usize| world.texts(node, room).len();
        assert_eq!((heard(&mut world, nodes[10]), heard(&mut world, nodes[11])), (5, 5), "{seed}: parted");
        for node in &nodes {
            assert!(degree(&world, *node, room) >= limits::MESH_LINKS, "{seed}: {node} is content");
        }
        world.part(BTreeSet::new());
        world.say_surely(nodes[0], room, "together");
        let took = world.spread(&nodes[1..], room, "together", 3 * MINUTE_MS);
        assert!(*took.iter().max().unwrap() <= MINUTE_MS, "{seed}: {took:?}");
        world.pass(MINUTE_MS);
        for node in &nodes {
            assert_eq!(heard(&mut world, *node), 11, "{seed}: node {node}");
        }
        world.check_room(room);
    }
}

/// One node in many rooms of the same people: it is linked with few of them, for all rooms the more with the same.
#[test]
fn one_node_in_many_rooms_has_few_links_and_hears_all_of_them() {
    for seed in 0..seeds() {
        let (mut world, nodes) = world(8_300 + seed, 20);
        let rooms: Vec<RoomId> = (0..ROOMS).map(|_| world.settled_room(&nodes, 24).0).collect();
        world.pass(5 * MINUTE_MS);
        let since = frames(&world, &nodes);
        for (n, room) in rooms.iter().enumerate() {
            let from = nodes[1 + n % 19];
            world.say_surely(from, *room, &format!("to room {n}"));
            world.spread(&nodes[..1], *room, &format!("to room {n}"), 5_000);
        }
        world.pass(10 * MINUTE_MS);
        let links = world.nodes[nodes[0]].links.len();
        assert!(links <= ROOMS * limits::MAX_MESH_LINKS / 2, "{seed}: {links} links");
        let sent = frames(&world, &nodes)[0] - since[0];
        assert!(sent <= ROOMS as u64 * 600, "{seed}: {sent} frames in ten minutes");
        for (n, room) in rooms.iter().enumerate() {
            assert_eq!(world.texts(nodes[0], *room), [format!("to room {n}")], "{seed}");
            world.check_room(*room);
        }
    }
}
