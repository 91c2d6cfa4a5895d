//! Who waits inside the node for something to happen: one for each session and kind, the newest in place of the one
//! before, and so many at once. Must not decide what is worth waking for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Most that wait at once: more sessions than a machine runs.
const MAX_WAITERS: usize = 256;

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Something to wake an idle session for.
    Idle,
    /// Messages, with a tool.
    Messages,
}

/// All who wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    held: Mutex<BTreeMap<(Kind, String), (u64, CancellationToken)>>,
}

/// One who waits, until it is dropped.
pub(crate) struct Waiter<'a> {
    all: &'a Waiters,
    place: (Kind, String),
    number: u64,
    /// Another waits in its place.
    pub replaced: CancellationToken,
}

impl Waiters {
    /// Waits in place of whoever waited for the same; none when too many wait.
    pub(crate) fn begin(&self, kind: Kind, session: &str) -> Option<Waiter<'_>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (kind, session.to_owned());
        if held.len() >= MAX_WAITERS && !held.contains_key(&place) {
            return None;
        }
        let number = held.get(&place).map_or(0, |(number, _)| number + 1);
        let replaced = CancellationToken::new();
        if let Some((_, before)) = held.insert(place.clone(), (number, replaced.clone())) {
            before.cancel();
        }
        Some(Waiter { all: self, place, number, replaced })
    }

    /// Whether somebody waits for this.
    pub(crate) fn has(&self, kind: Kind, session: &str) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.contains_key(&(kind, session.to_owned()))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut held = self.all.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&self.place).is_some_and(|(number, _)| *number == self.number) {
            held.remove(&self.place);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_waits_in_place_of_the_one_before() {
        let waiters = Waiters::default();
        let first = waiters.begin(Kind::Idle, "s").unwrap();
        let second = waiters.begin(Kind::Idle, "s").unwrap();
        assert!(first.replaced.is_cancelled() && !second.replaced.is_cancelled());
        drop(first);
        assert!(waiters.has(Kind::Idle, "s"), "who was replaced takes nobody's place away");
        drop(second);
        assert!(!waiters.has(Kind::Idle, "s"));
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let waiters = Waiters::default();
        let all: Vec<_> =
            (0..MAX_WAITERS).map(|n| waiters.begin(Kind::Idle, &n.to_string()).unwrap()).collect();
        assert!(waiters.begin(Kind::Idle, "one more").is_none());
        assert!(waiters.begin(Kind::Idle, "7").is_some(), "in place of one");
        drop(all);
    }
}
