//! Sessions of one machine that talk without anybody having set up a room, with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::PathBuf;

use common::Side;
use common::agents::Agent;
use serde_json::Value;

/// Somebody who has begun, and set up nothing.
fn at_home() -> Side {
    let alice = Side::new("alice");
    alice.parlor.run(["nick", "alice"]).ok().unwrap();
    alice
}

fn project(side: &Side, name: &str) -> PathBuf {
    side.person.git_repo(name).unwrap()
}

fn rooms(side: &Side) -> Vec<Value> {
    side.parlor.json_lines(["room", "list"]).unwrap()
}

#[test]
fn a_session_speaks_to_another_of_this_machine_with_no_room_set_up() {
    let alice = at_home();
    let (api, web) = (project(&alice, "api"), project(&alice, "web"));
    let (one, other) = (Agent::begin(&alice, "aaaa-1", &api), Agent::begin(&alice, "bbbb-1", &web));
    assert!(rooms(&alice).is_empty(), "nobody has said anything");
    one.says(&["send", "--to", "claude/web", "is the schema final?"]);
    let given = other.prompt();
    assert!(given.contains("[web-local @alice/claude/api (agent, to you) "), "{given}");
    assert!(given.contains("is the schema final?") && !given.contains("Earlier"), "{given}");
    assert_eq!(one.prompt(), "", "it is not heard in another project, nor by who said it");
    let rooms = rooms(&alice);
    assert_eq!(rooms.len(), 1, "{rooms:?}");
    assert_eq!((&rooms[0]["by_itself"], &rooms[0]["carrier"]), (&true.into(), &"local".into()));
    let list = alice.parlor.run(["room", "list"]).ok().unwrap().out();
    assert!(list.contains("made by itself"), "{list}");
    // The name it was shown by is a name to answer to.
    other.says(&["send", "--to", "claude/api", "yes"]);
    assert!(one.prompt().contains("] yes"));
    assert_eq!(other.prompt(), "", "wound 14: no echo");
    // And all of it after a restart.
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    one.says(&["send", "--to", "web", "thank you"]);
    assert!(other.prompt().contains("thank you"));
    assert_eq!(alice.parlor.json_lines(["room", "list"]).unwrap().len(), 2, "one for each project");
}

#[test]
fn wound_14_sessions_of_one_machine_hear_each_other_and_none_itself() {
    let alice = at_home();
    let api = project(&alice, "api");
    let (one, two) = (Agent::begin(&alice, "aaaa-1", &api), Agent::begin(&alice, "aabb-2", &api));
    let three = Agent::begin(&alice, "cccc-3", &api);
    let made = rooms(&alice);
    assert_eq!(made.len(), 1, "the second session has met the first: {made:?}");
    assert_eq!(made[0]["name"], "api-local");
    one.says(&["send", "to all of us"]);
    assert!(two.prompt().contains("to all of us") && three.prompt().contains("to all of us"));
    assert_eq!(one.prompt(), "", "wound 14: no echo");
    one.says(&["send", "--to", "claude/api", "to both of you"]);
    let given = two.prompt();
    assert!(given.contains("@alice/claude/api~aaaa (agent, to you) "), "{given}");
    assert!(three.prompt().contains("to both of you"));
    one.says(&["send", "--to", "claude/api~aabb", "to one of you"]);
    let unread = two.cmd(&["unread", "--json"]).out();
    assert!(unread.contains("\"unread\":1"), "{unread}");
    assert!(three.cmd(&["unread", "--json"]).out().contains("\"unread\":0"));
    assert!(two.prompt().contains("to one of you"));
    assert_eq!(three.prompt(), "");
    let listed = three.says(&["who", "--local"]).out();
    let names: Vec<&str> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["claude/api~aaaa", "claude/api~aabb", "claude/api~cccc"], "{listed}");
    assert!(listed.contains("claude/api~cccc (you)"), "{listed}");
}

#[test]
fn a_room_people_share_comes_before_one_made_by_itself_and_keeps_its_name() {
    let alice = at_home();
    let project = &alice.project;
    let (one, two) = (Agent::begin(&alice, "aaaa-1", project), Agent::begin(&alice, "bbbb-2", project));
    let before = one.says(&["send", "among us", "--json"]).out();
    assert!(before.contains("\"room_name\":\"project-local\""), "{before}");
    alice.start("project");
    let after = one.says(&["send", "to everybody", "--json"]).out();
    assert!(after.contains("\"room_name\":\"project\""), "the one people share, by its own name: {after}");
    let given = two.prompt();
    assert!(given.contains("among us") && given.contains("[project @alice/project (agent) "), "{given}");
    let listed = rooms(&alice);
    let default = listed.iter().find(|room| room["default"] == true).unwrap();
    assert_eq!((&default["name"], default.get("by_itself")), (&"project".into(), None));
}

#[test]
fn what_may_mean_two_or_nobody_is_refused_with_what_it_could_be() {
    let (alice, _bob) = common::pair();
    let (api, deep) = (project(&alice, "api"), alice.person.git_repo("deep/api").unwrap());
    let bob = project(&alice, "bob");
    let one = Agent::begin(&alice, "aaaa-1", &api);
    Agent::begin(&alice, "bbbb-2", &deep);
    Agent::begin(&alice, "cccc-3", &bob);
    let who = Agent::begin(&alice, "dddd-4", &alice.project);
    let refused = |to: &str| {
        let output = who.cmd(&["send", "--to", to, "x"]);
        (output.code(), output.err())
    };
    let (code, err) = refused("claude/api");
    assert!(code == 3 && err.contains("claude/api~aaaa") && err.contains("claude/api~bbbb"), "{code} {err}");
    let (code, err) = refused("bob");
    assert!(code == 3 && err.contains("claude/bob~cccc"), "a peer, or a session: {code} {err}");
    let (code, err) = refused("codex/api");
    assert!(code == 3 && err.contains("claude/bob"), "who there is: {code} {err}");
    let (code, err) = refused("claude/project");
    assert!(code == 5 && err.contains("itself"), "{code} {err}");
    assert_eq!(refused("claude/").0, 2);
    who.says(&["send", "--to", "claude/api~aaaa", "you"]);
    assert!(one.prompt().contains("] you"));
    // A peer that nobody shares the name with is as it was, and so is a session of a peer's.
    who.says(&["send", "--to", "bob/elsewhere", "hello"]);
}

#[test]
fn none_is_made_for_the_home_directory_or_where_they_are_turned_off() {
    let alice = at_home();
    let home = alice.person.home();
    let (one, two) = (Agent::begin(&alice, "aaaa-1", &home), Agent::begin(&alice, "bbbb-2", &home));
    assert!(rooms(&alice).is_empty());
    let name = home.file_name().unwrap().to_str().unwrap();
    let refused = one.cmd(&["send", "--to", &format!("claude/{name}"), "x"]);
    assert_eq!(refused.code(), 4, "{}", refused.err());
    assert_eq!(two.prompt(), "");
    alice.parlor.run(["config", "set", "local_rooms", "false"]).ok().unwrap();
    let api = project(&alice, "api");
    let (three, _four) = (Agent::begin(&alice, "cccc-3", &api), Agent::begin(&alice, "dddd-4", &api));
    assert!(rooms(&alice).is_empty());
    let refused = three.cmd(&["send", "--to", "claude/api", "x"]);
    assert!(refused.code() == 3 && refused.err().contains("config.toml"), "{}", refused.err());
    assert!(rooms(&alice).is_empty());
}

#[test]
fn a_session_that_has_ended_is_told_when_it_goes_on() {
    let alice = at_home();
    let (api, web) = (project(&alice, "api"), project(&alice, "web"));
    let (one, other) = (Agent::begin(&alice, "aaaa-1", &api), Agent::begin(&alice, "bbbb-1", &web));
    other.hook("SessionEnd");
    let said = one.says(&["send", "--to", "claude/web", "when you are back"]);
    assert!(said.err().contains("does not run now"), "{}", said.err());
    assert!(other.hook("SessionStart").contains("when you are back"));
}
