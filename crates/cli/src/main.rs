//! The one binary, parlor: turns arguments into one request of the node, and the answer into text or JSON.

mod args;
mod autostart;
mod clock;
mod commands;
mod errors;
mod hook_pipe;
mod input;
mod interrupt;
mod lock;
mod output;
mod pager;
mod passphrase;
mod progress;
mod reach;
mod readers;
mod readiness;
mod render;
mod service;
mod telling;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::Cli;
use crate::errors::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Before anything else: an agent program's human waits for it.
    if is_hook(&args) {
        return hook_pipe::run(hook_args(args));
    }
    let wants_json = args::wants_json(&args);
    let program = std::iter::once(OsString::from("parlor"));
    match Cli::try_parse_from(program.chain(args::with_join_for_a_bare_ticket(args))) {
        Ok(cli) => run(cli),
        Err(error) => not_understood(&errors::with_near_command(error, &Cli::command()), wants_json),
    }
}

fn run(cli: Cli) -> ExitCode {
    let out = Output::new(cli.global.json, cli.global.no_color);
    let done = commands::run(cli, &out).and_then(|()| out.flush());
    done.map_or_else(
        |failure| {
            out.fail(&failure);
            ExitCode::from(failure.exit_code())
        },
        |()| ExitCode::SUCCESS,
    )
}

fn not_understood(error: &clap::Error, wants_json: bool) -> ExitCode {
    match errors::of_usage(error) {
        Some(usage) if wants_json => Output::new(true, true).fail(&Failure::Error(usage)),
        // Help and version are data, and clap knows best how to lay out its complaints.
        _ => _ = error.print(),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn is_hook(args: &[OsString]) -> bool {
    let is_help = |arg: &OsString| arg == "--help" || arg == "-h";
    args::first_verb(args).is_some_and(|at| args[at] == "hook") && !args.iter().any(is_help)
}

/// The arguments without the word `hook` itself.
fn hook_args(mut args: Vec<OsString>) -> impl Iterator<Item = OsString> {
    if let Some(at) = args::first_verb(&args) {
        args.remove(at);
    }
    args.into_iter()
}
