//! Any bytes as a history of a room in which nobody is honest: drives the fuzz target `roster`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "../../../fuzz/targets/roster.rs"]
mod fuzz_roster;

use std::collections::BTreeMap;

use common::oracle::Oracle;
use parlor_wire::control::ControlBody;
use parlor_wire::roster::{Dag, Roster};
use proptest::collection::vec;
use proptest::prelude::*;

/// So many bytes that a number draws.
fn drawn(number: u64, bytes: usize) -> Vec<u8> {
    let mut drawn = vec![0; bytes];
    blake3::Hasher::new().update(&number.to_be_bytes()).finalize_xof().fill(&mut drawn);
    drawn
}

#[test]
fn histories_of_nobody_honest_hold_what_they_are_there_for() {
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = |what, times: usize| *tally.entry(what).or_default() += times;
    for number in 0..300 {
        let (history, _) = fuzz_roster::history_of(&drawn(number, 281));
        let mut dag = Dag::new(history.room);
        history.entries.iter().for_each(|entry| drop(dag.insert(entry.clone())));
        let (roster, oracle) = (Roster::fold(&dag), Oracle::of(&history));
        count("never in", history.entries.len() - dag.len());
        count("in", dag.len());
        count("removed", roster.removed.len());
        count("removed and back", roster.removed.values().filter(|one| roster.reads(&one.identity)).count());
        count("left", roster.left.len());
        count("more than two owners", usize::from(roster.owners().count() > 2));
        count(
            "surplus",
            roster.tickets.values().filter(|state| state.joins > 1 && state.ticket.uses == Some(1)).count(),
        );
        let after = |who, id| oracle.removes(who).iter().any(|(remove, _)| dag.reaches(id, remove));
        let joins = dag.iter().filter(|entry| matches!(entry.body, ControlBody::Join(_)));
        for join in joins {
            let known = after(&join.header.author, &join.id);
            let removed = roster.removed.contains_key(&join.id);
            count("joined by a kept seed after the removal", usize::from(known && removed));
            count("joined beside the removal", usize::from(!known && removed));
        }
    }
    assert_eq!(tally.len(), 9, "{tally:#?}");
    assert!(tally.values().all(|times| *times >= 5), "{tally:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_a_history_fold_to_one_roster_that_keeps_the_removed_out(bytes in vec(any::<u8>(), 0..300)) {
        fuzz_roster::run(&bytes);
    }
}
