//! How many control entries one who does not rule a room may write: kept where entries are made here and where they come
//! from a link. Must not decide what the entries mean: a roster that depended on who came first would differ.

use parlor_wire::control::{Control, ControlBody};
use parlor_wire::{PeerId, RoomId, limits};

use super::Engine;
use super::api::{Failure, LinkId};
use crate::room::{Room, record};

/// How many control entries somebody may write in a room: who rules it as many as that takes.
fn most(held: &Room, author: &PeerId) -> usize {
    match (held.local.direct.is_some(), held.roster.owns(author)) {
        (true, _) => limits::MAX_CONTROL_IN_DIRECT,
        (false, true) => usize::MAX,
        (false, false) => limits::MAX_CONTROL_PER_MEMBER,
    }
}

impl Engine {
    /// Whether this identity has written all control entries it may but the one kept for leaving.
    pub(super) fn is_written_out(&self, room: RoomId) -> bool {
        self.rooms.get(&room).is_some_and(|held| held.dag.written_by(&self.me) + 1 >= most(held, &self.me))
    }

    /// Whether so many are written that the rest is kept for this node's own needs: keys that others made and gave
    /// to few are then granted on by those who have more left.
    pub(super) fn is_half_written(&self, room: RoomId) -> bool {
        self.rooms.get(&room).is_some_and(|held| {
            !held.roster.owns(&self.me) && held.dag.written_by(&self.me) >= most(held, &self.me) / 2
        })
    }

    /// Whether this identity may write one more control entry.
    pub(super) fn may_write_control(&self, room: RoomId, body: &ControlBody) -> Result<(), Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let may = match body {
            ControlBody::Leave(_) => held.dag.written_by(&self.me) < most(held, &self.me),
            _ => !self.is_written_out(room),
        };
        if may { Ok(()) } else { Err(Failure::Limit("256 control entries of one member; ask an owner")) }
    }

    /// Whether a control entry is more than its author may write, and comes from where such a one is not taken: its
    /// author, or one who is no member here. What another member holds is taken from that member, whatever the count:
    /// it took it when there were fewer, and what it writes stands on it.
    pub(super) fn is_surplus(&self, room: RoomId, link: LinkId, control: &Control) -> bool {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return false };
        let author = control.header.author;
        let is_over = !held.dag.contains(&control.id) && held.dag.written_by(&author) >= most(held, &author);
        // Who is only coming in knows nobody yet, and asks whom the ticket names.
        let knows_members = held.local.state == record::STATE_JOINED;
        let by_a_member = state.peer != author && (held.roster.reads(&state.peer) || !knows_members);
        is_over && !by_a_member
    }

    /// Whether an entry may be kept until its parents come: those of members, and of whoever carries a room one is coming
    /// into. Anybody else gives parents first, or fills memory with nothing.
    pub(super) fn may_wait(&self, room: RoomId, link: LinkId, control: &Control) -> bool {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return false };
        let trusted = held.roster.reads(&state.peer)
            || held.local.state != record::STATE_JOINED
            || held.local.contacts.contains(&state.peer);
        trusted || control.header.after.iter().all(|parent| held.dag.contains(parent))
    }

    /// Whether an entry is by somebody who was in and is out, from the hands of one who is not in: what it wrote while it was
    /// in, members have, and what it writes since is nothing to anybody.
    pub(super) fn is_of_the_gone(&self, room: RoomId, link: LinkId, control: &Control) -> bool {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return false };
        let author = control.header.author;
        let comes_in = matches!(control.body, ControlBody::Join(_) | ControlBody::Leave(_));
        let is_gone = || {
            let mut ended = held.roster.removed.values().chain(held.roster.left.values());
            !held.roster.reads(&author) && ended.any(|membership| membership.identity == author)
        };
        let knows_members = held.local.state == record::STATE_JOINED;
        knows_members && !comes_in && !held.roster.reads(&state.peer) && is_gone()
    }

    /// Leaves such an entry where it is. It is not asked for again on this link and nobody is warned that it is
    /// missing; a peer that gives more and more of them loses the link, for this reason.
    pub(super) fn leave_surplus(&mut self, room: RoomId, link: LinkId, control: &Control) -> Option<String> {
        let author = control.header.author;
        let state = self.links.get_mut(&link)?;
        state.spoken.remove(&control.id);
        state.surplus.insert(control.id);
        let over = state.surplus.len() > limits::MAX_CONTROL_IDS;
        self.warn(room, format!("{} writes more control entries than a member may", author.short()));
        over.then(|| "more control entries than one member may write".into())
    }
}
