//! One scenario for every agent program: what a colleague said is in the model's request, once, and the agent writes back from its
//! shell and by its tool.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::json;

use crate::common::{SOON, Side};

const LINE: &str = "postgres, we have it";

/// Runs a prompt, in the session of that id if one is given, and says which session it was.
pub type Prompt<'a> = dyn Fn(&str, Option<&str>) -> String + 'a;

/// Says a line and waits until the other's node holds it durably.
pub fn say(from: &Side, text: &str) {
    let sent = from.send(text);
    assert_eq!((&sent["reached"], &sent["of"]), (&json!(1), &json!(1)), "{sent}");
}

/// The first request of the turn that begins with this prompt.
pub fn asked(model: &StubModel, prompt: &str) -> Request {
    let is_it = |request: &Request| request.is_conversation() && request.contains(prompt);
    model.wait_for_request(is_it, SOON).unwrap()
}

/// Alice's agent, wired in, hears what Bob says and writes back.
pub fn hears_and_writes_back(alice: &Side, bob: &Side, model: &StubModel, prompt: &Prompt<'_>) {
    say(bob, LINE);
    let (by_shell, by_tool) = ("from its shell", "we will use postgres then");
    model.push([
        // Codex's shell is a login shell, which makes a PATH of its own.
        Reply::shell(&format!("{} send '{by_shell}'", alice.person.bin().join("parlor").display())),
        Reply::mcp("parlor", "send_message", json!({ "text": by_tool })),
        Reply::text("told them"),
    ]);
    let session = prompt("which database do we use", None);
    let first = asked(model, "which database do we use");
    assert_eq!(first.count(LINE), 1, "{}", first.summary());
    assert!(first.contains("[payments @bob"), "who said it, and where");
    for words in [by_shell, by_tool] {
        bob.await_text(words);
        let log = bob.log();
        let message = log.iter().find(|message| message["text"] == words).unwrap();
        assert_eq!(
            (&message["author"], &message["session"]),
            (&json!("agent"), &json!("project")),
            "{message}"
        );
    }
    let gone = |who: &serde_json::Value| who["sessions"].as_array().is_none_or(Vec::is_empty);
    let who = alice.parlor.json_lines(["who"]).unwrap();
    assert!(who.iter().all(gone), "its session has ended: {who:?}");

    // Resumed, the session keeps its cursor, and is not given its own words.
    say(bob, "version 15");
    prompt("and which version", Some(&session));
    let resumed = asked(model, "and which version");
    assert_eq!(resumed.count("version 15"), 1, "{}", resumed.summary());
    assert!(resumed.count(LINE) <= 1, "from the conversation before, if at all: {}", resumed.summary());
    assert_eq!(resumed.count(&format!("] {by_tool}")), 0, "{}", resumed.summary());
}

/// What is in a directory, with every file's bytes.
pub fn tree(dir: &std::path::Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut tree = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree.extend(self::tree(&path));
        }
        tree.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
    }
    tree
}
