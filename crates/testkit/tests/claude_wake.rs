//! How an idle Claude Code in a terminal is woken: by a hook that was started long ago and ends with 2.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};

use parlor_testkit::claude::{ClaudeHome, facts};
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::{Value, json};
use support::SOON;

/// A hook that waits: what it was given, and where its text is awaited.
struct Waiting {
    stdin: Value,
    channel: UnixStream,
}

impl Waiting {
    fn wake(mut self, text: &str) {
        self.channel.write_all(text.as_bytes()).unwrap();
    }

    /// Whether the hook's process has ended by itself.
    fn has_ended(&mut self) -> bool {
        self.channel.set_read_timeout(Some(SOON)).unwrap();
        std::io::Read::read(&mut self.channel, &mut [0; 1]).is_ok_and(|count| count == 0)
    }
}

/// A home whose hooks of `events` wait for the test.
fn waiting(model: &StubModel, events: &[&str]) -> (ClaudeHome, Receiver<Waiting>) {
    let home = ClaudeHome::new(model).unwrap();
    let socket = home.person().tmp().join("wake");
    let listener = UnixListener::bind(&socket).unwrap();
    let (hand, given) = channel();
    std::thread::spawn(move || {
        for channel in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&channel).read_line(&mut line).unwrap();
            let report: Value = serde_json::from_str(&line).unwrap();
            let stdin = serde_json::from_str(report["stdin"].as_str().unwrap()).unwrap();
            let _ = hand.send(Waiting { stdin, channel });
        }
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rewake_probe.py");
    let command = format!("python3 {script} {}", socket.display());
    let hook = json!({"type": "command", "command": command, "async": true, "asyncRewake": true});
    let hooks: serde_json::Map<String, Value> =
        events.iter().map(|event| ((*event).to_owned(), json!([{"hooks": [hook]}]))).collect();
    std::fs::create_dir_all(home.settings_file().parent().unwrap()).unwrap();
    std::fs::write(home.settings_file(), json!({ "hooks": hooks }).to_string()).unwrap();
    (home, given)
}

fn saying(text: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.contains(text)
}

#[test]
fn a_waiting_hook_that_ends_with_2_starts_a_turn_of_the_idle_session() {
    let model = StubModel::start().unwrap();
    let (home, given) = waiting(&model, &["SessionStart", "Stop"]);
    let session = home.interactive().unwrap();
    let started = given.recv_timeout(SOON).unwrap();
    session.type_line("hello").unwrap();
    let stopped = given.recv_timeout(SOON).unwrap();
    assert_eq!(stopped.stdin["hook_event_name"], "Stop");
    stopped.wake("Bob asks <b>\"why\"</b>");
    let turn = model.wait_for_request(saying("Bob asks"), SOON).unwrap();
    let (role, text) = turn.texts().into_iter().find(|(_, text)| text.contains("Bob asks")).unwrap();
    assert_eq!(role, "user");
    assert!(text.contains(&facts::wake_context("Stop", "Bob asks <b>\"why\"</b>")), "{text}");
    assert!(text.contains("NOT USER INPUT"), "{text}");
    // The end of that turn starts one more, and the one of the start still waits: they stand side by side.
    let mut second = given.recv_timeout(SOON).unwrap();
    started.wake("Bob asks again");
    model.wait_for_request(saying("Bob asks again"), SOON).unwrap();
    let mut third = given.recv_timeout(SOON).unwrap();
    session.exit().unwrap();
    assert!(second.has_ended() && third.has_ended(), "none outlives the program");
}

#[test]
fn a_session_that_is_busy_is_given_the_text_in_the_turn_that_runs() {
    let model = StubModel::start().unwrap();
    let (home, given) = waiting(&model, &["SessionStart"]);
    let (release, held) = channel::<()>();
    let held = std::sync::Mutex::new(held);
    model.reply_with(move |request| {
        if !request.new_tool_results().is_empty() || request.contains("Bob asks") {
            return Reply::text("done");
        }
        held.lock().unwrap().recv().unwrap();
        Reply::shell("true")
    });
    let session = home.interactive().unwrap();
    let started = given.recv_timeout(SOON).unwrap();
    session.type_line("hello").unwrap();
    model.wait_for_request(saying("hello"), SOON).unwrap();
    started.wake("Bob asks");
    release.send(()).unwrap();
    let turn = model.wait_for_request(saying("Bob asks"), SOON).unwrap();
    assert!(!turn.tool_results().is_empty(), "after the tool, before the end");
    drop(release);
    session.exit().unwrap();
}
