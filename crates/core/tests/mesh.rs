//! The choice of links in large rooms, alone: members that are nothing but their choices, on a network that is a set of
//! pairs. What is asked is what the graph looks like, and what it costs to find.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod mesh_parts;

use mesh_parts::{MINUTE, ROOM, Room};
use parlor_core::engine::mesh::Mesh;
use parlor_wire::limits;
use rand_core::Rng;

#[test]
fn those_who_are_there_become_one_graph_of_few_links_each() {
    for (seed, members, online) in [(1, 512, 50), (2, 512, 120), (3, 120, 120), (4, 18, 18)] {
        let mut room = Room::new(seed, members, online);
        room.until_one(5 * MINUTE);
        room.pass(4 * MINUTE);
        let degrees = room.degrees();
        let mean = degrees.iter().sum::<usize>() as f64 / online as f64;
        let most = *degrees.iter().max().unwrap();
        let least = *degrees.iter().min().unwrap();
        assert!(room.is_one(), "{seed}");
        assert!(least >= limits::MESH_LINKS.min(online - 1), "{seed}: {least}");
        assert!(most <= limits::MAX_MESH_LINKS, "{seed}: {most}");
        assert!(mean <= 14.0 && most as f64 <= 2.5 * mean, "{seed}: {mean} on average, {most} at most");
    }
}

/// All come at once, and all they know is who started the room.
#[test]
fn nobody_stays_with_the_starter_because_it_started() {
    let mut room = Room::new(5, 60, 60);
    for at in 1..60 {
        room.link(at, 0);
    }
    room.pass(4 * MINUTE);
    let degrees = room.degrees();
    let mean = degrees.iter().sum::<usize>() as f64 / degrees.len() as f64;
    assert!(room.is_one());
    assert!((degrees[0] as f64) < 2.0 * mean, "{} links of the starter, {mean} on average", degrees[0]);
}

/// No session is heard of: nodes are there, and nobody says so.
#[test]
fn those_who_say_nothing_find_each_other_too() {
    for seed in 10..12 {
        let mut room = Room::new(seed, 512, 40);
        room.speaks = false;
        room.until_one(3 * MINUTE);
        assert!(room.degrees().iter().all(|degree| *degree > 0), "{seed}");
    }
}

#[test]
fn two_halves_of_which_each_is_content_find_each_other_again() {
    for (seed, members, online) in [(20, 100, 100), (21, 512, 30), (22, 40, 40)] {
        let mut room = Room::new(seed, members, online);
        room.pass(5 * MINUTE);
        (0..members).for_each(|at| room.members[at].side = (at % 2) as u8);
        room.cut();
        room.pass(10 * MINUTE);
        assert!(room.degrees().iter().all(|degree| *degree >= limits::MESH_LINKS), "{seed}: content");
        assert!(!room.is_one());
        room.members.iter_mut().for_each(|member| member.side = 0);
        room.until_one(MINUTE);
    }
}

/// The number: in a room of 512 nobody dials more than 90 times in any minute; once all is found, twice a minute where 50
/// are there, and 24 times where few or none are.
#[test]
fn thousands_who_are_not_there_cost_few_dials() {
    for (seed, online, minutes, at_rest) in [(30, 50, 10, 2), (31, 5, 60, 24), (32, 1, 60, 24)] {
        let mut room = Room::new(seed, 512, online);
        room.speaks = seed != 30;
        let mut busiest = 0;
        for _ in 0..minutes {
            room.pass(MINUTE);
            busiest = busiest.max(room.dials().1);
        }
        room.pass(minutes * MINUTE / 2);
        let (all, _) = room.dials();
        let mean = all as f64 / (minutes as f64 / 2.0 * online as f64);
        assert!(busiest <= 90, "{online} there: {busiest} in a minute");
        assert!(mean <= f64::from(at_rest), "{online} there: {mean} a minute at rest");
    }
}

/// What one lets go of, the other does not take up again.
#[test]
fn who_has_links_enough_opens_hardly_any() {
    let mut room = Room::new(40, 60, 60);
    room.pass(20 * MINUTE);
    let before = room.opened;
    room.pass(60 * MINUTE);
    let opened = room.opened - before;
    assert!(opened <= 60 * 10, "{opened} links opened in an hour");
    assert!(room.is_one());
}

/// People come and go; whoever is there hears the others all the time, but for moments.
#[test]
fn people_who_come_and_go_stay_one() {
    let mut room = Room::new(50, 150, 50);
    room.pass(5 * MINUTE);
    let mut parted = 0;
    for round in 0..80 {
        let at = (room.dice.next_u64() % 150) as usize;
        room.members[at].online ^= true;
        let fresh = room.members[at].peer;
        room.members[at].mesh = Mesh::new(ROOM, &fresh, room.now, &mut |bound| bound / 2);
        room.members[at].tried.clear();
        room.cut();
        room.pass(30_000);
        parted += usize::from(!room.is_one());
        assert!(round < 10 || !room.online().is_empty());
    }
    assert!(parted <= 4, "{parted} of 80");
}
