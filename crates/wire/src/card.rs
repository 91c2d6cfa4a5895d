//! The card of an identity: its sealing public key with a generation, signed by the identity. Must not hold
//! or derive a secret.

use minicbor::{Decode, Encode};

use crate::cbor::{self, CborError};
use crate::ids::{PeerId, PublicSealingKey, RecipientId, Signature};
use crate::sign::{self, BadSignature};
use crate::{TimeMs, domain};

/// What an identity certifies about itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Card {
    /// Wire version.
    #[n(0)]
    pub v: u8,
    /// Whose card it is.
    #[n(1)]
    pub identity: PeerId,
    /// Counts up with every new sealing key; a higher one supersedes lower ones.
    #[n(2)]
    pub generation: u32,
    /// Where room keys are sealed to.
    #[n(3)]
    pub sealing_key: PublicSealingKey,
    /// When it was written, by the author's clock.
    #[n(4)]
    pub time: TimeMs,
}

/// A card and its identity's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedCard {
    /// The card.
    #[n(0)]
    pub card: Card,
    /// The identity's signature over the card's canonical bytes.
    #[n(1)]
    pub signature: Signature,
}

impl Card {
    /// The bytes that are signed and hashed.
    pub fn bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The id room keys are addressed to.
    pub fn id(&self) -> RecipientId {
        RecipientId(blake3::derive_key(domain::CARD_ID, &self.bytes()))
    }
}

impl SignedCard {
    /// Whether the identity signed it.
    pub fn verify(&self) -> Result<(), BadSignature> {
        sign::verify(&self.card.identity, domain::CARD_SIGNATURE, &self.card.bytes(), &self.signature)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// From canonical bytes; the signature is not checked here.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode(bytes, 1024)
    }
}
