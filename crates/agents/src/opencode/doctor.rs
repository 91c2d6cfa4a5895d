//! Tries each link from OpenCode to Parlor. Changes nothing.

use super::NAME;
use super::install::{command_in, files, wanted};
use crate::check::Check;
use crate::command::CommandLine;
use crate::json_server::words;
use crate::place::{Place, Scope};
use crate::probe::{Probe, unusable};
use crate::run::Runner;
use crate::settings::files::SettingsFile;
use crate::settings::member::{Member, Standing};

/// What Parlor was measured with.
const MEASURED: &str = "1.18.33";

/// Every check, from the program to the server.
pub(crate) fn doctor(place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
    let probe = Probe { title: "OpenCode", name: NAME, measured: MEASURED, place, runner };
    let mut checks = vec![probe.program(&[])];
    let Ok(wanted) = wanted(&CommandLine::any_hook(), &CommandLine::any_mcp()) else { return checks };
    match files(place, scope, &wanted) {
        Ok([script, config]) => {
            checks.push(plugin(&probe, &script));
            checks.extend(wanted.member().map(|member| server(&probe, &config, member)));
        }
        Err(error) => checks.push(Check::fail("settings", error.to_string(), "give a directory that exists")),
    }
    checks
}

/// The plugin is there, is Parlor's, and the command it runs can be run.
fn plugin(probe: &Probe<'_>, file: &SettingsFile<'_>) -> Check {
    let name = "plugin";
    let found = match probe.read(name, Ok(file.path.clone())) {
        Ok(found) => found,
        Err(check) => return check,
    };
    let text = found.text.as_deref().unwrap_or_default();
    let path = found.path.display();
    if file.settings.is_in(text) != Ok(true) {
        return Check::fail(name, format!("{path} is not Parlor's"), "move it away, then install");
    }
    let command = command_in(text).unwrap_or_default();
    match command.first() {
        Some(program) if probe.can_run(program) => Check::ok(name, path.to_string()),
        program => {
            let detail = format!(
                "{path} runs {}, which is not there or cannot be executed",
                program.map_or("nothing", String::as_str)
            );
            Check::fail(name, detail, format!("{} with the Parlor you have now", probe.install()))
        }
    }
}

fn server(probe: &Probe<'_>, file: &SettingsFile<'_>, member: &Member) -> Check {
    let name = "MCP server";
    let found = match probe.read(name, Ok(file.path.clone())) {
        Ok(found) => found,
        Err(check) => return check,
    };
    match member.look(found.text.as_deref().unwrap_or_default()) {
        Ok(Standing::Ours(value)) if value["enabled"] == false => Check::fail(
            name,
            format!("it is turned off in {}", found.path.display()),
            "set \"enabled\" to true",
        ),
        Ok(Standing::Ours(value)) => probe.server(&words(&value)),
        Ok(Standing::Absent) => probe.no_server(&found),
        Ok(Standing::Foreign) => probe.foreign_server(&found),
        Err(error) => unusable(name, &found, &error),
    }
}
