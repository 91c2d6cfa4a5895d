//! The form of entries that rule the room: requests, admits, removes, roles, leaving, wants; what is taken, what is
//! refused and why (rules W3 to W9).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Place, Signing, T0, admit, control, cut, grant, leave, rekey, remove, role, samples, want};
use parlor_wire::cbor::CborError;
use parlor_wire::control::{Admit, ControlBody, ControlError, Cut, Remove, Role, SetRole, Want};
use parlor_wire::{
    Control, ControlHeader, EntryId, KeyId, PeerId, RecipientId, RoomId, Signature, domain, limits,
};

/// What is said of a body that Alice wrote in the room of the story.
fn said_of(body: ControlBody) -> Result<Control, ControlError> {
    let alice = Signing::new(samples::ALICE);
    let start = EntryId::from(samples::room());
    Control::decode(&control(&alice, Place::new(samples::room(), start, &[start]), body, T0).encode())
}

fn form(why: &'static str) -> Result<Control, ControlError> {
    Err(ControlError::Form(why))
}

/// The request of the story with a changed header, signed anew by whoever asks and by the ticket.
fn asked(change: impl FnOnce(&mut ControlHeader)) -> Control {
    let right = samples::request();
    let mut header = right.header.clone();
    change(&mut header);
    let signature = Signing::new(samples::CAROL).sign(domain::CONTROL_SIGNATURE, &header.bytes());
    let by_ticket = Signing::new(samples::ASKING).sign(domain::JOIN_SIGNATURE, &header.bytes());
    Control::new(header, right.body, signature, Some(by_ticket))
}

fn ids(count: usize) -> Vec<EntryId> {
    let mut ids: Vec<EntryId> =
        (0..count as u32).map(|n| EntryId(*blake3::hash(&n.to_be_bytes()).as_bytes())).collect();
    ids.sort_unstable();
    ids
}

fn cuts(count: usize) -> Vec<Cut> {
    (0..count as u64).map(|seq| Cut { chain: EntryId([1; 32]), seq, id: EntryId([2; 32]) }).collect()
}

#[test]
fn w4_the_form_of_a_request() {
    let right = samples::request();
    assert_eq!(Control::decode(&right.encode()), Ok(right.clone()));
    let said = |entry: Control| Control::decode(&entry.encode());
    let membership = |header: &mut ControlHeader| header.membership = Some(EntryId([1; 32]));
    assert_eq!(said(asked(membership)), form("acts as no membership"));
    assert_eq!(said(asked(|header| header.room = None)), form("only a genesis names no room"));
    assert_eq!(said(asked(|header| header.after.clear())), form("only what opens a room has no parents"));
    let unsigned = Control { ticket_signature: None, ..right };
    assert_eq!(said(unsigned), form("a ticket's signature where none belongs, or none"));
}

#[test]
fn w4_an_admit_holds_one_request_of_its_room_whole() {
    let right = admit(&samples::request());
    let taken = said_of(right).unwrap();
    let ControlBody::Admit(taken) = &taken.body else { panic!("no admit") };
    assert_eq!(
        (&*taken.request, taken.identity()),
        (&samples::request(), Signing::new(samples::CAROL).peer())
    );
    assert!(taken.asked().is_some());

    let elsewhere = asked(|header| header.room = Some(RoomId([9; 32])));
    assert_eq!(said_of(admit(&elsewhere)), form("a request of another room"));
    let unsigned = Control { ticket_signature: None, ..samples::request() };
    assert_eq!(said_of(admit(&unsigned)), form("a ticket's signature where none belongs, or none"));
    for (name, entry) in samples::story() {
        assert_eq!(said_of(admit(&entry)), form("admits something that is no request"), "{name}");
    }
}

#[test]
fn w4_admits_do_not_nest() {
    let mut entry = samples::request();
    for _ in 0..3 {
        let inner = admit(&entry);
        let alice = Signing::new(samples::ALICE);
        let start = EntryId::from(samples::room());
        entry = control(&alice, Place::new(samples::room(), start, &[start]), inner, T0);
    }
    assert_eq!(Control::decode(&entry.encode()), form("admits something that is no request"));
    assert_eq!(Control::decode_trusted(&entry.encode()), form("admits something that is no request"));
}

#[test]
fn w5_whoever_asks_signed_what_is_admitted() {
    let right = samples::request();
    let by_another = Signing::new(samples::BOB).sign(domain::CONTROL_SIGNATURE, &right.header.bytes());
    let for_another_use = Signing::new(samples::CAROL).sign(domain::JOIN_SIGNATURE, &right.header.bytes());
    for signature in [Signature([0; 64]), by_another, for_another_use] {
        let forged = Control { signature, ..right.clone() };
        assert_eq!(said_of(admit(&forged)), Err(ControlError::Signature));
        assert_eq!(Control::decode(&forged.encode()), Err(ControlError::Signature));
    }
    let other_author = asked(|header| header.author = Signing::new(samples::BOB).peer());
    assert_eq!(said_of(admit(&other_author)), form("a card of somebody else"));
}

#[test]
fn w1_the_request_inside_an_admit_is_canonical_too() {
    let mut body = admit(&samples::request()).bytes();
    let at = body.windows(2).position(|pair| pair == [0xa3, 0x00]).unwrap();
    assert_eq!(body[1..3], [0x00, 0x59], "a map, key 0, bytes of a two-byte length");
    let length = u16::from_be_bytes([body[3], body[4]]) + 1;
    body[3..5].copy_from_slice(&length.to_be_bytes());
    // Key 0 of the request's envelope in its long form.
    body.insert(at + 1, 0x18);
    let entry = {
        let alice = Signing::new(samples::ALICE);
        let start = EntryId::from(samples::room());
        let place = Place::new(samples::room(), start, &[start]);
        let mut header = common::header(&alice, place, &admit(&samples::request()), T0);
        header.body = body.into();
        let signature = alice.sign(domain::CONTROL_SIGNATURE, &header.bytes());
        Control::new(header, common::note(), signature, None)
    };
    assert_eq!(Control::decode(&entry.encode()), Err(ControlError::Cbor(CborError::NotCanonical)));
}

#[test]
fn w8_the_card_in_a_request_is_that_of_whoever_asks_and_signed() {
    let place = |membership| Place { membership, ..Place::new(samples::room(), EntryId([0; 32]), &ids(1)) };
    let with = |card| {
        let (carol, key) = (Signing::new(samples::CAROL), Signing::new(samples::ASKING));
        let body = ControlBody::Request(parlor_wire::control::Request { ticket: ids(1)[0], card });
        common::enter(&carol, &key, body, place(None), T0)
    };
    assert!(said_of(admit(&with(Signing::new(samples::CAROL).card(1, T0)))).is_ok());
    assert_eq!(
        said_of(admit(&with(Signing::new(samples::BOB).card(1, T0)))),
        form("a card of somebody else")
    );
    let mut changed = Signing::new(samples::CAROL).card(1, T0);
    changed.card.generation += 1;
    assert_eq!(said_of(admit(&with(changed))), Err(ControlError::Signature));
    let mut newer = Signing::new(samples::CAROL).card(1, T0);
    newer.card.v = 2;
    assert_eq!(said_of(admit(&with(newer))), form("a card of another version"));
}

#[test]
fn w9_what_an_admit_and_a_remove_carry_has_the_form_of_all_sealed_keys() {
    let to = RecipientId([1; 32]);
    let mut short = grant(to, 1);
    short.seals[0].sealed = vec![1; 47].into();
    let body = Admit { request: Box::new(samples::request()), grants: vec![short] };
    assert_eq!(said_of(ControlBody::Admit(body)), form("a seal of the wrong length"));
    let mut wrong = rekey(&[to], 1);
    wrong.wraps[0].sealed = vec![1; 49].into();
    let ControlBody::Remove(body) = remove(&Signing::new(2), &[], &[]) else { panic!("no remove") };
    let body = ControlBody::Remove(Remove { rekey: Some(wrong), ..body });
    assert_eq!(said_of(body), form("a wrap of the wrong length"));
    let carried = samples::story().into_iter().find(|(name, _)| *name == "remove").unwrap().1.body;
    assert!(carried.rekey().is_some() && carried.grants().is_empty());
    let carried = samples::story().into_iter().find(|(name, _)| *name == "admit").unwrap().1.body;
    assert!(carried.rekey().is_none() && carried.grants().len() == 1 && carried.card().is_some());
}

#[test]
fn w4_the_form_of_a_remove() {
    let said = |memberships: Vec<EntryId>, cuts: Vec<Cut>| {
        said_of(ControlBody::Remove(Remove { identity: PeerId([1; 32]), memberships, cuts, rekey: None }))
    };
    let most = limits::MAX_CHAINS_CUT;
    assert!(said(vec![], vec![]).is_ok() && said(ids(most), cuts(most)).is_ok());
    assert_eq!(said(ids(most + 1), vec![]), form("too many memberships"));
    assert_eq!(said(vec![], cuts(most + 1)), form("too many cuts"));
    assert_eq!(said(ids(2).into_iter().rev().collect(), vec![]), form("memberships not sorted"));
    assert_eq!(said(vec![ids(1)[0]; 2], vec![]), form("memberships not sorted"));
    assert_eq!(said(vec![], cuts(2).into_iter().rev().collect()), form("cuts not sorted"));
    assert_eq!(said(vec![], vec![cuts(1)[0]; 2]), form("cuts not sorted"));
}

#[test]
fn w4_cuts_ascend_by_chain_then_place_then_entry() {
    let at = |chain: u8, seq: u64, id: u8| Cut { chain: EntryId([chain; 32]), seq, id: EntryId([id; 32]) };
    let ascending = [at(1, 300, 9), at(2, 9, 9), at(2, 10, 1), at(2, 10, 2)];
    let said = |cuts: &[Cut]| {
        let body = SetRole { identity: PeerId([1; 32]), role: Role::Reader, cuts: cuts.to_vec() };
        said_of(ControlBody::Role(body)).map(|_| ())
    };
    assert_eq!(said(&ascending), Ok(()));
    for first in 0..ascending.len() - 1 {
        let mut swapped = ascending;
        swapped.swap(first, first + 1);
        assert_eq!(said(&swapped), Err(ControlError::Form("cuts not sorted")));
    }
}

#[test]
fn w4_the_form_of_a_role() {
    let bob = Signing::new(2);
    assert_eq!(said_of(role(&bob, Role::Owner, &[])), form("a role cannot make owners"));
    assert_eq!(
        said_of(role(&bob, Role::Member, &[cut(ids(1)[0], 1, 0)])),
        form("cuts what is not to be cut")
    );
    assert!(said_of(role(&bob, Role::Reader, &cuts(limits::MAX_CHAINS_CUT))).is_ok());
    assert_eq!(said_of(role(&bob, Role::Reader, &cuts(limits::MAX_CHAINS_CUT + 1))), form("too many cuts"));
}

#[test]
fn w4_the_form_of_a_want() {
    let keys = |count: usize| (0..count).map(|n| KeyId([n as u8; 32])).collect::<Vec<_>>();
    let said = |keys: Vec<KeyId>| said_of(ControlBody::Want(Want { keys }));
    let most = limits::MAX_WANTED_KEYS;
    assert!(said(keys(1)).is_ok() && said(keys(most)).is_ok());
    assert_eq!(said(vec![]), form("wants nothing"));
    assert_eq!(said(keys(most + 1)), form("wants too many keys"));
    assert_eq!(said(keys(2).into_iter().rev().collect()), form("wanted keys not sorted"));
    assert_eq!(said_of(want(&[3, 3])), form("wanted keys not sorted"));
}

#[test]
fn w4_removes_roles_leaves_and_wants_are_written_as_a_membership() {
    let bob = Signing::new(2);
    for body in [remove(&bob, &[], &[]), role(&bob, Role::Reader, &[]), leave(true), want(&[1])] {
        let alice = Signing::new(samples::ALICE);
        let start = EntryId::from(samples::room());
        let place = Place { membership: None, ..Place::new(samples::room(), start, &[start]) };
        let entry = control(&alice, place, body, T0);
        assert_eq!(Control::decode(&entry.encode()), form("acts as no membership"));
    }
}

#[test]
fn w3_a_remove_with_everything_in_it_fits() {
    let to: Vec<RecipientId> = (0..limits::MAX_SEALS as u32)
        .map(|n| RecipientId(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    let far =
        cuts(limits::MAX_CHAINS_CUT).into_iter().map(|cut| Cut { seq: u64::MAX - 600 + cut.seq, ..cut });
    let body = Remove {
        identity: PeerId([1; 32]),
        memberships: ids(limits::MAX_CHAINS_CUT),
        cuts: far.collect(),
        rekey: Some(rekey(&to, 1)),
    };
    assert!(said_of(ControlBody::Remove(body)).is_ok());
}

#[test]
fn only_memberships_and_cards_open_chains_and_an_admit_is_one() {
    for (name, entry) in samples::story() {
        let opens = ["genesis", "own", "join", "admit", "card"].contains(&name);
        assert_eq!(entry.body.opens_chain(), opens, "{name}");
        assert_eq!(entry.body.makes_membership(), opens && name != "card", "{name}");
        let whose = match name {
            "own" => samples::BOB,
            "admit" => samples::CAROL,
            _ => continue,
        };
        assert_eq!(entry.subject(), Signing::new(whose).peer());
        assert_ne!(entry.subject(), entry.header.author);
    }
    assert!(!samples::request().body.opens_chain(), "what is asked is nothing yet");
}
