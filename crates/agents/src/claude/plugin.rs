//! Whether Parlor is in Claude Code as a plugin, which brings its own hooks and MCP server. Only looks.

use serde_json::Value;

use super::install::config_dir;
use crate::file;
use crate::place::Place;

/// The plugin's name, before the marketplace it came from.
const PLUGIN: &str = "parlor@";

/// The enabled plugin, by the name Claude Code knows it by.
pub(crate) fn enabled(place: &Place) -> Option<String> {
    let directory = config_dir(place).ok()?.unwrap_or_else(|| place.home().join(".claude"));
    let text = file::find(&directory.join("settings.json")).ok()?.text?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let plugins = value.get("enabledPlugins")?.as_object()?;
    let ours = |(name, enabled): &(&String, &Value)| name.starts_with(PLUGIN) && **enabled == true;
    plugins.iter().find(ours).map(|(name, _)| name.clone())
}
