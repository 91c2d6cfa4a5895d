//! The real OpenCode against the stub model: a prepared home, headless runs, and its terminal.
//!
//! No login, no key that opens anything, no traffic but loopback. What the kit itself needs stands in a configuration
//! file of its own, so that the user's `opencode.json` is what the test or the product under test made of it.

pub mod facts;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cache::opencode;
use crate::error::shorten;
use crate::person::Person;
use crate::run::{Output, Run};
use crate::seat::{API_KEY, Printed, Seat, write_json, write_text};
use crate::stub_model::StubModel;
use crate::tmux::Tmux;
use crate::{Error, Result};

/// One person's OpenCode with one project open.
#[derive(Debug)]
pub struct OpenCodeHome {
    seat: Seat,
}

impl OpenCodeHome {
    /// For a new person called `alice`.
    pub fn new(model: &StubModel) -> Result<Self> {
        Self::of(&Person::new("alice")?, model)
    }

    /// For `person`, whose `PATH` gets `opencode`; the project is a git repository called `project`.
    pub fn of(person: &Person, model: &StubModel) -> Result<Self> {
        let mut seat = Seat::new(person, "opencode", opencode()?)?;
        let config = person.root().join("opencode-kit.json");
        let provider = json!({
            "npm": "@ai-sdk/openai-compatible", "name": "Stub",
            "options": {"baseURL": format!("{}/v1", model.base_url()), "apiKey": API_KEY},
            "models": {"stub": {"name": "Stub", "tool_call": true, "limit": {"context": 1_000_000, "output": 8_000}}},
        });
        let rules = json!({
            "provider": {"stub": provider}, "model": "stub/stub", "small_model": "stub/stub",
            "autoupdate": false, "share": "disabled",
        });
        write_json(&config, &rules)?;
        for (name, value) in [
            ("OPENCODE_CONFIG", config.to_string_lossy().as_ref()),
            ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
            ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
            ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
            ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
            ("OPENCODE_DISABLE_SHARE", "1"),
        ] {
            seat.set_env(name, value);
        }
        let home = Self { seat };
        home.seed()?;
        Ok(home)
    }

    /// Leaves what a first start with a network leaves: without it OpenCode asks a package registry for the types
    /// of its plugins, and waits for that when there is a plugin.
    fn seed(&self) -> Result<()> {
        let modules = self.dir().join("node_modules");
        std::fs::create_dir_all(&modules).map_err(Error::file("cannot make", modules))?;
        let dependencies = json!({"@opencode-ai/plugin": crate::cache::OPENCODE_VERSION});
        let lock = json!({"lockfileVersion": 3, "packages": {"": {"dependencies": dependencies}}});
        write_json(&self.dir().join("package-lock.json"), &lock)
    }

    /// Where it runs, and as whom.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The same, to be changed.
    pub fn seat_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Whose OpenCode this is.
    pub fn person(&self) -> &Person {
        self.seat.person()
    }

    /// The open project.
    pub fn project(&self) -> &Path {
        self.seat.project()
    }

    /// The user's folder of settings.
    pub fn dir(&self) -> PathBuf {
        self.person().home().join(".config/opencode")
    }

    /// The user's `opencode.json`. Not made here: whether it exists is part of what is tested.
    pub fn config_file(&self) -> PathBuf {
        self.dir().join("opencode.json")
    }

    /// Puts a plugin of one file where OpenCode looks for those of the user.
    pub fn write_plugin(&self, name: &str, text: &str) -> Result<()> {
        write_text(&self.dir().join("plugin").join(name), text)
    }

    /// Writes the user's `opencode.json`.
    pub fn write_config(&self, value: &Value) -> Result<()> {
        write_json(&self.config_file(), value)
    }

    /// `opencode ARGS` in the project, to be refined.
    pub fn run(&self, args: &[&str]) -> Run {
        self.seat.run(args)
    }

    /// `opencode run PROMPT EXTRA`, headless, which must succeed.
    pub fn run_print(&self, prompt: &str, extra: &[&str]) -> Result<Printed> {
        printed(self.run(&["run", "--format", "json"]).args(extra).stdin(prompt).ok()?)
    }

    /// The terminal, with further arguments such as `--prompt TEXT`.
    pub fn start(&self, extra: &[&str]) -> Result<Tmux> {
        let args: Vec<String> = extra.iter().map(|arg| (*arg).to_owned()).collect();
        Tmux::start(&self.seat.words(&args), &self.seat.env(), self.project())
    }
}

fn printed(output: Output) -> Result<Printed> {
    let events: Vec<Value> =
        output.out().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let session = events.iter().find_map(|event| event["sessionID"].as_str().map(str::to_owned));
    let said = |event: &Value| {
        (event["type"] == "text").then(|| event["part"]["text"].as_str().map(str::to_owned)).flatten()
    };
    match (session, events.iter().rev().find_map(said)) {
        (Some(session_id), Some(result)) => Ok(Printed { session_id, result, output }),
        _ => Err(Error::Answer {
            what: "opencode run printed no result",
            answer: shorten(&output.out(), 2_000),
        }),
    }
}
