//! The store in memory, for simulators and tests: it can be cloned, and told to fail. Must give the same answers as
//! every other backend.

mod room;

use std::collections::BTreeMap;

use parlor_core::persist::{Loaded, Op, Query, RoomSnapshot, Snapshot, Standing, Table};
use parlor_wire::{EntryId, KeyId, RoomId};

use crate::{Store, StoreError, check};
use room::Room;

/// A store that lasts as long as its value: keep it to restart a node, clone it to copy one.
#[derive(Clone, Default)]
pub struct MemoryStore {
    kept: Kept,
    next_failure: Option<StoreError>,
    needs_reopen: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next commit that has something to write fail with this error.
    pub fn fail_next_commit(&mut self, error: StoreError) {
        self.next_failure = Some(error);
    }

    fn usable(&self) -> Result<(), StoreError> {
        if self.needs_reopen { Err(StoreError::NeedsReopen) } else { Ok(()) }
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.usable()?;
        Ok(self.kept.snapshot())
    }

    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.usable()?;
        if ops.is_empty() {
            return Ok(());
        }
        let result = match self.next_failure.take() {
            Some(error) => Err(error),
            None => self.kept.write(ops),
        };
        self.needs_reopen = result.is_err();
        result
    }

    fn query(&mut self, query: &Query) -> Result<Loaded, StoreError> {
        self.usable()?;
        Ok(self.kept.answer(query))
    }

    fn prune_requests(&mut self, keep: u64) -> Result<u64, StoreError> {
        self.usable()?;
        Ok(self.kept.requests.prune(keep))
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.usable()
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.usable()
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.needs_reopen = false;
        Ok(())
    }
}

/// Requests by id, and by when each was first written.
#[derive(Clone, Default)]
struct Requests {
    by_key: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    by_age: BTreeMap<u64, Vec<u8>>,
}

impl Requests {
    fn put(&mut self, key: &[u8], value: Vec<u8>) -> Option<Vec<u8>> {
        if let Some((_, kept)) = self.by_key.get_mut(key) {
            return Some(std::mem::replace(kept, value));
        }
        let number = self.by_age.last_key_value().map_or(1, |(last, _)| last + 1);
        self.insert(key, number, value);
        None
    }

    fn insert(&mut self, key: &[u8], number: u64, value: Vec<u8>) {
        self.by_age.insert(number, key.to_vec());
        self.by_key.insert(key.to_vec(), (number, value));
    }

    fn remove(&mut self, key: &[u8]) -> Option<(u64, Vec<u8>)> {
        let (number, value) = self.by_key.remove(key)?;
        self.by_age.remove(&number);
        Some((number, value))
    }

    fn prune(&mut self, keep: u64) -> u64 {
        let mut pruned = 0;
        while self.by_age.len() as u64 > keep {
            let Some((_, key)) = self.by_age.pop_first() else { break };
            self.by_key.remove(&key);
            pruned += 1;
        }
        pruned
    }
}

#[derive(Clone, Default)]
struct Kept {
    rooms: BTreeMap<RoomId, Room>,
    records: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    requests: Requests,
}

/// How one operation is taken back.
enum Undo {
    Control(RoomId),
    Data(RoomId, EntryId),
    Standing(RoomId, EntryId, Standing, Option<u64>),
    Key(RoomId, KeyId),
    Record(Table, Vec<u8>, Option<Vec<u8>>),
    PutRequest(Vec<u8>, Option<Vec<u8>>),
    DeleteRequest(Vec<u8>, u64, Vec<u8>),
}

impl Kept {
    fn write(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        let mut undos = Vec::new();
        for op in ops {
            match check::possible(op).and_then(|()| self.apply(op)) {
                Ok(undo) => undos.extend(undo),
                Err(error) => {
                    undos.into_iter().rev().for_each(|undo| self.take_back(undo));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn room(&mut self, room: RoomId) -> &mut Room {
        self.rooms.entry(room).or_default()
    }

    fn apply(&mut self, op: &Op) -> Result<Option<Undo>, StoreError> {
        Ok(match op {
            Op::PutControl { room, id, bytes } => {
                self.room(*room).put_control(*id, bytes).then_some(Undo::Control(*room))
            }
            Op::PutData(row) => self.room(row.room).put_data(row)?.then_some(Undo::Data(row.room, row.id)),
            Op::SetStanding { room, id, standing, arrival } => {
                let kept = self.rooms.get_mut(room).ok_or_else(check::unknown_entry)?;
                let (standing, arrival) = kept.set_standing(*id, *standing, *arrival)?;
                Some(Undo::Standing(*room, *id, standing, arrival))
            }
            Op::PutKey { room, id, key } => {
                self.room(*room).put_key(*id, key).then_some(Undo::Key(*room, *id))
            }
            Op::Put { table: Table::Request, key, value } => {
                Some(Undo::PutRequest(key.clone(), self.requests.put(key, value.clone())))
            }
            Op::Delete { table: Table::Request, key } => self
                .requests
                .remove(key)
                .map(|(number, value)| Undo::DeleteRequest(key.clone(), number, value)),
            Op::Put { table, key, value } => {
                let before = self.records.insert((*table, key.clone()), value.clone());
                Some(Undo::Record(*table, key.clone(), before))
            }
            Op::Delete { table, key } => {
                let before = self.records.remove(&(*table, key.clone()));
                Some(Undo::Record(*table, key.clone(), before))
            }
        })
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Control(room) => self.room(room).take_back_control(),
            Undo::Data(room, id) => self.room(room).take_back_data(id),
            Undo::Standing(room, id, standing, arrival) => {
                // It stood like this before, so it can again.
                let restored = self.room(room).set_standing(id, standing, arrival);
                debug_assert!(restored.is_ok());
            }
            Undo::Key(room, id) => self.room(room).take_back_key(id),
            Undo::Record(table, key, Some(value)) => {
                self.records.insert((table, key), value);
            }
            Undo::Record(table, key, None) => {
                self.records.remove(&(table, key));
            }
            Undo::PutRequest(key, Some(value)) => {
                self.requests.put(&key, value);
            }
            Undo::PutRequest(key, None) => {
                self.requests.remove(&key);
            }
            Undo::DeleteRequest(key, number, value) => self.requests.insert(&key, number, value),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let rooms = self.rooms.iter().filter(|(_, room)| room.is_known());
        let records = self.records.iter();
        Snapshot {
            rooms: rooms.map(|(id, room)| room.snapshot(*id)).collect::<Vec<RoomSnapshot>>(),
            records: records.map(|((table, key), value)| (*table, key.clone(), value.clone())).collect(),
        }
    }

    fn answer(&self, query: &Query) -> Loaded {
        let room_of = |id: &RoomId| self.rooms.get(id);
        match query {
            Query::Between { room: None, low, high, limit } => {
                let mut rows: Vec<_> =
                    self.rooms.values().flat_map(|room| room.between(*low, *high, *limit)).collect();
                rows.sort_by_key(|row| (row.id, row.room));
                rows.truncate(*limit as usize);
                Loaded::Rows(rows)
            }
            Query::Record { table: Table::Request, key } => {
                Loaded::Record(self.requests.by_key.get(key).map(|(_, value)| value.clone()))
            }
            Query::Record { table, key } => Loaded::Record(self.records.get(&(*table, key.clone())).cloned()),
            Query::CountArrivals { room, after, except_origin, without_history } => {
                let except = except_origin.as_deref();
                let count = room_of(room).map_or(0, |r| r.count(*after, except, *without_history));
                Loaded::Count(count)
            }
            Query::Arrivals { room, .. }
            | Query::LastArrivals { room, .. }
            | Query::Newest { room, .. }
            | Query::Chain { room, .. }
            | Query::Known { room, .. }
            | Query::Entries { room, .. }
            | Query::Between { room: Some(room), .. }
            | Query::Waiting { room, .. } => {
                Loaded::Rows(room_of(room).map_or_else(Vec::new, |r| r.rows(query)))
            }
        }
    }
}
