//! Tools that wait for what others do: how many may, what ends them, and how the agent program hears meanwhile that
//! they are alive. Knows no tool.

use std::time::{Duration, Instant};

use futures_util::future::join;
use parlor_api::{ApiError, ErrorKind};
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use tokio::sync::mpsc;

use crate::node_link::WAITS_MAX;
use crate::server::Server;

/// Agent programs give up on a call they hear nothing of, most after a minute, some after half of one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Words that wait to be written; of more than that the agent program need not know.
const WORDS_MAX: usize = 16;

impl Server {
    /// Waits for `work`, which is dropped when the call is cancelled or the agent program goes. `work` is given a way
    /// to say how far it is.
    pub(crate) async fn wait<T, W>(
        &self,
        call: &RequestContext<RoleServer>,
        work: impl FnOnce(Progress) -> W,
    ) -> Result<T, ApiError>
    where
        W: Future<Output = Result<T, ApiError>>,
    {
        let Some(_place) = self.node.wait_place() else { return Err(too_many()) };
        let (progress, words) = mpsc::channel(WORDS_MAX);
        // MCP wants progress to end before the answer: it is told to the end first.
        let told = join(work(Progress(progress)), tell(call, words));
        tokio::select! {
            (done, ()) = told => done,
            () = call.ct.cancelled() => Err(interrupted()),
            () = self.in_flight.over() => Err(interrupted()),
        }
    }
}

/// Says how far a wait is, to agent programs that asked for it.
#[derive(Clone)]
pub(crate) struct Progress(mpsc::Sender<String>);

impl Progress {
    /// Says it, unless more is being said than is written.
    pub(crate) fn say(&self, words: impl Into<String>) {
        drop(self.0.try_send(words.into()));
    }
}

/// Writes what is said and, while nothing is, that the wait goes on, until nobody can say more.
async fn tell(call: &RequestContext<RoleServer>, mut words: mpsc::Receiver<String>) {
    let Some(token) = call.meta.get_progress_token() else { return };
    let begun = Instant::now();
    let mut step = 0.0;
    loop {
        let words = match tokio::time::timeout(SIGN_OF_LIFE, words.recv()).await {
            Ok(Some(words)) => words,
            Ok(None) => return,
            Err(_) => format!("still waiting after {} s", begun.elapsed().as_secs()),
        };
        step += 1.0;
        write(&call.peer, token.clone(), step, words).await;
    }
}

async fn write(peer: &Peer<RoleServer>, token: ProgressToken, step: f64, words: String) {
    let progress = ProgressNotificationParam::new(token, step).with_message(words);
    // An agent program that has gone is noticed by its input's end.
    drop(peer.notify_progress(progress).await);
}

fn too_many() -> ApiError {
    ApiError::new(ErrorKind::Usage, format!("{WAITS_MAX} calls of this session are waiting already"))
        .hint("wait for one of them, or cancel one")
}

fn interrupted() -> ApiError {
    ApiError::new(ErrorKind::Interrupted, "the call was cancelled").hint("call it again when you need it")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
