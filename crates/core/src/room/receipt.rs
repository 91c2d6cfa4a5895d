//! What a session has been given of a room, as it is told to the room and as it is kept. Ranges of places by chain, bounded.
//! Must not decide what counts as given.

use minicbor::{Decode, Encode};
use parlor_wire::{EntryId, Salt, TimeMs};

/// Chains named in one receipt: those touched last.
pub const MAX_CHAINS: usize = 16;
/// Ranges kept of one chain and state: the last.
pub const MAX_RANGES: usize = 32;

/// Places of a chain, ascending, each from the first to the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Places(#[n(0)] pub Vec<(u64, u64)>);

impl Places {
    /// Adds a place; of too many ranges the lowest are forgotten.
    pub fn add(&mut self, seq: u64) {
        if self.has(seq) {
            return;
        }
        self.0.push((seq, seq));
        self.0.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.0.len());
        for (from, to) in std::mem::take(&mut self.0) {
            match joined.last_mut().filter(|last| last.1.saturating_add(1) >= from) {
                Some(last) => last.1 = last.1.max(to),
                None => joined.push((from, to)),
            }
        }
        let surplus = joined.len().saturating_sub(MAX_RANGES);
        joined.drain(..surplus);
        self.0 = joined;
    }

    /// Whether it holds a place.
    pub fn has(&self, seq: u64) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&seq))
    }
}

/// What is told of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OfChain {
    /// Which.
    #[n(0)]
    pub chain: EntryId,
    /// The node of the session holds it durably up to this place.
    #[n(1)]
    pub upto: u64,
    /// These were written out by a hook or tool of the session.
    #[n(2)]
    pub handed: Places,
    /// Of these there is evidence that the session's model was shown them.
    #[n(3)]
    pub shown: Places,
}

/// A receipt: what one session has been given of a room, as it stands inside a sealed body.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Receipt {
    /// Which session, told apart from others of its node and no more.
    #[n(0)]
    pub session: Salt,
    /// What it is called.
    #[n(1)]
    pub label: Option<String>,
    /// By chain, touched last last.
    #[n(2)]
    pub chains: Vec<OfChain>,
}

impl Receipt {
    /// Of a session that was given nothing yet.
    pub fn new(session: Salt, label: Option<String>) -> Self {
        Self { session, label, chains: Vec::new() }
    }

    /// What is told of a chain, made the one touched last.
    pub fn touch(&mut self, chain: EntryId) -> &mut OfChain {
        let known = self.chains.iter().position(|of| of.chain == chain).map(|at| self.chains.remove(at));
        let empty = || OfChain { chain, upto: 0, handed: Places::default(), shown: Places::default() };
        self.chains.push(known.unwrap_or_else(empty));
        let surplus = self.chains.len().saturating_sub(MAX_CHAINS);
        self.chains.drain(..surplus);
        let last = self.chains.len() - 1;
        &mut self.chains[last]
    }

    /// Whether somebody else kept to the bounds.
    pub fn is_bounded(&self) -> bool {
        let fits = |places: &Places| places.0.len() <= MAX_RANGES;
        self.chains.len() <= MAX_CHAINS && self.chains.iter().all(|of| fits(&of.handed) && fits(&of.shown))
    }
}

/// The last receipt of a session, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptRecord {
    /// What it says; of others only of this identity's chains.
    #[n(0)]
    pub receipt: Receipt,
    /// The entry that said it.
    #[n(1)]
    pub entry: Option<EntryId>,
    /// Its place in its chain.
    #[n(2)]
    pub seq: u64,
    /// When it came, by this node's wall clock.
    #[n(3)]
    pub at: TimeMs,
    /// The session of this node it is of.
    #[n(4)]
    pub own: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_that_touch_are_one_range_and_the_lowest_are_forgotten() {
        let mut places = Places::default();
        for seq in [5, 3, 4, 9, 4] {
            places.add(seq);
        }
        assert_eq!(places.0, [(3, 5), (9, 9)]);
        for at in 0..MAX_RANGES as u64 {
            places.add(100 + 2 * at);
        }
        assert_eq!(places.0.len(), MAX_RANGES);
        assert!(!places.has(4) && places.has(100));
    }

    #[test]
    fn chains_touched_longest_ago_are_named_no_more() {
        let mut receipt = Receipt::new(Salt([1; 16]), None);
        for at in 0..=MAX_CHAINS as u8 {
            receipt.touch(EntryId([at; 32])).handed.add(1);
        }
        assert_eq!((receipt.chains.len(), receipt.chains[0].chain), (MAX_CHAINS, EntryId([1; 32])));
        receipt.touch(EntryId([1; 32]));
        assert!(receipt.chains.last().is_some_and(|of| of.chain == EntryId([1; 32]) && of.handed.has(1)));
        assert!(receipt.is_bounded());
    }

    proptest! {
        #[test]
        fn places_hold_what_was_added_and_nothing_else(seqs in prop::collection::vec(0..200_u64, 1..60)) {
            let mut places = Places::default();
            for seq in &seqs {
                places.add(*seq);
                prop_assert!(places.0.len() <= MAX_RANGES);
            }
            prop_assert!((0..200).all(|seq| !places.has(seq) || seqs.contains(&seq)));
            prop_assert!(seqs.iter().max().is_some_and(|highest| places.has(*highest)));
            let few = seqs.len() <= MAX_RANGES;
            prop_assert!(!few || seqs.iter().all(|seq| places.has(*seq)));
        }
    }
}
