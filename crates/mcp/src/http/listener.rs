//! Connections over HTTP: how many, for how long, and how they end. Knows nothing of what is said on them.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
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

/// Connections at one time: a few for each session there may be. Further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 128;
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
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    while let Some(Ok(place)) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection = serve_one(stream, door.clone(), tasks.clone(), stop.clone());
        tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    // What is not done by then is as if the connection had broken: unread text stays unread.
    drop(tokio::time::timeout(END_WAIT, tasks.wait()).await);
}

/// Ends when a connection has not shown the token in time, and never when it has.
async fn stays_unknown(connection: &Written) {
    if tokio::time::timeout(TOKEN_WAIT, connection.has_been_let_in()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

async fn serve_one(stream: TcpStream, door: Arc<Door>, tasks: TaskTracker, stop: CancellationToken) {
    let written = Arc::new(Written::new(tasks));
    let known = written.clone();
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
        () = stays_unknown(&known) => {}
    }
}
