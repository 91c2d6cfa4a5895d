//! `parlor install` and `uninstall`: wires Parlor into an agent program's settings, and out again. What the settings
//! look like is known in `parlor-agents` alone.

use std::path::{Path, PathBuf};

use parlor_agents::{
    AgentProgram, CommandError, CommandLine, CommandOutcome, FileError, InstallRequest, Place, Plan,
    PlanError, Scope, SystemRunner,
};
use parlor_api::ErrorKind;
use parlor_api::paths::Home;
use serde::Serialize;

use super::{Context, current_dir};
use crate::args::{Install, Scope as ScopeArg};
use crate::autostart::own_executable;
use crate::errors::{Failure, Outcome};

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct Report<'a> {
    program: &'a str,
    settings: PathBuf,
    changes: &'a [String],
    warnings: &'a [String],
    dry_run: bool,
    /// Commands of the agent program's own: run, or to be typed.
    commands: Vec<String>,
    /// Which of them a human has to type.
    to_type: Vec<String>,
    backup: Option<PathBuf>,
}

pub fn install(context: &Context, install: Install) -> Outcome {
    let program = program(&install.program)?;
    let request = request(&context.home)?;
    let plan = program.plan_install(&place()?, &scope(install.scope)?, &request).map_err(no_plan)?;
    carry_out(context, program, &plan, install.dry_run, "already wired in; nothing to change")
}

pub fn uninstall(context: &Context, install: Install) -> Outcome {
    let program = program(&install.program)?;
    let plan = program.plan_uninstall(&place()?, &scope(install.scope)?).map_err(no_plan)?;
    carry_out(context, program, &plan, install.dry_run, "not wired in; nothing to change")
}

/// Whether there is an agent program that could hear and does not.
pub fn is_missing(context: &Context) -> bool {
    let Ok((place, request)) = place().and_then(|place| Ok((place, request(&context.home)?))) else {
        return false;
    };
    let hears = |program: &dyn AgentProgram| {
        let scopes = [Some(Scope::User), current_dir().ok().map(Scope::Project)];
        let plans = scopes.into_iter().flatten().map(|scope| program.plan_install(&place, &scope, &request));
        plans.flatten().any(|plan| plan.is_nothing())
    };
    parlor_agents::programs().iter().any(|program| program.detect(&place).is_some() && !hears(*program))
}

/// The home directory and environment of whoever typed the command.
pub fn place() -> Outcome<Place> {
    Place::of_this_process().map_err(|error| Failure::machine(error.to_string(), "nothing was changed"))
}

fn program(name: &str) -> Outcome<&'static dyn AgentProgram> {
    parlor_agents::program(name).ok_or_else(|| {
        let known: Vec<_> = parlor_agents::programs().iter().map(|program| program.name()).collect();
        let message = format!("no agent program called {name} is known");
        Failure::new(ErrorKind::NotFound, message, format!("known: {}", known.join(", ")))
    })
}

fn scope(scope: ScopeArg) -> Outcome<Scope> {
    match scope {
        ScopeArg::User => Ok(Scope::User),
        ScopeArg::Project => current_dir().map(Scope::Project),
    }
}

/// What the agent program is to run.
fn request(home: &Home) -> Outcome<InstallRequest> {
    let parlor = own_executable().map_err(|error| {
        Failure::machine(format!("this program cannot be found: {error}"), "install it again")
    })?;
    commands(&parlor, home).map_err(|error| Failure::machine(error.to_string(), "nothing was changed"))
}

fn commands(parlor: &Path, home: &Home) -> Result<InstallRequest, CommandError> {
    let small = parlor.with_file_name("parlor-hook");
    let hook =
        if small.is_file() { CommandLine::new(&small, &[])? } else { CommandLine::new(parlor, &["hook"])? };
    let mcp = CommandLine::new(parlor, &["mcp"])?;
    // Agent programs scrub the environment: what is not the default must stand in the command.
    let is_default =
        std::env::var_os("HOME").is_some_and(|dir| Path::new(&dir).join(".parlor") == home.dir());
    if is_default {
        return Ok(InstallRequest { hook, mcp });
    }
    Ok(InstallRequest { hook: hook.with_home(home.dir())?, mcp: mcp.with_home(home.dir())? })
}

fn carry_out(
    context: &Context,
    program: &dyn AgentProgram,
    plan: &Plan,
    dry_run: bool,
    nothing: &str,
) -> Outcome {
    let is_there = program.detect(&place()?).is_some();
    let mut report = Report {
        program: program.name(),
        settings: plan.settings_path().into(),
        changes: &plan.changes,
        warnings: &plan.warnings,
        dry_run,
        commands: plan.commands(),
        to_type: Vec::new(),
        backup: None,
    };
    if dry_run {
        return context.out.answer(&report, || would_do(program.name(), plan, is_there, nothing));
    }
    let applied = plan.apply(&SystemRunner).map_err(not_applied)?;
    report.backup = applied.backup;
    if let CommandOutcome::ToType(lines) = &applied.command {
        report.to_type.clone_from(lines);
    }
    context.out.answer(&report, || done(&report, plan, nothing))?;
    plan.warnings.iter().for_each(|warning| context.out.talk(&format!("warning: {warning}")));
    match applied.command {
        CommandOutcome::Failed { command, detail } => {
            let message = format!("the settings are done, but `{command}` failed: {detail}");
            Err(Failure::machine(message, "repair that and run this again; it is safe to repeat"))
        }
        CommandOutcome::ToType(_) => {
            context.out.talk("The agent program itself is not on PATH, so this much is left to you.");
            Ok(())
        }
        CommandOutcome::Unchanged | CommandOutcome::Done => Ok(()),
    }
}

fn would_do(program: &str, plan: &Plan, is_there: bool, nothing: &str) -> Vec<String> {
    if plan.is_nothing() {
        return vec![nothing.into()];
    }
    let mut lines: Vec<_> = plan.changes.iter().map(|change| format!("would: {change}")).collect();
    let verb = match is_there {
        true => "would run".into(),
        false => format!("{program} is not on PATH; would ask you to type"),
    };
    lines.extend(plan.commands().iter().map(|command| format!("{verb}: {command}")));
    lines.extend(plan.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(plan.diff().lines().map(str::to_owned));
    lines
}

fn done(report: &Report, plan: &Plan, nothing: &str) -> Vec<String> {
    if plan.is_nothing() {
        return vec![nothing.into()];
    }
    let mut lines: Vec<_> = report.changes.to_vec();
    lines.push(format!("settings: {}", report.settings.display()));
    lines.extend(report.backup.iter().map(|path| format!("what they were: {}", path.display())));
    lines.extend(report.to_type.iter().map(|line| format!("to type where it can be run: {line}")));
    lines
}

fn no_plan(error: PlanError) -> Failure {
    match &error {
        PlanError::File(_) => Failure::machine(error.to_string(), "nothing was changed"),
        PlanError::Syntax { .. } | PlanError::Shape { .. } => {
            Failure::bad_input(error.to_string(), "nothing was changed")
        }
    }
}

fn not_applied(error: FileError) -> Failure {
    Failure::machine(error.to_string(), "the settings are as they were")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_small_hook_is_taken_where_it_is_and_the_home_stands_in_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let parlor = dir.path().join("parlor");
        let home = Home::at("/elsewhere");
        let request = commands(&parlor, &home).unwrap();
        let words = |line: &CommandLine| line.words()[1..].join(" ");
        assert_eq!(words(&request.hook), "hook --home /elsewhere");
        assert_eq!(words(&request.mcp), "mcp --home /elsewhere");
        std::fs::write(dir.path().join("parlor-hook"), "").unwrap();
        let request = commands(&parlor, &home).unwrap();
        assert!(request.hook.words()[0].ends_with("/parlor-hook"));
        assert_eq!(words(&request.hook), "--home /elsewhere");
    }

    #[test]
    fn an_unknown_agent_program_names_the_known_ones() {
        let Failure::Error(error) = program("cobol").err().unwrap() else { panic!() };
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.hint.unwrap().contains("claude"));
    }
}
