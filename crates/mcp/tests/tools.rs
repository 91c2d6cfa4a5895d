//! Each tool, from the agent program's line to the node's and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use parlor_api::{ApiError, Dropped, ErrorKind, File, Priority, Reply, Request, Sent};
use serde_json::json;
use support::agent::{Agent, no_node, text};
use support::node::{Answer, Node, Record, home, usual};

#[tokio::test]
async fn send_message_says_what_was_stored_and_who_was_reached() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result =
        agent.call(1, "send_message", json!({"text": "hi", "room": "payments", "priority": "now"})).await;
    assert_eq!(text(&result), "m7k2qdaa stored · reached 1 of 2");
    assert_eq!(result["isError"], false);
    let structured = &result["structuredContent"];
    assert_eq!(structured["state"], "stored");
    assert_eq!(structured["id"], "m7k2qdaaaaaaaaaa");
    assert_eq!((&structured["reached"], &structured["of"]), (&json!(1), &json!(2)));
    let (_, request) = events.asked("the send", |_| true).await;
    let Request::Send { room, to, text, request_id, priority, form: None, wait_ms } = request else {
        panic!("{request:?}")
    };
    assert_eq!(
        (room.as_deref(), to, text.as_str(), priority, wait_ms),
        (Some("payments"), None, "hi", Priority::Now, 500)
    );
    assert_eq!(request_id.len(), 32);
}

#[tokio::test]
async fn what_is_for_one_peer_alone_is_asked_so() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    agent.call(1, "send_message", json!({"text": "hi", "to": "bob/api-fix"})).await;
    let (_, request) = events.asked("the send", |_| true).await;
    let Request::Send { room: None, to, .. } = request else { panic!("{request:?}") };
    assert_eq!(to.as_deref(), Some("bob/api-fix"));
}

#[tokio::test]
async fn each_message_has_its_own_request_id_and_normal_priority_by_default() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let mut ids = Vec::new();
    for id in 1..=2 {
        agent.call(id, "send_message", json!({"text": "same words"})).await;
        let (_, request) = events.asked("the send", |_| true).await;
        let Request::Send { room: None, request_id, priority: Priority::Normal, .. } = request else {
            panic!("{request:?}")
        };
        ids.push(request_id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn wound_06_a_message_is_never_called_sent_and_its_warnings_are_shown() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, |_| {
        Answer::Reply(Reply::Sent(Sent {
            id: "mabc".into(),
            room: "r".into(),
            room_name: "payments".into(),
            reached: 0,
            of: 2,
            tagged: None,
            far: Vec::new(),
            warnings: vec!["this machine's clock is 20 minutes off".into()],
        }))
    });
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "send_message", json!({"text": "hi"})).await;
    assert_eq!(text(&result), "mabc stored · reached 0 of 2\nthis machine's clock is 20 minutes off");
}

#[tokio::test]
async fn check_messages_gives_the_unread_text() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "check_messages", json!({"room": "payments"})).await;
    assert_eq!(text(&result), "[payments @bob/api-fix (agent) 14:05Z m7k2qd] postgres, we have it");
    let (_, request) = events.asked("the check", |_| true).await;
    assert_eq!(request, Request::Check { room: Some("payments".into()), limit_chars: None });
}

#[tokio::test]
async fn list_peers_says_who_is_there() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "list_peers", json!({})).await;
    assert_eq!(text(&result), "bob (member) · linked");
    let (_, request) = events.asked("who", |_| true).await;
    assert_eq!(request, Request::Who { room: None });
}

#[tokio::test]
async fn set_summary_tells_the_node() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "set_summary", json!({"summary": "moving to postgres"})).await;
    assert_eq!((text(&result), &result["isError"]), ("Summary set.", &json!(false)));
    let (_, request) = events.asked("the summary", |_| true).await;
    assert_eq!(request, Request::SetSummary { summary: "moving to postgres".into() });
}

#[tokio::test]
async fn the_nodes_refusal_is_a_tool_error_that_says_what_to_do() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, |_| {
        Answer::Error(
            ApiError::new(ErrorKind::NotFound, "no room is called `pay`")
                .hint("name one of these")
                .candidates(vec!["payments".into(), "papers".into()]),
        )
    });
    let mut agent = Agent::initialized(&home, no_node()).await;
    for (id, tool, arguments) in [
        (1, "send_message", json!({"text": "hi", "room": "pay"})),
        (2, "check_messages", json!({"room": "pay"})),
        (3, "list_peers", json!({"room": "pay"})),
        (4, "set_summary", json!({"summary": "x"})),
    ] {
        let result = agent.call(id, tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}");
        let expected = "no room is called `pay`\nThere is: payments, papers\nWhat to do: name one of these";
        assert_eq!(text(&result), expected, "{tool}");
    }
}

#[tokio::test]
async fn arguments_that_mean_something_else_are_refused_and_nothing_is_sent() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    for (id, arguments) in [
        (1, json!({"text": "only for bob", "only": "bob"})),
        (2, json!({"text": "hi", "priority": "highest"})),
        (3, json!({})),
    ] {
        let result = agent.call(id, "send_message", arguments).await;
        assert_eq!(result["isError"], true, "{result}");
    }
    agent.call(4, "list_peers", json!({})).await;
    let (_, first) = events.asked("the first request", |_| true).await;
    assert_eq!(first, Request::Who { room: None });
}

#[tokio::test]
async fn wound_07_a_message_too_long_for_the_socket_is_refused_and_the_next_one_goes_through() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "send_message", json!({"text": "x".repeat(2 << 20)})).await;
    assert_eq!(result["isError"], true);
    assert!(text(&result).contains("make it shorter"), "{}", text(&result));
    let result = agent.call(2, "send_message", json!({"text": "short"})).await;
    assert_eq!(result["isError"], false);
    let (_, first) = events.asked("the first request", |_| true).await;
    assert!(matches!(first, Request::Send { text, .. } if text == "short"));
}

#[tokio::test]
async fn files_are_dropped_and_got_by_path_and_never_with_secrets_by_an_agent() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let script = |request: &Request| match request {
        Request::FileDrop { .. } => Answer::Reply(Reply::Dropped(Dropped {
            id: "m7k2qdaaaaaaaaaa".into(),
            room: "r1".into(),
            room_name: "payments".into(),
            file: "schema.sql".into(),
            bytes: 12,
            reached: 1,
            of: 2,
            warnings: vec!["a clock".into()],
        })),
        Request::FileGet { .. } => Answer::Reply(Reply::File(File {
            id: "m7k2qdaaaaaaaaaa".into(),
            room: "r1".into(),
            room_name: "payments".into(),
            file: "schema.sql".into(),
            bytes: 12,
            peer: "p1".into(),
            name: "bob".into(),
            time: "2026-11-21T14:05:00Z".into(),
            own: false,
            path: Some("/h/rooms/payments~r1/files/schema.sql".into()),
            held: true,
        })),
        other => usual(other),
    };
    let _node = Node::start(&home, &record, script);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let result = agent.call(1, "drop_file", json!({"path": "/srv/api/schema.sql", "to": "bob"})).await;
    assert_eq!(text(&result), "m7k2qdaa schema.sql dropped · reached 1 of 2\na clock");
    let (_, request) = events.asked("the drop", |_| true).await;
    let Request::FileDrop { path, room: None, to, allow_secrets, request_id, .. } = request else {
        panic!("{request:?}")
    };
    assert_eq!((path.to_str(), to.as_deref()), (Some("/srv/api/schema.sql"), Some("bob")));
    assert!(!allow_secrets && request_id.len() == 32);
    let result = agent.call(2, "drop_file", json!({"path": "/x", "allow_secrets": true})).await;
    assert_eq!(result["isError"], true, "there is no such word for an agent: {result}");
    let result = agent.call(3, "get_file", json!({"file": "schema.sql"})).await;
    assert_eq!(text(&result), "/h/rooms/payments~r1/files/schema.sql");
    assert_eq!(result["structuredContent"]["bytes"], 12);
}
