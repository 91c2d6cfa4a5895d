//! Both generations of the protocol, as the agent programs speak them, and how a server ends.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::agent::{Agent, no_node, text};
use support::node::{Event, Node, Record, home, usual};
use support::soon;

fn names(tools: &Value) -> Vec<&str> {
    tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

const TOOLS: [&str; 10] = [
    "answer",
    "ask",
    "check_messages",
    "drop_file",
    "get_file",
    "list_peers",
    "search",
    "send_message",
    "set_summary",
    "wait_for_message",
];

#[tokio::test]
async fn claude_code_asks_to_discover_with_a_string_id_and_then_initializes() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::start(&home, no_node());
    agent.say(json!({"jsonrpc": "2.0", "id": "discover-1", "method": "server/discover", "params": {}})).await;
    let answer = agent.hear().await;
    assert_eq!(answer["id"], "discover-1");
    assert!(answer["error"]["code"].is_i64(), "an answer, if only an error: {answer}");
    let opened = agent.initialize("2025-11-25").await;
    assert_eq!(opened["protocolVersion"], "2025-11-25");
    assert_eq!(opened["serverInfo"], json!({"name": "parlor", "version": env!("CARGO_PKG_VERSION")}));
    assert!(opened["instructions"].as_str().unwrap().contains("colleagues"));
    agent.say(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await;
    assert_eq!(names(&agent.hear().await["result"]), TOOLS);
    assert_eq!(text(&agent.call(2, "list_peers", json!({})).await), "bob (member) · linked");
}

#[tokio::test]
async fn codex_and_gemini_initialize_as_of_2025_06_18() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::start(&home, no_node());
    assert_eq!(agent.initialize("2025-06-18").await["protocolVersion"], "2025-06-18");
    let result = agent.call(1, "list_peers", json!({})).await;
    assert_eq!(text(&result), "bob (member) · linked");
    assert!(result.get("resultType").is_none(), "a field of the newer generation: {result}");
}

#[tokio::test]
async fn the_generation_of_2026_07_28_needs_no_initialize() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::start(&home, no_node());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let ask = |id: &str, method: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    };
    agent.say(ask("d", "server/discover", json!({}))).await;
    let discovered = agent.hear().await;
    assert_eq!(discovered["id"], "d");
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        assert!(versions.contains(&json!(version)), "{discovered}");
    }
    assert!(discovered["result"]["instructions"].as_str().unwrap().contains("colleagues"));
    assert!(discovered.to_string().contains(r#""name":"parlor""#), "{discovered}");
    agent.say(ask("l", "tools/list", json!({}))).await;
    assert_eq!(names(&agent.hear().await["result"]), TOOLS);
    agent.say(ask("c", "tools/call", json!({"name": "list_peers", "arguments": {}}))).await;
    let called = agent.hear().await;
    assert_eq!(called["id"], "c");
    assert_eq!(text(&called["result"]), "bob (member) · linked");
    assert_eq!(called["result"]["resultType"], "complete");
}

#[tokio::test]
async fn what_is_not_offered_is_not_there() {
    let (_dir, home) = home();
    let mut agent = Agent::start(&home, no_node());
    let opened = agent.initialize("2025-11-25").await;
    assert_eq!(opened["capabilities"], json!({"experimental": {"claude/channel": {}}, "tools": {}}));
    for (id, method) in (1..).zip(["prompts/list", "resources/list", "resources/templates/list"]) {
        agent.say(json!({"jsonrpc": "2.0", "id": id, "method": method})).await;
        assert_eq!(agent.hear().await["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn stray_notifications_and_answers_disturb_nothing_at_any_time() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::start(&home, no_node());
    agent.cancel(1).await;
    agent.say(json!({"jsonrpc": "2.0", "id": 9, "result": {}})).await;
    agent.initialize("2025-11-25").await;
    agent.call(1, "list_peers", json!({})).await;
    agent.cancel(1).await;
    agent.cancel(77).await;
    agent.say(json!({"jsonrpc": "2.0", "id": 78, "error": {"code": 1, "message": "what?"}})).await;
    agent.say(json!({"jsonrpc": "2.0", "method": "notifications/whatever"})).await;
    assert_eq!(text(&agent.call(2, "list_peers", json!({})).await), "bob (member) · linked");
}

#[tokio::test]
async fn more_requests_at_once_than_are_worked_on_are_all_answered() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    for id in 1..=200 {
        agent.begin(id, "list_peers", json!({})).await;
    }
    let mut answered = std::collections::BTreeSet::new();
    for _ in 1..=200 {
        answered.insert(agent.hear().await["id"].as_u64().unwrap());
    }
    assert_eq!(answered.len(), 200);
}

#[tokio::test]
async fn the_server_ends_with_its_input_and_lets_go_of_the_node() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    events.until("the link", |event| matches!(event, Event::Opened(..))).await;
    agent.close_input();
    agent.ended().await.unwrap();
    events.until("its end", |event| matches!(event, Event::Closed(_))).await;
}

#[tokio::test]
async fn the_server_ends_when_it_was_never_spoken_to() {
    let (_dir, home) = home();
    let mut agent = Agent::start(&home, no_node());
    agent.close_input();
    agent.ended().await.unwrap();
}

#[tokio::test]
async fn the_server_ends_when_nobody_reads_what_it_writes() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    agent.close_output();
    agent.begin(1, "list_peers", json!({})).await;
    soon("the end", agent.ended()).await.unwrap();
}
