//! The arguments of `parlor room`. Must not do anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A room, named the one way or the other.
#[derive(Debug, Args)]
pub struct Which {
    /// Which room [default: the one this directory hears].
    room: Option<String>,
    /// The same.
    #[arg(id = "named", long = "room", value_name = "ROOM", conflicts_with = "room")]
    named: Option<String>,
}

impl Which {
    /// The room that was named, if one was.
    pub fn room(self) -> Option<String> {
        self.room.or(self.named)
    }
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub which: Which,
    /// The file to make, `-` for stdout [default: the room's name and the date, here].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Of each writer only from the first entry on that is not older: 2h, 2026-11-21, 2026-11-21T14:05:00Z.
    #[arg(long, value_name = "WHEN", value_parser = crate::clock::since_ms)]
    pub since: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum Room {
    /// All rooms.
    List,
    /// One room, in full.
    Show(Which),
    /// Lets sessions in and below a directory hear a room.
    Bind {
        /// Which room.
        room: String,
        /// Which directory [default: this one].
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Binds even `/` or the home directory.
        #[arg(long)]
        force: bool,
    },
    /// Ends that.
    Unbind {
        /// Which room [default: all that the directory hears].
        room: Option<String>,
        /// Which directory [default: this one].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Calls a room something else here, only for you.
    Alias {
        /// Which room.
        room: String,
        /// What to call it. Without it the room has its own name again: after `parlor room alias payments money`,
        /// `parlor room alias money` undoes that.
        name: Option<String>,
    },
    /// Calls a room something else, for everybody in it. Owners only.
    Rename {
        /// What to call it.
        #[arg(value_parser = super::room_name)]
        name: String,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
    },
    /// Gives a room a new key: what is said from now on is sealed under it.
    Rekey(Which),
    /// For how long a room may be read on this node: what is older is neither shown nor searched nor in transcripts here.
    Retention {
        /// So many days, or `off`: for ever. Without it, says how it is.
        #[arg(value_name = "DAYS|off", value_parser = super::retention_days)]
        days: Option<u32>,
        /// Which room [default: the one this directory hears].
        #[arg(long)]
        room: Option<String>,
    },
    /// How much of a room the sessions of a directory are given by themselves; the rest is counted and stays in the log.
    Level(super::SetLevel),
    /// Writes a room to a file that proves who wrote what: for people to keep, and for others to verify.
    Export(Export),
    /// Goes out of a room; no directory hears it any more. What was said stays here, to be read.
    Leave {
        #[command(flatten)]
        which: Which,
        /// Even as its last owner: nobody can be let in or put out after that.
        #[arg(long)]
        abandon: bool,
    },
}
