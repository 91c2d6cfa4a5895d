//! What the agent program sees of the server: its name, its instructions, its tools. What a tool does stands in
//! `tools`.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool_handler};

use crate::in_flight::InFlight;
use crate::instructions::INSTRUCTIONS;
use crate::node_link::NodeLink;

/// The server.
pub(crate) struct Server {
    pub(crate) node: NodeLink,
    pub(crate) in_flight: Arc<InFlight>,
    tools: ToolRouter<Self>,
}

impl Server {
    /// A server that asks `node` and leaves its leases with `in_flight`.
    pub(crate) fn new(node: NodeLink, in_flight: Arc<InFlight>) -> Self {
        Self { node, in_flight, tools: Self::tools() }
    }

    /// This server with more tools, for tests of what no tool does yet.
    #[cfg(test)]
    pub(crate) fn with(mut self, more: ToolRouter<Self>) -> Self {
        self.tools += more;
        self
    }

    /// All tools.
    pub(crate) fn tools() -> ToolRouter<Self> {
        Self::send_message_tool()
            + Self::check_messages_tool()
            + Self::list_peers_tool()
            + Self::search_tool()
            + Self::set_summary_tool()
            + Self::ask_tool()
            + Self::answer_tool()
            + Self::wait_for_message_tool()
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("parlor", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}
