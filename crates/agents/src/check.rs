//! The result of one doctor check. Must not know how anything is checked.

/// How a checked link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    /// It was tried and works.
    Ok,
    /// It works only in part, or could not be tried.
    Warn,
    /// It was tried and does not work.
    Fail,
}

/// One line of a doctor's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried, in two or three words.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty when there is nothing to do.
    pub hint: String,
}

impl Check {
    /// A link that works.
    pub fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Ok, detail: detail.into(), hint: String::new() }
    }

    /// A link that works in part, with what to do.
    pub fn warn(name: &str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Warn, detail: detail.into(), hint: hint.into() }
    }

    /// A link that does not work, with what to do.
    pub fn fail(name: &str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name: name.into(), state: CheckState::Fail, detail: detail.into(), hint: hint.into() }
    }
}
