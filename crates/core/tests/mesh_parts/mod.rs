//! The choice of links in a large room, alone: members that are nothing but their choices, on a network that is a set of
//! pairs; some of them may stand together to keep one from all others.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::engine::mesh::{Mesh, Other, Standing};
use parlor_wire::{PeerId, RoomId, limits};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

pub const ROOM: RoomId = RoomId([7; 32]);
pub const MINUTE: u64 = 60_000;
/// The world moves on by so much.
pub const STEP: u64 = 1_000;
/// How old what is known of others' presence is.
pub const HEARD_EVERY: u64 = 10_000;

pub struct Member {
    pub peer: PeerId,
    pub mesh: Mesh,
    pub online: bool,
    /// Which side of a parting it is on.
    pub side: u8,
    /// Others it was linked with, and when it last was.
    pub seen: BTreeMap<usize, u64>,
    /// Who is linked and since when; true where this one dialled.
    pub links: BTreeMap<usize, (u64, bool)>,
    pub dials: u64,
    pub tried: BTreeSet<usize>,
}

pub struct Room {
    /// Attackers: dial the victim, never let anything go, pass on presence of all to the victim and the victim's to nobody.
    pub bad: BTreeSet<usize>,
    pub victim: usize,
    pub now: u64,
    pub members: Vec<Member>,
    /// By member, the group of those who hear each other.
    pub group: Vec<usize>,
    /// Whether sessions are heard of at all.
    pub speaks: bool,
    pub by_peer: BTreeMap<PeerId, usize>,
    pub dice: ChaCha20Rng,
    pub opened: u64,
}

impl Room {
    pub fn new(seed: u64, members: usize, online: usize) -> Self {
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
        let mut room = Self {
            bad: BTreeSet::new(),
            victim: usize::MAX,
            now: 0,
            members,
            group,
            speaks: true,
            by_peer,
            dice,
            opened: 0,
        };
        room.members.iter_mut().take(online).for_each(|member| member.online = true);
        room
    }

    pub fn online(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|at| self.members[*at].online).collect()
    }

    pub fn link(&mut self, from: usize, to: usize) {
        self.members[from].links.insert(to, (self.now, true));
        self.members[to].links.insert(from, (self.now, false));
        self.opened += 1;
        self.stir(from, to);
    }

    pub fn unlink(&mut self, from: usize, to: usize) {
        for (one, other) in [(from, to), (to, from)] {
            if self.members[one].links.remove(&other).is_some() {
                self.members[one].seen.insert(other, self.now);
            }
        }
        self.stir(from, to);
    }

    pub fn stir(&mut self, one: usize, other: usize) {
        let now = self.now;
        [one, other].iter().for_each(|at| self.members[*at].mesh.look_soon(now));
    }

    pub fn reach(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.members[one], &self.members[other]);
        one.online && other.online && one.side == other.side
    }

    pub fn others(&self, me: usize) -> Vec<Other> {
        let knows = |at: usize| {
            let member = &self.members[at];
            let link = self.members[me].links.get(&at);
            let link = link.map(|(since_ms, dialled)| Standing {
                since_ms: *since_ms,
                dialled: *dialled,
                idle: true,
            });
            let is_bad = self.bad.contains(&at);
            let present = if me == self.victim {
                // Everybody's signals reach the victim through the attackers.
                member.online && self.announced(at)
            } else if at == self.victim {
                // Nobody hears the victim's, unless an honest one is linked with it.
                self.group[at] == self.group[me] && member.online
            } else if is_bad {
                self.announced(at)
            } else {
                self.speaks && self.group[at] == self.group[me] && member.online
            };
            let seen_ms = self.members[me].seen.get(&at).copied();
            Other { peer: member.peer, link, present, named: at == 0, seen_ms }
        };
        (0..self.members.len()).filter(|at| *at != me).map(knows).collect()
    }

    /// Attackers next to the victim show themselves to the victim; the rest are silent.
    pub fn announced(&self, at: usize) -> bool {
        !self.bad.contains(&at) || self.members[at].online
    }

    /// Those who are linked with each other, without attackers between them.
    pub fn groups(&self) -> Vec<usize> {
        let mut group: Vec<usize> = vec![usize::MAX; self.members.len()];
        for start in 0..self.members.len() {
            let mut open = vec![start];
            while let Some(at) = open.pop() {
                if group[at] == usize::MAX {
                    group[at] = start;
                    if !self.bad.contains(&at) {
                        open.extend(self.members[at].links.keys().filter(|to| !self.bad.contains(to)));
                    }
                }
            }
        }
        group
    }

    pub fn step(&mut self) {
        self.now += STEP;
        if self.now.is_multiple_of(HEARD_EVERY) {
            self.group = self.groups();
        }
        for me in self.online() {
            if self.bad.contains(&me) || self.members[me].mesh.due_ms() > self.now {
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

    pub fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            self.step();
        }
    }

    /// Cuts what no longer reaches.
    pub fn cut(&mut self) {
        for at in 0..self.members.len() {
            for other in self.members[at].links.keys().copied().collect::<Vec<_>>() {
                if !self.reach(at, other) {
                    self.unlink(at, other);
                }
            }
        }
    }

    pub fn is_one(&self) -> bool {
        let group = self.groups();
        self.online().iter().map(|at| group[*at]).collect::<BTreeSet<_>>().len() <= 1
    }

    /// How long until all who are there are one, in milliseconds.
    pub fn until_one(&mut self, most: u64) -> u64 {
        let since = self.now;
        while !self.is_one() {
            assert!(self.now < since + most, "not one after {} s", most / 1000);
            self.step();
        }
        self.now - since
    }

    /// Dials of all, and of the busiest, since this was last asked.
    pub fn dials(&mut self) -> (u64, u64) {
        let dials = self.members.iter_mut().map(|member| std::mem::take(&mut member.dials));
        dials.fold((0, 0), |(all, most), one| (all + one, most.max(one)))
    }

    pub fn degrees(&self) -> Vec<usize> {
        self.online().iter().map(|at| self.members[*at].links.len()).collect()
    }
}
