//! Presence of sessions: signed, sealed, never stored. Own sessions are announced again before their lease
//! ends; what is heard is passed on once and forgotten when its lease ends, but for how far its author had counted.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{PeerId, RoomId, Salt, TimeMs, domain, limits};

use super::api::{LinkId, Presence, SessionView};
use super::passing::{Passing, announce_ms};
use super::{Engine, OWN_SIGNALS};
use crate::crypto;
use crate::persist::Table;
use crate::room::said::Said;

/// Most sessions in one room: four for each of 512 members, and a quarter of all, so that no room keeps those of others out.
const MAX_IN_ROOM: usize = limits::MAX_SIGNALS / 4;
/// Most sessions of one peer in a room.
const MAX_SESSIONS: usize = 32;
/// How far ahead counters are written down, in milliseconds: one write in an hour, and a node that starts again goes on
/// above all it has used, whatever its clock says by then.
const MARK_STEP_MS: u64 = 60 * 60 * 1000;

#[derive(Debug)]
struct Own {
    presence: Presence,
    counter: u64,
    due_ms: u64,
    /// When its lease ends, by the monotonic clock; absent while its process lives.
    ends_ms: Option<u64>,
    since: TimeMs,
}

#[derive(Debug)]
struct Heard {
    counter: u64,
    until_ms: u64,
    presence: Option<Presence>,
    /// Both by this node's wall clock, to be shown.
    since: TimeMs,
    at: TimeMs,
}

/// Sessions present.
#[derive(Debug, Default)]
pub(super) struct PresenceBook {
    own: BTreeMap<(RoomId, Salt), Own>,
    heard: BTreeMap<(RoomId, PeerId, Salt), Heard>,
    /// No lease of what was heard ends before.
    heard_due_ms: Option<u64>,
    pub(super) passing: Passing,
    /// The highest counter of each author's sessions that are forgotten: nothing older revives one.
    marks: BTreeMap<(RoomId, PeerId), u64>,
    /// No counter of this run is below this, and none is above `written` before that is written anew.
    first: u64,
    written: u64,
}

impl PresenceBook {
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let own = self.own.values().map(|own| own.ends_ms.map_or(own.due_ms, |ends| ends.min(own.due_ms)));
        own.chain(self.heard_due_ms).chain(self.passing.deadline_ms()).min()
    }

    /// Sessions of a peer in a room that are present now.
    pub(super) fn of(&self, room: RoomId, peer: PeerId) -> Vec<SessionView> {
        let range = (room, peer, Salt([0; 16]))..=(room, peer, Salt([255; 16]));
        let view = |heard: &Heard| {
            let presence = heard.presence.clone()?;
            Some(SessionView { presence, since: heard.since, heard: Some(heard.at) })
        };
        self.heard.range(range).filter_map(|(_, heard)| view(heard)).collect()
    }

    /// What earlier runs have written down of their counters.
    pub(super) fn restore_mark(&mut self, written: u64) {
        (self.first, self.written) = (written.saturating_add(1), written);
    }

    /// Whoever speaks in the name of this peer is not believed any more.
    pub(super) fn disbelieve(&mut self, peer: PeerId) {
        let of_peer = self.heard.iter_mut().filter(|((_, author, _), _)| *author == peer);
        of_peer.for_each(|(_, heard)| heard.presence = None);
    }

    /// Whether a counter is above all that was heard of this session, or, once it is forgotten, of its author.
    fn is_newer(&self, place: &(RoomId, PeerId, Salt), counter: u64) -> bool {
        let mark = || self.marks.get(&(place.0, place.1)).copied();
        self.heard.get(place).map(|heard| heard.counter).or_else(mark).is_none_or(|known| known < counter)
    }

    /// Forgets what has run out, and keeps how far its authors had counted.
    fn forget_ended(&mut self, now_ms: u64, is_reader: impl Fn(&RoomId, &PeerId) -> bool) {
        let ended = self.heard.extract_if(.., |_, heard| heard.until_ms <= now_ms);
        let ended: Vec<_> = ended.map(|((room, author, _), heard)| ((room, author), heard.counter)).collect();
        for (place, counter) in ended {
            if self.marks.len() >= limits::MAX_SIGNAL_MARKS && !self.marks.contains_key(&place) {
                self.marks.retain(|(room, author), _| is_reader(room, author));
            }
            if self.marks.len() < limits::MAX_SIGNAL_MARKS || self.marks.contains_key(&place) {
                let mark = self.marks.entry(place).or_default();
                *mark = counter.max(*mark);
            }
        }
    }

    /// Peers with a session that is present in a room.
    pub(super) fn peers(&self, room: RoomId) -> BTreeSet<PeerId> {
        let range = (room, PeerId([0; 32]), Salt([0; 16]))..=(room, PeerId([255; 32]), Salt([255; 16]));
        let present = self.heard.range(range).filter(|(_, heard)| heard.presence.is_some());
        present.map(|((_, peer, _), _)| *peer).collect()
    }

    /// Sessions that are present in a room, or have just ended.
    fn sessions(&self, room: RoomId) -> usize {
        let range = (room, PeerId([0; 32]), Salt([0; 16]))..=(room, PeerId([255; 32]), Salt([255; 16]));
        self.heard.range(range).count() + self.own(room).len()
    }

    /// Whether one more signal can be kept: of a session that is known, or a new one within what a peer and all
    /// may have.
    fn has_space(&self, place: &(RoomId, PeerId, Salt)) -> bool {
        let (room, peer, _) = *place;
        let range = (room, peer, Salt([0; 16]))..=(room, peer, Salt([255; 16]));
        let of_room = (room, PeerId([0; 32]), Salt([0; 16]))..=(room, PeerId([255; 32]), Salt([255; 16]));
        self.heard.contains_key(place)
            || (self.heard.len() < limits::MAX_SIGNALS
                && self.heard.range(range).count() < MAX_SESSIONS
                && self.heard.range(of_room).count() < MAX_IN_ROOM)
    }

    pub(super) fn heard_count(&self) -> usize {
        self.heard.len()
    }

    /// Own sessions in a room.
    pub(super) fn own(&self, room: RoomId) -> Vec<SessionView> {
        let range = (room, Salt([0; 16]))..=(room, Salt([255; 16]));
        let view = |own: &Own| {
            let presence = words::heard(words::said(&own.presence));
            SessionView { presence, since: own.since, heard: None }
        };
        self.own.range(range).map(|(_, own)| view(own)).collect()
    }
}

impl Engine {
    /// A session of this node is there, or has ended.
    pub(super) fn announce(&mut self, room: RoomId, session: Salt, presence: Option<Presence>) {
        let known = self.presence.own.remove(&(room, session));
        let counter = self.next_counter(known.as_ref().map(|own| own.counter));
        let since = known.map_or(self.now.wall_ms, |own| own.since);
        let said = presence.clone().unwrap_or_default();
        let ends_ms = said.left_ms.map(|left| self.now.mono_ms + left);
        let ttl_s = if presence.is_some() { self.ttl_s(ends_ms) } else { 0 };
        if let Some(presence) = presence {
            let due_ms = self.now.mono_ms + announce_ms(self.presence.sessions(room));
            self.presence.own.insert((room, session), Own { presence, counter, due_ms, ends_ms, since });
        }
        if let Some(signal) = self.signal(room, session, counter, &said, ttl_s) {
            for link in self.room_links(room) {
                self.send(link, &Frame::Signal(signal.clone()));
            }
        }
    }

    /// Tells a link that has just opened who is present here.
    pub(super) fn announce_to(&mut self, link: LinkId, room: RoomId) {
        let own: Vec<(Salt, u64, u32, Presence)> = self
            .presence
            .own
            .range((room, Salt([0; 16]))..=(room, Salt([255; 16])))
            .map(|((_, session), own)| (*session, own.counter, self.ttl_s(own.ends_ms), own.presence.clone()))
            .collect();
        for (session, counter, ttl_s, presence) in own {
            if let Some(signal) = self.signal(room, session, counter, &presence, ttl_s) {
                self.send(link, &Frame::Signal(signal));
            }
        }
    }

    /// By the clock, and above whatever this node has ever counted, so that one that starts again is not taken for its own
    /// echo.
    pub(super) fn next_counter(&mut self, known: Option<u64>) -> u64 {
        let next = known.map_or(0, |known| known.saturating_add(1));
        let counter = next.max(self.now.wall_ms).max(self.presence.first);
        // A clock that was ahead is put right now and then: what begins after that goes on above what was counted before.
        self.presence.first = counter;
        if counter > self.presence.written {
            self.presence.written = counter.saturating_add(MARK_STEP_MS);
            let written = self.presence.written.to_be_bytes().to_vec();
            self.put(Table::Own, OWN_SIGNALS.to_vec(), written);
        }
        counter
    }

    /// For how long a session is to be held present: a lease, or what is left of it.
    fn ttl_s(&self, ends_ms: Option<u64>) -> u32 {
        let left_s = |ends: u64| ends.saturating_sub(self.now.mono_ms) / 1000;
        ends_ms.map_or(limits::LEASE_SECONDS, |ends| left_s(ends).min(limits::LEASE_SECONDS)) as u32
    }

    fn signal(
        &mut self,
        room: RoomId,
        session: Salt,
        counter: u64,
        said: &Presence,
        ttl_s: u32,
    ) -> Option<Signal> {
        self.sealed_signal(room, session, counter, ttl_s, &words::said(said).encode())
    }

    /// A signal that says this, sealed under a fit key and signed; none is sent where there is no fit key.
    pub(super) fn sealed_signal(
        &mut self,
        room: RoomId,
        session: Salt,
        counter: u64,
        ttl_s: u32,
        said: &[u8],
    ) -> Option<Signal> {
        self.stands().ok()?;
        let held = self.rooms.get(&room)?;
        let key = held.keys.fit_key(&held.roster, self.now.wall_ms)?;
        let room_key = held.keys.get(&key)?;
        // All that a salt may be used for once, so that one store that runs twice seals no two signals under one salt: what is
        // left of a lease differs where all else is the same.
        let (count, ttl) = (counter.to_be_bytes(), ttl_s.to_be_bytes());
        let salt = self.hedge.salt(&[b"signal", &room.0, &session.0, &count, &ttl, said]);
        let mut signal = Signal {
            author: self.me,
            session,
            counter,
            ttl_s,
            key,
            salt,
            sealed: Vec::new().into(),
            signature: None,
        };
        signal.sealed = crypto::seal_signal(room_key, &room, &signal, said).ok()?.into();
        let message = [&room.0[..], &signal.signed_bytes()].concat();
        signal.signature = Some(self.identity.sign(domain::SIGNAL_SIGNATURE, &message));
        Some(signal)
    }

    pub(super) fn heard(&mut self, link: LinkId, room: RoomId, signal: Signal) {
        let Some(held) = self.rooms.get(&room) else { return };
        let place = (room, signal.author, signal.session);
        let now = self.now.mono_ms;
        let newer = self.presence.is_newer(&place, signal.counter);
        if !newer {
            self.presence.passing.came_again(&place, signal.counter, link);
        }
        let fits = signal.sealed.len() <= limits::MAX_SIGNAL_BYTES
            && u64::from(signal.ttl_s) <= limits::LEASE_SECONDS
            && self.presence.has_space(&place)
            && self.presence.passing.heeds(&place, now);
        let believed = held.roster.reads(&signal.author) && !self.is_revoked(&signal.author);
        // Whereabouts are signed alike; and who is entitled to nothing has nobody's sessions to tell of.
        let is_such = signal.session != Salt([0; 16]) && self.serves(link);
        if signal.author == self.me || !newer || !fits || !believed || !is_such {
            return;
        }
        if !signal.verify(&room) {
            self.close_link(link, "a signal whose signature is not valid");
            return;
        }
        let Some(said) = self.open_signal(room, &signal) else { return };
        self.presence.passing.heeded(&place, now);
        // An ended session is remembered for a lease, so that what is still on its way cannot revive it.
        let ttl_s = if signal.ttl_s == 0 { limits::LEASE_SECONDS } else { u64::from(signal.ttl_s) };
        let until_ms = now + ttl_s * 1000;
        let presence = (signal.ttl_s > 0).then_some(said);
        let at = self.now.wall_ms;
        let known = self.presence.heard.get(&place).filter(|heard| heard.presence.is_some());
        let since = known.map_or(at, |heard| heard.since);
        let heard = Heard { counter: signal.counter, until_ms, presence: presence.clone(), since, at };
        let before = self.presence.heard.insert(place, heard);
        let due_ms = self.presence.heard_due_ms.map_or(until_ms, |due| due.min(until_ms));
        self.presence.heard_due_ms = Some(due_ms);
        let news = before.is_none_or(|before| before.presence != presence);
        self.pass_on(link, place, signal, news);
    }

    /// What is sealed in a signal.
    pub(super) fn open_sealed(&self, room: RoomId, signal: &Signal) -> Option<Vec<u8>> {
        let key = self.rooms.get(&room)?.keys.get(&signal.key)?;
        crypto::open_signal(key, &room, signal).ok()
    }

    fn open_signal(&self, room: RoomId, signal: &Signal) -> Option<Presence> {
        let said = Said::decode(&self.open_sealed(room, signal)?).ok()?;
        Some(words::heard(said))
    }

    pub(super) fn tick_presence(&mut self) {
        let now = self.now.mono_ms;
        if self.presence.heard_due_ms.is_some_and(|due| due <= now) {
            let rooms = &self.rooms;
            let is_reader =
                |room: &RoomId, peer: &PeerId| rooms.get(room).is_some_and(|held| held.roster.reads(peer));
            self.presence.forget_ended(now, is_reader);
            self.presence.heard_due_ms = self.presence.heard.values().map(|heard| heard.until_ms).min();
        }
        self.tick_passing();
        let due: Vec<(RoomId, Salt, Option<Presence>)> = self
            .presence
            .own
            .iter()
            .filter(|(_, own)| own.due_ms <= now || own.ends_ms.is_some_and(|ends| ends <= now))
            .map(|((room, session), own)| {
                let left = |ends: u64| Some(ends.saturating_sub(now)).filter(|left| *left > 0);
                let presence = match own.ends_ms {
                    Some(ends) => left(ends).map(|left| (own, Some(left))),
                    None => Some((own, None)),
                };
                let again = |(own, left_ms): (&Own, _)| Presence { left_ms, ..own.presence.clone() };
                (*room, *session, presence.map(again))
            })
            .collect();
        for (room, session, presence) in due {
            self.announce(room, session, presence);
        }
    }
}
