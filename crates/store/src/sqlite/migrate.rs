//! Brings an older store up to date: numbered steps, forward only, after a copy. Must not be able to leave a store
//! between two versions.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::file::{FILE_MODE, beside};
use crate::StoreError;

/// "Parl": how a file is recognised as a store.
pub(super) const APPLICATION_ID: i64 = 0x5061_726c;

/// Each makes the version that is its place in this list, from 1. Only the end may change.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("migrations/001.sql"), include_str!("migrations/002.sql")];

/// Runs what a store of the version `found` has not seen yet; 0 is an empty file.
pub(super) fn migrate(
    conn: &mut Connection,
    path: &Path,
    found: u32,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let pending: Vec<(u32, &str)> =
        (1..).zip(migrations.iter().copied()).filter(|(number, _)| *number > found).collect();
    let Some((first, _)) = pending.first() else { return Ok(()) };
    // One copy serves a row of steps: whoever goes back to the release before needs what was there before the first.
    let copy = if found == 0 { None } else { Some(copy_before(conn, path, *first)?) };
    for (number, sql) in pending {
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", number)?;
        step.commit()?;
    }
    if let Some(copy) = copy {
        remove_older_copies(path, &copy)?;
    }
    Ok(())
}

/// Copies the store to `NAME.before-NNN`; under that name there is a whole copy or none.
fn copy_before(conn: &Connection, path: &Path, number: u32) -> Result<PathBuf, StoreError> {
    let copy = beside(path, &format!(".before-{number:03}"));
    let part = beside(&copy, ".part");
    match fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let copied = write_copy(conn, &part).and_then(|()| Ok(fs::rename(&part, &copy)?));
    if let Err(error) = copied {
        // What is left of it only takes space; it is removed at the next try as well.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    flush_directory(path)?;
    Ok(copy)
}

fn write_copy(conn: &Connection, part: &Path) -> Result<(), StoreError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(part)?;
    conn.backup("main", part, None::<fn(rusqlite::backup::Progress)>)?;
    Ok(file.sync_all()?)
}

fn remove_older_copies(path: &Path, newest: &Path) -> Result<(), StoreError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let prefix = beside(Path::new(name), ".before-");
    for entry in fs::read_dir(directory(path))? {
        let entry = entry?;
        let is_copy = entry.file_name().as_encoded_bytes().starts_with(prefix.as_os_str().as_encoded_bytes());
        if is_copy && Some(entry.file_name().as_os_str()) != newest.file_name() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn flush_directory(path: &Path) -> Result<(), StoreError> {
    Ok(File::open(directory(path))?.sync_all()?)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    const FIRST: &str = "CREATE TABLE thing (name TEXT); INSERT INTO thing VALUES ('first')";
    const SECOND: &str = "INSERT INTO thing VALUES ('second')";
    const THIRD: &str = "INSERT INTO thing VALUES ('third')";
    const FAILING: &str = "INSERT INTO thing VALUES ('half'); INSERT INTO nothing VALUES (1)";

    fn place() -> (TempDir, PathBuf, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let conn = Connection::open(&path).unwrap();
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        (directory, path, conn)
    }

    fn version(conn: &Connection) -> u32 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    fn things(conn: &Connection) -> Vec<String> {
        let mut select = conn.prepare("SELECT name FROM thing ORDER BY rowid").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The copies beside the store, by what follows its name.
    fn copies(directory: &TempDir) -> Vec<String> {
        let names = fs::read_dir(directory.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut copies: Vec<String> =
            names.filter_map(|name| name.strip_prefix("store.db.").map(str::to_owned)).collect();
        copies.sort();
        copies
    }

    #[test]
    fn entries_of_before_marks_are_kept_and_not_marked() {
        let (_directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &MIGRATIONS[..1]).unwrap();
        let row = "INSERT INTO data (num, room, id, chain, seq, key, sort_ms, standing, arrival, history) \
             VALUES (1, 1, x'01', x'02', 0, x'03', 0, 1, 1, 0)";
        conn.execute_batch(row).unwrap();
        migrate(&mut conn, &path, 1, &MIGRATIONS[..2]).unwrap();
        let marked: Vec<bool> = conn
            .prepare("SELECT sealed_unfit FROM data WHERE id = x'01'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(marked, [false]);
    }

    #[test]
    fn wound_44_all_migrations_run_on_an_empty_database() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, MIGRATIONS).unwrap();
        assert_eq!(version(&conn) as usize, MIGRATIONS.len());
        let application: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
        assert_eq!(application, APPLICATION_ID);
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        assert!(copies(&directory).is_empty(), "there was nothing to copy");
    }

    #[test]
    fn a_migration_runs_once_and_after_a_copy() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &[FIRST]).unwrap();
        migrate(&mut conn, &path, 1, &[FIRST, SECOND]).unwrap();
        assert_eq!((version(&conn), things(&conn)), (2, vec!["first".to_owned(), "second".to_owned()]));
        assert_eq!(copies(&directory), ["before-002"]);
        let copy = beside(&path, ".before-002");
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let copied = Connection::open(&copy).unwrap();
        assert_eq!((version(&copied), things(&copied)), (1, vec!["first".to_owned()]));
        drop(copied);
        migrate(&mut conn, &path, 2, &[FIRST, SECOND]).unwrap();
        assert_eq!(things(&conn).len(), 2);
    }

    #[test]
    fn older_copies_go_when_a_newer_migration_has_succeeded() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &[FIRST]).unwrap();
        migrate(&mut conn, &path, 1, &[FIRST, SECOND]).unwrap();
        fs::write(directory.path().join("store.db.other"), "not ours to remove").unwrap();
        assert!(migrate(&mut conn, &path, 2, &[FIRST, SECOND, FAILING]).is_err());
        assert_eq!(
            copies(&directory),
            ["before-002", "before-003", "other"],
            "nothing is removed by a failure"
        );
        migrate(&mut conn, &path, 2, &[FIRST, SECOND, THIRD]).unwrap();
        assert_eq!(copies(&directory), ["before-003", "other"]);
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &[FIRST]).unwrap();
        assert!(migrate(&mut conn, &path, 1, &[FIRST, SECOND, FAILING]).is_err());
        // The step before it stands: each is a version of its own.
        assert_eq!((version(&conn), things(&conn)), (2, vec!["first".to_owned(), "second".to_owned()]));
        assert_eq!(copies(&directory), ["before-002"]);
    }

    #[test]
    fn without_a_copy_nothing_is_migrated() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &[FIRST]).unwrap();
        // The place of the copy is taken by something that is not a file.
        fs::create_dir_all(directory.path().join("store.db.before-002.part/in the way")).unwrap();
        assert!(migrate(&mut conn, &path, 1, &[FIRST, SECOND]).is_err());
        assert_eq!((version(&conn), things(&conn)), (1, vec!["first".to_owned()]));
    }

    #[test]
    fn what_an_interrupted_copy_left_is_replaced() {
        let (directory, path, mut conn) = place();
        migrate(&mut conn, &path, 0, &[FIRST]).unwrap();
        fs::write(directory.path().join("store.db.before-002.part"), "half a copy").unwrap();
        migrate(&mut conn, &path, 1, &[FIRST, SECOND]).unwrap();
        assert_eq!(copies(&directory), ["before-002"]);
    }
}
