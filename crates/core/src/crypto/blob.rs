//! Sealing of files: STREAM over AES-256-GCM. Each chunk has its number and whether it is the last in its nonce, so that
//! none can be left out, moved, repeated or taken for the end. Must not hold more than one chunk.

use parlor_wire::{SUITE, domain};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{NotOpened, hkdf};

/// The key of one file. It seals nothing else.
pub type FileKey = Zeroizing<[u8; 32]>;

/// Seals or opens the chunks of one file, in order.
pub struct Stream {
    key: LessSafeKey,
    next: u64,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Stream {
    /// From its first chunk on.
    pub fn new(key: &FileKey) -> Result<Self, NotOpened> {
        let derived = hkdf(key, &[], &[domain::BLOB_KEY, &SUITE.to_be_bytes()]);
        let key = UnboundKey::new(&AES_256_GCM, &derived[..]).map_err(|_| NotOpened)?;
        Ok(Self { key: LessSafeKey::new(key), next: 0 })
    }

    /// The number of the chunk that is sealed or opened next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next chunk, sealed in place. A key seals one file once: its caller draws a new one for each.
    pub fn seal(&mut self, chunk: &mut Vec<u8>, is_last: bool) -> Result<(), NotOpened> {
        let nonce = nonce(self.next, is_last)?;
        self.key.seal_in_place_append_tag(nonce, Aad::empty(), chunk).map_err(|_| NotOpened)?;
        self.next += 1;
        Ok(())
    }

    /// The next chunk, opened in place. One that does not open may be tried again with other bytes.
    pub fn open(&mut self, chunk: &mut Vec<u8>, is_last: bool) -> Result<(), NotOpened> {
        let nonce = nonce(self.next, is_last)?;
        let len = self.key.open_in_place(nonce, Aad::empty(), chunk).map_err(|_| NotOpened)?.len();
        chunk.truncate(len);
        self.next += 1;
        Ok(())
    }
}

/// Seven zero bytes, the number of the chunk in four, and whether it is the last in one.
fn nonce(number: u64, is_last: bool) -> Result<Nonce, NotOpened> {
    let number = u32::try_from(number).map_err(|_| NotOpened)?;
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    Ok(Nonce::assume_unique_for_key(nonce))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn sealed() -> (FileKey, Vec<Vec<u8>>) {
        let key = Zeroizing::new([7; 32]);
        let mut stream = Stream::new(&key).unwrap();
        let mut chunks = vec![b"one".to_vec(), b"two".to_vec(), b"end".to_vec()];
        for (at, chunk) in chunks.iter_mut().enumerate() {
            stream.seal(chunk, at == 2).unwrap();
        }
        (key, chunks)
    }

    fn open(key: &FileKey, chunks: &[(&[u8], bool)]) -> Result<Vec<u8>, NotOpened> {
        let mut stream = Stream::new(key)?;
        let mut plain = Vec::new();
        for (chunk, is_last) in chunks {
            let mut chunk = chunk.to_vec();
            stream.open(&mut chunk, *is_last)?;
            plain.extend(chunk);
        }
        Ok(plain)
    }

    #[test]
    fn chunks_open_in_their_order_and_in_no_other() {
        let (key, sealed) = sealed();
        let [one, two, end] = [&sealed[0][..], &sealed[1][..], &sealed[2][..]];
        let whole = [(one, false), (two, false), (end, true)];
        assert_eq!(open(&key, &whole).unwrap(), b"onetwoend");
        for wrong in [
            &[(two, false)][..],
            &[(one, true)],
            &[(one, false), (two, true)],
            &[(one, false), (end, true)],
            &[(one, false), (one, false)],
            &[(one, false), (two, false), (end, false)],
            &[(&[], false)],
        ] {
            assert_eq!(open(&key, wrong), Err(NotOpened), "{wrong:?}");
        }
        let mut altered = two.to_vec();
        altered[0] ^= 1;
        assert_eq!(open(&key, &[(one, false), (&altered, false)]), Err(NotOpened));
        assert_eq!(open(&Zeroizing::new([8; 32]), &whole), Err(NotOpened));
    }

    #[test]
    fn a_chunk_that_did_not_open_may_be_tried_again() {
        let (key, sealed) = sealed();
        let mut stream = Stream::new(&key).unwrap();
        assert!(stream.open(&mut vec![0; 40], false).is_err());
        let mut chunk = sealed[0].clone();
        stream.open(&mut chunk, false).unwrap();
        assert_eq!((chunk.as_slice(), stream.next()), (&b"one"[..], 1));
    }
}
