//! The choice of links in large rooms, alone: members that are nothing but their choices, on a network that is a set of
//! pairs. What is asked is what the graph looks like, and what it costs to find.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::engine::mesh::{Mesh, Other, Standing};
use parlor_wire::{PeerId, RoomId, limits};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

const ROOM: RoomId = RoomId([7; 32]);
const MINUTE: u64 = 60_000;
/// The world moves on by so much.
const STEP: u64 = 1_000;
/// How old what is known of others' presence is.
const HEARD_EVERY: u64 = 10_000;

struct Member {
    peer: PeerId,
    mesh: Mesh,
    online: bool,
    /// Which side of a parting it is on.
    side: u8,
    /// Others it was linked with, and when it last was.
    seen: BTreeMap<usize, u64>,
    /// Who is linked and since when; true where this one dialled.
    links: BTreeMap<usize, (u64, bool)>,
    dials: u64,
    tried: BTreeSet<usize>,
}

struct Room {
    now: u64,
    members: Vec<Member>,
    /// By member, the group of those who hear each other.
    group: Vec<usize>,
    /// Whether sessions are heard of at all.
    speaks: bool,
    by_peer: BTreeMap<PeerId, usize>,
    dice: ChaCha20Rng,
    opened: u64,
}

impl Room {
    fn new(seed: u64, members: usize, online: usize) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let make = |_| {
            let mut id = [0; 32];
            dice.fill_bytes(&mut id);
            let peer = PeerId(id);
            let mesh = Mesh::new(ROOM, &peer, 0, &mut |bound| dice.next_u64() % bound.max(1));
            Member {
                peer,
                mesh,
                online: false,
                side: 0,
                seen: BTreeMap::new(),
                links: BTreeMap::new(),
                dials: 0,
                tried: BTreeSet::new(),
            }
        };
        let members: Vec<Member> = (0..members).map(make).collect();
        let by_peer = members.iter().enumerate().map(|(at, member)| (member.peer, at)).collect();
        let group = (0..members.len()).collect();
        let mut room = Self { now: 0, members, group, speaks: true, by_peer, dice, opened: 0 };
        room.members.iter_mut().take(online).for_each(|member| member.online = true);
        room
    }

    fn online(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|at| self.members[*at].online).collect()
    }

    fn link(&mut self, from: usize, to: usize) {
        self.members[from].links.insert(to, (self.now, true));
        self.members[to].links.insert(from, (self.now, false));
        self.opened += 1;
        self.stir(from, to);
    }

    fn unlink(&mut self, from: usize, to: usize) {
        for (one, other) in [(from, to), (to, from)] {
            if self.members[one].links.remove(&other).is_some() {
                self.members[one].seen.insert(other, self.now);
            }
        }
        self.stir(from, to);
    }

    fn stir(&mut self, one: usize, other: usize) {
        let now = self.now;
        [one, other].iter().for_each(|at| self.members[*at].mesh.look_soon(now));
    }

    fn reach(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.members[one], &self.members[other]);
        one.online && other.online && one.side == other.side
    }

    /// Cuts what no longer reaches.
    fn cut(&mut self) {
        for at in 0..self.members.len() {
            for other in self.members[at].links.keys().copied().collect::<Vec<_>>() {
                if !self.reach(at, other) {
                    self.unlink(at, other);
                }
            }
        }
    }

    fn groups(&self) -> Vec<usize> {
        let mut group: Vec<usize> = vec![usize::MAX; self.members.len()];
        for start in 0..self.members.len() {
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                if group[at] == usize::MAX {
                    group[at] = start;
                    open.extend(self.members[at].links.keys());
                }
            }
        }
        group
    }

    fn is_one(&self) -> bool {
        let group = self.groups();
        self.online().iter().map(|at| group[*at]).collect::<BTreeSet<_>>().len() <= 1
    }

    fn others(&self, me: usize) -> Vec<Other> {
        let knows = |at: usize| {
            let member = &self.members[at];
            let link = self.members[me].links.get(&at);
            let link = link.map(|(since_ms, dialled)| Standing {
                since_ms: *since_ms,
                dialled: *dialled,
                idle: true,
            });
            let present = self.speaks && self.group[at] == self.group[me] && member.online;
            let seen_ms = self.members[me].seen.get(&at).copied();
            Other { peer: member.peer, link, present, named: at == 0, seen_ms }
        };
        (0..self.members.len()).filter(|at| *at != me).map(knows).collect()
    }

    fn step(&mut self) {
        self.now += STEP;
        if self.now.is_multiple_of(HEARD_EVERY) {
            self.group = self.groups();
        }
        for me in self.online() {
            if self.members[me].mesh.due_ms() > self.now {
                continue;
            }
            let others = self.others(me);
            let dice = &mut self.dice;
            let mesh = &mut self.members[me].mesh;
            let turn = mesh.turn(self.now, &others, limits::MAX_TRIES, true, &mut |bound| {
                dice.next_u64() % bound.max(1)
            });
            if let Some(peer) = turn.close {
                self.unlink(me, self.by_peer[&peer]);
            }
            let tried: BTreeSet<usize> =
                self.members[me].mesh.trying().map(|peer| self.by_peer[peer]).collect();
            let before = std::mem::replace(&mut self.members[me].tried, tried.clone());
            self.members[me].dials += tried.difference(&before).count() as u64;
            for to in tried {
                if self.reach(me, to) && !self.members[me].links.contains_key(&to) {
                    self.link(me, to);
                }
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            self.step();
        }
    }

    /// How long until all who are there are one, in milliseconds.
    fn until_one(&mut self, most: u64) -> u64 {
        let since = self.now;
        while !self.is_one() {
            assert!(self.now < since + most, "not one after {} s", most / 1000);
            self.step();
        }
        self.now - since
    }

    /// Dials of all, and of the busiest, since this was last asked.
    fn dials(&mut self) -> (u64, u64) {
        let dials = self.members.iter_mut().map(|member| std::mem::take(&mut member.dials));
        dials.fold((0, 0), |(all, most), one| (all + one, most.max(one)))
    }

    fn degrees(&self) -> Vec<usize> {
        self.online().iter().map(|at| self.members[*at].links.len()).collect()
    }
}

#[test]
fn those_who_are_there_become_one_graph_of_few_links_each() {
    for (seed, members, online) in [(1, 512, 50), (2, 512, 120), (3, 120, 120), (4, 18, 18)] {
        let mut room = Room::new(seed, members, online);
        room.until_one(5 * MINUTE);
        room.pass(4 * MINUTE);
        let degrees = room.degrees();
        let mean = degrees.iter().sum::<usize>() as f64 / online as f64;
        let most = *degrees.iter().max().unwrap();
        let least = *degrees.iter().min().unwrap();
        assert!(room.is_one(), "{seed}");
        assert!(least >= limits::MESH_LINKS.min(online - 1), "{seed}: {least}");
        assert!(most <= limits::MAX_MESH_LINKS, "{seed}: {most}");
        assert!(mean <= 14.0 && most as f64 <= 2.5 * mean, "{seed}: {mean} on average, {most} at most");
    }
}

/// All come at once, and all they know is who started the room.
#[test]
fn nobody_stays_with_the_starter_because_it_started() {
    let mut room = Room::new(5, 60, 60);
    for at in 1..60 {
        room.link(at, 0);
    }
    room.pass(4 * MINUTE);
    let degrees = room.degrees();
    let mean = degrees.iter().sum::<usize>() as f64 / degrees.len() as f64;
    assert!(room.is_one());
    assert!((degrees[0] as f64) < 2.0 * mean, "{} links of the starter, {mean} on average", degrees[0]);
}

/// No session is heard of: nodes are there, and nobody says so.
#[test]
fn those_who_say_nothing_find_each_other_too() {
    for seed in 10..12 {
        let mut room = Room::new(seed, 512, 40);
        room.speaks = false;
        room.until_one(3 * MINUTE);
        assert!(room.degrees().iter().all(|degree| *degree > 0), "{seed}");
    }
}

#[test]
fn two_halves_of_which_each_is_content_find_each_other_again() {
    for (seed, members, online) in [(20, 100, 100), (21, 512, 30), (22, 40, 40)] {
        let mut room = Room::new(seed, members, online);
        room.pass(5 * MINUTE);
        (0..members).for_each(|at| room.members[at].side = (at % 2) as u8);
        room.cut();
        room.pass(10 * MINUTE);
        assert!(room.degrees().iter().all(|degree| *degree >= limits::MESH_LINKS), "{seed}: content");
        assert!(!room.is_one());
        room.members.iter_mut().for_each(|member| member.side = 0);
        room.until_one(MINUTE);
    }
}

/// The number: in a room of 512 nobody dials more than 90 times in any minute; once all is found, twice a minute where 50
/// are there, and 24 times where few or none are.
#[test]
fn thousands_who_are_not_there_cost_few_dials() {
    for (seed, online, minutes, at_rest) in [(30, 50, 10, 2), (31, 5, 60, 24), (32, 1, 60, 24)] {
        let mut room = Room::new(seed, 512, online);
        room.speaks = seed != 30;
        let mut busiest = 0;
        for _ in 0..minutes {
            room.pass(MINUTE);
            busiest = busiest.max(room.dials().1);
        }
        room.pass(minutes * MINUTE / 2);
        let (all, _) = room.dials();
        let mean = all as f64 / (minutes as f64 / 2.0 * online as f64);
        assert!(busiest <= 90, "{online} there: {busiest} in a minute");
        assert!(mean <= f64::from(at_rest), "{online} there: {mean} a minute at rest");
    }
}

/// What one lets go of, the other does not take up again.
#[test]
fn who_has_links_enough_opens_hardly_any() {
    let mut room = Room::new(40, 60, 60);
    room.pass(20 * MINUTE);
    let before = room.opened;
    room.pass(60 * MINUTE);
    let opened = room.opened - before;
    assert!(opened <= 60 * 10, "{opened} links opened in an hour");
    assert!(room.is_one());
}

/// People come and go; whoever is there hears the others all the time, but for moments.
#[test]
fn people_who_come_and_go_stay_one() {
    let mut room = Room::new(50, 150, 50);
    room.pass(5 * MINUTE);
    let mut parted = 0;
    for round in 0..80 {
        let at = (room.dice.next_u64() % 150) as usize;
        room.members[at].online ^= true;
        let fresh = room.members[at].peer;
        room.members[at].mesh = Mesh::new(ROOM, &fresh, room.now, &mut |bound| bound / 2);
        room.members[at].tried.clear();
        room.cut();
        room.pass(30_000);
        parted += usize::from(!room.is_one());
        assert!(round < 10 || !room.online().is_empty());
    }
    assert!(parted <= 4, "{parted} of 80");
}
