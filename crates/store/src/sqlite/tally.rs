//! Counts arrivals by ranges of their numbers, so that counting 100,000 costs what counting ten costs: at most 63
//! entries, 63 ranges of 64 and one range per 4096. Must be told of every change of an arrival.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::codes::{NO_ORIGIN, clamped};
use crate::StoreError;
use crate::check::MAX_ARRIVAL;

/// Ranges of one level in a range of the next.
const FANOUT: i64 = 64;
/// Levels of ranges; one range of the highest spans `FANOUT` to this power.
const LEVELS: u32 = 2;
/// Stands for all entries, whoever wrote them.
const EVERYONE: i64 = 0;

const ADD: &str = "INSERT INTO tally (room, origin, history, level, step, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
     ON CONFLICT DO UPDATE SET n = n + excluded.n";
pub(super) const SUM: &str = "SELECT coalesce(sum(n), 0) FROM tally \
     WHERE room = ?1 AND origin = ?2 AND history IN (0, ?3) AND level = ?4 AND step >= ?5 AND step < ?6";
pub(super) const COUNT_ENTRIES: &str = "SELECT count(*) FROM data INDEXED BY data_by_arrival \
     WHERE room = ?1 AND arrival >= ?2 AND arrival < ?3 AND history <= ?4 AND origin IS NOT ?5";

/// An entry that arrived.
#[derive(Clone, Copy)]
pub(super) struct Arrived {
    pub(super) room: i64,
    pub(super) arrival: i64,
    pub(super) history: bool,
    pub(super) origin: Option<i64>,
}

/// Room, origin, history, level, range.
type Place = (i64, i64, bool, u32, i64);

/// The changes of one batch.
#[derive(Default)]
pub(super) struct Tally {
    changes: BTreeMap<Place, i64>,
}

impl Tally {
    pub(super) fn add(&mut self, entry: Arrived) {
        self.change(entry, 1);
    }

    pub(super) fn remove(&mut self, entry: Arrived) {
        self.change(entry, -1);
    }

    fn change(&mut self, entry: Arrived, by: i64) {
        for level in 1..=LEVELS {
            let step = entry.arrival / FANOUT.pow(level);
            for origin in [Some(EVERYONE), entry.origin].into_iter().flatten() {
                *self.changes.entry((entry.room, origin, entry.history, level, step)).or_default() += by;
            }
        }
    }

    pub(super) fn write(self, conn: &Connection) -> Result<(), StoreError> {
        let mut add = conn.prepare_cached(ADD)?;
        for ((room, origin, history, level, step), change) in self.changes {
            add.execute(params![room, origin, history, level, step, change])?;
        }
        Ok(())
    }
}

/// Which arrivals are counted.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) room: i64,
    pub(super) after: u64,
    /// [`NO_ORIGIN`] leaves out nothing.
    pub(super) except_origin: i64,
    pub(super) without_history: bool,
}

pub(super) fn count(conn: &Connection, counted: Counted) -> Result<u64, StoreError> {
    // No arrival is beyond the highest, so that nothing below overflows.
    let first = clamped(counted.after.min(MAX_ARRIVAL)) + 1;
    // Entries up to the first whole range of 64, such ranges up to the first of 4096, then those.
    let first_step = next_multiple(first);
    let mut count = count_entries(conn, counted, first, first_step)?;
    let mut step = first_step / FANOUT;
    for level in 1..LEVELS {
        let next = next_multiple(step);
        count += sum(conn, counted, level, step, next)?;
        step = next / FANOUT;
    }
    Ok(count + sum(conn, counted, LEVELS, step, i64::MAX)?)
}

fn next_multiple(number: i64) -> i64 {
    let beyond = number + FANOUT - 1;
    beyond - beyond % FANOUT
}

fn count_entries(conn: &Connection, counted: Counted, from: i64, to: i64) -> Result<u64, StoreError> {
    let Counted { room, except_origin, without_history, .. } = counted;
    let mut count = conn.prepare_cached(COUNT_ENTRIES)?;
    let params = params![room, from, to, !without_history, except_origin];
    Ok(count.query_row(params, |row| row.get::<_, i64>(0))?.cast_unsigned())
}

fn sum(conn: &Connection, counted: Counted, level: u32, from: i64, to: i64) -> Result<u64, StoreError> {
    let Counted { room, except_origin, without_history, .. } = counted;
    let mut sum = conn.prepare_cached(SUM)?;
    let mut of = |origin: i64| -> Result<i64, StoreError> {
        Ok(sum.query_row(params![room, origin, !without_history, level, from, to], |row| row.get(0))?)
    };
    let own = if except_origin == NO_ORIGIN { 0 } else { of(except_origin)? };
    let others = of(EVERYONE)? - own;
    u64::try_from(others)
        .map_err(|_| StoreError::Corrupt("fewer entries arrived than were written here".to_owned()))
}
