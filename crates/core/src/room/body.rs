//! What stands inside a sealed body: who says what to whom, in canonical CBOR. Unknown kinds are kept, carried
//! and shown as from a newer Parlor.

use minicbor::{Decode, Encode};
use parlor_wire::ids::BodyHash;
use parlor_wire::{EntryId, PeerId, TimeMs, cbor, limits};

use super::receipt::Receipt;
use crate::engine::api::{Author, Priority};

/// A message, meant to be read.
pub const KIND_MESSAGE: u16 = 0;
/// What an identity calls itself, for this program only.
pub const KIND_PROFILE: u16 = 1;
/// What a room is called, for this program only.
pub const KIND_ROOM: u16 = 2;

/// That the author's identity is revoked, for this program only.
pub const KIND_REVOKED: u16 = 3;

const ASK: u64 = 16;
const ABOUT: u64 = 17;
const FILE: u64 = 18;
const TAGS: u64 = 19;
const HOPS: u64 = 20;
const FORM: u64 = 21;
const PEERS: u64 = 22;
const RECEIPT: u64 = 23;

/// That a message is a question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Asking {
    /// Until when answers are waited for, by the asker's wall clock.
    #[n(0)]
    pub deadline: TimeMs,
}

/// A file that a message announces.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Announced {
    /// What it is called, as its sender wrote it.
    #[n(0)]
    pub name: String,
    /// Its length in bytes.
    #[n(1)]
    pub length: u64,
    /// The BLAKE3 of what is carried of it.
    #[n(2)]
    pub blob: BodyHash,
    /// What it is sealed under.
    #[n(3)]
    pub key: BodyHash,
}

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
    /// The one session it is for: its label in a direct room, its name in one that stays on a machine; absent: all of them.
    #[n(6)]
    pub to: Option<String>,
    /// It is a question.
    #[n(16)]
    pub ask: Option<Asking>,
    /// The question it answers.
    #[n(17)]
    pub about: Option<EntryId>,
    /// The file it announces.
    #[n(18)]
    pub file: Option<Announced>,
    /// It is for sessions with one of these tags, though all may read it.
    #[n(19)]
    pub tags: Option<Vec<String>>,
    /// How many messages of agents lie between it and a human's.
    #[n(20)]
    pub hops: Option<u8>,
    /// 1 acknowledgement, 2 progress: nobody is disturbed for it.
    #[n(21)]
    pub form: Option<u8>,
    /// It is for these members, though all may read it.
    #[n(22)]
    pub peers: Option<Vec<PeerId>>,
    /// What a session has been given; in entries of class receipt.
    #[n(23)]
    pub receipt: Option<Receipt>,
}

impl Body {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes. What a later version wrote into open keys is passed over; into others, it counts as from a newer
    /// Parlor, which is no error.
    pub fn decode(bytes: &[u8]) -> Self {
        let Ok(closed) = cbor::decode_open::<Body>(bytes, limits::MAX_BODY_BYTES) else {
            return Body { kind: u16::MAX, ..Body::default() };
        };
        Body {
            ask: cbor::open_value(bytes, ASK),
            about: cbor::open_value(bytes, ABOUT),
            file: cbor::open_value(bytes, FILE),
            tags: cbor::open_value(bytes, TAGS),
            hops: cbor::open_value(bytes, HOPS),
            form: cbor::open_value(bytes, FORM),
            peers: cbor::open_value(bytes, PEERS),
            receipt: cbor::open_value(bytes, RECEIPT),
            ..closed
        }
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

    /// Through how many agents in a row it came, its author among them. An agent that does not say counts as the first.
    pub fn hops(&self) -> u8 {
        match self.author() {
            Author::Agent => self.hops.unwrap_or(1).max(1),
            Author::Human | Author::Program => 0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Body {
        Body {
            text: Some("where is the schema?".into()),
            ask: Some(Asking { deadline: 7 }),
            about: Some(EntryId([1; 32])),
            file: Some(Announced {
                name: "schema.sql".into(),
                length: 9,
                blob: BodyHash([2; 32]),
                key: BodyHash([3; 32]),
            }),
            tags: Some(vec!["backend".into()]),
            hops: Some(2),
            form: Some(1),
            peers: Some(vec![PeerId([4; 32])]),
            receipt: Some(Receipt::new(parlor_wire::Salt([5; 16]), Some("api".into()))),
            ..Body::default()
        }
    }

    #[test]
    fn what_stands_in_open_keys_comes_back() {
        assert_eq!(Body::decode(&full().encode()), full());
        assert_eq!(Body::decode(&Body::default().encode()), Body::default());
    }

    #[test]
    fn an_open_key_of_another_shape_spoils_nothing_else() {
        let mut bytes = Body { text: Some("x".into()), ..Body::default() }.encode();
        bytes[0] += 2;
        // 16: "late", 20: 2: a question of another shape, and hops.
        bytes.extend([16, 0x64, b'l', b'a', b't', b'e', 20, 2]);
        let body = Body::decode(&bytes);
        assert_eq!((body.text.as_deref(), body.ask, body.hops), (Some("x"), None, Some(2)));
    }
}
