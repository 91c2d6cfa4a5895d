//! What a search looks for, and the form in which text is searched: without case, accents, forms of width and runs of
//! spaces. Whatever is typed means itself: there is no syntax in it that could be wrong, but for quotes, which may
//! stay open. Must not know where texts are kept.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Words and phrases of one search: more than anybody types.
const MAX_TERMS: usize = 32;
/// Characters of one search.
pub const MAX_SOUGHT_CHARS: usize = 1000;

/// The form of a text in which it is searched.
pub fn fold(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    // Lower case may bring marks of its own: `İ`.
    for c in plain.filter(|c| !is_combining_mark(*c)) {
        match c.is_whitespace() {
            false => folded.push(c),
            true if folded.ends_with(' ') || folded.is_empty() => {}
            true => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// What must all occur in a text, each as a part of it wherever it stands: folded, none empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms(Vec<String>);

/// Why nothing can be sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTerms {
    /// Nothing is left of it.
    #[error("there is nothing to look for in that")]
    Empty,
    /// It is longer than anybody types.
    #[error("a search has at most {MAX_SOUGHT_CHARS} characters and {MAX_TERMS} words and phrases")]
    TooMuch,
}

impl Terms {
    /// Words apart by spaces; what stands between double quotes is one phrase.
    pub fn parse(text: &str) -> Result<Self, NoTerms> {
        if text.chars().count() > MAX_SOUGHT_CHARS {
            return Err(NoTerms::TooMuch);
        }
        let mut terms: Vec<String> = Vec::new();
        for (at, part) in text.split(['"', '“', '”', '„']).enumerate() {
            let is_phrase = at % 2 == 1;
            let folded = fold(part);
            let found: Vec<&str> =
                if is_phrase { vec![folded.as_str()] } else { folded.split(' ').collect() };
            for term in found.into_iter().filter(|term| !term.is_empty()) {
                if !terms.iter().any(|known| known == term) {
                    terms.push(term.to_owned());
                }
            }
        }
        match terms.len() {
            0 => Err(NoTerms::Empty),
            1..=MAX_TERMS => Ok(Self(terms)),
            _ => Err(NoTerms::TooMuch),
        }
    }

    /// They.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a folded text holds all of them.
    pub fn are_in(&self, folded: &str) -> bool {
        self.0.iter().all(|term| folded.contains(term.as_str()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        Terms::parse(text).unwrap().0
    }

    #[test]
    fn case_accents_width_and_spaces_make_no_difference() {
        for (one, other) in [
            ("Überfällig", "uberfallig"),
            ("e\u{301}tat", "ETAT"),
            ("ｐｇｂｏｕｎｃｅｒ", "pgbouncer"),
            ("two\n  lines", "two lines"),
            ("İstanbul", "istanbul"),
            ("ﬁle", "file"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("foo_bar"), fold("foo bar"), "signs of code are not passed over");
        assert_eq!(fold("数据库"), "数据库");
    }

    #[test]
    fn words_and_phrases_are_told_apart_and_nothing_typed_is_wrong() {
        assert_eq!(terms("pgbouncer Pool"), ["pgbouncer", "pool"]);
        assert_eq!(terms(r#"a "quoted  Phrase" b"#), ["a", "quoted phrase", "b"]);
        assert_eq!(terms(r#"open "phrase goes on"#), ["open", "phrase goes on"]);
        assert_eq!(terms("pool POOL"), ["pool"]);
        assert_eq!(
            terms("a* OR NOT (b) NEAR/3 col:x ^y '"),
            ["a*", "or", "not", "(b)", "near/3", "col:x", "^y", "'"]
        );
        for nothing in ["", "  ", r#""""#, "\u{301}", "\" \""] {
            assert_eq!(Terms::parse(nothing), Err(NoTerms::Empty), "{nothing:?}");
        }
    }

    #[test]
    fn a_search_beyond_what_is_typed_is_refused() {
        assert_eq!(Terms::parse(&"x".repeat(MAX_SOUGHT_CHARS + 1)), Err(NoTerms::TooMuch));
        let words = |count: usize| (0..count).map(|n| format!("w{n} ")).collect::<String>();
        assert!(Terms::parse(&words(MAX_TERMS)).is_ok());
        assert_eq!(Terms::parse(&words(MAX_TERMS + 1)), Err(NoTerms::TooMuch));
    }
}
