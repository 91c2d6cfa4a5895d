//! Whether Codex's human trusts the hooks in a file. Codex keeps, for each, a hash of what was trusted; without it, or with
//! another, it skips the hook and says nothing. Only looks: trusting is the human's.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use toml_edit::{DocumentMut, Item};

use super::install::directory;
use crate::command::is_parlor_hook;
use crate::file;
use crate::place::{Place, Scope};

/// How Parlor's hooks in a file stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// All are trusted as they are.
    All,
    /// These are not, by the names of the events.
    Lacks(Vec<String>),
    /// These are trusted and turned off.
    Off(Vec<String>),
}

/// How Parlor's hooks in `hooks.json` at `path` stand.
pub(crate) fn look(place: &Place, path: &Path) -> Trust {
    let Ok(found) = file::find(path) else { return Trust::Lacks(Vec::new()) };
    let state = state(place);
    let (mut lacks, mut off) = (Vec::new(), Vec::new());
    for hook in hooks(found.text.as_deref().unwrap_or_default()) {
        let key = format!("{}:{}:{}:{}", found.path.display(), snake(&hook.event), hook.group, hook.at);
        let kept = state.as_ref().and_then(|state| state.as_table_like()?.get(&key)?.as_table_like());
        let field = |name: &str| kept.and_then(|kept| kept.get(name));
        if field("trusted_hash").and_then(Item::as_str) != Some(hash(&hook).as_str()) {
            lacks.push(hook.event);
        } else if field("enabled").and_then(Item::as_bool) == Some(false) {
            off.push(hook.event);
        }
    }
    match (lacks.is_empty(), off.is_empty()) {
        (false, _) => Trust::Lacks(lacks),
        (true, false) => Trust::Off(off),
        (true, true) => Trust::All,
    }
}

/// What Codex keeps of hooks, always in the user's own configuration.
fn state(place: &Place) -> Option<Item> {
    let path = directory(place, &Scope::User).ok()?.join("config.toml");
    let document = file::find(&path).ok()?.text?.parse::<DocumentMut>().ok()?;
    Some(document.get("hooks")?.as_table_like()?.get("state")?.clone())
}

struct Hook {
    event: String,
    matcher: Option<String>,
    group: usize,
    at: usize,
    value: Value,
}

/// Parlor's hooks in the text, by their places in it.
fn hooks(text: &str) -> Vec<Hook> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let mut found = Vec::new();
    for (event, groups) in value["hooks"].as_object().into_iter().flatten() {
        for (group, of) in groups.as_array().into_iter().flatten().enumerate() {
            for (at, hook) in of["hooks"].as_array().into_iter().flatten().enumerate() {
                if hook["command"].as_str().is_some_and(is_parlor_hook) {
                    let matcher = of["matcher"].as_str().map(str::to_owned);
                    found.push(Hook { event: event.clone(), matcher, group, at, value: hook.clone() });
                }
            }
        }
    }
    found
}

/// What Codex takes of a hook to know it again: the SHA-256 of its own JSON of it, keys in order, defaults written out.
fn hash(hook: &Hook) -> String {
    let command = json!({
        "async": hook.value["async"].as_bool().unwrap_or(false),
        "command": hook.value["command"],
        "timeout": hook.value["timeout"].as_u64().unwrap_or(600),
        "type": "command",
    });
    let mut identity = json!({ "event_name": snake(&hook.event), "hooks": [command] });
    if let Some(matcher) = &hook.matcher {
        identity["matcher"] = json!(matcher);
    }
    let digest = Sha256::digest(identity.to_string());
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// `SessionStart` as `session_start`.
fn snake(event: &str) -> String {
    let mut out = String::new();
    for letter in event.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    // As Codex 0.169.0 wrote it when its human trusted this hook.
    #[test]
    fn the_hash_is_the_one_codex_keeps() {
        let value = json!({ "type": "command", "command": "/tmp/pa/hook.sh", "timeout": 5 });
        let hook = Hook { event: "SessionStart".into(), matcher: None, group: 0, at: 0, value };
        assert_eq!(hash(&hook), "sha256:91a85e8a73a521290c5b5e41f2d81f42bbe2d10173841565964bd8bca293a151");
    }

    #[test]
    fn what_is_trusted_is_told_from_what_was_changed_since() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let place = Place::new(&root, []);
        let (hooks, config) = (root.join(".codex/hooks.json"), root.join(".codex/config.toml"));
        std::fs::create_dir(root.join(".codex")).unwrap();
        let write = |timeout: u32| {
            let hook = json!({ "type": "command", "command": "/opt/parlor-hook codex", "timeout": timeout });
            let other = json!({ "hooks": [{ "type": "command", "command": "other" }] });
            let text = json!({ "hooks": { "Stop": [other, { "hooks": [hook] }] } }).to_string();
            std::fs::write(&hooks, &text).unwrap();
            hash(&super::hooks(&text)[0])
        };
        let trusted = write(5);
        assert_eq!(look(&place, &hooks), Trust::Lacks(vec!["Stop".into()]));
        let state = format!("[hooks.state.\"{}:stop:1:0\"]\ntrusted_hash = \"{trusted}\"\n", hooks.display());
        std::fs::write(&config, &state).unwrap();
        assert_eq!(look(&place, &hooks), Trust::All);
        std::fs::write(&config, format!("{state}enabled = false\n")).unwrap();
        assert_eq!(look(&place, &hooks), Trust::Off(vec!["Stop".into()]));
        write(6);
        assert_eq!(look(&place, &hooks), Trust::Lacks(vec!["Stop".into()]));
    }
}
