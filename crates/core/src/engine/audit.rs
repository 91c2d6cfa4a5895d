//! How much an engine holds in memory of everything others can make it hold. For tests and for people who look
//! after a node; nothing decides by it.

use super::Engine;

/// Counts; each is bounded whatever peers do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Links.
    pub links: usize,
    /// Questions to the store that are not answered.
    pub loads: usize,
    /// Senders and joiners who wait for others.
    pub waits: usize,
    /// Takes that are neither committed nor released.
    pub takes: usize,
    /// Cursors of sessions.
    pub cursors: usize,
    /// Messages that do not wait for a prompt, and questions.
    pub urgent: usize,
    /// Receipts, of sessions here and of others.
    pub receipts: usize,
    /// Sessions of others that are known to be present.
    pub signals: usize,
    /// Most entries pushed on one link and not acknowledged.
    pub pushed: usize,
    /// Most ranges asked on one link.
    pub wants: usize,
    /// Most control entries spoken of on one link and held by nobody.
    pub spoken: usize,
    /// Most chains one peer has spoken of.
    pub told: usize,
    /// Control entries, in the room with most.
    pub control: usize,
    /// Control entries that wait for others, in the room with most.
    pub missing: usize,
    /// Pairs of key and chain that wait, in the room with most.
    pub waiting: usize,
    /// Peers remembered.
    pub peers: usize,
}

impl Engine {
    /// How much is held in memory.
    pub fn sizes(&self) -> Sizes {
        let links = || self.links.values();
        let rooms = || self.rooms.values();
        Sizes {
            links: self.links.len(),
            loads: self.loads.len(),
            waits: self.reach.len() + self.join_waits.len(),
            takes: self.deliveries.takes(),
            cursors: self.deliveries.cursors(),
            receipts: self.receipts.len(),
            urgent: self.urgents.len(),
            signals: self.presence.heard_count(),
            pushed: links().map(|link| link.pushed.len()).max().unwrap_or(0),
            wants: links().map(|link| link.wants.len()).max().unwrap_or(0),
            spoken: links().map(|link| link.spoken.len()).max().unwrap_or(0),
            told: links().map(|link| link.peer_tips.len()).max().unwrap_or(0),
            control: rooms().map(|room| room.dag.len()).max().unwrap_or(0),
            missing: rooms().map(|room| room.dag.missing().len()).max().unwrap_or(0),
            waiting: rooms().map(|room| room.waiting.len()).max().unwrap_or(0),
            peers: self.peers.len(),
        }
    }
}
