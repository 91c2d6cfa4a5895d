//! The requests that have come in and are not yet answered, each with the lease its answer must commit.
//! Bounded: when it is full, nothing more is read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::http::exchange::Exchange;
use crate::node_link::Lease;

/// Requests at work at one time.
pub(crate) const IN_FLIGHT_MAX: usize = 32;

/// The requests at work.
#[derive(Default)]
pub(crate) struct InFlight {
    requests: Mutex<HashMap<RequestId, Answer>>,
    ended: Notify,
    over: CancellationToken,
}

/// By what the answer to a request is written, and knows when it has been.
enum Answer {
    /// A line on standard output, with the lease of what it will carry.
    Line(Option<Lease>),
    Http(Exchange),
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
        self.requests().insert(id, Answer::Line(None));
    }

    /// A tool was called over HTTP.
    pub(crate) fn begin_over_http(&self, id: RequestId, exchange: Exchange) {
        self.requests().insert(id, Answer::Http(exchange));
    }

    /// The answer to this request will carry leased text. If the request was cancelled, the lease ends here.
    pub(crate) fn hold(&self, id: &RequestId, lease: Lease) {
        match self.requests().get_mut(id) {
            Some(Answer::Line(held)) => *held = Some(lease),
            Some(Answer::Http(exchange)) => exchange.hold(lease),
            None => drop(lease),
        }
    }

    /// The request is being answered or was cancelled: none, when it was not at work, else its lease.
    pub(crate) fn end(&self, id: &RequestId) -> Option<Option<Lease>> {
        let ended = self.requests().remove(id)?;
        self.ended.notify_one();
        match ended {
            Answer::Line(lease) => Some(lease),
            Answer::Http(_) => Some(None),
        }
    }

    /// Nothing more will be asked: who waits may stop.
    pub(crate) fn end_waits(&self) {
        self.over.cancel();
    }

    /// Returns when nobody needs to wait any more.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<RequestId, Answer>> {
        // Nothing above can panic half-way through a change.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
