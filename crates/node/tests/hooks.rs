//! What a session is given at its prompts, over the socket, as the hook asks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use parlor_api::{ClientError, ErrorKind, Reply, Request};
use support::{Agent, TestNode, commit, hello, hook, hook_in, injected, send, whole_hook};

/// A node with a room bound to a directory, and a person talking in it.
fn room() -> (TestNode, tempfile::TempDir) {
    let node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    node.start_room("payments", Some(dir.path()));
    (node, dir)
}

fn say(node: &TestNode, dir: &Path, text: &str) {
    send(&mut node.person(dir), None, text, text);
}

#[test]
fn a_session_is_given_each_message_once_from_its_start_on() {
    let (node, dir) = room();
    say(&node, dir.path(), "before the session");
    let start = whole_hook(&node, "SessionStart", "s1", dir.path());
    assert!(start.contains("before the session") && start.contains("Earlier"), "{start}");
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
    say(&node, dir.path(), "postgres, we have it");
    let prompt = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
    assert!(prompt.contains("postgres, we have it") && !prompt.contains("before the session"), "{prompt}");
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
    say(&node, dir.path(), "after");
    for event in ["PostToolUse", "Stop", "SessionEnd"] {
        assert_eq!(whole_hook(&node, event, "s1", dir.path()), "", "{event}");
    }
    assert!(
        whole_hook(&node, "SessionStart", "s1", dir.path()).contains("after"),
        "a resumed session goes on"
    );
}

#[test]
fn wound_20_rooms_that_are_called_alike_are_told_apart_before_the_model() {
    let (node, dir) = room();
    node.start_room("payments", Some(dir.path()));
    let rooms = match node.client("cli").call(&parlor_api::Request::RoomList).unwrap() {
        parlor_api::Reply::Rooms(rooms) => rooms,
        other => panic!("{other:?}"),
    };
    whole_hook(&node, "SessionStart", "s1", dir.path());
    for room in &rooms {
        send(&mut node.client("cli"), Some(&room.id), "which room?", &room.id);
    }
    let prompt = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
    for room in &rooms {
        assert!(room.name.starts_with("payments~"), "{}", room.name);
        assert!(prompt.contains(&format!("[{} @", room.name)), "{prompt}");
    }
}

#[test]
fn wound_09_a_second_hook_is_given_nothing_until_the_first_commits() {
    let (node, dir) = room();
    whole_hook(&node, "SessionStart", "s1", dir.path());
    say(&node, dir.path(), "once");
    let (mut first, mut second) = (node.client("hook"), node.client("hook"));
    let given = hook(&mut first, "UserPromptSubmit", "s1", dir.path());
    assert!(injected(&given).contains("once"));
    let meanwhile = hook(&mut second, "UserPromptSubmit", "s1", dir.path());
    assert_eq!((meanwhile.stdout.as_str(), meanwhile.token), ("", None));
    commit(&mut first, &given);
    let after = hook(&mut second, "UserPromptSubmit", "s1", dir.path());
    assert_eq!((after.stdout.as_str(), after.token), ("", None));
}

#[test]
fn wound_01_what_a_hook_took_and_did_not_commit_is_given_again_when_it_dies() {
    let (node, dir) = room();
    whole_hook(&node, "SessionStart", "s1", dir.path());
    say(&node, dir.path(), "not lost");
    let mut dies = node.client("hook");
    assert!(injected(&hook(&mut dies, "UserPromptSubmit", "s1", dir.path())).contains("not lost"));
    drop(dies);
    let mut next = node.client("hook");
    let again = support::until("the lease's end", || {
        let given = hook(&mut next, "UserPromptSubmit", "s1", dir.path());
        given.token.is_some().then_some(given)
    });
    assert!(injected(&again).contains("not lost"));
    commit(&mut next, &again);
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
}

#[test]
fn wound_02_what_was_taken_before_the_node_died_is_given_by_the_next_one() {
    let (mut node, dir) = room();
    whole_hook(&node, "SessionStart", "s1", dir.path());
    say(&node, dir.path(), "one");
    say(&node, dir.path(), "two");
    let given = hook(&mut node.client("hook"), "UserPromptSubmit", "s1", dir.path());
    node.stop();
    node.run();
    let stale = node.client("hook").call(&Request::Commit { token: given.token.unwrap() });
    assert!(matches!(stale, Err(ClientError::Refused(error)) if error.kind == ErrorKind::NotFound));
    let again = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
    assert!(again.find("] one").unwrap() < again.find("] two").unwrap(), "{again}");
}

#[test]
fn wound_13_each_session_of_a_directory_is_given_everything() {
    let (node, dir) = room();
    for session in ["s1", "s2", "s3"] {
        whole_hook(&node, "SessionStart", session, dir.path());
    }
    for number in 0..20 {
        say(&node, dir.path(), &format!("number {number:02}"));
    }
    for session in ["s1", "s2", "s3"] {
        let given = whole_hook(&node, "UserPromptSubmit", session, dir.path());
        assert!((0..20).all(|number| given.contains(&format!("number {number:02}"))), "{session}: {given}");
    }
}

#[test]
fn wound_14_a_session_is_not_given_its_own_words_and_a_stranger_is_given_none() {
    let (node, dir) = room();
    let elsewhere = tempfile::tempdir().unwrap();
    whole_hook(&node, "SessionStart", "s1", dir.path());
    whole_hook(&node, "SessionStart", "s2", dir.path());
    let env = [("CLAUDE_CODE_SESSION_ID".to_owned(), "s1".to_owned())];
    let agent = parlor_api::Hello { env: env.into(), ..hello("mcp", Some(dir.path())) };
    send(&mut support::client(&node.home, agent), None, "by the first session", "1");
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
    assert!(whole_hook(&node, "UserPromptSubmit", "s2", dir.path()).contains("by the first session"));
    assert_eq!(whole_hook(&node, "SessionStart", "s3", elsewhere.path()), "");
}

#[test]
fn a_room_bound_later_is_heard_at_the_next_prompt_and_one_unbound_is_not() {
    let node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    let room = node.start_room("payments", None).room.id;
    assert_eq!(whole_hook(&node, "SessionStart", "s1", dir.path()), "");
    send(&mut node.client("cli"), Some(&room), "before the binding", "1");
    let mut client = node.client("cli");
    client.call(&Request::RoomBind { room: room.clone(), dir: dir.path().into(), force: false }).unwrap();
    send(&mut node.client("cli"), Some(&room), "after the binding", "2");
    let given = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
    assert!(given.contains("after the binding") && !given.contains("before the binding"), "{given}");
    client.call(&Request::RoomUnbind { room: None, dir: dir.path().into() }).unwrap();
    send(&mut node.client("cli"), Some(&room), "unheard", "3");
    assert_eq!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()), "");
}

#[test]
fn parlor_room_overrides_and_silences() {
    let (node, dir) = room();
    let elsewhere = tempfile::tempdir().unwrap();
    say(&node, dir.path(), "hello");
    let mut client = node.client("hook");
    let off = hook_in(&mut client, "SessionStart", "s1", dir.path(), &[("PARLOR_ROOM", "off")]);
    assert_eq!((off.stdout.as_str(), off.token), ("", None));
    let named = hook_in(&mut client, "SessionStart", "s2", elsewhere.path(), &[("PARLOR_ROOM", "payments")]);
    assert!(injected(&named).contains("hello"));
    let wrong = hook_in(&mut client, "SessionStart", "s3", dir.path(), &[("PARLOR_ROOM", "nowhere")]);
    assert_eq!(wrong.stdout, "");
}

#[test]
fn an_agents_tool_checks_for_the_session_its_hooks_have_named() {
    let (node, dir) = room();
    let mut agent = Agent::start(&node.home, dir.path());
    agent.hook("SessionStart", "s1", dir.path());
    let check = |agent: &mut Agent| match agent.ask("mcp", &Request::Check { room: None, limit_chars: None })
    {
        Ok(Reply::Unheard(unheard)) => unheard,
        other => panic!("{other:?}"),
    };
    say(&node, dir.path(), "first");
    let unheard = check(&mut agent);
    assert!(unheard.text.contains("first") && unheard.messages == 1, "{unheard:?}");
    let commit_it = Request::Commit { token: unheard.token.unwrap() };
    assert_eq!(agent.hook("UserPromptSubmit", "s1", dir.path()), "", "it is leased to the tool");
    assert_eq!(agent.ask("mcp", &commit_it), Ok(Reply::Done));
    // After `/clear` the same process runs another session.
    agent.hook("SessionEnd", "s1", dir.path());
    agent.hook("SessionStart", "s2", dir.path());
    let said = Request::Send {
        to: None,
        room: None,
        text: "from the second session".into(),
        request_id: "2".into(),
        priority: parlor_api::Priority::Normal,
        form: None,
        wait_ms: 0,
    };
    assert!(matches!(agent.ask("mcp", &said), Ok(Reply::Sent(sent)) if sent.room_name == "payments"));
    assert_eq!(agent.hook("UserPromptSubmit", "s2", dir.path()), "");
    assert!(whole_hook(&node, "UserPromptSubmit", "s1", dir.path()).contains("from the second session"));
}

#[test]
fn work_trees_of_a_repository_hear_the_same_room() {
    let node = TestNode::start();
    let root = tempfile::tempdir().unwrap();
    let (main, tree) = (root.path().join("main"), root.path().join("tree"));
    std::fs::create_dir(&main).unwrap();
    for args in [
        &["init", "-q"][..],
        &[
            "-c",
            "user.name=alice",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "1",
        ],
        &["worktree", "add", "-q", tree.to_str().unwrap()],
    ] {
        assert!(std::process::Command::new("git").current_dir(&main).args(args).status().unwrap().success());
    }
    node.start_room("payments", Some(&main));
    say(&node, &main, "to all work trees");
    assert!(whole_hook(&node, "SessionStart", "s1", &tree).contains("to all work trees"));
}

#[test]
fn what_is_no_hook_call_is_refused_and_the_node_goes_on() {
    let (node, dir) = room();
    let mut client = node.client("hook");
    for (program, stdin) in
        [("cobol", "{}"), ("claude", ""), ("claude", "{\"session_id\":7}"), ("claude", "[")]
    {
        let request = Request::Hook {
            program: program.into(),
            stdin: stdin.into(),
            env: Default::default(),
            parent_pid: None,
            idle: false,
        };
        assert!(matches!(client.call(&request), Err(ClientError::Refused(_))), "{program} {stdin}");
    }
    assert!(matches!(client.call(&Request::Commit { token: 7 }), Err(ClientError::Refused(_))));
    assert_eq!(whole_hook(&node, "SessionStart", "s1", dir.path()), "");
}

/// Wound 18: nobody takes over what another connection holds, by guessing its token or by having seen it.
#[test]
fn wound_18_only_the_connection_that_was_given_something_says_that_it_was_written() {
    let (node, dir) = room();
    whole_hook(&node, "SessionStart", "s1", dir.path());
    say(&node, dir.path(), "mine to commit");
    let mut holder = node.client("hook");
    let given = hook(&mut holder, "UserPromptSubmit", "s1", dir.path());
    let token = given.token.unwrap();
    let stolen = node.client("hook").call(&Request::Commit { token });
    assert!(matches!(stolen, Err(ClientError::Refused(error)) if error.kind == ErrorKind::NotFound));
    drop(holder);
    let again = support::until("the lease to end", || {
        let text = whole_hook(&node, "UserPromptSubmit", "s1", dir.path());
        (!text.is_empty()).then_some(text)
    });
    assert!(again.contains("mine to commit"), "{again}");
}
