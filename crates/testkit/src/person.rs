//! One simulated user of a machine: a home, a temporary directory, a `PATH`, a `PARLOR_HOME`, all
//! throw-away, and the environment every process of that user runs with.
//!
//! Nothing of the developer's own environment reaches these processes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::run::{Run, find_program};
use crate::{Error, Result};

/// The system directories on every simulated user's `PATH`, behind the user's own `bin`.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A simulated user. Clones are the same user; the directories go when the last clone does.
#[derive(Debug, Clone)]
pub struct Person {
    root: Arc<tempfile::TempDir>,
    name: String,
}

impl Person {
    /// A new user called `name`, with a prepared git identity.
    ///
    /// The directories are short on purpose: Unix sockets will lie in them.
    pub fn new(name: &str) -> Result<Self> {
        let root = tempfile::Builder::new()
            .prefix("pl-")
            .rand_bytes(5)
            .tempdir_in("/tmp")
            .map_err(Error::file("cannot make a directory in", "/tmp"))?;
        let person = Self { root: Arc::new(root), name: name.to_owned() };
        for dir in [person.home(), person.tmp(), person.bin()] {
            std::fs::create_dir(&dir).map_err(Error::file("cannot make", &dir))?;
        }
        let gitconfig = person.home().join(".gitconfig");
        let text = format!(
            "[user]\n\tname = {name}\n\temail = {name}@example.invalid\n[init]\n\tdefaultBranch = main\n"
        );
        std::fs::write(&gitconfig, text).map_err(Error::file("cannot write", gitconfig))?;
        Ok(person)
    }

    /// The name given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory all others lie in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `HOME`.
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `TMPDIR`.
    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// The first directory on `PATH`; see [`Person::install`].
    pub fn bin(&self) -> PathBuf {
        self.root().join("bin")
    }

    /// `PARLOR_HOME`. Not made here: making it is the product's own first act.
    pub fn parlor_home(&self) -> PathBuf {
        self.root().join("p")
    }

    /// The whole environment of this user's processes.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let pairs = [
            ("HOME", text(self.home())),
            ("TMPDIR", text(self.tmp())),
            ("PATH", format!("{}:{SYSTEM_PATH}", text(self.bin()))),
            ("PARLOR_HOME", text(self.parlor_home())),
            ("USER", self.name.clone()),
            ("SHELL", "/bin/sh".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// `program` as this user runs it: own environment and nothing else, in the home directory.
    pub fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        Run::new(program).clear_env().envs(self.env()).cwd(self.home())
    }

    /// Puts `program` on this user's `PATH` as `name`, by a symbolic link.
    pub fn install(&self, name: &str, program: &Path) -> Result<()> {
        let link = self.bin().join(name);
        std::os::unix::fs::symlink(program, &link).map_err(Error::file("cannot link", link))
    }

    /// Makes a git repository called `name` with one commit, and returns its canonical path.
    pub fn git_repo(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root().join(name);
        std::fs::create_dir_all(&dir).map_err(Error::file("cannot make", &dir))?;
        let git = find_program("git", "git")?;
        for words in [&["init", "-q"][..], &["commit", "-q", "--allow-empty", "-m", "Begin"][..]] {
            self.run(&git).args(words).cwd(&dir).ok()?;
        }
        dir.canonicalize().map_err(Error::file("cannot resolve", dir))
    }
}
