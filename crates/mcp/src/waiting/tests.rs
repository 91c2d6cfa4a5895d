//! Waits, with a tool made for it: it follows a room's log, says each event and answers with their number.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parlor_api::paths::Home;
use parlor_api::{ApiError, Event as Told, Reply, Request};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServiceExt, tool, tool_router};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::double::node::{Answer, Event, Events, Node, Record, home, usual};
use crate::double::soon;
use crate::in_flight::{IN_FLIGHT_MAX, InFlight};
use crate::node_link::{NodeLink, WAITS_MAX};
use crate::task::Task;
use crate::transport::Transport;

fn follow() -> Request {
    Request::Log { room: None, limit: None, since_ms: None, follow: true }
}

#[tool_router(router = follow_tool)]
impl Server {
    #[tool(description = "Counts what happens.")]
    async fn follow(&self, call: RequestContext<RoleServer>) -> CallToolResult {
        let mut count = 0;
        let followed = self.wait(&call, async |progress| {
            let on_event = |event| {
                count += 1;
                if let Told::Line(line) = event {
                    progress.say(line);
                }
            };
            self.node.ask_with(&None, follow(), on_event).await
        });
        match followed.await {
            Ok(_) => CallToolResult::success(vec![ContentBlock::text(count.to_string())]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.message)]),
        }
    }
}

/// An agent program whose server has the tool.
struct Agent {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    _server: Task,
}

impl Agent {
    async fn start(home: &Home) -> Self {
        let (input, server_input) = tokio::io::duplex(1 << 20);
        let (server_output, output) = tokio::io::duplex(1 << 20);
        let in_flight = Arc::new(InFlight::default());
        let no_node: crate::EnsureNode = Arc::new(|| Err(ApiError::new(ErrorKind::Machine, "no node")));
        let tools: ToolRouter<Server> = Server::follow_tool();
        let server =
            Server::new(NodeLink::new(home, Default::default(), no_node), in_flight.clone()).with(tools);
        let transport = Transport::new(server_input, server_output, in_flight);
        let server = Task::run(async move {
            server.serve(transport).await.unwrap().waiting().await.unwrap();
        });
        let mut agent = Self { input, output: BufReader::new(output).lines(), _server: server };
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        agent.say(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})).await;
        agent.hear().await;
        agent.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        agent
    }

    async fn say(&mut self, line: Value) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn call(&mut self, id: u64, tool: &str, meta: Value) {
        let params = json!({"name": tool, "arguments": {}, "_meta": meta});
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }

    async fn hear(&mut self) -> Value {
        let line = soon("line of the server", self.output.next_line()).await.unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }
}

fn is_follow(request: &Request) -> bool {
    matches!(request, Request::Log { .. })
}

/// A node whose logs are given what the test says, one sender for each that was asked for.
fn following(home: &Home, record: &Record) -> (Node, Arc<Mutex<Vec<UnboundedSender<Told>>>>) {
    let senders: Arc<Mutex<Vec<UnboundedSender<Told>>>> = Arc::default();
    let kept = senders.clone();
    let node = Node::start(home, record, move |request| {
        if !is_follow(request) {
            return usual(request);
        }
        let (sender, events): (_, UnboundedReceiver<Told>) = unbounded_channel();
        kept.lock().unwrap().push(sender);
        Answer::Stream(events, Reply::Done)
    });
    (node, senders)
}

async fn cancelled(events: &mut Events) -> Request {
    let is_cancel = |event: &Event| matches!(event, Event::Cancelled(..));
    let Event::Cancelled(_, request) = events.until("the cancellation", is_cancel).await else { panic!() };
    request
}

#[tokio::test]
async fn what_happens_is_told_as_progress_in_order_and_before_the_answer() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({"progressToken": "p"})).await;
    events.asked("the log", is_follow).await;
    for line in ["one", "two", "three"] {
        senders.lock().unwrap()[0].send(Told::Line(line.into())).unwrap();
    }
    senders.lock().unwrap().clear();
    for (step, words) in [(1, "one"), (2, "two"), (3, "three")] {
        let told = agent.hear().await;
        assert_eq!(told["method"], "notifications/progress", "{told}");
        let params = &told["params"];
        assert_eq!(params["progressToken"], "p");
        assert_eq!(
            (params["progress"].as_f64(), params["message"].as_str()),
            (Some(f64::from(step)), Some(words))
        );
    }
    assert_eq!(agent.hear().await["result"]["content"][0]["text"], "3");
}

#[tokio::test]
async fn without_a_token_nothing_is_told_but_the_answer() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({})).await;
    events.asked("the log", is_follow).await;
    senders.lock().unwrap()[0].send(Told::Line("one".into())).unwrap();
    senders.lock().unwrap().clear();
    assert_eq!(agent.hear().await["result"]["content"][0]["text"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_which_nothing_happens_gives_signs_of_life() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({"progressToken": 7})).await;
    events.asked("the log", is_follow).await;
    for step in 1..=2 {
        let told = agent.hear().await;
        assert_eq!(
            (&told["params"]["progressToken"], told["params"]["progress"].as_f64()),
            (&json!(7), Some(f64::from(step)))
        );
        assert!(told["params"]["message"].as_str().unwrap().starts_with("still waiting"), "{told}");
    }
    senders.lock().unwrap().clear();
}

#[tokio::test]
async fn a_cancelled_wait_ends_at_the_node_too_and_frees_its_place() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, _senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({})).await;
    events.asked("the log", is_follow).await;
    agent
        .say(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    assert_eq!(cancelled(&mut events).await, follow());
    // The cancelled call is answered by nothing.
    agent.call(2, "list_peers", json!({})).await;
    assert_eq!(agent.hear().await["id"], 2);
    for id in 0..WAITS_MAX as u64 {
        agent.call(10 + id, "follow", json!({})).await;
        events.asked("as many waits as may be", is_follow).await;
    }
}

#[tokio::test]
async fn twenty_waits_hold_up_nothing_and_all_that_may_wait_leave_room_for_the_rest() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    let waits = WAITS_MAX as u64;
    for id in 1..=waits {
        agent.call(id, "follow", json!({})).await;
        events.asked("the log", is_follow).await;
        agent.call(1_000 + id, "list_peers", json!({})).await;
        assert_eq!(agent.hear().await["id"], 1_000 + id);
    }
    agent.call(waits + 1, "follow", json!({})).await;
    let refused = agent.hear().await;
    assert_eq!((&refused["id"], &refused["result"]["isError"]), (&json!(waits + 1), &json!(true)));
    senders.lock().unwrap().remove(0);
    assert_eq!(agent.hear().await["id"], 1);
    const { assert!(WAITS_MAX < IN_FLIGHT_MAX) };
}

#[tokio::test]
async fn a_wait_ends_with_the_agent_program() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (_node, _senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({})).await;
    let (connection, _) = events.asked("the log", is_follow).await;
    let begun = std::time::Instant::now();
    let Agent { input, _server, .. } = agent;
    drop(input);
    events
        .until("its end", |event| {
            matches!(event, Event::Cancelled(..)) || *event == Event::Closed(connection)
        })
        .await;
    // The library lets calls at work go on for five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_node_that_goes_while_a_tool_waits_is_an_error_that_says_so_and_the_next_call_reconnects() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (node, senders) = following(&home, &record);
    let mut agent = Agent::start(&home).await;
    agent.call(1, "follow", json!({"progressToken": "p"})).await;
    events.asked("the log", is_follow).await;
    senders.lock().unwrap()[0].send(Told::Line("one".into())).unwrap();
    assert_eq!(agent.hear().await["params"]["message"], "one");
    drop(node);
    let failed = agent.hear().await;
    assert_eq!((&failed["id"], &failed["result"]["isError"]), (&json!(1), &json!(true)), "{failed}");
    assert_eq!(failed["result"]["content"][0]["text"], "the node hung up before it answered");
    let (_node, _senders) = following(&home, &record);
    agent.call(2, "list_peers", json!({})).await;
    assert_eq!(agent.hear().await["result"]["isError"], false);
}

#[tokio::test]
async fn a_wait_that_was_told_nothing_yet_goes_on_at_the_next_node() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let first = Node::start(&home, &record, |_| Answer::HangUp);
    let mut agent = Agent::start(&home).await;
    events.until("the link", |event| matches!(event, Event::Opened(..))).await;
    drop(first);
    events.until("its end", |event| matches!(event, Event::Closed(_))).await;
    let (_node, senders) = following(&home, &record);
    agent.call(1, "follow", json!({})).await;
    events.asked("the log", is_follow).await;
    senders.lock().unwrap()[0].send(Told::Line("one".into())).unwrap();
    senders.lock().unwrap().clear();
    assert_eq!(agent.hear().await["result"]["content"][0]["text"], "1");
}
