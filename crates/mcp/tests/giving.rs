//! Unread text counts as given only when it was written out; whatever goes wrong before, it stays unread.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Mutex;

use parlor_api::{Reply, Request, Unheard};
use serde_json::json;
use support::agent::{Agent, no_node, text};
use support::node::{Answer, Event, Node, Record, TOKEN, home, usual};

fn is_check(request: &Request) -> bool {
    matches!(request, Request::Check { .. })
}

#[tokio::test]
async fn wound_01_messages_are_committed_after_the_answer_was_flushed_and_on_the_connection_that_gave_them() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    let flushes = record.clone();
    agent.gate.close();
    agent.gate.on_flush(move || flushes.note(Event::Flushed));
    agent.begin(1, "check_messages", json!({})).await;
    let (gave, _) = events.asked("the check", is_check).await;
    // The bytes have left the server, only the flush is missing.
    assert!(text(&agent.hear().await["result"]).contains("postgres"));
    agent.begin(2, "list_peers", json!({})).await;
    events.asked("a later request", |request| matches!(request, Request::Who { .. })).await;
    assert!(!events.committed(), "{:?}", events.seen);
    agent.gate.open();
    let (took, commit) =
        events.asked("the commit", |request| matches!(request, Request::Commit { .. })).await;
    assert_eq!((took, commit), (gave, Request::Commit { token: TOKEN }));
    let flushed = events.seen.iter().position(|event| *event == Event::Flushed).expect("flushed before");
    assert_eq!(
        events.seen.iter().filter(|event| matches!(event, Event::Asked(_, Request::Commit { .. }))).count(),
        1
    );
    assert!(flushed < events.seen.len() - 1);
    events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
}

#[tokio::test]
async fn wound_01_messages_are_not_committed_when_the_answer_could_not_be_written_out() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    agent.gate.close();
    agent.begin(1, "check_messages", json!({})).await;
    let (gave, _) = events.asked("the check", is_check).await;
    agent.hear().await;
    agent.gate.break_off();
    events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
    assert!(!events.committed(), "{:?}", events.seen);
    agent.ended().await.unwrap();
}

#[tokio::test]
async fn wound_01_messages_of_a_cancelled_call_stay_unread() {
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
    let mut agent = Agent::initialized(&home, no_node()).await;
    agent.begin(1, "check_messages", json!({})).await;
    let (gave, _) = events.asked("the check", is_check).await;
    agent.cancel(1).await;
    // Answered, so the cancellation before it has been read.
    assert_eq!(text(&agent.call(2, "list_peers", json!({})).await), "bob (member) · linked");
    word.send(()).unwrap();
    events.until("the end of the lease", |event| *event == Event::Closed(gave)).await;
    assert!(!events.committed(), "{:?}", events.seen);
}

#[tokio::test]
async fn an_answer_written_while_the_input_ends_is_committed_before_the_server_ends() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, usual);
    let mut agent = Agent::initialized(&home, no_node()).await;
    agent.gate.close();
    agent.begin(1, "check_messages", json!({})).await;
    agent.hear().await;
    agent.close_input();
    agent.gate.open();
    agent.ended().await.unwrap();
    events.asked("the commit", |request| matches!(request, Request::Commit { .. })).await;
}

#[tokio::test]
async fn nothing_unread_commits_nothing() {
    let (_dir, home) = home();
    let (record, mut events) = Record::new();
    let _node = Node::start(&home, &record, |_| {
        Answer::Reply(Reply::Unheard(Unheard { text: String::new(), messages: 0, more: 0, token: None }))
    });
    let mut agent = Agent::initialized(&home, no_node()).await;
    assert_eq!(text(&agent.call(1, "check_messages", json!({})).await), "No unread messages.");
    let (gave, _) = events.asked("the check", is_check).await;
    events.until("its end", |event| *event == Event::Closed(gave)).await;
    assert!(!events.committed());
}
