//! Gemini's `generateContent`, as Gemini CLI speaks it.
//!
//! What hooks add stands in the person's own text.

use serde_json::{Value, json};

use super::{Dialect, View, data, list, mcp_parts, part_texts, text_of};
use crate::stub_model::Reply;

pub(super) struct Gemini;

impl Dialect for Gemini {
    fn view(&self, body: &Value) -> View {
        let contents = list(&body["contents"]);
        let prompt = part_texts(&body["systemInstruction"]["parts"])
            .into_iter()
            .map(|text| ("prompt".to_owned(), text));
        let said = contents.iter().flat_map(|content| {
            let role = if content["role"] == "model" { "assistant" } else { "user" };
            part_texts(&content["parts"]).into_iter().map(move |text| (role.to_owned(), text))
        });
        let newer = contents.rsplit(|content| content["role"] == "model").next().unwrap_or_default();
        let declared = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
        View {
            texts: prompt.chain(said).collect(),
            tools: declared.filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect(),
            results: contents.iter().flat_map(results).collect(),
            new_results: newer.iter().flat_map(results).collect(),
            session_id: None,
        }
    }

    fn tool_name(&self, name: &str) -> String {
        match mcp_parts(name) {
            Some((server, tool)) => format!("mcp_{server}_{tool}"),
            None if name == "Bash" => "run_shell_command".to_owned(),
            None => name.to_owned(),
        }
    }

    fn streams(&self, path: &str, _body: &Value) -> bool {
        path.ends_with(":streamGenerateContent")
    }

    fn whole(&self, reply: &Reply, _body: &Value) -> Value {
        let part = match reply {
            Reply::Text(text) | Reply::Failure { kind: text, .. } => json!({ "text": text }),
            Reply::Tool { id, name, input } => {
                let call =
                    json!({"id": id, "name": self.tool_name(name), "args": self.tool_input(name, input)});
                json!({ "functionCall": call })
            }
        };
        let content = json!({"role": "model", "parts": [part]});
        json!({
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
            "modelVersion": "stub",
        })
    }

    fn events(&self, reply: &Reply, body: &Value) -> Vec<String> {
        vec![data(&self.whole(reply, body))]
    }

    fn error(&self, status: u16, kind: &str, message: &str) -> Value {
        json!({"error": {"code": status, "message": message, "status": kind}})
    }
}

fn results(content: &Value) -> Vec<(String, String)> {
    let of = |part: &Value| {
        let response = &part["functionResponse"];
        let id = response["id"].as_str().or_else(|| response["name"].as_str())?.to_owned();
        let said = &response["response"];
        let output = if said["output"].is_null() { said } else { &said["output"] };
        Some((id, text_of(output)))
    };
    list(&content["parts"]).iter().filter_map(of).collect()
}
