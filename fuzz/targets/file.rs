//! Any bytes as a request for a file: reading never panics, and what is read is written the same again.

use parlor_wire::cbor;
use parlor_wire::file::FileRequest;

/// One input.
pub fn run(bytes: &[u8]) {
    let Ok(request) = FileRequest::decode(bytes) else { return };
    assert_eq!(cbor::encode(&request), bytes);
    assert_eq!(&request.to_bytes()[2..], bytes);
}
