//! The way to the node, whatever becomes of it: holds a connection open, connects again by itself, has a node
//! started when one is needed, asks once more what was lost with a connection. Knows no tool.

mod shared;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parlor_api::paths::Home;
use parlor_api::{ApiError, Asked, ClientError, ErrorKind, Event, Hello, Reply, Request, Unheard};
use tokio::sync::SemaphorePermit;

use self::shared::Shared;
use crate::EnsureNode;
use crate::connection::Connection;
use crate::task::Task;

/// The variable by which the hello says which session a call named.
pub(crate) const SESSION_VARIABLE: &str = "PARLOR_MCP_SESSION";

/// How long the node may take to answer, beyond what it was asked to wait.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How long it may take to seal a file.
const SEALING_WAIT: Duration = Duration::from_secs(10 * 60);
const COMMIT_WAIT: Duration = Duration::from_secs(5);

/// Which session a call belongs to, where the agent program says so with each call.
pub(crate) type SessionName = Option<String>;

/// How many requests of one way may wait for what others do. Fewer than a node works on for one connection, and than
/// a server lets in: the rest stays free for what is quick, and the cancellation of a wait is read at any time.
pub(crate) const WAITS_MAX: usize = 24;

/// The way to the node.
pub(crate) struct NodeLink {
    /// That of a session of its own; it begins with the handshake where several sessions are served.
    own: OnceLock<Own>,
    /// That of all who have none.
    common: Arc<Shared>,
}

struct Own {
    shared: Arc<Shared>,
    _holder: Task,
}

/// The ways to the node of several sessions that one process serves.
pub(crate) struct NodeLinks {
    common: Arc<Shared>,
    _holder: Task,
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
        let common = Arc::new(Shared::new(home, hello, ensure_node));
        let own = Own { shared: common.clone(), _holder: Task::run(common.clone().keep()) };
        Self { own: own.into(), common }
    }

    /// From now on its calls are those of one session, where several are served.
    pub(crate) fn begin_session(&self) {
        self.own.get_or_init(|| {
            let shared = Arc::new(self.common.another());
            Own { _holder: Task::run(shared.clone().let_go_when_idle()), shared }
        });
    }

    fn shared(&self) -> &Arc<Shared> {
        self.own.get().map_or(&self.common, |own| &own.shared)
    }

    /// A place among the requests that may wait; none when all are taken.
    pub(crate) fn wait_place(&self) -> Option<SemaphorePermit<'_>> {
        self.shared().waits.try_acquire().ok()
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
            let connection = self.shared().current(session).await?;
            let answer = connection.ask_with(request.clone(), |event| {
                retried = true;
                on_event(event);
            });
            match within(answer_wait(&request), answer).await {
                Ok(reply) => return Ok(reply),
                Err(ClientError::Refused(error)) => return Err(error),
                Err(error) => {
                    self.shared().forget(&connection).await;
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
            let connection = self.shared().open_or_start(session).await?;
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
            let connection = self.shared().open_or_start(session).await?;
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

impl NodeLinks {
    /// Links for sessions whose agent programs this process was not begun by: it can say of itself where it runs, and of
    /// them nothing but how it tells them apart. Must be made in a runtime.
    pub(crate) fn new(
        home: &Home,
        env: BTreeMap<String, String>,
        run: String,
        ensure_node: EnsureNode,
    ) -> Self {
        let hello = Hello { terminal: false, parent_pid: None, env, ..Hello::of_this_process("mcp", &[]) };
        let common = Arc::new(Shared::new(home, hello, ensure_node).named(run));
        Self { _holder: Task::run(common.clone().let_go_when_idle()), common }
    }

    /// A link of whoever has no session.
    pub(crate) fn link(&self) -> NodeLink {
        NodeLink { own: OnceLock::new(), common: self.common.clone() }
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
        Request::FileGet { wait_ms: Some(wait_ms), .. } => ANSWER_WAIT + Duration::from_millis(*wait_ms),
        // As long as a large file takes to be read once.
        Request::FileDrop { .. } => SEALING_WAIT,
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

/// Nobody knows what became of the request; for a message that has to be said.
fn unanswered(error: ClientError, request: &Request) -> ApiError {
    let may_be_done = matches!(error, ClientError::Broken { .. } | ClientError::TimedOut { .. });
    let error = ApiError::from(error);
    if may_be_done
        && matches!(
            request,
            Request::Send { .. } | Request::Ask { .. } | Request::Answer { .. } | Request::FileDrop { .. }
        )
    {
        return error
            .hint("the message may be stored all the same: look with `parlor log` before sending it again");
    }
    error
}
