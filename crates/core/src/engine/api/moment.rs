//! When something is given to a session, and what does not wait for its prompt. Plain data.

use parlor_wire::{EntryId, PeerId, RoomId, TimeMs};

use crate::text::clean::CleanText;

/// What a session is doing when it is given something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// It begins, or goes on: it is told how things stand, too.
    Start,
    /// Its human prompts.
    #[default]
    Prompt,
    /// A tool has run: only what is urgent is given.
    Tools,
    /// It is about to stop: only what is urgent is given.
    Stop,
    /// It is idle: only what is urgent is given.
    Wake,
    /// It asks by itself.
    Check,
}

impl Moment {
    /// Whether only what does not wait for a prompt is given.
    pub fn is_between_prompts(self) -> bool {
        matches!(self, Self::Tools | Self::Stop | Self::Wake)
    }
}

/// For whom something is looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listener {
    /// The session, as `Take::session` names it.
    pub session: String,
    /// What others see of it; absent: what is for any session is for it.
    pub label: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Of which rooms how much is given in a day, in characters, where that is not as usual.
    pub budgets: Vec<(RoomId, u64)>,
}

/// A message that does not wait for a session's prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrgentView {
    /// Its room.
    pub room: RoomId,
    /// Its place in this node's order of arrival.
    pub arrival: u64,
    /// It.
    pub id: EntryId,
    /// By whom.
    pub peer: PeerId,
    /// Whether it is a question.
    pub asks: bool,
    /// Whether it is addressed to the session.
    pub to_you: bool,
    /// Whether it is for everybody, and names the session in its text.
    pub names_you: bool,
    /// How many messages of agents lie between it and a human's.
    pub hops: u8,
}

/// A question, and how far it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskView {
    /// Its room.
    pub room: RoomId,
    /// It.
    pub id: EntryId,
    /// Its chain.
    pub chain: EntryId,
    /// Its place there.
    pub seq: u64,
    /// Its place in this node's order of arrival.
    pub arrival: u64,
    /// By whom.
    pub peer: PeerId,
    /// What its author is called here.
    pub name: CleanText,
    /// The session of this node that asked.
    pub origin: Option<String>,
    /// The label of the session that asked.
    pub label: Option<CleanText>,
    /// How it begins.
    pub begins: String,
    /// Whether this identity asked it.
    pub own: bool,
    /// Until when answers are waited for, by its author's clock.
    pub deadline: TimeMs,
    /// Whether answers are still waited for.
    pub open: bool,
    /// How many answers there are.
    pub answered: u64,
    /// The first of them, and whose they are.
    pub answers: Vec<(EntryId, PeerId)>,
    /// The label of the one session it is for.
    pub to: Option<CleanText>,
    /// The members it is for; none: not by name.
    pub peers: Option<Vec<PeerId>>,
    /// The tags it is for; none: not by tag.
    pub tags: Option<Vec<String>>,
    /// Members whose node has acknowledged it, of those linked now.
    pub reached: Vec<PeerId>,
    /// Whether it is for everybody in the room alike.
    pub to_all: bool,
}
