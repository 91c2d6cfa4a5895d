//! How signals go on through a room, and how often: in a large room each is heard from several sides, so a mere
//! refresh is held back for a moment and not sent to whom it came from meanwhile; and of one author only so many are heeded.
//! Must not look into a signal.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{PeerId, RoomId, Salt, limits};

use super::Engine;
use super::api::LinkId;

/// How often own sessions are announced, in milliseconds: three times within a lease.
const ANNOUNCE_MS: u64 = limits::LEASE_SECONDS * 1000 / 3;
/// The same in a room with very many sessions: what is heard of them all must stay a trickle. Half a minute is left
/// of a lease, in which it has to come round.
const ANNOUNCE_MOST_MS: u64 = limits::LEASE_SECONDS * 1000 * 2 / 3;
/// Sessions present in a room from which on each is announced less often.
const MANY: u64 = 64;
/// How long a refresh is held back at most, in milliseconds: by chance, so that neighbours do not send it to each other at once.
const HELD_MS: u64 = 2_000;
/// Over this time signals of one author are counted, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// Which session a signal is of.
pub(super) type Place = (RoomId, PeerId, Salt);

/// How long until an own session is announced again, by how many sessions are present.
pub(super) fn announce_ms(sessions: usize) -> u64 {
    (ANNOUNCE_MS * sessions as u64 / MANY).clamp(ANNOUNCE_MS, ANNOUNCE_MOST_MS)
}

#[derive(Debug)]
struct Held {
    signal: Signal,
    due_ms: u64,
    known_to: BTreeSet<LinkId>,
}

/// Refreshes that are held back, and how much was heard of whom.
#[derive(Debug, Default)]
pub(super) struct Passing {
    held: BTreeMap<Place, Held>,
    /// By author and room: since when is counted, and how many.
    heard: BTreeMap<(RoomId, PeerId), (u64, usize)>,
}

impl Passing {
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.held.values().map(|held| held.due_ms).min()
    }

    /// The same signal came from another link.
    pub(super) fn came_again(&mut self, place: &Place, counter: u64, from: LinkId) {
        if let Some(held) = self.held.get_mut(place).filter(|held| held.signal.counter <= counter) {
            held.known_to.insert(from);
        }
    }

    /// Whether more of an author is heeded now.
    pub(super) fn heeds(&self, place: &Place, now_ms: u64) -> bool {
        let heard = self.heard.get(&(place.0, place.1));
        heard.is_none_or(|(since, count)| {
            since + WINDOW_MS <= now_ms || *count < limits::MAX_SIGNALS_PER_MINUTE
        })
    }

    /// One more was heeded.
    pub(super) fn heeded(&mut self, place: &Place, now_ms: u64) {
        let heard = self.heard.entry((place.0, place.1)).or_insert((now_ms, 0));
        if heard.0 + WINDOW_MS <= now_ms {
            *heard = (now_ms, 0);
        }
        heard.1 += 1;
    }

    fn forget(&mut self, now_ms: u64) {
        self.heard.retain(|_, (since, _)| *since + WINDOW_MS > now_ms);
    }
}

impl Engine {
    /// Passes a signal on, once: at once if it says something new, else in a moment and where it did not come from.
    pub(super) fn pass_on(&mut self, from: LinkId, place: Place, signal: Signal, news: bool) {
        if news {
            self.presence.passing.held.remove(&place);
            for other in self.room_links(place.0).into_iter().filter(|other| *other != from) {
                self.send(other, &Frame::Signal(signal.clone()));
            }
            return;
        }
        let due_ms = self.now.mono_ms + 1 + self.hedge.below(HELD_MS);
        let held = Held { signal, due_ms, known_to: BTreeSet::from([from]) };
        self.presence.passing.held.insert(place, held);
    }

    pub(super) fn tick_passing(&mut self) {
        let now = self.now.mono_ms;
        self.presence.passing.forget(now);
        let held = &mut self.presence.passing.held;
        let due: Vec<Place> =
            held.iter().filter(|(_, held)| held.due_ms <= now).map(|(place, _)| *place).collect();
        for place in due {
            let Some(held) = self.presence.passing.held.remove(&place) else { continue };
            for link in self.room_links(place.0).into_iter().filter(|link| !held.known_to.contains(link)) {
                self.send(link, &Frame::Signal(held.signal.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_refreshes_less_often_and_in_time_for_a_lease() {
        assert_eq!(announce_ms(1), ANNOUNCE_MS);
        assert_eq!(announce_ms(64), ANNOUNCE_MS);
        assert!(announce_ms(100) > ANNOUNCE_MS);
        assert_eq!(announce_ms(512), ANNOUNCE_MOST_MS);
        assert!(announce_ms(usize::MAX >> 16) + 10 * HELD_MS < limits::LEASE_SECONDS * 1000);
    }
}
