//! One connection to the node's socket: JSON Lines, several requests at a time, each with the events it yields. A
//! request nobody waits for any more is cancelled. It neither starts a node nor connects again; that is
//! `node_link`'s.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parlor_api::{
    API_VERSION, ApiError, ClientError, ClientLine, ErrorKind, Event, Hello, MAX_LINE_BYTES, NODE_WAIT_MS,
    NodeHello, NodeLine, Reply, Request, RequestLine,
};
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::codec::{Framed, LinesCodec};

use crate::task::Task;

/// Requests that may wait to be written.
const QUEUE_LEN: usize = 16;
/// Events of one request that may wait to be taken: its tool only looks at each, so more means that it is stuck.
const EVENTS_MAX: usize = 256;
/// How much of a line nobody understands is shown.
const SHOWN_CHARS: usize = 80;

type Lines = Framed<UnixStream, LinesCodec>;
type Answer = Result<Reply, ClientError>;

struct Call {
    request: Request,
    waits: Waits,
}

/// Where what belongs to one request goes.
struct Waits {
    events: mpsc::Sender<Event>,
    answer: oneshot::Sender<Answer>,
}

type Waiting = HashMap<u64, Waits>;

/// Somebody who waits for an answer. Dropped, it is given up, and the connection is told to look.
struct Asked {
    answer: oneshot::Receiver<Answer>,
    given_up: Arc<Notify>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer.close();
        self.given_up.notify_one();
    }
}

/// An open connection, closed when dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    calls: mpsc::Sender<Call>,
    given_up: Arc<Notify>,
    _task: Task,
}

/// Tells when a connection has ended, without keeping it open.
pub(crate) struct Ending(mpsc::Sender<Call>);

impl Ending {
    /// Returns when the connection has ended.
    pub(crate) async fn ended(self) {
        self.0.closed().await;
    }
}

impl Connection {
    /// Connects and exchanges hellos.
    pub(crate) async fn open(socket: &Path, hello: &Hello) -> Result<Self, ClientError> {
        let wait = Duration::from_millis(NODE_WAIT_MS);
        let greeted = tokio::time::timeout(wait, greet(socket, hello)).await;
        let lines = greeted.unwrap_or(Err(ClientError::TimedOut { timeout_ms: NODE_WAIT_MS }))?;
        let (calls, queue) = mpsc::channel(QUEUE_LEN);
        let given_up = Arc::new(Notify::new());
        Ok(Self { calls, given_up: given_up.clone(), _task: Task::run(serve(lines, queue, given_up)) })
    }

    /// Asks and waits for the last word.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        self.ask_with(request, |_| ()).await
    }

    /// Asks, tells what happens meanwhile, and waits for the last word. Dropped before, it cancels the request.
    pub(crate) async fn ask_with(&self, request: Request, mut on_event: impl FnMut(Event)) -> Answer {
        let lost = || ClientError::Broken { served: true };
        let (answer, answered) = oneshot::channel();
        let (events, mut happened) = mpsc::channel(EVENTS_MAX);
        let mut asked = Asked { answer: answered, given_up: self.given_up.clone() };
        let call = Call { request, waits: Waits { events, answer } };
        self.calls.send(call).await.map_err(|_| lost())?;
        loop {
            tokio::select! {
                // What happened comes before the last word, which is put in after it.
                biased;
                Some(event) = happened.recv() => on_event(event),
                answer = &mut asked.answer => return answer.map_err(|_| lost())?,
            }
        }
    }

    /// Whether it still stands, as far as is known here.
    pub(crate) fn is_open(&self) -> bool {
        !self.calls.is_closed()
    }

    /// Something to wait for its end by.
    pub(crate) fn ending(&self) -> Ending {
        Ending(self.calls.clone())
    }
}

async fn greet(socket: &Path, hello: &Hello) -> Result<Lines, ClientError> {
    let hung_up = || ClientError::Broken { served: false };
    let stream = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(socket.into()),
        _ => ClientError::Socket { path: socket.into(), source: error },
    })?;
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    let line = encode(&ClientLine::Hello { hello: hello.clone() })?;
    lines.send(line).await.map_err(|_| hung_up())?;
    let Some(Ok(line)) = lines.next().await else { return Err(hung_up()) };
    match serde_json::from_str(&line) {
        Ok(NodeLine::Hello { hello }) => accept(&hello).map(|()| lines),
        Ok(NodeLine::Error { error, .. }) => Err(error.into()),
        Ok(_) | Err(_) => Err(garbage(&line)),
    }
}

/// A node serves its own version and the one before, and an older one is starting again as this program.
fn accept(node: &NodeHello) -> Result<(), ClientError> {
    if node.restarting {
        return Err(ClientError::Restarting);
    }
    let is_known = (API_VERSION..=API_VERSION + 1).contains(&node.api);
    if is_known { Ok(()) } else { Err(ClientError::Skew { node: node.api }) }
}

/// Carries requests out and answers back until either side ends.
async fn serve(mut lines: Lines, mut queue: mpsc::Receiver<Call>, given_up: Arc<Notify>) {
    let mut waiting = Waiting::new();
    let mut last_id = 0;
    loop {
        let said = tokio::select! {
            call = queue.recv() => {
                let Some(call) = call else { return };
                last_id += 1;
                carry_out(last_id, call, &mut waiting).into_iter().collect()
            }
            line = lines.next() => {
                let Some(Ok(line)) = line else { return };
                let overrun = hand_over(&line, &mut waiting);
                overrun.and_then(cancel).into_iter().collect()
            }
            () = given_up.notified() => given_up_ones(&mut waiting),
        };
        for line in said {
            if lines.send(line).await.is_err() {
                return;
            }
        }
    }
}

/// The line by which a request is asked, if it still is wanted and fits.
fn carry_out(id: u64, call: Call, waiting: &mut Waiting) -> Option<String> {
    let Call { request, waits } = call;
    if waits.answer.is_closed() {
        return None;
    }
    match encode(&ClientLine::Request(RequestLine { id, request })) {
        Ok(line) => {
            waiting.insert(id, waits);
            Some(line)
        }
        Err(error) => {
            // Whoever asked may have gone; then nobody needs the answer.
            drop(waits.answer.send(Err(error)));
            None
        }
    }
}

/// The lines that cancel what nobody waits for any more.
fn given_up_ones(waiting: &mut Waiting) -> Vec<String> {
    let gone = waiting.extract_if(|_, waits| waits.answer.is_closed());
    gone.filter_map(|(id, _)| cancel(id)).collect()
}

fn cancel(id: u64) -> Option<String> {
    encode(&ClientLine::Cancel { cancel: id }).ok()
}

/// The id of a line whose rest may be of a newer node.
#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// Gives a line to whom it is for. What is returned is to be cancelled.
fn hand_over(line: &str, waiting: &mut Waiting) -> Option<u64> {
    let (id, answer) = match serde_json::from_str(line) {
        Ok(NodeLine::Event { id, event }) => return happened(id, event, waiting),
        Ok(NodeLine::Ok { id, ok }) => (id, Ok(ok)),
        Ok(NodeLine::Error { id, error }) => (id, Err(error.into())),
        Ok(NodeLine::Hello { .. }) => return None,
        Err(_) => match serde_json::from_str::<Numbered>(line) {
            Ok(Numbered { id }) => (id, Err(garbage(line))),
            Err(_) => return None,
        },
    };
    if let Some(waits) = waiting.remove(&id) {
        drop(waits.answer.send(answer));
    }
    None
}

/// Passes an event on. Nobody is waited for: a tool that does not take its events must not hold up the others.
fn happened(id: u64, event: Event, waiting: &mut Waiting) -> Option<u64> {
    match waiting.get(&id)?.events.try_send(event) {
        Ok(()) => None,
        // Given up, which is seen to by itself.
        Err(TrySendError::Closed(_)) => None,
        Err(TrySendError::Full(_)) => {
            let waits = waiting.remove(&id)?;
            drop(waits.answer.send(Err(overrun().into())));
            Some(id)
        }
    }
}

fn overrun() -> ApiError {
    ApiError::new(ErrorKind::Internal, "more happened than could be told, which is Parlor's fault")
        .hint("call the tool again; what was said is in the room's log")
}

fn encode(line: &ClientLine) -> Result<String, ClientError> {
    let text = serde_json::to_string(line).map_err(|error| ClientError::Garbage(error.to_string()))?;
    if text.len() > MAX_LINE_BYTES { Err(ClientError::RequestTooLong(text.len())) } else { Ok(text) }
}

fn garbage(line: &str) -> ClientError {
    ClientError::Garbage(format!("{:?}", line.chars().take(SHOWN_CHARS).collect::<String>()))
}
