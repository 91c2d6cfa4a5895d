//! Names people give to themselves, to each other, to rooms and to sessions: what they may look like,
//! how alike ones are shown apart, and whom a typed name means.
//!
//! A name is a label and never authority: nothing here may be used to decide who may do what. Ids are
//! their text form (a kind letter and base32); whoever calls has checked the keys behind them.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

use super::clean::{CleanText, Mode, clean, cleaned, is_blank};
pub use super::resolve::{ResolveError, resolve};

/// The most characters of a nick, a petname, a room name or a session label.
pub const NAME_LIMIT_CHARS: usize = 32;
/// The characters of an id by which alike names are told apart, and the fewest that name an id.
pub const APART_CHARS: usize = 6;
/// The characters of an id shown to people, its kind letter included.
pub const ID_SHOWN_CHARS: usize = 8;

/// Characters that mean something beside a name (`@bob/api~k7m2qd`) or around it in a header.
pub(super) const RESERVED: &[char] = &['@', '/', '~', '#', '[', ']', '(', ')', '{', '}', '<', '>'];
const INPUT_LIMIT_CHARS: usize = 4096;

/// Somebody, or a room, as the ones to tell apart know it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The whole id in its text form.
    pub id: &'a str,
    /// What the reader calls it; always wins.
    pub petname: Option<&'a str>,
    /// What it calls itself.
    pub nick: Option<&'a str>,
}

/// The nick a peer is known by, or `nameless`.
#[must_use]
pub fn nick(text: &str) -> CleanText {
    name_or(text, "nameless")
}

/// A room's name, or `room`.
#[must_use]
pub fn room_name(text: &str) -> CleanText {
    name_or(text, "room")
}

/// A session's label, or `session`.
#[must_use]
pub fn session_label(text: &str) -> CleanText {
    name_or(text, "session")
}

/// What a person calls a peer; none when nothing of it can be seen.
#[must_use]
pub fn petname(text: &str) -> Option<CleanText> {
    name(text).map(|name| as_line(&name))
}

fn name_or(text: &str, fallback: &str) -> CleanText {
    as_line(&name(text).unwrap_or_else(|| fallback.to_owned()))
}

fn as_line(text: &str) -> CleanText {
    clean(text, Mode::Line { limit_chars: usize::MAX })
}

fn name(text: &str) -> Option<String> {
    Some(tidy(text, RESERVED, NAME_LIMIT_CHARS)).filter(|name| !is_blank(name))
}

/// One word of at most `limit_chars`: NFKC, with `-` for white space and for `reserved` characters.
/// Repeated until nothing changes, because normalising may bring back what cleaning looks for.
pub(super) fn tidy(text: &str, reserved: &[char], limit_chars: usize) -> String {
    let mut name: String = text.chars().take(INPUT_LIMIT_CHARS).collect();
    for _ in 0..4 {
        let next = tidy_once(&name, reserved, limit_chars);
        if next == name {
            break;
        }
        name = next;
    }
    name
}

fn tidy_once(text: &str, reserved: &[char], limit_chars: usize) -> String {
    let plain = cleaned(text, Mode::Line { limit_chars: usize::MAX });
    let mut out = String::new();
    for c in plain.nfkc() {
        let c = if c.is_whitespace() || reserved.contains(&c) { '-' } else { c };
        let leading = out.is_empty() && (c == '-' || is_combining_mark(c));
        if !(leading || c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    let kept: String = out.chars().take(limit_chars).collect();
    kept.trim_end_matches('-').to_owned()
}

/// What names are compared by: NFKC without case. Upper case first, so that `ß` meets `SS`.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether two names can be taken for each other: equal but for case and form, or drawn alike
/// (Latin, Greek and Cyrillic twins, `0` and `O`, `rn` and `m`, `l`, `I` and `1`).
#[must_use]
pub fn alike(a: &str, b: &str) -> bool {
    let b = looks(b);
    looks(a).iter().any(|look| b.contains(look))
}

/// Two keys: a name may look like another as it stands (`ΒΟΒ`) or in lower case.
fn looks(name: &str) -> [String; 2] {
    [look(&fold(name)), look(&name.nfkc().collect::<String>())]
}

/// Twins are defined letter by letter, in either case: replace, lower, replace what lowering brought.
fn look(name: &str) -> String {
    let lower: String = skeleton(name).flat_map(char::to_lowercase).collect();
    skeleton(&lower).flat_map(char::to_lowercase).map(|c| if c == 'i' { 'l' } else { c }).collect()
}

/// One of the people with names tidied, as both showing and resolving see it.
pub(super) struct Known {
    pub(super) id: String,
    pub(super) petname: Option<String>,
    nick: Option<String>,
    /// Characters of the id, kind letter not counted, that no other id of the list begins with.
    apart: usize,
}

impl Known {
    pub(super) fn all(people: &[Named<'_>]) -> Vec<Known> {
        let mut all: Vec<Known> = people.iter().map(Known::of).collect();
        // `i` and `l` are one letter here too, so that no two prefixes differ only in them.
        let mut ids: Vec<String> = all.iter().map(Known::id_look).collect();
        ids.sort();
        ids.dedup();
        let mut apart: HashMap<&String, usize> = HashMap::new();
        for pair in ids.windows(2) {
            let common = pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
            for id in pair {
                let chars = apart.entry(id).or_insert(APART_CHARS);
                *chars = common.max(*chars);
            }
        }
        for known in &mut all {
            known.apart = apart.get(&known.id_look()).copied().unwrap_or(APART_CHARS);
        }
        all
    }

    fn id_look(&self) -> String {
        self.id.replace('i', "l")
    }

    fn of(named: &Named<'_>) -> Known {
        let id = named.id.chars().filter(char::is_ascii_alphanumeric).take(INPUT_LIMIT_CHARS);
        Known {
            id: id.collect::<String>().to_ascii_lowercase(),
            petname: named.petname.and_then(name),
            nick: named.nick.and_then(name),
            apart: APART_CHARS,
        }
    }

    /// `bob~k7m2qd`, or `~k7m2qd` when there is no name. Always resolves.
    pub(super) fn shown_apart(&self) -> String {
        let name = self.petname.as_ref().or(self.nick.as_ref()).map_or("", String::as_str);
        format!("{name}~{}", self.id.chars().skip(1).take(self.apart).collect::<String>())
    }

    /// The beginning of the id, for who has no name.
    fn shown_id(&self) -> String {
        self.id.chars().take(ID_SHOWN_CHARS.max(self.apart + 1)).collect()
    }

    /// Every name by which somebody may know it.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.petname.iter().chain(&self.nick)
    }

    pub(super) fn is_called(&self, folded: &str) -> bool {
        self.names().any(|name| fold(name) == folded)
    }

    pub(super) fn looks_like(&self, query: &str) -> bool {
        self.names().any(|name| alike(name, query))
    }

    /// Whether `text` is a beginning of the id long enough to name it, with or without its kind letter.
    pub(super) fn id_begins(&self, text: &str) -> bool {
        text.len() >= APART_CHARS
            && (self.id.starts_with(text) || self.id.get(1..).is_some_and(|id| id.starts_with(text)))
    }
}

/// How each of `people` is shown to a reader who sees them all. A petname stands bare unless another
/// petname looks like it; a nick stands bare only if no name and no id of anybody else looks like it.
/// What is shown resolves to the one it is shown for.
#[must_use]
pub fn display_names(people: &[Named<'_>]) -> Vec<CleanText> {
    let all = Known::all(people);
    let (mut petnames, mut any) = (Claims::default(), Claims::default());
    for known in &all {
        petnames.add(known.petname.iter(), &known.id);
        any.add(known.names(), &known.id);
        if known.names().next().is_none() {
            any.add(std::iter::once(&known.shown_id()), &known.id);
        }
    }
    let begins_another_id =
        |known: &Known, nick: &str| all.iter().any(|other| other.id != known.id && other.id_begins(nick));
    let shown = |known: &Known| {
        let bare = match (&known.petname, &known.nick) {
            (Some(petname), _) => petnames.are_only(petname, &known.id).then(|| petname.clone()),
            (None, Some(nick)) => (any.are_only(nick, &known.id) && !begins_another_id(known, &fold(nick)))
                .then(|| nick.clone()),
            (None, None) => Some(known.shown_id()).filter(|id| any.are_only(id, &known.id)),
        };
        as_line(&bare.unwrap_or_else(|| known.shown_apart()))
    };
    all.iter().map(shown).collect()
}

/// Of `people`, those without a petname whose nick looks like the petname of somebody else, and whose. Whom the
/// reader has given a name is known by that, whatever it calls itself.
#[must_use]
pub fn mistakable(people: &[Named<'_>]) -> Vec<(usize, usize)> {
    let mut owners: HashMap<String, usize> = HashMap::new();
    for (at, petname) in
        people.iter().enumerate().filter_map(|(at, person)| Some((at, name(person.petname?)?)))
    {
        owners.extend(looks(&petname).map(|look| (look, at)));
    }
    let mistaken_for = |person: &Named<'_>| {
        let nick = name(person.nick.filter(|_| person.petname.is_none())?)?;
        looks(&nick).iter().find_map(|look| owners.get(look).copied())
    };
    let found = people.iter().enumerate().filter(|_| !owners.is_empty());
    found.filter_map(|(at, person)| Some((at, mistaken_for(person)?))).collect()
}

/// Who claims which look.
#[derive(Default)]
struct Claims(HashMap<String, Vec<String>>);

impl Claims {
    fn add<'a>(&mut self, names: impl Iterator<Item = &'a String>, id: &str) {
        for look in names.flat_map(|name| looks(name)) {
            let ids = self.0.entry(look).or_default();
            // Two tell as much as two thousand.
            if ids.len() < 2 && !ids.iter().any(|claimed| claimed == id) {
                ids.push(id.to_owned());
            }
        }
    }

    /// Whether whoever claims the looks of `name` has this id.
    fn are_only(&self, name: &str, id: &str) -> bool {
        looks(name).iter().filter_map(|look| self.0.get(look)).flatten().all(|claimed| claimed == id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::text) const ALICE: &str = "pa3cdefgh2jkmnpq";
    pub(in crate::text) const BOB: &str = "pk7m2qdxh2jkmnpq";
    pub(in crate::text) const STRANGER: &str = "pz4ttw5ah2jkmnpq";

    pub(in crate::text) fn named<'a>(id: &'a str, petname: &'a str, nick: &'a str) -> Named<'a> {
        let some = |name: &'a str| Some(name).filter(|name| !name.is_empty());
        Named { id, petname: some(petname), nick: some(nick) }
    }

    fn shown(people: &[Named<'_>]) -> Vec<String> {
        display_names(people).into_iter().map(CleanText::into_string).collect()
    }

    pub(in crate::text) fn candidates(query: &str, people: &[Named<'_>]) -> Vec<String> {
        match resolve(query, people) {
            Err(ResolveError::Ambiguous { candidates, .. }) => candidates,
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn nicks_are_one_word_of_32_characters() {
        for (text, expected) in [
            ("bob", "bob"),
            ("  Bob  the builder ", "Bob-the-builder"),
            ("@bob/api~x#1", "bob-api-x-1"),
            ("bob] (human) 14:05Z", "bob-human-14:05Z"),
            ("\u{202e}b\u{200b}ob\n\u{e0041}", "bob"),
            ("\u{301}bob", "bob"),
            ("\u{ff22}\u{ff4f}\u{ff42}\u{ff20}x", "Bob-x"),
            ("", "nameless"),
            ("@~/ #\u{2060}", "nameless"),
            ("\u{2800}", "nameless"),
        ] {
            assert_eq!(nick(text).as_str(), expected, "{text:?}");
        }
        assert_eq!(nick(&"é".repeat(90)).as_str(), "é".repeat(32));
        assert!(nick(&"\u{fdfa}".repeat(9)).as_str().chars().count() <= 32, "NFKC makes 18 of one");
        assert_eq!(room_name("~").as_str(), "room");
        assert_eq!(session_label("feat/api fix").as_str(), "feat-api-fix");
        assert_eq!(session_label("").as_str(), "session");
    }

    #[test]
    fn a_nick_that_looks_like_the_petname_of_another_is_found_unless_its_bearer_is_named_too() {
        let people =
            [named(BOB, "bob", "robert"), named(STRANGER, "", "b\u{43e}b"), named(ALICE, "", "alice")];
        assert_eq!(mistakable(&people), [(1, 0)]);
        let people =
            [named(BOB, "bob", "robert"), named(STRANGER, "other-bob", "bob"), named(ALICE, "", "bob")];
        assert_eq!(mistakable(&people), [(2, 0)]);
        assert_eq!(mistakable(&[named(BOB, "", "bob"), named(STRANGER, "", "bob")]), []);
        assert_eq!(petname("  Bob  the builder").unwrap().as_str(), "Bob-the-builder");
        assert!(petname("\u{2060} ~").is_none());
    }

    #[test]
    fn wound_21_a_nick_cannot_say_what_its_writer_is() {
        assert_eq!(nick("alice (human)").as_str(), "alice-human");
        assert_eq!(nick("alice\u{ff08}human\u{ff09}").as_str(), "alice-human");
    }

    #[test]
    fn alike_names() {
        for (a, b) in [
            ("bob", "Bob"),
            ("bob", "b\u{43e}b"),
            ("BOB", "\u{392}\u{39f}\u{392}"),
            ("bob", "\u{392}\u{39f}\u{392}"),
            ("alice", "\u{430}lic\u{435}"),
            ("Bob", "B0B"),
            ("hill", "hIlI"),
            ("hill", "h1ll"),
            ("mule", "rnule"),
            ("Mule", "rnule"),
            ("straße", "STRASSE"),
            ("\u{41d}ота", "нота"),
            ("bob", "\u{ff42}ob"),
            ("ΟΔΟΣ", "οδος"),
        ] {
            assert!(alike(a, b) && alike(b, a), "{a} {b}");
        }
        for (a, b) in [("bob", "mob"), ("alice", "alices"), ("cafe", "café"), ("bob", "bob2")] {
            assert!(!alike(a, b), "{a} {b}");
        }
    }

    #[test]
    fn names_are_bare_until_they_are_alike() {
        let people = [named(ALICE, "", "alice"), named(BOB, "", "bob"), named(STRANGER, "", "")];
        assert_eq!(shown(&people), ["alice", "bob", "pz4ttw5a"]);
        let people = [named(ALICE, "", "Bob"), named(BOB, "", "bob")];
        assert_eq!(shown(&people), ["Bob~a3cdef", "bob~k7m2qd"]);
        let people = [named(ALICE, "bob", ""), named(BOB, "b0b", "builder")];
        assert_eq!(shown(&people), ["bob~a3cdef", "b0b~k7m2qd"]);
    }

    #[test]
    fn ids_ground_alike_are_shown_longer() {
        let people = [named("pk7m2qdi2", "", "bob"), named("pk7m2qdl3", "", "bob"), named(ALICE, "", "")];
        assert_eq!(shown(&people), ["bob~k7m2qdi2", "bob~k7m2qdl3", "pa3cdefg"]);
        assert_eq!(shown(&[people[0], people[0]]), ["bob", "bob"]);
    }

    #[test]
    fn wound_20_a_nick_never_passes_for_a_petname() {
        for nick in ["bob", "BOB", "b\u{43e}b", "b0b", "bo\u{200b}b", "@bob"] {
            let people = [named(BOB, "bob", "builder"), named(STRANGER, "", nick)];
            let names = shown(&people);
            assert_eq!(names[0], "bob");
            assert!(names[1].ends_with("~z4ttw5"), "{nick:?} {names:?}");
            assert_eq!(resolve("bob", &people), Ok(0));
            assert_eq!(resolve(&names[1], &people), Ok(1));
        }
        let people = [named(BOB, "bob", ""), named(STRANGER, "", "b\u{43e}b")];
        assert_eq!(candidates("b\u{43e}b", &people), ["bob~k7m2qd", "b\u{43e}b~z4ttw5"]);
    }

    #[test]
    fn wound_20_a_nick_never_passes_for_an_id() {
        let people = [named(BOB, "", ""), named(STRANGER, "", "pk7m2qdx")];
        assert_eq!(shown(&people), ["~k7m2qd", "pk7m2qdx~z4ttw5"]);
        assert_eq!(candidates("pk7m2qdx", &people), ["~k7m2qd", "pk7m2qdx~z4ttw5"]);
        assert_eq!(resolve("~k7m2qd", &people), Ok(0));
        assert_eq!(resolve(BOB, &people), Ok(0));
        // A whole id of somebody absent is not cut into a nick that begins like it.
        let absent = format!("p{}", "k7m2qdxh".repeat(6));
        let people = [named(STRANGER, "", &absent)];
        assert!(matches!(resolve(&absent, &people), Err(ResolveError::NoSuch { .. })));
    }

    type Person = (String, Option<String>, Option<String>);

    pub(in crate::text) fn people() -> impl Strategy<Value = Vec<Person>> {
        let name = prop_oneof![
            4 => prop::sample::select(vec!["bob", "Bob", "b0b", "b\u{43e}b", "alice", "al1ce", "team", "tearn",
                "pk7m2qd", "paaaaaaaa", "aaaaaa", "@bob", "", "\u{2060}"]).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        let id = prop_oneof!["p[a-z2-7]{52}", "p[ail]{8}[a-z2-7]{44}", "pk7m2qd[a-z2-7]{46}"];
        let person = (id, prop::option::weighted(0.3, name.clone()), prop::option::weighted(0.8, name));
        prop::collection::vec(person, 0..12).prop_map(|mut people| {
            people.sort();
            people.dedup_by(|a, b| a.0 == b.0);
            people
        })
    }

    pub(in crate::text) fn as_named(people: &[Person]) -> Vec<Named<'_>> {
        people
            .iter()
            .map(|(id, petname, nick)| Named { id, petname: petname.as_deref(), nick: nick.as_deref() })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn names_are_words(text: String) {
            let name = nick(&text).into_string();
            prop_assert!((1..=NAME_LIMIT_CHARS).contains(&name.chars().count()));
            prop_assert!(!name.contains(RESERVED) && !name.contains(char::is_whitespace), "{:?}", name);
            prop_assert_eq!(nick(&name).into_string(), name);
        }

        #[test]
        fn wound_20_what_is_shown_means_whom_it_is_shown_for(people in people()) {
            let people = as_named(&people);
            for (at, name) in shown(&people).iter().enumerate() {
                prop_assert_eq!(resolve(name, &people), Ok(at), "{}", name);
            }
        }

        #[test]
        fn wound_20_no_bare_nick_is_like_another_name(people in people()) {
            let people = as_named(&people);
            let names = shown(&people);
            for (at, name) in names.iter().enumerate().filter(|(at, _)| people[*at].petname.and_then(name_of).is_none()) {
                for (other, person) in people.iter().enumerate().filter(|(other, _)| *other != at) {
                    prop_assert!(!alike(name, &names[other]), "{} {}", name, names[other]);
                    prop_assert!(!person.petname.is_some_and(|petname| alike(name, petname)), "{}", name);
                }
            }
        }
    }

    fn name_of(text: &str) -> Option<String> {
        name(text)
    }
}
