//! Tries each link from Gemini CLI to Parlor. Changes nothing.

use super::NAME;
use super::install::{disabled, settings, settings_path};
use crate::check::Check;
use crate::command::CommandLine;
use crate::json_server::words;
use crate::place::{Place, Scope};
use crate::probe::{Probe, unusable};
use crate::run::Runner;
use crate::settings::member::{Member, Standing};

/// What Parlor was measured with.
const MEASURED: &str = "0.61.0";

/// Every check, from the program to the server.
pub(crate) fn doctor(place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
    let probe = Probe { title: "Gemini CLI", name: NAME, measured: MEASURED, place, runner };
    let mut checks = vec![probe.program(&[])];
    let Ok(wanted) = settings(&CommandLine::any_hook(), &CommandLine::any_mcp()) else { return checks };
    if let Some(hooks) = &wanted.hooks {
        checks.extend(probe.hooks(settings_path(place, scope), hooks, disabled));
    }
    checks.extend(wanted.member.iter().filter_map(|member| server(&probe, scope, member)));
    checks
}

/// None where there is no file to look into, which the check before has said.
fn server(probe: &Probe<'_>, scope: &Scope, member: &Member) -> Option<Check> {
    let name = "MCP server";
    let found = probe.read(name, settings_path(probe.place, scope)).ok()?;
    Some(match member.look(found.text.as_deref().unwrap_or_default()) {
        Ok(Standing::Ours(value)) => probe.server(&words(&value)),
        Ok(Standing::Absent) => probe.no_server(&found),
        Ok(Standing::Foreign) => probe.foreign_server(&found),
        Err(error) => unusable(name, &found, &error),
    })
}
