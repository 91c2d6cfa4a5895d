//! How often one session of somebody's has disturbed one session here within an hour, and through how many agents in a row
//! what a session was given has come. Bounded; kept while this node runs. Must not look at what is said.

use std::collections::{BTreeMap, VecDeque};

use parlor_wire::{PeerId, limits};

const HOUR_MS: u64 = 60 * 60 * 1000;
/// Most pairs, and most sessions, remembered; the one that was quiet longest is forgotten first.
const MAX_REMEMBERED: usize = 4096;

/// Who disturbs whom: the session here, the other's identity, and the label of its session.
type Pair = (String, PeerId, Option<String>);

/// What is remembered of disturbances.
#[derive(Debug, Default)]
pub(in crate::engine) struct Pairs {
    /// When, by the monotonic clock, oldest first.
    disturbed: BTreeMap<Pair, VecDeque<u64>>,
    /// The most agents in a row before what a session was given since its human's last prompt, and when that was noted.
    hops: BTreeMap<String, (u8, u64)>,
}

impl Pairs {
    /// How often one may still disturb the other now.
    pub(in crate::engine) fn left(
        &self,
        session: &str,
        peer: PeerId,
        label: Option<&str>,
        now_ms: u64,
    ) -> usize {
        let pair = (session.to_owned(), peer, label.map(str::to_owned));
        let times = self.disturbed.get(&pair).into_iter().flatten();
        let lately = times.filter(|at| **at + HOUR_MS > now_ms).count();
        limits::MAX_DISTURBANCES.saturating_sub(lately)
    }

    /// How often all sessions of an identity together may still disturb a session here now.
    pub(in crate::engine) fn left_of_peer(&self, session: &str, peer: PeerId, now_ms: u64) -> usize {
        let first = (session.to_owned(), peer, None);
        let all = self.disturbed.range(first..).take_while(|((to, by, _), _)| to == session && *by == peer);
        let lately = all.flat_map(|(_, times)| times).filter(|at| **at + HOUR_MS > now_ms).count();
        limits::MAX_DISTURBANCES_OF_PEER.saturating_sub(lately)
    }

    /// One has disturbed the other.
    pub(in crate::engine) fn note(
        &mut self,
        session: &str,
        peer: PeerId,
        label: Option<String>,
        now_ms: u64,
    ) {
        let times = self.disturbed.entry((session.to_owned(), peer, label)).or_default();
        times.retain(|at| *at + HOUR_MS > now_ms);
        times.push_back(now_ms);
        if times.len() > limits::MAX_DISTURBANCES {
            times.pop_front();
        }
        if self.disturbed.len() > MAX_REMEMBERED {
            self.disturbed.retain(|_, times| times.back().is_some_and(|at| *at + HOUR_MS > now_ms));
        }
        if self.disturbed.len() > MAX_REMEMBERED {
            let quietest = self.disturbed.iter().min_by_key(|(_, times)| times.back().copied());
            if let Some(pair) = quietest.map(|(pair, _)| pair.clone()) {
                self.disturbed.remove(&pair);
            }
        }
    }

    /// A session's human has prompted it: what it says from now on is said for a human.
    pub(in crate::engine) fn prompted(&mut self, session: &str) {
        self.hops.remove(session);
    }

    /// A session was given something that came through so many agents.
    pub(in crate::engine) fn heard(&mut self, session: &str, hops: u8, now_ms: u64) {
        let known = self.hops.entry(session.to_owned()).or_default();
        *known = (known.0.max(hops), now_ms);
        if self.hops.len() > MAX_REMEMBERED
            && let Some(oldest) = self.hops.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone())
        {
            self.hops.remove(&oldest);
        }
    }

    /// Through how many agents in a row goes what an agent's session says now, itself among them.
    pub(in crate::engine) fn hops(&self, session: Option<&str>) -> u8 {
        let heard = session.and_then(|session| self.hops.get(session)).map_or(0, |(hops, _)| *hops);
        heard.saturating_add(1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const BOB: PeerId = PeerId([2; 32]);

    #[test]
    fn one_session_disturbs_another_so_often_in_an_hour_and_no_more() {
        let mut pairs = Pairs::default();
        for at in 0..limits::MAX_DISTURBANCES as u64 {
            assert!(pairs.left("s", BOB, Some("api"), at) > 0);
            pairs.note("s", BOB, Some("api".into()), at);
        }
        assert_eq!(pairs.left("s", BOB, Some("api"), 100), 0);
        assert_eq!(
            pairs.left("s", BOB, Some("web"), 100),
            limits::MAX_DISTURBANCES,
            "another session of his"
        );
        assert_eq!(pairs.left("t", BOB, Some("api"), 100), limits::MAX_DISTURBANCES, "another session here");
        assert_eq!(pairs.left("s", BOB, Some("api"), HOUR_MS), 1, "the first is an hour ago");
    }

    #[test]
    fn one_identity_disturbs_so_often_under_whatever_labels() {
        let mut pairs = Pairs::default();
        for at in 0..limits::MAX_DISTURBANCES_OF_PEER as u64 {
            assert!(pairs.left_of_peer("s", BOB, at) > 0);
            pairs.note("s", BOB, (at > 0).then(|| at.to_string()), at);
        }
        assert_eq!(pairs.left_of_peer("s", BOB, 100), 0);
        let full = limits::MAX_DISTURBANCES_OF_PEER;
        assert_eq!(pairs.left_of_peer("t", BOB, 100), full, "another session here");
        assert_eq!(pairs.left_of_peer("s", PeerId([3; 32]), 100), full, "somebody else");
        assert_eq!(pairs.left_of_peer("s", BOB, HOUR_MS), 1, "the first is an hour ago");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut pairs = Pairs::default();
        for n in 0..MAX_REMEMBERED as u64 + 10 {
            pairs.note(&format!("s{n}"), BOB, None, n);
            pairs.heard(&format!("s{n}"), 1, n);
        }
        assert_eq!((pairs.disturbed.len(), pairs.hops.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert_eq!(pairs.left("s0", BOB, None, 1), limits::MAX_DISTURBANCES, "the quietest is forgotten");
    }

    #[test]
    fn hops_grow_by_what_was_heard_and_end_with_a_human() {
        let mut pairs = Pairs::default();
        assert_eq!((pairs.hops(Some("s")), pairs.hops(None)), (1, 1));
        pairs.heard("s", 3, 1);
        pairs.heard("s", 2, 2);
        assert_eq!(pairs.hops(Some("s")), 4, "the highest counts");
        pairs.prompted("s");
        assert_eq!(pairs.hops(Some("s")), 1);
        pairs.heard("s", u8::MAX, 3);
        assert_eq!(pairs.hops(Some("s")), u8::MAX);
    }
}
