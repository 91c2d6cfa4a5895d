//! Checks and benchmarks of this tree: `cargo xtask tidy`, `cargo xtask bench`, `cargo xtask mutants`.
//! A tool for whoever works on Parlor. Nothing that ships may depend on it.

mod bench;
mod mutants;
mod tidy;
mod workspace;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every step of this tool returns: errors here are read by a person, never matched on.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(about = "Checks and benchmarks of this tree.")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check what the compiler does not: crate edges, file sizes, words, links, cited tests.
    Tidy,
    /// Measure real processes and print the numbers beside the bars they must hold.
    Bench(bench::Options),
    /// Break one rule at a time in a copy of the tree, and see a test fail for each.
    Mutants(mutants::Options),
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Tidy => tidy::run(),
        Task::Bench(options) => bench::run(&options),
        Task::Mutants(options) => mutants::run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// One line of data on stdout.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

/// One line of talk on stderr.
#[allow(clippy::print_stderr)]
fn complain(line: &str) {
    eprintln!("{line}");
}
