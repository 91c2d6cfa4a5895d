//! The facts about OpenCode that Parlor builds on, measured with the real program.
//!
//! Each test runs the pinned version against the stub model; no test imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_testkit::opencode::OpenCodeHome;
use parlor_testkit::stub_model::{Reply, StubModel};

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
    let result = &turns[1].new_tool_results()[0].1;
    assert!(result.contains(&format!("I am at {}", home.project().display())), "{result}");
}
