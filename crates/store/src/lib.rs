//! What is remembered: the store trait, memory, SQLite. It keeps and finds what `parlor_core::persist` describes;
//! it must not know what an entry says, nor decide when to write: its one writer does.

mod check;
mod error;
pub mod index;
mod memory;
mod sqlite;

use parlor_core::persist::{Loaded, Op, Query, Snapshot};

pub use error::StoreError;
pub use memory::MemoryStore;
pub use sqlite::{FileCounts, OpenMode, RoomCounts, SqliteStore, StoreReader};

/// Something that remembers. It has one user, who groups what is to be written into commits.
///
/// After a write has failed, every call answers [`StoreError::NeedsReopen`] until [`Store::reopen`] succeeds: whoever
/// wrote must read again what there is before going on.
pub trait Store: Send {
    /// What is kept, bodies left out. Costs what control entries and records cost, however many messages there are.
    /// Rooms come by id, keys by id, waiting pairs by (key, chain), records by (table, key).
    fn load(&mut self) -> Result<Snapshot, StoreError>;

    /// Writes all of `ops`, in order, or nothing. When it returns `Ok`, a power cut cannot take it back.
    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError>;

    /// Answers one question. Entries asked for by id come by id, each once; without a room, by (id, room).
    fn query(&mut self, query: &Query) -> Result<Loaded, StoreError>;

    /// Forgets all requests but the newest `keep`, by when each was first written; says how many were forgotten.
    fn prune_requests(&mut self, keep: u64) -> Result<u64, StoreError>;

    /// For idle moments: moves what was written lately to its final place and gives memory back.
    fn checkpoint(&mut self) -> Result<(), StoreError>;

    /// Gives back the space of what is not kept any more, where that is worth it. Changes nothing that is kept.
    fn compact(&mut self) -> Result<(), StoreError>;

    /// Makes the store usable after a failed write. Nothing of what failed is there, everything before it is.
    fn reopen(&mut self) -> Result<(), StoreError>;
}
