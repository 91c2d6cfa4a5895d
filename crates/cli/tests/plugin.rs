//! Parlor as a plugin of the real, unmodified Claude Code: its own validator takes it, a session it is given to hears and writes
//! back, and whoever has it twice is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};

use common::agent::{asked, say};
use common::{Side, pair};
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::stub_model::{Reply, StubModel};
use serde_json::json;

/// The checkout, which is the marketplace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A plugin does not know where Parlor lies: it is on PATH.
fn with_claude(side: &Side, model: &StubModel) -> ClaudeHome {
    let parlor = side.person.bin().join("parlor").canonicalize().unwrap();
    side.person.install("parlor-hook", &parlor.with_file_name("parlor-hook")).unwrap();
    let mut claude = ClaudeHome::of(&side.person, model).unwrap();
    claude.set_project(&side.project).unwrap();
    claude
}

#[test]
fn claude_code_validates_the_plugin_and_its_marketplace() {
    let model = StubModel::start().unwrap();
    let claude = ClaudeHome::new(&model).unwrap();
    for dir in [root().join("plugin"), root()] {
        let said = claude.run(&["plugin", "validate", text(&dir)]).ok().unwrap().out();
        assert!(said.contains("Validation passed"), "{said}");
    }
}

#[test]
fn a_session_it_is_given_to_hears_and_writes_back() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    say(&bob, "postgres, we have it");
    let words = "we will use postgres then";
    let tool = "mcp__plugin_parlor_parlor__send_message";
    model.push([Reply::tool(tool, json!({ "text": words })), Reply::text("told them")]);
    let plugin = root().join("plugin");
    let allowed = format!("{tool},ToolSearch");
    claude.run_print("which database", &["--plugin-dir", text(&plugin), "--allowedTools", &allowed]).unwrap();
    let request = asked(&model, "which database");
    assert_eq!(request.count("postgres, we have it"), 1, "{}", request.summary());
    bob.await_text(words);
    let log = bob.log();
    let message = log.iter().find(|message| message["text"] == words).unwrap();
    assert_eq!((&message["author"], &message["session"]), (&json!("agent"), &json!("project")), "{message}");
}

#[test]
fn whoever_has_it_as_plugin_and_in_the_settings_is_told() {
    let (alice, _bob) = pair();
    let model = StubModel::start().unwrap();
    let claude = with_claude(&alice, &model);
    claude.run(&["plugin", "marketplace", "add", text(&root())]).ok().unwrap();
    claude.run(&["plugin", "install", "parlor@parlor"]).ok().unwrap();
    let plugin = || {
        let out = alice.parlor.cmd(["doctor", "--json"]).unwrap().out();
        let line = out.lines().find(|line| line.contains("\"claude: plugin\"")).unwrap().to_owned();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    assert_eq!(plugin()["state"], "ok");
    let installed = alice.parlor.run(["install", "claude"]).ok().unwrap();
    assert!(installed.err().contains("claude plugin uninstall parlor@parlor"), "{}", installed.err());
    assert_eq!(plugin()["state"], "warn");
    assert!(plugin()["hint"].as_str().unwrap().contains("claude plugin uninstall parlor@parlor"));
}
