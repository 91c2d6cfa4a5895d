//! This node's own identity: the signing key of one OS user on one machine, and the sealing secret its card
//! certifies. Must not be printed, logged or serialised anywhere but into its own file and store.

use ed25519_dalek::{Signer, SigningKey};
use parlor_wire::card::{Card, SignedCard};
use parlor_wire::{PeerId, Signature, TimeMs, WIRE_VERSION, domain, sign};
use zeroize::Zeroizing;

use crate::crypto::{self};

/// The secrets of an identity.
pub struct Identity {
    signing: SigningKey,
    sealing_seed: Zeroizing<[u8; 32]>,
    sealing_secret: Zeroizing<[u8; 32]>,
    sealing_key: parlor_wire::PublicSealingKey,
}

impl Identity {
    /// From the signing secret (kept in the identity's file) and the sealing seed (kept in the store).
    pub fn new(signing_secret: &[u8; 32], sealing_seed: Zeroizing<[u8; 32]>) -> Self {
        let (sealing_secret, sealing_key) = crypto::sealing_pair(&sealing_seed);
        Self { signing: SigningKey::from_bytes(signing_secret), sealing_seed, sealing_secret, sealing_key }
    }

    /// Its public name.
    pub fn peer(&self) -> PeerId {
        PeerId(self.signing.verifying_key().to_bytes())
    }

    /// What opens room keys sealed to its cards.
    pub fn sealing_secret(&self) -> &[u8; 32] {
        &self.sealing_secret
    }

    /// What the sealing secret comes from, to be kept.
    pub fn sealing_seed(&self) -> &[u8; 32] {
        &self.sealing_seed
    }

    /// Signs.
    pub fn sign(&self, domain: &[u8], message: &[u8]) -> Signature {
        Signature(self.signing.sign(&sign::signed_bytes(domain, message)).to_bytes())
    }

    /// A card of this generation, written now.
    pub fn card(&self, generation: u32, time: TimeMs) -> SignedCard {
        let card =
            Card { v: WIRE_VERSION, identity: self.peer(), generation, sealing_key: self.sealing_key, time };
        let signature = self.sign(domain::CARD_SIGNATURE, &card.bytes());
        SignedCard { card, signature }
    }
}
