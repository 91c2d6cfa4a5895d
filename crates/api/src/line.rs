//! The lines of the socket: JSON Lines, one object each. The client sends hello and its first request in one
//! write; the node answers hello, then each request by its id.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::reply::{Event, Reply};
use crate::request::Request;

/// Who calls. Only facts; what follows from them is the node's business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The interface version the client speaks.
    pub api: u32,
    /// The client's own version.
    pub version: String,
    /// The client's executable, so that an older node can re-execute as it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<PathBuf>,
    /// `cli`, `hook`, `mcp`.
    pub surface: String,
    /// The client's working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// The client's parent process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_pid: Option<u32>,
    /// Whether a person sits at a terminal.
    #[serde(default)]
    pub terminal: bool,
    /// A fixed list of environment variables (see `parlor-agents`), those that are set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What the node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHello {
    /// The newest interface version the node speaks.
    pub api: u32,
    /// The node's version.
    pub version: String,
    /// The node's process.
    pub pid: u32,
    /// The client is newer: the node ends what it does and starts again as the client's executable; the client
    /// connects again.
    #[serde(default)]
    pub restarting: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestLine {
    /// Chosen by the client, unique on the connection.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClientLine {
    /// The first line.
    Hello {
        /// Who calls.
        hello: Hello,
    },
    /// Ends a running request.
    Cancel {
        /// Its id.
        cancel: u64,
    },
    /// A request.
    Request(RequestLine),
}

/// What the node may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NodeLine {
    /// The first line.
    Hello {
        /// What the node says of itself.
        hello: NodeHello,
    },
    /// The request is done.
    Ok {
        /// Of which request.
        id: u64,
        /// The answer.
        ok: Reply,
    },
    /// One of several things a request yields before it is done.
    Event {
        /// Of which request.
        id: u64,
        /// The thing.
        event: Event,
    },
    /// The request failed.
    Error {
        /// Of which request; 0 when the line itself was bad.
        id: u64,
        /// Why.
        error: ApiError,
    },
}
