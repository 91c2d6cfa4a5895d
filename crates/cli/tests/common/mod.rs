//! What the end-to-end tests share: two people with homes and projects of their own, a room between them, and
//! the words of `parlor` read back.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod agent;
pub mod agents;

use std::path::PathBuf;
use std::time::Duration;

use parlor_testkit::parlor::ParlorHome;
use parlor_testkit::person::Person;
use parlor_testkit::run::Running;
use serde_json::Value;

/// Long enough for a loaded machine, short enough to notice.
pub const SOON: Duration = Duration::from_secs(60);

/// One person with a home and a project directory.
pub struct Side {
    pub person: Person,
    pub parlor: ParlorHome,
    pub project: PathBuf,
}

impl Side {
    pub fn new(name: &str) -> Self {
        let person = Person::new(name).unwrap();
        let project = person.git_repo("project").unwrap();
        let mut parlor = ParlorHome::of(&person).unwrap();
        parlor.set_cwd(&project);
        Self { person, parlor, project }
    }

    /// Somebody whose machine has never seen Parlor: not even a `config.toml` that keeps relays off.
    pub fn homeless(name: &str) -> Self {
        let side = Self::new(name);
        std::fs::remove_dir_all(side.parlor.dir()).unwrap();
        side
    }

    /// `parlor start NAME`, which prints one line to paste; the ticket in it.
    pub fn start(&self, name: &str) -> String {
        let output = self.parlor.run(["start", name]).ok().unwrap();
        let out = output.out();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 1, "one pasteable line on stdout: {out:?}");
        lines[0].strip_prefix("parlor join ").unwrap_or_else(|| panic!("not pasteable: {out:?}")).to_owned()
    }

    pub fn join(&self, ticket: &str) {
        self.parlor.run(["join", ticket]).ok().unwrap();
    }

    /// `parlor send TEXT --json`.
    pub fn send(&self, text: &str) -> Value {
        self.parlor.json(["send", text]).unwrap()
    }

    /// The texts of `parlor log --json`, oldest first.
    pub fn log(&self) -> Vec<Value> {
        self.parlor.json_lines(["log", "-n", "100000"]).unwrap()
    }

    pub fn texts(&self) -> Vec<String> {
        self.log().iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Follows the log until it holds this text.
    pub fn await_text(&self, text: &str) {
        let follow = self.follow();
        let needle = serde_json::to_string(text).unwrap();
        follow.wait_for_stdout(|out| out.contains(&needle), SOON).unwrap();
    }

    pub fn follow(&self) -> Running {
        self.parlor.run(["log", "-f", "-n", "100000", "--json"]).timeout(SOON * 5).spawn().unwrap()
    }
}

/// Alice has started a room and Bob has joined it.
pub fn pair() -> (Side, Side) {
    let (alice, bob) = (Side::new("alice"), Side::new("bob"));
    let ticket = alice.start("payments");
    bob.join(&ticket);
    let room = &bob.parlor.json_lines(["room", "list"]).unwrap()[0];
    assert_eq!(room["state"], "joined", "{room}");
    (alice, bob)
}
