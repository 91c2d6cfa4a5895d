//! The real Claude Code against the stub model: a prepared home without dialogs, headless runs, and
//! interactive sessions in a terminal.
//!
//! No login, no key that opens anything, no traffic but loopback. It imitates nothing of Claude Code;
//! what was measured of its behaviour stands in [`facts`], each with a test that runs the program.

pub mod facts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use crate::session::Session;

use crate::cache::{CLAUDE_CODE_VERSION, claude_code};
use crate::error::shorten;
use crate::person::Person;
use crate::run::{Output, Run};
use crate::session::Look;
use crate::stub_model::StubModel;
use crate::{Error, Result};

/// How long one headless run may take. A first start on a cold disk reads 360 MB.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(120);
const API_KEY: &str = "stub-key-that-opens-nothing-0123456789";
const LOOK: Look = Look { name: "Claude Code", prompt: '❯', leave: "/exit", paste: Duration::ZERO };

/// One person's Claude Code with one project open.
#[derive(Debug)]
pub struct ClaudeHome {
    person: Person,
    program: PathBuf,
    project: PathBuf,
    base_url: String,
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

impl ClaudeHome {
    /// For a new person called `alice`.
    pub fn new(model: &StubModel) -> Result<Self> {
        Self::of(&Person::new("alice")?, model)
    }

    /// For `person`, whose `PATH` gets `claude`; the project is a git repository called `project`.
    pub fn of(person: &Person, model: &StubModel) -> Result<Self> {
        let program = claude_code()?;
        person.install("claude", &program)?;
        let project = person.git_repo("project")?;
        let (person, base_url) = (person.clone(), model.base_url());
        let home = Self { person, program, project, base_url, env: Vec::new(), behind: Vec::new() };
        let key_end = &API_KEY[API_KEY.len() - 20..];
        write_json(
            &home.state_file(),
            &json!({
                "hasCompletedOnboarding": true, "lastOnboardingVersion": CLAUDE_CODE_VERSION, "theme": "dark",
                "numStartups": 5, "customApiKeyResponses": {"approved": [key_end], "rejected": []},
            }),
        )?;
        home.trust(&home.project)?;
        Ok(home)
    }

    /// Whose Claude Code this is.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The open project.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// Opens another directory from now on, and trusts it.
    pub fn set_project(&mut self, dir: &Path) -> Result<()> {
        self.project = dir.canonicalize().map_err(Error::file("cannot resolve", dir))?;
        self.trust(&self.project)
    }

    /// Sets an environment variable for every run from now on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs everything from now on on the host `host`; the model must be one of [`StubModel::start_in`].
    #[cfg(target_os = "linux")]
    pub fn set_host(&mut self, host: &crate::netns::Namespace) {
        self.behind = host.prefix();
    }

    /// The user's `settings.json`. Not made here: whether it exists is part of what is tested.
    pub fn settings_file(&self) -> PathBuf {
        self.person.home().join(".claude/settings.json")
    }

    /// `~/.claude.json`, where Claude Code keeps its own state and the user's MCP servers.
    pub fn state_file(&self) -> PathBuf {
        self.person.home().join(".claude.json")
    }

    /// Writes the user's settings so that each command runs at its event: `[("SessionStart", "…")]`.
    pub fn write_hooks(&self, hooks: &[(&str, &str)]) -> Result<()> {
        let mut events = Map::new();
        for (event, command) in hooks {
            let group = json!({"hooks": [{"type": "command", "command": command}]});
            if let Some(groups) = events.entry(*event).or_insert_with(|| json!([])).as_array_mut() {
                groups.push(group);
            }
        }
        write_json(&self.settings_file(), &json!({ "hooks": events }))
    }

    /// Everything a process of this Claude Code has in its environment.
    pub fn env(&self) -> Vec<(String, String)> {
        let fixed = [
            ("ANTHROPIC_BASE_URL", self.base_url.as_str()),
            ("ANTHROPIC_API_KEY", API_KEY),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.person.env().into_iter().chain(fixed).chain(self.env.clone()).collect()
    }

    /// `claude ARGS` in the project, to be refined.
    pub fn run(&self, args: &[&str]) -> Run {
        let run = Run::new(&self.program).args(args).clear_env().envs(self.env()).cwd(&self.project);
        run.timeout(RUN_TIMEOUT).behind(&self.behind)
    }

    /// `claude -p PROMPT EXTRA`, headless, which must succeed.
    pub fn run_print(&self, prompt: &str, extra: &[&str]) -> Result<Printed> {
        let output = self.run(&["-p", prompt, "--output-format", "json"]).args(extra).ok()?;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        match (text("session_id"), text("result")) {
            (Some(session_id), Some(result)) => Ok(Printed { session_id, result, output }),
            _ => Err(Error::Answer {
                what: "claude -p printed no result",
                answer: shorten(&output.out(), 2_000),
            }),
        }
    }

    /// Registers an MCP server for all projects of the user, as the user would.
    pub fn add_mcp_server(&self, name: &str, command: &[&str]) -> Result<()> {
        self.run(&["mcp", "add", "--scope", "user", name, "--"]).args(command).ok().map(drop)
    }

    /// An interactive session, ready to be typed to.
    pub fn interactive(&self) -> Result<Session> {
        self.interactive_with(&[])
    }

    /// The same with arguments such as `--continue`.
    pub fn interactive_with(&self, args: &[&str]) -> Result<Session> {
        let program = self.program.display().to_string();
        // The permission mode of new users asks the model about each tool call, which is not our subject.
        let words = [program.as_str(), "--permission-mode", "default"];
        let words = self.behind.iter().map(String::as_str).chain(words).chain(args.iter().copied());
        let words = words.map(str::to_owned).collect::<Vec<_>>();
        Session::begin(LOOK, &words, &self.env(), &self.project)?.ready()
    }

    fn trust(&self, project: &Path) -> Result<()> {
        let path = self.state_file();
        let bytes = std::fs::read(&path).map_err(Error::file("cannot read", &path))?;
        let mut state: Value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({}));
        let trusted = json!({"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true});
        state["projects"][project.to_string_lossy().as_ref()] = trusted;
        write_json(&path, &state)
    }
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(Error::file("cannot make", dir))?;
    }
    std::fs::write(path, format!("{value:#}\n")).map_err(Error::file("cannot write", path))
}
