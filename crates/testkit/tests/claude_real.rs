//! The facts about Claude Code that Parlor builds on, measured with the real program.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use parlor_testkit::claude::{ClaudeHome, facts};
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::{Value, json};
use support::{Probe, SOON, context_of, names, set};

const EVENTS: [&str; 5] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"];

/// A home whose hooks of all events report to the probe.
fn hooked(model: &StubModel) -> (ClaudeHome, Probe) {
    let home = ClaudeHome::new(model).unwrap();
    let probe = Probe::of_hooks(home.person());
    let command = probe.command("hook_probe.py").join(" ");
    home.write_hooks(&EVENTS.map(|event| (event, command.as_str()))).unwrap();
    (home, probe)
}

/// A probe of an MCP server that `claude mcp add --scope user` has registered as `parlor`.
fn with_mcp(home: &ClaudeHome) -> Probe {
    let probe = Probe::new(home.person(), "mcp", |_| "\n".to_owned());
    let command = probe.command("mcp_probe.py");
    home.add_mcp_server("parlor", &command.each_ref().map(String::as_str)).unwrap();
    probe
}

fn prompted(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.prompt().as_deref() == Some(prompt)
}

/// The names in a process's environment beyond those its Claude Code was started with.
fn added(home: &ClaudeHome, report: &Value) -> BTreeSet<String> {
    let own: BTreeSet<String> = home.env().into_iter().map(|(name, _)| name).collect();
    let all = names(&report["env"]);
    assert!(all.is_superset(&own), "what the user has set is handed on: {own:?}");
    all.difference(&own).cloned().collect()
}

fn without(list: &[&str], missing: &[&str]) -> BTreeSet<String> {
    set(&[list]).difference(&set(&[missing])).cloned().collect()
}

#[test]
fn what_a_prompt_hook_prints_is_in_the_request_of_a_headless_run_once() {
    let model = StubModel::start().unwrap();
    let (home, _probe) = hooked(&model);
    let printed = home.run_print("how are you", &[]).unwrap();
    assert_eq!(printed.result, "ok");
    let request = model.wait_for_request(prompted("how are you"), SOON).unwrap();
    assert_eq!(request.session_id().as_deref(), Some(printed.session_id.as_str()));
    let system = request.text_of("system");
    assert_eq!(
        system.matches(&facts::prompt_context(&context_of("UserPromptSubmit"))).count(),
        1,
        "{system}"
    );
    assert_eq!(system.matches(&facts::start_context(&context_of("SessionStart"))).count(), 1, "{system}");
    assert_eq!(request.count("CONTEXT-OF-UserPromptSubmit"), 1);
    assert_eq!(request.count("CONTEXT-OF-SessionStart"), 1);
    assert!(!request.text_of("user").contains("CONTEXT-OF"), "hooks write as `system`, not as the user");
    assert_eq!(model.conversations().len(), 1, "no request of a conversation but the one asked for");
}

#[test]
fn hooks_of_a_headless_run_get_the_measured_stdin_and_environment() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.run_print("hello", &[]).unwrap().session_id;
    let fields = [
        ("SessionStart", facts::SESSION_START_STDIN),
        ("UserPromptSubmit", facts::PROMPT_STDIN),
        ("Stop", facts::STOP_STDIN),
        ("SessionEnd", facts::SESSION_END_STDIN),
    ];
    for (event, own) in fields {
        let report = probe.hook(event, |_| true);
        assert_eq!(names(&report["stdin"]), set(&[facts::STDIN, own]), "{event}");
        assert_eq!(report["stdin"]["session_id"], session.as_str(), "{event}");
        assert_eq!(report["stdin"]["cwd"], home.project().to_str().unwrap(), "{event}");
        assert_eq!(report["cwd"], home.project().to_str().unwrap(), "{event}");
        let environment = match event {
            "SessionStart" => set(&[facts::HOOK_ENV, facts::SESSION_START_ENV]),
            "SessionEnd" => without(facts::HOOK_ENV, facts::SESSION_END_LACKS),
            "Stop" => set(&[facts::HOOK_ENV, facts::TURN_ENV]),
            _ => set(&[facts::HOOK_ENV]),
        };
        assert_eq!(added(&home, &report), environment, "{event}");
        assert_eq!(report["env"]["CLAUDE_CODE_SESSION_ID"], session.as_str(), "{event}");
        assert_eq!(report["env"]["CLAUDE_PROJECT_DIR"], home.project().to_str().unwrap(), "{event}");
        assert_eq!(report["env"]["CLAUDE_CODE_SESSION_ATTENDED"], "0", "{event}");
        assert_eq!(report["env"]["CLAUDE_CODE_ENTRYPOINT"], "sdk-cli", "{event}");
        assert_ne!(
            report["env"]["CLAUDE_PID"],
            report["parent"].to_string().as_str(),
            "a shell is in between"
        );
        assert!(report["parent_command"].as_str().unwrap().starts_with("/bin/sh -c python3"), "{report}");
    }
    assert_eq!(probe.hook("SessionStart", |_| true)["stdin"]["source"], "startup");
    assert_eq!(probe.hook("SessionEnd", |_| true)["stdin"]["reason"], "other");
    assert_eq!(probe.hook("UserPromptSubmit", |_| true)["stdin"]["prompt"], "hello");
}

#[test]
fn resuming_keeps_the_session_id_and_what_was_injected() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let first = home.run_print("the heron stands", &[]).unwrap().session_id;
    let other = home.run_print("the kestrel flies", &[]).unwrap().session_id;
    assert_ne!(first, other, "a plain start is a new session");
    assert_eq!(home.run_print("again", &["--continue"]).unwrap().session_id, other);
    assert_eq!(home.run_print("back", &["--resume", &first]).unwrap().session_id, first);

    let resumed = probe
        .hook("SessionStart", |stdin| stdin["session_id"] == first.as_str() && stdin["source"] == "resume");
    assert_eq!(
        names(&resumed["stdin"]),
        set(&[facts::STDIN, facts::SESSION_START_STDIN, facts::RESUME_STDIN])
    );
    let request = model.wait_for_request(prompted("back"), SOON).unwrap();
    assert!(request.text_of("user").contains("heron") && !request.contains("kestrel"));
    assert_eq!(request.count("CONTEXT-OF-UserPromptSubmit"), 2, "the old one and the new one");
}

#[test]
fn an_interactive_session_is_typed_to_cleared_and_resumed() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.interactive().unwrap();
    let started = probe.hook("SessionStart", |stdin| stdin["source"] == "startup");
    assert_eq!(names(&started["stdin"]), set(&[facts::STDIN, facts::SESSION_START_STDIN, &["model"]]));
    let environment = set(&[facts::HOOK_ENV, facts::SESSION_START_ENV, facts::TERMINAL_HOOK_ENV]);
    assert_eq!(added(&home, &started), environment);
    assert_eq!(started["env"]["CLAUDE_PID"], session.pid().unwrap().to_string().as_str());
    assert_eq!(started["env"]["CLAUDE_CODE_SESSION_ATTENDED"], "1");
    let before = started["stdin"]["session_id"].clone();

    model.push([Reply::text("answer number one"), Reply::text("answer number two")]);
    session.type_line("before clear").unwrap();
    let request = model.wait_for_request(prompted("before clear"), SOON).unwrap();
    assert_eq!(
        request.text_of("system").matches(&facts::prompt_context(&context_of("UserPromptSubmit"))).count(),
        1
    );
    session.wait_for_screen("the answer", |screen| screen.contains("answer number one"), SOON).unwrap();

    session.type_line("/clear").unwrap();
    let cleared = probe.hook("SessionStart", |stdin| stdin["source"] == "clear");
    assert_eq!(names(&cleared["stdin"]), set(&[facts::STDIN, facts::SESSION_START_STDIN]));
    let after = cleared["stdin"]["session_id"].clone();
    assert_ne!(before, after, "/clear makes a new session");
    let ended = probe.hook("SessionEnd", |stdin| stdin["session_id"] == before);
    assert_eq!(ended["stdin"]["reason"], "clear");
    let order: Vec<Value> =
        probe.all().iter().map(|report| report["stdin"]["hook_event_name"].clone()).collect();
    assert_eq!(order, ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd", "SessionStart"]);

    session.type_line("after clear").unwrap();
    let request = model.wait_for_request(prompted("after clear"), SOON).unwrap();
    assert!(!request.contains("before clear"), "the old conversation is gone");
    session.wait_for_screen("the answer", |screen| screen.contains("answer number two"), SOON).unwrap();
    session.exit().unwrap();
    let left = probe.hook("SessionEnd", |stdin| stdin["session_id"] == after);
    assert_eq!(left["stdin"]["reason"], "prompt_input_exit");

    let again = home.interactive_with(&["--continue"]).unwrap();
    let resumed = probe.hook("SessionStart", |stdin| stdin["source"] == "resume");
    assert_eq!(resumed["stdin"]["session_id"], after);
    again.exit().unwrap();
}

#[test]
fn an_mcp_server_is_a_child_of_claude_code_and_keeps_its_first_session_id() {
    let model = StubModel::start().unwrap();
    let (home, hooks) = hooked(&model);
    let mcp = with_mcp(&home);
    let session = home.interactive().unwrap();
    let started = mcp.wait_for("the start of the MCP server", |report| report["env"].is_object()).unwrap();
    assert_eq!(added(&home, &started), set(&[facts::MCP_ENV]));
    assert_eq!(started["parent"], session.pid().unwrap());
    assert_eq!(started["cwd"], home.project().to_str().unwrap());
    let first = hooks.hook("SessionStart", |_| true);
    assert_eq!(started["env"]["CLAUDE_CODE_SESSION_ID"], first["stdin"]["session_id"]);
    assert_eq!(first["env"]["CLAUDE_PID"], started["parent"].to_string().as_str());

    let listed = |report: &Value| report["message"]["method"] == "tools/list";
    mcp.wait_for("the list of tools", listed).unwrap();
    session.type_line("/clear").unwrap();
    let cleared = hooks.hook("SessionStart", |stdin| stdin["source"] == "clear");
    assert_ne!(cleared["stdin"]["session_id"], first["stdin"]["session_id"]);
    assert_eq!(cleared["env"]["CLAUDE_PID"], first["env"]["CLAUDE_PID"], "the process stays");

    model.push([Reply::mcp("parlor", "send_message", json!({"text": "after clear"}))]);
    session.type_line("say it").unwrap();
    session.accept("Do you want", SOON).unwrap();
    let called = mcp.wait_for("the tool call", |report| report["message"]["method"] == "tools/call").unwrap();
    assert_eq!(called["pid"], started["pid"], "/clear leaves the MCP server running");
    session.exit().unwrap();
}

#[test]
fn a_tool_call_of_the_stub_reaches_an_mcp_server_added_for_the_user() {
    let model = StubModel::start().unwrap();
    let (home, hooks) = hooked(&model);
    let mcp = with_mcp(&home);
    model.push([
        Reply::mcp("parlor", "send_message", json!({"text": "hi \"there\""})),
        Reply::mcp("parlor", "send_message", json!({"text": "twice"})),
        Reply::text("said"),
    ]);
    let printed = home.run_print("tell bob", &["--allowedTools", "mcp__parlor__send_message"]).unwrap();
    assert_eq!(printed.result, "said");

    let asked: Vec<Value> =
        mcp.all().iter().map(|report| report["message"].clone()).filter(|m| !m.is_null()).collect();
    let methods: Vec<&str> = asked.iter().map(|message| message["method"].as_str().unwrap()).collect();
    let hello = ["server/discover", "initialize", "notifications/initialized", "tools/list"];
    assert_eq!(methods, [&hello[..], &["tools/call"; 2]].concat());
    assert_eq!(asked[1]["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(asked[4]["params"]["name"], "send_message");
    assert_eq!(asked[4]["params"]["arguments"], json!({"text": "hi \"there\""}));
    assert!(asked[4]["params"]["_meta"]["claudecode/toolUseId"].is_string());

    let turns = model.conversations();
    assert_eq!(turns.len(), 4, "the prompt, after the tool search, after each call");
    assert!(
        !turns[0].offers_tool("mcp__parlor__send_message")
            && turns[1].offers_tool("mcp__parlor__send_message")
    );
    assert!(turns[0].contains("PROBE INSTRUCTIONS") && turns[0].contains("mcp__parlor__send_message"));
    assert_eq!(turns[2].new_tool_results()[0].1, "probe heard hi \"there\"");
    let tool = "mcp__parlor__send_message";
    assert!(turns[2].text_of("system").contains(&facts::tool_context(tool, &context_of("PostToolUse"))));
    let used = hooks.hook("PostToolUse", |stdin| stdin["tool_name"] == tool);
    assert_eq!(names(&used["stdin"]), set(&[facts::STDIN, facts::TOOL_STDIN, &["mcp_server"]]));
    assert_eq!(added(&home, &used), set(&[facts::HOOK_ENV, facts::TURN_ENV]));
    assert_eq!(used["stdin"]["mcp_server"], json!({"name": "parlor", "source": "user"}));
}

#[test]
fn a_tool_that_does_not_exist_ends_the_turn_with_a_text_that_says_so() {
    let model = StubModel::start().unwrap();
    let (home, _hooks) = hooked(&model);
    model.push([Reply::mcp("nobody", "nothing", json!({}))]);
    let printed = home.run_print("try", &[]).unwrap();
    assert_eq!(printed.result, "stub: the tool mcp__nobody__nothing never became available");
}
