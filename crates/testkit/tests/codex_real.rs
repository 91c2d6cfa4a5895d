//! The facts about Codex that Parlor builds on, measured with the real program, headless.
//!
//! Each test runs the pinned version against the stub model; no test imitates it. Terminals: `codex_terminal.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use parlor_testkit::codex::{CODE_MODEL, CodexHome, FUNCTIONS_MODEL, TRUST_HOOKS, facts};
use parlor_testkit::stub_model::{Reply, StubModel};
use serde_json::{Value, json};
use support::{Probe, context_of, names, set};

const EVENTS: [&str; 5] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"];
const FREE: &str = "--dangerously-bypass-approvals-and-sandbox";
const MODELS: [&str; 2] = [FUNCTIONS_MODEL, CODE_MODEL];

/// A home whose hooks of all events report to the probe.
fn hooked(model: &StubModel) -> (CodexHome, Probe) {
    let home = CodexHome::new(model).unwrap();
    let probe = Probe::of_hooks(home.person());
    let command = probe.command("hook_probe.py").join(" ");
    home.write_hooks(&EVENTS.map(|event| (event, command.as_str()))).unwrap();
    (home, probe)
}

/// A home whose only hook prints `output` at each prompt.
fn printing(model: &StubModel, output: &str) -> CodexHome {
    let home = CodexHome::new(model).unwrap();
    let path = home.person().home().join("output");
    std::fs::write(&path, output).unwrap();
    home.write_hooks(&[("UserPromptSubmit", &format!("cat {}", path.display()))]).unwrap();
    home
}

fn context(text: &str) -> String {
    json!({"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": text}})
        .to_string()
}

/// What the model was given by hooks at the only prompt of this home.
fn given(home: &CodexHome, model: &StubModel) -> Vec<String> {
    home.run_print("hello", &[TRUST_HOOKS]).unwrap();
    let texts = model.conversations()[0].texts();
    let after = texts.iter().position(|(role, text)| role == "user" && text == "hello").unwrap();
    texts[after + 1..].iter().map(|(role, text)| format!("{role}: {text}")).collect()
}

#[test]
fn a_headless_run_calls_its_own_shell_with_either_kind_of_model() {
    for kind in MODELS {
        let model = StubModel::start().unwrap();
        let mut home = CodexHome::new(&model).unwrap();
        home.set_model(kind);
        model.push([Reply::shell("echo I am at $PWD"), Reply::text("done and done")]);
        let printed = home.run_print("hello there", &[FREE]).unwrap();
        assert_eq!(printed.result, "done and done");
        let turns = model.conversations();
        assert_eq!(turns.len(), 2, "the prompt, and after the call");
        assert_eq!(turns[0].prompt().as_deref(), Some("hello there"));
        assert_eq!(turns[0].session_id().as_deref(), Some(printed.session_id.as_str()));
        let result = &turns[1].new_tool_results()[0].1;
        assert!(result.contains(&format!("I am at {}", home.project().display())), "{result}");
    }
}

#[test]
fn hooks_nobody_has_trusted_are_skipped_without_a_word() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let printed = home.run_print("hello", &[]).unwrap();
    assert!(probe.all().is_empty());
    assert!(!(printed.output.out() + &printed.output.err()).contains("hook"), "{printed:?}");
    home.run_print("hello", &[TRUST_HOOKS]).unwrap();
    assert!(!probe.all().is_empty());
}

#[test]
fn what_hooks_add_is_given_as_it_is_and_stands_in_the_transcript() {
    for kind in MODELS {
        let model = StubModel::start().unwrap();
        let (mut home, probe) = hooked(&model);
        home.set_model(kind);
        model.push([Reply::shell("true"), Reply::text("done")]);
        let session = home.run_print("hello", &[TRUST_HOOKS, FREE]).unwrap().session_id;
        let turns = model.conversations();
        let added = |turn: usize| -> Vec<String> {
            let texts = turns[turn].texts().into_iter();
            texts
                .filter(|(role, text)| role == "developer" && text.contains("CONTEXT-OF"))
                .map(|(_, t)| t)
                .collect()
        };
        let prompt = [context_of("SessionStart"), context_of("UserPromptSubmit")];
        assert_eq!(added(0), prompt, "{kind}");
        assert_eq!(added(1), [&prompt[..], &[context_of("PostToolUse")]].concat(), "{kind}");

        let stdin = &probe.hook("PostToolUse", |_| true)["stdin"];
        assert_eq!(stdin["tool_name"], "Bash", "{kind}");
        let transcript = std::fs::read_to_string(stdin["transcript_path"].as_str().unwrap()).unwrap();
        assert!(stdin["transcript_path"].as_str().unwrap().ends_with(&format!("{session}.jsonl")));
        let lines = transcript.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let items: Vec<Value> = lines.filter(|line| line["type"] == "response_item").collect();
        for event in ["SessionStart", "UserPromptSubmit", "PostToolUse"] {
            let shown = |item: &&Value| item["payload"]["content"][0]["text"] == context_of(event).as_str();
            assert_eq!(items.iter().filter(shown).count(), 1, "{kind} {event}");
        }
    }
}

#[test]
fn hooks_get_the_measured_stdin_and_are_children_of_codex() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    model.push([Reply::shell("true"), Reply::text("done")]);
    let session = home.run_print("hello", &[TRUST_HOOKS, FREE]).unwrap().session_id;
    let fields = [
        ("SessionStart", facts::SESSION_START_STDIN),
        ("UserPromptSubmit", facts::PROMPT_STDIN),
        ("PostToolUse", facts::TOOL_STDIN),
        ("Stop", facts::STOP_STDIN),
        ("SessionEnd", facts::SESSION_END_STDIN),
    ];
    for (event, own) in fields {
        let report = probe.hook(event, |_| true);
        assert_eq!(names(&report["stdin"]), set(&[facts::STDIN, own]), "{event}");
        assert_eq!(report["stdin"]["session_id"], session.as_str(), "{event}");
        assert_eq!(report["stdin"]["cwd"], home.project().to_str().unwrap(), "{event}");
        assert!(report["parent_command"].as_str().unwrap().contains("bin/codex exec"), "{report}");
        for (name, value) in home.seat().env().iter().filter(|(name, _)| name != "PATH") {
            assert_eq!(report["env"][name], value.as_str(), "{event} {name}");
        }
    }
    assert_eq!(probe.hook("SessionStart", |_| true)["stdin"]["source"], "startup");
    assert_eq!(probe.hook("SessionEnd", |_| true)["stdin"]["reason"], "other");
    assert_eq!(probe.hook("UserPromptSubmit", |_| true)["stdin"]["prompt"], "hello");
}

#[test]
fn resuming_keeps_the_session_id() {
    let model = StubModel::start().unwrap();
    let (home, probe) = hooked(&model);
    let first = home.run_print("the heron stands", &[TRUST_HOOKS]).unwrap().session_id;
    let again = home.resume_print(&first, "back", &[TRUST_HOOKS]).unwrap().session_id;
    assert_eq!(first, again);
    probe.hook("SessionStart", |stdin| stdin["source"] == "resume" && stdin["session_id"] == first.as_str());
    let turn = model.conversations().pop().unwrap();
    assert!(turn.contains("heron") && turn.count("CONTEXT-OF-UserPromptSubmit") == 2, "{}", turn.summary());
}

#[test]
fn a_stop_that_blocks_starts_one_more_request_with_the_reason_as_the_persons_text() {
    for kind in MODELS {
        let model = StubModel::start().unwrap();
        let mut home = CodexHome::new(&model).unwrap();
        home.set_model(kind);
        let probe = Probe::new(home.person(), "hooks", |report| {
            let block = json!({"decision": "block", "reason": "Bob asks <b>\"why\"</b> & when"}).to_string();
            if report["stdin"]["stop_hook_active"] == false { block } else { String::new() }
        });
        home.write_hooks(&[("Stop", &probe.command("hook_probe.py").join(" "))]).unwrap();
        model.push([Reply::text("done"), Reply::text("answered")]);
        assert_eq!(home.run_print("hello", &[TRUST_HOOKS]).unwrap().result, "answered");
        let turns = model.conversations();
        assert_eq!(turns.len(), 2, "{kind}");
        let (role, text) = turns[1].texts().pop().unwrap();
        assert_eq!(role, "user");
        assert!(facts::is_stop_reason(&text, "Bob asks <b>\"why\"</b> & when"), "{text}");
        let active: Vec<Value> = probe.all().iter().map(|r| r["stdin"]["stop_hook_active"].clone()).collect();
        assert_eq!(active, [false, true], "{kind}");
    }
}

#[test]
fn plain_output_is_given_unless_it_looks_like_json() {
    let of = |output: &str| {
        let model = StubModel::start().unwrap();
        given(&printing(&model, output), &model)
    };
    assert_eq!(of("plain <text>"), ["developer: plain <text>"]);
    assert_eq!(of("[payments @bob] a line"), [""; 0], "dropped without a word");
    assert_eq!(of("{ not json"), [""; 0], "dropped without a word");
}

#[test]
fn ten_thousand_bytes_of_context_are_given_whole_and_more_is_cut_in_the_middle() {
    let of = |output: &str| {
        let model = StubModel::start().unwrap();
        given(&printing(&model, output), &model).concat()
    };
    let fits = "é".repeat(5_000);
    assert_eq!(of(&context(&fits)), format!("developer: {fits}"));
    let cut = of(&context(&format!("BEGIN {} END", "é".repeat(5_000))));
    assert!(cut.contains("BEGIN") && cut.contains("END"), "head and tail stay: {cut:.300}");
    assert!(cut.matches('é').count() < 5_000, "and the middle does not");
}

#[test]
fn a_hook_that_is_missing_or_fails_or_hangs_lets_the_prompt_go_on() {
    for command in ["/nonexistent/parlor-hook codex", "echo no >&2; exit 1"] {
        let model = StubModel::start().unwrap();
        let home = CodexHome::new(&model).unwrap();
        home.write_hooks(&[("UserPromptSubmit", command)]).unwrap();
        assert_eq!(given(&home, &model), [""; 0], "{command}");
    }
    let model = StubModel::start().unwrap();
    let home = CodexHome::new(&model).unwrap();
    let hook = json!({"type": "command", "command": "sleep 100; echo late", "timeout": 1});
    let file = json!({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}});
    std::fs::create_dir_all(home.dir()).unwrap();
    std::fs::write(home.hooks_file(), file.to_string()).unwrap();
    assert_eq!(given(&home, &model), [""; 0], "the timeout is in seconds");
}

#[test]
fn exit_status_2_of_a_prompt_hook_blocks_the_prompt() {
    let model = StubModel::start().unwrap();
    let home = CodexHome::new(&model).unwrap();
    home.write_hooks(&[("UserPromptSubmit", "echo never >&2; exit 2")]).unwrap();
    let _ = home.run_print("hello", &[TRUST_HOOKS]);
    assert!(model.conversations().is_empty());
}

#[test]
fn an_mcp_server_has_a_scrubbed_environment_and_each_call_names_the_session() {
    for kind in MODELS {
        let model = StubModel::start().unwrap();
        let mut home = CodexHome::new(&model).unwrap();
        home.set_model(kind);
        let mcp = Probe::new(home.person(), "mcp", |_| "\n".to_owned());
        let command = mcp.command("mcp_probe.py");
        home.add_mcp_server("parlor", &command.each_ref().map(String::as_str)).unwrap();
        let config = std::fs::read_to_string(home.config_file()).unwrap();
        assert!(config.contains("[mcp_servers.parlor]"), "{config}");
        model.push([Reply::mcp("parlor", "send_message", json!({"text": "hi"})), Reply::text("said")]);
        let printed = home.run_print("tell bob", &[FREE]).unwrap();

        let started =
            mcp.wait_for("the start of the MCP server", |report| report["env"].is_object()).unwrap();
        let own = set(&[])
            .into_iter()
            .chain(home.seat().env().into_iter().map(|(name, _)| name))
            .collect::<std::collections::BTreeSet<_>>();
        let lacks = own.difference(&names(&started["env"])).cloned().collect();
        assert_eq!(set(&[facts::MCP_ENV_LACKS]), lacks, "{kind}");
        let asked: Vec<Value> =
            mcp.all().iter().map(|report| report["message"].clone()).filter(|m| !m.is_null()).collect();
        let methods: Vec<&str> = asked.iter().map(|message| message["method"].as_str().unwrap()).collect();
        assert_eq!(
            methods,
            ["initialize", "notifications/initialized", "tools/list", "tools/call"],
            "{kind}"
        );
        assert_eq!(asked[0]["params"]["protocolVersion"], "2025-06-18");
        let meta = &asked[3]["params"]["_meta"];
        assert_eq!(meta["sessionId"], printed.session_id.as_str(), "{kind}");
        assert_eq!(meta["threadId"], printed.session_id.as_str(), "{kind}");
        let turn = model.conversations().pop().unwrap();
        assert!(turn.new_tool_results()[0].1.contains("probe heard hi"), "{:?}", turn.new_tool_results());
    }
}
