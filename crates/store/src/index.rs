//! The index of what may be read here, for searching: one SQLite file beside the store, made from the log and made anew
//! from it whenever it is missing, damaged or of another version. It must hold nothing that is not in the log, and is
//! written off the write path, by whoever follows the log.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlor_core::text::seek::Terms;
use parlor_wire::{EntryId, RoomId, TimeMs};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params, params_from_iter};

use crate::StoreError;

/// "Parx": how the file is recognised.
const APPLICATION_ID: i64 = 0x5061_7278;
/// Whatever changes in the tables or in how text is folded raises it: an index of another version is made anew.
const VERSION: i64 = 2;
const FILE_MODE: u32 = 0o600;
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
const CACHE_KIB: i64 = 2 * 1024;
/// Shorter terms are in no trigram: they are looked for in what the other terms leave, or in everything.
const TRIGRAM_CHARS: usize = 3;
/// Trigrams of one search that are looked up; the text is compared anyway.
const MAX_TRIGRAMS: usize = 64;

// The words are of trigrams, so that any part of a name, path or identifier is found; without positions, because
// what the trigrams leave is compared with the text itself.
const SCHEMA: &str = "
CREATE TABLE message (num INTEGER PRIMARY KEY, room BLOB NOT NULL, id BLOB NOT NULL, sort_ms INTEGER NOT NULL,
    text TEXT NOT NULL, UNIQUE (room, id));
CREATE INDEX message_by_sort ON message (room, sort_ms);
CREATE VIRTUAL TABLE word USING fts5 (text, content='message', content_rowid='num', detail='none',
    tokenize='trigram case_sensitive 1');
CREATE TABLE reached (room BLOB PRIMARY KEY, upto INTEGER NOT NULL, id BLOB NOT NULL, days INTEGER NOT NULL) WITHOUT ROWID;
";
const ADD: &str =
    "INSERT INTO message (room, id, sort_ms, text) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
const ADD_WORDS: &str = "INSERT INTO word (rowid, text) VALUES (?1, ?2)";
const REACHED: &str = "SELECT upto, days FROM reached WHERE room = ?1";
const REACH: &str = "INSERT INTO reached (room, upto, id, days) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (room) DO UPDATE SET upto = excluded.upto, id = excluded.id";
const FORGET_WORDS: &str = "INSERT INTO word (word, rowid, text) \
     SELECT 'delete', num, text FROM message WHERE room = ?1 AND sort_ms < ?2";
const FORGET: &str = "DELETE FROM message WHERE room = ?1 AND sort_ms < ?2";

/// A message to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// It.
    pub id: EntryId,
    /// Where people see it.
    pub sort_ms: TimeMs,
    /// What it says, folded.
    pub text: String,
}

/// How far a room is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The last arrival number.
    pub upto: u64,
    /// The entry that has it: after a store was put back, another may.
    pub id: EntryId,
    /// For how many days the room was read when it was indexed, 0 for ever: what was older is not in it.
    pub days: u32,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// What must all be in it.
    pub terms: &'a Terms,
    /// In these rooms.
    pub rooms: &'a [RoomId],
    /// Not sorted before this time.
    pub since_ms: TimeMs,
    /// At most so many, the newest.
    pub limit: u32,
    /// Leaves out so many of the newest.
    pub skip: u32,
}

/// The end that writes.
pub struct Index {
    path: PathBuf,
    conn: Connection,
}

impl Index {
    /// Opens the index, and makes it anew when it is not one that can be gone on with.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Ok(conn) = open_known(path) {
            return Ok(Self { path: path.to_owned(), conn });
        }
        Self::anew(path)
    }

    /// Removes whatever lies there, and begins again with nothing.
    pub fn anew(path: &Path) -> Result<Self, StoreError> {
        for end in ["", "-wal", "-shm", "-journal"] {
            match fs::remove_file(beside(path, end)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        settle(&conn)?;
        conn.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; \
             INSERT INTO word (word, rank) VALUES ('secure-delete', 1); COMMIT"
        ))?;
        Ok(Self { path: path.to_owned(), conn })
    }

    /// Whether the file it writes is still the one at its path.
    pub fn is_in_place(&self) -> bool {
        self.path.exists()
    }

    /// How far each room is indexed.
    pub fn reached(&self) -> Result<BTreeMap<RoomId, Reached>, StoreError> {
        reached(&self.conn)
    }

    /// Adds messages of a room, which is then indexed as far as `reached` says. Those it has stay as they are. They go on
    /// from `after`: where the room is indexed to another place, or for other days, nothing is written, and the answer is
    /// no. So whatever was forgotten meanwhile, it never says that it holds what it does not.
    pub fn add(
        &mut self,
        room: RoomId,
        after: u64,
        messages: &[Indexed],
        reached: Reached,
    ) -> Result<bool, StoreError> {
        let step = self.conn.transaction()?;
        let place = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let held = step.prepare_cached(REACHED)?.query_row([room.0], place).optional()?;
        let days = i64::from(reached.days);
        if held.unwrap_or((0, days)) != (clamped(after), days) {
            return Ok(false);
        }
        for message in messages {
            let sort = clamped(message.sort_ms);
            let added =
                step.prepare_cached(ADD)?.execute(params![room.0, message.id.0, sort, message.text])?;
            if added > 0 {
                step.prepare_cached(ADD_WORDS)?.execute(params![step.last_insert_rowid(), message.text])?;
            }
        }
        step.prepare_cached(REACH)?.execute(params![room.0, clamped(reached.upto), reached.id.0, days])?;
        step.commit()?;
        Ok(true)
    }

    /// Forgets what a room said before a time; with the end of time, everything and how far it was indexed.
    pub fn forget(&mut self, room: RoomId, before_ms: TimeMs) -> Result<u64, StoreError> {
        let step = self.conn.transaction()?;
        step.prepare_cached(FORGET_WORDS)?.execute(params![room.0, clamped(before_ms)])?;
        let gone = step.prepare_cached(FORGET)?.execute(params![room.0, clamped(before_ms)])?;
        if before_ms == TimeMs::MAX {
            step.execute("DELETE FROM reached WHERE room = ?1", [room.0])?;
        }
        step.commit()?;
        Ok(gone as u64)
    }

    /// Brings its parts together and gives back the space of what was forgotten.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        Ok(self.conn.execute_batch(
            "INSERT INTO word (word) VALUES ('optimize'); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
        )?)
    }
}

/// The end that is asked. It does not change the file.
pub struct IndexReader {
    conn: Connection,
}

impl IndexReader {
    /// Opens an index that is there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.pragma_update(None, "query_only", true)?;
        recognise(&conn)?;
        Ok(Self { conn })
    }

    /// How far each room is indexed.
    pub fn reached(&self) -> Result<BTreeMap<RoomId, Reached>, StoreError> {
        reached(&self.conn)
    }

    /// The newest messages that hold all that is sought, newest first.
    pub fn find(&self, sought: &Sought<'_>) -> Result<Vec<(RoomId, EntryId)>, StoreError> {
        let (sql, values) = question(sought);
        let mut ask = self.conn.prepare_cached(&sql)?;
        let rows = ask.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.map(|row| row.map(|(room, id)| (RoomId(room), EntryId(id))).map_err(Into::into)).collect()
    }

    /// Reads the whole file and says whether it is sound.
    pub fn examine(&self) -> Result<(), StoreError> {
        let verdict: String = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt(verdict)) }
    }

    /// How many messages of each room are in it.
    pub fn counts(&self) -> Result<BTreeMap<RoomId, u64>, StoreError> {
        let mut count = self.conn.prepare("SELECT room, count(*) FROM message GROUP BY room")?;
        let rows = count.query_map([], |row| Ok((RoomId(row.get(0)?), row.get::<_, i64>(1)?)))?;
        rows.map(|row| row.map(|(room, n)| (room, n.cast_unsigned())).map_err(Into::into)).collect()
    }
}

/// One question in SQL. What was typed is only ever a parameter; of it the trigrams are made here, each quoted.
fn question(sought: &Sought<'_>) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = sought.rooms.iter().map(|room| Value::Blob(room.0.to_vec())).collect();
    let marks = vec!["?"; sought.rooms.len()].join(", ");
    let mut sql = format!("SELECT m.room, m.id FROM message m WHERE m.room IN ({marks}) AND m.sort_ms >= ?");
    values.push(Value::Integer(clamped(sought.since_ms)));
    let trigrams = trigrams(sought.terms);
    if !trigrams.is_empty() {
        sql += " AND m.num IN (SELECT rowid FROM word WHERE word MATCH ?)";
        values.push(Value::Text(trigrams.join(" AND ")));
    }
    for term in sought.terms.iter() {
        sql += " AND instr(m.text, ?) > 0";
        values.push(Value::Text(term.to_owned()));
    }
    sql += " ORDER BY m.sort_ms DESC, m.id DESC LIMIT ? OFFSET ?";
    values.extend([Value::Integer(sought.limit.into()), Value::Integer(sought.skip.into())]);
    (sql, values)
}

/// The trigrams of all terms, each once, as quoted words of a full-text question.
fn trigrams(terms: &Terms) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for term in terms.iter() {
        let chars: Vec<char> = term.chars().collect();
        for window in chars.windows(TRIGRAM_CHARS) {
            // A quote is written twice; a NUL would end the question.
            let word = format!("\"{}\"", window.iter().collect::<String>().replace('"', "\"\""));
            if !window.contains(&'\0') && found.len() < MAX_TRIGRAMS && !found.contains(&word) {
                found.push(word);
            }
        }
    }
    found
}

fn reached(conn: &Connection) -> Result<BTreeMap<RoomId, Reached>, StoreError> {
    let mut read = conn.prepare_cached("SELECT room, upto, id, days FROM reached")?;
    let rows = read.query_map([], |row| {
        let (upto, id) = (row.get::<_, i64>(1)?.cast_unsigned(), EntryId(row.get(2)?));
        let reached = Reached { upto, id, days: row.get(3)? };
        Ok((RoomId(row.get(0)?), reached))
    })?;
    rows.map(|row| row.map_err(Into::into)).collect()
}

fn open_known(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    recognise(&conn)?;
    settle(&conn)?;
    // What is damaged mostly shows here; what does not is noticed when it is read, and then it is made anew too.
    reached(&conn)?;
    Ok(conn)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(conn)
}

fn recognise(conn: &Connection) -> Result<(), StoreError> {
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let found = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if found == (APPLICATION_ID, VERSION) {
        return Ok(());
    }
    Err(StoreError::Foreign("an index of another version".to_owned()))
}

fn settle(conn: &Connection) -> Result<(), StoreError> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // After a power cut it may lack what came last, and then says so itself: what it had reached is in it too.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    // What was forgotten is overwritten.
    conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(())
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
