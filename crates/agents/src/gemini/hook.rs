//! Gemini CLI's hook calls: what it writes to the hook's stdin and environment, and what it reads from its stdout. Must not
//! decide what is said, and keeps nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::NAME;
use crate::hook::{HookCall, HookError, HookEvent, InjectionLimit, LimitUnit};
use crate::json_hook::{Input, absolute, answered_after};

/// What a hook call forwards of its environment. `GEMINI_API_KEY`, a credential, is beside these and is not.
pub const HOOK_ENV: &[&str] =
    &["GEMINI_CLI", "GEMINI_PROJECT_DIR", "GEMINI_SESSION_ID", "PARLOR_ROOM", "PARLOR_HOME", "PWD"];

/// No limit was met at six times this; more would be much in a prompt.
pub const INJECTION_LIMIT: InjectionLimit = InjectionLimit { size: 10_000, unit: LimitUnit::Bytes };

/// Reads what Gemini CLI gives its hook. It does not say which process it is.
pub fn parse_hook(stdin: &[u8], env: &BTreeMap<String, String>) -> Result<HookCall, HookError> {
    let input = Input::read(stdin)?;
    let event = match input.hook_event_name.as_str() {
        "SessionStart" => input.start()?,
        "BeforeAgent" => HookEvent::Prompt,
        "SessionEnd" => input.end()?,
        "AfterTool" => HookEvent::PostTool,
        "AfterAgent" => HookEvent::Stop,
        other => HookEvent::Other(other.into()),
    };
    let call = input.call(NAME, event, None)?;
    Ok(HookCall { project_dir: env.get("GEMINI_PROJECT_DIR").and_then(|path| absolute(path)), ..call })
}

/// Whether the end of a chat's record shows that the model was given what has this mark, and spoke after it.
pub(crate) fn shows(tail: &str, mark: &str) -> bool {
    let is_given = |line: &Value| line["type"] == "user";
    answered_after(tail, mark, is_given, |line| line["type"] == "gemini")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::hook::{EndReason, StartSource};

    fn parse(json: &str) -> HookCall {
        let env = BTreeMap::from([("GEMINI_PROJECT_DIR".into(), "/srv/api".into())]);
        parse_hook(json.as_bytes(), &env).unwrap()
    }

    // As the real program writes them.
    const START: &str = r#"{"session_id":"88953b10-956e","transcript_path":"/h/.gemini/tmp/p/chats/x.jsonl","cwd":"/srv/api/src","hook_event_name":"SessionStart","timestamp":"2026-11-21T22:46:24.294Z","source":"startup"}"#;
    const STOP: &str = r#"{"session_id":"88953b10-956e","transcript_path":"/h/x.jsonl","cwd":"/srv/api","hook_event_name":"AfterAgent","timestamp":"2026-11-21T22:46:24.840Z","prompt":"hello","prompt_response":"ok","stop_hook_active":false}"#;

    #[test]
    fn its_calls_are_read() {
        let start = parse(START);
        assert_eq!(start.event, HookEvent::SessionStart { source: StartSource::Startup });
        assert_eq!((start.program, start.session_id.as_str(), start.pid), (NAME, "88953b10-956e", None));
        assert_eq!(start.directory(), std::path::Path::new("/srv/api"));
        assert!(parse(&START.replace("startup", "clear")).cleared());
        let stop = parse(STOP);
        assert!(stop.event == HookEvent::Stop && !stop.stop_active);
        assert!(parse(&STOP.replace("\"stop_hook_active\":false", "\"stop_hook_active\":true")).stop_active);
        for (name, event) in [("BeforeAgent", HookEvent::Prompt), ("AfterTool", HookEvent::PostTool)] {
            assert_eq!(parse(&STOP.replace("AfterAgent", name)).event, event);
        }
        let end = START
            .replace("SessionStart", "SessionEnd")
            .replace("\"source\":\"startup\"", "\"reason\":\"exit\"");
        assert_eq!(parse(&end).event, HookEvent::SessionEnd { reason: EndReason::Exit });
    }

    #[test]
    fn a_chat_shows_what_the_model_answered() {
        let given =
            r#"{"id":"0","type":"user","content":[{"text":"<hook_context>marked 86b759</hook_context>"}]}"#;
        let answer = r#"{"id":"1","type":"gemini","content":"ok"}"#;
        assert!(shows(&format!("{given}\n{answer}\n"), "86b759"));
        assert!(!shows(&format!("{answer}\n{given}\n"), "86b759"));
    }
}
