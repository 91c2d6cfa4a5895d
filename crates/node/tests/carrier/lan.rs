//! Networks without a way out, and no network at all.

use std::time::{Duration, Instant};

use parlor_node::carriers::Carrier;
use parlor_testkit::netns::{Lan, Namespace};

use crate::side::{Place, Side, loopback, room};

fn on(host: &Namespace, lan: bool) -> Place<'_> {
    Place { host: Some(host), port: None, lan }
}

#[test]
fn wound_43_without_a_network_it_starts_at_once() {
    let host = Namespace::new("alone").unwrap();
    let began = Instant::now();
    let mut alice = Side::at(1, &on(&host, true));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(alice.p2p.here().addresses, [loopback(alice.p2p.port())]);
    assert!(!alice.status().lan);
    // And what is on this machine is reached.
    let bob = Side::at(2, &on(&host, true));
    alice.want(bob.me, &[1], &[bob.at_loopback()]);
    assert_eq!(alice.up().2, Some(room(1)));
}

#[test]
fn peers_on_the_lan_find_each_other_by_id_without_any_route() {
    let lan = Lan::pair("alice", "bob").unwrap();
    let mut alice = Side::at(1, &on(lan.host(0), true));
    let mut bob = Side::at(2, &on(lan.host(1), true));
    assert_eq!(alice.p2p.here().addresses[0], (lan.address(0), alice.p2p.port()).into());
    alice.want(bob.me, &[1], &[]);
    let (out, to, _) = alice.up();
    assert_eq!(to, bob.me);
    alice.p2p.send(out, b"found".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"found");
}

#[test]
fn a_network_that_comes_later_is_used() {
    let lan = Lan::pair("alice", "bob").unwrap();
    lan.link_down(0).unwrap();
    let mut alice = Side::at(1, &on(lan.host(0), true));
    assert_eq!(alice.p2p.here().addresses, [loopback(alice.p2p.port())]);
    let bob = Side::at(2, &on(lan.host(1), true));
    alice.want(bob.me, &[1], &[]);
    lan.link_up(0).unwrap();
    assert_eq!(alice.up().1, bob.me);
    assert_eq!(alice.p2p.here().addresses[0], (lan.address(0), alice.p2p.port()).into());
}

#[test]
fn wound_16_a_cut_cable_is_noticed_and_mended() {
    let lan = Lan::switched(&["alice", "bob"]).unwrap();
    let mut alice = Side::at(1, &on(lan.host(0), true));
    let mut bob = Side::at(2, &on(lan.host(1), true));
    alice.want(bob.me, &[1], &[(lan.address(1), bob.p2p.port()).into()]);
    let (out, _, _) = alice.up();
    alice.p2p.send(out, b"before".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"before");

    let cut = Instant::now();
    lan.silence(1).unwrap();
    alice.frames_until_down(out);
    bob.frames_until_down(into);
    assert!(cut.elapsed() < Duration::from_secs(25), "noticed only after {:?}", cut.elapsed());

    lan.restore(1).unwrap();
    let (out, _, _) = alice.up();
    alice.p2p.send(out, b"after".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"after");
}
