//! Rooms nobody is invited to: the direct room of two identities, and rooms that stay on this node. Whose direct room
//! is read, and who hears one. Must not seal: a direct room is a room like any other there.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::control::{ControlBody, Direct, direct_room};
use parlor_wire::{EntryId, PeerId, RoomId, SignedCard, roster};

use super::Engine;
use super::api::{Failure, LinkId, NEAR, Outcome, SessionView, TakeRoom};
use crate::room::Room;
use crate::room::record::{self, LocalRecord};

impl Engine {
    /// The direct room with a peer, opened by this side if it is not yet. To open it is to accept the peer.
    pub(super) fn open_direct(&mut self, peer: PeerId) -> Result<Outcome, Failure> {
        self.stands()?;
        let room = direct_room(&self.me, &peer).ok_or(Failure::OwnPeer)?;
        if !self.shares_room(&peer) && !self.rooms.contains_key(&room) {
            return Err(Failure::NoSharedRoom);
        }
        self.hold_direct(room, peer);
        let already = self.own_membership(room).is_some();
        if !already {
            self.write_direct(room, peer)?;
        }
        self.local(room, |local| local.accepted = true);
        self.after_control(room);
        self.links_changed();
        Ok(Outcome::Joined { room, already })
    }

    fn hold_direct(&mut self, room: RoomId, peer: PeerId) {
        let fresh = || {
            let local = LocalRecord {
                state: record::STATE_JOINING,
                direct: Some(peer),
                contacts: vec![peer],
                ..LocalRecord::default()
            };
            Room::new(room, local)
        };
        self.rooms.entry(room).or_insert_with(fresh);
        self.mark_direct(room, peer);
        self.touched_rooms.insert(room);
    }

    /// The id of a room says that it is the two's, whatever led to it.
    fn mark_direct(&mut self, room: RoomId, peer: PeerId) {
        let Some(held) = self.rooms.get_mut(&room).filter(|held| held.local.direct.is_none()) else { return };
        held.ticket = None;
        held.local.ticket_seed = None;
        held.local.ticket_expires = None;
        held.local.refusal = None;
        held.local.direct = Some(peer);
        held.local.contacts = vec![peer];
        if held.local.state == record::STATE_REFUSED {
            held.local.state = record::STATE_JOINING;
        }
        self.touched_rooms.insert(room);
    }

    /// A room that turns out to be a direct one: a ticket's text can name any room.
    pub(super) fn notice_direct(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room).filter(|held| held.local.direct.is_none()) else { return };
        let opened = held.dag.iter().next().and_then(|control| match &control.body {
            ControlBody::Direct(direct) => Some((control.header.author, direct.other)),
            _ => None,
        });
        let other = opened.map(|(author, other)| if author == self.me { other } else { author });
        if let Some(other) = other {
            self.mark_direct(room, other);
        }
    }

    /// Whether a room's id is that of the two of this identity and anybody it has heard of, or whom a ticket names.
    pub(super) fn is_direct_id(&self, room: &RoomId, named: impl Iterator<Item = PeerId>) -> bool {
        let members = self.rooms.values().flat_map(|held| held.roster.members.keys().copied());
        let known = members.chain(self.peers.keys().copied());
        known.chain(named).any(|peer| direct_room(&self.me, &peer).as_ref() == Some(room))
    }

    /// Opens it for this identity, with the cards of the other that other rooms know.
    pub(super) fn write_direct(&mut self, room: RoomId, other: PeerId) -> Result<EntryId, Failure> {
        let card = self.identity.card(0, self.now.wall_ms);
        let body = ControlBody::Direct(Direct { other, card, known: self.cards_of(&other) });
        let chain = self.author_control(room, body, None, None)?;
        self.local(room, |local| {
            local.state = record::STATE_JOINED;
            local.chain = Some(chain);
            local.confirmed = true;
        });
        self.rename(room);
        Ok(chain)
    }

    /// The unsuperseded cards of a peer, of all rooms.
    fn cards_of(&self, peer: &PeerId) -> Vec<SignedCard> {
        let members = self.rooms.values().filter_map(|held| held.roster.members.get(peer));
        let mut cards: Vec<SignedCard> = members.flat_map(|member| member.cards.clone()).collect();
        roster::keep_unsuperseded(&mut cards);
        cards
    }

    /// Whether this identity and a peer are both in some room that is no direct one.
    fn shares_room(&self, peer: &PeerId) -> bool {
        let shared = |held: &Room| held.roster.reads(&self.me) && held.roster.reads(peer);
        self.rooms.values().any(|held| held.local.direct.is_none() && shared(held))
    }

    /// Whether a room is spoken of with a peer at all. A direct room is, between its two, as long as they share a
    /// room, or a person here has spoken in it; one that stays here is with nobody.
    pub(super) fn speaks_of(&self, room: &RoomId, peer: &PeerId) -> bool {
        self.rooms.get(room).is_some_and(|held| match held.local.direct {
            _ if held.local.stays_here => false,
            None => true,
            Some(other) => other == *peer && (held.local.accepted || self.shares_room(peer)),
        })
    }

    /// A peer names a room: holds it if it is the direct room with that peer, and both share another. False when it
    /// is none of this node's.
    pub(super) fn knows_room(&mut self, room: RoomId, peer: PeerId) -> bool {
        if !self.rooms.contains_key(&room)
            && direct_room(&self.me, &peer) == Some(room)
            && self.shares_room(&peer)
        {
            self.hold_direct(room, peer);
        }
        self.speaks_of(&room, &peer)
    }

    /// After somebody has gone from a room: links about direct rooms that are no longer spoken of, or no longer on such links.
    pub(super) fn hush_directs(&mut self) {
        let ended = |id: &LinkId, link: &super::link::Link| {
            link.room.is_some_and(|room| {
                let strays = self.is_lan(&room) && id & NEAR == 0;
                self.rooms.contains_key(&room) && (strays || !self.speaks_of(&room, &link.peer))
            })
        };
        let over: Vec<LinkId> =
            self.links.iter().filter(|(id, link)| ended(id, link)).map(|(id, _)| *id).collect();
        for link in over {
            self.close_link(link, "they no longer share a room, or only in the local network");
        }
    }

    /// These rooms, and the direct rooms with their members: whoever hears a room hears what its members say to this
    /// identity alone.
    pub fn with_directs(&self, mut rooms: Vec<TakeRoom>) -> Vec<TakeRoom> {
        let named: BTreeSet<RoomId> = rooms.iter().map(|one| one.room).collect();
        let of_heard = |peer: &PeerId| {
            named.iter().filter_map(|room| self.rooms.get(room)).any(|held| held.roster.reads(peer))
        };
        let heard = self.rooms.iter().filter(|(room, held)| {
            !named.contains(room) && held.local.direct.is_some_and(|peer| of_heard(&peer))
        });
        rooms.extend(heard.map(|(room, _)| TakeRoom { room: *room, bound_at: 0 }));
        rooms
    }

    /// All direct rooms.
    pub fn direct_rooms(&self) -> Vec<TakeRoom> {
        let directs = self.rooms.iter().filter(|(_, held)| held.local.direct.is_some());
        directs.map(|(room, _)| TakeRoom { room: *room, bound_at: 0 }).collect()
    }

    /// A peer's sessions that are present anywhere, one for each program and label.
    pub fn sessions_seen(&self, peer: &PeerId) -> Vec<SessionView> {
        let everywhere = self.rooms.keys().flat_map(|room| self.presence.of(*room, *peer));
        let named = |view: SessionView| ((view.presence.label.clone(), view.presence.program.clone()), view);
        everywhere.map(named).collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The labels of a peer's sessions that are present anywhere.
    pub fn sessions_of(&self, peer: &PeerId) -> BTreeSet<String> {
        let everywhere = self.rooms.keys().flat_map(|room| self.presence.of(*room, *peer));
        everywhere.map(|session| session.presence.label).collect()
    }
}
