//! The four ways in which agent programs speak to a model, behind one face.
//!
//! A dialect reads a request into the common [`View`] and writes a [`Reply`] as its API would. It knows nothing of
//! scripts and of HTTP beyond the path that names it.

mod chat;
mod gemini;
mod messages;
mod responses;

use serde_json::Value;

use super::Reply;

/// What the model was given, in whichever dialect it was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// Every text as (role, text), in order; `prompt` is the role of the system prompt.
    pub(super) texts: Vec<(String, String)>,
    /// The names of the tools offered, as the program calls them.
    pub(super) tools: Vec<String>,
    /// Every tool result as (id of the call, text).
    pub(super) results: Vec<(String, String)>,
    /// Those of them that came after the model's last answer.
    pub(super) new_results: Vec<(String, String)>,
    /// The session that asks, where the request names it.
    pub(super) session_id: Option<String>,
}

/// One API of a model.
pub(super) trait Dialect: Sync {
    /// Reads a request.
    fn view(&self, body: &Value) -> View;

    /// What the program calls the tool that scripts call `name`: [`Reply::shell`] and [`Reply::mcp`] use the
    /// names of Claude Code.
    fn tool_name(&self, name: &str) -> String;

    /// The arguments of that tool, where they differ.
    fn tool_input(&self, _name: &str, input: &Value) -> Value {
        input.clone()
    }

    /// Whether the request at `path` wants events.
    fn streams(&self, _path: &str, body: &Value) -> bool {
        body["stream"] == true
    }

    /// The whole answer to the request `body`, for one that does not stream.
    fn whole(&self, reply: &Reply, body: &Value) -> Value;

    /// The same as server-sent events.
    fn events(&self, reply: &Reply, body: &Value) -> Vec<String>;

    /// An error.
    fn error(&self, status: u16, kind: &str, message: &str) -> Value {
        serde_json::json!({"type": "error", "error": {"type": kind, "code": status, "message": message}})
    }
}

/// The dialect of a request, if it asks for a turn of a model at all.
pub(super) fn of(method: &str, path: &str) -> Option<&'static dyn Dialect> {
    if method != "POST" {
        return None;
    }
    let (_, last) = path.rsplit_once('/')?;
    match last {
        "messages" if path.ends_with("/v1/messages") => Some(&messages::Messages),
        "responses" => Some(&responses::Responses),
        "completions" if path.ends_with("/chat/completions") => Some(&chat::Chat),
        _ if last.ends_with(":streamGenerateContent") || last.ends_with(":generateContent") => {
            Some(&gemini::Gemini)
        }
        _ => None,
    }
}

/// The server and the tool in `mcp__SERVER__TOOL`.
fn mcp_parts(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("mcp__")?.split_once("__")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a content that is a string or a list of parts with `text`.
fn part_texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A server-sent event without a name.
fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// A server-sent event that is named as its own `type`.
fn named(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}
