//! Repair of the key schedule (rule K5): a live reader or sealable ticket that does not know a key this node can
//! open is granted it, by the key's author at once, by others after a random while if it is still missing.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::control::{ControlBody, Want};
use parlor_wire::{KeyId, RoomId, limits};

use super::Engine;
use crate::keys::Knower;
use crate::room::record;

/// Others than the author wait at least this long, in milliseconds.
const WAIT_LEAST_MS: u64 = 2_000;
/// And at most this much longer.
const WAIT_SPREAD_MS: u64 = 28_000;
/// Dead tickets are looked for this often, in milliseconds: an expiry is no event anybody sends.
const UPKEEP_MS: u64 = 60_000;

/// Grants to come.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    due: BTreeMap<(RoomId, KeyId), u64>,
    upkeep_due: Option<u64>,
    /// The first tick after the start has been.
    awake: bool,
}

impl Repairs {
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        if !self.awake {
            return Some(0);
        }
        self.due.values().copied().chain(self.upkeep_due).min()
    }
}

impl Engine {
    /// Looks for entitled readers without a key, and sets the time of repair.
    pub(super) fn plan_repairs(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let now = self.now.wall_ms;
        let able = held.roster.writes(&self.me)
            && held.local.state == record::STATE_JOINED
            && held.local.frozen.is_none()
            && !self.is_written_out(room);
        if !held.roster.tickets.is_empty() || !held.waiting.is_empty() {
            let due = self.now.mono_ms + UPKEEP_MS;
            self.repairs.upkeep_due.get_or_insert(due);
        }
        if !able {
            return;
        }
        // Heads open everything else; only they need to be known. Fit or not: whoever may read, may read what was
        // sealed under it.
        let wanted = held.keys.wanted().into_iter().filter(|key| held.keys.get(key).is_some());
        let asked_for: BTreeSet<KeyId> = held.keys.heads().into_iter().chain(wanted).collect();
        let missing: Vec<(KeyId, bool)> = asked_for
            .into_iter()
            .filter(|key| !held.keys.unaware(key, &held.roster, now).is_empty())
            .map(|key| (key, held.keys.author(&key) == Some(self.me)))
            .filter(|(_, own)| *own || !self.is_half_written(room))
            .collect();
        for (key, own) in missing {
            let wait = if own { 0 } else { WAIT_LEAST_MS + self.hedge.below(WAIT_SPREAD_MS) };
            self.repairs.due.entry((room, key)).or_insert(self.now.mono_ms + wait);
        }
    }

    /// What must be looked at once after a start: whatever the last run had no time for.
    fn wake(&mut self) {
        if !std::mem::replace(&mut self.repairs.awake, true) {
            for room in self.rooms.keys().copied().collect::<Vec<_>>() {
                self.after_control(room);
            }
        }
    }

    /// What no event announces: tickets that expire, reads that failed.
    fn keep_up(&mut self) {
        self.repairs.upkeep_due = None;
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.close_dead_tickets(room);
            self.plan_repairs(room);
            self.entitle_links(room);
            self.reopen(room);
            self.tidy_asking(room);
            self.want_keys(room);
        }
    }

    /// K5: says which keys have not reached this node though everybody must think that they have: a store that was
    /// restored has lost the secret they were sealed to.
    fn want_keys(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let caught_up = self.links.values().any(|link| link.room == Some(room) && link.control_done);
        let able = held.local.state == record::STATE_JOINED
            && held.roster.reads(&self.me)
            && held.local.frozen.is_none()
            && !self.is_written_out(room);
        if !able || !caught_up {
            return;
        }
        let lacks = |key: &KeyId| {
            held.keys.get(key).is_none()
                && !held.keys.is_wanted_by(key, &self.me)
                && held.keys.knows(key, &held.roster).contains(&Knower::Peer(self.me))
        };
        let counting = held.waiting.iter().filter(|(_, chain)| held.roster.chains.contains_key(chain));
        let keys: BTreeSet<KeyId> = counting.map(|(key, _)| *key).filter(lacks).collect();
        let keys: Vec<KeyId> = keys.into_iter().take(limits::MAX_WANTED_KEYS).collect();
        let Some(membership) = self.own_membership(room).filter(|_| !keys.is_empty()) else { return };
        let want = ControlBody::Want(Want { keys });
        if let Err(failure) = self.author_control(room, want, Some(membership), None) {
            self.note(format!("{}: keys were not asked for: {failure}", room.short()));
        }
    }

    pub(super) fn tick_repairs(&mut self) {
        let now = self.now.mono_ms;
        self.wake();
        if self.repairs.upkeep_due.is_some_and(|at| at <= now) {
            self.keep_up();
        }
        let due: Vec<(RoomId, KeyId)> =
            self.repairs.due.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        for (room, key) in due {
            self.repairs.due.remove(&(room, key));
            if let Some(membership) = self.own_membership(room)
                && let Err(failure) = self.grant_missing(room, key, membership)
            {
                self.note(format!("{}: a key was not granted: {failure}", room.short()));
            }
        }
    }
}
