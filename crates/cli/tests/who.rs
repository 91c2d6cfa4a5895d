//! Who is there, with the real binaries and the real Claude Code: what the others see of an agent while it runs, when its
//! human says something of it, and when it is gone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Mutex, mpsc};
use std::time::Instant;

use common::{SOON, Side, pair};
use parlor_testkit::claude::ClaudeHome;
use parlor_testkit::stub_model::{Reply, Request, StubModel};
use serde_json::{Value, json};

/// What one sees of the other's sessions, asked again and again until it is what is waited for.
fn until(side: &Side, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + SOON;
    loop {
        let people = side.parlor.json_lines(["who"]).unwrap();
        let sessions = people[1]["sessions"].as_array().unwrap().clone();
        if wanted(&sessions) {
            return sessions;
        }
        assert!(Instant::now() < deadline, "{what}: {people:?}");
    }
}

fn has_status(status: &str) -> impl Fn(&[Value]) -> bool {
    move |sessions| sessions.len() == 1 && sessions[0]["status"] == status
}

fn prompted(prompt: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.is_conversation() && request.prompt().as_deref() == Some(prompt)
}

/// Lets the model answer a prompt only when what is returned is dropped: until then the agent works, however long the other
/// side takes to see it.
fn hold(model: &StubModel, prompt: &'static str, answer: &'static str) -> mpsc::Sender<()> {
    let (let_go, held) = mpsc::channel();
    let held = Mutex::new(held);
    model.reply_with(move |request| {
        if prompted(prompt)(request) {
            _ = held.lock().unwrap().recv();
        }
        Reply::text(answer)
    });
    let_go
}

#[test]
fn an_agent_is_seen_where_it_works_and_how_it_is_until_it_ends() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let mut claude = ClaudeHome::of(&alice.person, &model).unwrap();
    claude.set_project(&alice.project).unwrap();
    alice.parlor.run(["install", "claude"]).ok().unwrap();
    std::fs::write(alice.project.join(".git/HEAD"), "ref: refs/heads/fix/login\n").unwrap();
    let none = alice.parlor.cmd(["status", "dnd"]).unwrap();
    assert!(none.code() == 3 && none.err().contains("no session of yours"), "{}", none.err());

    let let_go = hold(&model, "good morning", "it is a fine morning");
    let agent = claude.interactive().unwrap();
    agent.type_line("good morning").unwrap();
    model.wait_for_request(prompted("good morning"), SOON).unwrap();
    let seen = until(&bob, "the agent works", has_status("working")).remove(0);
    assert_eq!(
        (&seen["program"], &seen["directory"], &seen["branch"], &seen["threshold"]),
        (&json!("claude"), &json!("project"), &json!("fix/login"), &json!("normal")),
        "{seen}"
    );
    assert!(seen["last_heard"].is_string() && seen["heard_ago_s"].as_u64().unwrap() < 60, "{seen}");
    let who = bob.parlor.run(["who"]).ok().unwrap().out();
    assert!(who.contains("project (claude, on fix/login, working, since "), "{who}");
    drop(let_go);
    agent.wait_for_screen("the answer", |screen| screen.contains("it is a fine morning"), SOON).unwrap();

    // Her human, in another terminal in the directory.
    let set = alice.parlor.run(["status", "dnd"]).ok().unwrap().out();
    assert!(set.starts_with("dnd  project  claude  on fix/login  "), "{set}");
    until(&bob, "she wants to be left alone", has_status("dnd"));
    agent.type_line("and now").unwrap();
    model.wait_for_request(prompted("and now"), SOON).unwrap();
    assert_eq!(
        alice.parlor.json_lines(["status"]).unwrap()[0]["status"],
        "dnd",
        "a prompt changes nothing of it"
    );
    assert_eq!(alice.parlor.cmd(["status", "busy"]).unwrap().code(), 2);

    agent.exit().unwrap();
    until(&bob, "it has ended", <[Value]>::is_empty);
}

#[test]
fn a_killed_agent_is_seen_for_its_lease_and_resumed_within_it_it_never_left() {
    let (alice, bob) = pair();
    let model = StubModel::start().unwrap();
    let mut claude = ClaudeHome::of(&alice.person, &model).unwrap();
    claude.set_project(&alice.project).unwrap();
    alice.parlor.run(["install", "claude"]).ok().unwrap();
    model.push([Reply::text("it is a fine morning")]);
    let agent = claude.interactive().unwrap();
    agent.type_line("good morning").unwrap();
    let first = model.wait_for_request(prompted("good morning"), SOON).unwrap();
    // A second turn begins when the first is written down, and can be gone on with.
    agent.wait_for_screen("the answer", |screen| screen.contains("it is a fine morning"), SOON).unwrap();
    let let_go = hold(&model, "and now", "it still is");
    agent.type_line("and now").unwrap();
    model.wait_for_request(prompted("and now"), SOON).unwrap();
    let since = until(&bob, "the agent works", has_status("working")).remove(0)["since"].clone();
    alice.parlor.run(["status", "dnd"]).ok().unwrap();
    until(&bob, "she wants to be left alone", has_status("dnd"));
    let pid = rustix::process::Pid::from_raw(agent.pid().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    drop(agent);
    drop(let_go);
    assert_eq!(until(&bob, "its lease has only begun", has_status("dnd"))[0]["since"], since);
    let id = first.session_id().unwrap();
    claude.run_print("going on", &["--resume", &id]).unwrap();
    // It ended by itself this time: what was seen until then is one and the same session.
    let own = bob.parlor.json_lines(["who"]).unwrap();
    let seen = own[1]["sessions"].as_array().unwrap();
    assert!(seen.iter().all(|session| session["since"] == since), "{seen:?}");
    until(&bob, "it has ended", <[Value]>::is_empty);
}
