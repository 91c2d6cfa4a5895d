//! Links between real endpoints on one machine.

use std::time::{Duration, Instant};

use parlor_node::carriers::{Carrier, CarrierEvent};
use parlor_wire::limits::MAX_FRAME_BYTES;

use crate::side::{Place, Side, linked, loopback, peer, room};
use crate::stranger::Stranger;

#[test]
fn frames_go_both_ways_in_order() {
    let (mut alice, mut bob, out, into) = linked();
    for number in 0..500u32 {
        alice.p2p.send(out, number.to_be_bytes().to_vec());
        bob.p2p.send(into, (number + 1000).to_be_bytes().to_vec());
    }
    for number in 0..500u32 {
        assert_eq!(bob.frame(into), number.to_be_bytes());
        assert_eq!(alice.frame(out), (number + 1000).to_be_bytes());
    }
}

#[test]
fn a_link_says_who_and_for_which_room_it_was_dialled() {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[7], &[bob.at_loopback()]);
    let (out, to, dialled_for) = alice.up();
    assert_eq!((to, dialled_for), (bob.me, Some(room(7))));
    alice.p2p.send(out, b"hello".to_vec());
    assert_eq!(bob.up().1, alice.me);
}

#[test]
fn peers_learn_where_they_reached_each_other() {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[1], &[bob.at_loopback()]);
    let learned = |side: &mut Side| {
        side.next("address", |event| match event {
            CarrierEvent::Learned { peer, addresses, near: false } => Some((peer, addresses)),
            _ => None,
        })
    };
    assert_eq!(learned(&mut alice), (bob.me, vec![bob.at_loopback()]));
    assert_eq!(learned(&mut bob), (alice.me, vec![alice.at_loopback()]));
}

#[test]
fn the_greatest_frame_passes_and_an_empty_one_too() {
    let (alice, mut bob, out, into) = linked();
    let greatest: Vec<u8> = (0..MAX_FRAME_BYTES).map(|at| (at % 251) as u8).collect();
    alice.p2p.send(out, greatest.clone());
    alice.p2p.send(out, Vec::new());
    alice.p2p.send(out, b"after".to_vec());
    assert!(bob.frame(into) == greatest, "the greatest frame came changed");
    assert_eq!(bob.frame(into), b"");
    assert_eq!(bob.frame(into), b"after");
}

#[test]
fn wound_7_a_frame_that_is_too_long_closes_only_its_link() {
    let mut bob = Side::new(2);
    let stranger = Stranger::connect(9, bob.me, bob.at_loopback());
    let (mut good, _good_recv) = stranger.open(&[0, 0, 0, 2, b'o', b'k']);
    let (good_link, from, _) = bob.up();
    assert_eq!(from, peer(9));
    assert_eq!(bob.frame(good_link), b"ok");

    let too_long = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes();
    let (_bad, mut bad_recv) = stranger.open(&too_long);
    let (bad_link, _, _) = bob.up();
    assert!(bob.frames_until_down(bad_link).is_empty());
    let told = stranger.runtime.block_on(bad_recv.read(&mut [0; 1]));
    assert!(told.is_err(), "the stream should have been reset, not {told:?}");

    stranger.runtime.block_on(good.write_all(&[0, 0, 0, 5, b's', b't', b'i', b'l', b'l'])).unwrap();
    assert_eq!(bob.frame(good_link), b"still");
}

#[test]
fn a_frame_of_ours_that_is_too_long_is_never_sent() {
    let (mut alice, mut bob, out, into) = linked();
    alice.p2p.send(out, vec![0; MAX_FRAME_BYTES + 1]);
    assert!(alice.frames_until_down(out).is_empty());
    assert!(bob.frames_until_down(into).is_empty());
}

#[test]
fn a_frame_cut_short_is_not_given() {
    let mut bob = Side::new(2);
    let stranger = Stranger::connect(9, bob.me, bob.at_loopback());
    let (mut send, _recv) = stranger.open(&[0, 0, 0, 1, b'x', 0, 0, 0, 9, b'y']);
    let (link, _, _) = bob.up();
    stranger.runtime.block_on(async { send.finish() }).unwrap();
    assert_eq!(bob.frames_until_down(link), [b"x".to_vec()]);
}

#[test]
fn wound_15_what_was_sent_before_closing_arrives() {
    let (mut alice, mut bob, out, into) = linked();
    let large = vec![7; MAX_FRAME_BYTES];
    for _ in 0..4 {
        alice.p2p.send(out, large.clone());
    }
    alice.p2p.send(out, b"refused".to_vec());
    alice.p2p.close(out);
    alice.p2p.send(out, b"too late".to_vec());
    let heard = bob.frames_until_down(into);
    assert_eq!(heard.len(), 5);
    assert_eq!(heard[4], b"refused");
    assert!(alice.frames_until_down(out).is_empty());
}

#[test]
fn rooms_share_one_connection() {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[1, 2, 3], &[bob.at_loopback()]);
    let mut rooms = Vec::new();
    let mut heard = Vec::new();
    for _ in 0..3 {
        let (link, _, dialled_for) = alice.up();
        alice.p2p.send(link, dialled_for.unwrap().0.to_vec());
        rooms.extend(dialled_for);
    }
    for _ in 0..3 {
        let (link, _, _) = bob.up();
        heard.push(bob.frame(link)[0]);
    }
    rooms.sort_unstable();
    heard.sort_unstable();
    assert_eq!(rooms, [room(1), room(2), room(3)]);
    assert_eq!(heard, [1, 2, 3]);
    assert_eq!((alice.status().peers, alice.status().links, alice.status().wanted), (1, 3, 3));
    assert_eq!((bob.status().peers, bob.status().links, bob.status().wanted), (1, 3, 0));
}

#[test]
fn both_may_dial_at_once() {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[1], &[bob.at_loopback()]);
    bob.want(alice.me, &[1], &[alice.at_loopback()]);
    let (from_alice, from_bob) = (alice.up().0, bob.up().0);
    alice.p2p.send(from_alice, b"from alice".to_vec());
    bob.p2p.send(from_bob, b"from bob".to_vec());
    let first = |side: &mut Side| {
        side.next("frame", |event| match event {
            CarrierEvent::Frame { bytes, .. } => Some(bytes),
            _ => None,
        })
    };
    assert_eq!(first(&mut alice), b"from bob");
    assert_eq!(first(&mut bob), b"from alice");
}

#[test]
fn wound_16_a_restarted_peer_is_redialled() {
    let (mut alice, bob, out, _) = linked();
    let port = bob.p2p.port();
    bob.shutdown();
    alice.frames_until_down(out);
    let mut bob = Side::at(2, &Place { port: Some(port), ..Place::default() });
    assert_eq!(bob.p2p.port(), port);
    let (out, to, dialled_for) = alice.up();
    assert_eq!((to, dialled_for), (bob.me, Some(room(1))));
    alice.p2p.send(out, b"again".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"again");
}

#[test]
fn wound_16_a_peer_that_vanished_without_a_word_is_noticed() {
    let (mut alice, bob, out, _) = linked();
    let vanished = Instant::now();
    bob.kill();
    alice.frames_until_down(out);
    let noticed = vanished.elapsed();
    assert!(noticed < Duration::from_secs(25), "noticed only after {noticed:?}");
}

#[test]
fn wound_16_a_killed_peer_that_comes_back_need_not_wait_for_the_timeout() {
    let (mut alice, bob, out, _) = linked();
    // A second connection of a peer counts as its restart only once the first is five seconds old.
    std::thread::sleep(Duration::from_secs(6)); // sleep: its age is the condition
    bob.kill();
    let back = Instant::now();
    let mut bob = Side::new(2);
    bob.want(alice.me, &[1], &[alice.at_loopback()]);
    alice.frames_until_down(out);
    assert!(back.elapsed() < Duration::from_secs(6), "{:?}", back.elapsed());
    let (again, _, _) = alice.next("dialled link", |event| match event {
        CarrierEvent::Up { link, peer, room: Some(room) } => Some((link, peer, room)),
        _ => None,
    });
    alice.p2p.send(again, b"again".to_vec());
    assert_eq!(bob.up().1, alice.me);
}

#[test]
fn a_peer_dialled_before_it_exists_is_reached_when_it_appears() {
    let nobody = Side::new(2);
    let port = nobody.p2p.port();
    nobody.shutdown();
    let mut alice = Side::new(1);
    alice.want(peer(2), &[1], &[loopback(port)]);
    let mut bob = Side::at(2, &Place { port: Some(port), ..Place::default() });
    let (out, _, _) = alice.up();
    alice.p2p.send(out, b"there you are".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"there you are");
}

#[test]
fn a_new_address_is_tried_at_once() {
    let dead = Side::new(3);
    let dead_port = dead.p2p.port();
    dead.shutdown();
    let mut alice = Side::new(1);
    let bob = Side::new(2);
    alice.want(bob.me, &[1], &[loopback(dead_port)]);
    let named = Instant::now();
    alice.want(bob.me, &[1], &[loopback(dead_port), bob.at_loopback()]);
    assert_eq!(alice.up().1, bob.me);
    // One attempt that nobody answers takes five seconds alone.
    assert!(named.elapsed() < Duration::from_secs(4), "{:?}", named.elapsed());
}

#[test]
fn a_peer_that_comes_to_us_is_linked_without_an_address() {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[1], &[]);
    bob.want(alice.me, &[2], &[alice.at_loopback()]);
    let (out, _, dialled_for) = alice.up();
    assert_eq!(dialled_for, Some(room(1)));
    alice.p2p.send(out, b"hello".to_vec());
    let into = bob.next("accepted link", |event| match event {
        CarrierEvent::Up { link, room: None, .. } => Some(link),
        _ => None,
    });
    assert_eq!(bob.frame(into), b"hello");
}

#[test]
fn somebody_else_at_the_address_gets_no_link() {
    let mut alice = Side::new(1);
    let mut carol = Side::new(3);
    let bob = Side::new(2);
    // Others at Bob's addresses of before: which address is tried first depends on the addresses alone.
    let others: Vec<Side> = (4..9).map(Side::new).collect();
    alice.want(bob.me, &[1], &[carol.at_loopback()]);
    carol.want(alice.me, &[1], &[alice.at_loopback()]);
    // Carol's own link comes up; the one for Bob does not, until his address is known.
    let (_, from, _) = carol.up();
    assert_eq!(from, alice.me);
    let mut addresses: Vec<_> = others.iter().map(Side::at_loopback).collect();
    addresses.extend([carol.at_loopback(), bob.at_loopback()]);
    alice.want(bob.me, &[1], &addresses);
    let (to, dialled_for) = alice.next("dialled link", |event| match event {
        CarrierEvent::Up { peer, room: Some(room), .. } => Some((peer, room)),
        _ => None,
    });
    assert_eq!((to, dialled_for), (bob.me, room(1)));
}

#[test]
fn a_link_no_longer_wanted_stays_and_is_not_redialled() {
    let (mut alice, mut bob, out, into) = linked();
    alice.p2p.want(Vec::new());
    alice.p2p.send(out, b"still here".to_vec());
    assert_eq!(bob.frame(into), b"still here");
    bob.p2p.close(into);
    alice.frames_until_down(out);
    assert_eq!(alice.status().wanted, 0);
    // What is wanted next is what comes up next.
    alice.want(bob.me, &[2], &[bob.at_loopback()]);
    assert_eq!(alice.up().2, Some(room(2)));
}

#[test]
fn a_link_the_peer_closes_at_once_is_dialled_more_and_more_slowly() {
    let (mut alice, mut bob, _, into) = linked();
    bob.p2p.close(into);
    let began = Instant::now();
    for _ in 0..4 {
        let (out, _, _) = alice.up();
        // Being wanted no more and wanted again does not make it forget.
        alice.p2p.want(Vec::new());
        alice.want(bob.me, &[1], &[bob.at_loopback()]);
        alice.p2p.send(out, b"hello".to_vec());
        let (into, _, _) = bob.up();
        bob.p2p.close(into);
        alice.frames_until_down(out);
    }
    // 0.2 + 0.4 + 0.8 + 1.6 seconds, and chance adds to that.
    assert!(began.elapsed() >= Duration::from_millis(3000), "{:?}", began.elapsed());
}

#[test]
fn a_reader_that_does_not_read_costs_the_link_and_not_the_memory() {
    let (mut alice, mut bob, out, into) = linked();
    // Bob's driver takes nothing, so his carrier, his windows and then Alice's queue fill up.
    for number in 0..10_000u32 {
        alice.p2p.send(out, [&number.to_be_bytes()[..], &[0; 2044]].concat());
    }
    assert!(alice.frames_until_down(out).is_empty());
    // What did arrive is whole and in order.
    for (number, frame) in bob.frames_until_down(into).iter().enumerate() {
        assert_eq!(frame.len(), 2048);
        assert_eq!(frame[..4], u32::try_from(number).unwrap().to_be_bytes());
    }
    // And the two meet again.
    let (again, _, _) = alice.up();
    alice.p2p.send(again, b"again".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"again");
}

#[test]
fn a_slow_reader_holds_the_sender_back_and_loses_nothing() {
    let (mut alice, mut bob, out, into) = linked();
    // Each frame is answered, and at most 500 are under way: more than Bob's driver leaves unread.
    let (mut sent, mut read) = (0u32, 0u32);
    while read < 10_000 {
        while sent < 10_000 && sent - read < 500 {
            alice.p2p.send(out, sent.to_be_bytes().to_vec());
            sent += 1;
        }
        assert_eq!(bob.frame(into), read.to_be_bytes());
        read += 1;
    }
    bob.p2p.send(into, b"all".to_vec());
    assert_eq!(alice.frame(out), b"all");
}

#[test]
fn shutdown_hands_over_what_was_sent_and_is_quick() {
    let (alice, mut bob, out, into) = linked();
    alice.p2p.send(out, vec![5; MAX_FRAME_BYTES]);
    alice.p2p.send(out, b"goodbye".to_vec());
    let began = Instant::now();
    alice.shutdown();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let heard = bob.frames_until_down(into);
    assert_eq!(heard.last().map(Vec::as_slice), Some(&b"goodbye"[..]));
}

#[test]
fn shutdown_is_quick_though_nobody_takes_the_events() {
    let (alice, bob, out, into) = linked();
    for _ in 0..500 {
        bob.p2p.send(into, vec![1; 1000]);
    }
    alice.p2p.send(out, b"goodbye".to_vec());
    let began = Instant::now();
    alice.shutdown();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    bob.kill();
}

#[test]
fn shutdown_is_quick_though_somebody_is_being_dialled() {
    let nobody = Side::new(2);
    let port = nobody.p2p.port();
    nobody.shutdown();
    let alice = Side::new(1);
    alice.want(peer(2), &[1], &[loopback(port)]);
    let began = Instant::now();
    alice.shutdown();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_port_that_is_taken_is_no_error() {
    let first = Side::new(1);
    let second = Side::at(2, &Place { port: Some(first.p2p.port()), ..Place::default() });
    assert_ne!(first.p2p.port(), second.p2p.port());
    assert_ne!(second.p2p.port(), 0);
}

#[test]
fn one_peer_cannot_open_links_without_end() {
    let mut bob = Side::new(2);
    let stranger = Stranger::connect(9, bob.me, bob.at_loopback());
    let most = stranger.runtime.block_on(async {
        let mut held = Vec::new();
        // Opening waits when the peer gives no more leave.
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_secs(1), stranger.connection.open_bi()).await
        {
            let (mut send, recv) = stream.unwrap();
            send.write_all(&[0, 0, 0, 1, 0]).await.unwrap();
            held.push((send, recv));
            assert!(held.len() < 1000);
        }
        held.len()
    });
    assert_eq!(most, 128);
    bob.up();
}
