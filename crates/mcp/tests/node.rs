//! What becomes of a session when its node goes and comes back, and what the node is told of the caller.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use parlor_api::Request;
use parlor_api::paths::Home;
use parlor_mcp::EnsureNode;
use serde_json::{Value, json};
use support::agent::{Agent, no_node, text};
use support::node::{Answer, Event, Node, Record, home, usual};

/// Starts the node double when asked, like the program that starts the real one, and counts how often.
fn starter(home: &Home, record: &Record) -> (EnsureNode, Arc<AtomicU64>, Arc<Mutex<Option<Node>>>) {
    let (count, place) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let (home, record, runtime) = (home.clone(), record.clone(), tokio::runtime::Handle::current());
    let (counted, placed) = (count.clone(), place.clone());
    let ensure_node = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let _inside = runtime.enter();
        *placed.lock().unwrap() = Some(Node::start(&home, &record, usual));
        Ok(())
    };
    (Arc::new(ensure_node), count, place)
}

#[tokio::test]
async fn the_node_is_told_the_facts_of_the_caller() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let _agent = Agent::initialized(&home, no_node()).await;
    let opened = events.until("the link", |event| matches!(event, Event::Opened(..))).await;
    let Event::Opened(_, hello) = opened else { panic!("{opened:?}") };
    assert_eq!((hello.api, hello.surface.as_str(), hello.terminal), (parlor_api::API_VERSION, "mcp", false));
    assert_eq!(hello.parent_pid, Some(std::os::unix::process::parent_id()));
    assert_eq!(hello.cwd, std::env::current_dir().ok());
    assert_eq!(hello.env["CLAUDE_PROJECT_DIR"], "/srv/api");
    assert!(!hello.env.contains_key("PARLOR_MCP_SESSION"));
}

#[tokio::test]
async fn the_session_a_call_names_is_passed_on() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    for (id, session, tool) in
        [(1, "s-1", "list_peers"), (2, "s-2", "list_peers"), (3, "s-3", "check_messages")]
    {
        let params = json!({"name": tool, "arguments": {}, "_meta": {"sessionId": session, "threadId": "t"}});
        agent.say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
        agent.hear().await;
        let (connection, _) = events
            .asked("the request", |one| matches!(one, Request::Who { .. } | Request::Check { .. }))
            .await;
        let named = events.seen.iter().find_map(|event| match event {
            Event::Opened(number, hello) if *number == connection => hello.env.get("PARLOR_MCP_SESSION"),
            _ => None,
        });
        assert_eq!(named.map(String::as_str), Some(session));
    }
}

#[tokio::test]
async fn the_link_comes_back_by_itself_when_the_node_does() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let node = Node::start(&home, &record, usual);
    let _agent = Agent::initialized(&home, no_node()).await;
    events.until("the link", |event| matches!(event, Event::Opened(..))).await;
    drop(node);
    events.until("its end", |event| matches!(event, Event::Closed(_))).await;
    let _node = Node::start(&home, &record, usual);
    events.until("a new link", |event| matches!(event, Event::Opened(..))).await;
}

#[tokio::test]
async fn a_call_has_the_node_started_when_it_is_gone() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let (ensure_node, count, place) = starter(&home, &record);
    let mut agent = Agent::initialized(&home, ensure_node).await;
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody has asked for anything yet");
    for (id, tool) in [(1, "list_peers"), (2, "check_messages")] {
        let result = agent.call(id, tool, json!({})).await;
        assert_eq!(result["isError"], false, "{result}");
        assert_eq!(count.load(Ordering::SeqCst), id);
        *place.lock().unwrap() = None;
    }
}

#[tokio::test]
async fn a_message_whose_answer_died_with_the_node_is_sent_again_as_the_same_message() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (ensure_node, _, place) = starter(&home, &record);
    let first = place.clone();
    // The first node hears the message, says nothing and is gone with its socket.
    *place.lock().unwrap() = Some(Node::start(&home, &record, move |_| {
        first.lock().unwrap().take();
        Answer::HangUp
    }));
    let mut agent = Agent::initialized(&home, ensure_node).await;
    let result = agent.call(1, "send_message", json!({"text": "once"})).await;
    assert_eq!(text(&result), "m7k2qdaa stored · reached 1 of 2");
    let (one, first) = events.asked("the first try", |_| true).await;
    let (two, second) = events.asked("the second try", |_| true).await;
    assert_ne!(one, two);
    assert_eq!(first, second, "word for word, so with the same request id");
}

#[tokio::test]
async fn a_node_that_always_dies_is_an_error_after_the_second_time() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, |_| Answer::HangUp);
    let mut agent = Agent::initialized(&home, no_node()).await;
    for (id, tool, arguments) in
        [(1, "send_message", json!({"text": "hi"})), (2, "check_messages", json!({}))]
    {
        let result = agent.call(id, tool, arguments).await;
        assert_eq!(result["isError"], true);
        assert!(text(&result).starts_with("the node hung up before it answered\nWhat to do: "), "{result}");
    }
    for _ in 0..4 {
        events.asked("two tries each", |_| true).await;
    }
}

#[tokio::test]
async fn without_a_node_each_tool_says_what_to_do_and_the_server_lives_on() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let mut agent = Agent::initialized(&home, no_node()).await;
    let calls: [(&str, Value); 4] = [
        ("send_message", json!({"text": "hi"})),
        ("check_messages", json!({})),
        ("list_peers", json!({})),
        ("set_summary", json!({"summary": "x"})),
    ];
    for (id, (tool, arguments)) in (1..).zip(calls) {
        let result = agent.call(id, tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}");
        assert_eq!(text(&result), "no node can be started here\nWhat to do: free some disk", "{tool}");
    }
    let _node = Node::start(&home, &record, usual);
    assert_eq!(agent.call(9, "list_peers", json!({})).await["isError"], false);
}

#[tokio::test]
async fn wound_41_a_socket_path_too_long_is_said_and_ends_nothing() {
    let home = Home::at(std::env::temp_dir().join("x".repeat(120)));
    let mut agent = Agent::initialized(&home, no_node()).await;
    for id in 1..=2 {
        let result = agent.call(id, "list_peers", json!({})).await;
        assert_eq!(result["isError"], true);
        assert!(text(&result).contains("choose a shorter home"), "{result}");
    }
}
