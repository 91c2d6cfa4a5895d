//! The rules of the roster, one test or more for each; names begin with the rule. What holds for every history is
//! in `roster_random.rs`; admits and removes are in `roster_remove.rs`, roles and leaving in `roster_leave.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::room::{Room, bob, carol, fourth};
use common::{
    Place, Signing, T0, close, control, genesis, grant, leave, new_card, note, own, rekey, remove, role,
    ticket, want,
};
use parlor_wire::control::{ControlBody, ControlError, ControlHeader, Role};
use parlor_wire::roster::{Extent, Freeze, Insert, Roster, freezes};
use parlor_wire::{
    Control, EntryId, PeerId, PublicSealingKey, RecipientId, RoomId, Signature, domain, limits,
};

#[test]
fn r1_the_starter_owns_and_whom_an_owner_names() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let named = room.say(&alice, start, &[start], own(&bob()));
    room.say(&bob(), named, &[named], own(&carol()));
    let roster = room.roster();
    for owner in [&alice, &bob(), &carol()] {
        assert!(roster.owns(&owner.peer()) && roster.writes(&owner.peer()) && roster.reads(&owner.peer()));
    }
    assert_eq!(roster.members.len(), 3);
}

#[test]
fn r1_an_owner_named_by_a_member_is_none() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let named = room.say(&bob(), joined, &[joined], own(&carol()));
    // What rests on it does not count either.
    room.say(&carol(), named, &[named], own(&Signing::new(4)));
    let roster = room.roster();
    assert!(!roster.reads(&carol().peer()) && !roster.reads(&Signing::new(4).peer()));
    assert_eq!(roster.memberships.len(), 2);
    assert!(!roster.chains.contains_key(&named), "and it opens no chain");
}

#[test]
fn r2_tickets_and_closes_of_a_member_do_not_count() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let body = ControlBody::Ticket(common::ticket(&room.key, Role::Member));
    let own_ticket = room.say(&bob(), joined, &[joined], body);
    room.join(&carol(), own_ticket, &[own_ticket]);
    room.say(&bob(), joined, &[joined], close(ticket));
    let roster = room.roster();
    assert_eq!(roster.tickets.keys().collect::<Vec<_>>(), [&ticket]);
    assert!(roster.tickets[&ticket].open(T0));
    assert!(!roster.reads(&carol().peer()));
}

#[test]
fn r2_an_entry_has_the_authority_of_the_membership_it_names() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let named = room.say(&alice, start, &[joined], own(&bob()));
    room.say(&bob(), joined, &[named], own(&carol()));
    assert!(!room.roster().reads(&carol().peer()), "Bob owns, but wrote as the member he was");
    room.say(&bob(), named, &[named], own(&carol()));
    assert!(room.roster().owns(&carol().peer()));
}

#[test]
fn r2_tickets_give_member_or_reader_and_never_owner() {
    let alice = Signing::new(1);
    let start = genesis(&alice, 1);
    let body = ControlBody::Ticket(ticket(&Signing::new(101), Role::Owner));
    let entry = control(&alice, Place::new(start.room(), start.id, &[start.id]), body, T0);
    assert_eq!(Control::decode(&entry.encode()), Err(ControlError::Form("a ticket cannot make owners")));
}

#[test]
fn r3_memberships_of_one_identity_act_as_one_at_the_highest_role() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let reading = room.ticket(Role::Reader);
    let joined = room.join(&bob(), reading, &[reading]);
    assert!(room.roster().reads(&bob().peer()) && !room.roster().writes(&bob().peer()));
    let named = room.say(&alice, start, &[joined], own(&bob()));
    let roster = room.roster();
    let member = &roster.members[&bob().peer()];
    assert_eq!(member.role, Role::Owner);
    assert!(member.memberships.iter().eq(if joined < named { [&joined, &named] } else { [&named, &joined] }));
    assert_eq!(roster.memberships[&joined].role, Role::Reader, "each keeps its own");
}

#[test]
fn r4_a_close_of_an_owner_closes_even_a_ticket_it_had_not_seen() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let body = ControlBody::Ticket(ticket(&room.key, Role::Member));
    let unseen = room.write(&alice, start, &[start], body);
    room.say(&alice, start, &[start], close(unseen.id));
    let ticket = room.put(unseen);
    room.join(&bob(), ticket, &[ticket]);
    let roster = room.roster();
    assert!(roster.tickets[&ticket].closed && !roster.tickets[&ticket].open(T0));
    assert!(!roster.reads(&bob().peer()));
}

#[test]
fn r5_a_join_seen_by_the_close_counts_and_an_unseen_one_is_undone() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let seen = room.join(&bob(), ticket, &[ticket]);
    let unseen = room.join(&carol(), ticket, &[ticket]);
    assert!(room.roster().reads(&carol().peer()), "nothing closed it yet");
    let closed = room.say(&alice, start, &[seen], close(ticket));
    let late = room.join(&Signing::new(4), ticket, &[closed]);
    let roster = room.roster();
    assert!(roster.memberships.contains_key(&seen) && roster.reads(&bob().peer()));
    assert!(!roster.memberships.contains_key(&unseen) && !roster.reads(&carol().peer()));
    assert!(!roster.memberships.contains_key(&late));
    assert_eq!(roster.tickets[&ticket].joins, 1);
    assert!(
        !roster.chains.contains_key(&unseen),
        "R10: none of the data of a membership that does not count"
    );
}

#[test]
fn r5_a_join_must_be_seen_by_every_close() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    room.say(&alice, start, &[joined], close(ticket));
    assert!(room.roster().reads(&bob().peer()));
    room.say(&alice, start, &[ticket], close(ticket));
    assert!(!room.roster().reads(&bob().peer()), "the second had not seen him");
}

#[test]
fn r5_a_join_whose_ticket_is_not_in_its_past_is_never_in() {
    let mut room = Room::new();
    let start = room.start;
    let ticket = room.ticket(Role::Member);
    let entry = room.joining(&bob(), ticket, &[start]);
    assert!(matches!(room.dag.insert(entry), Insert::Malformed(_)));
    let not_a_ticket = room.joining(&bob(), start, &[ticket]);
    assert!(matches!(room.dag.insert(not_a_ticket), Insert::Malformed(_)));
    assert_eq!(room.roster().members.len(), 1);
}

#[test]
fn r5_a_join_the_ticket_did_not_sign_is_never_in() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let mut entry = room.joining(&bob(), ticket, &[ticket]);
    entry.ticket_signature = Some(bob().sign(domain::JOIN_SIGNATURE, &entry.header.bytes()));
    assert!(Control::decode(&entry.encode()).is_ok(), "alone it looks right");
    assert!(matches!(room.dag.insert(entry.clone()), Insert::Malformed(_)));
    entry.ticket_signature = Some(room.key.sign(domain::LINK_PROOF, &entry.header.bytes()));
    assert!(matches!(room.dag.insert(entry), Insert::Malformed(_)), "signed for another use");
}

#[test]
fn r6_a_bare_join_by_an_approve_ticket_never_counts() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let mut body = ticket(&room.key, Role::Member);
    body.approve = true;
    let ticket = room.say(&alice, start, &[start], ControlBody::Ticket(body));
    room.join(&bob(), ticket, &[ticket]);
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()));
    assert!(roster.tickets[&ticket].open(T0) && !roster.tickets[&ticket].sealable(T0));
}

#[test]
fn r8_the_role_of_a_join_is_its_tickets() {
    for (role, writes) in [(Role::Reader, false), (Role::Member, true)] {
        let mut room = Room::new();
        let ticket = room.ticket(role);
        let joined = room.join(&bob(), ticket, &[ticket]);
        let roster = room.roster();
        assert_eq!((roster.memberships[&joined].role, roster.writes(&bob().peer())), (role, writes));
        assert!(!roster.owns(&bob().peer()));
    }
}

#[test]
fn r9_surplus_joins_count_and_show_and_clocks_are_the_askers() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let mut body = ticket(&room.key, Role::Member);
    (body.uses, body.expires) = (Some(1), Some(T0 + 10));
    let ticket = room.say(&alice, start, &[start], ControlBody::Ticket(body));
    let state = |room: &Room| room.roster().tickets[&ticket].clone();
    assert!(state(&room).open(T0 + 9) && !state(&room).expired(T0 + 9));
    assert!(!state(&room).open(T0 + 10) && state(&room).expired(T0 + 10));
    let first = room.join(&bob(), ticket, &[ticket]);
    assert!(state(&room).spent() && !state(&room).sealable(T0));
    room.join(&bob(), ticket, &[first]);
    assert_eq!(state(&room).joins, 1, "one identity is one use");
    room.join(&carol(), ticket, &[ticket]);
    assert_eq!(state(&room).joins, 2, "more than its uses: flagged, not hidden");
    assert!(room.roster().writes(&carol().peer()));
}

#[test]
fn r10_chains_belong_to_memberships_and_cards_that_count() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let card = room.say(&bob(), joined, &[joined], new_card(bob().card(2, T0)));
    let named = room.say(&alice, start, &[card], own(&carol()));
    room.say(&alice, start, &[named], note());
    let chains = room.roster().chains;
    let expected = [(start, &alice), (joined, &bob()), (card, &bob()), (named, &carol())];
    let expected: BTreeSet<(EntryId, PeerId)> =
        expected.iter().map(|(chain, whose)| (*chain, whose.peer())).collect();
    assert_eq!(chains.iter().map(|(chain, state)| (*chain, state.author)).collect::<BTreeSet<_>>(), expected);
    assert!(chains.values().all(|state| (&state.content, &state.receipts) == (&Extent::All, &Extent::All)));
    room.say(&alice, start, &[ticket], close(ticket));
    let chains = room.roster().chains;
    assert!(!chains.contains_key(&joined) && !chains.contains_key(&card), "undone with the membership");
}

#[test]
fn r11_cards_keys_wants_and_notes_change_nobodys_standing() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let before = room.roster();
    let to = RecipientId([9; 32]);
    let bodies = [
        note(),
        ControlBody::Rekey(rekey(&[to], 1)),
        ControlBody::Grant(grant(to, 1)),
        want(&[1, 2]),
        new_card(bob().card(5, T0)),
    ];
    for body in bodies {
        room.say(&bob(), joined, &[joined], body);
    }
    let after = room.roster();
    let roles = |roster: &Roster| {
        roster.members.iter().map(|(peer, member)| (*peer, member.role)).collect::<Vec<_>>()
    };
    assert_eq!(
        (roles(&after), after.memberships, after.tickets),
        (roles(&before), before.memberships, before.tickets)
    );
}

#[test]
fn cards_a_higher_generation_supersedes_and_one_sealing_key_counts_once() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let key = |number: u8| PublicSealingKey([number; 32]);
    for (generation, time, sealing_key) in [(1, 9, key(1)), (2, 1, key(2)), (2, 2, key(2)), (2, 3, key(3))] {
        room.say(&alice, start, &[start], new_card(alice.card_for(generation, T0 + time, sealing_key)));
    }
    let roster = room.roster();
    let cards = &roster.members[&alice.peer()].cards;
    let kept: Vec<_> = cards.iter().map(|card| (card.card.sealing_key, card.card.time)).collect();
    assert_eq!(kept, [(key(3), T0 + 3), (key(2), T0 + 2)], "newest first, each key by its newest card");
    for number in 10..20 {
        room.say(&alice, start, &[start], new_card(alice.card_for(2, T0 + 100, key(number))));
    }
    assert_eq!(room.roster().members[&alice.peer()].cards.len(), limits::MAX_CARDS);
    assert_eq!(room.roster().cards.len(), 1 + 4 + 10, "every card is found by its id");
}

#[test]
fn cards_one_card_signed_twice_is_one_card_in_every_order() {
    let room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let once = alice.card(2, T0);
    let mut twice = once.clone();
    twice.signature = alice.sign_again(domain::CARD_SIGNATURE, &twice.card.bytes());
    assert_ne!(twice.signature, once.signature);
    assert_eq!(twice.verify(), Ok(()));
    let rosters = [[&once, &twice], [&twice, &once]].map(|order| {
        let mut room = room.clone();
        for card in order {
            let entry = control(&alice, Place::new(room.id, start, &[start]), new_card(card.clone()), T0);
            room.put(entry);
        }
        room.roster()
    });
    assert_eq!(rosters[0], rosters[1]);
    assert_eq!(rosters[0].members[&alice.peer()].cards.len(), 1);
}

#[test]
fn tickets_are_found_by_key_and_recipient_and_a_closed_one_decides() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let first = room.ticket(Role::Member);
    let body = ticket(&room.key, Role::Member);
    let again = room.say(&alice, start, &[first], ControlBody::Ticket(body.clone()));
    for closed in [first, again] {
        let mut room = room.clone();
        room.say(&alice, start, &[again], close(closed));
        let roster = room.roster();
        assert_eq!(roster.ticket_by_key(&body.signing_key).map(|(id, _)| id), Some(closed));
        assert_eq!(roster.ticket_by_recipient(&body.recipient()).map(|(id, _)| id), Some(closed));
        assert_eq!(roster.ticket_by_recipient(&RecipientId(closed.0)), None);
    }
}

#[test]
fn g1_entries_wait_for_parents_and_come_in_parents_first() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let first = room.write(&alice, start, &[start], note());
    let other = room.write(&alice, start, &[start, first.id], own(&bob()));
    let last = room.write(&alice, start, &[first.id, other.id], note());
    assert_eq!(room.dag.insert(last.clone()), Insert::Waits);
    assert_eq!(room.dag.insert(last.clone()), Insert::Known);
    assert_eq!(room.dag.missing(), [first.id, other.id].into());
    assert_eq!(room.dag.insert(other.clone()), Insert::Waits);
    assert_eq!(room.dag.missing(), [first.id].into());
    assert!(!room.roster().owns(&bob().peer()), "what waits does not count");
    assert_eq!(room.dag.insert(first.clone()), Insert::In(vec![first.id, other.id, last.id]));
    assert!(room.dag.missing().is_empty());
    assert_eq!(room.dag.heads(), &[last.id].into());
    assert!(room.roster().owns(&bob().peer()));
}

#[test]
fn g1_what_waits_is_bounded() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    for number in 0..limits::MAX_WAITING_CONTROL {
        let unknown = EntryId(*blake3::hash(&number.to_be_bytes()).as_bytes());
        let entry = room.write(&alice, start, &[unknown], note());
        assert_eq!(room.dag.insert(entry), Insert::Waits);
    }
    let one_more = room.write(&alice, start, &[EntryId([3; 32])], note());
    assert_eq!(room.dag.insert(one_more), Insert::Full);
    room.say(&alice, start, &[start], note());
}

#[test]
fn g2_an_entry_of_another_room_is_never_in() {
    let mut room = Room::new();
    let other = genesis(&room.alice, 2);
    assert!(matches!(room.dag.insert(other.clone()), Insert::Malformed(_)));
    let entry = control(&room.alice, Place::new(other.room(), room.start, &[room.start]), note(), T0);
    assert!(matches!(room.dag.insert(entry), Insert::Malformed(_)));
}

#[test]
fn g3_nobody_acts_as_what_is_not_their_membership() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let stranger = Signing::new(9);
    let concurrent = room.say(&alice, start, &[start], own(&carol()));
    let cases = [
        (&stranger, start, vec![start]),
        (&stranger, joined, vec![joined]),
        (&bob(), start, vec![joined]),
        (&alice, joined, vec![joined]),
        (&alice, ticket, vec![ticket]),
        (&alice, EntryId([4; 32]), vec![start]),
        // Carol's own membership, which this entry has not heard of.
        (&carol(), concurrent, vec![joined]),
    ];
    for (author, membership, after) in cases {
        let entry = room.write(author, membership, &after, note());
        assert!(Control::decode(&entry.encode()).is_ok(), "alone it looks right");
        assert!(matches!(room.dag.insert(entry), Insert::Malformed(_)));
    }
    assert_eq!(room.dag.len(), 4);
}

#[test]
fn g4_a_spoilt_copy_of_a_join_does_not_keep_the_good_one_out() {
    let room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let body = ControlBody::Ticket(ticket(&room.key, Role::Member));
    let late = room.write(&alice, start, &[start], body);
    let good = room.joining(&bob(), late.id, &[late.id]);
    for first in [0, 1] {
        let mut dag = room.dag.clone();
        let mut spoilt = good.clone();
        spoilt.ticket_signature = Some(Signature([if first == 0 { 0 } else { 0xff }; 64]));
        let mut copies = [spoilt, good.clone()];
        copies.rotate_left(first);
        for copy in copies {
            assert_eq!(dag.insert(copy), Insert::Waits);
        }
        assert_eq!(dag.insert(late.clone()), Insert::In(vec![late.id, good.id]));
        assert_eq!(dag.get(&good.id), Some(&good));
    }
}

/// An entry with a changed header, signed anew.
fn changed(entry: &Control, author: &Signing, change: impl FnOnce(&mut ControlHeader)) -> (Control, Vec<u8>) {
    let mut header = entry.header.clone();
    change(&mut header);
    let domain = format!("parlor/{} control entry signature;", header.v);
    let signature = author.sign(domain.as_bytes(), &header.bytes());
    let entry = Control::new(header, entry.body.clone(), signature, None);
    let bytes = entry.encode();
    (entry, bytes)
}

#[test]
fn w7_what_this_parlor_is_too_old_for_freezes_the_room_when_a_member_wrote_it() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    let entry = room.write(&bob(), joined, &[joined], note());
    type Change = (fn(&mut ControlHeader), ControlError);
    let newer: [Change; 4] = [
        (|header| header.kind = 16, ControlError::UnknownKind(16)),
        (|header| header.rules = 2, ControlError::Rules(2)),
        (|header| header.suite = 2, ControlError::Suite(2)),
        (|header| header.v = 2, ControlError::Version(2)),
    ];
    for (change, error) in newer {
        let (_, bytes) = changed(&entry, &bob(), change);
        assert_eq!(Control::decode(&bytes), Err(error));
        assert!(error.freezes());
        assert_eq!(freezes(&room.dag, &room.roster(), &bytes), Freeze::Room, "{error}");
    }
}

#[test]
fn w7_every_unknown_kind_freezes_and_is_never_skipped() {
    let mut room = Room::new();
    let entry = room.write(&room.alice, room.start, &[room.start], note());
    for kind in (16..40).chain([255, 256, u16::MAX]) {
        let (_, bytes) = changed(&entry, &room.alice, |header| header.kind = kind);
        assert_eq!(Control::decode(&bytes), Err(ControlError::UnknownKind(kind)));
        assert_eq!(freezes(&room.dag, &room.roster(), &bytes), Freeze::Room);
    }
    let (_, unparented) = changed(&entry, &room.alice, |header| {
        header.kind = 16;
        header.after = vec![EntryId([1; 32])];
    });
    assert_eq!(freezes(&room.dag, &room.roster(), &unparented), Freeze::Waits);
    assert_eq!(room.dag.insert(entry.clone()), Insert::In(vec![entry.id]));
}

/// A membership by a ticket of its own.
fn joined_again(room: &mut Room, who: &Signing) -> EntryId {
    let ticket = room.ticket(Role::Member);
    room.join(who, ticket, &[ticket])
}

#[test]
fn w7_nobody_else_can_freeze_a_room() {
    let mut room = Room::new();
    let (alice, start) = (room.alice.clone(), room.start);
    let ticket = room.ticket(Role::Member);
    let undone = room.join(&bob(), ticket, &[ticket]);
    room.say(&alice, start, &[ticket], close(ticket));
    let newer = |header: &mut ControlHeader| header.kind = 16;
    let by_stranger = changed(&room.write(&carol(), start, &[start], note()), &carol(), newer);
    let by_undone = changed(&room.write(&bob(), undone, &[undone], note()), &bob(), newer);
    let (removed, gone) = (joined_again(&mut room, &fourth()), joined_again(&mut room, &Signing::new(5)));
    let by_removed = changed(&room.write(&fourth(), removed, &[removed], note()), &fourth(), newer);
    let five = Signing::new(5);
    let by_left = changed(&room.write(&five, gone, &[gone], note()), &five, newer);
    for (_, bytes) in [&by_removed, &by_left] {
        assert_eq!(freezes(&room.dag, &room.roster(), bytes), Freeze::Room, "members still");
    }
    room.rule(&[removed], remove(&fourth(), &[removed], &[]));
    room.say(&five, gone, &[gone], leave(false));
    let mut unsigned = changed(&room.write(&alice, start, &[start], note()), &alice, newer);
    unsigned.0.signature = Signature([1; 64]);
    unsigned.1 = unsigned.0.encode();
    let elsewhere = changed(&room.write(&alice, start, &[start], note()), &alice, |header| {
        (header.kind, header.room) = (16, Some(RoomId([5; 32])));
    });
    let six = Signing::new(6);
    let (first, second) = (joined_again(&mut room, &six), joined_again(&mut room, &six));
    let by_a_later_membership = changed(&room.write(&six, second, &[first], note()), &six, newer);
    let at_its_place = changed(&room.write(&six, second, &[second], note()), &six, newer);
    assert_eq!(freezes(&room.dag, &room.roster(), &at_its_place.1), Freeze::Room);
    let nobodys =
        [&by_stranger, &by_undone, &by_removed, &by_left, &unsigned, &elsewhere, &by_a_later_membership];
    for (_, bytes) in nobodys {
        assert_eq!(freezes(&room.dag, &room.roster(), bytes), Freeze::Ignored);
    }
    // A reader reads, whatever it has been told of by then.
    let (six, own) = (Signing::new(6), joined_again(&mut room, &Signing::new(6)));
    let by_reader = changed(&room.write(&six, own, &[own], note()), &six, newer);
    assert_eq!(freezes(&room.dag, &room.roster(), &by_reader.1), Freeze::Room, "a member still");
    room.rule(&[own], role(&six, Role::Reader, &[]));
    assert_eq!(freezes(&room.dag, &room.roster(), &by_reader.1), Freeze::Ignored);
    assert_eq!(Control::decode(&unsigned.1), Err(ControlError::Signature), "not believed to be newer");
    assert_eq!(freezes(&room.dag, &room.roster(), &[]), Freeze::Ignored);
}
