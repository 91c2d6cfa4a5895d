#![allow(clippy::unwrap_used, clippy::expect_used)]

//! Whatever is written, both backends give the same answers, before and after the file is opened again. Must not know
//! what the right answer is: `conformance.rs` does.

mod common;

use std::path::Path;

use common::{chain, id, key, room};
use parlor_core::persist::{DataRow, Op, Query, Standing, Table};
use parlor_store::{MemoryStore, OpenMode, SqliteStore, Store};
use parlor_wire::{EntryId, KeyId, RoomId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use zeroize::Zeroizing;

/// One thing that happens to both stores.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Op>),
    Ask(Query),
    Prune(u64),
    Checkpoint,
    /// The program ends and begins again.
    Restart,
}

// Few names, so that most operations meet something.
fn a_room() -> impl Strategy<Value = RoomId> {
    (1..3_u8).prop_map(room)
}

fn an_id() -> impl Strategy<Value = EntryId> {
    (0..32_u64).prop_map(id)
}

fn a_chain() -> impl Strategy<Value = EntryId> {
    (1..4_u8).prop_map(chain)
}

fn a_key() -> impl Strategy<Value = KeyId> {
    (1..4_u8).prop_map(key)
}

fn an_origin() -> impl Strategy<Value = Option<String>> {
    option::of("[ab]")
}

fn a_table() -> impl Strategy<Value = Table> {
    prop_oneof![2 => Just(Table::Request), 1 => Just(Table::Own), 1 => Just(Table::Cursor)]
}

fn a_name() -> impl Strategy<Value = Vec<u8>> {
    vec(0..3_u8, 0..2)
}

/// Mostly possible; arrival numbers from several thousands, so that all ranges of counts are met.
fn a_standing() -> impl Strategy<Value = (Standing, Option<u64>)> {
    prop_oneof![
        60 => (1..12_000_u64).prop_map(|arrival| (Standing::Arrived, Some(arrival))),
        40 => Just((Standing::Waiting, None)),
        10 => Just((Standing::Consumed, None)),
        10 => Just((Standing::Unopenable, None)),
        1 => Just((Standing::Arrived, None)),
        1 => (1..3_u64).prop_map(|arrival| (Standing::Arrived, Some(arrival))),
    ]
}

fn a_row() -> impl Strategy<Value = DataRow> {
    let place = (a_room(), an_id(), a_chain(), 0..5_u64, a_key());
    let rest = (vec(any::<u8>(), 0..20), 0..6_u64, a_standing(), any::<bool>(), an_origin());
    (place, rest).prop_map(|((room, id, chain, seq, key), (bytes, sort_ms, standing, history, origin))| {
        let (standing, arrival) = standing;
        // Any entry may be marked; the number of a place is as good a coin as any.
        let sealed_unfit = seq % 2 == 1;
        DataRow {
            room,
            id,
            chain,
            seq,
            key,
            bytes,
            sort_ms,
            standing,
            arrival,
            history,
            sealed_unfit,
            origin,
        }
    })
}

fn an_op() -> impl Strategy<Value = Op> {
    let put_key = |(room, id, value)| Op::PutKey { room, id, key: Zeroizing::new([value; 32]) };
    prop_oneof![
        2 => (a_room(), an_id(), vec(any::<u8>(), 0..9))
            .prop_map(|(room, id, bytes)| Op::PutControl { room, id, bytes }),
        12 => a_row().prop_map(Op::PutData),
        1 => (a_room(), an_id(), a_standing()).prop_map(|(room, id, (standing, arrival))| {
            Op::SetStanding { room, id, standing, arrival }
        }),
        1 => (a_room(), a_key(), any::<u8>()).prop_map(put_key),
        2 => (a_table(), a_name(), a_name()).prop_map(|(table, key, value)| Op::Put { table, key, value }),
        1 => (a_table(), a_name()).prop_map(|(table, key)| Op::Delete { table, key }),
    ]
}

/// Standings of entries that are there: to write anything else is impossible, and tried above.
fn standings_of(rows: Vec<(DataRow, (Standing, Option<u64>))>) -> Vec<Op> {
    let set = |(row, (standing, arrival)): (DataRow, _)| {
        let set = Op::SetStanding { room: row.room, id: row.id, standing, arrival };
        [Op::PutData(row), set]
    };
    rows.into_iter().flat_map(set).collect()
}

fn a_number_after() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..130_u64, 0..13_000_u64, Just(u64::MAX)]
}

fn a_query() -> impl Strategy<Value = Query> {
    let limit = || 0..9_u32;
    let arrivals = || (a_room(), a_number_after(), limit(), an_origin(), any::<bool>());
    let places = (a_room(), a_chain(), 0..5_u64, 0..6_u64, limit(), 0..60_usize);
    prop_oneof![
        arrivals().prop_map(|(room, after, limit, except_origin, without_history)| {
            Query::Arrivals { room, after, limit, except_origin, without_history }
        }),
        arrivals().prop_map(|(room, after, _, except_origin, without_history)| {
            Query::CountArrivals { room, after, except_origin, without_history }
        }),
        arrivals().prop_map(|(room, _, limit, except_origin, _)| Query::LastArrivals {
            room,
            limit,
            except_origin
        }),
        (a_room(), 0..7_u64, limit()).prop_map(|(room, since_ms, limit)| Query::Newest {
            room,
            since_ms,
            limit
        }),
        places.prop_map(|(room, chain, from_seq, to_seq, limit, limit_bytes)| {
            Query::Chain { room, chain, from_seq, to_seq, limit, limit_bytes }
        }),
        (a_room(), vec(an_id(), 0..9)).prop_map(|(room, ids)| Query::Known { room, ids }),
        (a_room(), vec(an_id(), 0..9)).prop_map(|(room, ids)| Query::Entries { room, ids }),
        (option::of(a_room()), an_id(), an_id(), limit())
            .prop_map(|(room, low, high, limit)| Query::Between { room, low, high, limit }),
        (a_room(), option::of(a_key()), option::of(a_chain()), 0..4_u64, limit()).prop_map(
            |(room, key, chain, from_seq, limit)| Query::Waiting { room, key, chain, from_seq, limit }
        ),
        (a_table(), a_name()).prop_map(|(table, key)| Query::Record { table, key }),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => vec(an_op(), 0..12).prop_map(Step::Commit),
        2 => vec((a_row(), a_standing()), 1..6).prop_map(|rows| Step::Commit(standings_of(rows))),
        12 => a_query().prop_map(Step::Ask),
        1 => (0..4_u64).prop_map(Step::Prune),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ]
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, OpenMode::Create).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_backends_give_the_same_answers_whatever_happens(steps in vec(a_step(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let mut memory = MemoryStore::new();
        let mut sqlite = open(&path);
        for step in steps {
            match step {
                Step::Commit(ops) => {
                    let written = memory.commit(&ops);
                    prop_assert_eq!(&sqlite.commit(&ops), &written);
                    if written.is_err() {
                        memory.reopen().unwrap();
                        sqlite.reopen().unwrap();
                    }
                }
                Step::Ask(query) => prop_assert_eq!(sqlite.query(&query), memory.query(&query), "{:?}", query),
                Step::Prune(keep) => prop_assert_eq!(sqlite.prune_requests(keep), memory.prune_requests(keep)),
                Step::Checkpoint => prop_assert_eq!(sqlite.checkpoint(), memory.checkpoint()),
                Step::Restart => {
                    drop(sqlite);
                    sqlite = open(&path);
                }
            }
        }
        prop_assert_eq!(sqlite.load(), memory.load());
        drop(sqlite);
        let mut sqlite = open(&path);
        prop_assert_eq!(sqlite.load(), memory.load());
        prop_assert_eq!(sqlite.examine(), Ok(()));
    }
}
