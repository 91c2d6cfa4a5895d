//! What a peer's message may do to a session here, which is its person's to set. Must not decide what a message says or
//! who is in a room.

use parlor_wire::{PeerId, RoomId};

/// What a message may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Be given at a prompt.
    Inject,
    /// Be given between tools, and make a turn go on.
    Tools,
    /// Wake an idle session.
    Wake,
    /// Have its file fetched by itself.
    Files,
}

/// What was allowed and denied.
#[derive(Debug, Default)]
pub(crate) struct Consent {}

impl Consent {
    /// Whether what `peer` says in `room` may do this. Who is in a room that was joined here may be heard; nobody wakes a
    /// session or brings files by itself before a person here has said so.
    pub(crate) fn may(&self, what: What, _room: RoomId, _peer: PeerId) -> bool {
        matches!(what, What::Inject | What::Tools)
    }
}
