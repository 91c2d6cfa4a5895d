//! Any bytes as a signed card: decoding never panics, and what is taken is the one form of itself.

use parlor_wire::{SignedCard, WIRE_VERSION};

/// One input.
pub fn run(bytes: &[u8]) {
    let Ok(card) = SignedCard::decode(bytes) else { return };
    assert_eq!(card.encode(), bytes, "one value, one form");
    assert_eq!(card.card.id(), card.clone().card.id());
    if card.verify().is_ok() {
        assert_eq!(card.card.v, WIRE_VERSION, "nothing of another version is taken");
    }
}
