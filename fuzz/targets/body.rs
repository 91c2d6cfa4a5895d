//! Any bytes as what stands inside a body or a signal: decoding never panics, and what is understood is the one form of
//! itself.

use parlor_core::room::body::{Body, KIND_PROFILE, KIND_REVOKED, KIND_ROOM};
use parlor_core::room::said::Said;

/// One input.
pub fn run(bytes: &[u8]) {
    let body = Body::decode(bytes);
    let is_newer = body == Body { kind: u16::MAX, ..Body::default() };
    assert!(is_newer || is_form_of(bytes, &closed(&body).encode()), "one value, one form");
    assert!(is_newer || Body::decode(&body.encode()) == body, "what is understood can be said again");
    assert_eq!(body.for_reading(), !matches!(body.kind, KIND_PROFILE | KIND_REVOKED | KIND_ROOM));
    let _ = (body.author(), body.priority());
    if let Ok(said) = Said::decode(bytes) {
        assert!(Said::decode(&said.encode()).as_ref() == Ok(&said), "what is understood can be said again");
        assert!(is_form_of(bytes, &said.closed().encode()), "one value, one form");
    }
}

/// Without what stands in open keys, of which each is understood or passed over by itself.
fn closed(body: &Body) -> Body {
    Body {
        ask: None,
        about: None,
        file: None,
        tags: None,
        hops: None,
        form: None,
        peers: None,
        receipt: None,
        ..body.clone()
    }
}

/// Whether these bytes are the one form of a value, or that form with open keys behind it.
fn is_form_of(bytes: &[u8], form: &[u8]) -> bool {
    bytes == form || (bytes.len() > form.len() && bytes[1..].starts_with(&form[1..]))
}
