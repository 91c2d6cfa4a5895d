//! Wiring Parlor into Claude Code and out again: which settings file, which hooks, and what a human should know. The edits
//! themselves are in `settings`, the MCP server in `mcp`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{NAME, mcp, plugin};
use crate::command::{CommandLine, IDLE};
use crate::file::{self, Found};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::settings::files::SettingsFile;
use crate::settings::hooks::{Hooks, Wanted};
use crate::settings::{JsonSettings, split_mark};

/// The hooks Parlor is wired into.
pub(crate) const EVENTS: [&str; 5] =
    ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"];
/// Those beside which a hook waits that can wake the session.
const WAITING_EVENTS: [&str; 2] = ["SessionStart", "Stop"];
/// After this Claude Code goes on without the hook. Parlor's own budget is far below.
const TIMEOUT_S: u32 = 5;
/// A session that is idle for longer is woken by nobody until its next turn.
const WAIT_TIMEOUT_S: u32 = 24 * 60 * 60;
const USER_MODE: u32 = 0o600;
const PROJECT_MODE: u32 = 0o644;

/// What Parlor wants in a settings file of Claude Code.
pub(crate) fn settings(hook: &CommandLine) -> Result<JsonSettings, PlanError> {
    let command = hook.to_shell();
    let waiting = hook.clone().with(&[NAME, IDLE])?.to_shell();
    let at_once = EVENTS.map(|event| Wanted {
        event,
        command: command.clone(),
        fields: vec![("timeout", json!(TIMEOUT_S))],
    });
    // Without `async` a headless session would wait for it, and its exit code would block the prompt.
    let beside = WAITING_EVENTS.map(|event| Wanted {
        event,
        command: waiting.clone(),
        fields: vec![
            ("async", json!(true)),
            ("asyncRewake", json!(true)),
            ("timeout", json!(WAIT_TIMEOUT_S)),
        ],
    });
    Ok(JsonSettings {
        hooks: Some(Hooks { wanted: at_once.into_iter().chain(beside).collect() }),
        member: None,
    })
}

/// The settings file of a scope.
pub(crate) fn settings_path(place: &Place, scope: &Scope) -> Result<PathBuf, PlanError> {
    Ok(match scope {
        Scope::User => config_dir(place)?.unwrap_or_else(|| place.home().join(".claude")),
        Scope::Project(directory) => project_dir(directory)?.join(".claude"),
    }
    .join("settings.json"))
}

fn settings_file<'a>(
    place: &Place,
    scope: &Scope,
    settings: &'a JsonSettings,
) -> Result<SettingsFile<'a>, PlanError> {
    let path = settings_path(place, scope)?;
    // What `CLAUDE_CONFIG_DIR` names was somebody's doing; `.claude` may have been ours.
    let own_directories = usize::from(path.parent().is_some_and(|around| around.ends_with(".claude")));
    let new_mode = if *scope == Scope::User { USER_MODE } else { PROJECT_MODE };
    Ok(SettingsFile { path, settings, new_mode, own_directories })
}

/// The directory `CLAUDE_CONFIG_DIR` names, if it is set.
pub(crate) fn config_dir(place: &Place) -> Result<Option<PathBuf>, PlanError> {
    place.absolute_var("CLAUDE_CONFIG_DIR")
}

/// The project's directory, which must be there.
pub(crate) fn project_dir(directory: &Path) -> Result<PathBuf, PlanError> {
    let real = directory.canonicalize();
    Ok(real.map_err(|source| file::FileError::Io { path: directory.into(), source })?)
}

/// What installing would do.
pub(crate) fn plan_install(
    place: &Place,
    scope: &Scope,
    request: &InstallRequest,
) -> Result<Plan, PlanError> {
    let settings = settings(&request.hook)?;
    let (step, changes) = settings_file(place, scope, &settings)?.plan_install()?;
    let warnings = warnings(&step.found, place, scope);
    let mut plan = Plan { warnings, ..Plan::of_files([(step, changes)]) };
    plan.add_mcp(mcp::plan_install(place, scope, &request.mcp)?);
    Ok(plan)
}

/// What uninstalling would do: the text from before the install where it can be told, else only Parlor's entries taken out.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
    let settings = settings(&CommandLine::any_hook())?;
    let mut plan = Plan::of_files([settings_file(place, scope, &settings)?.plan_uninstall()?]);
    plan.add_mcp(mcp::plan_uninstall(place, scope)?);
    Ok(plan)
}

impl Plan {
    fn add_mcp(&mut self, mcp: mcp::McpPlan) {
        self.changes.extend(mcp.changes);
        self.warnings.extend(mcp.warnings);
        self.command = mcp.step;
    }
}

/// What Claude Code itself would make of the file, and of Parlor twice.
fn warnings(found: &Found, place: &Place, scope: &Scope) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(problem) = found.text.as_deref().and_then(unread_by_claude) {
        warnings.push(format!("{}: {problem}", found.path.display()));
    }
    if matches!(scope, Scope::Project(_)) {
        warnings.push(format!(
            "the project's settings will name paths of this machine, and {NAME} asks each human before it starts a project's MCP server"
        ));
    }
    warnings.extend(plugin::enabled(place).map(|plugin| {
        format!("the plugin {plugin} is enabled, too, and one of them is enough: `claude plugin uninstall {plugin}`, or `parlor uninstall {NAME}`")
    }));
    warnings
}

/// Why Claude Code, which reads plain JSON only, does not heed the text; none if it does.
pub(crate) fn unread_by_claude(text: &str) -> Option<String> {
    let (_, body) = split_mark(text);
    if body.trim().is_empty() {
        return None;
    }
    match serde_json::from_str::<serde_json::Value>(body) {
        Err(error) => Some(format!(
            "Claude Code reads plain JSON only and ignores this whole file, hooks included, because of line {} column {} (a comment or a trailing comma); take it out to be heard",
            error.line(),
            error.column()
        )),
        Ok(value) if value.get("disableAllHooks") == Some(&true.into()) => Some(
            "\"disableAllHooks\" is true, so Claude Code runs no hook; set it to false to be heard".into(),
        ),
        Ok(_) => None,
    }
}
