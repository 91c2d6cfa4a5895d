//! `cargo xtask mutants`: breaks one rule at a time in a copy of the tree, and sees a test fail for each. Takes long, so
//! no stage of `./test` runs it; `cargo xtask tidy` looks only whether every mutant still applies.

pub mod list;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use list::{Mutant, Tests};
use tree::{Tree, Verdict};

use crate::{Result, complain, say, workspace};

/// What `cargo xtask mutants` is told.
#[derive(clap::Args)]
pub struct Options {
    /// Only mutants whose rule or name contains one of these.
    names: Vec<String>,
}

/// Runs the mutants. True when every one of them was caught.
pub fn run(options: &Options) -> Result<bool> {
    let begun = Instant::now();
    let text = std::fs::read_to_string(workspace::root().join(list::LIST))?;
    let all = list::parse(&text)?;
    let chosen: Vec<&Mutant> = all.iter().filter(|mutant| is_meant(mutant, &options.names)).collect();
    if chosen.is_empty() {
        return Err(format!("no mutant of {} is called that", all.len()).into());
    }
    let tree = Tree::under(&directory()?)?;
    complain("the tests without mutants …");
    all_pass(&tree, &chosen)?;
    let mut caught = 0;
    for mutant in &chosen {
        caught += usize::from(try_one(&tree, mutant)?);
    }
    let seconds = begun.elapsed().as_secs();
    say(&format!("{caught} of {} mutants caught ({seconds} s)", chosen.len()));
    Ok(caught == chosen.len())
}

fn is_meant(mutant: &Mutant, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| mutant.title().contains(name.as_str()))
}

fn directory() -> Result<PathBuf> {
    let text = workspace::output(workspace::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata["target_directory"].as_str().ok_or("cargo names no target directory")?;
    Ok(PathBuf::from(target).join("mutants"))
}

/// A test that fails anyway would catch everything.
fn all_pass(tree: &Tree, mutants: &[&Mutant]) -> Result<()> {
    let tests: BTreeSet<&Tests> = mutants.iter().map(|mutant| &mutant.tests).collect();
    for one in tests {
        if let Verdict::Failed(names) = tree.test(one)? {
            return Err(format!("without any mutant these tests fail: {}", names.join(", ")).into());
        }
    }
    Ok(())
}

/// Breaks one rule, runs its tests, and puts the file back. True when a test failed. One that no longer applies or does
/// not build is told like one that survived, and the others go on.
fn try_one(tree: &Tree, mutant: &Mutant) -> Result<bool> {
    let begun = Instant::now();
    let whole = tree.read(&mutant.file)?;
    let verdict = match mutant.apply(&whole) {
        Ok(broken) => {
            tree.write(&mutant.file, &broken)?;
            let verdict = tree.test(&mutant.tests);
            tree.write(&mutant.file, &whole)?;
            verdict.map_err(|error| error.to_string())
        }
        Err(why) => Err(why),
    };
    let took = format!("({:.1} s)", begun.elapsed().as_secs_f64());
    let title = mutant.title();
    match &verdict {
        Ok(Verdict::Failed(names)) => say(&format!("caught   {title}: {} {took}", by(names))),
        Ok(Verdict::Passed) => say(&format!("SURVIVED {title} {took}")),
        Err(why) => say(&format!("ERROR    {title} {took}: {why}")),
    }
    Ok(matches!(verdict, Ok(Verdict::Failed(_))))
}

/// The first failed test by name, the others by number.
fn by(names: &[String]) -> String {
    let first = names.iter().min().map(String::as_str).unwrap_or_default();
    match names.len() {
        0 | 1 => first.to_owned(),
        count => format!("{first} and {} more", count - 1),
    }
}
