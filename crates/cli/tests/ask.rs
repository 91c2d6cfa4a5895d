//! `parlor ask` and `parlor answer` with the real binaries on two machines: heard between tools and at stop, answered, or told how
//! far it got; whatever dies meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Instant;

use common::agents::Agent;
use common::{SOON, Side, pair};
use parlor_testkit::run::Running;
use rustix::process::Signal;
use serde_json::Value;

/// Looks again until there is something: another process brings it about.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(std::time::Duration::from_millis(20)); // sleep: another process is looked at again and again
    }
}

/// The sessions of two people who know of each other.
fn sessions<'a>(alice: &'a Side, bob: &'a Side) -> (Agent<'a>, Agent<'a>) {
    let agents = (Agent::begin(alice, "a1", &alice.project), Agent::begin(bob, "b1", &bob.project));
    for (side, other) in [(alice, "bob"), (bob, "alice")] {
        until("knowing each other", || {
            let people = side.parlor.json_lines(["who"]).unwrap();
            people.iter().any(|person| person["name"] == other && person["connected"] == true).then_some(())
        });
    }
    agents
}

fn asks(agent: &Agent<'_>, args: &[&str]) -> Running {
    let args: Vec<&str> = ["ask"].iter().chain(args).copied().collect();
    agent.run(&args).timeout(SOON * 3).spawn().unwrap()
}

/// The id of a question in what an agent was given.
fn id_in(text: &str) -> String {
    let is_one = |line: &&str| line.contains("asks") || line.contains("a question whose time is over");
    let line = text.lines().find(is_one).unwrap_or_else(|| panic!("no question: {text}"));
    let head = line.split(']').next().unwrap();
    head.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_question_is_heard_between_tools_and_its_answer_ends_the_wait() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["bob", "where is the schema?"]);
    let heard = until("the question between tools", || {
        let given = asked.hook("PostToolUse");
        (!given.is_empty()).then_some(given)
    });
    assert!(heard.contains("(agent, asks you)") && heard.contains("where is the schema?"), "{heard}");
    asked.says(&["answer", &id_in(&heard), "in", "db/schema.sql"]);
    let output = waits.finish(SOON).unwrap();
    assert_eq!(output.code(), 0, "{}", output.err());
    assert!(output.out().contains("bob/project (agent): in db/schema.sql"), "{}", output.out());
    assert_eq!(asker.prompt(), "", "what was shown as an answer is not given again");
    assert_eq!(asked.prompt(), "", "nor the question");
}

#[test]
fn wound_06_what_is_told_of_a_message_is_what_somebody_has_observed() {
    let (alice, bob) = pair();
    let (_asker, asked) = sessions(&alice, &bob);
    let id = alice.send("have you seen this")["id"].as_str().unwrap().to_owned();
    let state = || {
        let line = alice.parlor.json(["log", "--receipts", &id]).unwrap();
        line["far"].as_array().unwrap().iter().find(|far| far["name"] == "bob").unwrap()["state"].clone()
    };
    until("bob's machine to have it", || (state() == "at_peer").then_some(()));
    assert!(asked.prompt().contains("have you seen this"));
    until("bob's session to have been handed it", || (state() == "handed").then_some(()));
    let log = alice.parlor.run(["log", "--receipts"]).ok().unwrap().out();
    assert!(log.contains("bob/project: it was handed to this session"), "{log}");
    // Claude Code keeps what it has shown its model: the next hook is told where.
    assert_eq!(bob.texts().len(), 1, "a receipt is no message");
}

#[test]
fn a_question_continues_a_turn_that_would_end() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["bob/project", "still there?"]);
    let stdin = |active: bool| {
        serde_json::json!({
            "session_id": "b1", "cwd": bob.project, "hook_event_name": "Stop", "stop_hook_active": active,
        })
    };
    let stop = |active: bool| {
        bob.parlor.run(["hook"]).cwd(&bob.project).stdin(stdin(active).to_string()).ok().unwrap().out()
    };
    assert_eq!(stop(true), "", "a turn that goes on because of a hook ends");
    let reason = until("the question at stop", || {
        let said: Value = serde_json::from_str(stop(false).trim()).ok()?;
        assert_eq!(said["decision"], "block");
        said["reason"].as_str().map(str::to_owned)
    });
    assert_eq!(stop(false), "", "once");
    asked.says(&["answer", &id_in(&reason), "yes"]);
    assert!(waits.finish(SOON).unwrap().out().contains(": yes"));
}

#[test]
fn without_an_answer_it_is_said_how_far_the_question_got() {
    let (alice, bob) = pair();
    let (asker, _asked) = sessions(&alice, &bob);
    let output = asker.cmd(&["ask", "bob", "anybody?", "--timeout", "2s"]);
    assert_eq!(output.code(), 6, "{}", output.err());
    assert_eq!(output.out(), "", "there is no answer");
    assert!(output.err().contains("bob/project: that machine has it"), "{}", output.err());
    assert!(output.err().contains("nobody has answered m"), "{}", output.err());
    let json = asker.cmd(&["ask", "bob", "anybody now?", "--timeout", "2s", "--json"]);
    assert_eq!(json.code(), 6);
    let asked: Value = serde_json::from_str(json.out().trim()).unwrap();
    assert_eq!((&asked["answered"], &asked["open"]), (&0.into(), &false.into()), "{asked}");
    assert_eq!((&asked["far"][0]["name"], &asked["far"][0]["state"]), (&"bob".into(), &"at_peer".into()));
    // What nobody heard in time is heard at the next prompt, and can still be answered.
    let late = _asked.prompt();
    assert!(late.contains("anybody?") && late.contains("anybody now?"), "{late}");
    let answered = _asked.says(&["answer", &id_in(&late), "only now"]);
    assert!(answered.err().contains("the question is over"), "{}", answered.err());
    until("the late answer", || asker.prompt().contains("only now").then_some(()));
}

#[test]
fn a_question_to_a_room_collects_answers_until_its_time_is_over() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["@all", "who", "has", "seen", "this?", "--timeout", "6s"]);
    let heard = until("the question at a prompt", || {
        let given = asked.prompt();
        (!given.is_empty()).then_some(given)
    });
    let id = id_in(&heard);
    asked.says(&["answer", &id, "I", "have"]);
    bob.parlor.run(["answer", &id, "so have I"]).ok().unwrap();
    let output = waits.finish(SOON).unwrap();
    assert_eq!(output.code(), 0, "{}", output.err());
    assert!(output.out().contains("I have") && output.out().contains("so have I"), "{}", output.out());
    let other = Agent::begin(&bob, "b2", &bob.project);
    assert!(!other.prompt().contains("who has seen this?"), "it costs nobody anything any more");
}

#[test]
fn a_node_that_is_killed_while_somebody_waits_loses_nothing() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["bob", "before the crash?"]);
    let heard = until("the question", || {
        let given = asked.hook("PostToolUse");
        (!given.is_empty()).then_some(given)
    });
    assert!(alice.parlor.kill_node());
    asked.says(&["answer", &id_in(&heard), "and after it"]);
    let output = waits.finish(SOON * 2).unwrap();
    assert_eq!(output.code(), 0, "{}", output.err());
    assert!(output.out().contains("and after it"), "{}", output.out());
    assert_eq!(alice.parlor.json_lines(["log", "--room", "@bob"]).unwrap().len(), 2, "asked once");
}

#[test]
fn who_does_not_wait_any_longer_leaves_the_question_open() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["bob", "in a moment?", "--timeout", "10m"]);
    let heard = until("the question", || {
        let given = asked.hook("PostToolUse");
        (!given.is_empty()).then_some(given)
    });
    waits.wait_for_stderr(|said| said.contains("open until"), SOON).unwrap();
    waits.signal(Signal::INT);
    let output = waits.finish(SOON).unwrap();
    assert_eq!(output.code(), 130, "{}", output.err());
    assert!(output.err().contains("stays open until"), "{}", output.err());
    asked.says(&["answer", &id_in(&heard), "here it is"]);
    until("the answer", || asker.prompt().contains("here it is").then_some(()));
}

#[test]
fn what_is_no_question_and_ones_own_is_not_answered() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let sent = alice.send("no question");
    until("the message", || bob.texts().contains(&"no question".to_owned()).then_some(()));
    let refused = asked.cmd(&["answer", sent["id"].as_str().unwrap(), "x"]);
    assert_eq!(refused.code(), 5, "{}", refused.err());
    let output = asker.cmd(&["ask", "bob", "mine", "--timeout", "1s", "--json"]);
    let id = serde_json::from_str::<Value>(output.out().trim()).unwrap()["id"].as_str().unwrap().to_owned();
    let own = asker.cmd(&["answer", &id, "x"]);
    assert_eq!(own.code(), 4, "{}", own.err());
    assert_eq!(asked.cmd(&["answer", "mzzzzzzz", "x"]).code(), 3);
}

#[test]
fn a_peer_is_asked_alone_with_and_without_the_sign_and_all_are_all() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    for to in ["bob", "@bob", "@bob/project"] {
        let waits = asks(&asker, &[to, &format!("for {to} alone?"), "--timeout", "1m"]);
        let heard = until("the question", || {
            let given = asked.hook("PostToolUse");
            (!given.is_empty()).then_some(given)
        });
        assert!(heard.contains("asks you"), "{heard}");
        asked.says(&["answer", &id_in(&heard), "yes"]);
        assert_eq!(waits.finish(SOON).unwrap().code(), 0, "{to}");
    }
    assert_eq!(bob.texts().len(), 0, "nothing of it is in the room");
    let refused = alice.parlor.cmd(["tag", "add", "all"]).unwrap();
    assert_eq!(refused.code(), 5, "{}", refused.err());
    let sent = alice.parlor.run(["send", "--to", "@all", "everybody"]).ok().unwrap();
    assert!(!sent.err().contains("tag"), "{}", sent.err());
    bob.await_text("everybody");
    assert!(asked.prompt().contains("everybody"));
}

#[test]
fn a_program_that_waits_no_longer_is_told_what_it_has_asked() {
    let (alice, _bob) = pair();
    // Its node waits half a second for others before it answers; interrupted before that, it knows nothing yet.
    let mut patience = 0;
    let known = until("what is known", || {
        patience += 1;
        let question = format!("in a moment {patience}?");
        let asks = alice.parlor.run(["ask", "bob", &question, "--timeout", "10m", "--json"]);
        let waits = asks.timeout(SOON).spawn().unwrap();
        for _ in 0..patience {
            let log = || alice.parlor.cmd(["log", "--room", "@bob", "--json"]).unwrap().out();
            until("the question to be asked", || log().contains(&question).then_some(()));
        }
        waits.signal(Signal::INT);
        let output = waits.finish(SOON).unwrap();
        assert_eq!(output.code(), 130, "{}", output.err());
        (!output.out().is_empty()).then(|| serde_json::from_str::<Value>(&output.out()).unwrap())
    });
    assert_eq!(known["open"], true, "{known}");
    assert!(known["id"].as_str().unwrap().starts_with('m'), "{known}");
}

#[test]
fn an_answer_that_was_not_shown_because_of_an_interruption_is_given_at_the_prompt() {
    let (alice, bob) = pair();
    let (asker, asked) = sessions(&alice, &bob);
    let waits = asks(&asker, &["@all", "who knows?", "--timeout", "10m", "--json"]);
    let heard = until("the question", || {
        let given = asked.prompt();
        (!given.is_empty()).then_some(given)
    });
    asked.says(&["answer", &id_in(&heard), "I do"]);
    until("the answer", || alice.texts().contains(&"I do".to_owned()).then_some(()));
    waits.signal(Signal::INT);
    waits.finish(SOON).unwrap();
    until("the answer at the prompt", || asker.prompt().contains("I do").then_some(()));
}
