//! How a node's carrier dials what its engine wants: who is there answers, who is not costs an attempt and a pause. Must not
//! choose whom to dial.

use parlor_core::engine::api::WantedLink;
use parlor_wire::PeerId;

use crate::node::Socket;
use crate::world::{Happening, World};

/// How long what was dialled in vain is remembered, in milliseconds.
const REMEMBERED_MS: u64 = 60_000;
/// The first pause of a carrier that has patience, in milliseconds.
const PAUSE_MS: u64 = 200;

/// How patient carriers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialling {
    /// How long an attempt takes that nobody answers, in milliseconds.
    pub attempt_ms: u64,
    /// The longest pause between two attempts, in milliseconds; each is twice the one before.
    pub most_pause_ms: u64,
}

impl Dialling {
    /// Everybody is tried every other second: for tests of what is said on links.
    pub const QUICK: Self = Self { attempt_ms: 0, most_pause_ms: 0 };
    /// As the p2p carrier does.
    pub const REAL: Self = Self { attempt_ms: 5_000, most_pause_ms: 15_000 };
}

/// A peer that was dialled in vain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missed {
    tries: u32,
    until_ms: u64,
}

impl World {
    pub(crate) fn dial(&mut self, node: usize) {
        let Some(engine) = self.nodes[node].engine.as_ref().filter(|_| self.nodes[node].is_awake()) else {
            return;
        };
        let mut again = None;
        for want in engine.wanted_links() {
            if let Some(at) = self.dial_one(node, &want) {
                again = Some(again.map_or(at, |before: u64| before.min(at)));
            }
        }
        if let Some(at) = again {
            self.plan_dial(node, at.saturating_sub(self.now_ms).clamp(1, 2_000));
        }
    }

    /// Dials one peer for one room; when to look again, if there is no link then.
    fn dial_one(&mut self, node: usize, want: &WantedLink) -> Option<u64> {
        let now = self.now_ms;
        let state = &self.nodes[node];
        let dialled =
            |socket: &Socket| socket.side == 0 && socket.peer == want.peer && socket.room == want.room;
        if !state.is_awake() || state.links.values().any(dialled) {
            return None;
        }
        if state.waits_for(want.peer, want.room, now) {
            return Some(now + 2_000);
        }
        let known = state.links.values().any(|socket| socket.peer == want.peer);
        if let Some(missed) = state.missed.get(&want.peer).filter(|missed| missed.until_ms > now && !known) {
            return Some(missed.until_ms);
        }
        if !known {
            self.nodes[node].dials += 1;
        }
        let there: Vec<usize> = (0..self.nodes.len())
            .filter(|at| {
                self.nodes[*at].peer == want.peer && self.nodes[*at].is_awake() && self.net.reaches(node, *at)
            })
            .collect();
        match self.dice.pick(&there) {
            Some(to) => {
                self.nodes[node].missed.remove(&want.peer);
                self.connect(node, to, want.room);
                None
            }
            None => Some(self.miss(node, want.peer)),
        }
    }

    fn miss(&mut self, node: usize, peer: PeerId) -> u64 {
        let Dialling { attempt_ms, most_pause_ms } = self.dialling;
        let now = self.now_ms;
        if attempt_ms + most_pause_ms == 0 {
            return now + 2_000;
        }
        let before = self.nodes[node].missed.get(&peer);
        let tries = before.filter(|missed| missed.until_ms + REMEMBERED_MS > now).map_or(0, |one| one.tries);
        let pause = (PAUSE_MS << tries.min(10)).min(most_pause_ms);
        let until_ms = now + attempt_ms + pause + self.dice.below(pause + 1);
        self.nodes[node].missed.insert(peer, Missed { tries: tries + 1, until_ms });
        until_ms
    }

    pub(crate) fn plan_dial(&mut self, node: usize, within_ms: u64) {
        if !self.nodes[node].is_awake() {
            return;
        }
        let at = self.now_ms + self.dice.between(1, within_ms);
        if self.nodes[node].dial_at.is_none_or(|due| due > at) {
            self.nodes[node].dial_at = Some(at);
            let run = self.nodes[node].run;
            self.later(at, Happening::Dial { node, run });
        }
    }
}
