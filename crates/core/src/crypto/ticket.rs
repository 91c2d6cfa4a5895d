//! The keys inside a ticket's seed: one signs joins and link proofs, one opens room keys.

use ed25519_dalek::{Signer, SigningKey};
use parlor_wire::{PeerId, PublicSealingKey, Signature, domain, sign};
use zeroize::Zeroizing;

use super::{hkdf, seal::sealing_pair};

/// What the text of a ticket lets one do.
pub struct TicketKeys {
    signing: SigningKey,
    /// Opens room keys sealed to the ticket.
    pub sealing_secret: Zeroizing<[u8; 32]>,
    /// The public half of that.
    pub sealing_key: PublicSealingKey,
}

impl TicketKeys {
    /// From a ticket's seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(&hkdf(seed, &[], &[domain::TICKET_SIGNING]));
        let (sealing_secret, sealing_key) = sealing_pair(&hkdf(seed, &[], &[domain::TICKET_SEALING]));
        Self { signing, sealing_secret, sealing_key }
    }

    /// The public signing key, which names the ticket to peers.
    pub fn signing_key(&self) -> PeerId {
        PeerId(self.signing.verifying_key().to_bytes())
    }

    /// Signs with the ticket's key.
    pub fn sign(&self, domain: &[u8], message: &[u8]) -> Signature {
        Signature(self.signing.sign(&sign::signed_bytes(domain, message)).to_bytes())
    }
}
