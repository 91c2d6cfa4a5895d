//! The facts about OpenCode that Parlor builds on, measured with the real program.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use parlor_testkit::opencode::{OpenCodeHome, facts};
use parlor_testkit::stub_model::{Reply, StubModel};
use serde_json::{Value, json};
use support::{Probe, SOON, names, set};

const PLUGIN: &str = include_str!("fixtures/probe_plugin.js");
const CONTEXT: &str = "CONTEXT-OF-PROMPT <b>\"bold\"</b>\n  second line";

fn with_plugin(model: &StubModel) -> OpenCodeHome {
    let home = OpenCodeHome::new(model).unwrap();
    home.write_plugin("probe.js", PLUGIN).unwrap();
    home
}

/// What the plugin wrote of one kind.
fn told(home: &OpenCodeHome, what: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(home.person().home().join("plugin.log")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["what"] == what).collect()
}

#[test]
fn a_headless_run_asks_the_stub_and_nobody_else_and_calls_its_own_shell() {
    let model = StubModel::start().unwrap();
    let home = OpenCodeHome::new(&model).unwrap();
    model.push([Reply::shell("echo I am at $PWD"), Reply::text("done and done")]);
    let printed = home.run_print("hello there", &[]).unwrap();
    assert_eq!(printed.result, "done and done");
    let turns = model.conversations();
    assert_eq!(turns.len(), 2, "the prompt, and after the call");
    assert_eq!(turns[0].prompt().as_deref(), Some("hello there"));
    assert_eq!(turns[0].session_id().as_deref(), Some(printed.session_id.as_str()));
    let result = &turns[1].new_tool_results()[0].1;
    assert!(result.contains(&format!("I am at {}", home.project().display())), "{result}");
}

#[test]
fn what_a_plugin_adds_to_prompt_and_tools_is_given_as_it_is_and_kept() {
    let model = StubModel::start().unwrap();
    let home = with_plugin(&model);
    let mcp = Probe::new(home.person(), "mcp", |_| "\n".to_owned());
    let server = json!({"type": "local", "command": mcp.command("mcp_probe.py"), "enabled": true});
    home.write_config(&json!({"mcp": {"parlor": server}})).unwrap();
    model.push([
        Reply::shell("true"),
        Reply::mcp("parlor", "send_message", json!({"text": "hi"})),
        Reply::text("done"),
    ]);
    let session = home.run_print("hello", &[]).unwrap().session_id;
    let turns = model.conversations();
    let user: Vec<_> = turns[0].texts().into_iter().filter(|(role, _)| role == "user").collect();
    assert_eq!(user.last().unwrap().1, CONTEXT, "{user:?}");
    let own = &turns[1].new_tool_results()[0].1;
    assert!(own.ends_with("CONTEXT-BY-OUTPUT"), "{own}");
    let of_server = &turns[2].new_tool_results()[0].1;
    assert!(
        of_server.starts_with("probe heard hi") && of_server.ends_with("CONTEXT-BY-CONTENT"),
        "{of_server}"
    );
    assert!(!of_server.contains("CONTEXT-BY-OUTPUT"), "{of_server}");
    for what in ["prompt", "tool", "idle"] {
        assert!(told(&home, what).iter().all(|line| line["session"] == session.as_str()), "{what}");
        assert!(!told(&home, what).is_empty(), "{what}");
    }
    let exported = home.run(&["export", &session]).ok().unwrap().out();
    let exported: Value = serde_json::from_str(&exported[exported.find('{').unwrap()..]).unwrap();
    assert_eq!(exported.to_string().matches("CONTEXT-OF-PROMPT").count(), 1);

    let started = mcp.wait_for("the start of the MCP server", |report| report["env"].is_object()).unwrap();
    assert_eq!(started["parent"], told(&home, "start")[0]["pid"]);
    assert_eq!(started["env"]["OPENCODE_PID"], started["parent"].to_string().as_str());
    let kept: BTreeSet<String> = home.seat().env().into_iter().map(|(name, _)| name).collect();
    let more: BTreeSet<String> = names(&started["env"]).difference(&kept).cloned().collect();
    assert_eq!(more, set(&[facts::MCP_ENV]));
    let methods =
        ["initialize", "notifications/initialized", "tools/list", "tools/call", "notifications/cancelled"];
    let asked: Vec<Value> =
        mcp.all().iter().map(|report| report["message"].clone()).filter(|m| !m.is_null()).collect();
    assert_eq!(asked.iter().map(|m| m["method"].as_str().unwrap()).collect::<Vec<_>>(), methods);
    assert_eq!(asked[0]["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(asked[4]["params"]["requestId"], asked[3]["id"], "of the call that has succeeded");
}

#[test]
fn a_plugin_that_throws_takes_the_prompt_with_it_and_one_that_does_not_load_does_not() {
    let model = StubModel::start().unwrap();
    let home = with_plugin(&model);
    let _ = home.run(&["run", "throw"]).output().unwrap();
    assert!(model.conversations().is_empty());
    home.write_plugin("probe.js", "this is no program").unwrap();
    home.run_print("hello", &[]).unwrap();
    assert_eq!(model.conversations().len(), 1);
}

#[test]
fn a_plugin_wakes_an_idle_terminal() {
    let model = StubModel::start().unwrap();
    let mut home = with_plugin(&model);
    home.seat_mut().set_env("PROBE_WAKES", "1");
    let terminal = home.start(&["--prompt", "hello"]).unwrap();
    let first = model.wait_for_request(|request| request.is_conversation(), SOON).unwrap();
    let woken = |request: &parlor_testkit::stub_model::Request| {
        request.is_conversation() && request.contains("a <message> waits")
    };
    let turn = model.wait_for_request(woken, SOON).unwrap();
    assert_eq!(turn.session_id(), first.session_id());
    assert_eq!(turn.count("CONTEXT-OF-PROMPT"), 2, "chat.message runs for it, too");
    drop(terminal);
}
