//! What doctors of several agent programs try in the same way. Changes nothing, and must not know which program it is about.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::check::Check;
use crate::file::{self, Found};
use crate::place::Place;
use crate::plan::PlanError;
use crate::run::{Invocation, Runner};
use crate::settings::SettingsError;
use crate::settings::hooks::{Entry, Hooks};

/// A first start on a cold disk reads some hundred megabytes.
const TIMEOUT_MS: u64 = 30_000;

/// One agent program, as its doctor speaks of it.
pub(crate) struct Probe<'a> {
    /// What people call it.
    pub(crate) title: &'static str,
    /// What it is called on PATH and on Parlor's command line.
    pub(crate) name: &'static str,
    /// The version it was measured with.
    pub(crate) measured: &'static str,
    pub(crate) place: &'a Place,
    pub(crate) runner: &'a dyn Runner,
}

impl Probe<'_> {
    /// What makes it hear.
    pub(crate) fn install(&self) -> String {
        format!("run `parlor install {}`", self.name)
    }

    /// Runs the program itself.
    pub(crate) fn invocation(&self, args: &[&str], quiet: &[&str]) -> Option<Invocation> {
        let mut env: BTreeMap<OsString, OsString> = self.place.env();
        env.extend(quiet.iter().map(|name| (OsString::from(name), "1".into())));
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (program, cwd) = (self.place.find_program(self.name)?, self.place.home().into());
        Some(Invocation { program, args, cwd, env, timeout_ms: TIMEOUT_MS })
    }

    /// The program answers, and is the version that was measured.
    pub(crate) fn program(&self, quiet: &[&str]) -> Check {
        let (title, name) = (self.title, self.name);
        let Some(invocation) = self.invocation(&["--version"], quiet) else {
            let hint = format!("install {title}, or put it on PATH");
            return Check::warn(title, format!("{name} is not on PATH"), hint);
        };
        let path = invocation.program.display().to_string();
        match self.runner.run(&invocation) {
            Ok(output) if output.ok() => {
                self.version(output.stdout.lines().next().unwrap_or_default(), &path)
            }
            Ok(output) => Check::fail(
                title,
                format!("{path} does not run: {}", output.first_line()),
                "mend what it names, or reinstall it",
            ),
            Err(error) => Check::fail(title, error.to_string(), format!("reinstall {title}")),
        }
    }

    fn version(&self, said: &str, path: &str) -> Check {
        let is_measured = said.split_whitespace().any(|word| word.trim_start_matches('v') == self.measured);
        if is_measured {
            return Check::ok(self.title, format!("{said} at {path}"));
        }
        let detail = format!("{said} at {path}; Parlor was measured with {}", self.measured);
        Check::warn(
            self.title,
            detail,
            "if it does not hear, this may be why; the checks below say what they can",
        )
    }

    /// The settings file with the hooks, and what is in it.
    pub(crate) fn hooks(
        &self,
        path: Result<PathBuf, PlanError>,
        hooks: &Hooks,
        disabled: impl Fn(&str) -> Option<String>,
    ) -> Vec<Check> {
        let name = "settings";
        let found = match self.read(name, path) {
            Ok(found) => found,
            Err(check) => return vec![check],
        };
        let path = found.path.display();
        let text = found.text.as_deref().unwrap_or_default();
        let entries = match hooks.entries(text) {
            Ok(entries) => entries,
            Err(error) => return vec![unusable(name, &found, &error)],
        };
        let settings = match disabled(text) {
            Some(problem) => Check::fail(name, path.to_string(), problem),
            None => Check::ok(name, path.to_string()),
        };
        vec![settings, self.events(hooks, &entries), self.command(&entries)]
    }

    /// A settings file that has to be there.
    pub(crate) fn read(&self, name: &str, path: Result<PathBuf, PlanError>) -> Result<Found, Check> {
        let path =
            path.map_err(|error| Check::fail(name, error.to_string(), "give a directory that exists"))?;
        let found =
            file::find(&path).map_err(|error| Check::fail(name, error.to_string(), self.install()))?;
        match found.text {
            Some(_) => Ok(found),
            None => Err(Check::fail(name, format!("there is no {}", path.display()), self.install())),
        }
    }

    fn events(&self, hooks: &Hooks, entries: &[Entry]) -> Check {
        let name = "hooks";
        let missing = hooks.missing(entries);
        if missing.is_empty() {
            return Check::ok(name, hooks.events().join(", "));
        }
        Check::fail(name, format!("Parlor is not wired into {}", missing.join(", ")), self.install())
    }

    /// The command of each entry must lead to something that can be run.
    fn command(&self, entries: &[Entry]) -> Check {
        let name = "hook command";
        let words = |entry: &Entry| shlex::split(&entry.command).unwrap_or_default();
        let Some(first) = entries.first() else { return Check::fail(name, "there is none", self.install()) };
        for entry in entries {
            let words = words(entry);
            let Some(program) = words.first() else { continue };
            if !self.can_run(program) {
                let detail =
                    format!("hooks.{} runs {program}, which is not there or cannot be executed", entry.event);
                return Check::fail(name, detail, format!("{} with the Parlor you have now", self.install()));
            }
        }
        if entries.iter().any(|entry| words(entry).first() != words(first).first()) {
            return Check::warn(
                name,
                "the hooks run different commands",
                format!("{} again", self.install()),
            );
        }
        Check::ok(name, first.command.clone())
    }

    pub(crate) fn can_run(&self, program: &str) -> bool {
        which::which_in(program, self.place.var("PATH"), Path::new("/")).is_ok()
    }

    /// An MCP server that is in place: the program it runs is run, and says who it is.
    pub(crate) fn server(&self, words: &[String]) -> Check {
        let name = "MCP server";
        let Some(program) = words.first() else {
            return Check::fail(name, "it runs nothing", self.install());
        };
        let invocation = Invocation {
            program: program.into(),
            args: vec!["--version".into()],
            cwd: self.place.home().into(),
            env: self.place.env(),
            timeout_ms: TIMEOUT_MS,
        };
        match self.runner.run(&invocation) {
            Ok(output) if output.ok() => {
                Check::ok(name, format!("{} ({})", crate::command::shell_text(words), output.first_line()))
            }
            Ok(output) => {
                let detail = format!("{program} does not run: {}", output.first_line());
                Check::fail(name, detail, format!("{} with the Parlor you have now", self.install()))
            }
            Err(error) => {
                let hint = format!("{} with the Parlor you have now", self.install());
                Check::fail(name, error.to_string(), hint)
            }
        }
    }

    /// An MCP server that is not in place.
    pub(crate) fn no_server(&self, found: &Found) -> Check {
        let detail = format!("{} has no server parlor", found.path.display());
        Check::fail("MCP server", detail, self.install())
    }

    /// Somebody else's under the name.
    pub(crate) fn foreign_server(&self, found: &Found) -> Check {
        let detail = format!("in {} another server is called parlor", found.path.display());
        Check::fail("MCP server", detail, "rename that one, then install")
    }
}

/// A file that cannot be used, and where it is wrong.
pub(crate) fn unusable(name: &str, found: &Found, error: &SettingsError) -> Check {
    let path = found.path.display();
    match error {
        SettingsError::Syntax(error) => {
            Check::fail(name, format!("{path} does not parse: {error}"), "repair that place")
        }
        SettingsError::Shape(detail) => Check::fail(name, format!("{path}: {detail}"), "repair that"),
    }
}
