//! A week of a room of nineteen: machines on and off by the hour, laptops that sleep, addresses that change, processes that die,
//! a network that parts, clocks that are wrong, people who come, are put out and leave. At the end every message is once with everybody
//! who is in. `PARLOR_SIM_SEEDS=N` runs N weeks, `PARLOR_SIM_SEED=N` exactly that one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::engine::api::Command;
use parlor_sim::{Dialling, Faults, World};
use parlor_wire::RoomId;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Machines that are always on.
const SERVERS: usize = 3;
const MEMBERS: usize = 18;
/// Who joins in the middle of the week.
const LATE: usize = 1;
/// On Thursday this one is put out, and that one leaves.
const PUT_OUT: usize = 7;
const LEAVES: usize = 8;

struct Week {
    world: World,
    room: RoomId,
    ticket: String,
    nodes: Vec<usize>,
    joined: usize,
    said: usize,
    parted_until: u64,
}

impl Week {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.most = u64::MAX;
        world.dialling = Dialling::REAL;
        world.faults = Faults { least_ms: 5, most_ms: 80, unnoticed_ms: 20_000, ..Faults::NONE };
        let skews = [0, 0, 0, 40_000, -90_000, 6 * HOUR_MS as i64, -6 * HOUR_MS as i64];
        let nodes: Vec<usize> = (0..MEMBERS + LATE)
            .map(|n| world.add_node_skewed(&format!("n{n}"), if n == 0 { 0 } else { skews[n % skews.len()] }))
            .collect();
        let (room, ticket) = world.settled_room(&nodes[..MEMBERS], MEMBERS);
        Self { world, room, ticket, nodes, joined: MEMBERS, said: 0, parted_until: 0 }
    }

    fn is_laptop(node: usize) -> bool {
        node >= SERVERS && node.is_multiple_of(2)
    }

    /// Whether its people work with it in this hour of the week.
    fn is_used(&mut self, node: usize, hour: u64) -> bool {
        let (day, hour) = (hour / 24, hour % 24);
        let begins = 7 + node as u64 % 3;
        let works = day < 5 && (begins..begins + 9).contains(&hour);
        // One is away for a whole day.
        let away = node as u64 % 5 == day;
        node < SERVERS || (works && !away) || self.world.dice.chance(30)
    }

    fn is_on(&self, node: usize) -> bool {
        self.world.nodes[node].is_awake()
    }

    fn switch(&mut self, node: usize, on: bool) {
        match (on, Self::is_laptop(node)) {
            (true, true) => {
                let stood_still = self.world.dice.chance(500);
                self.world.resume(node, stood_still);
                // It is elsewhere than it was in the evening.
                self.world.cut_off(node);
            }
            (false, true) => self.world.suspend(node),
            (true, false) => self.world.wake(node),
            (false, false) => self.world.put_to_sleep(node),
        }
    }

    fn some_on(&mut self) -> usize {
        let on: Vec<usize> = self.nodes[..self.joined].iter().copied().filter(|at| self.is_on(*at)).collect();
        self.world.dice.pick(&on).unwrap()
    }

    fn mishap(&mut self) {
        let node = self.some_on();
        match self.world.dice.below(6) {
            0 => self.world.kill(node),
            1 => self.world.cut_off(node),
            2 => {
                let other = self.some_on();
                if other != node {
                    self.world.cut(node, other);
                }
            }
            3 => self.world.mend_all(),
            _ => {}
        }
    }

    fn say(&mut self) {
        let node = self.some_on();
        let text = format!("#{}#", self.said);
        self.said += 1;
        // Who is out is told so; whoever dies meanwhile has promised nothing.
        let _ = self.world.say(node, self.room, &text);
    }

    fn hour(&mut self, hour: u64) {
        for node in SERVERS..self.joined {
            let used = self.is_used(node, hour);
            if used != self.is_on(node) && (used || self.world.nodes[node].runs()) {
                self.switch(node, used);
            }
        }
        match hour {
            34 => {
                let beyond = self.nodes.iter().copied().filter(|node| node % 3 == 1).collect();
                self.world.part(beyond);
                self.parted_until = hour + 5;
            }
            58 => {
                for node in MEMBERS..MEMBERS + LATE {
                    let ticket = self.ticket.clone();
                    self.world.join(node, &ticket, 5 * MINUTE_MS).unwrap().unwrap();
                }
                self.joined += LATE;
            }
            80 => self.world.remove(0, self.room, PUT_OUT),
            81 if self.is_on(LEAVES) => {
                self.world.rule(LEAVES, Command::Leave { room: self.room, abandon: false });
            }
            _ => {}
        }
        if self.parted_until == hour {
            self.world.part(BTreeSet::new());
        }
        for _ in 0..2 {
            self.mishap();
            self.say();
            self.world.pass(HOUR_MS / 2);
        }
    }

    /// Everybody is there again.
    fn end(&mut self) {
        for node in 0..self.joined {
            if Self::is_laptop(node) {
                self.world.resume(node, false);
            }
            self.world.wake(node);
        }
        self.world.mend_all();
        self.world.part(BTreeSet::new());
        let since = self.world.now_ms;
        self.world.pass(10 * MINUTE_MS);
        self.world.settle();
        self.world.check_room(self.room);
        let members = self.world.members(self.room);
        assert!(!members.contains(&PUT_OUT) && members.len() >= MEMBERS + LATE - 2, "{members:?}");
        let all = self.world.texts(0, self.room);
        let once: BTreeSet<&String> = all.iter().collect();
        assert_eq!(once.len(), all.len(), "nothing twice");
        assert!(all.len() * 10 >= self.said * 9, "{} of {} were said", all.len(), self.said);
        for node in members {
            assert_eq!(self.world.texts(node, self.room), all, "node {node}");
        }
        assert!(self.world.now_ms - since < HOUR_MS, "soon");
    }
}

fn week(seed: u64) {
    let mut week = Week::new(seed);
    for hour in 0..7 * 24 {
        week.hour(hour);
    }
    let dials: Vec<u64> = week.world.nodes.iter().map(|node| node.dials).collect();
    let busiest = *dials.iter().max().unwrap();
    // Thirty thousand would be three a minute: at night hardly anybody is there.
    assert!(busiest < 30_000, "{busiest} dials of one node in a week: {dials:?}");
    week.end();
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn wound_16_after_a_week_of_people_coming_and_going_everything_is_once_everywhere() {
    if let Some(seed) = number("PARLOR_SIM_SEED") {
        return week(seed);
    }
    for seed in 0..number("PARLOR_SIM_SEEDS").unwrap_or(1) {
        let ended = std::panic::catch_unwind(|| week(seed));
        if let Err(cause) = ended {
            let text = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            let last = text.lines().last().unwrap_or_default();
            panic!("{last}\nreplay: PARLOR_SIM_SEED={seed} cargo test -p parlor-sim --test week");
        }
    }
}
