//! One session's way to the node, or that of all who have no session: the connection that is held, and how another is
//! opened. What is asked over it is `node_link`'s.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use parlor_api::paths::{Home, HomeError};
use parlor_api::{ApiError, ClientError, ErrorKind, Hello, NODE_WAIT_MS};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::{SESSION_VARIABLE, SessionName, WAITS_MAX};
use crate::EnsureNode;
use crate::connection::{Connection, Ending};

const NODE_WAIT: Duration = Duration::from_millis(NODE_WAIT_MS);
const RECONNECT_MIN: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(10);
const START_POLL_MIN: Duration = Duration::from_millis(10);
const START_POLL_MAX: Duration = Duration::from_millis(250);
/// For how long a session of which nothing is heard seems to be there; agents think for minutes.
const IDLE: Duration = Duration::from_secs(10 * 60);

pub(super) struct Shared {
    socket: Result<PathBuf, HomeError>,
    hello: Hello,
    ensure_node: EnsureNode,
    /// What tells these sessions from those that name themselves.
    run: SessionName,
    sessions: AtomicU64,
    held: Mutex<Held>,
    pub(super) waits: Semaphore,
}

struct Held {
    connection: Option<Arc<Connection>>,
    session: SessionName,
    used: Instant,
}

impl Shared {
    pub(super) fn new(home: &Home, hello: Hello, ensure_node: EnsureNode) -> Self {
        Self::to(home.socket(), hello, ensure_node)
    }

    fn to(socket: Result<PathBuf, HomeError>, hello: Hello, ensure_node: EnsureNode) -> Self {
        let held = Held { connection: None, session: None, used: Instant::now() };
        Self {
            socket,
            hello,
            ensure_node,
            run: None,
            sessions: AtomicU64::new(0),
            held: Mutex::new(held),
            waits: Semaphore::new(WAITS_MAX),
        }
    }

    pub(super) fn named(self, run: String) -> Self {
        Self { run: Some(run), ..self }
    }

    /// The way of one more session.
    pub(super) fn another(&self) -> Self {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let way = Self::to(self.socket.clone(), self.hello.clone(), self.ensure_node.clone());
        way.named(format!("{}-{number}", self.run.as_deref().unwrap_or_default()))
    }

    /// The connection held, or a new one; starts a node where there is none.
    pub(super) async fn current(&self, session: &SessionName) -> Result<Arc<Connection>, ApiError> {
        let mut held = self.held.lock().await;
        held.used = Instant::now();
        if let Some(connection) = held.connection.as_ref().filter(|one| one.is_open())
            && held.session == *session
        {
            return Ok(connection.clone());
        }
        let connection = Arc::new(self.open_or_start(session).await?);
        held.connection = Some(connection.clone());
        held.session = session.clone();
        Ok(connection)
    }

    pub(super) async fn forget(&self, connection: &Arc<Connection>) {
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
        if let Some(session) = self.name_of(session) {
            hello.env.insert(SESSION_VARIABLE.to_owned(), session);
        }
        let socket = self.socket.as_ref().map_err(HomeError::clone)?;
        Connection::open(socket, &hello).await
    }

    pub(super) async fn open_or_start(&self, session: &SessionName) -> Result<Connection, ApiError> {
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

    /// How the node is to call a session.
    fn name_of(&self, session: &SessionName) -> SessionName {
        match (&self.run, session) {
            (None, _) => session.clone(),
            (Some(run), None) => Some(run.clone()),
            // What a call names may be a session that hooks know: it is another one here, by its whole name.
            (Some(run), Some(session)) => Some(format!("{run}:{session}")),
        }
    }

    /// Holds a connection for as long as the process lives.
    pub(super) async fn keep(self: Arc<Self>) {
        let patience = ExponentialBuilder::default()
            .with_min_delay(RECONNECT_MIN)
            .with_max_delay(RECONNECT_MAX)
            .with_jitter()
            .without_max_times();
        loop {
            let Ok(ending) = (|| self.hold()).retry(patience).sleep(tokio::time::sleep).await else { return };
            ending.ended().await;
            // A node that hangs up at once must not be asked in a tight loop.
            tokio::time::sleep(RECONNECT_MIN).await;
        }
    }

    /// Lets the connection go when nothing was asked for long: who does not say goodbye must not seem present.
    pub(super) async fn let_go_when_idle(self: Arc<Self>) {
        loop {
            tokio::time::sleep(IDLE / 2).await;
            let mut held = self.held.lock().await;
            if held.used.elapsed() >= IDLE {
                held.connection = None;
            }
        }
    }
}

fn unreachable_node() -> ApiError {
    ApiError::new(ErrorKind::Machine, "the node does not come up")
        .hint("ask your user to run `parlor doctor`; the tool can be called again at any time")
}
