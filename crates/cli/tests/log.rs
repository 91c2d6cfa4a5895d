//! `parlor log` for a person at a terminal, through a pager, and for a pipe whose reader has had enough.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side, pair};
use parlor_testkit::tmux::Tmux;

/// What is on the terminal when `parlor ARGS` has ended there.
fn on_terminal(side: &Side, args: &[&str], pager: Option<&str>) -> String {
    // The terminal stays until it was read.
    let shell = ["sh", "-c", "\"$@\"; echo THE END; exec cat", "sh", "parlor"];
    let words: Vec<String> = shell.iter().chain(args).map(|word| (*word).to_owned()).collect();
    let mut env = side.person.env();
    env.extend(pager.map(|pager| ("PAGER".to_owned(), pager.to_owned())));
    let terminal = Tmux::start(&words, &env, &side.project).unwrap();
    let screen = terminal.wait_for_screen("the end", |screen| screen.ends_with("THE END"), SOON).unwrap();
    screen.strip_suffix("THE END").unwrap().to_owned()
}

#[test]
fn a_person_sees_days_people_and_where_the_new_begins() {
    let (alice, bob) = pair();
    alice.send("postgres, we have it");
    alice.send("and redis");
    bob.await_text("and redis");
    let first = on_terminal(&bob, &["log", "--no-pager"], None);
    let lines: Vec<&str> = first.lines().collect();
    assert!(lines[0].starts_with("── ") && lines[0].ends_with("────"), "{first}");
    assert!(lines[1].contains("  alice (program)  m"), "{first}");
    assert_eq!(lines[2..4], ["       postgres, we have it", "       and redis"], "{first}");
    assert!(!first.contains("── new"), "nothing was read before: {first}");
    alice.send("since then");
    bob.await_text("since then");
    let second = on_terminal(&bob, &["log", "--no-pager"], None);
    let (old, new) = second.split_once("── new ──").unwrap_or_else(|| panic!("{second}"));
    assert!(old.contains("and redis") && !old.contains("since then"), "{second}");
    assert!(new.contains("since then"), "{second}");
    let third = on_terminal(&bob, &["log", "--no-pager"], None);
    assert!(third.contains("since then") && !third.contains("── new"), "it was read: {third}");
    // A pipe is given what it always was: one message a line.
    let piped = bob.parlor.run(["log"]).ok().unwrap().out();
    assert_eq!(piped.lines().count(), 3, "{piped}");
    assert!(piped.lines().all(|line| line.contains(" alice (program): ")), "{piped}");
}

#[test]
fn a_terminals_log_goes_through_the_persons_pager_and_nothing_else_does() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("hello");
    let pager = "sed s/^/paged:/";
    let paged = on_terminal(&alice, &["log"], Some(pager));
    assert!(paged.lines().any(|line| line == "paged:       hello"), "{paged}");
    assert!(!on_terminal(&alice, &["log", "--no-pager"], Some(pager)).contains("paged:"));
    assert!(!on_terminal(&alice, &["log", "--json"], Some(pager)).contains("paged:"));
    assert!(on_terminal(&alice, &["log"], Some("no-such-pager")).contains("       hello"));
    let piped = alice.parlor.run(["log"]).env("PAGER", pager).ok().unwrap().out();
    assert!(!piped.contains("paged:"), "{piped}");
}

#[test]
fn following_ends_when_its_reader_has_gone_though_nothing_more_is_said() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("the only message");
    let script = "parlor log -f | head -n 1; echo ${PIPESTATUS[0]}";
    let piped = alice.person.run("bash").args(["-c", script]).cwd(&alice.project).timeout(SOON).ok().unwrap();
    let out = piped.out();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with(": the only message"), "{lines:?}");
    assert_eq!(lines[1], "0", "{}", piped.err());
    assert_eq!(piped.err(), "");
}
