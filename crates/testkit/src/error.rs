//! The one error of the test kit. Its `Debug` is its message, so that `unwrap()` in a test prints
//! something a person can act on.

use std::path::PathBuf;
use std::time::Duration;

/// What went wrong while driving a real thing.
#[derive(thiserror::Error)]
pub enum Error {
    /// The machine lacks a program or a right.
    #[error("this test needs {what}: {install}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to get it.
        install: String,
    },
    /// A file system operation failed.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was attempted, such as "cannot write".
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program ran and said no.
    #[error("`{command}` ended with {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// The exit status in words.
        status: String,
        /// What it wrote on stdout, shortened.
        stdout: String,
        /// What it wrote on stderr, shortened.
        stderr: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {after:?}\n{seen}")]
    Timeout {
        /// What was awaited.
        what: String,
        /// For how long.
        after: Duration,
        /// What was there instead.
        seen: String,
    },
    /// A program answered in a form it should not.
    #[error("{what}: {answer}")]
    Answer {
        /// What is wrong with the answer.
        what: &'static str,
        /// The answer, shortened.
        answer: String,
    },
}

/// The result of everything in the test kit.
pub type Result<T> = std::result::Result<T, Error>;

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Turns an I/O error on `path` into one that says what was attempted.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

/// The first `limit` characters of `text`, marked when something was left out.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} … ({} bytes in all)", &text[..at], text.len()),
    }
}
