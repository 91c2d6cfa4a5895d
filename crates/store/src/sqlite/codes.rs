//! How values are written in SQLite: numbers, standings, tables, and the short numbers of rooms and sessions. Must
//! stay as it is for ever, or a migration must rewrite what is stored.

use std::collections::HashMap;

use parlor_core::persist::{DataRow, Standing, Table};
use parlor_wire::{EntryId, KeyId, RoomId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::StoreError;

/// Names whose numbers are remembered; beyond it they are looked up again.
const MAX_REMEMBERED: usize = 1024;

/// The number of no session: nothing is written by it.
pub(super) const NO_ORIGIN: i64 = -1;

/// Any number as a signed one, in the same order.
pub(super) fn ordered(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

/// What [`ordered`] was given.
pub(super) fn unordered(stored: i64) -> u64 {
    stored.cast_unsigned() ^ (1 << 63)
}

/// A number that is below 2^63 wherever it is stored: one above all of them says the same as the highest.
pub(super) fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn standing_code(standing: Standing) -> i64 {
    match standing {
        Standing::Waiting => 0,
        Standing::Arrived => 1,
        Standing::Consumed => 2,
        Standing::Unopenable => 3,
    }
}

pub(super) fn standing(code: i64) -> Result<Standing, StoreError> {
    match code {
        0 => Ok(Standing::Waiting),
        1 => Ok(Standing::Arrived),
        2 => Ok(Standing::Consumed),
        3 => Ok(Standing::Unopenable),
        _ => Err(StoreError::Corrupt(format!("an entry with the standing {code}"))),
    }
}

/// What every reading of a data entry gives first, in this order: id, chain, place, key, time to sort by, standing, arrival,
/// whether it is history.
pub(super) fn entry(row: &Row<'_>, room: RoomId) -> Result<DataRow, StoreError> {
    let arrival: Option<i64> = row.get(6)?;
    Ok(DataRow {
        room,
        id: EntryId(row.get(0)?),
        chain: EntryId(row.get(1)?),
        seq: unordered(row.get(2)?),
        key: KeyId(row.get(3)?),
        sort_ms: unordered(row.get(4)?),
        standing: standing(row.get(5)?)?,
        arrival: arrival.map(i64::cast_unsigned),
        history: row.get(7)?,
        origin: None,
        bytes: Vec::new(),
        sealed_unfit: false,
    })
}

/// The place of a table in the list of tables. Requests have a table of their own.
pub(super) fn table_code(table: Table) -> i64 {
    Table::ALL
        .iter()
        .zip(0..)
        .find_map(|(each, place)| (*each == table).then_some(place))
        .unwrap_or(NO_ORIGIN)
}

pub(super) fn table(code: i64) -> Result<Table, StoreError> {
    let place = usize::try_from(code).ok();
    let found = place.and_then(|place| Table::ALL.get(place)).copied();
    found.ok_or_else(|| StoreError::Corrupt(format!("a record of the table {code}")))
}

pub(super) const FIND_ROOM: &str = "SELECT num FROM room WHERE id = ?1";
pub(super) const FIND_ORIGIN: &str = "SELECT num FROM origin WHERE name = ?1";

/// The short numbers of rooms and sessions, as far as remembered. To be forgotten after a failed write.
#[derive(Default)]
pub(super) struct Names {
    rooms: HashMap<RoomId, i64>,
    origins: HashMap<String, i64>,
}

impl Names {
    /// The number of a room that is kept.
    pub(super) fn room(&mut self, conn: &Connection, room: RoomId) -> Result<Option<i64>, StoreError> {
        if let Some(number) = self.rooms.get(&room) {
            return Ok(Some(*number));
        }
        let mut find = conn.prepare_cached(FIND_ROOM)?;
        let found = find.query_row([&room.0], |row| row.get(0)).optional()?;
        Ok(found.inspect(|number| remember(&mut self.rooms, room, *number)))
    }

    /// The number of a room, which is given one if it has none.
    pub(super) fn room_or_new(&mut self, conn: &Connection, room: RoomId) -> Result<i64, StoreError> {
        if let Some(number) = self.room(conn, room)? {
            return Ok(number);
        }
        conn.prepare_cached("INSERT INTO room (id) VALUES (?1)")?.execute([&room.0])?;
        let number = conn.last_insert_rowid();
        remember(&mut self.rooms, room, number);
        Ok(number)
    }

    /// The number of a session that has written something, else [`NO_ORIGIN`].
    pub(super) fn origin(&mut self, conn: &Connection, name: Option<&str>) -> Result<i64, StoreError> {
        let Some(name) = name else { return Ok(NO_ORIGIN) };
        if let Some(number) = self.origins.get(name) {
            return Ok(*number);
        }
        let mut find = conn.prepare_cached(FIND_ORIGIN)?;
        let Some(number) = find.query_row([name], |row| row.get(0)).optional()? else { return Ok(NO_ORIGIN) };
        remember(&mut self.origins, name.to_owned(), number);
        Ok(number)
    }

    /// The number of a session, which is given one if it has none.
    pub(super) fn origin_or_new(&mut self, conn: &Connection, name: &str) -> Result<i64, StoreError> {
        let known = self.origin(conn, Some(name))?;
        if known != NO_ORIGIN {
            return Ok(known);
        }
        conn.prepare_cached("INSERT INTO origin (name) VALUES (?1)")?.execute(params![name])?;
        let number = conn.last_insert_rowid();
        remember(&mut self.origins, name.to_owned(), number);
        Ok(number)
    }
}

fn remember<K: std::hash::Hash + Eq>(numbers: &mut HashMap<K, i64>, name: K, number: i64) {
    if numbers.len() >= MAX_REMEMBERED {
        numbers.clear();
    }
    numbers.insert(name, number);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_place_in_the_order() {
        let numbers = [0, 1, 2, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];
        for pair in numbers.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
        }
        for number in numbers {
            assert_eq!(unordered(ordered(number)), number);
        }
    }

    #[test]
    fn codes_are_read_back_and_others_are_damage() {
        for each in [Standing::Waiting, Standing::Arrived, Standing::Consumed, Standing::Unopenable] {
            assert_eq!(standing(standing_code(each)), Ok(each));
        }
        for each in Table::ALL {
            assert_eq!(table(table_code(each)), Ok(each));
        }
        assert!(matches!(standing(4), Err(StoreError::Corrupt(_))));
        assert!(matches!(table(-1), Err(StoreError::Corrupt(_))));
        let beyond = i64::try_from(Table::ALL.len()).unwrap();
        assert!(matches!(table(beyond), Err(StoreError::Corrupt(_))));
    }
}
