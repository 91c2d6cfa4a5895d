//! The real, unmodified OpenCode against a stub model: it hears by Parlor's plugin, it writes back, a Parlor that is gone breaks
//! nothing, and uninstalled, its home is as it was.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::agent::{asked, hears_and_writes_back, say, tree};
use common::pair;
use parlor_testkit::opencode::OpenCodeHome;
use parlor_testkit::stub_model::StubModel;

#[test]
fn it_hears_and_writes_back() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let opencode = OpenCodeHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "opencode"]).ok().unwrap();
    hears_and_writes_back(&alice, &bob, &model, &|prompt, resumed| {
        let resume = resumed.map_or(vec![], |session| vec!["--session", session]);
        opencode.run_print(prompt, &resume).unwrap().session_id
    });
}

#[test]
fn a_parlor_that_is_gone_breaks_nothing() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let opencode = OpenCodeHome::of(&alice.person, &model).unwrap();
    alice.parlor.run(["install", "opencode"]).ok().unwrap();
    let plugin = opencode.dir().join("plugin/parlor.js");
    let text = std::fs::read_to_string(&plugin).unwrap();
    let gone = text.replace("/parlor-hook\"", "/parlor-hook-that-is-gone\"");
    assert_ne!(gone, text);
    std::fs::write(&plugin, gone).unwrap();
    say(&bob, "nobody hears this");
    opencode.run_print("hello all the same", &[]).unwrap();
    assert_eq!(asked(&model, "hello all the same").count("nobody hears this"), 0);
}

#[test]
fn wound_39_uninstalled_its_home_is_as_it_was() {
    let (alice, _bob) = pair();
    let model = StubModel::start().unwrap();
    let opencode = OpenCodeHome::of(&alice.person, &model).unwrap();
    let config = opencode.person().home().join(".config");
    for text in [None, Some("{\n  // mine\n  \"theme\": \"dark\",\n}\n")] {
        if let Some(text) = text {
            std::fs::create_dir_all(opencode.dir()).unwrap();
            std::fs::write(opencode.config_file(), text).unwrap();
        }
        let before = tree(&config);
        alice.parlor.run(["install", "opencode"]).ok().unwrap();
        assert_ne!(tree(&config), before);
        alice.parlor.run(["uninstall", "opencode"]).ok().unwrap();
        assert_eq!(tree(&config), before);
    }
}
