//! For how long each room may be read on this node. What is older is shown nowhere here, and is taken out of the index and the
//! transcripts; sealed, it stays in the store for those it is served to. Must not touch what is unread.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parlor_core::engine::api::Command;
use parlor_core::persist::{Snapshot, Table};
use parlor_wire::{RoomId, TimeMs};

use crate::clock;

/// What stands before the room in the key of its record.
const KEY: &[u8] = b"retention ";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A hundred years: longer is for ever.
pub(crate) const MAX_DAYS: u32 = 36_525;

/// For how long each room is read.
pub(crate) struct Retention {
    held: Mutex<BTreeMap<RoomId, Kept>>,
    /// Whoever changes it waits for its turn: what is written down last is what holds.
    changing: tokio::sync::Mutex<()>,
}

/// What holds for a room that has days, or had since the node began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kept {
    /// 0: for ever.
    days: u32,
    /// How often it was changed: to one thing and back is a change too, for whoever writes meanwhile.
    changes: u64,
}

impl Retention {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let of_room = |(table, key, value): &(Table, Vec<u8>, Vec<u8>)| {
            let room = key.strip_prefix(KEY).filter(|_| *table == Table::Own)?;
            let room = RoomId(room.try_into().ok()?);
            let days = u32::from_be_bytes(value.as_slice().try_into().ok()?);
            Some((room, Kept { days, changes: 0 }))
        };
        let held = snapshot.records.iter().filter_map(of_room).collect();
        Self { held: Mutex::new(held), changing: tokio::sync::Mutex::new(()) }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<RoomId, Kept>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of whoever changes it, from what is written down to what is taken out of the index.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// The days of a room; none: for ever.
    pub(crate) fn days(&self, room: &RoomId) -> Option<u32> {
        Some(self.held().get(room)?.days).filter(|days| *days > 0)
    }

    /// What of a room is sorted before this is not read here any more; 0 where it is read for ever.
    pub(crate) fn floor_ms(&self, room: &RoomId) -> TimeMs {
        floor_ms(self.days(room))
    }

    /// What is to be written so that a room has these days.
    pub(crate) fn record(room: RoomId, days: Option<u32>) -> Command {
        let key = [KEY, &room.0].concat();
        Command::PutRecord { table: Table::Own, key, value: days.map(|days| days.to_be_bytes().to_vec()) }
    }

    /// A room has these days from now on.
    pub(crate) fn set(&self, room: RoomId, days: Option<u32>) {
        let mut held = self.held();
        let kept = held.entry(room).or_default();
        *kept = Kept { days: days.unwrap_or(0), changes: kept.changes + 1 };
    }
}

/// What is sorted before this is not read in a room that has these days.
pub(crate) fn floor_ms(days: Option<u32>) -> TimeMs {
    days.map_or(0, |days| clock::wall_ms().saturating_sub(u64::from(days) * DAY_MS))
}

/// Notices what a follower of the log has to take out again, and when.
pub(crate) struct Expiry {
    applied: BTreeMap<RoomId, Kept>,
    day: u64,
}

impl Expiry {
    /// What a follower made before is not known: everything is looked at once.
    pub(crate) fn new() -> Self {
        Self { applied: BTreeMap::new(), day: 0 }
    }

    /// The rooms whose days were changed since, to whatever, and once a day all that have days.
    pub(crate) fn due(&mut self, retention: &Retention) -> Vec<RoomId> {
        let (now, today) = (retention.held().clone(), clock::wall_ms() / DAY_MS);
        let is_due = |(room, kept): &(&RoomId, &Kept)| {
            kept.days > 0 && self.day != today || self.applied.get(*room) != Some(*kept)
        };
        let due: Vec<RoomId> = now.iter().filter(is_due).map(|(room, _)| *room).collect();
        (self.applied, self.day) = (now, today);
        due
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_kept_and_what_changed_is_due_once() {
        let room = RoomId([7; 32]);
        let Command::PutRecord { table, key, value } = Retention::record(room, Some(30)) else { panic!() };
        let snapshot = Snapshot { records: vec![(table, key, value.unwrap())], ..Snapshot::default() };
        let retention = Retention::restore(&snapshot);
        assert_eq!(retention.days(&room), Some(30));
        let floor = retention.floor_ms(&room);
        assert!(clock::wall_ms().abs_diff(floor + 30 * DAY_MS) < DAY_MS);
        assert_eq!(retention.floor_ms(&RoomId([8; 32])), 0);
        let mut expiry = Expiry::new();
        assert_eq!(expiry.due(&retention), [room], "at the beginning");
        assert!(expiry.due(&retention).is_empty());
        retention.set(room, Some(20));
        assert_eq!(expiry.due(&retention), [room]);
        retention.set(room, None);
        assert_eq!(expiry.due(&retention), [room]);
        assert!(expiry.due(&retention).is_empty());
        retention.set(room, Some(1));
        retention.set(room, None);
        assert_eq!((expiry.due(&retention), retention.days(&room)), (vec![room], None), "there and back");
        assert_eq!(retention.floor_ms(&room), 0);
        expiry.day -= 1;
        assert!(expiry.due(&retention).is_empty(), "for ever has no day");
        retention.set(room, Some(1));
        expiry.due(&retention);
        expiry.day -= 1;
        assert_eq!(expiry.due(&retention), [room], "another day");
    }
}
