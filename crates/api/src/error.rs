//! Errors as they cross the socket: a kind a program can act on, a message a person can read, a hint what to do.

use serde::{Deserialize, Serialize};

/// Whose fault it is and what may be done; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Parlor's own fault.
    Internal,
    /// The request was put together wrongly.
    Usage,
    /// No such room, peer, entry.
    NotFound,
    /// More than one fits.
    Ambiguous,
    /// Not allowed to this caller.
    NotAllowed,
    /// The input is bad: a ticket, a text too long.
    BadInput,
    /// Nobody was reached in time.
    Unreached,
    /// This machine: disk, lock, version, socket.
    Machine,
    /// Interrupted by the user.
    Interrupted,
}

impl ErrorKind {
    /// The exit code of a command that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotFound | Self::Ambiguous => 3,
            Self::NotAllowed => 4,
            Self::BadInput => 5,
            Self::Unreached => 6,
            Self::Machine => 7,
            Self::Interrupted => 130,
        }
    }
}

/// An error with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What a program acts on.
    pub kind: ErrorKind,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do next, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What would have fitted, when a name is unknown or ambiguous.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, candidates: Vec::new() }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with candidates.
    pub fn candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }
}
