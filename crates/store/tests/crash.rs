#![allow(clippy::unwrap_used, clippy::expect_used)]

//! Killed at any instant, the store opens again with every batch that was acknowledged, and each batch whole. The
//! process that is killed is this test itself, run once more. Must not repair anything between kill and check.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{arrived, control, count, record, room, rows};
use parlor_core::persist::{DataRow, Op, Query, Table};
use parlor_store::{OpenMode, SqliteStore, Store};

/// Tells the process that is to be killed where the store is.
const STORE_OF_CHILD: &str = "PARLOR_TEST_STORE_OF_CHILD";
/// So that a kill also meets the log being moved into the file.
const CHECKPOINT_EVERY: u64 = 4;
/// Entries of a batch, by its number: batches of one and of many.
const SIZES: [u64; 4] = [1, 40, 3, 200];

fn entries_of(batch: u64) -> u64 {
    SIZES[(batch % 4) as usize]
}

fn entries_up_to(batch: u64) -> u64 {
    (1..=batch).map(entries_of).sum()
}

fn batch(number: u64) -> Vec<Op> {
    let before = entries_up_to(number - 1);
    let row = |entry: u64| DataRow { bytes: vec![number as u8; 700], ..arrived(entry) };
    let mut ops = vec![control(room(1), number)];
    ops.extend((before + 1..=before + entries_of(number)).map(|entry| Op::PutData(row(entry))));
    for (table, key) in [(Table::Own, b"batch".to_vec()), (Table::Request, number.to_be_bytes().to_vec())] {
        ops.push(Op::Put { table, key, value: number.to_be_bytes().to_vec() });
    }
    ops
}

/// The last batch that is there, by the record each batch writes last.
fn last_batch(store: &mut SqliteStore) -> u64 {
    let query = Query::Record { table: Table::Own, key: b"batch".to_vec() };
    record(store, &query).map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
}

/// What the process to be killed does: goes on with the batches, and says each number when it is written.
fn write_for_ever(path: &Path) -> ! {
    let mut store = SqliteStore::open(path, OpenMode::Create).unwrap();
    let mut said = std::io::stdout().lock();
    // The test runner has begun a line.
    writeln!(said).unwrap();
    for number in last_batch(&mut store) + 1.. {
        store.commit(&batch(number)).unwrap();
        writeln!(said, "written {number}").unwrap();
        said.flush().unwrap();
        if number % CHECKPOINT_EVERY == 0 {
            store.checkpoint().unwrap();
        }
    }
    unreachable!("numbers end")
}

fn spawn(test: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(STORE_OF_CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets the child write so many batches and then go on for a while, kills it, and returns the last it acknowledged.
fn kill_after(mut child: Child, acknowledged: usize, and_then: Duration) -> u64 {
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let number = |line: &str| line.strip_prefix("written ").and_then(|number| number.trim().parse().ok());
    let mut last = 0;
    let mut heard = 0;
    while heard < acknowledged {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "the writing process ended by itself");
        if let Some(number) = number(&line) {
            last = number;
            heard += 1;
        }
    }
    // Shorter than a sleep can be told to be: the kill shall meet every part of a commit.
    let until = Instant::now() + and_then;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    rest.lines().filter_map(number).next_back().unwrap_or(last)
}

/// Opens what a kill has left and sees that it holds whole batches and all that were acknowledged.
fn check(path: &Path, acknowledged: u64) -> u64 {
    let mut store = SqliteStore::open(path, OpenMode::Create).unwrap();
    let last = last_batch(&mut store);
    assert!(last >= acknowledged, "batch {acknowledged} was acknowledged, {last} is the last that is there");
    assert!(last <= acknowledged + 1, "batch {last} is there, but {acknowledged} was acknowledged last");
    let snapshot = store.load().unwrap();
    let entries = entries_up_to(last);
    let control = snapshot.rooms.first().map_or(0, |room| room.control.len() as u64);
    assert_eq!(control, last, "one control entry for each batch");
    let counted =
        Query::CountArrivals { room: room(1), after: 0, except_origin: None, without_history: false };
    assert_eq!(count(&mut store, &counted), entries, "the entries of all batches");
    let newest = Query::LastArrivals { room: room(1), limit: u32::MAX, except_origin: None };
    let newest = rows(&mut store, &newest);
    assert_eq!(newest.len() as u64, entries, "all entries with their bodies");
    assert_eq!(newest.last().and_then(|row| row.arrival).unwrap_or(0), entries);
    for number in 1..=last {
        let request = Query::Record { table: Table::Request, key: number.to_be_bytes().to_vec() };
        assert!(record(&mut store, &request).is_some(), "the request of batch {number}");
    }
    assert_eq!(store.examine(), Ok(()));
    last
}

#[test]
fn wound_5_a_kill_leaves_whole_batches_and_all_that_were_acknowledged() {
    if let Some(path) = std::env::var_os(STORE_OF_CHILD) {
        write_for_ever(Path::new(&path));
    }
    let test = "wound_5_a_kill_leaves_whole_batches_and_all_that_were_acknowledged";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let mut last = 0;
    for round in 0..50_u32 {
        let and_then = Duration::from_micros(u64::from(round) * 61 % 3_000);
        let acknowledged = kill_after(spawn(test, &path), (round % 5) as usize + 1, and_then);
        last = check(&path, acknowledged);
    }
    assert!(last >= 50, "each round adds a batch; there are {last}");
}

#[test]
fn a_kill_while_the_store_is_made_leaves_one_that_opens() {
    if let Some(path) = std::env::var_os(STORE_OF_CHILD) {
        write_for_ever(Path::new(&path));
    }
    let test = "a_kill_while_the_store_is_made_leaves_one_that_opens";
    // How long making takes is the disk's affair: the kills are spread over twice the time of one that is let be.
    let making = time_to_make(test);
    let mut made = 0;
    let mut round = 0;
    while round < ROUNDS || made == 0 {
        assert!(round < 10 * ROUNDS, "no kill came late enough to meet a batch; making took {making:?}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let child = spawn(test, &path);
        wait_for_file(&path);
        let acknowledged = kill_after(child, 0, making * 2 * round / ROUNDS);
        made += check(&path, acknowledged);
        round += 1;
    }
}

/// Kills while the store is made.
const ROUNDS: u32 = 40;

/// From the instant the file appears to the first batch.
fn time_to_make(test: &str) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let child = spawn(test, &path);
    wait_for_file(&path);
    let appeared = Instant::now();
    kill_after(child, 1, Duration::ZERO);
    appeared.elapsed()
}

fn wait_for_file(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no store was made");
        std::hint::spin_loop();
    }
}
