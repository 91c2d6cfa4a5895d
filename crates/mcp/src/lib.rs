//! The MCP server of an agent program: the tools by which a session speaks and listens, over standard input
//! and output, or for several of them over HTTP on this machine. It asks the node for everything and keeps nothing
//! itself; over standard output goes only protocol.

mod connection;
#[cfg(test)]
mod double;
pub mod http;
mod in_flight;
mod instructions;
mod node_link;
mod server;
mod session;
mod task;
mod tools;
mod transport;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use parlor_api::ApiError;
use parlor_api::paths::Home;
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::in_flight::InFlight;
use crate::node_link::NodeLink;
use crate::server::Server;
use crate::transport::Transport;

/// Starts the node if none runs, and returns when it serves; may block.
pub type EnsureNode = Arc<dyn Fn() -> Result<(), ApiError> + Send + Sync>;

/// Why the server ended before its input did.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The operating system gave no runtime.
    #[error("the MCP server could not start, this machine refused it: {0}")]
    Runtime(#[from] std::io::Error),
    /// The other side did not open the connection as MCP wants it.
    #[error("the agent program did not open the connection as MCP wants it: {0}")]
    Opening(Box<ServerInitializeError>),
    /// A fault of ours.
    #[error("the MCP server broke off, which is Parlor's fault: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Serves on standard input and output until the input ends. Blocks.
pub fn run(
    home: Home,
    env: BTreeMap<String, String>,
    ensure_node: impl Fn() -> Result<(), ApiError> + Send + Sync + 'static,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let (input, output) = rmcp::transport::stdio_pipes();
        serve(home, env, Arc::new(ensure_node), input, output).await
    });
    // A thread may still sit in a read of standard input or in `ensure_node`; the process must not wait for it.
    runtime.shutdown_background();
    done
}

/// Serves on any pair of streams until `input` ends or `output` breaks.
pub async fn serve<R, W>(
    home: Home,
    env: BTreeMap<String, String>,
    ensure_node: EnsureNode,
    input: R,
    output: W,
) -> Result<(), RunError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let in_flight = Arc::new(InFlight::default());
    let server = Server::new(NodeLink::new(&home, env, ensure_node), in_flight.clone());
    match server.serve(Transport::new(input, output, in_flight)).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(RunError::Broken),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(RunError::Opening(Box::new(error))),
    }
}
