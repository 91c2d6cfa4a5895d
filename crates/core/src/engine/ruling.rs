//! Ruling a room: who is let in, put out, given a role; closing tickets, new keys, leaving. Each command is written
//! whole or not at all, and what keeps somebody out carries a key they do not know (K4).

use std::collections::HashSet;

use parlor_wire::control::{Admit, Close, Control, ControlBody, Cut, Leave, Own, Remove, Role, SetRole};
use parlor_wire::frame::{ControlBatch, Frame, Open};
use parlor_wire::{EntryId, PeerId, RoomId, limits};

use super::api::{AskingView, Command, Failure, LinkId, Outcome, TicketView};
use super::{Engine, restore};
use crate::persist::{Op, Table};
use crate::room::body::{self, Body};
use crate::room::{Chain, Gone, record};

/// The room whose people, tickets or name a command changes.
fn ruled(command: &Command) -> Option<RoomId> {
    match command {
        Command::CloseTicket { room, .. }
        | Command::Approve { room, .. }
        | Command::Remove { room, .. }
        | Command::SetRole { room, .. }
        | Command::Leave { room, .. }
        | Command::Rename { room, .. } => Some(*room),
        _ => None,
    }
}

impl Engine {
    /// Does what changes who is in a room.
    pub(super) fn rule(&mut self, command: Command) -> Result<Outcome, Failure> {
        if let Some(room) = ruled(&command)
            && self.rooms.get(&room).is_some_and(|held| held.local.direct.is_some())
        {
            return Err(Failure::Direct);
        }
        match command {
            Command::CloseTicket { room, ticket } => {
                self.writable(room)?;
                self.close_ticket(room, ticket)?;
                self.after_control(room);
            }
            Command::Approve { room, peer } => self.approve(room, peer)?,
            Command::Remove { room, peer, keep } => {
                return self.put_out(room, peer, &keep).map(|closed| Outcome::Removed { closed });
            }
            Command::SetRole { room, peer, role } => self.set_role(room, peer, role)?,
            Command::Leave { room, abandon } => self.leave(room, abandon)?,
            Command::Rename { room, name } => self.rename_room(room, &name)?,
            Command::Rekey { room } => self.rekey(room)?,
            _ => {}
        }
        Ok(Outcome::Done)
    }

    /// The membership by which this identity may rule a room.
    fn ruling(&self, room: RoomId) -> Result<EntryId, Failure> {
        self.writable(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if !held.roster.owns(&self.me) {
            return Err(Failure::OwnersOnly);
        }
        self.own_membership(room).ok_or(Failure::NotJoined)
    }

    /// R6: brings in a request, with all keys.
    fn approve(&mut self, room: RoomId, peer: PeerId) -> Result<(), Failure> {
        let membership = self.ruling(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let asking = held.asking_in.get(&peer).ok_or(Failure::NoSuchPerson)?.clone();
        if held.is_full() {
            return Err(Failure::Limit("512 members"));
        }
        let card = asking.body.card().ok_or(Failure::NoSuchPerson)?.card.clone();
        let grants = self.head_grants(room, card.id(), &card.sealing_key)?;
        let admit = Admit { request: Box::new(asking), grants };
        self.author_control(room, ControlBody::Admit(admit), Some(membership), None)?;
        self.after_control(room);
        Ok(())
    }

    /// R7: puts somebody out, with a cut of their data, and closes the open tickets: a pasted text may be known to
    /// anyone.
    fn put_out(&mut self, room: RoomId, peer: PeerId, keep: &[EntryId]) -> Result<Vec<EntryId>, Failure> {
        let membership = self.ruling(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if held.roster.owns(&peer) {
            return Err(Failure::OwnersStay);
        }
        let memberships = held.memberships_of(&peer);
        if memberships.is_empty() {
            return Err(Failure::NoSuchPerson);
        }
        if keep.iter().any(|ticket| !held.roster.tickets.contains_key(ticket)) {
            return Err(Failure::NoSuchTicket);
        }
        let came_by = memberships.iter().filter_map(|id| held.roster.ticket_of(id)).collect::<Vec<_>>();
        let now = self.now.wall_ms;
        let open = held.roster.tickets.iter().filter(|(id, state)| state.open(now) && !keep.contains(id));
        let closed: Vec<EntryId> = open.map(|(id, _)| *id).collect();
        let cuts = held.cuts_of(&peer);
        // The key that the remove carries is one that nobody who holds these texts is given, either.
        for ticket in closed.iter().filter(|ticket| !came_by.contains(ticket)) {
            let close = ControlBody::Close(Close { ticket: *ticket, rekey: None });
            self.author_control(room, close, Some(membership), None)?;
        }
        let rekey = Some(self.make_rekey(room, &Without { peer: Some(peer), tickets: &came_by })?);
        let remove = Remove { identity: peer, memberships, cuts, rekey };
        self.author_control(room, ControlBody::Remove(remove), Some(membership), None)?;
        self.forget_asking(room, &peer);
        self.after_control(room);
        Ok(closed)
    }

    /// R8, R1: a reader's data is cut where the author holds it; an owner is one for good.
    fn set_role(&mut self, room: RoomId, peer: PeerId, role: Role) -> Result<(), Failure> {
        let membership = self.ruling(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let has = held.roster.members.get(&peer).ok_or(Failure::NoSuchPerson)?.role;
        if has == role {
            return Ok(());
        }
        if has == Role::Owner {
            return Err(Failure::OwnersStay);
        }
        let body = match role {
            Role::Owner => ControlBody::Own(Own { identity: peer }),
            role => {
                let cuts = if role == Role::Reader { held.cuts_of(&peer) } else { Vec::new() };
                ControlBody::Role(SetRole { identity: peer, role, cuts })
            }
        };
        self.author_control(room, body, Some(membership), None)?;
        self.after_control(room);
        Ok(())
    }

    pub(super) fn leave(&mut self, room: RoomId, abandon: bool) -> Result<(), Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if held.gone(&self.me).is_some() {
            return Ok(());
        }
        if held.local.state != record::STATE_JOINED || !held.roster.reads(&self.me) {
            // Only saved, refused or over: there is nobody to be told.
            self.local(room, |local| {
                local.given_up |= local.state == record::STATE_JOINING;
                local.state = record::STATE_REFUSED;
                local.refusal.get_or_insert(parlor_wire::frame::Refusal::NotEntitled);
            });
            self.links_changed();
            return Ok(());
        }
        super::commands::thawed(held)?;
        let is_last = held.roster.owns(&self.me) && held.roster.owners().count() == 1;
        if is_last && !abandon && !held.local.stays_here {
            return Err(Failure::LastOwner);
        }
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        if is_last {
            self.close_all(room, membership)?;
        }
        let leave = ControlBody::Leave(Leave { abandons: is_last });
        self.author_control(room, leave, Some(membership), None)?;
        // Somebody else must hear of it; until one has, links are wanted.
        self.local(room, |local| local.confirmed = false);
        self.after_control(room);
        Ok(())
    }

    /// Nobody can close a ticket once no owner is left.
    fn close_all(&mut self, room: RoomId, membership: EntryId) -> Result<(), Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let open = held.roster.tickets.iter().filter(|(_, state)| !state.closed);
        for ticket in open.map(|(id, _)| *id).collect::<Vec<_>>() {
            let close = ControlBody::Close(Close { ticket, rekey: None });
            self.author_control(room, close, Some(membership), None)?;
        }
        Ok(())
    }

    /// Ends the links of a room that was left, once a peer shows that it has heard, and holds what was said before.
    pub(super) fn confirm_leave(&mut self, link: LinkId, room: RoomId, heads: &[EntryId]) {
        let Some(held) = self.rooms.get(&room) else { return };
        if held.gone(&self.me) != Some(Gone::Left) {
            return;
        }
        let ours = held.dag.iter().rev().find(|control| {
            control.header.author == self.me && matches!(control.body, ControlBody::Leave(_))
        });
        let heard = ours.is_some_and(|leave| heads.iter().any(|head| held.dag.reaches(head, &leave.id)));
        if let Some(state) = self.links.get_mut(&link).filter(|_| heard) {
            state.knows_leave = true;
        }
        self.finish_leave(link, room);
    }

    /// The same when a peer says what it holds.
    pub(super) fn finish_leave(&mut self, link: LinkId, room: RoomId) {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        let mut own = held.chains.iter().filter(|(chain, _)| held.chain_author(chain) == Some(self.me));
        let holds = |(id, chain): (&EntryId, &Chain)| {
            chain.max_seq().is_none_or(|last| state.acked.get(id).is_some_and(|upto| *upto >= last))
        };
        if state.knows_leave && own.all(holds) {
            self.left(room);
        }
    }

    /// Nothing of the room is asked for or taken any more.
    pub(super) fn left(&mut self, room: RoomId) {
        self.local(room, |local| local.confirmed = true);
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| link.room == Some(room)).map(|(id, _)| *id).collect();
        for link in links {
            self.close_link(link, "the room was left");
        }
        self.links_changed();
    }

    /// Whether a peer was put out by this node's fold.
    pub(super) fn is_put_out(&self, link: LinkId, room: RoomId) -> bool {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return false };
        !held.roster.reads(&state.peer) && held.roster.removed.values().any(|one| one.identity == state.peer)
    }

    /// Whether a peer that opens a link was put out, and what it will be told of that says as well that the ticket it
    /// shows is of no use.
    pub(super) fn may_learn_why(&self, link: LinkId, open: &Open) -> bool {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&open.room)) else {
            return false;
        };
        let ticket = open.proof.as_ref().and_then(|proof| held.roster.ticket_by_key(&proof.signing_key));
        let tells = |ticket: &EntryId| held.past_of_removal(&state.peer).contains(ticket);
        self.is_put_out(link, open.room) && ticket.is_none_or(|(ticket, _)| tells(&ticket))
    }

    /// This identity is out: nothing of the room is asked for any more.
    pub(super) fn notice_put_out(&mut self, room: RoomId) {
        if self.rooms.get(&room).and_then(|held| held.gone(&self.me)) != Some(Gone::Removed) {
            return;
        }
        let links = self.links.iter().filter(|(_, link)| link.room == Some(room));
        for link in links.map(|(id, _)| *id).collect::<Vec<LinkId>>() {
            self.close_link(link, "put out of the room");
        }
    }

    /// Gives a peer that was put out the removal and what it stands on, so that its node can say so to its people. It
    /// learns nothing of what came after.
    pub(super) fn say_why(&mut self, link: LinkId, room: RoomId) {
        if !self.is_put_out(link, room) {
            return;
        }
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        let past = held.past_of_removal(&state.peer);
        let mut bytes = 0;
        let of_past = held.dag.iter().rev().filter(|control| past.contains(&control.id));
        let newest = of_past.map(Control::encode).take(limits::MAX_BATCH_ENTRIES).take_while(|entry| {
            bytes += entry.len();
            bytes <= limits::BATCH_BYTES
        });
        let mut entries: Vec<Vec<u8>> = newest.collect();
        // Parents first.
        entries.reverse();
        let entries = entries.into_iter().map(Into::into).collect();
        self.send(link, &Frame::ControlBatch(ControlBatch { entries, more: false }));
    }

    fn rename_room(&mut self, room: RoomId, name: &str) -> Result<(), Failure> {
        self.ruling(room)?;
        self.say_name(room, name)
    }

    /// Tells the room what it is called.
    pub(super) fn say_name(&mut self, room: RoomId, name: &str) -> Result<(), Failure> {
        let name = crate::text::names::room_name(name).into_string();
        let nick = Some(self.nick.clone());
        let body = Body { kind: body::KIND_ROOM, text: Some(name), nick, ..Body::default() };
        self.author_data(room, &body, None).map(drop)
    }

    fn rekey(&mut self, room: RoomId) -> Result<(), Failure> {
        self.writable(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if held.keys.is_empty() {
            return Err(Failure::NoKey);
        }
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        let rekey = self.make_rekey(room, &Without::default())?;
        self.author_control(room, ControlBody::Rekey(rekey), Some(membership), None)?;
        self.after_control(room);
        Ok(())
    }

    /// Somebody who asked is in, out, or has asked for too long.
    pub(super) fn forget_asking(&mut self, room: RoomId, peer: &PeerId) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        if held.asking_in.remove(peer).is_some() {
            let key = restore::pair(&room, &EntryId(peer.0));
            self.ops.push(Op::Delete { table: Table::Asking, key });
        }
    }

    /// The tickets of a room, open ones first, each by when it expires.
    pub fn tickets(&self, room: &RoomId) -> Vec<TicketView> {
        let Some(held) = self.rooms.get(room) else { return Vec::new() };
        let now = self.now.wall_ms;
        let mut tickets: Vec<TicketView> = held
            .roster
            .tickets
            .iter()
            .map(|(id, state)| TicketView {
                id: *id,
                author: state.author,
                name: self.name_of(*room, state.author),
                role: state.ticket.role,
                uses: state.ticket.uses,
                joins: state.joins,
                expires: state.ticket.expires,
                approve: state.ticket.approve,
                open: state.open(now),
                closed: state.closed,
            })
            .collect();
        tickets.sort_by_key(|ticket| (!ticket.open, ticket.expires, ticket.id));
        tickets
    }

    /// Who asks to be let into a room, the first first.
    pub fn asking(&self, room: &RoomId) -> Vec<AskingView> {
        let Some(held) = self.rooms.get(room) else { return Vec::new() };
        let mut asking: Vec<AskingView> = held
            .asking_in
            .iter()
            .filter_map(|(peer, control)| {
                let ControlBody::Request(request) = &control.body else { return None };
                let name = self.name_of(*room, *peer);
                Some(AskingView { peer: *peer, name, ticket: request.ticket, time_ms: control.header.time })
            })
            .collect();
        asking.sort_by_key(|one| (one.time_ms, one.peer));
        asking
    }
}

/// Who is not given a new key.
#[derive(Default)]
pub(super) struct Without<'a> {
    pub peer: Option<PeerId>,
    pub tickets: &'a [EntryId],
}

impl crate::room::Room {
    /// The removes of an identity, and everything in their past.
    pub(super) fn past_of_removal(&self, peer: &PeerId) -> HashSet<EntryId> {
        let removes = self.dag.iter().filter(|control| match &control.body {
            ControlBody::Remove(remove) => {
                remove.identity == *peer && self.roster.owns(&control.header.author)
            }
            _ => false,
        });
        self.dag.past(removes.map(|control| control.id))
    }

    /// The memberships of an identity that is in, or has left.
    fn memberships_of(&self, peer: &PeerId) -> Vec<EntryId> {
        let all = self.roster.memberships.iter().chain(&self.roster.left);
        let mut ids: Vec<EntryId> =
            all.filter(|(_, membership)| membership.identity == *peer).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.truncate(limits::MAX_CHAINS_CUT);
        ids
    }

    /// How far this node holds the data of an identity.
    fn cuts_of(&self, peer: &PeerId) -> Vec<Cut> {
        let theirs = self.chains.iter().filter(|(chain, _)| self.chain_author(chain) == Some(*peer));
        let mut cuts: Vec<Cut> = theirs
            .flat_map(|(chain, held)| {
                held.tips.iter().map(|tip| Cut { chain: *chain, seq: tip.tip.seq, id: tip.tip.id })
            })
            .collect();
        cuts.sort_unstable();
        cuts.truncate(limits::MAX_CHAINS_CUT);
        cuts
    }
}
