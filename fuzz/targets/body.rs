//! Any bytes as what stands inside a body or a signal: decoding never panics, and what is understood is the one form of
//! itself.

use parlor_core::room::body::{Body, KIND_PROFILE, KIND_REVOKED, KIND_ROOM};
use parlor_core::room::said::Said;

/// One input.
pub fn run(bytes: &[u8]) {
    let body = Body::decode(bytes);
    let is_newer = body == Body { kind: u16::MAX, ..Body::default() };
    assert!(is_newer || body.encode() == bytes, "one value, one form");
    assert_eq!(body.for_reading(), !matches!(body.kind, KIND_PROFILE | KIND_REVOKED | KIND_ROOM));
    let _ = (body.author(), body.priority());
    if let Ok(said) = Said::decode(bytes) {
        assert_eq!(said.encode(), bytes, "one value, one form");
    }
}
