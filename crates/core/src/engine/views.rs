//! What surfaces are shown of rooms, people and messages: read-only, and every text of others cleaned.

use std::collections::BTreeMap;

use parlor_wire::{EntryId, PeerId, RoomId, TimeMs, limits};

use super::api::{Form, MessageView, PersonView, RoomStanding, RoomView};
use super::{Engine, files};
use crate::persist::DataRow;
use crate::room::Gone;
use crate::room::body::{Body, KIND_MESSAGE};
use crate::room::record;
use crate::text::clean::CleanText;
use crate::text::names::{self, Named};
use crate::text::{Mode, clean, mention};

/// How long a spoken-of control head may be missing before people are told, in milliseconds.
const UNHELD_MS: u64 = 10_000;
/// A message stamped this much ahead of this clock is worth a word, in milliseconds.
const CLOCK_MS: u64 = 10 * 60 * 1000;
/// A few warnings of one kind tell as much as two hundred; `who` has one beside each.
const MISTAKABLE_SHOWN: usize = 4;
/// Before 2020 a clock is simply not set.
const CLOCK_UNSET_MS: u64 = 1_577_836_800_000;

impl Engine {
    /// What this identity calls itself.
    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// All rooms.
    pub fn rooms(&self) -> Vec<RoomView> {
        self.rooms.keys().filter_map(|id| self.room(id)).collect()
    }

    /// One room.
    pub fn room(&self, id: &RoomId) -> Option<RoomView> {
        let held = self.rooms.get(id)?;
        let now = self.now.wall_ms;
        let state = match (&held.local.frozen, held.local.state, held.local.refusal) {
            (Some(why), _, _) if held.older => RoomStanding::Older(why.clone()),
            (Some(why), _, _) => RoomStanding::Frozen(why.clone()),
            (None, record::STATE_JOINED, _) if held.gone(&self.me).is_some() => {
                let left = held.gone(&self.me) == Some(Gone::Left);
                if left { RoomStanding::Left } else { RoomStanding::Removed }
            }
            (None, record::STATE_REFUSED, _) if held.local.given_up => RoomStanding::Left,
            (None, record::STATE_JOINING, _) if held.local.asked.is_some() => RoomStanding::Asking,
            (None, record::STATE_REFUSED, Some(refusal)) => RoomStanding::Refused(refusal),
            (None, record::STATE_JOINED, _) => RoomStanding::Joined,
            _ => RoomStanding::Joining,
        };
        Some(RoomView {
            id: *id,
            name: self.room_name(*id),
            state,
            role: held.roster.members.get(&self.me).map(|member| member.role),
            members: held.roster.members.len() as u64,
            connected: self.connected(*id).len() as u64,
            arrivals: held.arrivals,
            open_tickets: held.roster.tickets.values().filter(|ticket| ticket.open(now)).count() as u64,
            waiting: held.waiting.iter().filter(|(key, _)| held.keys.get(key).is_none()).count() as u64,
            missing: self.missing(id),
            paused: self.paused(id),
            warnings: self.warnings(*id),
            direct: held.local.direct,
            stays_here: held.local.stays_here,
            lan: self.is_lan(id),
        })
    }

    /// By the longest each chain is said to be; what is paused does not come for now.
    fn missing(&self, room: &RoomId) -> u64 {
        let Some(held) = self.rooms.get(room) else { return 0 };
        let mut told: BTreeMap<EntryId, u64> = BTreeMap::new();
        for link in self.links.values().filter(|link| link.room == Some(*room) && link.open) {
            for chain in link.behind.iter().filter(|chain| held.chain_author(chain).is_some()) {
                let upto = link.peer_tips.get(chain).into_iter().flatten().map(|tip| tip.seq).max();
                let longest = told.entry(*chain).or_default();
                *longest = upto.map_or(0, |seq| seq.saturating_add(1)).max(*longest);
            }
        }
        let next = |chain: &EntryId| held.chains.get(chain).map_or(0, |mine| mine.next_seq());
        let comes = told.iter().filter(|(chain, _)| !self.is_paused(room, chain));
        comes.fold(0, |sum, (chain, len)| sum.saturating_add(len.saturating_sub(next(chain))))
    }

    fn warnings(&self, room: RoomId) -> Vec<String> {
        let Some(held) = self.rooms.get(&room) else { return Vec::new() };
        let mut warnings = held.local.warnings.clone();
        if self.older_roster(room) {
            warnings.push("others speak of roster changes that have not reached this node".into());
        }
        if self.is_written_out(room) {
            warnings.push(
                "this node has written the 256 control entries of one member: an owner has to make new keys"
                    .into(),
            );
        }
        let ahead = held.chains.values().filter_map(|chain| chain.last());
        if ahead.map(|tip| tip.sort_ms).max().is_some_and(|at| at > self.now.wall_ms + CLOCK_MS) {
            warnings.push("a message is stamped more than ten minutes ahead of this clock".into());
        }
        let revoked = held.roster.members.keys().filter_map(|peer| self.revoked_words(room, *peer));
        warnings.extend(revoked.take(MISTAKABLE_SHOWN));
        warnings.extend(
            held.mistakable.keys().take(MISTAKABLE_SHOWN).filter_map(|peer| self.mistaken(room, *peer)),
        );
        warnings
    }

    fn older_roster(&self, room: RoomId) -> bool {
        let Some(held) = self.rooms.get(&room) else { return false };
        let overdue =
            |(id, since): (&EntryId, &u64)| since + UNHELD_MS <= self.now.mono_ms && !held.dag.contains(id);
        self.links
            .values()
            .any(|link| link.room == Some(room) && link.entitled && link.spoken.iter().any(overdue))
    }

    /// What the author of a message should know.
    pub(super) fn send_warnings(&self, room: RoomId) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.older_roster(room) {
            warnings.push("sealed under an older roster: changes others speak of have not arrived".into());
        }
        if self.rooms.get(&room).is_some_and(|held| held.local.refusal.is_some()) {
            warnings.push(
                "an owner's node does not count this one as a member: others may never get this".into(),
            );
        }
        let other = self.direct_peer(&room);
        warnings.extend(other.and_then(|peer| self.revoked_words(room, peer)));
        if self.now.wall_ms < CLOCK_UNSET_MS {
            warnings.push("this machine's clock is not set: the message carries a wrong time".into());
        }
        warnings
    }

    /// Other live members with an open link.
    pub(super) fn connected(&self, room: RoomId) -> std::collections::BTreeSet<PeerId> {
        let Some(held) = self.rooms.get(&room) else { return Default::default() };
        let open = self.links.values().filter(|link| link.room == Some(room) && link.open);
        open.map(|link| link.peer).filter(|peer| *peer != self.me && held.roster.reads(peer)).collect()
    }

    /// Members of a room, this identity first, then by name.
    pub fn people(&self, room: &RoomId) -> Vec<PersonView> {
        let Some(held) = self.rooms.get(room) else { return Vec::new() };
        let connected = self.connected(*room);
        let mut people: Vec<PersonView> = held
            .roster
            .members
            .iter()
            .map(|(peer, member)| PersonView {
                peer: *peer,
                name: self.name_of(*room, *peer),
                role: member.role,
                own: *peer == self.me,
                connected: connected.contains(peer),
                last_seen: self.peers.get(peer).and_then(|known| known.last_seen),
                sessions: if *peer == self.me {
                    self.presence.own(*room)
                } else {
                    self.presence.of(*room, *peer)
                },
                verified: self.peers.get(peer).and_then(|known| known.verified),
                warning: self.revoked_words(*room, *peer).or_else(|| self.mistaken(*room, *peer)),
            })
            .collect();
        people.sort_by(|a, b| (!a.own, a.name.as_str(), a.peer).cmp(&(!b.own, b.name.as_str(), b.peer)));
        people
    }

    /// When a peer was last linked, by this node's clock.
    pub fn last_seen(&self, peer: &PeerId) -> Option<u64> {
        self.peers.get(peer).and_then(|known| known.last_seen)
    }

    /// Peers with an open link in any room.
    pub fn linked_peers(&self) -> usize {
        let peers: std::collections::BTreeSet<PeerId> =
            self.links.values().filter(|link| link.open).map(|link| link.peer).collect();
        peers.len()
    }

    /// What a room is called here: this node's alias, else its own name, else its id.
    pub fn room_name(&self, room: RoomId) -> CleanText {
        let local = self.rooms.get(&room).map(|held| &held.local);
        let alias = local.and_then(|local| local.alias.as_deref());
        let own = local.and_then(|local| local.name.as_ref().map(|(name, _)| name.as_str()));
        if let (None, Some(other)) = (alias, local.and_then(|local| local.direct)) {
            // No room can call itself that: names of rooms have no such sign.
            let name = format!("@{}", self.name_of(room, other));
            return clean(&name, Mode::Line { limit_chars: usize::MAX });
        }
        match alias.or(own) {
            Some(name) => names::room_name(name),
            None => names::room_name(&room.short()),
        }
    }

    /// What every room is called, alike ones told apart. A direct room is called by its peer's name, which is told
    /// apart already, behind a sign no other name has.
    pub fn room_names(&self) -> BTreeMap<RoomId, CleanText> {
        let (direct, rooms): (Vec<RoomId>, Vec<RoomId>) =
            self.rooms.keys().copied().partition(|id| self.direct_peer(id).is_some());
        let ids: Vec<String> = rooms.iter().map(ToString::to_string).collect();
        let own: Vec<String> = rooms.iter().map(|id| self.room_name(*id).into_string()).collect();
        let named: Vec<Named<'_>> =
            ids.iter().zip(&own).map(|(id, name)| Named { id, petname: None, nick: Some(name) }).collect();
        let shown = rooms.into_iter().zip(names::display_names(&named));
        shown.chain(direct.into_iter().map(|id| (id, self.room_name(id)))).collect()
    }

    /// The same of one room, where its name stands beside another's words.
    pub fn room_name_apart(&self, room: RoomId) -> CleanText {
        self.room_names().remove(&room).unwrap_or_else(|| self.room_name(room))
    }

    /// With whom a direct room is.
    pub fn direct_peer(&self, room: &RoomId) -> Option<PeerId> {
        self.rooms.get(room)?.local.direct
    }

    pub(super) fn name_of(&self, room: RoomId, peer: PeerId) -> CleanText {
        let named = self.rooms.get(&room).and_then(|held| held.names.get(&peer));
        named.cloned().unwrap_or_else(|| names::nick(&peer.short()))
    }

    /// An opened entry as surfaces see it; everything in it is cleaned here and nowhere else.
    pub(super) fn view_of(&self, row: &DataRow, peer: PeerId, time_ms: TimeMs, body: &Body) -> MessageView {
        let room = row.room;
        let newer = body.kind != KIND_MESSAGE;
        let text = body.text.as_deref().unwrap_or("(from a newer Parlor: update to read it)");
        let file = self.file_view(row, body);
        let text = match &file {
            Some(file) => files::words(text, file, &row.id),
            None => clean(text, Mode::Body),
        };
        MessageView {
            room,
            id: row.id,
            chain: row.chain,
            seq: row.seq,
            peer,
            name: self.name_of(room, peer),
            session: body.session.as_deref().map(|text| self.session_shown(&room, text)),
            author: body.author(),
            time_ms,
            sort_ms: row.sort_ms,
            arrival: row.arrival.unwrap_or(0),
            priority: body.priority(),
            text,
            own: peer == self.me,
            newer,
            to: body.to.as_deref().map(|text| self.session_shown(&room, text)),
            peers: body.peers.clone().unwrap_or_default(),
            ask: body.ask.as_ref().map(|ask| ask.deadline),
            about: body.about,
            tags: body
                .tags
                .iter()
                .flatten()
                .filter_map(|tag| mention::tag(tag))
                .take(limits::MAX_TAGS)
                .collect(),
            hops: body.hops(),
            form: body.form.map(Form::of),
            revoked: self.peers.get(&peer).is_some_and(|known| known.revoked.is_some()),
            sealed_unfit: row.sealed_unfit,
            file,
        }
    }
}
