//! What is kept of one room in memory, and the orders it is asked for. Must not know of other rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use parlor_core::persist::{DataRow, Query, RoomSnapshot, Standing};
use parlor_wire::{EntryId, KeyId, RoomId, TimeMs};
use zeroize::Zeroizing;

use crate::{StoreError, check};

const LOWEST: EntryId = EntryId([0; 32]);
const HIGHEST: EntryId = EntryId([0xff; 32]);

#[derive(Clone, Default)]
pub(super) struct Room {
    control: Vec<(EntryId, Vec<u8>)>,
    control_ids: BTreeSet<EntryId>,
    keys: BTreeMap<KeyId, Zeroizing<[u8; 32]>>,
    data: BTreeMap<EntryId, DataRow>,
    by_arrival: BTreeMap<u64, EntryId>,
    /// Arrived entries by (sort, id).
    by_sort: BTreeSet<(TimeMs, EntryId)>,
    /// By (chain, place, id).
    by_place: BTreeSet<(EntryId, u64, EntryId)>,
    /// Waiting entries by (chain, place, id).
    waiting: BTreeSet<(EntryId, u64, EntryId)>,
}

/// Writing; what returns `bool` says whether it changed anything.
impl Room {
    pub(super) fn put_control(&mut self, id: EntryId, bytes: &[u8]) -> bool {
        let new = self.control_ids.insert(id);
        if new {
            self.control.push((id, bytes.to_vec()));
        }
        new
    }

    pub(super) fn take_back_control(&mut self) {
        if let Some((id, _)) = self.control.pop() {
            self.control_ids.remove(&id);
        }
    }

    pub(super) fn put_key(&mut self, id: KeyId, key: &Zeroizing<[u8; 32]>) -> bool {
        let new = !self.keys.contains_key(&id);
        if new {
            self.keys.insert(id, key.clone());
        }
        new
    }

    pub(super) fn take_back_key(&mut self, id: KeyId) {
        self.keys.remove(&id);
    }

    pub(super) fn put_data(&mut self, row: &DataRow) -> Result<bool, StoreError> {
        if self.data.contains_key(&row.id) {
            return Ok(false);
        }
        self.arrival_is_free(row.arrival)?;
        self.by_place.insert((row.chain, row.seq, row.id));
        self.stand(row);
        self.data.insert(row.id, row.clone());
        Ok(true)
    }

    pub(super) fn take_back_data(&mut self, id: EntryId) {
        if let Some(row) = self.data.remove(&id) {
            self.by_place.remove(&(row.chain, row.seq, row.id));
            self.leave(&row);
        }
    }

    /// Gives an entry its standing and returns the one it had.
    pub(super) fn set_standing(
        &mut self,
        id: EntryId,
        standing: Standing,
        arrival: Option<u64>,
    ) -> Result<(Standing, Option<u64>), StoreError> {
        let row = self.data.get(&id).ok_or_else(check::unknown_entry)?;
        let before = (row.standing, row.arrival);
        if arrival != row.arrival {
            self.arrival_is_free(arrival)?;
        }
        let Some(mut row) = self.data.remove(&id) else { return Err(check::unknown_entry()) };
        self.leave(&row);
        (row.standing, row.arrival) = (standing, arrival);
        self.stand(&row);
        self.data.insert(id, row);
        Ok(before)
    }

    fn arrival_is_free(&self, arrival: Option<u64>) -> Result<(), StoreError> {
        match arrival {
            Some(number) if self.by_arrival.contains_key(&number) => Err(check::taken_arrival()),
            _ => Ok(()),
        }
    }

    fn stand(&mut self, row: &DataRow) {
        if row.standing == Standing::Waiting {
            self.waiting.insert((row.chain, row.seq, row.id));
        }
        if let Some(arrival) = row.arrival {
            self.by_arrival.insert(arrival, row.id);
            self.by_sort.insert((row.sort_ms, row.id));
        }
    }

    fn leave(&mut self, row: &DataRow) {
        self.waiting.remove(&(row.chain, row.seq, row.id));
        if let Some(arrival) = row.arrival {
            self.by_arrival.remove(&arrival);
            self.by_sort.remove(&(row.sort_ms, row.id));
        }
    }
}

/// Reading.
impl Room {
    /// Whether a snapshot names it.
    pub(super) fn is_known(&self) -> bool {
        !self.control.is_empty() || !self.keys.is_empty()
    }

    pub(super) fn snapshot(&self, room: RoomId) -> RoomSnapshot {
        let waiting = self.waiting.iter().filter_map(|(.., id)| self.data.get(id));
        let pairs: BTreeSet<(KeyId, EntryId)> = waiting.map(|row| (row.key, row.chain)).collect();
        RoomSnapshot {
            room,
            control: self.control.iter().map(|(_, bytes)| bytes.clone()).collect(),
            keys: self.keys.iter().map(|(id, key)| (*id, key.clone())).collect(),
            arrivals: self.by_arrival.last_key_value().map_or(0, |(last, _)| *last),
            waiting: pairs.into_iter().collect(),
        }
    }

    pub(super) fn count(&self, after: u64, except: Option<&str>, without_history: bool) -> u64 {
        self.arrived_after(after).filter(|row| is_asked(row, except, without_history)).count() as u64
    }

    pub(super) fn between(&self, low: EntryId, high: EntryId, limit: u32) -> Vec<DataRow> {
        if low > high {
            return Vec::new();
        }
        let arrived = self.data.range(low..=high).map(|(_, row)| row).filter(|r| r.arrival.is_some());
        arrived.take(limit as usize).cloned().collect()
    }

    /// The answer to a question about this room whose answer is entries.
    pub(super) fn rows(&self, query: &Query) -> Vec<DataRow> {
        match query {
            Query::Arrivals { after, limit, except_origin, without_history, .. } => {
                let except = except_origin.as_deref();
                let asked = self.arrived_after(*after).filter(|row| is_asked(row, except, *without_history));
                asked.take(*limit as usize).cloned().collect()
            }
            Query::LastArrivals { limit, except_origin, .. } => {
                let newest_first = self.by_arrival.values().rev().filter_map(|id| self.data.get(id));
                let asked = newest_first.filter(|row| is_asked(row, except_origin.as_deref(), false));
                oldest_first(asked.take(*limit as usize))
            }
            Query::Newest { since_ms, limit, .. } => {
                let newest_first = self.by_sort.range((*since_ms, LOWEST)..).rev();
                let newest = newest_first.filter_map(|(_, id)| self.data.get(id)).take(*limit as usize);
                let mut rows: Vec<DataRow> = newest.map(without_bytes).collect();
                rows.reverse();
                rows
            }
            Query::Chain { chain, from_seq, to_seq, limit, limit_bytes, .. } => {
                self.chain(*chain, *from_seq, *to_seq, *limit, *limit_bytes)
            }
            Query::Known { ids, .. } => {
                let ids: BTreeSet<&EntryId> = ids.iter().collect();
                let known = ids.into_iter().filter_map(|id| self.data.get(id));
                known.map(without_bytes).collect()
            }
            Query::Entries { ids, .. } => {
                let ids: BTreeSet<&EntryId> = ids.iter().collect();
                let arrived = ids.into_iter().filter_map(|id| self.data.get(id));
                let mut rows: Vec<DataRow> =
                    arrived.filter(|row| row.standing == Standing::Arrived).cloned().collect();
                rows.sort_by_key(|row| row.arrival);
                rows
            }
            Query::Between { low, high, limit, .. } => self.between(*low, *high, *limit),
            Query::Waiting { key, chain, from_seq, limit, .. } => {
                let waiting = self.waiting.iter().filter_map(|(.., id)| self.data.get(id));
                let of_key = waiting.filter(|row| key.is_none_or(|key| row.key == key));
                let of_chain = of_key.filter(|row| chain.is_none_or(|chain| row.chain == chain));
                // Without a chain the places of different ones cannot be compared.
                let from = of_chain.filter(|row| chain.is_none() || row.seq >= *from_seq);
                from.take(*limit as usize).cloned().collect()
            }
            Query::CountArrivals { .. } | Query::Record { .. } => Vec::new(),
        }
    }

    fn chain(&self, chain: EntryId, from: u64, to: u64, limit: u32, limit_bytes: usize) -> Vec<DataRow> {
        if from > to {
            return Vec::new();
        }
        let places = self.by_place.range((chain, from, LOWEST)..=(chain, to, HIGHEST));
        let mut rows = Vec::new();
        let mut bytes = 0;
        for row in places.filter_map(|(.., id)| self.data.get(id)).take(limit as usize) {
            bytes += row.bytes.len();
            rows.push(row.clone());
            if bytes > limit_bytes {
                break;
            }
        }
        rows
    }

    fn arrived_after(&self, after: u64) -> impl Iterator<Item = &DataRow> {
        let later = self.by_arrival.range((Bound::Excluded(after), Bound::Unbounded));
        later.filter_map(|(_, id)| self.data.get(id))
    }
}

fn is_asked(row: &DataRow, except: Option<&str>, without_history: bool) -> bool {
    let is_own = except.is_some() && row.origin.as_deref() == except;
    let is_left_out = is_own || (without_history && row.history);
    !is_left_out
}

fn without_bytes(row: &DataRow) -> DataRow {
    DataRow {
        room: row.room,
        id: row.id,
        chain: row.chain,
        seq: row.seq,
        key: row.key,
        bytes: Vec::new(),
        sort_ms: row.sort_ms,
        standing: row.standing,
        arrival: row.arrival,
        history: row.history,
        sealed_unfit: row.sealed_unfit,
        origin: row.origin.clone(),
    }
}

fn oldest_first<'a>(newest_first: impl Iterator<Item = &'a DataRow>) -> Vec<DataRow> {
    let mut rows: Vec<DataRow> = newest_first.cloned().collect();
    rows.reverse();
    rows
}
