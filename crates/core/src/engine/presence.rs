//! Presence of sessions: signed, sealed, never stored. Own sessions are announced again before their lease
//! ends; what is heard is passed on once and forgotten when its lease ends.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{PeerId, RoomId, Salt, domain, limits};

use super::Engine;
use super::api::{LinkId, Presence};
use super::relay::{Relay, announce_ms};
use crate::crypto;
use crate::room::said::Said;
use crate::text::{Mode, clean, names};

/// Most sessions of one peer in a room.
const MAX_SESSIONS: usize = 32;
/// Longest summary, in characters.
const MAX_SUMMARY_CHARS: usize = 200;

#[derive(Debug)]
struct Own {
    presence: Presence,
    counter: u64,
    due_ms: u64,
}

#[derive(Debug)]
struct Heard {
    counter: u64,
    until_ms: u64,
    presence: Option<Presence>,
}

/// Sessions present.
#[derive(Debug, Default)]
pub(super) struct PresenceBook {
    own: BTreeMap<(RoomId, Salt), Own>,
    heard: BTreeMap<(RoomId, PeerId, Salt), Heard>,
    /// No lease of what was heard ends before.
    heard_due_ms: Option<u64>,
    pub(super) relay: Relay,
}

impl PresenceBook {
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let own = self.own.values().map(|own| own.due_ms);
        own.chain(self.heard_due_ms).chain(self.relay.deadline_ms()).min()
    }

    /// Sessions of a peer in a room that are present now.
    pub(super) fn of(&self, room: RoomId, peer: PeerId) -> Vec<Presence> {
        let range = (room, peer, Salt([0; 16]))..=(room, peer, Salt([255; 16]));
        self.heard.range(range).filter_map(|(_, heard)| heard.presence.clone()).collect()
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
        self.heard.contains_key(place)
            || (self.heard.len() < limits::MAX_SIGNALS && self.heard.range(range).count() < MAX_SESSIONS)
    }

    pub(super) fn heard_count(&self) -> usize {
        self.heard.len()
    }

    /// Own sessions in a room.
    pub(super) fn own(&self, room: RoomId) -> Vec<Presence> {
        let range = (room, Salt([0; 16]))..=(room, Salt([255; 16]));
        self.own.range(range).map(|(_, own)| own.presence.clone()).collect()
    }
}

impl Engine {
    /// A session of this node is there, or has ended.
    pub(super) fn announce(&mut self, room: RoomId, session: Salt, presence: Option<Presence>) {
        let known = self.presence.own.remove(&(room, session));
        // By the clock, so that a restarted node is not taken for its own echo.
        let counter = known.map_or(0, |own| own.counter + 1).max(self.now.wall_ms);
        let ended = presence.is_none();
        let said = presence.clone().unwrap_or(Presence {
            label: String::new(),
            program: String::new(),
            summary: None,
        });
        if let Some(presence) = presence {
            let due_ms = self.now.mono_ms + announce_ms(self.presence.sessions(room));
            self.presence.own.insert((room, session), Own { presence, counter, due_ms });
        }
        if let Some(signal) = self.signal(room, session, counter, &said, ended) {
            for link in self.room_links(room) {
                self.send(link, &Frame::Signal(signal.clone()));
            }
        }
    }

    /// Tells a link that has just opened who is present here.
    pub(super) fn announce_to(&mut self, link: LinkId, room: RoomId) {
        let own: Vec<(Salt, u64, Presence)> = self
            .presence
            .own
            .range((room, Salt([0; 16]))..=(room, Salt([255; 16])))
            .map(|((_, session), own)| (*session, own.counter, own.presence.clone()))
            .collect();
        for (session, counter, presence) in own {
            if let Some(signal) = self.signal(room, session, counter, &presence, false) {
                self.send(link, &Frame::Signal(signal));
            }
        }
    }

    fn signal(
        &mut self,
        room: RoomId,
        session: Salt,
        counter: u64,
        said: &Presence,
        ended: bool,
    ) -> Option<Signal> {
        self.stands().ok()?;
        let held = self.rooms.get(&room)?;
        let key = held.keys.fit_key(&held.roster, self.now.wall_ms)?;
        let room_key = held.keys.get(&key)?;
        let said =
            Said { label: said.label.clone(), program: said.program.clone(), summary: said.summary.clone() }
                .encode();
        let salt = self.hedge.salt(&[b"signal", &room.0, &session.0, &counter.to_be_bytes(), &said]);
        let ttl_s = if ended { 0 } else { limits::LEASE_SECONDS as u32 };
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
        signal.sealed = crypto::seal_signal(room_key, &room, &signal, &said).ok()?.into();
        let message = [&room.0[..], &signal.signed_bytes()].concat();
        signal.signature = Some(self.identity.sign(domain::SIGNAL_SIGNATURE, &message));
        Some(signal)
    }

    pub(super) fn heard(&mut self, link: LinkId, room: RoomId, signal: Signal) {
        let Some(held) = self.rooms.get(&room) else { return };
        let place = (room, signal.author, signal.session);
        let now = self.now.mono_ms;
        let known = self.presence.heard.get(&place);
        let newer = known.is_none_or(|heard| heard.counter < signal.counter);
        if !newer {
            self.presence.relay.came_again(&place, signal.counter, link);
        }
        let fits = signal.sealed.len() <= limits::MAX_SIGNAL_BYTES
            && u64::from(signal.ttl_s) <= limits::LEASE_SECONDS
            && self.presence.has_space(&place)
            && self.presence.relay.heeds(&place, now);
        if signal.author == self.me || !newer || !fits || !held.roster.reads(&signal.author) {
            return;
        }
        if !signal.verify(&room) {
            self.close_link(link, "a signal whose signature is not valid");
            return;
        }
        self.presence.relay.heeded(&place, now);
        let Some(said) = self.open_signal(room, &signal) else { return };
        // An ended session is remembered for a lease, so that what is still on its way cannot revive it.
        let ttl_s = if signal.ttl_s == 0 { limits::LEASE_SECONDS } else { u64::from(signal.ttl_s) };
        let until_ms = now + ttl_s * 1000;
        let presence = (signal.ttl_s > 0).then_some(said);
        let heard = Heard { counter: signal.counter, until_ms, presence: presence.clone() };
        let before = self.presence.heard.insert(place, heard);
        let due_ms = self.presence.heard_due_ms.map_or(until_ms, |due| due.min(until_ms));
        self.presence.heard_due_ms = Some(due_ms);
        let news = before.is_none_or(|before| before.presence != presence);
        self.pass_on(link, place, signal, news);
    }

    fn open_signal(&self, room: RoomId, signal: &Signal) -> Option<Presence> {
        let held = self.rooms.get(&room)?;
        let key = held.keys.get(&signal.key)?;
        let said = Said::decode(&crypto::open_signal(key, &room, signal).ok()?).ok()?;
        let line = |text: &str| clean(text, Mode::Line { limit_chars: MAX_SUMMARY_CHARS }).into_string();
        Some(Presence {
            label: names::session_label(&said.label).into_string(),
            program: names::session_label(&said.program).into_string(),
            summary: said.summary.as_deref().map(line),
        })
    }

    pub(super) fn tick_presence(&mut self) {
        let now = self.now.mono_ms;
        if self.presence.heard_due_ms.is_some_and(|due| due <= now) {
            self.presence.heard.retain(|_, heard| heard.until_ms > now);
            self.presence.heard_due_ms = self.presence.heard.values().map(|heard| heard.until_ms).min();
        }
        self.tick_relay();
        let due: Vec<(RoomId, Salt, Presence)> = self
            .presence
            .own
            .iter()
            .filter(|(_, own)| own.due_ms <= now)
            .map(|((room, session), own)| (*room, *session, own.presence.clone()))
            .collect();
        for (room, session, presence) in due {
            self.announce(room, session, Some(presence));
        }
    }
}
