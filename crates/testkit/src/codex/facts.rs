//! What was measured of Codex 0.169.0 on Linux, each constant held by a test in `tests/codex_real.rs` that runs
//! the program and fails when the program moves.
//!
//! Beyond the constants:
//!
//! - Hooks of `hooks.json` are skipped until their user has trusted them: without a word headless, after a dialog
//!   in a terminal that writes `[hooks.state."FILE:EVENT:GROUP:HOOK"] trusted_hash` into `config.toml`.
//! - A hook command of one program is a direct child of Codex, as is an MCP server over stdio.
//! - `SessionStart` runs with the first prompt, not when the terminal opens. `/new` makes a new session in the same
//!   process; the `SessionEnd` of both comes when the program ends, with reason `other`.
//! - What hooks add is a message of role `developer` that is exactly the text. The reason of a `Stop` that blocks
//!   is a message of role `user`, as [`is_stop_reason`] knows it.
//! - The newest models call tools from code they write; hooks then see the inner tool, and what they add arrives.
//! - The shell is called `Bash` towards hooks and `exec_command` towards the model.
//! - `codex queue` takes no override of the model. It reaches a session whose terminal is idle as a prompt of its
//!   person, hooks included, and says the same of a session that has ended.

/// Fields of every hook's stdin.
pub const STDIN: &[&str] = &["cwd", "hook_event_name", "session_id", "transcript_path"];
/// Fields of `SessionStart` beyond [`STDIN`]; `source` is `startup` or `resume`.
pub const SESSION_START_STDIN: &[&str] = &["model", "permission_mode", "source"];
/// Fields of `UserPromptSubmit` beyond [`STDIN`].
pub const PROMPT_STDIN: &[&str] = &["model", "permission_mode", "prompt", "turn_id"];
/// Fields of `PostToolUse` beyond [`STDIN`].
pub const TOOL_STDIN: &[&str] =
    &["model", "permission_mode", "tool_input", "tool_name", "tool_response", "tool_use_id", "turn_id"];
/// Fields of `Stop` beyond [`STDIN`].
pub const STOP_STDIN: &[&str] =
    &["last_assistant_message", "model", "permission_mode", "stop_hook_active", "turn_id"];
/// Fields of `SessionEnd` beyond [`STDIN`].
pub const SESSION_END_STDIN: &[&str] = &["reason"];

/// What an MCP server over stdio does not find of the environment Codex was started with, among what the test kit
/// sets: all but a short list of names is taken away, `PARLOR_HOME` with it.
pub const MCP_ENV_LACKS: &[&str] = &["GIT_CONFIG_NOSYSTEM", "PARLOR_HOME", "STUB_API_KEY"];

/// Whether `text` is the reason `reason` of a `Stop` hook, as the model is given it.
pub fn is_stop_reason(text: &str, reason: &str) -> bool {
    let escaped = reason.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.starts_with("<hook_prompt hook_run_id=\"stop:")
        && text.ends_with(&format!(">{escaped}</hook_prompt>"))
}
