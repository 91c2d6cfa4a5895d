//! Wiring Parlor in and out again.

use crate::file;
use crate::place::{Place, Scope};
use crate::plan::{FileStep, InstallRequest, Plan, PlanError};

/// What installing would do.
pub(crate) fn plan_install(place: &Place, _: &Scope, _: &InstallRequest) -> Result<Plan, PlanError> {
    Ok(Plan::of_file(FileStep::nothing(file::find(&place.home().join(".codex/hooks.json"))?)))
}

/// What uninstalling would do.
pub(crate) fn plan_uninstall(place: &Place, _: &Scope) -> Result<Plan, PlanError> {
    Ok(Plan::of_file(FileStep::nothing(file::find(&place.home().join(".codex/hooks.json"))?)))
}
