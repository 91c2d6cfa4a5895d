//! How much of a room a session is disturbed by. Plain data.

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
