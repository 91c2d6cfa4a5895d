//! What agents agree on: sealing, key schedule, room state, sync, delivery, names, cleaning, injection text.
//! Sans-IO: time and randomness come in, effects go out; nothing here reads a clock, a file or a socket.

pub mod crypto;
pub mod engine;
pub mod export;
pub mod identity;
pub mod keys;
pub mod persist;
pub mod room;
pub mod text;
