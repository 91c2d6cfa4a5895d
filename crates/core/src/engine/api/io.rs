//! What the driver tells the engine, and what the engine wants the driver to do. Plain values; what commands say stands in `api`.

use parlor_wire::PeerId;
use parlor_wire::RoomId;

use super::{Command, Failure, LinkId, LoadToken, MessageView, Outcome, RequestId};
use crate::persist::{Loaded, Op, Query};

/// What the engine is told.
#[derive(Debug)]
// Each is carried out at once, and none is kept.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// Somebody here wants something.
    Command {
        /// For the reply.
        request: RequestId,
        /// What.
        command: Command,
    },
    /// A stream to a peer is open; `room` is set where this side dialled.
    LinkUp {
        /// The stream.
        link: LinkId,
        /// Who is at the other end, authenticated by the carrier.
        peer: PeerId,
        /// Which room it was opened for, by this side.
        room: Option<RoomId>,
    },
    /// A frame came in, without its length.
    Frame {
        /// On which link.
        link: LinkId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The stream is gone.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// The answer to a load; `None` when the store could not.
    Loaded {
        /// Which load.
        token: LoadToken,
        /// What it found.
        loaded: Option<Loaded>,
    },
    /// Time passed.
    Tick,
}

/// What the engine wants done, in order.
#[derive(Debug)]
pub enum Effect {
    /// Write these in one transaction, durably, before doing anything after this.
    Persist(Vec<Op>),
    /// Send a frame (without its length).
    Send {
        /// On which link.
        link: LinkId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Close a link.
    Close {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        reason: String,
    },
    /// Ask the store; answer with `Event::Loaded`.
    Load {
        /// For the answer.
        token: LoadToken,
        /// What.
        query: Query,
    },
    /// Answer a command.
    Reply {
        /// Which.
        request: RequestId,
        /// With what.
        outcome: Result<Outcome, Failure>,
    },
    /// Messages arrived, in this order: for followers, transcripts and waiting agents.
    Arrived(Vec<MessageView>),
    /// The set of links the engine wants may have changed: see `Engine::wanted_links`.
    LinksChanged,
    /// Something for the log; holds no body, key or ticket.
    Note(String),
}
