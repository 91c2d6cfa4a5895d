//! Coming in by a ticket that needs an owner's leave (R6): a request goes to whoever carries the room, waits there
//! outside the DAG, bounded, and is passed on, until an owner lets its author in.

use parlor_wire::control::{Control, ControlBody, Request};
use parlor_wire::frame::{ControlBatch, Frame, Refusal};
use parlor_wire::{EntryId, PeerId, RoomId, limits};

use super::api::LinkId;
use super::{Engine, restore};
use crate::crypto::TicketKeys;
use crate::persist::{Op, Table};
use crate::room::record;

/// Requests that wait in one room: as many as there may be open tickets. Beyond it nobody new is noted.
const MAX_ASKING: usize = limits::MAX_OPEN_TICKETS;

impl Engine {
    /// Writes the request, once, and gives it to every peer that may pass it on.
    pub(super) fn ask_in(&mut self, room: RoomId, ticket: EntryId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let Some(seed) = held.local.ticket_seed else { return };
        let known = held.local.asked.as_ref().and_then(|bytes| Control::decode_trusted(bytes).ok());
        let is_of_ticket = |control: &Control| matches!(&control.body, ControlBody::Request(asked) if asked.ticket == ticket);
        if !known.is_some_and(|control| is_of_ticket(&control)) {
            let bytes = self.write_request(room, ticket, &TicketKeys::from_seed(&seed.0));
            self.local(room, |local| local.asked = Some(bytes.into()));
        }
        let of_room = self.links.iter().filter(|(_, link)| link.room == Some(room) && link.open);
        for link in of_room.map(|(id, _)| *id).collect::<Vec<LinkId>>() {
            self.tell_asking(link, room);
        }
        self.answer_joins(room);
    }

    fn write_request(&mut self, room: RoomId, ticket: EntryId, keys: &TicketKeys) -> Vec<u8> {
        let body = ControlBody::Request(Request { ticket, card: self.identity.card(0, self.now.wall_ms) });
        self.sign_control(Some(room), body, None, vec![ticket], Some(keys)).encode()
    }

    /// Gives a peer the requests that wait here, and this node's own.
    pub(super) fn tell_asking(&mut self, link: LinkId, room: RoomId) {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        if !state.control_done {
            return;
        }
        let passes_on = held.roster.reads(&state.peer) || held.local.contacts.contains(&state.peer);
        let own = held.local.asked.as_ref().filter(|_| held.local.state == record::STATE_JOINING);
        let mut entries: Vec<Vec<u8>> =
            own.into_iter().filter(|_| passes_on).map(|bytes| bytes.to_vec()).collect();
        if held.roster.reads(&state.peer) {
            entries.extend(held.asking_in.values().map(Control::encode));
        }
        for part in entries.chunks(MAX_ASKING) {
            let entries = part.iter().map(|bytes| bytes.clone().into()).collect();
            self.send(link, &Frame::ControlBatch(ControlBatch { entries, more: false }));
        }
    }

    /// Notes a request, if its ticket is open and asks for one, and passes it on.
    pub(super) fn take_request(
        &mut self,
        room: RoomId,
        from: LinkId,
        control: Control,
    ) -> Result<(), Refusal> {
        let ControlBody::Request(request) = &control.body else { return Ok(()) };
        let Some(held) = self.rooms.get(&room) else { return Ok(()) };
        let author = control.header.author;
        let Some(state) = held.roster.tickets.get(&request.ticket) else { return Ok(()) };
        let signed = state.ticket.approve && control.verify_ticket(&state.ticket).is_ok();
        if !signed || control.header.room != Some(room) || held.roster.reads(&author) {
            return Ok(());
        }
        if !state.open(self.now.wall_ms) {
            // Only whoever asks is told: others pass on what they take to be open, and clocks differ.
            let from_itself = self.links.get(&from).is_some_and(|link| link.peer == author);
            return match (from_itself, state.closed, state.spent()) {
                (false, ..) => Ok(()),
                (true, true, _) => Err(Refusal::TicketClosed),
                (true, false, true) => Err(Refusal::TicketSpent),
                (true, false, false) => Err(Refusal::TicketExpired),
            };
        }
        let known = held.asking_in.get(&author).is_some_and(|held| held.header.time >= control.header.time);
        let full = held.asking_in.len() >= MAX_ASKING && !held.asking_in.contains_key(&author);
        if known || full || held.local.state != record::STATE_JOINED {
            return Ok(());
        }
        let key = restore::pair(&room, &EntryId(author.0));
        self.ops.push(Op::Put { table: Table::Asking, key, value: control.encode() });
        self.note(format!("{}: {} asks to be let in", room.short(), author.short()));
        if let Some(held) = self.rooms.get_mut(&room) {
            held.asking_in.insert(author, control);
        }
        for link in self.room_links(room).into_iter().filter(|link| *link != from) {
            self.tell_asking(link, room);
        }
        Ok(())
    }

    /// Requests that were answered, or whose ticket is dead, need not be kept.
    pub(super) fn tidy_asking(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let now = self.now.wall_ms;
        let is_over = |peer: &PeerId, control: &Control| {
            let ControlBody::Request(request) = &control.body else { return true };
            let open = held.roster.tickets.get(&request.ticket).is_some_and(|state| state.open(now));
            held.roster.reads(peer) || !open
        };
        let over: Vec<PeerId> = held
            .asking_in
            .iter()
            .filter(|(peer, control)| is_over(peer, control))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in over {
            self.forget_asking(room, &peer);
        }
    }
}
