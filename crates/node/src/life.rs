//! How a node ends: who asked for it, what is still running, when nothing is left to lose.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a node ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was told to.
    Stop,
    /// A newer Parlor is there.
    Restart {
        /// The newer one's program, if it said and it may be trusted.
        exe: Option<PathBuf>,
        /// Its version.
        version: String,
    },
    /// Its home or socket was removed under it.
    Lost,
    /// A part of it broke.
    Broken,
}

/// The end of a node, step by step.
pub(crate) struct Life {
    ending: Mutex<Option<Ending>>,
    /// Nothing new is taken from here on.
    pub stopping: CancellationToken,
    /// Nothing is left to lose.
    pub drained: CancellationToken,
    /// Requests at work.
    pub requests: TaskTracker,
    /// Open connections.
    pub connections: TaskTracker,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self {
            ending: Mutex::new(None),
            stopping: CancellationToken::new(),
            drained: CancellationToken::new(),
            requests: TaskTracker::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Begins the end. The first reason stays, except that to be told to stop beats all others.
    pub(crate) fn end(&self, ending: Ending) {
        let mut held = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() || ending == Ending::Stop {
            *held = Some(ending);
        }
        drop(held);
        self.stopping.cancel();
    }

    pub(crate) fn ending(&self) -> Ending {
        let held = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone().unwrap_or(Ending::Broken)
    }
}
