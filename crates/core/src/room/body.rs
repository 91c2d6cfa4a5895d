//! What stands inside a sealed body: who says what to whom, in canonical CBOR. Unknown kinds are kept, carried
//! and shown as from a newer Parlor.

use minicbor::{Decode, Encode};
use parlor_wire::{cbor, limits};

use crate::engine::api::{Author, Priority};

/// A message, meant to be read.
pub const KIND_MESSAGE: u16 = 0;
/// What an identity calls itself, for this program only.
pub const KIND_PROFILE: u16 = 1;
/// What a room is called, for this program only.
pub const KIND_ROOM: u16 = 2;

/// That the author's identity is revoked, for this program only.
pub const KIND_REVOKED: u16 = 3;

/// An opened body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Body {
    /// What it is.
    #[n(0)]
    pub kind: u16,
    /// What it says, or the room's name.
    #[n(1)]
    pub text: Option<String>,
    /// What its author calls itself.
    #[n(2)]
    pub nick: Option<String>,
    /// The label of the session it was written in.
    #[n(3)]
    pub session: Option<String>,
    /// 0 human, 1 agent, 2 program.
    #[n(4)]
    pub author: Option<u8>,
    /// 0 low, 1 normal, 2 now; absent: normal.
    #[n(5)]
    pub priority: Option<u8>,
    /// The label of the one session it is for, in a direct room; absent: all of them.
    #[n(6)]
    pub to: Option<String>,
}

impl Body {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes. What a later version wrote into open keys is passed over; into others, it counts as from a newer
    /// Parlor, which is no error.
    pub fn decode(bytes: &[u8]) -> Self {
        cbor::decode_open(bytes, limits::MAX_BODY_BYTES).unwrap_or(Body { kind: u16::MAX, ..Body::default() })
    }

    /// By whom, as its node saw it.
    pub fn author(&self) -> Author {
        match self.author {
            Some(0) => Author::Human,
            Some(1) => Author::Agent,
            _ => Author::Program,
        }
    }

    /// How urgent.
    pub fn priority(&self) -> Priority {
        self.priority.and_then(Priority::of).unwrap_or_default()
    }

    /// Whether people are meant to read it: messages, and whatever this version does not know.
    pub fn for_reading(&self) -> bool {
        !matches!(self.kind, KIND_PROFILE | KIND_ROOM | KIND_REVOKED)
    }
}

/// The number of an author in a body.
pub fn author_number(author: Author) -> u8 {
    match author {
        Author::Human => 0,
        Author::Agent => 1,
        Author::Program => 2,
    }
}

/// The number of a priority in a body; the usual one is left out.
pub fn priority_number(priority: Priority) -> Option<u8> {
    match priority {
        Priority::Low => Some(0),
        Priority::Normal => None,
        Priority::Now => Some(2),
    }
}
