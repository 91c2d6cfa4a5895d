//! What is written down and what is asked of the store: plain values, no storage. Must stay independent of how
//! anything is kept.

use parlor_wire::{EntryId, KeyId, RoomId, TimeMs};
use zeroize::Zeroizing;

/// Small records, kept whole in memory, by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// This identity: sealing secrets, hedge key, nick. Key: a name.
    Own,
    /// What is local about a room. Key: room.
    Room,
    /// Tips of a chain. Key: room ‖ chain.
    Tips,
    /// Seeds of tickets this node made. Key: room ‖ ticket.
    Ticket,
    /// Requests to be let in that wait for an owner. Key: room ‖ peer.
    Asking,
    /// What a session has been given. Key: room ‖ session.
    Cursor,
    /// What is known of a peer: nick, last seen, addresses. Key: peer.
    Peer,
    /// Which directory hears which room. Key: chosen by the node.
    Binding,
    /// Sessions. Key: chosen by the node.
    Session,
    /// Requests that were done, so that a retry is not done again. Key: request id. Not part of a snapshot:
    /// asked for one by one.
    Request,
    /// Messages that do not wait for a prompt. Key: room ‖ arrival.
    Urgent,
    /// What others' sessions have been given. Key: room ‖ chain ‖ session.
    Receipt,
    /// What rooms and peers may do to sessions here. Key: chosen by the node.
    Consent,
    /// What was given of rooms, by day. Key: chosen by the node.
    Spent,
    /// Messages that announce files, of each room the newest. Key: room ‖ arrival.
    Blob,
}

impl Table {
    /// All tables; a stored number is the place in this list.
    pub const ALL: [Table; 15] = [
        Table::Own,
        Table::Room,
        Table::Tips,
        Table::Ticket,
        Table::Cursor,
        Table::Peer,
        Table::Binding,
        Table::Session,
        Table::Request,
        Table::Asking,
        Table::Urgent,
        Table::Receipt,
        Table::Consent,
        Table::Spent,
        Table::Blob,
    ];
}

/// Where a data entry stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It cannot be opened yet, or does not count yet.
    Waiting,
    /// It opened and counts, and is meant for reading: it has an arrival number.
    Arrived,
    /// It opened and counts, and was for this program only (a profile, a room's name).
    Consumed,
    /// Its key is held and does not open it, now or ever.
    Unopenable,
}

/// A data entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRow {
    /// Its room.
    pub room: RoomId,
    /// It.
    pub id: EntryId,
    /// Its chain.
    pub chain: EntryId,
    /// Its place in the chain.
    pub seq: u64,
    /// The key its body is sealed under.
    pub key: KeyId,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Where people see it: max(own time, sort of the entry before + 1).
    pub sort_ms: TimeMs,
    /// Where it stands.
    pub standing: Standing,
    /// Its number in this node's order of arrival, from 1; only with `Standing::Arrived`.
    pub arrival: Option<u64>,
    /// Whether it was already history when this node joined.
    pub history: bool,
    /// Whether, by what its author had seen, somebody who is out held the key it is sealed under (K7).
    pub sealed_unfit: bool,
    /// The session of this node that wrote it.
    pub origin: Option<String>,
}

/// One thing to write. A list of them is written in one transaction, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A control entry that is in the DAG. Kept in the order written; writing it again changes nothing.
    PutControl {
        /// Its room.
        room: RoomId,
        /// It.
        id: EntryId,
        /// Its canonical bytes.
        bytes: Vec<u8>,
    },
    /// A data entry. Writing it again changes nothing.
    PutData(DataRow),
    /// A waiting entry found its standing.
    SetStanding {
        /// Its room.
        room: RoomId,
        /// It.
        id: EntryId,
        /// Where it stands now.
        standing: Standing,
        /// Its arrival number, if it has one now.
        arrival: Option<u64>,
    },
    /// A room key this node can open.
    PutKey {
        /// Its room.
        room: RoomId,
        /// Its id.
        id: KeyId,
        /// The key.
        key: Zeroizing<[u8; 32]>,
    },
    /// A small record, replacing the one of the same key.
    Put {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
        /// The record.
        value: Vec<u8>,
    },
    /// Forgets a small record.
    Delete {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
    },
}

/// One question to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Arrived entries of a room after an arrival number, oldest first. → `Loaded::Rows`
    Arrivals {
        /// The room.
        room: RoomId,
        /// Later than this number.
        after: u64,
        /// At most so many.
        limit: u32,
        /// Leaves out entries this session wrote.
        except_origin: Option<String>,
        /// Leaves out what was history at joining.
        without_history: bool,
    },
    /// How many such entries there are. → `Loaded::Count`
    CountArrivals {
        /// The room.
        room: RoomId,
        /// Later than this number.
        after: u64,
        /// Leaves out entries this session wrote.
        except_origin: Option<String>,
        /// Leaves out what was history at joining.
        without_history: bool,
    },
    /// The newest arrived entries by arrival, returned oldest first. → `Loaded::Rows`
    LastArrivals {
        /// The room.
        room: RoomId,
        /// At most so many.
        limit: u32,
        /// Leaves out entries this session wrote.
        except_origin: Option<String>,
    },
    /// The newest arrived entries by (sort, id), returned oldest first. → `Loaded::Rows` with empty `bytes`
    Newest {
        /// The room.
        room: RoomId,
        /// Not sorted before this time.
        since_ms: TimeMs,
        /// At most so many.
        limit: u32,
    },
    /// Entries of a chain by (place, id), all branches, whatever their standing. → `Loaded::Rows`
    Chain {
        /// The room.
        room: RoomId,
        /// The chain.
        chain: EntryId,
        /// First place.
        from_seq: u64,
        /// Last place.
        to_seq: u64,
        /// At most so many entries.
        limit: u32,
        /// Stops after the entry that brings the bytes over this.
        limit_bytes: usize,
    },
    /// Which of these are kept. → `Loaded::Rows` with empty `bytes`
    Known {
        /// The room.
        room: RoomId,
        /// Which.
        ids: Vec<EntryId>,
    },
    /// Arrived entries by their ids, by arrival. → `Loaded::Rows`
    Entries {
        /// The room.
        room: RoomId,
        /// Which.
        ids: Vec<EntryId>,
    },
    /// Arrived entries whose id lies between two, ends included. → `Loaded::Rows`
    Between {
        /// The room; absent: any.
        room: Option<RoomId>,
        /// Lowest id.
        low: EntryId,
        /// Highest id.
        high: EntryId,
        /// At most so many.
        limit: u32,
    },
    /// Waiting entries under a key or of a chain, by (chain, place). → `Loaded::Rows`
    Waiting {
        /// The room.
        room: RoomId,
        /// Under this key, if given.
        key: Option<KeyId>,
        /// Of this chain, if given.
        chain: Option<EntryId>,
        /// Of a chain, from this place on.
        from_seq: u64,
        /// At most so many.
        limit: u32,
    },
    /// One small record. → `Loaded::Record`
    Record {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
    },
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// Entries.
    Rows(Vec<DataRow>),
    /// A number.
    Count(u64),
    /// A record, if there is one.
    Record(Option<Vec<u8>>),
}

/// What is kept of one room, bodies left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSnapshot {
    /// The room.
    pub room: RoomId,
    /// Its control entries' bytes, in the order written.
    pub control: Vec<Vec<u8>>,
    /// Its keys.
    pub keys: Vec<(KeyId, Zeroizing<[u8; 32]>)>,
    /// The highest arrival number, 0 when there is none.
    pub arrivals: u64,
    /// Keys and chains of waiting entries, each pair once.
    pub waiting: Vec<(KeyId, EntryId)>,
}

/// What is kept, bodies left out: enough to go on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Rooms that have control entries or keys.
    pub rooms: Vec<RoomSnapshot>,
    /// Small records, except requests.
    pub records: Vec<(Table, Vec<u8>, Vec<u8>)>,
}
