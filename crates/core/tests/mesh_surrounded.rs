//! One who is surrounded in a large room: members that are nothing but their choices of links, some of which stand together
//! to keep one from all others.
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
    /// Attackers: dial the victim, never let anything go, pass on presence of all to the victim and the victim's to nobody.
    bad: BTreeSet<usize>,
    victim: usize,
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

    fn others(&self, me: usize) -> Vec<Other> {
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
    fn announced(&self, at: usize) -> bool {
        !self.bad.contains(&at) || self.members[at].online
    }

    /// Groups without the attackers.
    fn honest_groups(&self) -> Vec<usize> {
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

    fn step(&mut self) {
        self.now += STEP;
        if self.now.is_multiple_of(HEARD_EVERY) {
            self.group = self.honest_groups();
        }
        for me in self.online() {
            if self.members[me].mesh.due_ms() > self.now {
                continue;
            }
            if self.bad.contains(&me) {
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
}

fn place(peer: &PeerId) -> u64 {
    u64::from_be_bytes(blake3::keyed_hash(&ROOM.0, &peer.0).as_bytes()[..8].try_into().unwrap())
}

/// The victim starts (laptop opened): attackers dial it first; it hears through them that all honest ones are there.
fn cold(seed: u64, honest: usize, bad: usize, first_s: u64, minutes: u64) {
    let crowd = 512 - honest - bad;
    let mut room = Room::new(seed, honest + bad + crowd, honest);
    room.members[5].online = false;
    room.pass(10 * MINUTE);
    let victim = 5;
    let at = place(&room.members[victim].peer);
    let mut found: Vec<(u64, PeerId)> = Vec::new();
    for n in 0..200_000u64 {
        let peer = PeerId(*blake3::hash(&[seed.to_be_bytes(), n.to_be_bytes()].concat()).as_bytes());
        let way = place(&peer).wrapping_sub(at);
        found.push((way.min(way.wrapping_neg()), peer));
    }
    found.sort_unstable();
    let (mut after, mut before, mut next) = (0, 0, honest);
    for (_, peer) in found {
        let is_after = place(&peer).wrapping_sub(at) < u64::MAX / 2;
        let (count, most) = if is_after { (&mut after, bad - 2) } else { (&mut before, 2) };
        if *count >= most || next >= honest + bad {
            continue;
        }
        *count += 1;
        room.by_peer.remove(&room.members[next].peer);
        room.by_peer.insert(peer, next);
        room.members[next].peer = peer;
        room.members[next].online = true;
        next += 1;
    }
    room.bad = (honest..honest + bad + crowd).collect();
    room.victim = victim;
    room.members[victim].online = true;
    let me = room.members[victim].peer;
    room.members[victim].mesh = Mesh::new(ROOM, &me, room.now + first_s * 1000, &mut |bound| bound / 2);
    room.members[victim].seen.clear();
    let began = room.now;
    let (mut longest, mut since, mut alone) = (0, None, 0);
    while room.now < began + minutes * MINUTE {
        for at in honest..honest + bad {
            if !room.members[victim].links.contains_key(&at) {
                room.link(at, victim);
            }
        }
        room.step();
        let of = room.members[victim].links.keys().filter(|at| !room.bad.contains(at)).count();
        if of == 0 {
            let s = *since.get_or_insert(room.now);
            alone += 1;
            longest = longest.max(room.now - s);
        } else {
            since = None;
        }
    }
    assert!(
        longest <= 180_000 && alone <= minutes * 6,
        "cut off for {} s on end, {alone} s in all",
        longest / 1000
    );
}
/// Members that stand together, with ids chosen to stand next to one who has just come, hold their links to it, and tell it of
/// everybody and nobody of it. It is kept from the others for moments and not for long.
#[test]
fn who_is_surrounded_finds_others_within_minutes() {
    cold(2, 30, 26, 0, 60);
    cold(3, 18, 12, 0, 60);
}
