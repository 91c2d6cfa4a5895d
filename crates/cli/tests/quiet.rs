//! Levels, mutes, tags and forms: what a session is not disturbed by, with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::agents::Agent;
use common::{Side, pair};
use serde_json::Value;

/// Two people in a room, and an agent of the first that has been told what was before.
fn agent(alice: &Side) -> Agent<'_> {
    let agent = Agent::begin(alice, "aaaa-1", &alice.project);
    agent.prompt();
    agent
}

/// The other says this, and it has arrived.
fn says(from: &Side, to: &Side, args: &[&str]) {
    from.parlor.run(args.iter().copied()).ok().unwrap();
    to.await_text(args.last().unwrap());
}

#[test]
fn at_mentions_a_session_is_given_what_names_it_and_the_rest_is_in_the_log() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    let level = alice.parlor.json_lines(["room", "level", "mentions"]).unwrap();
    assert_eq!((&level[0]["room_name"], &level[0]["level"]), (&"payments".into(), &"mentions".into()));
    says(&bob, &alice, &["send", "to nobody in particular"]);
    says(&bob, &alice, &["send", "@alice: look at this"]);
    says(&bob, &alice, &["send", "@alice/project and this"]);
    says(&bob, &alice, &["send", "not @alicent"]);
    let given = agent.prompt();
    assert!(given.contains("look at this") && given.contains("and this"), "{given}");
    assert!(!given.contains("in particular") && !given.contains("alicent"), "{given}");
    assert!(given.contains("2 low: parlor log"), "counted: {given}");
    assert_eq!(alice.texts().len(), 4, "never lost from the log");
    alice.parlor.run(["room", "level", "all"]).ok().unwrap();
    says(&bob, &alice, &["send", "heard again"]);
    let given = agent.prompt();
    assert!(
        given.contains("heard again") && !given.contains("in particular"),
        "passed over is passed over: {given}"
    );
}

#[test]
fn at_mentions_what_is_urgent_and_names_a_session_in_its_text_is_heard_between_tools() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    alice.parlor.run(["room", "level", "mentions"]).ok().unwrap();
    says(&bob, &alice, &["send", "--priority", "now", "whoever it is"]);
    assert_eq!(agent.hook("PostToolUse"), "");
    says(&bob, &alice, &["send", "--priority", "now", "@alice: stop that"]);
    let given = agent.hook("PostToolUse");
    assert!(given.contains("stop that") && !given.contains("whoever"), "{given}");
    alice.parlor.run(["room", "level", "asks"]).ok().unwrap();
    says(&bob, &alice, &["send", "--priority", "now", "@alice: no question"]);
    assert_eq!(agent.hook("PostToolUse"), "");
}

#[test]
fn at_none_and_while_muted_nothing_is_given_and_a_mute_ends_by_hand_or_by_itself() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    alice.parlor.run(["mute"]).ok().unwrap();
    says(&bob, &alice, &["send", "@alice one"]);
    assert_eq!(agent.prompt(), "");
    alice.parlor.run(["unmute"]).ok().unwrap();
    says(&bob, &alice, &["send", "two"]);
    assert!(agent.prompt().contains("two"));
    let muted = alice.parlor.json_lines(["mute", "payments", "--for", "1s"]).unwrap();
    assert!(muted[0]["muted"] == true && muted[0]["muted_until"].is_string(), "{muted:?}");
    // Its end is a moment of the wall clock and nothing tells of it.
    let deadline = std::time::Instant::now() + common::SOON;
    while alice.parlor.json_lines(["room", "level"]).unwrap()[0]["muted"] == true {
        assert!(std::time::Instant::now() < deadline);
    }
    says(&bob, &alice, &["send", "three"]);
    assert!(agent.prompt().contains("three"));
    alice.parlor.run(["room", "level", "none"]).ok().unwrap();
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    says(&bob, &alice, &["send", "@alice four"]);
    assert_eq!(agent.prompt(), "", "kept over a restart");
}

#[test]
fn a_level_is_a_directorys_and_another_one_hears_as_before() {
    let (alice, bob) = pair();
    let elsewhere = alice.person.git_repo("elsewhere").unwrap();
    let dir = elsewhere.to_str().unwrap();
    alice.parlor.run(["room", "bind", "payments", "--dir", dir]).ok().unwrap();
    let (here, there) = (agent(&alice), Agent::begin(&alice, "bbbb-1", &elsewhere));
    there.prompt();
    alice.parlor.run(["room", "level", "none"]).ok().unwrap();
    says(&bob, &alice, &["send", "one"]);
    assert_eq!(here.prompt(), "");
    assert!(there.prompt().contains("one"));
    let unheard = alice.parlor.run(["room", "level", "none", "--dir", "/tmp"]).output().unwrap();
    assert_eq!(unheard.code(), 3, "{}", unheard.err());
}

#[test]
fn a_message_to_a_tag_is_given_to_sessions_that_have_it_and_counted_by_the_others() {
    let (alice, bob) = pair();
    let elsewhere = alice.person.git_repo("elsewhere").unwrap();
    let dir = elsewhere.to_str().unwrap();
    alice.parlor.run(["room", "bind", "payments", "--dir", dir]).ok().unwrap();
    alice.parlor.run(["tag", "add", "Backend"]).ok().unwrap();
    let (tagged, other) = (agent(&alice), Agent::begin(&alice, "bbbb-1", &elsewhere));
    other.prompt();
    assert_eq!(alice.parlor.run(["tag", "list"]).ok().unwrap().out(), "@backend\n");
    // Bob sees who has it, and is told how many will hear.
    let deadline = std::time::Instant::now() + common::SOON;
    let seen = |bob: &Side| {
        let people = bob.parlor.json_lines(["who"]).unwrap();
        let sessions: Vec<Value> =
            people.iter().flat_map(|one| one["sessions"].as_array().unwrap().clone()).collect();
        sessions.iter().any(|session| session["tags"] == serde_json::json!(["backend"]))
    };
    while !seen(&bob) {
        assert!(std::time::Instant::now() < deadline);
    }
    let sent = bob.parlor.run(["send", "--to", "@backend", "--json", "schema is final"]).ok().unwrap();
    assert!(sent.out().contains("\"tagged\":1"), "{}", sent.out());
    alice.await_text("schema is final");
    let given = tagged.prompt();
    assert!(given.contains("(program, to you)") && given.contains("schema is final"), "{given}");
    assert_eq!(other.prompt(), "");
    assert_eq!(alice.texts(), ["schema is final"], "all may read it");
    let none = bob.parlor.run(["send", "--to", "@frontend", "anybody?"]).ok().unwrap();
    assert!(none.err().contains("no session that is present has the tag @frontend"), "{}", none.err());
    assert_eq!(bob.parlor.cmd(["send", "--to", "@not a tag", "x"]).unwrap().code(), 5);
    alice.parlor.run(["tag", "remove", "backend"]).ok().unwrap();
    assert_eq!(alice.parlor.cmd(["tag", "remove", "backend"]).unwrap().code(), 3);
}

#[test]
fn what_a_peer_is_called_is_no_tag_and_goes_to_that_peer_alone() {
    let (alice, bob) = pair();
    let sent = alice.parlor.json(["send", "--to", "@bob", "for you alone"]).unwrap();
    assert_eq!((&sent["room_name"], sent.get("tagged")), (&"@bob".into(), None));
    assert!(alice.texts().is_empty(), "not in the room");
    bob.parlor.run(["tag", "add", "bob"]).ok().unwrap();
    Agent::begin(&bob, "aaaa-1", &bob.project);
    let deadline = std::time::Instant::now() + common::SOON;
    loop {
        let output = alice.parlor.cmd(["send", "--to", "@bob", "to whom?"]).unwrap();
        if output.code() == 3 {
            assert!(output.err().contains("may mean a peer"), "{}", output.err());
            break;
        }
        assert!(std::time::Instant::now() < deadline, "a session with that tag is not seen");
    }
}

#[test]
fn who_wants_to_be_left_alone_is_given_nothing_between_tools_and_all_at_the_prompt() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    let dnd = |status: &str| drop(alice.parlor.run(["status", status]).ok().unwrap());
    says(&bob, &alice, &["send", "--priority", "now", "look at once"]);
    dnd("dnd");
    assert_eq!((agent.hook("PostToolUse"), agent.hook("Stop")), (String::new(), String::new()));
    says(&bob, &alice, &["send", "--priority", "now", "and at this"]);
    dnd("working");
    let given = agent.hook("PostToolUse");
    assert!(given.contains("look at once") && given.contains("and at this"), "{given}");
    dnd("dnd");
    says(&bob, &alice, &["send", "at the prompt"]);
    assert!(agent.prompt().contains("at the prompt"));
}

#[test]
fn what_a_room_costs_is_shown_and_a_room_without_a_budget_is_only_counted() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    says(&bob, &alice, &["send", "of some length"]);
    assert!(agent.prompt().contains("of some length"));
    let cost = alice.parlor.json_lines(["budget"]).unwrap();
    assert_eq!((&cost[0]["room_name"], &cost[0]["budget"]), (&"payments".into(), &200_000.into()));
    assert!(cost[0]["today"].as_u64().unwrap() > 40, "header and words: {cost:?}");
    assert_eq!(cost[0]["sessions"][0]["session"], "claude/project");
    let refused = agent.cmd(&["budget", "set", "payments", "1"]);
    assert!(refused.code() == 4 && agent.cmd(&["budget"]).code() == 0, "{}", refused.err());
    alice.parlor.run(["budget", "set", "payments", "1"]).ok().unwrap();
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    says(&bob, &alice, &["send", "one more"]);
    assert_eq!(agent.prompt(), "1 more: parlor log, or the tool check_messages\n");
    alice.parlor.run(["budget", "set", "payments", "100000"]).ok().unwrap();
    assert!(agent.prompt().contains("one more"), "it was not passed over");
    let shown = alice.parlor.run(["budget"]).ok().unwrap().out();
    assert!(shown.contains("of 100000 a day") && shown.contains("claude/project"), "{shown}");
}

#[test]
fn an_acknowledgement_and_a_word_on_progress_disturb_nobody() {
    let (alice, bob) = pair();
    let agent = agent(&alice);
    says(&bob, &alice, &["send", "--ack", "got it"]);
    says(&bob, &alice, &["send", "--progress", "--priority", "now", "half way"]);
    assert_eq!(agent.prompt(), "");
    says(&bob, &alice, &["send", "done"]);
    let given = agent.prompt();
    assert!(given.contains("done") && !given.contains("half way") && !given.contains("got it"), "{given}");
    let log = alice.parlor.json_lines(["log"]).unwrap();
    let forms: Vec<_> = log.iter().map(|one| one.get("form").cloned()).collect();
    assert_eq!(forms, [Some("ack".into()), Some("progress".into()), None]);
}
