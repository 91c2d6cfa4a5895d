//! What was measured of Gemini CLI 0.61.0 on Linux, each constant held by a test in `tests/gemini_real.rs` that
//! runs the program and fails when the program moves.
//!
//! Beyond the constants:
//!
//! - A hook whose command is missing blocks the prompt; behind `2>/dev/null || exit 0` it does not.
//! - Timeouts are in milliseconds.
//! - What hooks add stands in `<hook_context>`, its angle brackets escaped ([`context`]): of `SessionStart` before the
//!   prompt, of `BeforeAgent` as a second part of the person's message, of `AfterTool` behind the tool's result. After
//!   `/clear` what `SessionStart` adds does not reach the model.
//! - The reason of an `AfterAgent` that blocks comes as the person's text as it is, and `BeforeAgent` runs for it.
//! - Hooks are given `CLAUDE_PROJECT_DIR` beside `GEMINI_PROJECT_DIR`.
//! - Hooks and MCP servers over stdio are children of the same process, which in a terminal is a child of the one
//!   the terminal started. Calls of tools do not name the session.
//! - Tools of an MCP server are called `mcp_SERVER_TOOL` and are offered from the start.
//! - `SessionEnd` may run several times at the end of a terminal.

/// Fields of every hook's stdin.
pub const STDIN: &[&str] = &["cwd", "hook_event_name", "session_id", "timestamp", "transcript_path"];
/// Fields of `SessionStart` beyond [`STDIN`]; `source` is `startup`, `resume` or `clear`.
pub const SESSION_START_STDIN: &[&str] = &["source"];
/// Fields of `BeforeAgent` beyond [`STDIN`].
pub const PROMPT_STDIN: &[&str] = &["prompt"];
/// Fields of `AfterTool` beyond [`STDIN`]; tools of MCP servers add `mcp_context`.
pub const TOOL_STDIN: &[&str] = &["tool_input", "tool_name", "tool_response"];
/// Fields of `AfterAgent` beyond [`STDIN`].
pub const STOP_STDIN: &[&str] = &["prompt", "prompt_response", "stop_hook_active"];
/// Fields of `SessionEnd` beyond [`STDIN`]; `reason` is `exit` or `clear`.
pub const SESSION_END_STDIN: &[&str] = &["reason"];

/// Names a hook finds in its environment beyond what Gemini CLI was started with.
pub const HOOK_ENV: &[&str] = &[
    "CLAUDE_PROJECT_DIR",
    "GEMINI_CLI_NO_RELAUNCH",
    "GEMINI_CWD",
    "GEMINI_PLANS_DIR",
    "GEMINI_PROJECT_DIR",
    "GEMINI_SESSION_ID",
];
/// What an MCP server over stdio does not find of the environment Gemini CLI was started with.
pub const MCP_ENV_LACKS: &[&str] = &["GEMINI_API_KEY"];

/// How what a hook adds stands in the request.
pub fn context(text: &str) -> String {
    format!("<hook_context>{}</hook_context>", text.replace('<', "&lt;").replace('>', "&gt;"))
}
