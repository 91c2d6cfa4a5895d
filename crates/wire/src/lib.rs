//! What crosses the network: ids and their text forms, tickets' text, limits, canonical CBOR, entries,
//! frames, signature checks and the roster fold. Pure: no clock, no randomness, no I/O, and it knows no
//! secret but the seed inside a ticket text somebody pasted.

pub mod called;
pub mod card;
pub mod cbor;
pub mod control;
pub mod data;
pub mod domain;
pub mod file;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod roster;
pub mod sign;
pub mod ticket;

pub use card::{Card, SignedCard};
pub use control::{Control, ControlBody, ControlHeader};
pub use data::{Data, DataHeader};
pub use ids::{BodyHash, EntryId, KeyId, PeerId, PublicSealingKey, RecipientId, RoomId, Salt, Signature};

/// The version of everything on the wire, frozen: what changes gets another number.
pub const WIRE_VERSION: u8 = 1;
/// The suite of cryptographic constructions described in `docs/spec`.
pub const SUITE: u16 = 1;
/// The rules of a room: three roles, full history.
pub const RULES: u16 = 1;

/// Milliseconds since 1970-01-01T00:00:00Z by somebody's own wall clock. Never decides authority.
pub type TimeMs = u64;
