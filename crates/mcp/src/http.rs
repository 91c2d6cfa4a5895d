//! The server over HTTP, on this machine only: one process for any number of agent programs that cannot, or should not,
//! start a server of their own. Asks the node like the server on standard input and output does. Must not listen on
//! any address but the loopback's, nor let anybody in without the token.

mod door;
pub(crate) mod exchange;
mod listener;
mod sessions;
mod token;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parlor_api::ApiError;
use parlor_api::paths::Home;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::door::Door;
pub use self::token::{Token, TokenError};
use crate::EnsureNode;
use crate::node_link::NodeLinks;

/// Where it listens when nothing else is said.
pub const DEFAULT_PORT: u16 = 7475;
/// Where on it the protocol is spoken.
const PATH: &str = "/mcp";
/// Bytes of randomness by which one run's sessions are told from another's.
const RUN_BYTES: usize = 4;

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The port cannot be listened on.
    #[error("port {port} of this machine cannot be listened on: {source}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system gave no runtime, or no randomness.
    #[error("the MCP server could not start, this machine refused it: {0}")]
    Runtime(std::io::Error),
}

/// Ends a server from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Lets what is at work come to its end, for a moment, and takes nothing more.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

/// Serves whoever shows the token until it is stopped. Blocks. `ready` is told where, once it listens.
pub fn run(
    home: &Home,
    env: BTreeMap<String, String>,
    ensure_node: impl Fn() -> Result<(), ApiError> + Send + Sync + 'static,
    (port, token): (u16, Token),
    ready: impl FnOnce(&str),
    stop: &Stop,
) -> Result<(), HttpError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::Runtime)?;
    let done = runtime.block_on(async {
        let listener = listen(port).await?;
        ready(&url_of(&listener)?);
        serve(home, env, Arc::new(ensure_node), listener, token, stop).await
    });
    // A thread may still sit in `ensure_node`; the process must not wait for it.
    runtime.shutdown_background();
    done
}

/// Listens on the loopback; port 0 is one that the system chooses.
pub async fn listen(port: u16) -> Result<TcpListener, HttpError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|source| HttpError::Port { port, source })
}

/// Where agent programs find what listens there.
pub fn url_of(listener: &TcpListener) -> Result<String, HttpError> {
    let address = listener.local_addr().map_err(HttpError::Runtime)?;
    Ok(format!("http://{address}{PATH}"))
}

/// Serves on a listener of [`listen`].
pub async fn serve(
    home: &Home,
    env: BTreeMap<String, String>,
    ensure_node: EnsureNode,
    listener: TcpListener,
    token: Token,
    stop: &Stop,
) -> Result<(), HttpError> {
    let port = listener.local_addr().map_err(HttpError::Runtime)?.port();
    let links = NodeLinks::new(home, env, run_name()?, ensure_node);
    let door = Door::new(links, token, port, stop.0.child_token());
    listener::serve(listener, Arc::new(door), &stop.0).await;
    Ok(())
}

fn run_name() -> Result<String, HttpError> {
    let mut bytes = [0; RUN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| HttpError::Runtime(error.into()))?;
    Ok(format!("http-{}", data_encoding::HEXLOWER.encode(&bytes)))
}
