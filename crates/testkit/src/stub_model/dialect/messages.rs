//! Anthropic Messages, as Claude Code speaks it.
//!
//! Messages of equal `id` are merged by Claude Code into one, so each gets its own.

use serde_json::{Value, json};

use super::{Dialect, View, list, named, part_texts};
use crate::stub_model::Reply;
use crate::stub_model::reply::fresh_id;

pub(super) struct Messages;

impl Dialect for Messages {
    fn view(&self, body: &Value) -> View {
        let messages = list(&body["messages"]);
        let prompt = part_texts(&body["system"]).into_iter().map(|text| ("prompt".to_owned(), text));
        let said = messages.iter().flat_map(|message| {
            let role = message["role"].as_str().unwrap_or_default();
            part_texts(&message["content"]).into_iter().map(move |text| (role.to_owned(), text))
        });
        let newer = messages.rsplit(|message| message["role"] == "assistant").next().unwrap_or_default();
        View {
            texts: prompt.chain(said).collect(),
            tools: list(&body["tools"])
                .iter()
                .filter_map(|tool| Some(tool["name"].as_str()?.to_owned()))
                .collect(),
            results: messages.iter().flat_map(tool_results).collect(),
            new_results: newer.iter().flat_map(tool_results).collect(),
            session_id: session_id(body),
        }
    }

    fn tool_name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn whole(&self, reply: &Reply, body: &Value) -> Value {
        json!({
            "id": fresh_id("msg"), "type": "message", "role": "assistant", "model": body["model"],
            "content": [block(reply).2], "stop_reason": stop_reason(reply), "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        })
    }

    fn events(&self, reply: &Reply, body: &Value) -> Vec<String> {
        let (begin, delta, _) = block(reply);
        let mut message = self.whole(reply, body);
        message["content"] = json!([]);
        message["stop_reason"] = Value::Null;
        let events = [
            json!({"type": "message_start", "message": message}),
            json!({"type": "content_block_start", "index": 0, "content_block": begin}),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta", "usage": {"output_tokens": 5},
                "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
            }),
            json!({"type": "message_stop"}),
        ];
        events.iter().map(named).collect()
    }
}

/// The session, as Claude Code names it in `metadata.user_id`.
fn session_id(body: &Value) -> Option<String> {
    let user: Value = serde_json::from_str(body["metadata"]["user_id"].as_str()?).ok()?;
    user["session_id"].as_str().map(str::to_owned)
}

fn tool_results(message: &Value) -> Vec<(String, String)> {
    let of = |block: &Value| {
        let id = block["tool_use_id"].as_str()?.to_owned();
        Some((id, part_texts(&block["content"]).join("\n")))
    };
    list(&message["content"]).iter().filter(|block| block["type"] == "tool_result").filter_map(of).collect()
}

fn stop_reason(reply: &Reply) -> &'static str {
    if matches!(reply, Reply::Tool { .. }) { "tool_use" } else { "end_turn" }
}

/// The content block as it begins, the delta that completes it, and both in one.
fn block(reply: &Reply) -> (Value, Value, Value) {
    match reply {
        Reply::Tool { id, name, input } => (
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
            json!({"type": "tool_use", "id": id, "name": name, "input": input}),
        ),
        Reply::Text(text) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            json!({"type": "text", "text": text}),
        ),
        Reply::Failure { kind, .. } => (Value::Null, Value::Null, json!({"type": "text", "text": kind})),
    }
}
