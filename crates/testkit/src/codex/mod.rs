//! The real Codex against the stub model: a prepared home, headless runs, and sessions in a terminal.
//!
//! No login, no key that opens anything, no traffic but loopback. What the kit itself needs — the provider, no
//! background server, trust in the project — is given on the command line, so that `config.toml` is what the
//! test or the product under test made of it.

pub mod facts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::codex;
use crate::error::shorten;
use crate::person::Person;
use crate::run::Run;
use crate::seat::{API_KEY, Printed, Seat, hooks_of, write_json, write_text};
use crate::session::{Look, Session};
use crate::stub_model::StubModel;
use crate::{Error, Result};

/// Runs hooks that the user has not reviewed.
pub const TRUST_HOOKS: &str = "--dangerously-bypass-hook-trust";
/// A model of Codex's catalogue that is offered each tool as a function.
pub const FUNCTIONS_MODEL: &str = "gpt-5.5";
/// A model of Codex's catalogue that calls tools from code it writes, as the newest ones do.
pub const CODE_MODEL: &str = "gpt-6.1-sol";
const LOOK: Look = Look { name: "Codex", prompt: '›', leave: "/quit", paste: Duration::ZERO };
const KEY_ENV: &str = "STUB_API_KEY";

/// One person's Codex with one project open.
#[derive(Debug)]
pub struct CodexHome {
    seat: Seat,
    base_url: String,
    model: String,
}

impl CodexHome {
    /// For a new person called `alice`.
    pub fn new(model: &StubModel) -> Result<Self> {
        Self::of(&Person::new("alice")?, model)
    }

    /// For `person`, whose `PATH` gets `codex`; the project is a git repository called `project`.
    pub fn of(person: &Person, model: &StubModel) -> Result<Self> {
        let mut seat = Seat::new(person, "codex", codex()?)?;
        seat.set_env(KEY_ENV, API_KEY);
        Ok(Self { seat, base_url: model.base_url(), model: FUNCTIONS_MODEL.to_owned() })
    }

    /// Where it runs, and as whom.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The same, to be changed.
    pub fn seat_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Lets Codex believe that it speaks to `model` of its catalogue; [`FUNCTIONS_MODEL`] at first.
    pub fn set_model(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    /// Whose Codex this is.
    pub fn person(&self) -> &Person {
        self.seat.person()
    }

    /// The open project.
    pub fn project(&self) -> &Path {
        self.seat.project()
    }

    /// `CODEX_HOME`. Not made here: whether it exists is part of what is tested.
    pub fn dir(&self) -> PathBuf {
        self.person().home().join(".codex")
    }

    /// The user's `config.toml`.
    pub fn config_file(&self) -> PathBuf {
        self.dir().join("config.toml")
    }

    /// The user's `hooks.json`.
    pub fn hooks_file(&self) -> PathBuf {
        self.dir().join("hooks.json")
    }

    /// Writes `hooks.json` so that each command runs at its event. Codex skips them without a word until they are
    /// trusted: see [`TRUST_HOOKS`].
    pub fn write_hooks(&self, hooks: &[(&str, &str)]) -> Result<()> {
        write_json(&self.hooks_file(), &json!({ "hooks": hooks_of(hooks) }))
    }

    /// Writes `config.toml`.
    pub fn write_config(&self, text: &str) -> Result<()> {
        write_text(&self.config_file(), text)
    }

    /// `codex ARGS` in the project, to be refined. Subcommands that talk to a model need [`CodexHome::overrides`].
    pub fn run(&self, args: &[&str]) -> Run {
        self.seat.run(args)
    }

    /// Arguments that make Codex ask the stub, and nobody else.
    pub fn overrides(&self) -> Vec<String> {
        let url = &self.base_url;
        let provider = format!(
            "model_providers.stub={{name=\"stub\",base_url=\"{url}/v1\",env_key=\"{KEY_ENV}\",wire_api=\"responses\",\
             request_max_retries=0,stream_max_retries=0}}"
        );
        let project = format!("projects={{\"{}\"={{trust_level=\"trusted\"}}}}", self.project().display());
        let fixed = [
            &format!("model=\"{}\"", self.model),
            "model_provider=\"stub\"",
            &provider,
            &project,
            "features.daemon_auto_start=false",
            "check_for_update_on_startup=false",
            "analytics.enabled=false",
            "feedback.enabled=false",
            "notice.model_migrations={\"gpt-5.5\"=\"gpt-6-sol\"}",
        ];
        fixed.iter().flat_map(|value| ["-c".to_owned(), (*value).to_owned()]).collect()
    }

    /// `codex exec PROMPT EXTRA`, headless, which must succeed.
    pub fn run_print(&self, prompt: &str, extra: &[&str]) -> Result<Printed> {
        let run =
            self.seat.run(["exec", "--json", "--skip-git-repo-check"]).args(self.overrides()).args(extra);
        let output = run.arg("--").arg(prompt).ok()?;
        printed(output)
    }

    /// `codex exec resume SESSION PROMPT EXTRA`, which must succeed.
    pub fn resume_print(&self, session_id: &str, prompt: &str, extra: &[&str]) -> Result<Printed> {
        let run = self.seat.run(["exec", "resume", "--json", "--skip-git-repo-check"]).args(self.overrides());
        printed(run.args(extra).args(["--", session_id, prompt]).ok()?)
    }

    /// Registers an MCP server, as the user would.
    pub fn add_mcp_server(&self, name: &str, command: &[&str]) -> Result<()> {
        self.run(&["mcp", "add", name, "--"]).args(command).ok().map(drop)
    }

    /// An interactive session with further arguments, ready to be typed to.
    pub fn interactive(&self, extra: &[&str]) -> Result<Session> {
        self.start(extra)?.ready()
    }

    /// The same before it is ready: a dialog may stand before the prompt.
    pub fn start(&self, extra: &[&str]) -> Result<Session> {
        let mut args = self.overrides();
        args.extend(extra.iter().map(|arg| (*arg).to_owned()));
        Session::begin(LOOK, &self.seat.words(&args), &self.seat.env(), self.project())
    }
}

fn printed(output: crate::run::Output) -> Result<Printed> {
    let events: Vec<Value> =
        output.out().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let session = events.iter().find_map(|event| event["thread_id"].as_str().map(str::to_owned));
    let said = |event: &Value| {
        let item = &event["item"];
        (item["type"] == "agent_message").then(|| item["text"].as_str().map(str::to_owned)).flatten()
    };
    match (session, events.iter().rev().find_map(said)) {
        (Some(session_id), Some(result)) => Ok(Printed { session_id, result, output }),
        _ => {
            Err(Error::Answer { what: "codex exec printed no result", answer: shorten(&output.out(), 2_000) })
        }
    }
}
