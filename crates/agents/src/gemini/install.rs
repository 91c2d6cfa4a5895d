//! Wiring Parlor into Gemini CLI and out again: hooks and MCP server, both in `settings.json`.

use std::path::PathBuf;

use serde_json::json;

use super::NAME;
use crate::command::CommandLine;
use crate::file;
use crate::json_server::{SERVER, is_ours, usual};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::settings::JsonSettings;
use crate::settings::files::{SettingsFile, in_file};
use crate::settings::hooks::{Hooks, Wanted};
use crate::settings::member::{Member, Standing};

/// The hooks Parlor is wired into.
const EVENTS: [&str; 5] = ["SessionStart", "BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd"];
/// After this Gemini CLI goes on without the hook. Parlor's own budget is far below.
const TIMEOUT_MS: u32 = 5_000;
const USER_MODE: u32 = 0o600;
const PROJECT_MODE: u32 = 0o644;

/// What Parlor wants in a settings file of Gemini CLI.
pub(crate) fn settings(hook: &CommandLine, mcp: &CommandLine) -> Result<JsonSettings, PlanError> {
    // A hook that cannot be run blocks every prompt: should Parlor go away, the prompt must not.
    let command = format!("{} 2>/dev/null || exit 0", hook.clone().with(&[NAME])?.to_shell());
    let wanted = EVENTS.map(|event| Wanted {
        event,
        command: command.clone(),
        fields: vec![("name", json!(SERVER)), ("timeout", json!(TIMEOUT_MS))],
    });
    let member = Member { around: "mcpServers", key: SERVER, value: usual(mcp), is_ours };
    Ok(JsonSettings { hooks: Some(Hooks { wanted: wanted.into() }), member: Some(member) })
}

/// The settings file of a scope.
pub(crate) fn settings_path(place: &Place, scope: &Scope) -> Result<PathBuf, PlanError> {
    let around = match scope {
        Scope::User => place.absolute_var("GEMINI_CLI_HOME")?.unwrap_or_else(|| place.home().into()),
        Scope::Project(directory) => directory
            .canonicalize()
            .map_err(|source| file::FileError::Io { path: directory.into(), source })?,
    };
    Ok(around.join(".gemini/settings.json"))
}

fn settings_file<'a>(
    place: &Place,
    scope: &Scope,
    settings: &'a JsonSettings,
) -> Result<SettingsFile<'a>, PlanError> {
    let new_mode = if *scope == Scope::User { USER_MODE } else { PROJECT_MODE };
    Ok(SettingsFile { path: settings_path(place, scope)?, settings, new_mode, own_directories: 1 })
}

/// What installing would do.
pub(crate) fn plan_install(
    place: &Place,
    scope: &Scope,
    request: &InstallRequest,
) -> Result<Plan, PlanError> {
    let settings = settings(&request.hook, &request.mcp)?;
    let file = settings_file(place, scope, &settings)?;
    let mut plan = Plan::of_files([file.plan_install()?]);
    let found = file.find()?;
    let text = found.text.as_deref().unwrap_or_default();
    let standing = settings.member.as_ref().map(|member| member.look(text)).transpose();
    if standing.map_err(in_file(&found.path))? == Some(Standing::Foreign) {
        plan.warnings.push(format!(
            "another MCP server is already called {SERVER} in {}; it was left alone, so agents cannot write back. Rename it and run this again",
            found.path.display()
        ));
    }
    plan.warnings.extend(disabled(text).map(|problem| format!("{}: {problem}", found.path.display())));
    if matches!(scope, Scope::Project(_)) {
        plan.warnings.push("the project's settings will name paths of this machine, and Gemini CLI heeds them only in folders its human trusts".into());
    }
    Ok(plan)
}

/// What uninstalling would do.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
    let settings = settings(&CommandLine::any_hook(), &CommandLine::any_mcp())?;
    Ok(Plan::of_files([settings_file(place, scope, &settings)?.plan_uninstall()?]))
}

/// Why Gemini CLI does not run the hooks in the text; none if it does.
pub(crate) fn disabled(text: &str) -> Option<String> {
    let document = crate::jsonc::Document::parse(crate::settings::split_mark(text).1).ok()?;
    let value: serde_json::Value = document.root().cloned()?.into();
    let config = &value["hooksConfig"];
    if config["enabled"] == false {
        return Some(
            "\"hooksConfig\".\"enabled\" is false, so Gemini CLI runs no hook; set it to true to be heard"
                .into(),
        );
    }
    let ours = |name: &serde_json::Value| {
        name.as_str().is_some_and(|name| name == SERVER || crate::command::is_parlor_hook(name))
    };
    config["disabled"].as_array()?.iter().any(ours).then(|| {
        "\"hooksConfig\".\"disabled\" names Parlor's hook; take it out, or enable it in /hooks, to be heard".into()
    })
}
