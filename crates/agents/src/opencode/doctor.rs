//! Tries each link to Parlor. Changes nothing.

use crate::check::Check;
use crate::place::{Place, Scope};
use crate::run::Runner;

/// Every check.
pub(crate) fn doctor(_: &Place, _: &Scope, _: &dyn Runner) -> Vec<Check> {
    Vec::new()
}
