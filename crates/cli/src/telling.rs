//! A word on stderr about something that takes longer than a second. Must not be data.

use std::time::{Duration, Instant};

use crate::output::Output;

/// Nobody wonders before that, nor wants to be told more often.
const EVERY: Duration = Duration::from_secs(1);

/// Something that takes long.
pub struct Progress<'a> {
    out: &'a Output,
    told: Instant,
}

impl<'a> Progress<'a> {
    pub fn new(out: &'a Output) -> Self {
        Self { out, told: Instant::now() }
    }

    /// It goes on; what is said is only worked out when somebody is to be told.
    pub fn at(&mut self, words: impl FnOnce() -> String) {
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.out.talk(&words());
        }
    }
}
