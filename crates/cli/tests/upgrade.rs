//! Today's binary on stores that earlier versions left (testdata/stores): what they showed is found again, and it goes on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::PathBuf;

use common::SOON;
use parlor_testkit::parlor::ParlorHome;
use parlor_testkit::person::Person;
use serde_json::Value;

/// What is of the moment, of this machine, or by today's clock: a ticket expires, a peer is seen.
const PASSING: [&str; 8] =
    ["connected", "last_seen", "open", "open_tickets", "home", "warnings", "warning", "sessions"];

/// A home as an earlier version left it, taken over by today's.
struct Kept {
    person: Person,
    parlor: ParlorHome,
}

impl Kept {
    /// `who`'s home in the archive of this name.
    fn of(archive: &str, who: &str) -> Self {
        let person = Person::new(who).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/stores");
        let archive = format!("{path}/{archive}.tar.gz");
        let root = person.root().to_str().unwrap().to_owned();
        let tar = ["-xzf", &archive, "-C", &root, "--no-same-owner", who];
        person.run("tar").args(tar).ok().unwrap();
        std::fs::rename(person.root().join(who), person.parlor_home()).unwrap();
        let mut parlor = ParlorHome::of(&person).unwrap();
        parlor.set_env("PARLOR_ROOM", "money");
        Self { person, parlor }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.parlor.dir().join(name)
    }

    /// What the earlier version showed.
    fn shown(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file("shown").join(format!("{name}.json"))).unwrap();
        text.lines().map(|line| lasting(serde_json::from_str(line).unwrap())).collect()
    }

    fn texts(&self, room: &str) -> Vec<String> {
        let log = self.parlor.json_lines(["log", "--room", room]).unwrap();
        log.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Each field the earlier version gave says the same. There may be more of them.
    fn finds_again(&self, name: &str, args: &[&str]) {
        let (then, now) = (self.shown(name), self.parlor.json_lines(args).unwrap());
        assert_eq!(then.len(), now.len(), "{name}: {now:?}");
        for (then, now) in then.iter().zip(&now) {
            for (field, value) in then.as_object().unwrap() {
                assert_eq!(&now[field], value, "{field} of {name}: {now}");
            }
        }
    }
}

fn lasting(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        PASSING.iter().for_each(|field| _ = object.remove(*field));
    }
    value
}

/// Everything `make.sh` has shown of a home.
fn everything_is_found_again(alice: &Kept) {
    for (name, args) in [
        ("identity", &["identity", "show"][..]),
        ("log", &["log"]),
        ("log-direct", &["log", "--room", "@robert"]),
        ("log-scratch", &["log", "--room", "scratch"]),
        ("room", &["room", "show", "money"]),
        ("rooms", &["room", "list"]),
        ("who", &["who"]),
        ("tickets", &["ticket", "list", "money", "--all"]),
        ("peers", &["peer", "list"]),
        ("unread", &["unread"]),
    ] {
        alice.finds_again(name, args);
    }
}

/// Wire version 1, as it was on the day its bytes were frozen.
#[test]
fn wound_44_a_store_of_the_first_frozen_version_is_found_again_whole_and_goes_on() {
    let (alice, bob) = (Kept::of("v1", "alice"), Kept::of("v1", "bob"));
    everything_is_found_again(&alice);
    assert!(alice.shown("log").len() == 6 && alice.shown("rooms").len() == 3, "there was something to find");
    bob.parlor.run(["room", "show", "payments"]).ok().unwrap();
    // The session of then goes on where it was: it was given all but the last two.
    let call = serde_json::json!({
        "session_id": "s1", "hook_event_name": "UserPromptSubmit", "cwd": alice.person.home(), "prompt": "x",
    });
    let given = alice.parlor.run(["hook"]).stdin(call.to_string()).ok().unwrap().out();
    assert!(given.contains("unread one") && given.contains("unread two"), "{given}");
    assert!(!given.contains("after carol"), "{given}");
    // And what is said now reaches the other, in the room and between the two alone.
    let follow = |who: &Kept, room: &str| {
        who.parlor.run(["log", "-f", "--json", "--room", room]).timeout(SOON * 2).spawn().unwrap()
    };
    for (from, to, seen_as) in [(&alice, "money", "payments"), (&alice, "@robert", "@alice")] {
        let listening = follow(&bob, seen_as);
        let text = format!("after the upgrade, to {to}");
        let args = if to == "money" { vec!["send", &text] } else { vec!["tell", "robert", &text] };
        from.parlor.run(args).ok().unwrap();
        listening.wait_for_stdout(|out| out.contains(&text), SOON).unwrap();
    }
    let listening = follow(&alice, "money");
    bob.parlor.run(["send", "--room", "payments", "heard"]).ok().unwrap();
    listening.wait_for_stdout(|out| out.contains("heard"), SOON).unwrap();
    assert_eq!(alice.texts("money").len(), alice.shown("log").len() + 2);
    let doctor = alice.parlor.cmd(["doctor", "--json"]).unwrap().out();
    let store = doctor.lines().find(|line| line.contains("\"name\":\"store\"")).unwrap();
    assert!(store.contains("\"state\":\"ok\""), "{store}");
}

/// Wire version 0, whose bytes were never promised: such a room cannot be read, and that is said, with what is left of it.
#[test]
fn a_room_of_before_the_freeze_says_what_it_is_and_nothing_of_it_is_lost() {
    let alice = Kept::of("first", "alice");
    let room_dir = |alice: &Kept| {
        let rooms = std::fs::read_dir(alice.file("rooms")).unwrap().map(|dir| dir.unwrap().file_name());
        rooms.map(|dir| dir.into_string().unwrap()).find(|dir| dir.starts_with("payments~")).unwrap()
    };
    let transcript = || {
        std::fs::read_to_string(alice.file("rooms").join(room_dir(&alice)).join("transcript.txt")).unwrap()
    };
    let before = transcript();
    assert!(before.contains("postgres, we have it") && before.contains("unread two"), "{before}");
    alice.finds_again("identity", &["identity", "show"]);
    let room = alice.parlor.json(["room", "show", "money"]).unwrap();
    assert_eq!((room["state"].as_str(), room["messages"].as_u64()), (Some("older"), Some(6)), "{room}");
    assert!(room["why"].as_str().unwrap().contains("wire version 0"), "{room}");
    for args in [&["log"][..], &["log", "-f"], &["who"], &["send", "hello"], &["invite"]] {
        let refused = alice.parlor.cmd(args).unwrap();
        assert_eq!((refused.code(), refused.out().as_str()), (7, ""), "{args:?}: {}", refused.err());
        assert!(refused.err().contains("from before bytes were frozen"), "{args:?}: {}", refused.err());
        assert!(
            refused.err().contains("transcript.txt") && !refused.err().contains("update"),
            "{}",
            refused.err()
        );
    }
    let call = serde_json::json!({
        "session_id": "s1", "hook_event_name": "UserPromptSubmit", "cwd": alice.person.home(), "prompt": "x",
    });
    assert_eq!(alice.parlor.run(["hook"]).stdin(call.to_string()).ok().unwrap().out(), "");
    let peers = alice.parlor.json_lines(["peer", "list"]).unwrap();
    assert!(
        peers.iter().any(|peer| peer["petname"] == "robert" && peer["verified"].is_string()),
        "{peers:?}"
    );
    // The same identity goes on in a new room, and the old entries stay where they are.
    alice.parlor.run(["start", "--no-bind", "anew"]).ok().unwrap();
    alice.parlor.run(["send", "--room", "anew", "on we go"]).ok().unwrap();
    assert_eq!(alice.texts("anew"), ["on we go"]);
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    // Not even when it is not known how far it reaches, which makes others be written anew from the store.
    std::fs::remove_file(alice.file("rooms").join(room_dir(&alice)).join("reached")).unwrap();
    assert_eq!(alice.parlor.json(["room", "show", "money"]).unwrap()["messages"], 6);
    alice.parlor.run(["send", "--room", "anew", "and on"]).ok().unwrap();
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    assert_eq!(transcript(), before);
    assert!(alice.file("store.db.before-002").exists(), "a copy from before the migration is kept");
}
