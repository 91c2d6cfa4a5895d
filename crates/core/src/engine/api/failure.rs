//! How a command fails, in words for whoever typed it. Must not decide what fails.

use parlor_wire::PeerId;
use parlor_wire::frame::Refusal;

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No such room here.
    #[error("this node has no such room")]
    NoSuchRoom,
    /// The room is not joined yet.
    #[error("the room is saved but not joined yet")]
    NotJoined,
    /// The room needs a newer Parlor.
    #[error("{0}")]
    Frozen(String),
    /// The room is of a version that is read no more.
    #[error("{0}")]
    Older(String),
    /// The join was refused.
    #[error("{}", refusal_words(.0))]
    Refused(Refusal),
    /// A direct room is between two.
    #[error("a direct room is between two: nobody rules it, is let in or leaves")]
    Direct,
    /// A local room has no tickets.
    #[error("the room stays on this machine: nobody can be invited to it")]
    StaysHere,
    /// This identity is revoked.
    #[error("this identity was revoked here: it writes nothing any more")]
    Revoked,
    /// Only owners may.
    #[error("only an owner of the room may do that")]
    OwnersOnly,
    /// Nobody puts out or lowers an owner.
    #[error("that is an owner of the room, and nobody puts out an owner")]
    OwnersStay,
    /// No such person.
    #[error("nobody of that name is in the room, or asks to be let in")]
    NoSuchPerson,
    /// No such ticket.
    #[error("the room has no such ticket")]
    NoSuchTicket,
    /// The last owner would leave the others without one.
    #[error("you are the room's last owner: without one nobody can be let in or put out any more")]
    LastOwner,
    /// This identity has left.
    #[error("you have left the room")]
    Left,
    /// An owner has put this identity out.
    #[error("an owner has put you out of the room")]
    PutOut,
    /// Readers do not write.
    #[error("a reader of the room does not write in it")]
    ReadersDoNotWrite,
    /// Too long.
    #[error("the text is {0} bytes long and the limit is {1}")]
    TooLong(usize, usize),
    /// Nothing in it.
    #[error("the text is empty")]
    Empty,
    /// The request id was used for something else.
    #[error("this request id stood for another message already")]
    RequestReused,
    /// Nobody answers its own question.
    #[error("that question is your own")]
    OwnQuestion,
    /// No key to seal under that this node can open.
    #[error("no key of the room has reached this node yet")]
    NoKey,
    /// The ticket has expired by this node's clock.
    #[error("the ticket has expired")]
    TicketExpired,
    /// The ticket has been closed before.
    #[error("the ticket is closed already")]
    TicketClosed,
    /// A limit of the room.
    #[error("the room's limit is reached: {0}")]
    Limit(&'static str),
    /// The token holds nothing (any more).
    #[error("nothing is held under that token")]
    NoSuchTake,
    /// The store could not read.
    #[error("the store could not be read")]
    Store,
    /// Nobody here is this peer.
    #[error("this node knows no such peer")]
    NoSuchPeer,
    /// A direct room is for who shares another.
    #[error("you share no room with this peer now, and have never told each other anything")]
    NoSharedRoom,
    /// It is this identity itself.
    #[error("that is you")]
    OwnPeer,
    /// Nothing of the name can be seen.
    #[error("a name has 1 to 32 characters that can be seen")]
    NoName,
    /// The petname is another's, or looks like it: a petname names one identity.
    #[error("you call {} “{petname}” already, and a petname names one peer", .peer.short())]
    PetnameTaken {
        /// Whose.
        peer: PeerId,
        /// As it is written there.
        petname: String,
    },
}

/// A refusal in words.
pub fn refusal_words(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NotEntitled => "the other side does not know this ticket, or no longer carries the room",
        Refusal::TicketClosed => "the ticket has been closed",
        Refusal::TicketExpired => "the ticket has expired",
        Refusal::TicketSpent => "all uses of the ticket are spent",
        Refusal::Version => "the other side speaks another version of the protocol",
        Refusal::Busy => "the other side is busy",
        Refusal::Full => "the room has 512 members, and no more may be in it",
    }
}
