//! What the stub says, and how the Messages API writes it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

static COUNT: AtomicU64 = AtomicU64::new(1);

/// An id no other message or tool call of this process has. Claude Code merges messages of equal id.
fn fresh_id(prefix: &str) -> String {
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
        /// The tool, such as `Bash` or `mcp__SERVER__TOOL`.
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

    /// An error of the API.
    pub fn failure(status: u16, kind: impl Into<String>) -> Self {
        Self::Failure { status, kind: kind.into() }
    }

    fn stop_reason(&self) -> &'static str {
        if matches!(self, Self::Tool { .. }) { "tool_use" } else { "end_turn" }
    }

    /// The content block as it begins, the delta that completes it, and both in one.
    fn block(&self) -> (Value, Value, Value) {
        match self {
            Self::Tool { id, name, input } => (
                json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                json!({"type": "input_json_delta", "partial_json": input.to_string()}),
                json!({"type": "tool_use", "id": id, "name": name, "input": input}),
            ),
            Self::Text(text) => (
                json!({"type": "text", "text": ""}),
                json!({"type": "text_delta", "text": text}),
                json!({"type": "text", "text": text}),
            ),
            Self::Failure { kind, .. } => (Value::Null, Value::Null, json!({"type": "text", "text": kind})),
        }
    }

    /// The whole message, for a request that does not stream.
    pub(super) fn message(&self, model: &Value) -> Value {
        json!({
            "id": fresh_id("msg"), "type": "message", "role": "assistant", "model": model,
            "content": [self.block().2], "stop_reason": self.stop_reason(), "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        })
    }

    /// The same as server-sent events.
    pub(super) fn events(&self, model: &Value) -> Vec<String> {
        let (begin, delta, _) = self.block();
        let mut message = self.message(model);
        message["content"] = json!([]);
        message["stop_reason"] = Value::Null;
        let events = [
            json!({"type": "message_start", "message": message}),
            json!({"type": "content_block_start", "index": 0, "content_block": begin}),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta", "usage": {"output_tokens": 5},
                "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
            }),
            json!({"type": "message_stop"}),
        ];
        let line = |event: Value| {
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
        };
        events.into_iter().map(line).collect()
    }
}
