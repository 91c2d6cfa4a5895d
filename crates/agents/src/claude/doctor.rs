//! Tries each link from Claude Code to Parlor. Changes nothing.

use super::install::{settings, settings_path, unread_by_claude};
use super::{NAME, mcp, plugin};
use crate::check::Check;
use crate::command::CommandLine;
use crate::place::{Place, Scope};
use crate::probe::Probe;
use crate::run::Runner;

const INSTALL: &str = "run `parlor install claude`";
/// What Parlor was measured with.
const MEASURED: &str = "2.1.329";

/// Every check, from the program to the server.
pub(crate) fn doctor(place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
    let probe = Probe { title: "Claude Code", name: NAME, measured: MEASURED, place, runner };
    let mut checks = vec![probe.program(&mcp::QUIET)];
    let plugin = plugin::enabled(place);
    let is_wired = settings_path(place, scope).is_ok_and(|path| is_wired(&path));
    match (plugin, is_wired) {
        (Some(plugin), false) => {
            checks.push(Check::ok("plugin", format!("{plugin} brings the hooks and the MCP server")));
            return checks;
        }
        (Some(plugin), true) => checks.push(Check::warn(
            "plugin",
            format!("{plugin} and the settings both bring Parlor: every message is looked for twice"),
            format!("`claude plugin uninstall {plugin}`, or `parlor uninstall {NAME}`"),
        )),
        (None, _) => (),
    }
    let hooks = settings(&CommandLine::any_hook()).ok().and_then(|settings| settings.hooks);
    if let Some(hooks) = hooks {
        checks.extend(probe.hooks(settings_path(place, scope), &hooks, unread_by_claude));
    }
    checks.push(server(place, scope, runner));
    checks
}

fn is_wired(path: &std::path::Path) -> bool {
    use crate::settings::Settings;
    let text = crate::file::find(path).ok().and_then(|found| found.text).unwrap_or_default();
    settings(&CommandLine::any_hook()).is_ok_and(|settings| settings.is_in(&text) != Ok(false))
}

fn server(place: &Place, scope: &Scope, runner: &dyn Runner) -> Check {
    let name = "MCP server";
    let found = match mcp::look(place, scope) {
        Ok((found, path)) => (found, path.display().to_string()),
        Err(error) => return Check::fail(name, error.to_string(), "give a directory that exists"),
    };
    match found {
        (mcp::Server::Ours(_), _) => connected(place, scope, runner),
        (mcp::Server::Absent, path) => {
            Check::fail(name, format!("{path} has no server {}", mcp::SERVER), INSTALL)
        }
        (mcp::Server::Foreign, path) => Check::fail(
            name,
            format!("in {path} another server is called {}", mcp::SERVER),
            "rename that one, then install",
        ),
        (mcp::Server::Unknown, path) => Check::fail(name, format!("{path} cannot be read"), "repair it"),
    }
}

/// Lets Claude Code itself start the server.
fn connected(place: &Place, scope: &Scope, runner: &dyn Runner) -> Check {
    let name = "MCP server";
    let args = ["mcp", "get", mcp::SERVER].map(str::to_owned);
    let Ok(Some(invocation)) = mcp::invocation(place, scope, args.into()) else {
        return Check::warn(
            name,
            "it is in place, but claude is not on PATH to try it",
            "put Claude Code on PATH",
        );
    };
    let output = match runner.run(&invocation) {
        Ok(output) => output,
        Err(error) => return Check::fail(name, error.to_string(), "run `claude mcp get parlor` yourself"),
    };
    let status =
        output.stdout.lines().find_map(|line| line.trim().strip_prefix("Status:")).unwrap_or_default().trim();
    match status {
        _ if !output.ok() => {
            Check::fail(name, format!("{NAME} does not know it: {}", output.first_line()), INSTALL)
        }
        status if status.contains("Failed") => Check::fail(
            name,
            format!("{NAME} says: {status}"),
            "run `parlor mcp` yourself and see what it complains about",
        ),
        status if status.contains("Connected") => Check::ok(name, format!("{NAME} says: {status}")),
        status => Check::warn(
            name,
            format!("{NAME} says: {status}"),
            "approve it in a session of Claude Code (/mcp)",
        ),
    }
}
