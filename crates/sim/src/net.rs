//! The simulated network: ordered byte streams between nodes, and everything that can happen to them. Must not
//! look into a frame.

use std::collections::BTreeSet;

use parlor_core::engine::api::LinkId;
use parlor_wire::RoomId;

/// What goes wrong, each in thousandths, and how slow frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Fastest frame, in milliseconds.
    pub least_ms: u64,
    /// Slowest frame, in milliseconds.
    pub most_ms: u64,
    /// A frame is lost and the link breaks with it.
    pub breaks: u64,
    /// A frame is lost and nobody is told.
    pub vanishes: u64,
    /// A frame comes twice.
    pub twice: u64,
    /// A frame overtakes the one before it.
    pub overtakes: u64,
    /// How long the ends of a dead link may not notice, in milliseconds.
    pub unnoticed_ms: u64,
}

impl Faults {
    /// Nothing goes wrong, frames take a millisecond.
    pub const NONE: Self =
        Self { least_ms: 1, most_ms: 1, breaks: 0, vanishes: 0, twice: 0, overtakes: 0, unnoticed_ms: 1 };
    /// A bad network: links break, frames are slow.
    pub const BAD: Self = Self {
        least_ms: 1,
        most_ms: 200,
        breaks: 20,
        vanishes: 0,
        twice: 0,
        overtakes: 0,
        unnoticed_ms: 5_000,
    };
    /// Worse than any ordered stream: frames vanish, come twice and in the wrong order.
    pub const HARSH: Self = Self {
        least_ms: 1,
        most_ms: 200,
        breaks: 10,
        vanishes: 10,
        twice: 10,
        overtakes: 10,
        unnoticed_ms: 20_000,
    };
}

/// One end of a cable.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Which node.
    pub node: usize,
    /// Which run of it: a restarted node knows nothing of earlier cables.
    pub run: u64,
    /// What its engine calls it.
    pub link: LinkId,
    /// Whether that engine still believes in it.
    pub open: bool,
    /// When the last frame sent *from* this end arrives.
    pub last_arrival: u64,
}

/// One stream between two nodes, dialled by the first.
#[derive(Debug, Clone)]
pub struct Cable {
    /// Dialler, acceptor.
    pub ends: [End; 2],
    /// For which room it was dialled.
    pub room: RoomId,
    /// Whether bytes still pass.
    pub alive: bool,
}

/// Cables and who may reach whom.
#[derive(Debug, Default)]
pub struct Net {
    /// All there ever were.
    pub cables: Vec<Cable>,
    /// Pairs of nodes that cannot reach each other, lower first.
    pub cut: BTreeSet<(usize, usize)>,
    /// Nodes that are on the other side of a parted network.
    pub beyond: BTreeSet<usize>,
}

impl Net {
    /// Whether two nodes can reach each other.
    pub fn reaches(&self, a: usize, b: usize) -> bool {
        self.beyond.contains(&a) == self.beyond.contains(&b) && !self.cut.contains(&(a.min(b), a.max(b)))
    }
}
