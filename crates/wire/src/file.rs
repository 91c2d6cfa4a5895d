//! What two nodes say to each other to hand over one sealed file: one request, one word, and the bytes. A protocol of its
//! own beside the room's, so that no file stands in a message's way. Must not open, read or write anything.

use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{BodyHash, EntryId, RoomId};
use crate::{domain, limits};

/// The name of the protocol on a connection.
pub const ALPN: &[u8] = b"parlor/file/1";
/// Bytes that sealing adds to each chunk.
pub const TAG_BYTES: usize = 16;
/// Bytes of a whole sealed chunk.
pub const SEALED_CHUNK_BYTES: usize = limits::FILE_CHUNK_BYTES + TAG_BYTES;

/// Asks for a sealed file from one of its chunks on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FileRequest {
    /// The room it was announced in.
    #[n(0)]
    pub room: RoomId,
    /// The entry that announced it.
    #[n(1)]
    pub entry: EntryId,
    /// Its name.
    #[n(2)]
    pub blob: BodyHash,
    /// The first chunk wanted.
    #[n(3)]
    pub chunk: u64,
}

impl FileRequest {
    /// Its length in two bytes, big-endian, and its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = cbor::encode(self);
        let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [&len.to_be_bytes()[..], &body].concat()
    }

    /// From its bytes, without their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, limits::MAX_FILE_REQUEST_BYTES)
    }
}

/// The one byte a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAnswer {
    /// What follows, to the end of the stream, are the chunks.
    Comes,
    /// It is not held here, or was never announced there, or the caller may not read that room: not told apart.
    No,
    /// Others are being served.
    Busy,
}

impl FileAnswer {
    /// As a byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Comes => 0,
            Self::No => 1,
            Self::Busy => 2,
        }
    }

    /// From a byte; none for one of a later Parlor.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Comes, Self::No, Self::Busy].into_iter().find(|answer| answer.byte() == byte)
    }
}

/// How many chunks a file of so many bytes has: one at least, so that an empty one is authentic too.
pub fn chunks(length: u64) -> u64 {
    length.div_ceil(limits::FILE_CHUNK_BYTES as u64).max(1)
}

/// How long a file of so many bytes is once it is sealed.
pub fn sealed_len(length: u64) -> u64 {
    length.saturating_add(chunks(length).saturating_mul(TAG_BYTES as u64))
}

/// How many bytes of a file its chunk `at` holds.
pub fn chunk_len(length: u64, at: u64) -> usize {
    let from = at.saturating_mul(limits::FILE_CHUNK_BYTES as u64);
    let left = length.saturating_sub(from).min(limits::FILE_CHUNK_BYTES as u64);
    usize::try_from(left).unwrap_or(limits::FILE_CHUNK_BYTES)
}

/// `12 KiB`: a length for people.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Names a sealed file as its bytes go by.
#[derive(Debug, Clone)]
pub struct BlobNamer(blake3::Hasher);

impl Default for BlobNamer {
    fn default() -> Self {
        Self(blake3::Hasher::new_derive_key(domain::BLOB_NAME))
    }
}

impl BlobNamer {
    /// The next sealed bytes.
    pub fn update(&mut self, sealed: &[u8]) {
        self.0.update(sealed);
    }

    /// The name of all there were.
    pub fn name(&self) -> BodyHash {
        BodyHash(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written_and_in_no_other_form() {
        let request = FileRequest {
            room: RoomId([1; 32]),
            entry: EntryId([2; 32]),
            blob: BodyHash([3; 32]),
            chunk: 70_000,
        };
        let bytes = request.to_bytes();
        let (len, body) = bytes.split_first_chunk::<2>().unwrap();
        assert_eq!(usize::from(u16::from_be_bytes(*len)), body.len());
        assert!(body.len() <= limits::MAX_FILE_REQUEST_BYTES);
        assert_eq!(FileRequest::decode(body), Ok(request));
        assert!(FileRequest::decode(&[body, &[0]].concat()).is_err());
        assert!(FileRequest::decode(&body[..body.len() - 1]).is_err());
        let longest = FileRequest { chunk: u64::MAX, ..FileRequest::decode(body).unwrap() };
        assert!(longest.to_bytes().len() <= limits::MAX_FILE_REQUEST_BYTES);
    }

    #[test]
    fn answers_are_bytes_and_other_bytes_are_none() {
        for answer in [FileAnswer::Comes, FileAnswer::No, FileAnswer::Busy] {
            assert_eq!(FileAnswer::of(answer.byte()), Some(answer));
        }
        assert_eq!(FileAnswer::of(3), None);
    }

    #[test]
    fn lengths_follow_from_each_other() {
        let chunk = limits::FILE_CHUNK_BYTES as u64;
        for (length, count, last) in [
            (0, 1, 0),
            (1, 1, 1),
            (chunk - 1, 1, chunk - 1),
            (chunk, 1, chunk),
            (chunk + 1, 2, 1),
            (3 * chunk, 3, chunk),
        ] {
            assert_eq!(chunks(length), count, "{length}");
            assert_eq!(sealed_len(length), length + 16 * count, "{length}");
            assert_eq!(chunk_len(length, count - 1) as u64, last, "{length}");
            assert_eq!(chunk_len(length, count), 0, "{length}");
        }
        assert_eq!(sealed_len(u64::MAX), u64::MAX, "what is announced is no reason to break");
    }

    #[test]
    fn a_size_is_told_in_two_digits_or_three() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (12_400, "12 KiB"),
            (1_048_575, "1.0 MiB"),
            (1 << 30, "1.0 GiB"),
            (64 << 30, "64 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
