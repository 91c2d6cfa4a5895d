//! One connection to the node's socket: JSON Lines, several requests at a time. It neither starts a node nor
//! connects again; that is `node_link`'s.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parlor_api::{
    API_VERSION, ClientError, ClientLine, Hello, MAX_LINE_BYTES, NODE_WAIT_MS, NodeHello, NodeLine, Reply,
    Request, RequestLine,
};
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Framed, LinesCodec};

use crate::task::Task;

/// Requests that may wait to be written.
const QUEUE_LEN: usize = 16;
/// How much of a line nobody understands is shown.
const SHOWN_CHARS: usize = 80;

type Lines = Framed<UnixStream, LinesCodec>;
type Answer = Result<Reply, ClientError>;

struct Call {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// An open connection, closed when dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    calls: mpsc::Sender<Call>,
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
        Ok(Self { calls, _task: Task::run(serve(lines, queue)) })
    }

    /// Asks and waits for the last word.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let (answer, answered) = oneshot::channel();
        let lost = || ClientError::Broken { served: true };
        self.calls.send(Call { request, answer }).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
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
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(socket.into()),
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
async fn serve(mut lines: Lines, mut queue: mpsc::Receiver<Call>) {
    let mut waiting = HashMap::new();
    let mut last_id = 0;
    loop {
        tokio::select! {
            call = queue.recv() => {
                let Some(call) = call else { return };
                last_id += 1;
                match encode(&ClientLine::Request(RequestLine { id: last_id, request: call.request })) {
                    Ok(line) => {
                        waiting.insert(last_id, call.answer);
                        if lines.send(line).await.is_err() {
                            return;
                        }
                    }
                    // Whoever asked may have gone; then nobody needs the answer.
                    Err(error) => drop(call.answer.send(Err(error))),
                }
            }
            line = lines.next() => {
                let Some(Ok(line)) = line else { return };
                hand_over(&line, &mut waiting);
            }
        }
    }
}

/// The id of a line whose rest may be of a newer node.
#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

fn hand_over(line: &str, waiting: &mut HashMap<u64, oneshot::Sender<Answer>>) {
    let (id, answer) = match serde_json::from_str(line) {
        Ok(NodeLine::Ok { id, ok }) => (id, Ok(ok)),
        Ok(NodeLine::Error { id, error }) => (id, Err(error.into())),
        Ok(NodeLine::Hello { .. } | NodeLine::Event { .. }) => return,
        Err(_) => match serde_json::from_str::<Numbered>(line) {
            Ok(Numbered { id }) => (id, Err(garbage(line))),
            Err(_) => return,
        },
    };
    if let Some(waits) = waiting.remove(&id) {
        drop(waits.send(answer));
    }
}

fn encode(line: &ClientLine) -> Result<String, ClientError> {
    let text = serde_json::to_string(line).map_err(|error| ClientError::Garbage(error.to_string()))?;
    if text.len() > MAX_LINE_BYTES { Err(ClientError::RequestTooLong(text.len())) } else { Ok(text) }
}

fn garbage(line: &str) -> ClientError {
    ClientError::Garbage(format!("{:?}", line.chars().take(SHOWN_CHARS).collect::<String>()))
}
