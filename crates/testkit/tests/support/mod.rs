//! What the tests of the kit share: a probe that hooks and an MCP server report to.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parlor_testkit::Result;
use parlor_testkit::person::Person;
use parlor_testkit::record::Record;
use serde_json::{Value, json};

pub const SOON: Duration = Duration::from_secs(60);

/// Collects reports over a Unix socket; each gets the answer of the test.
pub struct Probe {
    reports: Arc<Record<Value>>,
    socket: PathBuf,
}

impl Probe {
    /// Listens in the person's temporary directory under `name`; `answer` is what a hook prints.
    pub fn new(person: &Person, name: &str, answer: impl Fn(&Value) -> String + Send + 'static) -> Self {
        let socket = person.tmp().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let reports = Arc::new(Record::new(1_000));
        let theirs = Arc::clone(&reports);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_err() {
                    continue;
                }
                let mut report: Value = serde_json::from_str(&line).unwrap();
                if let Some(text) = report["stdin"].as_str() {
                    report["stdin"] = serde_json::from_str(text).unwrap();
                }
                let _ = stream.write_all(answer(&report).as_bytes());
                theirs.push(report);
            }
        });
        Self { reports, socket }
    }

    /// A probe of hooks that adds `CONTEXT-OF-<event>` plus awkward characters as additional context.
    pub fn of_hooks(person: &Person) -> Self {
        Self::new(person, "hooks", |report| {
            let event = report["stdin"]["hook_event_name"].as_str().unwrap();
            if matches!(event, "SessionEnd" | "Stop") {
                return String::new();
            }
            let output = json!({"hookEventName": event, "additionalContext": context_of(event)});
            json!({ "hookSpecificOutput": output }).to_string()
        })
    }

    /// The command line of a fixture that reports here.
    pub fn command(&self, fixture: &str) -> [String; 3] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/").to_owned() + fixture;
        ["python3".to_owned(), script, self.socket.display().to_string()]
    }

    pub fn all(&self) -> Vec<Value> {
        self.reports.all()
    }

    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let show = |report: &Value| {
            if report["stdin"].is_null() { report.to_string() } else { report["stdin"].to_string() }
        };
        self.reports.wait_for(what, wanted, show, SOON)
    }

    /// The first report of a hook of `event` for which `wanted` holds of its stdin.
    pub fn hook(&self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let matches =
            |report: &Value| report["stdin"]["hook_event_name"] == event && wanted(&report["stdin"]);
        self.wait_for(event, matches).unwrap()
    }
}

/// What [`Probe::of_hooks`] adds at `event`.
pub fn context_of(event: &str) -> String {
    format!("CONTEXT-OF-{event} <b>\"bold\"</b> [payments @bob/api]\n  second line")
}

pub fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The union of lists of names.
pub fn set(lists: &[&[&str]]) -> BTreeSet<String> {
    lists.iter().flat_map(|list| list.iter()).map(|name| (*name).to_owned()).collect()
}
