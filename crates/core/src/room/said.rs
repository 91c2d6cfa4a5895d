//! What stands inside a signal: what a session says of itself, or where a node is reached, in canonical CBOR with
//! open keys. Nothing here is cleaned for people.

use minicbor::{Decode, Encode};
use parlor_wire::cbor::{self, CborError};
use parlor_wire::limits;

/// What a session says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Said {
    /// Its label.
    #[n(0)]
    pub label: String,
    /// The agent program.
    #[n(1)]
    pub program: String,
    /// What it works on.
    #[n(2)]
    pub summary: Option<String>,
}

impl Said {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_open(bytes, limits::MAX_SIGNAL_BYTES)
    }
}

/// Where a node is reached. Its keys are none of a session's, so that neither can be read as the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Whereabouts {
    /// IP addresses with ports, as text, best first.
    #[n(8)]
    pub addresses: Vec<String>,
    /// The URL of the relay it can be called at.
    #[n(9)]
    pub relay: Option<String>,
}

impl Whereabouts {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From opened bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_open(bytes, limits::MAX_SIGNAL_BYTES)
    }
}
