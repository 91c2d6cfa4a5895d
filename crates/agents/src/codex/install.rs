//! Wiring Parlor into Codex and out again: its hooks in `hooks.json`, its MCP server in `config.toml`.

use std::path::PathBuf;

use serde_json::json;

use super::NAME;
use super::trust::{self, Trust};
use crate::command::CommandLine;
use crate::file;
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::settings::JsonSettings;
use crate::settings::files::{SettingsFile, in_file};
use crate::settings::hooks::{Hooks, Wanted};
use crate::settings::toml_table::{ServerTable, Standing};

/// The hooks Parlor is wired into, with the seconds after which Codex goes on without each. Parlor's own budget is far below;
/// more than three it cuts at the end of a session, and says so each time.
const EVENTS: [(&str, u32); 5] =
    [("SessionStart", 5), ("UserPromptSubmit", 5), ("PostToolUse", 5), ("Stop", 5), ("SessionEnd", 3)];
const USER_MODE: u32 = 0o600;
const PROJECT_MODE: u32 = 0o644;

/// Why nothing is heard after an install, and what to do.
pub(crate) const UNTRUSTED: &str = "Codex skips hooks that its human has not trusted, without a word: start `codex` once in a terminal and trust Parlor's when it asks (/hooks shows them)";

/// What Parlor wants in `hooks.json`.
pub(crate) fn hooks(hook: &CommandLine) -> Result<JsonSettings, PlanError> {
    let command = hook.clone().with(&[NAME])?.to_shell();
    let wanted = EVENTS.map(|(event, timeout_s)| Wanted {
        event,
        command: command.clone(),
        fields: vec![("timeout", json!(timeout_s))],
    });
    Ok(JsonSettings { hooks: Some(Hooks { wanted: wanted.into() }), member: None })
}

/// What Parlor wants in `config.toml`.
pub(crate) fn server(words: &[String]) -> ServerTable {
    ServerTable { around: "mcp_servers", key: "parlor", words: words.into() }
}

/// Codex's own directory, or a project's for it.
pub(crate) fn directory(place: &Place, scope: &Scope) -> Result<PathBuf, PlanError> {
    Ok(match scope {
        Scope::User => place.absolute_var("CODEX_HOME")?.unwrap_or_else(|| place.home().join(".codex")),
        Scope::Project(directory) => {
            let real = directory.canonicalize();
            real.map_err(|source| file::FileError::Io { path: directory.into(), source })?.join(".codex")
        }
    })
}

struct Parts {
    hooks: JsonSettings,
    server: ServerTable,
    directory: PathBuf,
    new_mode: u32,
}

impl Parts {
    fn files(&self) -> [SettingsFile<'_>; 2] {
        let own_directories = usize::from(self.directory.ends_with(".codex"));
        let new_mode = self.new_mode;
        let hooks = SettingsFile {
            path: self.directory.join("hooks.json"),
            settings: &self.hooks,
            new_mode,
            own_directories,
        };
        let path = self.directory.join("config.toml");
        [hooks, SettingsFile { path, settings: &self.server, new_mode, own_directories }]
    }
}

fn parts(place: &Place, scope: &Scope, hook: &CommandLine, mcp: &[String]) -> Result<Parts, PlanError> {
    let new_mode = if *scope == Scope::User { USER_MODE } else { PROJECT_MODE };
    Ok(Parts { hooks: hooks(hook)?, server: server(mcp), directory: directory(place, scope)?, new_mode })
}

/// What installing would do.
pub(crate) fn plan_install(
    place: &Place,
    scope: &Scope,
    request: &InstallRequest,
) -> Result<Plan, PlanError> {
    let parts = parts(place, scope, &request.hook, request.mcp.words())?;
    let [hooks, config] = parts.files();
    let mut plan = Plan::of_files([hooks.plan_install()?, config.plan_install()?]);
    let config = config.find()?;
    let text = config.text.as_deref().unwrap_or_default();
    if parts.server.look(text).map_err(in_file(&config.path))? == Standing::Foreign {
        plan.warnings.push(format!(
            "another MCP server is already called parlor in {}; it was left alone, so agents cannot write back. Rename it and run this again",
            config.path.display()
        ));
    }
    let hooks_path = parts.directory.join("hooks.json");
    let is_changed = !plan.files.iter().take(1).all(|file| file.is_nothing());
    if is_changed || trust::look(place, &hooks_path) != Trust::All {
        plan.warnings.push(UNTRUSTED.into());
    }
    if matches!(scope, Scope::Project(_)) {
        plan.warnings.push("the project's settings will name paths of this machine, and Codex heeds them only in projects its human trusts".into());
    }
    Ok(plan)
}

/// What uninstalling would do.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
    let parts = parts(place, scope, &CommandLine::any_hook(), CommandLine::any_mcp().words())?;
    let [hooks, config] = parts.files();
    Ok(Plan::of_files([hooks.plan_uninstall()?, config.plan_uninstall()?]))
}
