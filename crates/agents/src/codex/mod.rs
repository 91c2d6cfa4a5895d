//! Codex. Written against version 0.169.0; what is said of it here was seen with the real program.

mod doctor;
mod hook;
mod install;
mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use hook::{HOOK_ENV, INJECTION_LIMIT, parse_hook};

use crate::check::Check;
use crate::hook::{HookCall, HookError, InjectionLimit};
use crate::json_hook::{additional_context, block};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::run::{Invocation, Runner};
use crate::{AgentProgram, Wake};

/// The program's name: on PATH, on Parlor's command line, in reports.
pub const NAME: &str = "codex";

/// Far more than it takes; a daemon that hangs must not hold a process for ever.
const WAKE_TIMEOUT_MS: u64 = 15_000;

/// Codex as an agent program.
#[derive(Debug, Clone, Copy)]
pub struct Codex;

impl AgentProgram for Codex {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hook_env(&self) -> &'static [&'static str] {
        HOOK_ENV
    }

    fn detect(&self, place: &Place) -> Option<PathBuf> {
        place.find_program(NAME)
    }

    fn plan_install(
        &self,
        place: &Place,
        scope: &Scope,
        request: &InstallRequest,
    ) -> Result<Plan, PlanError> {
        install::plan_install(place, scope, request)
    }

    fn plan_uninstall(&self, place: &Place, scope: &Scope) -> Result<Plan, PlanError> {
        install::plan_uninstall(place, scope)
    }

    fn parse_hook(&self, stdin: &[u8], env: &BTreeMap<String, String>) -> Result<HookCall, HookError> {
        parse_hook(stdin, env)
    }

    fn format_injection(&self, event_name: &str, text: &str) -> String {
        additional_context(event_name, text)
    }

    fn format_continue(&self, _event_name: &str, text: &str) -> Option<String> {
        Some(block(text))
    }

    fn names_its_process(&self) -> bool {
        false
    }

    fn wake(&self) -> Wake {
        Wake::Command
    }

    fn wake_command(&self, place: &Place, session_id: &str, text: &str) -> Option<Invocation> {
        let args = ["queue", "--thread", session_id, "--message", text].map(str::to_owned);
        let (program, cwd) = (self.detect(place)?, place.home().into());
        Some(Invocation { program, args: args.into(), cwd, env: place.env(), timeout_ms: WAKE_TIMEOUT_MS })
    }

    fn shows(&self, transcript_tail: &str, mark: &str) -> bool {
        hook::shows(transcript_tail, mark)
    }

    fn injection_limit(&self) -> InjectionLimit {
        INJECTION_LIMIT
    }

    fn doctor(&self, place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
        doctor::doctor(place, scope, runner)
    }
}
