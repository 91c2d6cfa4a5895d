//! People and their sessions, as the node tells of them. Plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::request::{Priority, SessionStatus};

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The room.
    pub room: String,
    /// The identity.
    pub peer: String,
    /// What it is called here.
    pub name: String,
    /// `owner`, `member` or `reader`.
    pub role: String,
    /// Whether it is this identity.
    pub own: bool,
    /// Whether its node is linked to this one now.
    pub connected: bool,
    /// When its node was last seen, if it is not connected.
    pub last_seen: Option<String>,
    /// How long ago that was, in seconds, by this node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ago_s: Option<u64>,
    /// Its sessions that are present.
    pub sessions: Vec<Session>,
    /// When a person here compared the safety number with it.
    #[serde(default)]
    pub verified: Option<String>,
    /// What people should know before they take it for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// An identity this node knows, whatever the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The identity.
    pub peer: String,
    /// What it is called here, among all peers.
    pub name: String,
    /// What this identity calls it.
    pub petname: Option<String>,
    /// What it calls itself.
    pub nick: Option<String>,
    /// Whether it is this identity.
    pub own: bool,
    /// The names of the rooms both are in.
    pub rooms: Vec<String>,
    /// Whether its node is linked to this one now.
    pub connected: bool,
    /// When its node was last seen, if it is not connected.
    pub last_seen: Option<String>,
    /// When a person here compared the safety number with it.
    pub verified: Option<String>,
    /// When it was heard that its identity is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// The safety number of this identity and a peer, the same on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Safety {
    /// With whom.
    pub peer: Peer,
    /// 12 groups of five digits.
    pub digits: String,
    /// The same strength as 18 words.
    pub words: String,
}

/// A session that is present: its process lives, or it was heard of within its lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its label: mostly the directory's name.
    pub label: String,
    /// The agent program.
    pub program: String,
    /// What it says it is doing.
    pub summary: Option<String>,
    /// The name of its directory, without the way to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The git branch of that directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How it is; absent when nobody has said so, or too long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// The least priority it is given at its next prompt; absent when nothing is given to it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Priority>,
    /// The tags by which it is addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When it hears what does not wait for its prompt; absent when nobody has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hears: Option<Hears>,
    /// Since when this node knows it to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When it was last heard of; absent for one of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<String>,
    /// How long ago that was, in seconds, by this node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_ago_s: Option<u64>,
}

/// When a session hears what does not wait for its prompt: what is urgent, and questions to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hears {
    /// Between its tools.
    pub tools: bool,
    /// At the end of a turn.
    pub stop: bool,
    /// While it is idle, where its human allows it.
    pub wake: bool,
}

/// A session of this node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnSession {
    /// The agent program's id of it.
    pub id: String,
    /// What it is called among the sessions of this machine: `claude/api`, with the beginning of its id where another is called so.
    #[serde(default)]
    pub name: String,
    /// Whether it is the one that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub you: bool,
    /// Its label: mostly the directory's name.
    pub label: String,
    /// The agent program.
    pub program: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The git branch of that directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How it is; absent when nobody has said so, or too long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}
