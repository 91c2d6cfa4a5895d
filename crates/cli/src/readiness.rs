//! The one line a node that was started in the background says about its start, through the pipe its starter
//! waits on. Must not be said before it is true.

use parlor_api::ApiError;
use serde::{Deserialize, Serialize};

/// How a start went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It serves.
    Ready,
    /// Another process holds the home.
    Busy {
        /// In words.
        error: ApiError,
    },
    /// It cannot be.
    Failed {
        /// In words.
        error: ApiError,
    },
}

impl Readiness {
    /// The line; [`Self::Ready`] is the node's own `ready`.
    pub fn line(&self) -> String {
        match self {
            Self::Ready => "ready\n".into(),
            other => serde_json::to_string(other).unwrap_or_default() + "\n",
        }
    }

    /// Reads the line; none when it is nothing a node says.
    pub fn read(line: &str) -> Option<Self> {
        let line = line.trim_end();
        if line == "ready" { Some(Self::Ready) } else { serde_json::from_str(line).ok() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_api::ErrorKind;

    use super::*;

    #[test]
    fn what_is_said_is_what_is_read() {
        let error = ApiError::new(ErrorKind::Machine, "a\nb").hint("c");
        for said in [Readiness::Ready, Readiness::Busy { error: error.clone() }, Readiness::Failed { error }]
        {
            assert_eq!(said.line().lines().count(), 1);
            assert_eq!(Readiness::read(&said.line()), Some(said));
        }
        assert_eq!(Readiness::read("hello\n"), None);
    }
}
