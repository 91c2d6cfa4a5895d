//! A model check in the small: every choice of a few acts of three people, every way in which their authors may have
//! seen or not seen each other's, every order of arrival, with real entries and real seals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod model_parts;

use model_parts::acts::{ALL, Act, Scribe};
use model_parts::check::History;
use model_parts::orders::{arrivals, choices, partial_orders};
use model_parts::room::Room;

/// Fours whose members meddle with each other; all fours would take minutes.
const FOURS: &[[Act; 4]] = &[
    [Act::Remove, Act::RemoveAgain, Act::NewTicket, Act::BobByNew],
    [Act::Remove, Act::NewTicket, Act::BobByNew, Act::BobRekeys],
    [Act::Remove, Act::CloseCarols, Act::CarolJoins, Act::CarolRekeys],
    [Act::Remove, Act::BobRekeys, Act::CarolJoins, Act::CarolRekeys],
    [Act::Remove, Act::OwnBob, Act::BobRekeys, Act::Leave],
    [Act::CloseCarols, Act::NewTicket, Act::BobRekeys, Act::CarolJoins],
];

/// Histories and states there are at least; fewer means that something is no longer looked at.
const LEAST: (usize, usize) = (2_056, 18_528);

#[test]
fn whatever_was_seen_and_however_it_arrives_the_same_are_in_and_only_they_open_keys() {
    let room = Room::new();
    let mut scribe = Scribe::new(&room);
    let mut looked_at = (0, 0);
    let few = (0..=3).flat_map(|count| choices(&ALL, count));
    for acts in few.chain(FOURS.iter().map(|four| four.to_vec())) {
        for pasts in partial_orders(acts.len()) {
            let Some(order) = arrivals(&pasts).into_iter().next() else { continue };
            let Some(entries) = scribe.history(&acts, &pasts, &order) else { continue };
            looked_at.0 += 1;
            looked_at.1 += History { room: &room, acts: &acts, pasts: &pasts, entries }.check();
        }
    }
    let (histories, states) = looked_at;
    assert!(
        histories >= LEAST.0 && states >= LEAST.1,
        "looked at {histories} histories and {states} states, and there were {LEAST:?}"
    );
}
