//! Text for people and agents: cleaning, names, times, and what a session is given at its prompt.
//!
//! Pure functions. Time, randomness and limits come in as arguments; nothing here reads a clock,
//! a file or a socket, and nothing here decides who may write.

pub mod clean;
pub mod fence;
pub mod file_name;
pub mod inject;
mod line;
pub mod mention;
pub mod names;
mod resolve;
pub mod safety;
pub mod seek;
pub mod session_name;
pub mod time;

pub use clean::{CleanText, Mode, clean};
