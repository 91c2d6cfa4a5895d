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

/// The version of a header whose other fields may have changed: the value of key 0, which stands first in every
/// version there will be.
pub(crate) fn peek_version(header: &[u8]) -> Result<u8, CborError> {
    let mut decoder = minicbor::Decoder::new(header);
    decoder.map().map_err(|_| CborError::Shape)?;
    let key = decoder.u8().map_err(|_| CborError::Shape)?;
    let version = decoder.u8().map_err(|_| CborError::Shape)?;
    if key == 0 { Ok(version) } else { Err(CborError::Shape) }
}
