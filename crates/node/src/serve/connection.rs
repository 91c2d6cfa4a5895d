//! One connection: its hello, its requests, several at a time, and its end. What it holds goes back when it has
//! ended and everything it asked is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parlor_api::{ApiError, ClientLine, ErrorKind, MAX_LINE_BYTES, NodeLine, Request};
use parlor_core::engine::api::{Command, HolderId};
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::greeting::{Greeting, greet};
use super::reader::Reader;
use super::writer::{self, Out, RequestEvents};
use crate::caller::Caller;
use crate::errors;
use crate::node::Node;
use crate::requests::{self, Asked};

/// Requests at work on one connection.
const MAX_REQUESTS: usize = 32;
/// Requests at work, and those whose answers wait to be read; beyond it nothing more is taken from the client.
const MAX_UNREAD: usize = 2 * MAX_REQUESTS;
/// How long a client may take to say who it is.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// How long a client may take to read what was last said to it.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// Serves one connection to its end. Without a place there is no room for it.
pub(super) async fn serve(
    node: Arc<Node>,
    stream: UnixStream,
    holder: HolderId,
    place: Option<OwnedSemaphorePermit>,
) {
    let Some(pid) = same_user(&stream) else { return };
    let (read, write) = stream.into_split();
    let (out, lines) = writer::queue();
    let writing = tokio::spawn(writer::write(write, lines));
    if place.is_some() {
        talk(node, Reader::new(read), out, holder, pid).await;
    } else {
        let error = ApiError::new(ErrorKind::Machine, "the node serves as many connections as it can");
        refuse(&out, error.hint("end some of the sessions that hold them")).await;
        drop(out);
    }
    let abort = writing.abort_handle();
    if tokio::time::timeout(FLUSH_WAIT, writing).await.is_err() {
        abort.abort();
    }
}

/// The process at the other end, if it is this user's. The inner one is absent where the system does not say.
fn same_user(stream: &UnixStream) -> Option<Option<u32>> {
    let other = stream.peer_cred().ok()?;
    if other.uid() != rustix::process::geteuid().as_raw() {
        tracing::warn!("another user's connection was closed");
        return None;
    }
    Some(other.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0))
}

async fn refuse(out: &Out, error: ApiError) {
    _ = out.send(NodeLine::Error { id: 0, error }).await;
}

fn too_long() -> ApiError {
    ApiError::new(ErrorKind::BadInput, format!("a line has at most {MAX_LINE_BYTES} bytes"))
}

async fn talk(node: Arc<Node>, mut reader: Reader, out: Out, holder: HolderId, pid: Option<u32>) {
    let first = tokio::select! {
        line = tokio::time::timeout(HELLO_WAIT, reader.next()) => line,
        () = node.life.stopping.cancelled() => return,
    };
    let line = match first {
        Ok(Ok(Some(line))) => line,
        Ok(Err(_)) => return refuse(&out, too_long()).await,
        Ok(Ok(None)) | Err(_) => return,
    };
    match greet(&line, node.version) {
        Greeting::Served(hello, answer) => {
            _ = out.send(NodeLine::Hello { hello: answer }).await;
            let caller = Arc::new(Caller::new(holder, *hello, pid));
            Connection::new(node, out, caller).run(reader).await;
        }
        Greeting::Restart(answer, ending) => {
            _ = out.send(NodeLine::Hello { hello: answer }).await;
            node.life.end(ending);
        }
        Greeting::Refused(error) => refuse(&out, error).await,
    }
}

struct Connection {
    node: Arc<Node>,
    out: Out,
    caller: Arc<Caller>,
    running: JoinSet<u64>,
    /// One for each request that is not answered yet.
    places: Arc<Semaphore>,
    cancels: HashMap<u64, CancellationToken>,
}

impl Connection {
    fn new(node: Arc<Node>, out: Out, caller: Arc<Caller>) -> Self {
        Self {
            node,
            out,
            caller,
            running: JoinSet::new(),
            places: Arc::new(Semaphore::new(MAX_REQUESTS)),
            cancels: HashMap::new(),
        }
    }

    async fn run(mut self, mut reader: Reader) {
        let stopping = self.node.life.stopping.clone();
        if self.caller.is_mcp() {
            self.node.attach(&self.caller);
        }
        loop {
            tokio::select! {
                line = reader.next(), if self.running.len() < MAX_UNREAD => match line {
                    Ok(Some(line)) => self.take(&line).await,
                    Ok(None) => break,
                    Err(_) => {
                        refuse(&self.out, too_long()).await;
                        break;
                    }
                },
                Some(done) = self.running.join_next() => self.forget(done.ok()),
                () = stopping.cancelled(), if self.running.is_empty() => break,
            }
        }
        self.end().await;
    }

    fn forget(&mut self, done: Option<u64>) {
        if let Some(id) = done {
            self.cancels.remove(&id);
        }
    }

    /// Whoever asked is gone, or is not served any more. What it began is brought to its end; what goes on until
    /// it is cancelled is; and only then what it held goes back, so that nothing is held for it later.
    async fn end(mut self) {
        for cancel in self.cancels.values() {
            cancel.cancel();
        }
        while self.running.join_next().await.is_some() {}
        self.node.detach(self.caller.holder);
        self.node.driver.cast(Command::Release { holder: self.caller.holder }).await;
        // What it held is unread again: for whoever waits for that.
        self.node.driver.stir();
    }

    async fn take(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(ClientLine::Request(asked)) => self.begin(asked.id, asked.request).await,
            Ok(ClientLine::Cancel { cancel }) => {
                if let Some(running) = self.cancels.get(&cancel) {
                    running.cancel();
                }
            }
            Ok(ClientLine::Hello { .. }) => self.fail(0, usage("a connection has one hello")).await,
            Err(_) => self.fail(id_of(line), usage("this line is no request of this interface")).await,
        }
    }

    async fn fail(&self, id: u64, error: ApiError) {
        _ = self.out.send(NodeLine::Error { id, error }).await;
    }

    async fn begin(&mut self, id: u64, request: Request) {
        if self.node.life.stopping.is_cancelled() {
            return self.fail(id, errors::ending()).await;
        }
        if self.cancels.contains_key(&id) {
            return self.fail(id, usage("a request of this id is at work")).await;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return self.fail(id, usage("too many requests are at work on this connection")).await;
        };
        // What never ends by itself ends with the node.
        let cancel = self.node.life.stopping.child_token();
        self.cancels.insert(id, cancel.clone());
        let (node, caller, out) = (self.node.clone(), self.caller.clone(), self.out.clone());
        // Stopping waits for all others and must not wait for itself.
        let is_stop = matches!(request, Request::Stop);
        let answering = async move {
            let events = RequestEvents { id, out };
            let asked = Asked { node: &node, caller: &caller, events: &events, cancel: &cancel };
            let line = match requests::answer(&asked, request).await {
                Ok(ok) => NodeLine::Ok { id, ok },
                Err(error) => NodeLine::Error { id, error },
            };
            // Whoever has read the answer may ask the next.
            drop(place);
            _ = events.out.send(line).await;
            id
        };
        if is_stop {
            self.running.spawn(answering);
        } else {
            self.running.spawn(self.node.life.requests.track_future(answering));
        }
    }
}

fn usage(message: &str) -> ApiError {
    ApiError::new(ErrorKind::Usage, message)
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// The id of a request that could not be read otherwise; 0 where there is none.
fn id_of(line: &[u8]) -> u64 {
    serde_json::from_slice(line).map_or(0, |numbered: Numbered| numbered.id)
}
