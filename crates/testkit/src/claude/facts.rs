//! What was measured of Claude Code 2.1.329 on Linux, each constant held by a test in
//! `tests/claude_real.rs` that runs the program and fails when the program moves.
//!
//! Beyond the constants:
//!
//! - A hook command runs as `/bin/sh -c COMMAND` in the session's directory; the parent of the command is
//!   that shell, *not* Claude Code, whose process id is `CLAUDE_PID`.
//! - An MCP server over stdio is a direct child of Claude Code: its parent process id equals the
//!   `CLAUDE_PID` of the hooks. It has no `CLAUDE_PID` itself. Its `CLAUDE_CODE_SESSION_ID` is that of the
//!   moment it was started; `/clear` gives the hooks a new one and leaves the MCP server running.
//! - `--continue` and `--resume ID` keep the session id, headless and interactive; a plain start and
//!   `/clear` make a new one. `/clear` runs `SessionEnd` (reason `clear`) of the old session before
//!   `SessionStart` (source `clear`) of the new one.
//! - What hooks add reaches the model inside a message of role `system` that follows the person's message
//!   (and further ones after tool results), as [`prompt_context`], [`start_context`] and
//!   [`tool_context`] write it; quotes, angle brackets and line breaks arrive as they are.
//! - A conversation is sent whole with every request, so what was injected once is in all later requests
//!   of that session, resumed ones included.
//! - Tools of MCP servers are deferred: their names stand in the first `system` message, their schemas
//!   appear in `tools` after a call of `ToolSearch` with `select:NAME`. The server's `instructions` are
//!   there from the start, under `# MCP Server Instructions`.
//! - Messages of the model with equal `id` are merged into one: a stub must number them.
//! - In `-p` the program waits for MCP servers before its first request and ends after `SessionEnd`.

/// Names a hook finds in its environment beyond what Claude Code itself was started with.
/// `CLAUDE_CODE_SESSION_ATTENDED` is 1 in a terminal and 0 headless; `CLAUDE_CODE_ENTRYPOINT` is `cli` or
/// `sdk-cli`.
pub const HOOK_ENV: &[&str] = &[
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "COREPACK_ENABLE_AUTO_PIN",
    "NoDefaultCurrentDirectoryInExePath",
    "PWD",
];

/// What hooks of a session in a terminal have beyond [`HOOK_ENV`].
pub const TERMINAL_HOOK_ENV: &[&str] = &["COLUMNS", "LINES"];

/// What only `SessionStart` has beyond [`HOOK_ENV`].
pub const SESSION_START_ENV: &[&str] = &["CLAUDE_ENV_FILE"];

/// What only `Stop` and the tool hooks have beyond [`HOOK_ENV`].
pub const TURN_ENV: &[&str] = &["CLAUDE_EFFORT"];

/// Names of [`HOOK_ENV`] that `SessionEnd` has lost when the whole program ends.
pub const SESSION_END_LACKS: &[&str] = &["CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_CODE_MESSAGING_TOKEN"];

/// Names an MCP server over stdio finds in its environment beyond what Claude Code was started with.
pub const MCP_ENV: &[&str] = &[
    "AI_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_LAUNCHED_BY_SESSION_IDS",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PROJECT_DIR",
    "COREPACK_ENABLE_AUTO_PIN",
    "NoDefaultCurrentDirectoryInExePath",
];

/// Fields of every hook's stdin.
pub const STDIN: &[&str] = &["cwd", "hook_event_name", "session_id", "transcript_path"];

/// Fields of `SessionStart` beyond [`STDIN`]. Headless and after `/clear` there is `source` only; a start in
/// a terminal adds `model`; a resume adds [`RESUME_STDIN`].
pub const SESSION_START_STDIN: &[&str] = &["source"];

/// Fields of `SessionStart` after a resume, beyond [`STDIN`] and [`SESSION_START_STDIN`].
pub const RESUME_STDIN: &[&str] = &[
    "context_tokens",
    "estimated_cache_write_usd",
    "prompt_cache_likely_expired",
    "seconds_since_last_response",
];

/// Fields of `UserPromptSubmit` beyond [`STDIN`].
pub const PROMPT_STDIN: &[&str] = &["permission_mode", "prompt", "prompt_id"];

/// Fields of `PostToolUse` beyond [`STDIN`]; tools of MCP servers add `mcp_server`.
pub const TOOL_STDIN: &[&str] = &[
    "duration_ms",
    "effort",
    "permission_mode",
    "prompt_id",
    "tool_input",
    "tool_name",
    "tool_response",
    "tool_use_id",
];

/// Fields of `Stop` beyond [`STDIN`].
pub const STOP_STDIN: &[&str] = &[
    "background_tasks",
    "effort",
    "last_assistant_message",
    "permission_mode",
    "prompt_id",
    "session_crons",
    "stop_hook_active",
];

/// Fields of `SessionEnd` beyond [`STDIN`]. `reason` is `other` headless, `prompt_input_exit` after `/exit`,
/// `clear` after `/clear`.
pub const SESSION_END_STDIN: &[&str] = &["prompt_id", "reason"];

/// How the additional context of `UserPromptSubmit` stands in the request.
pub fn prompt_context(text: &str) -> String {
    format!("UserPromptSubmit hook additional context: {text}")
}

/// How the additional context of `SessionStart` stands in the request.
pub fn start_context(text: &str) -> String {
    format!("SessionStart hook additional context: {text}")
}

/// How the additional context of `PostToolUse` of `tool` stands in the request.
pub fn tool_context(tool: &str, text: &str) -> String {
    format!("PostToolUse:{tool} hook additional context: {text}")
}

/// How the text of a hook of `event` stands in the request that it woke the session with; the session is told that
/// this is no input of its person.
pub fn wake_context(event: &str, text: &str) -> String {
    format!("{event} hook blocking error from command \"{event}\": {text}")
}
