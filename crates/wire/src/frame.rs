//! What two nodes say to each other about one room, over any ordered byte stream. A frame is a 4-byte
//! big-endian length and that many bytes of canonical CBOR. Must not decide anything.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{EntryId, PeerId, RoomId, Salt, Signature};
use crate::{domain, limits};

/// The name of the protocol on a connection; its number is the wire version.
pub const ALPN: &[u8] = b"parlor/sync/1";

/// The last known entry of a branch of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct Tip {
    /// Place in the chain.
    #[n(0)]
    pub seq: u64,
    /// The entry.
    #[n(1)]
    pub id: EntryId,
}

/// The tips of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChainTips {
    /// The chain.
    #[n(0)]
    pub chain: EntryId,
    /// Its tips, one unless the chain forked.
    #[n(1)]
    pub tips: Vec<Tip>,
}

/// First word of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Wire version.
    #[n(0)]
    pub v: u8,
    /// What the other side's proof must sign.
    #[n(1)]
    pub nonce: Salt,
    /// What the sender knows beyond version 1, a bit each: frames that a peer which does not know them would take for
    /// malformed. Unknown bits say nothing.
    #[n(2)]
    pub knows: u64,
}

/// In [`Hello::knows`]: the frame [`Frame::Whereabouts`].
pub const KNOWS_WHEREABOUTS: u64 = 1;

/// Proof that one holds the text of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Proof {
    /// The ticket's public signing key.
    #[n(0)]
    pub signing_key: PeerId,
    /// Its signature over both endpoints, the room and the other side's nonce.
    #[n(1)]
    pub signature: Signature,
}

/// Which room a link is about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Open {
    /// The room.
    #[n(0)]
    pub room: RoomId,
    /// What entitles the sender, if being a live member is not yet known to the other.
    #[n(1)]
    pub proof: Option<Proof>,
}

/// Why a link is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Refusal {
    /// No such room here, or nothing that entitles the caller: the two are not told apart to strangers.
    #[n(0)]
    NotEntitled,
    /// The ticket was closed.
    #[n(1)]
    TicketClosed,
    /// The ticket has expired.
    #[n(2)]
    TicketExpired,
    /// The ticket's uses are spent.
    #[n(3)]
    TicketSpent,
    /// Another version of the wire format.
    #[n(4)]
    Version,
    /// Too many links at the moment.
    #[n(5)]
    Busy,
    /// The room has as many members as it may have.
    #[n(6)]
    Full,
}

/// Asks for control entries.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ControlWant {
    /// Wanted, with everything before them.
    #[n(0)]
    pub want: Vec<EntryId>,
    /// Held already, with everything before them.
    #[n(1)]
    pub have: Vec<EntryId>,
}

/// Control entries, parents before children.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ControlBatch {
    /// Their bytes.
    #[n(0)]
    pub entries: Vec<ByteVec>,
    /// Whether more follow for the same want.
    #[n(1)]
    pub more: bool,
}

/// What the sender holds of the room's chains; chains not named are unchanged since the last such frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DataHeads {
    /// The tips.
    #[n(0)]
    pub chains: Vec<ChainTips>,
    /// Whether this completes a first full list.
    #[n(1)]
    pub complete: bool,
}

/// Asks for one batch of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DataWant {
    /// The chain.
    #[n(0)]
    pub chain: EntryId,
    /// First place wanted.
    #[n(1)]
    pub from_seq: u64,
    /// Last place wanted.
    #[n(2)]
    pub to_seq: u64,
}

/// The answer to one want: entries ascending by place, all branches.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DataBatch {
    /// The chain.
    #[n(0)]
    pub chain: EntryId,
    /// The first place that was wanted.
    #[n(1)]
    pub from_seq: u64,
    /// The entries' bytes.
    #[n(2)]
    pub entries: Vec<ByteVec>,
}

/// Entries the sender believes to be next.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DataPush {
    /// Their bytes.
    #[n(0)]
    pub entries: Vec<ByteVec>,
}

/// What is now durable at the sender.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// The tips.
    #[n(0)]
    pub chains: Vec<ChainTips>,
}

/// Presence of a session: signed, sealed, never stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Signal {
    /// Whose session.
    #[n(0)]
    pub author: PeerId,
    /// Which session, as a random handle.
    #[n(1)]
    pub session: Salt,
    /// Counts up with each signal of the session.
    #[n(2)]
    pub counter: u64,
    /// For how long it holds, in seconds, by the receiver's own clock; 0: the session has ended.
    #[n(3)]
    pub ttl_s: u32,
    /// The room key it is sealed under.
    #[n(4)]
    pub key: crate::ids::KeyId,
    /// Makes its key its own.
    #[n(5)]
    pub salt: Salt,
    /// What it says, sealed.
    #[n(6)]
    pub sealed: ByteVec,
    /// The author's signature over the fields above.
    #[n(7)]
    pub signature: Option<Signature>,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Frame {
    /// First word.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Which room.
    #[n(1)]
    Open(#[n(0)] Open),
    /// Not served.
    #[n(2)]
    Refuse(#[n(0)] Refusal),
    /// The sender's maximal control entries.
    #[n(3)]
    ControlHeads(#[n(0)] Vec<EntryId>),
    /// Asks for control entries.
    #[n(4)]
    ControlWant(#[n(0)] ControlWant),
    /// Control entries.
    #[n(5)]
    ControlBatch(#[n(0)] ControlBatch),
    /// What the sender holds.
    #[n(6)]
    DataHeads(#[n(0)] DataHeads),
    /// Asks for a batch.
    #[n(7)]
    DataWant(#[n(0)] DataWant),
    /// A batch.
    #[n(8)]
    DataBatch(#[n(0)] DataBatch),
    /// Unasked, next entries.
    #[n(9)]
    DataPush(#[n(0)] DataPush),
    /// Durable at the sender.
    #[n(10)]
    Ack(#[n(0)] Ack),
    /// Presence.
    #[n(11)]
    Signal(#[n(0)] Signal),
    /// Where its author's node is reached; only to whom the hello says that it knows this. Built like the signal of a
    /// session, of the handle that is all zeros, and with a `ttl_s` of 0: read as presence, it says nothing.
    #[n(12)]
    Whereabouts(#[n(0)] Signal),
}

impl Frame {
    /// The canonical bytes, without the length in front.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From canonical bytes, without the length in front; its lists are within their limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let frame: Self = cbor::decode(bytes, limits::MAX_FRAME_BYTES)?;
        frame.check_limits()?;
        Ok(frame)
    }

    fn check_limits(&self) -> Result<(), CborError> {
        match self {
            Self::ControlHeads(heads) => at_most(heads.len(), limits::MAX_CONTROL_IDS),
            Self::ControlWant(want) => {
                at_most(want.want.len(), limits::MAX_CONTROL_IDS)?;
                at_most(want.have.len(), limits::MAX_CONTROL_IDS)
            }
            Self::ControlBatch(batch) => at_most(batch.entries.len(), limits::MAX_BATCH_ENTRIES),
            Self::DataBatch(batch) => at_most(batch.entries.len(), limits::MAX_BATCH_ENTRIES),
            Self::DataPush(push) => at_most(push.entries.len(), limits::MAX_BATCH_ENTRIES),
            Self::DataHeads(heads) => check_chains(&heads.chains),
            Self::Ack(ack) => check_chains(&ack.chains),
            Self::Signal(signal) | Self::Whereabouts(signal) => match signal.sealed.len() {
                bytes if bytes > limits::MAX_SIGNAL_BYTES => {
                    Err(CborError::TooLong(bytes, limits::MAX_SIGNAL_BYTES))
                }
                _ => Ok(()),
            },
            Self::Hello(_) | Self::Open(_) | Self::Refuse(_) | Self::DataWant(_) => Ok(()),
        }
    }
}

fn at_most(count: usize, limit: usize) -> Result<(), CborError> {
    if count > limit { Err(CborError::TooMany(count, limit)) } else { Ok(()) }
}

fn check_chains(chains: &[ChainTips]) -> Result<(), CborError> {
    at_most(chains.len(), limits::MAX_HEADS_PER_FRAME)?;
    chains.iter().try_for_each(|chain| at_most(chain.tips.len(), limits::MAX_TIPS))
}

/// What a link proof signs: prover, verifier, room, the verifier's nonce.
pub fn proof_message(prover: &PeerId, verifier: &PeerId, room: &RoomId, nonce: &Salt) -> Vec<u8> {
    [&prover.0[..], &verifier.0[..], &room.0[..], &nonce.0[..]].concat()
}

impl Proof {
    /// Whether the ticket's key signed this link.
    pub fn verify(&self, prover: &PeerId, verifier: &PeerId, room: &RoomId, nonce: &Salt) -> bool {
        let message = proof_message(prover, verifier, room, nonce);
        crate::sign::verify(&self.signing_key, domain::LINK_PROOF, &message, &self.signature).is_ok()
    }
}

impl Signal {
    /// The bytes that are signed, and that the sealing is bound to when `sealed` is empty.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bare = self.clone();
        bare.signature = None;
        cbor::encode(&bare)
    }

    /// Whether its author signed it for this room.
    pub fn verify(&self, room: &RoomId) -> bool {
        let Some(signature) = self.signature else { return false };
        let message = [&room.0[..], &self.signed_bytes()].concat();
        crate::sign::verify(&self.author, domain::SIGNAL_SIGNATURE, &message, &signature).is_ok()
    }
}
