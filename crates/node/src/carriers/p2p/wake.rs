//! Notices that the machine slept, or that this process was stopped: connections that looked well until then have been
//! given up by their other ends, and waiting for that to show costs seconds. Must not look at the wall clock, which people
//! and time servers set.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iroh::endpoint::VarInt;
use tokio::time::{MissedTickBehavior, interval};

use super::{IDLE_TIMEOUT, Shared};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Told to a peer whose connection is given up because this side was away.
const AWAY: VarInt = VarInt::from_u32(4);

/// Looks until the carrier stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (Instant::now(), slept());
    loop {
        ticks.tick().await;
        let now = (Instant::now(), slept());
        let away = away(now.0 - before.0, now.1.saturating_sub(before.1));
        before = now;
        let Some(away) = away else { continue };
        tracing::info!(away_s = away.as_secs(), "this node was away: every peer is called again");
        for connected in shared.peers.all() {
            connected.connection.close(AWAY, b"this side was away");
        }
        shared.endpoint.network_change().await;
        shared.retry.send_replace(());
    }
}

/// For how long this node did nothing, if that is longer than peers wait: between two looks so much time ran, and so much more
/// passed while the machine slept.
fn away(ran: Duration, slept: Duration) -> Option<Duration> {
    let away = ran.saturating_sub(LOOK_EVERY) + slept;
    (away >= IDLE_TIMEOUT).then_some(away)
}

/// How long the machine has slept since it started, on a clock of its own: of two monotonic clocks one stands still then.
fn slept() -> Duration {
    let now = |id| {
        let at = rustix::time::clock_gettime(id);
        Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), u32::try_from(at.tv_nsec).unwrap_or(0))
    };
    #[cfg(target_os = "linux")]
    let (all, awake) = (now(rustix::time::ClockId::Boottime), now(rustix::time::ClockId::Monotonic));
    // Elsewhere the one clock there is either counts sleep, and then the looks are far apart, or does not.
    #[cfg(not(target_os = "linux"))]
    let (all, awake) = (Duration::ZERO, now(rustix::time::ClockId::Monotonic));
    all.saturating_sub(awake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_look_is_nothing_and_a_long_sleep_or_stop_is_noticed() {
        assert_eq!(away(LOOK_EVERY, Duration::ZERO), None);
        assert_eq!(away(LOOK_EVERY * 3, Duration::from_secs(1)), None);
        assert_eq!(away(LOOK_EVERY + IDLE_TIMEOUT, Duration::ZERO), Some(IDLE_TIMEOUT));
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(away(LOOK_EVERY, day), Some(day));
    }
}
