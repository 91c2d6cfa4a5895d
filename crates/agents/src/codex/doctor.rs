//! Tries each link from Codex to Parlor. Changes nothing.

use super::NAME;
use super::install::{UNTRUSTED, directory, hooks, server};
use super::trust::{self, Trust};
use crate::check::Check;
use crate::command::CommandLine;
use crate::place::{Place, Scope};
use crate::probe::{Probe, unusable};
use crate::run::Runner;
use crate::settings::toml_table::Standing;

/// What Parlor was measured with.
const MEASURED: &str = "0.169.0";

/// Every check, from the program to the server.
pub(crate) fn doctor(place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
    let probe = Probe { title: "Codex", name: NAME, measured: MEASURED, place, runner };
    let mut checks = vec![probe.program(&[])];
    let path = |file: &str| directory(place, scope).map(|directory| directory.join(file));
    let wanted = hooks(&CommandLine::any_hook()).ok().and_then(|settings| settings.hooks);
    if let Some(wanted) = wanted {
        checks.extend(probe.hooks(path("hooks.json"), &wanted, |_| None));
    }
    checks.extend(path("hooks.json").ok().filter(|path| path.exists()).map(|path| trusted(place, &path)));
    checks.extend(turned_off(&probe, path("config.toml")));
    checks.push(mcp(&probe, path("config.toml")));
    checks
}

fn trusted(place: &Place, path: &std::path::Path) -> Check {
    let name = "trust";
    match trust::look(place, path) {
        Trust::All => Check::ok(name, "the hooks are trusted as they are"),
        Trust::Lacks(events) => Check::fail(name, format!("not trusted: {}", events.join(", ")), UNTRUSTED),
        Trust::Off(events) => {
            Check::fail(name, format!("turned off in Codex: {}", events.join(", ")), "turn them on in /hooks")
        }
    }
}

/// Hooks as a whole can be turned off.
fn turned_off(probe: &Probe<'_>, path: Result<std::path::PathBuf, crate::plan::PlanError>) -> Option<Check> {
    let found = probe.read("config", path).ok()?;
    let document = found.text?.parse::<toml_edit::DocumentMut>().ok()?;
    let is_off = document.get("features")?.as_table_like()?.get("hooks")?.as_bool() == Some(false);
    let detail = format!("{} has features.hooks = false", found.path.display());
    is_off.then(|| Check::fail("hooks", detail, "take that out to be heard"))
}

fn mcp(probe: &Probe<'_>, path: Result<std::path::PathBuf, crate::plan::PlanError>) -> Check {
    let name = "MCP server";
    let found = match probe.read(name, path) {
        Ok(found) => found,
        Err(check) => return check,
    };
    match server(&[]).look(found.text.as_deref().unwrap_or_default()) {
        Ok(Standing::Ours(words)) => probe.server(&words),
        Ok(Standing::Absent) => probe.no_server(&found),
        Ok(Standing::Foreign) => probe.foreign_server(&found),
        Err(error) => unusable(name, &found, &error),
    }
}
