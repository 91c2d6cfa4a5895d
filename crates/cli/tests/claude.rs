//! The magic moment with the real, unmodified Claude Code against a stub model: what a colleague typed is in
//! the request the model receives, once, whenever it was said; and the agent can write back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side, pair};
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::json;

const LINE: &str = "postgres, we have it";

/// Alice's Claude Code in her project, with Parlor installed as the README says.
fn with_claude(side: &Side, model: &StubModel) -> ClaudeHome {
    let mut claude = ClaudeHome::of(&side.person, model).unwrap();
    claude.set_project(&side.project).unwrap();
    side.parlor.run(["install", "claude"]).ok().unwrap();
    claude
}

fn prompted(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.prompt().as_deref() == Some(prompt)
}

/// Says a line and waits until the other's node holds it durably.
fn say(from: &Side, text: &str) {
    let sent = from.send(text);
    assert_eq!((&sent["reached"], &sent["of"]), (&json!(1), &json!(1)), "{sent}");
}

#[test]
fn a_line_said_before_the_session_is_in_its_first_request_once() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    say(&bob, LINE);
    let first = claude.run_print("which database do we use", &[]).unwrap();
    let request = model.wait_for_request(prompted("which database do we use"), SOON).unwrap();
    assert_eq!(request.count(LINE), 1, "{}", request.text_of("system"));
    let system = request.text_of("system");
    assert!(system.contains("[payments @bob"), "who said it, and where: {system}");
    assert!(!request.text_of("user").contains(LINE), "it is not the user's word");

    // Resumed, the session keeps its cursor: nothing is given a second time, what is new is.
    say(&bob, "version 15");
    claude.run_print("and which version", &["--resume", &first.session_id]).unwrap();
    let resumed = model.wait_for_request(prompted("and which version"), SOON).unwrap();
    assert_eq!(resumed.session_id().as_deref(), Some(first.session_id.as_str()));
    assert_eq!(resumed.count(LINE), 1, "the one from before, in the conversation");
    assert_eq!(resumed.count("version 15"), 1);
}

#[test]
fn a_line_said_between_two_prompts_is_in_the_second_request_once_and_clear_starts_anew() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let session = claude.interactive().unwrap();
    session.type_line("good morning").unwrap();
    let first = model.wait_for_request(prompted("good morning"), SOON).unwrap();
    assert_eq!(first.count(LINE), 0);
    say(&bob, LINE);
    session.type_line("and now").unwrap();
    let second = model.wait_for_request(prompted("and now"), SOON).unwrap();
    assert_eq!(second.count(LINE), 1, "{}", second.text_of("system"));
    session.type_line("nothing new").unwrap();
    let third = model.wait_for_request(prompted("nothing new"), SOON).unwrap();
    assert_eq!(third.count(LINE), 1, "only the one of the prompt before");

    // A new conversation of the same program knows nothing: it is told once, as earlier.
    session.type_line("/clear").unwrap();
    session.wait_for_screen("an emptied screen", |screen| !screen.contains("nothing new"), SOON).unwrap();
    session.type_line("after the clearing").unwrap();
    let cleared = model.wait_for_request(prompted("after the clearing"), SOON).unwrap();
    assert_eq!(cleared.count(LINE), 1, "{}", cleared.text_of("system"));
    assert!(cleared.text_of("system").contains("Earlier:"), "{}", cleared.text_of("system"));
    session.exit().unwrap();
}

/// Wounds 13 and 14: every session has its own cursor, and none is given its own words.
#[test]
fn wound_13_two_sessions_of_one_member_are_both_given_every_message() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    let one = claude.interactive().unwrap();
    let two = claude.interactive().unwrap();
    one.type_line("first here").unwrap();
    model.wait_for_request(prompted("first here"), SOON).unwrap();
    two.type_line("second here").unwrap();
    model.wait_for_request(prompted("second here"), SOON).unwrap();
    for n in 0..5 {
        say(&bob, &format!("numbered word {n}"));
    }
    one.type_line("what did one hear").unwrap();
    two.type_line("what did two hear").unwrap();
    for prompt in ["what did one hear", "what did two hear"] {
        let request = model.wait_for_request(prompted(prompt), SOON).unwrap();
        for n in 0..5 {
            assert_eq!(request.count(&format!("numbered word {n}")), 1, "{prompt}");
        }
    }
    one.exit().unwrap();
    two.exit().unwrap();
}

#[test]
fn the_agent_writes_back_and_the_other_side_sees_that_an_agent_wrote_it() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    say(&bob, LINE);
    let words = "we will use postgres then";
    model.push([Reply::mcp("parlor", "send_message", json!({ "text": words })), Reply::text("told them")]);
    let printed =
        claude.run_print("tell them", &["--allowedTools", "mcp__parlor__send_message,ToolSearch"]).unwrap();
    assert_eq!(printed.result, "told them");
    bob.await_text(words);
    let log = bob.log();
    let message = log.iter().find(|message| message["text"] == words).unwrap();
    assert_eq!(message["author"], "agent", "{message}");
    assert_eq!(message["name"], "alice", "{message}");
    assert_eq!(message["session"], "project", "{message}");
    assert_eq!(log.iter().find(|message| message["text"] == LINE).unwrap()["author"], "program");

    // Wound 14: the session that wrote is never given its own words, another session is.
    claude.run_print("anything new", &["--resume", &printed.session_id]).unwrap();
    let resumed = model.wait_for_request(prompted("anything new"), SOON).unwrap();
    assert_eq!(resumed.text_of("system").matches(words).count(), 0, "{}", resumed.text_of("system"));
    claude.run_print("somebody else here", &[]).unwrap();
    let other = model.wait_for_request(prompted("somebody else here"), SOON).unwrap();
    assert_eq!(other.text_of("system").matches(words).count(), 1, "{}", other.text_of("system"));
}

/// A prompt is never blocked: not by a node that is gone, not by one that does not answer.
#[test]
fn a_prompt_goes_on_without_a_node_and_its_messages_wait() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    say(&bob, LINE);
    let node = alice.parlor.node_pid().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(node as i32).unwrap(),
        rustix::process::Signal::STOP,
    )
    .unwrap();
    let first = claude.run_print("the node sleeps", &[]).unwrap();
    let request = model.wait_for_request(prompted("the node sleeps"), SOON).unwrap();
    assert_eq!(request.count(LINE), 0);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(node as i32).unwrap(),
        rustix::process::Signal::CONT,
    )
    .unwrap();
    claude.run_print("the node is awake", &["--resume", &first.session_id]).unwrap();
    let request = model.wait_for_request(prompted("the node is awake"), SOON).unwrap();
    assert_eq!(request.count(LINE), 1, "{}", request.text_of("system"));

    assert!(alice.parlor.kill_node());
    let printed = claude.run_print("the node is dead", &[]).unwrap();
    assert_eq!(printed.result, "ok");
    // The hook has started a node again without waiting for it.
    alice.await_text(LINE);
    claude.run_print("the node lives again", &["--resume", &printed.session_id]).unwrap();
    let request = model.wait_for_request(prompted("the node lives again"), SOON).unwrap();
    assert_eq!(request.count(LINE), 1, "{}", request.text_of("system"));
}

#[test]
fn uninstalled_claude_code_hears_nothing_and_its_settings_are_as_before() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = ClaudeHome::of(&alice.person, &model).unwrap();
    let before = "{\n  // mine\n  \"theme\": \"dark\"\n}\n".replace("  // mine\n", "");
    std::fs::create_dir_all(claude.settings_file().parent().unwrap()).unwrap();
    std::fs::write(claude.settings_file(), &before).unwrap();
    alice.parlor.run(["install", "claude"]).ok().unwrap();
    assert_ne!(std::fs::read_to_string(claude.settings_file()).unwrap(), before);
    alice.parlor.run(["uninstall", "claude"]).ok().unwrap();
    assert_eq!(std::fs::read_to_string(claude.settings_file()).unwrap(), before);
    say(&bob, LINE);
    claude.run_print("hello", &[]).unwrap();
    let request = model.wait_for_request(prompted("hello"), SOON).unwrap();
    assert_eq!(request.count(LINE), 0);
}
