//! `config.toml`: what a human changed. Read once at the start, never written. A file that cannot be read is an
//! error that says where; a key nobody knows is a warning.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const KEYS: [&str; 3] = ["nick", "port", "lan"];

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Config {
    /// What this identity calls itself until `parlor nick` says otherwise.
    pub nick: Option<String>,
    /// The UDP port to be reached at.
    pub port: Option<u16>,
    /// Whether peers are looked for on the LAN; they are unless this says no.
    pub lan: Option<bool>,
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
        let unknown = all.keys().filter(|key| !KEYS.contains(&key.as_str())).cloned().collect();
        Ok(Self { unknown, ..known })
    }
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
            parse("nick = \"alice\"\nport = 4711\nlan = false\ncolour = \"red\"\n[relay]\nurl = 1\n")
                .unwrap();
        let known = (config.nick.as_deref(), config.port, config.lan);
        assert_eq!(known, (Some("alice"), Some(4711), Some(false)));
        assert_eq!(config.unknown, ["colour", "relay"]);
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
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("/h/config.toml, ") && error.contains(place), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
