//! What the agent program sees of the server: its name, its instructions, its tools, whichever way it came. What a tool
//! does stands in `tools`.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams, CompleteResult,
    ExperimentalCapabilities, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsRequestMethod, ListPromptsResult, ListResourceTemplatesRequestMethod,
    ListResourceTemplatesResult, ListResourcesRequestMethod, ListResourcesResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};

use crate::http::exchange::Exchange;
use crate::in_flight::InFlight;
use crate::instructions::INSTRUCTIONS;
use crate::node_link::NodeLink;

/// By which Claude Code may be told something between prompts. Nothing relies on it: most of its installations do not
/// look at it.
const CHANNEL: &str = "claude/channel";

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
            + Self::drop_file_tool()
            + Self::get_file_tool()
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
        let channel = ExperimentalCapabilities::from([(CHANNEL.to_owned(), Default::default())]);
        let can = ServerCapabilities::builder().enable_experimental_with(channel).enable_tools().build();
        ServerConfig::new(can)
            .with_server_info(Implementation::new("parlor", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.node.begin_session();
        let answer = self.negotiate_initialize(&request);
        context.peer.set_peer_info(request);
        answer
    }

    /// Over HTTP the answer is written by the exchange the call came in.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (id, exchange) = (context.id.clone(), Exchange::of(&context.extensions).cloned());
        let is_http = exchange.is_some();
        if let Some(exchange) = exchange {
            self.in_flight.begin_over_http(id.clone(), exchange);
        }
        let answer = self.tools.call(ToolCallContext::new(self, request, context)).await;
        if is_http {
            self.in_flight.end(&id);
        }
        answer
    }

    // The library answers these with empty lists. What is not offered in `get_info` is not there.

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }
}
