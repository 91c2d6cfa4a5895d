//! What tests of all backends build their stores from. Must not know a backend.

#![allow(dead_code)]

use parlor_core::persist::{DataRow, Loaded, Op, Query, Snapshot, Standing};
use parlor_store::Store;
use parlor_wire::{EntryId, KeyId, RoomId};

pub fn room(number: u8) -> RoomId {
    RoomId([number; 32])
}

pub fn id(number: u64) -> EntryId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    EntryId(bytes)
}

pub fn chain(number: u8) -> EntryId {
    EntryId([number; 32])
}

pub fn key(number: u8) -> KeyId {
    KeyId([number; 32])
}

/// A waiting entry of room 1, chain 1, under key 1, at the place of its number.
pub fn waiting(number: u64) -> DataRow {
    DataRow {
        room: room(1),
        id: id(number),
        chain: chain(1),
        seq: number,
        key: key(1),
        bytes: format!("body {number}").into_bytes(),
        sort_ms: 1000 + number,
        standing: Standing::Waiting,
        arrival: None,
        history: false,
        sealed_unfit: false,
        origin: None,
    }
}

/// The same, arrived as the one of its number.
pub fn arrived(number: u64) -> DataRow {
    DataRow { standing: Standing::Arrived, arrival: Some(number), ..waiting(number) }
}

pub fn put(rows: impl IntoIterator<Item = DataRow>) -> Vec<Op> {
    rows.into_iter().map(Op::PutData).collect()
}

pub fn control(room: RoomId, number: u64) -> Op {
    Op::PutControl { room, id: id(number), bytes: format!("control {number}").into_bytes() }
}

pub fn standing(number: u64, standing: Standing, arrival: Option<u64>) -> Op {
    Op::SetStanding { room: room(1), id: id(number), standing, arrival }
}

#[track_caller]
pub fn rows(store: &mut dyn Store, query: &Query) -> Vec<DataRow> {
    match store.query(query).unwrap() {
        Loaded::Rows(rows) => rows,
        other => panic!("{query:?} was answered by {other:?}"),
    }
}

/// The numbers of [`id`]s.
#[track_caller]
pub fn found(store: &mut dyn Store, query: &Query) -> Vec<u64> {
    let number = |row: &DataRow| u64::from_be_bytes(row.id.0[..8].try_into().unwrap());
    rows(store, query).iter().map(number).collect()
}

#[track_caller]
pub fn count(store: &mut dyn Store, query: &Query) -> u64 {
    match store.query(query).unwrap() {
        Loaded::Count(count) => count,
        other => panic!("{query:?} was answered by {other:?}"),
    }
}

#[track_caller]
pub fn record(store: &mut dyn Store, query: &Query) -> Option<Vec<u8>> {
    match store.query(query).unwrap() {
        Loaded::Record(record) => record,
        other => panic!("{query:?} was answered by {other:?}"),
    }
}

/// Everything arrived in room 1, and the snapshot: what may not change when a commit fails.
pub fn everything(store: &mut dyn Store) -> (Snapshot, Vec<DataRow>) {
    let all = Query::Between { room: None, low: EntryId([0; 32]), high: EntryId([255; 32]), limit: u32::MAX };
    (store.load().unwrap(), rows(store, &all))
}
