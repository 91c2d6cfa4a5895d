//! What an agent program asked the model, and the questions tests have about it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::shorten;

/// One recorded HTTP request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place in the order of arrival, from 1.
    pub number: usize,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; null when there is none or it is no JSON.
    pub body: Value,
}

impl Request {
    /// Whether this is a turn of a conversation that a person or program holds, as opposed to what Claude
    /// Code asks beside it (titles, summaries, token counts): only conversations offer tools.
    pub fn is_conversation(&self) -> bool {
        self.is_message() && self.body["tools"].as_array().is_some_and(|tools| !tools.is_empty())
    }

    /// Whether this asks for a message at all.
    pub fn is_message(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/v1/messages")
    }

    /// The session that asks, as Claude Code names it in `metadata.user_id`.
    pub fn session_id(&self) -> Option<String> {
        let user: Value = serde_json::from_str(self.body["metadata"]["user_id"].as_str()?).ok()?;
        user["session_id"].as_str().map(str::to_owned)
    }

    /// Every text given to the model as (role, text), in order: the system prompt as role `prompt`, then
    /// the messages (`user`, `assistant` and, for what hooks add, `system`). Tool results are left out.
    pub fn texts(&self) -> Vec<(String, String)> {
        let prompt = blocks(&self.body["system"]).into_iter().map(|block| ("prompt".to_owned(), block));
        let said = self.messages().iter().flat_map(|message| {
            let role = message["role"].as_str().unwrap_or_default();
            blocks(&message["content"]).into_iter().map(move |block| (role.to_owned(), block))
        });
        let text = |(role, block): (String, Value)| Some((role, block["text"].as_str()?.to_owned()));
        prompt.chain(said).filter_map(text).collect()
    }

    /// The texts of one role, one below the other.
    pub fn text_of(&self, role: &str) -> String {
        let texts = self.texts().into_iter().filter(|(of, _)| of == role).map(|(_, text)| text);
        texts.collect::<Vec<_>>().join("\n")
    }

    /// How often `needle` occurs in all texts and tool results given to the model.
    pub fn count(&self, needle: &str) -> usize {
        let texts = self.texts().into_iter().map(|(_, text)| text);
        let results = self.tool_results().into_iter().map(|(_, text)| text);
        texts.chain(results).map(|text| text.matches(needle).count()).sum()
    }

    /// Whether `needle` occurs in them at all.
    pub fn contains(&self, needle: &str) -> bool {
        self.count(needle) > 0
    }

    /// The newest text of the person, without what Claude Code put beside it.
    pub fn prompt(&self) -> Option<String> {
        let user = self.texts().into_iter().rev().filter(|(role, _)| role == "user").map(|(_, text)| text);
        user.into_iter().find(|text| !text.starts_with('<'))
    }

    /// Whether the model may call `name` right now.
    pub fn offers_tool(&self, name: &str) -> bool {
        self.body["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == name))
    }

    /// Every tool result in the conversation as (id of the call, text).
    pub fn tool_results(&self) -> Vec<(String, String)> {
        self.messages().iter().flat_map(tool_results).collect()
    }

    /// The tool results that came after the model's last answer.
    pub fn new_tool_results(&self) -> Vec<(String, String)> {
        let newer =
            self.messages().rsplit(|message| message["role"] == "assistant").next().unwrap_or_default();
        newer.iter().flat_map(tool_results).collect()
    }

    /// One line for error messages.
    pub fn summary(&self) -> String {
        let said = self.texts().last().map(|(role, text)| format!("{role}: {text:?}")).unwrap_or_default();
        shorten(&format!("{}. {} {} {said}", self.number, self.method, self.path), 400)
    }

    fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// The blocks of a content that may also be a plain string.
fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::Array(blocks) => blocks.clone(),
        Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
        _ => Vec::new(),
    }
}

fn tool_results(message: &Value) -> Vec<(String, String)> {
    let of = |block: Value| {
        let id = block["tool_use_id"].as_str()?.to_owned();
        let texts =
            blocks(&block["content"]).into_iter().filter_map(|part| part["text"].as_str().map(str::to_owned));
        Some((id, texts.collect::<Vec<_>>().join("\n")))
    };
    blocks(&message["content"])
        .into_iter()
        .filter(|block| block["type"] == "tool_result")
        .filter_map(of)
        .collect()
}
