//! Answers questions. Every one is a range of an index that is named, so that it fails when it is not; bodies are
//! read for what is returned only.

use std::collections::{BTreeSet, HashMap};

use parlor_core::persist::{DataRow, Loaded, Query, RoomSnapshot, Snapshot, Table};
use parlor_wire::{EntryId, KeyId, RoomId};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use zeroize::Zeroizing;

use super::codes::{self, Names, clamped, ordered, table_code};
use super::tally::{self, Counted};
use crate::StoreError;

/// Whole entries by a range of the index named.
macro_rules! entries {
    ($index:literal, $range:literal) => {
        concat!(
            "SELECT d.id, d.chain, d.seq, d.key, d.sort_ms, d.standing, d.arrival, d.history, ",
            "(SELECT name FROM origin WHERE num = d.origin), b.bytes, d.sealed_unfit FROM data d INDEXED BY ",
            $index,
            " CROSS JOIN body b ON b.num = d.num WHERE d.room = ?1 AND ",
            $range
        )
    };
}

/// The same with nothing where the bytes are, and no body read.
macro_rules! without_bodies {
    ($index:literal, $range:literal) => {
        concat!(
            "SELECT d.id, d.chain, d.seq, d.key, d.sort_ms, d.standing, d.arrival, d.history, ",
            "(SELECT name FROM origin WHERE num = d.origin), x'', d.sealed_unfit FROM data d INDEXED BY ",
            $index,
            " WHERE d.room = ?1 AND ",
            $range
        )
    };
}

const ARRIVALS: &str =
    entries!("data_by_arrival", "d.arrival > ?2 AND d.origin IS NOT ?3 ORDER BY d.arrival LIMIT ?4");
const ARRIVALS_NOT_HISTORY: &str = entries!(
    "data_by_arrival_not_history",
    "d.history = 0 AND d.arrival > ?2 AND d.origin IS NOT ?3 ORDER BY d.arrival LIMIT ?4"
);
const LAST_ARRIVALS: &str =
    entries!("data_by_arrival", "d.arrival > 0 AND d.origin IS NOT ?2 ORDER BY d.arrival DESC LIMIT ?3");
const NEWEST: &str = without_bodies!(
    "data_by_sort",
    "d.standing = 1 AND d.sort_ms >= ?2 ORDER BY d.sort_ms DESC, d.id DESC LIMIT ?3"
);
const CHAIN: &str =
    entries!("data_by_place", "d.chain = ?2 AND d.seq >= ?3 AND d.seq <= ?4 ORDER BY d.seq, d.id LIMIT ?5");
const BETWEEN: &str =
    entries!("data_by_id", "d.id >= ?2 AND d.id <= ?3 AND d.standing = 1 ORDER BY d.id LIMIT ?4");
const WAITING: &str =
    entries!("data_waiting_by_chain", "d.standing = 0 ORDER BY d.chain, d.seq, d.id LIMIT ?2");
const WAITING_OF_CHAIN: &str = entries!(
    "data_waiting_by_chain",
    "d.standing = 0 AND d.chain = ?2 AND d.seq >= ?3 ORDER BY d.seq, d.id LIMIT ?4"
);
const WAITING_UNDER_KEY: &str =
    entries!("data_waiting_by_key", "d.standing = 0 AND d.key = ?2 ORDER BY d.chain, d.seq, d.id LIMIT ?3");
const WAITING_UNDER_KEY_OF_CHAIN: &str = entries!(
    "data_waiting_by_key",
    "d.standing = 0 AND d.key = ?2 AND d.chain = ?3 AND d.seq >= ?4 ORDER BY d.seq, d.id LIMIT ?5"
);
const KNOWN: &str = without_bodies!("data_by_id", "d.id = ?2");
const ENTRY: &str = entries!("data_by_id", "d.id = ?2 AND d.standing = 1");
const RECORD: &str = "SELECT value FROM record WHERE tab = ?1 AND key = ?2";
const REQUEST: &str = "SELECT value FROM request WHERE key = ?1";

const HIGHEST_ARRIVAL: &str = "SELECT arrival FROM data INDEXED BY data_by_arrival \
     WHERE room = ?1 AND arrival > 0 ORDER BY arrival DESC LIMIT 1";
// Two steps, because SQLite begins a range `(key, chain) > (?, ?)` at the first of all that are equal.
const NEXT_WAITING_CHAIN: &str = "SELECT key, chain FROM data INDEXED BY data_waiting_by_key \
     WHERE room = ?1 AND standing = 0 AND key = ?2 AND chain > ?3 ORDER BY chain LIMIT 1";
const NEXT_WAITING_KEY: &str = "SELECT key, chain FROM data INDEXED BY data_waiting_by_key \
     WHERE room = ?1 AND standing = 0 AND key > ?2 ORDER BY key, chain LIMIT 1";
const RECORDS: &str = "SELECT tab, key, value FROM record ORDER BY tab, key";
const ROOMS: &str = "SELECT num, id FROM room ORDER BY id";
const CONTROL: &str = "SELECT room, bytes FROM control ORDER BY ord";
const KEYS: &str = "SELECT room, id, key FROM room_key ORDER BY room, id";

/// What questions about entries and records run; what a snapshot reads whole is not among them.
#[cfg(test)]
pub(super) const RANGES: &[&str] = &[
    ARRIVALS,
    ARRIVALS_NOT_HISTORY,
    LAST_ARRIVALS,
    NEWEST,
    CHAIN,
    BETWEEN,
    WAITING,
    WAITING_OF_CHAIN,
    WAITING_UNDER_KEY,
    WAITING_UNDER_KEY_OF_CHAIN,
    KNOWN,
    ENTRY,
    RECORD,
    REQUEST,
    HIGHEST_ARRIVAL,
    NEXT_WAITING_CHAIN,
    NEXT_WAITING_KEY,
    tally::SUM,
    tally::COUNT_ENTRIES,
    codes::FIND_ROOM,
    codes::FIND_ORIGIN,
];

/// What a snapshot reads whole.
#[cfg(test)]
pub(super) const WHOLE: &[&str] = &[RECORDS, ROOMS, CONTROL, KEYS];

pub(super) fn answer(conn: &Connection, names: &mut Names, query: &Query) -> Result<Loaded, StoreError> {
    match query {
        Query::Record { table: Table::Request, key } => record(conn, REQUEST, params![key]),
        Query::Record { table, key } => record(conn, RECORD, params![table_code(*table), key]),
        Query::CountArrivals { room, after, except_origin, without_history } => {
            let Some(number) = names.room(conn, *room)? else { return Ok(Loaded::Count(0)) };
            let except_origin = names.origin(conn, except_origin.as_deref())?;
            let counted =
                Counted { room: number, after: *after, except_origin, without_history: *without_history };
            Ok(Loaded::Count(tally::count(conn, counted)?))
        }
        Query::Between { room: None, low, high, limit } => {
            between_in_all(conn, *low, *high, *limit).map(Loaded::Rows)
        }
        Query::Arrivals { room, .. }
        | Query::LastArrivals { room, .. }
        | Query::Newest { room, .. }
        | Query::Chain { room, .. }
        | Query::Known { room, .. }
        | Query::Entries { room, .. }
        | Query::Between { room: Some(room), .. }
        | Query::Waiting { room, .. } => {
            let Some(number) = names.room(conn, *room)? else { return Ok(Loaded::Rows(Vec::new())) };
            InRoom { conn, names, room: *room, number }.rows(query).map(Loaded::Rows)
        }
    }
}

fn record(conn: &Connection, sql: &str, params: impl Params) -> Result<Loaded, StoreError> {
    Ok(Loaded::Record(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?))
}

/// One range for each room, of which there are few, rather than one more index of all ids.
fn between_in_all(
    conn: &Connection,
    low: EntryId,
    high: EntryId,
    limit: u32,
) -> Result<Vec<DataRow>, StoreError> {
    let mut found = Vec::new();
    for (number, room) in rooms(conn)? {
        found.extend(read(conn, BETWEEN, params![number, low.0, high.0, limit], room)?);
        found.sort_by_key(|row| (row.id, row.room));
        found.truncate(limit as usize);
    }
    Ok(found)
}

fn rooms(conn: &Connection) -> Result<Vec<(i64, RoomId)>, StoreError> {
    let mut select = conn.prepare_cached(ROOMS)?;
    let rooms = select.query_map([], |row| Ok((row.get(0)?, RoomId(row.get(1)?))))?;
    Ok(rooms.collect::<Result<_, _>>()?)
}

/// A question about one room that is kept.
struct InRoom<'a> {
    conn: &'a Connection,
    names: &'a mut Names,
    room: RoomId,
    number: i64,
}

impl InRoom<'_> {
    fn rows(mut self, query: &Query) -> Result<Vec<DataRow>, StoreError> {
        let number = self.number;
        match query {
            Query::Arrivals { after, limit, except_origin, without_history, .. } => {
                let sql = if *without_history { ARRIVALS_NOT_HISTORY } else { ARRIVALS };
                let except = self.origin(except_origin)?;
                self.read(sql, params![number, clamped(*after), except, limit])
            }
            Query::LastArrivals { limit, except_origin, .. } => {
                let except = self.origin(except_origin)?;
                self.read_reversed(LAST_ARRIVALS, params![number, except, limit])
            }
            Query::Newest { since_ms, limit, .. } => {
                self.read_reversed(NEWEST, params![number, ordered(*since_ms), limit])
            }
            Query::Chain { chain, from_seq, to_seq, limit, limit_bytes, .. } => {
                let params = params![number, chain.0, ordered(*from_seq), ordered(*to_seq), limit];
                self.read_up_to(CHAIN, params, *limit_bytes)
            }
            Query::Known { ids, .. } => {
                let mut rows = Vec::new();
                for id in ids.iter().collect::<BTreeSet<_>>() {
                    rows.extend(self.read(KNOWN, params![number, id.0])?);
                }
                Ok(rows)
            }
            Query::Entries { ids, .. } => {
                let mut rows = Vec::new();
                for id in ids.iter().collect::<BTreeSet<_>>() {
                    rows.extend(self.read(ENTRY, params![number, id.0])?);
                }
                rows.sort_by_key(|row| row.arrival);
                Ok(rows)
            }
            Query::Between { low, high, limit, .. } => {
                self.read(BETWEEN, params![number, low.0, high.0, limit])
            }
            Query::Waiting { key, chain, from_seq, limit, .. } => {
                self.waiting(*key, *chain, ordered(*from_seq), *limit)
            }
            Query::CountArrivals { .. } | Query::Record { .. } => Ok(Vec::new()),
        }
    }

    fn waiting(
        &self,
        key: Option<KeyId>,
        chain: Option<EntryId>,
        from_seq: i64,
        limit: u32,
    ) -> Result<Vec<DataRow>, StoreError> {
        let number = self.number;
        match (key, chain) {
            (None, None) => self.read(WAITING, params![number, limit]),
            (None, Some(chain)) => self.read(WAITING_OF_CHAIN, params![number, chain.0, from_seq, limit]),
            (Some(key), None) => self.read(WAITING_UNDER_KEY, params![number, key.0, limit]),
            (Some(key), Some(chain)) => {
                self.read(WAITING_UNDER_KEY_OF_CHAIN, params![number, key.0, chain.0, from_seq, limit])
            }
        }
    }

    fn origin(&mut self, name: &Option<String>) -> Result<i64, StoreError> {
        self.names.origin(self.conn, name.as_deref())
    }

    fn read(&self, sql: &str, params: impl Params) -> Result<Vec<DataRow>, StoreError> {
        read(self.conn, sql, params, self.room)
    }

    fn read_reversed(&self, sql: &str, params: impl Params) -> Result<Vec<DataRow>, StoreError> {
        let mut rows = self.read(sql, params)?;
        rows.reverse();
        Ok(rows)
    }

    fn read_up_to(
        &self,
        sql: &str,
        params: impl Params,
        limit_bytes: usize,
    ) -> Result<Vec<DataRow>, StoreError> {
        read_while(self.conn, sql, params, self.room, |bytes| bytes <= limit_bytes)
    }
}

fn read(conn: &Connection, sql: &str, params: impl Params, room: RoomId) -> Result<Vec<DataRow>, StoreError> {
    read_while(conn, sql, params, room, |_| true)
}

/// Reads entries until there are no more or `go_on`, given the bytes so far, says no.
fn read_while(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    room: RoomId,
    go_on: impl Fn(usize) -> bool,
) -> Result<Vec<DataRow>, StoreError> {
    let mut select = conn.prepare_cached(sql)?;
    let mut found = select.query(params)?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let row = entry(row, room)?;
        bytes += row.bytes.len();
        rows.push(row);
        if !go_on(bytes) {
            break;
        }
    }
    Ok(rows)
}

fn entry(row: &Row<'_>, room: RoomId) -> Result<DataRow, StoreError> {
    let (origin, bytes, sealed_unfit) = (row.get(8)?, row.get(9)?, row.get(10)?);
    Ok(DataRow { origin, bytes, sealed_unfit, ..codes::entry(row, room)? })
}

/// Everything but bodies.
pub(super) fn snapshot(conn: &Connection) -> Result<Snapshot, StoreError> {
    let mut control = control(conn)?;
    let mut keys = keys(conn)?;
    let mut snapshot = Snapshot { rooms: Vec::new(), records: records(conn)? };
    for (number, room) in rooms(conn)? {
        let control = control.remove(&number).unwrap_or_default();
        let keys = keys.remove(&number).unwrap_or_default();
        if control.is_empty() && keys.is_empty() {
            continue;
        }
        let highest: Option<i64> =
            conn.prepare_cached(HIGHEST_ARRIVAL)?.query_row([number], |row| row.get(0)).optional()?;
        let arrivals = highest.map_or(0, i64::cast_unsigned);
        let waiting = waiting_pairs(conn, number)?;
        snapshot.rooms.push(RoomSnapshot { room, control, keys, arrivals, waiting });
    }
    Ok(snapshot)
}

type Records = Vec<(Table, Vec<u8>, Vec<u8>)>;

fn records(conn: &Connection) -> Result<Records, StoreError> {
    let mut select = conn.prepare_cached(RECORDS)?;
    let mut found = select.query([])?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        records.push((codes::table(row.get(0)?)?, row.get(1)?, row.get(2)?));
    }
    Ok(records)
}

fn control(conn: &Connection) -> Result<HashMap<i64, Vec<Vec<u8>>>, StoreError> {
    let mut select = conn.prepare_cached(CONTROL)?;
    let mut found = select.query([])?;
    let mut control: HashMap<i64, Vec<Vec<u8>>> = HashMap::new();
    while let Some(row) = found.next()? {
        control.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(control)
}

type Keys = Vec<(KeyId, Zeroizing<[u8; 32]>)>;

fn keys(conn: &Connection) -> Result<HashMap<i64, Keys>, StoreError> {
    let mut select = conn.prepare_cached(KEYS)?;
    let mut found = select.query([])?;
    let mut keys: HashMap<i64, Keys> = HashMap::new();
    while let Some(row) = found.next()? {
        // Copied once, from SQLite's memory to where it stays.
        let stored = row.get_ref(2)?.as_blob().map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut key = Zeroizing::new([0; 32]);
        if stored.len() != key.len() {
            return Err(StoreError::Corrupt("a room key of the wrong length".to_owned()));
        }
        key.copy_from_slice(stored);
        keys.entry(row.get(0)?).or_default().push((KeyId(row.get(1)?), key));
    }
    Ok(keys)
}

/// Each pair once, by one or two steps of the index each, however many entries wait.
fn waiting_pairs(conn: &Connection, room: i64) -> Result<Vec<(KeyId, EntryId)>, StoreError> {
    let mut next_chain = conn.prepare_cached(NEXT_WAITING_CHAIN)?;
    let mut next_key = conn.prepare_cached(NEXT_WAITING_KEY)?;
    let pair = |row: &Row<'_>| Ok((KeyId(row.get(0)?), EntryId(row.get(1)?)));
    let mut pairs: Vec<(KeyId, EntryId)> = Vec::new();
    loop {
        let same_key = match pairs.last() {
            Some((key, chain)) => next_chain.query_row(params![room, key.0, chain.0], pair).optional()?,
            None => None,
        };
        let found = match same_key {
            Some(found) => Some(found),
            None => {
                let key = pairs.last().map_or(&[][..], |(key, _)| key.0.as_slice());
                next_key.query_row(params![room, key], pair).optional()?
            }
        };
        match found {
            Some(found) => pairs.push(found),
            None => return Ok(pairs),
        }
    }
}
