#![allow(clippy::unwrap_used, clippy::expect_used)]

//! Disks that are full or read-only: clear errors, nothing acknowledged lost, nothing to repair. Each test mounts its
//! disks in a mount namespace of its own, which is gone with its process; that needs root.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{arrived, count, everything, found, put, room};
use parlor_core::persist::{DataRow, Op, Query};
use parlor_store::{OpenMode, SqliteStore, Store, StoreError};

/// In the process that has mounts of its own: where to mount a disk.
const MOUNT_POINT: &str = "PARLOR_TEST_MOUNT_POINT";

/// Where to mount a disk, if this process may mount what it likes; if not, runs the test again in one that may, and
/// sees it pass.
fn mount_point(test: &str) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os(MOUNT_POINT) {
        return Some(directory.into());
    }
    assert!(rustix::process::geteuid().is_root(), "this test mounts disks: run it as root");
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MOUNT_POINT, directory.path())
        .output()
        .expect("`unshare` of util-linux must be installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    None
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn mount_disk(disk: &Path, size: &str) {
    run("mount", &["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs", disk.to_str().unwrap()]);
}

fn remount(disk: &Path, how: &str) {
    run("mount", &["-o", &format!("remount,{how}"), disk.to_str().unwrap()]);
}

fn batch(first: u64) -> Vec<Op> {
    put((first..first + 10).map(|number| DataRow { bytes: vec![number as u8; 2_000], ..arrived(number) }))
}

/// Writes batches until one fails; returns the first entry that is not there and the error.
fn write_until_it_fails(store: &mut SqliteStore, mut next: u64) -> (u64, StoreError) {
    loop {
        match store.commit(&batch(next)) {
            Ok(()) => next += 10,
            Err(error) => return (next, error),
        }
        assert!(next < 100_000, "the disk never got full");
    }
}

fn arrivals() -> Query {
    Query::CountArrivals { room: room(1), after: 0, except_origin: None, without_history: false }
}

#[test]
fn wound_5_a_full_disk_loses_nothing_and_needs_no_repair() {
    let Some(disk) = mount_point("wound_5_a_full_disk_loses_nothing_and_needs_no_repair") else { return };
    mount_disk(&disk, "3m");
    let path = disk.join("store.db");
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 1024 * 1024]).unwrap();
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();

    let (next, error) = write_until_it_fails(&mut store, 1);
    assert_eq!(error, StoreError::Full);
    assert!(next > 100, "the disk was full from the start: {next}");
    store.reopen().unwrap();
    assert_eq!(count(&mut store, &arrivals()), next - 1, "read while the disk is full");
    assert_eq!(store.commit(&batch(next)), Err(StoreError::Full), "still full");
    store.reopen().unwrap();
    let last = Query::LastArrivals { room: room(1), limit: 2, except_origin: None };
    assert_eq!(found(&mut store, &last), [next - 2, next - 1]);

    fs::remove_file(&ballast).unwrap();
    store.commit(&batch(next)).unwrap();
    assert_eq!(count(&mut store, &arrivals()), next + 9);
    let before = everything(&mut store);
    drop(store);
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    assert_eq!(everything(&mut store), before);
    assert_eq!(store.examine(), Ok(()));
}

#[test]
fn a_program_that_begins_on_a_full_disk_says_so_and_goes_on_when_there_is_space() {
    let Some(disk) =
        mount_point("a_program_that_begins_on_a_full_disk_says_so_and_goes_on_when_there_is_space")
    else {
        return;
    };
    mount_disk(&disk, "2m");
    let path = disk.join("store.db");
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 500_000]).unwrap();
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
    let (next, error) = write_until_it_fails(&mut store, 1);
    assert_eq!(error, StoreError::Full);
    drop(store);
    fill(&disk.join("rest"));

    // Whether it can be opened depends on what SQLite needs; it must say why not, and harm nothing.
    match SqliteStore::open(&path, OpenMode::Existing) {
        Ok(mut store) => assert_eq!(count(&mut store, &arrivals()), next - 1),
        Err(error) => assert_eq!(error, StoreError::Full),
    }
    let other = SqliteStore::open(&disk.join("new.db"), OpenMode::Create);
    assert_eq!(other.err(), Some(StoreError::Full), "a new store needs space");

    fs::remove_file(&ballast).unwrap();
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    assert_eq!(count(&mut store, &arrivals()), next - 1);
    store.commit(&batch(next)).unwrap();
    assert_eq!(store.examine(), Ok(()));
}

/// Takes what space is left, to the last byte.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn a_read_only_disk_is_named_and_left_as_it_is() {
    let Some(disk) = mount_point("a_read_only_disk_is_named_and_left_as_it_is") else { return };
    mount_disk(&disk, "4m");
    let path = disk.join("store.db");
    let mut store = SqliteStore::open(&path, OpenMode::Create).unwrap();
    store.commit(&batch(1)).unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();

    remount(&disk, "ro");
    for mode in [OpenMode::Create, OpenMode::Existing] {
        assert_eq!(SqliteStore::open(&path, mode).err(), Some(StoreError::ReadOnly), "{mode:?}");
    }
    let new = SqliteStore::open(&disk.join("new.db"), OpenMode::Create);
    assert_eq!(new.err(), Some(StoreError::ReadOnly));
    assert_eq!(fs::read(&path).unwrap(), before);

    remount(&disk, "rw");
    let mut store = SqliteStore::open(&path, OpenMode::Existing).unwrap();
    assert_eq!(count(&mut store, &arrivals()), 10);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let Some(disk) = mount_point("a_directory_that_cannot_be_written_is_named") else { return };
    // The file itself can be written, what SQLite needs beside it cannot: a disk of one file in a read-only place.
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere.db");
    let mut store = SqliteStore::open(&elsewhere, OpenMode::Create).unwrap();
    store.commit(&batch(1)).unwrap();
    drop(store);
    mount_disk(&disk, "4m");
    let path = disk.join("store.db");
    fs::write(&path, b"").unwrap();
    remount(&disk, "ro");
    run("mount", &["--bind", elsewhere.to_str().unwrap(), path.to_str().unwrap()]);
    assert_eq!(SqliteStore::open(&path, OpenMode::Existing).err(), Some(StoreError::ReadOnly));
}
