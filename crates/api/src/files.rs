//! What is asked and answered about files. Names are clean; a file's bytes never cross the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file that a message announces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// The message.
    pub id: String,
    /// Its room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// What it is called.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Who announced it.
    pub peer: String,
    /// What its announcer is called here.
    pub name: String,
    /// When, by the announcer's clock.
    pub time: String,
    /// Whether this identity announced it.
    pub own: bool,
    /// Where it lies here, as a file to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Whether all of it is on this machine, so that `get` needs nobody.
    pub held: bool,
}

/// A file is announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The message.
    pub id: String,
    /// Its room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// What it is called.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Members other than this identity whose node holds the announcement.
    pub reached: u64,
    /// Members other than this identity.
    pub of: u64,
    /// Things its sender should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How far something long has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes that are done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}
