//! Telling peers: own entries are pushed at once, what came from others is told as heads shortly after and
//! pulled by those who lack it; who has acknowledged what is counted for `reached`. A slow peer is told heads
//! only, so nothing here grows with its slowness.

use std::collections::BTreeSet;

use parlor_wire::frame::{Ack, ChainTips, DataHeads, DataPush, Frame};
use parlor_wire::{EntryId, PeerId, RoomId, limits};

use super::Engine;
use super::api::{LinkId, Outcome, RequestId, Sent};
use crate::persist::DataRow;

/// How often heads are told again on a link, in milliseconds: nothing announces what was lost.
const AGAIN_MS: u64 = 300_000;
/// Of so many times, all heads of data are told again once; else those that changed since.
const ALL_AGAIN: u64 = 12;

/// A sender waiting for acknowledgements.
#[derive(Debug)]
pub(super) struct ReachWait {
    pub request: RequestId,
    pub room: RoomId,
    pub chain: EntryId,
    pub seq: u64,
    pub deadline_ms: u64,
    pub sent: Sent,
}

impl Engine {
    /// Tells a newly entitled peer everything this node holds, control first.
    pub(super) fn tell_all(&mut self, link: LinkId, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let heads: Vec<EntryId> = held.dag.heads().iter().take(limits::MAX_CONTROL_IDS).copied().collect();
        let all: Vec<ChainTips> = held
            .chains
            .keys()
            .map(|chain| ChainTips { chain: *chain, tips: held.tips(chain) })
            .filter(|chain| !chain.tips.is_empty())
            .collect();
        if let Some(state) = self.links.get_mut(&link) {
            state.told_heads = true;
            state.again_ms = self.now.mono_ms + AGAIN_MS;
        }
        self.send(link, &Frame::ControlHeads(heads));
        let mut parts = all.chunks(limits::MAX_HEADS_PER_FRAME).peekable();
        if parts.peek().is_none() {
            self.send(link, &Frame::DataHeads(DataHeads { chains: Vec::new(), complete: true }));
        }
        while let Some(part) = parts.next() {
            let complete = parts.peek().is_none();
            self.send(link, &Frame::DataHeads(DataHeads { chains: part.to_vec(), complete }));
        }
        self.announce_to(link, room);
    }

    /// Tells every link of a room the control heads, except the one they came from.
    pub(super) fn tell_control(&mut self, room: RoomId, except: Option<LinkId>) {
        let Some(held) = self.rooms.get(&room) else { return };
        let heads: Vec<EntryId> = held.dag.heads().iter().take(limits::MAX_CONTROL_IDS).copied().collect();
        let told: Vec<LinkId> = self
            .room_links(room)
            .into_iter()
            .filter(|link| {
                Some(*link) != except && self.links.get(link).is_some_and(|state| state.told_heads)
            })
            .collect();
        for link in told {
            self.send(link, &Frame::ControlHeads(heads.clone()));
        }
    }

    /// Pushes an entry of this node to every link that has all before it and is not too far behind.
    pub(super) fn push_own(&mut self, room: RoomId, row: &DataRow) {
        let forked = self
            .rooms
            .get(&room)
            .and_then(|held| held.chains.get(&row.chain))
            .is_none_or(|chain| chain.tips.len() != 1);
        for link in self.room_links(room) {
            let now = self.now.mono_ms;
            let Some(state) = self.links.get_mut(&link) else { continue };
            let next = state.has_upto(&row.chain).map_or(0, |seq| seq.saturating_add(1));
            let ready = state.told_heads && !forked && next == row.seq;
            if ready && state.pushed.len() < limits::MAX_UNACKED_PUSHES && !state.dirty.contains(&row.chain) {
                state.pushed.push_back((row.chain, row.seq, now));
                let push = DataPush { entries: vec![row.bytes.clone().into()] };
                self.send(link, &Frame::DataPush(push));
            } else {
                self.mark_dirty_for(link, row.chain);
            }
        }
    }

    pub(super) fn mark_dirty(&mut self, room: RoomId, except: Option<LinkId>, chains: &BTreeSet<EntryId>) {
        for link in self.room_links(room).into_iter().filter(|link| Some(*link) != except) {
            for chain in chains {
                self.mark_dirty_for(link, *chain);
            }
        }
    }

    pub(super) fn mark_dirty_for(&mut self, link: LinkId, chain: EntryId) {
        let now = self.now.mono_ms;
        if let Some(state) = self.links.get_mut(&link).filter(|state| state.told_heads) {
            state.dirty.insert(chain);
            state.dirty_since.get_or_insert(now);
        }
    }

    /// Tells a link the heads of chains that changed, leaving out what it already has.
    pub(super) fn tell_dirty(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.dirty_since = None;
        let dirty = std::mem::take(&mut state.dirty);
        let Some(held) = state.room.and_then(|room| self.rooms.get(&room)) else { return };
        let news: Vec<ChainTips> = dirty
            .into_iter()
            .map(|chain| ChainTips { chain, tips: held.tips(&chain) })
            .filter(|told| {
                let known = state.peer_tips.get(&told.chain);
                !told.tips.is_empty() && known.is_none_or(|known| *known != told.tips)
            })
            .collect();
        for part in news.chunks(limits::MAX_HEADS_PER_FRAME) {
            self.send(link, &Frame::DataHeads(DataHeads { chains: part.to_vec(), complete: false }));
        }
    }

    /// Tells a link again what its peer has not said to hold: whatever was lost on the way, and however, is asked for now.
    /// Between two that hold the same this is one short frame.
    pub(super) fn tell_again(&mut self, link: LinkId) {
        let now = self.now.mono_ms;
        let Some(state) = self.links.get_mut(&link) else { return };
        state.again_ms = now + AGAIN_MS;
        state.rounds += 1;
        if state.rounds.is_multiple_of(ALL_AGAIN) {
            state.told_again.clear();
        }
        let Some(room) = state.room else { return };
        let Some(held) = self.rooms.get(&room) else { return };
        for (chain, seq) in held.chains.iter().filter_map(|(id, chain)| Some((*id, chain.max_seq()?))) {
            if state.told_again.insert(chain, seq) != Some(seq) {
                state.dirty.insert(chain);
            }
        }
        let heads: Vec<EntryId> = held.dag.heads().iter().take(limits::MAX_CONTROL_IDS).copied().collect();
        self.send(link, &Frame::ControlHeads(heads));
        self.tell_dirty(link);
        self.tell_asking(link, room);
    }

    pub(super) fn acked(&mut self, link: LinkId, room: RoomId, ack: &Ack) {
        let Some(held) = self.rooms.get(&room) else { return };
        let Some(state) = self.links.get_mut(&link) else { return };
        let mut more = Vec::new();
        for told in &ack.chains {
            let Some(upto) = told.tips.iter().map(|tip| tip.seq).max() else { continue };
            if !held.chains.contains_key(&told.chain) {
                continue;
            }
            state.pushed.retain(|(chain, seq, _)| *chain != told.chain || *seq > upto);
            state.peer_holds(told.clone());
            if held.chains.get(&told.chain).and_then(|chain| chain.max_seq()) > Some(upto)
                && state.pushed.is_empty()
            {
                more.push(told.chain);
            }
        }
        // What could not be pushed while the peer was behind is told now that it has caught up with the rest.
        for chain in more {
            self.mark_dirty_for(link, chain);
        }
        self.tick_reach();
        self.finish_leave(link, room);
    }

    /// Other live members whose node holds an entry durably, and those linked at all.
    pub(super) fn reached(
        &self,
        room: RoomId,
        chain: EntryId,
        seq: u64,
    ) -> (BTreeSet<PeerId>, BTreeSet<PeerId>) {
        let mut reached = BTreeSet::new();
        let mut linked = BTreeSet::new();
        let Some(held) = self.rooms.get(&room) else { return (reached, linked) };
        // Who is linked for another room is there, and its link for a room that has just been opened is on its way; in
        // a room too large for links to all it may never come.
        let is_on_its_way =
            |link: &super::link::Link| !self.meshes.has(&room) && self.speaks_of(&room, &link.peer);
        let is_near = |link: &super::link::Link| link.room == Some(room) || is_on_its_way(link);
        for link in self.links.values().filter(|link| link.open && is_near(link)) {
            if link.peer != self.me && held.roster.reads(&link.peer) {
                linked.insert(link.peer);
                if link.room == Some(room) && link.acked.get(&chain).is_some_and(|upto| *upto >= seq) {
                    reached.insert(link.peer);
                }
            }
        }
        (reached, linked)
    }

    /// Answers a sender at once or when those linked have acknowledged.
    pub(super) fn wait_reach(&mut self, wait: ReachWait) {
        self.reach.push(wait);
        self.tick_reach();
    }

    pub(super) fn tick_reach(&mut self) {
        let now = self.now.mono_ms;
        for mut wait in std::mem::take(&mut self.reach) {
            let (reached, linked) = self.reached(wait.room, wait.chain, wait.seq);
            wait.sent.reached = reached.len() as u64;
            if reached.len() == linked.len() || wait.deadline_ms <= now {
                self.reply(wait.request, Ok(Outcome::Sent(wait.sent)));
            } else {
                self.reach.push(wait);
            }
        }
    }
}
