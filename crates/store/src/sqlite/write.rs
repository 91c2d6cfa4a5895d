//! Writes operations, one statement or two for each. Must be called within one transaction per batch.

use parlor_core::persist::{DataRow, Op, Standing, Table};
use parlor_wire::{EntryId, RoomId};
use rusqlite::{Connection, OptionalExtension, params};

use super::codes::{Names, clamped, ordered, standing_code, table_code};
use super::tally::{Arrived, Tally};
use crate::{StoreError, check};

const PUT_CONTROL: &str =
    "INSERT INTO control (room, id, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (room, id) DO NOTHING";
const PUT_KEY: &str = "INSERT INTO room_key (room, id, key) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
// Only a known id is passed over in silence; an arrival number twice is an error.
const PUT_DATA: &str = "INSERT INTO data (room, id, chain, seq, key, sort_ms, standing, arrival, history, origin, \
     sealed_unfit) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (room, id) DO NOTHING";
const PUT_BODY: &str = "INSERT INTO body (num, bytes) VALUES (?1, ?2)";
const FIND_DATA: &str = "SELECT num, arrival, history, origin FROM data WHERE room = ?1 AND id = ?2";
const SET_STANDING: &str = "UPDATE data SET standing = ?2, arrival = ?3 WHERE num = ?1";
const PUT_RECORD: &str = "INSERT INTO record (tab, key, value) VALUES (?1, ?2, ?3) \
     ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value";
const DELETE_RECORD: &str = "DELETE FROM record WHERE tab = ?1 AND key = ?2";
const PUT_REQUEST: &str = "INSERT INTO request (key, value) VALUES (?1, ?2) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const DELETE_REQUEST: &str = "DELETE FROM request WHERE key = ?1";
const PRUNE_REQUESTS: &str =
    "DELETE FROM request WHERE num <= (SELECT num FROM request ORDER BY num DESC LIMIT 1 OFFSET ?1)";

/// Forgets all requests but the newest.
pub(super) fn prune_requests(conn: &Connection, keep: u64) -> Result<u64, StoreError> {
    Ok(conn.prepare_cached(PRUNE_REQUESTS)?.execute([clamped(keep)])? as u64)
}

/// Writes one batch.
pub(super) struct Writer<'a> {
    conn: &'a Connection,
    names: &'a mut Names,
    tally: Tally,
}

impl<'a> Writer<'a> {
    pub(super) fn new(conn: &'a Connection, names: &'a mut Names) -> Self {
        Self { conn, names, tally: Tally::default() }
    }

    /// What is written once for the whole batch.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.tally.write(self.conn)
    }

    pub(super) fn write(&mut self, op: &Op) -> Result<(), StoreError> {
        match op {
            Op::PutControl { room, id, bytes } => {
                let room = self.names.room_or_new(self.conn, *room)?;
                self.run(PUT_CONTROL, params![room, id.0, bytes])
            }
            Op::PutData(row) => self.put_data(row),
            Op::SetStanding { room, id, standing, arrival } => {
                self.set_standing(*room, *id, *standing, *arrival)
            }
            Op::PutKey { room, id, key } => {
                let room = self.names.room_or_new(self.conn, *room)?;
                self.run(PUT_KEY, params![room, id.0, key.as_slice()])
            }
            Op::Put { table: Table::Request, key, value } => self.run(PUT_REQUEST, params![key, value]),
            Op::Delete { table: Table::Request, key } => self.run(DELETE_REQUEST, params![key]),
            Op::Put { table, key, value } => self.run(PUT_RECORD, params![table_code(*table), key, value]),
            Op::Delete { table, key } => self.run(DELETE_RECORD, params![table_code(*table), key]),
        }
    }

    fn run(&self, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        self.conn.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    fn put_data(&mut self, row: &DataRow) -> Result<(), StoreError> {
        let room = self.names.room_or_new(self.conn, row.room)?;
        let origin = match &row.origin {
            Some(name) => Some(self.names.origin_or_new(self.conn, name)?),
            None => None,
        };
        let arrival = row.arrival.map(clamped);
        let changed = self.conn.prepare_cached(PUT_DATA)?.execute(params![
            room,
            row.id.0,
            row.chain.0,
            ordered(row.seq),
            row.key.0,
            ordered(row.sort_ms),
            standing_code(row.standing),
            arrival,
            row.history,
            origin,
            row.sealed_unfit,
        ]);
        if changed.map_err(taken_arrival)? == 0 {
            return Ok(());
        }
        self.conn.prepare_cached(PUT_BODY)?.execute(params![self.conn.last_insert_rowid(), row.bytes])?;
        if let Some(arrival) = arrival {
            self.tally.add(Arrived { room, arrival, history: row.history, origin });
        }
        Ok(())
    }

    fn set_standing(
        &mut self,
        room: RoomId,
        id: EntryId,
        standing: Standing,
        arrival: Option<u64>,
    ) -> Result<(), StoreError> {
        let room = self.names.room(self.conn, room)?.ok_or_else(check::unknown_entry)?;
        let mut find = self.conn.prepare_cached(FIND_DATA)?;
        let found = find
            .query_row(params![room, id.0], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let (num, before, history, origin) = found.ok_or_else(check::unknown_entry)?;
        let arrival = arrival.map(clamped);
        let mut set = self.conn.prepare_cached(SET_STANDING)?;
        set.execute(params![num, standing_code(standing), arrival]).map_err(taken_arrival)?;
        if let Some(arrival) = before {
            self.tally.remove(Arrived { room, arrival, history, origin });
        }
        if let Some(arrival) = arrival {
            self.tally.add(Arrived { room, arrival, history, origin });
        }
        Ok(())
    }
}

fn taken_arrival(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => check::taken_arrival(),
        _ => error.into(),
    }
}
