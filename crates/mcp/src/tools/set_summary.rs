//! `set_summary`: tells the session's rooms what it is doing.

use parlor_api::{Reply, Request};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{failure, text};
use crate::node_link::unexpected;
use crate::server::Server;
use crate::session;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetSummary {
    /// One line.
    summary: String,
}

#[tool_router(router = set_summary_tool, vis = "pub(crate)")]
impl Server {
    #[tool(
        description = "Tell the room in one line what this session is doing.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = true
        )
    )]
    async fn set_summary(
        &self,
        Parameters(set): Parameters<SetSummary>,
        call: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let request = Request::SetSummary { summary: set.summary };
        match self.node.ask(&session::named(&call.meta), request).await {
            Ok(Reply::Done) => text("Summary set."),
            Ok(_) => failure(&unexpected()),
            Err(error) => failure(&error),
        }
    }
}
