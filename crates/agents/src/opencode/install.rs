//! Wiring Parlor into OpenCode and out again: its small plugin, which runs the hook, and its MCP server in `opencode.json`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::NAME;
use crate::command::CommandLine;
use crate::file;
use crate::json_server::{SERVER, is_ours};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::settings::JsonSettings;
use crate::settings::files::{SettingsFile, in_file};
use crate::settings::member::{Member, Standing};
use crate::settings::whole::Whole;

/// The plugin, but for the command it runs.
const PLUGIN: &str = include_str!("parlor.js");
const PLUGIN_BEGINNING: &str = "// Parlor's plugin for OpenCode";
const PLUGIN_COMMAND: &str = "const HOOK = [\"parlor-hook\", \"opencode\"]";
const USER_MODE: u32 = 0o600;
const PROJECT_MODE: u32 = 0o644;

/// Where OpenCode's own settings lie, or a project's for it.
struct Places {
    plugin: PathBuf,
    config: PathBuf,
    new_mode: u32,
    /// How many directories around the settings file an install may have made.
    own_directories: usize,
}

fn places(place: &Place, scope: &Scope) -> Result<Places, PlanError> {
    let (around, plugins, new_mode, own_directories) = match scope {
        Scope::User => {
            let named = place.absolute_var("XDG_CONFIG_HOME")?;
            let own_directories = if named.is_some() { 1 } else { 2 };
            let around = named.unwrap_or_else(|| place.home().join(".config")).join("opencode");
            (around.clone(), around, USER_MODE, own_directories)
        }
        Scope::Project(directory) => {
            let real = directory.canonicalize();
            let around = real.map_err(|source| file::FileError::Io { path: directory.into(), source })?;
            (around.clone(), around.join(".opencode"), PROJECT_MODE, 0)
        }
    };
    let plugin = plugins.join("plugin/parlor.js");
    Ok(Places { plugin, config: config_in(&around), new_mode, own_directories })
}

/// The settings file that is there; OpenCode reads either.
fn config_in(directory: &Path) -> PathBuf {
    let commented = directory.join("opencode.jsonc");
    let plain = directory.join("opencode.json");
    if commented.exists() && !plain.exists() { commented } else { plain }
}

/// What Parlor wants in OpenCode.
pub(crate) struct Wanted {
    plugin: Whole,
    config: JsonSettings,
}

impl Wanted {
    pub(crate) fn member(&self) -> Option<&Member> {
        self.config.member.as_ref()
    }
}

pub(crate) fn wanted(hook: &CommandLine, mcp: &CommandLine) -> Result<Wanted, PlanError> {
    let command = hook.clone().with(&[NAME])?;
    let text = PLUGIN.replace(PLUGIN_COMMAND, &format!("const HOOK = {}", json!(command.words())));
    let what = format!("run {}", command.to_shell());
    let value = json!({ "type": "local", "command": mcp.words(), "enabled": true });
    let member = Member { around: "mcp", key: SERVER, value, is_ours };
    Ok(Wanted {
        plugin: Whole { beginning: PLUGIN_BEGINNING, text, name: "plugin", what },
        config: JsonSettings { hooks: None, member: Some(member) },
    })
}

pub(crate) fn files<'a>(
    place: &Place,
    scope: &Scope,
    wanted: &'a Wanted,
) -> Result<[SettingsFile<'a>; 2], PlanError> {
    let Places { plugin, config, new_mode, own_directories } = places(place, scope)?;
    let plugin = SettingsFile { path: plugin, settings: &wanted.plugin, new_mode, own_directories: 2 };
    Ok([plugin, SettingsFile { path: config, settings: &wanted.config, new_mode, own_directories }])
}

/// What installing would do.
pub(crate) fn plan_install(
    place: &Place,
    scope: &Scope,
    request: &InstallRequest,
) -> Result<Plan, PlanError> {
    let wanted = wanted(&request.hook, &request.mcp)?;
    let [plugin, config] = files(place, scope, &wanted)?;
    let mut plan = Plan::of_files([plugin.plan_install()?, config.plan_install()?]);
    let found = config.find()?;
    let standing = wanted.member().map(|member| member.look(found.text.as_deref().unwrap_or_default()));
    if standing.transpose().map_err(in_file(&found.path))? == Some(Standing::Foreign) {
        plan.warnings.push(format!(
            "another MCP server is already called {SERVER} in {}; it was left alone, so agents cannot write back. Rename it and run this again",
            found.path.display()
        ));
    }
    if matches!(scope, Scope::Project(_)) {
        plan.warnings.push("the project's settings will name paths of this machine".into());
    }
    Ok(plan)
}

/// What uninstalling would do.
pub(crate) fn plan_uninstall(place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
    let wanted = wanted(&CommandLine::any_hook(), &CommandLine::any_mcp())?;
    let [plugin, config] = files(place, scope, &wanted)?;
    Ok(Plan::of_files([plugin.plan_uninstall()?, config.plan_uninstall()?]))
}

/// The command line a plugin of Parlor's runs.
pub(crate) fn command_in(plugin: &str) -> Option<Vec<String>> {
    let line = plugin.lines().find_map(|line| line.strip_prefix("const HOOK = "))?;
    serde_json::from_str(line).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_runs_the_command_it_was_given_however_odd_its_path() {
        assert!(PLUGIN.starts_with(PLUGIN_BEGINNING) && PLUGIN.matches(PLUGIN_COMMAND).count() == 1);
        let hook = CommandLine::new(Path::new("/my \"tools\"/parlor-hook"), &[]).unwrap();
        let mcp = CommandLine::new(Path::new("/my \"tools\"/parlor"), &["mcp"]).unwrap();
        let wanted = wanted(&hook, &mcp).unwrap();
        assert_eq!(command_in(&wanted.plugin.text).unwrap(), ["/my \"tools\"/parlor-hook", "opencode"]);
    }
}
