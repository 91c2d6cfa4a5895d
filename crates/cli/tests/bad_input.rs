//! What bad input gets: a clear error that says whose fault it is and what to do; nothing lost, nothing half
//! done.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Side, pair};

fn refused(side: &Side, args: &[&str], code: i32, words: &[&str]) -> String {
    let output = side.parlor.cmd(args).unwrap();
    assert_eq!(output.code(), code, "{args:?}: {}{}", output.out(), output.err());
    for word in words {
        assert!(output.err().contains(word), "{args:?} should say {word:?}: {}", output.err());
    }
    assert_eq!(output.out(), "", "errors are talk, not data");
    let json = side.parlor.cmd(args.iter().copied().chain(["--json"])).unwrap();
    let error: serde_json::Value =
        serde_json::from_str(&json.err()).unwrap_or_else(|_| panic!("{}", json.err()));
    assert!(error.get("kind").or(error["error"].get("kind")).is_some(), "{error}");
    output.err()
}

#[test]
fn a_bad_ticket_says_what_is_wrong_with_it() {
    let (alice, bob) = (Side::new("alice"), Side::new("bob"));
    let ticket = alice.start("payments");
    let mut mistyped = ticket.clone().into_bytes();
    let middle = mistyped.len() / 2;
    mistyped[middle] = if mistyped[middle] == b'q' { b'z' } else { b'q' };
    refused(&bob, &["join", &String::from_utf8(mistyped).unwrap()], 5, &["mistyped"]);
    refused(&bob, &["join", &ticket[..ticket.len() - 30]], 5, &["cut short"]);
    refused(&bob, &["join", &ticket.replacen("parlor1", "parlor2", 1)], 5, &["newer"]);
    refused(&bob, &["join", "hello"], 5, &["not a ticket"]);
    let brief = alice.parlor.json(["invite", "--expires", "1s"]).unwrap();
    let brief = brief["ticket"].as_str().unwrap().to_owned();
    // Expiry is by the clock: ask until the second is over.
    let late = loop {
        let output = bob.parlor.cmd(["join", &brief, "--no-bind"]).unwrap();
        if output.code() != 0 {
            break output;
        }
        bob.parlor.run(["node", "stop"]).ok().unwrap();
        std::fs::remove_dir_all(bob.parlor.dir()).unwrap();
    };
    assert_eq!(late.code(), 5, "{}", late.err());
    assert!(late.err().contains("expired"), "{}", late.err());
}

#[test]
fn an_unknown_room_lists_near_ones() {
    let (alice, _bob) = pair();
    refused(&alice, &["send", "hello", "--room", "paymnets"], 3, &["payments"]);
    refused(&alice, &["room", "show", "nothing-like-it"], 3, &[]);
}

/// Wound 7: limits are checked at `send`, and a long text wedges nothing.
#[test]
fn wound_07_a_body_over_the_limit_is_refused_with_the_limit_and_one_at_the_limit_arrives() {
    let (alice, bob) = pair();
    let long = "x".repeat(64 * 1024 + 1);
    let output = alice.parlor.run(["send", "-"]).stdin(long.clone().into_bytes()).output().unwrap();
    assert_eq!(output.code(), 5, "{}", output.err());
    assert!(output.err().contains("65,536") || output.err().contains("65536"), "{}", output.err());
    let fits = &long[1..];
    alice.parlor.run(["send", "-"]).stdin(fits.as_bytes().to_vec()).ok().unwrap();
    alice.send("still talking");
    bob.await_text("still talking");
    assert!(bob.texts().iter().any(|text| text == fits), "a body at the limit arrives whole");
}

#[test]
fn two_hundred_megabytes_of_one_line_and_invalid_utf_8_are_refused_and_nothing_is_sent() {
    let alice = Side::new("alice");
    alice.start("payments");
    let output = alice.parlor.run(["send", "-"]).stdin(vec![b'x'; 200 << 20]).output().unwrap();
    assert_eq!(output.code(), 5, "{}", output.err());
    let output = alice.parlor.run(["send", "-"]).stdin(vec![0xff, 0xfe, b'a']).output().unwrap();
    assert_eq!(output.code(), 5, "{}", output.err());
    assert!(output.err().contains("UTF-8"), "{}", output.err());
    let output = alice.parlor.run(["send", "-"]).stdin("  \n").output().unwrap();
    assert_eq!(output.code(), 5, "{}", output.err());
    assert_eq!(alice.texts(), [""; 0]);
}

/// Wound 22: one endpoint per identity.
#[test]
fn wound_22_a_second_node_names_the_process_that_holds_the_home() {
    let alice = Side::new("alice");
    alice.start("payments");
    let pid = alice.parlor.node_pid().unwrap().to_string();
    let output = alice.parlor.cmd(["node", "run"]).unwrap();
    assert_eq!(output.code(), 7, "{}", output.err());
    assert!(output.err().contains(&pid), "{} names {pid}", output.err());
    assert_eq!(alice.parlor.node_pid().unwrap().to_string(), pid, "the first goes on");
}

/// Wound 41: a path that cannot be bound is an error that says so.
#[test]
fn wound_41_a_home_whose_socket_path_is_too_long_says_so() {
    let alice = Side::new("alice");
    let long = alice.person.home().join("d".repeat(120));
    refused(&alice, &["--home", long.to_str().unwrap(), "who"], 7, &["103"]);
    let hook = alice.parlor.run(["hook", "--home", long.to_str().unwrap()]).stdin("{}").output().unwrap();
    assert_eq!((hook.code(), hook.out().as_str()), (0, ""), "{}", hook.err());
}

/// Wound 42: ready means serving; stop waits and verifies.
#[test]
fn wound_42_stop_has_stopped_when_it_returns() {
    let alice = Side::new("alice");
    alice.start("payments");
    for round in 0..5 {
        let pid = alice.parlor.node_pid().expect("serving");
        alice.parlor.run(["node", "stop"]).ok().unwrap();
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "round {round}: still lives: {state}");
        assert_eq!(alice.parlor.node_pid(), None);
        alice.send(&format!("round {round}"));
    }
    assert_eq!(alice.texts().len(), 5);
}

#[test]
fn racing_starters_all_succeed_with_one_node() {
    let alice = Side::new("alice");
    let racers: Vec<_> =
        (0..8).map(|_| alice.parlor.run(["identity", "show", "--json"]).spawn().unwrap()).collect();
    let peers: std::collections::BTreeSet<String> = racers
        .into_iter()
        .map(|racer| {
            let output = racer.finish(common::SOON).unwrap().ok().unwrap();
            let shown: serde_json::Value = serde_json::from_str(&output.out()).unwrap();
            shown["peer"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(peers.len(), 1, "one identity");
}

/// Wound 40: stdout is data, stderr is talk.
#[test]
fn wound_40_stdout_holds_data_only() {
    let (alice, bob) = pair();
    bob.send("one\ntwo");
    alice.await_text("one\ntwo");
    let log = alice.parlor.cmd(["log", "--json"]).unwrap();
    for line in log.out().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(log.err(), "");
    let send = alice.parlor.run(["send", "hello"]).ok().unwrap();
    assert!(send.out().contains("stored · reached 1 of 1"), "{}", send.out());
    assert!(!send.out().contains("sent"), "never `sent`: {}", send.out());
}

/// Wound 12: a message too long to be given whole is cut with its id, and the id fetches it whole.
#[test]
fn wound_12_a_cut_message_is_fetched_whole_by_the_id_that_stands_beside_it() {
    let (alice, bob) = pair();
    let long = format!("the beginning {} the end", "x".repeat(40_000));
    bob.parlor.run(["send", "-"]).stdin(long.clone().into_bytes()).ok().unwrap();
    bob.send("after it");
    alice.await_text("after it");
    let call = serde_json::json!({
        "session_id": "s", "hook_event_name": "UserPromptSubmit", "cwd": alice.project, "prompt": "hello",
    });
    let given = alice.parlor.run(["hook"]).stdin(call.to_string()).ok().unwrap().out();
    assert!(given.contains("the beginning") && !given.contains("the end"), "{given}");
    assert!(given.contains("after it"), "a long one does not hide the next: {given}");
    let hint = given.split("parlor log ").nth(1).unwrap();
    let id: String = hint.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let fetched = alice.parlor.run(["log", &id]).ok().unwrap().out();
    assert!(fetched.contains("the end"), "{id}: {}", &fetched[..200.min(fetched.len())]);
    assert_eq!(alice.parlor.json(["log", &id]).unwrap()["text"], long.as_str());
}

/// What a mistyped `--home` names may be somebody's project, open to others as they wanted it.
#[test]
fn a_directory_that_is_no_home_is_refused_and_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let alice = Side::new("alice");
    let dir = alice.person.root().join("site");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), "title = 'a page'\n").unwrap();
    std::fs::write(dir.join("index.html"), "").unwrap();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    let home = dir.to_str().unwrap();
    for args in [&["log"][..], &["start"], &["config", "set", "lan", "false"], &["node", "run"]] {
        let args: Vec<&str> = ["--home", home].iter().chain(args).copied().collect();
        refused(&alice, &args, 7, &["no home of Parlor's", "PARLOR_HOME"]);
    }
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
    assert_eq!(std::fs::read_to_string(dir.join("config.toml")).unwrap(), "title = 'a page'\n");
}

#[test]
fn a_dry_run_without_the_agent_program_says_which_one_is_missing() {
    let alice = Side::new("alice");
    let shown = alice.parlor.run(["install", "claude", "--dry-run"]).ok().unwrap().out();
    let typed: Vec<&str> = shown.lines().filter(|line| line.contains("would ask you to type")).collect();
    assert!(!typed.is_empty(), "{shown}");
    assert!(typed.iter().all(|line| line.starts_with("claude is not on PATH; ")), "{typed:?}");
}
