//! OpenAI chat completions, as OpenCode speaks it to any provider that is compatible.

use serde_json::{Value, json};

use super::{Dialect, View, data, list, mcp_parts, part_texts};
use crate::stub_model::Reply;
use crate::stub_model::reply::fresh_id;

pub(super) struct Chat;

impl Dialect for Chat {
    fn view(&self, body: &Value) -> View {
        let messages = list(&body["messages"]);
        let spoken = messages.iter().filter(|message| message["role"] != "tool");
        let said = spoken.flat_map(|message| {
            let role = message["role"].as_str().unwrap_or_default();
            let role = if role == "system" { "prompt" } else { role };
            part_texts(&message["content"]).into_iter().map(move |text| (role.to_owned(), text))
        });
        let newer = messages.rsplit(|message| message["role"] == "assistant").next().unwrap_or_default();
        let offered = list(&body["tools"]).iter().map(|tool| &tool["function"]["name"]);
        View {
            texts: said.collect(),
            tools: offered.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
            results: messages.iter().filter_map(result).collect(),
            new_results: newer.iter().filter_map(result).collect(),
            session_id: None,
        }
    }

    fn tool_name(&self, name: &str) -> String {
        match mcp_parts(name) {
            Some((server, tool)) => format!("{server}_{tool}"),
            None if name == "Bash" => "bash".to_owned(),
            None => name.to_owned(),
        }
    }

    fn tool_input(&self, name: &str, input: &Value) -> Value {
        if name != "Bash" {
            return input.clone();
        }
        json!({"command": input["command"], "description": "as the test scripted"})
    }

    fn whole(&self, reply: &Reply, body: &Value) -> Value {
        let mut message = self.message(reply);
        message["role"] = json!("assistant");
        let choice = json!({"index": 0, "message": message, "finish_reason": finish(reply)});
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
        json!({
            "id": fresh_id("chatcmpl"), "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [choice], "usage": usage,
        })
    }

    fn events(&self, reply: &Reply, body: &Value) -> Vec<String> {
        let id = fresh_id("chatcmpl");
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            json!({"id": id, "object": "chat.completion.chunk", "created": 0, "model": body["model"], "choices": [choice]})
        };
        let mut last = chunk(json!({}), json!(finish(reply)));
        last["usage"] = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
        let begun = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
        let mut events: Vec<String> =
            [begun, chunk(self.message(reply), Value::Null), last].iter().map(data).collect();
        events.push("data: [DONE]\n\n".to_owned());
        events
    }
}

impl Chat {
    fn message(&self, reply: &Reply) -> Value {
        match reply {
            Reply::Text(text) | Reply::Failure { kind: text, .. } => json!({ "content": text }),
            Reply::Tool { id, name, input } => {
                let arguments = self.tool_input(name, input).to_string();
                let function = json!({"name": self.tool_name(name), "arguments": arguments});
                json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": function}]})
            }
        }
    }
}

fn finish(reply: &Reply) -> &'static str {
    if matches!(reply, Reply::Tool { .. }) { "tool_calls" } else { "stop" }
}

fn result(message: &Value) -> Option<(String, String)> {
    if message["role"] != "tool" {
        return None;
    }
    Some((message["tool_call_id"].as_str()?.to_owned(), part_texts(&message["content"]).join("\n")))
}
