//! The arguments of what is said and read: sending, telling, the log, how one is. Must not do anything.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct Send {
    /// What to say; several words are joined by a space. `-`, or nothing, reads it from stdin.
    #[arg(value_name = "TEXT")]
    pub text: Vec<OsString>,
    /// Which room [default: the one this directory hears].
    #[arg(long)]
    pub room: Option<String>,
    /// For the sessions of the room that have a tag: `@backend`. Or for one alone, instead of a room: a session of this machine, or
    /// a peer or one session of theirs.
    #[arg(long, value_name = "@TAG|PROGRAM/SESSION|PEER[/SESSION]")]
    pub to: Option<String>,
    /// Says that another message was heard: nobody is disturbed for it.
    #[arg(long, conflicts_with = "progress")]
    pub ack: bool,
    /// Says how far something is: nobody is disturbed for it.
    #[arg(long)]
    pub progress: bool,
    /// How urgent: `low` is only counted, `normal` is heard at the next prompt, `now` between two tools or when a turn would end.
    #[arg(long, value_enum, default_value = "normal")]
    pub priority: Priority,
}

#[derive(Debug, Args)]
pub struct Tell {
    /// Whom: a peer you share a room with, or one session of theirs.
    #[arg(value_name = "PEER[/SESSION]")]
    pub to: String,
    /// What to say; several words are joined by a space. `-`, or nothing, reads it from stdin.
    #[arg(value_name = "TEXT")]
    pub text: Vec<OsString>,
    /// How urgent: `low` is only counted, `normal` is heard at the next prompt, `now` between two tools or when a turn would end.
    #[arg(long, value_enum, default_value = "normal")]
    pub priority: Priority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    Low,
    Normal,
    Now,
}

impl From<Priority> for parlor_api::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Normal => Self::Normal,
            Priority::Now => Self::Now,
        }
    }
}

#[derive(Debug, Args)]
pub struct Log {
    /// One message, whole: its id or the beginning of it.
    #[arg(conflicts_with_all = ["follow", "lines", "since", "search"])]
    pub id: Option<String>,
    /// Only what holds all these words, or parts of words; "quoted words" as they stand. Case and accents do not matter.
    #[arg(long, value_name = "TEXT", conflicts_with = "follow")]
    pub search: Option<String>,
    /// Searches every room.
    #[arg(long, requires = "search", conflicts_with = "room")]
    pub all_rooms: bool,
    /// Goes on with what arrives.
    #[arg(short, long)]
    pub follow: bool,
    /// Says of each message of yours how far it is known to have got, with whom.
    #[arg(long, conflicts_with_all = ["follow", "search"])]
    pub receipts: bool,
    /// Does not use the pager, even on a terminal.
    #[arg(long)]
    pub no_pager: bool,
    /// How many, the newest [default: 50, or all since --since].
    #[arg(short = 'n', long, value_name = "N", value_parser = super::number::<u64, 0>)]
    pub lines: Option<u64>,
    /// Only what is not older: 2h, 2026-11-21, 2026-11-21T14:05:00Z.
    #[arg(long, value_name = "WHEN", value_parser = crate::clock::since_ms)]
    pub since: Option<u64>,
    /// Which room [default: the one this directory hears].
    #[arg(long)]
    pub room: Option<String>,
}

#[derive(Debug, Args)]
pub struct Who {
    /// Which room [default: the one this directory hears].
    #[arg(long)]
    pub room: Option<String>,
    /// Only the sessions of this machine, whatever the room.
    #[arg(long, conflicts_with = "room")]
    pub local: bool,
}

#[derive(Debug, Args)]
pub struct SetStatus {
    /// The new one.
    #[arg(value_enum)]
    pub status: Option<Status>,
    /// One session of yours: its label, or the beginning of its id.
    #[arg(long)]
    pub session: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Idle,
    Working,
    Dnd,
}

impl From<Status> for parlor_api::SessionStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Idle => Self::Idle,
            Status::Working => Self::Working,
            Status::Dnd => Self::Dnd,
        }
    }
}
