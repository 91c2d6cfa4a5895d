//! The real `parlor` binary in a throw-away home.
//!
//! It is a program with a path and an environment here, nothing more. A node it starts is stopped at
//! drop, by `parlor node stop` and, when that is not enough, by the process id in its own lock file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::error::shorten;
use crate::person::Person;
use crate::process;
use crate::run::{Output, Run};
use crate::{Error, Result};

/// Names the binary to test; without it the one beside the test executable is taken.
pub const BIN_ENV: &str = "PARLOR_BIN";
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the `parlor` binary is: [`BIN_ENV`], else `target/<profile>/parlor` as seen from this test.
pub fn binary() -> Result<PathBuf> {
    let named = std::env::var_os(BIN_ENV).filter(|path| !path.is_empty()).map(PathBuf::from);
    let built = || built_beside(&std::env::current_exe().ok()?);
    named.or_else(built).ok_or_else(|| Error::Missing {
        what: "the `parlor` binary".to_owned(),
        install: format!("cargo build --package parlor, or set {BIN_ENV} to its path"),
    })
}

/// A test runs in target/<profile>/deps, an example in target/<profile>/examples.
fn built_beside(this: &Path) -> Option<PathBuf> {
    this.ancestors().skip(1).take(2).map(|dir| dir.join("parlor")).find(|path| path.is_file())
}

/// One person's `parlor`: a home that goes at drop together with the node that serves it.
#[derive(Debug)]
pub struct ParlorHome {
    person: Person,
    binary: PathBuf,
    cwd: PathBuf,
    env: Vec<(String, String)>,
    behind: Vec<String>,
}

impl ParlorHome {
    /// A home of a new person called `alice`, with the binary found by [`binary`].
    pub fn new() -> Result<Self> {
        Self::of(&Person::new("alice")?)
    }

    /// The home of `person`, with the binary found by [`binary`].
    pub fn of(person: &Person) -> Result<Self> {
        Self::with_binary(person, binary()?)
    }

    /// The home of `person` with the binary given, which is put on the person's `PATH` as `parlor`.
    pub fn with_binary(person: &Person, binary: PathBuf) -> Result<Self> {
        person.install("parlor", &binary)?;
        stay_here(&person.parlor_home())?;
        let cwd = person.home();
        Ok(Self { person: person.clone(), binary, cwd, env: Vec::new(), behind: Vec::new() })
    }

    /// Changes `config.toml`, for the next start of a node.
    pub fn configure(&self, text: &str) -> Result<()> {
        let path = self.dir().join("config.toml");
        std::fs::write(&path, text).map_err(Error::file("cannot write", path))
    }

    /// Whose home this is.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// `PARLOR_HOME`.
    pub fn dir(&self) -> PathBuf {
        self.person.parlor_home()
    }

    /// Runs everything from now on in `dir`.
    pub fn set_cwd(&mut self, dir: impl Into<PathBuf>) {
        self.cwd = dir.into();
    }

    /// Sets an environment variable for everything from now on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs everything from now on, and so also the node it starts, on the host `host`.
    #[cfg(target_os = "linux")]
    pub fn set_host(&mut self, host: &crate::netns::Namespace) {
        self.behind = host.prefix();
    }

    /// `parlor ARGS`, to be refined: stdin, another directory, one more variable, a deadline.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let run = self.person.run(&self.binary).envs(self.env.iter().map(|(name, value)| (name, value)));
        run.cwd(&self.cwd).args(args).behind(&self.behind)
    }

    /// Runs `parlor ARGS` to the end, whatever its exit status.
    pub fn cmd<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output> {
        self.run(args).output()
    }

    /// Runs `parlor ARGS --json`, which must succeed, and returns the one object on stdout.
    pub fn json<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Value> {
        let output = self.run(args).arg("--json").ok()?;
        parse(&output.out())
    }

    /// The same for lists and streams that end: one object a line.
    pub fn json_lines<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Vec<Value>> {
        let output = self.run(args).arg("--json").ok()?;
        output.out().lines().filter(|line| !line.is_empty()).map(parse).collect()
    }

    /// The process id in `node.lock`, if a node of this home lives.
    pub fn node_pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.dir().join("node.lock")).ok()?;
        let digits =
            text.split(|character: char| !character.is_ascii_digit()).find(|word| !word.is_empty())?;
        digits.parse().ok().filter(|pid| is_of_home(*pid, &self.dir()))
    }

    /// Kills the node as `kill -9` does and returns when it is gone; false when there was none.
    pub fn kill_node(&self) -> bool {
        self.node_pid().is_some_and(|pid| process::kill(pid, STOP_TIMEOUT))
    }
}

impl Drop for ParlorHome {
    fn drop(&mut self) {
        // Asking the product first keeps its own way of stopping in use; its verdict is other tests' business.
        if self.dir().join("node.lock").exists() {
            let _ = self.run(["node", "stop"]).timeout(STOP_TIMEOUT).output();
            self.kill_node();
        }
    }
}

/// A test's traffic stays on loopback or in its own network: no relay of the world's is asked.
fn stay_here(home: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home)
        .map_err(Error::file("cannot make", home))?;
    let path = home.join("config.toml");
    if path.exists() {
        return Ok(());
    }
    std::fs::write(&path, "relay = \"off\"\n").map_err(Error::file("cannot write", path))
}

/// Whether `pid` lives and was started for `home`: a stale lock file may name a stranger by now.
fn is_of_home(pid: u32, home: &Path) -> bool {
    if !process::lives(pid) || !Path::new("/proc/self").exists() {
        return process::lives(pid);
    }
    let home = home.as_os_str().as_encoded_bytes();
    ["environ", "cmdline"].iter().any(|name| {
        let bytes = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        bytes.windows(home.len()).any(|window| window == home)
    })
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|_| Error::Answer { what: "this is not one JSON object", answer: shorten(text, 2_000) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_looked_for_beside_the_test_and_one_above() {
        let dir = tempfile::tempdir().unwrap();
        let this = dir.path().join("debug/deps/some_test");
        std::fs::create_dir_all(this.parent().unwrap()).unwrap();
        assert_eq!(built_beside(&this), None);
        std::fs::write(dir.path().join("parlor"), "").unwrap();
        assert_eq!(built_beside(&this), None, "not from further above");
        let built = dir.path().join("debug/parlor");
        std::fs::write(&built, "").unwrap();
        assert_eq!(built_beside(&this), Some(built));
    }
}
