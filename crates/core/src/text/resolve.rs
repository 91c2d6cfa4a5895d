//! Whom a typed name means. Never a guess: what may mean two is an error that lists both.

use super::clean::{Mode, cleaned};
use super::names::{APART_CHARS, Known, Named, RESERVED, alike, display_names, fold, tidy};

/// A query is never cut to a name's length: a whole id must not turn into a nick that starts like it.
const QUERY_LIMIT_CHARS: usize = 256;
const LISTED: usize = 10;
const NEAR: usize = 3;

/// Why a name means nobody in particular.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Several are called that, or look as if they were.
    #[error("“{query}” may mean {}", .candidates.join(", "))]
    Ambiguous {
        /// What was typed, cleaned.
        query: String,
        /// Names that each resolve, at most ten.
        candidates: Vec<String>,
    },
    /// None is called that.
    #[error("nothing here is called “{query}”{}", did_you_mean(.near))]
    NoSuch {
        /// What was typed, cleaned.
        query: String,
        /// Names much like it, best first, at most three.
        near: Vec<String>,
    },
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

/// Which of `candidates` a typed name means: a whole id, else a petname, else a nick that nobody
/// else's name looks like, else `nick~prefix`, else the beginning of an id. Never a guess.
///
/// # Errors
/// [`ResolveError::Ambiguous`] with names that are not, [`ResolveError::NoSuch`] with near ones.
pub fn resolve(query: &str, candidates: &[Named<'_>]) -> Result<usize, ResolveError> {
    let all = Known::all(candidates);
    let query = Query::of(query);
    for step in [by_id, by_petname, by_nick, by_apart, by_id_prefix] {
        let found = step(&query, &all);
        let Some(&first) = found.first() else { continue };
        if found.iter().all(|&at| all[at].id == all[first].id) {
            return Ok(first);
        }
        let candidates = found.iter().take(LISTED).map(|&at| all[at].shown_apart()).collect();
        return Err(ResolveError::Ambiguous { query: query.typed, candidates });
    }
    let near = near(&query, &all, candidates);
    Err(ResolveError::NoSuch { query: query.typed, near })
}

struct Query {
    typed: String,
    /// As a name is written; `~` and what follows taken off in `stem`.
    word: String,
    folded: String,
    stem: Option<(String, String)>,
}

impl Query {
    fn of(typed: &str) -> Query {
        let typed = cleaned(typed, Mode::Line { limit_chars: QUERY_LIMIT_CHARS });
        let stem = typed.rsplit_once('~').map(|(name, prefix)| {
            (fold(&tidy(name, RESERVED, QUERY_LIMIT_CHARS)), prefix.trim().to_ascii_lowercase())
        });
        let word = if stem.is_some() { String::new() } else { tidy(&typed, RESERVED, QUERY_LIMIT_CHARS) };
        Query { folded: fold(&word), word, stem, typed }
    }
}

type Found = Vec<usize>;

fn all_where(all: &[Known], wanted: impl Fn(&Known) -> bool) -> Found {
    all.iter().enumerate().filter(|(_, known)| wanted(known)).map(|(at, _)| at).collect()
}

fn by_id(query: &Query, all: &[Known]) -> Found {
    all_where(all, |known| !known.id.is_empty() && known.id == query.folded)
}

fn by_petname(query: &Query, all: &[Known]) -> Found {
    all_where(all, |known| known.petname.as_ref().is_some_and(|petname| fold(petname) == query.folded))
}

fn by_nick(query: &Query, all: &[Known]) -> Found {
    if !all.iter().any(|known| known.is_called(&query.folded)) {
        return Found::new();
    }
    all_where(all, |known| known.looks_like(&query.word) || known.id_begins(&query.folded))
}

fn by_apart(query: &Query, all: &[Known]) -> Found {
    let Some((name, prefix)) = query.stem.as_ref().filter(|(_, prefix)| !prefix.is_empty()) else {
        return Found::new();
    };
    let called = |known: &Known| known.is_called(name) || (name.is_empty() && prefix.len() >= APART_CHARS);
    let found =
        all_where(all, |known| called(known) && known.id.get(1..).is_some_and(|id| id.starts_with(prefix)));
    if found.is_empty() {
        all_where(all, |known| called(known) && known.id.starts_with(prefix))
    } else {
        found
    }
}

fn by_id_prefix(query: &Query, all: &[Known]) -> Found {
    all_where(all, |known| known.id_begins(&query.folded))
}

fn near(query: &Query, all: &[Known], candidates: &[Named<'_>]) -> Vec<String> {
    let (word, folded) = match &query.stem {
        Some((name, _)) => (name, name),
        None => (&query.word, &query.folded),
    };
    let far = 1 + folded.chars().count() / 4;
    let mut found: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .filter_map(|(at, known)| {
            let distance = known.names().map(|name| distance(word, folded, name)).min()?;
            (!folded.is_empty() && distance <= far).then_some((distance, at))
        })
        .collect();
    found.sort_unstable();
    let shown = if found.is_empty() { Vec::new() } else { display_names(candidates) };
    found.into_iter().take(NEAR).map(|(_, at)| shown[at].to_string()).collect()
}

fn distance(word: &str, folded: &str, name: &str) -> usize {
    let other = fold(name);
    if alike(word, name) {
        0
    } else if other.starts_with(folded) {
        1
    } else {
        strsim::damerau_levenshtein(folded, &other)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::names::tests::{ALICE, BOB, STRANGER, as_named, candidates, named, people};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wound_20_ambiguity_is_an_error_that_lists_the_candidates() {
        let people = [named(ALICE, "", "alice"), named(BOB, "", "bob"), named(STRANGER, "", "Bob")];
        assert_eq!(candidates("bob", &people), ["bob~k7m2qd", "Bob~z4ttw5"]);
        let said = resolve("bob", &people).unwrap_err().to_string();
        assert_eq!(said, "“bob” may mean bob~k7m2qd, Bob~z4ttw5");
        // Whom one knows by a petname may still be the bob that was meant.
        let people = [named(BOB, "builder", "bob"), named(STRANGER, "", "bob")];
        assert_eq!(candidates("bob", &people), ["builder~k7m2qd", "bob~z4ttw5"]);
        let crowd: Vec<String> = (0..30).map(|n| format!("pk7m2q{n:02}xyz")).collect();
        let crowd: Vec<Named<'_>> = crowd.iter().map(|id| named(id, "", "bob")).collect();
        assert_eq!(candidates("bob", &crowd).len(), 10);
    }

    #[test]
    fn names_resolve_in_their_order() {
        let people = [named(ALICE, "ally", "alice"), named(BOB, "", "bob"), named(STRANGER, "", "Bob")];
        for (query, expected) in [
            (ALICE, 0),
            ("ALLY", 0),
            ("@alice", 0),
            (" alice ", 0),
            ("alice~a3", 0),
            ("ally~a3cdef", 0),
            ("bob~k7m2qd", 1),
            ("bob~pk7m2qd", 1),
            ("bob~z", 2),
            ("~z4ttw5", 2),
            ("pz4ttw", 2),
            ("z4ttw5", 2),
        ] {
            assert_eq!(resolve(query, &people), Ok(expected), "{query}");
        }
        for query in ["", "@", "~", "pz4tt", "alice~zz", "carol", "~k7m"] {
            assert!(matches!(resolve(query, &people), Err(ResolveError::NoSuch { .. })), "{query}");
        }
    }

    #[test]
    fn near_names_are_offered() {
        let people = [named(ALICE, "", "alice"), named(BOB, "bob", ""), named(STRANGER, "", "carol")];
        let near = |query| match resolve(query, &people) {
            Err(ResolveError::NoSuch { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("alcie"), ["alice"]);
        assert_eq!(near("b0b"), ["bob"]);
        assert_eq!(near("car"), ["carol"]);
        assert_eq!(near("zebra"), Vec::<String>::new());
        let said = resolve("al\u{202e}cie", &people).unwrap_err().to_string();
        assert_eq!(said, "nothing here is called “alcie”; near it: alice");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn any_query_gets_an_answer(query: String, people in people()) {
            let people = as_named(&people);
            match resolve(&query, &people) {
                Ok(at) => prop_assert!(at < people.len()),
                Err(ResolveError::Ambiguous { candidates, .. }) => {
                    for candidate in candidates {
                        prop_assert!(resolve(&candidate, &people).is_ok(), "{}", candidate);
                    }
                }
                Err(ResolveError::NoSuch { near, .. }) => prop_assert!(near.len() <= NEAR),
            }
        }
    }
}
