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
    /// The file with the hooks.
    settings: PathBuf,
    /// All files it is about.
    files: Vec<PathBuf>,
    changes: &'a [String],
    warnings: &'a [String],
    dry_run: bool,
    /// Commands of the agent program's own: run, or to be typed.
    commands: Vec<String>,
    /// Which of them a human has to type.
    to_type: Vec<String>,
    /// What the file with the hooks was.
    backup: Option<PathBuf>,
    /// What the files were.
    backups: Vec<PathBuf>,
}

/// The word for any other MCP client, which is told what to write down and nothing is written for.
const OTHER_CLIENT: &str = "mcp";

pub fn install(context: &Context, install: Install) -> Outcome {
    let request = request(&context.home)?;
    if install.program.as_deref() == Some(OTHER_CLIENT) {
        return snippet(context, &request);
    }
    let (place, scope) = (place()?, scope(&install)?);
    let found = |program: &dyn AgentProgram| program.detect(&place).is_some();
    let none = "none of the agent programs Parlor knows is on PATH";
    each(context, &programs(install.program.as_deref(), found, none)?, |program| {
        let plan = program.plan_install(&place, &scope, &request).map_err(no_plan)?;
        carry_out(context, program, &plan, install.dry_run, "already wired in; nothing to change")
    })
}

pub fn uninstall(context: &Context, install: Install) -> Outcome {
    let (place, scope) = (place()?, scope(&install)?);
    // Settings that cannot be read may hold something: they are looked at, and what is wrong is said.
    let wired = |program: &dyn AgentProgram| {
        !program.plan_uninstall(&place, &scope).is_ok_and(|plan| plan.is_nothing())
    };
    let none = "Parlor is wired into none of the agent programs it knows";
    each(context, &programs(install.program.as_deref(), wired, none)?, |program| {
        let plan = program.plan_uninstall(&place, &scope).map_err(no_plan)?;
        carry_out(context, program, &plan, install.dry_run, "not wired in; nothing to change")
    })
}

/// What any other MCP client is to be given: data, to be put where that client keeps its servers.
fn snippet(context: &Context, request: &InstallRequest) -> Outcome {
    let snippet = parlor_agents::mcp_snippet(&request.mcp);
    let text = serde_json::to_string_pretty(&snippet).unwrap_or_default();
    context.out.answer(&snippet, || vec![text])?;
    context
        .out
        .talk("Put this where your MCP client keeps its servers. Without a hook it hears when it asks.");
    Ok(())
}

/// The program of this name; without a name, all for which `is_meant` holds.
fn programs(
    name: Option<&str>,
    is_meant: impl Fn(&dyn AgentProgram) -> bool,
    none: &str,
) -> Outcome<Vec<&'static dyn AgentProgram>> {
    if let Some(name) = name {
        return Ok(vec![program(name)?]);
    }
    let meant: Vec<_> = parlor_agents::programs().iter().copied().filter(|one| is_meant(*one)).collect();
    if meant.is_empty() {
        let names: Vec<_> = parlor_agents::programs().iter().map(|program| program.name()).collect();
        let hint = format!("known: {}; name one to do it all the same", names.join(", "));
        return Err(Failure::new(ErrorKind::NotFound, none, hint));
    }
    Ok(meant)
}

/// Each of them, whatever becomes of the others: what fails first decides how it ends, what fails later is said.
fn each(
    context: &Context,
    programs: &[&'static dyn AgentProgram],
    mut act: impl FnMut(&'static dyn AgentProgram) -> Outcome,
) -> Outcome {
    let mut all = Ok(());
    for program in programs {
        match (&all, act(*program)) {
            (Err(_), Err(Failure::Error(error))) => {
                context.out.warn(&format!("{}: {}", program.name(), error.message));
            }
            (Ok(()), one) => all = one,
            (Err(_), _) => (),
        }
    }
    all
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
    let is_deaf = |program: &dyn AgentProgram| !program.is_plugged_in(&place) && !hears(program);
    parlor_agents::programs().iter().any(|program| program.detect(&place).is_some() && is_deaf(*program))
}

/// The home directory and environment of whoever typed the command.
pub fn place() -> Outcome<Place> {
    Place::of_this_process().map_err(|error| Failure::machine(error.to_string(), "nothing was changed"))
}

fn program(name: &str) -> Outcome<&'static dyn AgentProgram> {
    parlor_agents::program(name).ok_or_else(|| {
        let known: Vec<_> = parlor_agents::programs().iter().map(|program| program.name()).collect();
        let message = format!("no agent program called {name} is known");
        let hint = format!(
            "known: {}; `parlor install {OTHER_CLIENT}` says what any other is given",
            known.join(", ")
        );
        Failure::new(ErrorKind::NotFound, message, hint)
    })
}

fn scope(install: &Install) -> Outcome<Scope> {
    match (install.project, install.scope) {
        (false, ScopeArg::User) => Ok(Scope::User),
        (true, _) | (false, ScopeArg::Project) => current_dir().map(Scope::Project),
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
        settings: plan.settings_paths().into_iter().next().unwrap_or_default(),
        files: plan.settings_paths(),
        changes: &plan.changes,
        warnings: &plan.warnings,
        dry_run,
        commands: plan.commands(),
        to_type: Vec::new(),
        backup: None,
        backups: Vec::new(),
    };
    if dry_run {
        return context.out.answer(&report, || would_do(program.name(), plan, is_there, nothing));
    }
    let applied = plan.apply(&SystemRunner).map_err(not_applied)?;
    report.backup = applied.backups.first().cloned();
    report.backups = applied.backups;
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
        return vec![format!("{program}: {nothing}")];
    }
    let mut lines: Vec<_> = plan.changes.iter().map(|change| format!("would: {program}: {change}")).collect();
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
        return vec![format!("{}: {nothing}", report.program)];
    }
    let mut lines = vec![format!("{}:", report.program)];
    lines.extend(report.changes.iter().cloned());
    lines.extend(report.files.iter().map(|path| format!("settings: {}", path.display())));
    lines.extend(report.backups.iter().map(|path| format!("what they were: {}", path.display())));
    lines.extend(report.to_type.iter().map(|line| format!("to type where it can be run: {line}")));
    lines
}

fn no_plan(error: PlanError) -> Failure {
    match &error {
        PlanError::File(_) => Failure::machine(error.to_string(), "nothing was changed"),
        PlanError::Syntax { .. } | PlanError::Shape { .. } | PlanError::Command(_) => {
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
