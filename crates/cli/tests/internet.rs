//! People at home behind routers that translate addresses, a relay of our own in between, and what happens to networks:
//! cut, limited, changed, gone. Whatever happens, every entry is everywhere once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{SOON, Side};
use parlor_testkit::netns::{INTERFACE, Internet, Nat};
use parlor_testkit::relay::Relay;

/// Alice and Bob, each at home.
struct World {
    sides: Vec<Side>,
    relay: Relay,
    net: Internet,
}

impl World {
    fn new(nat: Nat) -> Self {
        let net = Internet::new(&[("alice", nat), ("bob", nat)]).unwrap();
        let relay = Relay::start(net.server(), Internet::SERVER).unwrap();
        let mut sides: Vec<Side> = ["alice", "bob"].map(Side::new).into();
        for (index, side) in sides.iter_mut().enumerate() {
            side.parlor.set_host(net.host(index));
            side.parlor.configure(&relay.config()).unwrap();
        }
        Self { sides, relay, net }
    }

    /// With both in a room.
    fn talking(nat: Nat) -> Self {
        let world = Self::new(nat);
        let ticket = world.alice().start("payments");
        world.bob().join_in_time(&ticket);
        world.bob().send("bob is here");
        world.alice().await_text("bob is here");
        world
    }

    fn alice(&self) -> &Side {
        &self.sides[0]
    }

    fn bob(&self) -> &Side {
        &self.sides[1]
    }

    fn both_have(&self, count: usize) {
        let [ours, theirs] = [self.alice(), self.bob()].map(Side::order);
        assert_eq!(ours.len(), count, "once: {ours:?}");
        assert_eq!(ours, theirs, "the same order");
    }
}

impl Side {
    fn join_in_time(&self, ticket: &str) {
        self.join(ticket);
        self.until("it is joined", |side| side.room_of("p2p")["state"] == "joined");
    }

    fn order(&self) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        self.log().iter().map(|message| (text(&message["id"]), text(&message["text"]))).collect()
    }

    /// What `doctor` says of the way to the other.
    fn path(&self) -> String {
        let out = self.parlor.cmd(["doctor", "--json"]).unwrap().out();
        let checks = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let room = checks.filter(|check| check["name"].as_str().unwrap().starts_with("room "));
        room.map(|check| check["detail"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks again and again, as a person would.
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < SOON * 2, "{what} not: {}", self.path());
            std::thread::sleep(Duration::from_millis(200)); // sleep: how often a person looks
        }
    }

    /// Its one room of this carrier.
    fn room_of(&self, carrier: &str) -> serde_json::Value {
        let rooms = self.parlor.json_lines(["room", "list"]).unwrap();
        rooms.into_iter().find(|room| room["carrier"] == carrier).unwrap()
    }
}

/// The relay brings the two together; then each has punched a hole, and the relay carries nothing more.
#[test]
fn two_homes_behind_routers_meet_at_the_relay_and_then_talk_directly() {
    let world = World::talking(Nat::Kept);
    let outer = world.net.outer(1).to_string();
    world.alice().until("a direct path", |alice| alice.path().contains(&format!("linked at {outer}:")));
    let before = world.net.server().traffic(INTERFACE).unwrap();
    for n in 0..50 {
        world.alice().send(&format!("{n} {}", "x".repeat(10_000)));
    }
    world.bob().await_text(&format!("49 {}", "x".repeat(10_000)));
    let carried = world.net.server().traffic(INTERFACE).unwrap().0 - before.0;
    assert!(carried < 250_000, "the relay carried {carried} bytes of 500,000 that were sent");
    world.both_have(51);
}

/// No outer address means anything to a third: everything goes through the relay, which is killed and comes back.
#[test]
fn where_no_direct_path_is_the_relay_carries_all_and_its_restart_loses_nothing() {
    let mut world = World::talking(Nat::Random);
    world
        .alice()
        .until("a relayed path", |alice| alice.path().contains("linked through https://203.0.113.1:3343"));
    world.relay.stop();
    world.alice().send("said while the relay was down");
    world.bob().send("this too");
    world.relay.restart().unwrap();
    world.bob().await_text("said while the relay was down");
    world.alice().await_text("this too");
    world.both_have(3);
}

/// Bob's machine comes to another network mid-talk, and so to another address.
#[test]
fn wound_16_who_changes_networks_in_mid_talk_is_found_again_and_misses_nothing() {
    let world = World::talking(Nat::Kept);
    let talk = |from: usize| {
        for n in 0..10 {
            world.alice().send(&format!("alice {}", from + n));
            world.bob().send(&format!("bob {}", from + n));
        }
    };
    talk(0);
    world.net.roam(1, 77).unwrap();
    talk(10);
    world.net.roam(1, 78).unwrap();
    talk(20);
    world.bob().await_text("alice 29");
    world.alice().await_text("bob 29");
    world.both_have(61);
}

/// What Alice sends straight to Bob is lost on the way, what he sends arrives.
#[test]
fn a_path_that_works_one_way_only_is_left_for_one_that_works_both_ways() {
    let world = World::talking(Nat::Kept);
    let outer = world.net.outer(1).to_string();
    world.alice().until("a direct path", |alice| alice.path().contains(&outer));
    world.net.cut_one_way(0, 1).unwrap();
    for n in 0..10 {
        world.alice().send(&format!("alice {n}"));
        world.bob().send(&format!("bob {n}"));
    }
    world.bob().await_text("alice 9");
    world.alice().await_text("bob 9");
    world.both_have(21);
}

/// A node that is stopped for longer than anybody waits, as a machine that sleeps.
#[test]
fn wound_16_a_node_that_was_stopped_for_two_minutes_is_up_to_date_within_seconds_of_waking() {
    let world = World::talking(Nat::Kept);
    let pid = rustix::process::Pid::from_raw(i32::try_from(world.bob().parlor.node_pid().unwrap()).unwrap())
        .unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    for n in 0..20 {
        world.alice().send(&format!("said while bob slept {n}"));
    }
    std::thread::sleep(Duration::from_secs(120)); // sleep: longer than anybody waits
    let woken = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    world.bob().await_text("said while bob slept 19");
    assert!(woken.elapsed() < Duration::from_secs(20), "after {:?}", woken.elapsed());
    world.bob().send("good morning");
    world.alice().await_text("good morning");
    world.both_have(22);
}

/// Half a megabyte over a line of one megabit, and what is said meanwhile.
#[test]
fn on_a_thin_line_everything_arrives_and_what_is_said_meanwhile_is_not_kept_waiting_for_ever() {
    let world = World::talking(Nat::Kept);
    world.bob().parlor.run(["node", "stop"]).ok().unwrap();
    for n in 0..100 {
        world.alice().send(&format!("{n} {}", "y".repeat(5_000)));
    }
    world.net.limit(1, 1_000).unwrap();
    let follow = world.bob().follow();
    world.bob().send("bob speaks up");
    world.alice().await_text("bob speaks up");
    follow.wait_for_stdout(|out| out.lines().count() == 102, SOON * 2).unwrap();
    world.both_have(102);
}

/// Nothing of a node comes to the relay before a room needs it, and nothing of a room that stays in the local network ever.
#[test]
fn no_relay_hears_of_a_node_before_a_room_needs_one_or_of_rooms_that_stay_in_the_local_network() {
    let world = World::new(Nat::Kept);
    let alice = world.alice();
    alice.parlor.run(["node", "status"]).output().unwrap();
    alice.parlor.run(["start", "notes", "--local"]).ok().unwrap();
    let started = alice.parlor.run(["start", "office", "--lan"]).ok().unwrap();
    assert!(started.err().contains("never leaves the local network"), "{}", started.err());
    assert!(!started.err().contains("relay ("), "no relay is named for it: {}", started.err());
    let lan_ticket = started.out().trim().rsplit(' ').next().unwrap().to_owned();
    // Bob is in another network: he cannot reach her, and nobody is asked to help.
    let joined = world.bob().parlor.run(["join", &lan_ticket]).ok().unwrap();
    assert!(joined.out().contains("saved; joins by itself"), "{}", joined.out());
    for home in [0, 1] {
        let heard = world.net.heard_by_server(home).unwrap();
        assert_eq!(heard, 0, "only rooms of this machine and of the local network: not one packet");
    }

    let first = alice.parlor.run(["start", "payments"]).ok().unwrap();
    assert!(first.err().contains("203.0.113.1:3343") && first.err().contains("relay off"), "{}", first.err());
    let second = alice.parlor.run(["start", "invoices"]).ok().unwrap();
    assert!(!second.err().contains("203.0.113.1:3343"), "named once: {}", second.err());
    alice.until("a relay that answers", |alice| {
        let out = alice.parlor.cmd(["doctor"]).unwrap().out();
        out.contains("https://203.0.113.1:3343/ answers")
    });
    assert_eq!(world.net.heard_by_server(1).unwrap(), 0, "bob has no room that needs it");
    // Both are known to the relay now; the room of the local network is carried through it all the same never.
    world.bob().join_in_time(first.out().trim().rsplit(' ').next().unwrap());
    world.bob().parlor.run(["send", "--room", "payments", "hello"]).ok().unwrap();
    alice.until("hello", |alice| {
        alice.parlor.cmd(["log", "--room", "payments"]).unwrap().out().contains("hello")
    });
    assert_eq!(world.bob().room_of("lan")["state"], "joining");
}

/// With the relay off, nothing is asked of one, whoever names it.
#[test]
fn a_node_whose_relay_is_off_asks_none_even_when_a_ticket_names_one() {
    let world = World::new(Nat::Kept);
    world.bob().parlor.configure("relay = \"off\"\n").unwrap();
    let ticket = world.alice().start("payments");
    world.alice().until("a relay that answers", |alice| {
        alice.parlor.cmd(["doctor"]).unwrap().out().contains("/ answers")
    });
    let joined = world.bob().parlor.run(["join", &ticket]).ok().unwrap();
    assert!(joined.out().contains("saved; joins by itself"), "{}", joined.out());
    assert!(!joined.err().contains("203.0.113.1"), "{}", joined.err());
    assert_eq!(world.net.heard_by_server(1).unwrap(), 0, "not one packet of bob's");
    let doctor = world.bob().parlor.cmd(["doctor"]).unwrap().out();
    assert!(doctor.contains("off: peers are reached directly or not at all"), "{doctor}");
    assert_eq!(world.bob().room_of("p2p")["state"], "joining");
}

/// Programs are told too, and who joins is told of the ticket's relay where it is not among those that are set.
#[test]
fn a_relay_is_named_to_programs_and_that_of_a_ticket_to_who_joins_by_it() {
    let world = World::new(Nat::Kept);
    let config = world.relay.config().replace("203.0.113.1:3343", "203.0.113.99:3343");
    world.bob().parlor.configure(&config).unwrap();
    let started = world.alice().parlor.run(["start", "payments", "--json"]).ok().unwrap();
    let warned = started.err().lines().any(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["warning"].as_str().is_some_and(|words| words.contains("203.0.113.1:3343"))
    });
    assert!(warned, "{}", started.err());
    let answer: serde_json::Value = serde_json::from_str(&started.out()).unwrap();
    let joined = world.bob().parlor.run(["join", answer["ticket"]["ticket"].as_str().unwrap()]).ok().unwrap();
    let err = joined.err();
    assert!(
        err.contains("relay (203.0.113.99:3343)") && err.contains("of its own (203.0.113.1:3343)"),
        "{err}"
    );
    // He finds her at the relay of the ticket, though his own is not there.
    world.bob().until("joined", |bob| bob.room_of("p2p")["state"] == "joined");
}

/// A node that is linked and does not answer is not shown as if it did.
#[test]
fn doctor_tries_the_paths_it_shows() {
    let world = World::talking(Nat::Kept);
    let pid = i32::try_from(world.bob().parlor.node_pid().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let answers = world.alice().path();
    assert!(answers.contains("1 of 1 reached: bob linked") && answers.contains(" ms)"), "{answers}");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let silent = world.alice().path();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert!(silent.contains("0 of 1 reached: bob linked") && silent.contains("(no answer now)"), "{silent}");
}
