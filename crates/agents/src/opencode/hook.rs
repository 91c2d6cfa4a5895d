//! OpenCode's hook calls. It runs no commands at its hooks: the small plugin that Parlor puts into it runs `parlor-hook`, in words
//! of Parlor's own, and reads plain text. Must not decide what is said, and keeps nothing.

use std::collections::BTreeMap;

use super::NAME;
use crate::hook::{HookCall, HookError, HookEvent, InjectionLimit, LimitUnit};
use crate::json_hook::Input;

/// What a hook call forwards of its environment.
pub const HOOK_ENV: &[&str] = &["OPENCODE", "OPENCODE_PID", "PARLOR_ROOM", "PARLOR_HOME", "PWD"];

/// No limit was met at six times this; more would be much in a prompt.
pub const INJECTION_LIMIT: InjectionLimit = InjectionLimit { size: 10_000, unit: LimitUnit::Bytes };

/// Reads what the plugin gives the hook.
pub fn parse_hook(stdin: &[u8], env: &BTreeMap<String, String>) -> Result<HookCall, HookError> {
    let input = Input::read(stdin)?;
    let event = match input.hook_event_name.as_str() {
        "SessionStart" => input.start()?,
        "Prompt" => HookEvent::Prompt,
        "SessionEnd" => input.end()?,
        "PostTool" => HookEvent::PostTool,
        "Stop" => HookEvent::Stop,
        other => HookEvent::Other(other.into()),
    };
    input.call(NAME, event, env.get("OPENCODE_PID"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::hook::EndReason;

    #[test]
    fn the_plugins_calls_are_read() {
        let env = BTreeMap::from([("OPENCODE_PID".into(), "4711".into())]);
        let parse = |name: &str| {
            let json =
                format!(r#"{{"session_id":"ses_dffb5c","cwd":"/srv/api","hook_event_name":"{name}"}}"#);
            parse_hook(json.as_bytes(), &env).unwrap()
        };
        let prompt = parse("Prompt");
        assert_eq!(
            (prompt.program, prompt.session_id.as_str(), prompt.pid),
            (NAME, "ses_dffb5c", Some(4711))
        );
        assert_eq!(prompt.event, HookEvent::Prompt);
        assert_eq!(parse("PostTool").event, HookEvent::PostTool);
        assert_eq!(parse("Stop").event, HookEvent::Stop);
        assert_eq!(
            parse("SessionEnd").event,
            HookEvent::SessionEnd { reason: EndReason::Other("other".into()) }
        );
        assert_eq!(parse("Odd").event, HookEvent::Other("Odd".into()));
    }
}
