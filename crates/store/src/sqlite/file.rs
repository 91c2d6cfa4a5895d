//! The file of the store: who may read it, whether it is one, how SQLite treats it. A file that is refused is not
//! changed by one byte.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::OpenMode;
use super::migrate::{self, MIGRATIONS};
use super::reading::FileCounts;
use crate::StoreError;

/// Only the owner may read the store.
pub(super) const FILE_MODE: u32 = 0o600;
/// How long another process may hold the file before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// More than there are statements, so that each is prepared once.
const STATEMENTS: usize = 64;
/// Pages kept in memory: the upper levels of all indexes of a large store, small beside the rest of a node.
const CACHE_KIB: i64 = 6 * 1024;
/// Pages of the log after which they are moved to their place, about 16 MiB: a commit that has to wait for that is
/// rarer than one in a hundred, and a page written by many commits is moved once.
const CHECKPOINT_PAGES: i64 = 4000;
/// What the log is cut back to when it has grown beyond it.
const LOG_BYTES: i64 = 32 * 1024 * 1024;

/// A file is written anew when at least one of so many pages is unused: all of it is copied, and everybody waits.
const WORTH_IT: u64 = 16;

const HEADER_BYTES: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What an existing file is.
enum Found {
    /// Nothing was ever written to it.
    Empty,
    /// A store of this version.
    Version(u32),
}

/// Opens, or makes, the store at `path` and brings it up to date.
pub(super) fn open(path: &Path, mode: OpenMode) -> Result<Connection, StoreError> {
    let mut file = open_file(path, mode)?;
    refuse_what_is_no_database(path, &mut file)?;
    // Closing a file drops the locks this process has on it, so it happens before SQLite takes one.
    drop(file);
    let mut conn = connect(path)?;
    let found = match recognise(&conn, MIGRATIONS.len())? {
        Found::Empty => 0,
        Found::Version(version) => version,
    };
    close_to_others(path)?;
    settle(&conn)?;
    migrate::migrate(&mut conn, path, found, MIGRATIONS)?;
    Ok(conn)
}

/// Opens a store that is open already, once more.
pub(super) fn reopen(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path)?;
    match recognise(&conn, MIGRATIONS.len())? {
        Found::Version(version) if version as usize == MIGRATIONS.len() => {}
        Found::Version(_) | Found::Empty => {
            return Err(StoreError::Foreign("the file was replaced while it was open".to_owned()));
        }
    }
    settle(&conn)?;
    Ok(conn)
}

/// Opens a store of this version to read only: the file and what lies beside it stay as they are.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let mut file = open_file(path, OpenMode::Existing)?;
    refuse_what_is_no_database(path, &mut file)?;
    drop(file);
    let conn = connect(path)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    match recognise(&conn, MIGRATIONS.len())? {
        Found::Version(version) if version as usize == MIGRATIONS.len() => Ok(conn),
        Found::Version(_) | Found::Empty => {
            let message = "it is of an older Parlor: any command that asks the node brings it up to date";
            Err(StoreError::Io(message.to_owned()))
        }
    }
}

/// How large the file is and how much of it is unused.
pub(super) fn counts(conn: &Connection) -> Result<FileCounts, StoreError> {
    let number =
        |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    Ok(FileCounts {
        pages: number("PRAGMA page_count")?,
        free_pages: number("PRAGMA freelist_count")?,
        page_bytes: number("PRAGMA page_size")?,
    })
}

/// Makes the file as small as it can be where that is worth it. Nothing is kept out of a file by a failure.
pub(super) fn compact(conn: &Connection) -> Result<(), StoreError> {
    checkpoint(conn)?;
    let found = counts(conn)?;
    if found.free_pages > 0 && found.free_pages * WORTH_IT >= found.pages {
        conn.execute_batch("VACUUM")?;
        checkpoint(conn)?;
    }
    Ok(())
}

/// Moves the log into the file, cuts it to nothing and frees cached pages.
pub(super) fn checkpoint(conn: &Connection) -> Result<(), StoreError> {
    let is_busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    conn.execute_batch("PRAGMA shrink_memory")?;
    if is_busy { Err(StoreError::Busy) } else { Ok(()) }
}

fn open_file(path: &Path, mode: OpenMode) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(mode == OpenMode::Create).truncate(false).mode(FILE_MODE);
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(path.display().to_string()),
        io::ErrorKind::IsADirectory => StoreError::Foreign("a directory".to_owned()),
        _ => error.into(),
    })
}

/// Looks at the first bytes, so that SQLite never touches the file of somebody else.
fn refuse_what_is_no_database(path: &Path, file: &mut File) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(MAGIC) {
        return Err(StoreError::Foreign("not a database".to_owned()));
    }
    let Some(expected) = expected_bytes(&header) else {
        return Err(StoreError::Corrupt("cut off within its header".to_owned()));
    };
    let found = file.metadata()?.len();
    // With a log beside it, the end of the file may still be in the log.
    if found < expected && !has_log(path) {
        return Err(StoreError::Corrupt(format!("cut off after {found} of {expected} bytes")));
    }
    Ok(())
}

/// How long the file should be by its own header: page size times pages.
fn expected_bytes(header: &[u8]) -> Option<u64> {
    let page_size = match u16::from_be_bytes(header.get(16..18)?.try_into().ok()?) {
        1 => 65536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes(header.get(28..32)?.try_into().ok()?);
    header.get(..HEADER_BYTES)?;
    Some(page_size * u64::from(pages))
}

fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// The path of a file that lies beside another and starts with its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Only the owner may read the store and what SQLite keeps beside it, whoever could before.
fn close_to_others(path: &Path) -> Result<(), StoreError> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    for log in [beside(path, "-wal"), beside(path, "-shm")] {
        match fs::set_permissions(log, Permissions::from_mode(FILE_MODE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// A connection that has not changed anything yet and changes nothing when it is closed.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let has_log = has_log(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // A log that is there stays as it is; without one there is nothing to move, and closing leaves nothing behind.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(conn)
}

fn recognise(conn: &Connection, known: usize) -> Result<Found, StoreError> {
    let known = u32::try_from(known).unwrap_or(u32::MAX);
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(Found::Empty);
    }
    if application != migrate::APPLICATION_ID {
        return Err(StoreError::Foreign("a database of another program".to_owned()));
    }
    match u32::try_from(version) {
        Ok(found) if found > known => Err(StoreError::Newer { found, known }),
        Ok(found) if found > 0 => Ok(Found::Version(found)),
        _ => Err(StoreError::Corrupt(format!("its version is {version}"))),
    }
}

/// From here on the file may change: how SQLite shall keep it.
fn settle(conn: &Connection) -> Result<(), StoreError> {
    let journal: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if journal != "wal" {
        return Err(StoreError::Io(format!("this disk allows no write-ahead log, only `{journal}`")));
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Only macOS knows the difference: there a plain flush stays in the disk's own memory.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // Forgotten secrets are overwritten.
    conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.query_row(&format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"), [], |_| Ok(()))?;
    conn.query_row(&format!("PRAGMA journal_size_limit = {LOG_BYTES}"), [], |_| Ok(()))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_the_disk_however_the_store_was_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        drop(open(&path, OpenMode::Create).unwrap());
        for conn in [open(&path, OpenMode::Existing).unwrap(), reopen(&path).unwrap()] {
            let text = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, String>(0)).unwrap();
            let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(text("PRAGMA journal_mode"), "wal");
            assert_eq!(number("PRAGMA synchronous"), 2, "FULL");
            assert_eq!(number("PRAGMA fullfsync"), 1);
            assert_eq!(number("PRAGMA foreign_keys"), 0);
            assert_eq!(number("PRAGMA secure_delete"), 1);
            assert_eq!(number("PRAGMA cache_size"), -CACHE_KIB);
            assert_eq!(number("PRAGMA wal_autocheckpoint"), CHECKPOINT_PAGES);
            assert_eq!(number("PRAGMA mmap_size"), 0, "mapped pages would count as memory of the node");
        }
    }
}
