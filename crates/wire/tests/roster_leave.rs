//! Who changes and who goes (rule R8, and R1 and R10 of those who do); names begin with the rule. What holds for
//! every history is in `roster_random.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;

use common::room::{Room, bob, carol, fourth};
use common::{close, cut, leave, note, own, remove, role, ticket, want};
use parlor_wire::EntryId;
use parlor_wire::control::{ControlBody, Cut, Role};
use parlor_wire::data::{CLASS_CONTENT, CLASS_RECEIPT};
use parlor_wire::roster::Extent;

/// What a chain keeps that is cut to these.
fn upto(cuts: &[Cut]) -> Extent {
    Extent::Upto(cuts.iter().map(|cut| (cut.seq, cut.id)).collect())
}

/// Alice, and Bob who joined by her ticket of that role.
fn with_bob(role: Role) -> (Room, EntryId, EntryId) {
    let mut room = Room::new();
    let ticket = room.ticket(role);
    let joined = room.join(&bob(), ticket, &[ticket]);
    (room, ticket, joined)
}

/// Alice, and Bob whom she named an owner.
fn with_two_owners() -> (Room, EntryId) {
    let mut room = Room::new();
    let named = room.rule(&[room.start], own(&bob()));
    (room, named)
}

fn bobs_role(room: &Room) -> Option<Role> {
    room.roster().members.get(&bob().peer()).map(|member| member.role)
}

#[test]
fn r8_a_member_made_reader_keeps_what_was_held_and_writes_receipts() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let held = [cut(joined, 5, 0), cut(joined, 5, 9)];
    room.rule(&[joined], role(&bob(), Role::Reader, &held));
    let roster = room.roster();
    assert!(roster.reads(&bob().peer()) && !roster.writes(&bob().peer()));
    assert_eq!(roster.memberships[&joined].role, Role::Reader);
    let chain = &roster.chains[&joined];
    assert_eq!((&chain.content, &chain.receipts), (&upto(&held), &Extent::All));
    assert_eq!(chain.extent(CLASS_RECEIPT), &Extent::All);
    for class in [CLASS_CONTENT, 2, 255] {
        assert_eq!(chain.extent(class), &upto(&held), "what a later Parlor knows is content to this one");
    }
}

#[test]
fn r8_a_reader_made_member_writes() {
    let (mut room, _, joined) = with_bob(Role::Reader);
    assert_eq!(bobs_role(&room), Some(Role::Reader));
    room.rule(&[joined], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Member));
    assert_eq!(room.roster().chains[&joined].content, Extent::All);
}

#[test]
fn r8_of_roles_said_the_causally_last_stands() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[]));
    let up = room.rule(&[down], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Member));
    assert_eq!(room.roster().chains[&joined].content, Extent::All);
    room.rule(&[up], role(&bob(), Role::Reader, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Reader));
}

#[test]
fn r8_of_concurrent_roles_the_lowest_stands() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[cut(joined, 1, 0)]));
    let up = room.rule(&[joined], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Reader));
    room.rule(&[joined], role(&bob(), Role::Reader, &[cut(joined, 8, 0)]));
    assert_eq!(
        room.roster().chains[&joined].content,
        upto(&[cut(joined, 1, 0), cut(joined, 8, 0)]),
        "and what any of them held counts"
    );
    let one = room.rule(&[down, up], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Reader), "one of the three is still beside it");
    assert!(room.dag.heads().contains(&one));
}

#[test]
fn r8_a_role_said_again_above_both_of_two_concurrent_ones_stands() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[]));
    let up = room.rule(&[joined], role(&bob(), Role::Member, &[]));
    room.rule(&[down, up], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Member));
}

#[test]
fn r8_an_old_ticket_does_not_make_a_demoted_member_write_again() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let old = room.ticket(Role::Member);
    let down = room.rule(&[joined, old], role(&bob(), Role::Reader, &[]));
    let again = room.join(&bob(), old, &[down]);
    let backdated = room.join(&bob(), old, &[old]);
    assert_eq!(bobs_role(&room), Some(Role::Reader));
    for chain in [again, backdated] {
        assert_eq!(room.roster().memberships[&chain].role, Role::Reader);
        assert_eq!(room.roster().chains[&chain].content, upto(&[]), "nothing of it but receipts");
    }
}

#[test]
fn r8_a_ticket_or_an_admit_that_knew_of_the_role_gives_its_own() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let asking = room.approving(Role::Member);
    let down = room.rule(&[joined, asking], role(&bob(), Role::Reader, &[]));
    let unaware = room.admit(&bob(), asking, &[joined, asking]);
    assert_eq!(bobs_role(&room), Some(Role::Reader));
    let aware = room.admit(&bob(), asking, &[down]);
    assert_eq!(bobs_role(&room), Some(Role::Member));
    let roles = room.roster().memberships;
    assert_eq!((roles[&unaware].role, roles[&aware].role), (Role::Reader, Role::Member));

    let mut room = room.clone();
    room.rule(&[aware], role(&bob(), Role::Reader, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Reader), "a later one concerns every membership");
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[]));
    let newer = room.ticket_after(&[down], Role::Member);
    room.join(&bob(), newer, &[newer]);
    assert_eq!(bobs_role(&room), Some(Role::Member));
}

#[test]
fn r8_a_role_said_before_somebody_joined_holds_for_older_tickets() {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    room.rule(&[ticket], role(&bob(), Role::Reader, &[]));
    room.join(&bob(), ticket, &[ticket]);
    room.join(&carol(), ticket, &[ticket]);
    assert_eq!(bobs_role(&room), Some(Role::Reader));
    assert!(room.roster().writes(&carol().peer()), "and for nobody else");
}

#[test]
fn r2_a_role_said_by_a_member_has_no_effect() {
    let (mut room, ticket, joined) = with_bob(Role::Reader);
    let other = room.join(&carol(), ticket, &[joined]);
    room.say(&bob(), joined, &[other], role(&bob(), Role::Member, &[]));
    room.say(&carol(), other, &[other], role(&bob(), Role::Member, &[]));
    assert_eq!(bobs_role(&room), Some(Role::Reader));
}

#[test]
fn r1_a_role_takes_nothing_from_an_owner() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let named = room.rule(&[joined], own(&bob()));
    room.rule(&[named], role(&bob(), Role::Reader, &[]));
    let roster = room.roster();
    assert!(roster.owns(&bob().peer()));
    for chain in [joined, named] {
        assert_eq!(roster.chains[&chain].content, Extent::All);
    }
}

#[test]
fn r8_whoever_leaves_is_out_and_what_was_said_stays() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let other = room.join(&carol(), ticket, &[joined]);
    room.say(&bob(), joined, &[other], leave(false));
    let roster = room.roster();
    assert!(!roster.reads(&bob().peer()) && roster.left.contains_key(&joined));
    assert!(!roster.memberships.contains_key(&joined) && !roster.removed.contains_key(&joined));
    let chain = &roster.chains[&joined];
    assert_eq!((&chain.content, &chain.receipts), (&Extent::All, &Extent::All));
    assert!(roster.tickets[&ticket].open(0), "leaving closes nothing");
    assert_eq!(roster.tickets[&ticket].joins, 2, "and gives no use back");
    assert!(roster.writes(&carol().peer()) && !roster.abandoned);
}

#[test]
fn r8_leaving_ends_every_membership_it_knew_and_no_other() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let known = room.join(&bob(), ticket, &[joined]);
    let unknown = room.join(&bob(), ticket, &[ticket]);
    let left = room.say(&bob(), joined, &[known], leave(false));
    let roster = room.roster();
    assert!(roster.left.keys().copied().collect::<BTreeSet<_>>() == BTreeSet::from([joined, known]));
    assert!(roster.memberships.contains_key(&unknown));
    let back = room.join(&bob(), ticket, &[left]);
    let roster = room.roster();
    assert!(roster.writes(&bob().peer()), "who left may come back by the same ticket");
    assert_eq!(roster.members[&bob().peer()].memberships, BTreeSet::from([unknown, back]));
    assert_eq!(roster.chains[&joined].content, Extent::All);
}

#[test]
fn r8_nobody_leaves_for_somebody_else_and_a_later_remove_still_cuts() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let other = room.join(&carol(), ticket, &[joined]);
    let left = room.say(&bob(), joined, &[other], leave(true));
    assert!(room.roster().writes(&carol().peer()) && !room.roster().abandoned, "Bob is no owner");
    room.rule(&[left], remove(&bob(), &[joined], &[cut(joined, 2, 0)]));
    let roster = room.roster();
    assert!(roster.removed.contains_key(&joined) && !roster.left.contains_key(&joined));
    assert_eq!(roster.chains[&joined].content, upto(&[cut(joined, 2, 0)]));
}

#[test]
fn r10_one_who_left_keeps_what_all_memberships_together_allowed() {
    let (mut room, _, joined) = with_bob(Role::Reader);
    let named = room.rule(&[joined], own(&bob()));
    assert_eq!(room.roster().chains[&joined].content, Extent::All);
    room.say(&bob(), named, &[named], leave(false));
    let roster = room.roster();
    assert_eq!(roster.left[&joined].role, Role::Reader);
    for chain in [joined, named] {
        assert_eq!(roster.chains[&chain].content, Extent::All, "leaving never reaches backwards");
    }
}

#[test]
fn r10_a_reader_who_left_has_no_content_and_one_made_reader_what_was_held() {
    let (mut room, _, joined) = with_bob(Role::Reader);
    room.say(&bob(), joined, &[joined], leave(false));
    assert_eq!(room.roster().chains[&joined].content, upto(&[]));
    assert_eq!(room.roster().chains[&joined].receipts, Extent::All);
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[cut(joined, 3, 0)]));
    room.say(&bob(), joined, &[down], leave(false));
    assert_eq!(room.roster().chains[&joined].content, upto(&[cut(joined, 3, 0)]));
}

#[test]
fn r10_being_removed_gives_a_demoted_member_nothing_back() {
    let (mut room, _, joined) = with_bob(Role::Member);
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[cut(joined, 3, 0)]));
    room.rule(&[down], remove(&bob(), &[joined], &[cut(joined, 9, 0)]));
    let chain = &room.roster().chains[&joined];
    assert_eq!((&chain.content, &chain.receipts), (&upto(&[cut(joined, 3, 0)]), &upto(&[cut(joined, 9, 0)])));
}

#[test]
fn r1_an_owner_leaves_while_another_stays() {
    let (mut room, named) = with_two_owners();
    let left = room.rule(&[named], leave(false));
    let roster = room.roster();
    assert!(!roster.reads(&room.alice.peer()) && roster.left.contains_key(&room.start));
    assert!(roster.owners().eq([&bob().peer()]) && !roster.abandoned);
    assert_eq!(roster.chains[&room.start].content, Extent::All);
    let again = room.say(&bob(), named, &[left], own(&room.alice.clone()));
    assert!(room.roster().owns(&room.alice.peer()), "an owner may name it again");
    room.say(&room.alice.clone(), again, &[again], own(&carol()));
    assert!(room.roster().owns(&carol().peer()), "and it rules by the new membership");
}

#[test]
fn r1_what_an_owner_writes_after_its_own_leave_does_not_count() {
    let (mut room, named) = with_two_owners();
    let tickets = room.ticket_after(&[named], Role::Member);
    let joined = room.join(&carol(), tickets, &[tickets]);
    let left = room.rule(&[joined], leave(false));
    let late_ticket = room.ticket_after(&[left], Role::Member);
    let late = room.join(&fourth(), late_ticket, &[late_ticket]);
    room.rule(&[left], close(tickets));
    room.rule(&[left], own(&fourth()));
    room.rule(&[left], role(&carol(), Role::Reader, &[]));
    room.rule(&[late], remove(&carol(), &[joined], &[]));
    let roster = room.roster();
    assert!(roster.tickets.keys().eq([&tickets]) && !roster.tickets[&tickets].closed);
    assert!(roster.writes(&carol().peer()) && !roster.reads(&fourth().peer()));
}

#[test]
fn r1_what_an_owner_wrote_beside_its_leave_counts() {
    let (mut room, named) = with_two_owners();
    let beside = room.ticket_after(&[named], Role::Member);
    room.rule(&[named], leave(false));
    room.join(&carol(), beside, &[beside]);
    assert!(room.roster().writes(&carol().peer()), "leaving never reaches backwards");
}

#[test]
fn r1_the_leave_of_an_owner_ends_no_ownership_it_had_not_heard_of() {
    let (mut room, named) = with_two_owners();
    let again = room.say(&bob(), named, &[named], own(&room.alice.clone()));
    let left = room.rule(&[named], leave(false));
    assert!(room.roster().owns(&room.alice.peer()), "by the one that Bob gave meanwhile");
    let by_left = room.rule(&[left, again], own(&carol()));
    assert!(!room.roster().memberships.contains_key(&by_left));
    room.say(&room.alice.clone(), again, &[left, again], own(&fourth()));
    assert!(room.roster().owns(&fourth().peer()));
}

#[test]
fn r1_the_last_owner_does_not_leave_without_abandoning() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let left = room.rule(&[joined], leave(false));
    let roster = room.roster();
    assert!(roster.owns(&room.alice.peer()) && roster.left.is_empty() && !roster.abandoned);
    room.rule(&[left], close(ticket));
    assert!(room.roster().tickets[&ticket].closed, "and what follows counts");
}

#[test]
fn r1_a_leave_of_the_last_owner_that_does_not_count_ends_no_joined_membership_either() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let alice = room.alice.clone();
    let also = room.join(&alice, ticket, &[joined]);
    room.rule(&[also], leave(false));
    assert!(room.roster().memberships.contains_key(&also));
}

#[test]
fn r1_the_last_owner_abandons_the_room_and_the_others_go_on() {
    let (mut room, ticket, joined) = with_bob(Role::Member);
    let left = room.rule(&[joined], leave(true));
    let roster = room.roster();
    assert!(roster.abandoned && roster.owners().next().is_none());
    assert!(roster.writes(&bob().peer()) && !roster.reads(&room.alice.peer()));
    let late = room.rule(&[left], own(&carol()));
    assert!(!room.roster().memberships.contains_key(&late) && room.roster().abandoned);
    room.join(&carol(), ticket, &[left]);
    assert!(room.roster().writes(&carol().peer()), "an open ticket stays open");
}

#[test]
fn r1_a_room_where_somebody_was_named_beside_the_abandoning_is_not_abandoned() {
    let mut room = Room::new();
    let start = room.start;
    room.rule(&[start], leave(true));
    assert!(room.roster().abandoned);
    room.rule(&[start], own(&bob()));
    let roster = room.roster();
    assert!(!roster.abandoned && roster.owners().eq([&bob().peer()]));
}

#[test]
fn r1_abandons_said_by_one_of_two_owners_is_a_plain_leave() {
    let (mut room, named) = with_two_owners();
    let left = room.rule(&[named], leave(true));
    assert!(!room.roster().abandoned && room.roster().owners().eq([&bob().peer()]));
    let not_yet = room.say(&bob(), named, &[left], leave(false));
    assert!(room.roster().owns(&bob().peer()), "now Bob is the last");
    room.say(&bob(), named, &[not_yet], leave(true));
    assert!(room.roster().abandoned);
}

#[test]
fn r1_two_owners_who_leave_at_once_are_both_gone() {
    let (mut room, named) = with_two_owners();
    room.rule(&[named], leave(false));
    room.say(&bob(), named, &[named], leave(false));
    let roster = room.roster();
    assert!(roster.owners().next().is_none() && roster.members.is_empty());
    assert!(!roster.abandoned, "nobody said so");
    assert_eq!(roster.left.len(), 2);
    let (mut room, named) = with_two_owners();
    room.rule(&[named], leave(true));
    room.say(&bob(), named, &[named], leave(true));
    assert!(!room.roster().abandoned, "neither was the last as far as it knew");
}

#[test]
fn r11_a_want_gives_and_takes_nothing() {
    let (mut room, _, joined) = with_bob(Role::Reader);
    let before = room.roster();
    let asks = room.say(&bob(), joined, &[joined], want(&[1, 2, 3]));
    room.say(&bob(), joined, &[asks], note());
    assert_eq!(room.roster(), before);
}

#[test]
fn r9_uses_are_not_spent_by_the_removed_and_stay_spent_by_those_who_left() {
    let mut room = Room::new();
    let mut body = ticket(&room.key, Role::Member);
    body.uses = Some(2);
    let ticket = room.rule(&[room.start], ControlBody::Ticket(body));
    let joined = room.join(&bob(), ticket, &[ticket]);
    let other = room.join(&carol(), ticket, &[joined]);
    assert!(room.roster().tickets[&ticket].spent());
    let left = room.say(&carol(), other, &[other], leave(false));
    assert!(room.roster().tickets[&ticket].spent());
    room.rule(&[left], remove(&bob(), &[], &[]));
    let state = room.roster().tickets[&ticket].clone();
    assert_eq!((state.joins, state.spent()), (1, false));
}
