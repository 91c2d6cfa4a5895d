//! This node's patience with what one author adds to a room in an hour. Beyond it the author's chains are paused: not
//! asked for and not taken, shown, and fetched on from the same place when the hour is over. Must never take what comes
//! after something that was left: a pause is no hole.

use std::collections::BTreeMap;

use parlor_wire::{EntryId, PeerId, RoomId, limits};

use super::Engine;
use super::api::PausedView;

/// For how long what came is counted together, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// How much of one author is taken into a room within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Data entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { entries: limits::MAX_AUTHOR_ENTRIES_PER_HOUR, bytes: limits::MAX_AUTHOR_BYTES_PER_HOUR }
    }
}

/// What came of one author in one hour.
#[derive(Debug, Clone, Copy)]
struct Hour {
    since_ms: u64,
    entries: u64,
    bytes: u64,
    paused: bool,
}

impl Hour {
    fn ends_ms(&self) -> u64 {
        self.since_ms.saturating_add(HOUR_MS)
    }
}

/// What came lately, by room and author.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    patience: Patience,
    hours: BTreeMap<(RoomId, PeerId), Hour>,
}

impl Pauses {
    /// When the first pause ends.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.hours.values().filter(|hour| hour.paused).map(Hour::ends_ms).min()
    }

    fn is_paused(&self, room: &RoomId, author: &PeerId) -> bool {
        self.hours.get(&(*room, *author)).is_some_and(|hour| hour.paused)
    }

    /// Counts an entry, unless it is one too many: then its author is paused.
    fn take(&mut self, room: RoomId, author: PeerId, bytes: u64, now_ms: u64) -> bool {
        let fresh = Hour { since_ms: now_ms, entries: 0, bytes: 0, paused: false };
        let hour = self.hours.entry((room, author)).or_insert(fresh);
        if !hour.paused && hour.ends_ms() <= now_ms {
            *hour = fresh;
        }
        let over = hour.entries + 1 > self.patience.entries || hour.bytes + bytes > self.patience.bytes;
        hour.paused |= over;
        if !hour.paused {
            hour.entries += 1;
            hour.bytes += bytes;
        }
        !hour.paused
    }
}

impl Engine {
    /// Another patience than the usual.
    pub fn set_patience(&mut self, patience: Patience) {
        self.pauses.patience = patience;
    }

    /// Whether an entry of a chain may be taken now. What this identity wrote itself always may.
    pub(super) fn may_take(&mut self, room: RoomId, chain: &EntryId, bytes: usize) -> bool {
        let author = self.rooms.get(&room).and_then(|held| held.chain_author(chain));
        let Some(author) = author.filter(|author| *author != self.me) else { return true };
        let was_paused = self.pauses.is_paused(&room, &author);
        let may = self.pauses.take(room, author, bytes as u64, self.now.mono_ms);
        if !may && !was_paused {
            self.note(format!("{}: {} is paused: too much in an hour", room.short(), author.short()));
        }
        may
    }

    /// Whether a chain is not to be asked for now.
    pub(super) fn is_paused(&self, room: &RoomId, chain: &EntryId) -> bool {
        let author = self.rooms.get(room).and_then(|held| held.chain_author(chain));
        author.is_some_and(|author| self.pauses.is_paused(room, &author))
    }

    /// Ends pauses whose hour is over: what was left is asked for again.
    pub(super) fn tick_pauses(&mut self) {
        let now = self.now.mono_ms;
        let over = |hour: &Hour| hour.ends_ms() <= now;
        let resumed: Vec<RoomId> = self
            .pauses
            .hours
            .iter()
            .filter(|(_, h)| h.paused && over(h))
            .map(|((room, _), _)| *room)
            .collect();
        if resumed.is_empty() {
            return;
        }
        self.pauses.hours.retain(|_, hour| !over(hour));
        for room in resumed {
            self.unstall(room);
        }
    }

    /// Whose chains are paused in a room.
    pub(super) fn paused(&self, room: &RoomId) -> Vec<PausedView> {
        let hours = self.pauses.hours.iter().filter(|((of, _), hour)| of == room && hour.paused);
        hours
            .map(|((_, author), hour)| PausedView {
                peer: *author,
                name: self.name_of(*room, *author),
                resumes_ms: self.now.wall_ms.saturating_add(hour.ends_ms().saturating_sub(self.now.mono_ms)),
            })
            .collect()
    }
}
