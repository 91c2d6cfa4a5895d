//! A bounded record of what happened, on which a test can wait without polling.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Things that happened, oldest first. Beyond `capacity` the oldest are forgotten.
#[derive(Debug)]
pub struct Record<T> {
    capacity: usize,
    things: Mutex<VecDeque<T>>,
    changed: Condvar,
}

impl<T: Clone> Record<T> {
    /// An empty record of at most `capacity` things.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, things: Mutex::new(VecDeque::new()), changed: Condvar::new() }
    }

    /// Adds one and wakes everybody who waits.
    pub fn push(&self, thing: T) {
        let mut things = self.lock();
        if things.len() == self.capacity {
            things.pop_front();
        }
        things.push_back(thing);
        self.changed.notify_all();
    }

    /// Everything that is remembered.
    pub fn all(&self) -> Vec<T> {
        self.lock().iter().cloned().collect()
    }

    /// The first thing, past or still to come, for which `wanted` holds.
    ///
    /// `what` names it and `show` describes one thing, both for the error.
    pub fn wait_for(
        &self,
        what: &str,
        wanted: impl Fn(&T) -> bool,
        show: impl Fn(&T) -> String,
        timeout: Duration,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        let mut things = self.lock();
        loop {
            if let Some(found) = things.iter().find(|thing| wanted(thing)) {
                return Ok(found.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen = things.iter().map(&show).collect::<Vec<_>>().join("\n");
                return Err(Error::Timeout {
                    what: what.to_owned(),
                    after: timeout,
                    seen: format!("seen:\n{seen}"),
                });
            }
            things = self.changed.wait_timeout(things, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_full_record_forgets_the_oldest() {
        let record = Record::new(2);
        for number in 0..5 {
            record.push(number);
        }
        assert_eq!(record.all(), [3, 4]);
    }

    #[test]
    fn waiting_finds_what_comes_later_and_times_out_with_what_was_seen() {
        let record = Record::new(9);
        std::thread::scope(|scope| {
            let waiter = scope
                .spawn(|| record.wait_for("seven", |n| *n == 7, i32::to_string, Duration::from_secs(30)));
            record.push(1);
            record.push(7);
            assert_eq!(waiter.join().unwrap().unwrap(), 7);
        });
        let refused =
            record.wait_for("nine", |n| *n == 9, i32::to_string, Duration::ZERO).unwrap_err().to_string();
        assert!(refused.contains("nine did not happen") && refused.contains("1\n7"), "{refused}");
    }
}
