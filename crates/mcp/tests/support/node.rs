//! A node double: serves the socket's protocol from a script and writes down everything that happens on it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use parlor_api::paths::Home;
use parlor_api::{
    API_VERSION, ApiError, ClientLine, Hello, NodeHello, NodeLine, Person, Reply, Request, RequestLine, Sent,
    Unheard,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::soon;

/// The token of every lease.
pub const TOKEN: u64 = 41;

/// What happened. Connections are numbered over all nodes of a test.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Opened(u64, Hello),
    Asked(u64, Request),
    /// A request that was asked before was cancelled.
    Cancelled(u64, Request),
    Closed(u64),
    /// The agent program's side flushed something.
    Flushed,
}

/// What the node does when asked.
pub enum Answer {
    Reply(Reply),
    Error(ApiError),
    /// Closes the connection without a word.
    HangUp,
    /// Answers when the test says so.
    After(tokio::sync::oneshot::Receiver<()>, Reply),
    /// Says what the test gives it until that ends, and then this.
    Stream(UnboundedReceiver<parlor_api::Event>, Reply),
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// Where events go; it outlives any node.
#[derive(Clone)]
pub struct Record {
    sender: UnboundedSender<Event>,
    connections: Arc<AtomicU64>,
}

/// What happened, for the test to read.
pub struct Events {
    receiver: UnboundedReceiver<Event>,
    /// Everything read so far.
    pub seen: Vec<Event>,
}

impl Record {
    pub fn new() -> (Self, Events) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender, connections: Arc::default() }, Events { receiver, seen: Vec::new() })
    }

    pub fn note(&self, event: Event) {
        self.sender.send(event).ok();
    }
}

impl Events {
    /// The next event that fits.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = soon(what, self.receiver.recv()).await.expect("the record is kept");
            self.seen.push(event.clone());
            if fits(&event) {
                return event;
            }
        }
    }

    /// The next request that fits, with its connection.
    pub async fn asked(&mut self, what: &str, fits: impl Fn(&Request) -> bool) -> (u64, Request) {
        match self.until(what, |event| matches!(event, Event::Asked(_, request) if fits(request))).await {
            Event::Asked(connection, request) => (connection, request),
            other => panic!("{other:?}"),
        }
    }

    /// Whether a commit has been asked for, as far as was read.
    pub fn committed(&self) -> bool {
        self.seen.iter().any(|event| matches!(event, Event::Asked(_, Request::Commit { .. })))
    }
}

/// A serving node; it ends, with its socket and connections, when dropped.
pub struct Node {
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    socket: std::path::PathBuf,
}

impl Node {
    /// Serves on the home's socket. Needs to be called in a runtime.
    pub fn start(
        home: &Home,
        record: &Record,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let socket = home.socket().expect("short enough");
        let listener = UnixListener::bind(&socket).expect("free");
        let tasks: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let script: Arc<Script> = Arc::new(script);
        let accepting = accept(listener, record.clone(), script, tasks.clone());
        let task = tokio::spawn(accepting).abort_handle();
        tasks.lock().unwrap().push(task);
        Self { tasks, socket }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
        self.tasks.lock().unwrap().iter().for_each(AbortHandle::abort);
    }
}

async fn accept(
    listener: UnixListener,
    record: Record,
    script: Arc<Script>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let number = record.connections.fetch_add(1, Ordering::SeqCst);
        let task = tokio::spawn(serve(stream, number, record.clone(), script.clone()));
        tasks.lock().unwrap().push(task.abort_handle());
    }
}

/// Notes the end of a connection whichever side ends it.
struct Closing(Record, u64);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.note(Event::Closed(self.1));
    }
}

async fn serve(stream: UnixStream, number: u64, record: Record, script: Arc<Script>) {
    let _closing = Closing(record.clone(), number);
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (said, mut to_say) = unbounded_channel();
    let mut asked = std::collections::HashMap::new();
    let mut answering = tokio::task::JoinSet::new();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line,
            line = to_say.recv() => {
                let line: Option<NodeLine> = line.expect("a sender is held here");
                let Some(line) = line else { return };
                let line = serde_json::to_string(&line).expect("writable") + "\n";
                if write.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Ok(Some(line)) = line else { return };
        match serde_json::from_str(&line).expect("a line of the protocol") {
            ClientLine::Hello { hello } => {
                record.note(Event::Opened(number, hello));
                let version = env!("CARGO_PKG_VERSION").to_owned();
                let hello = NodeHello { api: API_VERSION, version, pid: 1, restarting: false };
                said.send(Some(NodeLine::Hello { hello })).ok();
            }
            ClientLine::Cancel { cancel } => {
                let request = asked.remove(&cancel).expect("only what was asked is cancelled");
                record.note(Event::Cancelled(number, request));
            }
            ClientLine::Request(RequestLine { id, request }) => {
                record.note(Event::Asked(number, request.clone()));
                let answer = script(&request);
                asked.insert(id, request);
                answering.spawn(answer_in_time(id, answer, said.clone()));
            }
        }
    }
}

/// Says what the script wants said; none ends the connection.
async fn answer_in_time(id: u64, answer: Answer, said: UnboundedSender<Option<NodeLine>>) {
    let line = match answer {
        Answer::Reply(ok) => NodeLine::Ok { id, ok },
        Answer::Error(error) => NodeLine::Error { id, error },
        Answer::HangUp => return drop(said.send(None)),
        Answer::After(word, ok) => {
            word.await.expect("the test gives its word");
            NodeLine::Ok { id, ok }
        }
        Answer::Stream(mut events, ok) => {
            while let Some(event) = events.recv().await {
                said.send(Some(NodeLine::Event { id, event })).ok();
            }
            NodeLine::Ok { id, ok }
        }
    };
    said.send(Some(line)).ok();
}

/// What a node with one room, one other member and one unread message answers.
pub fn usual(request: &Request) -> Answer {
    Answer::Reply(match request {
        Request::Send { room, .. } => Reply::Sent(Sent {
            id: "m7k2qdaaaaaaaaaa".into(),
            room: "rpayments".into(),
            room_name: room.clone().unwrap_or_else(|| "payments".into()),
            reached: 1,
            of: 2,
            tagged: None,
            far: Vec::new(),
            warnings: Vec::new(),
        }),
        Request::Check { .. } => {
            let text = "[payments @bob/api-fix (agent) 14:05Z m7k2qd] postgres, we have it\n".into();
            Reply::Unheard(Unheard { text, messages: 1, more: 0, token: Some(TOKEN) })
        }
        Request::Who { .. } => Reply::People(vec![bob()]),
        Request::SessionList => Reply::Sessions(Vec::new()),
        Request::SetSummary { .. } | Request::Commit { .. } => Reply::Done,
        other => panic!("an MCP server never asks {other:?}"),
    })
}

fn bob() -> Person {
    Person {
        room: "rpayments".into(),
        peer: "pbob".into(),
        name: "bob".into(),
        role: "member".into(),
        own: false,
        connected: true,
        last_seen: None,
        seen_ago_s: None,
        sessions: Vec::new(),
        verified: None,
        warning: None,
    }
}

/// A throw-away home.
pub fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let home = Home::at(dir.path());
    (dir, home)
}

/// Whether a node serves at this path, without touching it.
pub fn serves(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}
