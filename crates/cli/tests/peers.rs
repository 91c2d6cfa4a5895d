//! Naming and verifying a peer, with the real binary on both sides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side, pair};
use parlor_testkit::tmux::Tmux;

fn id(side: &Side) -> String {
    side.parlor.json(["identity", "show"]).unwrap()["peer"].as_str().unwrap().to_owned()
}

fn names(side: &Side) -> Vec<String> {
    let people = side.parlor.json_lines(["who"]).unwrap();
    people.iter().map(|person| person["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn your_name_for_a_peer_is_the_one_you_see_and_type() {
    let (alice, bob) = pair();
    alice.parlor.run(["nick", "alice"]).ok().unwrap();
    bob.parlor.run(["nick", "bob"]).ok().unwrap();
    bob.send("hello");
    alice.await_text("hello");
    let bob_id = id(&bob);
    let named = alice.parlor.run(["peer", "name", "bob", "robert"]).ok().unwrap().out();
    assert_eq!(named, format!("{} is robert to you; it calls itself bob\n", &bob_id[..8]));
    assert_eq!(names(&alice), ["alice", "robert"]);
    assert_eq!(alice.log()[0]["name"], "robert");
    let peers = alice.parlor.json_lines(["peer", "list"]).unwrap();
    assert_eq!((&peers[0]["own"], &peers[0]["name"]), (&true.into(), &"alice".into()));
    let robert = &peers[1];
    assert_eq!(robert["peer"], bob_id.as_str());
    assert_eq!(
        (&robert["name"], &robert["petname"], &robert["nick"]),
        (&"robert".into(), &"robert".into(), &"bob".into())
    );
    assert_eq!(robert["rooms"], serde_json::json!(["payments"]));
    assert!(robert["verified"].is_null());
    // By petname, nick, and the beginning of the id.
    for query in ["robert", "bob", &bob_id[..9], &bob_id, &format!("bob~{}", &bob_id[1..7])] {
        let safety = alice.parlor.json(["peer", "verify", query]).unwrap();
        assert_eq!(safety["peer"]["peer"], bob_id.as_str(), "{query}");
    }
    let taken = alice.parlor.cmd(["peer", "name", "alice", "robert"]).unwrap();
    assert_eq!(taken.code(), 5, "{}", taken.err());
    assert_eq!(alice.parlor.cmd(["peer", "name", "carol", "x"]).unwrap().code(), 3);
    alice.parlor.run(["peer", "name", "robert"]).ok().unwrap();
    assert_eq!(names(&alice), ["alice", "bob"]);
}

#[test]
fn both_see_one_safety_number_and_each_notes_it_for_themselves() {
    let (alice, bob) = pair();
    let (alice_id, bob_id) = (id(&alice), id(&bob));
    let one = alice.parlor.json(["peer", "verify", &bob_id]).unwrap();
    let other = bob.parlor.json(["peer", "verify", &alice_id]).unwrap();
    assert_eq!((&one["digits"], &one["words"]), (&other["digits"], &other["words"]));
    let (digits, words) = (one["digits"].as_str().unwrap(), one["words"].as_str().unwrap());
    assert_eq!(digits.split(' ').filter(|group| group.len() == 5).count(), 12, "{digits}");
    assert_eq!(words.split(' ').count(), 18, "{words}");
    assert!(one["peer"]["verified"].is_null(), "looking at it notes nothing");
    // Neither does a pipe in the place of a person.
    let piped = alice.parlor.run(["peer", "verify", &bob_id]).stdin("yes\n").ok().unwrap();
    assert!(piped.out().contains("not verified yet") && piped.err().contains("--yes"), "{piped:?}");
    let noted = alice.parlor.run(["peer", "verify", &bob_id, "--yes"]).ok().unwrap();
    assert!(noted.out().contains("\nverified "), "{}", noted.out());
    assert!(alice.parlor.json_lines(["who"]).unwrap()[1]["verified"].is_string());
    assert!(bob.parlor.json_lines(["who"]).unwrap()[1]["verified"].is_null());
    let own = alice.parlor.cmd(["peer", "verify", &alice_id]).unwrap();
    assert!(own.code() == 5 && own.err().contains("that is you"), "{}", own.err());
}

#[test]
fn a_person_at_a_terminal_is_asked_and_only_yes_is_a_yes() {
    let (alice, bob) = pair();
    let bob_id = id(&bob);
    for (answer, verified) in [("y", false), ("yes", true)] {
        let line = format!("parlor peer verify {bob_id}; echo ended $?; cat");
        let words = ["/bin/sh", "-c", &line].map(str::to_owned);
        let tmux = Tmux::start(&words, &alice.person.env(), &alice.project).unwrap();
        tmux.wait_for_screen("the question", |screen| screen.contains("Type yes"), SOON).unwrap();
        tmux.type_text(answer).unwrap();
        tmux.send_keys(&["Enter"]).unwrap();
        tmux.wait_for_screen("the end", |screen| screen.contains("ended 0"), SOON).unwrap();
        let person = &alice.parlor.json_lines(["who"]).unwrap()[1];
        assert_eq!(person["verified"].is_string(), verified, "{answer}: {person}");
    }
}

#[test]
fn wound_20_who_calls_itself_like_a_named_peer_is_warned_of() {
    let (alice, bob) = pair();
    let carol = Side::new("carol");
    let bob_id = id(&bob);
    alice.parlor.run(["peer", "name", &bob_id, "bob"]).ok().unwrap();
    let ticket = alice.parlor.json(["invite"]).unwrap()["ticket"].as_str().unwrap().to_owned();
    carol.parlor.run(["nick", "B0b"]).ok().unwrap();
    carol.join(&ticket);
    carol.send("it is me");
    alice.await_text("it is me");
    let said = format!("is not the bob you named, who is {}", &bob_id[..8]);
    for words in [&["who"][..], &["room", "show"]] {
        let out = alice.parlor.run(words).ok().unwrap().out();
        assert!(out.contains(&said) && out.contains("“B0b~"), "{out}");
    }
    let message = alice.log().pop().unwrap();
    assert!(message["name"].as_str().unwrap().starts_with("B0b~"), "{message}");
}

#[test]
fn naming_and_verifying_are_refused_to_agents_and_listing_is_not() {
    let (mut alice, bob) = pair();
    let bob_id = id(&bob);
    alice.parlor.set_env("CLAUDECODE", "1");
    for words in [
        &["peer", "name", &bob_id, "bob"][..],
        &["peer", "verify", &bob_id],
        &["peer", "verify", &bob_id, "--yes"],
    ] {
        let refused = alice.parlor.cmd(words).unwrap();
        assert_eq!(refused.code(), 4, "{words:?}: {}", refused.err());
        assert!(refused.err().contains("ask your human"), "{}", refused.err());
    }
    let peers = alice.parlor.json_lines(["peer", "list"]).unwrap();
    assert!(peers[1]["petname"].is_null() && peers[1]["verified"].is_null(), "{peers:?}");
}
