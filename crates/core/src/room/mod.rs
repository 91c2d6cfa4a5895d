//! One room as this node holds it: control entries and what they mean, keys, tips of chains, counters. No
//! bodies: those are asked of the store. Must not talk to links or sessions.

pub mod body;
pub mod counting;
pub mod receipt;
pub mod record;
pub mod said;

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::frame::Tip;
use parlor_wire::roster::{Dag, Membership, Roster};
use parlor_wire::{Control, EntryId, KeyId, PeerId, RoomId, TimeMs, limits};

use crate::crypto::TicketKeys;
use crate::keys::KeyRing;
use crate::text::clean::CleanText;
use counting::Counting;
use record::LocalRecord;

/// The end of one branch of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TipState {
    /// Its place and entry.
    pub tip: Tip,
    /// Where people see it.
    pub sort_ms: TimeMs,
}

/// What is held of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The ends of its branches; one unless somebody wrote two entries for one place.
    pub tips: Vec<TipState>,
    /// The key of the entry taken in last, and whether it was unfit in that entry's own past: an entry that names no
    /// control heads was sealed under the heads of the one before.
    pub sealed: Option<(KeyId, bool)>,
}

impl Chain {
    /// The highest place held.
    pub fn max_seq(&self) -> Option<u64> {
        self.tips.iter().map(|tip| tip.tip.seq).max()
    }

    /// The place after the highest held.
    pub fn next_seq(&self) -> u64 {
        self.max_seq().map_or(0, |seq| seq + 1)
    }

    /// The tip with the highest place: where its author goes on.
    pub fn last(&self) -> Option<&TipState> {
        self.tips.iter().max_by_key(|tip| (tip.tip.seq, tip.tip.id))
    }

    /// Whether an entry is a tip.
    pub fn has_tip(&self, id: &EntryId) -> bool {
        self.tips.iter().any(|tip| tip.tip.id == *id)
    }

    /// Moves a tip on, or adds a branch. False when there are too many branches: the chain is refused.
    pub fn advance(&mut self, prev: Option<EntryId>, to: TipState) -> bool {
        if let Some(tip) = self.tips.iter_mut().find(|tip| Some(tip.tip.id) == prev) {
            *tip = to;
            return true;
        }
        if self.tips.len() >= limits::MAX_TIPS {
            return false;
        }
        self.tips.push(to);
        true
    }
}

/// A key that was found fit, and everyone entitled aware of it.
#[derive(Debug, Clone)]
pub struct FitKey {
    /// The key.
    pub key: KeyId,
    /// For as long as this clock stands between.
    pub holds: std::ops::Range<TimeMs>,
}

/// The last time a message can have in the order people see: the end of the year 9999. Later stamps count as this.
const LAST_SORT_MS: TimeMs = 253_402_300_799_999;

/// Where people see an entry: at its own time, and after the entry before it.
pub fn sort_after(time: TimeMs, before: Option<TimeMs>) -> TimeMs {
    let time = time.min(LAST_SORT_MS);
    before.map_or(time, |before| time.max(before.saturating_add(1)))
}

/// One room.
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// Its control entries.
    pub dag: Dag,
    /// What they mean.
    pub roster: Roster,
    /// Its keys.
    pub keys: KeyRing,
    /// What is local about it, kept in the store.
    pub local: LocalRecord,
    /// It was frozen because it is of a version that is read no more.
    pub older: bool,
    /// The ticket it is, or was, joined by.
    pub ticket: Option<TicketKeys>,
    /// Tips by chain.
    pub chains: BTreeMap<EntryId, Chain>,
    /// The highest arrival number.
    pub arrivals: u64,
    /// Keys and chains of entries that wait.
    pub waiting: BTreeSet<(KeyId, EntryId)>,
    /// The control heads this node's last data entry named, as far as this run knows.
    pub named_heads: Vec<EntryId>,
    /// What members are called here, and whoever has a petname.
    pub names: BTreeMap<PeerId, CleanText>,
    /// Members whose nick looks like the petname of somebody else, and whose.
    pub mistakable: BTreeMap<PeerId, PeerId>,
    /// The key to seal under, until the roster changes.
    pub fit: Option<FitKey>,
    /// Batches about which the store is being asked.
    pub asking: usize,
    /// Entries taken in while it is being asked, which its answer may not know.
    pub recent: BTreeMap<EntryId, (u64, TimeMs)>,
    /// Waiting entries are being read.
    pub reopening: bool,
    /// Which data counts where somebody was put out.
    pub counting: Counting,
    /// Who asks to be let in, with what they signed.
    pub asking_in: BTreeMap<PeerId, Control>,
}

/// How one who was a member no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// By itself.
    Left,
    /// By an owner.
    Removed,
}

impl Room {
    /// With nothing in it yet.
    pub fn new(id: RoomId, local: LocalRecord) -> Self {
        let ticket = local.ticket_seed.as_ref().map(|seed| TicketKeys::from_seed(&seed.0));
        Self {
            id,
            dag: Dag::new(id),
            roster: Roster::default(),
            keys: KeyRing::default(),
            local,
            older: false,
            ticket,
            chains: BTreeMap::new(),
            arrivals: 0,
            waiting: BTreeSet::new(),
            named_heads: Vec::new(),
            names: BTreeMap::new(),
            mistakable: BTreeMap::new(),
            fit: None,
            asking: 0,
            recent: BTreeMap::new(),
            reopening: false,
            counting: Counting::default(),
            asking_in: BTreeMap::new(),
        }
    }

    /// Whose data a chain is, whether it counts or not: the author of the entry that opened it.
    pub fn chain_author(&self, chain: &EntryId) -> Option<PeerId> {
        let opener = self.dag.get(chain).filter(|control| control.body.opens_chain())?;
        Some(opener.subject())
    }

    /// How an identity that had joined here is out again.
    pub fn gone(&self, me: &PeerId) -> Option<Gone> {
        if self.local.state != record::STATE_JOINED || self.roster.reads(me) {
            return None;
        }
        let of_me = |held: &BTreeMap<EntryId, Membership>| held.values().any(|one| one.identity == *me);
        if of_me(&self.roster.removed) {
            Some(Gone::Removed)
        } else {
            of_me(&self.roster.left).then_some(Gone::Left)
        }
    }

    /// Whether nobody more may be let in.
    pub fn is_full(&self) -> bool {
        self.roster.members.len() >= limits::MAX_MEMBERS
    }

    /// Whether the first sync after a join is not finished yet.
    pub fn awaits_history(&self) -> bool {
        let joined = self.local.state == record::STATE_JOINED && self.local.ticket_seed.is_some();
        joined && self.local.history.is_none()
    }

    /// Whether an entry lies below the history line: held by the carrier before this node joined.
    pub fn is_history(&self, chain: &EntryId, seq: u64) -> bool {
        match &self.local.history {
            None => self.local.ticket_seed.is_some(),
            Some(line) => line.iter().any(|(of, upto)| of == chain && seq <= *upto),
        }
    }

    /// Tips of every chain, as they are told to peers.
    pub fn tips(&self, chain: &EntryId) -> Vec<Tip> {
        self.chains.get(chain).map(|held| held.tips.iter().map(|tip| tip.tip).collect()).unwrap_or_default()
    }
}
