//! Every domain string there is, in one place, so that no two uses of a key or a hash can be confused.
//! They must stay unique and prefix-free (tested). Nothing but constants belongs here.

/// Signature of an identity over a control entry's header.
pub const CONTROL_SIGNATURE: &[u8] = b"parlor/1 control entry signature;";
/// Signature of a ticket's signing key over the header of the join it admits.
pub const JOIN_SIGNATURE: &[u8] = b"parlor/1 join by ticket signature;";
/// Signature of an identity over a data entry's header.
pub const DATA_SIGNATURE: &[u8] = b"parlor/1 data entry signature;";
/// Signature of an identity over its card.
pub const CARD_SIGNATURE: &[u8] = b"parlor/1 card signature;";
/// Signature of a ticket's signing key when a link is opened with it.
pub const LINK_PROOF: &[u8] = b"parlor/1 link proof by ticket;";
/// Signature of an identity over a signal.
pub const SIGNAL_SIGNATURE: &[u8] = b"parlor/1 signal signature;";

/// Signature of an identity over the head of an export it makes.
pub const EXPORT_HEAD: &[u8] = b"parlor/1 head of an export;";
/// Signature of an identity over all of an export it makes.
pub const EXPORT_END: &[u8] = b"parlor/1 end of an export;";

/// BLAKE3 key-derivation context naming control entries.
pub const CONTROL_ID: &str = "parlor/1 control entry id;";
/// BLAKE3 key-derivation context naming data entries.
pub const DATA_ID: &str = "parlor/1 data entry id;";
/// BLAKE3 key-derivation context naming cards.
pub const CARD_ID: &str = "parlor/1 card id;";
/// BLAKE3 key-derivation context naming tickets as recipients of room keys.
pub const TICKET_RECIPIENT: &str = "parlor/1 ticket recipient id;";
/// BLAKE3 key-derivation context naming sealed bodies.
pub const BODY_HASH: &str = "parlor/1 sealed body hash;";
/// BLAKE3 key-derivation context naming room keys.
pub const KEY_ID: &str = "parlor/1 room key id;";
/// BLAKE3 key-derivation context of a ticket's checksum.
pub const TICKET_CHECKSUM: &str = "parlor/1 ticket text checksum;";
/// BLAKE3 key-derivation context of the hedge key kept by each store.
pub const HEDGE: &str = "parlor/1 hedged randomness;";
/// BLAKE3 key-derivation context of the safety number of two identities.
pub const SAFETY_NUMBER: &str = "parlor/1 safety number of two identities;";
/// BLAKE3 key-derivation context of the tag that says whom a call is for.
pub const CALLED: &str = "parlor/1 who is called;";
/// BLAKE3 key-derivation context of the hash over an export.
pub const EXPORT_HASH: &str = "parlor/1 bytes of an export;";
/// BLAKE3 key-derivation context naming the room of two identities.
pub const DIRECT_ROOM: &str = "parlor/1 direct room id;";
/// BLAKE3 key-derivation context naming sealed files.
pub const BLOB_NAME: &str = "parlor/1 sealed file name;";

/// HKDF info: the key of one entry.
pub const ENTRY_KEY: &[u8] = b"parlor/1 entry key;";
/// Associated data of one entry's body.
pub const ENTRY_AAD: &[u8] = b"parlor/1 entry associated data;";
/// HKDF info: the key that wraps an older room key under a newer one.
pub const WRAP_KEY: &[u8] = b"parlor/1 wrapped room key;";
/// HPKE info: a room key sealed to a card or a ticket.
pub const SEAL_INFO: &[u8] = b"parlor/1 sealed room key;";
/// HKDF info: a ticket's signing key from its seed.
pub const TICKET_SIGNING: &[u8] = b"parlor/1 ticket signing key;";
/// HKDF info: a ticket's sealing key from its seed.
pub const TICKET_SEALING: &[u8] = b"parlor/1 ticket sealing key;";
/// HKDF info: the key of one signal.
pub const SIGNAL_KEY: &[u8] = b"parlor/1 signal key;";
/// Associated data of one signal.
pub const SIGNAL_AAD: &[u8] = b"parlor/1 signal associated data;";
/// HKDF info: the key of all chunks of one file.
pub const BLOB_KEY: &[u8] = b"parlor/1 file chunk key;";

/// All of them, for the test that compares each with each.
pub const ALL: &[&[u8]] = &[
    CONTROL_SIGNATURE,
    JOIN_SIGNATURE,
    DATA_SIGNATURE,
    CARD_SIGNATURE,
    LINK_PROOF,
    SIGNAL_SIGNATURE,
    EXPORT_HEAD,
    EXPORT_END,
    CONTROL_ID.as_bytes(),
    DATA_ID.as_bytes(),
    CARD_ID.as_bytes(),
    TICKET_RECIPIENT.as_bytes(),
    BODY_HASH.as_bytes(),
    KEY_ID.as_bytes(),
    TICKET_CHECKSUM.as_bytes(),
    HEDGE.as_bytes(),
    SAFETY_NUMBER.as_bytes(),
    CALLED.as_bytes(),
    EXPORT_HASH.as_bytes(),
    DIRECT_ROOM.as_bytes(),
    BLOB_NAME.as_bytes(),
    ENTRY_KEY,
    ENTRY_AAD,
    WRAP_KEY,
    SEAL_INFO,
    TICKET_SIGNING,
    TICKET_SEALING,
    SIGNAL_KEY,
    SIGNAL_AAD,
    BLOB_KEY,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn domain_strings_are_unique_and_prefix_free() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{:?} begins {:?}", a, b);
            }
        }
    }
}
