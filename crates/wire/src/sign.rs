//! The one signature predicate: strict, single Ed25519 verification (RFC 8032; weak keys and non-canonical
//! points refused). Never batch verification, whose verdict can differ between replicas.

use ed25519_dalek::VerifyingKey;

use crate::ids::{PeerId, Signature};

/// A signature that does not verify, or a key that is no proper key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

/// The bytes that are signed: the domain string, then the message.
pub fn signed_bytes(domain: &[u8], message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(domain.len() + message.len());
    bytes.extend_from_slice(domain);
    bytes.extend_from_slice(message);
    bytes
}

/// Whether `signature` is `signer`'s over `domain ‖ message`.
pub fn verify(
    signer: &PeerId,
    domain: &[u8],
    message: &[u8],
    signature: &Signature,
) -> Result<(), BadSignature> {
    if !is_canonical(&signer.0) {
        return Err(BadSignature);
    }
    let key = VerifyingKey::from_bytes(&signer.0).map_err(|_| BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(&signed_bytes(domain, message), &signature).map_err(|_| BadSignature)
}

/// Whether the y coordinate of a public key is below the field's prime, 2^255 − 19. The decoder used above also
/// takes it modulo the prime, by which one point would have two ids.
fn is_canonical(point: &[u8; 32]) -> bool {
    let top = point[31] & 0x7f == 0x7f && point[1..31].iter().all(|byte| *byte == 0xff);
    !(top && point[0] >= 0xed)
}

#[cfg(test)]
mod tests {
    use super::is_canonical;

    #[test]
    fn a_point_has_one_name_and_it_is_below_the_prime() {
        let mut point = [0xff; 32];
        for (low, top, canonical) in [
            (0xec, 0x7f, true),
            (0xed, 0x7f, false),
            (0xff, 0x7f, false),
            (0xec, 0xff, true),
            (0xee, 0xff, false),
        ] {
            (point[0], point[31]) = (low, top);
            assert_eq!(is_canonical(&point), canonical, "{low:x} {top:x}");
        }
        point[15] = 0xfe;
        assert!(is_canonical(&point));
    }
}
