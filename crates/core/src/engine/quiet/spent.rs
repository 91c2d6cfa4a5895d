//! What was given of each room to each session, in characters, by day: so that a person sees what a room costs, and a room
//! that costs too much is counted instead of given. Written down with the commit that gives. Days are those of UTC.

use std::collections::BTreeMap;

use parlor_wire::RoomId;

use crate::engine::api::SpentView;
use crate::persist::{Op, Table};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// For how many days it is kept, today among them.
pub(in crate::engine) const KEPT_DAYS: u32 = 7;
/// Most rows kept, of about 150 bytes: seven days of 500 sessions. Beyond, the oldest go first.
const MAX_ROWS: usize = 4096;

/// Room, day, session.
type Row = (RoomId, u32, String);

/// What was given.
#[derive(Debug, Default)]
pub(in crate::engine) struct Spent {
    rows: BTreeMap<Row, u64>,
}

/// The day of a time.
pub(in crate::engine) fn day_of(wall_ms: u64) -> u32 {
    u32::try_from(wall_ms / DAY_MS).unwrap_or(u32::MAX)
}

fn key((room, day, session): &Row) -> Vec<u8> {
    [&room.0[..], &day.to_be_bytes(), session.as_bytes()].concat()
}

impl Spent {
    pub(in crate::engine) fn restore(&mut self, key: &[u8], value: &[u8]) {
        let Some((room, rest)) = key.split_at_checked(32) else { return };
        let Some((day, session)) = rest.split_first_chunk::<4>() else { return };
        if let (Ok(room), Ok(session), Ok(value)) =
            (RoomId::try_from(room), std::str::from_utf8(session), <[u8; 8]>::try_from(value))
        {
            let row = (room, u32::from_be_bytes(*day), session.to_owned());
            self.rows.insert(row, u64::from_be_bytes(value));
        }
    }

    /// So many characters of a room were given to a session.
    pub(in crate::engine) fn add(
        &mut self,
        room: RoomId,
        session: &str,
        chars: u64,
        wall_ms: u64,
        ops: &mut Vec<Op>,
    ) {
        let today = day_of(wall_ms);
        let row = (room, today, session.to_owned());
        let is_new = !self.rows.contains_key(&row);
        let sum = self.rows.entry(row.clone()).or_default();
        *sum = sum.saturating_add(chars);
        ops.push(Op::Put { table: Table::Spent, key: key(&row), value: sum.to_be_bytes().to_vec() });
        if is_new {
            self.forget(today, ops);
        }
    }

    fn forget(&mut self, today: u32, ops: &mut Vec<Op>) {
        let is_old = |(_, day, _): &Row| day.saturating_add(KEPT_DAYS) <= today;
        let mut gone: Vec<Row> = self.rows.keys().filter(|row| is_old(row)).cloned().collect();
        if self.rows.len() - gone.len() > MAX_ROWS {
            let oldest = self.rows.keys().filter(|row| !is_old(row)).min_by_key(|(_, day, _)| *day).cloned();
            gone.extend(oldest);
        }
        for row in gone {
            self.rows.remove(&row);
            ops.push(Op::Delete { table: Table::Spent, key: key(&row) });
        }
    }

    /// What was given of a room today.
    pub(in crate::engine) fn today(&self, room: RoomId, wall_ms: u64) -> u64 {
        let day = day_of(wall_ms);
        let rows = self
            .rows
            .range((room, day, String::new())..)
            .take_while(|((of, at, _), _)| *of == room && *at == day);
        rows.map(|(_, chars)| *chars).fold(0, u64::saturating_add)
    }

    /// What was given of every room to every session, today and in the days that are kept.
    pub(in crate::engine) fn all(&self, wall_ms: u64) -> Vec<SpentView> {
        let today = day_of(wall_ms);
        let mut all: BTreeMap<(RoomId, &str), (u64, u64)> = BTreeMap::new();
        for ((room, day, session), chars) in &self.rows {
            if day.saturating_add(KEPT_DAYS) > today {
                let sums = all.entry((*room, session)).or_default();
                sums.1 = sums.1.saturating_add(*chars);
                sums.0 = sums.0.saturating_add(if *day == today { *chars } else { 0 });
            }
        }
        let view = |((room, session), (today, week)): ((RoomId, &str), (u64, u64))| SpentView {
            room,
            session: session.to_owned(),
            today,
            week,
        };
        all.into_iter().map(view).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);

    #[test]
    fn what_was_given_is_summed_by_day_and_kept_for_a_week() {
        let (mut spent, mut ops) = (Spent::default(), Vec::new());
        spent.add(ROOM, "s", 5, 0, &mut ops);
        spent.add(ROOM, "s", 7, DAY_MS - 1, &mut ops);
        spent.add(ROOM, "t", 1, 10, &mut ops);
        spent.add(RoomId([2; 32]), "s", 100, 10, &mut ops);
        assert_eq!((spent.today(ROOM, 0), spent.today(ROOM, DAY_MS)), (13, 0));
        spent.add(ROOM, "s", 2, 6 * DAY_MS, &mut ops);
        let all = spent.all(6 * DAY_MS);
        let of = |session: &str| all.iter().find(|one| one.room == ROOM && one.session == session).unwrap();
        assert_eq!((of("s").today, of("s").week, of("t").today, of("t").week), (2, 14, 0, 1));
        spent.add(ROOM, "s", 2, 7 * DAY_MS, &mut ops);
        assert_eq!(spent.rows.len(), 2, "the first day is forgotten");
        let mut again = Spent::default();
        for op in ops {
            match op {
                Op::Put { key, value, .. } => again.restore(&key, &value),
                Op::Delete { key, .. } => again.rows.retain(|row, _| self::key(row) != key),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(again.rows, spent.rows);
    }

    #[test]
    fn rows_are_bounded() {
        let (mut spent, mut ops) = (Spent::default(), Vec::new());
        for n in 0..=MAX_ROWS as u64 {
            spent.add(ROOM, &format!("s{n}"), 1, 0, &mut ops);
            ops.clear();
        }
        assert_eq!(spent.rows.len(), MAX_ROWS);
    }
}
