//! Codex's hook calls: what it writes to the hook's stdin, and what it reads from its stdout. Must not decide what is said, and
//! keeps nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::NAME;
use crate::hook::{HookCall, HookError, HookEvent, InjectionLimit, LimitUnit};
use crate::json_hook::{Input, answered_after};

/// What a hook call forwards of its environment. Codex hands its hooks all of its own, credentials too; it names the session in
/// the JSON, and to what its shell tool runs in these.
pub const HOOK_ENV: &[&str] = &["CODEX_SESSION_ID", "CODEX_THREAD_ID", "PARLOR_ROOM", "PARLOR_HOME", "PWD"];

/// Beyond this Codex shows the model the beginning and the end of an injection.
pub const INJECTION_LIMIT: InjectionLimit = InjectionLimit { size: 10_000, unit: LimitUnit::Bytes };

/// Reads what Codex gives its hook. It does not say which process it is.
pub fn parse_hook(stdin: &[u8], _env: &BTreeMap<String, String>) -> Result<HookCall, HookError> {
    let input = Input::read(stdin)?;
    let event = match input.hook_event_name.as_str() {
        "SessionStart" => input.start()?,
        "UserPromptSubmit" => HookEvent::Prompt,
        "SessionEnd" => input.end()?,
        "PostToolUse" => HookEvent::PostTool,
        "Stop" => HookEvent::Stop,
        other => HookEvent::Other(other.into()),
    };
    input.call(NAME, event, None)
}

/// Whether the end of a rollout shows that the model was given what has this mark, and spoke after it.
pub(crate) fn shows(tail: &str, mark: &str) -> bool {
    let item = |line: &Value| line["type"] == "response_item";
    let is_given = |line: &Value| item(line) && line["payload"]["role"] == "developer";
    let is_models = |line: &Value| {
        let payload = &line["payload"];
        item(line) && (payload["role"] == "assistant" || payload["type"] == "function_call")
    };
    answered_after(tail, mark, is_given, is_models)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::hook::{EndReason, StartSource};

    fn parse(json: &str) -> HookCall {
        parse_hook(json.as_bytes(), &BTreeMap::new()).unwrap()
    }

    // As the real program writes them.
    const START: &str = r#"{"session_id":"01a20049-7e05","transcript_path":"/h/.codex/sessions/x.jsonl","cwd":"/srv/api","hook_event_name":"SessionStart","model":"gpt-5","permission_mode":"default","source":"startup"}"#;
    const STOP: &str = r#"{"session_id":"01a20049-7e05","turn_id":"01a2","transcript_path":"/h/x.jsonl","cwd":"/srv/api","hook_event_name":"Stop","model":"gpt-5","permission_mode":"default","stop_hook_active":true,"last_assistant_message":"ok"}"#;

    #[test]
    fn its_calls_are_read() {
        let start = parse(START);
        assert_eq!(start.event, HookEvent::SessionStart { source: StartSource::Startup });
        assert_eq!((start.program, start.session_id.as_str(), start.pid), (NAME, "01a20049-7e05", None));
        assert_eq!(start.transcript.as_deref(), Some("/h/.codex/sessions/x.jsonl".as_ref()));
        let stop = parse(STOP);
        assert!(stop.event == HookEvent::Stop && stop.stop_active);
        for (name, event) in [("UserPromptSubmit", HookEvent::Prompt), ("PostToolUse", HookEvent::PostTool)] {
            assert_eq!(parse(&STOP.replace("Stop", name)).event, event);
        }
        let end = parse(&START.replace("SessionStart", "SessionEnd"));
        assert_eq!(end.event, HookEvent::SessionEnd { reason: EndReason::Other("other".into()) });
    }

    #[test]
    fn the_limit_is_of_bytes() {
        assert!(INJECTION_LIMIT.fits(&"ä".repeat(5_000)) && !INJECTION_LIMIT.fits(&"ä".repeat(5_001)));
    }

    #[test]
    fn a_rollout_shows_what_the_model_answered() {
        let given = r#"{"type":"response_item","payload":{"type":"message","role":"developer","content":[{"type":"input_text","text":"marked 86b759"}]}}"#;
        let call = r#"{"type":"response_item","payload":{"type":"function_call","name":"exec_command"}}"#;
        assert!(shows(&format!("{given}\n{call}\n"), "86b759"));
        assert!(!shows(&format!("{call}\n{given}\n"), "86b759"));
        let prompted = given.replace("developer", "user");
        assert!(!shows(&format!("{prompted}\n{call}\n"), "86b759"), "a human pasted it");
    }
}
