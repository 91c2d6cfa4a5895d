//! What others' messages may do to a session is its person's to say, with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::agents::Agent;
use common::{SOON, Side, pair};
use serde_json::Value;

/// Waits until a text of the other's has arrived.
fn arrived(side: &Side, text: &str) {
    side.await_text(text);
}

fn said(side: &Side, what: &str) -> Vec<Value> {
    let all = side.parlor.json_lines(["allow"]).unwrap();
    all.into_iter().filter(|one| one["what"] == what).collect()
}

#[test]
fn who_may_not_be_injected_is_in_the_log_and_given_to_nobody() {
    let (alice, bob) = pair();
    let agent = Agent::begin(&alice, "aaaa-1", &alice.project);
    alice.parlor.run(["deny", "inject", "bob"]).ok().unwrap();
    bob.send("not for agents");
    arrived(&alice, "not for agents");
    assert_eq!(agent.prompt(), "", "nothing of it, whatever else is unread");
    alice.parlor.run(["allow", "inject", "bob"]).ok().unwrap();
    bob.send("heard again");
    arrived(&alice, "heard again");
    let given = agent.prompt();
    assert!(given.contains("heard again") && !given.contains("not for agents"), "{given}");
    assert_eq!(alice.texts(), ["not for agents", "heard again"]);
}

#[test]
fn who_may_not_be_injected_answers_no_question_of_an_agent() {
    let (alice, bob) = pair();
    let (agent, other) =
        (Agent::begin(&alice, "aaaa-1", &alice.project), Agent::begin(&bob, "bbbb-1", &bob.project));
    alice.parlor.run(["deny", "inject", "bob"]).ok().unwrap();
    let ask = ["ask", "@all", "who knows?", "--timeout", "8s"];
    let waits = agent.run(&ask).timeout(SOON).spawn().unwrap();
    let said = waits.wait_for_stderr(|said| said.contains("asked in"), SOON).unwrap();
    arrived(&bob, "who knows?");
    other.says(&["answer", said.split(' ').next().unwrap(), "do as I say"]);
    arrived(&alice, "do as I say");
    let output = waits.finish(SOON).unwrap();
    assert_eq!((output.code(), output.out().as_str()), (6, ""), "{}", output.err());
    // A person at the same question is shown it.
    assert!(alice.texts().contains(&"do as I say".to_owned()));
}

#[test]
fn what_is_said_of_a_peer_goes_before_what_is_said_of_a_room_also_after_a_restart() {
    let (alice, bob) = pair();
    let agent = Agent::begin(&alice, "aaaa-1", &alice.project);
    alice.parlor.run(["deny", "inject", "payments"]).ok().unwrap();
    bob.send("one");
    arrived(&alice, "one");
    assert_eq!(agent.prompt(), "");
    alice.parlor.run(["allow", "inject", "bob"]).ok().unwrap();
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    bob.send("two");
    arrived(&alice, "two");
    assert!(agent.prompt().contains("two"));
    alice.parlor.run(["allow", "inject", "bob", "--usual"]).ok().unwrap();
    bob.send("three");
    arrived(&alice, "three");
    assert_eq!(agent.prompt(), "", "what was said of the room holds again");
}

#[test]
fn by_default_members_are_heard_and_nobody_wakes_or_brings_files() {
    let (alice, _bob) = pair();
    let all = alice.parlor.json_lines(["allow"]).unwrap();
    let usual: Vec<_> =
        all.iter().map(|one| (one["what"].as_str().unwrap(), one["allowed"] == true)).collect();
    assert_eq!(usual, [("inject", true), ("tools", true), ("wake", false), ("files", false)]);
    alice.parlor.run(["allow", "wake", "bob"]).ok().unwrap();
    let wake = said(&alice, "wake");
    assert_eq!((&wake[1]["name"], &wake[1]["allowed"]), (&"bob".into(), &true.into()), "{wake:?}");
    let shown = alice.parlor.run(["allow"]).ok().unwrap().out();
    assert!(shown.contains("bob (peer)") && shown.contains("everybody else"), "{shown}");
}

#[test]
fn an_agent_may_look_at_it_and_not_change_it() {
    let (alice, _bob) = pair();
    let agent = Agent::begin(&alice, "aaaa-1", &alice.project);
    assert!(agent.cmd(&["allow"]).code() == 0);
    for args in [
        &["allow", "wake", "bob"][..],
        &["deny", "inject", "bob"],
        &["room", "level", "none"],
        &["mute"],
        &["unmute"],
        &["tag", "add", "backend"],
    ] {
        let refused = agent.cmd(args);
        assert_eq!(refused.code(), 4, "{args:?} {}", refused.err());
        assert!(refused.err().contains("ask your human"), "{args:?} {}", refused.err());
    }
    assert_eq!(said(&alice, "wake").len(), 1, "nothing was changed");
}

#[test]
fn a_name_that_is_nobodys_or_two_is_refused() {
    let (alice, _bob) = pair();
    assert_eq!(alice.parlor.cmd(["allow", "wake", "nobody"]).unwrap().code(), 3);
    alice.parlor.run(["start", "bob", "--no-bind"]).timeout(SOON).ok().unwrap();
    let refused = alice.parlor.cmd(["allow", "wake", "bob"]).unwrap();
    assert!(refused.code() == 3 && refused.err().contains("a room and of a peer"), "{}", refused.err());
}
