//! Entries this Parlor is too old to read: whether they freeze the room. Only a member's own word does, or anybody
//! on a link could stop a room with a made-up number. Must not interpret more of an entry than its outline.

use minicbor::Decode;

use super::{Dag, Roster};
use crate::ids::{EntryId, PeerId, RoomId, Signature};
use crate::{cbor, limits, sign};

/// What bytes that could not be decoded mean for the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeze {
    /// A member wrote them, so the room is read-only here until Parlor is updated.
    Room,
    /// Their parents are not all there yet: offer them again when these are.
    Waits,
    /// Nothing: they are not signed, of another room, or not a member's.
    Ignored,
}

/// Of the envelope, what no version changes.
#[derive(Decode)]
#[cbor(map)]
struct Envelope {
    #[n(0)]
    header: minicbor::bytes::ByteVec,
    #[n(1)]
    signature: Signature,
}

/// Of the header, what no version changes.
#[derive(Decode)]
#[cbor(map)]
struct Outline {
    #[n(0)]
    v: u8,
    #[n(3)]
    room: RoomId,
    #[n(4)]
    author: PeerId,
    #[n(5)]
    membership: EntryId,
    #[n(7)]
    after: Vec<EntryId>,
}

/// Judges bytes that [`Control::decode`](crate::Control::decode) refused with an error that
/// [`freezes`](crate::control::ControlError::freezes).
pub fn freezes(dag: &Dag, roster: &Roster, bytes: &[u8]) -> Freeze {
    let Some(outline) = signed_outline(bytes) else { return Freeze::Ignored };
    if !dag.is_of(&outline.room) {
        return Freeze::Ignored;
    }
    if !outline.after.iter().all(|parent| dag.contains(parent)) {
        return Freeze::Waits;
    }
    let whose = roster.memberships.get(&outline.membership).map(|membership| membership.identity);
    let in_past = outline.after.iter().any(|parent| dag.reaches(parent, &outline.membership));
    let may_write = roster.writes(&outline.author);
    if whose == Some(outline.author) && may_write && in_past { Freeze::Room } else { Freeze::Ignored }
}

/// The outline of an entry whose author's signature holds, whatever its version.
fn signed_outline(bytes: &[u8]) -> Option<Outline> {
    if bytes.len() > limits::MAX_CONTROL_BYTES {
        return None;
    }
    let envelope: Envelope = minicbor::decode(bytes).ok()?;
    let version = cbor::peek_version(&envelope.header).ok()?;
    let outline: Outline = minicbor::decode(&envelope.header).ok()?;
    let domain = format!("parlor/{version} control entry signature;");
    sign::verify(&outline.author, domain.as_bytes(), &envelope.header, &envelope.signature).ok()?;
    (outline.v == version && outline.after.len() <= limits::MAX_PARENTS).then_some(outline)
}

#[cfg(test)]
mod tests {
    use crate::{WIRE_VERSION, domain};

    #[test]
    fn the_signature_domain_of_a_version_is_found_from_its_number() {
        let domain = format!("parlor/{WIRE_VERSION} control entry signature;");
        assert_eq!(domain.as_bytes(), domain::CONTROL_SIGNATURE);
    }
}
