//! A backup of an identity, and the identity back from it, with the real binary: whoever restores it is the same
//! peer, and nothing is ever replaced.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{SOON, Side};
use parlor_testkit::run::Output;
use parlor_testkit::tmux::Tmux;

const PASSPHRASE: &str = "correct horse battery staple";

fn peer(side: &Side) -> String {
    side.parlor.json(["identity", "show"]).unwrap()["peer"].as_str().unwrap().to_owned()
}

/// `parlor identity VERB FILE`, the passphrase on descriptor 0.
fn run(side: &Side, verb: &str, file: &Path, passphrase: &str) -> Output {
    let words = ["identity", verb, file.to_str().unwrap(), "--passphrase-fd", "0"];
    side.parlor.run(words).stdin(format!("{passphrase}\n")).output().unwrap()
}

fn refused(output: &Output, code: i32, word: &str) {
    assert_eq!(output.code(), code, "{}{}", output.out(), output.err());
    assert!(output.err().contains(word), "should say {word:?}: {}", output.err());
    assert_eq!(output.out(), "", "errors are talk, not data");
}

/// Alice, and a backup of her.
fn backed_up() -> (Side, String, PathBuf) {
    let alice = Side::new("alice");
    let peer = peer(&alice);
    let file = alice.person.root().join("alice.age");
    assert_eq!(run(&alice, "backup", &file, PASSPHRASE).code(), 0);
    (alice, peer, file)
}

#[test]
fn who_is_restored_in_another_home_is_the_same_peer() {
    let (alice, peer_id, file) = backed_up();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n") && text.is_ascii(), "{text}");
    let beside = std::fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(
        beside.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(),
        1,
        "nothing beside it"
    );
    alice.parlor.run(["node", "stop"]).ok().unwrap();

    let new = Side::new("alice");
    let restored = run(&new, "restore", &file, PASSPHRASE);
    assert_eq!(restored.code(), 0, "{}", restored.err());
    assert!(
        restored.out().contains(&peer_id) && restored.err().contains("Its rooms are not here"),
        "{restored:?}"
    );
    let key = new.parlor.dir().join("identity.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(&key).unwrap(), std::fs::read(alice.parlor.dir().join("identity.key")).unwrap());
    assert_eq!(peer(&new), peer_id);
    assert!(new.parlor.json_lines(["room", "list"]).unwrap().is_empty());
}

#[test]
fn the_wrong_passphrase_restores_nobody() {
    let (_alice, _, file) = backed_up();
    let new = Side::homeless("alice");
    refused(&run(&new, "restore", &file, "correct horse battery stapel"), 5, "not the passphrase");
    assert!(!new.parlor.dir().exists(), "and makes no home");
}

#[test]
fn no_file_and_no_identity_is_ever_replaced() {
    let (alice, peer_id, file) = backed_up();
    let before = std::fs::read(&file).unwrap();
    refused(&run(&alice, "backup", &file, PASSPHRASE), 5, "is there already");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let bob = Side::new("bob");
    let bob_id = peer(&bob);
    assert_ne!(bob_id, peer_id);
    let key = std::fs::read(bob.parlor.dir().join("identity.key")).unwrap();
    bob.parlor.run(["node", "stop"]).ok().unwrap();
    let refusal = run(&bob, "restore", &file, PASSPHRASE);
    refused(&refusal, 4, "has an identity already");
    assert!(refusal.err().contains("--home DIR"), "{}", refusal.err());
    assert_eq!(std::fs::read(bob.parlor.dir().join("identity.key")).unwrap(), key);
}

#[test]
fn a_lost_key_comes_back_beside_its_store_once_no_node_runs() {
    let (alice, peer_id, file) = backed_up();
    alice.start("payments");
    std::fs::remove_file(alice.parlor.dir().join("identity.key")).unwrap();
    refused(&run(&alice, "restore", &file, PASSPHRASE), 7, "is the node");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let restored = run(&alice, "restore", &file, PASSPHRASE);
    assert!(restored.code() == 0 && restored.err().contains("used as it is"), "{}", restored.err());
    assert_eq!(peer(&alice), peer_id);
    assert_eq!(alice.parlor.json_lines(["room", "list"]).unwrap()[0]["state"], "joined");
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_said_before_a_passphrase_is_asked_for() {
    let nobody = Side::homeless("alice");
    let words = ["identity", "backup", "out.age"];
    refused(&nobody.parlor.cmd(words).unwrap(), 3, "no identity");
    assert!(!nobody.parlor.dir().exists(), "none is made");
    refused(&nobody.parlor.cmd(["identity", "restore", "nothing.age"]).unwrap(), 5, "cannot be read");
    std::fs::write(nobody.project.join("words.txt"), "hello").unwrap();
    refused(&nobody.parlor.cmd(["identity", "restore", "words.txt"]).unwrap(), 5, "no whole backup");
    peer(&nobody);
    refused(&run(&nobody, "backup", Path::new("short.age"), "hunter2"), 5, "at least 12 characters");
    refused(&run(&nobody, "backup", Path::new("none/out.age"), PASSPHRASE), 7, "cannot be written");
    assert_eq!(std::fs::read_dir(&nobody.project).unwrap().count(), 2, "the text and .git");
}

#[test]
fn a_passphrase_is_read_from_any_descriptor() {
    let (alice, peer_id, file) = backed_up();
    let passphrase = alice.person.root().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let new = Side::new("alice");
    let line = r#"exec parlor identity restore "$1" --passphrase-fd 7 --json 7< "$2""#;
    let run = new.person.run("/bin/sh").args(["-c", line, "sh"]).arg(&file).arg(&passphrase);
    let answer: serde_json::Value = serde_json::from_str(&run.ok().unwrap().out()).unwrap();
    assert_eq!(answer["peer"], peer_id.as_str());
    let words = ["identity", "backup", "x.age", "--passphrase-fd", "9"];
    refused(&alice.parlor.cmd(words).unwrap(), 2, "descriptor 9");
}

#[test]
fn both_are_refused_to_agents() {
    let (mut alice, _, file) = backed_up();
    let mut new = Side::homeless("alice");
    for side in [&mut alice, &mut new] {
        side.parlor.set_env("CLAUDECODE", "1");
    }
    let other = alice.project.join("other.age");
    refused(&run(&alice, "backup", &other, PASSPHRASE), 4, "ask your human");
    refused(&run(&new, "restore", &file, PASSPHRASE), 4, "ask your human");
    assert!(!other.exists() && !new.parlor.dir().exists());
}

/// `sh -c LINE` in a terminal of this person.
fn terminal(side: &Side, line: &str) -> Tmux {
    let words = ["/bin/sh", "-c", line].map(str::to_owned);
    Tmux::start(&words, &side.person.env(), &side.project).unwrap()
}

#[test]
fn a_passphrase_typed_twice_is_not_shown() {
    let alice = Side::new("alice");
    let peer_id = peer(&alice);
    let tmux = terminal(&alice, "parlor identity backup typed.age; echo ended $?; cat");
    for prompt in ["Passphrase of the backup:", "The same again:"] {
        tmux.wait_for_screen(prompt, |screen| screen.contains(prompt), SOON).unwrap();
        tmux.type_text(PASSPHRASE).unwrap();
        tmux.send_keys(&["Enter"]).unwrap();
    }
    let screen = tmux.wait_for_screen("the end", |screen| screen.contains("ended 0"), SOON).unwrap();
    assert!(screen.contains(&peer_id) && !screen.contains("horse"), "{screen}");
    let new = Side::new("alice");
    assert_eq!(run(&new, "restore", &alice.project.join("typed.age"), PASSPHRASE).code(), 0);
}

#[test]
fn an_interrupted_prompt_writes_nothing_and_gives_the_terminal_back() {
    let alice = Side::new("alice");
    peer(&alice);
    let tmux = terminal(&alice, "parlor identity backup typed.age; echo ended $?; stty -a; cat");
    tmux.wait_for_screen("the prompt", |screen| screen.contains("Passphrase"), SOON).unwrap();
    tmux.send_keys(&["C-c"]).unwrap();
    let screen = tmux.wait_for_screen("stty", |screen| screen.contains("echoke"), SOON).unwrap();
    assert!(screen.contains("ended 130") && screen.contains(" echo "), "{screen}");
    assert!(!alice.project.join("typed.age").exists());
}

#[test]
fn a_prompt_ended_from_outside_gives_the_terminal_back() {
    let alice = Side::new("alice");
    peer(&alice);
    let asking = "sh -c 'echo pid $$ is it; exec parlor identity backup typed.age'";
    let tmux = terminal(&alice, &format!("{asking}; echo ended $?; stty -a; cat"));
    let screen = tmux.wait_for_screen("the prompt", |screen| screen.contains("Passphrase"), SOON).unwrap();
    let pid = screen.split_whitespace().nth(1).unwrap();
    alice.person.run("/bin/sh").args(["-c", &format!("kill -TERM {pid}")]).ok().unwrap();
    let screen = tmux.wait_for_screen("stty", |screen| screen.contains("echoke"), SOON).unwrap();
    assert!(screen.contains("ended 143") && screen.contains(" echo "), "{screen}");
}

#[test]
fn a_revoked_identity_has_left_its_rooms_and_writes_nothing_any_more() {
    let (alice, bob) = common::pair();
    bob.send("before");
    alice.await_text("before");
    let unasked = bob.parlor.cmd(["identity", "revoke"]).unwrap();
    refused(&unasked, 4, "--yes");
    bob.send("nothing was done yet");
    let alone = alice.parlor.cmd(["identity", "revoke", "--yes"]).unwrap();
    refused(&alone, 4, "--abandon");

    let revoked = bob.parlor.run(["identity", "revoke", "--yes"]).ok().unwrap();
    assert!(revoked.out().contains(&peer(&bob)) && revoked.out().contains("payments"), "{}", revoked.out());
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let peers = alice.parlor.json_lines(["peer", "list"]).unwrap();
        if peers.iter().any(|known| known["name"] == "bob" && known["revoked"].is_string()) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "alice never heard: {peers:?}");
        std::thread::sleep(std::time::Duration::from_millis(50)); // sleep: another process is looked at again and again
    }
    assert!(alice.log().iter().all(|message| message["revoked"] == true), "{:?}", alice.log());
    for args in [&["send", "x", "--room", "payments"][..], &["start", "anew"], &["tell", "alice", "x"]] {
        refused(&bob.parlor.cmd(args).unwrap(), 4, "revoked");
    }
    bob.parlor.run(["node", "stop"]).ok().unwrap();
    refused(&bob.parlor.cmd(["start", "anew"]).unwrap(), 4, "new home");
    assert_eq!(bob.parlor.json_lines(["log", "--room", "payments"]).unwrap().len(), 2, "it can be read");
}
