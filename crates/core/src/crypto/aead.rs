//! AES-256-GCM with nonce zero. Only for keys that seal exactly one thing; every caller derives such a key.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::NotOpened;

/// Bytes an authentication tag adds.
pub const TAG_BYTES: usize = 16;

fn once(key: &[u8; 32]) -> Result<(LessSafeKey, Nonce), NotOpened> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| NotOpened)?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key([0; 12])))
}

/// Encrypts in place and appends the tag. `key` must never seal anything else.
pub fn seal(key: &[u8; 32], aad: &[u8], mut plaintext: Vec<u8>) -> Result<Vec<u8>, NotOpened> {
    let (key, nonce) = once(key)?;
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut plaintext).map_err(|_| NotOpened)?;
    Ok(plaintext)
}

/// Verifies and decrypts.
pub fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let (key, nonce) = once(key)?;
    let mut bytes = sealed.to_vec();
    let len = key.open_in_place(nonce, Aad::from(aad), &mut bytes).map_err(|_| NotOpened)?.len();
    bytes.truncate(len);
    Ok(bytes)
}
