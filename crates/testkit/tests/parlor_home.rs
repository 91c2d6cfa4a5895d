//! How the kit drives a `parlor`: environment, directory, stdin, JSON, and no process left behind.
//!
//! A shell script stands in for the binary, because what is tested here is the kit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use parlor_testkit::parlor::ParlorHome;
use parlor_testkit::person::Person;
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

fn home() -> ParlorHome {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stand_in.sh");
    ParlorHome::with_binary(&Person::new("alice").unwrap(), script).unwrap()
}

fn lives(pid: u32) -> bool {
    // A process that ended but that nobody waits for has no command line any more.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_home_is_short_and_its_own() {
    let (one, two) = (home(), home());
    assert_ne!(one.dir(), two.dir());
    assert!(one.dir().join("node.sock").as_os_str().len() < 40, "{}", one.dir().display());
    let held: Vec<_> =
        std::fs::read_dir(one.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(held, ["config.toml"], "all else is the product's to make");
    let config = std::fs::read_to_string(one.dir().join("config.toml")).unwrap();
    assert_eq!(config, "relay = \"off\"\n", "no test asks a relay of the world's");
    assert_eq!(one.person().run("parlor").stdin("by name").ok().unwrap().out(), "by name");
    let root = one.person().root().to_owned();
    drop(one);
    assert!(!root.exists());
}

#[test]
fn environment_directory_stdin_status_and_json_are_the_tests_to_set() {
    let mut home = home();
    let project = home.person().git_repo("project").unwrap();
    home.set_cwd(&project);
    home.set_env("EXTRA", "more");
    let answer = home.json(["where"]).unwrap();
    assert_eq!(answer, json!({"home": home.dir(), "cwd": project, "extra": "more", "json": "--json"}));
    assert_eq!(home.json_lines(["list"]).unwrap(), [json!({"n": 1}), json!({"n": 2})]);
    assert!(home.json(["list"]).is_err(), "two lines are not one object");
    let failed = home.cmd(["fail"]).unwrap();
    assert_eq!((failed.code(), failed.out(), failed.err()), (5, String::new(), "talk\n".to_owned()));
    assert_eq!(home.run(["echo"]).stdin("as given").ok().unwrap().out(), "as given");
    let env = home.run(["where"]).env("EXTRA", "once").ok().unwrap().out();
    assert!(env.contains("\"extra\":\"once\""), "{env}");
}

#[test]
fn a_node_is_asked_to_stop_at_drop_and_a_stubborn_one_is_killed() {
    for stubborn in [false, true] {
        let home = home();
        home.cmd(["start"]).unwrap().ok().unwrap();
        let pid = home.node_pid().unwrap();
        assert!(lives(pid));
        if stubborn {
            std::fs::write(home.dir().join("stubborn"), "").unwrap();
        }
        drop(home);
        assert!(!lives(pid), "stubborn: {stubborn}");
    }
}

#[test]
fn a_stale_lock_file_kills_no_stranger() {
    let home = home();
    let stranger = parlor_testkit::run::Run::new("sleep").arg("600").clear_env().spawn().unwrap();
    std::fs::write(home.dir().join("stubborn"), "").unwrap();
    std::fs::write(home.dir().join("node.lock"), stranger.pid().to_string()).unwrap();
    assert_eq!(home.node_pid(), None);
    assert!(!home.kill_node());
    drop(home);
    assert!(stranger.is_running());
    stranger.kill();
    assert_eq!(stranger.finish(SOON).unwrap().code(), 137);
}
