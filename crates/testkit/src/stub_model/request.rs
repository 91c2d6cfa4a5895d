//! What an agent program asked the model, and the questions tests have about it.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::dialect::{self, View};
use crate::error::shorten;

/// One recorded HTTP request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place in the order of arrival, from 1.
    pub number: usize,
    /// When it was here whole.
    pub arrived: Instant,
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
    /// Whether this is a turn of a conversation that a person or program holds, as opposed to what agent
    /// programs ask beside it (titles, summaries, token counts): only conversations offer tools.
    pub fn is_conversation(&self) -> bool {
        !self.view().tools.is_empty()
    }

    /// Whether this asks for a message at all.
    pub fn is_message(&self) -> bool {
        dialect::of(&self.method, &self.path).is_some()
    }

    /// The session that asks: Claude Code names it in `metadata.user_id`, Codex in `prompt_cache_key`, OpenCode in
    /// a header; Gemini CLI nowhere.
    pub fn session_id(&self) -> Option<String> {
        self.view().session_id.or_else(|| self.headers.get("x-session-id").cloned())
    }

    /// Every text given to the model as (role, text), in order: the system prompt as role `prompt`, then
    /// the messages (`user`, `assistant` and, for what hooks add, `system` in Claude Code and `developer` in
    /// Codex). Tool results are left out.
    pub fn texts(&self) -> Vec<(String, String)> {
        self.view().texts
    }

    /// The texts of one role, one below the other.
    pub fn text_of(&self, role: &str) -> String {
        let texts = self.texts().into_iter().filter(|(of, _)| of == role).map(|(_, text)| text);
        texts.collect::<Vec<_>>().join("\n")
    }

    /// How often `needle` occurs in all texts and tool results given to the model.
    pub fn count(&self, needle: &str) -> usize {
        let view = self.view();
        view.texts.iter().chain(&view.results).map(|(_, text)| text.matches(needle).count()).sum()
    }

    /// Whether `needle` occurs in them at all.
    pub fn contains(&self, needle: &str) -> bool {
        self.count(needle) > 0
    }

    /// The newest text of the person, without what the agent program put beside it.
    pub fn prompt(&self) -> Option<String> {
        let user = self.texts().into_iter().rev().filter(|(role, _)| role == "user").map(|(_, text)| text);
        user.into_iter().find(|text| !text.starts_with('<'))
    }

    /// The names of the tools the model may call, as the program calls them.
    pub fn tools(&self) -> Vec<String> {
        self.view().tools
    }

    /// Whether the model may call `name` right now, named as in [`super::Reply::tool`].
    pub fn offers_tool(&self, name: &str) -> bool {
        let own = dialect::of(&self.method, &self.path).map(|dialect| dialect.tool_name(name));
        own.is_some_and(|own| self.view().tools.contains(&own))
    }

    /// Every tool result in the conversation as (id of the call, text).
    pub fn tool_results(&self) -> Vec<(String, String)> {
        self.view().results
    }

    /// The tool results that came after the model's last answer.
    pub fn new_tool_results(&self) -> Vec<(String, String)> {
        self.view().new_results
    }

    /// One line for error messages.
    pub fn summary(&self) -> String {
        let said = self.texts().last().map(|(role, text)| format!("{role}: {text:?}")).unwrap_or_default();
        shorten(&format!("{}. {} {} {said}", self.number, self.method, self.path), 400)
    }

    fn view(&self) -> View {
        dialect::of(&self.method, &self.path).map(|dialect| dialect.view(&self.body)).unwrap_or_default()
    }
}
