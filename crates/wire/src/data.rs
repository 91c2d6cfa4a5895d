//! Data entries: sealed records in chains. Here are their bytes and the checks one entry passes alone. What is
//! inside the sealed body is core's.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{BodyHash, EntryId, KeyId, PeerId, RoomId, Salt, Signature};
use crate::{TimeMs, WIRE_VERSION, domain, limits, sign};

/// Class of entries that people or agents are meant to be given.
pub const CLASS_CONTENT: u8 = 0;
/// Class of receipts, which readers may write too.
pub const CLASS_RECEIPT: u8 = 1;

/// The signed part of a data entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DataHeader {
    /// Wire version.
    #[n(0)]
    pub v: u8,
    /// The room.
    #[n(1)]
    pub room: RoomId,
    /// The control entry that opened the chain.
    #[n(2)]
    pub chain: EntryId,
    /// Its place in the chain, from 0.
    #[n(3)]
    pub seq: u64,
    /// The entry before it; absent at 0.
    #[n(4)]
    pub prev: Option<EntryId>,
    /// Content or receipt; others are kept and carried.
    #[n(5)]
    pub class: u8,
    /// When, by the author's clock.
    #[n(6)]
    pub time: TimeMs,
    /// The room key the body is sealed under.
    #[n(7)]
    pub key: KeyId,
    /// Makes the entry's key its own.
    #[n(8)]
    pub salt: Salt,
    /// What later entries of the same slot may supersede.
    #[n(9)]
    pub slot: Option<Salt>,
    /// The entry this one supersedes.
    #[n(10)]
    pub supersedes: Option<EntryId>,
    /// The author's control heads, when changed since the chain's last entry; sorted.
    #[n(11)]
    pub after: Option<Vec<EntryId>>,
    /// BLAKE3 of the sealed body; absent only while the associated data is made.
    #[n(12)]
    pub body_hash: Option<BodyHash>,
    /// Length of the sealed body in bytes.
    #[n(13)]
    pub body_len: u32,
}

/// What is sent and stored of a data entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Envelope {
    #[n(0)]
    header: ByteVec,
    #[n(1)]
    signature: Signature,
    #[n(2)]
    body: Option<ByteVec>,
}

/// A data entry whose shape has been checked, and whose signature has *not*: see [`Data::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// BLAKE3 of the header.
    pub id: EntryId,
    /// The header.
    pub header: DataHeader,
    /// The author's signature.
    pub signature: Signature,
    /// The sealed body; absent when it is gone (superseded, expired, over quota).
    pub body: Option<Vec<u8>>,
}

/// Why bytes are no data entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Not canonical CBOR of the right shape.
    #[error("malformed data entry: {0}")]
    Cbor(#[from] CborError),
    /// A later version of the wire format.
    #[error("a data entry of wire version {0}; this Parlor knows {WIRE_VERSION}: update Parlor")]
    Version(u8),
    /// A form the rules forbid.
    #[error("data entry against the rules: {0}")]
    Form(&'static str),
    /// The body is not the one the header commits to.
    #[error("a data entry whose body was changed")]
    Body,
    /// The signature does not verify.
    #[error("a data entry whose signature is not valid")]
    Signature,
}

/// The hash a header commits to its sealed body by.
pub fn body_hash(sealed: &[u8]) -> BodyHash {
    BodyHash(blake3::derive_key(domain::BODY_HASH, sealed))
}

impl DataHeader {
    /// The bytes that are signed and hashed.
    pub fn bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The entry's id.
    pub fn id(&self) -> EntryId {
        EntryId(blake3::derive_key(domain::DATA_ID, &self.bytes()))
    }

    /// The associated data its body is sealed with: domain, then the header without the body hash.
    pub fn associated_data(&self) -> Vec<u8> {
        let mut without = self.clone();
        without.body_hash = None;
        sign::signed_bytes(domain::ENTRY_AAD, &without.bytes())
    }

    fn check_form(&self) -> Result<(), DataError> {
        let form = |ok: bool, why| if ok { Ok(()) } else { Err(DataError::Form(why)) };
        form((self.seq == 0) == self.prev.is_none(), "only the first entry of a chain has none before it")?;
        form(self.body_hash.is_some(), "no body hash")?;
        form(self.body_len as usize <= limits::MAX_BODY_BYTES, "a body over the limit")?;
        let heads = self.after.as_deref().unwrap_or_default();
        form(heads.len() <= limits::MAX_PARENTS, "too many control heads")?;
        form(heads.is_sorted_by(|a, b| a < b), "control heads not sorted")
    }
}

impl Data {
    /// From parts that were just signed. Checks nothing.
    pub fn new(header: DataHeader, signature: Signature, body: Option<Vec<u8>>) -> Self {
        Self { id: header.id(), header, signature, body }
    }

    /// The canonical bytes that are sent and stored.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&Envelope {
            header: self.header.bytes().into(),
            signature: self.signature,
            body: self.body.clone().map(Into::into),
        })
    }

    /// Decodes and checks form and body hash, not the signature: the last of a run is verified, hashes do the
    /// rest.
    pub fn decode(bytes: &[u8]) -> Result<Self, DataError> {
        let limit = limits::MAX_BODY_BYTES + limits::MAX_DATA_HEADER_BYTES + 256;
        let envelope: Envelope = cbor::decode(bytes, limit)?;
        let version = cbor::peek_version(&envelope.header)?;
        if version != WIRE_VERSION {
            return Err(DataError::Version(version));
        }
        let header: DataHeader = cbor::decode(&envelope.header, limits::MAX_DATA_HEADER_BYTES)?;
        header.check_form()?;
        let body = envelope.body.map(Vec::from);
        if let Some(sealed) = &body
            && (sealed.len() != header.body_len as usize || Some(body_hash(sealed)) != header.body_hash)
        {
            return Err(DataError::Body);
        }
        let id = EntryId(blake3::derive_key(domain::DATA_ID, &envelope.header));
        Ok(Self { id, header, signature: envelope.signature, body })
    }

    /// Whether the author of its chain signed it.
    pub fn verify(&self, author: &PeerId) -> Result<(), DataError> {
        sign::verify(author, domain::DATA_SIGNATURE, &self.header.bytes(), &self.signature)
            .map_err(|_| DataError::Signature)
    }
}
