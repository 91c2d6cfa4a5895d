//! Finding out which entries lie on the way to the cuts of removals: from memory where a chain has no branches, else
//! by reading the chain once. Must not decide who is cut: that is the roster's.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::{Data, EntryId, RoomId, limits};

use super::{Engine, Pending};
use crate::persist::{Loaded, Query};
use crate::room::counting::{CutAt, Path};

/// A chain being read up to a cut.
#[derive(Debug)]
pub(super) struct PathJob {
    room: RoomId,
    cut: CutAt,
    from_seq: u64,
    /// The entry before each that was read.
    prev: BTreeMap<EntryId, Option<EntryId>>,
}

impl Engine {
    /// Asks the store for the entries at which removals cut, where it may have an answer.
    pub(super) fn look_at_cuts(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        if !std::mem::take(&mut held.counting.is_dirty) {
            return;
        }
        let cuts = held.counting.unknown();
        for part in cuts.chunks(limits::MAX_BATCH_ENTRIES) {
            let ids = part.iter().map(|cut| cut.id).collect();
            self.load(Query::Known { room, ids }, Pending::Cuts { room, cuts: part.to_vec() });
        }
    }

    pub(super) fn cuts_loaded(&mut self, room: RoomId, cuts: Vec<CutAt>, loaded: Option<Loaded>) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        let Some(Loaded::Rows(rows)) = loaded else {
            // Tried again at the next occasion.
            held.counting.is_dirty = true;
            return;
        };
        let is_held = |cut: &CutAt| {
            rows.iter().any(|row| row.id == cut.id && row.chain == cut.chain && row.seq == cut.seq)
        };
        let mut found = false;
        let mut forked = Vec::new();
        for cut in cuts.into_iter().filter(is_held) {
            if held.chains.get(&cut.chain).is_some_and(|chain| chain.tips.len() == 1) {
                held.counting.found(&cut, Path::Straight);
                found = true;
            } else {
                forked.push(cut);
            }
        }
        for cut in forked {
            self.read_path(PathJob { room, cut, from_seq: 0, prev: BTreeMap::new() });
        }
        if found {
            self.reopen(room);
        }
    }

    fn read_path(&mut self, job: PathJob) {
        let query = Query::Chain {
            room: job.room,
            chain: job.cut.chain,
            from_seq: job.from_seq,
            to_seq: job.cut.seq,
            limit: limits::MAX_BATCH_ENTRIES as u32,
            limit_bytes: limits::BATCH_BYTES,
        };
        self.load(query, Pending::Path(Box::new(job)));
    }

    pub(super) fn path_loaded(&mut self, mut job: PathJob, loaded: Option<Loaded>) {
        let Some(held) = self.rooms.get_mut(&job.room) else { return };
        let Some(Loaded::Rows(rows)) = loaded else {
            held.counting.is_dirty = true;
            return;
        };
        let last = rows.last().map(|row| row.seq);
        for data in rows.iter().filter_map(|row| Data::decode(&row.bytes).ok()) {
            job.prev.insert(data.id, data.header.prev);
        }
        match last {
            // Branches of one place may stand on both sides of a page.
            Some(seq) if seq < job.cut.seq => {
                job.from_seq = if seq > job.from_seq { seq } else { seq + 1 };
                self.read_path(job);
            }
            _ => {
                let path = way_to(&job.cut.id, &job.prev);
                held.counting.found(&job.cut, Path::Exact(path));
                self.reopen(job.room);
            }
        }
    }
}

/// The entries before one, and it.
fn way_to(id: &EntryId, prev: &BTreeMap<EntryId, Option<EntryId>>) -> BTreeSet<EntryId> {
    let mut way = BTreeSet::new();
    let mut at = Some(*id);
    while let Some(id) = at {
        let Some(before) = prev.get(&id).filter(|_| way.insert(id)) else { break };
        at = *before;
    }
    way
}
