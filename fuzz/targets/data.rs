//! Any bytes as a data entry: decoding never panics, and what is taken is the one form of itself.

use parlor_wire::data::{Data, body_hash};
use parlor_wire::{PeerId, limits};

/// One input.
pub fn run(bytes: &[u8]) {
    let Ok(data) = Data::decode(bytes) else { return };
    assert_eq!(data.encode(), bytes, "one value, one form");
    assert_eq!(data.id, data.header.id());
    assert!(data.header.bytes().len() <= limits::MAX_DATA_HEADER_BYTES);
    if let Some(body) = &data.body {
        assert_eq!(Some(body_hash(body)), data.header.body_hash);
        assert_eq!(body.len(), data.header.body_len as usize);
    }
    let _ = data.verify(&PeerId(data.header.room.0));
    assert!(data.header.associated_data().len() < data.header.bytes().len() + 64);
}
