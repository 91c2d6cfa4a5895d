//! The JSON that agent programs write to a hook's stdin: the fields several of them share, and what a value must be like to be
//! used. Must not know which program words what; each folder does.

use std::path::PathBuf;

use serde::Deserialize;

use crate::hook::{EndReason, HOOK_INPUT_LIMIT_BYTES, HookCall, HookError, HookEvent, StartSource};

const ID_LIMIT_BYTES: usize = 128;
const PATH_LIMIT_BYTES: usize = 4096;

/// What Parlor reads of a hook's JSON; the rest, the prompt and what tools gave among it, is passed over.
#[derive(Deserialize)]
pub(crate) struct Input {
    session_id: String,
    cwd: String,
    pub(crate) hook_event_name: String,
    source: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    stop_hook_active: bool,
    transcript_path: Option<String>,
}

impl Input {
    /// Reads a hook's stdin.
    pub(crate) fn read(stdin: &[u8]) -> Result<Self, HookError> {
        if stdin.len() > HOOK_INPUT_LIMIT_BYTES {
            return Err(HookError::TooLarge { size_bytes: stdin.len() });
        }
        serde_json::from_slice(stdin).map_err(|error| not_a_call(&error))
    }

    /// The start of a session, by the word for how.
    pub(crate) fn start(&self) -> Result<HookEvent, HookError> {
        let source = match self.source.as_deref().unwrap_or("startup") {
            "startup" => StartSource::Startup,
            "resume" => StartSource::Resume,
            "clear" => StartSource::Clear,
            "compact" => StartSource::Compact,
            other => StartSource::Other(word("source", other.into())?),
        };
        Ok(HookEvent::SessionStart { source })
    }

    /// The end of a session, by the word for why.
    pub(crate) fn end(&self) -> Result<HookEvent, HookError> {
        let reason = match self.reason.as_deref().unwrap_or("other") {
            "clear" => EndReason::Clear,
            "resume" => EndReason::Resume,
            "prompt_input_exit" | "logout" | "exit" => EndReason::Exit,
            other => EndReason::Other(word("reason", other.into())?),
        };
        Ok(HookEvent::SessionEnd { reason })
    }

    /// The call, at this event of this program, in the process that the program says.
    pub(crate) fn call(
        self,
        program: &'static str,
        event: HookEvent,
        pid: Option<&String>,
    ) -> Result<HookCall, HookError> {
        Ok(HookCall {
            program,
            event,
            event_name: word("hook_event_name", self.hook_event_name)?,
            session_id: word("session_id", self.session_id)?,
            cwd: absolute(&self.cwd).ok_or(HookError::BadField { field: "cwd" })?,
            project_dir: None,
            pid: pid.and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
            stop_active: self.stop_hook_active,
            transcript: self.transcript_path.as_deref().and_then(absolute),
        })
    }
}

// The parser's own words may repeat what it read, and that may be a prompt: only their kind and place go on.
fn not_a_call(error: &serde_json::Error) -> HookError {
    use serde_json::error::Category;
    let kind = match error.classify() {
        Category::Io => "unreadable",
        Category::Syntax => "no JSON",
        Category::Data => "a field is missing or of the wrong type",
        Category::Eof => "it ends early",
    };
    HookError::NotAHookCall { detail: format!("{kind}, line {} column {}", error.line(), error.column()) }
}

/// A short word of plain letters, as ids and names of events are.
fn word(field: &'static str, text: String) -> Result<String, HookError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let usable = !text.is_empty() && text.len() <= ID_LIMIT_BYTES && text.chars().all(plain);
    if usable { Ok(text) } else { Err(HookError::BadField { field }) }
}

/// An absolute path of a length that paths have.
pub(crate) fn absolute(text: &str) -> Option<PathBuf> {
    let usable = text.starts_with('/') && text.len() <= PATH_LIMIT_BYTES && !text.contains('\0');
    usable.then(|| text.into())
}

/// The one line that Claude Code, Codex and Gemini CLI read from a hook that exits 0: `text` as context for the model, at the
/// hook called `event_name`.
pub(crate) fn additional_context(event_name: &str, text: &str) -> String {
    serde_json::json!({
        "hookSpecificOutput": { "hookEventName": event_name, "additionalContext": text }
    })
    .to_string()
}

/// The one line with which they go on instead of stopping, `text` being why.
pub(crate) fn block(text: &str) -> String {
    serde_json::json!({ "decision": "block", "reason": text }).to_string()
}

/// Whether, in a record of one JSON value a line, the model has spoken at or after a line that was put before it and holds
/// `mark`. A line that is cut is no evidence.
pub(crate) fn answered_after(
    tail: &str,
    mark: &str,
    is_given: impl Fn(&serde_json::Value) -> bool,
    is_models: impl Fn(&serde_json::Value) -> bool,
) -> bool {
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let mut lines = tail.lines();
    let given = lines.any(|line| line.contains(mark) && value(line).is_some_and(|line| is_given(&line)));
    given && lines.any(|line| value(line).is_some_and(|line| is_models(&line)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_model_answered_after_it_was_given_counts_as_shown() {
        let shown = |tail: &str| {
            answered_after(tail, "86b7", |line| line["by"] == "hook", |line| line["by"] == "model")
        };
        let (given, answer) = (r#"{"by":"hook","text":"marked 86b7"}"#, r#"{"by":"model"}"#);
        assert!(shown(&format!("{given}\n{{}}\n{answer}\n")));
        for tail in [
            String::new(),
            given.into(),
            format!("{answer}\n{given}\n"),
            format!("{}\n{answer}\n", given.replace("86b7", "86b8")),
            format!("{}\n{answer}\n", given.replace("hook", "user")),
            format!("{}\n{answer}\n", &given[4..]),
            format!("{given}\n{}", &answer[..8]),
        ] {
            assert!(!shown(&tail), "{tail}");
        }
    }
}
