//! What the node answers about questions: which answers there are, and how far a question has got. Ids are whole, times are
//! RFC 3339 in UTC, texts are already clean.

use serde::{Deserialize, Serialize};

use crate::people::Hears;
use crate::reply::Message;
use crate::request::SessionStatus;

/// A question, and what has come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// Its room.
    pub room: String,
    /// The room's name.
    pub room_name: String,
    /// Whether answers are still waited for.
    pub open: bool,
    /// Until when.
    pub until: String,
    /// How long that is from now, in milliseconds.
    pub left_ms: u64,
    /// Whether all in the room are asked, so that there may be more answers than one.
    pub to_all: bool,
    /// How many answers there are.
    pub answered: u64,
    /// Those beyond what the caller knows.
    pub answers: Vec<Message>,
    /// What to say next as known: up to which of them was looked, whether it could be told or not.
    #[serde(default)]
    pub seen: u64,
    /// Members whose node has acknowledged it, of those linked now.
    pub reached: u64,
    /// Members other than this identity.
    pub of: u64,
    /// How far it has got with those who are asked.
    pub far: Vec<Far>,
    /// To be committed once the answers are written; absent: nothing is counted as given to a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// Things its author should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How far a message has got with one member, or with one session of one: what somebody has observed and nothing more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Far {
    /// The identity.
    pub peer: String,
    /// What it is called here.
    pub name: String,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The farthest that is known.
    pub state: FarState,
    /// When the session hears what does not wait for its prompt, if it is there and has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hears: Option<Hears>,
    /// How the session is, if it is there and has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
}

impl Far {
    /// Whether it waits there for a session that nothing wakes.
    pub fn waits(&self) -> bool {
        self.state < FarState::Handed && self.hears.is_some_and(|hears| !hears.wake)
    }
}

/// How far a message is known to have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FarState {
    /// It is stored here; nothing is known of that member.
    Stored,
    /// The member's node holds it durably.
    AtPeer,
    /// It was handed to the session's hook or tool, which wrote it out.
    Handed,
    /// There is evidence that the session's model was shown it.
    Shown,
    /// It was answered.
    Answered,
}

/// One message, and how far it has got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageFar {
    /// The message.
    pub id: String,
    /// With whom.
    pub far: Vec<Far>,
}
