//! Two machines and nothing else: network namespaces joined by a cable, no route anywhere. Found by mDNS or by
//! the ticket's addresses, talked, cut, talked on, healed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side};
use parlor_testkit::netns::Lan;

fn sides(lan: &Lan) -> (Side, Side) {
    let (mut alice, mut bob) = (Side::new("alice"), Side::new("bob"));
    alice.parlor.set_host(lan.host(0));
    bob.parlor.set_host(lan.host(1));
    (alice, bob)
}

/// Alice, Bob and Carol on a machine each, in one room.
fn three_sides(lan: &Lan) -> [Side; 3] {
    three_sides_configured(lan, "relay = \"off\"\n")
}

fn three_sides_configured(lan: &Lan, config: &str) -> [Side; 3] {
    let mut sides = ["alice", "bob", "carol"].map(Side::new);
    for (index, side) in sides.iter_mut().enumerate() {
        side.parlor.set_host(lan.host(index));
        side.parlor.configure(config).unwrap();
    }
    let ticket = sides[0].start("payments");
    sides[1].join(&ticket);
    sides[2].join(&ticket);
    sides
}

fn order(side: &Side) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    side.log().iter().map(|message| (text(&message["id"]), text(&message["text"]))).collect()
}

#[test]
fn two_machines_talk_are_cut_talk_on_and_have_everything_once_in_the_same_order() {
    let lan = Lan::pair("alice", "bob").unwrap();
    let (alice, bob) = sides(&lan);
    bob.join(&alice.start("payments"));
    bob.send("before the cut");
    alice.await_text("before the cut");

    lan.link_down(0).unwrap();
    for n in 0..20 {
        alice.send(&format!("alice alone {n}"));
        bob.send(&format!("bob alone {n}"));
    }
    assert_eq!(alice.texts().len(), 21, "everything local works without a network");
    lan.link_up(0).unwrap();
    let (from_alice, from_bob) = (alice.follow(), bob.follow());
    alice.send("alice is back");
    bob.send("bob is back");
    let everything =
        |out: &str| out.contains("bob is back") && out.contains("alice is back") && out.lines().count() >= 43;
    from_alice.wait_for_stdout(everything, SOON * 2).unwrap();
    from_bob.wait_for_stdout(everything, SOON * 2).unwrap();

    let (theirs, ours) = (order(&bob), order(&alice));
    assert_eq!(ours.len(), 43, "once: {ours:?}");
    assert_eq!(ours, theirs, "the same order");
}

#[test]
fn joining_while_the_starter_is_off_is_saved_and_done_as_soon_as_it_is_back() {
    let lan = Lan::pair("alice", "bob").unwrap();
    let (alice, bob) = sides(&lan);
    let ticket = alice.start("payments");
    alice.send("said before bob came");
    alice.parlor.run(["node", "stop"]).ok().unwrap();

    let joined = bob.parlor.run(["join", &ticket]).ok().unwrap();
    let said = format!("{}{}", joined.out(), joined.err());
    assert!(said.contains("saved; joins by itself"), "{said}");
    let room = &bob.parlor.json_lines(["room", "list"]).unwrap()[0];
    assert_eq!(room["state"], "joining", "{room}");

    let follow = bob.follow();
    alice.parlor.run(["node", "status"]).output().unwrap();
    alice.send("said when alice was back");
    follow.wait_for_stdout(|out| out.contains("said when alice was back"), SOON * 2).unwrap();
    bob.send("bob is in");
    alice.await_text("bob is in");
    assert!(bob.texts().contains(&"said before bob came".to_owned()), "history comes along");
}

/// Nothing but loopback: no interface to multicast on, no route, no name server.
#[test]
fn wound_43_everything_local_works_at_once_with_no_network_at_all() {
    let host = parlor_testkit::netns::Namespace::new("alone").unwrap();
    let mut alice = Side::new("alice");
    alice.parlor.set_host(&host);
    // There is no way to the relay either, and nobody waits for it.
    alice.parlor.configure("relay = \"https://203.0.113.1:3343\"\n").unwrap();
    let begun = std::time::Instant::now();
    alice.start("payments");
    alice.send("to myself");
    assert_eq!(alice.texts(), ["to myself"]);
    assert!(begun.elapsed() < SOON, "no waiting for a network that is not there: {:?}", begun.elapsed());
}

/// A third node hears what was said by one it never met, from one who heard it.
#[test]
fn wound_08_what_one_missed_comes_from_anyone_who_has_it() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    let [alice, bob, carol] = three_sides(&lan);
    carol.send("carol is here");
    bob.await_text("carol is here");
    alice.await_text("carol is here");
    carol.parlor.run(["node", "stop"]).ok().unwrap();
    for n in 0..300 {
        alice.send(&format!("missed {n}"));
    }
    bob.await_text("missed 299");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let follow = carol.follow();
    follow.wait_for_stdout(|out| out.lines().count() >= 301, SOON * 2).unwrap();
    assert_eq!(order(&carol), order(&bob));
}

/// An owner puts somebody out while the cable is cut, and they talk on with a third who has not heard of it.
#[test]
fn who_is_put_out_while_the_net_is_cut_is_out_for_all_once_it_heals_and_reads_nothing_after() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    let [alice, bob, carol] = three_sides(&lan);
    carol.send("all three are here");
    alice.await_text("all three are here");
    bob.await_text("all three are here");

    lan.link_down(0).unwrap();
    alice.parlor.run(["member", "remove", "bob"]).ok().unwrap();
    alice.send("said after bob was put out");
    bob.send("said beyond the cut");
    carol.await_text("said beyond the cut");
    lan.link_up(0).unwrap();

    carol.await_text("said after bob was put out");
    carol.send("carol knows it too");
    alice.await_text("carol knows it too");
    assert_eq!(order(&alice), order(&carol), "the same for both, in the same order");
    assert!(!carol.texts().contains(&"said beyond the cut".to_owned()), "it does not count any more");
    // His own node has nothing that was said after, and can open nothing of it.
    let theirs = bob.texts();
    assert!(
        !theirs.iter().any(|text| text.contains("after bob") || text.contains("carol knows")),
        "{theirs:?}"
    );
    assert_eq!(bob.parlor.cmd(["send", "still here?"]).unwrap().code(), 4, "and he is told so");
}

/// A room of the local network: started, found, joined and talked in there, beside one that may travel anywhere.
#[test]
fn a_room_that_stays_in_the_local_network_works_there() {
    let lan = Lan::pair("alice", "bob").unwrap();
    let (alice, bob) = sides(&lan);
    let started = alice.parlor.run(["start", "office", "--lan"]).ok().unwrap();
    let ticket = started.out().trim().rsplit(' ').next().unwrap().to_owned();
    bob.join(&ticket);
    bob.send("from the next desk");
    alice.await_text("from the next desk");
    assert_eq!(bob.parlor.json_lines(["room", "list"]).unwrap()[0]["carrier"], "lan");
    // Both nodes start again: she has another port then, and is found by it.
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    bob.parlor.run(["node", "stop"]).ok().unwrap();
    alice.send("good morning");
    bob.await_text("good morning");
    assert_eq!(order(&alice), order(&bob));
}

/// The starter comes back at another port, and nobody but the others can say where: mDNS is off everywhere.
#[test]
fn wound_16_a_starter_that_comes_back_elsewhere_is_found_again_by_all() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    let sides = three_sides_configured(&lan, "relay = \"off\"\nlan = false\n");
    let [alice, bob, carol] = &sides;
    carol.send("all are here");
    alice.await_text("all are here");
    bob.await_text("all are here");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    alice.parlor.configure("relay = \"off\"\nlan = false\nport = 47123\n").unwrap();
    alice.send("alice is back elsewhere");
    bob.await_text("alice is back elsewhere");
    carol.await_text("alice is back elsewhere");
    // And whoever was away meanwhile learns it from those who heard.
    carol.send("well heard");
    alice.await_text("well heard");
}

/// A machine whose cable is pulled is shown as gone within seconds, and is no reason for anybody to wait.
#[test]
fn who_vanishes_without_a_word_is_shown_as_gone_within_seconds() {
    let lan = Lan::switched(&["alice", "bob", "carol"]).unwrap();
    let [alice, bob, carol] = three_sides(&lan);
    bob.send("bob is here");
    carol.await_text("bob is here");
    let linked = |side: &Side| {
        let people = side.parlor.json_lines(["who"]).unwrap();
        people.iter().filter(|person| person["connected"] == true).count()
    };
    lan.silence(1).unwrap();
    let begun = std::time::Instant::now();
    while linked(&alice) > 1 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(25), "bob is still shown as there");
        std::thread::sleep(std::time::Duration::from_millis(250)); // sleep: how often a person looks
    }
    let sent = alice.send("who is left?");
    assert_eq!((&sent["reached"], &sent["of"]), (&1.into(), &2.into()), "{sent}");
    carol.await_text("who is left?");
    lan.restore(1).unwrap();
    bob.await_text("who is left?");
}
