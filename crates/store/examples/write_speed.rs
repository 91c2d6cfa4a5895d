#![allow(clippy::print_stdout)]

//! How many commits a second the store does, for batches of several sizes, and what it costs to ask afterwards:
//! `cargo run --release -p parlor-store --example write_speed [DIRECTORY]`. Measures only; promises nothing.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use parlor_core::persist::{DataRow, Op, Query, Standing};
use parlor_store::{OpenMode, SqliteStore, Store};
use parlor_wire::{EntryId, KeyId, RoomId};

const ROOM: RoomId = RoomId([1; 32]);
const CHAINS: u64 = 10;
const BODY_BYTES: usize = 700;
/// Rows of a batch.
const BATCHES: [u64; 4] = [1, 64, 256, 2048];
/// Rows to have in the end: what a peer that was away for long takes in.
const ROWS: u64 = 100_000;
const MEASURED_FOR: Duration = Duration::from_secs(3);
const ASKED_TIMES: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let mut store = SqliteStore::open(&directory.path().join("store.db"), OpenMode::Create)?;
    let mut rows = 0;
    println!("rows of {BODY_BYTES} bytes, each commit flushed to the disk");
    println!("{:>6} {:>10} {:>10} {:>9} {:>9}", "batch", "commits/s", "rows/s", "p50 ms", "p99 ms");
    for batch in BATCHES {
        measure_commits(&mut store, &mut rows, batch)?;
    }
    let started = Instant::now();
    let before = rows;
    while rows < ROWS {
        commit(&mut store, &mut rows, 256)?;
    }
    println!("{} more rows in batches of 256: {:.2} s", rows - before, started.elapsed().as_secs_f64());
    measure_questions(&mut store, rows)?;
    if let Some(memory) = resident() {
        println!("resident: {memory}; after a checkpoint: {}", after_checkpoint(&mut store)?);
    }
    Ok(())
}

fn commit(store: &mut SqliteStore, rows: &mut u64, batch: u64) -> Result<Duration, Box<dyn Error>> {
    let ops: Vec<Op> = (*rows + 1..=*rows + batch).map(|number| Op::PutData(row(number))).collect();
    *rows += batch;
    let started = Instant::now();
    store.commit(&ops)?;
    Ok(started.elapsed())
}

fn row(number: u64) -> DataRow {
    // Scattered like hashes are.
    let mut id = [5; 32];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    DataRow {
        room: ROOM,
        id: EntryId(id),
        chain: EntryId([(number % CHAINS) as u8; 32]),
        seq: number / CHAINS,
        key: KeyId([1; 32]),
        bytes: vec![number as u8; BODY_BYTES],
        sort_ms: 1_800_000_000_000 + number,
        standing: Standing::Arrived,
        arrival: Some(number),
        history: false,
        sealed_unfit: false,
        origin: None,
    }
}

fn measure_commits(store: &mut SqliteStore, rows: &mut u64, batch: u64) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < MEASURED_FOR {
        times.push(commit(store, rows, batch)?);
    }
    let per_second = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    let rows_per_second = per_second * batch as f64;
    println!("{batch:>6} {per_second:>10.0} {rows_per_second:>10.0} {:>9.2} {:>9.2}", at(50), at(99));
    Ok(())
}

fn measure_questions(store: &mut SqliteStore, rows: u64) -> Result<(), Box<dyn Error>> {
    let count =
        |after| Query::CountArrivals { room: ROOM, after, except_origin: None, without_history: true };
    let last = Query::LastArrivals { room: ROOM, limit: 20, except_origin: None };
    let questions = [("count all", count(0)), ("count half", count(rows / 2)), ("last 20 arrivals", last)];
    for (name, question) in questions {
        let started = Instant::now();
        for _ in 0..ASKED_TIMES {
            store.query(&question)?;
        }
        println!(
            "{name} of {rows}: {:.1} us",
            started.elapsed().as_secs_f64() * 1e6 / f64::from(ASKED_TIMES)
        );
    }
    let started = Instant::now();
    store.load()?;
    println!("load: {:.1} us", started.elapsed().as_secs_f64() * 1e6);
    Ok(())
}

fn after_checkpoint(store: &mut SqliteStore) -> Result<String, Box<dyn Error>> {
    store.checkpoint()?;
    Ok(resident().unwrap_or_default())
}

/// Where the system tells it.
fn resident() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().to_owned())
}
