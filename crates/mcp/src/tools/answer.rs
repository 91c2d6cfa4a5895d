//! `answer`: answers a question that somebody asked.

use parlor_api::{Priority, Reply, Request};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::failure;
use super::send_message::{WAIT_MS, answer, new_request_id};
use crate::node_link::unexpected;
use crate::server::Server;
use crate::session;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// The question's id, as it stands beside it.
    id: String,
    /// The answer.
    text: String,
}

#[tool_router(router = answer_tool, vis = "pub(crate)")]
impl Server {
    #[tool(
        description = "Answer a question a colleague asked.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        )
    )]
    async fn answer(
        &self,
        Parameters(given): Parameters<Answer>,
        call: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let request_id = match new_request_id() {
            Ok(request_id) => request_id,
            Err(error) => return failure(&error),
        };
        let request = Request::Answer { entry: given.id, text: given.text, request_id, wait_ms: WAIT_MS };
        match self.node.ask(&session::named(&call.meta), request).await {
            Ok(Reply::Sent(sent)) => answer(&sent, Priority::Normal),
            Ok(_) => failure(&unexpected()),
            Err(error) => failure(&error),
        }
    }
}
