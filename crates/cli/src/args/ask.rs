//! The arguments of questions and answers. Must not do anything.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

/// The longest that answers are waited for: a week.
const LONGEST_ASK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Debug, Args)]
pub struct Ask {
    /// Whom: a peer, one session of a peer's or of this machine's, `@all` for everybody in the room, `@TAG` for the sessions of it.
    #[arg(value_name = "PEER[/SESSION]|@all|@TAG")]
    pub to: String,
    /// What to ask; several words are joined by a space. `-`, or nothing, reads it from stdin.
    #[arg(value_name = "TEXT")]
    pub text: Vec<OsString>,
    /// For how long to wait: the question is open until then.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "2m")]
    pub timeout: Duration,
    /// Before which room, where all can read it [default: a peer is asked alone, others in the room this directory hears].
    #[arg(long)]
    pub room: Option<String>,
}

#[derive(Debug, Args)]
pub struct Answer {
    /// The question: its id or the beginning of it.
    #[arg(value_name = "ID")]
    pub id: String,
    /// What to answer; several words are joined by a space. `-`, or nothing, reads it from stdin.
    #[arg(value_name = "TEXT")]
    pub text: Vec<OsString>,
}

fn span(text: &str) -> Result<Duration, String> {
    let duration = super::parsed_duration(text)?;
    if duration < Duration::from_secs(1) {
        Err("nobody answers in less than a second".into())
    } else if duration > LONGEST_ASK {
        Err("the longest is 7d".into())
    } else {
        Ok(duration)
    }
}
