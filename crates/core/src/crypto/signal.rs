//! Sealing of one signal: a key of its own by HKDF from the room key and the signal's salt, AES-256-GCM.

use parlor_wire::{RoomId, SUITE, Salt, domain};

use super::{NotOpened, RoomKey, aead, hkdf};

fn signal_key(key: &RoomKey, room: &RoomId, salt: &Salt) -> zeroize::Zeroizing<[u8; 32]> {
    hkdf(key, &salt.0, &[domain::SIGNAL_KEY, &SUITE.to_be_bytes(), &room.0])
}

/// Seals what a signal says; `context` is everything else in it.
pub fn seal_signal(
    key: &RoomKey,
    room: &RoomId,
    salt: &Salt,
    context: &[u8],
    said: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    aead::seal(&signal_key(key, room, salt), context, said.to_vec())
}

/// Opens it.
pub fn open_signal(
    key: &RoomKey,
    room: &RoomId,
    salt: &Salt,
    context: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    aead::open(&signal_key(key, room, salt), context, sealed)
}
