//! Where nodes are reached, told inside their rooms: who has moved is found again by everybody as soon as one member
//! has heard of it. Signed, sealed, passed on once; what is heard is remembered with the peer. Must not decide which
//! address is dialled: the carrier does.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parlor_wire::frame::{Frame, KNOWS_WHEREABOUTS, Signal};
use parlor_wire::{PeerId, RoomId, Salt, limits};

use super::Engine;
use super::api::{LinkId, NEAR, Places};
use crate::room::record;
use crate::room::said::Whereabouts;

/// Relays remembered of one peer: it moves from one to another now and then.
const KEPT_RELAYS: usize = 3;
/// Addresses remembered of one peer: what it says of itself, and where it was reached.
const KEPT_ADDRESSES: usize = 8;
/// Of these, most that one word of the peer itself puts first.
const KEPT_SAID: usize = 6;
/// Whereabouts of one member that are heeded in a minute: each is written down and passed on, and nobody moves that often.
const HEEDED: u32 = 10;
const HEEDED_MS: u64 = 60_000;
/// When what was said is said again, in milliseconds: soon, for those who had not heard yet that its author is a member;
/// then now and then, for those to whom it was lost.
const AGAIN_SOON_MS: u64 = 30_000;
const AGAIN_MS: u64 = 10 * 60 * 1000;
/// Words of members one has not heard of yet that are kept of a link, until its control entries are here.
const EARLY: usize = 8;

/// The newest whereabouts of a member, and how many were heeded since when.
#[derive(Debug)]
struct Heard {
    signal: Signal,
    since_ms: u64,
    count: u32,
}

/// What this node says of itself, and the newest that was heard of others.
#[derive(Debug, Default)]
pub(super) struct WhereaboutsBook {
    far: Places,
    near: Vec<SocketAddr>,
    /// Grows with what is said; begun by the clock, so that a restarted node is newer than before.
    counter: u64,
    /// It was not said yet as it is now.
    is_new: bool,
    /// When it is said again.
    due_ms: Option<u64>,
    heard: BTreeMap<(RoomId, PeerId), Heard>,
}

impl WhereaboutsBook {
    /// Forgets what was heard of those who are not in a room any more.
    pub(super) fn keep(&mut self, room: RoomId, is_in: impl Fn(&PeerId) -> bool) {
        self.heard.retain(|(of, peer), _| *of != room || is_in(peer));
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// The relay of this node that others are told of, for the text of a ticket.
    pub(super) fn relay(&self) -> Option<&String> {
        self.far.relays.first()
    }
}

impl Engine {
    /// This node is reached elsewhere from now on.
    pub(super) fn here(&mut self, far: Places, near: Vec<SocketAddr>) {
        if (&self.whereabouts.far, &self.whereabouts.near) == (&far, &near) {
            return;
        }
        (self.whereabouts.far, self.whereabouts.near) = (far, near);
        self.whereabouts.due_ms = Some(self.now.mono_ms + AGAIN_SOON_MS);
        self.say_where();
    }

    pub(super) fn tick_whereabouts(&mut self) {
        if self.whereabouts.due_ms.is_some_and(|due| due <= self.now.mono_ms) {
            self.whereabouts.due_ms = Some(self.now.mono_ms + AGAIN_MS);
            self.say_where();
        }
    }

    /// Says in all rooms where this node is.
    fn say_where(&mut self) {
        self.whereabouts.is_new = true;
        // With nobody to hear it nothing is counted, for counting is written down: a disk may be full.
        if !self.links.values().any(|link| link.open && link.entitled) {
            return;
        }
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            if let Some(signal) = self.own_whereabouts(room) {
                self.spread(room, None, &signal);
            }
        }
    }

    /// Tells a link that has just opened where this node is, and where others said they are.
    pub(super) fn tell_whereabouts(&mut self, link: LinkId, room: RoomId) {
        if !self.takes_whereabouts(link) {
            return;
        }
        let peer = self.links.get(&link).map(|link| link.peer);
        let range = (room, PeerId([0; 32]))..=(room, PeerId([255; 32]));
        let heard = self.whereabouts.heard.range(range).filter(|((_, of), _)| Some(*of) != peer);
        let heard: Vec<Signal> =
            heard.take(limits::MAX_WHEREABOUTS_TOLD).map(|(_, heard)| heard.signal.clone()).collect();
        for signal in self.own_whereabouts(room).into_iter().chain(heard) {
            self.send(link, &Frame::Whereabouts(signal));
        }
    }

    fn takes_whereabouts(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.peer_knows & KNOWS_WHEREABOUTS != 0)
    }

    fn spread(&mut self, room: RoomId, from: Option<LinkId>, signal: &Signal) {
        for link in self.room_links(room) {
            if Some(link) != from && self.takes_whereabouts(link) {
                self.send(link, &Frame::Whereabouts(signal.clone()));
            }
        }
    }

    /// Where this node is, as the members of a room may know it: of a room that stays in the local network only
    /// addresses of its carrier, and nothing where nothing is known.
    fn own_whereabouts(&mut self, room: RoomId) -> Option<Signal> {
        let held = self.rooms.get(&room)?;
        if held.local.stays_here {
            return None;
        }
        let book = &self.whereabouts;
        let (addresses, relay) = match self.is_lan(&room) {
            true => (&book.near, None),
            false => (&book.far.addresses, book.far.relays.first()),
        };
        if addresses.is_empty() && relay.is_none() {
            return None;
        }
        let addresses = addresses.iter().take(limits::MAX_TOLD_ADDRESSES).map(ToString::to_string).collect();
        let said = Whereabouts { addresses, relay: relay.cloned() };
        if std::mem::take(&mut self.whereabouts.is_new) {
            self.whereabouts.counter = self.next_counter(Some(self.whereabouts.counter));
        }
        // The handle is no session's, and the time to live says that it is no presence.
        self.sealed_signal(room, Salt([0; 16]), self.whereabouts.counter, 0, &said.encode())
    }

    pub(super) fn heard_whereabouts(&mut self, link: LinkId, room: RoomId, signal: Signal) {
        let Some(held) = self.rooms.get(&room) else { return };
        let place = (room, signal.author);
        let known = self.whereabouts.heard.get(&place);
        // Over a restart the counter is kept with the peer, or its own old words, replayed, would undo where it is.
        let kept = self.peers.get(&signal.author).map_or(0, |peer| peer.said_where);
        let newer = known.map_or(kept, |known| known.signal.counter) < signal.counter;
        let now = self.now.mono_ms;
        let running = known.filter(|known| known.since_ms.saturating_add(HEEDED_MS) > now);
        let (since_ms, before) = running.map_or((now, 0), |known| (known.since_ms, known.count));
        let is_such = signal.session == Salt([0; 16]) && signal.ttl_s == 0;
        let fits = newer && is_such && before < HEEDED;
        if signal.author == self.me || !fits {
            return;
        }
        if !held.roster.reads(&signal.author) {
            return self.keep_early(link, signal);
        }
        // Who is entitled to nothing any more still speaks, and of others only what is old.
        if !self.serves(link) {
            return;
        }
        if !signal.verify(&room) {
            return self.close_link(link, "whereabouts whose signature is not valid");
        }
        let Some(said) = self.open_sealed(room, &signal).and_then(|said| Whereabouts::decode(&said).ok())
        else {
            return;
        };
        let (author, counter) = (signal.author, signal.counter);
        self.spread(room, Some(link), &signal);
        self.whereabouts.heard.insert(place, Heard { signal, since_ms, count: before + 1 });
        let known = self.peers.entry(author).or_default();
        known.said_where = counter.max(known.said_where);
        self.put_peer(author);
        self.learn_said(author, &said, link & NEAR != 0);
    }

    /// Its author may be a member this node has not heard of yet.
    fn keep_early(&mut self, link: LinkId, signal: Signal) {
        let Some(link) = self.links.get_mut(&link) else { return };
        link.early.retain(|other| other.author != signal.author);
        if link.early.len() < EARLY {
            link.early.push(signal);
        }
    }

    /// Somebody has become a member: what came too early is heard now.
    pub(super) fn hear_early(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let mut heard = Vec::new();
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.room == Some(room)) {
            let (now, later) = std::mem::take(&mut link.early)
                .into_iter()
                .partition::<Vec<Signal>, _>(|signal| held.roster.reads(&signal.author));
            link.early = later;
            heard.extend(now.into_iter().map(|signal| (*id, signal)));
        }
        for (link, signal) in heard {
            self.heard_whereabouts(link, room, signal);
        }
    }

    /// Remembers what a peer says of itself.
    fn learn_said(&mut self, peer: PeerId, said: &Whereabouts, near: bool) {
        let told = said.addresses.iter().take(limits::MAX_TOLD_ADDRESSES);
        let addresses: Vec<SocketAddr> = told.filter_map(|text| text.parse().ok()).collect();
        self.learned_from(peer, &addresses, near, KEPT_SAID);
        let relay = said.relay.iter().filter(|url| !near && url.len() <= limits::MAX_RELAY_URL_BYTES);
        let relays: Vec<String> = relay.cloned().collect();
        self.learned_relays(peer, &relays);
    }

    /// Where a peer was reached or says it is, newest first, bounded.
    pub(super) fn learned(&mut self, peer: PeerId, addresses: &[SocketAddr], near: bool) {
        self.learned_from(peer, addresses, near, KEPT_ADDRESSES);
    }

    /// The same of at most so many of these: what a peer says never takes the place of all where it was reached.
    fn learned_from(&mut self, peer: PeerId, addresses: &[SocketAddr], near: bool, most: usize) {
        let addresses = &addresses[..addresses.len().min(most)];
        if peer == self.me || addresses.is_empty() {
            return;
        }
        let known = self.peers.entry(peer).or_default();
        let kept = if near { &mut known.near } else { &mut known.addresses };
        let told = addresses.iter().map(ToString::to_string);
        if newest_first(kept, told.collect(), KEPT_ADDRESSES) {
            self.put_peer(peer);
            self.links_changed();
        }
    }

    /// By which relays a peer can be called, newest first, bounded.
    pub(super) fn learned_relays(&mut self, peer: PeerId, relays: &[String]) {
        if peer == self.me || relays.is_empty() {
            return;
        }
        let known = self.peers.entry(peer).or_default();
        if newest_first(&mut known.relays, relays.to_vec(), KEPT_RELAYS) {
            self.put_peer(peer);
            self.links_changed();
        }
    }

    /// Where a peer may be reached for a room.
    pub fn places_of(&self, peer: &PeerId, room: &RoomId) -> Places {
        let Some(known) = self.peers.get(peer) else { return Places::default() };
        let parsed = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        match self.is_lan(room) {
            true => Places { addresses: parsed(&known.near), relays: Vec::new() },
            false => Places { addresses: parsed(&known.addresses), relays: known.relays.clone() },
        }
    }

    /// Whether a room stays in the local network. A direct room does while all rooms that its two share do, and when they share none
    /// any more, if it did before.
    pub fn is_lan(&self, room: &RoomId) -> bool {
        let Some(held) = self.rooms.get(room) else { return false };
        let Some(peer) = held.local.direct else { return held.local.lan };
        let shared = |held: &&crate::room::Room| {
            held.local.direct.is_none() && held.roster.reads(&self.me) && held.roster.reads(&peer)
        };
        let mut shared = self.rooms.values().filter(shared).peekable();
        if shared.peek().is_none() {
            return held.local.lan;
        }
        shared.all(|held| held.local.lan)
    }

    /// Notes of direct rooms whether they stay in the local network, for when their two share no room any more.
    pub(super) fn note_lan_directs(&mut self) {
        let directs = self.rooms.iter().filter(|(_, held)| held.local.direct.is_some());
        let moved: Vec<(RoomId, bool)> = directs
            .map(|(id, held)| (*id, held.local.lan, self.is_lan(id)))
            .filter(|(_, noted, is)| noted != is)
            .map(|(id, _, is)| (id, is))
            .collect();
        for (room, lan) in moved {
            self.local(room, |local| local.lan = lan);
        }
    }

    /// Whether there is a room that may be carried by a relay, and the relays that tickets of such rooms named.
    pub fn relayed_rooms(&self) -> Option<Vec<String>> {
        let carried = self.rooms.iter().filter(|(id, held)| !held.local.stays_here && !self.is_lan(id));
        let is_over = |id: &RoomId, held: &crate::room::Room| {
            held.gone(&self.me).is_some()
                || held.local.state == record::STATE_REFUSED
                || held.local.direct.is_some_and(|peer| !self.speaks_of(id, &peer))
        };
        let mut rooms = carried.filter(|(id, held)| !is_over(id, held)).map(|(_, held)| held).peekable();
        rooms.peek()?;
        let mut relays: Vec<String> = rooms.filter_map(|held| held.local.relay.clone()).collect();
        relays.sort_unstable();
        relays.dedup();
        Some(relays)
    }
}

/// Puts what is told before what is kept, each once. Whether that changed anything.
fn newest_first(kept: &mut Vec<String>, told: Vec<String>, most: usize) -> bool {
    let older = kept.iter().filter(|text| !told.contains(text)).cloned();
    let all: Vec<String> = told.iter().cloned().chain(older).take(most).collect();
    let changed = all != *kept;
    *kept = all;
    changed
}
