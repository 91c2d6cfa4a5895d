//! One walk with the real binaries: invited to ask, asking, let in, put out, in again; and what each command ends
//! with when it is not to be.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side};
use serde_json::Value;

/// Runs a command that is to end with this code; both its outputs.
fn ends(side: &Side, args: &[&str], code: i32) -> String {
    let output = side.parlor.cmd(args).unwrap();
    let said = format!("{}{}", output.out(), output.err());
    assert_eq!(output.code(), code, "{args:?}: {said}");
    said
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

/// Looks at a command's answer until it is what is waited for: another process brings it about.
fn until(side: &Side, args: &[&str], what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let answer = side.parlor.json(args).unwrap();
        if is_so(&answer) {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "{what} did not happen: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50)); // sleep: another process is looked at again and again
    }
}

fn in_state(side: &Side, state: &str) {
    until(side, &["room", "show"], state, |room| room["state"] == state);
}

/// Alice has started a room; Bob has asked to be let in by a ticket that needs her word.
fn asked() -> (Side, Side, Value) {
    let (alice, bob) = (Side::new("alice"), Side::new("bob"));
    alice.start("payments");
    let ticket = alice.parlor.json(["invite", "--approve", "--uses", "3", "--expires", "1h"]).unwrap();
    assert_eq!(
        (text(&ticket, "role"), &ticket["uses"], &ticket["approve"]),
        ("member", &3.into(), &true.into())
    );
    let joined = bob.parlor.run(["join", text(&ticket, "ticket")]).ok().unwrap();
    assert!(joined.out().contains(": asked; you are in when an owner says yes"), "{}", joined.out());
    in_state(&bob, "asking");
    (alice, bob, ticket)
}

#[test]
fn who_asks_is_let_in_is_put_out_and_comes_again_by_a_new_ticket() {
    let (alice, bob, ticket) = asked();
    let identity = bob.parlor.json(["identity", "show"]).unwrap();
    let bob_id = text(&identity, "peer").to_owned();
    let members = until(&alice, &["member", "list"], "somebody who asks", |members| {
        members["asking"].as_array().is_some_and(|asking| !asking.is_empty())
    });
    assert_eq!(members["asking"][0]["peer"], bob_id.as_str());
    assert_eq!(members["asking"][0]["ticket"], ticket["id"]);
    let shown = ends(&alice, &["member", "list"], 0);
    let approve = format!("`parlor member approve {}`", &bob_id[..8]);
    assert!(shown.contains("asks") && shown.contains(&approve), "{shown}");
    assert!(ends(&alice, &["room", "show"], 0).contains("1 person: `parlor member list`"));

    assert!(ends(&alice, &["member", "approve", &bob_id[..8]], 0).contains("is in payments as a member"));
    in_state(&bob, "joined");
    bob.send("thank you");
    alice.await_text("thank you");
    let tickets = ends(&alice, &["ticket", "list"], 0);
    assert!(tickets.contains("2 of 3 left") && tickets.contains("asks an owner"), "{tickets}");

    until(&alice, &["member", "list"], "bob's name", |members| {
        members["people"].as_array().unwrap().iter().any(|person| person["name"] == "bob")
    });
    let out = ends(&alice, &["member", "remove", "bob"], 0);
    assert!(out.contains("bob is out of payments") && out.contains("closed 2 tickets: "), "{out}");
    assert!(out.contains("can still open what was said before"), "{out}");
    assert!(ends(&alice, &["ticket", "list"], 0).contains("`parlor invite` makes one"));
    in_state(&bob, "removed");
    alice.send("without bob");
    assert!(ends(&bob, &["send", "still here"], 4).contains("put you out"));
    assert!(ends(&bob, &["log"], 0).contains("thank you"));
    assert!(!bob.texts().contains(&"without bob".to_owned()));
    let old = text(&ticket, "ticket").to_owned();
    let late = bob.parlor.cmd(["join", &old]).unwrap();
    assert_eq!(late.code(), 5, "an old text does not bring anybody back: {}{}", late.out(), late.err());

    let again = alice.parlor.json(["invite"]).unwrap();
    bob.join(text(&again, "ticket"));
    in_state(&bob, "joined");
    bob.send("in again");
    alice.await_text("in again");
}

#[test]
fn what_is_not_to_be_ends_with_its_own_code_and_says_what_to_do() {
    let (alice, bob) = common::pair();
    until(&alice, &["member", "list"], "bob's name", |members| {
        members["people"].as_array().unwrap().iter().any(|person| person["name"] == "bob")
    });
    assert!(ends(&bob, &["invite", "--uses", "1"], 4).contains("owner"));
    assert!(ends(&bob, &["member", "remove", "alice"], 4).contains("owner"));
    assert!(ends(&alice, &["member", "approve", "nobody"], 3).contains("parlor member list"));
    assert!(ends(&alice, &["member", "approve", "bob"], 3).contains("in the room"));
    assert!(ends(&alice, &["ticket", "close", "mzzzzzzz"], 3).contains("parlor ticket list"));
    assert!(ends(&alice, &["member", "role", "bob", "king"], 2).contains("king"));
    assert!(ends(&alice, &["room", "leave"], 4).contains("--abandon"));
    // Nobody sits there to type yes.
    assert!(ends(&alice, &["member", "role", "bob", "owner"], 4).contains("--yes"));
    assert!(
        ends(&alice, &["member", "role", "bob", "owner", "--yes"], 0).contains("bob is an owner of payments")
    );
    assert!(ends(&alice, &["member", "remove", "bob"], 4).contains("owner"));

    let [ticket] = &alice.parlor.json_lines(["ticket", "list"]).unwrap()[..] else { panic!() };
    let id = text(ticket, "id").to_owned();
    assert!(
        ends(&alice, &["ticket", "close", &id[..8]], 0).contains("closed; nobody comes to payments by it")
    );
    assert_eq!(alice.parlor.json_lines(["ticket", "list", "--all"]).unwrap()[0]["closed"], true);

    assert!(ends(&alice, &["room", "rename", "money"], 0).contains("money"));
    assert!(ends(&alice, &["room", "rekey"], 0).contains("money has a new key"));
    alice.send("under a new key");
    bob.await_text("under a new key");
    let left = ends(&alice, &["room", "leave"], 0);
    assert!(left.contains("money: you have left it") && left.contains("no longer heard in"), "{left}");
    assert!(ends(&alice, &["room", "show"], 0).contains("left"));
    assert!(ends(&alice, &["send", "hello?"], 4).contains("you have left"));
}
