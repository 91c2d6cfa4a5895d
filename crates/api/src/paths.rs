//! Where a home and its files are. Must not create anything.

use std::path::{Path, PathBuf};

/// The environment variable naming the home.
pub const HOME_VARIABLE: &str = "PARLOR_HOME";
/// The longest path of a Unix socket, without its final NUL: 108 on Linux, 104 on macOS; the smaller holds
/// everywhere.
pub const MAX_SOCKET_PATH_BYTES: usize = 103;

/// Why there is no home.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// Neither `--home`, `PARLOR_HOME` nor `HOME` says where.
    #[error("no home directory: set HOME, or name one with --home or PARLOR_HOME")]
    Unknown,
    /// Its socket could not be bound.
    #[error(
        "the path {0} is {1} bytes long and a socket's may have {MAX_SOCKET_PATH_BYTES}: choose a shorter home with --home or PARLOR_HOME"
    )]
    TooLong(PathBuf, usize),
}

/// A home directory and the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// The home to use: the one named, else `PARLOR_HOME`, else `~/.parlor`; absolute.
    pub fn find(named: Option<&Path>) -> Result<Self, HomeError> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let dir = named
            .map(Path::to_path_buf)
            .or_else(|| variable(HOME_VARIABLE))
            .or_else(|| variable("HOME").map(|home| home.join(".parlor")))
            .ok_or(HomeError::Unknown)?;
        Ok(Self { dir: std::path::absolute(&dir).unwrap_or(dir) })
    }

    /// A home at a path.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The node's socket, if its path is short enough to bind.
    pub fn socket(&self) -> Result<PathBuf, HomeError> {
        let path = self.dir.join("node.sock");
        let len = path.as_os_str().len();
        if len > MAX_SOCKET_PATH_BYTES { Err(HomeError::TooLong(path, len)) } else { Ok(path) }
    }

    /// What a human changed.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The identity's secret key.
    pub fn identity(&self) -> PathBuf {
        self.dir.join("identity.key")
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.db")
    }

    /// What messages are found by: derived from the store.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index.db")
    }

    /// Held by the running node; says its pid.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("node.lock")
    }

    /// The node's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// What agent programs that come over HTTP show to be let in.
    pub fn mcp_token(&self) -> PathBuf {
        self.dir.join("mcp.token")
    }

    /// Sealed files: those dropped here, and copies of those fetched.
    pub fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    /// The rooms' transcripts, and files that were fetched.
    pub fn rooms(&self) -> PathBuf {
        self.dir.join("rooms")
    }
}
