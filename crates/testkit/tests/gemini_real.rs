//! The facts about Gemini CLI that Parlor builds on, measured with the real program.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use parlor_testkit::gemini::{GeminiHome, facts, settings};
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::{Value, json};
use support::{Probe, SOON, context_of, names, set};

const EVENTS: [&str; 5] = ["SessionStart", "BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd"];

/// A home whose hooks of all events report to the probe and, but for the last two, add context.
fn hooked(model: &StubModel) -> (GeminiHome, Probe) {
    let home = GeminiHome::new(model).unwrap();
    let probe = Probe::new(home.person(), "hooks", |report| {
        let event = report["stdin"]["hook_event_name"].as_str().unwrap();
        if matches!(event, "AfterAgent" | "SessionEnd") {
            return String::new();
        }
        context(event, &context_of(event))
    });
    let command = probe.command("hook_probe.py").join(" ");
    home.write_hooks(&EVENTS.map(|event| (event, command.as_str()))).unwrap();
    (home, probe)
}

fn context(event: &str, text: &str) -> String {
    json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}).to_string()
}

/// A home whose only hook is `hook` at each prompt.
fn with_hook(model: &StubModel, hook: &Value) -> GeminiHome {
    let home = GeminiHome::new(model).unwrap();
    let mut all = settings();
    all["hooks"] = json!({"BeforeAgent": [{"hooks": [hook]}]});
    std::fs::write(home.settings_file(), all.to_string()).unwrap();
    home
}

fn command(text: &str) -> Value {
    json!({"type": "command", "command": text})
}

fn prompted(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.prompt().as_deref() == Some(prompt)
}

/// The texts of the person in the newest turn that hooks had a part in.
fn added(request: &Request) -> Vec<String> {
    let texts = request.texts().into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text);
    texts.filter(|text| text.contains("<hook_context>")).collect()
}

#[test]
fn a_headless_run_asks_the_stub_and_nobody_else_and_calls_its_own_shell() {
    let model = StubModel::start().unwrap();
    let home = GeminiHome::new(&model).unwrap();
    model.push([Reply::shell("echo I am at $PWD"), Reply::text("done and done")]);
    let printed = home.run_print("hello there", &["--yolo"]).unwrap();
    assert_eq!(printed.result, "done and done");
    let turns = model.conversations();
    assert_eq!(turns.len(), 2, "the prompt, and after the call");
    assert_eq!(turns[0].prompt().as_deref(), Some("hello there"));
    let result = &turns[1].new_tool_results()[0].1;
    assert!(result.contains(&format!("I am at {}", home.project().display())), "{result}");
}

#[test]
fn what_hooks_add_is_given_with_escaped_brackets_and_stands_in_the_transcript() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    model.push([Reply::shell("true"), Reply::text("done")]);
    home.run_print("hello", &["--yolo"]).unwrap();
    let turns = model.conversations();
    let start = facts::context(&context_of("SessionStart")) + "\n\nhello";
    assert_eq!(added(&turns[0]), [start, facts::context(&context_of("BeforeAgent"))]);
    let result = &turns[1].new_tool_results()[0].1;
    assert!(result.ends_with(&facts::context(&context_of("AfterTool"))), "{result}");

    let stdin = &probe.hook("AfterAgent", |_| true)["stdin"];
    let transcript = std::fs::read_to_string(stdin["transcript_path"].as_str().unwrap()).unwrap();
    for event in ["SessionStart", "BeforeAgent", "AfterTool"] {
        let written = json!(facts::context(&context_of(event))).to_string();
        assert!(transcript.contains(written.trim_matches('"')), "{event}: {transcript}");
    }
}

#[test]
fn hooks_get_the_measured_stdin_and_environment() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    model.push([Reply::shell("true"), Reply::text("done")]);
    let session = home.run_print("hello", &["--yolo"]).unwrap().session_id;
    let fields = [
        ("SessionStart", facts::SESSION_START_STDIN),
        ("BeforeAgent", facts::PROMPT_STDIN),
        ("AfterTool", facts::TOOL_STDIN),
        ("AfterAgent", facts::STOP_STDIN),
        ("SessionEnd", facts::SESSION_END_STDIN),
    ];
    let own: BTreeSet<String> = home.seat().env().into_iter().map(|(name, _)| name).collect();
    for (event, fields) in fields {
        let report = probe.hook(event, |_| true);
        assert_eq!(names(&report["stdin"]), set(&[facts::STDIN, fields]), "{event}");
        assert_eq!(report["stdin"]["session_id"], session.as_str(), "{event}");
        assert_eq!(report["stdin"]["cwd"], home.project().to_str().unwrap(), "{event}");
        // A shell of this machine adds some of its own.
        let shell = set(&[&["PWD", "SHLVL", "_", "OLDPWD"]]);
        let more: BTreeSet<String> = names(&report["env"]).difference(&own).cloned().collect();
        assert_eq!(
            more.difference(&shell).cloned().collect::<BTreeSet<_>>(),
            set(&[facts::HOOK_ENV]),
            "{event}"
        );
        assert_eq!(report["env"]["GEMINI_SESSION_ID"], session.as_str(), "{event}");
    }
    assert_eq!(probe.hook("SessionStart", |_| true)["stdin"]["source"], "startup");
    assert_eq!(probe.hook("SessionEnd", |_| true)["stdin"]["reason"], "exit");
    let prompt = probe.hook("BeforeAgent", |_| true)["stdin"]["prompt"].clone();
    assert_eq!(prompt, facts::context(&context_of("SessionStart")) + "\n\nhello", "with what came before it");
}

#[test]
fn an_after_agent_that_blocks_starts_one_more_request_with_the_reason_as_the_persons_text() {
    let model = StubModel::start().unwrap();
    let home = GeminiHome::new(&model).unwrap();
    let probe = Probe::new(home.person(), "hooks", |report| {
        let block = json!({"decision": "block", "reason": "Bob asks <b>\"why\"</b>"}).to_string();
        let asked = report["stdin"]["hook_event_name"] == "AfterAgent"
            && report["stdin"]["stop_hook_active"] == false;
        if asked { block } else { String::new() }
    });
    let hook = probe.command("hook_probe.py").join(" ");
    home.write_hooks(&[("AfterAgent", &hook), ("BeforeAgent", &hook)]).unwrap();
    model.push([Reply::text("done"), Reply::text("answered")]);
    home.run_print("hello", &[]).unwrap();
    let turns = model.conversations();
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[1].texts().pop().unwrap(), ("user".to_owned(), "Bob asks <b>\"why\"</b>".to_owned()));
    probe.hook("BeforeAgent", |stdin| stdin["prompt"] == "Bob asks <b>\"why\"</b>");
    let ends = probe.all().into_iter().filter(|report| report["stdin"]["hook_event_name"] == "AfterAgent");
    let active: Vec<Value> = ends.map(|report| report["stdin"]["stop_hook_active"].clone()).collect();
    assert_eq!(active, [false, true]);
}

#[test]
fn sixty_thousand_characters_of_context_are_given_whole() {
    let model = StubModel::start().unwrap();
    let home = with_hook(&model, &command("cat ~/output"));
    let text = "é".repeat(60_000);
    std::fs::write(home.person().home().join("output"), context("BeforeAgent", &text)).unwrap();
    home.run_print("hello", &[]).unwrap();
    assert_eq!(added(&model.conversations()[0]), [facts::context(&text)]);
}

#[test]
fn plain_output_reaches_nobody() {
    let model = StubModel::start().unwrap();
    let home = with_hook(&model, &command("echo plain text"));
    home.run_print("hello", &[]).unwrap();
    assert!(!model.conversations()[0].contains("plain text"));
}

#[test]
fn a_missing_hook_blocks_the_prompt_unless_a_shell_catches_it() {
    let model = StubModel::start().unwrap();
    let missing = with_hook(&model, &command("/nonexistent/parlor-hook gemini"));
    let _ = missing.run_print("hello", &[]);
    assert!(model.conversations().is_empty(), "blocked");
    let caught = with_hook(&model, &command("/nonexistent/parlor-hook gemini 2>/dev/null || exit 0"));
    caught.run_print("hello", &[]).unwrap();
    assert_eq!(model.conversations().len(), 1);
}

#[test]
fn a_hook_that_hangs_lets_the_prompt_go_on_after_its_milliseconds() {
    let model = StubModel::start().unwrap();
    let home = with_hook(&model, &json!({"type": "command", "command": "sleep 100", "timeout": 500}));
    home.run_print("hello", &[]).unwrap();
    assert_eq!(model.conversations().len(), 1);
}

#[test]
fn an_mcp_server_shares_its_parent_with_hooks_and_its_tools_are_offered_from_the_start() {
    let model = StubModel::start().unwrap();
    let (home, hooks) = hooked(&model);
    let mcp = Probe::new(home.person(), "mcp", |_| "\n".to_owned());
    let words = mcp.command("mcp_probe.py");
    home.add_mcp_server("parlor", &words.each_ref().map(String::as_str)).unwrap();
    model.push([Reply::mcp("parlor", "send_message", json!({"text": "hi"})), Reply::text("said")]);
    home.run_print("tell bob", &[]).unwrap();

    let started = mcp.wait_for("the start of the MCP server", |report| report["env"].is_object()).unwrap();
    assert_eq!(started["parent"], hooks.hook("SessionStart", |_| true)["parent"]);
    let own: BTreeSet<String> = home.seat().env().into_iter().map(|(name, _)| name).collect();
    let lacks = own.difference(&names(&started["env"])).cloned().collect();
    assert_eq!(set(&[facts::MCP_ENV_LACKS]), lacks);
    let asked: Vec<Value> =
        mcp.all().iter().map(|report| report["message"].clone()).filter(|m| !m.is_null()).collect();
    let methods: Vec<&str> = asked.iter().map(|message| message["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized", "tools/list", "tools/call"]);
    assert_eq!(asked[0]["params"]["protocolVersion"], "2025-06-18");
    assert_eq!(
        names(&asked[3]["params"]["_meta"]),
        set(&[&["progressToken"]]),
        "nothing says which session calls"
    );
    let turns = model.conversations();
    assert!(turns[0].tools().contains(&"mcp_parlor_send_message".to_owned()));
    assert!(turns[0].contains("PROBE INSTRUCTIONS"), "the server's instructions are there from the start");
    assert!(turns[1].new_tool_results()[0].1.contains("probe heard hi"));
    let used = hooks.hook("AfterTool", |_| true);
    assert_eq!(names(&used["stdin"]), set(&[facts::STDIN, facts::TOOL_STDIN, &["mcp_context"]]));
    assert_eq!(used["stdin"]["tool_name"], "mcp_parlor_send_message");
}

#[test]
fn a_terminal_is_typed_to_and_cleared() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let session = home.interactive(&[]).unwrap();
    let first = probe.hook("SessionStart", |stdin| stdin["source"] == "startup");
    assert_ne!(
        first["parent"],
        session.pid().unwrap(),
        "the program in the terminal starts itself once more"
    );
    model.push([Reply::text("answer number one"), Reply::text("answer number two")]);
    session.type_line("the heron stands").unwrap();
    let turn = model.wait_for_request(|request| request.contains("the heron stands"), SOON).unwrap();
    assert_eq!(turn.count("CONTEXT-OF-SessionStart"), 1);
    session.wait_for_screen("the answer", |screen| screen.contains("answer number one"), SOON).unwrap();
    session.type_line("/clear").unwrap();
    let cleared = probe.hook("SessionStart", |stdin| stdin["source"] == "clear");
    assert_ne!(cleared["stdin"]["session_id"], first["stdin"]["session_id"]);
    assert_eq!(cleared["parent"], first["parent"]);
    let ended = probe.hook("SessionEnd", |stdin| stdin["reason"] == "clear");
    assert_eq!(ended["stdin"]["session_id"], first["stdin"]["session_id"]);
    session.wait_for_screen("the empty terminal", |screen| !screen.contains("answer"), SOON).unwrap();
    session.type_line("the kestrel flies").unwrap();
    let turn = model.wait_for_request(prompted("the kestrel flies"), SOON).unwrap();
    assert!(!turn.contains("heron"), "the old conversation is gone");
    assert_eq!(turn.count("CONTEXT-OF-SessionStart"), 0, "what SessionStart adds after /clear is lost");
    assert_eq!(turn.count("CONTEXT-OF-BeforeAgent"), 1);
    session.wait_for_screen("the answer", |screen| screen.contains("answer number two"), SOON).unwrap();
    session.exit().unwrap();
    probe.hook("SessionEnd", |stdin| stdin["reason"] == "exit");
}
