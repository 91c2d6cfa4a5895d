//! What the index of messages promises: any part of a text is found, nothing typed is an error, what was forgotten is gone,
//! and whatever lies in its place is made anew.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parlor_core::text::seek::{Terms, fold};
use parlor_store::index::{Index, IndexReader, Indexed, Reached, Sought};
use parlor_wire::{EntryId, RoomId};
use proptest::prelude::*;
use tempfile::TempDir;

const ROOM: RoomId = RoomId([1; 32]);
const OTHER: RoomId = RoomId([2; 32]);

fn id(number: u64) -> EntryId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    EntryId(id)
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    (dir, path)
}

fn add(index: &mut Index, room: RoomId, first: u64, texts: &[&str]) {
    let number = |at: usize| first + at as u64;
    let messages: Vec<Indexed> = (texts.iter().enumerate())
        .map(|(at, text)| Indexed { id: id(number(at)), sort_ms: number(at) * 10, text: fold(text) })
        .collect();
    let upto = number(texts.len() - 1);
    let after = index.reached().unwrap().get(&room).map_or(0, |reached| reached.upto);
    assert!(index.add(room, after, &messages, Reached { upto, id: id(upto), days: 0 }).unwrap());
}

fn sought<'a>(terms: &'a Terms, rooms: &'a [RoomId]) -> Sought<'a> {
    Sought { terms, rooms, since_ms: 0, limit: 100, skip: 0 }
}

fn find(path: &Path, typed: &str) -> Vec<EntryId> {
    let terms = Terms::parse(typed).unwrap();
    let found = IndexReader::open(path).unwrap().find(&sought(&terms, &[ROOM, OTHER])).unwrap();
    found.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn any_part_of_a_text_is_found_and_all_words_must_occur() {
    let (_dir, path) = place();
    let mut index = Index::open(&path).unwrap();
    let texts =
        ["pool by PgBouncer", "see src/foo_bar.rs:12", "foo bar, naïve", "数据库 is full", "a \"b\" * c'"];
    add(&mut index, ROOM, 1, &texts);
    for (typed, found) in [
        ("bouncer", vec![1]),
        ("pool bounce", vec![1]),
        ("pool full", vec![]),
        ("foo_bar", vec![2]),
        ("foo bar", vec![3, 2]),
        ("\"foo bar\"", vec![3]),
        ("naive", vec![3]),
        ("数据", vec![4]),
        ("库", vec![4]),
        ("*", vec![5]),
        ("c'", vec![5]),
        ("foo* OR NEAR(", vec![]),
    ] {
        assert_eq!(find(&path, typed), found.into_iter().map(id).collect::<Vec<_>>(), "{typed}");
    }
}

#[test]
fn the_newest_come_first_within_rooms_time_and_number() {
    let (_dir, path) = place();
    let mut index = Index::open(&path).unwrap();
    add(&mut index, ROOM, 1, &["pool"; 5]);
    add(&mut index, OTHER, 11, &["pool"; 5]);
    let terms = Terms::parse("pool").unwrap();
    let reader = IndexReader::open(&path).unwrap();
    let of = |sought: &Sought<'_>| -> Vec<EntryId> {
        reader.find(sought).unwrap().into_iter().map(|(_, id)| id).collect()
    };
    assert_eq!(of(&Sought { limit: 2, ..sought(&terms, &[ROOM, OTHER]) }), [id(15), id(14)]);
    assert_eq!(of(&Sought { limit: 2, skip: 4, ..sought(&terms, &[ROOM, OTHER]) }), [id(11), id(5)]);
    assert_eq!(of(&Sought { since_ms: 40, ..sought(&terms, &[ROOM]) }), [id(5), id(4)]);
    assert!(of(&sought(&terms, &[])).is_empty());
}

#[test]
fn it_says_how_far_it_reaches_and_takes_a_message_once() {
    let (_dir, path) = place();
    let mut index = Index::open(&path).unwrap();
    add(&mut index, ROOM, 1, &["one", "two"]);
    drop(index);
    let mut index = Index::open(&path).unwrap();
    assert_eq!(index.reached().unwrap()[&ROOM], Reached { upto: 2, id: id(2), days: 0 });
    add(&mut index, ROOM, 2, &["two", "three"]);
    assert_eq!(find(&path, "two").len(), 1);
    assert_eq!(index.reached().unwrap()[&ROOM].upto, 3);
    assert_eq!(IndexReader::open(&path).unwrap().counts().unwrap()[&ROOM], 3);
}

#[test]
fn it_takes_only_what_goes_on_from_where_it_is_for_the_days_it_was_made_for() {
    let (_dir, path) = place();
    let mut index = Index::open(&path).unwrap();
    let message = |n| [Indexed { id: id(n), sort_ms: n, text: "word".into() }];
    let reached = |upto, days| Reached { upto, id: id(upto), days };
    assert!(!index.add(ROOM, 3, &message(4), reached(4, 0)).unwrap(), "what stands before is not in it");
    assert!(index.add(ROOM, 0, &message(1), reached(1, 30)).unwrap());
    assert!(index.add(ROOM, 1, &message(2), reached(2, 30)).unwrap());
    assert!(!index.add(ROOM, 2, &message(3), reached(3, 0)).unwrap(), "it lacks what is older than 30 days");
    // Forgotten between the writes of who believes that it goes on.
    index.forget(ROOM, u64::MAX).unwrap();
    assert!(!index.add(ROOM, 2, &message(3), reached(3, 30)).unwrap());
    assert!(index.reached().unwrap().is_empty() && find(&path, "word").is_empty());
    assert!(index.add(ROOM, 0, &message(1), reached(1, 0)).unwrap());
    assert_eq!(index.reached().unwrap()[&ROOM], reached(1, 0));
}

#[test]
fn what_is_forgotten_is_not_found_and_not_in_the_file() {
    let (_dir, path) = place();
    let mut index = Index::open(&path).unwrap();
    add(&mut index, ROOM, 1, &["confidential-word", "kept-word"]);
    add(&mut index, OTHER, 11, &["other-word"]);
    assert_eq!(index.forget(ROOM, 20).unwrap(), 1);
    assert_eq!(find(&path, "word"), [id(11), id(2)]);
    assert_eq!(index.reached().unwrap()[&ROOM].upto, 2, "it is not read again");
    index.compact().unwrap();
    assert!(!holds(&path, b"confidential"), "it is still in the file");
    assert!(holds(&path, b"kept-word"));
    index.forget(ROOM, u64::MAX).unwrap();
    assert!(!index.reached().unwrap().contains_key(&ROOM));
    assert_eq!(find(&path, "word"), [id(11)]);
}

fn holds(path: &Path, needle: &[u8]) -> bool {
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn it_is_for_its_owner_only_and_whatever_lies_in_its_place_is_made_anew() {
    let (_dir, path) = place();
    for junk in [&b"garbage"[..], &[0; 8192], b"", b"SQLite format 3\0 and no more"] {
        std::fs::write(&path, junk).unwrap();
        let mut index = Index::open(&path).unwrap();
        assert!(index.reached().unwrap().is_empty());
        add(&mut index, ROOM, 1, &["pool"]);
        assert_eq!(find(&path, "pool"), [id(1)]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // One of another version, too.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    assert!(IndexReader::open(&path).is_err());
    assert!(Index::open(&path).unwrap().reached().unwrap().is_empty());
}

#[test]
fn one_that_is_gone_is_noticed_and_not_made_by_asking() {
    let (_dir, path) = place();
    assert!(IndexReader::open(&path).is_err());
    assert!(!path.exists());
    let index = Index::open(&path).unwrap();
    assert!(index.is_in_place());
    std::fs::remove_file(&path).unwrap();
    assert!(!index.is_in_place());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The index and the plain comparison agree, whatever is said and typed.
    #[test]
    fn what_is_found_is_what_holds_the_words(
        texts in prop::collection::vec("[abcäé\"'*_ 数]{0,12}|\\PC{0,8}", 1..8),
        typed in "[abcae\"* _数]{1,6}|\\PC{1,5}",
    ) {
        let Ok(terms) = Terms::parse(&typed) else { return Ok(()) };
        let (_dir, path) = place();
        let mut index = Index::open(&path).unwrap();
        add(&mut index, ROOM, 1, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        let holds = |at: &usize| terms.are_in(&fold(&texts[*at]));
        let expected: Vec<EntryId> = (0..texts.len()).rev().filter(holds).map(|at| id(at as u64 + 1)).collect();
        prop_assert_eq!(find(&path, &typed), expected, "{:?} in {:?}", typed, texts);
    }
}
