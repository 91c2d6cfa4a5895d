//! Connections over HTTP: how many, for how long, and how they end. Knows nothing of what is said on them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::Door;
use super::exchange::{Flushing, Written};

/// Connections that have shown the token, at one time: a few for each session there may be. Further ones wait in the
/// system's queue.
const CONNECTIONS_MAX: usize = 128;
/// Connections that have not yet. One more ends the one that has been silent longest, so that nobody is kept from showing it.
const UNKNOWN_MAX: usize = 128;
/// For how long a connection may take to say what it wants, the first time and again.
const HEADER_WAIT: Duration = Duration::from_secs(30);
/// For how long a connection may take until it has shown the token: whoever has none holds no place for longer.
const TOKEN_WAIT: Duration = Duration::from_secs(5);
/// What the head of a request may take; agent programs send a few hundred bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// For how long what is at work may go on after the end has been asked for.
const END_WAIT: Duration = Duration::from_secs(3);
/// After the system refused a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`.
pub(super) async fn serve(listener: TcpListener, door: Arc<Door>, stop: &CancellationToken) {
    let (places, unknown) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Arc::new(Unknown::default()));
    let tasks = TaskTracker::new();
    while let Some(Ok(place)) = stop.run_until_cancelled(places.acquire()).await {
        // It is whoever's that shows the token first.
        drop(place);
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let written = Arc::new(Written::new(tasks.clone()));
        let pushed_out = unknown.enter();
        let waits = stays_unknown(written.clone(), pushed_out, places.clone());
        tasks.spawn(serve_one(stream, door.clone(), written, waits, stop.clone()));
    }
    drop(listener);
    tasks.close();
    // What is not done by then is as if the connection had broken: unread text stays unread.
    drop(tokio::time::timeout(END_WAIT, tasks.wait()).await);
}

/// The place of one that has not shown the token; it is free once this is gone.
struct Place(CancellationToken);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The connections that have not shown the token, the oldest first.
#[derive(Default)]
struct Unknown(Mutex<VecDeque<CancellationToken>>);

impl Unknown {
    /// One more; its place is cancelled when it has to make room.
    fn enter(&self) -> Place {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were let in or have ended have let go of theirs.
        all.retain(|one| !one.is_cancelled());
        if all.len() >= UNKNOWN_MAX
            && let Some(oldest) = all.pop_front()
        {
            oldest.cancel();
        }
        let own = CancellationToken::new();
        all.push_back(own.clone());
        Place(own)
    }
}

/// Ends when a connection has not shown the token in time or is in the way of newer ones, and never when it has. However it
/// ends, it is among the unknown no more.
async fn stays_unknown(connection: Arc<Written>, own: Place, places: Arc<Semaphore>) {
    let let_in = tokio::time::timeout(TOKEN_WAIT, connection.has_been_let_in());
    let is_known = tokio::select! {
        in_time = let_in => in_time.is_ok(),
        () = own.0.cancelled() => false,
    };
    if is_known {
        drop(own);
        // Where many were let in at once it is waited for: nobody else is accepted before.
        let _place = places.acquire().await;
        std::future::pending::<()>().await;
    }
}

async fn serve_one(
    stream: TcpStream,
    door: Arc<Door>,
    written: Arc<Written>,
    stays_unknown: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    let io = TokioIo::new(Flushing { stream, written: written.clone() });
    let answer = service_fn(move |request| {
        let (door, written) = (door.clone(), written.clone());
        async move { Ok::<_, Infallible>(door.answer(request, written).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_WAIT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(io, answer)
    );
    // How a connection ends is its other end's business.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
        () = stays_unknown => {}
    }
}
