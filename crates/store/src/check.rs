//! What no backend may write, whatever is kept already. Must not look at what is kept.

use parlor_core::persist::{Op, Standing};

use crate::StoreError;

/// The highest arrival number: more than ever arrive, and far enough from the largest number to calculate with.
pub(crate) const MAX_ARRIVAL: u64 = 1 << 62;

/// Refuses an operation that contradicts itself.
pub(crate) fn possible(op: &Op) -> Result<(), StoreError> {
    match op {
        Op::PutData(row) => standing(row.standing, row.arrival),
        Op::SetStanding { standing: new, arrival, .. } => standing(*new, *arrival),
        Op::PutControl { .. } | Op::PutKey { .. } | Op::Put { .. } | Op::Delete { .. } => Ok(()),
    }
}

fn standing(standing: Standing, arrival: Option<u64>) -> Result<(), StoreError> {
    match (standing, arrival) {
        (Standing::Arrived, Some(1..=MAX_ARRIVAL)) => Ok(()),
        (Standing::Arrived, Some(_)) => Err(impossible("an arrival number below 1 or above all")),
        (Standing::Arrived, None) => Err(impossible("an arrived entry without an arrival number")),
        (_, Some(_)) => Err(impossible("an arrival number for an entry that has not arrived")),
        (_, None) => Ok(()),
    }
}

/// Two entries of a room cannot arrive as one.
pub(crate) fn taken_arrival() -> StoreError {
    impossible("an arrival number another entry of the room has")
}

/// Only what is kept can find its standing.
pub(crate) fn unknown_entry() -> StoreError {
    impossible("a standing for an entry that is not kept")
}

fn impossible(what: &str) -> StoreError {
    StoreError::Impossible(what.to_owned())
}
