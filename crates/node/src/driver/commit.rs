//! Making things durable, and starting over when that fails: the store is opened again, everything is read
//! again, and only then is anything signed again. Must not answer anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parlor_core::engine::Engine;
use parlor_core::engine::api::Now;
use parlor_core::persist::{Op, Snapshot};
use parlor_store::{Store, StoreError};
use zeroize::Zeroizing;

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// What an engine is made from.
pub(crate) struct Origin {
    pub secret: Zeroizing<[u8; 32]>,
    pub default_nick: String,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store does not give or take.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(getrandom::Error),
}

impl Origin {
    /// An engine from what the store holds. Whatever it had to add is durable.
    pub(crate) fn restore(
        &self,
        now: Now,
        snapshot: Snapshot,
        store: &mut dyn Store,
    ) -> Result<Engine, RestoreError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(RestoreError::Randomness)?;
        let (engine, ops) = Engine::restore(now, &self.secret, seed, &self.default_nick, snapshot);
        if !ops.is_empty() {
            store.commit(&ops)?;
        }
        Ok(engine)
    }
}

/// The store, and how it has been of late.
pub(super) struct Keeper {
    store: Box<dyn Store>,
    waits: ExponentialBackoff,
    /// Until then (monotonic) nothing is asked of peers: each failure waits longer.
    pub paused_until_ms: Option<u64>,
    /// Whether something was written since the last checkpoint.
    pub is_dirty: bool,
}

fn waits() -> ExponentialBackoff {
    let steps = ExponentialBuilder::default().with_min_delay(RETRY_MIN).with_max_delay(RETRY_MAX);
    steps.with_factor(2.0).without_max_times().build()
}

impl Keeper {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Self { store, waits: waits(), paused_until_ms: None, is_dirty: false }
    }

    pub(super) fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut()
    }

    pub(super) fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        if ops.is_empty() {
            return Ok(());
        }
        self.store.commit(ops)?;
        self.is_dirty = true;
        self.waits = waits();
        Ok(())
    }

    /// Something failed: the next attempt at anything of the network's waits.
    pub(super) fn pause(&mut self, now_ms: u64) {
        let wait = self.waits.next().unwrap_or(RETRY_MAX);
        self.paused_until_ms = Some(now_ms + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }

    /// Opens the store again and makes the engine anew.
    pub(super) fn start_over(
        &mut self,
        now: Now,
        origin: &Origin,
        generation: &AtomicU64,
    ) -> Result<Engine, RestoreError> {
        self.store.reopen()?;
        let snapshot = self.store.load()?;
        let engine = origin.restore(now, snapshot, self.store.as_mut())?;
        generation.fetch_add(1, Ordering::Relaxed);
        Ok(engine)
    }

    /// Moves what was written to its place, in an idle moment.
    pub(super) fn checkpoint(&mut self) {
        self.is_dirty = false;
        if let Err(error) = self.store.checkpoint() {
            tracing::debug!("the store was not tidied: {error}");
        }
    }
}
