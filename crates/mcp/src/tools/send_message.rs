//! `send_message`: says something in a room.

use parlor_api::{ApiError, ErrorKind, Form, Priority, Reply, Request, Sent};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ask::how_far;
use super::{failure, text};
use crate::node_link::unexpected;
use crate::server::Server;
use crate::session;

/// How long the node may wait for others' acknowledgements, so that the answer can say who was reached.
pub(super) const WAIT_MS: u64 = 500;
/// So many characters of an id are shown to people.
pub(super) const SHORT_ID_CHARS: usize = 8;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendMessage {
    /// What to say.
    text: String,
    /// For these alone: a peer, peer/session, program/session of this machine, or @tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    to: Option<String>,
    /// Another room than this directory's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    room: Option<String>,
    /// normal (default): heard at the next prompt; now: between two tools; low: only counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Urgency")]
    priority: Option<Urgency>,
    /// ack: I heard you; progress: how far I am. Disturbs nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Kind")]
    form: Option<Kind>,
}

/// The values of `form`, with a schema.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Kind {
    Ack,
    Progress,
}

impl From<Kind> for Form {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ack => Self::Ack,
            Kind::Progress => Self::Progress,
        }
    }
}

/// The values of `priority`, with a schema.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Urgency {
    Low,
    Normal,
    Now,
}

impl From<Urgency> for Priority {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Low => Self::Low,
            Urgency::Normal => Self::Normal,
            Urgency::Now => Self::Now,
        }
    }
}

#[tool_router(router = send_message_tool, vis = "pub(crate)")]
impl Server {
    #[tool(
        description = "Say something to everybody in the room, or to some alone.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn send_message(
        &self,
        Parameters(message): Parameters<SendMessage>,
        call: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let request_id = match new_request_id() {
            Ok(request_id) => request_id,
            Err(error) => return failure(&error),
        };
        let priority = message.priority.map(Priority::from).unwrap_or_default();
        let request = Request::Send {
            room: message.room,
            to: message.to,
            text: message.text,
            request_id,
            priority,
            form: message.form.map(Form::from),
            wait_ms: WAIT_MS,
        };
        match self.node.ask(&session::named(&call.meta), request).await {
            Ok(Reply::Sent(sent)) => answer(&sent, priority),
            Ok(_) => failure(&unexpected()),
            Err(error) => failure(&error),
        }
    }
}

pub(super) fn new_request_id() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        ApiError::new(ErrorKind::Machine, format!("the operating system gives no randomness: {error}"))
    })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

/// How many of the other members have it; of nobody's none is said to lack it.
pub(super) fn reached(reached: u64, of: u64) -> String {
    if of == 0 { "on no other machine".to_owned() } else { format!("reached {reached} of {of}") }
}

pub(super) fn answer(sent: &Sent, priority: Priority) -> CallToolResult {
    let id: String = sent.id.chars().take(SHORT_ID_CHARS).collect();
    let mut words = format!("{id} stored · {}", reached(sent.reached, sent.of));
    words += &sent.tagged.map(|count| format!(" · {count} present with that tag")).unwrap_or_default();
    for warning in &sent.warnings {
        words += "\n";
        words += warning;
    }
    if priority == Priority::Now {
        sent.far.iter().filter(|far| far.waits()).for_each(|far| words += &format!("\n{}", how_far(far)));
    }
    let mut result = text(words);
    result.structured_content = Some(serde_json::json!({
        "state": "stored",
        "id": sent.id,
        "room": sent.room,
        "room_name": sent.room_name,
        "reached": sent.reached,
        "of": sent.of,
        "warnings": sent.warnings,
        "far": sent.far,
    }));
    result
}
