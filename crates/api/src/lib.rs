//! The waist: what a surface may ask the node, what the node answers, and the client of its socket. Must not
//! know how anything is done.

mod ago;
mod asked;
pub mod caller;
pub mod client;
mod conversation;
pub mod error;
mod failure;
mod files;
pub mod line;
pub mod lines;
pub mod paths;
mod people;
mod quiet;
pub mod reply;
pub mod request;
mod ruling;
mod words;

pub use ago::ago;
pub use asked::{Asked, Far, FarState, MessageFar};
pub use client::{Cancel, Client};
pub use error::{ApiError, ErrorKind};
pub use failure::ClientError;
pub use files::{Dropped, File, Progress};
pub use line::{ClientLine, Hello, NodeHello, NodeLine, RequestLine};
pub use quiet::*;
pub use reply::*;
pub use request::*;

/// The version of this interface. A node serves this one and the one before.
pub const API_VERSION: u32 = 1;
/// Longest line either side may send, in bytes.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
/// How long a surface waits for a node to start and answer, in milliseconds.
pub const NODE_WAIT_MS: u64 = 5_000;
/// How long the hook waits for all of its answers, in milliseconds.
pub const HOOK_WAIT_MS: u64 = 300;
