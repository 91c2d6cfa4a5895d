//! What a session is given between its prompts, over the socket, as the hook asks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parlor_api::{Client, ClientError, ErrorKind, Hook, Priority, Reply, Request, Session, SessionStatus};
use support::{Agent, TestNode, commit, hook, injected, send, whole_hook};

/// A node with a room bound to a directory, and a session that was given everything.
fn room() -> (TestNode, tempfile::TempDir) {
    let node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    node.start_room("payments", Some(dir.path()));
    whole_hook(&node, "SessionStart", "s1", dir.path());
    (node, dir)
}

fn say_now(node: &TestNode, dir: &Path, text: &str) {
    let request = Request::Send {
        to: None,
        room: None,
        text: text.into(),
        request_id: text.into(),
        priority: Priority::Now,
        form: None,
        wait_ms: 0,
    };
    assert!(matches!(node.person(dir).call(&request), Ok(Reply::Sent(_))));
}

/// A hook that waits beside the session.
fn waits(node: &TestNode, dir: &Path) -> JoinHandle<Result<Reply, ClientError>> {
    let Request::Hook { program, stdin, env, parent_pid, .. } = support::hook_request("Stop", "s1", dir, &[])
    else {
        panic!()
    };
    let request = Request::Hook { program, stdin, env, parent_pid, idle: true };
    let home = node.home.clone();
    std::thread::spawn(move || {
        let patience = Duration::from_secs(60);
        support::client(&home, support::hello("hook", None)).call_within(&request, patience)
    })
}

fn shown(node: &TestNode, dir: &Path) -> Option<Session> {
    let Ok(Reply::People(people)) = node.person(dir).call(&Request::Who { room: None }) else { panic!() };
    people[0].sessions.first().cloned()
}

fn until_woken_by_a_hook(node: &TestNode, dir: &Path) {
    support::until("the hook to wait beside the session", || shown(node, dir)?.hears?.wake.then_some(()));
}

fn stop(client: &mut Client, session: &str, dir: &Path) -> Hook {
    hook(client, "Stop", session, dir)
}

#[test]
fn between_tools_what_is_urgent_is_given_and_nothing_else() {
    let (node, dir) = room();
    send(&mut node.person(dir.path()), None, "when you have time", "1");
    assert_eq!(whole_hook(&node, "PostToolUse", "s1", dir.path()), "");
    say_now(&node, dir.path(), "stop the deployment");
    let given = whole_hook(&node, "PostToolUse", "s1", dir.path());
    assert!(given.contains("stop the deployment") && !given.contains("when you have time"), "{given}");
    assert_eq!(whole_hook(&node, "PostToolUse", "s1", dir.path()), "");
    let prompt = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
    assert!(prompt.contains("when you have time") && !prompt.contains("stop the deployment"), "{prompt}");
}

#[test]
fn wound_35_at_stop_a_turn_goes_on_once_and_never_because_of_a_hook() {
    let (node, dir) = room();
    say_now(&node, dir.path(), "one more thing");
    let mut client = node.client("hook");
    let goes_on = stop(&mut client, "s1", dir.path());
    let value: serde_json::Value = serde_json::from_str(&goes_on.stdout).unwrap();
    assert_eq!(value["decision"], "block");
    assert!(value["reason"].as_str().unwrap().contains("one more thing"), "{value}");
    commit(&mut client, &goes_on);
    say_now(&node, dir.path(), "and another");
    let active = support::hook_request("Stop", "s1", dir.path(), &[]);
    let Request::Hook { program, stdin, env, parent_pid, idle } = active else { panic!() };
    let mut input: serde_json::Value = serde_json::from_str(&stdin).unwrap();
    input["stop_hook_active"] = true.into();
    let request = Request::Hook { program, stdin: input.to_string(), env, parent_pid, idle };
    let Ok(Reply::Hook(again)) = client.call(&request) else { panic!() };
    assert_eq!((again.stdout.as_str(), again.token), ("", None), "a turn that a hook prolonged ends");
    assert!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()).contains("and another"));
}

#[test]
fn wound_01_what_was_given_between_tools_and_not_committed_is_given_again() {
    let (node, dir) = room();
    say_now(&node, dir.path(), "not lost");
    let mut dies = node.client("hook");
    assert!(injected(&hook(&mut dies, "PostToolUse", "s1", dir.path())).contains("not lost"));
    drop(dies);
    let again = support::until("the lease's end", || {
        let given = whole_hook(&node, "PostToolUse", "s1", dir.path());
        (!given.is_empty()).then_some(given)
    });
    assert!(again.contains("not lost"));
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
}

#[test]
fn wound_33_nobody_wakes_an_idle_session_before_a_person_has_said_so() {
    let (node, dir) = room();
    whole_hook(&node, "Stop", "s1", dir.path());
    let waits = waits(&node, dir.path());
    until_woken_by_a_hook(&node, dir.path());
    say_now(&node, dir.path(), "wake up");
    assert!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()).contains("wake up"));
    whole_hook(&node, "SessionEnd", "s1", dir.path());
    let told = waits.join().unwrap();
    let Ok(Reply::Hook(told)) = told else { panic!("{told:?}") };
    assert!(!told.wake && told.token.is_none(), "{told:?}");
}

#[test]
fn who_knows_all_answers_that_are_kept_is_not_answered_at_once_again_and_again() {
    let (node, dir) = room();
    let mut agent = Agent::start(&node.home, dir.path());
    agent.hook("SessionStart", "s2", dir.path());
    let ask = Request::Ask {
        to: "@all".into(),
        room: None,
        text: "who knows?".into(),
        request_id: "q".into(),
        timeout_ms: 600_000,
        wait_ms: 0,
    };
    let Ok(Reply::Asked(question)) = agent.ask("mcp", &ask) else { panic!() };
    let mut person = node.person(dir.path());
    for n in 0..65 {
        let (entry, text) = (question.id.clone(), format!("no idea {n}"));
        let answer = Request::Answer { entry, request_id: text.clone(), text, wait_ms: 0 };
        assert!(matches!(person.call(&answer), Ok(Reply::Sent(_))));
    }
    let (mut seen, mut told) = (0, Vec::new());
    for known in [32, 64] {
        let request = Request::Answers { entry: question.id.clone(), seen, wait_ms: 20_000, give: false };
        let Ok(Reply::Asked(asked)) = person.call(&request) else { panic!() };
        told.extend(asked.answers);
        assert_eq!((asked.seen, told.len(), asked.answered), (known, known as usize, 65));
        seen = asked.seen;
    }
    let (begun, wait) = (Instant::now(), Duration::from_millis(300));
    let request = Request::Answers { entry: question.id, seen, wait_ms: 300, give: false };
    let Ok(Reply::Asked(asked)) = person.call(&request) else { panic!() };
    assert_eq!((asked.seen, asked.answers.len()), (64, 0));
    assert!(begun.elapsed() >= wait, "it would be asked again at once");
}

#[test]
fn an_idle_session_stays_one_that_is_woken_when_its_node_starts_again() {
    let (mut node, dir) = room();
    whole_hook(&node, "Stop", "s1", dir.path());
    let first = waits(&node, dir.path());
    until_woken_by_a_hook(&node, dir.path());
    node.stop();
    let told = first.join().unwrap();
    let is_passing = matches!(&told, Err(ClientError::Refused(error)) if error.kind == ErrorKind::Machine);
    assert!(is_passing, "the hook has to ask again: {told:?}");
    node.run();
    if let Some(session) = shown(&node, dir.path()) {
        assert!(!session.hears.is_some_and(|hears| hears.wake), "nobody waits beside it yet");
    }
    let second = waits(&node, dir.path());
    until_woken_by_a_hook(&node, dir.path());
    assert_eq!(shown(&node, dir.path()).unwrap().status, Some(SessionStatus::Idle), "else nothing wakes it");
    whole_hook(&node, "SessionEnd", "s1", dir.path());
    second.join().unwrap().unwrap();
}

#[test]
fn a_turn_that_goes_on_is_work_once_that_is_written_and_one_whose_hook_died_is_idle() {
    let (node, dir) = room();
    say_now(&node, dir.path(), "not yet");
    let mut dies = node.client("hook");
    assert!(stop(&mut dies, "s1", dir.path()).stdout.contains("not yet"));
    assert_eq!(shown(&node, dir.path()).unwrap().status, Some(SessionStatus::Idle));
    drop(dies);
    support::until("the lease's end", || {
        let mut writes = node.client("hook");
        let given = stop(&mut writes, "s1", dir.path());
        given.token.map(|_| commit(&mut writes, &given))
    });
    assert_eq!(shown(&node, dir.path()).unwrap().status, Some(SessionStatus::Working));
}
