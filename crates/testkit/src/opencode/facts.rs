//! What was measured of OpenCode 1.18.33 on Linux, each held by a test in `tests/opencode_real.rs` that runs the
//! program and fails when the program moves.
//!
//! - A plugin of one file in `~/.config/opencode/plugin` is loaded as it is. With a plugin OpenCode waits at its start
//!   for npm to bring `@opencode-ai/plugin`, unless an earlier start brought it; without a network that is 70 s.
//! - `chat.message` adds a text part to the person's message, which reaches the model as it is, in the request for a
//!   title as well.
//! - `tool.execute.after` adds to the result: to `output.output` of its own tools, to `output.content` of tools of an
//!   MCP server, whose `output.output` is looked at by nobody.
//! - The plugin is told the session in every call, runs in the process `OPENCODE_PID`, and an MCP server over stdio
//!   is a child of that process and has its whole environment. Calls of tools do not name the session.
//! - After a call that succeeded comes a stray `notifications/cancelled`.
//! - The plugin wakes an idle session by `client.session.promptAsync`; `chat.message` runs for that prompt, too.
//! - A plugin that throws takes its prompt with it: a plugin must catch everything itself.
//! - Requests carry the session in the header `x-session-id`; tools of an MCP server are called `SERVER_TOOL`.
//! - `opencode export SESSION` prints the conversation, with what was added.

/// Names an MCP server over stdio finds in its environment beyond what OpenCode was started with.
pub const MCP_ENV: &[&str] = &["AGENT", "OPENCODE", "OPENCODE_PID"];
