//! Sessions of an agent program as the real hook and the real command line see them, without the program: its hook's
//! input, its environment.

use std::path::{Path, PathBuf};

use parlor_testkit::run::{Output, Run};
use serde_json::{Value, json};

use super::Side;

/// One session of Claude Code's on somebody's machine.
pub struct Agent<'a> {
    pub side: &'a Side,
    pub id: String,
    pub dir: PathBuf,
}

impl<'a> Agent<'a> {
    /// A session that has just begun in a directory of that name.
    pub fn begin(side: &'a Side, id: &str, dir: &Path) -> Self {
        let agent = Self { side, id: id.into(), dir: dir.into() };
        agent.hook("SessionStart");
        agent
    }

    /// What one of its hooks gives to the model.
    pub fn hook(&self, event: &str) -> String {
        let stdin = json!({
            "session_id": self.id, "cwd": self.dir, "hook_event_name": event, "source": "startup", "reason": "other",
            "prompt": "never kept",
        });
        let output = self.side.parlor.run(["hook"]).cwd(&self.dir).stdin(stdin.to_string()).ok().unwrap();
        let out = output.out();
        if out.trim().is_empty() {
            return String::new();
        }
        let said: Value = serde_json::from_str(&out).unwrap();
        said["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
    }

    /// What it is given at its next prompt.
    pub fn prompt(&self) -> String {
        self.hook("UserPromptSubmit")
    }

    /// A command its shell tool runs.
    pub fn run(&self, args: &[&str]) -> Run {
        self.side.parlor.run(args).cwd(&self.dir).env("CLAUDE_CODE_SESSION_ID", &self.id)
    }

    pub fn cmd(&self, args: &[&str]) -> Output {
        self.run(args).output().unwrap()
    }

    pub fn says(&self, args: &[&str]) -> Output {
        self.run(args).ok().unwrap()
    }
}
