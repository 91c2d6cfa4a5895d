//! The real, unmodified Gemini CLI against a stub model: it hears, it writes back, a Parlor that is gone blocks no prompt, and
//! uninstalled, its home is as it was.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::agent::{asked, hears_and_writes_back, say, tree};
use common::pair;
use parlor_testkit::gemini::GeminiHome;
use parlor_testkit::stub_model::StubModel;

#[test]
fn it_hears_and_writes_back() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let gemini = GeminiHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "gemini"]).ok().unwrap();
    hears_and_writes_back(&alice, &bob, &model, &|prompt, resumed| {
        let resume = resumed.map_or(vec![], |_| vec!["--resume", "latest"]);
        gemini.run_print(prompt, &[vec!["--yolo"], resume].concat()).unwrap().session_id
    });
}

/// A hook that cannot be run would block every prompt.
#[test]
fn a_parlor_that_is_gone_blocks_no_prompt() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let gemini = GeminiHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "gemini"]).ok().unwrap();
    let text = std::fs::read_to_string(gemini.settings_file()).unwrap();
    let gone = text.replace("/parlor-hook ", "/parlor-hook-that-is-gone ");
    assert_ne!(gone, text);
    std::fs::write(gemini.settings_file(), gone).unwrap();
    say(&bob, "nobody hears this");
    gemini.run_print("hello all the same", &[]).unwrap();
    assert_eq!(asked(&model, "hello all the same").count("nobody hears this"), 0);
}

#[test]
fn wound_39_uninstalled_its_home_is_as_it_was() {
    let (alice, _bob) = pair();
    let model = StubModel::start().unwrap();
    let gemini = GeminiHome::of(&alice.person, &model).unwrap();
    let dir = gemini.settings_file().parent().unwrap().to_owned();
    let before = tree(&dir);
    alice.parlor.run(["install", "gemini"]).ok().unwrap();
    assert_ne!(tree(&dir), before);
    alice.parlor.run(["uninstall", "gemini"]).ok().unwrap();
    assert_eq!(tree(&dir), before);
}
