//! Direct rooms: who is in the room of two, whoever opened it, and that nobody rules it. Must not look at sealing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::room::{bob, carol};
use common::{
    Place, Signing, T0, close, control, direct, genesis, join, leave, new_card, note, own, rekey, remove,
    role, ticket,
};
use parlor_wire::control::{ControlBody, ControlError, Role, direct_room};
use parlor_wire::roster::{Dag, Extent, Insert, Roster};
use parlor_wire::{Control, RoomId, limits};

fn alice() -> Signing {
    Signing::new(1)
}

fn the_room() -> RoomId {
    direct_room(&alice().peer(), &bob().peer()).unwrap()
}

fn dag_of(entries: &[&Control]) -> Dag {
    let mut dag = Dag::new(the_room());
    for entry in entries {
        assert_eq!(dag.insert((*entry).clone()), Insert::In(vec![entry.id]));
    }
    dag
}

#[test]
fn the_room_of_two_is_the_same_whoever_asks_and_of_nobody_else() {
    let (one, other) = (alice().peer(), bob().peer());
    assert_eq!(direct_room(&one, &other), direct_room(&other, &one));
    assert_ne!(direct_room(&one, &other), direct_room(&one, &carol().peer()));
    assert_eq!(direct_room(&one, &one), None);
}

#[test]
fn r12_both_own_it_as_soon_as_one_has_opened_it() {
    let opened = direct(&alice(), &bob(), &[bob().card(1, T0)], &[], T0);
    let roster = Roster::fold(&dag_of(&[&opened]));
    assert_eq!(roster.owners().count(), 2);
    assert!(roster.memberships.keys().eq([&opened.id]), "one membership: the other has said nothing yet");
    assert_eq!(roster.members[&bob().peer()].cards, [bob().card(1, T0)]);
    assert_eq!(roster.cards[&bob().card(1, T0).card.id()], bob().peer());
    assert_eq!(roster.chains[&opened.id].content, Extent::All);
}

#[test]
fn r12_two_openings_apart_are_one_room_in_any_order() {
    let one = direct(&alice(), &bob(), &[], &[], T0);
    let other = direct(&bob(), &alice(), &[], &[], T0);
    let (there, here) = (dag_of(&[&one, &other]), dag_of(&[&other, &one]));
    assert_eq!(Roster::fold(&there), Roster::fold(&here));
    assert_eq!(there.heads().len(), 2);
    assert_eq!(Roster::fold(&there).memberships.len(), 2);
}

#[test]
fn r12_a_card_the_other_brings_yields_to_a_newer_one_of_ones_own() {
    let opened = direct(&alice(), &bob(), &[bob().card(1, T0)], &[], T0);
    let answered = direct(&bob(), &alice(), &[], &[opened.id], T0);
    let newer = bob().card(3, T0);
    let place = Place::new(the_room(), answered.id, &[answered.id]);
    let further = control(&bob(), place, new_card(newer.clone()), T0 + 1);
    let late = direct(&alice(), &bob(), &[bob().card(2, T0 + 9)], &[further.id], T0 + 9);
    let roster = Roster::fold(&dag_of(&[&opened, &answered, &further, &late]));
    assert_eq!(roster.members[&bob().peer()].cards, [newer]);
}

#[test]
fn g2_nobody_rules_a_direct_room_nor_comes_in_nor_leaves() {
    let opened = direct(&alice(), &bob(), &[], &[], T0);
    let mut dag = dag_of(&[&opened]);
    let key = Signing::new(101);
    let at = || Place::new(the_room(), opened.id, &[opened.id]);
    let ruling = [
        own(&carol()),
        ControlBody::Ticket(ticket(&key, Role::Member)),
        close(opened.id),
        remove(&bob(), &[], &[]),
        role(&bob(), Role::Reader, &[]),
        leave(false),
        leave(true),
    ];
    for body in ruling {
        let kind = body.kind();
        let offered = dag.insert(control(&alice(), at(), body, T0));
        assert!(matches!(offered, Insert::Malformed(_)), "kind {kind}: {offered:?}");
    }
    let joining = join(&carol(), &key, opened.id, at(), T0);
    assert!(matches!(dag.insert(joining), Insert::Malformed(_)));
    assert!(matches!(dag.insert(control(&alice(), at(), note(), T0)), Insert::In(_)));
    assert_eq!(Roster::fold(&dag).members.len(), 2);
}

#[test]
fn w4_a_direct_is_by_one_of_the_two_and_brings_the_others_cards_only() {
    let good = direct(&alice(), &bob(), &[bob().card(1, T0)], &[], T0);
    assert_eq!(Control::decode(&good.encode()).as_ref(), Ok(&good));
    let form = |entry: &Control| match Control::decode(&entry.encode()) {
        Err(ControlError::Form(why)) => why,
        other => panic!("{other:?}"),
    };
    // Carol, in the room of Alice and Bob.
    let at = Place { room: Some(the_room()), membership: None, after: Vec::new() };
    let ControlBody::Direct(body) = direct(&carol(), &bob(), &[], &[], T0).body else { unreachable!() };
    assert_eq!(form(&control(&carol(), at, ControlBody::Direct(body), T0)), "a direct room of others");
    let oneself = Place { room: Some(the_room()), membership: None, after: Vec::new() };
    let ControlBody::Direct(mut body) = direct(&alice(), &bob(), &[], &[], T0).body else { unreachable!() };
    body.other = alice().peer();
    assert_eq!(form(&control(&alice(), oneself, ControlBody::Direct(body), T0)), "a direct room of others");
    let others = direct(&alice(), &bob(), &[carol().card(1, T0)], &[], T0);
    assert_eq!(form(&others), "a card of somebody else");
    let many: Vec<_> = (0..5).map(|generation| bob().card(generation, T0)).collect();
    assert_eq!(form(&direct(&alice(), &bob(), &many, &[], T0)), "too many cards");
    let mut spoilt = bob().card(1, T0);
    spoilt.signature.0[0] ^= 1;
    let spoilt = direct(&alice(), &bob(), &[spoilt], &[], T0);
    assert_eq!(Control::decode(&spoilt.encode()), Err(ControlError::Signature));
}

#[test]
fn g2_a_direct_opens_nothing_in_a_room_with_a_genesis() {
    let start = genesis(&alice(), 9);
    let mut dag = Dag::new(start.room());
    assert!(matches!(dag.insert(start), Insert::In(_)));
    let stray = direct(&alice(), &bob(), &[], &[], T0);
    assert_eq!(dag.insert(stray), Insert::Malformed("of another room"));
}

#[test]
fn g2_what_is_long_does_not_belong_into_a_direct_room() {
    let opened = direct(&alice(), &bob(), &[], &[], T0);
    let mut dag = dag_of(&[&opened]);
    let at = || Place::new(the_room(), opened.id, &[opened.id]);
    let keys = |count: usize| ControlBody::Rekey(rekey(&vec![alice().card(1, T0).card.id(); count], 1));
    let fits = control(&alice(), at(), keys(100), T0);
    assert!(fits.header.body.len() <= limits::MAX_DIRECT_CONTROL_BYTES);
    assert!(matches!(dag.insert(fits), Insert::In(_)));
    let long = control(&alice(), at(), keys(200), T0);
    assert!(long.header.body.len() > limits::MAX_DIRECT_CONTROL_BYTES);
    assert_eq!(dag.insert(long), Insert::Malformed("is too long for a direct room"));
}
