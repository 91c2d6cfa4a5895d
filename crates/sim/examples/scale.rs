//! What a large room costs each of its nodes, and how fast it is: engines and stores of this process, on a simulated
//! network of which the delay is stated. Prints memory, CPU, frames and bytes, dials, how long a message takes to all, and how the
//! load is spread. `cargo run --release -p parlor-sim --example scale [MEMBERS] [ONLINE] [HISTORY] [ROOMS]`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use parlor_core::engine::api::{Command, Presence};
use parlor_sim::node::Traffic;
use parlor_sim::{Dialling, Faults, World};
use parlor_wire::{RoomId, Salt};

const MINUTE_MS: u64 = 60_000;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn argument(nth: usize, otherwise: usize) -> usize {
    std::env::args().nth(nth).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What a span of time cost, for each node and second.
struct Cost {
    since_ms: u64,
    before: Vec<(Traffic, Traffic, u64, f64)>,
}

fn state(world: &World) -> Vec<(Traffic, Traffic, u64, f64)> {
    let of = |node: &parlor_sim::node::Node| (node.sent, node.got, node.dials, node.spent.as_secs_f64());
    world.nodes.iter().map(of).collect()
}

impl Cost {
    fn begin(world: &World) -> Self {
        Self { since_ms: world.now_ms, before: state(world) }
    }

    fn print(&self, world: &World, what: &str) {
        let seconds = (world.now_ms - self.since_ms).max(1) as f64 / 1e3;
        let spread = |name: &str, unit: f64, of: &dyn Fn(usize) -> f64| {
            let all: Vec<f64> = (0..self.before.len()).map(|at| of(at) / unit / seconds).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let most = all.iter().copied().fold(0.0, f64::max);
            let ratio = if mean > 0.0 { most / mean } else { 0.0 };
            println!(
                "  {name:<22} mean {mean:>10.3}   most {most:>10.3}   most/mean {ratio:.2}   starter {:>10.3}",
                all[0]
            );
        };
        let now = state(world);
        println!("{what}: {seconds:.1} s simulated; for each node and second:");
        spread("frames sent", 1.0, &|at| (now[at].0.frames - self.before[at].0.frames) as f64);
        spread("KiB sent", 1024.0, &|at| (now[at].0.bytes - self.before[at].0.bytes) as f64);
        spread("KiB received", 1024.0, &|at| (now[at].1.bytes - self.before[at].1.bytes) as f64);
        spread("ms of engine", 1e-3, &|at| now[at].3 - self.before[at].3);
        spread("dials a minute", 1.0 / 60.0, &|at| (now[at].2 - self.before[at].2) as f64);
    }
}

fn degrees(world: &World, nodes: &[usize], room: RoomId) {
    let of = |node: &usize| world.nodes[*node].links.values().filter(|link| link.room == room).count();
    let all: Vec<usize> = nodes.iter().map(of).collect();
    let mean = all.iter().sum::<usize>() as f64 / all.len() as f64;
    println!(
        "  links of a node: mean {mean:.1}, least {}, most {}, starter {}",
        all.iter().min().unwrap_or(&0),
        all.iter().max().unwrap_or(&0),
        all[0]
    );
}

fn present(world: &mut World, node: usize, room: RoomId) {
    let presence = Presence { label: format!("s{node}"), program: "claude".into(), ..Presence::default() };
    let command = Command::Announce { room, session: Salt([node as u8 + 1; 16]), presence: Some(presence) };
    world.inform(node, command);
}

fn main() {
    let (members, online) = (argument(1, 512), argument(2, 50));
    let (history, rooms) = (argument(3, 2_000), argument(4, 1));
    let begun = Instant::now();
    let mut world = World::new(1);
    world.most = u64::MAX;
    world.dialling = Dialling::REAL;
    world.faults = Faults { least_ms: 10, most_ms: 50, unnoticed_ms: 5_000, ..Faults::NONE };
    println!(
        "{members} members, {online} online, {history} entries, {rooms} rooms; a frame takes 10 to 50 ms"
    );
    let nodes: Vec<usize> = (0..online).map(|n| world.add_node(&format!("n{n}"))).collect();
    let start = resident_kib();
    let mut all = Vec::new();
    for nth in 0..rooms {
        let invited = world.start_room(0, "room");
        world.enrol(0, invited.room, &invited.text, members - online);
        for n in 0..history {
            world.say_surely(0, invited.room, &format!("{nth} {n:0200}"));
        }
        let cost = Cost::begin(&world);
        let took = world.all_join(&nodes[1..], &invited.text);
        println!(
            "all joined in {:.1} s simulated, {:.1} s real",
            took as f64 / 1e3,
            begun.elapsed().as_secs_f64()
        );
        cost.print(&world, "joining");
        all.push(invited.room);
    }
    let room = all[0];
    for room in &all {
        nodes.iter().for_each(|node| present(&mut world, *node, *room));
    }
    world.pass(15 * MINUTE_MS);
    degrees(&world, &nodes, room);
    let cost = Cost::begin(&world);
    world.pass(10 * MINUTE_MS);
    cost.print(&world, "at rest, a session of each present");
    let cost = Cost::begin(&world);
    let mut took = Vec::new();
    for n in 0..50 {
        let from = (n * 7) % online;
        world.say_surely(from, room, &format!("to all {n}"));
        let others: Vec<usize> = nodes.iter().copied().filter(|node| *node != from).collect();
        took.extend(world.spread(&others, room, &format!("to all {n}"), 60_000));
    }
    cost.print(&world, "fifty messages, one after the other");
    took.sort_unstable();
    let at = |per_mille: usize| took.get(took.len() * per_mille / 1000).copied().unwrap_or(0);
    println!("  a message to another node: p50 {} ms, p99 {} ms, last {} ms", at(500), at(990), at(999));
    let grown = resident_kib().saturating_sub(start);
    println!("memory: {} KiB a node, with its store in memory", grown / online as u64);
    println!("{:.1} s real", begun.elapsed().as_secs_f64());
}
