//! `cargo xtask bench`: numbers from real processes, beside the bars they must hold. A bench is a function that
//! returns rows; this file chooses benches, builds what they need and prints. Measuring is `measure`, judging `table`.

mod ask;
mod crowd;
mod engine;
mod files;
mod hook;
mod idle;
mod measure;
mod net;
mod page;
mod process;
mod process_start;
mod room;
mod table;
mod talk;
mod world;

use std::path::PathBuf;

use clap::Args;

use crate::{Result, complain, say, workspace};
use table::Row;

/// What may be asked of `cargo xtask bench`.
#[derive(Args)]
pub struct Options {
    /// The benches to run; all that need no further arguments when none is named.
    names: Vec<String>,
    /// One JSON object per row instead of the table.
    #[arg(long)]
    json: bool,
    /// Writes the table, and the machine it is of, to docs/bench.md.
    #[arg(long)]
    write: bool,
    /// How often each thing is measured; each bench has its own default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: Option<u32>,
    /// For process-start: a command to start, split at blanks; may be given several times.
    #[arg(long = "bin", value_name = "COMMAND")]
    bins: Vec<String>,
}

/// What a bench is given.
pub struct Context<'a> {
    options: &'a Options,
    /// Where the release binaries are, for benches that asked for them.
    release: PathBuf,
}

impl Context<'_> {
    /// The number of measurements: what was asked for, else the bench's own.
    fn runs(&self, default: u32) -> u32 {
        self.options.runs.unwrap_or(default)
    }
}

/// One bench: its name, whether it runs unasked, whether it needs `parlor` built, and how it is done.
struct Bench {
    name: &'static str,
    unasked: bool,
    needs_release: bool,
    run: fn(&Context<'_>) -> Result<Vec<Row>>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "hook", unasked: true, needs_release: true, run: hook::run },
    Bench { name: "send-to-hook", unasked: true, needs_release: true, run: talk::send_to_hook },
    Bench { name: "ask", unasked: true, needs_release: true, run: ask::run },
    Bench { name: "catch-up", unasked: true, needs_release: true, run: talk::catch_up },
    Bench { name: "idle", unasked: true, needs_release: true, run: idle::run },
    Bench { name: "keep-alive", unasked: true, needs_release: true, run: room::keep_alive },
    Bench { name: "room", unasked: true, needs_release: true, run: room::room },
    Bench { name: "rooms", unasked: true, needs_release: true, run: room::rooms },
    Bench { name: "files", unasked: true, needs_release: true, run: files::run },
    Bench { name: "engine", unasked: true, needs_release: false, run: engine::run },
    Bench { name: "crowd", unasked: true, needs_release: false, run: crowd::run },
    Bench { name: "process-start", unasked: false, needs_release: false, run: process_start::run },
];

/// Run the chosen benches one after the other. True when no bar was missed.
pub fn run(options: &Options) -> Result<bool> {
    let chosen = choose(&options.names)?;
    let context = Context { options, release: release_directory()? };
    if chosen.iter().any(|bench| bench.needs_release) {
        build_release()?;
    }
    let mut rows = Vec::new();
    for bench in chosen {
        complain(&format!("{} …", bench.name));
        rows.extend((bench.run)(&context)?);
    }
    let lines = if options.json { table::json_lines(&rows) } else { table::lines(&rows) };
    lines.iter().for_each(|line| say(line));
    if options.write {
        page::write(&rows)?;
    }
    Ok(rows.iter().all(Row::holds))
}

fn choose(names: &[String]) -> Result<Vec<&'static Bench>> {
    if names.is_empty() {
        let unasked: Vec<_> = BENCHES.iter().filter(|bench| bench.unasked).collect();
        if unasked.is_empty() {
            return Err(format!("no bench runs unasked; name one of: {}", known()).into());
        }
        return Ok(unasked);
    }
    let find = |name: &String| {
        let found = BENCHES.iter().find(|bench| bench.name == name);
        found.ok_or_else(|| format!("no bench is called {name}; there are: {}", known()).into())
    };
    names.iter().map(find).collect()
}

fn known() -> String {
    BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}

/// Build the binaries that are measured, the way they ship.
fn build_release() -> Result<()> {
    complain("building the release binaries …");
    let built = workspace::cargo().args(["build", "--release", "--package", "parlor"]).status()?;
    if built.success() { Ok(()) } else { Err("the release build failed".into()) }
}

fn release_directory() -> Result<PathBuf> {
    let text = workspace::output(workspace::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata["target_directory"].as_str().ok_or("cargo names no target directory")?;
    Ok(PathBuf::from(target).join("release"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_bench_is_an_error_that_names_the_known_ones() {
        let error = choose(&["nothing".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("nothing") && error.contains("process-start"), "{error}");
        assert_eq!(choose(&["process-start".to_owned()]).unwrap()[0].name, "process-start");
    }
}
