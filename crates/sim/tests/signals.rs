//! What signals cost a room: one author's are bounded by the minute, and a refresh crosses each link about once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ALICE, BOB, ROGUE, Stage, blake3_of};
use parlor_core::crypto::seal_signal;
use parlor_core::engine::api::{Command, Presence};
use parlor_sim::World;
use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{Salt, domain, limits};

/// The `n`th word of one session of Rogue's: each says something else than the one before.
fn word(stage: &Stage, n: u64) -> Frame {
    let mut signal = Signal {
        author: stage.world.nodes[ROGUE].peer,
        session: Salt([1; 16]),
        counter: n + 1,
        ttl_s: 90,
        key: stage.key.0,
        salt: Salt(blake3_of("word", n as usize)),
        sealed: Vec::new().into(),
        signature: None,
    };
    let said = [0xa2, 0, 0x61, b'a' + (n % 20) as u8, 1, 0x61, b'p'];
    signal.sealed = seal_signal(&stage.key.1, &stage.room, &signal, &said).unwrap().into();
    let message = [&stage.room.0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(stage.world.identity(ROGUE).sign(domain::SIGNAL_SIGNATURE, &message));
    Frame::Signal(signal)
}

#[test]
fn more_than_128_signals_of_one_author_in_a_minute_are_neither_heeded_nor_passed_on() {
    let mut stage = Stage::new(930);
    let link = stage.open(ALICE);
    stage.world.cut(ROGUE, BOB);
    let passed_on = |stage: &mut Stage, from: u64| {
        let before = stage.world.nodes[ALICE].sent.frames;
        (from..from + 400).for_each(|n| stage.world.puppet_says(ROGUE, link, &word(stage, n)));
        stage.world.nodes[ALICE].sent.frames - before
    };
    let most = limits::MAX_SIGNALS_PER_MINUTE as u64;
    assert_eq!(passed_on(&mut stage, 0), most);
    assert!(stage.world.puppet_is_linked(ROGUE, link), "who talks too much is not heard, and not cut off");
    stage.world.pass(60_000);
    assert_eq!(passed_on(&mut stage, 1_000), most, "in the next minute as many again");
    stage.others_are_well(0);
}

#[test]
fn a_refresh_crosses_each_link_about_once() {
    let mut world = World::new(931);
    let nodes: Vec<usize> = (0..17).map(|n| world.add_node(&format!("n{n}"))).collect();
    let (room, _) = world.settled_room(&nodes, 17);
    world.pass(30_000);
    for node in &nodes {
        let presence = Presence { label: "s".into(), program: "claude".into(), ..Presence::default() };
        let session = Salt([*node as u8 + 1; 16]);
        world.inform(*node, Command::Announce { room, session, presence: Some(presence) });
    }
    world.pass(100_000);
    let links = world.nodes.iter().map(|node| node.links.len() as u64).sum::<u64>() / 2;
    let before = world.frames;
    // Ten refreshes of each of them.
    world.pass(300_000);
    let crossed = world.frames - before;
    let once = links * 17 * 10;
    assert!(crossed < once * 3 / 2, "{crossed} frames where {once} would be one for each link");
    let seen = |node: usize| {
        let people = world.nodes[node].engine.as_ref().unwrap().people(&room);
        people.iter().filter(|person| !person.sessions.is_empty()).count()
    };
    assert!(nodes.iter().all(|node| seen(*node) == 17), "and all see all");
}
