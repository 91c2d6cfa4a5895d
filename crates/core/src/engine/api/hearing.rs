//! How much of a room a session is disturbed by, and what that costs. Plain data.

use parlor_wire::RoomId;

use super::Take;

/// What of a room is given to a session by itself. What is below is counted and stays in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All of it.
    #[default]
    All,
    /// What is addressed to it, or names it, its identity or one of its tags.
    Mentions,
    /// Questions addressed to it.
    Asks,
    /// Nothing.
    None,
}

/// What a message is beside its words, where nobody needs to be disturbed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// That another was heard.
    Ack,
    /// How far something is.
    Progress,
}

impl Form {
    /// By its number in a body. One of a later Parlor disturbs nobody either: that is what forms are for.
    pub fn of(number: u8) -> Self {
        if number == 1 { Self::Ack } else { Self::Progress }
    }

    /// Its number in a body.
    pub fn number(self) -> u8 {
        match self {
            Self::Ack => 1,
            Self::Progress => 2,
        }
    }
}

/// What was given of one room to one session, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentView {
    /// The room.
    pub room: RoomId,
    /// The session, as `Take::session` named it.
    pub session: String,
    /// Today, by the days of UTC.
    pub today: u64,
    /// In the last seven days, today among them.
    pub week: u64,
}

impl Take {
    /// How much of a room the session is given by itself.
    pub fn level(&self, room: RoomId) -> Level {
        self.levels.iter().find(|(of, _)| *of == room).map(|(_, level)| *level).unwrap_or_default()
    }
}
