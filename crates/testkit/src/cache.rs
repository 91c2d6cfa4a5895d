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
/// The version of Codex that is pinned.
pub const CODEX_VERSION: &str = "0.169.0";
/// The version of Gemini CLI that is pinned.
pub const GEMINI_CLI_VERSION: &str = "0.61.0";
/// The version of OpenCode that is pinned.
pub const OPENCODE_VERSION: &str = "1.18.33";

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

/// Codex, as pinned in this repository.
pub const CODEX: NpmPin<'static> = NpmPin {
    name: "codex",
    package: include_str!("../npm/codex/package.json"),
    lock: include_str!("../npm/codex/package-lock.json"),
};

/// Gemini CLI, as pinned in this repository.
pub const GEMINI_CLI: NpmPin<'static> = NpmPin {
    name: "gemini-cli",
    package: include_str!("../npm/gemini-cli/package.json"),
    lock: include_str!("../npm/gemini-cli/package-lock.json"),
};

/// OpenCode, as pinned in this repository: the package of the platform, and only of Linux on x64.
pub const OPENCODE: NpmPin<'static> = NpmPin {
    name: "opencode",
    package: include_str!("../npm/opencode/package.json"),
    lock: include_str!("../npm/opencode/package-lock.json"),
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

/// The native binary of the real Codex, version [`CODEX_VERSION`], from the machine's cache.
pub fn codex() -> Result<PathBuf> {
    let place = Cache::open()?.npm(&CODEX)?.join("node_modules/@openai");
    let inner =
        |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let targets = inner(place.clone()).flat_map(|package| inner(package.join("vendor")));
    targets.map(|target| target.join("bin/codex")).find(|candidate| candidate.is_file()).ok_or_else(|| {
        let what = format!("a native Codex for this platform in {}", place.display());
        Error::Missing { what, install: "run this test on Linux or macOS, x64 or arm64".to_owned() }
    })
}

/// The start file of the real Gemini CLI, version [`GEMINI_CLI_VERSION`]; Node runs it.
pub fn gemini_cli() -> Result<PathBuf> {
    find_program("node", "nodejs npm")?;
    present(&GEMINI_CLI, "node_modules/@google/gemini-cli/bundle/gemini.js")
}

/// The native binary of the real OpenCode, version [`OPENCODE_VERSION`], from the machine's cache.
pub fn opencode() -> Result<PathBuf> {
    present(&OPENCODE, "node_modules/opencode-linux-x64/bin/opencode")
}

fn present(pin: &NpmPin<'_>, path: &str) -> Result<PathBuf> {
    let program = Cache::open()?.npm(pin)?.join(path);
    if program.is_file() {
        return Ok(program);
    }
    let what = format!("{} at {}", pin.name, program.display());
    Err(Error::Missing { what, install: "run this test on Linux, x64".to_owned() })
}
