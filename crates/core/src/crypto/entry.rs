//! Sealing of one entry's body: a key of its own by HKDF from the room key and the header's salt, AES-256-GCM,
//! the header as associated data, the plaintext padded to a bucket.

use parlor_wire::data::DataHeader;
use parlor_wire::{RoomId, SUITE, domain, limits};

use super::{NotOpened, RoomKey, aead, hkdf, key_id};

/// Smallest bucket, in bytes.
const SMALLEST_BUCKET: usize = 256;
/// From here on buckets are multiples of this, below they are powers of two.
const COARSE_BUCKET: usize = 4096;

/// What an entry's key is bound to.
pub struct EntryContext<'a> {
    /// The room key.
    pub key: &'a RoomKey,
    /// The header; body hash and length are not looked at when sealing.
    pub header: &'a DataHeader,
}

impl EntryContext<'_> {
    /// The key of this one entry: it opens nothing else, and the room key does not follow from it.
    pub fn entry_key(&self) -> zeroize::Zeroizing<[u8; 32]> {
        let header = self.header;
        hkdf(
            self.key,
            &header.salt.0,
            &[
                domain::ENTRY_KEY,
                &SUITE.to_be_bytes(),
                &header.room.0,
                &header.chain.0,
                &header.seq.to_be_bytes(),
            ],
        )
    }
}

/// How long the sealed body of so many plaintext bytes is.
pub fn sealed_len(plaintext: usize) -> usize {
    let len = plaintext + 4;
    let bucket = if len <= COARSE_BUCKET {
        len.next_power_of_two().max(SMALLEST_BUCKET)
    } else {
        len.next_multiple_of(COARSE_BUCKET)
    };
    bucket + aead::TAG_BYTES
}

/// Seals a body. The header must already say its final length (`sealed_len`): it is associated data.
pub fn seal_body(context: &EntryContext<'_>, plaintext: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let total = sealed_len(plaintext.len());
    if total > limits::MAX_BODY_BYTES || context.header.body_len as usize != total {
        return Err(NotOpened);
    }
    let mut padded = Vec::with_capacity(total);
    padded.extend_from_slice(&(plaintext.len() as u32).to_be_bytes());
    padded.extend_from_slice(plaintext);
    padded.resize(total - aead::TAG_BYTES, 0);
    aead::seal(&context.entry_key(), &context.header.associated_data(), padded)
}

/// Opens a body. The key must be the one the header names (it commits to it), else it is not received.
pub fn open_body(context: &EntryContext<'_>, room: &RoomId, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
    if key_id(room, context.key) != context.header.key {
        return Err(NotOpened);
    }
    open_with_entry_key(&context.entry_key(), context.header, sealed)
}

/// Opens a body with the entry's own key. That the key comes from the room key the header names cannot be seen from it.
pub fn open_with_entry_key(key: &[u8; 32], header: &DataHeader, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let padded = aead::open(key, &header.associated_data(), sealed)?;
    let (len, rest) = padded.split_first_chunk::<4>().ok_or(NotOpened)?;
    let len = u32::from_be_bytes(*len) as usize;
    let (plaintext, padding) = rest.split_at_checked(len).ok_or(NotOpened)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(NotOpened);
    }
    Ok(plaintext.to_vec())
}
