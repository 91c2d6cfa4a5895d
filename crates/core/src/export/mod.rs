//! A room as one file that proves itself: the control entries, the data entries with their signatures, and for what may be
//! read here its text and the key of that one entry. JSON Lines, so that it can be read and searched with anything. Written
//! and verified a line at a time; must not read or write a file, and must hold no room key.

pub mod line;
mod rules;
mod verify;
mod write;

pub use rules::Rules;
pub use verify::{Fault, Speaker, Verified, Verifier};
pub use write::{Head, Writer};

/// The version of the form of the file.
pub const FORMAT: u32 = 1;
/// The longest line: a body at its limit, sealed and in clear, with every character of it escaped, fits.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
