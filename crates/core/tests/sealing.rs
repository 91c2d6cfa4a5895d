//! The constructions of suite 1, each by itself: what goes in comes out, and nothing else opens.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::crypto::{
    EntryContext, Hedge, RoomKey, SealContext, TicketKeys, key_id, open_body, open_key, open_signal,
    open_wrap, seal_body, seal_key, seal_signal, sealed_len, wrap_key,
};
use parlor_wire::control::Wrap;
use parlor_wire::data::{CLASS_CONTENT, DataHeader, body_hash};
use parlor_wire::frame::Signal;
use parlor_wire::{EntryId, KeyId, PeerId, RecipientId, RoomId, Salt, WIRE_VERSION, limits};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

const ROOM: RoomId = RoomId([1; 32]);

fn key(number: u8) -> RoomKey {
    Zeroizing::new([number; 32])
}

fn header(room_key: &RoomKey, plaintext: usize) -> DataHeader {
    DataHeader {
        v: WIRE_VERSION,
        room: ROOM,
        chain: EntryId([2; 32]),
        seq: 7,
        prev: Some(EntryId([3; 32])),
        class: CLASS_CONTENT,
        time: 1_800_000_000_000,
        key: key_id(&ROOM, room_key),
        salt: Salt([4; 16]),
        slot: None,
        supersedes: None,
        after: None,
        body_hash: None,
        body_len: sealed_len(plaintext) as u32,
    }
}

fn sealed(plaintext: &[u8]) -> (DataHeader, Vec<u8>) {
    let key = key(9);
    let mut header = header(&key, plaintext.len());
    let sealed = seal_body(&EntryContext { key: &key, header: &header }, plaintext).unwrap();
    header.body_hash = Some(body_hash(&sealed));
    (header, sealed)
}

fn opens(header: &DataHeader, sealed: &[u8]) -> Option<Vec<u8>> {
    open_body(&EntryContext { key: &key(9), header }, &header.room, sealed).ok()
}

#[test]
fn a_body_comes_out_as_it_went_in() {
    for length in [0, 1, 251, 252, 253, 4091, 4092, 4093, limits::MAX_TEXT_BYTES] {
        let plaintext: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let (header, sealed) = sealed(&plaintext);
        assert_eq!(sealed.len(), header.body_len as usize);
        assert_eq!(opens(&header, &sealed), Some(plaintext), "{length}");
    }
}

#[test]
fn lengths_are_hidden_in_buckets() {
    let bucket = |plaintext: usize| sealed_len(plaintext) - 16;
    let cases = [(0, 256), (252, 256), (253, 512), (4092, 4096), (4093, 8192), (8188, 8192), (8189, 12288)];
    for (plaintext, wanted) in cases {
        assert_eq!(bucket(plaintext), wanted, "{plaintext}");
    }
    let shapes: BTreeSet<usize> = (0..=limits::MAX_TEXT_BYTES).map(sealed_len).collect();
    assert!(shapes.len() <= 5 + limits::MAX_TEXT_BYTES / 4096 + 1, "{}", shapes.len());
    assert!(shapes.iter().all(|length| *length <= limits::MAX_BODY_BYTES));
}

#[test]
fn the_length_in_the_header_must_be_the_one_of_the_bucket() {
    let room_key = key(9);
    let mut header = header(&room_key, 10);
    header.body_len += 1;
    assert!(seal_body(&EntryContext { key: &room_key, header: &header }, &[0; 10]).is_err());
}

#[test]
fn wound_25_no_other_key_room_chain_or_place_opens_a_body() {
    let (header, sealed) = sealed(b"secret");
    let other_key = key(8);
    let other = DataHeader { key: key_id(&ROOM, &other_key), ..header.clone() };
    assert!(open_body(&EntryContext { key: &other_key, header: &other }, &ROOM, &sealed).is_err());
    // The key's id is worked out again: another key under its name is not received.
    assert!(open_body(&EntryContext { key: &other_key, header: &header }, &ROOM, &sealed).is_err());
    let elsewhere = RoomId([7; 32]);
    let entry = EntryId([9; 32]);
    let changes: Vec<(&str, DataHeader)> = vec![
        ("room", DataHeader { room: elsewhere, key: key_id(&elsewhere, &key(9)), ..header.clone() }),
        ("chain", DataHeader { chain: entry, ..header.clone() }),
        ("seq", DataHeader { seq: 8, ..header.clone() }),
        ("prev", DataHeader { prev: Some(entry), ..header.clone() }),
        ("class", DataHeader { class: 1, ..header.clone() }),
        ("time", DataHeader { time: 1, ..header.clone() }),
        ("salt", DataHeader { salt: Salt([9; 16]), ..header.clone() }),
        ("slot", DataHeader { slot: Some(Salt([9; 16])), ..header.clone() }),
        ("supersedes", DataHeader { supersedes: Some(entry), ..header.clone() }),
        ("after", DataHeader { after: Some(vec![entry]), ..header.clone() }),
        ("length", DataHeader { body_len: header.body_len + 1, ..header.clone() }),
    ];
    for (what, changed) in changes {
        assert!(opens(&changed, &sealed).is_none(), "{what}");
    }
    assert_eq!(opens(&header, &sealed).as_deref(), Some(&b"secret"[..]));
}

proptest! {
    #[test]
    fn wound_25_no_changed_bit_opens(
        plaintext in prop::collection::vec(any::<u8>(), 0..600),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (header, sealed) = sealed(&plaintext);
        let mut changed = sealed.clone();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(opens(&header, &changed).is_none());
        prop_assert!(opens(&header, &sealed[..at]).is_none());
        prop_assert_eq!(opens(&header, &sealed), Some(plaintext));
    }
}

#[test]
fn a_key_id_commits_to_key_and_room() {
    let ids: BTreeSet<KeyId> = (0..=255)
        .flat_map(|number| [ROOM, RoomId([2; 32])].map(|room| key_id(&room, &[number; 32])))
        .collect();
    assert_eq!(ids.len(), 512);
    assert_eq!(key_id(&ROOM, &[1; 32]), key_id(&ROOM, &[1; 32]));
}

fn context(room_key: &RoomKey) -> SealContext {
    let key = key_id(&ROOM, room_key);
    SealContext { room: ROOM, key, to: RecipientId([5; 32]), author: PeerId([6; 32]) }
}

#[test]
fn a_sealed_key_opens_to_its_recipient_in_its_context_and_nowhere_else() {
    let ticket = TicketKeys::from_seed(&[1; 32]);
    let room_key = key(3);
    let context = context(&room_key);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let seal = seal_key(&context, &ticket.sealing_key, &room_key, &mut rng).unwrap();
    assert_eq!(*open_key(&context, &ticket.sealing_secret, &seal).unwrap(), *room_key);
    let wrong = [
        SealContext { room: RoomId([9; 32]), ..context },
        SealContext { key: KeyId([9; 32]), ..context },
        SealContext { to: RecipientId([9; 32]), ..context },
        SealContext { author: PeerId([9; 32]), ..context },
    ];
    for wrong in wrong {
        assert!(open_key(&wrong, &ticket.sealing_secret, &seal).is_err(), "{wrong:?}");
    }
    let stranger = TicketKeys::from_seed(&[2; 32]);
    assert!(open_key(&context, &stranger.sealing_secret, &seal).is_err());
    for at in 0..seal.sealed.len() {
        let mut changed = seal.clone();
        changed.sealed[at] ^= 1;
        assert!(open_key(&context, &ticket.sealing_secret, &changed).is_err());
    }
}

#[test]
fn a_key_sealed_under_a_false_name_is_not_received() {
    let ticket = TicketKeys::from_seed(&[1; 32]);
    let lie = SealContext { key: KeyId([9; 32]), ..context(&key(3)) };
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let seal = seal_key(&lie, &ticket.sealing_key, &key(3), &mut rng).unwrap();
    assert!(open_key(&lie, &ticket.sealing_secret, &seal).is_err());
}

#[test]
fn a_wrap_opens_under_its_key_and_name_only() {
    let (older, newer) = (key(1), key(2));
    let wrap = wrap_key(&ROOM, &newer, (&key_id(&ROOM, &older), &older)).unwrap();
    assert_eq!(*open_wrap(&ROOM, &newer, &wrap).unwrap(), *older);
    assert!(open_wrap(&ROOM, &older, &wrap).is_err());
    assert!(open_wrap(&RoomId([9; 32]), &newer, &wrap).is_err());
    let renamed = Wrap { key: KeyId([9; 32]), ..wrap };
    assert!(open_wrap(&ROOM, &newer, &renamed).is_err());
    let false_name = wrap_key(&ROOM, &newer, (&KeyId([9; 32]), &older)).unwrap();
    assert!(open_wrap(&ROOM, &newer, &false_name).is_err());
}

#[test]
fn a_signal_opens_with_its_key_room_and_all_else_of_it_only() {
    let room_key = key(4);
    let mut signal = Signal {
        author: PeerId([1; 32]),
        session: Salt([2; 16]),
        counter: 3,
        ttl_s: 90,
        key: key_id(&ROOM, &room_key),
        salt: Salt([1; 16]),
        sealed: Vec::new().into(),
        signature: None,
    };
    signal.sealed = seal_signal(&room_key, &ROOM, &signal, b"here").unwrap().into();
    assert_eq!(open_signal(&room_key, &ROOM, &signal).unwrap(), b"here");
    assert!(open_signal(&key(5), &ROOM, &signal).is_err());
    assert!(open_signal(&room_key, &RoomId([9; 32]), &signal).is_err());
    let changes: [fn(&mut Signal); 6] = [
        |signal| signal.author = PeerId([9; 32]),
        |signal| signal.session = Salt([9; 16]),
        |signal| signal.counter = 4,
        |signal| signal.ttl_s = 0,
        |signal| signal.key = KeyId([9; 32]),
        |signal| signal.salt = Salt([9; 16]),
    ];
    for change in changes {
        let mut changed = signal.clone();
        change(&mut changed);
        assert!(open_signal(&room_key, &ROOM, &changed).is_err(), "{changed:?}");
    }
}

#[test]
fn the_same_generator_gives_other_bytes_for_other_uses_and_to_other_stores() {
    let hedge = || Hedge::new(Zeroizing::new([1; 32]), [2; 32]);
    assert_eq!(*hedge().bytes(&[b"a"]), *hedge().bytes(&[b"a"]), "it is only as random as what goes in");
    assert_ne!(*hedge().bytes(&[b"a"]), *hedge().bytes(&[b"b"]));
    assert_ne!(hedge().salt(&[b"a", b"b"]), hedge().salt(&[b"ab"]), "parts do not run together");
    assert_ne!(hedge().salt(&[b"a", b""]), hedge().salt(&[b"a"]));
    let other_store = || Hedge::new(Zeroizing::new([3; 32]), [2; 32]);
    assert_ne!(*hedge().bytes(&[b"a"]), *other_store().bytes(&[b"a"]));
    let other_start = || Hedge::new(Zeroizing::new([1; 32]), [4; 32]);
    assert_ne!(*hedge().bytes(&[b"a"]), *other_start().bytes(&[b"a"]));
    let mut once = hedge();
    assert_ne!(*once.bytes(&[b"a"]), *once.bytes(&[b"a"]), "and it moves on");
}

#[test]
fn a_tickets_keys_come_from_its_seed_alone_and_are_two() {
    let keys = |seed| TicketKeys::from_seed(&[seed; 32]);
    assert_eq!(keys(1).signing_key(), keys(1).signing_key());
    assert_eq!(keys(1).sealing_key, keys(1).sealing_key);
    assert_ne!(keys(1).signing_key(), keys(2).signing_key());
    assert_ne!(keys(1).sealing_key, keys(2).sealing_key);
    assert_ne!(keys(1).signing_key().0, keys(1).sealing_key.0);
}
