//! Presence of sessions in simulated worlds: what others see of one, until when, and who cannot make them see it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ALICE, BOB, ROGUE, Stage, blake3_of};
use parlor_core::crypto::seal_signal;
use parlor_core::engine::api::{Command, Presence, Priority, SessionView, Status};
use parlor_sim::World;
use parlor_sim::act::{come_in_by_a_copy, three};
use parlor_wire::control::Role;
use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{RoomId, Salt, domain, limits};

const SESSION: Salt = Salt([5; 16]);
const LEASE_MS: u64 = limits::LEASE_SECONDS * 1000;

fn working() -> Presence {
    Presence {
        label: "api-fix".into(),
        program: "claude".into(),
        summary: Some("tests".into()),
        directory: Some("api".into()),
        branch: Some("postgres".into()),
        status: Some(Status::Working),
        threshold: Some(Priority::Normal),
        tags: Vec::new(),
        reach: None,
        left_ms: None,
    }
}

fn announce(world: &mut World, node: usize, room: RoomId, presence: Option<Presence>) {
    world.inform(node, Command::Announce { room, session: SESSION, presence });
}

/// The sessions of a peer as a node shows them.
fn seen(world: &World, node: usize, room: RoomId, whose: usize) -> Vec<SessionView> {
    let peer = world.nodes[whose].peer;
    let people = world.nodes[node].engine.as_ref().unwrap().people(&room);
    people.into_iter().filter(|person| person.peer == peer).flat_map(|person| person.sessions).collect()
}

#[test]
fn everything_a_session_says_of_itself_is_seen_by_the_others_and_changes_are() {
    let (mut world, room, [a, b, c], _) = three(900);
    announce(&mut world, a, room, Some(working()));
    world.pass(1_000);
    for node in [a, b, c] {
        let [session] = &seen(&world, node, room, a)[..] else { panic!() };
        assert_eq!(session.presence, working());
        assert_eq!(session.heard.is_none(), node == a);
    }
    let since = seen(&world, b, room, a)[0].since;
    world.pass(200_000);
    let quiet = Presence { status: Some(Status::Dnd), branch: None, ..working() };
    announce(&mut world, a, room, Some(quiet.clone()));
    world.pass(1_000);
    let [session] = &seen(&world, b, room, a)[..] else { panic!() };
    assert_eq!((&session.presence, session.since), (&quiet, since), "it was there all the time");
    assert!(session.heard.unwrap() >= since + 200_000);
}

#[test]
fn a_node_that_vanished_is_shown_for_the_lease_with_the_time_it_was_last_heard_of() {
    let (mut world, room, [a, b, _], _) = three(901);
    announce(&mut world, a, room, Some(working()));
    world.pass(35_000);
    world.put_to_sleep(a);
    let last = seen(&world, b, room, a)[0].heard.unwrap();
    world.pass(50_000);
    let [session] = &seen(&world, b, room, a)[..] else { panic!("its lease has not ended") };
    assert_eq!(session.heard, Some(last));
    let person = |world: &World| {
        let people = world.nodes[b].engine.as_ref().unwrap().people(&room);
        people.into_iter().find(|person| person.peer == world.nodes[a].peer).unwrap()
    };
    assert!(!person(&world).connected, "present, and not linked: the two are told apart");
    world.pass(last + LEASE_MS + 1_000 - world.wall_ms(b));
    assert!(seen(&world, b, room, a).is_empty());
    assert!(person(&world).last_seen.is_some(), "that is all that is known now");
}

#[test]
fn a_session_whose_process_is_gone_is_seen_for_what_is_left_of_its_lease_and_by_nobody_longer() {
    let (mut world, room, [a, b, c], _) = three(902);
    announce(&mut world, a, room, Some(working()));
    world.pass(5_000);
    announce(&mut world, a, room, Some(Presence { left_ms: Some(70_000), ..working() }));
    world.pass(40_000);
    // Carol hears nothing from now on, not even the end.
    world.cut(a, c);
    world.cut(b, c);
    for node in [a, b, c] {
        assert_eq!(seen(&world, node, room, a).len(), 1, "{node}");
    }
    world.pass(31_000);
    for node in [a, b, c] {
        assert_eq!(seen(&world, node, room, a).len(), 0, "{node}");
    }
}

#[test]
fn one_that_goes_on_within_its_lease_never_left() {
    let (mut world, room, [a, b, _], _) = three(903);
    announce(&mut world, a, room, Some(working()));
    world.pass(5_000);
    let since = seen(&world, b, room, a)[0].since;
    announce(&mut world, a, room, Some(Presence { left_ms: Some(70_000), ..working() }));
    world.pass(60_000);
    announce(&mut world, a, room, Some(working()));
    for _ in 0..30 {
        world.pass(10_000);
        assert_eq!(seen(&world, b, room, a).first().map(|session| session.since), Some(since));
    }
}

/// A signal of a peer's, made by hand and signed by whoever is said.
fn signal(stage: &Stage, author: usize, signer: usize, session: Salt, counter: u64) -> Signal {
    let mut signal = Signal {
        author: stage.world.nodes[author].peer,
        session,
        counter,
        ttl_s: 90,
        key: stage.key.0,
        salt: Salt(blake3_of("salt", counter as usize)),
        sealed: Vec::new().into(),
        signature: None,
    };
    let said = [0xa2, 0, 0x61, b's', 1, 0x61, b'p'];
    signal.sealed = seal_signal(&stage.key.1, &stage.room, &signal, &said).unwrap().into();
    let message = [&stage.room.0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(stage.world.identity(signer).sign(domain::SIGNAL_SIGNATURE, &message));
    signal
}

#[test]
fn wound_18_a_peer_that_names_anothers_session_does_not_touch_it() {
    let mut stage = Stage::new(904);
    let room = stage.room;
    announce(&mut stage.world, BOB, room, Some(working()));
    stage.world.pass(1_000);
    let before = seen(&stage.world, ALICE, room, BOB);
    assert_eq!(before.len(), 1);
    let link = stage.open(ALICE);
    let counter = stage.world.wall_ms(BOB) + 1_000_000_000;
    // Of its own, under Bob's handle: another session, and Rogue's.
    let own = signal(&stage, ROGUE, ROGUE, SESSION, counter);
    let ended = Signal { ttl_s: 0, ..own.clone() };
    stage.world.puppet_says(ROGUE, link, &Frame::Signal(own));
    assert_eq!(seen(&stage.world, ALICE, room, BOB), before);
    assert_eq!(seen(&stage.world, ALICE, room, ROGUE)[0].presence.label, "s");
    // Changed after it was signed, and in Bob's name: the link is lost each time, and nothing else.
    stage.world.puppet_says(ROGUE, link, &Frame::Signal(Signal { counter: counter + 1, ..ended }));
    assert!(stage.lost(link));
    let link = stage.open(ALICE);
    let forged = signal(&stage, BOB, ROGUE, SESSION, counter);
    stage.world.puppet_says(ROGUE, link, &Frame::Signal(forged));
    assert!(stage.lost(link));
    assert_eq!(seen(&stage.world, ALICE, room, BOB), before);
    stage.world.pass(60_000);
    assert_eq!(seen(&stage.world, ALICE, room, BOB).len(), 1, "and Bob is heard as before");
}

#[test]
fn wound_18_a_signal_that_is_said_again_revives_nothing() {
    let mut stage = Stage::new(905);
    let room = stage.room;
    let link = stage.open(BOB);
    stage.world.puppet_hears(ROGUE, link);
    announce(&mut stage.world, ALICE, room, Some(working()));
    stage.world.pass(40_000);
    let heard = stage.world.puppet_hears(ROGUE, link);
    let signals: Vec<Frame> = heard.into_iter().filter(|frame| matches!(frame, Frame::Signal(_))).collect();
    assert!(signals.len() >= 2, "Rogue keeps what was passed on");
    let replay = |stage: &mut Stage, when: &str| {
        let link = stage.open(BOB);
        for frame in &signals {
            stage.world.puppet_says(ROGUE, link, frame);
        }
        assert!(seen(&stage.world, BOB, room, ALICE).is_empty(), "{when}");
    };
    announce(&mut stage.world, ALICE, room, None);
    stage.world.pass(1_000);
    replay(&mut stage, "it has ended");
    stage.world.pass(LEASE_MS + 1_000);
    replay(&mut stage, "its end is long past");
    stage.world.pass(24 * 3_600_000);
    replay(&mut stage, "a day later");
    announce(&mut stage.world, ALICE, room, Some(working()));
    stage.world.pass(1_000);
    assert_eq!(seen(&stage.world, BOB, room, ALICE).len(), 1, "what is new is heard");
}

#[test]
fn wound_18_a_node_that_starts_again_counts_on_whatever_its_clock_says() {
    let (mut world, room, [a, b, _], _) = three(906);
    announce(&mut world, a, room, Some(working()));
    world.pass(5_000);
    // Its clock is set back by a day while it is down, and others have seen its session end meanwhile.
    world.put_to_sleep(a);
    world.pass(LEASE_MS + 5_000);
    assert!(seen(&world, b, room, a).is_empty());
    world.nodes[a].skew_ms = -24 * 3_600_000;
    world.wake(a);
    world.pass(20_000);
    announce(&mut world, a, room, Some(working()));
    world.pass(1_000);
    assert_eq!(seen(&world, b, room, a).len(), 1);
}

#[test]
fn a_reader_is_seen_and_who_was_put_out_or_is_revoked_is_not() {
    let (mut world, room, [a, b, c], _) = three(907);
    world.rule(a, Command::SetRole { room, peer: world.nodes[b].peer, role: Role::Reader });
    world.pass(5_000);
    announce(&mut world, b, room, Some(working()));
    announce(&mut world, c, room, Some(working()));
    world.pass(1_000);
    assert_eq!(seen(&world, a, room, b).len(), 1, "who only reads is there too");
    assert_eq!(seen(&world, a, room, c).len(), 1);
    world.remove(a, room, b);
    world.pass(1_000);
    assert!(seen(&world, a, room, b).is_empty());
    world.rule(c, Command::Revoke { abandon: false });
    world.pass(1_000);
    assert!(seen(&world, a, room, c).is_empty());
}

/// Who has the key of a revoked identity, and comes in again by a ticket, is not shown as somebody who is there.
#[test]
fn a_copy_of_a_revoked_identity_is_not_seen() {
    let (mut world, room, [a, b, _], ticket) = three(908);
    announce(&mut world, b, room, Some(working()));
    world.pass(5_000);
    assert_eq!(seen(&world, a, room, b).len(), 1);
    let thief = come_in_by_a_copy(&mut world, b, &ticket);
    announce(&mut world, thief, room, Some(working()));
    world.pass(5_000);
    let people = world.nodes[a].engine.as_ref().unwrap().people(&room);
    let bob = people.iter().find(|person| person.peer == world.nodes[b].peer).unwrap();
    assert!(bob.connected && bob.warning.is_some(), "it is in, and heard: {bob:?}");
    assert!(bob.sessions.is_empty());
}

/// One disk that runs twice with one state of the generator and a clock that stands behind its counters: what is left of a
/// lease is all that differs. The world watches what is sealed under which salt.
#[test]
fn two_runs_of_one_disk_seal_no_two_signals_under_one_salt() {
    let (mut world, room, [a, _, _], _) = three(909);
    announce(&mut world, a, room, Some(working()));
    world.pass(5_000);
    world.same_seed = Some([7; 32]);
    world.nodes[a].skew_ms = -24 * 3_600_000;
    let disk = world.nodes[a].store.clone();
    for left_ms in [70_000, 60_000] {
        world.restore_disk(a, disk.clone());
        announce(&mut world, a, room, Some(Presence { left_ms: Some(left_ms), ..working() }));
        world.pass(30_000);
        assert!(!seen(&world, a, room, a).is_empty());
    }
}
