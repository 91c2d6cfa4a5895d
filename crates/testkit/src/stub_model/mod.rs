//! A stub of a model on loopback: it answers what the test scripted and records what the agent program
//! asked, so that a test can say what the model was given.
//!
//! It speaks enough of four APIs for the real agent programs — Anthropic Messages (Claude Code), OpenAI
//! Responses (Codex), Gemini's `generateContent` (Gemini CLI) and chat completions (OpenCode): streaming, tool
//! calls, token counts, the list of models — and nothing of it is clever: what a model would say is the
//! test's business. Scripts and questions about requests are the same for all four.

mod dialect;
mod reply;
mod request;
mod server;

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use reply::Reply;
pub use request::Request;
use serde_json::json;

use crate::record::Record;
use crate::{Error, Result};

/// How many requests are remembered; older ones are forgotten.
pub const MAX_REQUESTS: usize = 1_000;
/// A larger request body is refused with 413.
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// How often a tool that is not loaded yet is searched for before the stub gives up.
const MAX_SEARCHES: usize = 5;

type Answer = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The server; it ends at drop.
pub struct StubModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

struct Shared {
    requests: Record<Request>,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    count: usize,
    queue: VecDeque<Reply>,
    answer: Option<Answer>,
    /// What is to be answered once the tool search of this id has returned, and how often it was tried.
    searches: BTreeMap<String, (Reply, usize)>,
}

impl StubModel {
    /// Starts one on 127.0.0.1 with a port of the system's choice. Unscripted, it answers `ok`.
    pub fn start() -> Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").map_err(Error::file("cannot listen on", "127.0.0.1:0"))?)
    }

    /// Starts one on the loopback of the namespace of `host`.
    #[cfg(target_os = "linux")]
    pub fn start_in(host: &crate::netns::Namespace) -> Result<Self> {
        let bound = host.inside(|| TcpListener::bind("127.0.0.1:0"))?;
        Self::on(bound.map_err(Error::file("cannot listen on", "127.0.0.1:0"))?)
    }

    fn on(listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr().map_err(Error::file("cannot read", "the address of the stub"))?;
        let shared =
            Arc::new(Shared { requests: Record::new(MAX_REQUESTS), script: Mutex::new(Script::default()) });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        server::start(listener, Arc::clone(&shared), stopped)?;
        Ok(Self { address, shared, stop: Some(stop) })
    }

    /// Where it is. What agent programs are to be told differs: some want the version in the path.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Appends to what is answered next, in order, to the requests of conversations.
    pub fn push(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script().queue.extend(replies);
    }

    /// Lets `answer` decide whatever [`StubModel::push`] has nothing for. It may block, which holds the
    /// model's answer back.
    pub fn reply_with(&self, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        self.script().answer = Some(Arc::new(answer));
    }

    /// Every request so far, oldest first, with token counts and whatever else was asked.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.all()
    }

    /// Every request so far that is a turn of a conversation.
    pub fn conversations(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_conversation).collect()
    }

    /// The number of the newest request; 0 when there was none. See [`Request::number`].
    pub fn mark(&self) -> usize {
        self.script().count
    }

    /// The first request, past or future, for which `wanted` holds.
    pub fn wait_for_request(&self, wanted: impl Fn(&Request) -> bool, timeout: Duration) -> Result<Request> {
        self.shared.requests.wait_for("the awaited request to the model", wanted, Request::summary, timeout)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script()
    }
}

impl Drop for StubModel {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers and records a request.
    fn record(&self, request: &mut Request) {
        // Under the lock, so that the record is in the order of the numbers.
        let mut script = self.script();
        script.count += 1;
        request.number = script.count;
        self.requests.push(request.clone());
    }

    /// What to answer to a recorded turn of the model.
    fn reply(&self, request: &Request) -> Reply {
        if !request.is_conversation() {
            return Reply::text("ok");
        }
        let (reply, tries) = self.next(request);
        let Reply::Tool { name, .. } = &reply else { return reply };
        if request.offers_tool(name) || !request.offers_tool("ToolSearch") {
            return reply;
        }
        if tries == MAX_SEARCHES {
            return Reply::text(format!("stub: the tool {name} never became available"));
        }
        let search = Reply::tool("ToolSearch", json!({"query": format!("select:{name}"), "max_results": 5}));
        if let Reply::Tool { id, .. } = &search {
            self.script().searches.insert(id.clone(), (reply, tries + 1));
        }
        search
    }

    fn next(&self, request: &Request) -> (Reply, usize) {
        let mut script = self.script();
        let searched = request.new_tool_results().into_iter().find_map(|(id, _)| script.searches.remove(&id));
        if let Some(waiting) = searched {
            return waiting;
        }
        if let Some(reply) = script.queue.pop_front() {
            return (reply, 0);
        }
        let answer = script.answer.clone();
        drop(script);
        (answer.map_or_else(|| Reply::text("ok"), |answer| answer(request)), 0)
    }
}
