//! Cursors and what is leased. A cursor says up to which arrival a session was given everything, and what it was given
//! ahead of that. Must not move one before a commit.

use std::collections::BTreeMap;

use parlor_wire::RoomId;

use crate::engine::api::HolderId;
use crate::engine::quiet::Noted;
use crate::engine::receipts::Given;
use crate::persist::{Op, Table};
use crate::room::record::CursorRecord;

/// Most cursors kept; those that moved longest ago are forgotten first.
const MAX_CURSORS: usize = 4096;
/// What a session may be given of a room ahead of what came before: the rest waits for its prompt.
pub(in crate::engine) const MAX_AHEAD: usize = 256;
/// How much of that a prompt may use up for what waits for one: a whole take of what does not is left, whoever says what.
pub(super) const MAX_DIGEST_AHEAD: usize = MAX_AHEAD - 64;

/// Cursors and takes.
pub(in crate::engine) struct Deliveries {
    cursors: BTreeMap<(RoomId, String), CursorRecord>,
    pub(super) held: BTreeMap<u64, Held>,
    pub(super) next_token: u64,
}

/// What one take leases.
pub(super) struct Held {
    pub holder: HolderId,
    pub session: String,
    /// How the cursors move when the text was written out.
    pub moves: Vec<(RoomId, Move)>,
    /// The label of the session, and the mark of the text.
    pub label: Option<String>,
    pub mark: String,
    /// What is to be told of it to the rooms.
    pub given: Vec<Given>,
    /// What is to be remembered then.
    pub noted: Noted,
}

/// How a cursor moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    /// Everything up to this arrival was given.
    Upto(u64),
    /// These were, ahead of others.
    Ahead(Vec<u64>),
}

fn key(room: RoomId, session: &str) -> Vec<u8> {
    [&room.0[..], session.as_bytes()].concat()
}

impl Deliveries {
    pub(in crate::engine) fn new(first_token: u64) -> Self {
        Self { cursors: BTreeMap::new(), held: BTreeMap::new(), next_token: first_token }
    }

    pub(in crate::engine) fn restore_cursor(&mut self, key: &[u8], value: &[u8]) {
        let Some((room, session)) = key.split_at_checked(32) else { return };
        let (Ok(room), Ok(session)) = (RoomId::try_from(room), String::from_utf8(session.to_vec())) else {
            return;
        };
        self.cursors.insert((room, session), minicbor::decode(value).unwrap_or_default());
    }

    pub(in crate::engine) fn takes(&self) -> usize {
        self.held.len()
    }

    pub(in crate::engine) fn cursors(&self) -> usize {
        self.cursors.len()
    }

    fn record(&self, room: RoomId, session: &str) -> Option<&CursorRecord> {
        self.cursors.get(&(room, session.to_owned()))
    }

    /// Up to where a session was given everything; none where it is still to be told what was before it.
    pub(super) fn cursor(&self, room: RoomId, session: &str) -> Option<u64> {
        self.record(room, session).filter(|cursor| !cursor.fresh).map(|cursor| cursor.upto)
    }

    /// What a session was given beyond its cursor.
    pub(super) fn ahead(&self, room: RoomId, session: &str) -> &[u64] {
        self.record(room, session).map_or(&[], |cursor| &cursor.ahead)
    }

    /// How much of what lies beyond an arrival a session was given already.
    pub(super) fn ahead_of(&self, room: RoomId, session: &str, after: u64) -> u64 {
        self.ahead(room, session).iter().filter(|arrival| **arrival > after).count() as u64
    }

    /// Whether a session was given an arrival.
    pub(in crate::engine) fn was_given(&self, room: RoomId, session: &str, arrival: u64) -> bool {
        self.record(room, session).is_some_and(|cursor| {
            (!cursor.fresh && arrival <= cursor.upto) || cursor.ahead.binary_search(&arrival).is_ok()
        })
    }

    pub(in crate::engine) fn is_leased(&self, session: &str) -> bool {
        self.held.values().any(|held| held.session == session)
    }

    pub(super) fn apply(&mut self, room: RoomId, session: &str, step: Move, now_ms: u64, ops: &mut Vec<Op>) {
        match step {
            Move::Upto(upto) => {
                if self.cursor(room, session).is_none_or(|at| at < upto) {
                    self.set(room, session, upto, now_ms, ops);
                }
            }
            Move::Ahead(arrivals) => self.give_ahead(room, session, &arrivals, now_ms, ops),
        }
    }

    pub(super) fn set(&mut self, room: RoomId, session: &str, upto: u64, now_ms: u64, ops: &mut Vec<Op>) {
        let ahead = self.ahead(room, session).to_vec();
        self.put(room, session, CursorRecord { upto, moved: now_ms, ahead, fresh: false }, ops);
    }

    fn give_ahead(&mut self, room: RoomId, session: &str, arrivals: &[u64], now_ms: u64, ops: &mut Vec<Op>) {
        let none_yet = || CursorRecord { fresh: true, ..CursorRecord::default() };
        let mut record = self.record(room, session).cloned().unwrap_or_else(none_yet);
        record.moved = now_ms;
        record.ahead.extend(arrivals);
        record.ahead.sort_unstable();
        record.ahead.dedup();
        self.put(room, session, record, ops);
    }

    /// Keeps a cursor: what was given ahead and follows at once is no longer ahead.
    fn put(&mut self, room: RoomId, session: &str, mut record: CursorRecord, ops: &mut Vec<Op>) {
        if !record.fresh {
            let mut upto = record.upto;
            record.ahead.retain(|arrival| {
                if *arrival == upto + 1 {
                    upto += 1;
                }
                *arrival > upto
            });
            record.upto = upto;
        }
        let value = parlor_wire::cbor::encode(&record);
        ops.push(Op::Put { table: Table::Cursor, key: key(room, session), value });
        self.cursors.insert((room, session.to_owned()), record);
        self.forget_beyond_limit(ops);
    }

    fn forget_beyond_limit(&mut self, ops: &mut Vec<Op>) {
        if self.cursors.len() <= MAX_CURSORS {
            return;
        }
        let oldest = self.cursors.iter().min_by_key(|(_, cursor)| cursor.moved).map(|(key, _)| key.clone());
        if let Some((room, session)) = oldest {
            ops.push(Op::Delete { table: Table::Cursor, key: key(room, &session) });
            self.cursors.remove(&(room, session));
        }
    }

    /// A session that had read everything has also read what it has just written itself: its cursor moves on,
    /// so that a session that only writes never has to look past its own words.
    pub(in crate::engine) fn wrote(
        &mut self,
        room: RoomId,
        session: Option<&str>,
        arrival: u64,
        ops: &mut Vec<Op>,
    ) {
        let Some(session) = session else { return };
        let taken = self.held.values().any(|held| held.session == session);
        if !taken && self.cursor(room, session).is_some_and(|upto| upto + 1 == arrival) {
            let moved = self.record(room, session).map_or(0, |cursor| cursor.moved);
            self.set(room, session, arrival, moved, ops);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);

    fn after(steps: &[Move]) -> Deliveries {
        let mut deliveries = Deliveries::new(1);
        for step in steps {
            deliveries.apply(ROOM, "s", step.clone(), 1, &mut Vec::new());
        }
        deliveries
    }

    #[test]
    fn what_was_given_ahead_is_kept_until_the_cursor_has_passed_it() {
        let given = after(&[Move::Upto(2), Move::Ahead(vec![5, 9])]);
        assert_eq!((given.cursor(ROOM, "s"), given.ahead(ROOM, "s")), (Some(2), &[5, 9][..]));
        assert!([1, 2, 5, 9].iter().all(|at| given.was_given(ROOM, "s", *at)));
        assert!([3, 4, 6, 10].iter().all(|at| !given.was_given(ROOM, "s", *at)));
        assert_eq!(given.ahead_of(ROOM, "s", 5), 1);
        let passed = after(&[Move::Upto(2), Move::Ahead(vec![5, 9]), Move::Upto(6)]);
        assert_eq!((passed.cursor(ROOM, "s"), passed.ahead(ROOM, "s")), (Some(6), &[9][..]));
    }

    #[test]
    fn what_follows_the_cursor_at_once_moves_it() {
        let given = after(&[Move::Upto(2), Move::Ahead(vec![4, 5]), Move::Ahead(vec![3])]);
        assert_eq!((given.cursor(ROOM, "s"), given.ahead(ROOM, "s").len()), (Some(5), 0));
        let moved = after(&[Move::Upto(2), Move::Ahead(vec![4, 5]), Move::Upto(3)]);
        assert_eq!((moved.cursor(ROOM, "s"), moved.ahead(ROOM, "s").len()), (Some(5), 0));
    }

    #[test]
    fn who_was_only_given_something_ahead_is_still_to_be_told_what_was_before() {
        let fresh = after(&[Move::Ahead(vec![1, 3])]);
        assert_eq!((fresh.cursor(ROOM, "s"), fresh.ahead(ROOM, "s")), (None, &[1, 3][..]));
        assert!(fresh.was_given(ROOM, "s", 3) && !fresh.was_given(ROOM, "s", 2));
        assert!(!fresh.was_given(ROOM, "s", 0));
        let told = after(&[Move::Ahead(vec![1, 3]), Move::Upto(2)]);
        assert_eq!((told.cursor(ROOM, "s"), told.ahead(ROOM, "s").len()), (Some(3), 0));
    }
}
