//! What a person decides about being disturbed: levels and mutes of rooms, tags, consent, budgets. Types of requests and
//! replies; plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What of a room is given by itself to the sessions of a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All of it.
    #[default]
    All,
    /// What is addressed to them or names them.
    Mentions,
    /// Questions addressed to them.
    Asks,
    /// Nothing.
    None,
}

impl Level {
    /// As it is typed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::Asks => "asks",
            Self::None => "none",
        }
    }
}

/// How long nothing of a room is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mute {
    /// Not any more.
    Off,
    /// Until it is taken back.
    On,
    /// For so many seconds.
    Seconds(u64),
}

/// What a message may do to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MayDo {
    /// Be given at a prompt.
    Inject,
    /// Be given between tools, and make a turn go on.
    Tools,
    /// Wake an idle session.
    Wake,
    /// Have its file fetched by itself.
    Files,
}

/// What a person has said about that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// As usual again.
    Usual,
}

/// What a room's or a peer's messages may do here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allowed {
    /// What.
    pub what: MayDo,
    /// Whether they may.
    pub allowed: bool,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The peer, wherever it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// What the room or the peer is called here; absent: this is what holds for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What of a room is heard in a directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leveled {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// The directory it is bound to.
    pub dir: PathBuf,
    /// How much of it is given by itself.
    pub level: Level,
    /// Whether nothing is given for now.
    pub muted: bool,
    /// Until when; absent: until that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<String>,
}

/// The tags of a directory's sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tagged {
    /// The directory, as bindings see it.
    pub dir: PathBuf,
    /// Its tags.
    pub tags: Vec<String>,
}

/// What a message is beside its words, where nobody needs to be disturbed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// That another was heard.
    Ack,
    /// How far something is.
    Progress,
}

/// What a room costs, in characters that were given of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budgeted {
    /// The room.
    pub room: String,
    /// Its name.
    pub room_name: String,
    /// How much may be given in a day.
    pub budget: u64,
    /// How much was, today by the days of UTC.
    pub today: u64,
    /// How much was, in the last seven days.
    pub week: u64,
    /// To which sessions.
    pub sessions: Vec<SpentBy>,
}

/// What one session was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpentBy {
    /// The session.
    pub session: String,
    /// Today.
    pub today: u64,
    /// In the last seven days.
    pub week: u64,
}
