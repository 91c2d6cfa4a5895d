//! How long a session counts as present that neither process nor connection vouch for, and what its hooks have told of it.
//! By the monotonic clock; kept in memory only.

use parlor_api::SessionStatus;
use parlor_core::engine::api::Now;
use parlor_wire::limits::LEASE_SECONDS;

const LEASE_MS: u64 = LEASE_SECONDS * 1000;
/// How long a prompt says that the agent works, in milliseconds. Where no hook tells of the end of a turn nobody knows it:
/// after this nothing is claimed any more.
const WORKING_MS: u64 = 5 * 60 * 1000;

/// How long after a session was woken, or made to go on, its next prompt counts as brought about by that, in milliseconds.
/// A human's in that time counts so too, which only makes it be disturbed less.
const DRIVEN_MS: u64 = 60 * 1000;

/// What is known of one session while this node runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lease {
    until_ms: u64,
    /// Nothing vouches for it any more; what is left of the lease runs.
    lapsing: bool,
    /// What its hooks have told, and when.
    told: Option<(SessionStatus, u64)>,
    /// When it was made to go on by something that was said to it.
    driven_ms: Option<u64>,
}

impl Lease {
    /// That of a session an earlier run of this node has last seen then.
    pub(super) fn restored(seen_ms: u64, now: Now) -> Self {
        let left_ms = LEASE_MS.saturating_sub(now.wall_ms.saturating_sub(seen_ms));
        Self { until_ms: now.mono_ms + left_ms, ..Self::default() }
    }

    /// It lives.
    pub(super) fn renew(&mut self, now: Now) {
        (self.until_ms, self.lapsing) = (now.mono_ms + LEASE_MS, false);
    }

    /// Nothing says that it lives; whether its lease is over.
    pub(super) fn lapse(&mut self, now: Now) -> bool {
        self.lapsing = true;
        self.until_ms <= now.mono_ms
    }

    /// It is made to go on.
    pub(super) fn drive(&mut self, now: Now) {
        self.driven_ms = Some(now.mono_ms);
    }

    /// Whether a prompt now comes of that.
    pub(super) fn is_driven(&mut self, now: Now) -> bool {
        self.driven_ms.take().is_some_and(|at| now.mono_ms < at + DRIVEN_MS)
    }

    /// What is left of it, once it runs.
    pub(super) fn left_ms(&self, now: Now) -> Option<u64> {
        self.lapsing.then(|| self.until_ms.saturating_sub(now.mono_ms))
    }

    /// A hook has told how the session is.
    pub(super) fn tell(&mut self, status: Option<SessionStatus>, now: Now) {
        self.told = status.map(|status| (status, now.mono_ms)).or(self.told);
    }

    /// What its hooks have told, as far as that still holds.
    pub(super) fn told(&self, now: Now) -> Option<SessionStatus> {
        let (status, at) = self.told?;
        (status != SessionStatus::Working || now.mono_ms < at + WORKING_MS).then_some(status)
    }
}
