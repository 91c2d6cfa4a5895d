//! The small records a room keeps in the store, in CBOR with integer keys so that later versions may add.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use parlor_wire::frame::{Refusal, Tip};
use parlor_wire::ids::BodyHash;
use parlor_wire::{EntryId, KeyId, PeerId, RoomId, TimeMs};

use super::{Chain, TipState};

/// The version of this Parlor.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Saved, not joined yet.
pub const STATE_JOINING: u8 = 0;
/// A member.
pub const STATE_JOINED: u8 = 1;
/// The join was refused.
pub const STATE_REFUSED: u8 = 2;

/// What is local about a room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LocalRecord {
    /// One of the states above.
    #[n(0)]
    pub state: u8,
    /// Why it was refused.
    #[n(1)]
    pub refusal: Option<Refusal>,
    /// The seed of the ticket it is joined by.
    #[n(2)]
    pub ticket_seed: Option<BodyHash>,
    /// When that ticket expires.
    #[n(3)]
    pub ticket_expires: Option<TimeMs>,
    /// Whom the ticket named.
    #[n(4)]
    pub contacts: Vec<PeerId>,
    /// The chain this store writes.
    #[n(5)]
    pub chain: Option<EntryId>,
    /// The room's own name, and the sort time of the entry that said so.
    #[n(6)]
    pub name: Option<(String, TimeMs)>,
    /// What this node calls it.
    #[n(7)]
    pub alias: Option<String>,
    /// What it froze for.
    #[n(8)]
    pub frozen: Option<String>,
    /// The history line: the heads of the first finished sync.
    #[n(9)]
    pub history: Option<Vec<(EntryId, u64)>>,
    /// The nick last told to the room.
    #[n(10)]
    pub told_nick: Option<String>,
    /// Warnings that last: forks seen, tips refused.
    #[n(11)]
    pub warnings: Vec<String>,
    /// What had arrived by when, by this node's wall clock, at most hourly and for a little over a day, oldest
    /// first: a day back is counted by it, not by the stamps of others.
    #[n(12)]
    #[cbor(default)]
    pub days: Vec<(u64, TimeMs)>,
    /// Somebody has shown an entry that follows this node's join: the join is part of the room's past.
    #[n(13)]
    #[cbor(default)]
    pub confirmed: bool,
    /// The request to be let in that this node has signed, whole.
    #[n(14)]
    #[cbor(default)]
    pub asked: Option<ByteVec>,
    /// What this node seals under.
    #[n(15)]
    #[cbor(default)]
    pub sealing: Option<Sealing>,
    /// In a direct room: the other of the two.
    #[n(20)]
    #[cbor(default)]
    pub direct: Option<PeerId>,
    /// In a direct room: a person here has spoken in it.
    #[n(21)]
    #[cbor(default)]
    pub accepted: bool,
    /// It never leaves this node.
    #[n(22)]
    #[cbor(default)]
    pub stays_here: bool,
    /// The version of Parlor that it was too new for: a newer one looks again.
    #[n(23)]
    #[cbor(default)]
    pub frozen_for: Option<String>,
    /// It never leaves the local network.
    #[n(30)]
    #[cbor(default)]
    pub lan: bool,
    /// The relay its ticket named.
    #[n(31)]
    #[cbor(default)]
    pub relay: Option<String>,
    /// It was left before it was joined.
    #[n(32)]
    #[cbor(default)]
    pub given_up: bool,
}

/// Since when a key is sealed under.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sealing {
    /// The key.
    #[n(0)]
    pub key: KeyId,
    /// How many messages had arrived.
    #[n(1)]
    pub arrivals: u64,
    /// When, by this node's wall clock.
    #[n(2)]
    pub since: TimeMs,
}

/// Between two marks of what had arrived, in milliseconds.
const MARK_MS: u64 = 60 * 60 * 1000;
/// How far back "Earlier" goes, in milliseconds.
pub const EARLIER_MS: u64 = 24 * MARK_MS;
/// Marks kept: a day and an hour, and what came before.
const MAX_MARKS: usize = 28;

impl LocalRecord {
    /// From what is stored.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }

    /// Remembers that so many messages had arrived by now, once an hour. True when it did.
    pub fn mark_day(&mut self, arrivals: u64, now: TimeMs) -> bool {
        let due = self.days.last().is_none_or(|(_, at)| now.abs_diff(*at) >= MARK_MS);
        if due {
            self.days.push((arrivals, now));
            let surplus = self.days.len().saturating_sub(MAX_MARKS);
            self.days.drain(..surplus);
        }
        due
    }

    /// The arrival number, of the first `arrivals`, up to which messages came more than a day ago: what came within
    /// the hour after a mark that is a day and an hour old.
    pub fn a_day_ago(&self, arrivals: u64, now: TimeMs) -> u64 {
        let old = |mark: &&(u64, TimeMs)| mark.1.saturating_add(MARK_MS + EARLIER_MS) <= now;
        let count = self.days.iter().take_while(old).count();
        match self.days.get(count) {
            _ if count == 0 => 0,
            Some((before, _)) => *before,
            None => arrivals,
        }
    }
}

/// What is known of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PeerRecord {
    /// What it calls itself, and the sort time of the entry that said so.
    #[n(0)]
    pub nick: Option<(String, TimeMs)>,
    /// When it was last linked, by this node's wall clock.
    #[n(1)]
    pub last_seen: Option<TimeMs>,
    /// Where it was last reached, as text, newest first.
    #[n(2)]
    pub addresses: Vec<String>,
    /// What this identity calls it.
    #[n(3)]
    pub petname: Option<String>,
    /// When a person here compared the safety number with it, by this node's wall clock.
    #[n(4)]
    pub verified: Option<TimeMs>,
    /// When it was heard that its identity is revoked, by this node's wall clock.
    #[n(5)]
    #[cbor(default)]
    pub revoked: Option<TimeMs>,
    /// URLs of the relays it said it can be called at, newest first.
    #[n(30)]
    #[cbor(default)]
    pub relays: Vec<String>,
    /// Where it was last reached inside the local network, for rooms that stay there: newest first.
    #[n(31)]
    #[cbor(default)]
    pub near: Vec<String>,
    /// The counter of the newest word of its own about where it is.
    #[n(32)]
    #[cbor(default)]
    pub said_where: u64,
}

/// How far a session has been given a room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CursorRecord {
    /// Everything up to this arrival number.
    #[n(0)]
    pub upto: u64,
    /// When it last moved, by this node's wall clock, so that old ones can be forgotten.
    #[n(1)]
    pub moved: TimeMs,
    /// Arrival numbers beyond `upto` that were given ahead of the others, ascending.
    #[n(2)]
    #[cbor(default)]
    pub ahead: Vec<u64>,
    /// Nothing was given yet but what stands in `ahead`: the session is still to be told what was before it.
    #[n(3)]
    #[cbor(default)]
    pub fresh: bool,
}

/// A message that does not wait for a prompt, or a question that waits for answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct UrgentRecord {
    /// It.
    #[n(0)]
    pub id: EntryId,
    /// By whom.
    #[n(1)]
    pub peer: PeerId,
    /// The session of this node that wrote it.
    #[n(2)]
    pub origin: Option<String>,
    /// The label of the session it was written in.
    #[n(3)]
    pub label: Option<String>,
    /// It is of the highest priority.
    #[n(4)]
    pub now: bool,
    /// It is a question that may be answered for so long after it was asked, in milliseconds.
    #[n(5)]
    pub asks_ms: Option<u64>,
    /// The label of the one session it is for.
    #[n(6)]
    pub to: Option<String>,
    /// It is for sessions with one of these tags.
    #[n(7)]
    pub tags: Option<Vec<String>>,
    /// It is for these members.
    #[n(8)]
    pub peers: Option<Vec<PeerId>>,
    /// When it arrived, by this node's wall clock.
    #[n(9)]
    pub at: TimeMs,
    /// The first answers, and whose they are.
    #[n(10)]
    pub answers: Vec<(EntryId, PeerId)>,
    /// How many answers there are.
    #[n(11)]
    pub answered: u64,
    /// How many messages of agents lie between it and a human's.
    #[n(12)]
    pub hops: u8,
    /// Of a question: how it begins, cleaned.
    #[n(13)]
    pub begins: Option<String>,
    /// Until when, by its author's clock, a question is asked.
    #[n(14)]
    pub deadline: Option<TimeMs>,
    /// Its chain.
    #[n(15)]
    pub chain: EntryId,
    /// Its place there.
    #[n(16)]
    pub seq: u64,
    /// Who is named in its text, as there: what stands behind an `@`.
    #[n(17)]
    pub named: Option<Vec<String>>,
}

/// A request that was done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RequestRecord {
    /// In which room.
    #[n(0)]
    pub room: RoomId,
    /// The message it became.
    #[n(1)]
    pub entry: EntryId,
    /// Its chain.
    #[n(2)]
    pub chain: EntryId,
    /// Its place.
    #[n(3)]
    pub seq: u64,
    /// What was asked: another request under the same id is a mistake of whoever asks.
    #[n(4)]
    pub asked: BodyHash,
}

type Tips = Vec<(u64, EntryId, TimeMs)>;

/// The record of a chain's tips.
pub fn encode_tips(chain: &Chain) -> Vec<u8> {
    let tips: Tips = chain.tips.iter().map(|tip| (tip.tip.seq, tip.tip.id, tip.sort_ms)).collect();
    parlor_wire::cbor::encode(&(tips, chain.sealed))
}

/// From such a record, or from one of before keys were noted; a record that cannot be read is an empty chain, which the
/// store's rows refill.
pub fn decode_tips(bytes: &[u8]) -> Chain {
    let read: Result<(Tips, Option<(KeyId, bool)>), _> = minicbor::decode(bytes);
    let (tips, sealed) = read.unwrap_or_else(|_| (minicbor::decode::<Tips>(bytes).unwrap_or_default(), None));
    let tips =
        tips.into_iter().map(|(seq, id, sort_ms)| TipState { tip: Tip { seq, id }, sort_ms }).collect();
    Chain { tips, sealed }
}
