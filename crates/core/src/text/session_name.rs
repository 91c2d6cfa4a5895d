//! What a session of this machine is called among those of this machine: `claude/api~f86f8701`, its agent program, its label
//! and the agent program's id of it, or as much of that as is needed. Must not look for a session.

use std::fmt;

use super::clean::{CleanText, Mode, clean};
use super::names;

/// Longer ids are nobody's.
const ID_LIMIT_CHARS: usize = 128;

/// A session's name, or the part of it that somebody has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName {
    /// The agent program.
    pub program: Option<String>,
    /// Its label.
    pub label: String,
    /// Its id, or the beginning of it.
    pub id: Option<String>,
}

impl SessionName {
    /// From a text, which may hold anything: `program/label~id`, without the first or the last.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (place, id) = match text.split_once('~') {
            Some((place, id)) => (place, Some(id)),
            None => (text, None),
        };
        let (program, label) = match place.split_once('/') {
            Some((program, label)) => (Some(program), label),
            None => (None, place),
        };
        let cleaned = |id: &str| clean(id, Mode::Line { limit_chars: ID_LIMIT_CHARS }).into_string();
        let id = id.map(|id| cleaned(id).replace(char::is_whitespace, "-")).filter(|id| !id.is_empty());
        Self {
            program: program.map(|program| names::session_label(program).into_string()),
            label: names::session_label(label).into_string(),
            id,
        }
    }

    /// Whether this, as somebody typed it, may mean the session that is called `whole`.
    #[must_use]
    pub fn means(&self, whole: &Self) -> bool {
        let alike = |typed: &str, whole: &str| names::fold(typed) == names::fold(whole);
        let is_program = self
            .program
            .as_ref()
            .is_none_or(|typed| whole.program.as_ref().is_some_and(|program| alike(typed, program)));
        let begins = |id: &String| whole.id.as_ref().is_some_and(|whole| whole.starts_with(id.as_str()));
        is_program && alike(&self.label, &whole.label) && self.id.as_ref().is_none_or(begins)
    }

    /// The same, to be shown.
    #[must_use]
    pub fn shown(&self) -> CleanText {
        clean(&self.to_string(), Mode::Line { limit_chars: usize::MAX })
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(program) = &self.program {
            write!(f, "{program}/")?;
        }
        f.write_str(&self.label)?;
        self.id.as_ref().map_or(Ok(()), |id| write!(f, "~{id}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_of_a_name_means_every_session_it_fits() {
        let whole = SessionName::of("claude/api~f86f8701-7df6");
        for part in ["api", "claude/api", "api~f86f", "claude/api~f86f8701-7df6", " Claude / API "] {
            assert!(SessionName::of(part).means(&whole), "{part}");
        }
        for part in ["codex/api", "claude/web", "claude/api~86f", "claude/api~f86f8701-7df6-1", "", "claude"]
        {
            assert!(!SessionName::of(part).means(&whole), "{part}");
        }
        assert_eq!(whole.to_string(), "claude/api~f86f8701-7df6");
        assert_eq!(SessionName::of("api").to_string(), "api");
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_of_one_clean_line_that_reads_the_same(text in "\\PC{0,60}|[\\x00-\\x20/~\\[\\]()\\u{202e}a]{0,20}") {
            let name = SessionName::of(&text);
            prop_assert_eq!(&SessionName::of(&name.to_string()), &name);
            let shown = name.shown();
            prop_assert!(!shown.as_str().chars().any(char::is_control));
        }
    }
}
