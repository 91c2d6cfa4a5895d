//! Claude Code's hook calls: what it writes to the hook's stdin and environment, and what it reads from its stdout. Must not
//! decide what is said, and keeps nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::NAME;
use crate::hook::{HookCall, HookError, HookEvent, InjectionLimit, LimitUnit};
use crate::json_hook::{Input, absolute, additional_context, answered_after, block};

/// What a hook call forwards of its environment. `CLAUDE_CODE_MESSAGING_TOKEN`, a credential, is beside these and is not.
pub const HOOK_ENV: &[&str] = &[
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDECODE",
    "PARLOR_ROOM",
    "PARLOR_HOME",
    "PWD",
];

/// Beyond this Claude Code puts an injection into a file and shows the model a preview of it.
pub const INJECTION_LIMIT: InjectionLimit = InjectionLimit { size: 10_000, unit: LimitUnit::Utf16Units };

/// Reads what Claude Code gives its hook.
pub fn parse_hook(stdin: &[u8], env: &BTreeMap<String, String>) -> Result<HookCall, HookError> {
    let input = Input::read(stdin)?;
    let event = match input.hook_event_name.as_str() {
        "SessionStart" => input.start()?,
        "UserPromptSubmit" => HookEvent::Prompt,
        "SessionEnd" => input.end()?,
        "PostToolUse" => HookEvent::PostTool,
        "Stop" => HookEvent::Stop,
        other => HookEvent::Other(other.into()),
    };
    let call = input.call(NAME, event, env.get("CLAUDE_PID"))?;
    Ok(HookCall { project_dir: env.get("CLAUDE_PROJECT_DIR").and_then(|path| absolute(path)), ..call })
}

/// Whether somebody sits before the session. A headless one that has done its work would wait half a minute for a hook that
/// still runs.
pub(crate) fn may_wait(env: &BTreeMap<String, String>) -> bool {
    env.get("CLAUDE_CODE_SESSION_ATTENDED").is_none_or(|attended| attended != "0")
}

/// The one line Claude Code reads from a hook that exits 0: `text` as context for the model, at the hook called `event_name`.
pub fn format_injection(event_name: &str, text: &str) -> String {
    additional_context(event_name, text)
}

/// The one line with which Claude Code goes on instead of stopping, `text` being why.
pub fn format_continue(text: &str) -> String {
    block(text)
}

/// Whether the end of a transcript shows that the model was given what has this mark, and spoke after it.
pub(crate) fn shows(tail: &str, mark: &str) -> bool {
    let is_given = |line: &Value| match line["type"].as_str() {
        // What a hook only printed is noted as `hook_success`, which no model sees.
        Some("attachment") => {
            ["hook_additional_context", "hook_blocking_error", "async_hook_response", "queued_command"]
                .contains(&line["attachment"]["type"].as_str().unwrap_or_default())
        }
        Some("user") => true,
        _ => false,
    };
    answered_after(tail, mark, is_given, |line| line["type"] == "assistant")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hook::{EndReason, HOOK_INPUT_LIMIT_BYTES, StartSource};

    fn env() -> BTreeMap<String, String> {
        BTreeMap::from([
            ("CLAUDE_PID".into(), "4711".into()),
            ("CLAUDE_PROJECT_DIR".into(), "/srv/api".into()),
        ])
    }

    fn parse(json: &str) -> Result<HookCall, HookError> {
        parse_hook(json.as_bytes(), &env())
    }

    // As the real program writes them.
    const START: &str = r#"{"session_id":"f86f8701-7df6-4074-8fe5-9325634d5ad3","transcript_path":"/h/x.jsonl","cwd":"/srv/api/src","hook_event_name":"SessionStart","source":"startup"}"#;
    const PROMPT: &str = r#"{"session_id":"f86f8701","transcript_path":"/h/x.jsonl","cwd":"/srv/api","prompt_id":"5008","permission_mode":"default","hook_event_name":"UserPromptSubmit","prompt":"hello"}"#;
    const END: &str = r#"{"session_id":"f86f8701","transcript_path":"/h/x.jsonl","cwd":"/srv/api","hook_event_name":"SessionEnd","reason":"other"}"#;

    #[test]
    fn the_three_calls_are_read() {
        let start = parse(START).unwrap();
        assert_eq!(start.event, HookEvent::SessionStart { source: StartSource::Startup });
        assert_eq!(start.session_id, "f86f8701-7df6-4074-8fe5-9325634d5ad3");
        assert_eq!((start.cwd.to_str(), start.pid), (Some("/srv/api/src"), Some(4711)));
        assert_eq!(start.directory(), std::path::Path::new("/srv/api"));
        assert!(start.may_inject() && !start.resumed() && !start.cleared());
        let prompt = parse(PROMPT).unwrap();
        assert_eq!((&prompt.event, prompt.event_name.as_str()), (&HookEvent::Prompt, "UserPromptSubmit"));
        let end = parse(END).unwrap();
        assert_eq!(end.event, HookEvent::SessionEnd { reason: EndReason::Other("other".into()) });
        assert!(!end.may_inject());
    }

    #[test]
    fn resumed_and_cleared_sessions_are_told_apart() {
        assert!(parse(&START.replace("startup", "resume")).unwrap().resumed());
        assert!(parse(&START.replace("startup", "compact")).unwrap().resumed());
        assert!(parse(&START.replace("startup", "clear")).unwrap().cleared());
        let unknown = parse(&START.replace("startup", "moonrise")).unwrap();
        assert!(!unknown.resumed() && !unknown.cleared());
        let cleared = parse(&END.replace("\"other\"", "\"clear\"")).unwrap();
        assert_eq!(cleared.event, HookEvent::SessionEnd { reason: EndReason::Clear });
    }

    #[test]
    fn without_the_environment_the_cwd_decides() {
        let call = parse_hook(START.as_bytes(), &BTreeMap::new()).unwrap();
        assert_eq!((call.project_dir.as_deref(), call.pid), (None, None));
        assert_eq!(call.directory(), std::path::Path::new("/srv/api/src"));
        let odd =
            BTreeMap::from([("CLAUDE_PID".into(), "0".into()), ("CLAUDE_PROJECT_DIR".into(), "x".into())]);
        let call = parse_hook(START.as_bytes(), &odd).unwrap();
        assert_eq!((call.project_dir, call.pid), (None, None));
    }

    #[test]
    fn garbage_is_an_error_that_repeats_nothing_of_it() {
        for garbage in
            ["", "hello", "[]", "{}", "{\"session_id\": 7}", "{\"session_id\": \"my secret", "\u{0}"]
        {
            let error = parse(garbage).unwrap_err();
            assert!(matches!(error, HookError::NotAHookCall { .. }), "{garbage}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(matches!(parse_hook(b"\xff\xfe{}", &env()), Err(HookError::NotAHookCall { .. })));
        let bad_id = parse(&START.replace("f86f8701-7df6", "a b\\u001b"));
        assert_eq!(bad_id, Err(HookError::BadField { field: "session_id" }));
        let bad_cwd = parse(&START.replace("/srv/api/src", "src"));
        assert_eq!(bad_cwd, Err(HookError::BadField { field: "cwd" }));
    }

    #[test]
    fn a_huge_prompt_is_refused_and_a_large_one_is_read() {
        let with_prompt = |size: usize| PROMPT.replace("hello", &"x".repeat(size));
        assert!(parse(&with_prompt(HOOK_INPUT_LIMIT_BYTES / 2)).is_ok());
        let error = parse(&with_prompt(HOOK_INPUT_LIMIT_BYTES)).unwrap_err();
        assert!(matches!(error, HookError::TooLarge { .. }));
    }

    #[test]
    fn the_limit_counts_as_javascript_does() {
        assert!(INJECTION_LIMIT.fits(&"ä".repeat(10_000)));
        assert!(!INJECTION_LIMIT.fits(&"x".repeat(10_001)));
        assert!(!INJECTION_LIMIT.fits(&"😀".repeat(5_001)));
    }

    proptest! {
        #[test]
        fn an_injection_is_one_line_that_gives_the_text_back(text in "\\PC*|[\\x00-\\x7f]*", name in "[A-Za-z]{1,20}") {
            let line = format_injection(&name, &text);
            prop_assert!(!line.contains(['\n', '\r']));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            let output = &value["hookSpecificOutput"];
            prop_assert_eq!(output["hookEventName"].as_str(), Some(name.as_str()));
            prop_assert_eq!(output["additionalContext"].as_str(), Some(text.as_str()));
        }

        #[test]
        fn no_input_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(parse_hook(&bytes, &env()).is_err());
        }
    }
}
