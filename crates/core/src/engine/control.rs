//! Control entries coming in: checked, taken into the DAG, persisted, folded, and what follows from them. Must
//! not skip what it does not know: that freezes the room.

use parlor_wire::control::{Close, Control, ControlBody, Join};
use parlor_wire::frame::Refusal;
use parlor_wire::roster::{Freeze, Insert, freezes};
use parlor_wire::{EntryId, RoomId};

use super::Engine;
use super::api::{Failure, LinkId};
use super::ruling::Without;
use crate::keys::{Leak, Opener};
use crate::persist::Op;
use crate::room::body::Body;
use crate::room::record;

/// What became of a batch of control entries.
#[derive(Debug, Default)]
pub(super) struct ControlIntake {
    /// Something new is in.
    pub grew: bool,
    /// What is in has not all been folded yet.
    unfolded: bool,
    /// The link must be closed, because of this.
    pub violation: Option<String>,
    /// Among it was an entry whose author waits to see it heard: a join, a leave.
    pub joined: bool,
    /// A join by a ticket that lets nobody in any more.
    pub refused: Option<Refusal>,
}

impl Engine {
    /// Takes in control entries of a peer.
    pub(super) fn take_control(
        &mut self,
        room: RoomId,
        link: LinkId,
        entries: &[impl AsRef<[u8]>],
    ) -> ControlIntake {
        let mut intake = ControlIntake::default();
        for bytes in entries {
            match Control::decode(bytes.as_ref()) {
                Ok(control) if matches!(control.body, ControlBody::Request(_)) => {
                    if let Err(refusal) = self.take_request(room, link, control) {
                        intake.refused = Some(refusal);
                    }
                }
                Ok(control) => {
                    if let Err(refusal) = self.admit(room, &control) {
                        intake.refused = Some(refusal);
                    } else if self.is_of_the_gone(room, link, &control) {
                        self.note(format!("{}: nothing is taken from who is out", room.short()));
                    } else if self.is_surplus_after(room, link, &control, &mut intake) {
                        intake.violation = self.leave_surplus(room, link, &control);
                    } else if self.may_wait(room, link, &control) {
                        self.insert_control(room, control, &mut intake);
                    }
                }
                Err(error) if error.freezes() => self.too_old_for(room, bytes.as_ref(), &error.to_string()),
                Err(error) => intake.violation = Some(error.to_string()),
            }
            if intake.violation.is_some() {
                break;
            }
        }
        if intake.grew {
            self.notice_direct(room);
            self.refold(room);
            // Who has just joined is told that it was heard.
            self.tell_control(room, Some(link).filter(|_| !intake.joined));
            self.after_control(room);
        }
        intake
    }

    /// Whether an entry is surplus by everything that came before it in its batch: its author may have become an
    /// owner by that.
    fn is_surplus_after(
        &mut self,
        room: RoomId,
        link: LinkId,
        control: &Control,
        intake: &mut ControlIntake,
    ) -> bool {
        if self.is_surplus(room, link, control) && std::mem::take(&mut intake.unfolded) {
            self.refold(room);
        }
        self.is_surplus(room, link, control)
    }

    fn insert_control(&mut self, room: RoomId, control: Control, intake: &mut ControlIntake) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        match held.dag.insert(control) {
            Insert::In(ids) => {
                (intake.grew, intake.unfolded) = (true, true);
                for id in ids {
                    if let Some(control) = held.dag.get(&id) {
                        intake.joined |= matches!(
                            control.body,
                            ControlBody::Join(_) | ControlBody::Admit(_) | ControlBody::Leave(_)
                        );
                        self.ops.push(Op::PutControl { room, id, bytes: control.encode() });
                    }
                }
            }
            Insert::Known | Insert::Waits => {}
            Insert::Malformed(why) => intake.violation = Some(format!("a control entry {why}")),
            Insert::Full => self.note(format!("{}: too many control entries wait for others", room.short())),
        }
    }

    /// R9: whoever takes a join from one who is no member refuses it when its ticket is spent or expired, or the room
    /// is full. A join that others have already built on is part of the room's past and is taken.
    fn admit(&self, room: RoomId, control: &Control) -> Result<(), Refusal> {
        let ControlBody::Join(join) = &control.body else { return Ok(()) };
        let Some(held) = self.rooms.get(&room) else { return Ok(()) };
        let author = control.header.author;
        let newcomer =
            author != self.me && !held.roster.reads(&author) && held.local.state == record::STATE_JOINED;
        let Some(state) = held.roster.tickets.get(&join.ticket) else { return Ok(()) };
        let mut own_links =
            self.links.values().filter(|link| link.room == Some(room) && link.peer == author).peekable();
        let from_itself = own_links.peek().is_some();
        if !newcomer || !from_itself || held.dag.missing().contains(&control.id) {
            return Ok(());
        }
        if held.is_full() {
            return Err(Refusal::Full);
        }
        // One who holds another, open ticket is let in by that; what it wrote before is harmless.
        if own_links.all(|link| link.entitled) {
            return Ok(());
        }
        if state.closed {
            return Err(Refusal::TicketClosed);
        }
        if state.spent() {
            return Err(Refusal::TicketSpent);
        }
        if state.expired(self.now.wall_ms) {
            return Err(Refusal::TicketExpired);
        }
        Ok(())
    }

    /// An entry this Parlor is too old to read: if a member wrote it, the room is read-only here from now on.
    fn too_old_for(&mut self, room: RoomId, bytes: &[u8], why: &str) {
        let Some(held) = self.rooms.get(&room) else { return };
        if freezes(&held.dag, &held.roster, bytes) != Freeze::Room || held.local.frozen.is_some() {
            return;
        }
        self.note(format!("{}: frozen: {why}", room.short()));
        self.local(room, |local| {
            local.frozen = Some(why.to_owned());
            local.frozen_for = Some(record::VERSION.to_owned());
        });
    }

    /// Computes again what the control entries mean: roster, keys, whose names are shown how.
    pub(super) fn refold(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        let roster = parlor_wire::roster::Roster::fold(&held.dag);
        if roster.chains != held.roster.chains {
            held.counting.roster_changed(&roster);
        }
        held.roster = roster;
        held.fit = None;
        let mut openers: Vec<Opener<'_>> = held
            .roster
            .cards
            .iter()
            .filter(|(_, peer)| **peer == self.me)
            .map(|(card, _)| Opener { to: *card, secret: self.identity.sealing_secret() })
            .collect();
        let ticket = held.ticket.as_ref();
        openers.extend(ticket.map(|keys| Opener {
            to: parlor_wire::control::ticket_recipient(&keys.signing_key(), &keys.sealing_key),
            secret: &keys.sealing_secret,
        }));
        let opened = held.keys.read(&room, &held.dag, &held.roster, &openers, self.now.mono_ms);
        let leaks = held.keys.take_leaks();
        for id in &opened {
            if let Some(key) = held.keys.get(id) {
                self.ops.push(Op::PutKey { room, id: *id, key: key.clone() });
            }
        }
        for leak in leaks {
            self.warn_of_leak(room, leak);
        }
        self.rename(room);
        self.look_at_mesh(room);
        self.links_changed();
    }

    fn warn_of_leak(&mut self, room: RoomId, leak: Leak) {
        let by = leak.by.short();
        self.warn(
            room,
            if leak.unheeded {
                format!("{by} gives room keys to strangers again and again: only putting it out helps")
            } else {
                format!("{by} gave a room key to somebody who is not in the room")
            },
        );
    }

    /// What follows from a changed roster: a join to write, grants to give, entries that now open.
    pub(super) fn after_control(&mut self, room: RoomId) {
        self.notice_undone_join(room);
        self.complete_join(room);
        self.tidy_asking(room);
        self.look_at_cuts(room);
        self.reopen(room);
        self.tell_nick(room);
        self.plan_repairs(room);
        self.close_dead_tickets(room);
        self.entitle_links(room);
        self.hush_directs();
        self.note_lan_directs();
        self.control_grew(room);
        self.notice_put_out(room);
    }

    /// A join that a close had not seen is undone (R5): it is tried again if the ticket is still open to this node,
    /// else it has failed.
    fn notice_undone_join(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let undone = held.local.state == record::STATE_JOINED
            && held.local.ticket_seed.is_some()
            && !held.roster.reads(&self.me)
            && held.gone(&self.me).is_none();
        if undone {
            self.local(room, |local| {
                local.state = record::STATE_JOINING;
                local.confirmed = false;
            });
        }
    }

    /// Notes that a peer holds this node's join.
    pub(super) fn confirm_join(&mut self, room: RoomId, heads: &[EntryId]) {
        let Some(held) = self.rooms.get(&room) else { return };
        if held.local.confirmed || held.local.ticket_seed.is_none() {
            return;
        }
        let Some(membership) = self.own_membership(room) else { return };
        if heads.iter().any(|head| held.dag.reaches(head, &membership)) {
            self.local(room, |local| local.confirmed = true);
            self.answer_joins(room);
        }
    }

    /// Writes the join of a saved room as soon as all control entries of a peer are here.
    pub(super) fn complete_join(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        if held.local.state != record::STATE_JOINING || held.dag.is_empty() || held.local.frozen.is_some() {
            return;
        }
        let caught_up = self.links.values().any(|link| link.room == Some(room) && link.control_done);
        if held.roster.reads(&self.me) {
            if caught_up {
                self.finish_rejoin(room);
            }
            return;
        }
        let Some(keys) = &held.ticket else { return };
        let Some((ticket, state)) = held.roster.ticket_by_key(&keys.signing_key()) else { return };
        let refusal = if state.closed {
            Some(Refusal::TicketClosed)
        } else if state.spent() {
            Some(Refusal::TicketSpent)
        } else if state.expired(self.now.wall_ms) {
            Some(Refusal::TicketExpired)
        } else if held.is_full() && !state.ticket.approve {
            Some(Refusal::Full)
        } else {
            None
        };
        match refusal {
            Some(refusal) => self.join_refused(room, refusal),
            None if caught_up && state.ticket.approve => self.ask_in(room, ticket),
            None if caught_up => self.write_join(room, ticket),
            None => {}
        }
    }

    fn write_join(&mut self, room: RoomId, ticket: EntryId) {
        let Some(seed) = self.rooms.get(&room).and_then(|held| held.local.ticket_seed) else { return };
        let keys = crate::crypto::TicketKeys::from_seed(&seed.0);
        let card = self.identity.card(0, self.now.wall_ms);
        let body = ControlBody::Join(Join { ticket, card });
        match self.author_control(room, body, None, Some(&keys)) {
            Ok(chain) => {
                self.local(room, |local| {
                    local.state = record::STATE_JOINED;
                    local.chain = Some(chain);
                });
                // Whoever waits for the join is answered when somebody has heard it.
                self.joined(room);
            }
            Err(failure) => self.note(format!("{}: the join was not written: {failure}", room.short())),
        }
    }

    /// This identity is a member already, but this store has no chain of its own: it lost or restored its state.
    ///
    /// One whom an owner has let in writes to the chain that the admit opened.
    fn finish_rejoin(&mut self, room: RoomId) {
        let admitted = self.own_admit(room);
        self.local(room, |local| {
            local.state = record::STATE_JOINED;
            local.refusal = None;
            local.confirmed = true;
            local.asked = None;
            if admitted.is_some() {
                local.chain = admitted;
            }
        });
        let opened = match (admitted, self.unopened_direct(room)) {
            (Some(_), _) => Ok(()),
            (None, Some(other)) => self.write_direct(room, other).map(drop),
            (None, None) => self.open_new_chain(room).map(drop),
        };
        if let Err(failure) = opened {
            self.note(format!("{}: no new chain: {failure}", room.short()));
        }
        self.joined(room);
        self.answer_joins(room);
    }

    /// The other of a direct room that only the other has opened.
    fn unopened_direct(&self, room: RoomId) -> Option<parlor_wire::PeerId> {
        let other = self.rooms.get(&room)?.local.direct?;
        self.own_membership(room).is_none().then_some(other)
    }

    /// The admit that answers this node's own request, if nothing is chained to it yet.
    fn own_admit(&self, room: RoomId) -> Option<EntryId> {
        let held = self.rooms.get(&room)?;
        let asked = Control::decode_trusted(held.local.asked.as_ref()?).ok()?;
        let member = held.roster.members.get(&self.me)?;
        let answers = |id: &&EntryId| {
            let admit = held.dag.get(id).map(|control| &control.body);
            matches!(admit, Some(ControlBody::Admit(admit)) if admit.request.id == asked.id)
        };
        member.memberships.iter().find(answers).copied().filter(|id| !held.chains.contains_key(id))
    }

    fn joined(&mut self, room: RoomId) {
        self.tell_nick(room);
        self.entitle_links(room);
        self.note(format!("{}: joined", room.short()));
    }

    /// The join cannot succeed: remembered, told, and not tried again by itself.
    pub(super) fn join_refused(&mut self, room: RoomId, refusal: Refusal) {
        self.local(room, |local| {
            local.state = record::STATE_REFUSED;
            local.refusal = Some(refusal);
        });
        self.answer_joins(room);
        self.links_changed();
    }

    /// A peer refuses the ticket. A saved join ends by that; one that is written but that nobody has ever shown to
    /// hold ends when it is an owner who says so.
    pub(super) fn ticket_refused(&mut self, room: RoomId, by: parlor_wire::PeerId, refusal: Refusal) {
        let Some(held) = self.rooms.get(&room).filter(|held| held.gone(&self.me).is_none()) else { return };
        let unheard = held.local.state == record::STATE_JOINED
            && held.local.ticket_seed.is_some()
            && !held.local.confirmed
            && held.roster.owns(&by);
        if held.local.state == record::STATE_JOINING || unheard {
            self.join_refused(room, refusal);
        } else if held.roster.owns(&by) {
            // It may be that owner who is behind, or this join that was undone: another ticket settles it.
            self.local(room, |local| local.refusal = Some(refusal));
            self.warn(
                room,
                "an owner's node does not count this one as a member: ask for a new ticket".into(),
            );
        }
    }

    /// R9: every owner's node closes a spent or expired ticket on sight.
    pub(super) fn close_dead_tickets(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        if !held.roster.owns(&self.me) || held.local.frozen.is_some() {
            return;
        }
        let now = self.now.wall_ms;
        let dead: Vec<EntryId> = held
            .roster
            .tickets
            .iter()
            .filter(|(_, state)| !state.closed && (state.spent() || state.expired(now)))
            .map(|(id, _)| *id)
            .collect();
        for ticket in dead {
            if let Err(failure) = self.close_ticket(room, ticket) {
                self.note(format!("{}: a dead ticket was not closed: {failure}", room.short()));
                return;
            }
        }
    }

    /// Closes a ticket, with a key it does not know (K4).
    pub(super) fn close_ticket(&mut self, room: RoomId, ticket: EntryId) -> Result<(), Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if !held.roster.owns(&self.me) {
            return Err(Failure::OwnersOnly);
        }
        let state = held.roster.tickets.get(&ticket).ok_or(Failure::NoSuchTicket)?;
        if state.closed {
            // Another close would give the room another key for nothing.
            return Err(Failure::TicketClosed);
        }
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        let rekey = Some(self.make_rekey(room, &Without { peer: None, tickets: &[ticket] })?);
        self.author_control(room, ControlBody::Close(Close { ticket, rekey }), Some(membership), None)?;
        Ok(())
    }

    /// Takes in what an opened body says to this program.
    pub(super) fn consume(&mut self, room: RoomId, author: parlor_wire::PeerId, sort_ms: u64, body: &Body) {
        if let Some(nick) = &body.nick
            && self.learn_nick(author, nick, sort_ms)
        {
            self.rename(room);
        }
        if body.kind == crate::room::body::KIND_REVOKED {
            self.heard_revoked(room, author);
        }
        let owner = self.rooms.get(&room).is_some_and(|held| held.roster.owns(&author));
        if body.kind == crate::room::body::KIND_ROOM
            && owner
            && let Some(name) = &body.text
        {
            let name = crate::text::names::room_name(name).into_string();
            let newer = self
                .rooms
                .get(&room)
                .is_some_and(|held| held.local.name.as_ref().is_none_or(|(_, at)| *at < sort_ms));
            if newer {
                self.local(room, |local| local.name = Some((name, sort_ms)));
            }
        }
    }

    /// True when it is news.
    fn learn_nick(&mut self, peer: parlor_wire::PeerId, nick: &str, sort_ms: u64) -> bool {
        let nick = crate::text::names::nick(nick).into_string();
        let record = self.peers.entry(peer).or_default();
        let news = record.nick.as_ref().is_none_or(|(known, at)| *at < sort_ms && *known != nick);
        if news {
            record.nick = Some((nick, sort_ms));
            let value = parlor_wire::cbor::encode(record);
            self.put(crate::persist::Table::Peer, peer.0.to_vec(), value);
        }
        news
    }
}
