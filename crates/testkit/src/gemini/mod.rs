//! The real Gemini CLI against the stub model: a prepared home, headless runs, and sessions in a terminal.
//!
//! No login, no key that opens anything, no traffic but loopback. The user's `settings.json` begins with what the
//! first start of a person leaves there, the way to sign in, and with what keeps the program off the network.

pub mod facts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::gemini_cli;
use crate::error::shorten;
use crate::person::Person;
use crate::run::{Output, Run};
use crate::seat::{API_KEY, Printed, Seat, hooks_of, write_json};
use crate::session::{Look, Session};
use crate::stub_model::StubModel;
use crate::{Error, Result};

const LOOK: Look =
    Look { name: "Gemini CLI", prompt: '>', leave: "/quit", paste: Duration::from_millis(100) };

/// One person's Gemini CLI with one project open.
#[derive(Debug)]
pub struct GeminiHome {
    seat: Seat,
}

impl GeminiHome {
    /// For a new person called `alice`.
    pub fn new(model: &StubModel) -> Result<Self> {
        Self::of(&Person::new("alice")?, model)
    }

    /// For `person`, whose `PATH` gets `gemini`; the project is a git repository called `project`.
    pub fn of(person: &Person, model: &StubModel) -> Result<Self> {
        let mut seat = Seat::new(person, "gemini", gemini_cli()?)?;
        for (name, value) in [
            ("GOOGLE_GEMINI_BASE_URL", model.base_url().as_str()),
            ("GEMINI_API_KEY", API_KEY),
            ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
            ("NO_BROWSER", "1"),
        ] {
            seat.set_env(name, value);
        }
        let home = Self { seat };
        if !home.settings_file().exists() {
            write_json(&home.settings_file(), &settings())?;
        }
        Ok(home)
    }

    /// Where it runs, and as whom.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The same, to be changed.
    pub fn seat_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Whose Gemini CLI this is.
    pub fn person(&self) -> &Person {
        self.seat.person()
    }

    /// The open project.
    pub fn project(&self) -> &Path {
        self.seat.project()
    }

    /// The user's `settings.json`.
    pub fn settings_file(&self) -> PathBuf {
        self.person().home().join(".gemini/settings.json")
    }

    /// Writes the user's settings so that each command runs at its event.
    pub fn write_hooks(&self, hooks: &[(&str, &str)]) -> Result<()> {
        let mut settings = settings();
        settings["hooks"] = hooks_of(hooks);
        write_json(&self.settings_file(), &settings)
    }

    /// `gemini ARGS` in the project, to be refined.
    pub fn run(&self, args: &[&str]) -> Run {
        self.seat.run(args)
    }

    /// `gemini -p PROMPT EXTRA`, headless, which must succeed.
    pub fn run_print(&self, prompt: &str, extra: &[&str]) -> Result<Printed> {
        let output = self.run(&["-p", prompt, "-o", "json"]).args(extra).ok()?;
        printed(output)
    }

    /// Registers an MCP server for all projects of the user, as the user would.
    pub fn add_mcp_server(&self, name: &str, command: &[&str]) -> Result<()> {
        let (program, args) = command.split_first().unwrap_or((&"true", &[]));
        self.run(&["mcp", "add", "--scope", "user", "--trust", name, program]).args(args).ok().map(drop)
    }

    /// An interactive session with further arguments, ready to be typed to.
    pub fn interactive(&self, extra: &[&str]) -> Result<Session> {
        self.start(extra)?.ready()
    }

    /// The same before it is ready: a dialog may stand before the prompt.
    pub fn start(&self, extra: &[&str]) -> Result<Session> {
        let args: Vec<String> = extra.iter().map(|arg| (*arg).to_owned()).collect();
        Session::begin(LOOK, &self.seat.words(&args), &self.seat.env(), self.project())
    }
}

/// What `settings.json` begins with.
pub fn settings() -> Value {
    json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
        "privacy": {"usageStatisticsEnabled": false}, "telemetry": {"enabled": false},
        "ide": {"enabled": false, "hasSeenNudge": true},
        "model": {"name": "gemini-2.5-pro"},
    })
}

fn printed(output: Output) -> Result<Printed> {
    let out = output.out();
    let answer: Value = serde_json::from_str(&out[out.find('{').unwrap_or(out.len())..]).unwrap_or_default();
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    match (text("session_id"), text("response")) {
        (Some(session_id), Some(result)) => Ok(Printed { session_id, result, output }),
        _ => Err(Error::Answer { what: "gemini -p printed no result", answer: shorten(&out, 2_000) }),
    }
}
