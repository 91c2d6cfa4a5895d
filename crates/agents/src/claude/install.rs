//! Wiring Parlor into Claude Code and out again: which settings file, what becomes of it, and what a human should know. The
//! edits themselves are in `settings`, the MCP server in `mcp`.

use std::path::{Path, PathBuf};

use super::settings::{self, Keep, SettingsError};
use super::{NAME, mcp};
use crate::file::{self, Backup, Found};
use crate::place::{Place, Scope};
use crate::plan::{FileStep, InstallRequest, Plan, PlanError};

/// The user's settings may hold credentials; a project's are made to be shared.
const USER_MODE: u32 = 0o600;
const PROJECT_MODE: u32 = 0o644;

/// The settings file of a scope.
pub(crate) fn settings_path(place: &Place, scope: &Scope) -> Result<PathBuf, PlanError> {
    Ok(match scope {
        Scope::User => config_dir(place)?.unwrap_or_else(|| place.home().join(".claude")),
        Scope::Project(directory) => project_dir(directory)?.join(".claude"),
    }
    .join("settings.json"))
}

/// The directory `CLAUDE_CONFIG_DIR` names, if it is set.
pub(crate) fn config_dir(place: &Place) -> Result<Option<PathBuf>, PlanError> {
    let Some(directory) = place.var("CLAUDE_CONFIG_DIR").map(PathBuf::from) else { return Ok(None) };
    if directory.is_absolute() {
        return Ok(Some(directory));
    }
    let detail =
        "CLAUDE_CONFIG_DIR is not an absolute path, so it means another place in every directory".into();
    Err(PlanError::Shape { path: directory, detail })
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
    let found = file::find(&settings_path(place, scope)?)?;
    let edited = settings::install(found.text.as_deref(), &request.hook.to_shell()).map_err(at(&found))?;
    let mut warnings = warnings(&found, scope);
    let mut changes = edited.changes;
    let wanted = if changes.is_empty() { found.text.clone() } else { Some(edited.text) };
    if !changes.is_empty() {
        file::check_writable(&found)?;
    }
    let mcp = mcp::plan_install(place, scope, &request.mcp)?;
    changes.extend(mcp.changes);
    warnings.extend(mcp.warnings);
    let new_mode = if *scope == Scope::User { USER_MODE } else { PROJECT_MODE };
    let file = FileStep { wanted, backup: true, new_mode, ..FileStep::nothing(found) };
    Ok(Plan { changes, warnings, file, command: mcp.step })
}

/// What uninstalling would do: the text from before the install where it can be told, else only Parlor's entries taken out.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
    let found = file::find(&settings_path(place, scope)?)?;
    let mut plan = plan_settings_uninstall(found)?;
    if !plan.file.is_nothing() {
        file::check_writable(&plan.file.found)?;
    }
    let mcp = mcp::plan_uninstall(place, scope)?;
    plan.changes.extend(mcp.changes);
    plan.warnings.extend(mcp.warnings);
    plan.command = mcp.step;
    Ok(plan)
}

fn plan_settings_uninstall(found: Found) -> Result<Plan, PlanError> {
    let at = at(&found);
    let mut plan = Plan::of_file(FileStep::nothing(found));
    let found = &plan.file.found;
    let Some(text) = &found.text else { return Ok(plan) };
    let entries = settings::entries(text).map_err(&at)?;
    let Some(command) = entries.first().map(|entry| &entry.command) else { return Ok(plan) };
    let backups = file::backups(&found.path);
    let edited = settings::uninstall(text, &keep(&backups)).map_err(&at)?;
    let original = original(text, command, &backups, found.linked);
    plan.changes = edited.changes;
    match original {
        Some(before) => {
            plan.file.spent_backups = spent(&before, &backups);
            // What `CLAUDE_CONFIG_DIR` names was somebody's doing; `.claude` may have been ours.
            plan.file.with_directory =
                plan.file.found.path.parent().is_some_and(|around| around.ends_with(".claude"));
            plan.changes.push(match &before {
                Some(_) => "restore the file as it was before the install, byte for byte".into(),
                None => "remove the file, which the install made".into(),
            });
            plan.file.wanted = before;
        }
        None => plan.file.wanted = Some(edited.text),
    }
    Ok(plan)
}

/// What the file held before the install, if nothing but Parlor's entries has changed in it since; the inner none: no file.
fn original(text: &str, command: &str, backups: &[Backup], linked: bool) -> Option<Option<String>> {
    let mut before = backups.iter().filter(|backup| is_without_parlor(&backup.text));
    if let Some(backup) = before.find(|backup| settings::comes_from(text, Some(&backup.text), command)) {
        return Some(Some(backup.text.clone()));
    }
    // A link was somebody's doing, so there was a file.
    (!linked && settings::comes_from(text, None, command)).then_some(None)
}

fn is_without_parlor(text: &str) -> bool {
    settings::entries(text).is_ok_and(|entries| entries.is_empty())
}

/// What stood in the newest text from before an install stays, even if it is empty.
fn keep(backups: &[Backup]) -> Keep {
    let newest = backups.iter().find(|backup| is_without_parlor(&backup.text));
    newest.and_then(|backup| Keep::standing_in(&backup.text).ok()).unwrap_or_default()
}

/// Backups that hold nothing but `before`, or what an install made of it. A backup that holds anything else stays.
fn spent(before: &Option<String>, backups: &[Backup]) -> Vec<PathBuf> {
    let is_spent = |backup: &&Backup| match settings::entries(&backup.text).ok()?.first() {
        None => Some(before.as_ref() == Some(&backup.text)),
        Some(entry) => Some(settings::comes_from(&backup.text, before.as_deref(), &entry.command)),
    };
    backups.iter().filter(|backup| is_spent(backup) == Some(true)).map(|backup| backup.path.clone()).collect()
}

/// What Claude Code itself would make of the file.
fn warnings(found: &Found, scope: &Scope) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(problem) = found.text.as_deref().and_then(unread_by_claude) {
        warnings.push(format!("{}: {problem}", found.path.display()));
    }
    if matches!(scope, Scope::Project(_)) {
        warnings.push(format!(
            "the project's settings will name paths of this machine, and {NAME} asks each human before it starts a project's MCP server"
        ));
    }
    warnings
}

/// Why Claude Code, which reads plain JSON only, does not heed the text; none if it does.
pub(crate) fn unread_by_claude(text: &str) -> Option<String> {
    let (_, body) = settings::split_mark(text);
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

pub(crate) fn at(found: &Found) -> impl Fn(SettingsError) -> PlanError + use<> {
    let path = found.path.clone();
    move |error| match error {
        SettingsError::Syntax(source) => PlanError::Syntax { path: path.clone(), source },
        SettingsError::Shape(detail) => PlanError::Shape { path: path.clone(), detail },
    }
}
