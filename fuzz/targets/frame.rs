//! Any bytes as a frame: decoding never panics, what is taken is the one form of itself and within its limits.

use parlor_wire::frame::Frame;
use parlor_wire::{RoomId, limits};

/// One input.
pub fn run(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    assert_eq!(frame.encode(), bytes, "one value, one form");
    let entries = match &frame {
        Frame::ControlBatch(batch) => batch.entries.len(),
        Frame::DataBatch(batch) => batch.entries.len(),
        Frame::DataPush(push) => push.entries.len(),
        _ => 0,
    };
    assert!(entries <= limits::MAX_BATCH_ENTRIES);
    if let Frame::Signal(signal) = &frame {
        let _ = signal.verify(&RoomId([0; 32]));
    }
}
