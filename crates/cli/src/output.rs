//! The only place that writes to the terminal: data to stdout, talk to stderr, JSON when asked for. Must not
//! decide what is said.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::cell::RefCell;
use std::io::{BufWriter, ErrorKind as IoKind, Stdout, Write};

use anstream::AutoStream;
use parlor_api::ErrorKind;
use serde::Serialize;

use crate::errors::{self, Failure, Outcome};

/// Where a command's words go.
pub struct Output {
    json: bool,
    stdout: RefCell<BufWriter<AutoStream<Stdout>>>,
}

impl Output {
    /// An output for people, or for programs; coloured where a terminal wants it.
    pub fn new(json: bool, no_color: bool) -> Self {
        if no_color {
            anstream::ColorChoice::Never.write_global();
        }
        Self { json, stdout: RefCell::new(BufWriter::new(anstream::stdout())) }
    }

    /// Whether a program reads it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One answer: its lines to people, its JSON to programs.
    pub fn answer<T: Serialize>(&self, answer: &T, people: impl FnOnce() -> Vec<String>) -> Outcome {
        if self.json {
            return self.object(answer);
        }
        people().iter().try_for_each(|line| self.line(line))?;
        self.flush()
    }

    /// One answer of several parts: its lines to people, one object each to programs.
    pub fn list<T: Serialize>(&self, parts: &[T], people: impl FnOnce() -> Vec<String>) -> Outcome {
        if self.json {
            return parts.iter().try_for_each(|part| self.object(part));
        }
        people().iter().try_for_each(|line| self.line(line))?;
        self.flush()
    }

    /// One object, at once.
    pub fn object<T: Serialize>(&self, object: &T) -> Outcome {
        let text = serde_json::to_string(object).map_err(|_| Failure::unexpected_reply())?;
        self.line(&text)?;
        self.flush()
    }

    /// One line of data; it may wait in the buffer until [`Self::flush`].
    pub fn line(&self, line: &str) -> Outcome {
        writeln!(self.stdout.borrow_mut(), "{line}").map_err(lost)
    }

    /// Everything written so far is out.
    pub fn flush(&self) -> Outcome {
        self.stdout.borrow_mut().flush().map_err(lost)
    }

    /// A line of talk, to people only.
    pub fn talk(&self, line: &str) {
        if !self.json {
            self.stderr(line);
        }
    }

    /// Something to know that is no error.
    pub fn warn(&self, line: &str) {
        if self.json {
            self.stderr(&serde_json::json!({ "warning": line }).to_string());
        } else {
            self.stderr(&format!("warning: {line}"));
        }
    }

    /// How it ended, if not well.
    pub fn fail(&self, failure: &Failure) {
        let Failure::Error(error) = failure else { return };
        let text = if self.json { errors::for_programs(error) } else { errors::for_people(error) };
        self.stderr(&text);
    }

    // Talk that nobody takes is no reason to stop.
    fn stderr(&self, text: &str) {
        _ = self.flush();
        _ = writeln!(anstream::stderr(), "{text}");
    }
}

/// A last line of talk to a user who has interrupted: whatever else was to be written is not.
pub fn farewell(line: &str) {
    _ = writeln!(anstream::stderr(), "{line}");
}

/// What is known when a user interrupts who wants data.
pub fn last_object(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// A reader that has had enough is no error; a disk that is full is.
pub fn lost(error: std::io::Error) -> Failure {
    if error.kind() == IoKind::BrokenPipe {
        return Failure::Said(0);
    }
    Failure::new(
        ErrorKind::Machine,
        format!("standard output cannot be written: {error}"),
        "see where it leads",
    )
}
