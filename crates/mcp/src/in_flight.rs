//! The requests that have come in and are not yet answered, each with the lease its answer must commit.
//! Bounded: when it is full, nothing more is read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::node_link::Lease;

/// Requests at work at one time.
pub(crate) const IN_FLIGHT_MAX: usize = 32;

/// The requests at work.
#[derive(Default)]
pub(crate) struct InFlight {
    requests: Mutex<HashMap<RequestId, Option<Lease>>>,
    ended: Notify,
    over: CancellationToken,
}

impl InFlight {
    /// Returns when there is room for one more. Only one task may wait.
    pub(crate) async fn room(&self) {
        while self.requests().len() >= IN_FLIGHT_MAX {
            self.ended.notified().await;
        }
    }

    /// A request has come in.
    pub(crate) fn begin(&self, id: RequestId) {
        self.requests().insert(id, None);
    }

    /// The answer to this request will carry leased text. If the request was cancelled, the lease ends here.
    pub(crate) fn hold(&self, id: &RequestId, lease: Lease) {
        if let Some(held) = self.requests().get_mut(id) {
            *held = Some(lease);
        }
    }

    /// The request is being answered or was cancelled: none, when it was not at work, else its lease.
    pub(crate) fn end(&self, id: &RequestId) -> Option<Option<Lease>> {
        let ended = self.requests().remove(id);
        self.ended.notify_one();
        ended
    }

    /// Nothing more will be asked: who waits may stop.
    pub(crate) fn end_waits(&self) {
        self.over.cancel();
    }

    /// Returns when nobody needs to wait any more.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<RequestId, Option<Lease>>> {
        // Nothing above can panic half-way through a change.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
