//! Claude Code. Written against version 2.1.329; what is said of it here was seen with the real program.

mod doctor;
mod hook;
mod install;
mod mcp;
mod plugin;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use hook::{HOOK_ENV, INJECTION_LIMIT, format_continue, format_injection, parse_hook};

use crate::check::Check;
use crate::hook::{HookCall, HookError, InjectionLimit};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::run::Runner;
use crate::{AgentProgram, Wake};

/// The program's name: on PATH, on Parlor's command line, in reports.
pub const NAME: &str = "claude";

/// Claude Code as an agent program.
#[derive(Debug, Clone, Copy)]
pub struct Claude;

impl AgentProgram for Claude {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hook_env(&self) -> &'static [&'static str] {
        HOOK_ENV
    }

    fn detect(&self, place: &Place) -> Option<PathBuf> {
        place.find_program(NAME)
    }

    fn is_plugged_in(&self, place: &Place) -> bool {
        plugin::enabled(place).is_some()
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
        format_injection(event_name, text)
    }

    fn format_continue(&self, _event_name: &str, text: &str) -> Option<String> {
        Some(format_continue(text))
    }

    fn wake(&self) -> Wake {
        Wake::Hook
    }

    fn may_wait(&self, env: &BTreeMap<String, String>) -> bool {
        hook::may_wait(env)
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
