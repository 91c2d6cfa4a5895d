//! How much of each room may be given in a day, where a person has said otherwise than usual. What was given is counted by
//! the engine, with the commits that give it. Must not count.

use std::collections::BTreeMap;

use parlor_core::engine::api::Command;
use parlor_core::persist::{Snapshot, Table};
use parlor_wire::{RoomId, limits};

/// What stands before the room in the key of its record.
const KEY: &[u8] = b"budget ";

/// What was set, in characters a day.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    set: BTreeMap<RoomId, u64>,
}

impl Budgets {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let of_room = |(table, key, value): &(Table, Vec<u8>, Vec<u8>)| {
            let room = key.strip_prefix(KEY).filter(|_| *table == Table::Own)?;
            Some((RoomId(room.try_into().ok()?), u64::from_be_bytes(value.as_slice().try_into().ok()?)))
        };
        Self { set: snapshot.records.iter().filter_map(of_room).collect() }
    }

    /// What is to be written so that this is a room's budget; none: the usual one.
    pub(crate) fn record(room: RoomId, chars: Option<u64>) -> Command {
        let key = [KEY, &room.0].concat();
        Command::PutRecord { table: Table::Own, key, value: chars.map(|chars| chars.to_be_bytes().to_vec()) }
    }

    /// This is a room's budget from now on.
    pub(crate) fn set(&mut self, room: RoomId, chars: Option<u64>) {
        match chars {
            Some(chars) => drop(self.set.insert(room, chars)),
            None => drop(self.set.remove(&room)),
        }
    }

    /// What holds for a room.
    pub(crate) fn of(&self, room: &RoomId) -> u64 {
        self.set.get(room).copied().unwrap_or(limits::USUAL_BUDGET_CHARS)
    }

    /// All that were set.
    pub(crate) fn all(&self) -> Vec<(RoomId, u64)> {
        self.set.iter().map(|(room, chars)| (*room, *chars)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_again_and_ends_with_the_usual() {
        let room = RoomId([7; 32]);
        let Command::PutRecord { table, key, value } = Budgets::record(room, Some(5_000)) else { panic!() };
        let snapshot = Snapshot { records: vec![(table, key, value.unwrap())], ..Snapshot::default() };
        let mut budgets = Budgets::restore(&snapshot);
        assert_eq!((budgets.of(&room), budgets.all()), (5_000, vec![(room, 5_000)]));
        budgets.set(room, None);
        assert_eq!(budgets.of(&room), limits::USUAL_BUDGET_CHARS);
    }
}
