//! One side of a test: a carrier on a runtime of its own, and what it has said.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use parlor_core::engine::api::{LinkId, Places, WantedLink};
use parlor_node::carriers::p2p::{P2p, P2pOptions, Range, RelaySetting, TrustedRoots};
use parlor_node::carriers::{Carrier, CarrierEvent};
use parlor_testkit::netns::Namespace;
use parlor_wire::{PeerId, RoomId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Events a carrier may leave unread.
const EVENTS: usize = 64;

/// Where a side runs.
#[derive(Default)]
pub struct Place<'a> {
    pub host: Option<&'a Namespace>,
    pub port: Option<u16>,
    pub lan: bool,
}

pub struct Side {
    pub p2p: P2p,
    pub me: PeerId,
    events: mpsc::Receiver<CarrierEvent>,
    runtime: Runtime,
}

/// The secret of the side with this letter.
pub fn secret(letter: u8) -> [u8; 32] {
    [letter; 32]
}

pub fn peer(letter: u8) -> PeerId {
    PeerId(*iroh::SecretKey::from_bytes(&secret(letter)).public().as_bytes())
}

pub fn room(number: u8) -> RoomId {
    RoomId([number; 32])
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Side {
    /// On loopback, at any port.
    pub fn new(letter: u8) -> Self {
        Self::at(letter, &Place::default())
    }

    pub fn at(letter: u8, place: &Place<'_>) -> Self {
        let start = || {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let (sender, events) = mpsc::channel(EVENTS);
            let range = Range::Far { relay: RelaySetting::Off, roots: TrustedRoots::default() };
            let options = P2pOptions { port: place.port, lan: place.lan, range };
            let p2p = runtime.block_on(P2p::start(&secret(letter), options, sender)).unwrap();
            Self { p2p, me: peer(letter), events, runtime }
        };
        match place.host {
            Some(host) => host.inside(start).unwrap(),
            None => start(),
        }
    }

    pub fn at_loopback(&self) -> SocketAddr {
        loopback(self.p2p.port())
    }

    /// Makes links to `peer` wanted, one for each room.
    pub fn want(&self, peer: PeerId, rooms: &[u8], addresses: &[SocketAddr]) {
        let places = Places { addresses: addresses.to_vec(), relays: Vec::new() };
        let wanted = |number: &u8| (WantedLink { room: room(*number), peer }, places.clone());
        self.p2p.want(rooms.iter().map(wanted).collect());
    }

    /// The next event that `pick` takes; others are passed over.
    pub fn next<T>(&mut self, what: &str, mut pick: impl FnMut(CarrierEvent) -> Option<T>) -> T {
        let events = &mut self.events;
        let search = async {
            loop {
                let event = events.recv().await.expect("the carrier ended");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        };
        let picked = self.runtime.block_on(async { timeout(PATIENCE, search).await });
        picked.unwrap_or_else(|_| panic!("no {what} in {PATIENCE:?}"))
    }

    /// The next link that comes up.
    pub fn up(&mut self) -> (LinkId, PeerId, Option<RoomId>) {
        self.next("link", |event| match event {
            CarrierEvent::Up { link, peer, room } => Some((link, peer, room)),
            _ => None,
        })
    }

    /// The next frame on a link; that it goes down instead is a failure.
    pub fn frame(&mut self, on: LinkId) -> Vec<u8> {
        self.next("frame", |event| match event {
            CarrierEvent::Frame { link, bytes } if link == on => Some(bytes),
            CarrierEvent::Down { link } if link == on => panic!("link {link} went down"),
            _ => None,
        })
    }

    /// Waits for the end of a link; gives the frames that came before.
    pub fn frames_until_down(&mut self, of: LinkId) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        self.next("end of the link", |event| match event {
            CarrierEvent::Frame { link, bytes } if link == of => {
                frames.push(bytes);
                None
            }
            CarrierEvent::Down { link } if link == of => Some(()),
            _ => None,
        });
        frames
    }

    pub fn status(&self) -> parlor_node::carriers::p2p::P2pStatus {
        self.p2p.status()
    }

    /// Ends in good order.
    pub fn shutdown(self) {
        self.runtime.block_on(self.p2p.shutdown());
    }

    /// Ends as a killed process does: nobody is told.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Two sides, and the link the first has dialled to the second for room 1: first and second's ids of it.
pub fn linked() -> (Side, Side, LinkId, LinkId) {
    let mut alice = Side::new(1);
    let mut bob = Side::new(2);
    alice.want(bob.me, &[1], &[bob.at_loopback()]);
    let (out, _, _) = alice.up();
    alice.p2p.send(out, b"hello".to_vec());
    let (into, _, _) = bob.up();
    assert_eq!(bob.frame(into), b"hello");
    (alice, bob, out, into)
}
