//! The arguments of what a person decides about being disturbed: consent, levels, mutes, tags. Must not do anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub struct Allow {
    /// What their messages may do.
    #[arg(value_enum, requires = "whose")]
    pub what: Option<What>,
    /// Whose: a room, or a peer wherever it speaks.
    #[arg(value_name = "ROOM|PEER")]
    pub whose: Option<String>,
    /// As usual again.
    #[arg(long, requires = "whose")]
    pub usual: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Inject,
    Tools,
    Wake,
    Files,
}

impl From<What> for parlor_api::MayDo {
    fn from(what: What) -> Self {
        match what {
            What::Inject => Self::Inject,
            What::Tools => Self::Tools,
            What::Wake => Self::Wake,
            What::Files => Self::Files,
        }
    }
}

#[derive(Debug, Args)]
pub struct SetLevel {
    /// What is given by itself. Without it, shows how it is.
    #[arg(value_enum)]
    pub level: Option<Level>,
    /// Which room [default: the one this directory hears; to show: all of them].
    #[arg(long)]
    pub room: Option<String>,
    /// For the sessions of which directory [default: this one].
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// All that is said.
    All,
    /// What is for the session, or names you, it or one of its tags.
    Mentions,
    /// Questions for it.
    Asks,
    /// Nothing.
    None,
}

impl From<Level> for parlor_api::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::All => Self::All,
            Level::Mentions => Self::Mentions,
            Level::Asks => Self::Asks,
            Level::None => Self::None,
        }
    }
}

#[derive(Debug, Args)]
pub struct Mute {
    /// Which room [default: all that this directory hears].
    pub room: Option<String>,
    /// For how long: 30m, 2h [default: until `parlor unmute`].
    #[arg(long = "for", value_name = "DURATION", value_parser = span)]
    pub lasts: Option<Duration>,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = super::parsed_duration(text)?;
    if span.as_secs() == 0 { Err("less than a second is no time".into()) } else { Ok(span) }
}

#[derive(Debug, Args)]
pub struct Unmute {
    /// Which room [default: all that this directory hears].
    pub room: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Tag {
    /// Gives the sessions of this directory a tag.
    Add {
        /// One word: letters, digits, hyphens.
        name: String,
        /// Which directory [default: this one].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Takes one away.
    Remove {
        /// Which.
        name: String,
        /// Of which directory [default: this one].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Those of a directory.
    List {
        /// Which [default: this one].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Budget {
    #[command(subcommand)]
    pub command: Option<SetBudget>,
}

#[derive(Debug, Subcommand)]
pub enum SetBudget {
    /// Says how much of a room may be given in a day; beyond it, it is counted. At first 200,000 characters.
    Set {
        /// Which room.
        room: String,
        /// So many characters.
        chars: u64,
    },
}
