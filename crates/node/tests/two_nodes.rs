//! Two nodes on one machine: a ticket, a line, heard at the other's next prompt.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use parlor_api::{Reply, Request};
use support::{TestNode, hook, injected, log_of, send, texts, until, whole_hook};

#[test]
fn a_line_sent_on_one_node_is_in_the_other_ones_next_prompt() {
    let (alice, mut bob) = (TestNode::named("alice"), TestNode::named("bob"));
    let (repo, clone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let started = alice.start_room("payments", Some(repo.path()));
    whole_hook(&alice, "SessionStart", "s1", repo.path());
    let join = Request::Join {
        ticket: started.ticket.unwrap().ticket,
        dir: Some(clone.path().into()),
        force: false,
        wait_ms: 10_000,
    };
    let Reply::Joined(joined) = bob.person(clone.path()).call(&join).unwrap() else { panic!() };
    assert_eq!((joined.room.state.as_str(), joined.already), ("joined", false));
    let sent = send(&mut bob.person(clone.path()), None, "postgres, we have it", "1");
    assert_eq!(sent.of, 1);
    let given = until("the line at the other's prompt", || {
        let mut client = alice.client("hook");
        let given = injected(&hook(&mut client, "UserPromptSubmit", "s1", repo.path()));
        (!given.is_empty()).then_some(given)
    });
    assert!(given.contains("@bob (human)") && given.contains("postgres, we have it"), "{given}");
    let people = until("who is who", || {
        let Reply::People(people) = bob.person(clone.path()).call(&Request::Who { room: None }).unwrap()
        else {
            panic!()
        };
        people.iter().any(|person| person.name == "alice" && person.connected).then_some(people)
    });
    assert_eq!(people.len(), 2);

    bob.stop();
    send(&mut alice.person(repo.path()), None, "while you were away", "2");
    bob.run();
    until("what was missed", || {
        let messages = log_of(&mut bob.person(clone.path()), None);
        texts(&messages).contains(&"while you were away").then_some(())
    });
}
