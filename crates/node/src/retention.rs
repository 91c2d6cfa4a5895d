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

/// The days of each room that has any.
pub(crate) struct Retention(Mutex<BTreeMap<RoomId, u32>>);

impl Retention {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let of_room = |(table, key, value): &(Table, Vec<u8>, Vec<u8>)| {
            let room = key.strip_prefix(KEY).filter(|_| *table == Table::Own)?;
            let room = RoomId(room.try_into().ok()?);
            Some((room, u32::from_be_bytes(value.as_slice().try_into().ok()?)))
        };
        Self(Mutex::new(snapshot.records.iter().filter_map(of_room).collect()))
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<RoomId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The days of a room; none: for ever.
    pub(crate) fn days(&self, room: &RoomId) -> Option<u32> {
        self.held().get(room).copied()
    }

    /// The days of every room that has any.
    pub(crate) fn all(&self) -> BTreeMap<RoomId, u32> {
        self.held().clone()
    }

    /// What of a room is sorted before this is not read here any more; 0 where it is read for ever.
    pub(crate) fn floor_ms(&self, room: &RoomId) -> TimeMs {
        let days = self.days(room);
        days.map_or(0, |days| clock::wall_ms().saturating_sub(u64::from(days) * DAY_MS))
    }

    /// What is to be written so that a room has these days.
    pub(crate) fn record(room: RoomId, days: Option<u32>) -> Command {
        let key = [KEY, &room.0].concat();
        Command::PutRecord { table: Table::Own, key, value: days.map(|days| days.to_be_bytes().to_vec()) }
    }

    /// A room has these days from now on.
    pub(crate) fn set(&self, room: RoomId, days: Option<u32>) {
        match days {
            Some(days) => _ = self.held().insert(room, days),
            None => _ = self.held().remove(&room),
        }
    }
}

/// Notices what a follower of the log has to take out again, and when.
pub(crate) struct Expiry {
    applied: BTreeMap<RoomId, u32>,
    day: u64,
}

impl Expiry {
    /// What a follower made before is not known: everything is looked at once.
    pub(crate) fn new() -> Self {
        Self { applied: BTreeMap::new(), day: 0 }
    }

    /// The rooms whose days have changed since, and once a day all that have days.
    pub(crate) fn due(&mut self, retention: &Retention) -> Vec<RoomId> {
        let (now, today) = (retention.all(), clock::wall_ms() / DAY_MS);
        let is_due = |room: &&RoomId| self.day != today || self.applied.get(*room) != now.get(*room);
        let mut due: Vec<RoomId> = now.keys().filter(is_due).copied().collect();
        due.extend(self.applied.keys().filter(|room| !now.contains_key(room)));
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
        expiry.due(&retention);
        expiry.day -= 1;
        assert_eq!(expiry.due(&retention), [room], "another day");
    }
}
