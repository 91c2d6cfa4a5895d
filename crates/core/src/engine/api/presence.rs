//! What is said and shown of a session. Plain data; must not decide when a session counts as present.

use parlor_wire::TimeMs;

use super::Priority;

/// What a session says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Its label: mostly the directory's name.
    pub label: String,
    /// The agent program.
    pub program: String,
    /// What it is doing, in one line.
    pub summary: Option<String>,
    /// The name of its directory, never the way to it.
    pub directory: Option<String>,
    /// The git branch of that directory.
    pub branch: Option<String>,
    /// How it is, as far as that is known.
    pub status: Option<Status>,
    /// The least priority it is given at its next prompt; absent: nothing is given to it by itself.
    pub threshold: Option<Priority>,
    /// The tags by which it is addressed.
    pub tags: Vec<String>,
    /// At which moments beside its prompts it hears what does not wait; absent: nobody has said so.
    pub reach: Option<Reached>,
    /// Of an own session whose process is gone: how much is left of its lease, in milliseconds. Absent: it lives.
    pub left_ms: Option<u64>,
}

/// At which moments a session hears what does not wait for its prompt: a set of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached(pub u8);

impl Reached {
    /// Between its tools.
    pub const TOOLS: u8 = 1;
    /// At the end of a turn.
    pub const STOP: u8 = 2;
    /// While it is idle.
    pub const WAKE: u8 = 4;

    /// Whether it hears then.
    pub fn at(self, moment: u8) -> bool {
        self.0 & moment != 0
    }
}

/// How a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for its human.
    Idle,
    /// It works.
    Working,
    /// Its human wants it to be left alone between prompts.
    Dnd,
}

impl Status {
    /// By its number in a signal; none for one of a later Parlor.
    pub fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Idle),
            1 => Some(Self::Working),
            2 => Some(Self::Dnd),
            _ => None,
        }
    }

    /// Its number in a signal.
    pub fn number(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Working => 1,
            Self::Dnd => 2,
        }
    }
}

/// A session as surfaces see it, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// What it says.
    pub presence: Presence,
    /// Since when this node knows it to be there, without a gap.
    pub since: TimeMs,
    /// When it was last heard of; absent for an own one.
    pub heard: Option<TimeMs>,
}
