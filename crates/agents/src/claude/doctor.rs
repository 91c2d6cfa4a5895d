//! Tries each link from Claude Code to Parlor. Changes nothing.

use std::path::{Path, PathBuf};

use super::install::{settings_path, unread_by_claude};
use super::settings::{self, EVENTS, Entry, SettingsError};
use super::{NAME, mcp};
use crate::check::Check;
use crate::file;
use crate::place::{Place, Scope};
use crate::run::Runner;

const INSTALL: &str = "run `parlor install claude`";

/// Every check, from the program to the server.
pub(crate) fn doctor(place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
    let mut checks = vec![program(place, scope, runner)];
    checks.extend(hooks(place, scope));
    checks.push(server(place, scope, runner));
    checks
}

fn program(place: &Place, scope: &Scope, runner: &dyn Runner) -> Check {
    let name = "Claude Code";
    let invocation = match mcp::invocation(place, scope, vec!["--version".into()]) {
        Ok(Some(invocation)) => invocation,
        Ok(None) => {
            return Check::warn(name, "claude is not on PATH", "install Claude Code, or put it on PATH");
        }
        Err(error) => return Check::fail(name, error.to_string(), "give a directory that exists"),
    };
    let path = invocation.program.display().to_string();
    match runner.run(&invocation) {
        Ok(output) if output.ok() => Check::ok(name, format!("{} at {path}", output.first_line())),
        Ok(output) => {
            Check::fail(name, format!("{path} does not run: {}", output.first_line()), "reinstall it")
        }
        Err(error) => Check::fail(name, error.to_string(), "reinstall Claude Code"),
    }
}

fn hooks(place: &Place, scope: &Scope) -> Vec<Check> {
    let name = "settings";
    let found = match settings_path(place, scope).map(|path| (file::find(&path), path)) {
        Ok((Ok(found), _)) => found,
        Ok((Err(error), _)) => return vec![Check::fail(name, error.to_string(), INSTALL)],
        Err(error) => return vec![Check::fail(name, error.to_string(), "give a directory that exists")],
    };
    let path = found.path.display();
    let Some(text) = &found.text else {
        return vec![Check::fail(name, format!("there is no {path}"), INSTALL)];
    };
    let entries = match settings::entries(text) {
        Ok(entries) => entries,
        Err(SettingsError::Syntax(error)) => {
            return vec![Check::fail(name, format!("{path} does not parse: {error}"), "repair that place")];
        }
        Err(SettingsError::Shape(detail)) => {
            return vec![Check::fail(name, format!("{path}: {detail}"), "repair that")];
        }
    };
    let settings = match unread_by_claude(text) {
        Some(problem) => Check::fail(name, path.to_string(), problem),
        None => Check::ok(name, path.to_string()),
    };
    vec![settings, events(&entries), command(place, &entries)]
}

fn events(entries: &[Entry]) -> Check {
    let name = "hooks";
    let has = |event: &&&str| entries.iter().any(|entry| entry.event == **event);
    let missing: Vec<&str> = EVENTS.iter().filter(|event| !has(event)).copied().collect();
    if missing.is_empty() {
        return Check::ok(name, EVENTS.join(", "));
    }
    Check::fail(name, format!("Parlor is not wired into {}", missing.join(", ")), INSTALL)
}

/// The command of each entry must lead to something that can be run.
fn command(place: &Place, entries: &[Entry]) -> Check {
    let name = "hook command";
    let Some(first) = entries.first() else {
        return Check::fail(name, "there is none", INSTALL);
    };
    for entry in entries {
        let words = shlex::split(&entry.command).unwrap_or_default();
        let Some(program) = words.first() else { continue };
        if executable(place, program).is_none() {
            let detail =
                format!("hooks.{} runs {program}, which is not there or cannot be executed", entry.event);
            return Check::fail(name, detail, format!("{INSTALL} with the Parlor you have now"));
        }
    }
    if entries.iter().any(|entry| entry.command != first.command) {
        return Check::warn(name, "the hooks run different commands", format!("{INSTALL} again"));
    }
    Check::ok(name, first.command.clone())
}

fn executable(place: &Place, program: &str) -> Option<PathBuf> {
    which::which_in(program, place.var("PATH"), Path::new("/")).ok()
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
