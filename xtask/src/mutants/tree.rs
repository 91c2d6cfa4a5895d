//! The copy of the tree in which mutants are made, and cargo's answers about it. The checkout itself is only read, so
//! that whatever ends a run leaves no broken rule behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::list::Tests;
use crate::{Result, workspace};

/// A copy of all tracked files, with a target directory of its own.
pub struct Tree {
    files: PathBuf,
    target: PathBuf,
}

/// What the tests said.
pub enum Verdict {
    /// All passed.
    Passed,
    /// These failed.
    Failed(Vec<String>),
}

impl Tree {
    /// Under this directory: made, or brought up to date. What is the same keeps its time, so that cargo builds only
    /// what changed.
    pub fn under(directory: &Path) -> Result<Self> {
        let tree = Self { files: directory.join("tree"), target: directory.join("build") };
        let tracked = workspace::files()?.into_iter().filter(|(_, tracked)| *tracked);
        let paths: BTreeSet<PathBuf> = tracked.map(|(path, _)| PathBuf::from(path)).collect();
        for path in &paths {
            let bytes = std::fs::read(workspace::root().join(path))?;
            let copy = tree.files.join(path);
            if std::fs::read(&copy).ok().as_ref() != Some(&bytes) {
                std::fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
                std::fs::write(&copy, bytes)?;
            }
        }
        tree.forget_others(&tree.files, &paths)?;
        Ok(tree)
    }

    /// Takes away what is no longer tracked: a test file that went would still be a test.
    fn forget_others(&self, directory: &Path, paths: &BTreeSet<PathBuf>) -> Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.forget_others(&path, paths)?;
            } else if !path.strip_prefix(&self.files).is_ok_and(|path| paths.contains(path)) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The text of one of its files.
    pub fn read(&self, path: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.files.join(path))?)
    }

    /// Writes one of its files.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.files.join(path), text)?)
    }

    /// Builds and runs tests. What does not build, or ends without naming a failed test, is an error.
    pub fn test(&self, tests: &Tests) -> Result<Verdict> {
        let built = self.cargo(tests).arg("--no-run").output()?;
        if !built.status.success() {
            return Err(format!("does not build:\n{}", end_of(&built)).into());
        }
        let ran = self.cargo(tests).arg("--").args(&tests.filters).output()?;
        let failed = failed(&String::from_utf8_lossy(&ran.stdout));
        match (ran.status.success(), failed.is_empty()) {
            (true, _) => Ok(Verdict::Passed),
            (false, false) => Ok(Verdict::Failed(failed)),
            (false, true) => Err(format!("no test failed, and yet cargo did:\n{}", end_of(&ran)).into()),
        }
    }

    fn cargo(&self, tests: &Tests) -> Command {
        let mut cargo = workspace::cargo();
        cargo.current_dir(&self.files).env("CARGO_TARGET_DIR", &self.target);
        // Nobody debugs these programs, and what is linked again for each mutant should be small.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo.args(["test", "--quiet", "--locked", "--package", &tests.package]).args(&tests.targets);
        cargo
    }
}

/// The names of failed tests in what the test harness wrote.
fn failed(stdout: &str) -> Vec<String> {
    let names = stdout.lines().filter_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
    names.map(str::to_owned).collect()
}

/// The last lines a program wrote.
fn end_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_those_whose_output_the_harness_shows() {
        let said = "running 3 tests\n.FF\nfailures:\n\n---- r7_out stdout ----\nthread panicked\n\n\
                    ---- keys::k2 stdout ----\nx\n\nfailures:\n    keys::k2\n    r7_out\n\ntest result: FAILED.";
        assert_eq!(failed(said), ["r7_out", "keys::k2"]);
        assert_eq!(failed("running 1 test\n.\n\ntest result: ok."), [""; 0]);
    }
}
