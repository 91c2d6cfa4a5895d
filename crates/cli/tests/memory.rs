//! Search, exports and the care of the store, with the real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{SOON, Side, pair};
use parlor_testkit::run::Output;
use serde_json::Value;

fn ids(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

fn found(side: &Side, args: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ["log", "--search"].iter().chain(args).copied().collect();
    let found = side.parlor.json_lines(all).unwrap();
    found.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

/// Runs a command again until it ends so: a thread of the node brings it about.
fn until(side: &Side, args: &[&str], is_so: impl Fn(&Output) -> bool) -> Output {
    let deadline = Instant::now() + SOON;
    loop {
        let output = side.parlor.cmd(args).unwrap();
        if is_so(&output) {
            return output;
        }
        assert!(Instant::now() < deadline, "{args:?}: {} {}", output.out(), output.err());
        std::thread::sleep(Duration::from_millis(50)); // sleep: another process is looked at again and again
    }
}

fn home_file(side: &Side, name: &str) -> std::path::PathBuf {
    side.parlor.dir().join(name)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_said_is_found_by_any_part_of_it_by_everybody_who_may_read_it() {
    let (alice, bob) = pair();
    alice.send("postgres goes through PgBouncer");
    alice.send("see src/foo_bar.rs");
    bob.send("pgbouncer it is");
    alice.await_text("pgbouncer it is");
    bob.await_text("see src/foo_bar.rs");
    for side in [&alice, &bob] {
        assert_eq!(found(side, &["bouncer"]), ["postgres goes through PgBouncer", "pgbouncer it is"]);
        assert_eq!(found(side, &["bouncer", "-n", "1"]), ["pgbouncer it is"]);
        assert_eq!(found(side, &["foo_bar.rs see"]), ["see src/foo_bar.rs"]);
        assert!(found(side, &["\"bouncer it goes\""]).is_empty());
        assert!(found(side, &["bouncer", "--since", "2999-01-01"]).is_empty());
    }
    assert_eq!(mode(&home_file(&alice, "index.db")), 0o600);
    let empty = alice.parlor.cmd(["log", "--search", " \"\" "]).unwrap();
    assert_eq!((empty.code(), empty.out().as_str()), (5, ""), "{}", empty.err());
}

#[test]
fn one_room_is_searched_unless_all_are_asked_for() {
    let mut alice = Side::new("alice");
    alice.start("payments");
    alice.send("a word for payments");
    alice.parlor.run(["start", "other", "--no-bind"]).ok().unwrap();
    alice.parlor.run(["send", "--room", "other", "a word for others"]).ok().unwrap();
    assert_eq!(found(&alice, &["word"]), ["a word for payments"]);
    assert_eq!(found(&alice, &["word", "--room", "other"]), ["a word for others"]);
    assert_eq!(found(&alice, &["word", "--all-rooms"]), ["a word for payments", "a word for others"]);
    let shown = alice.parlor.run(["log", "--search", "word", "--all-rooms"]).ok().unwrap().out();
    assert!(shown.lines().next().unwrap().starts_with("payments "), "{shown}");
    // Where no room is bound, everywhere is meant.
    alice.parlor.set_cwd(alice.person.home());
    assert_eq!(found(&alice, &["word"]).len(), 2);
}

#[test]
fn an_index_that_is_lost_or_damaged_is_made_anew_and_loses_nothing() {
    let alice = Side::new("alice");
    alice.start("payments");
    (0..40).for_each(|n| _ = alice.send(&format!("word {n}")));
    let index = home_file(&alice, "index.db");
    let all = |side: &Side| {
        let search = ["log", "--search", "word", "--json", "-n", "100"];
        let output = until(side, &search, |output| output.code() == 0 && output.out().lines().count() == 40);
        assert_eq!(output.err(), "", "nothing is missing any more");
    };
    all(&alice);
    // While the node runs.
    std::fs::remove_file(&index).unwrap();
    all(&alice);
    // While it does not.
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    std::fs::write(&index, "no index").unwrap();
    all(&alice);
    assert_eq!(mode(&index), 0o600);
}

#[test]
fn a_node_that_was_killed_indexes_what_it_had_not() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("before the kill");
    assert!(alice.parlor.kill_node());
    alice.send("after the kill");
    assert_eq!(found(&alice, &["the kill"]), ["before the kill", "after the kill"]);
}

#[test]
fn what_a_removal_takes_back_is_not_found() {
    let (alice, bob) = pair();
    bob.send("said in time");
    alice.await_text("said in time");
    // Bob's node is not reached any more, and says more.
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    bob.send("said too late");
    bob.parlor.run(["node", "stop"]).ok().unwrap();
    alice.parlor.run(["member", "remove", "bob"]).ok().unwrap();
    // He hears of it, and his own words count no more, for him either.
    let gone = |output: &Output| output.out().contains("\"state\":\"removed\"");
    until(&bob, &["room", "show", "--json"], gone);
    assert_eq!(found(&bob, &["said"]), ["said in time"]);
    assert_eq!(found(&alice, &["said"]), ["said in time"]);
}

#[test]
fn a_room_is_exported_and_verified_by_somebody_without_a_home() {
    let (alice, bob) = pair();
    alice.send("one\u{202e} two");
    bob.send("three");
    alice.await_text("three");
    let file = alice.project.join("room.jsonl");
    let path = file.to_str().unwrap();
    let exported = alice.parlor.run(["room", "export", "--out", path]).ok().unwrap();
    assert_eq!(exported.out().trim_end(), path);
    // As many as the room has: what members say of themselves is an entry and no message.
    assert_eq!(alice.parlor.json(["room", "show"]).unwrap()["messages"], 2);
    assert!(exported.err().contains("2 messages of payments: "), "{}", exported.err());
    assert_eq!(mode(&file), 0o600);
    let again = alice.parlor.cmd(["room", "export", "--out", path]).unwrap();
    assert_eq!(again.code(), 5, "{}", again.err());

    let nobody = Side::new("carol");
    let report = nobody.parlor.json(["verify-export", path]).unwrap();
    let me = alice.parlor.json(["identity", "show"]).unwrap();
    assert!(report["messages"] == 2 && report["opened"].as_u64() > Some(2), "{report}");
    assert_eq!((&report["exporter"], &report["exporter_standing"]), (&me["peer"], &"owner".into()));
    assert_eq!(report["room_name"], "payments");
    let speakers: Vec<_> = report["speakers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["nick"].as_str().unwrap(), one["messages"].as_u64().unwrap()))
        .collect();
    assert!(speakers.contains(&("alice", 1)) && speakers.contains(&("bob", 1)), "{speakers:?}");
    assert!(!home_file(&nobody, "identity.key").exists() && !home_file(&nobody, "node.lock").exists());

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("one\\u202e two"), "readable, and nothing acts on a terminal");
    std::fs::write(&file, text.replace("three", "seven")).unwrap();
    let wrong = nobody.parlor.cmd(["verify-export", path]).unwrap();
    let line = text.lines().position(|line| line.contains("three")).unwrap() + 1;
    assert_eq!(wrong.code(), 5);
    assert!(wrong.err().contains(&format!("line {line}: ")), "{}", wrong.err());
}

#[test]
fn an_export_since_a_time_is_sound_and_says_so() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("long ago");
    let first = alice.send("from here on");
    alice.send("last");
    let message = alice.parlor.json(["log", first["id"].as_str().unwrap()]).unwrap();
    let since = message["time"].as_str().unwrap();
    let part = alice.parlor.run(["room", "export", "--out", "-", "--since", since]).ok().unwrap();
    assert!(!part.out().contains("long ago") && part.out().contains("from here on"));
    let verify = alice.parlor.run(["verify-export", "-", "--json"]).stdin(part.out()).ok().unwrap();
    let report: Value = serde_json::from_str(&verify.out()).unwrap();
    assert_eq!((&report["since"], &report["entries"]), (&message["time"], &2.into()));
    assert_eq!(ids(&alice.log()).len(), 3);
}

fn room_bytes(side: &Side) -> Vec<u8> {
    let room = side.parlor.json(["room", "show"]).unwrap()["id"].as_str().unwrap().to_owned();
    let mut bits = (0u32, 0);
    let mut bytes = Vec::new();
    for c in room[1..].bytes() {
        let five = if c.is_ascii_lowercase() { c - b'a' } else { c - b'2' + 26 };
        bits = (bits.0 << 5 | u32::from(five), bits.1 + 5);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1) as u8);
        }
    }
    bytes
}

#[test]
fn agents_are_told_what_an_export_and_a_retention_do_and_how_a_human_types_them() {
    let alice = Side::new("alice");
    alice.start("payments");
    for (args, words) in [
        (
            &["room", "export", "--out", "-"][..],
            ["signed with your human's identity", "`parlor room export`"],
        ),
        (&["room", "retention", "30"], ["for how long a room is read", "`parlor room retention 30`"]),
        (&["room", "retention", "off"], ["for how long a room is read", "`parlor room retention off`"]),
    ] {
        let refused = alice.parlor.run(args).env("CLAUDECODE", "1").output().unwrap();
        assert_eq!((refused.code(), refused.out()), (4, String::new()), "{}", refused.err());
        assert!(words.iter().all(|word| refused.err().contains(word)), "{}", refused.err());
        assert!(!refused.err().contains("hears whom"), "{}", refused.err());
    }
}

#[test]
fn a_search_for_more_than_is_shown_is_refused() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("word");
    assert_eq!(found(&alice, &["word", "-n", "1000"]), ["word"]);
    let refused = alice.parlor.cmd(["log", "--search", "word", "-n", "1001"]).unwrap();
    assert_eq!((refused.code(), refused.out()), (2, String::new()));
    assert!(refused.err().contains("at most the 1,000"), "{}", refused.err());
    assert_eq!(alice.parlor.json_lines(["log", "-n", "1001"]).unwrap().len(), 1);
}

#[test]
fn a_problem_of_the_store_is_said_with_its_room_and_entry_in_plain_words() {
    let alice = Side::new("alice");
    alice.start("payments");
    let sent = alice.send("one");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let store = home_file(&alice, "store.db");
    let good = std::fs::read(&store).unwrap();
    let after = |sql: &str| {
        std::fs::write(&store, &good).unwrap();
        let conn = rusqlite::Connection::open(&store).unwrap();
        assert_eq!(conn.execute(sql, []).unwrap(), 1, "{sql}");
        conn.close().unwrap();
        let output = alice.parlor.cmd(["store", "check"]).unwrap();
        assert_eq!(output.code(), 7, "{}", output.err());
        assert!(output.err().contains("What to do: "), "{}", output.err());
        output.out()
    };
    let place = "UPDATE data SET seq = seq + 7 WHERE arrival = 1";
    let entry =
        format!("entry {}: the store has this entry under another place", &sent["id"].as_str().unwrap()[..8]);
    let said = after(place);
    assert!(said.contains("room payments (r") && said.contains(&entry), "{said}");
    let said = after("UPDATE data SET chain = x'01' WHERE arrival = 1");
    assert!(said.contains("room payments (r") && said.contains("the file itself is damaged"), "{said}");
    std::fs::write(&store, good).unwrap();
    alice.parlor.run(["store", "check"]).ok().unwrap();
}

#[test]
fn a_store_is_checked_with_and_without_a_node_and_is_not_changed_by_it() {
    let (alice, bob) = pair();
    alice.send("one");
    bob.send("two");
    alice.await_text("two");
    let check = |side: &Side| side.parlor.json(["store", "check"]).unwrap();
    let running = check(&alice);
    assert_eq!((&running["rooms"], &running["problems"]), (&1.into(), &0.into()), "{running}");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let store = home_file(&alice, "store.db");
    let before = std::fs::read(&store).unwrap();
    let stopped = check(&alice);
    assert!(
        stopped["entries"].as_u64() >= running["entries"].as_u64() && stopped["problems"] == 0,
        "{stopped}"
    );
    assert!(std::fs::read(&store).unwrap() == before, "it was changed");
    assert!(!home_file(&alice, "store.db-wal").exists(), "nothing is left beside it");
    assert!(alice.parlor.cmd(["node", "status"]).unwrap().code() == 3, "no node was started");
    let nobody = Side::new("carol").parlor.cmd(["store", "check"]).unwrap();
    assert_eq!(nobody.code(), 3, "{}", nobody.err());
}

#[test]
fn what_is_wrong_with_a_store_is_said_and_what_to_do() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("one");
    let room = room_bytes(&alice);
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let store = home_file(&alice, "store.db");
    let good = std::fs::read(&store).unwrap();
    let places: Vec<usize> = (0..good.len() - 32).filter(|at| good[*at..*at + 32] == room[..]).collect();
    let mut found = 0;
    for at in places {
        let mut changed = good.clone();
        changed[at + 5] ^= 1;
        std::fs::write(&store, changed).unwrap();
        let output = alice.parlor.cmd(["store", "check"]).unwrap();
        let said = format!("{}{}", output.out(), output.err());
        // Records of this node's own are signed by nobody, and what lies in unused space is nothing.
        match output.code() {
            0 => assert!(said.contains("sound: "), "{said}"),
            7 => assert!(said.contains("NOT SOUND") && said.contains("What to do: "), "{said}"),
            code => panic!("{code}: {said}"),
        }
        found += u64::from(output.code() == 7);
    }
    // The room's own row and its indexes, and in each entry its header.
    assert!(found > 5, "{found}");
    std::fs::write(&store, &good[..good.len() / 2]).unwrap();
    assert_eq!(alice.parlor.cmd(["store", "check"]).unwrap().code(), 7);
    std::fs::write(&store, good).unwrap();
    alice.parlor.run(["store", "check"]).ok().unwrap();
}

#[test]
fn a_store_is_counted_and_compacted_and_loses_nothing() {
    let alice = Side::new("alice");
    alice.start("payments");
    (0..20).for_each(|n| _ = alice.send(&format!("word {n}")));
    assert_eq!(found(&alice, &["word", "-n", "100"]).len(), 20);
    let before = alice.log();
    let done = alice.parlor.json(["store", "compact"]).unwrap();
    assert!(done["store_after_bytes"].as_u64() <= done["store_before_bytes"].as_u64(), "{done}");
    assert!(done["index_after_bytes"].as_u64() <= done["index_before_bytes"].as_u64(), "{done}");
    assert_eq!(alice.log(), before);
    assert_eq!(found(&alice, &["word", "-n", "100"]).len(), 20);
    alice.send("word after");
    assert_eq!(found(&alice, &["word", "-n", "100"]).len(), 21);
    let stats = alice.parlor.json(["store", "stats"]).unwrap();
    let room = &stats["rooms"][0];
    assert_eq!(
        (&room["name"], &room["people"], &room["messages"]),
        (&"payments".into(), &1.into(), &21.into())
    );
    assert_eq!((&room["indexed"], &room["chains"]), (&21.into(), &1.into()), "{stats}");
    assert!(
        room["transcript_bytes"].as_u64() > Some(0) && stats["index_bytes"].as_u64() > Some(0),
        "{stats}"
    );
    assert_eq!(alice.parlor.json(["store", "check"]).unwrap()["problems"], 0);
}

#[test]
fn a_room_is_read_here_for_as_long_as_one_says_and_for_ever_again() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("said today");
    let days = |args: &[&str]| {
        let all: Vec<&str> = ["room", "retention"].iter().chain(args).copied().collect();
        alice.parlor.json(all).unwrap()["days"].clone()
    };
    assert_eq!(days(&[]), Value::Null);
    assert_eq!(days(&["30"]), 30);
    // What is younger is read as before, everywhere.
    assert_eq!(alice.texts(), ["said today"]);
    until(&alice, &["log", "--search", "today", "--json"], |output| output.out().contains("said today"));
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    assert_eq!(days(&["--room", "payments"]), 30, "it is remembered");
    let shown = || alice.parlor.json(["room", "show"]).unwrap()["retention_days"].clone();
    let told = || alice.parlor.run(["room", "show"]).ok().unwrap().out();
    assert!(shown() == 30 && told().contains("for 30 days"), "{}", told());
    assert_eq!(days(&["off"]), Value::Null);
    assert!(shown().is_null() && told().contains("for ever"), "{}", told());
    until(&alice, &["log", "--search", "today", "--json"], |output| output.out().contains("said today"));
    assert_eq!(alice.parlor.cmd(["room", "retention", "0"]).unwrap().code(), 2);
    assert_eq!(alice.parlor.cmd(["room", "retention", "99999"]).unwrap().code(), 5);
}

#[test]
fn days_that_are_changed_again_at_once_lose_nothing_of_the_index() {
    let alice = Side::new("alice");
    alice.start("payments");
    (0..12).for_each(|n| _ = alice.send(&format!("word {n}")));
    let search = ["log", "--search", "word", "--json"];
    for rounds in 0..4 {
        alice.parlor.run(["room", "retention", "1"]).ok().unwrap();
        // In some rounds the index has begun to be made for the one, in others not.
        (0..rounds).for_each(|_| _ = alice.texts());
        alice.parlor.run(["room", "retention", "off"]).ok().unwrap();
        let sent = 12 + rounds + 1;
        alice.send(&format!("word {sent}"));
        // Every answer holds all of it or says how much it did not look at.
        until(&alice, &search, |output| {
            let found = output.out().lines().count();
            let is_all = found == sent;
            assert!(is_all || output.err().contains("not indexed yet"), "{found}: {}", output.err());
            is_all
        });
        let stats = alice.parlor.json(["store", "stats"]).unwrap();
        assert_eq!(stats["rooms"][0]["indexed"], sent, "{stats}");
    }
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    assert_eq!(found(&alice, &["word"]).len(), 16);
}

/// Makes the message with this arrival number one of so many days ago, as the store has it.
fn make_older(side: &Side, arrival: i64, days: i64) {
    side.parlor.run(["node", "stop"]).ok().unwrap();
    let store = rusqlite::Connection::open(home_file(side, "store.db")).unwrap();
    let sql = "UPDATE data SET sort_ms = sort_ms - ?1 WHERE arrival = ?2";
    assert_eq!(store.execute(sql, rusqlite::params![days * 86_400_000, arrival]).unwrap(), 1);
}

fn transcripts(side: &Side) -> String {
    let rooms = std::fs::read_dir(home_file(side, "rooms")).unwrap();
    rooms
        .map(|dir| std::fs::read_to_string(dir.unwrap().path().join("transcript.txt")).unwrap_or_default())
        .collect()
}

fn until_transcripts(side: &Side, is_so: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so(&transcripts(side)) {
        assert!(Instant::now() < deadline, "{}", transcripts(side));
        std::thread::sleep(Duration::from_millis(50)); // sleep: a file of another process is looked at again and again
    }
}

#[test]
fn what_is_older_than_its_room_is_read_here_is_in_no_view_and_comes_back_with_off() {
    let (alice, bob) = pair();
    let old = alice.send("an old word");
    alice.send("a new word");
    bob.await_text("a new word");
    make_older(&bob, 1, 40);
    let (short, all) = (["a new word"], ["an old word", "a new word"]);
    let search = ["log", "--search", "word", "--json"];
    let finds =
        |lines: usize| move |output: &Output| output.code() == 0 && output.out().lines().count() == lines;
    assert_eq!(bob.texts(), all);
    until_transcripts(&bob, |text| text.contains("an old word") && text.contains("a new word"));

    bob.parlor.run(["room", "retention", "30"]).ok().unwrap();
    assert_eq!(bob.texts(), short);
    assert_eq!(bob.parlor.cmd(["log", old["id"].as_str().unwrap()]).unwrap().code(), 3);
    assert!(!until(&bob, &search, finds(1)).out().contains("an old word"));
    until_transcripts(&bob, |text| !text.contains("an old word") && text.contains("a new word"));
    let export = bob.parlor.run(["room", "export", "--out", "-"]).ok().unwrap().out();
    assert!(!export.contains("an old word") && export.contains("a new word"));
    assert_eq!(bob.parlor.run(["verify-export", "-"]).stdin(export).output().unwrap().code(), 0);
    let index = std::fs::read(home_file(&bob, "index.db")).unwrap();
    let log = std::fs::read(home_file(&bob, "index.db-wal")).unwrap_or_default();
    bob.parlor.run(["store", "compact"]).ok().unwrap();
    assert!(index.len() + log.len() > 0);
    let compacted = std::fs::read(home_file(&bob, "index.db")).unwrap();
    assert!(!compacted.windows(11).any(|part| part == b"an old word"), "it is still in the index");

    // Whoever comes now is served all of it, by this node too: sealed, nothing is gone.
    let carol = Side::new("carol");
    let ticket = alice.parlor.json(["invite"]).unwrap()["ticket"].as_str().unwrap().to_owned();
    carol.join(&ticket);
    carol.await_text("an old word");
    assert_eq!(bob.parlor.json(["store", "check"]).unwrap()["problems"], 0);

    bob.parlor.run(["room", "retention", "off"]).ok().unwrap();
    assert_eq!(bob.texts(), all);
    until(&bob, &search, finds(2));
    until_transcripts(&bob, |text| text.contains("an old word"));
}
