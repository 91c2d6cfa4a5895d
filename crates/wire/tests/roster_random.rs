//! What holds for every history and every order of arrival: the roster is a function of the set of entries. An
//! oracle (`common/oracle.rs`) computes it a second time, by the letter of the rules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::history::{Act, History, PEOPLE, act};
use common::judge::{self, counted};
use common::oracle::Oracle;
use parlor_wire::control::{ControlBody, Role};
use parlor_wire::roster::{Dag, Extent, Insert, Membership, Roster};
use parlor_wire::{Control, EntryId, PeerId, RoomId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn dag_of<'a>(room: RoomId, entries: impl IntoIterator<Item = &'a Control>) -> Dag {
    let mut dag = Dag::new(room);
    for entry in entries {
        assert_ne!(dag.insert(entry.clone()), Insert::Full);
    }
    dag
}

fn history() -> impl Strategy<Value = History> {
    vec(act(), 1..120).prop_map(|acts: Vec<Act>| History::of(&acts))
}

/// Tells how often something was seen.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn count(&mut self, what: &'static str, times: usize) {
        *self.0.entry(what).or_default() += times;
    }

    /// What comes of the entries of one history.
    fn take(&mut self, dag: &Dag, roster: &Roster) {
        for entry in dag.iter() {
            let counts = roster.memberships.contains_key(&entry.id);
            match &entry.body {
                ControlBody::Join(join) => match roster.tickets.get(&join.ticket) {
                    Some(state) if counts && state.closed => self.count("kept by a close", 1),
                    Some(_) if counts => self.count("joined", 1),
                    _ if roster.removed.contains_key(&entry.id) => self.count("joined and removed", 1),
                    Some(state) if state.closed => self.count("undone", 1),
                    _ => self.count("idle", 1),
                },
                ControlBody::Admit(_) if counts => self.count("admitted", 1),
                ControlBody::Admit(_) if roster.removed.contains_key(&entry.id) => {
                    self.count("admitted and removed", 1)
                }
                ControlBody::Admit(_) => self.count("admitted by nobody who may", 1),
                ControlBody::Own(_) if !counts => self.count("idle", 1),
                ControlBody::Ticket(_) if !roster.tickets.contains_key(&entry.id) => self.count("idle", 1),
                _ => {}
            }
        }
        self.take_changes(roster);
    }

    fn take_changes(&mut self, roster: &Roster) {
        let owners = roster.owners().count();
        self.count("more than two owners", usize::from(owners > 2));
        self.count("left", roster.left.values().filter(|m| m.role < Role::Owner).count());
        self.count("owners who left", roster.left.values().filter(|m| m.role == Role::Owner).count());
        self.count("abandoned", usize::from(roster.abandoned));
        let back = roster.removed.values().filter(|m| roster.reads(&m.identity)).count();
        self.count("removed and back", back);
        let given = |m: &Membership| m.ticket.map(|id| roster.tickets[&id].ticket.role);
        let changed = |to: Role| {
            roster
                .memberships
                .values()
                .filter(|m| m.role == to && given(m).is_some_and(|role| role != to))
                .count()
        };
        self.count("demoted", changed(Role::Reader));
        self.count("promoted", changed(Role::Member));
        let cut = |extent: &Extent| matches!(extent, Extent::Upto(cuts) if !cuts.is_empty());
        for state in roster.chains.values() {
            self.count("receipts kept by a cut", usize::from(cut(&state.receipts)));
            self.count(
                "content of readers kept by a cut",
                usize::from(cut(&state.content) && !cut(&state.receipts)),
            );
            self.count(
                "of two branches",
                usize::from(matches!(&state.receipts, Extent::Upto(c) if c.len() > 1)),
            );
        }
    }
}

#[test]
fn random_histories_hold_what_they_are_there_for() {
    let mut runner = TestRunner::deterministic();
    let mut tally = Tally::default();
    for _ in 0..400 {
        let history = history().new_tree(&mut runner).unwrap().current();
        let dag = dag_of(history.room, &history.entries);
        tally.count("never in", history.entries.len() - dag.len());
        tally.count("forked", usize::from(dag.heads().len() > 2));
        tally.take(&dag, &Roster::fold(&dag));
    }
    assert_eq!(tally.0.len(), 20, "{tally:#?}");
    assert!(tally.0.values().all(|times| *times >= 15), "{tally:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_roster_is_what_the_rules_say_to_the_letter(history in history()) {
        judge::agrees(&dag_of(history.room, &history.entries), &Oracle::of(&history));
    }

    #[test]
    fn every_order_of_arrival_gives_the_same_heads_and_roster(
        history in history(),
        seeds in vec(any::<u64>(), 3),
        twice in vec(any::<Index>(), 0..20),
    ) {
        let straight = dag_of(history.room, &history.entries);
        let roster = Roster::fold(&straight);
        let mut order: Vec<&Control> = history.entries.iter().collect();
        order.extend(twice.iter().map(|index| index.get(&history.entries)));
        for seed in seeds {
            order.sort_by_key(|entry| *blake3::hash(&[&entry.id.0[..], &seed.to_be_bytes()].concat()).as_bytes());
            let dag = dag_of(history.room, order.iter().copied());
            prop_assert_eq!(dag.heads(), straight.heads());
            prop_assert_eq!(dag.len(), straight.len());
            prop_assert_eq!(&Roster::fold(&dag), &roster);
            let mut seen = BTreeSet::new();
            for entry in dag.iter() {
                prop_assert!(entry.header.after.iter().all(|parent| seen.contains(parent)), "parents first");
                seen.insert(entry.id);
            }
        }
    }

    #[test]
    fn r1_more_entries_never_make_fewer_owners_but_by_their_own_leave(history in history()) {
        let mut dag = Dag::new(history.room);
        let (mut owners, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for entry in &history.entries {
            dag.insert(entry.clone());
            let roster = Roster::fold(&dag);
            let owned = |of: &BTreeMap<EntryId, Membership>| -> BTreeSet<EntryId> {
                of.iter().filter(|(_, m)| m.role == Role::Owner).map(|(id, _)| *id).collect()
            };
            let (live, left) = (owned(&roster.memberships), owned(&roster.left));
            let ever: BTreeSet<EntryId> = live.union(&left).copied().collect();
            prop_assert!(ever.is_superset(&owners) && left.is_superset(&gone));
            let by_leaving = matches!(&entry.body, ControlBody::Leave(_));
            prop_assert!(by_leaving || left == gone, "only by a leave");
            for membership in left.difference(&gone) {
                prop_assert_eq!(roster.left[membership].identity, entry.header.author, "and only one's own");
            }
            (owners, gone) = (ever, left);
        }
    }

    #[test]
    fn r5_a_join_counts_exactly_when_every_closer_had_seen_it(history in history()) {
        let dag = dag_of(history.room, &history.entries);
        let oracle = Oracle::of(&history);
        let counted = counted(&Roster::fold(&dag));
        for entry in dag.iter() {
            let ControlBody::Join(join) = &entry.body else { continue };
            let seen_by_all =
                oracle.closers(&join.ticket).iter().all(|closer| dag.past([*closer]).contains(&entry.id));
            let may = oracle.tickets().get(&join.ticket).is_some_and(|ticket| !ticket.approve);
            prop_assert!(dag.past([entry.id]).contains(&join.ticket));
            prop_assert_eq!(counted.contains_key(&entry.id), seen_by_all && may);
        }
    }

    #[test]
    fn r7_nobody_is_in_by_what_knew_less_than_every_remove_of_them(history in history()) {
        let dag = dag_of(history.room, &history.entries);
        let oracle = Oracle::of(&history);
        let roster = Roster::fold(&dag);
        judge::nobody_removed_is_in(&dag, &roster, &oracle);
    }

    #[test]
    fn g3_a_strangers_entry_is_never_in(history in history()) {
        let dag = dag_of(history.room, &history.entries);
        let known: BTreeSet<PeerId> = (1..=PEOPLE as u8).map(|number| common::Signing::new(number).peer()).collect();
        prop_assert!(dag.iter().all(|entry| known.contains(&entry.header.author)));
        let roster = Roster::fold(&dag);
        for entry in dag.iter() {
            let joined = matches!(entry.body, ControlBody::Join(_) | ControlBody::Genesis(_));
            let member = dag.iter().any(|m| m.id == entry.acts_as() && !matches!(m.body, ControlBody::Ticket(_)));
            prop_assert!(joined || member);
        }
        prop_assert!(roster.members.keys().all(|peer| known.contains(peer)));
    }

    #[test]
    fn the_past_is_the_same_by_every_way_of_asking(history in history()) {
        let dag = dag_of(history.room, &history.entries);
        let oracle = Oracle::of(&history);
        for (id, past) in &oracle.past {
            prop_assert!(dag.past([*id]).iter().copied().collect::<BTreeSet<_>>() == *past);
            for other in oracle.past.keys() {
                prop_assert_eq!(dag.reaches(id, other), past.contains(other));
            }
        }
    }

    #[test]
    fn a_difference_completes_the_other_side_parents_first(history in history(), cut in any::<Index>()) {
        let all = dag_of(history.room, &history.entries);
        let mut other = dag_of(history.room, history.entries.iter().take(1 + cut.index(history.entries.len())));
        let want: Vec<EntryId> = all.heads().iter().copied().collect();
        let have: Vec<EntryId> = other.heads().iter().copied().collect();
        for id in all.difference(&want, &have) {
            prop_assert!(!other.contains(&id), "nothing twice");
            prop_assert!(matches!(other.insert(all.get(&id).unwrap().clone()), Insert::In(_)));
        }
        prop_assert_eq!(Roster::fold(&other), Roster::fold(&all));
        let sample: BTreeSet<EntryId> = all.sample().into_iter().collect();
        prop_assert!(all.heads().iter().all(|head| sample.contains(head)));
        prop_assert!(sample.iter().all(|id| all.contains(id)));
    }
}
