#![allow(clippy::unwrap_used, clippy::expect_used)]

//! What every backend does, as functions over a store that is empty when they begin; each runs for each backend.
//! Must not use anything but the trait.

mod common;

use common::{
    arrived, chain, control, count, everything, found, id, key, put, record, room, rows, standing, waiting,
};
use parlor_core::persist::{DataRow, Loaded, Op, Query, RoomSnapshot, Snapshot, Standing, Table};
use parlor_store::{MemoryStore, OpenMode, SqliteStore, Store, StoreError};
use parlor_wire::{EntryId, RoomId};
use zeroize::Zeroizing;

/// Runs each of the functions named for each backend.
macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $name() { super::$name(&mut super::MemoryStore::new()); })*
        }
        mod sqlite {
            $(#[test] fn $name() {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("store.db");
                super::$name(&mut super::SqliteStore::open(&path, super::OpenMode::Create).unwrap());
            })*
        }
    };
}

conformance!(
    an_empty_store_has_nothing_to_say,
    an_empty_batch_is_written,
    control_is_kept_in_the_order_written_and_once,
    a_data_entry_put_twice_stays_as_it_was,
    a_room_key_put_twice_stays_as_it_was,
    a_record_replaces_the_one_before_and_can_be_forgotten,
    requests_are_asked_for_one_by_one_and_the_oldest_are_pruned,
    a_snapshot_names_rooms_with_control_or_keys_only,
    a_waiting_entry_finds_its_standing,
    arrivals_come_in_their_order_after_a_number,
    arrivals_leave_out_own_words_and_history,
    arrivals_are_counted_over_thousands,
    last_arrivals_come_oldest_first,
    wound_10_a_stamp_from_the_future_hides_no_later_arrival,
    the_newest_are_by_sort_and_then_by_id,
    a_chain_gives_all_branches_by_place_and_id,
    a_chain_stops_after_the_bytes_are_exceeded,
    known_entries_come_without_bytes,
    entries_by_id_are_those_arrived_by_arrival_and_whole,
    between_two_ids_are_arrived_entries_of_one_room_or_all,
    waiting_entries_are_found_by_key_and_chain,
    the_largest_numbers_and_bodies_are_kept,
    an_impossible_batch_leaves_nothing,
    after_a_failed_commit_nothing_goes_until_reopened,
    an_answer_says_only_what_its_room_holds,
);

/// No arrival, no place. Its type is said because other numbers could be compared, too.
const NONE: [u64; 0] = [];
const ANY: EntryId = EntryId([0; 32]);
const LAST: EntryId = EntryId([255; 32]);

fn arrivals(after: u64, limit: u32) -> Query {
    Query::Arrivals { room: room(1), after, limit, except_origin: None, without_history: false }
}

fn counted(after: u64, except_origin: Option<&str>, without_history: bool) -> Query {
    let except_origin = except_origin.map(str::to_owned);
    Query::CountArrivals { room: room(1), after, except_origin, without_history }
}

fn newest(since_ms: u64, limit: u32) -> Query {
    Query::Newest { room: room(1), since_ms, limit }
}

fn places(from_seq: u64, to_seq: u64, limit: u32, limit_bytes: usize) -> Query {
    Query::Chain { room: room(1), chain: chain(1), from_seq, to_seq, limit, limit_bytes }
}

fn put_record(table: Table, key: &[u8], value: &[u8]) -> Op {
    Op::Put { table, key: key.to_vec(), value: value.to_vec() }
}

fn record_of(table: Table, key: &[u8]) -> Query {
    Query::Record { table, key: key.to_vec() }
}

fn an_empty_store_has_nothing_to_say(store: &mut dyn Store) {
    assert_eq!(store.load(), Ok(Snapshot::default()));
    assert_eq!(found(store, &arrivals(0, 10)), NONE);
    assert_eq!(count(store, &counted(0, None, false)), 0);
    assert_eq!(found(store, &newest(0, 10)), NONE);
    assert_eq!(found(store, &places(0, 10, 10, 100)), NONE);
    assert_eq!(found(store, &Query::Known { room: room(1), ids: vec![id(1)] }), NONE);
    assert_eq!(found(store, &Query::Between { room: None, low: ANY, high: LAST, limit: 10 }), NONE);
    assert_eq!(record(store, &record_of(Table::Own, b"nick")), None);
    assert_eq!(store.prune_requests(0), Ok(0));
    assert_eq!(store.checkpoint(), Ok(()));
}

fn an_empty_batch_is_written(store: &mut dyn Store) {
    assert_eq!(store.commit(&[]), Ok(()));
    assert_eq!(store.load(), Ok(Snapshot::default()));
}

fn control_is_kept_in_the_order_written_and_once(store: &mut dyn Store) {
    store.commit(&[control(room(1), 9), control(room(2), 5), control(room(1), 3)]).unwrap();
    let other_bytes = Op::PutControl { room: room(1), id: id(9), bytes: b"other".to_vec() };
    store.commit(&[other_bytes, control(room(1), 7), control(room(1), 3)]).unwrap();
    let rooms = store.load().unwrap().rooms;
    let control_of =
        |place: usize| -> Vec<&[u8]> { rooms[place].control.iter().map(Vec::as_slice).collect() };
    assert_eq!(rooms.iter().map(|each| each.room).collect::<Vec<_>>(), [room(1), room(2)]);
    assert_eq!(control_of(0), [b"control 9", b"control 3", b"control 7"]);
    assert_eq!(control_of(1), [b"control 5"]);
}

fn a_data_entry_put_twice_stays_as_it_was(store: &mut dyn Store) {
    store.commit(&put([arrived(1)])).unwrap();
    let before = everything(store);
    let otherwise = DataRow { bytes: b"other".to_vec(), sort_ms: 5, key: key(9), ..waiting(1) };
    let arrived_otherwise = DataRow { arrival: Some(7), origin: Some("own".to_owned()), ..arrived(1) };
    store.commit(&put([otherwise, arrived_otherwise, arrived(1)])).unwrap();
    assert_eq!(everything(store), before);
    assert_eq!(rows(store, &arrivals(0, 10)), [arrived(1)]);
    assert_eq!(count(store, &counted(0, None, false)), 1);
}

fn a_room_key_put_twice_stays_as_it_was(store: &mut dyn Store) {
    let put_key = |number: u8, value: u8| Op::PutKey {
        room: room(1),
        id: key(number),
        key: Zeroizing::new([value; 32]),
    };
    store.commit(&[put_key(2, 20), put_key(1, 10), put_key(2, 99)]).unwrap();
    store.commit(&[put_key(1, 99)]).unwrap();
    let keys = &store.load().unwrap().rooms[0].keys;
    assert_eq!(keys, &[(key(1), Zeroizing::new([10; 32])), (key(2), Zeroizing::new([20; 32]))]);
}

fn a_record_replaces_the_one_before_and_can_be_forgotten(store: &mut dyn Store) {
    store
        .commit(&[
            put_record(Table::Peer, b"b", b"1"),
            put_record(Table::Own, b"nick", b"alice"),
            put_record(Table::Peer, b"a", b"2"),
            put_record(Table::Own, b"", b""),
            put_record(Table::Own, b"nick", b"bob"),
        ])
        .unwrap();
    let forget = |table, key: &[u8]| Op::Delete { table, key: key.to_vec() };
    store.commit(&[forget(Table::Peer, b"b"), forget(Table::Peer, b"unknown")]).unwrap();
    let expected = [(Table::Own, "", ""), (Table::Own, "nick", "bob"), (Table::Peer, "a", "2")];
    let expected =
        expected.map(|(table, key, value)| (table, key.as_bytes().to_vec(), value.as_bytes().to_vec()));
    assert_eq!(store.load().unwrap().records, expected);
    assert_eq!(record(store, &record_of(Table::Own, b"nick")), Some(b"bob".to_vec()));
    assert_eq!(record(store, &record_of(Table::Own, b"")), Some(Vec::new()));
    assert_eq!(record(store, &record_of(Table::Peer, b"b")), None);
    assert_eq!(record(store, &record_of(Table::Room, b"nick")), None);
}

fn requests_are_asked_for_one_by_one_and_the_oldest_are_pruned(store: &mut dyn Store) {
    let put_request = |number: u8| put_record(Table::Request, &[number], &[number]);
    let kept = |store: &mut dyn Store| -> Vec<u8> {
        (0..10).filter(|number| record(store, &record_of(Table::Request, &[*number])).is_some()).collect()
    };
    // Written in falling order, so that age and key differ; the oldest is written again and stays the oldest.
    store.commit(&[put_request(5), put_request(4), put_request(3)]).unwrap();
    store.commit(&[put_request(2), put_record(Table::Request, &[5], b"again"), put_request(1)]).unwrap();
    assert_eq!(store.load().unwrap().records, []);
    assert_eq!(record(store, &record_of(Table::Request, &[5])), Some(b"again".to_vec()));
    assert_eq!(store.prune_requests(u64::MAX), Ok(0));
    assert_eq!(store.prune_requests(5), Ok(0));
    assert_eq!(store.prune_requests(3), Ok(2));
    assert_eq!(kept(store), [1, 2, 3]);
    store.commit(&[Op::Delete { table: Table::Request, key: vec![2] }, put_request(9)]).unwrap();
    assert_eq!(store.prune_requests(2), Ok(1));
    assert_eq!(kept(store), [1, 9]);
    assert_eq!(store.prune_requests(0), Ok(2));
    assert!(kept(store).is_empty());
}

fn a_snapshot_names_rooms_with_control_or_keys_only(store: &mut dyn Store) {
    store
        .commit(&[
            Op::PutData(arrived(1)),
            Op::PutKey { room: room(3), id: key(1), key: Zeroizing::new([1; 32]) },
            control(room(2), 1),
            Op::PutData(DataRow { room: room(2), ..arrived(4) }),
        ])
        .unwrap();
    let rooms = store.load().unwrap().rooms;
    let empty = |number| RoomSnapshot {
        room: room(number),
        control: Vec::new(),
        keys: Vec::new(),
        arrivals: 0,
        waiting: Vec::new(),
    };
    let with_control = RoomSnapshot { control: vec![b"control 1".to_vec()], arrivals: 4, ..empty(2) };
    let with_key = RoomSnapshot { keys: vec![(key(1), Zeroizing::new([1; 32]))], ..empty(3) };
    assert_eq!(rooms, [with_control, with_key]);
}

fn a_waiting_entry_finds_its_standing(store: &mut dyn Store) {
    let under = |number: u64, key_number: u8| DataRow { key: key(key_number), ..waiting(number) };
    let in_chain = |number: u64, chain_number: u8| DataRow { chain: chain(chain_number), ..waiting(number) };
    let mut ops = vec![control(room(1), 1)];
    ops.extend(put([under(1, 2), under(2, 1), under(3, 2), in_chain(4, 3), under(5, 2)]));
    store.commit(&ops).unwrap();
    let snapshot = |store: &mut dyn Store| store.load().unwrap().rooms.remove(0);
    assert_eq!(snapshot(store).waiting, [(key(1), chain(1)), (key(1), chain(3)), (key(2), chain(1))]);
    assert_eq!(snapshot(store).arrivals, 0);

    let arrives = standing(3, Standing::Arrived, Some(1));
    let others = [standing(2, Standing::Consumed, None), standing(4, Standing::Unopenable, None)];
    store.commit(&[arrives.clone(), others[0].clone(), others[1].clone()]).unwrap();
    assert_eq!(snapshot(store).waiting, [(key(2), chain(1))]);
    assert_eq!(snapshot(store).arrivals, 1);
    let expected = DataRow { standing: Standing::Arrived, arrival: Some(1), ..under(3, 2) };
    assert_eq!(rows(store, &arrivals(0, 10)), [expected]);
    let standings = rows(store, &Query::Known { room: room(1), ids: (1..=5).map(id).collect() });
    let standings: Vec<Standing> = standings.iter().map(|row| row.standing).collect();
    let [waits, gone, here, never] =
        [Standing::Waiting, Standing::Consumed, Standing::Arrived, Standing::Unopenable];
    assert_eq!(standings, [waits, gone, here, never, waits]);

    // The same again changes nothing; a standing can be taken back.
    store.commit(&[arrives]).unwrap();
    assert_eq!(count(store, &counted(0, None, false)), 1);
    store.commit(&[standing(3, Standing::Waiting, None)]).unwrap();
    assert_eq!(count(store, &counted(0, None, false)), 0);
    assert_eq!(snapshot(store).arrivals, 0);
}

fn arrivals_come_in_their_order_after_a_number(store: &mut dyn Store) {
    // Ids run against the arrivals.
    let rows: Vec<DataRow> =
        (1..=9).map(|number| DataRow { arrival: Some(10 - number), ..arrived(number) }).collect();
    store.commit(&put(rows)).unwrap();
    assert_eq!(found(store, &arrivals(0, 3)), [9, 8, 7]);
    assert_eq!(found(store, &arrivals(6, 100)), [3, 2, 1]);
    assert_eq!(found(store, &arrivals(9, 100)), NONE);
    assert_eq!(found(store, &arrivals(u64::MAX, 100)), NONE);
    assert_eq!(found(store, &arrivals(0, 0)), NONE);
    for (after, left) in [(0, 9), (8, 1), (9, 0), (u64::MAX, 0)] {
        assert_eq!(count(store, &counted(after, None, false)), left, "after {after}");
    }
}

fn arrivals_leave_out_own_words_and_history(store: &mut dyn Store) {
    let by = |number, origin: &str| DataRow { origin: Some(origin.to_owned()), ..arrived(number) };
    let old = |row: DataRow| DataRow { history: true, ..row };
    store
        .commit(&put([
            old(arrived(1)),
            old(by(2, "a")),
            by(3, "a"),
            by(4, "b"),
            arrived(5),
            by(6, "a"),
            by(7, ""),
        ]))
        .unwrap();
    let asked = |except: Option<&str>, without_history| Query::Arrivals {
        room: room(1),
        after: 0,
        limit: 10,
        except_origin: except.map(str::to_owned),
        without_history,
    };
    let cases: [(Option<&str>, bool, &[u64]); 7] = [
        (None, false, &[1, 2, 3, 4, 5, 6, 7]),
        (None, true, &[3, 4, 5, 6, 7]),
        (Some("a"), false, &[1, 4, 5, 7]),
        (Some("a"), true, &[4, 5, 7]),
        (Some("b"), true, &[3, 5, 6, 7]),
        (Some(""), false, &[1, 2, 3, 4, 5, 6]),
        (Some("unknown"), false, &[1, 2, 3, 4, 5, 6, 7]),
    ];
    for (except, without_history, expected) in cases {
        let case = format!("{except:?} {without_history}");
        assert_eq!(found(store, &asked(except, without_history)), expected, "{case}");
        let counted = counted(0, except, without_history);
        assert_eq!(count(store, &counted), expected.len() as u64, "{case}");
    }
}

fn arrivals_are_counted_over_thousands(store: &mut dyn Store) {
    const ENTRIES: u64 = 9_000;
    let own = |number: u64| number.is_multiple_of(3);
    let old = |number: u64| number <= 5_000 && number.is_multiple_of(2);
    let row = |number: u64| DataRow {
        history: old(number),
        origin: own(number).then(|| "own".to_owned()),
        ..arrived(number)
    };
    store.commit(&put((1..=ENTRIES).map(row))).unwrap();
    for after in
        [0, 1, 62, 63, 64, 127, 128, 4094, 4095, 4096, 4160, 4999, 8191, 8192, 8193, 8990, 9000, 9001]
    {
        for except in [None, Some("own")] {
            for without_history in [false, true] {
                let is_counted =
                    |number: &u64| !((except.is_some() && own(*number)) || (without_history && old(*number)));
                let expected = (after + 1..=ENTRIES).filter(is_counted).count() as u64;
                let counted = counted(after, except, without_history);
                assert_eq!(count(store, &counted), expected, "{counted:?}");
            }
        }
    }
    store.commit(&[standing(8_000, Standing::Waiting, None)]).unwrap();
    assert_eq!(count(store, &counted(0, None, false)), ENTRIES - 1);
    assert_eq!(count(store, &counted(8_000, None, false)), ENTRIES - 8_000);
}

fn last_arrivals_come_oldest_first(store: &mut dyn Store) {
    let own = |number| DataRow { origin: Some("own".to_owned()), ..arrived(number) };
    store.commit(&put([arrived(1), arrived(2), own(3), arrived(4), own(5), waiting(6)])).unwrap();
    let last = |limit, except: Option<&str>| Query::LastArrivals {
        room: room(1),
        limit,
        except_origin: except.map(str::to_owned),
    };
    assert_eq!(found(store, &last(3, None)), [3, 4, 5]);
    assert_eq!(found(store, &last(2, Some("own"))), [2, 4]);
    assert_eq!(found(store, &last(100, Some("unknown"))), [1, 2, 3, 4, 5]);
    assert_eq!(found(store, &last(0, None)), NONE);
}

fn wound_10_a_stamp_from_the_future_hides_no_later_arrival(store: &mut dyn Store) {
    let at = |number, sort_ms| DataRow { sort_ms, ..arrived(number) };
    store.commit(&put([at(1, 1_000), at(2, u64::MAX), at(3, 0)])).unwrap();
    assert_eq!(found(store, &arrivals(2, 10)), [3]);
    assert_eq!(count(store, &counted(2, None, false)), 1);
    let last = Query::LastArrivals { room: room(1), limit: 1, except_origin: None };
    assert_eq!(found(store, &last), [3]);
}

fn the_newest_are_by_sort_and_then_by_id(store: &mut dyn Store) {
    let at = |number, sort_ms| DataRow { sort_ms, ..arrived(number) };
    store.commit(&put([at(4, 20), at(2, 20), at(3, 10), at(1, 30), at(5, 20)])).unwrap();
    store.commit(&put([DataRow { sort_ms: 90, ..waiting(9) }])).unwrap();
    assert_eq!(found(store, &newest(0, 10)), [3, 2, 4, 5, 1]);
    assert_eq!(found(store, &newest(0, 3)), [4, 5, 1]);
    assert_eq!(found(store, &newest(20, 10)), [2, 4, 5, 1]);
    assert_eq!(found(store, &newest(21, 10)), [1]);
    assert_eq!(found(store, &newest(u64::MAX, 10)), NONE);
    assert_eq!(found(store, &newest(0, 0)), NONE);
}

/// Places 0 to 3 of chain 1, with a fork at 1 and 2, and a place of chain 2.
fn forked() -> Vec<Op> {
    let at = |number, seq| DataRow { seq, bytes: vec![1; 10], ..waiting(number) };
    let elsewhere = DataRow { chain: chain(2), ..at(7, 1) };
    put([at(9, 0), at(5, 1), at(3, 1), at(4, 2), at(6, 2), at(1, 3), elsewhere])
}

fn a_chain_gives_all_branches_by_place_and_id(store: &mut dyn Store) {
    store.commit(&forked()).unwrap();
    store.commit(&[standing(5, Standing::Arrived, Some(1)), standing(4, Standing::Consumed, None)]).unwrap();
    let all = usize::MAX;
    assert_eq!(found(store, &places(0, u64::MAX, 10, all)), [9, 3, 5, 4, 6, 1]);
    assert_eq!(found(store, &places(1, 1, 10, all)), [3, 5]);
    assert_eq!(found(store, &places(1, 2, 3, all)), [3, 5, 4]);
    assert_eq!(found(store, &places(4, 9, 10, all)), NONE);
    assert_eq!(found(store, &places(2, 1, 10, all)), NONE);
    assert_eq!(found(store, &places(0, 9, 0, all)), NONE);
}

fn a_chain_stops_after_the_bytes_are_exceeded(store: &mut dyn Store) {
    store.commit(&forked()).unwrap();
    for (limit_bytes, expected) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (59, 6), (1000, 6)] {
        assert_eq!(found(store, &places(0, 9, 10, limit_bytes)).len(), expected, "{limit_bytes}");
    }
    assert_eq!(found(store, &places(0, 9, 2, 1000)), [9, 3]);
}

fn known_entries_come_without_bytes(store: &mut dyn Store) {
    let own = DataRow { origin: Some("own".to_owned()), history: true, ..arrived(3) };
    store.commit(&put([own.clone(), waiting(1), waiting(2)])).unwrap();
    let asked = Query::Known { room: room(1), ids: vec![id(3), id(8), id(1), id(3)] };
    let bare = |row: DataRow| DataRow { bytes: Vec::new(), ..row };
    assert_eq!(rows(store, &asked), [bare(waiting(1)), bare(own)]);
    assert_eq!(found(store, &Query::Known { room: room(1), ids: Vec::new() }), NONE);
}

fn entries_by_id_are_those_arrived_by_arrival_and_whole(store: &mut dyn Store) {
    let late = DataRow { arrival: Some(9), ..arrived(1) };
    store.commit(&put([late.clone(), arrived(3), waiting(2)])).unwrap();
    let asked = Query::Entries { room: room(1), ids: vec![id(1), id(8), id(2), id(3), id(1)] };
    assert_eq!(rows(store, &asked), [arrived(3), late]);
    assert_eq!(found(store, &Query::Entries { room: room(2), ids: vec![id(1)] }), NONE);
}

fn between_two_ids_are_arrived_entries_of_one_room_or_all(store: &mut dyn Store) {
    let elsewhere = |number| DataRow { room: room(2), ..arrived(number) };
    store.commit(&put([arrived(3), arrived(1), waiting(2), arrived(4), elsewhere(3), elsewhere(2)])).unwrap();
    let between = |room, low, high, limit| Query::Between { room, low: id(low), high: id(high), limit };
    assert_eq!(found(store, &between(Some(room(1)), 1, 3, 10)), [1, 3]);
    assert_eq!(found(store, &between(Some(room(1)), 0, 9, 2)), [1, 3]);
    assert_eq!(found(store, &between(Some(room(1)), 4, 1, 10)), NONE);
    assert_eq!(found(store, &between(None, 2, 2, 10)), [2]);
    let all: Vec<(u64, RoomId)> =
        rows(store, &between(None, 1, 9, 4)).iter().map(|row| (row.seq, row.room)).collect();
    assert_eq!(all, [(1, room(1)), (2, room(2)), (3, room(1)), (3, room(2))]);
}

fn waiting_entries_are_found_by_key_and_chain(store: &mut dyn Store) {
    let of = |number, chain_number, seq, key_number| DataRow {
        chain: chain(chain_number),
        seq,
        key: key(key_number),
        ..waiting(number)
    };
    store
        .commit(&put([
            of(1, 2, 5, 1),
            of(2, 2, 4, 2),
            of(3, 1, 9, 1),
            of(4, 2, 5, 2),
            of(5, 1, 8, 2),
            arrived(6),
        ]))
        .unwrap();
    let asked = |key_number: Option<u8>, chain_number: Option<u8>, limit| Query::Waiting {
        room: room(1),
        key: key_number.map(key),
        chain: chain_number.map(chain),
        from_seq: 0,
        limit,
    };
    let from = |key_number: Option<u8>, from_seq| Query::Waiting {
        room: room(1),
        key: key_number.map(key),
        chain: Some(chain(2)),
        from_seq,
        limit: 10,
    };
    assert_eq!(found(store, &from(None, 4)), [2, 1, 4]);
    assert_eq!(found(store, &from(None, 5)), [1, 4]);
    assert_eq!(found(store, &from(Some(2), 5)), [4]);
    assert_eq!(found(store, &from(Some(2), 6)), NONE);
    assert_eq!(found(store, &asked(None, None, 10)), [5, 3, 2, 1, 4]);
    assert_eq!(found(store, &asked(Some(2), None, 10)), [5, 2, 4]);
    assert_eq!(found(store, &asked(None, Some(2), 10)), [2, 1, 4]);
    assert_eq!(found(store, &asked(Some(2), Some(2), 10)), [2, 4]);
    assert_eq!(found(store, &asked(Some(1), Some(3), 10)), NONE);
    for (key_number, chain_number) in [(None, None), (Some(2), None), (None, Some(2)), (Some(2), Some(2))] {
        assert_eq!(found(store, &asked(key_number, chain_number, 1)).len(), 1);
    }
}

fn the_largest_numbers_and_bodies_are_kept(store: &mut dyn Store) {
    let high =
        |number, seq, sort_ms, arrival| DataRow { seq, sort_ms, arrival: Some(arrival), ..arrived(number) };
    let last = 1 << 62;
    let large = DataRow { bytes: vec![7; 80 * 1024], ..high(1, u64::MAX, u64::MAX, last) };
    let rows_put = [
        large,
        high(2, 1 << 63, 1 << 63, last - 1),
        high(3, i64::MAX as u64, i64::MAX as u64, last - 2),
        high(4, 0, 0, 1),
    ];
    let control = Op::PutControl { room: room(1), id: id(1), bytes: vec![8; 384 * 1024] };
    store.commit(&[put(rows_put.clone()), vec![control]].concat()).unwrap();
    assert_eq!(found(store, &places(0, u64::MAX, 10, usize::MAX)), [4, 3, 2, 1]);
    assert_eq!(found(store, &places(1 << 63, u64::MAX, 10, usize::MAX)), [2, 1]);
    assert_eq!(found(store, &newest(1 << 63, 10)), [2, 1]);
    assert_eq!(found(store, &newest(u64::MAX, 10)), [1]);
    assert_eq!(found(store, &arrivals(1, 10)), [3, 2, 1]);
    assert_eq!(count(store, &counted(last - 3, None, false)), 3);
    assert_eq!(count(store, &counted(last - 1, None, false)), 1);
    assert_eq!(rows(store, &arrivals(last - 1, 10)), rows_put[..1]);
    let snapshot = store.load().unwrap();
    assert_eq!(snapshot.rooms[0].arrivals, last);
    assert_eq!(snapshot.rooms[0].control[0].len(), 384 * 1024);
}

/// Batches of which the last operation cannot be: each begins with things that can.
fn impossible_batches() -> Vec<Vec<Op>> {
    let last_ops = [
        standing(99, Standing::Consumed, None),
        Op::SetStanding { room: room(9), id: id(1), standing: Standing::Consumed, arrival: None },
        standing(1, Standing::Arrived, Some(2)),
        standing(1, Standing::Arrived, None),
        standing(1, Standing::Waiting, Some(7)),
        standing(1, Standing::Arrived, Some(0)),
        standing(1, Standing::Arrived, Some((1 << 62) + 1)),
        Op::PutData(DataRow { arrival: Some(2), ..arrived(50) }),
        Op::PutData(DataRow { arrival: None, ..arrived(50) }),
        Op::PutData(DataRow { arrival: Some(9), ..waiting(50) }),
    ];
    let possible = [
        control(room(1), 40),
        control(room(7), 41),
        Op::PutData(DataRow { origin: Some("new".to_owned()), ..arrived(42) }),
        Op::PutData(waiting(43)),
        standing(43, Standing::Arrived, Some(43)),
        standing(3, Standing::Consumed, None),
        Op::PutKey { room: room(1), id: key(4), key: Zeroizing::new([4; 32]) },
        put_record(Table::Own, b"nick", b"new"),
        put_record(Table::Own, b"other", b"new"),
        put_record(Table::Request, b"old", b"new"),
        put_record(Table::Request, b"new", b"new"),
        Op::Delete { table: Table::Own, key: b"name".to_vec() },
        Op::Delete { table: Table::Request, key: b"done".to_vec() },
    ];
    last_ops.map(|last| [possible.as_slice(), &[last]].concat()).to_vec()
}

fn an_impossible_batch_leaves_nothing(store: &mut dyn Store) {
    store.commit(&put([waiting(1), arrived(2), arrived(3)])).unwrap();
    let records =
        [(Table::Own, "nick"), (Table::Own, "name"), (Table::Request, "old"), (Table::Request, "done")];
    let put_records = records.map(|(table, key)| put_record(table, key.as_bytes(), b"old"));
    store.commit(&[&put_records[..], &[control(room(1), 1)]].concat()).unwrap();
    let before = everything(store);
    for batch in impossible_batches() {
        let failed = store.commit(&batch);
        assert!(matches!(failed, Err(StoreError::Impossible(_))), "{:?}: {failed:?}", batch.last());
        store.reopen().unwrap();
        assert_eq!(everything(store), before, "{:?}", batch.last());
        assert_eq!(count(store, &counted(0, None, false)), 2);
        assert_eq!(
            found(store, &Query::Waiting { room: room(1), key: None, chain: None, from_seq: 0, limit: 9 }),
            [1]
        );
        for (table, key) in records {
            assert_eq!(record(store, &record_of(table, key.as_bytes())), Some(b"old".to_vec()), "{key}");
        }
        assert_eq!(record(store, &record_of(Table::Request, b"new")), None);
    }
    // What was taken back can be written after all.
    for batch in impossible_batches().iter().take(1) {
        store.commit(&batch[..batch.len() - 1]).unwrap();
    }
    assert_eq!(found(store, &arrivals(0, 9)), [2, 42, 43]);
    assert_eq!(store.prune_requests(1), Ok(1));
    assert_eq!(record(store, &record_of(Table::Request, b"new")), Some(b"new".to_vec()));
}

fn after_a_failed_commit_nothing_goes_until_reopened(store: &mut dyn Store) {
    store.commit(&put([arrived(1)])).unwrap();
    let failed = store.commit(&[standing(99, Standing::Consumed, None)]);
    assert!(matches!(failed, Err(StoreError::Impossible(_))), "{failed:?}");
    assert_eq!(store.load(), Err(StoreError::NeedsReopen));
    assert_eq!(store.commit(&put([arrived(2)])), Err(StoreError::NeedsReopen));
    assert_eq!(store.query(&arrivals(0, 9)), Err(StoreError::NeedsReopen));
    assert_eq!(store.prune_requests(1), Err(StoreError::NeedsReopen));
    assert_eq!(store.checkpoint(), Err(StoreError::NeedsReopen));
    store.reopen().unwrap();
    store.commit(&put([arrived(2)])).unwrap();
    assert_eq!(found(store, &arrivals(0, 9)), [1, 2]);
}

fn an_answer_says_only_what_its_room_holds(store: &mut dyn Store) {
    let elsewhere = |row: DataRow| DataRow { room: room(2), bytes: b"elsewhere".to_vec(), ..row };
    store.commit(&put([arrived(1), elsewhere(arrived(1)), waiting(2), elsewhere(waiting(3))])).unwrap();
    assert_eq!(rows(store, &arrivals(0, 9)), [arrived(1)]);
    assert_eq!(found(store, &places(0, 9, 9, 99)), [1, 2]);
    assert_eq!(found(store, &newest(0, 9)), [1]);
    assert_eq!(
        found(store, &Query::Waiting { room: room(1), key: None, chain: None, from_seq: 0, limit: 9 }),
        [2]
    );
    assert_eq!(store.query(&counted(0, None, false)), Ok(Loaded::Count(1)));
    let in_other =
        Query::Arrivals { room: room(2), after: 0, limit: 9, except_origin: None, without_history: false };
    assert_eq!(rows(store, &in_other), [elsewhere(arrived(1))]);
}

#[test]
fn the_memory_store_fails_when_told_to_and_a_clone_goes_its_own_way() {
    let mut store = MemoryStore::new();
    store.commit(&put([arrived(1)])).unwrap();
    store.fail_next_commit(StoreError::Full);
    assert_eq!(store.commit(&[]), Ok(()), "nothing to write, nothing to fail");
    assert_eq!(store.commit(&put([arrived(2)])), Err(StoreError::Full));
    assert_eq!(store.commit(&put([arrived(2)])), Err(StoreError::NeedsReopen));
    store.reopen().unwrap();
    let mut copy = store.clone();
    store.commit(&put([arrived(3)])).unwrap();
    assert_eq!(found(&mut store, &arrivals(0, 9)), [1, 3]);
    assert_eq!(found(&mut copy, &arrivals(0, 9)), [1]);
}
