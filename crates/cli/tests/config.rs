//! `parlor config`: a setting is in force when the command has ended, in the same process, and no agent changes one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Side;

fn port_of(side: &Side) -> u16 {
    let status = side.parlor.json(["node", "status"]).unwrap();
    let address = status["addresses"][0].as_str().unwrap().to_owned();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_running_node_has_taken_a_setting_up_when_set_returns() {
    let alice = Side::new("alice");
    alice.start("payments");
    alice.send("before");
    let (pid, port) = (alice.parlor.node_pid().unwrap(), port_of(&alice));
    let free = std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    assert_ne!(port, free);
    let set = alice.parlor.json(["config", "set", "port", &free.to_string()]).unwrap();
    assert_eq!((set["key"].as_str(), set["value"].as_str()), (Some("port"), Some(free.to_string().as_str())));
    assert_eq!(port_of(&alice), free);
    assert_eq!(alice.parlor.node_pid(), Some(pid), "whoever runs it goes on running it");
    assert_eq!(alice.texts(), ["before"]);
    let later = alice.parlor.run(["config", "set", "port", "1", "--no-restart"]).ok().unwrap();
    assert!(later.err().contains("next start"), "{}", later.err());
    assert_eq!(port_of(&alice), free);
    alice.parlor.run(["config", "unset", "port"]).ok().unwrap();
    assert_eq!(alice.parlor.cmd(["config", "get", "port"]).unwrap().code(), 3);
}

#[test]
fn without_a_node_the_file_is_changed_and_none_is_started() {
    let alice = Side::new("alice");
    alice.parlor.run(["config", "set", "relay", "https://a.example", "https://b.example"]).ok().unwrap();
    let get = alice.parlor.run(["config", "get", "relay"]).ok().unwrap();
    assert_eq!(get.out(), "https://a.example https://b.example\n");
    assert_eq!(alice.parlor.node_pid(), None);
    assert!(!alice.parlor.dir().join("identity.key").exists());
    let refused = alice.parlor.cmd(["config", "set", "rleay", "off"]).unwrap();
    assert_eq!(refused.code(), 3);
    assert!(refused.err().contains("did you mean: relay"), "{}", refused.err());
}

#[test]
fn an_agent_reads_settings_and_changes_none() {
    let alice = Side::new("alice");
    alice.parlor.run(["config", "set", "lan", "false"]).ok().unwrap();
    let as_agent = |args: &[&str]| alice.parlor.run(args).env("CLAUDECODE", "1").output().unwrap();
    for args in [&["config", "set", "lan", "true"][..], &["config", "unset", "lan"]] {
        let refused = as_agent(args);
        assert_eq!(refused.code(), 4, "{}", refused.err());
        assert!(refused.err().contains(&format!("`parlor {}`", args.join(" "))), "{}", refused.err());
    }
    assert_eq!(as_agent(&["config", "get", "lan"]).out(), "false\n");
    // An agent that took its program's variables away is known to the node by its process.
    alice.start("payments");
    let call = serde_json::json!({
        "session_id": "s", "hook_event_name": "SessionStart", "source": "startup", "cwd": alice.project,
    });
    let script = "CLAUDE_PID=$$ parlor hook <<<\"$CALL\" >/dev/null; parlor config set lan true";
    let shell = alice.person.run("bash").env("CALL", call.to_string()).args(["-c", script]);
    let refused = shell.cwd(&alice.project).output().unwrap();
    assert_eq!(refused.code(), 4, "{}{}", refused.out(), refused.err());
    assert_eq!(as_agent(&["config", "get", "lan"]).out(), "false\n");
}

fn nick_of(side: &Side) -> String {
    side.parlor.json(["nick"]).unwrap()["nick"].as_str().unwrap().to_owned()
}

#[test]
fn a_nick_in_the_file_says_when_it_does_nothing_and_what_is_made_of_it() {
    let alice = Side::new("alice");
    assert_eq!(nick_of(&alice), "alice");
    let set = alice.parlor.run(["config", "set", "nick", "two words"]).ok().unwrap();
    assert!(set.err().contains(&format!("called {}: a nick is one word", nick_of(&alice))), "{}", set.err());
    alice.parlor.run(["nick", "carol"]).ok().unwrap();
    let set = alice.parlor.run(["config", "set", "nick", "bob"]).ok().unwrap();
    assert!(set.err().contains("you are called carol all the same"), "{}", set.err());
    assert_eq!(nick_of(&alice), "carol");
    alice.parlor.run(["node", "stop"]).ok().unwrap();
    let set = alice.parlor.run(["config", "set", "nick", "bob two"]).ok().unwrap();
    assert!(set.err().contains("Where `parlor nick` was used"), "{}", set.err());
}

/// Cron, a service and a login each start a node, and may call the user otherwise or nothing.
#[test]
fn the_nick_one_began_with_does_not_change_with_who_starts_the_node() {
    let alice = Side::new("alice");
    for user in ["alice", "bob", ""] {
        let output = alice.parlor.run(["nick"]).env("USER", user).ok().unwrap();
        assert_eq!(output.out().trim(), "alice", "started by {user:?}");
        alice.parlor.run(["node", "stop"]).ok().unwrap();
    }
    alice.parlor.run(["config", "set", "nick", "carol"]).ok().unwrap();
    assert_eq!(nick_of(&alice), "carol");
    alice.parlor.run(["config", "unset", "nick"]).ok().unwrap();
    assert_eq!(nick_of(&alice), "alice");
}

#[test]
fn without_a_user_in_the_environment_the_system_says_who_it_is() {
    let known = std::process::Command::new("id").arg("-un").output().unwrap();
    let known = String::from_utf8(known.stdout).unwrap();
    let alice = Side::new("alice");
    let output = alice.parlor.run(["nick"]).env("USER", "").ok().unwrap();
    assert_eq!(output.out().trim(), known.trim());
}

#[test]
fn a_key_that_nobody_knows_can_be_taken_out() {
    let alice = Side::new("alice");
    alice.parlor.configure("relay = \"off\"\ncolour = \"red\"\n").unwrap();
    let warned = alice.parlor.run(["config", "list"]).ok().unwrap().err();
    assert!(warned.contains("colour"), "{warned}");
    alice.parlor.run(["config", "unset", "colour"]).ok().unwrap();
    assert_eq!(alice.parlor.run(["config", "list"]).ok().unwrap().err(), "");
    let refused = alice.parlor.cmd(["config", "unset", "colour"]).unwrap();
    assert_eq!(refused.code(), 3, "{}", refused.err());
}
