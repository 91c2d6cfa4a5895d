//! Who is there: sessions of real processes, as `who` shows them, and whose word is taken for them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use parlor_api::{ApiError, ErrorKind, OwnSession, Priority, Reply, Request, Session, SessionStatus};
use support::{Agent, TestNode, hook_request, send};

/// A node with a room bound to a git repository on the branch `main`.
fn room() -> (TestNode, tempfile::TempDir) {
    let node = TestNode::start();
    let dir = tempfile::Builder::new().prefix("api-").tempdir().unwrap();
    let git = std::process::Command::new("git").args(["init", "-q", "-b", "main"]).current_dir(&dir).status();
    assert!(git.unwrap().success());
    node.start_room("payments", Some(dir.path()));
    (node, dir)
}

/// The own sessions that are present.
fn who(node: &TestNode) -> Vec<Session> {
    match node.client("cli").call(&Request::Who { room: None }).unwrap() {
        Reply::People(people) => people.into_iter().next().unwrap().sessions,
        other => panic!("{other:?}"),
    }
}

fn status(session: Option<&str>, set: Option<SessionStatus>) -> Request {
    Request::SessionStatus { session: session.map(str::to_owned), set }
}

fn sessions(reply: Result<Reply, impl std::fmt::Debug>) -> Vec<OwnSession> {
    match reply.unwrap() {
        Reply::Sessions(sessions) => sessions,
        other => panic!("{other:?}"),
    }
}

fn by_person(node: &TestNode, dir: &Path, request: &Request) -> Result<Reply, ApiError> {
    node.person(dir).call(request).map_err(|error| match error {
        parlor_api::ClientError::Refused(error) => error,
        other => panic!("{other}"),
    })
}

#[test]
fn a_session_is_shown_with_directory_branch_and_what_its_hooks_tell() {
    let (node, dir) = room();
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    let mut agent = Agent::start(&node.home, dir.path());
    agent.hook("SessionStart", "s1", dir.path());
    let [session] = &who(&node)[..] else { panic!() };
    assert_eq!((session.directory.as_deref(), session.branch.as_deref()), (Some(name), Some("main")));
    assert_eq!((session.status, session.threshold), (Some(SessionStatus::Idle), Some(Priority::Normal)));
    assert!(session.since.is_some() && session.last_heard.is_none());
    std::fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/fix/login\n").unwrap();
    agent.hook("UserPromptSubmit", "s1", dir.path());
    let [session] = &who(&node)[..] else { panic!() };
    assert_eq!(session.branch.as_deref(), Some("fix/login"), "read again at each hook");
    assert_eq!(session.status, Some(SessionStatus::Working));
    agent.hook("Stop", "s1", dir.path());
    assert_eq!(who(&node)[0].status, Some(SessionStatus::Idle));
    agent.hook("SessionEnd", "s1", dir.path());
    assert_eq!(who(&node), []);
}

#[test]
fn a_status_is_set_by_the_person_in_the_directory_and_lasts_over_a_restart_of_the_node() {
    let (mut node, dir) = room();
    let mut agent = Agent::start(&node.home, dir.path());
    agent.hook("SessionStart", "s1-abcdef", dir.path());
    agent.hook("UserPromptSubmit", "s1-abcdef", dir.path());
    let shown = sessions(by_person(&node, dir.path(), &status(None, None)));
    assert_eq!((shown[0].id.as_str(), shown[0].status), ("s1-abcdef", Some(SessionStatus::Working)));
    assert_eq!(shown[0].branch.as_deref(), Some("main"));
    let set = status(None, Some(SessionStatus::Dnd));
    assert_eq!(sessions(by_person(&node, dir.path(), &set))[0].status, Some(SessionStatus::Dnd));
    assert_eq!(who(&node)[0].status, Some(SessionStatus::Dnd));
    // What is shown is what is done: a message is given all the same.
    send(&mut node.person(dir.path()), None, "are you there", "1");
    assert!(agent.hook("UserPromptSubmit", "s1-abcdef", dir.path()).contains("are you there"));
    assert_eq!(
        (who(&node)[0].status, who(&node)[0].threshold),
        (Some(SessionStatus::Dnd), Some(Priority::Normal))
    );
    node.stop();
    node.run();
    let again = support::until("the session to be announced again", || who(&node).into_iter().next());
    assert_eq!(again.status, Some(SessionStatus::Dnd));
    assert_eq!(again.label, dir.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn which_session_is_meant_is_never_guessed() {
    let (node, dir) = room();
    let (mut one, mut two) = (Agent::start(&node.home, dir.path()), Agent::start(&node.home, dir.path()));
    let elsewhere = tempfile::tempdir().unwrap();
    let none = by_person(&node, elsewhere.path(), &status(None, None)).unwrap_err();
    assert_eq!(none.kind, ErrorKind::NotFound);
    one.hook("SessionStart", "aaaa-one", dir.path());
    two.hook("SessionStart", "bbbb-two", dir.path());
    // A person in the directory means all of theirs there.
    let both = sessions(by_person(&node, dir.path(), &status(None, Some(SessionStatus::Dnd))));
    assert_eq!(both.iter().map(|session| session.status).collect::<Vec<_>>(), [Some(SessionStatus::Dnd); 2]);
    let none = by_person(&node, elsewhere.path(), &status(None, None)).unwrap_err();
    assert!(none.kind == ErrorKind::NotFound && none.candidates.len() == 2, "{none:?}");
    // By its id from anywhere; not by a label that both have, nor by three letters.
    let idle = status(Some("bbbb"), Some(SessionStatus::Idle));
    assert_eq!(sessions(by_person(&node, elsewhere.path(), &idle))[0].id, "bbbb-two");
    let label = both[0].label.clone();
    let refused =
        |named: &str| by_person(&node, elsewhere.path(), &status(Some(named), None)).unwrap_err().kind;
    assert_eq!((refused(&label), refused("bbb")), (ErrorKind::Ambiguous, ErrorKind::NotFound));
    // An agent means its own, and speaks for no other.
    let working = status(None, Some(SessionStatus::Working));
    assert_eq!(sessions(one.ask("cli", &working))[0].id, "aaaa-one");
    let other = one.ask("mcp", &status(Some("bbbb"), Some(SessionStatus::Working))).unwrap_err();
    assert_eq!(other.kind, ErrorKind::NotAllowed);
    assert_eq!(sessions(two.ask("cli", &status(None, None)))[0].status, Some(SessionStatus::Idle));
}

#[test]
fn wound_18_what_is_for_a_session_is_given_to_the_process_that_runs_it_and_to_none_that_names_it() {
    let (node, dir) = room();
    let (mut owner, mut thief) = (Agent::start(&node.home, dir.path()), Agent::start(&node.home, dir.path()));
    owner.hook("SessionStart", "s1", dir.path());
    send(&mut node.person(dir.path()), None, "for the session", "1");
    // A hook that names the session, with no process, with the owner's, or with one that has not begun it.
    let owner_pid = owner.pid().to_string();
    for pid in ["", owner_pid.as_str(), "1"] {
        assert_eq!(thief.hook_of("UserPromptSubmit", "s1", dir.path(), pid), "", "{pid}");
    }
    assert_eq!(thief.hook_of("SessionEnd", "s1", dir.path(), &owner_pid), "");
    assert_eq!(who(&node).len(), 1, "nor is it ended");
    // Tools that name it are of a session of their own.
    let env = [("CLAUDE_CODE_SESSION_ID", "s1"), ("PARLOR_MCP_SESSION", "s1")];
    let summary = Request::SetSummary { summary: "stolen".into() };
    assert_eq!(thief.ask_in("mcp", &env, &summary), Ok(Reply::Done));
    let own = sessions(thief.ask("mcp", &status(None, None)));
    assert!(own[0].id != "s1" && own[0].program == "mcp", "{own:?}");
    assert!(who(&node).iter().all(|session| session.program == "mcp" || session.summary.is_none()));
    assert!(owner.hook("UserPromptSubmit", "s1", dir.path()).contains("for the session"));
    // Killed, it is resumed by whoever runs it next, and goes on where it was.
    send(&mut node.person(dir.path()), None, "meanwhile", "2");
    drop(owner);
    let mut next = Agent::start(&node.home, dir.path());
    let given = next.hook("SessionStart", "s1", dir.path());
    assert!(given.contains("meanwhile") && !given.contains("for the session"), "{given}");
}

#[test]
fn a_killed_agent_is_there_for_its_lease_and_no_other_process_is_taken_for_it() {
    let (node, dir) = room();
    let mut agent = Agent::start(&node.home, dir.path());
    agent.hook("SessionStart", "s1", dir.path());
    drop(agent);
    assert_eq!(who(&node).len(), 1, "its lease has only begun");
    // What it ran belongs to nobody now.
    let request = hook_request("UserPromptSubmit", "s1", dir.path(), &[]);
    assert!(matches!(node.client("hook").call(&request), Ok(Reply::Hook(_))));
    assert_eq!(who(&node).len(), 1);
}
