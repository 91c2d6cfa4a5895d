//! What questions cost: no statement reads a whole table or sorts, and a long log costs what a short one does.

use parlor_core::persist::{DataRow, Loaded, Op, Query, Standing, Table};
use parlor_wire::{EntryId, KeyId, RoomId};
use rusqlite::StatementStatus;
use zeroize::Zeroizing;

use super::{OpenMode, SqliteStore, ask};
use crate::Store;

const ROOM: RoomId = RoomId([1; 32]);
/// More chains than one, as in every room.
const CHAINS: u64 = 5;
/// What a count may cost from anywhere: 63 entries and 63 ranges twice over, and a range per 4096 entries. Looking at
/// each of 50,000 entries would cost a hundred times as much.
const COUNT_STEPS: i64 = 2_500;
/// Every so many entries are waiting.
const WAITING_EVERY: u64 = 10;

#[test]
fn no_question_reads_a_whole_table_or_sorts() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_of(&directory.path().join("store.db"), 10);
    for sql in ask::RANGES {
        let plan = plan(&store, sql);
        assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}\n{plan:#?}");
        for step in &plan {
            assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{sql}\n{plan:#?}");
        }
    }
}

#[test]
fn a_snapshot_reads_no_data_entry_and_sorts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_of(&directory.path().join("store.db"), 10);
    for sql in ask::WHOLE {
        for step in plan(&store, sql) {
            assert!(!step.contains("data") && !step.contains("body"), "{sql}: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{sql}: {step}");
        }
    }
}

#[test]
fn wound_11_a_question_costs_the_same_with_100000_entries() {
    let directory = tempfile::tempdir().unwrap();
    let mut short = store_of(&directory.path().join("short.db"), 1_000);
    let mut long = store_of(&directory.path().join("long.db"), 100_000);
    for (name, question) in questions() {
        let (few, answer) = cost(&mut short, |store| size(&store.query(&question(1_000)).unwrap()));
        let (many, long_answer) = cost(&mut long, |store| size(&store.query(&question(100_000)).unwrap()));
        assert!(few > 0 && answer > 0, "{name}: {few} steps for {answer}");
        if name.starts_with("count") {
            assert!(many <= COUNT_STEPS, "{name}: {few} steps with 1,000 entries, {many} with 100,000");
        } else {
            assert_eq!(answer, long_answer, "{name}");
            assert!(many <= few * 2, "{name}: {few} steps with 1,000 entries, {many} with 100,000");
        }
    }
    let (few, _) = cost(&mut short, |store| store.load().unwrap().rooms.len());
    let (many, _) = cost(&mut long, |store| store.load().unwrap().rooms.len());
    assert!(many <= few * 2, "a snapshot: {few} steps with 1,000 entries, {many} with 100,000");
}

/// A question to a room with so many entries.
type Question = Box<dyn Fn(u64) -> Query>;

/// Questions about a room with so many entries, each by name.
fn questions() -> Vec<(&'static str, Question)> {
    let own = || Some("own".to_owned());
    let arrivals = move |after, except_origin, without_history| Query::Arrivals {
        room: ROOM,
        after,
        limit: 20,
        except_origin,
        without_history,
    };
    let count = move |after, except_origin, without_history| Query::CountArrivals {
        room: ROOM,
        after,
        except_origin,
        without_history,
    };
    vec![
        ("arrivals from the start", Box::new(move |_| arrivals(0, None, false))),
        ("arrivals that are not history", Box::new(move |_| arrivals(0, own(), true))),
        ("arrivals from the middle", Box::new(move |entries| arrivals(entries / 2, own(), false))),
        (
            "last arrivals",
            Box::new(move |_| Query::LastArrivals { room: ROOM, limit: 20, except_origin: own() }),
        ),
        ("count from the start", Box::new(move |_| count(0, own(), false))),
        ("count what is not history", Box::new(move |_| count(1, None, true))),
        ("count from the middle", Box::new(move |entries| count(entries / 2, own(), true))),
        ("newest", Box::new(|_| Query::Newest { room: ROOM, since_ms: 0, limit: 20 })),
        (
            "chain",
            Box::new(|entries| Query::Chain {
                room: ROOM,
                chain: chain(1),
                from_seq: entries / CHAINS / 2,
                to_seq: u64::MAX,
                limit: 20,
                limit_bytes: usize::MAX,
            }),
        ),
        ("known", Box::new(|_| Query::Known { room: ROOM, ids: (0..20).map(id).collect() })),
        ("between", Box::new(|_| Query::Between { room: None, low: id(1), high: id(1), limit: 20 })),
        (
            "waiting under a key",
            Box::new(|_| Query::Waiting {
                room: ROOM,
                key: Some(key(0)),
                chain: None,
                from_seq: 0,
                limit: 20,
            }),
        ),
        (
            "waiting",
            Box::new(|_| Query::Waiting { room: ROOM, key: None, chain: None, from_seq: 0, limit: 20 }),
        ),
        ("record", Box::new(|_| Query::Record { table: Table::Cursor, key: vec![1] })),
        ("request", Box::new(|_| Query::Record { table: Table::Request, key: vec![1] })),
    ]
}

fn size(loaded: &Loaded) -> u64 {
    match loaded {
        Loaded::Rows(rows) => rows.len() as u64,
        Loaded::Count(count) => *count,
        Loaded::Record(record) => u64::from(record.is_some()),
    }
}

/// A room with so many entries: half of them history, every tenth waiting, every seventh written here.
fn store_of(path: &std::path::Path, entries: u64) -> SqliteStore {
    let mut store = SqliteStore::open(path, OpenMode::Create).unwrap();
    let mut ops = vec![
        Op::PutControl { room: ROOM, id: EntryId(ROOM.0), bytes: vec![7; 300] },
        Op::PutKey { room: ROOM, id: key(0), key: Zeroizing::new([3; 32]) },
        Op::Put { table: Table::Cursor, key: vec![1], value: vec![2; 100] },
        Op::Put { table: Table::Request, key: vec![1], value: vec![2] },
    ];
    let mut arrivals = 0;
    for number in 0..entries {
        let waits = number % WAITING_EVERY == 0;
        arrivals += u64::from(!waits);
        ops.push(Op::PutData(DataRow {
            room: ROOM,
            id: id(number),
            chain: chain(number % CHAINS),
            seq: number / CHAINS,
            key: key(number % 2),
            bytes: vec![9; 40],
            sort_ms: number,
            standing: if waits { Standing::Waiting } else { Standing::Arrived },
            arrival: (!waits).then_some(arrivals),
            history: number < entries / 2,
            sealed_unfit: false,
            origin: (number % 7 == 0).then(|| "own".to_owned()),
        }));
    }
    store.commit(&ops).unwrap();
    store
}

/// Scattered like hashes are.
fn id(number: u64) -> EntryId {
    let mut bytes = [5; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    EntryId(bytes)
}

fn chain(number: u64) -> EntryId {
    EntryId([number as u8; 32])
}

fn key(number: u64) -> KeyId {
    KeyId([number as u8; 32])
}

fn plan(store: &SqliteStore, sql: &str) -> Vec<String> {
    let mut explain = store.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let unbound = vec![0_i64; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(unbound), |row| row.get(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

/// How many steps SQLite's machine takes for something, and what comes of it.
fn cost<T>(store: &mut SqliteStore, act: impl FnOnce(&mut SqliteStore) -> T) -> (i64, T) {
    let before = steps(store);
    let result = act(store);
    (steps(store) - before, result)
}

/// Steps of all statements so far: they stay prepared, and each keeps its own count.
fn steps(store: &SqliteStore) -> i64 {
    let all = ask::RANGES.iter().chain(ask::WHOLE);
    all.map(|sql| i64::from(store.conn.prepare_cached(sql).unwrap().get_status(StatementStatus::VmStep)))
        .sum()
}
