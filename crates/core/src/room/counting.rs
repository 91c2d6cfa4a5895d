//! Which data entries of a chain count where cuts are to be heeded (R10): those on the way to an entry that a removal
//! named. What lies on that way is known once that entry is held: all before it while the chain has no branches, else
//! what the store says. Must not read the store itself.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::roster::{Extent, Roster};
use parlor_wire::{EntryId, KeyId};

use super::Room;

/// What is known of the way to one cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// Not yet: the entry is not held, or the store has not said.
    Unknown,
    /// The chain has no branch, so all that lies before it.
    Straight,
    /// These.
    Exact(BTreeSet<EntryId>),
}

/// The entry at which a removal cuts a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutAt {
    /// The chain.
    pub chain: EntryId,
    /// Its place.
    pub seq: u64,
    /// It.
    pub id: EntryId,
}

/// What is known of the cuts of a room.
#[derive(Debug, Default)]
pub struct Counting {
    paths: BTreeMap<CutAt, Path>,
    /// Raised whenever something may count that did not.
    pub generation: u64,
    /// Pairs of key and chain whose waiting entries were looked at, and in which generation.
    pub tried: BTreeMap<(KeyId, EntryId), u64>,
    /// The store is to be asked about cuts.
    pub is_dirty: bool,
}

impl Counting {
    /// The roster has changed.
    pub fn roster_changed(&mut self, roster: &Roster) {
        self.generation += 1;
        let mut cuts = BTreeSet::new();
        for (chain, state) in &roster.chains {
            for extent in [&state.content, &state.receipts] {
                if let Extent::Upto(upto) = extent {
                    cuts.extend(upto.iter().map(|(seq, id)| CutAt { chain: *chain, seq: *seq, id: *id }));
                }
            }
        }
        self.paths.retain(|cut, _| cuts.contains(cut));
        for cut in cuts {
            self.paths.entry(cut).or_insert_with(|| {
                self.is_dirty = true;
                Path::Unknown
            });
        }
    }

    /// An entry was taken in; `forked` when it begins a branch.
    pub fn took(&mut self, chain: &EntryId, id: &EntryId, forked: bool) {
        for (cut, path) in self.paths.iter_mut().filter(|(cut, _)| cut.chain == *chain) {
            if forked && *path == Path::Straight {
                *path = Path::Unknown;
                self.is_dirty = true;
            }
            self.is_dirty |= cut.id == *id;
        }
    }

    /// The cuts whose way is not known.
    pub fn unknown(&self) -> Vec<CutAt> {
        self.paths.iter().filter(|(_, path)| **path == Path::Unknown).map(|(cut, _)| *cut).collect()
    }

    /// The way to a cut is known now.
    pub fn found(&mut self, cut: &CutAt, path: Path) {
        if let Some(known) = self.paths.get_mut(cut) {
            *known = path;
            self.generation += 1;
        }
    }

    fn is_on_the_way(&self, cut: &CutAt, seq: u64, id: &EntryId) -> Option<bool> {
        if seq > cut.seq {
            return Some(false);
        }
        match self.paths.get(cut) {
            Some(Path::Straight) => Some(true),
            Some(Path::Exact(ids)) => Some(ids.contains(id)),
            Some(Path::Unknown) | None => None,
        }
    }
}

impl Room {
    /// Whether an entry counts (R10); nothing as long as that is not known.
    pub fn counts(&self, chain: &EntryId, class: u8, seq: u64, id: &EntryId) -> Option<bool> {
        let Some(state) = self.roster.chains.get(chain) else { return Some(false) };
        let Extent::Upto(upto) = state.extent(class) else { return Some(true) };
        let mut known = Some(false);
        for (at, cut) in upto {
            let cut = CutAt { chain: *chain, seq: *at, id: *cut };
            match self.counting.is_on_the_way(&cut, seq, id) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
        known
    }
}
