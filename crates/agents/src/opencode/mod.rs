//! OpenCode. Written against version 1.18.33; what is said of it here was seen with the real program.

mod doctor;
mod hook;
mod install;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use hook::{HOOK_ENV, INJECTION_LIMIT, parse_hook};

use crate::check::Check;
use crate::hook::{HookCall, HookError, InjectionLimit};
use crate::place::{Place, Scope};
use crate::plan::{InstallRequest, Plan, PlanError};
use crate::run::Runner;
use crate::{AgentProgram, Wake};

/// The program's name: on PATH, on Parlor's command line, in reports.
pub const NAME: &str = "opencode";

/// OpenCode as an agent program.
#[derive(Debug, Clone, Copy)]
pub struct OpenCode;

impl AgentProgram for OpenCode {
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

    fn format_injection(&self, _event_name: &str, text: &str) -> String {
        text.into()
    }

    fn format_continue(&self, _event_name: &str, text: &str) -> Option<String> {
        Some(text.into())
    }

    fn wake(&self) -> Wake {
        Wake::Hook
    }

    fn injection_limit(&self) -> InjectionLimit {
        INJECTION_LIMIT
    }

    fn doctor(&self, place: &Place, scope: &Scope, runner: &dyn Runner) -> Vec<Check> {
        doctor::doctor(place, scope, runner)
    }
}
