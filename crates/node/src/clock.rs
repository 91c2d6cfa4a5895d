//! The two clocks. Nothing else of the node reads time that anybody sees.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parlor_core::engine::api::Now;

/// The first moment of 2020: a clock that says less was never set. In milliseconds since 1970.
pub(crate) const ABSURD_BEFORE_MS: u64 = 1_577_836_800_000;

/// The wall clock, in milliseconds since 1970; 0 when it says an earlier time.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Both clocks, the monotonic one counted from the making of this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    begun: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall_ms: wall_ms(), mono_ms: self.mono_ms() }
    }

    pub(crate) fn mono_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The moment a monotonic time stands for.
    pub(crate) fn instant(&self, mono_ms: u64) -> Instant {
        // A time beyond every clock is as good as a day: whoever waits looks again then.
        let wait_ms = mono_ms.saturating_sub(self.mono_ms()).min(86_400_000);
        Instant::now() + std::time::Duration::from_millis(wait_ms)
    }
}
