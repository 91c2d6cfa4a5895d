//! What Parlor knows of agent programs: the shape of their hooks, how to install into them, how to check that it works.
//!
//! One folder per agent program, one [`AgentProgram`] each; nothing outside this crate knows their peculiarities. It keeps no
//! sessions, opens no socket and starts no runtime: it turns text into text, edits settings files, and runs an agent
//! program's own commands.

mod check;
pub mod claude;
pub mod codex;
mod command;
mod file;
pub mod gemini;
mod hook;
mod json_hook;
mod json_server;
mod jsonc;
pub mod opencode;
mod place;
mod plan;
mod probe;
mod run;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use check::{Check, CheckState};
pub use command::{CommandError, CommandLine};
pub use file::FileError;
pub use hook::{
    EndReason, HOOK_INPUT_LIMIT_BYTES, HookCall, HookError, HookEvent, InjectionLimit, LimitUnit, StartSource,
};
pub use json_server::mcp_snippet;
pub use jsonc::SyntaxError;
pub use place::{Place, PlaceError, Scope};
pub use plan::{Applied, CommandOutcome, InstallRequest, Plan, PlanError};
pub use run::{Invocation, Output, RunError, Runner, SystemRunner};

/// The environment variables a hook call forwards: all that any agent program's [`AgentProgram::parse_hook`] looks at.
/// The list is fixed and short because an agent program's environment also holds its credentials.
pub const HOOK_ENV: &[&str] = &[
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDECODE",
    "CODEX_SESSION_ID",
    "CODEX_THREAD_ID",
    "GEMINI_CLI",
    "GEMINI_PROJECT_DIR",
    "GEMINI_SESSION_ID",
    "OPENCODE",
    "OPENCODE_PID",
    "PARLOR_ROOM",
    "PARLOR_HOME",
    "PWD",
];

/// One agent program: everything Parlor has to know about it.
pub trait AgentProgram: Sync {
    /// The word for it on the command line and in reports: `claude`.
    fn name(&self) -> &'static str;

    /// The environment variables of a hook call that [`Self::parse_hook`] looks at; all of them are in [`HOOK_ENV`].
    fn hook_env(&self) -> &'static [&'static str];

    /// Where the program is, if it is on PATH.
    fn detect(&self, place: &Place) -> Option<PathBuf>;

    /// Whether Parlor is in it by another way than an install: as a plugin it was given.
    fn is_plugged_in(&self, _place: &Place) -> bool {
        false
    }

    /// What installing would do. Reads, and changes nothing.
    fn plan_install(&self, place: &Place, scope: &Scope, request: &InstallRequest)
    -> Result<Plan, PlanError>;

    /// What uninstalling would do. Reads, and changes nothing.
    fn plan_uninstall(&self, place: &Place, scope: &Scope) -> Result<Plan, PlanError>;

    /// Reads what the program gives its hook. The hook prints nothing and exits 0 when this fails.
    fn parse_hook(&self, stdin: &[u8], env: &BTreeMap<String, String>) -> Result<HookCall, HookError>;

    /// The line the hook writes to stdout so that `text` reaches the model at the hook called `event_name`.
    fn format_injection(&self, event_name: &str, text: &str) -> String;

    /// The line the hook writes to stdout so that the agent goes on with `text` instead of stopping; none where the program
    /// cannot.
    fn format_continue(&self, _event_name: &str, _text: &str) -> Option<String> {
        None
    }

    /// Whether its hooks say which process it is. Where they do not, it is the one that began the hook.
    fn names_its_process(&self) -> bool {
        true
    }

    /// How an idle session of it is woken.
    fn wake(&self) -> Wake {
        Wake::Never
    }

    /// Whether a hook called with this environment may wait beside its session: none may that would hold it up.
    fn may_wait(&self, _env: &BTreeMap<String, String>) -> bool {
        matches!(self.wake(), Wake::Hook)
    }

    /// The command that wakes the session with `text`, where [`Self::wake`] is [`Wake::Command`]. Whoever is on this machine
    /// can read a command line: `text` says that there is something, never what.
    fn wake_command(&self, _place: &Place, _session_id: &str, _text: &str) -> Option<Invocation> {
        None
    }

    /// Whether the end of what the program keeps of a session shows that its model was given the text whose fence has
    /// this mark.
    fn shows(&self, _transcript_tail: &str, _mark: &str) -> bool {
        false
    }

    /// How much text one injection may hold before the program cuts it or moves it elsewhere.
    fn injection_limit(&self) -> InjectionLimit;

    /// Tries each link from the program to Parlor and says what it found.
    fn doctor(&self, place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check>;
}

/// How an idle session of an agent program is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// It is not: it hears at its next prompt.
    Never,
    /// A hook of it waits, and ends with text when there is something ([`HookEvent::Idle`]).
    Hook,
    /// A command of it reaches the session ([`AgentProgram::wake_command`]).
    Command,
}

/// Every agent program Parlor knows.
pub fn programs() -> &'static [&'static dyn AgentProgram] {
    &[&claude::Claude, &codex::Codex, &gemini::Gemini, &opencode::OpenCode]
}

/// The agent program called `name`.
pub fn program(name: &str) -> Option<&'static dyn AgentProgram> {
    programs().iter().copied().find(|program| program.name() == name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_found_by_its_name_and_asks_only_for_forwarded_variables() {
        for known in programs() {
            assert_eq!(program(known.name()).unwrap().name(), known.name());
            assert!(known.hook_env().iter().all(|name| HOOK_ENV.contains(name)));
        }
        assert!(program("cobol").is_none());
    }

    #[test]
    fn wound_31_no_credential_is_among_the_forwarded_variables() {
        for name in HOOK_ENV {
            for secret in ["TOKEN", "KEY", "SECRET", "AUTH", "PASSWORD"] {
                assert!(!name.contains(secret), "{name} may hold a credential");
            }
        }
    }
}
