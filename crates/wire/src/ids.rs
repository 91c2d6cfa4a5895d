//! Names of things: fixed-size byte strings, and the text forms people and JSON see (lower-case base32 with a
//! kind letter). Must not interpret what an id names.

use std::fmt;
use std::str::FromStr;

use data_encoding::Encoding;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// How many characters of an id people are shown, kind letter included.
pub const SHORT_CHARS: usize = 8;
/// The fewest characters of an id that are accepted as a prefix, kind letter not counted.
pub const MIN_PREFIX_CHARS: usize = 6;

/// Lower-case RFC 4648 base32 without padding.
pub fn base32() -> Encoding {
    use std::sync::OnceLock;
    static ENCODING: OnceLock<Encoding> = OnceLock::new();
    ENCODING
        .get_or_init(|| {
            let mut spec = data_encoding::Specification::new();
            spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
            // The specification is a constant of 32 distinct symbols, which is always valid.
            spec.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
        })
        .clone()
}

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The kind letter in front is another one.
    #[error("this is not an id that begins with `{0}`")]
    Kind(char),
    /// The characters or their number are wrong.
    #[error("this is not a whole id: it should have 52 characters of a–z and 2–7 after `{0}`")]
    Text(char),
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;
            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                Ok(Self(bytes.try_into()?))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                let bytes = d.bytes()?;
                bytes.try_into().map(Self).map_err(|_| decode::Error::message("wrong length of a fixed byte string"))
            }
        }
    };
}

macro_rules! named_id {
    ($(#[$doc:meta])* $name:ident, $letter:expr) => {
        fixed_bytes!($(#[$doc])* $name, 32);

        impl $name {
            /// The letter in front of its text form.
            pub const LETTER: char = $letter;

            /// The form shown to people: the first eight characters.
            pub fn short(&self) -> String {
                let mut text = self.to_string();
                text.truncate(SHORT_CHARS);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $letter, base32().encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let rest = text.strip_prefix($letter).ok_or(IdError::Kind($letter))?;
                let bytes = base32().decode(rest.as_bytes()).map_err(|_| IdError::Text($letter))?;
                bytes.as_slice().try_into().map_err(|_| IdError::Text($letter))
            }
        }
    };
}

named_id!(
    /// An identity: its Ed25519 public key. Also the id of its node's endpoint.
    PeerId,
    'p'
);
named_id!(
    /// A room: the id of its genesis.
    RoomId,
    'r'
);
named_id!(
    /// An entry: the hash of its header. Memberships, tickets and chains are named by the entry that made them.
    EntryId,
    'm'
);
named_id!(
    /// A room key: derived from suite, room and the key itself, so that it commits to the key.
    KeyId,
    'k'
);
named_id!(
    /// Whom a room key is sealed to: a card, or a ticket. See [`Card::id`](crate::Card::id) and
    /// [`Ticket::recipient`](crate::control::Ticket::recipient).
    RecipientId,
    'c'
);
fixed_bytes!(
    /// BLAKE3 of a sealed body.
    BodyHash,
    32
);
fixed_bytes!(
    /// An X25519 public key.
    PublicSealingKey,
    32
);
fixed_bytes!(
    /// An Ed25519 signature.
    Signature,
    64
);
fixed_bytes!(
    /// The salt of one sealed body or signal.
    Salt,
    16
);

macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), data_encoding::HEXLOWER.encode(&self.0[..4]))
            }
        }
    )*};
}
opaque_debug!(BodyHash, PublicSealingKey, Signature, Salt);

impl From<EntryId> for RoomId {
    /// A room is named by its genesis.
    fn from(genesis: EntryId) -> Self {
        RoomId(genesis.0)
    }
}

impl From<RoomId> for EntryId {
    fn from(room: RoomId) -> Self {
        EntryId(room.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip_and_name_their_kind() {
        let peer = PeerId([7; 32]);
        let text = peer.to_string();
        assert!(text.starts_with('p') && text.len() == 53, "{text}");
        assert_eq!(text.parse(), Ok(peer));
        assert_eq!(text.parse::<RoomId>(), Err(IdError::Kind('r')));
        assert_eq!(text[..20].parse::<PeerId>(), Err(IdError::Text('p')));
        assert_eq!(text.to_uppercase().parse::<PeerId>(), Err(IdError::Kind('p')));
        assert_eq!(peer.short().len(), SHORT_CHARS);
    }

    #[test]
    fn trailing_bits_that_are_not_zero_are_refused() {
        let mut text = PeerId([0; 32]).to_string();
        text.pop();
        text.push('b');
        assert_eq!(text.parse::<PeerId>(), Err(IdError::Text('p')));
    }
}
