//! The constructions of suite 1, each with its name: entry sealing, key sealing, wrapping, ticket keys, hedged
//! randomness. No primitive is written here; they come from ring (AES-256-GCM), hkdf/sha2, hpke, blake3 and
//! ed25519-dalek.

mod aead;
mod blob;
mod entry;
mod hedge;
mod seal;
mod signal;
mod ticket;

pub use blob::{FileKey, Stream};
pub use entry::{EntryContext, open_body, open_with_entry_key, seal_body, sealed_len};
pub use hedge::Hedge;
pub(crate) use seal::sealing_pair;
pub use seal::{SealContext, open_key, open_wrap, seal_key, wrap_key};
pub use signal::{open_signal, seal_signal};
pub use ticket::TicketKeys;

use parlor_wire::{KeyId, RoomId, SUITE, domain};
use zeroize::Zeroizing;

/// A room key.
pub type RoomKey = Zeroizing<[u8; 32]>;

/// Something did not open: wrong key, changed bytes, or bytes of the wrong shape. Never says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this does not open with that key")]
pub struct NotOpened;

/// The id of a room key: commits to suite, room and key (BLAKE3 key derivation).
pub fn key_id(room: &RoomId, key: &[u8; 32]) -> KeyId {
    let mut hasher = blake3::Hasher::new_derive_key(domain::KEY_ID);
    hasher.update(&SUITE.to_be_bytes());
    hasher.update(&room.0);
    hasher.update(key);
    KeyId(*hasher.finalize().as_bytes())
}

/// HKDF-SHA256 (RFC 5869) to 32 bytes.
fn hkdf(key: &[u8; 32], salt: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // 32 bytes are one block of the hash; only more than 255 blocks fail.
    let _ = hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), key).expand_multi_info(info, &mut out[..]);
    out
}
