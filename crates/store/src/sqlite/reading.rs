//! A store read by somebody else than its one writer, as it is at one moment: for looking after it, whether a node runs or
//! not. It changes nothing, and holds up nobody.

use std::path::{Path, PathBuf};

use parlor_core::persist::{DataRow, Table};
use parlor_wire::{EntryId, KeyId, RoomId, TimeMs};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::codes::{self, table_code, unordered};
use super::file;
use crate::StoreError;

/// Findings of SQLite's own that are shown: one damaged page can be behind many.
const MAX_FINDINGS: usize = 10;

const ENTRIES: &str = "SELECT d.id, d.chain, d.seq, d.key, d.sort_ms, d.standing, d.arrival, d.history, d.sealed_unfit, b.bytes \
     FROM data d LEFT JOIN body b ON b.num = d.num WHERE d.room = ?1 ORDER BY d.chain, d.seq, d.id";
const COUNTS: &str = "SELECT count(*), coalesce(sum(length(b.bytes)), 0), count(DISTINCT d.chain), count(d.arrival), \
     min(d.sort_ms), max(d.sort_ms) FROM data d LEFT JOIN body b ON b.num = d.num WHERE d.room = ?1";
const CONTROL_COUNTS: &str = "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM control WHERE room = ?1";

/// A room key.
type RoomKey = Zeroizing<[u8; 32]>;

/// The end that only reads.
pub struct StoreReader {
    conn: Connection,
    path: PathBuf,
}

/// What is kept of one room, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomCounts {
    /// Control entries, and their bytes.
    pub control: u64,
    /// Their bytes.
    pub control_bytes: u64,
    /// Data entries.
    pub entries: u64,
    /// Their bytes.
    pub entry_bytes: u64,
    /// Chains.
    pub chains: u64,
    /// Messages: entries with an arrival number.
    pub messages: u64,
    /// Where the oldest is sorted.
    pub oldest_ms: Option<TimeMs>,
    /// And the newest.
    pub newest_ms: Option<TimeMs>,
}

/// The file, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Its pages.
    pub pages: u64,
    /// Of these, those nothing is in.
    pub free_pages: u64,
    /// Bytes of a page.
    pub page_bytes: u64,
}

impl StoreReader {
    /// Opens a store of this version, and holds on to the moment.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let conn = file::open_for_reading(path).map_err(|error| super::failure::explain(path, error))?;
        conn.execute_batch("BEGIN")?;
        // The moment is that of the first look.
        conn.query_row("SELECT count(*) FROM room", [], |_| Ok(()))?;
        Ok(Self { conn, path: path.to_owned() })
    }

    /// What SQLite finds wrong with the file and its indexes.
    pub fn findings(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.conn.prepare(&format!("PRAGMA integrity_check({MAX_FINDINGS})"))?;
        let found = check.query_map([], |row| row.get::<_, String>(0))?;
        let found: Vec<String> = found.collect::<Result<_, _>>().map_err(|error| self.explain(error))?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    fn explain(&self, error: rusqlite::Error) -> StoreError {
        super::failure::explain(&self.path, error.into())
    }

    /// All rooms, by id.
    pub fn rooms(&self) -> Result<Vec<RoomId>, StoreError> {
        let mut select = self.conn.prepare("SELECT id FROM room ORDER BY id")?;
        let rooms = select.query_map([], |row| Ok(RoomId(row.get(0)?)))?;
        rooms.map(|room| room.map_err(|error| self.explain(error))).collect()
    }

    fn number(&self, room: RoomId) -> Result<Option<i64>, StoreError> {
        Ok(self.conn.query_row(codes::FIND_ROOM, [&room.0], |row| row.get(0)).optional()?)
    }

    /// The control entries of a room, in the order written.
    pub fn control(&self, room: RoomId, mut each: impl FnMut(EntryId, Vec<u8>)) -> Result<(), StoreError> {
        let mut select = self.conn.prepare("SELECT id, bytes FROM control WHERE room = ?1 ORDER BY ord")?;
        let mut rows = select.query(params![self.number(room)?])?;
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            each(EntryId(row.get(0)?), row.get(1)?);
        }
        Ok(())
    }

    /// The keys of a room.
    pub fn keys(&self, room: RoomId) -> Result<Vec<(KeyId, RoomKey)>, StoreError> {
        let mut select = self.conn.prepare("SELECT id, key FROM room_key WHERE room = ?1")?;
        let keys = select.query_map(params![self.number(room)?], |row| {
            Ok((KeyId(row.get(0)?), Zeroizing::new(row.get(1)?)))
        })?;
        keys.map(|key| key.map_err(|error| self.explain(error))).collect()
    }

    /// The data entries of a room by chain, place and id. One without bytes has lost them.
    pub fn entries(&self, room: RoomId, mut each: impl FnMut(DataRow)) -> Result<(), StoreError> {
        let mut select = self.conn.prepare(ENTRIES)?;
        let mut rows = select.query(params![self.number(room)?])?;
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            let (sealed_unfit, bytes) = (row.get(8)?, row.get::<_, Option<Vec<u8>>>(9)?.unwrap_or_default());
            each(DataRow { sealed_unfit, bytes, ..codes::entry(row, room)? });
        }
        Ok(())
    }

    /// A small record.
    pub fn record(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM record WHERE tab = ?1 AND key = ?2";
        Ok(self.conn.query_row(sql, params![table_code(table), key], |row| row.get(0)).optional()?)
    }

    /// A room in numbers.
    pub fn counts(&self, room: RoomId) -> Result<RoomCounts, StoreError> {
        let number = self.number(room)?;
        let count = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let (control, control_bytes) = self
            .conn
            .query_row(CONTROL_COUNTS, params![number], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
        Ok(self.conn.query_row(COUNTS, params![number], |row| {
            Ok(RoomCounts {
                control,
                control_bytes,
                entries: count(row, 0)?,
                entry_bytes: count(row, 1)?,
                chains: count(row, 2)?,
                messages: count(row, 3)?,
                oldest_ms: row.get::<_, Option<i64>>(4)?.map(unordered),
                newest_ms: row.get::<_, Option<i64>>(5)?.map(unordered),
            })
        })?)
    }

    /// The file in numbers.
    pub fn file(&self) -> Result<FileCounts, StoreError> {
        file::counts(&self.conn)
    }
}
