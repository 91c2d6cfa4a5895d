#![allow(clippy::unwrap_used, clippy::expect_used)]

//! What may be opened, what is refused, and that what is refused is left as it was.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{arrived, control, everything, put, room};
use parlor_core::persist::{Snapshot, Table};
use parlor_store::{OpenMode, SqliteStore, Store, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    (directory, path)
}

/// A store with some entries, closed.
fn filled(path: &Path) {
    let mut store = SqliteStore::open(path, OpenMode::Create).unwrap();
    store.commit(&put((1..300).map(arrived))).unwrap();
    store.commit(&[control(room(1), 1)]).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Opens what must be refused, and sees that it is as before and nothing lies beside it.
#[track_caller]
fn refused(path: &Path) -> StoreError {
    let bytes = fs::read(path).unwrap();
    let mode_before = mode(path);
    let error = SqliteStore::open(path, OpenMode::Create).err().expect("it was opened");
    assert!(fs::read(path).unwrap() == bytes, "it was changed");
    assert_eq!(mode(path), mode_before);
    let beside: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(beside, [path]);
    error
}

#[test]
fn wound_44_a_store_is_made_from_nothing_and_opens_again() {
    let (_directory, path) = place();
    for _ in 0..2 {
        let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
        assert_eq!(store.load(), Ok(Snapshot::default()));
    }
    filled(&path);
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    let kept = everything(&mut store);
    assert_eq!((kept.0.rooms.len(), kept.1.len()), (1, 299));
    assert_eq!(store.examine(), Ok(()));
}

#[test]
fn wound_44_an_empty_file_becomes_a_store() {
    let (_directory, path) = place();
    fs::write(&path, b"").unwrap();
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    store.commit(&put([arrived(1)])).unwrap();
    assert_eq!(everything(&mut store).1, [arrived(1)]);
}

#[test]
fn a_store_that_is_not_there_is_made_only_when_asked_to() {
    let (directory, path) = place();
    let missing = SqliteStore::open(&path, OpenMode::Existing).err();
    assert_eq!(missing, Some(StoreError::Missing(path.display().to_string())));
    assert!(!path.exists());
    let nowhere = directory.path().join("no/such/store.db");
    let missing = SqliteStore::open(&nowhere, OpenMode::Create).err();
    assert_eq!(missing, Some(StoreError::Missing(nowhere.display().to_string())));
}

#[test]
fn only_the_owner_may_read_the_store_and_its_log() {
    let (directory, path) = place();
    filled(&path);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    store.commit(&put([arrived(1000)])).unwrap();
    let files: Vec<PathBuf> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "the store, its log and the index of the log: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn what_is_no_database_is_refused_untouched() {
    let (_directory, path) = place();
    for content in [&b"a"[..], b"# notes\n", &[0; 8192], b"SQLite format 2\0 and so on"] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(refused(&path), StoreError::Foreign(_)));
    }
    let directory = path.with_extension("directory");
    fs::create_dir(&directory).unwrap();
    let error = SqliteStore::open(&directory, OpenMode::Create).err();
    assert!(matches!(error, Some(StoreError::Foreign(_))), "{error:?}");
}

#[test]
fn a_database_of_another_program_is_refused_untouched() {
    let (_directory, path) = place();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    drop(other);
    assert!(matches!(refused(&path), StoreError::Foreign(_)));
}

#[test]
fn a_store_cut_short_is_refused_untouched() {
    let (_directory, path) = place();
    filled(&path);
    let whole = fs::read(&path).unwrap();
    for bytes in [whole.len() - 1, whole.len() / 2, 4096, 512, 60, 16] {
        fs::write(&path, &whole[..bytes]).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Corrupt(_)), "cut to {bytes} bytes: {error:?}");
    }
    fs::write(&path, whole).unwrap();
    SqliteStore::open(&path, OpenMode::Existing).unwrap();
}

#[test]
fn damage_inside_is_found_and_said() {
    let (_directory, path) = place();
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5);
    fs::write(&path, &damaged).unwrap();
    let found = SqliteStore::open(&path, OpenMode::Existing).and_then(|mut store| store.load().map(|_| ()));
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    let mut header = whole.clone();
    header[100..4096].fill(0xa5);
    fs::write(&path, &header).unwrap();
    assert!(matches!(refused(&path), StoreError::Corrupt(_)));
    // One page of the middle: a check of everything finds it.
    let mut one_page = whole;
    let middle = one_page.len() / 8192 * 4096;
    one_page[middle..middle + 4096].fill(0xa5);
    fs::write(&path, &one_page).unwrap();
    let found = SqliteStore::open(&path, OpenMode::Existing).and_then(|mut store| store.examine());
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
}

#[test]
fn a_store_of_a_newer_parlor_is_refused_untouched() {
    let (_directory, path) = place();
    filled(&path);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    // As a kill leaves it: part of it in the log.
    let killed = path.with_file_name("killed.db");
    fs::copy(&path, &killed).unwrap();
    let log = |path: &Path| path.with_extension("db-wal");
    fs::copy(log(&path), log(&killed)).unwrap();
    let before = (fs::read(&killed).unwrap(), fs::read(log(&killed)).unwrap());
    assert!(!before.1.is_empty());
    let error = SqliteStore::open(&killed, OpenMode::Create).err();
    assert_eq!(error, Some(StoreError::Newer { found: 7, known: 2 }));
    assert!((fs::read(&killed).unwrap(), fs::read(log(&killed)).unwrap()) == before);
    fs::remove_file(&killed).unwrap();
    fs::remove_file(log(&killed)).unwrap();
    fs::remove_file(killed.with_extension("db-shm")).unwrap();

    drop(newer);
    let error = refused(&path);
    assert_eq!(error, StoreError::Newer { found: 7, known: 2 });
    assert!(error.to_string().contains("update Parlor"), "{error}");
}

#[test]
fn a_store_another_process_writes_to_is_busy_and_then_not() {
    let (_directory, path) = place();
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(store.commit(&put([arrived(1)])), Err(StoreError::Busy));
    other.execute_batch("ROLLBACK").unwrap();
    store.reopen().unwrap();
    store.commit(&put([arrived(1)])).unwrap();
    assert_eq!(everything(&mut store).1, [arrived(1)]);
}

#[test]
fn a_file_replaced_while_open_is_noticed() {
    let (_directory, path) = place();
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
    store.commit(&put([arrived(1)])).unwrap();
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        fs::remove_file(path.with_file_name(name)).unwrap();
    }
    assert!(store.reopen().is_err(), "nothing is there");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    assert!(matches!(store.reopen(), Err(StoreError::Foreign(_))));
}

#[test]
fn a_forgotten_secret_is_not_left_in_the_file() {
    let (directory, path) = place();
    let secret = b"a sealing secret of thirty days ago";
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
    let key = b"secret".to_vec();
    store
        .commit(&[parlor_core::persist::Op::Put {
            table: Table::Own,
            key: key.clone(),
            value: secret.to_vec(),
        }])
        .unwrap();
    store.checkpoint().unwrap();
    let is_there = || {
        let files =
            fs::read_dir(directory.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret))
    };
    assert!(is_there());
    store.commit(&[parlor_core::persist::Op::Delete { table: Table::Own, key }]).unwrap();
    store.checkpoint().unwrap();
    assert!(!is_there());
}
