//! Canonical CBOR (RFC 8949 §4.2): encode, and decode only what encodes to the same bytes again, so that one
//! value has one form and one id. Must not be lenient anywhere.

use minicbor::{Decode, Encode};

/// Why bytes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// They do not have the expected shape.
    #[error("the bytes do not have the expected shape")]
    Shape,
    /// They have it, but are not the one canonical form of it.
    #[error("the bytes are not in canonical form")]
    NotCanonical,
    /// There are more than the limit allows.
    #[error("{0} bytes are more than the limit of {1}")]
    TooLong(usize, usize),
    /// A list in them is longer than the limit allows.
    #[error("a list of {0} is more than the limit of {1}")]
    TooMany(usize, usize),
}

/// The canonical bytes of a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing into a Vec cannot fail, and no Encode implementation of this crate returns an error of its own.
    let _ = minicbor::encode(value, &mut out);
    out
}

/// The value of canonical bytes, at most `limit` of them.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8], limit: usize) -> Result<T, CborError> {
    if bytes.len() > limit {
        return Err(CborError::TooLong(bytes.len(), limit));
    }
    let value: T = minicbor::decode(bytes).map_err(|_| CborError::Shape)?;
    if encode(&value) != bytes {
        return Err(CborError::NotCanonical);
    }
    Ok(value)
}

/// In what is sealed, keys from this one on may be added without a new kind: who does not know them passes over them.
pub const FIRST_OPEN_KEY: u64 = 16;

/// The same of a map in which keys from [`FIRST_OPEN_KEY`] on may be of a later Parlor, and are passed over. All others
/// must be known.
pub fn decode_open<T: for<'b> Decode<'b, ()> + Encode<()>>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, CborError> {
    if bytes.len() > limit {
        return Err(CborError::TooLong(bytes.len(), limit));
    }
    let known = without_open_keys(bytes).ok_or(CborError::Shape)?;
    decode(&known, limit)
}

/// A map without its open keys. Keys ascend, so that what is left is the beginning.
fn without_open_keys(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let count = decoder.map().ok()??;
    let begin = decoder.position();
    let (mut kept, mut end, mut last) = (0, begin, None);
    for _ in 0..count {
        let key = decoder.u64().ok()?;
        decoder.skip().ok()?;
        if last.replace(key).is_some_and(|last| last >= key) {
            return None;
        }
        if key < FIRST_OPEN_KEY {
            (kept, end) = (kept + 1, decoder.position());
        }
    }
    if decoder.position() != bytes.len() {
        return None;
    }
    if kept == count {
        return Some(bytes.to_vec());
    }
    let mut known = Vec::with_capacity(end);
    // Writing to a vector cannot fail.
    minicbor::Encoder::new(&mut known).map(kept).ok()?;
    known.extend_from_slice(bytes.get(begin..end)?);
    Some(known)
}

/// The value of an open key of a map that [`decode_open`] has taken; absent where it is missing, of another shape than
/// this Parlor knows, or not in canonical form: what may be missed spoils nothing else.
pub fn open_value<T: for<'b> Decode<'b, ()> + Encode<()>>(bytes: &[u8], key: u64) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(bytes);
    for _ in 0..decoder.map().ok()?? {
        let begin = decoder.position();
        let found = decoder.u64().ok()?;
        let value = decoder.position();
        decoder.skip().ok()?;
        if found == key {
            let (whole, value) =
                (bytes.get(begin..decoder.position())?, bytes.get(value..decoder.position())?);
            let value: T = minicbor::decode(value).ok()?;
            return ([encode(&key), encode(&value)].concat() == whole).then_some(value);
        }
    }
    None
}

/// The version of a header whose other fields may have changed: the value of key 0, which stands first in every
/// version there will be.
pub(crate) fn peek_version(header: &[u8]) -> Result<u8, CborError> {
    let mut decoder = minicbor::Decoder::new(header);
    decoder.map().map_err(|_| CborError::Shape)?;
    let key = decoder.u8().map_err(|_| CborError::Shape)?;
    let version = decoder.u8().map_err(|_| CborError::Shape)?;
    if key == 0 { Ok(version) } else { Err(CborError::Shape) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use minicbor::{Decode, Encode};

    use super::*;

    #[derive(Debug, PartialEq, Eq, Encode, Decode)]
    #[cbor(map)]
    struct Known {
        #[n(0)]
        a: u8,
        #[n(3)]
        b: Option<String>,
    }

    fn read(bytes: &[u8]) -> Result<Known, CborError> {
        decode_open(bytes, 64)
    }

    #[test]
    fn open_keys_are_passed_over_and_all_others_must_be_known() {
        let plain = Known { a: 7, b: None };
        assert_eq!(read(&encode(&plain)), Ok(plain));
        // 16: true, and 24: [1, {2: 3}], behind what is known.
        let more = [0xa4, 0, 7, 3, 0x61, b'x', 16, 0xf5, 0x18, 24, 0x82, 1, 0xa1, 2, 3];
        assert_eq!(read(&more), Ok(Known { a: 7, b: Some("x".into()) }));
        assert_eq!(read(&[0xa2, 0, 7, 15, 0xf5]), Err(CborError::NotCanonical), "15 is none of them");
    }

    #[test]
    fn an_open_key_that_is_known_is_read_and_one_of_another_shape_is_passed_over() {
        // 3: "x", 16: "y", 17: true, 18: 7 in two bytes, 24: 1.
        let bytes = [0xa6, 0, 7, 3, 0x61, b'x', 16, 0x61, b'y', 17, 0xf5, 18, 0x18, 7, 0x18, 24, 1];
        assert!(read(&bytes).is_ok());
        assert_eq!(open_value::<String>(&bytes, 16).as_deref(), Some("y"));
        assert_eq!(open_value::<u8>(&bytes, 24), Some(1));
        assert_eq!(open_value::<u8>(&bytes, 16), None, "another shape");
        assert_eq!(open_value::<u8>(&bytes, 17), None, "another shape");
        assert_eq!(open_value::<u8>(&bytes, 18), None, "not canonical");
        assert_eq!(open_value::<u8>(&bytes, 19), None, "missing");
        assert_eq!(open_value::<u8>(&[0x80], 16), None, "no map");
    }

    #[test]
    fn what_stands_around_open_keys_is_as_strict_as_ever() {
        for (bytes, why) in [
            (&[0xa2, 16, 0xf5, 0, 7][..], "keys ascend"),
            (&[0xa3, 0, 7, 16, 1, 16, 2], "each once"),
            (&[0xa2, 0, 0x18, 7, 16, 1], "numbers are shortest"),
            (&[0xb8, 1, 0, 7], "lengths too"),
            (&[0xbf, 0, 7, 16, 1, 0xff], "no open length"),
            (&[0xa2, 0, 7, 16], "whole"),
            (&[0xa2, 0, 7, 16, 1, 0], "nothing behind"),
            (&[0xa1, 16, 1], "what must be there is"),
            (&[0x80], "a map"),
        ] {
            assert!(read(bytes).is_err(), "{why}");
        }
        assert_eq!(read(&[0xa0; 65]), Err(CborError::TooLong(65, 64)));
    }
}
