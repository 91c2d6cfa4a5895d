//! Why a node does not start, in words for whoever started it.

use std::path::PathBuf;

use parlor_api::paths::HomeError;
use parlor_api::{ApiError, ErrorKind};
use parlor_store::StoreError;

use crate::config::ConfigError;
use crate::driver::RestoreError;
use crate::home_dir::HomeDirError;
use crate::identity_file::IdentityError;
use crate::lock::LockError;

/// Why a node did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home's path cannot hold a socket.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The home cannot be used.
    #[error(transparent)]
    HomeDir(#[from] HomeDirError),
    /// Another node runs for this home, or its lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no telling what `config.toml` says.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be written.
    #[error("the log {} cannot be written: {source}", path.display())]
    Log {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The socket cannot be bound.
    #[error("the socket {} cannot be bound: {source}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The network endpoint cannot be bound.
    #[error("no UDP port can be bound: {0}")]
    Endpoint(String),
    /// The operating system gives no threads, signals or timers.
    #[error("the operating system does not let a node run: {0}")]
    System(std::io::Error),
    /// The newer program could not be run.
    #[error("the newer Parlor could not be started: {0}")]
    Restart(std::io::Error),
    /// Nobody could find the node any more.
    #[error("{} was removed under the node, which ended", .0.display())]
    Lost(PathBuf),
    /// A part of the node broke.
    #[error("a part of the node broke, which is Parlor's fault")]
    Broken,
}

impl From<RestoreError> for StartError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Store(error) => Self::Store(error),
            RestoreError::Randomness(error) => Self::Randomness(error),
        }
    }
}

impl StartError {
    fn hint(&self) -> &'static str {
        match self {
            Self::Home(_) => "a home under your own home directory is short enough",
            Self::HomeDir(HomeDirError::NotAHome(_)) => {
                "look at what --home or PARLOR_HOME says; a new home is made in a directory that is empty or not there yet"
            }
            Self::HomeDir(_) | Self::Log { .. } | Self::Socket { .. } => {
                "it must be a directory of yours that can be written, on a disk with some space; or choose another with --home"
            }
            Self::Lock(LockError::Held { .. }) => "use it as it is, or end it with `parlor node stop`",
            Self::Lock(LockError::Io { .. }) => "the home must be a directory of yours that can be written",
            Self::Config(_) => "correct it, or move it away",
            Self::Identity(IdentityError::Damaged { .. }) => {
                "put a copy of it back; or move it away to begin as a new identity, which is in no room"
            }
            Self::Identity(IdentityError::Missing(_)) => {
                "put a copy of the key back; or move the whole home away to begin as a new identity, which is in no room"
            }
            Self::Identity(IdentityError::Io { .. }) => {
                "the home must be a directory of yours that can be written, on a disk with some space"
            }
            Self::Identity(IdentityError::Randomness(_)) | Self::Randomness(_) | Self::System(_) => {
                "this machine is short of something: look at its own log"
            }
            Self::Store(_) => "what was acknowledged is safe; once that is put right, start it again",
            Self::Endpoint(_) => "name a free port in config.toml, or look at what the system refuses",
            Self::Restart(_) => "run `parlor node run` of the newer one",
            Self::Lost(_) => "the next command starts a node where the home is now",
            Self::Broken => "look at `parlor node log` and report it; starting it again goes on where it was",
        }
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        let kind = match &error {
            StartError::Broken => ErrorKind::Internal,
            StartError::Config(ConfigError::Bad { .. }) => ErrorKind::BadInput,
            _ => ErrorKind::Machine,
        };
        Self::new(kind, error.to_string()).hint(error.hint())
    }
}
