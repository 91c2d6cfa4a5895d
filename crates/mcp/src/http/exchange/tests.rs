//! When an answer counts as written, over a connection that takes no more than its reader reads.

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parlor_api::{ApiError, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::double::node::{Event, Events, Node, Record, home, usual};
use crate::double::soon;
use crate::node_link::NodeLink;
use crate::task::Task;

/// A connection on which `body` is answered, with the lease of what it carries.
struct Setup {
    _dir: tempfile::TempDir,
    _node: Node,
    link: NodeLink,
    events: Events,
    /// The connection the lease is on.
    gave: u64,
    program: DuplexStream,
    _serving: Task,
}

async fn answering(body: String) -> Setup {
    let (dir, home) = home();
    let (record, mut events) = Record::new();
    let node = Node::start(&home, &record, usual);
    let no_node: crate::EnsureNode = Arc::new(|| Err(ApiError::new(ErrorKind::Machine, "no node")));
    let link = NodeLink::new(&home, Default::default(), no_node);
    let (_, lease) = link.take_unheard(&None, None).await.unwrap();
    let is_check = |request: &parlor_api::Request| matches!(request, parlor_api::Request::Check { .. });
    let (gave, _) = events.asked("the check", is_check).await;
    let (mut program, stream) = tokio::io::duplex(64);
    let written = Arc::new(Written::new(TaskTracker::new()));
    let lease = Mutex::new(lease);
    let io = TokioIo::new(Flushing { stream, written: written.clone() });
    let serving = Task::run(async move {
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let exchange = Exchange::new(written.clone());
            exchange.hold(lease.lock().unwrap().take().unwrap());
            let body = exchange.watch(Full::new(Bytes::from(body.clone())));
            async move { Ok::<_, std::convert::Infallible>(Response::new(body)) }
        });
        drop(http1::Builder::new().serve_connection(io, service).await);
    });
    program.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    Setup { _dir: dir, _node: node, link, events, gave, program, _serving: serving }
}

fn answer() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"text":"{}"}}}}"#, "x".repeat(500))
}

impl Setup {
    /// The node has heard everything that was said to it up to now.
    async fn settle(&mut self) {
        self.link.ask(&None, parlor_api::Request::Who { room: None }).await.unwrap();
        let is_who = |request: &parlor_api::Request| matches!(request, parlor_api::Request::Who { .. });
        self.events.asked("who", is_who).await;
    }

    async fn lease_ends(&mut self) {
        let gave = self.gave;
        self.events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
    }
}

#[tokio::test]
async fn wound_01_an_answer_counts_as_given_when_its_last_byte_was_written_and_not_before() {
    let mut setup = answering(answer()).await;
    // It is being written, and stuck: nobody reads more than this.
    let mut some = [0; 100];
    setup.program.read_exact(&mut some).await.unwrap();
    setup.settle().await;
    assert!(!setup.events.committed(), "{:?}", setup.events.seen);
    let mut rest = Vec::new();
    soon("the rest", setup.program.read_to_end(&mut rest)).await.unwrap();
    setup.lease_ends().await;
    assert!(setup.events.committed(), "{:?}", setup.events.seen);
}

#[tokio::test]
async fn wound_01_an_answer_that_nobody_took_whole_gives_nothing() {
    let mut setup = answering(answer()).await;
    let mut some = [0; 100];
    setup.program.read_exact(&mut some).await.unwrap();
    let (other, _) = tokio::io::duplex(1);
    drop(std::mem::replace(&mut setup.program, other));
    setup.lease_ends().await;
    assert!(!setup.events.committed(), "{:?}", setup.events.seen);
}

#[tokio::test]
async fn an_answer_without_a_result_gives_nothing() {
    let error =
        r#"data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"\"result\":"}}"#;
    let mut setup = answering(error.to_owned()).await;
    let mut all = Vec::new();
    soon("the answer", setup.program.read_to_end(&mut all)).await.unwrap();
    setup.lease_ends().await;
    assert!(!setup.events.committed(), "{:?}", setup.events.seen);
}
