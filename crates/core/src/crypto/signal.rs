//! Sealing of one signal: a key of its own by HKDF from the room key and the signal's salt, AES-256-GCM, all else
//! of the signal as associated data.

use parlor_wire::frame::Signal;
use parlor_wire::{RoomId, SUITE, Salt, domain};

use super::{NotOpened, RoomKey, aead, hkdf};

fn signal_key(key: &RoomKey, room: &RoomId, salt: &Salt) -> zeroize::Zeroizing<[u8; 32]> {
    hkdf(key, &salt.0, &[domain::SIGNAL_KEY, &SUITE.to_be_bytes(), &room.0])
}

/// The room, and the signal with nothing sealed and no signature.
fn associated_data(room: &RoomId, signal: &Signal) -> Vec<u8> {
    let mut empty = signal.clone();
    empty.sealed = Vec::new().into();
    [domain::SIGNAL_AAD, &room.0, &empty.signed_bytes()].concat()
}

/// Seals what a signal says. Its sealed part and signature are not looked at; all else must be final.
pub fn seal_signal(key: &RoomKey, room: &RoomId, signal: &Signal, said: &[u8]) -> Result<Vec<u8>, NotOpened> {
    aead::seal(&signal_key(key, room, &signal.salt), &associated_data(room, signal), said.to_vec())
}

/// Opens what a signal says.
pub fn open_signal(key: &RoomKey, room: &RoomId, signal: &Signal) -> Result<Vec<u8>, NotOpened> {
    aead::open(&signal_key(key, room, &signal.salt), &associated_data(room, signal), &signal.sealed)
}
