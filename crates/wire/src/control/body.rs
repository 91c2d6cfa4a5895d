//! What control entries say: the body of each kind, its number, and what it carries for others to find. Must not
//! judge whether a body may stand where it stands (`form`) or what it means among others (`roster`).

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::{Control, ControlError, open_envelope};
use crate::card::SignedCard;
use crate::cbor;
use crate::ids::{EntryId, KeyId, PeerId, PublicSealingKey, RecipientId, RoomId};
use crate::{SUITE, TimeMs, domain, limits};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Reads, and writes receipts only.
    #[n(0)]
    Reader,
    /// Reads and writes.
    #[n(1)]
    Member,
    /// Rules the room.
    #[n(2)]
    Owner,
}

/// A room key sealed to one recipient (HPKE base mode).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Seal {
    /// The card or ticket it is sealed to.
    #[n(0)]
    pub to: RecipientId,
    /// The encapsulated key.
    #[n(1)]
    pub enc: PublicSealingKey,
    /// The sealed room key and its tag, 48 bytes.
    #[n(2)]
    pub sealed: ByteVec,
}

/// An older room key under a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wrap {
    /// The older key.
    #[n(0)]
    pub key: KeyId,
    /// It, encrypted, and its tag, 48 bytes.
    #[n(1)]
    pub sealed: ByteVec,
}

/// A room key given to more recipients.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Grant {
    /// The key.
    #[n(0)]
    pub key: KeyId,
    /// To whom.
    #[n(1)]
    pub seals: Vec<Seal>,
}

/// A new room key: sealed to every entitled reader, wrapping all older heads its author can open.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rekey {
    /// The new key.
    #[n(0)]
    pub key: KeyId,
    /// To whom it is sealed.
    #[n(1)]
    pub seals: Vec<Seal>,
    /// The older keys it opens.
    #[n(2)]
    pub wraps: Vec<Wrap>,
}

/// The first entry of a room.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Genesis {
    /// The starter's card.
    #[n(0)]
    pub card: SignedCard,
    /// Makes two rooms of one moment two rooms.
    #[n(1)]
    pub nonce: crate::ids::Salt,
}

/// Names one more owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Own {
    /// The identity that owns from here on.
    #[n(0)]
    pub identity: PeerId,
}

/// Lets whoever holds its text join.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ticket {
    /// Verifies joins and link proofs.
    #[n(0)]
    pub signing_key: PeerId,
    /// Where room keys are sealed to for those who join by it.
    #[n(1)]
    pub sealing_key: PublicSealingKey,
    /// The role it gives: member or reader.
    #[n(2)]
    pub role: Role,
    /// How many may join by it; absent: any number.
    #[n(3)]
    pub uses: Option<u32>,
    /// When it expires, by the reader's own clock; absent: never.
    #[n(4)]
    pub expires: Option<TimeMs>,
    /// Whether a join waits for an owner.
    #[n(5)]
    pub approve: bool,
    /// All key heads, sealed to the ticket.
    #[n(6)]
    pub grants: Vec<Grant>,
}

impl Ticket {
    /// The id room keys are sealed to for whoever holds its text. It comes from the public keys and not from
    /// the entry, whose id depends on the grants inside it.
    pub fn recipient(&self) -> RecipientId {
        ticket_recipient(&self.signing_key, &self.sealing_key)
    }
}

/// The same from a ticket's public keys, for one who has its text and not yet its entry.
pub fn ticket_recipient(signing_key: &PeerId, sealing_key: &PublicSealingKey) -> RecipientId {
    let keys = [signing_key.0, sealing_key.0].concat();
    RecipientId(blake3::derive_key(domain::TICKET_RECIPIENT, &keys))
}

/// Comes in by a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Join {
    /// The entry of the ticket.
    #[n(0)]
    pub ticket: EntryId,
    /// The joiner's card.
    #[n(1)]
    pub card: SignedCard,
}

/// Closes a ticket: joins that had not seen this stay, unseen ones are undone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Close {
    /// The entry of the ticket.
    #[n(0)]
    pub ticket: EntryId,
    /// A key the ticket does not know.
    #[n(1)]
    pub rekey: Option<Rekey>,
}

/// Asks to come in by a ticket that needs an owner's leave. It is in no DAG: an owner's [`Admit`] carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Request {
    /// The entry of the ticket.
    #[n(0)]
    pub ticket: EntryId,
    /// The card of whoever asks.
    #[n(1)]
    pub card: SignedCard,
}

/// Lets somebody in who asked. The membership is this entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admit {
    /// What was asked, whole: a control entry of kind request.
    pub request: Box<Control>,
    /// All key heads, sealed to the card.
    pub grants: Vec<Grant>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct AdmitBytes {
    #[n(0)]
    request: ByteVec,
    #[n(1)]
    grants: Vec<Grant>,
}

impl Admit {
    /// What its request says.
    pub fn asked(&self) -> Option<&Request> {
        match &self.request.body {
            ControlBody::Request(request) => Some(request),
            _ => None,
        }
    }

    /// Who is let in.
    pub fn identity(&self) -> PeerId {
        self.request.header.author
    }

    fn bytes(&self) -> Vec<u8> {
        cbor::encode(&AdmitBytes { request: self.request.encode().into(), grants: self.grants.clone() })
    }

    fn parse(bytes: &[u8]) -> Result<Self, ControlError> {
        let read: AdmitBytes = cbor::decode(bytes, limits::MAX_CONTROL_BYTES)?;
        let (envelope, header) = open_envelope(&read.request)?;
        // Looked at first: an admit inside an admit would be read without end.
        if header.kind != kind::REQUEST {
            return Err(ControlError::Form("admits something that is no request"));
        }
        let request = Box::new(Control::from_parts(envelope, header)?);
        Ok(Self { request, grants: read.grants })
    }
}

/// How far the data of one branch of a chain counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct Cut {
    /// The chain.
    #[n(0)]
    pub chain: EntryId,
    /// The place of the last entry that counts.
    #[n(1)]
    pub seq: u64,
    /// That entry.
    #[n(2)]
    pub id: EntryId,
}

/// Puts an identity out. Nobody can put out an owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Remove {
    /// Who.
    #[n(0)]
    pub identity: PeerId,
    /// Its memberships, as far as the remover knew them; the tickets they came by are closed by this.
    #[n(1)]
    pub memberships: Vec<EntryId>,
    /// Its data as far as the remover held it: what lies beyond does not count.
    #[n(2)]
    pub cuts: Vec<Cut>,
    /// A key it does not know.
    #[n(3)]
    pub rekey: Option<Rekey>,
}

/// Gives an identity another role: reader or member.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SetRole {
    /// Whose.
    #[n(0)]
    pub identity: PeerId,
    /// Which.
    #[n(1)]
    pub role: Role,
    /// Its data as far as the author held it, when it is to be a reader: content beyond does not count.
    #[n(2)]
    pub cuts: Vec<Cut>,
}

/// Goes out by oneself. It never reaches backwards: what was said stays.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Leave {
    /// Said by the last owner: nobody will rule the room any more.
    #[n(0)]
    pub abandons: bool,
}

/// Says that keys the author should know have not reached it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Want {
    /// Which.
    #[n(0)]
    pub keys: Vec<KeyId>,
}

/// A further card of the author, opening a new chain of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NewCard {
    /// The card.
    #[n(0)]
    pub card: SignedCard,
}

/// Merges control heads; nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Note {}

/// Opens the direct room of two identities for its author. Both may write one, and either is a room by itself: the
/// other is an owner of it from the start, and reads it by the cards the author knew.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Direct {
    /// The other of the two.
    #[n(0)]
    pub other: PeerId,
    /// The author's card.
    #[n(1)]
    pub card: SignedCard,
    /// The other's cards, as far as the author knew them.
    #[n(2)]
    pub known: Vec<SignedCard>,
}

/// The room of two identities: the same whoever asks. A room with oneself is no direct room.
pub fn direct_room(one: &PeerId, other: &PeerId) -> Option<RoomId> {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let pair = [&SUITE.to_be_bytes()[..], &low.0, &high.0].concat();
    (low != high).then(|| RoomId(blake3::derive_key(domain::DIRECT_ROOM, &pair)))
}

/// The body of a control entry. Numbers once used are never used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlBody {
    /// 0
    Genesis(Genesis),
    /// 1
    Own(Own),
    /// 2
    Ticket(Ticket),
    /// 3
    Close(Close),
    /// 4
    Request(Request),
    /// 5
    Join(Join),
    /// 6
    Admit(Admit),
    /// 7
    Remove(Remove),
    /// 8
    Role(SetRole),
    /// 9
    Leave(Leave),
    /// 10
    Card(NewCard),
    /// 11
    Rekey(Rekey),
    /// 12
    Grant(Grant),
    /// 13
    Want(Want),
    /// 14
    Note(Note),
    /// 15
    Direct(Direct),
}

/// Kind numbers.
mod kind {
    pub const GENESIS: u16 = 0;
    pub const OWN: u16 = 1;
    pub const TICKET: u16 = 2;
    pub const CLOSE: u16 = 3;
    pub const REQUEST: u16 = 4;
    pub const JOIN: u16 = 5;
    pub const ADMIT: u16 = 6;
    pub const REMOVE: u16 = 7;
    pub const ROLE: u16 = 8;
    pub const LEAVE: u16 = 9;
    pub const CARD: u16 = 10;
    pub const REKEY: u16 = 11;
    pub const GRANT: u16 = 12;
    pub const WANT: u16 = 13;
    pub const NOTE: u16 = 14;
    pub const DIRECT: u16 = 15;
}

impl ControlBody {
    /// The number in the header.
    pub fn kind(&self) -> u16 {
        match self {
            Self::Genesis(_) => kind::GENESIS,
            Self::Own(_) => kind::OWN,
            Self::Ticket(_) => kind::TICKET,
            Self::Close(_) => kind::CLOSE,
            Self::Request(_) => kind::REQUEST,
            Self::Join(_) => kind::JOIN,
            Self::Admit(_) => kind::ADMIT,
            Self::Remove(_) => kind::REMOVE,
            Self::Role(_) => kind::ROLE,
            Self::Leave(_) => kind::LEAVE,
            Self::Card(_) => kind::CARD,
            Self::Rekey(_) => kind::REKEY,
            Self::Grant(_) => kind::GRANT,
            Self::Want(_) => kind::WANT,
            Self::Note(_) => kind::NOTE,
            Self::Direct(_) => kind::DIRECT,
        }
    }

    /// The canonical bytes that stand in the header.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Genesis(b) => cbor::encode(b),
            Self::Own(b) => cbor::encode(b),
            Self::Ticket(b) => cbor::encode(b),
            Self::Close(b) => cbor::encode(b),
            Self::Request(b) => cbor::encode(b),
            Self::Join(b) => cbor::encode(b),
            Self::Admit(b) => b.bytes(),
            Self::Remove(b) => cbor::encode(b),
            Self::Role(b) => cbor::encode(b),
            Self::Leave(b) => cbor::encode(b),
            Self::Card(b) => cbor::encode(b),
            Self::Rekey(b) => cbor::encode(b),
            Self::Grant(b) => cbor::encode(b),
            Self::Want(b) => cbor::encode(b),
            Self::Note(b) => cbor::encode(b),
            Self::Direct(b) => cbor::encode(b),
        }
    }

    pub(super) fn parse(number: u16, bytes: &[u8]) -> Result<Self, ControlError> {
        let limit = limits::MAX_CONTROL_BYTES;
        Ok(match number {
            kind::GENESIS => Self::Genesis(cbor::decode(bytes, limit)?),
            kind::OWN => Self::Own(cbor::decode(bytes, limit)?),
            kind::TICKET => Self::Ticket(cbor::decode(bytes, limit)?),
            kind::CLOSE => Self::Close(cbor::decode(bytes, limit)?),
            kind::REQUEST => Self::Request(cbor::decode(bytes, limit)?),
            kind::JOIN => Self::Join(cbor::decode(bytes, limit)?),
            kind::ADMIT => Self::Admit(Admit::parse(bytes)?),
            kind::REMOVE => Self::Remove(cbor::decode(bytes, limit)?),
            kind::ROLE => Self::Role(cbor::decode(bytes, limit)?),
            kind::LEAVE => Self::Leave(cbor::decode(bytes, limit)?),
            kind::CARD => Self::Card(cbor::decode(bytes, limit)?),
            kind::REKEY => Self::Rekey(cbor::decode(bytes, limit)?),
            kind::GRANT => Self::Grant(cbor::decode(bytes, limit)?),
            kind::WANT => Self::Want(cbor::decode(bytes, limit)?),
            kind::NOTE => Self::Note(cbor::decode(bytes, limit)?),
            kind::DIRECT => Self::Direct(cbor::decode(bytes, limit)?),
            other => return Err(ControlError::UnknownKind(other)),
        })
    }

    /// The card the entry carries, if its kind carries one. It is the author's, or that of whom an admit lets in.
    pub fn card(&self) -> Option<&SignedCard> {
        match self {
            Self::Genesis(b) => Some(&b.card),
            Self::Request(b) => Some(&b.card),
            Self::Admit(b) => b.asked().map(|request| &request.card),
            Self::Join(b) => Some(&b.card),
            Self::Card(b) => Some(&b.card),
            Self::Direct(b) => Some(&b.card),
            _ => None,
        }
    }

    /// The same, and the cards of somebody else that a direct room's opening brings.
    pub fn cards(&self) -> impl Iterator<Item = &SignedCard> {
        let known = match self {
            Self::Direct(b) => b.known.as_slice(),
            _ => &[],
        };
        self.card().into_iter().chain(known)
    }

    /// The rekey the entry is or carries.
    pub fn rekey(&self) -> Option<&Rekey> {
        match self {
            Self::Rekey(b) => Some(b),
            Self::Close(b) => b.rekey.as_ref(),
            Self::Remove(b) => b.rekey.as_ref(),
            _ => None,
        }
    }

    /// The grants the entry is or carries.
    pub fn grants(&self) -> &[Grant] {
        match self {
            Self::Grant(b) => std::slice::from_ref(b),
            Self::Ticket(b) => &b.grants,
            Self::Admit(b) => &b.grants,
            _ => &[],
        }
    }

    /// Whether data may be chained to the entry.
    pub fn opens_chain(&self) -> bool {
        matches!(self, Self::Card(_)) || self.makes_membership()
    }

    /// Whether the entry is a membership.
    pub fn makes_membership(&self) -> bool {
        matches!(self, Self::Genesis(_) | Self::Own(_) | Self::Join(_) | Self::Admit(_) | Self::Direct(_))
    }

    /// Whether the entry may stand in a direct room, which nobody rules.
    pub fn fits_direct(&self) -> bool {
        matches!(
            self,
            Self::Direct(_) | Self::Card(_) | Self::Rekey(_) | Self::Grant(_) | Self::Want(_) | Self::Note(_)
        )
    }
}
