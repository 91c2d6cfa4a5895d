//! Control and data entries, cards and seals one by one: what is taken, what is refused and why.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Place, Signing, T0, control, genesis, header, note, rekey, samples};
use minicbor::Encoder;
use parlor_wire::cbor::{self, CborError};
use parlor_wire::control::{ControlBody, ControlError, Grant, Rekey};
use parlor_wire::data::{Data, DataError, body_hash};
use parlor_wire::{
    Card, Control, ControlHeader, EntryId, KeyId, PeerId, RecipientId, RoomId, Salt, Signature, SignedCard,
    domain, limits, sign,
};

/// A change of one thing, and what is said of it.
type Wrong<H, E> = (fn(&mut H), E);

/// The envelope of a header: the bytes that are sent.
fn envelope(header: &[u8], signature: &Signature, more: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(2).unwrap().u8(0).unwrap().bytes(header).unwrap().u8(1).unwrap().bytes(&signature.0).unwrap();
    more(&mut e);
    e.into_writer()
}

fn signed(author: &Signing, header: &ControlHeader) -> Vec<u8> {
    let bytes = header.bytes();
    envelope(&bytes, &author.sign(domain::CONTROL_SIGNATURE, &bytes), |_| {})
}

#[test]
fn control_entries_of_every_kind_round_trip() {
    let mut kinds: Vec<u16> = Vec::new();
    for (name, entry) in samples::story().into_iter().chain(samples::direct_story()) {
        let decoded = Control::decode(&entry.encode()).unwrap();
        assert_eq!(decoded, entry, "{name}");
        assert_eq!(Control::decode_trusted(&entry.encode()).unwrap(), entry, "{name}");
        assert_eq!(decoded.encode(), entry.encode(), "{name}");
        kinds.push(entry.header.kind);
    }
    kinds.push(samples::request().header.kind);
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.into_iter().eq(0..16), "each kind there is");
}

#[test]
fn data_entries_and_cards_round_trip() {
    let alice = Signing::new(samples::ALICE);
    for (name, entry) in samples::chain() {
        let decoded = Data::decode(&entry.encode()).unwrap();
        assert_eq!(decoded, entry, "{name}");
        assert_eq!(decoded.verify(&alice.peer()), Ok(()), "{name}");
    }
    let card = alice.card(3, T0);
    assert_eq!(SignedCard::decode(&card.encode()), Ok(card.clone()));
    assert_eq!(card.verify(), Ok(()));
}

#[test]
fn w1_keys_ascend_absent_fields_are_left_out_and_numbers_are_shortest() {
    let alice = Signing::new(1);
    let card = Card { generation: 24, time: 255, ..alice.card(1, 0).card };
    let mut expected = vec![0xa5, 0x00, 0x01, 0x01, 0x58, 0x20];
    expected.extend_from_slice(&alice.peer().0);
    expected.extend_from_slice(&[0x02, 0x18, 24, 0x03, 0x58, 0x20]);
    expected.extend_from_slice(&card.sealing_key.0);
    expected.extend_from_slice(&[0x04, 0x18, 255]);
    assert_eq!(card.bytes(), expected);

    let start = genesis(&alice, 1);
    let bytes = start.header.bytes();
    assert_eq!(bytes[0], 0xa8, "8 of 10 fields: a genesis names no room and no membership");
    assert_eq!(cbor::encode(&parlor_wire::control::Note {}), [0xa0], "a note is an empty map");
}

#[test]
fn w1_any_other_form_of_the_same_value_is_refused() {
    let entry = genesis(&Signing::new(1), 1);
    let (header, signature) = (entry.header.bytes(), entry.signature);
    assert_eq!(envelope(&header, &signature, |_| {}), entry.encode(), "the form that is right");
    let keyed = |e: &mut Encoder<Vec<u8>>, key: u8| {
        e.u8(key).unwrap();
        match key {
            0 => e.bytes(&header).unwrap(),
            _ => e.bytes(&signature.0).unwrap(),
        };
    };
    let build = |make: &dyn Fn(&mut Encoder<Vec<u8>>)| {
        let mut e = Encoder::new(Vec::new());
        make(&mut e);
        e.into_writer()
    };
    let unknown_key = build(&|e| {
        e.map(3).unwrap();
        keyed(e, 0);
        keyed(e, 1);
        e.u8(9).unwrap().u8(0).unwrap();
    });
    let null_for_absent = build(&|e| {
        e.map(3).unwrap();
        keyed(e, 0);
        keyed(e, 1);
        e.u8(2).unwrap().null().unwrap();
    });
    let wrong_order = build(&|e| {
        e.map(2).unwrap();
        keyed(e, 1);
        keyed(e, 0);
    });
    let duplicate = build(&|e| {
        e.map(3).unwrap();
        keyed(e, 0);
        keyed(e, 1);
        keyed(e, 1);
    });
    let indefinite_map = build(&|e| {
        e.begin_map().unwrap();
        keyed(e, 0);
        keyed(e, 1);
        e.end().unwrap();
    });
    let mut trailing = entry.encode();
    trailing.push(0);
    let long_key = [&[0xa2, 0x18, 0x00], &entry.encode()[2..]].concat();
    let long_length = [&[0xa2, 0x00, 0x59, 0], &entry.encode()[3..]].concat();
    assert_eq!(entry.encode()[2], 0x58, "a length of one byte");
    let forms = [
        ("unknown key", unknown_key),
        ("null for absent", null_for_absent),
        ("wrong order", wrong_order),
        ("duplicate key", duplicate),
        ("indefinite map", indefinite_map),
        ("trailing byte", trailing),
        ("long form of a key", long_key),
        ("long form of a length", long_length),
    ];
    for (name, bytes) in forms {
        assert_eq!(Control::decode(&bytes), Err(ControlError::Cbor(CborError::NotCanonical)), "{name}");
    }
    let chunked = build(&|e| {
        e.map(2).unwrap().u8(0).unwrap().begin_bytes().unwrap().bytes(&header).unwrap().end().unwrap();
        keyed(e, 1);
    });
    assert_eq!(Control::decode(&chunked), Err(ControlError::Cbor(CborError::Shape)), "bytes in chunks");
    let tagged = [&[0xc0], &entry.encode()[..]].concat();
    assert_eq!(Control::decode(&tagged), Err(ControlError::Cbor(CborError::Shape)), "a tag");
}

#[test]
fn w1_the_header_and_the_body_inside_are_canonical_too() {
    let alice = Signing::new(1);
    let start = genesis(&alice, 1);
    let place = Place::new(start.room(), start.id, &[start.id]);
    let right = header(&alice, place, &note(), T0);
    for body in [vec![0xbf, 0xff], vec![0xa0, 0], vec![0xa1, 0, 0], vec![0xb8, 0]] {
        let wrong = ControlHeader { body: body.clone().into(), ..right.clone() };
        let expected = ControlError::Cbor(CborError::NotCanonical);
        assert_eq!(Control::decode(&signed(&alice, &wrong)), Err(expected), "{body:?}");
    }
    let mut long = right.bytes();
    assert_eq!(long[..3], [0xaa, 0, 1]);
    long.splice(0..3, [0xaa, 0, 0x18, 1]);
    let signature = alice.sign(domain::CONTROL_SIGNATURE, &long);
    let said = Control::decode(&envelope(&long, &signature, |_| {}));
    assert_eq!(said, Err(ControlError::Cbor(CborError::NotCanonical)));
}

#[test]
fn w2_ids_hash_the_header_and_signatures_are_no_part_of_them() {
    for (name, mut entry) in samples::story() {
        let expected = blake3::derive_key("parlor/1 control entry id;", &entry.header.bytes());
        assert_eq!(entry.id, EntryId(expected), "{name}");
        entry.signature = Signature([0; 64]);
        assert_eq!(Control::decode_trusted(&entry.encode()).unwrap().id, entry.id, "{name}");
    }
    for (name, entry) in samples::chain() {
        let expected = blake3::derive_key("parlor/1 data entry id;", &entry.header.bytes());
        assert_eq!(entry.id, EntryId(expected), "{name}");
    }
}

#[test]
fn w3_bytes_over_the_limit_are_refused_unread() {
    let too_long = vec![0; limits::MAX_CONTROL_BYTES + 1];
    let error = CborError::TooLong(limits::MAX_CONTROL_BYTES + 1, limits::MAX_CONTROL_BYTES);
    assert_eq!(Control::decode(&too_long), Err(ControlError::Cbor(error)));
    let too_long = vec![0; limits::MAX_BODY_BYTES + limits::MAX_DATA_HEADER_BYTES + 257];
    assert!(matches!(Data::decode(&too_long), Err(DataError::Cbor(CborError::TooLong(..)))));
    assert!(matches!(SignedCard::decode(&[0; 1025]), Err(CborError::TooLong(..))));
}

#[test]
fn w3_a_full_room_fits_into_its_entries() {
    let alice = Signing::new(1);
    let start = genesis(&alice, 1);
    let after: Vec<EntryId> = (0..limits::MAX_PARENTS as u8).map(|n| EntryId([n; 32])).collect();
    let to: Vec<RecipientId> = (0..limits::MAX_SEALS as u32)
        .map(|n| RecipientId(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    let body = ControlBody::Rekey(rekey(&to, 1));
    let entry = control(&alice, Place::new(start.room(), start.id, &after), body, u64::MAX);
    assert!(Control::decode(&entry.encode()).is_ok(), "{} bytes", entry.encode().len());
    let one_more = ControlBody::Rekey(rekey(&[&to[..], &[RecipientId([0; 32])]].concat(), 1));
    let entry = control(&alice, Place::new(start.room(), start.id, &after), one_more, T0);
    assert_eq!(Control::decode(&entry.encode()), Err(ControlError::Form("too many seals")));
    let said = |body: ControlBody| {
        let place = Place::new(start.room(), start.id, &[start.id]);
        Control::decode(&control(&alice, place, body, T0).encode()).map(|_| ())
    };
    let wrapping = |count: usize| {
        let mut rekey = rekey(&to[..1], 1);
        rekey.wraps = vec![rekey.wraps[0].clone(); count];
        said(ControlBody::Rekey(rekey))
    };
    assert_eq!(wrapping(limits::MAX_SEALS), Ok(()));
    assert_eq!(wrapping(limits::MAX_SEALS + 1), Err(ControlError::Form("too many wraps")));
    let granting = |count: usize| {
        let mut ticket = common::ticket(&Signing::new(9), parlor_wire::control::Role::Reader);
        ticket.grants = vec![Grant { key: KeyId([1; 32]), seals: Vec::new() }; count];
        said(ControlBody::Ticket(ticket))
    };
    assert_eq!(granting(limits::MAX_SEALS), Ok(()));
    assert_eq!(granting(limits::MAX_SEALS + 1), Err(ControlError::Form("too many grants")));

    let mut largest = samples::chain()[2].1.header.clone();
    (largest.seq, largest.time, largest.class) = (u64::MAX, u64::MAX, 255);
    let body = samples::sealed(limits::MAX_BODY_BYTES);
    (largest.body_len, largest.body_hash) = (body.len() as u32, Some(body_hash(&body)));
    largest.after = Some(after);
    let entry = common::data(&alice, largest, Some(body));
    assert!(Data::decode(&entry.encode()).is_ok(), "{} bytes of header", entry.header.bytes().len());
}

#[test]
fn w4_the_form_of_a_control_entry() {
    let bob = Signing::new(samples::BOB);
    let right = samples::story().into_iter().find(|(name, _)| *name == "note").unwrap().1.header;
    assert!(Control::decode(&signed(&bob, &right)).is_ok());
    let wrong: [Wrong<ControlHeader, &str>; 6] = [
        (|header| header.room = None, "only a genesis names no room"),
        (|header| header.after.clear(), "only what opens a room has no parents"),
        (|header| header.after = (0..17).map(|n| EntryId([n; 32])).collect(), "too many parents"),
        (|header| header.after = vec![EntryId([2; 32]), EntryId([1; 32])], "parents not sorted"),
        (|header| header.after = vec![EntryId([2; 32]); 2], "parents not sorted"),
        (|header| header.membership = None, "acts as no membership"),
    ];
    for (change, why) in wrong {
        let mut header = right.clone();
        change(&mut header);
        assert_eq!(Control::decode(&signed(&bob, &header)), Err(ControlError::Form(why)));
    }
    let signature = bob.sign(domain::CONTROL_SIGNATURE, &right.bytes());
    let mut three = envelope(&right.bytes(), &signature, |e| {
        e.u8(2).unwrap().bytes(&[0; 64]).unwrap();
    });
    three[0] = 0xa3;
    assert_eq!(
        Control::decode(&three),
        Err(ControlError::Form("a ticket's signature where none belongs, or none"))
    );
}

#[test]
fn w4_the_form_of_a_genesis_and_a_join() {
    let story = samples::story();
    let (alice, bob) = (Signing::new(samples::ALICE), Signing::new(samples::BOB));
    let refused =
        |author: &Signing, entry: &Control, ticket: Option<Signature>, change: fn(&mut ControlHeader)| {
            let mut header = entry.header.clone();
            change(&mut header);
            let signature = author.sign(domain::CONTROL_SIGNATURE, &header.bytes());
            let entry = Control::new(header, entry.body.clone(), signature, ticket);
            Control::decode(&entry.encode()).unwrap_err()
        };
    let start = &story[0].1;
    let form = ControlError::Form;
    let said = refused(&alice, start, None, |header| header.room = Some(RoomId([1; 32])));
    assert_eq!(said, form("only a genesis names no room"));
    let said = refused(&alice, start, None, |header| header.after = vec![EntryId([1; 32])]);
    assert_eq!(said, form("a genesis has no parents"));
    let said = refused(&alice, start, None, |header| header.membership = Some(EntryId([1; 32])));
    assert_eq!(said, form("acts as no membership"));

    let join = &story.iter().find(|(name, _)| *name == "join").unwrap().1;
    assert_eq!(refused(&bob, join, None, |_| {}), form("a ticket's signature where none belongs, or none"));
    let membership = |header: &mut ControlHeader| header.membership = Some(EntryId([1; 32]));
    assert_eq!(refused(&bob, join, join.ticket_signature, membership), form("acts as no membership"));
}

#[test]
fn w5_only_the_authors_signature_for_this_use_is_taken() {
    let (alice, bob) = (Signing::new(samples::ALICE), Signing::new(samples::BOB));
    let start = genesis(&alice, 1);
    let bytes = start.header.bytes();
    let wrong = [
        bob.sign(domain::CONTROL_SIGNATURE, &bytes),
        alice.sign(domain::DATA_SIGNATURE, &bytes),
        alice.sign(b"", &bytes),
        Signature([0; 64]),
    ];
    for signature in wrong {
        assert_eq!(Control::decode(&envelope(&bytes, &signature, |_| {})), Err(ControlError::Signature));
    }
    let data = &samples::chain()[0].1;
    assert_eq!(data.verify(&bob.peer()), Err(DataError::Signature));
    let card = alice.card(1, T0);
    let foreign = SignedCard { card: Card { identity: bob.peer(), ..card.card.clone() }, ..card };
    assert!(foreign.verify().is_err());
}

#[test]
fn w5_weak_keys_and_second_names_of_a_point_are_refused() {
    // The identity point and the point of order two, which sign everything under lax rules.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    // y = p + 1: the identity point once more, under another name.
    let mut second_name = [0xff; 32];
    (second_name[0], second_name[31]) = (0xee, 0x7f);
    let mut signature = [0; 64];
    signature[0] = 1;
    for key in [identity, order_two, second_name, [0; 32]] {
        assert!(sign::verify(&PeerId(key), b"", b"any", &Signature(signature)).is_err());
    }
}

#[test]
fn w5_a_signature_with_a_scalar_above_the_order_is_refused() {
    let alice = Signing::new(1);
    let good = alice.sign(b"domain;", b"words");
    assert!(sign::verify(&alice.peer(), b"domain;", b"words", &good).is_ok());
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut same = good;
    let mut carry = 0u16;
    for (byte, add) in same.0[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert!(sign::verify(&alice.peer(), b"domain;", b"words", &same).is_err());
}

#[test]
fn w7_another_version_is_named_whatever_follows_it() {
    let alice = Signing::new(1);
    for header in [vec![0xa1, 0, 3], vec![0xa2, 0, 3, 1, 0x61, b'x'], vec![0xa1, 0, 0x18, 200]] {
        let version = *header[2..].iter().find(|byte| **byte != 0x18).unwrap();
        let bytes = envelope(&header, &alice.sign(domain::CONTROL_SIGNATURE, &header), |_| {});
        assert_eq!(Control::decode(&bytes), Err(ControlError::Version(version)));
        let bytes = envelope(&header, &Signature([0; 64]), |_| {});
        assert_eq!(Data::decode(&bytes), Err(DataError::Version(version)));
    }
    for header in [vec![], vec![0xa0], vec![0xa1, 1, 0], vec![0x80]] {
        let bytes = envelope(&header, &Signature([0; 64]), |_| {});
        assert_eq!(Control::decode(&bytes), Err(ControlError::Cbor(CborError::Shape)), "{header:?}");
    }
}

#[test]
fn w8_a_card_in_an_entry_is_its_authors_own_and_signed() {
    let (alice, bob) = (Signing::new(1), Signing::new(2));
    let start = genesis(&alice, 1);
    let refused = |card: SignedCard| {
        let place = Place::new(start.room(), start.id, &[start.id]);
        Control::decode(&control(&alice, place, common::new_card(card), T0).encode()).unwrap_err()
    };
    assert_eq!(refused(bob.card(1, T0)), ControlError::Form("a card of somebody else"));
    let mut newer = alice.card(1, T0);
    newer.card.v = 2;
    assert_eq!(refused(newer), ControlError::Form("a card of another version"));
    let mut changed = alice.card(1, T0);
    changed.card.generation += 1;
    assert_eq!(refused(changed), ControlError::Signature);
    let id = blake3::derive_key("parlor/1 card id;", &alice.card(1, T0).card.bytes());
    assert_eq!(alice.card(1, T0).card.id(), RecipientId(id));
}

#[test]
fn w9_sealed_keys_have_one_length_and_ticket_recipients_do_not_depend_on_the_entry() {
    let alice = Signing::new(1);
    let start = genesis(&alice, 1);
    let to = RecipientId([1; 32]);
    let decode = |body: ControlBody| {
        let place = Place::new(start.room(), start.id, &[start.id]);
        Control::decode(&control(&alice, place, body, T0).encode()).map(|_| ())
    };
    for length in [0, 47, 49] {
        let mut short_seal: Grant = common::grant(to, 1);
        short_seal.seals[0].sealed = vec![1; length].into();
        let wrong = ControlError::Form("a seal of the wrong length");
        assert_eq!(decode(ControlBody::Grant(short_seal.clone())), Err(wrong));
        let mut ticket = common::ticket(&Signing::new(9), parlor_wire::control::Role::Reader);
        ticket.grants = vec![short_seal];
        assert_eq!(decode(ControlBody::Ticket(ticket)), Err(wrong));
        let mut short_wrap: Rekey = rekey(&[to], 1);
        short_wrap.wraps[0].sealed = vec![1; length].into();
        assert_eq!(
            decode(ControlBody::Rekey(short_wrap)),
            Err(ControlError::Form("a wrap of the wrong length"))
        );
    }
    let mut ticket = common::ticket(&Signing::new(9), parlor_wire::control::Role::Reader);
    let recipient = ticket.recipient();
    ticket.grants = vec![Grant { key: KeyId([1; 32]), seals: vec![common::seal(recipient, 1)] }];
    assert_eq!(ticket.recipient(), recipient);
}

#[test]
fn d1_the_form_of_a_data_entry() {
    let alice = Signing::new(samples::ALICE);
    let right = &samples::chain()[1].1;
    let wrong: [Wrong<parlor_wire::DataHeader, DataError>; 7] = [
        (|header| header.prev = None, DataError::Form("only the first entry of a chain has none before it")),
        (|header| header.seq = 0, DataError::Form("only the first entry of a chain has none before it")),
        (|header| header.body_hash = None, DataError::Form("no body hash")),
        (
            |header| header.body_len = limits::MAX_BODY_BYTES as u32 + 1,
            DataError::Form("a body over the limit"),
        ),
        (
            |h| h.after = Some((0..17).map(|n| EntryId([n; 32])).collect()),
            DataError::Form("too many control heads"),
        ),
        (|h| h.after = Some(vec![EntryId([1; 32]); 2]), DataError::Form("control heads not sorted")),
        (|header| header.v = 2, DataError::Version(2)),
    ];
    for (change, why) in wrong {
        let mut header = right.header.clone();
        change(&mut header);
        let entry = common::data(&alice, header, right.body.clone());
        assert_eq!(Data::decode(&entry.encode()), Err(why));
    }
}

#[test]
fn d2_the_body_is_the_one_the_header_commits_to_or_gone() {
    let entry = samples::chain()[0].1.clone();
    let mut gone = entry.clone();
    gone.body = None;
    assert_eq!(Data::decode(&gone.encode()), Ok(gone));
    let body = entry.body.clone().unwrap();
    for wrong in [vec![], body[1..].to_vec(), [&body[..], &[0]].concat(), vec![0; body.len()]] {
        let changed = Data { body: Some(wrong), ..entry.clone() };
        assert_eq!(Data::decode(&changed.encode()), Err(DataError::Body));
    }
    for body_len in [0, entry.header.body_len - 1, entry.header.body_len + 1] {
        let header = parlor_wire::DataHeader { body_len, ..entry.header.clone() };
        let wrong = common::data(&Signing::new(samples::ALICE), header, Some(body.clone()));
        assert_eq!(Data::decode(&wrong.encode()), Err(DataError::Body), "the right hash and another length");
    }
    assert_eq!(entry.header.body_hash.unwrap().0, blake3::derive_key("parlor/1 sealed body hash;", &body));
}

#[test]
fn d3_an_unknown_class_is_kept_and_carried() {
    let (_, entry) = samples::chain().into_iter().find(|(name, _)| *name == "unknown class").unwrap();
    assert_eq!(Data::decode(&entry.encode()).unwrap().header.class, 200);
}

#[test]
fn d4_associated_data_is_the_domain_and_the_header_without_its_body_hash() {
    let mut header = samples::chain()[0].1.header.clone();
    let associated = header.associated_data();
    header.body_hash = None;
    let expected = [b"parlor/1 entry associated data;".as_slice(), &header.bytes()].concat();
    assert_eq!(associated, expected);
    header.salt = Salt([0xff; 16]);
    assert_ne!(header.associated_data(), associated);
}
