//! One who is surrounded in a large room: members that are nothing but their choices of links, some of which stand together
//! to keep one from all others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod mesh_parts;

use mesh_parts::{MINUTE, ROOM, Room};
use parlor_core::engine::mesh::Mesh;
use parlor_wire::PeerId;

fn place(peer: &PeerId) -> u64 {
    u64::from_be_bytes(blake3::keyed_hash(&ROOM.0, &peer.0).as_bytes()[..8].try_into().unwrap())
}

/// The victim starts (laptop opened): attackers dial it first; it hears through them that all honest ones are there.
fn cold(seed: u64, honest: usize, bad: usize, first_s: u64, minutes: u64) {
    let crowd = 512 - honest - bad;
    let mut room = Room::new(seed, honest + bad + crowd, honest);
    room.members[5].online = false;
    room.pass(10 * MINUTE);
    let victim = 5;
    let at = place(&room.members[victim].peer);
    let mut found: Vec<(u64, PeerId)> = Vec::new();
    for n in 0..200_000u64 {
        let peer = PeerId(*blake3::hash(&[seed.to_be_bytes(), n.to_be_bytes()].concat()).as_bytes());
        let way = place(&peer).wrapping_sub(at);
        found.push((way.min(way.wrapping_neg()), peer));
    }
    found.sort_unstable();
    let (mut after, mut before, mut next) = (0, 0, honest);
    for (_, peer) in found {
        let is_after = place(&peer).wrapping_sub(at) < u64::MAX / 2;
        let (count, most) = if is_after { (&mut after, bad - 2) } else { (&mut before, 2) };
        if *count >= most || next >= honest + bad {
            continue;
        }
        *count += 1;
        room.by_peer.remove(&room.members[next].peer);
        room.by_peer.insert(peer, next);
        room.members[next].peer = peer;
        room.members[next].online = true;
        next += 1;
    }
    room.bad = (honest..honest + bad + crowd).collect();
    room.victim = victim;
    room.members[victim].online = true;
    let me = room.members[victim].peer;
    room.members[victim].mesh = Mesh::new(ROOM, &me, room.now + first_s * 1000, &mut |bound| bound / 2);
    room.members[victim].seen.clear();
    let began = room.now;
    let (mut longest, mut since, mut alone) = (0, None, 0);
    while room.now < began + minutes * MINUTE {
        for at in honest..honest + bad {
            if !room.members[victim].links.contains_key(&at) {
                room.link(at, victim);
            }
        }
        room.step();
        let of = room.members[victim].links.keys().filter(|at| !room.bad.contains(at)).count();
        if of == 0 {
            let s = *since.get_or_insert(room.now);
            alone += 1;
            longest = longest.max(room.now - s);
        } else {
            since = None;
        }
    }
    assert!(
        longest <= 180_000 && alone <= minutes * 6,
        "cut off for {} s on end, {alone} s in all",
        longest / 1000
    );
}
/// Members that stand together, with ids chosen to stand next to one who has just come, hold their links to it, and tell it of
/// everybody and nobody of it. It is kept from the others for moments and not for long.
#[test]
fn who_is_surrounded_finds_others_within_minutes() {
    cold(2, 30, 26, 0, 60);
    cold(3, 18, 12, 0, 60);
}
