//! The real, unmodified Codex against a stub model: it hears once its human trusts the hooks, and not before; it writes back;
//! and uninstalled, its home is as it was.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::agent::{asked, hears_and_writes_back, say, tree};
use common::{SOON, pair};
use parlor_testkit::codex::{CodexHome, TRUST_HOOKS};
use parlor_testkit::stub_model::StubModel;

const FREE: &str = "--dangerously-bypass-approvals-and-sandbox";

#[test]
fn it_hears_and_writes_back() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let codex = CodexHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "codex"]).ok().unwrap();
    hears_and_writes_back(&alice, &bob, &model, &|prompt, resumed| {
        let printed = match resumed {
            None => codex.run_print(prompt, &[FREE, TRUST_HOOKS]),
            Some(session) => codex.resume_print(session, prompt, &[FREE, TRUST_HOOKS]),
        };
        printed.unwrap().session_id
    });
}

#[test]
fn untrusted_hooks_are_skipped_and_the_doctor_says_so_until_its_human_trusts_them() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let codex = CodexHome::of(&alice.person, &model).unwrap();
    let installed = alice.parlor.run(["install", "codex"]).ok().unwrap();
    assert!(installed.err().contains("has not trusted"), "{}", installed.err());
    let trust = || {
        let out = alice.parlor.cmd(["doctor", "--json"]).unwrap().out();
        let line = out.lines().find(|line| line.contains("\"codex: trust\"")).unwrap().to_owned();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(trust(), "fail");
    say(&bob, "nobody hears this yet");
    codex.run_print("are we alone", &[FREE]).unwrap();
    assert_eq!(asked(&model, "are we alone").count("nobody hears this yet"), 0);

    let session = codex.start(&[]).unwrap();
    session
        .wait_for_screen("the review of hooks", |screen| screen.contains("Trust all and continue"), SOON)
        .unwrap();
    session.press_until("Down", "the choice", |screen| screen.contains("› 2. Trust all"), SOON).unwrap();
    session.accept("Hooks need review", SOON).unwrap();
    drop(session);
    assert_eq!(trust(), "ok");
    codex.run_print("and now", &[FREE]).unwrap();
    assert_eq!(asked(&model, "and now").count("nobody hears this yet"), 1);
}

#[test]
fn wound_39_uninstalled_its_home_is_as_it_was() {
    let (alice, _bob) = pair();
    let model = StubModel::start().unwrap();
    let codex = CodexHome::of(&alice.person, &model).unwrap();
    codex
        .write_config("# mine\nmodel = \"gpt-5\" # that one\n\n[mcp_servers.other]\ncommand = \"x\"\n")
        .unwrap();
    let before = tree(&codex.dir());
    alice.parlor.run(["install", "codex"]).ok().unwrap();
    assert_ne!(tree(&codex.dir()), before);
    let known = codex.run(&["mcp", "get", "parlor"]).ok().unwrap().out();
    assert!(known.contains("enabled: true") && known.contains("args: mcp"), "{known}");
    alice.parlor.run(["uninstall", "codex"]).ok().unwrap();
    let mut after = tree(&codex.dir());
    after.retain(|path, _| before.contains_key(path) || path.ends_with("hooks.json"));
    assert_eq!(after, before, "but for what Codex itself keeps beside it");
}
