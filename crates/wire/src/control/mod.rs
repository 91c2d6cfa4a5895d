//! Control entries: roster and keys, signed and in clear, readable by whoever carries them. Here are their
//! bytes and the checks one entry passes alone (`body` says what each kind holds, `form` what it must look like);
//! what a set of them means is the fold's (`roster`).

mod body;
mod form;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

pub use self::body::*;
use crate::cbor::{self, CborError};
use crate::ids::{EntryId, PeerId, RoomId, Signature};
use crate::{RULES, SUITE, TimeMs, WIRE_VERSION, domain, limits, sign};

/// The signed part of a control entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ControlHeader {
    /// Wire version.
    #[n(0)]
    pub v: u8,
    /// The rules of the room.
    #[n(1)]
    pub rules: u16,
    /// The suite of the room.
    #[n(2)]
    pub suite: u16,
    /// The room; absent in its genesis, which names it.
    #[n(3)]
    pub room: Option<RoomId>,
    /// Who wrote it.
    #[n(4)]
    pub author: PeerId,
    /// The membership it is written as; absent in a genesis, a join and the opening of a
    /// direct room, which are memberships themselves.
    #[n(5)]
    pub membership: Option<EntryId>,
    /// The kind of its body.
    #[n(6)]
    pub kind: u16,
    /// Its parents, sorted: every maximal control entry the author held.
    #[n(7)]
    pub after: Vec<EntryId>,
    /// When, by the author's clock. Never decides authority.
    #[n(8)]
    pub time: TimeMs,
    /// The canonical bytes of its body.
    #[n(9)]
    pub body: ByteVec,
}
/// What is sent and stored of a control entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Envelope {
    #[n(0)]
    header: ByteVec,
    #[n(1)]
    signature: Signature,
    #[n(2)]
    ticket_signature: Option<Signature>,
}

/// A control entry whose shape and signature have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// BLAKE3 of the header.
    pub id: EntryId,
    /// The header.
    pub header: ControlHeader,
    /// Its body.
    pub body: ControlBody,
    /// The author's signature.
    pub signature: Signature,
    /// The ticket's signature, in a join; checked when its ticket is known.
    pub ticket_signature: Option<Signature>,
}

/// Why bytes are no control entry of this room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Not canonical CBOR of the right shape.
    #[error("malformed control entry: {0}")]
    Cbor(#[from] CborError),
    /// Signature or card signature does not verify.
    #[error("a signature of this control entry is not valid")]
    Signature,
    /// Another version of the wire format: a later one, or one from before its bytes were frozen.
    #[error("{}", of_version(*.0))]
    Version(u8),
    /// Other rules.
    #[error("the room has rules {0}; this Parlor knows {RULES}: update Parlor")]
    Rules(u16),
    /// Another suite.
    #[error("the room uses suite {0}; this Parlor knows {SUITE}: update Parlor")]
    Suite(u16),
    /// A kind this version does not know: the room freezes here rather than skip it.
    #[error("the room has a control entry of kind {0}, which this Parlor does not know: update Parlor")]
    UnknownKind(u16),
    /// A form the rules forbid.
    #[error("control entry against the rules: {0}")]
    Form(&'static str),
}

fn of_version(version: u8) -> String {
    if version > WIRE_VERSION {
        return format!(
            "the room uses wire version {version}; this Parlor knows {WIRE_VERSION}: update Parlor"
        );
    }
    format!(
        "the room is of wire version {version}, from before bytes were frozen, and this Parlor reads {WIRE_VERSION} on"
    )
}

impl ControlError {
    /// Whether what was written before can no longer be read, which no update changes.
    pub fn is_older(&self) -> bool {
        matches!(self, Self::Version(version) if *version < WIRE_VERSION)
    }

    /// Whether the entry may be right and this Parlor too old: the room freezes, nothing is skipped.
    pub fn freezes(&self) -> bool {
        matches!(self, Self::Version(_) | Self::Rules(_) | Self::Suite(_) | Self::UnknownKind(_))
    }
}

impl ControlHeader {
    /// The bytes that are signed and hashed.
    pub fn bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The entry's id.
    pub fn id(&self) -> EntryId {
        control_id(&self.bytes())
    }
}

fn control_id(header: &[u8]) -> EntryId {
    EntryId(blake3::derive_key(domain::CONTROL_ID, header))
}

impl Control {
    /// From parts that were just signed. Checks nothing.
    pub fn new(
        header: ControlHeader,
        body: ControlBody,
        signature: Signature,
        ticket_signature: Option<Signature>,
    ) -> Self {
        Self { id: header.id(), header, body, signature, ticket_signature }
    }

    /// The canonical bytes that are sent and stored.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&Envelope {
            header: self.header.bytes().into(),
            signature: self.signature,
            ticket_signature: self.ticket_signature,
        })
    }

    /// Decodes and checks everything one entry shows alone: canonical form, versions, kind, form, signatures.
    ///
    /// The author's signature is checked before other rules, another suite or an unknown kind are believed; an
    /// error that [`freezes`](ControlError::freezes) says only that this Parlor may be too old, and
    /// [`roster::freezes`](crate::roster::freezes) whether the room is concerned.
    pub fn decode(bytes: &[u8]) -> Result<Self, ControlError> {
        let (envelope, header) = open_envelope(bytes)?;
        sign::verify(&header.author, domain::CONTROL_SIGNATURE, &envelope.header, &envelope.signature)
            .map_err(|_| ControlError::Signature)?;
        let control = Self::from_parts(envelope, header)?;
        for card in control.body.cards() {
            card.verify().map_err(|_| ControlError::Signature)?;
        }
        if let ControlBody::Admit(admit) = &control.body {
            let asked = &admit.request;
            sign::verify(
                &asked.header.author,
                domain::CONTROL_SIGNATURE,
                &asked.header.bytes(),
                &asked.signature,
            )
            .map_err(|_| ControlError::Signature)?;
        }
        Ok(control)
    }

    /// The same without the signatures, for bytes this node has itself checked and stored.
    pub fn decode_trusted(bytes: &[u8]) -> Result<Self, ControlError> {
        let (envelope, header) = open_envelope(bytes)?;
        Self::from_parts(envelope, header)
    }

    fn from_parts(envelope: Envelope, header: ControlHeader) -> Result<Self, ControlError> {
        if header.rules != RULES {
            return Err(ControlError::Rules(header.rules));
        }
        if header.suite != SUITE {
            return Err(ControlError::Suite(header.suite));
        }
        let body = ControlBody::parse(header.kind, &header.body)?;
        let id = control_id(&envelope.header);
        let control = Self {
            id,
            header,
            body,
            signature: envelope.signature,
            ticket_signature: envelope.ticket_signature,
        };
        control.check_form()?;
        Ok(control)
    }

    /// The room it belongs to.
    pub fn room(&self) -> RoomId {
        self.header.room.unwrap_or(RoomId::from(self.id))
    }

    /// The membership it acts as: the one named, or itself.
    pub fn acts_as(&self) -> EntryId {
        self.header.membership.unwrap_or(self.id)
    }

    /// Whose the membership is that this entry makes, or the chain it opens; else the author.
    pub fn subject(&self) -> PeerId {
        match &self.body {
            ControlBody::Own(own) => own.identity,
            ControlBody::Admit(admit) => admit.identity(),
            _ => self.header.author,
        }
    }

    /// Whether the ticket's key signed this join or request.
    pub fn verify_ticket(&self, ticket: &Ticket) -> Result<(), ControlError> {
        let signature = self.ticket_signature.ok_or(ControlError::Signature)?;
        sign::verify(&ticket.signing_key, domain::JOIN_SIGNATURE, &self.header.bytes(), &signature)
            .map_err(|_| ControlError::Signature)
    }
}

fn open_envelope(bytes: &[u8]) -> Result<(Envelope, ControlHeader), ControlError> {
    let envelope: Envelope = cbor::decode(bytes, limits::MAX_CONTROL_BYTES)?;
    let version = cbor::peek_version(&envelope.header)?;
    if version != WIRE_VERSION {
        return Err(ControlError::Version(version));
    }
    let header = cbor::decode(&envelope.header, limits::MAX_CONTROL_BYTES)?;
    Ok((envelope, header))
}
