//! What the stub says, in no dialect in particular.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

static COUNT: AtomicU64 = AtomicU64::new(1);

/// An id no other message or tool call of this process has.
pub(super) fn fresh_id(prefix: &str) -> String {
    format!("{prefix}_stub{:020}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// One answer of the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Plain text; ends the turn.
    Text(String),
    /// A call of one tool; the program answers with a further request that carries the result.
    Tool {
        /// The id by which the result refers to this call.
        id: String,
        /// The tool, such as `Bash` or `mcp__SERVER__TOOL`; other programs than Claude Code are told their own name of it.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// An error of the API.
    Failure {
        /// The HTTP status.
        status: u16,
        /// The kind, such as `overloaded_error`.
        kind: String,
    },
}

impl Reply {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A call of `name` with `input`.
    ///
    /// Tools of MCP servers are *deferred* in Claude Code: named, but without a schema until loaded. The
    /// stub therefore first calls `ToolSearch` with `select:NAME` when the request does not offer the
    /// tool, and makes this call in its next answer.
    pub fn tool(name: impl Into<String>, input: Value) -> Self {
        Self::Tool { id: fresh_id("toolu"), name: name.into(), input }
    }

    /// A call of the tool `tool` of the MCP server that is registered as `server`.
    pub fn mcp(server: &str, tool: &str, input: Value) -> Self {
        Self::tool(format!("mcp__{server}__{tool}"), input)
    }

    /// A call of the program's own shell.
    pub fn shell(command: &str) -> Self {
        Self::tool("Bash", json!({ "command": command }))
    }

    /// An error of the API.
    pub fn failure(status: u16, kind: impl Into<String>) -> Self {
        Self::Failure { status, kind: kind.into() }
    }
}
