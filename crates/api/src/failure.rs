//! What can go wrong between a client and its node, each told apart, and each in the words people are shown.

use std::path::PathBuf;

use crate::error::{ApiError, ErrorKind};
use crate::lines::LineTooLong;
use crate::paths::HomeError;
use crate::{API_VERSION, MAX_LINE_BYTES};

/// Why a request has no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The home cannot hold a socket.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Nobody listens: there is no socket, or it is a dead node's.
    #[error("no node is running for {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket is there and may not be used.
    #[error("the node's socket {} cannot be used: {source}", .path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The node answers that it starts again, to become as new as the client.
    #[error("the node is starting again")]
    Restarting,
    /// The two do not understand each other.
    #[error("this Parlor speaks version {API_VERSION} of the node's interface, and the running node {node}")]
    Skew {
        /// What the node speaks.
        node: u32,
    },
    /// The connection ended before the answer.
    #[error("the node hung up before it answered")]
    Broken {
        /// Whether the node had begun to serve this connection, so that the request may have been done.
        served: bool,
    },
    /// No answer in time.
    #[error("the node did not answer within {timeout_ms} ms")]
    TimedOut {
        /// How long it had.
        timeout_ms: u64,
    },
    /// The answer is no line of this interface.
    #[error("the node's answer cannot be understood: {0}")]
    Garbage(String),
    /// The answer does not end.
    #[error("the node's answer cannot be understood: {0}")]
    AnswerTooLong(#[from] LineTooLong),
    /// The request does not fit a line.
    #[error("the request is {0} bytes long and may have {MAX_LINE_BYTES}")]
    RequestTooLong(usize),
    /// Ended by its own caller.
    #[error("interrupted")]
    Cancelled,
    /// The node's own word.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

impl ClientError {
    /// Whether it is certain that the node has not done what was asked.
    pub fn is_undone(&self) -> bool {
        matches!(self, Self::NotRunning(_) | Self::Restarting | Self::Broken { served: false })
    }

    /// Whether asking again, once a node is there, may bring the answer; what is not repeatable must be
    /// [undone](Self::is_undone) too.
    pub fn is_passing(&self) -> bool {
        self.is_undone() || matches!(self, Self::Broken { .. })
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotRunning(_) => Some("start it with `parlor node run`, or with any other command"),
            Self::Socket { .. } => {
                Some("the home must belong to you; see who owns it, or choose another with --home")
            }
            Self::Skew { node } if *node > API_VERSION => Some("update this Parlor"),
            Self::Skew { .. } | Self::Restarting => Some("run `parlor node stop`, then try again"),
            Self::Broken { .. } => Some("try again; what happened to it is in `parlor node log`"),
            Self::TimedOut { .. } => {
                Some("it is busy or stuck: look at `parlor node log`, then `parlor node stop`")
            }
            Self::Garbage(_) | Self::AnswerTooLong(_) => {
                Some("node and command may be of different versions: run `parlor node stop`, then try again")
            }
            Self::RequestTooLong(_) => Some("make it shorter"),
            Self::Home(_) | Self::Cancelled | Self::Refused(_) => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Home(_)
            | Self::NotRunning(_)
            | Self::Socket { .. }
            | Self::Restarting
            | Self::Skew { .. }
            | Self::Broken { .. }
            | Self::TimedOut { .. } => ErrorKind::Machine,
            Self::Garbage(_) | Self::AnswerTooLong(_) => ErrorKind::Internal,
            Self::RequestTooLong(_) => ErrorKind::BadInput,
            Self::Cancelled => ErrorKind::Interrupted,
            Self::Refused(error) => error.kind,
        }
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        let (kind, message, hint) = (error.kind(), error.to_string(), error.hint());
        match (error, hint) {
            (ClientError::Refused(refused), _) => refused,
            (_, Some(hint)) => Self::new(kind, message).hint(hint),
            (_, None) => Self::new(kind, message),
        }
    }
}
