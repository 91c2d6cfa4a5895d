//! Which links of one larger room a node keeps up: a few, partly by an order that all compute alike and partly by
//! chance, and never those of the starter because it started. A plain function of what is known of the others, of time and of
//! given chance. Must not know links, rooms or clocks.
//!
//! What it is to give: the members who are there form one graph, again after every partition, though nobody knows who
//! is there; nobody has many more links than the others; and members who are not there cost few attempts.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::{PeerId, RoomId, TimeMs, limits};

/// How long one who is tried has to come up: one attempt of the carrier, and what it needs before.
const TRY_MS: u64 = 6_000;
/// How long who did not come up is left alone, doubled each time.
const FAILED_MS: u64 = 60_000;
/// How often it is doubled: to an hour.
const MOST_DOUBLINGS: u32 = 6;
/// With no link at all, one that was left alone is tried so often nevertheless: it may be this node that was cut off.
const ALONE_MS: u64 = 10_000;
/// With few links.
const FEW_MS: u64 = 30_000;
/// Others are preferred to one whose link ended, for so long: it may have had enough of them.
const LOST_MS: u64 = 120_000;
/// The same for one whose link was let go of here.
const LET_GO_MS: u64 = 600_000;
/// With fewer links than this nobody is left alone for having been lost.
const FEW: usize = 3;
/// How often somebody is tried who was not heard of, whatever links there are: the other half of a room that was parted
/// is never heard of. A minute, and up to half of it more.
const PROBE_MS: u64 = 60_000;
/// Members next in the order that each keeps a link to: one that has just gone parts nobody.
const SUCCESSORS: usize = 2;
/// A link is let go of when it has stood this long at least.
const SETTLED_MS: u64 = 60_000;
/// One too many of this node's own choice is let go of when it has stood this long: so choices change slowly.
const ROTATED_MS: u64 = 300_000;
/// With fewer links of its own choice a node looks for more, however many others open.
const OWN_FEW: usize = 3;
/// Links from which on those of this node's own choice are too many.
const EASE: usize = limits::MESH_LINKS + limits::MESH_LINKS / 2;
/// Pause between two links let go of.
const TRIM_MS: u64 = 10_000;
/// How often it is looked whether links are missing, while some are and nobody is tried.
const SHORT_MS: u64 = 10_000;
/// And while none are.
const IDLE_MS: u64 = 30_000;
/// How long changes are gathered before they are looked at.
const GATHER_MS: u64 = 50;

/// An open link of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Since when, by the monotonic clock.
    pub since_ms: u64,
    /// This side dialled it.
    pub dialled: bool,
    /// Nothing is being fetched or given on it.
    pub idle: bool,
}

/// Another member, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// Who.
    pub peer: PeerId,
    /// Its link.
    pub link: Option<Standing>,
    /// It is there: a session of it was heard of within a lease, or it is linked for another room.
    pub present: bool,
    /// The ticket by which this node came names it.
    pub named: bool,
    /// When it was last linked, by the wall clock; 0 when only its address is known.
    pub seen_ms: Option<TimeMs>,
}

/// What one look decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// Others are to be dialled than before.
    pub changed: bool,
    /// Whose link is one too many.
    pub close: Option<PeerId>,
}

/// What is remembered of one other member.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    place: u64,
    linked: bool,
    /// How often in a row it did not come up, and when last.
    failures: u32,
    failed_ms: u64,
    /// Others are tried first until then.
    lost_until_ms: u64,
}

impl Known {
    /// Whether it may be tried, for all that it did not come up. Of one that is there once is no proof that it never will.
    fn is_rested(&self, now_ms: u64, present: bool) -> bool {
        let doublings = if present { 0 } else { self.failures.saturating_sub(1).min(MOST_DOUBLINGS) };
        self.failures == 0 || self.failed_ms + (FAILED_MS << doublings) <= now_ms
    }
}

/// The links of one room.
#[derive(Debug)]
pub struct Mesh {
    room: RoomId,
    place: u64,
    known: BTreeMap<PeerId, Known>,
    /// Who is tried, and until when.
    trying: BTreeMap<PeerId, u64>,
    probe_ms: u64,
    trim_ms: u64,
    hurry_ms: u64,
    due_ms: u64,
    probes: u64,
}

impl Mesh {
    /// For a room, as `me`.
    pub fn new(room: RoomId, me: &PeerId, now_ms: u64, dice: &mut dyn FnMut(u64) -> u64) -> Self {
        Self {
            place: place(&room, me),
            room,
            known: BTreeMap::new(),
            trying: BTreeMap::new(),
            probe_ms: now_ms + dice(PROBE_MS),
            trim_ms: now_ms,
            hurry_ms: now_ms,
            due_ms: now_ms,
            probes: 0,
        }
    }

    /// When it is to be looked at again.
    pub fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// Something has changed: looked at shortly.
    pub fn look_soon(&mut self, now_ms: u64) {
        self.due_ms = self.due_ms.min(now_ms + GATHER_MS);
    }

    /// Who is to be dialled.
    pub fn trying(&self) -> impl Iterator<Item = &PeerId> {
        self.trying.keys()
    }

    /// Whether somebody is to be dialled.
    pub fn tries(&self, peer: &PeerId) -> bool {
        self.trying.contains_key(peer)
    }

    /// Looks at all others. `free`: how many more may be tried, for all rooms; `settled`: this node is in and has caught up,
    /// so that links may be let go of.
    pub fn turn(
        &mut self,
        now_ms: u64,
        others: &[Other],
        free: usize,
        settled: bool,
        dice: &mut dyn FnMut(u64) -> u64,
    ) -> Turn {
        let before: BTreeSet<PeerId> = self.trying.keys().copied().collect();
        self.take_note(now_ms, others);
        let linked = others.iter().filter(|other| other.link.is_some()).count();
        let (next, near) = self.neighbours(others);
        let most = if linked == 0 { 2 * limits::MAX_MESH_TRIES } else { limits::MAX_MESH_TRIES };
        let most = most.min(self.trying.len() + free);
        for peer in next {
            if self.trying.len() < most && self.may_try(peer, now_ms, linked) {
                self.attempt(peer.peer, now_ms);
            }
        }
        while self.trying.len() < most && linked + self.trying.len() < limits::MESH_LINKS {
            let found = self.candidate(now_ms, others, linked, dice);
            let Some(peer) = found.or_else(|| self.in_a_hurry(now_ms, others, linked)) else { break };
            self.attempt(peer, now_ms);
        }
        if self.probe_ms <= now_ms {
            self.probe_ms = now_ms + PROBE_MS + dice(PROBE_MS / 2);
            if self.trying.len() < most
                && let Some(peer) = self.probed(now_ms, others, dice)
            {
                self.attempt(peer, now_ms);
            }
        }
        let close = if settled { self.surplus(now_ms, others, linked, &near, dice) } else { None };
        self.plan(now_ms, linked);
        Turn { changed: !before.iter().eq(self.trying.keys()), close }
    }

    fn attempt(&mut self, peer: PeerId, now_ms: u64) {
        self.trying.insert(peer, now_ms + TRY_MS);
    }

    /// Who has come up, who has not in time, who is gone.
    fn take_note(&mut self, now_ms: u64, others: &[Other]) {
        if self.known.len() > others.len() {
            let members: BTreeSet<PeerId> = others.iter().map(|other| other.peer).collect();
            self.known.retain(|peer, _| members.contains(peer));
            self.trying.retain(|peer, _| members.contains(peer));
        }
        for other in others {
            let room = &self.room;
            let fresh = || Known { place: place(room, &other.peer), ..Known::default() };
            let known = self.known.entry(other.peer).or_insert_with(fresh);
            if other.link.is_some() {
                known.linked = true;
                known.failures = 0;
                self.trying.remove(&other.peer);
            } else if std::mem::take(&mut known.linked) {
                known.lost_until_ms = known.lost_until_ms.max(now_ms + LOST_MS);
            }
        }
        let late: Vec<PeerId> =
            self.trying.iter().filter(|(_, until)| **until <= now_ms).map(|(peer, _)| *peer).collect();
        for peer in late {
            self.trying.remove(&peer);
            if let Some(known) = self.known.get_mut(&peer) {
                known.failed_ms = now_ms;
                known.failures += 1;
            }
        }
    }

    /// Members that are there and next to this one in an order that all compute alike: those that follow, and those
    /// on both sides.
    fn neighbours<'a>(&self, others: &'a [Other]) -> (Vec<&'a Other>, BTreeSet<PeerId>) {
        let is_there = |other: &&Other| {
            let reached = self.known.get(&other.peer).is_some_and(|known| known.failures < 2);
            other.link.is_some() || (other.present && reached)
        };
        let mut ring: Vec<(u64, &'a Other)> = others
            .iter()
            .filter(is_there)
            .filter_map(|other| Some((self.known.get(&other.peer)?.place.wrapping_sub(self.place), other)))
            .collect();
        ring.sort_unstable_by_key(|(way, other)| (*way, other.peer));
        let after = ring.iter().take(SUCCESSORS);
        let before = ring.iter().rev().take(SUCCESSORS);
        let near = after.clone().chain(before).map(|(_, other)| other.peer).collect();
        let next = after.filter(|(_, other)| other.link.is_none()).map(|(_, other)| *other).collect();
        (next, near)
    }

    /// What is remembered of one that is neither linked nor tried.
    fn idle(&self, other: &Other) -> Option<&Known> {
        let known = self.known.get(&other.peer)?;
        (!known.linked && !self.trying.contains_key(&other.peer)).then_some(known)
    }

    fn may_try(&self, other: &Other, now_ms: u64, linked: usize) -> bool {
        let Some(known) = self.idle(other) else { return false };
        known.is_rested(now_ms, other.present) && (linked < FEW || known.lost_until_ms <= now_ms)
    }

    /// Whom to try: one that is there, by chance; else the one that was there last; else anybody.
    fn candidate(
        &self,
        now_ms: u64,
        others: &[Other],
        linked: usize,
        dice: &mut dyn FnMut(u64) -> u64,
    ) -> Option<PeerId> {
        let open: Vec<&Other> = others.iter().filter(|other| self.may_try(other, now_ms, linked)).collect();
        let there: Vec<&Other> = open.iter().copied().filter(|other| other.present).collect();
        pick(&there, dice).or_else(|| last_seen(&open)).or_else(|| pick(&open, dice))
    }

    /// With few links or none: the one that was left alone for longest, now and then.
    fn in_a_hurry(&mut self, now_ms: u64, others: &[Other], linked: usize) -> Option<PeerId> {
        if linked >= FEW || self.hurry_ms > now_ms {
            return None;
        }
        self.hurry_ms = now_ms + if linked == 0 { ALONE_MS } else { FEW_MS };
        let idle = others.iter().filter_map(|other| Some((self.idle(other)?.failed_ms, other.peer)));
        idle.min().map(|(_, peer)| peer)
    }

    /// Whom to try though links are not missing: one that was not heard of, by chance or by when it was there last; and where few
    /// links are of this node's own choice, in turn one that is there by what the others say. Those may all be of people who
    /// keep everybody else from this node.
    fn probed(&mut self, now_ms: u64, others: &[Other], dice: &mut dyn FnMut(u64) -> u64) -> Option<PeerId> {
        self.probes += 1;
        if !self.probes.is_multiple_of(2) && chosen(others) < OWN_FEW {
            let is_there = |other: &&Other| other.present && self.may_try(other, now_ms, 0);
            let there: Vec<&Other> = others.iter().filter(is_there).collect();
            if let Some(peer) = pick(&there, dice) {
                return Some(peer);
            }
        }
        let is_silent = |other: &&Other| !other.present && self.may_try(other, now_ms, 0);
        let silent: Vec<&Other> = others.iter().filter(is_silent).collect();
        let seen =
            if self.probes.is_multiple_of(4) || self.probes % 4 == 1 { last_seen(&silent) } else { None };
        seen.or_else(|| pick(&silent, dice))
    }

    /// A link that is one too many: to whom the ticket named; then, of very many, the farthest one that others opened; then one of
    /// this node's own choice. Never a neighbour's, whose other end would open it again.
    fn surplus(
        &mut self,
        now_ms: u64,
        others: &[Other],
        linked: usize,
        near: &BTreeSet<PeerId>,
        dice: &mut dyn FnMut(u64) -> u64,
    ) -> Option<PeerId> {
        if linked <= limits::MESH_LINKS || self.trim_ms > now_ms {
            return None;
        }
        let stood = |other: &&Other, ms: u64, dialled: bool| {
            let fits = |link: Standing| link.idle && link.dialled == dialled && link.since_ms + ms <= now_ms;
            other.link.is_some_and(fits) && !near.contains(&other.peer)
        };
        let way = |other: &&Other| {
            self.known.get(&other.peer).map_or(0, |known| known.place.wrapping_sub(self.place))
        };
        let named = others.iter().find(|other| other.named && stood(other, SETTLED_MS, true));
        let opened = || others.iter().filter(|other| stood(other, SETTLED_MS, false)).max_by_key(way);
        let own = || others.iter().filter(|other| stood(other, ROTATED_MS, true)).collect::<Vec<_>>();
        let peer = match named {
            Some(named) => Some(named.peer),
            None if linked > limits::MAX_MESH_LINKS => opened().map(|other| other.peer),
            None if linked > EASE => pick(&own(), dice),
            None => None,
        }?;
        self.trim_ms = now_ms + TRIM_MS;
        if let Some(known) = self.known.get_mut(&peer) {
            known.lost_until_ms = now_ms + LET_GO_MS;
        }
        Some(peer)
    }

    fn plan(&mut self, now_ms: u64, linked: usize) {
        let look = match linked {
            linked if linked < limits::MESH_LINKS => SHORT_MS,
            linked if linked > EASE => TRIM_MS,
            _ => IDLE_MS,
        };
        let tried = self.trying.values().min().copied();
        let due = [Some(now_ms + look), Some(self.probe_ms), tried].into_iter().flatten().min();
        self.due_ms = due.unwrap_or(now_ms + look).max(now_ms + 1);
    }
}

/// How many links are of this node's own choice: others may open as many as they like.
fn chosen(others: &[Other]) -> usize {
    others.iter().filter(|other| other.link.is_some_and(|link| link.dialled)).count()
}

/// Where a member stands in the order of a room: for each room another, so that nobody is next to all. It is no secret, and
/// nothing breaks when two compute it differently; so it is no use of cryptography with a domain of its own.
fn place(room: &RoomId, peer: &PeerId) -> u64 {
    let hash = blake3::keyed_hash(&room.0, &peer.0);
    let mut place = [0; 8];
    place.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(place)
}

fn pick(of: &[&Other], dice: &mut dyn FnMut(u64) -> u64) -> Option<PeerId> {
    if of.is_empty() {
        return None;
    }
    of.get(dice(of.len() as u64) as usize).map(|other| other.peer)
}

fn last_seen(of: &[&Other]) -> Option<PeerId> {
    of.iter()
        .filter(|other| other.seen_ms.is_some())
        .max_by_key(|other| other.seen_ms)
        .map(|other| other.peer)
}
