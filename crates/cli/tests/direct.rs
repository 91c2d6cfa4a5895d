//! `parlor tell` and `parlor start --local` with the real binary: what is said to one alone, where it is read again, and a
//! room that never leaves the machine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side, pair};
use serde_json::Value;

/// Looks again until a command's lines are what is waited for: another process brings it about.
fn until(side: &Side, args: &[&str], what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let output = side.parlor.run(args.iter().copied().chain(["--json"])).output().unwrap();
        let lines: Vec<Value> =
            output.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if is_so(&lines) {
            return lines;
        }
        assert!(std::time::Instant::now() < deadline, "{what} did not happen: {lines:?} {}", output.err());
        std::thread::sleep(std::time::Duration::from_millis(50)); // sleep: another process is looked at again and again
    }
}

#[test]
fn what_is_told_to_one_is_read_by_that_one_and_stays_out_of_the_room() {
    let (alice, bob) = pair();
    until(&alice, &["peer", "list"], "knowing bob", |peers| peers.iter().any(|peer| peer["name"] == "bob"));
    let told = alice.parlor.run(["tell", "bob", "between", "us"]).ok().unwrap();
    assert!(told.out().contains(" stored · reached ") && told.out().contains(" of 1"), "{}", told.out());
    let unread = until(&bob, &["unread"], "something unread", |rooms| {
        rooms.iter().any(|room| room["room_name"] == "@alice" && room["unread"] == 1)
    });
    assert!(unread.iter().all(|room| room["room_name"] == "@alice" || room["unread"] == 0), "{unread:?}");
    let here = bob.parlor.cmd(&[] as &[&str]).unwrap().ok().unwrap();
    assert!(here.out().contains("@alice · 1 unread"), "{}", here.out());
    assert!(
        here.err().contains("parlor log --room @alice") || here.out().contains("parlor log --room @alice")
    );
    let log = bob.parlor.json_lines(["log", "--room", "@alice"]).unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((&log[0]["text"], &log[0]["name"]), (&"between us".into(), &"alice".into()));
    assert!(bob.texts().is_empty(), "not in the room");
    // Answered, by a pipe.
    bob.parlor.run(["tell", "alice", "-"]).stdin("and back\n").ok().unwrap();
    until(&alice, &["log", "--room", "@bob"], "the answer", |log| log.len() == 2);
    let rooms = alice.parlor.json_lines(["room", "list"]).unwrap();
    let direct = rooms.iter().find(|room| room["name"] == "@bob").unwrap();
    assert_eq!((&direct["members"], direct["direct"].is_string()), (&2.into(), true));
}

#[test]
fn telling_nobody_oneself_or_nothing_ends_with_what_to_do() {
    let (alice, _bob) = pair();
    for (args, code, way) in [
        (&["tell", "nobody", "x"][..], 3, "parlor peer list"),
        (&["tell", "alice", "x"], 5, "--local"),
        (&["tell", "bob/", "x"], 2, "parlor who"),
        (&["log", "--room", "@bob"], 3, "parlor tell"),
    ] {
        let output = alice.parlor.cmd(args).unwrap();
        assert_eq!(output.code(), code, "{args:?}: {}", output.err());
        assert!(output.err().contains(way), "{args:?}: {}", output.err());
    }
}

#[test]
fn a_local_room_has_no_line_to_hand_on_and_survives_its_node() {
    let alice = Side::new("alice");
    let started = alice.parlor.run(["start", "notes", "--local"]).ok().unwrap();
    assert!(!started.out().contains("parlor1") && !started.err().contains("parlor1"));
    assert!(started.err().contains("never leaves this machine"), "{}", started.err());
    alice.send("to my other sessions");
    let invited = alice.parlor.cmd(["invite"]).unwrap();
    assert_eq!(invited.code(), 4, "{}", invited.err());
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    assert_eq!(alice.texts(), ["to my other sessions"]);
    let room = alice.parlor.json(["room", "show"]).unwrap();
    assert_eq!(room["carrier"], "local");
    assert_eq!(alice.parlor.cmd(["invite"]).unwrap().code(), 4, "not after a restart either");
}
