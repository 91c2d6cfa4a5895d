//! The server over HTTP, byte by byte: who is let in, both generations of the protocol, and what counts as given.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Mutex;

use parlor_api::{Reply, Request, Unheard};
use serde_json::{Value, json};
use support::agent::{Agent, no_node};
use support::http::{Server, call, meta_2026};
use support::node::{Answer, Event, Node, Record, TOKEN, home, usual};
use support::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn is_check(request: &Request) -> bool {
    matches!(request, Request::Check { .. })
}

fn text(message: &Value) -> &str {
    message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {message}"))
}

#[tokio::test]
async fn silent_connections_without_the_token_shut_out_nobody() {
    let (_dir, home) = home();
    let server = Server::start(&home, no_node()).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    // Less than a silent connection may wait.
    tokio::time::timeout(std::time::Duration::from_secs(4), server.initialize()).await.unwrap();
}

#[tokio::test]
async fn wound_19_nobody_is_let_in_without_the_token_on_any_path_by_any_method() {
    let (_dir, home) = home();
    let server = Server::start(&home, no_node()).await;
    let half = server.token[..32].to_owned();
    let bad = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {half}")),
        Some(format!("Bearer {}0", server.token)),
        Some(format!("Basic {}", server.token)),
        Some(server.token.clone()),
    ];
    for shown in &bad {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            let head = server.post().but("authorization", shown.as_deref());
            let head = support::http::Head { text: head.text.replacen("POST", method, 1) };
            let heard = server.ask(head, "{}").await;
            assert_eq!(
                (heard.status, heard.headers["www-authenticate"].as_str()),
                (401, "Bearer"),
                "{shown:?}"
            );
            assert!(!heard.body.contains(&half), "{heard:?}");
            assert_eq!(heard.headers["connection"], "close");
        }
    }
    let twice = server.post().with("authorization", "Bearer x");
    assert_eq!(server.ask(twice, "{}").await.status, 401);
    let elsewhere = support::http::Head { text: server.head("GET").text.replace("/mcp", "/") };
    assert_eq!(server.ask(elsewhere, "").await.status, 404);
    server.initialize().await;
}

#[tokio::test]
async fn a_page_in_a_browser_gets_nothing_even_with_the_token() {
    let (_dir, home) = home();
    let server = Server::start(&home, no_node()).await;
    let port = server.address.port();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1:1", "localhost", "[::1]"] {
        let heard = server.ask(server.post().but("host", Some(host)), "{}").await;
        assert_eq!(heard.status, 403, "{host}");
    }
    for origin in ["http://evil.example", "null", "http://localhost:1", &format!("https://localhost:{port}")]
    {
        let heard = server.ask(server.post().with("origin", origin), "{}").await;
        assert_eq!(heard.status, 403, "{origin}");
    }
    let own = server.post().with("origin", &format!("http://127.0.0.1:{port}"));
    let listed = server.ask(own, "{}").await;
    assert!(![401, 403].contains(&listed.status), "{listed:?}");
}

#[tokio::test]
async fn the_generation_of_2025_11_25_has_a_session() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    let session = server.initialize().await;
    let list = json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list"}).to_string();
    let heard = server.ask(server.in_session(&session), &list).await;
    let [listed] = &heard.messages()[..] else { panic!("{heard:?}") };
    let (_other_dir, other_home) = support::node::home();
    let mut agent = Agent::initialized(&other_home, no_node()).await;
    agent.say(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await;
    assert_eq!(listed["result"]["tools"], agent.hear().await["result"]["tools"], "the same both ways");
    let heard = server.ask(server.in_session(&session), &call(1, "list_peers", &json!({}))).await;
    assert_eq!(text(&heard.messages()[0]), "bob (member) · linked");
    let opened = events.until("the link", |event| matches!(event, Event::Opened(..))).await;
    let Event::Opened(_, hello) = opened else { panic!("{opened:?}") };
    // Who begun this process says nothing about who calls.
    assert_eq!((hello.surface.as_str(), hello.parent_pid, hello.terminal), ("mcp", None, false));
    assert_eq!(hello.cwd, std::env::current_dir().ok());
    let named = hello.env["PARLOR_MCP_SESSION"].clone();
    assert!(named.starts_with("http-") && named.ends_with("-1"), "{named}");
    assert_eq!(hello.env.len(), 1);
    let without = server.post().with("mcp-protocol-version", "2025-11-25");
    let refused = server.ask(without, &call(2, "list_peers", &json!({}))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let ended = server.ask(server.head("DELETE").with("mcp-session-id", &session), "").await;
    assert_eq!(ended.status, 202);
    let gone = server.ask(server.in_session(&session), &list).await;
    assert_eq!(gone.status, 404);
    events.until("its end at the node", |event| matches!(event, Event::Closed(_))).await;
}

#[tokio::test]
async fn the_generation_of_2026_07_28_needs_neither_initialize_nor_a_session() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    let discover =
        json!({"jsonrpc": "2.0", "id": "d", "method": "server/discover", "params": {"_meta": meta_2026()}});
    let head = server.post().with("mcp-protocol-version", "2026-07-28").with("mcp-method", "server/discover");
    let heard = server.ask(head, &discover.to_string()).await;
    let versions = heard.messages()[0]["result"]["supportedVersions"].clone();
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        assert!(versions.as_array().unwrap().contains(&json!(version)), "{heard:?}");
    }
    let heard = server.ask(server.of_2026("list_peers"), &call(1, "list_peers", &meta_2026())).await;
    assert_eq!((heard.status, heard.headers["content-type"].as_str()), (200, "application/json"));
    assert!(!heard.headers.contains_key("mcp-session-id"), "{heard:?}");
    assert_eq!(text(&heard.messages()[0]), "bob (member) · linked");
    assert_eq!(heard.messages()[0]["result"]["resultType"], "complete");
    let mut named = meta_2026();
    named["sessionId"] = json!("thread-7");
    server.ask(server.of_2026("list_peers"), &call(2, "list_peers", &named)).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        events.asked("who", |request| matches!(request, Request::Who { .. })).await;
    }
    for event in &events.seen {
        if let Event::Opened(_, hello) = event {
            sessions.push(hello.env["PARLOR_MCP_SESSION"].clone());
        }
    }
    // Never the name alone: that may be a session's that hooks know, and it is not known to be this one.
    assert_eq!(sessions[1], format!("{}:thread-7", sessions[0]));
    let mismatch = server.ask(server.of_2026("search"), &call(3, "list_peers", &meta_2026())).await;
    assert_eq!(mismatch.status, 400, "{mismatch:?}");
}

/// Each way to ask for unread text: a head and a body.
async fn ways(server: &Server) -> [(support::http::Head, String); 2] {
    let session = server.initialize().await;
    [
        (server.in_session(&session), call(1, "check_messages", &json!({}))),
        (server.of_2026("check_messages"), call(1, "check_messages", &meta_2026())),
    ]
}

#[tokio::test]
async fn wound_01_messages_are_committed_once_the_answer_was_written_on_the_connection_that_gave_them() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    for (head, body) in ways(&server).await {
        let heard = server.ask(head, &body).await;
        assert!(text(&heard.messages()[0]).contains("postgres"), "{heard:?}");
        let (gave, _) = events.asked("the check", is_check).await;
        let (took, commit) =
            events.asked("the commit", |request| matches!(request, Request::Commit { .. })).await;
        assert_eq!((took, commit), (gave, Request::Commit { token: TOKEN }));
        events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
    }
}

#[tokio::test]
async fn wound_01_messages_stay_unread_when_whoever_asked_has_gone() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (word, waits) = tokio::sync::oneshot::channel();
    let (word, waits) = (Mutex::new(vec![word]), Mutex::new(vec![waits]));
    let (again, waits_again) = tokio::sync::oneshot::channel();
    word.lock().unwrap().push(again);
    waits.lock().unwrap().push(waits_again);
    let _node = Node::start(&home, &record, move |request| {
        if !is_check(request) {
            return usual(request);
        }
        let unheard = Unheard { text: "one\n".into(), messages: 1, more: 0, token: Some(TOKEN) };
        Answer::After(waits.lock().unwrap().remove(0), Reply::Unheard(unheard))
    });
    let server = Server::start(&home, no_node()).await;
    for (head, body) in ways(&server).await {
        let connection = server.begin(head, &body).await;
        let (gave, _) = events.asked("the check", is_check).await;
        drop(connection);
        // Answered, so that the server has read of the end before.
        server.ask(server.of_2026("list_peers"), &call(9, "list_peers", &meta_2026())).await;
        word.lock().unwrap().remove(0).send(()).ok();
        events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
        assert!(!events.committed(), "{:?}", events.seen);
    }
}

#[tokio::test]
async fn a_cancelled_call_of_a_session_gives_nothing() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let (word, waits) = tokio::sync::oneshot::channel();
    let waits = Mutex::new(Some(waits));
    let _node = Node::start(&home, &record, move |request| {
        if !is_check(request) {
            return usual(request);
        }
        let unheard = Unheard { text: "one\n".into(), messages: 1, more: 0, token: Some(TOKEN) };
        Answer::After(waits.lock().unwrap().take().unwrap(), Reply::Unheard(unheard))
    });
    let server = Server::start(&home, no_node()).await;
    let session = server.initialize().await;
    let mut connection =
        server.begin(server.in_session(&session), &call(1, "check_messages", &json!({}))).await;
    let (gave, _) = events.asked("the check", is_check).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(server.ask(server.in_session(&session), &cancel.to_string()).await.status, 202);
    server.ask(server.in_session(&session), &call(2, "list_peers", &json!({}))).await;
    word.send(()).unwrap();
    events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
    assert!(!events.committed(), "{:?}", events.seen);
    connection.shutdown().await.unwrap();
    // A cancellation of what nobody asked disturbs nothing.
    assert_eq!(server.ask(server.in_session(&session), &cancel.to_string()).await.status, 202);
    let heard = server.ask(server.in_session(&session), &call(3, "list_peers", &json!({}))).await;
    assert_eq!(text(&heard.messages()[0]), "bob (member) · linked");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_the_next_one_is_served() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(2 << 20));
    assert_eq!(server.ask(server.post(), &long).await.status, 413);
    let heard = server.ask(server.of_2026("list_peers"), &call(1, "list_peers", &meta_2026())).await;
    assert_eq!(heard.status, 200);
}

#[tokio::test]
async fn the_session_unused_longest_makes_room_for_one_too_many() {
    let (_dir, home) = home();
    let (record, _events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let mut sessions = Vec::new();
    for _ in 0..32 {
        sessions.push(server.initialize().await);
    }
    assert_eq!(server.ask(server.in_session(&sessions[0]), &list).await.status, 200);
    sessions.push(server.initialize().await);
    for (index, session) in sessions.iter().enumerate() {
        let status = server.ask(server.in_session(session), &list).await.status;
        assert_eq!(status, if index == 1 { 404 } else { 200 }, "session {index}");
    }
}

#[tokio::test]
async fn a_stopped_server_lets_go_of_everybody_at_once() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let server = Server::start(&home, no_node()).await;
    let session = server.initialize().await;
    let listening = server.head("GET").with("accept", "text/event-stream").with("mcp-session-id", &session);
    let mut listening = server.begin(listening, "").await;
    let mut idle = server.begin(server.of_2026("list_peers"), &call(1, "list_peers", &meta_2026())).await;
    events.asked("who", |request| matches!(request, Request::Who { .. })).await;
    let begun = std::time::Instant::now();
    server.stop();
    let mut bytes = Vec::new();
    for connection in [&mut listening, &mut idle] {
        soon("the end of the connection", connection.read_to_end(&mut bytes)).await.unwrap();
    }
    let address = server.address;
    server.ended().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
