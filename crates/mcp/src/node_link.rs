//! The way to the node, whatever becomes of it: holds a connection open, connects again by itself, has a node
//! started when one is needed, asks once more what was lost with a connection. Knows no tool.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use parlor_api::paths::{Home, HomeError};
use parlor_api::{
    ApiError, Asked, ClientError, ErrorKind, Event, Hello, NODE_WAIT_MS, Reply, Request, Unheard,
};
use tokio::sync::Mutex;

use crate::EnsureNode;
use crate::connection::{Connection, Ending};
use crate::task::Task;

/// The variable by which the hello says which session a call named.
pub(crate) const SESSION_VARIABLE: &str = "PARLOR_MCP_SESSION";

/// How long the node may take to answer, beyond what it was asked to wait.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
const COMMIT_WAIT: Duration = Duration::from_secs(5);
const NODE_WAIT: Duration = Duration::from_millis(NODE_WAIT_MS);
const RECONNECT_MIN: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(10);
const START_POLL_MIN: Duration = Duration::from_millis(10);
const START_POLL_MAX: Duration = Duration::from_millis(250);

/// Which session a call belongs to, where the agent program says so with each call.
pub(crate) type SessionName = Option<String>;

/// The way to the node.
pub(crate) struct NodeLink {
    shared: Arc<Shared>,
    _keeper: Task,
}

struct Shared {
    socket: Result<PathBuf, HomeError>,
    hello: Hello,
    ensure_node: EnsureNode,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    connection: Option<Arc<Connection>>,
    session: SessionName,
}

/// Unread text that the node has set aside for one answer. Dropped, it goes back: the node ends a lease with
/// its connection, so each has one of its own.
pub(crate) struct Lease {
    connection: Connection,
    token: u64,
}

impl Lease {
    /// Says that the text has been written out.
    pub(crate) async fn commit(self) {
        let commit = self.connection.ask(Request::Commit { token: self.token });
        // Unanswered, the text is given again: twice is better than never.
        drop(tokio::time::timeout(COMMIT_WAIT, commit).await);
    }
}

impl NodeLink {
    /// A link that begins to connect at once. Must be made in a runtime.
    pub(crate) fn new(home: &Home, env: BTreeMap<String, String>, ensure_node: EnsureNode) -> Self {
        let hello = Hello { terminal: false, env, ..Hello::of_this_process("mcp", &[]) };
        let shared = Arc::new(Shared { socket: home.socket(), hello, ensure_node, held: Mutex::default() });
        Self { _keeper: Task::run(keep(shared.clone())), shared }
    }

    /// Asks the node. What a lost connection swallowed is asked once more, word for word, so that a message
    /// keeps its request id.
    pub(crate) async fn ask(&self, session: &SessionName, request: Request) -> Result<Reply, ApiError> {
        self.ask_with(session, request, |_| ()).await
    }

    /// Asks the node and tells what happens until the last word. Dropped before, it cancels the request. After the
    /// first event it is not asked again, because what was told would be told twice.
    pub(crate) async fn ask_with(
        &self,
        session: &SessionName,
        request: Request,
        mut on_event: impl FnMut(Event),
    ) -> Result<Reply, ApiError> {
        let mut retried = false;
        loop {
            let connection = self.shared.current(session).await?;
            let answer = connection.ask_with(request.clone(), |event| {
                retried = true;
                on_event(event);
            });
            match within(answer_wait(&request), answer).await {
                Ok(reply) => return Ok(reply),
                Err(ClientError::Refused(error)) => return Err(error),
                Err(error) => {
                    self.shared.forget(&connection).await;
                    if retried || !error.is_passing() {
                        return Err(unanswered(error, &request));
                    }
                }
            }
            retried = true;
        }
    }

    /// Takes unread text on a connection of its own.
    pub(crate) async fn take_unheard(
        &self,
        session: &SessionName,
        room: Option<String>,
    ) -> Result<(Unheard, Option<Lease>), ApiError> {
        self.take(session, Request::Check { room, limit_chars: None }).await
    }

    /// Asks for unread text on a connection of its own, at once or when there is some. Dropped before, it takes
    /// nothing.
    pub(crate) async fn take(
        &self,
        session: &SessionName,
        request: Request,
    ) -> Result<(Unheard, Option<Lease>), ApiError> {
        let mut retried = false;
        loop {
            let connection = self.shared.open_or_start(session).await?;
            match within(answer_wait(&request), connection.ask(request.clone())).await {
                Ok(Reply::Unheard(unheard)) => {
                    let lease = unheard.token.map(|token| Lease { connection, token });
                    return Ok((unheard, lease));
                }
                Ok(_) => return Err(unexpected()),
                Err(error) if retried || !error.is_passing() => return Err(unanswered(error, &request)),
                Err(_) => retried = true,
            }
        }
    }

    /// Waits for answers to a question, on a connection of its own: they are leased to it. Dropped before, it takes nothing.
    pub(crate) async fn answers(
        &self,
        session: &SessionName,
        request: Request,
    ) -> Result<(Asked, Option<Lease>), ApiError> {
        let mut retried = false;
        loop {
            let connection = self.shared.open_or_start(session).await?;
            match within(answer_wait(&request), connection.ask(request.clone())).await {
                Ok(Reply::Asked(asked)) => {
                    let lease = asked.token.map(|token| Lease { connection, token });
                    return Ok((asked, lease));
                }
                Ok(_) => return Err(unexpected()),
                Err(error) if retried || !error.is_passing() => return Err(unanswered(error, &request)),
                Err(_) => retried = true,
            }
        }
    }
}

impl Shared {
    /// The connection held, or a new one; starts a node where there is none.
    async fn current(&self, session: &SessionName) -> Result<Arc<Connection>, ApiError> {
        let mut held = self.held.lock().await;
        if let Some(connection) = held.connection.as_ref().filter(|one| one.is_open())
            && held.session == *session
        {
            return Ok(connection.clone());
        }
        let connection = Arc::new(self.open_or_start(session).await?);
        *held = Held { connection: Some(connection.clone()), session: session.clone() };
        Ok(connection)
    }

    async fn forget(&self, connection: &Arc<Connection>) {
        let mut held = self.held.lock().await;
        if held.connection.as_ref().is_some_and(|one| Arc::ptr_eq(one, connection)) {
            held.connection = None;
        }
    }

    /// Connects where nothing is held, without starting a node: nobody asked for anything.
    async fn hold(&self) -> Result<Ending, ClientError> {
        let mut held = self.held.lock().await;
        if let Some(connection) = held.connection.as_ref().filter(|one| one.is_open()) {
            return Ok(connection.ending());
        }
        let connection = Arc::new(self.open(&held.session).await?);
        let ending = connection.ending();
        held.connection = Some(connection);
        Ok(ending)
    }

    async fn open(&self, session: &SessionName) -> Result<Connection, ClientError> {
        let mut hello = self.hello.clone();
        if let Some(session) = session {
            hello.env.insert(SESSION_VARIABLE.to_owned(), session.clone());
        }
        let socket = self.socket.as_ref().map_err(HomeError::clone)?;
        Connection::open(socket, &hello).await
    }

    async fn open_or_start(&self, session: &SessionName) -> Result<Connection, ApiError> {
        match self.open(session).await {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_undone() => self.start().await?,
            Err(error) => return Err(error.into()),
        }
        let often = ExponentialBuilder::default()
            .with_min_delay(START_POLL_MIN)
            .with_max_delay(START_POLL_MAX)
            .without_max_times();
        let deadline = Instant::now() + NODE_WAIT;
        let open = (|| self.open(session)).retry(often).sleep(tokio::time::sleep);
        Ok(open.when(|error| error.is_undone() && Instant::now() < deadline).await?)
    }

    async fn start(&self) -> Result<(), ApiError> {
        let ensure_node = self.ensure_node.clone();
        let started = tokio::task::spawn_blocking(move || ensure_node());
        match tokio::time::timeout(NODE_WAIT * 2, started).await {
            Ok(Ok(started)) => started,
            Ok(Err(_)) => {
                Err(ApiError::new(ErrorKind::Internal, "starting the node failed, which is Parlor's fault"))
            }
            Err(_) => Err(unreachable_node()),
        }
    }
}

/// Holds a connection for as long as the process lives.
async fn keep(shared: Arc<Shared>) {
    let patience = ExponentialBuilder::default()
        .with_min_delay(RECONNECT_MIN)
        .with_max_delay(RECONNECT_MAX)
        .with_jitter()
        .without_max_times();
    loop {
        let Ok(ending) = (|| shared.hold()).retry(patience).sleep(tokio::time::sleep).await else { return };
        ending.ended().await;
        // A node that hangs up at once must not be asked in a tight loop.
        tokio::time::sleep(RECONNECT_MIN).await;
    }
}

async fn within(
    wait: Duration,
    answer: impl Future<Output = Result<Reply, ClientError>>,
) -> Result<Reply, ClientError> {
    let timeout_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    tokio::time::timeout(wait, answer).await.unwrap_or(Err(ClientError::TimedOut { timeout_ms }))
}

/// How long the last word of a request may take: what the node was asked to wait, and the time of an answer.
fn answer_wait(request: &Request) -> Duration {
    match request {
        Request::Send { wait_ms, .. }
        | Request::Ask { wait_ms, .. }
        | Request::Answer { wait_ms, .. }
        | Request::Answers { wait_ms, .. }
        | Request::Wait { wait_ms, .. } => ANSWER_WAIT + Duration::from_millis(*wait_ms),
        endless if endless.is_endless() => Duration::MAX,
        _ => ANSWER_WAIT,
    }
}

/// An answer that belongs to another question.
pub(crate) fn unexpected() -> ApiError {
    ApiError::new(
        ErrorKind::Internal,
        "the node answered something else than was asked, which is Parlor's fault",
    )
    .hint("tell your user; `parlor doctor` shows the versions at work")
}

fn unreachable_node() -> ApiError {
    ApiError::new(ErrorKind::Machine, "the node does not come up")
        .hint("ask your user to run `parlor doctor`; the tool can be called again at any time")
}

/// Nobody knows what became of the request; for a message that has to be said.
fn unanswered(error: ClientError, request: &Request) -> ApiError {
    let may_be_done = matches!(error, ClientError::Broken { .. } | ClientError::TimedOut { .. });
    let error = ApiError::from(error);
    if may_be_done && matches!(request, Request::Send { .. } | Request::Ask { .. } | Request::Answer { .. }) {
        return error
            .hint("the message may be stored all the same: look with `parlor log` before sending it again");
    }
    error
}
