//! The blocking client against a node that answers well, badly, late or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use parlor_api::paths::{Home, HomeError};
use parlor_api::{
    ApiError, Cancel, Client, ClientError, ErrorKind, Event, Hello, MAX_LINE_BYTES, Reply, Request,
};
use support::{Caller, FakeNode, HELLO};

const SHORT: Duration = Duration::from_millis(100);

fn client(home: &Home) -> Client {
    Client::new(home, Hello::of_this_process("cli", &[])).unwrap()
}

/// What a client makes of a node that reads the request and then says `answer` and hangs up.
fn answered(answer: &'static str) -> Result<Reply, ClientError> {
    let node = FakeNode::start(move |accept| {
        let mut caller = accept();
        caller.request();
        caller.say(answer);
    });
    let answer = client(&node.home).call(&Request::Status);
    node.end();
    answer
}

#[test]
fn hello_and_request_come_in_one_write_and_the_answer_is_read() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        let read = caller.first_read();
        caller.say(&format!("{HELLO}\n{{\"id\":1,\"ok\":\"done\"}}\n"));
        read
    });
    let mut client = client(&node.home);
    assert_eq!(client.call(&Request::Stop).unwrap(), Reply::Done);
    assert_eq!(client.node().unwrap().pid, 7);
    let read = node.end();
    assert_eq!(read.lines().count(), 2);
    assert_eq!(read.lines().nth(1), Some(r#"{"id":1,"do":"stop"}"#));
}

#[test]
fn no_socket_and_a_dead_nodes_socket_both_mean_that_none_is_running() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    assert!(matches!(client(&home).call(&Request::Status), Err(ClientError::NotRunning(_))));
    drop(UnixListener::bind(home.socket().unwrap()).unwrap());
    let error = client(&home).call(&Request::Status).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning(_)));
    assert_eq!(ApiError::from(error).kind, ErrorKind::Machine);
}

#[test]
fn wound_41_a_socket_path_too_long_is_an_error_that_says_so() {
    let home = Home::at(format!("/tmp/{}", "x".repeat(120)));
    let error = Client::new(&home, Hello::default()).unwrap_err();
    assert!(matches!(error, ClientError::Home(HomeError::TooLong(..))));
    assert!(error.to_string().contains("choose a shorter home"));
}

#[test]
fn a_silent_node_is_given_up_in_time() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        caller.rest()
    });
    let begun = Instant::now();
    let error = client(&node.home).with_timeout(SHORT).call(&Request::Status).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { timeout_ms: 100 }));
    assert!(begun.elapsed() >= SHORT);
    assert!(begun.elapsed() < SHORT * 20);
    node.end();
}

#[test]
fn a_node_that_takes_no_connections_is_given_up_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    let listener = UnixListener::bind(home.socket().unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut queued = client(&home).with_timeout(SHORT);
    let begun = Instant::now();
    // The first fills the queue; the second cannot even connect.
    for _ in 0..2 {
        let error = queued.call(&Request::Status).unwrap_err();
        assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    }
    assert!(begun.elapsed() < SHORT * 40);
}

#[test]
fn a_slow_drip_does_not_prolong_the_wait() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        caller.say(&format!("{HELLO}\n"));
        let begun = Instant::now();
        // Half an answer, one byte at a time, for as long as somebody listens.
        while begun.elapsed() < SHORT * 50 && caller.try_say(" ") {
            std::thread::yield_now();
        }
        begun.elapsed()
    });
    let error = client(&node.home).with_timeout(SHORT).call(&Request::Status).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert!(node.end() < SHORT * 50);
}

#[test]
fn a_node_that_takes_a_large_request_in_sips_does_not_prolong_the_wait() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        let begun = Instant::now();
        // Each sip lets the client write on, and a new timeout of the system's begins.
        while begun.elapsed() < SHORT * 50 && caller.sip() {
            std::thread::sleep(SHORT / 2); // sleep: how slowly it takes is what is tried
        }
        begun.elapsed()
    });
    let stdin = "x".repeat(900_000);
    let hook = Request::Hook {
        program: "claude".into(),
        stdin,
        env: Default::default(),
        parent_pid: None,
        idle: false,
    };
    let begun = Instant::now();
    let error = client(&node.home).with_timeout(SHORT).call(&hook).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert!(begun.elapsed() < SHORT * 10, "{:?}", begun.elapsed());
    assert!(node.end() < SHORT * 50);
}

#[test]
fn a_hang_up_says_whether_the_request_may_have_been_done() {
    assert!(matches!(answered(""), Err(ClientError::Broken { served: false })));
    let half = "{\"hello\":{\"api\":1,\"version\":\"0\",\"pid\":7}}\n{\"id\":1,\"ok\":";
    let error = answered(half).unwrap_err();
    assert!(matches!(error, ClientError::Broken { served: true }));
    assert!(error.is_passing());
    assert!(!error.is_undone());
}

#[test]
fn garbage_is_an_error_and_no_panic() {
    for answer in ["\n", "{}\n", "null\n", "hello\n", "{\"id\":1,\"ok\":\"done\"}\n", "\u{0}\n", "[[[[\n"] {
        assert!(matches!(answered(answer), Err(ClientError::Garbage(_))), "{answer:?}");
    }
}

#[test]
fn an_answer_without_end_is_given_up_at_the_limit() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        caller.say(&format!("{HELLO}\n"));
        let mut said = 0;
        while said < 64 * MAX_LINE_BYTES && caller.try_say(&"x".repeat(MAX_LINE_BYTES / 4)) {
            said += MAX_LINE_BYTES / 4;
        }
        said
    });
    let error = client(&node.home).call(&Request::Status).unwrap_err();
    assert!(matches!(error, ClientError::AnswerTooLong(_)));
    assert!(node.end() < 4 * MAX_LINE_BYTES);
}

#[test]
fn the_nodes_own_word_is_kept_and_the_connection_goes_on() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        let error = r#"{"kind":"not_found","message":"no room x","hint":"see","candidates":["y"]}"#;
        caller.say(&format!("{HELLO}\n{{\"id\":1,\"error\":{error}}}\n"));
        assert_eq!(caller.line(), r#"{"id":2,"do":"room_list"}"#);
        caller.say("{\"id\":2,\"ok\":{\"rooms\":[]}}\n");
    });
    let mut client = client(&node.home);
    let error: ApiError = client.call(&Request::Status).unwrap_err().into();
    assert_eq!(error.candidates, ["y"]);
    assert_eq!(error.kind.exit_code(), 3);
    assert_eq!(client.call(&Request::RoomList).unwrap(), Reply::Rooms(Vec::new()));
    node.end();
}

#[test]
fn a_node_that_starts_again_is_waited_for_and_asked_again() {
    let node = FakeNode::start(|accept| {
        accept().say("{\"hello\":{\"api\":0,\"version\":\"0\",\"pid\":7,\"restarting\":true}}\n");
        // The old one's last moments: taken from the queue and dropped.
        drop(accept());
        let mut caller = accept();
        let asked = caller.request();
        caller.say(&format!("{HELLO}\n{{\"id\":1,\"ok\":\"done\"}}\n"));
        asked
    });
    assert_eq!(client(&node.home).call(&Request::Stop).unwrap(), Reply::Done);
    assert_eq!(node.end(), r#"{"id":1,"do":"stop"}"#);
}

#[test]
fn a_call_after_the_node_hung_up_makes_a_new_connection() {
    let (hung_up, has_hung_up) = std::sync::mpsc::channel();
    let node = FakeNode::start(move |accept| {
        let answer = |mut caller: Caller| {
            caller.request();
            caller.say(&format!("{HELLO}\n{{\"id\":1,\"ok\":\"done\"}}\n"));
        };
        answer(accept());
        hung_up.send(()).unwrap();
        answer(accept());
    });
    let mut client = client(&node.home);
    assert_eq!(client.call(&Request::Stop).unwrap(), Reply::Done);
    has_hung_up.recv().unwrap();
    assert_eq!(client.call(&Request::Stop).unwrap(), Reply::Done);
    node.end();
}

fn message(text: &str) -> String {
    format!(
        r#"{{"id":1,"event":{{"message":{{"id":"m1","room":"r1","room_name":"x","peer":"p1","name":"bob","author":"human","time":"2026-11-21T00:00:00Z","time_ms":1,"arrival":1,"priority":"normal","text":"{text}","own":false}}}}}}"#
    )
}

fn follow() -> Request {
    Request::Log { room: None, limit: None, since_ms: None, follow: true }
}

#[test]
fn a_stream_yields_its_parts_in_order_and_its_last_word() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        let answer = [HELLO.into(), message("one"), message("two"), r#"{"id":1,"ok":"done"}"#.into()];
        caller.say(&(answer.join("\n") + "\n"));
    });
    let mut heard = Vec::new();
    let last = client(&node.home).stream(&follow(), &Cancel::default(), |event| {
        let Event::Message(message) = event else { panic!("{event:?}") };
        heard.push(message.text);
    });
    assert_eq!(last.unwrap(), Reply::Done);
    assert_eq!(heard, ["one", "two"]);
    node.end();
}

#[test]
fn a_stream_without_end_outlives_the_timeout_and_ends_by_cancelling() {
    let node = FakeNode::start(|accept| {
        let mut caller = accept();
        caller.request();
        caller.say(&format!("{HELLO}\n"));
        // Longer than the answer to anything else may take.
        std::thread::sleep(SHORT * 2); // sleep: the timeout of other answers has to be over
        caller.say(&(message("late") + "\n"));
        caller.rest()
    });
    let cancel = Cancel::default();
    let canceller = cancel.clone();
    let mut client = client(&node.home).with_timeout(SHORT);
    let ended = client.stream(&follow(), &cancel, |_| canceller.cancel());
    assert!(matches!(ended, Err(ClientError::Cancelled)));
    drop(client);
    assert_eq!(node.end(), [r#"{"cancel":1}"#]);
}

#[test]
fn what_is_cancelled_beforehand_does_not_wait() {
    let node = FakeNode::start(|accept| accept().rest());
    let cancel = Cancel::default();
    cancel.cancel();
    let ended = client(&node.home).stream(&follow(), &cancel, |_| ());
    assert!(matches!(ended, Err(ClientError::Cancelled)));
    node.end();
}
