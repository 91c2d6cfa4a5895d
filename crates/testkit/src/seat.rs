//! What is common to every agent program in the test kit: a person, the program, an open project, and the
//! environment and host it runs in.
//!
//! Nothing in here knows a particular program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::person::Person;
use crate::run::{Output, Run};
use crate::{Error, Result};

/// How long one headless run may take. A first start on a cold disk reads hundreds of megabytes.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(120);
/// What stands where a key would.
pub const API_KEY: &str = "stub-key-that-opens-nothing-0123456789";

/// One person at one agent program.
#[derive(Debug)]
pub struct Seat {
    person: Person,
    program: PathBuf,
    project: PathBuf,
    env: Vec<(String, String)>,
    behind: Vec<String>,
}

/// What a headless run printed.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The session it was, or continued.
    pub session_id: String,
    /// The model's last text.
    pub result: String,
    /// Everything, as the program wrote it.
    pub output: Output,
}

impl Seat {
    /// `person` gets `program` on its `PATH` as `name`; the project is a git repository called `project`.
    pub(crate) fn new(person: &Person, name: &str, program: PathBuf) -> Result<Self> {
        if !person.bin().join(name).exists() {
            person.install(name, &program)?;
        }
        let project = person.root().join("project");
        let project = if project.is_dir() {
            project.canonicalize().map_err(Error::file("cannot resolve", project))?
        } else {
            person.git_repo("project")?
        };
        Ok(Self { person: person.clone(), program, project, env: Vec::new(), behind: Vec::new() })
    }

    /// Whose it is.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The open project.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// Opens another directory from now on.
    pub fn set_project(&mut self, dir: &Path) -> Result<()> {
        self.project = dir.canonicalize().map_err(Error::file("cannot resolve", dir))?;
        Ok(())
    }

    /// Sets an environment variable for every run from now on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs everything from now on on the host `host`; the model must be one of
    /// [`crate::stub_model::StubModel::start_in`].
    #[cfg(target_os = "linux")]
    pub fn set_host(&mut self, host: &crate::netns::Namespace) {
        self.behind = host.prefix();
    }

    /// Everything a process of this program has in its environment.
    pub fn env(&self) -> Vec<(String, String)> {
        self.person.env().into_iter().chain(self.env.clone()).collect()
    }

    /// The program with `args` in the project, to be refined.
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let run = Run::new(&self.program).args(args).clear_env().envs(self.env()).cwd(&self.project);
        run.timeout(RUN_TIMEOUT).behind(&self.behind)
    }

    /// The same as the words of a command line, for a terminal.
    pub(crate) fn words(&self, args: &[String]) -> Vec<String> {
        let program = self.program.display().to_string();
        self.behind.iter().cloned().chain([program]).chain(args.iter().cloned()).collect()
    }
}

pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_text(path, &format!("{value:#}\n"))
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(Error::file("cannot make", dir))?;
    }
    std::fs::write(path, text).map_err(Error::file("cannot write", path))
}

/// Settings in which each command runs at its event: `{EVENT: [{"hooks": [{"type": "command", …}]}]}`, the shape
/// Claude Code, Codex and Gemini CLI share.
pub(crate) fn hooks_of(hooks: &[(&str, &str)]) -> Value {
    let mut events = serde_json::Map::new();
    for (event, command) in hooks {
        let group = serde_json::json!({"hooks": [{"type": "command", "command": command}]});
        let groups = events.entry(*event).or_insert_with(|| serde_json::json!([]));
        if let Some(groups) = groups.as_array_mut() {
            groups.push(group);
        }
    }
    Value::Object(events)
}
