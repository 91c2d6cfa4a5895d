//! Pinned third-party programs, installed once per machine into a folder outside the checkout.
//!
//! What is installed is named by the hash of the committed lock file, checked by `npm ci` against the
//! integrity hashes in it, and appears under its name whole or not at all. Install scripts never run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run::{Run, find_program};
use crate::{Error, Result};

/// Names the cache folder; `~/.cache/parlor-test` when unset.
pub const CACHE_ENV: &str = "PARLOR_TEST_CACHE";
/// The version of Claude Code every fact in [`crate::claude`] was measured with.
pub const CLAUDE_CODE_VERSION: &str = "2.1.329";

const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);

/// A committed `package.json` and `package-lock.json`.
#[derive(Debug, Clone, Copy)]
pub struct NpmPin<'a> {
    /// A short name for the folder.
    pub name: &'a str,
    /// The text of `package.json`.
    pub package: &'a str,
    /// The text of `package-lock.json`.
    pub lock: &'a str,
}

/// Claude Code, as pinned in this repository.
pub const CLAUDE_CODE: NpmPin<'static> = NpmPin {
    name: "claude-code",
    package: include_str!("../npm/claude-code/package.json"),
    lock: include_str!("../npm/claude-code/package-lock.json"),
};

/// The folder.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// The machine's cache: [`CACHE_ENV`], else `~/.cache/parlor-test`.
    pub fn open() -> Result<Self> {
        let named = std::env::var_os(CACHE_ENV).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let home = || std::env::home_dir().map(|home| home.join(".cache/parlor-test"));
        named.or_else(home).map(Self::at).ok_or_else(|| Error::Missing {
            what: "a folder to install pinned programs into".to_owned(),
            install: format!("set {CACHE_ENV} or HOME"),
        })
    }

    /// A cache in `dir`, which need not exist.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder that holds `node_modules` as `pin` wants it; installs it first where it is missing.
    ///
    /// Callers in any number of threads and processes get the one installation.
    pub fn npm(&self, pin: &NpmPin<'_>) -> Result<PathBuf> {
        let hash = blake3::hash(format!("{}\0{}", pin.package, pin.lock).as_bytes()).to_hex();
        let place = self.dir.join(format!("{}-{}", pin.name, &hash[..12]));
        if place.is_dir() {
            return Ok(place);
        }
        std::fs::create_dir_all(&self.dir).map_err(Error::file("cannot make", &self.dir))?;
        let _lock = self.lock(pin.name)?;
        if !place.is_dir() {
            self.npm_ci(pin, &place)?;
        }
        Ok(place)
    }

    fn lock(&self, name: &str) -> Result<File> {
        let path = self.dir.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(Error::file("cannot make", &path))?;
        file.lock().map_err(Error::file("cannot lock", path))?;
        Ok(file)
    }

    fn npm_ci(&self, pin: &NpmPin<'_>, place: &Path) -> Result<()> {
        let npm = find_program("npm", "nodejs npm")?;
        // A folder of this name was left by an installation that was killed; the lock says it is nobody's.
        let stage = self.dir.join(format!("{}.staging", pin.name));
        if stage.exists() {
            std::fs::remove_dir_all(&stage).map_err(Error::file("cannot remove", &stage))?;
        }
        std::fs::create_dir(&stage).map_err(Error::file("cannot make", &stage))?;
        for (name, text) in [("package.json", pin.package), ("package-lock.json", pin.lock)] {
            let path = stage.join(name);
            std::fs::write(&path, text).map_err(Error::file("cannot write", path))?;
        }
        let quiet =
            ["--ignore-scripts", "--no-fund", "--no-audit", "--no-update-notifier", "--loglevel=error"];
        Run::new(npm).arg("ci").args(quiet).cwd(&stage).timeout(INSTALL_TIMEOUT).ok()?;
        std::fs::rename(&stage, place).map_err(Error::file("cannot move into place", place))
    }
}

/// The native binary of the real Claude Code, version [`CLAUDE_CODE_VERSION`], from the machine's cache.
///
/// It lies in the package of the platform; the wrapper package would need a newer Node than it wraps.
pub fn claude_code() -> Result<PathBuf> {
    let place = Cache::open()?.npm(&CLAUDE_CODE)?.join("node_modules/@anthropic-ai");
    let entries = std::fs::read_dir(&place).map_err(Error::file("cannot list", &place))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path().join("claude")))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Error::Missing {
            what: format!("a native Claude Code for this platform in {}", place.display()),
            install: "npm offers none; run this test on Linux or macOS, x64 or arm64".to_owned(),
        })
}
