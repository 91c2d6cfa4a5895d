//! The small words that requests and replies are made of.

use serde::{Deserialize, Serialize};

/// How urgent a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Counted, never injected.
    Low,
    /// Given at the next prompt.
    #[default]
    Normal,
    /// Given between tools.
    Now,
}

/// What somebody may do in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rules it. Made once, an owner is one for good.
    Owner,
    /// Reads and writes.
    #[default]
    Member,
    /// Reads.
    Reader,
}

/// How a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// It waits for its human.
    Idle,
    /// It works.
    Working,
    /// Its human wants it to be left alone between prompts.
    Dnd,
}

/// Where is searched when no room is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchIn {
    /// The room `log` would show; where none is bound, everywhere, but not for an agent.
    #[default]
    Here,
    /// The rooms the caller hears and the direct rooms with their members.
    Heard,
    /// Every room of this node.
    All,
}
