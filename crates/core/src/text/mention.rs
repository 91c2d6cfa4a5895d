//! Tags, and who is named in a text: `@backend`, `@bob`, `@bob/api`, `@claude/api`. Pure; a mention is a wish of the
//! writer's and decides nothing but how much a reader is disturbed.

use super::names;
use super::session_name::SessionName;

/// The most characters of a tag.
pub const TAG_LIMIT_CHARS: usize = 24;
/// What ends a name in a running text.
const ENDS: &[char] =
    &[',', ';', ':', '!', '?', '"', '\'', '(', ')', '[', ']', '{', '}', '<', '>', '#', '@', '`', '*'];
/// What ends a sentence, and a name in it, but may stand inside one.
const TRAILING: &[char] = &['.', '-', '_', '/', '~'];

/// A tag: lower-case ASCII letters, digits and hyphens, at most 24. None if a text is not one.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let text = text.trim().strip_prefix('@').unwrap_or(text.trim()).to_ascii_lowercase();
    let is_tag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !text.is_empty() && text.len() <= TAG_LIMIT_CHARS && text.chars().all(is_tag);
    (fits && !text.starts_with('-') && !text.ends_with('-')).then_some(text)
}

/// Whom a session answers to.
#[derive(Debug, Clone)]
pub struct Called<'a> {
    /// What its identity calls itself.
    pub nick: &'a str,
    /// The session, by its whole name.
    pub session: &'a SessionName,
    /// Its tags.
    pub tags: &'a [String],
}

/// The words of a text that stand behind an `@` at the beginning of a word, without it.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let ats = text.match_indices('@').map(|(at, _)| at);
    let begins = |at: &usize| !text[..*at].chars().next_back().is_some_and(char::is_alphanumeric);
    ats.filter(begins)
        .filter_map(|at| text[at + 1..].split(|c: char| c.is_whitespace() || ENDS.contains(&c)).next())
}

/// Whether such a word means somebody.
#[must_use]
pub fn is_called(word: &str, called: &Called<'_>) -> bool {
    means(word, called) || means(word.trim_end_matches(TRAILING), called)
}

/// Whether somebody is named in a text.
#[must_use]
pub fn is_mentioned(text: &str, called: &Called<'_>) -> bool {
    words(text).any(|word| is_called(word, called))
}

fn means(word: &str, called: &Called<'_>) -> bool {
    if word.is_empty() {
        return false;
    }
    let alike = |a: &str, b: &str| names::fold(a) == names::fold(b);
    match word.split_once('/') {
        None => {
            let nick = word.split_once('~').map_or(word, |(nick, _)| nick);
            alike(nick, called.nick) || tag(word).is_some_and(|tag| called.tags.contains(&tag))
        }
        // A person's session, or one of this machine.
        Some((nick, label)) if alike(nick, called.nick) => SessionName::of(label).means(called.session),
        Some(_) => SessionName::of(word).means(called.session),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_named(text: &str) -> bool {
        let session = SessionName::of("claude/api~f86f");
        let tags = ["backend".to_owned()];
        is_mentioned(text, &Called { nick: "bob", session: &session, tags: &tags })
    }

    #[test]
    fn a_name_a_tag_and_a_session_are_mentions_and_parts_of_words_are_none() {
        for text in [
            "@bob",
            "hi @Bob, look",
            "(@bob)",
            "@bob: now",
            "ask @bob.",
            "@bob~k7m2qd",
            "@bob/api do it",
            "@bob/api.",
            "@claude/api",
            "@backend",
            "all of @BACKEND!",
            "two @alice @bob",
            "\n@bob",
        ] {
            assert!(is_named(text), "{text}");
        }
        for text in [
            "",
            "@",
            "bob",
            "alice@bob.example",
            "@bobby",
            "@bob-by",
            "x@bob",
            "@bob/web",
            "@codex/api",
            "@backends",
            "@ bob",
            "@/api",
            "é@bob",
        ] {
            assert!(!is_named(text), "{text}");
        }
    }

    #[test]
    fn a_tag_is_a_short_plain_word() {
        assert_eq!(tag(" @Back-End ").as_deref(), Some("back-end"));
        assert_eq!(tag(&"x".repeat(24)).unwrap().len(), 24);
        for no in ["", "@", "a b", "-x", "x-", "bäck", "a/b", &"x".repeat(25), "@@x"] {
            assert_eq!(tag(no), None, "{no}");
        }
    }

    proptest! {
        #[test]
        fn no_text_without_the_sign_is_a_mention(text in "[^@]{0,80}") {
            prop_assert!(!is_named(&text));
        }

        #[test]
        fn any_text_around_a_mention_leaves_it_one(before in "(\\PC{0,30}[ \n(])?", after in "([ ,!)]\\PC{0,30})?") {
            let text = format!("{before}@bob{after}");
            prop_assert!(is_named(&text), "{text:?}");
        }
    }
}
