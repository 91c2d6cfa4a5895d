//! `config.toml`: what a human changed. A node reads it once, at the start, and never writes it; `file` changes it for
//! the command line. A file that cannot be read is an error that says where; a key nobody knows is a warning.

mod file;
mod keys;
mod relay;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use parlor_api::{ApiError, ErrorKind as Fault};
use serde::Deserialize;

use crate::home_dir::HomeDirError;
use crate::start::StartError;

pub use file::{ConfigFile, Setting};
pub use keys::{KEYS, Key, Otherwise, page};
pub use relay::RelaySetting;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Config {
    /// What this identity calls itself until `parlor nick` says otherwise.
    pub nick: Option<String>,
    /// The UDP port to be reached at.
    pub port: Option<u16>,
    /// Whether peers are looked for on the LAN; they are unless this says no.
    pub lan: Option<bool>,
    /// Through what peers are reached to whom no direct way leads.
    pub relay: Option<RelaySetting>,
    /// A PEM file with certificates by which a relay may be certified, beside those everybody trusts.
    pub relay_ca: Option<PathBuf>,
    /// Whether sessions of one directory are given a room of this machine; they are unless this says no.
    pub local_rooms: Option<bool>,
    /// Files up to this length are fetched by themselves, where that is allowed.
    pub files_auto_bytes: Option<u64>,
    /// Keys that mean nothing here.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

/// Why there is no telling what a human wanted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there and cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no configuration.
    #[error("{}, line {line}, column {column}: {message}", path.display())]
    Bad {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Nobody knows such a key.
    #[error("there is no key `{key}`")]
    Unknown {
        /// What was typed.
        key: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The key does not take this.
    #[error("{key}: {message}")]
    Value {
        /// Which.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// It is in no home.
    #[error(transparent)]
    Home(HomeDirError),
    /// It cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody else wrote it in between.
    #[error("{} was changed by another program meanwhile; nothing was changed", .0.display())]
    ChangedMeanwhile(PathBuf),
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        let error = match error {
            ConfigError::Home(error) => return StartError::from(error).into(),
            error => error,
        };
        let (kind, hint, near) = match &error {
            ConfigError::Home(_) | ConfigError::Read { .. } | ConfigError::Write { .. } => {
                (Fault::Machine, "it must be a file of yours, on a disk with some space", Vec::new())
            }
            ConfigError::Bad { .. } => (Fault::BadInput, "correct it, or move it away", Vec::new()),
            ConfigError::Unknown { near, .. } => {
                (Fault::NotFound, "`parlor config list` shows all", near.clone())
            }
            ConfigError::Value { .. } => {
                (Fault::BadInput, "nothing was changed; `parlor config list` says what it takes", Vec::new())
            }
            ConfigError::ChangedMeanwhile(_) => (Fault::Machine, "run this again", Vec::new()),
        };
        Self::new(kind, error.to_string()).hint(hint).candidates(near)
    }
}

impl Config {
    /// From the file, if there is one.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read { path: path.into(), source }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let bad = |error: toml::de::Error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            ConfigError::Bad { path: path.into(), line, column, message: error.message().to_owned() }
        };
        let all: toml::Table = toml::from_str(text).map_err(bad)?;
        let known: Self = toml::from_str(text).map_err(bad)?;
        let unknown = all.keys().filter(|name| KEYS.iter().all(|key| key.name != **name)).cloned().collect();
        Ok(Self { unknown, ..known })
    }
}

/// The one word that is made of what somebody wants to be called.
pub fn nick_of(text: &str) -> String {
    parlor_core::text::names::nick(text).into_string()
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/h/config.toml"), text)
    }

    #[test]
    fn what_is_known_is_read_and_what_is_not_is_named() {
        let config =
            parse("nick = \"alice\"\nport = 4711\nlan = false\nrelay = \"off\"\ncolour = \"red\"\n[more]\nurl = 1\n")
                .unwrap();
        let known = (config.nick.as_deref(), config.port, config.lan);
        assert_eq!(known, (Some("alice"), Some(4711), Some(false)));
        assert_eq!(config.relay, Some(RelaySetting::Off));
        assert_eq!(config.unknown, ["colour", "more"]);
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn an_absent_file_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::read(&dir.path().join("config.toml")).unwrap(), Config::default());
        assert!(matches!(Config::read(dir.path()), Err(ConfigError::Read { .. })));
    }

    #[test]
    fn a_corrupt_file_is_refused_with_its_place() {
        for (text, place) in [
            ("nick = \"alice\"\nport = = 1\n", "line 2, column 8"),
            ("nick = \"alice\"\nport = \"x\"\n", "line 2, column 8"),
            ("port = 70000\n", "line 1, column 8"),
            ("nick = \"alice", "line 1, column"),
            ("lan = true\nrelay = \"https://\"\n", "line 2, column 9"),
            ("relay = [\"https://a.example\"]\n", "line 1, column 9"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("/h/config.toml, ") && error.contains(place), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
