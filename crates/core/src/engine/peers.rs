//! What is known of peers beyond one room: what this identity calls them, whom its person has verified, and by which
//! name each is shown. A name is never authority: nothing here may decide who may do what.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::{PeerId, RoomId};

use super::Engine;
use super::api::{Failure, Outcome, PeerView, RequestId};
use crate::persist::Table;
use crate::text::names::{self, Named};

/// A peer and the names it goes by, before they are told apart.
struct Known<'a> {
    peer: PeerId,
    id: String,
    petname: Option<&'a str>,
    nick: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn named(&self) -> Named<'_> {
        Named { id: &self.id, petname: self.petname, nick: self.nick }
    }

    fn all_named(known: &'a [Self]) -> Vec<Named<'a>> {
        known.iter().map(Known::named).collect()
    }
}

impl Engine {
    /// Every identity this node knows: itself, the members of all rooms, and who was named or verified; itself
    /// first, then by name.
    pub fn peers(&self) -> Vec<PeerView> {
        let mut rooms: BTreeMap<PeerId, Vec<RoomId>> = BTreeMap::from([(self.me, Vec::new())]);
        for (room, held) in &self.rooms {
            for peer in held.roster.members.keys() {
                rooms.entry(*peer).or_default().push(*room);
            }
        }
        let kept = self.peers.iter().filter(|(_, known)| {
            known.petname.is_some() || known.verified.is_some() || known.revoked.is_some()
        });
        kept.for_each(|(peer, _)| _ = rooms.entry(*peer).or_default());
        let linked: BTreeSet<PeerId> =
            self.links.values().filter(|link| link.open).map(|link| link.peer).collect();
        let known: Vec<Known<'_>> = rooms.keys().map(|peer| self.known(*peer)).collect();
        let shown = names::display_names(&Known::all_named(&known));
        let view = |((known, name), rooms): ((Known<'_>, _), Vec<RoomId>)| PeerView {
            peer: known.peer,
            name,
            petname: known.petname.and_then(names::petname),
            nick: known.nick.map(names::nick),
            own: known.peer == self.me,
            rooms,
            connected: linked.contains(&known.peer),
            last_seen: self.last_seen(&known.peer),
            verified: self.peers.get(&known.peer).and_then(|known| known.verified),
            revoked: self.peers.get(&known.peer).and_then(|known| known.revoked),
        };
        let mut peers: Vec<PeerView> =
            known.into_iter().zip(shown).zip(rooms.into_values()).map(view).collect();
        peers.sort_by(|a, b| (!a.own, a.name.as_str(), a.peer).cmp(&(!b.own, b.name.as_str(), b.peer)));
        peers
    }

    fn known(&self, peer: PeerId) -> Known<'_> {
        let record = self.peers.get(&peer);
        let nick = record.and_then(|known| known.nick.as_ref()).map(|(nick, _)| nick.as_str());
        Known {
            peer,
            id: peer.to_string(),
            petname: record.and_then(|known| known.petname.as_deref()),
            nick: if peer == self.me { Some(self.nick.as_str()) } else { nick },
        }
    }

    /// Works out again what the members of a room are called here. Whoever has a petname is counted among them,
    /// wherever they are: a member must not pass for somebody who is known from another room.
    pub(super) fn rename(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let named = self.peers.iter().filter(|(_, known)| known.petname.is_some()).map(|(peer, _)| peer);
        // What somebody said stays, and so does their name.
        let gone = [&held.roster.left, &held.roster.removed].into_iter().flat_map(|held| held.values());
        let gone = gone.map(|membership| &membership.identity);
        let peers: BTreeSet<PeerId> = held.roster.members.keys().chain(gone).chain(named).copied().collect();
        let known: Vec<Known<'_>> = peers.iter().map(|peer| self.known(*peer)).collect();
        let people = Known::all_named(&known);
        let shown = names::display_names(&people);
        let mistakable: BTreeMap<PeerId, PeerId> = names::mistakable(&people)
            .into_iter()
            .map(|(at, other)| (known[at].peer, known[other].peer))
            .filter(|(peer, _)| *peer != self.me && held.roster.reads(peer))
            .collect();
        let shown: BTreeMap<_, _> = known.iter().map(|known| known.peer).zip(shown).collect();
        if let Some(held) = self.rooms.get_mut(&room) {
            held.names = shown;
            held.mistakable = mistakable;
        }
    }

    /// The words about a member whose nick looks like the petname of somebody else.
    pub(super) fn mistaken(&self, room: RoomId, peer: PeerId) -> Option<String> {
        let other = *self.rooms.get(&room)?.mistakable.get(&peer)?;
        let petname = self.peers.get(&other)?.petname.as_deref()?;
        let shown = self.name_of(room, peer);
        Some(format!("“{shown}” is not the {petname} you named, who is {}", other.short()))
    }

    pub(super) fn set_petname(&mut self, request: RequestId, peer: PeerId, name: Option<&str>) {
        let outcome = self.may_note(peer).and_then(|()| match name {
            Some(name) => self.free_petname(peer, name).map(Some),
            None => Ok(None),
        });
        match outcome {
            Ok(petname) => {
                let record = self.peers.entry(peer).or_default();
                record.petname = petname;
                self.put_peer(peer);
                for room in self.rooms.keys().copied().collect::<Vec<_>>() {
                    self.rename(room);
                }
                self.reply(request, Ok(Outcome::Done));
            }
            Err(failure) => self.reply(request, Err(failure)),
        }
    }

    /// A name as it is written, if nobody else has it or one that looks like it.
    fn free_petname(&self, peer: PeerId, name: &str) -> Result<String, Failure> {
        let name = names::petname(name).ok_or(Failure::NoName)?.into_string();
        let taken = self.peers.iter().find_map(|(other, known)| {
            let petname = known.petname.as_ref().filter(|petname| names::alike(petname, &name))?;
            (*other != peer).then(|| Failure::PetnameTaken { peer: *other, petname: petname.clone() })
        });
        taken.map_or(Ok(name), Err)
    }

    pub(super) fn set_verified(&mut self, request: RequestId, peer: PeerId) {
        let outcome = self.may_note(peer).map(|()| {
            self.peers.entry(peer).or_default().verified = Some(self.now.wall_ms);
            self.put_peer(peer);
            Outcome::Done
        });
        self.reply(request, outcome);
    }

    /// Whether a person here may note something about a peer: it is known, and somebody else.
    fn may_note(&self, peer: PeerId) -> Result<(), Failure> {
        if peer == self.me {
            return Err(Failure::OwnPeer);
        }
        let kept =
            self.peers.get(&peer).is_some_and(|known| known.petname.is_some() || known.verified.is_some());
        let is_member = self.rooms.values().any(|held| held.roster.members.contains_key(&peer));
        if kept || is_member { Ok(()) } else { Err(Failure::NoSuchPeer) }
    }

    pub(super) fn put_peer(&mut self, peer: PeerId) {
        if let Some(record) = self.peers.get(&peer) {
            let value = parlor_wire::cbor::encode(record);
            self.put(Table::Peer, peer.0.to_vec(), value);
        }
    }
}
