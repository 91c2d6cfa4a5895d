//! How entries travel. A carrier opens links to peers the engine wants, accepts theirs, and moves frames; it
//! never looks into one. Now there is one kind, `p2p`, of which a node has up to two (`both`).

mod both;
pub mod p2p;

pub use both::{Both, BothOptions};

use std::net::SocketAddr;

use parlor_core::engine::api::{LinkId, Places, WantedLink};
use parlor_wire::{PeerId, RoomId};

/// What a carrier tells the driver. Sent over a bounded channel: when the driver is busy, links wait.
#[derive(Debug)]
pub enum CarrierEvent {
    /// A link is open; `room` is set where this side dialled.
    Up {
        /// The link; never reused.
        link: LinkId,
        /// Who is at the other end, authenticated.
        peer: PeerId,
        /// For which room it was dialled.
        room: Option<RoomId>,
    },
    /// A whole frame, without its length.
    Frame {
        /// On which link.
        link: LinkId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The link is gone.
    Down {
        /// Which.
        link: LinkId,
    },
    /// A peer was reached at these addresses.
    Learned {
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// By the carrier of the local network.
        near: bool,
    },
    /// This node is reached elsewhere from now on.
    Moved,
}

/// What the driver asks of a carrier; none of it blocks.
pub trait Carrier: Send {
    /// The links that should exist, and where their peers were last known. The carrier dials what is missing,
    /// again and again with back-off, and leaves others alone.
    fn want(&self, links: Vec<(WantedLink, Places)>);
    /// Sends a frame (length is added here). A link whose queue is full is closed: its peer will sync again.
    fn send(&self, link: LinkId, bytes: Vec<u8>);
    /// Closes a link after what was sent on it.
    fn close(&self, link: LinkId);
    /// Where this node can be reached, best first; loopback last.
    fn here(&self) -> Places;
    /// How a peer is reached now, if it is.
    fn path_to(&self, peer: &PeerId) -> Option<PathTo>;
}

/// How a peer is reached; `answered` only where it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTo {
    /// The address, or the URL of the relay.
    pub at: String,
    /// Whether a relay carries it.
    pub relayed: bool,
    /// A round trip, in milliseconds.
    pub round_trip_ms: u64,
    /// Whether it answered just now.
    pub answered: bool,
}
