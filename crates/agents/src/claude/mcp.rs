//! Parlor's MCP server in Claude Code: put in and taken out by Claude Code's own commands. Its file is read here to see what is
//! there, because `claude mcp get` starts the server it is asked about; it is never written here, only a project's `.mcp.json`
//! is given its earlier bytes again at the end.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::NAME;
use super::install::{config_dir, project_dir};
use crate::command::{CommandLine, is_parlor_mcp, shell_text};
use crate::file::{self, Found};
use crate::place::{Place, Scope};
use crate::plan::{CommandStep, PlanError, Restore, Tidy};
use crate::run::Invocation;
use crate::settings::split_mark;

/// The server's name in Claude Code.
pub(crate) const SERVER: &str = "parlor";
const SERVERS: &str = "mcpServers";
const TIMEOUT_MS: u64 = 30_000;
/// Set for every run of Claude Code, so that managing its settings contacts nobody.
pub(crate) const QUIET: [&str; 3] =
    ["DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"];

/// What is under Parlor's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    Absent,
    /// Parlor's, with this command line.
    Ours(Vec<String>),
    /// Somebody else's.
    Foreign,
    /// The file is not what it should be.
    Unknown,
}

/// The MCP part of a plan.
pub(crate) struct McpPlan {
    pub(crate) step: CommandStep,
    pub(crate) changes: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl McpPlan {
    fn nothing() -> Self {
        Self { step: CommandStep::Nothing, changes: Vec::new(), warnings: Vec::new() }
    }

    fn nothing_but(warning: String) -> Self {
        Self { warnings: vec![warning], ..Self::nothing() }
    }
}

/// What is there, and the file it stands in.
pub(crate) fn look(place: &Place, scope: &Scope) -> Result<(Server, PathBuf), PlanError> {
    let path = match scope {
        Scope::User => config_dir(place)?.unwrap_or_else(|| place.home().into()).join(".claude.json"),
        Scope::Project(directory) => project_dir(directory)?.join(".mcp.json"),
    };
    let server = match file::find(&path) {
        Ok(Found { text: Some(text), .. }) => server_in(&text),
        Ok(Found { text: None, .. }) => Server::Absent,
        Err(_) => Server::Unknown,
    };
    Ok((server, path))
}

fn server_in(text: &str) -> Server {
    let (_, body) = split_mark(text);
    if body.trim().is_empty() {
        return Server::Absent;
    }
    let Ok(value) = serde_json::from_str::<Value>(body) else { return Server::Unknown };
    let Some(server) = value.get(SERVERS).and_then(|servers| servers.get(SERVER)) else {
        return Server::Absent;
    };
    let Some(command) = server.get("command").and_then(Value::as_str) else { return Server::Foreign };
    let args = server.get("args").and_then(Value::as_array).into_iter().flatten();
    let args: Vec<String> = args.filter_map(Value::as_str).map(str::to_owned).collect();
    if is_parlor_mcp(command, &args) {
        Server::Ours(std::iter::once(command.to_owned()).chain(args).collect())
    } else {
        Server::Foreign
    }
}

/// What installing would do.
pub(crate) fn plan_install(place: &Place, scope: &Scope, mcp: &CommandLine) -> Result<McpPlan, PlanError> {
    let (server, path) = look(place, scope)?;
    let add =
        [["mcp", "add", "--scope", word(scope), SERVER, "--"].map(str::to_owned).as_slice(), mcp.words()]
            .concat();
    let adding = format!("MCP server {SERVER}: {}", mcp.to_shell());
    let (runs, change) = match &server {
        Server::Ours(words) if words == mcp.words() => return Ok(McpPlan::nothing()),
        Server::Ours(words) => {
            (vec![remove(scope), add], format!("{adding} instead of {}", shell_text(words)))
        }
        Server::Absent | Server::Unknown => (vec![add], adding),
        Server::Foreign => {
            return Ok(McpPlan::nothing_but(format!(
                "another MCP server is already called {SERVER} in {}; it was left alone, so agents cannot write back. Rename it and run this again",
                path.display()
            )));
        }
    };
    // Claude Code lays the whole file out anew; a project's belongs to its repository and is given back as it was.
    let keep = match (scope, &server) {
        (Scope::Project(_), Server::Absent) => Some(file::find(&path)?).filter(|found| found.text.is_some()),
        _ => None,
    };
    Ok(McpPlan { step: step(place, scope, runs, keep, None)?, changes: vec![change], warnings: Vec::new() })
}

/// What uninstalling would do.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<McpPlan, PlanError> {
    let (server, path) = look(place, scope)?;
    match server {
        Server::Absent | Server::Foreign => Ok(McpPlan::nothing()),
        Server::Unknown => Ok(McpPlan::nothing_but(format!(
            "{} cannot be read as JSON, so there is no telling whether Parlor's MCP server is in it; repair it and run this again",
            path.display()
        ))),
        Server::Ours(words) => {
            let tidy = matches!(scope, Scope::Project(_)).then(|| tidy(path));
            let changes = vec![format!("MCP server {SERVER}: remove {}", shell_text(&words))];
            Ok(McpPlan {
                step: step(place, scope, vec![remove(scope)], None, tidy)?,
                changes,
                warnings: Vec::new(),
            })
        }
    }
}

/// What a project's `.mcp.json` held before the install, by what Claude Code leaves of each backup. Without any backup there was
/// no file, if nothing else is in it.
fn tidy(path: PathBuf) -> Tidy {
    let backups = file::backups(&path);
    let mut choices: Vec<_> = backups
        .into_iter()
        .filter_map(|backup| {
            let mut left: Value = serde_json::from_str(split_mark(&backup.text).1).ok()?;
            left.as_object_mut()?.entry(SERVERS).or_insert_with(|| json!({}));
            Some(Restore { left, wanted: Some(backup.text), spent_backups: vec![backup.path] })
        })
        .collect();
    if choices.is_empty() {
        choices.push(Restore { left: json!({ SERVERS: {} }), wanted: None, spent_backups: Vec::new() });
    }
    Tidy { path, choices }
}

/// The runs, or, without Claude Code on PATH, their lines for a human to type.
fn step(
    place: &Place,
    scope: &Scope,
    runs: Vec<Vec<String>>,
    keep: Option<Found>,
    tidy: Option<Tidy>,
) -> Result<CommandStep, PlanError> {
    if place.find_program(NAME).is_none() {
        let line = |run: Vec<String>| [vec![NAME.to_owned()], run].concat();
        return Ok(CommandStep::Print(runs.into_iter().map(|run| shell_text(&line(run))).collect()));
    }
    let invocations = runs.into_iter().filter_map(|run| invocation(place, scope, run).transpose());
    Ok(CommandStep::Run { invocations: invocations.collect::<Result<_, _>>()?, keep, tidy })
}

/// One run of Claude Code; none when it is not on PATH.
pub(crate) fn invocation(
    place: &Place,
    scope: &Scope,
    args: Vec<String>,
) -> Result<Option<Invocation>, PlanError> {
    let Some(program) = place.find_program(NAME) else { return Ok(None) };
    let cwd = match scope {
        Scope::User => place.home().into(),
        Scope::Project(directory) => project_dir(directory)?,
    };
    let mut env = place.env();
    env.extend(QUIET.map(|name| (name.into(), "1".into())));
    Ok(Some(Invocation { program, args, cwd, env, timeout_ms: TIMEOUT_MS }))
}

fn remove(scope: &Scope) -> Vec<String> {
    ["mcp", "remove", "--scope", word(scope), SERVER].map(str::to_owned).into()
}

fn word(scope: &Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::Project(_) => "project",
    }
}
