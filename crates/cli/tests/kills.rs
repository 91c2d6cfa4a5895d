//! `kill -9` at many instants, a full disk, a read-only home: nothing acknowledged is lost, nothing needs
//! repair, the prompt is never blocked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{SOON, Side, pair};
use parlor_testkit::parlor::ParlorHome;
use parlor_testkit::person::Person;
use parlor_testkit::tmpfs::Tmpfs;

/// Sends while the node is killed again and again; what was acknowledged.
fn send_under_kills(side: &Side, kills: usize) -> Vec<String> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                let text = format!("under fire {n}");
                n += 1;
                let output = side.parlor.cmd(["send", &text]).unwrap();
                if output.code() == 0 {
                    acknowledged.push(text);
                } else {
                    assert!(!output.err().contains("panicked"), "{}", output.err());
                }
            }
            acknowledged
        });
        let mut killed = 0;
        while killed < kills {
            // Each kill waits until the node has come back under the senders' hands: an event, not a pause.
            if side.parlor.kill_node() {
                killed += 1;
            } else {
                side.parlor.run(["unread"]).output().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    })
}

#[test]
fn wound_05_killed_again_and_again_the_node_loses_nothing_it_acknowledged() {
    let (alice, bob) = pair();
    let acknowledged = send_under_kills(&alice, 12);
    assert!(!acknowledged.is_empty(), "something got through between the kills");
    alice.send("the last word");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for text in alice.texts() {
        *seen.entry(text).or_default() += 1;
    }
    for text in &acknowledged {
        assert_eq!(seen.get(text), Some(&1), "{text}: acknowledged, and there once");
    }
    bob.await_text("the last word");
    let (mut ours, mut theirs) = (alice.texts(), bob.texts());
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs, "the other side has the same");
}

#[test]
fn wound_01_a_hook_killed_at_any_instant_marks_nothing_given_that_was_not_written() {
    let (alice, bob) = pair();
    let hook = alice.parlor.run(["--version"]).ok().unwrap();
    assert!(hook.out().starts_with("parlor "), "{}", hook.out());
    bob.send("heard in the end");
    alice.await_text("heard in the end");
    let call = |event: &str, session: &str| {
        serde_json::json!({
            "session_id": session, "hook_event_name": event, "cwd": alice.project, "prompt": "hello",
            "source": "startup", "transcript_path": "/dev/null",
        })
        .to_string()
    };
    for round in 0..20u32 {
        let session = format!("session-{round}");
        let running = alice.parlor.run(["hook"]).stdin(call("UserPromptSubmit", &session)).spawn().unwrap();
        // Killed at once, or after ever more of its work.
        for _ in 0..round * 40 {
            std::thread::yield_now();
        }
        running.kill();
        let given = |out: &str| out.matches("heard in the end").count();
        let first = given(&running.finish(SOON).unwrap().out());
        // Until the node has seen the killed one go, its lease holds and a second hook is given nothing.
        let begun = std::time::Instant::now();
        let mut again = 0;
        while first + again == 0 && begun.elapsed() < SOON {
            let hook = alice.parlor.run(["hook"]).stdin(call("UserPromptSubmit", &session)).ok().unwrap();
            again = given(&hook.out());
        }
        assert_eq!((first + again).min(1), 1, "round {round}: given in none");
        let after = alice.parlor.run(["hook"]).stdin(call("UserPromptSubmit", &session)).ok().unwrap();
        assert!(given(&after.out()) <= first, "round {round}: given again after it was committed");
    }
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_is_named() {
    let disk = Tmpfs::new(8 * 1024).unwrap();
    let person = Person::new("alice").unwrap();
    let mut parlor = ParlorHome::of(&person).unwrap();
    let home = disk.path().join("p");
    parlor.set_env("PARLOR_HOME", home.to_str().unwrap());
    let project = person.git_repo("project").unwrap();
    parlor.set_cwd(&project);
    parlor.run(["start", "payments"]).ok().unwrap();
    parlor.run(["send", "while there was room"]).ok().unwrap();
    disk.fill(0).unwrap();
    let mut acknowledged = vec!["while there was room".to_owned()];
    let mut refused = None;
    for n in 0..200 {
        let text = format!("filling {n} {}", "x".repeat(2_000));
        let output = parlor.cmd(["send", &text]).unwrap();
        if output.code() == 0 {
            acknowledged.push(text);
        } else {
            refused = Some(output);
            break;
        }
    }
    let refused = refused.expect("a full disk refuses in the end");
    assert_eq!(refused.code(), 7, "{}", refused.err());
    assert!(refused.err().contains("disk"), "says what is wrong: {}", refused.err());
    disk.release().unwrap();
    parlor.run(["send", "room again"]).ok().unwrap();
    acknowledged.push("room again".to_owned());
    let texts: Vec<String> = parlor
        .json_lines(["log", "-n", "1000"])
        .unwrap()
        .iter()
        .map(|message| message["text"].as_str().unwrap().to_owned())
        .collect();
    for text in &acknowledged {
        assert_eq!(texts.iter().filter(|held| *held == text).count(), 1);
    }
    parlor.run(["node", "stop"]).ok().unwrap();
}

#[test]
fn a_home_that_cannot_be_written_is_named_and_the_hook_is_silent() {
    let disk = Tmpfs::new(1024).unwrap();
    let person = Person::new("alice").unwrap();
    let mut parlor = ParlorHome::of(&person).unwrap();
    parlor.set_env("PARLOR_HOME", disk.path().join("p").to_str().unwrap());
    let mount = |options: &str| {
        let path = disk.path().to_str().unwrap().to_owned();
        person.run("mount").args(["-o", options, path.as_str()]).ok().unwrap();
    };
    mount("remount,ro");
    let output = parlor.cmd(["start", "payments", "--no-bind"]).unwrap();
    assert_eq!(output.code(), 7, "{}", output.err());
    assert!(output.err().contains("read-only") || output.err().contains("written"), "{}", output.err());
    let hook = parlor.run(["hook"]).stdin("{}").output().unwrap();
    assert_eq!((hook.code(), hook.out().as_str(), hook.err().as_str()), (0, "", ""));
    mount("remount,rw");
    parlor.run(["start", "payments", "--no-bind"]).ok().unwrap();
    parlor.run(["node", "stop"]).ok().unwrap();
}
