//! The facts about Codex in a terminal that Parlor builds on: trust in hooks, waking by `codex queue`, `/new`.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use parlor_testkit::codex::{CodexHome, TRUST_HOOKS};
use parlor_testkit::stub_model::{Request, StubModel};
use serde_json::Value;
use support::{Probe, SOON, context_of};

const EVENTS: [&str; 5] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"];

fn hooked(model: &StubModel) -> (CodexHome, Probe) {
    let home = CodexHome::new(model).unwrap();
    let probe = Probe::of_hooks(home.person());
    let command = probe.command("hook_probe.py").join(" ");
    home.write_hooks(&EVENTS.map(|event| (event, command.as_str()))).unwrap();
    (home, probe)
}

fn prompted(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.prompt().as_deref() == Some(prompt)
}

fn events(probe: &Probe) -> Vec<(String, String)> {
    let of = |report: &Value| {
        let text = |name: &str| report["stdin"][name].as_str().unwrap().to_owned();
        (text("hook_event_name"), text("session_id"))
    };
    probe.all().iter().map(of).collect()
}

#[test]
fn a_dialog_asks_for_trust_and_what_it_writes_holds_headless_too() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.start(&[]).unwrap();
    let asked =
        session.wait_for_screen("the dialog", |screen| screen.contains("Hooks need review"), SOON).unwrap();
    assert!(
        asked.contains("5 hooks are new or changed") && asked.contains("2. Trust all and continue"),
        "{asked}"
    );
    session.press_until("Down", "the choice", |screen| screen.contains("› 2. Trust all"), SOON).unwrap();
    session.accept("Hooks need review", SOON).unwrap();
    let session = session.ready().unwrap();
    assert!(probe.all().is_empty(), "SessionStart waits for the first prompt");
    session.type_line("hello").unwrap();
    let turn = model.wait_for_request(prompted("hello"), SOON).unwrap();
    for event in ["SessionStart", "UserPromptSubmit"] {
        assert_eq!(turn.count(&context_of(event)), 1, "{event}");
    }
    session.exit().unwrap();

    let config = std::fs::read_to_string(home.config_file()).unwrap();
    let state = format!("[hooks.state.\"{}:user_prompt_submit:0:0\"]", home.hooks_file().display());
    assert!(config.contains(&state) && config.contains("trusted_hash = \"sha256:"), "{config}");
    home.run_print("headless", &[]).unwrap();
    let turn = model.wait_for_request(prompted("headless"), SOON).unwrap();
    assert_eq!(turn.count(&context_of("UserPromptSubmit")), 1);
    // A hook that has changed since is a hook nobody trusts.
    let changed = probe.command("hook_probe.py").join(" ") + " --more";
    home.write_hooks(&[("UserPromptSubmit", &changed)]).unwrap();
    home.run_print("changed", &[]).unwrap();
    assert_eq!(model.wait_for_request(prompted("changed"), SOON).unwrap().count("CONTEXT-OF"), 0);
}

#[test]
fn a_queued_message_starts_a_turn_of_an_idle_terminal_and_hooks_run_for_it() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.interactive(&[TRUST_HOOKS]).unwrap();
    session.type_line("hello").unwrap();
    let stopped = probe.hook("Stop", |_| true);
    let id = stopped["stdin"]["session_id"].as_str().unwrap().to_owned();
    assert_eq!(stopped["parent"], session.pid().unwrap());
    let queued = |text: &str| home.run(&["queue", "--thread", &id, "--message", text]).ok().unwrap().out();
    assert!(queued("a <message> waits").starts_with("Queued message "));
    let turn = model.wait_for_request(prompted("a <message> waits"), SOON).unwrap();
    assert_eq!(turn.count(&context_of("UserPromptSubmit")), 2, "of the first prompt and of this");
    probe.hook("UserPromptSubmit", |stdin| stdin["prompt"] == "a <message> waits");
    probe.hook("Stop", |stdin| stdin["turn_id"] != stopped["stdin"]["turn_id"]);
    session.exit().unwrap();
    assert!(queued("nobody hears").starts_with("Queued message "), "its word proves nothing");
    let (mut args, own) = (vec!["queue"], home.overrides());
    args.extend(own.iter().map(String::as_str));
    let refused = home.run(&args).args(["--thread", &id, "--message", "x"]).output().unwrap();
    assert!(refused.code() != 0 && refused.err().contains("`model`"), "{refused:?}");
}

#[test]
fn new_makes_a_session_in_the_same_process_and_the_end_of_both_comes_with_the_program() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.interactive(&[TRUST_HOOKS]).unwrap();
    session.type_line("the heron stands").unwrap();
    let first = probe.hook("Stop", |_| true);
    session.wait_for_screen("the end of the turn", |screen| screen.contains("Worked for"), SOON).unwrap();
    session.type_line("/new").unwrap();
    session.accept("Where should the new conversation run?", SOON).unwrap();
    let session = session.ready().unwrap();
    session.type_line("after").unwrap();
    let turn = model.wait_for_request(prompted("after"), SOON).unwrap();
    assert!(!turn.contains("heron"), "the old conversation is gone");
    let second = probe.hook("Stop", |stdin| stdin["session_id"] != first["stdin"]["session_id"]);
    assert_eq!(first["parent"], second["parent"]);
    assert!(!events(&probe).iter().any(|(event, _)| event == "SessionEnd"));
    session.exit().unwrap();
    for ended in [&first, &second] {
        let end = probe.hook("SessionEnd", |stdin| stdin["session_id"] == ended["stdin"]["session_id"]);
        assert_eq!(end["stdin"]["reason"], "other");
    }
}
