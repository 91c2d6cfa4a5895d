//! Whom a call is for, said so that only who knows the callee can tell: a second protocol name beside the real
//! one in the first packet of a connection. A node that got somebody else's old address stays silent when it is
//! called by that name, and so does not answer before the right one does. It decides nothing else: who answers
//! is proved by the handshake. Must not be relied upon for security.

use crate::PeerId;
use crate::domain;

/// How such a name begins; no protocol we speak does.
const PREFIX: &[u8] = b"parlor/for/";
/// Random bytes that make every call's name another.
pub const SALT_BYTES: usize = 8;
/// Bytes of the hash: enough that no other node of a network has the same by chance.
const TAG_BYTES: usize = 8;

/// The name to offer beside the real one when `callee` is called; `salt` is fresh random.
pub fn offer(callee: &PeerId, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    [PREFIX, salt, &tag(callee, salt)].concat()
}

/// Whether these names say that somebody else than `me` is called. Without such a name nothing is said.
pub fn is_for_another(me: &PeerId, offered: impl IntoIterator<Item = impl AsRef<[u8]>>) -> bool {
    let said = offered.into_iter().filter_map(|name| {
        let (salt, tag) = name.as_ref().strip_prefix(PREFIX)?.split_first_chunk::<SALT_BYTES>()?;
        Some((*salt, tag.to_vec()))
    });
    let mine = said.map(|(salt, said)| said == tag(me, &salt)).collect::<Vec<bool>>();
    !mine.is_empty() && !mine.contains(&true)
}

fn tag(callee: &PeerId, salt: &[u8; SALT_BYTES]) -> [u8; TAG_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(domain::CALLED);
    hasher.update(salt).update(&callee.0);
    let mut tag = [0; TAG_BYTES];
    hasher.finalize_xof().fill(&mut tag);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerId = PeerId([1; 32]);
    const BOB: PeerId = PeerId([2; 32]);

    #[test]
    fn only_a_call_that_names_somebody_else_is_for_another() {
        let for_bob = offer(&BOB, &[7; SALT_BYTES]);
        assert!(is_for_another(&ALICE, [&for_bob]));
        assert!(!is_for_another(&BOB, [&for_bob]));
        assert!(!is_for_another(&ALICE, [&for_bob, &offer(&ALICE, &[9; SALT_BYTES])]));
        for silent in [&b"parlor/sync/1"[..], b"", b"parlor/for/", b"parlor/for/short"] {
            assert!(!is_for_another(&ALICE, [silent]), "{silent:?}");
        }
        assert!(!is_for_another(&ALICE, Vec::<Vec<u8>>::new()));
    }

    #[test]
    fn two_calls_of_one_peer_have_nothing_in_common() {
        let (one, other) = (offer(&BOB, &[1; SALT_BYTES]), offer(&BOB, &[2; SALT_BYTES]));
        assert_ne!(one[PREFIX.len()..], other[PREFIX.len()..]);
        assert_ne!(one[PREFIX.len() + SALT_BYTES..], other[PREFIX.len() + SALT_BYTES..]);
        assert_eq!(one.len(), PREFIX.len() + SALT_BYTES + TAG_BYTES);
    }
}
