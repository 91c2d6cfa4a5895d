//! Who is let in by an owner and who is put out (rules R4 to R7, and R10 of the removed); names begin with the rule.
//! What holds for every history is in `roster_random.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::room::{Room, bob, carol, fourth};
use common::{
    Place, Signing, T0, admit, close, cut, enter, join, leave, new_card, own, remove, request, ticket,
};
use parlor_wire::control::{ControlBody, Cut, Request, Role};
use parlor_wire::roster::{ChainState, Extent, Insert};
use parlor_wire::{Control, EntryId, domain};

/// What a chain keeps that is cut to these.
fn upto(cuts: &[Cut]) -> Extent {
    Extent::Upto(cuts.iter().map(|cut| (cut.seq, cut.id)).collect())
}

/// Alice, and Bob who joined by her ticket.
fn with_bob() -> (Room, EntryId, EntryId) {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    (room, ticket, joined)
}

/// Why an entry can never be in.
fn refusal(room: &mut Room, entry: Control) -> &'static str {
    match room.dag.insert(entry) {
        Insert::Malformed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r6_an_admit_is_the_membership_of_whoever_asked() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let admitted = room.admit(&bob(), ticket, &[ticket]);
    let card = room.say(&bob(), admitted, &[admitted], new_card(bob().card(2, T0)));
    let roster = room.roster();
    let membership = &roster.memberships[&admitted];
    assert_eq!((membership.identity, membership.role), (bob().peer(), Role::Member));
    assert_eq!(membership.ticket, Some(ticket));
    assert!(roster.writes(&bob().peer()) && !roster.owns(&bob().peer()));
    assert_eq!(roster.tickets[&ticket].joins, 1, "being let in is one use");
    for chain in [admitted, card] {
        assert_eq!(roster.chains[&chain].author, bob().peer());
    }
    assert_eq!(
        roster.cards.values().filter(|peer| **peer == bob().peer()).count(),
        2,
        "the request's card too"
    );
    assert_eq!(roster.members[&bob().peer()].cards[0].card.generation, 2);
}

#[test]
fn r6_the_role_of_an_admit_is_its_tickets() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Reader);
    room.admit(&bob(), ticket, &[ticket]);
    let roster = room.roster();
    assert!(roster.reads(&bob().peer()) && !roster.writes(&bob().peer()));
}

#[test]
fn r6_what_is_asked_is_in_no_dag_and_lets_nobody_in() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let asked = room.asking(&bob(), ticket);
    assert!(Control::decode(&asked.encode()).is_ok(), "alone it looks right");
    assert_eq!(refusal(&mut room, asked), "asks to come in, which an owner must answer");
    assert!(!room.roster().reads(&bob().peer()));
}

#[test]
fn r6_an_admit_by_a_member_lets_nobody_in() {
    let (mut room, _, joined) = with_bob();
    let ticket = room.approving(Role::Member);
    let body = admit(&room.asking(&carol(), ticket));
    let admitted = room.say(&bob(), joined, &[joined, ticket], body);
    // What rests on it is in, and counts as little.
    room.say(&carol(), admitted, &[admitted], own(&fourth()));
    let roster = room.roster();
    assert!(!roster.memberships.contains_key(&admitted) && !roster.reads(&carol().peer()));
    assert!(!roster.reads(&fourth().peer()) && !roster.chains.contains_key(&admitted));
    assert_eq!(roster.tickets[&ticket].joins, 0);
}

#[test]
fn r6_an_admit_by_a_ticket_that_does_not_count_lets_nobody_in() {
    let (mut room, _, joined) = with_bob();
    let mut body = ticket(&room.key, Role::Member);
    body.approve = true;
    let ticket = room.say(&bob(), joined, &[joined], ControlBody::Ticket(body));
    let admitted = room.admit(&carol(), ticket, &[ticket]);
    assert!(!room.roster().memberships.contains_key(&admitted));
}

#[test]
fn r6_an_owner_admits_whom_it_likes_even_by_a_closed_ticket() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let closed = room.rule(&[ticket], close(ticket));
    room.admit(&bob(), ticket, &[closed]);
    let before_the_close = room.admit(&carol(), ticket, &[ticket]);
    let roster = room.roster();
    assert!(roster.writes(&bob().peer()));
    assert!(roster.memberships.contains_key(&before_the_close), "a close undoes joins, and this is none");
    assert!(roster.tickets[&ticket].closed);
}

#[test]
fn g4_an_admit_whose_ticket_is_not_in_its_past_is_never_in() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let body = admit(&room.asking(&bob(), ticket));
    let early = room.write(&room.alice, room.start, &[room.start], body);
    assert_eq!(refusal(&mut room, early), "comes by a ticket that is not in its past");
    let body = admit(&room.asking(&bob(), room.start));
    let no_ticket = room.write(&room.alice, room.start, &[ticket], body);
    assert_eq!(refusal(&mut room, no_ticket), "comes by something else");
}

#[test]
fn g4_a_request_the_ticket_did_not_sign_is_never_in() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let mut asked = room.asking(&bob(), ticket);
    for (key, use_of_it) in [(bob(), domain::JOIN_SIGNATURE), (room.key.clone(), domain::LINK_PROOF)] {
        asked.ticket_signature = Some(key.sign(use_of_it, &asked.header.bytes()));
        let entry = room.write(&room.alice, room.start, &[ticket], admit(&asked));
        assert!(Control::decode(&entry.encode()).is_ok(), "alone it looks right");
        assert_eq!(refusal(&mut room, entry), "the ticket did not sign it");
    }
}

#[test]
fn g4_a_request_becomes_no_join_and_a_join_no_request() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let place = || Place::new(room.id, ticket, &[ticket]);
    let asks = request(&bob(), &room.key, ticket, place(), T0);
    let joins = join(&bob(), &room.key, ticket, place(), T0);
    assert_ne!(asks.id, joins.id);
    let body = ControlBody::Request(Request { ticket, card: bob().card(1, T0) });
    let mut forged = enter(&bob(), &room.key, body, place(), T0);
    assert_eq!(forged.id, asks.id);
    forged.ticket_signature = joins.ticket_signature;
    let entry = room.write(&room.alice, room.start, &[ticket], admit(&forged));
    assert_eq!(refusal(&mut room, entry), "the ticket did not sign it");
}

#[test]
fn g3_whoever_was_admitted_acts_as_that_membership_and_nobody_else_does() {
    let mut room = Room::new();
    let ticket = room.approving(Role::Member);
    let admitted = room.admit(&bob(), ticket, &[ticket]);
    room.say(&bob(), admitted, &[admitted], common::note());
    let by_owner = room.write(&room.alice, admitted, &[admitted], common::note());
    assert_eq!(refusal(&mut room, by_owner), "acts as somebody else's membership");
}

#[test]
fn r2_a_remove_by_a_member_has_no_effect() {
    let (mut room, ticket, joined) = with_bob();
    let other = room.join(&carol(), ticket, &[ticket]);
    room.say(&bob(), joined, &[joined, other], remove(&carol(), &[other], &[]));
    let roster = room.roster();
    assert!(roster.writes(&carol().peer()) && roster.removed.is_empty());
    assert!(roster.tickets[&ticket].open(T0), "and closes nothing");
    assert_eq!(roster.chains[&other].content, Extent::All);
}

#[test]
fn r7_a_removed_member_is_out_and_what_the_remover_held_of_theirs_stays() {
    let (mut room, _, joined) = with_bob();
    let card = room.say(&bob(), joined, &[joined], new_card(bob().card(2, T0)));
    let unheld = room.say(&bob(), joined, &[joined], new_card(bob().card(3, T0)));
    let held = [cut(joined, 4, 0), cut(card, 9, 0)];
    room.rule(&[card], remove(&bob(), &[joined], &held));
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()) && !roster.members.contains_key(&bob().peer()));
    assert_eq!(roster.removed.keys().collect::<Vec<_>>(), [&joined]);
    assert_eq!(roster.removed[&joined].identity, bob().peer());
    assert!(!roster.memberships.contains_key(&joined) && !roster.left.contains_key(&joined));
    for (chain, cut) in [(joined, held[0]), (card, held[1])] {
        let expected = ChainState { author: bob().peer(), content: upto(&[cut]), receipts: upto(&[cut]) };
        assert_eq!(roster.chains[&chain], expected);
    }
    assert!(!roster.chains.contains_key(&unheld), "nothing of a chain the remover held nothing of");
}

#[test]
fn r10_several_removes_keep_what_any_of_them_held() {
    let (mut room, _, joined) = with_bob();
    let (near, far, branch) = (cut(joined, 2, 0), cut(joined, 7, 0), cut(joined, 7, 9));
    room.rule(&[joined], remove(&bob(), &[joined], &[near]));
    room.rule(&[joined], remove(&bob(), &[joined], &[far, branch]));
    room.rule(&[joined], remove(&bob(), &[joined], &[]));
    let roster = room.roster();
    assert_eq!(roster.chains[&joined].content, upto(&[near, far, branch]));
    assert_eq!(roster.chains[&joined].receipts, upto(&[near, far, branch]));
}

#[test]
fn r10_a_cut_in_a_remove_of_somebody_else_keeps_nothing() {
    let (mut room, ticket, joined) = with_bob();
    let other = room.join(&carol(), ticket, &[joined]);
    room.rule(&[other], remove(&carol(), &[other], &[cut(joined, 5, 0), cut(other, 1, 0)]));
    room.rule(&[other], remove(&bob(), &[joined], &[]));
    let chains = room.roster().chains;
    assert!(!chains.contains_key(&joined));
    assert_eq!(chains[&other].content, upto(&[cut(other, 1, 0)]));
}

#[test]
fn r10_receipts_of_a_removed_reader_stay_and_content_they_could_not_write_does_not_come_back() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Reader);
    let joined = room.join(&bob(), ticket, &[ticket]);
    assert_eq!(room.roster().chains[&joined].content, upto(&[]));
    let held = cut(joined, 6, 0);
    room.rule(&[joined], remove(&bob(), &[joined], &[held]));
    let chain = &room.roster().chains[&joined];
    assert_eq!((&chain.content, &chain.receipts), (&upto(&[]), &upto(&[held])));
}

#[test]
fn r10_who_read_by_one_ticket_and_wrote_by_another_keeps_both_up_to_the_cuts() {
    let mut room = Room::new();
    let reading = room.ticket(Role::Reader);
    let first = room.join(&bob(), reading, &[reading]);
    let writing = room.ticket_after(&[first], Role::Member);
    let second = room.join(&bob(), writing, &[writing]);
    assert_eq!(room.roster().chains[&first].content, Extent::All, "memberships act as one");
    let held = [cut(first, 6, 0), cut(second, 1, 0)];
    room.rule(&[second], remove(&bob(), &[first, second], &held));
    let chains = room.roster().chains;
    assert_eq!((&chains[&first].content, &chains[&second].content), (&upto(&held[..1]), &upto(&held[1..])));
}

#[test]
fn r1_nobody_removes_an_owner() {
    let mut room = Room::new();
    let named = room.rule(&[room.start], own(&bob()));
    let (alice, start) = (room.alice.clone(), room.start);
    room.say(&bob(), named, &[named], remove(&alice, &[start], &[]));
    room.rule(&[named], remove(&bob(), &[named], &[cut(named, 1, 0)]));
    room.rule(&[named], remove(&alice, &[start], &[]));
    let roster = room.roster();
    assert!(roster.owns(&alice.peer()) && roster.owns(&bob().peer()));
    assert!(roster.removed.is_empty());
    for chain in [start, named] {
        assert_eq!(roster.chains[&chain].content, Extent::All, "and nothing of theirs is cut");
    }
}

#[test]
fn r1_an_owner_who_once_joined_keeps_that_too_when_somebody_removes_it() {
    let (mut room, ticket, joined) = with_bob();
    let named = room.rule(&[joined], own(&bob()));
    room.rule(&[named], remove(&bob(), &[joined, named], &[cut(joined, 3, 0)]));
    let roster = room.roster();
    assert_eq!(roster.members[&bob().peer()].memberships, BTreeSet::from([joined, named]));
    assert_eq!(roster.chains[&joined].content, Extent::All);
    assert!(roster.removed.is_empty() && !roster.tickets[&ticket].closed, "it has no effect at all");
}

#[test]
fn r1_a_remove_that_did_not_know_of_the_owner_cuts_what_was_joined_and_not_the_owner() {
    let (mut room, _, joined) = with_bob();
    let named = room.rule(&[joined], own(&bob()));
    room.rule(&[joined], remove(&bob(), &[joined], &[cut(joined, 3, 0)]));
    let roster = room.roster();
    assert_eq!(roster.members[&bob().peer()].memberships, BTreeSet::from([named]));
    assert_eq!(roster.chains[&joined].content, upto(&[cut(joined, 3, 0)]));
    assert_eq!(roster.chains[&named].content, Extent::All);
}

#[test]
fn r1_an_owner_who_has_left_can_be_removed_and_its_own_memberships_stay_left() {
    let (mut room, _, joined) = with_bob();
    let named = room.rule(&[joined], own(&bob()));
    let left = room.say(&bob(), named, &[named], leave(false));
    room.rule(&[left], remove(&bob(), &[joined], &[cut(joined, 3, 0)]));
    let roster = room.roster();
    assert!(roster.removed.keys().eq([&joined]) && roster.left.keys().eq([&named]));
    assert_eq!(roster.chains[&joined].content, upto(&[cut(joined, 3, 0)]));
    assert_eq!(roster.chains[&named].content, Extent::All);
}

#[test]
fn r1_one_named_owner_after_a_remove_owns() {
    let (mut room, _, joined) = with_bob();
    let removed = room.rule(&[joined], remove(&bob(), &[joined], &[]));
    let named = room.rule(&[removed], own(&bob()));
    room.say(&bob(), named, &[named], own(&carol()));
    let roster = room.roster();
    assert!(roster.owns(&bob().peer()) && roster.owns(&carol().peer()));
    assert!(!roster.chains.contains_key(&joined), "what was cut stays cut");
}

#[test]
fn r4_a_remove_closes_the_tickets_its_memberships_came_by_and_undoes_what_it_had_not_seen() {
    let (mut room, ticket, joined) = with_bob();
    let asking = room.approving(Role::Member);
    let admitted = room.admit(&bob(), asking, &[joined, asking]);
    let kept = room.ticket(Role::Member);
    let seen = room.join(&carol(), ticket, &[ticket]);
    let unseen = room.join(&fourth(), ticket, &[ticket]);
    room.rule(&[admitted, seen], remove(&bob(), &[joined, admitted], &[]));
    let roster = room.roster();
    assert!(roster.tickets[&ticket].closed && roster.tickets[&asking].closed);
    assert!(!roster.tickets[&kept].closed);
    assert!(roster.memberships.contains_key(&seen), "seen by the remove");
    assert!(!roster.memberships.contains_key(&unseen) && !roster.removed.contains_key(&unseen), "undone");
    assert!(!roster.chains.contains_key(&unseen));
    assert_eq!(roster.tickets[&ticket].joins, 1, "who was removed does not count");
}

#[test]
fn r4_a_remove_that_lists_no_membership_closes_no_ticket() {
    let (mut room, ticket, joined) = with_bob();
    room.rule(&[joined], remove(&bob(), &[], &[]));
    let roster = room.roster();
    assert!(roster.tickets[&ticket].open(T0), "the remover did not know how he came");
    assert!(!roster.reads(&bob().peer()), "and he is out all the same");
}

#[test]
fn r5_a_second_join_the_remover_had_not_seen_leaves_nothing() {
    let (mut room, ticket, joined) = with_bob();
    let again = room.join(&bob(), ticket, &[ticket]);
    assert_ne!(again, joined);
    room.rule(&[joined], remove(&bob(), &[joined], &[cut(joined, 1, 0), cut(again, 1, 0)]));
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()) && !roster.removed.contains_key(&again));
    assert!(!roster.chains.contains_key(&again), "undone: none of its data, cut or not");
}

#[test]
fn r7_an_old_ticket_text_does_not_bring_the_removed_back() {
    let (mut room, _, joined) = with_bob();
    let old = room.ticket(Role::Member);
    let removed = room.rule(&[joined, old], remove(&bob(), &[joined], &[]));
    let back = room.join(&bob(), old, &[removed]);
    let other = room.join(&carol(), old, &[removed]);
    let roster = room.roster();
    assert!(roster.tickets[&old].open(T0), "the remove named no membership that came by it");
    assert!(!roster.reads(&bob().peer()) && roster.removed.contains_key(&back));
    assert!(roster.memberships.contains_key(&other), "others may still use it");
}

#[test]
fn r7_a_ticket_made_after_the_remove_brings_the_removed_back() {
    let (mut room, _, joined) = with_bob();
    let held = cut(joined, 4, 0);
    let removed = room.rule(&[joined], remove(&bob(), &[joined], &[held]));
    let again = room.ticket_after(&[removed], Role::Member);
    let back = room.join(&bob(), again, &[again]);
    let roster = room.roster();
    assert!(roster.writes(&bob().peer()));
    assert_eq!(roster.members[&bob().peer()].memberships, BTreeSet::from([back]));
    assert_eq!(roster.chains[&back].content, Extent::All);
    assert_eq!(roster.chains[&joined].content, upto(&[held]), "what was cut stays cut");
    assert!(roster.removed.contains_key(&joined));
}

#[test]
fn r7_a_ticket_that_knew_one_of_two_removes_does_not_bring_the_removed_back() {
    let (mut room, _, joined) = with_bob();
    let named = room.rule(&[joined], own(&carol()));
    let first = room.rule(&[named], remove(&bob(), &[joined], &[]));
    let after_one = room.ticket_after(&[first], Role::Member);
    let back = room.join(&bob(), after_one, &[after_one]);
    assert!(room.roster().writes(&bob().peer()));
    let second = room.say(&carol(), named, &[named], remove(&bob(), &[joined], &[]));
    assert!(!room.roster().reads(&bob().peer()), "a remove concurrent with the ticket");
    assert!(room.roster().removed.contains_key(&back));
    let after_both = room.ticket_after(&[first, second], Role::Member);
    room.join(&bob(), after_both, &[after_both]);
    assert!(room.roster().writes(&bob().peer()));
}

#[test]
fn r7_a_join_backdated_before_the_remove_does_not_count() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let other = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    room.rule(&[joined, other], remove(&bob(), &[joined], &[]));
    // Written now, and placed where nobody had heard of the remove.
    let by_the_same = room.join(&bob(), ticket, &[ticket, other]);
    let by_another = room.join(&bob(), other, &[other]);
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()));
    assert!(!roster.memberships.contains_key(&by_the_same) && !roster.memberships.contains_key(&by_another));
    assert!(!roster.chains.contains_key(&by_the_same) && !roster.chains.contains_key(&by_another));
}

#[test]
fn r7_an_admit_that_knew_of_every_remove_brings_the_removed_back_and_another_does_not() {
    let (mut room, _, joined) = with_bob();
    let asking = room.approving(Role::Member);
    let removed = room.rule(&[joined], remove(&bob(), &[joined], &[]));
    let unaware = room.admit(&bob(), asking, &[joined, asking]);
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()) && roster.removed.contains_key(&unaware));
    // The ticket is older than the remove; that the owner knew is enough.
    let aware = room.admit(&bob(), asking, &[removed, asking]);
    let roster = room.roster();
    assert!(roster.writes(&bob().peer()) && roster.memberships.contains_key(&aware));
    assert!(roster.removed.contains_key(&unaware));
}

#[test]
fn r7_one_removed_before_ever_joining_stays_out() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let removed = room.rule(&[ticket], remove(&bob(), &[], &[]));
    room.join(&bob(), ticket, &[removed]);
    assert!(!room.roster().reads(&bob().peer()));
    let stranger = Signing::new(9);
    assert!(!room.roster().reads(&stranger.peer()));
}
