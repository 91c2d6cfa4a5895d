//! A plan to install or uninstall: computed first, shown if asked, then applied. Must not know any agent program.

use std::fmt::Write as _;
use std::path::PathBuf;

use similar::{ChangeTag, TextDiff};

use crate::command::{CommandError, CommandLine, shell_text};
use crate::file::{self, FileError, Found};
use crate::jsonc::SyntaxError;
use crate::run::{Invocation, RunError, Runner};

/// What is to be wired into an agent program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallRequest {
    /// What the agent program runs at its hooks.
    pub hook: CommandLine,
    /// What it runs as MCP server.
    pub mcp: CommandLine,
}

/// Why there is no plan. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read or may not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not the JSON it should be.
    #[error("{path} does not parse: {source}. It was left untouched; repair that place and run this again")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: SyntaxError,
    },
    /// What is to be written cannot stand there.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// It parses, and something is not of the shape its agent program reads.
    #[error("{path} was left untouched: {detail}; repair that and run this again")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// What happens to one settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStep {
    pub(crate) found: Found,
    /// What it is to hold; none when it is to be gone.
    pub(crate) wanted: Option<String>,
    /// Whether what it holds is kept beside it first.
    pub(crate) backup: bool,
    /// The mode of a file that is new.
    pub(crate) new_mode: u32,
    /// How many of the directories around it go with it, when it goes and they are empty.
    pub(crate) own_directories: usize,
    /// Backups that hold what is restored here, and are of no use afterwards.
    pub(crate) spent_backups: Vec<PathBuf>,
}

impl FileStep {
    /// Leaves the file as it was found.
    pub(crate) fn nothing(found: Found) -> Self {
        let wanted = found.text.clone();
        Self { found, wanted, backup: false, new_mode: 0o600, own_directories: 0, spent_backups: Vec::new() }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.found.text == self.wanted
    }

    fn apply(&self) -> Result<Option<PathBuf>, FileError> {
        let kept = match &self.wanted {
            _ if self.is_nothing() => None,
            Some(text) => file::replace(&self.found, text, self.backup, self.new_mode)?,
            None => {
                file::remove(&self.found, self.own_directories)?;
                None
            }
        };
        Ok(kept)
    }

    /// Puts back what was there, as far as that is possible.
    fn undo(&self, kept: Option<&std::path::Path>) {
        let Ok(now) = file::find(&self.found.path) else { return };
        if self.is_nothing() || now.text != self.wanted {
            return;
        }
        let back = match &self.found.text {
            Some(text) => file::replace(&now, text, false, self.new_mode).map(drop),
            None => file::remove(&now, self.own_directories),
        };
        if back.is_ok() {
            kept.iter().for_each(|path| _ = std::fs::remove_file(path));
        }
    }

    fn diff(&self) -> String {
        let path = self.found.path.display();
        let name = |text: &Option<String>| text.as_ref().map_or("/dev/null".into(), |_| path.to_string());
        let (old, new) = (&self.found.text, &self.wanted);
        let mut out = format!("--- {}\n+++ {}\n", name(old), name(new));
        out.push_str(&discreet_diff(old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default()));
        out
    }
}

/// What the agent program's own commands do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandStep {
    /// Nothing is to be done.
    Nothing,
    /// Run these, one after the other.
    Run {
        invocations: Vec<Invocation>,
        /// A file the commands rewrite, kept beside itself before they run.
        keep: Option<Found>,
        /// A file they rewrite, to be given its earlier bytes after they ran.
        tidy: Option<Tidy>,
    },
    /// The program is not there: a human has to type these.
    Print(Vec<String>),
}

/// A file that commands rewrite, to be given its earlier bytes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tidy {
    pub(crate) path: PathBuf,
    pub(crate) choices: Vec<Restore>,
}

/// What a rewritten file held earlier, and how to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restore {
    /// The value the commands leave in it when this is what it held.
    pub(crate) left: serde_json::Value,
    /// What it held; none when there was no such file.
    pub(crate) wanted: Option<String>,
    /// The backups that are of no use afterwards.
    pub(crate) spent_backups: Vec<PathBuf>,
}

/// What installing or uninstalling would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What would change, a line each, for people. Empty: everything is as it should be.
    pub changes: Vec<String>,
    /// What a human should know before; it does not stop the plan.
    pub warnings: Vec<String>,
    pub(crate) files: Vec<FileStep>,
    pub(crate) command: CommandStep,
}

/// How the agent program's own commands went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandOutcome {
    /// There was nothing to run.
    Unchanged,
    /// They ran.
    Done,
    /// The agent program is not on PATH; a human has to type these lines once it is.
    ToType(Vec<String>),
    /// One failed: the settings are done, this is not. Running it again is safe.
    Failed {
        /// The command, as `sh` reads it.
        command: String,
        /// What it said.
        detail: String,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether a settings file was written or removed.
    pub settings_changed: bool,
    /// What the settings files held before, where it was kept.
    pub backups: Vec<PathBuf>,
    /// The rest.
    pub command: CommandOutcome,
}

impl Plan {
    /// A plan of what happens to these files, with what changes in each.
    pub(crate) fn of_files(files: impl IntoIterator<Item = (FileStep, Vec<String>)>) -> Self {
        let (files, changes): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let changes = changes.into_iter().flatten().collect();
        Self { changes, warnings: Vec::new(), files, command: CommandStep::Nothing }
    }

    /// Whether applying it would change nothing and leave nothing to type.
    pub fn is_nothing(&self) -> bool {
        self.files.iter().all(FileStep::is_nothing) && self.command == CommandStep::Nothing
    }

    /// The settings files it is about, after links; the one with the hooks first.
    pub fn settings_paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.found.path.clone()).collect()
    }

    /// The commands it would run, or ask a human to type, as `sh` reads them.
    pub fn commands(&self) -> Vec<String> {
        match &self.command {
            CommandStep::Nothing => Vec::new(),
            CommandStep::Print(lines) => lines.clone(),
            CommandStep::Run { invocations, .. } => invocations.iter().map(shell_line).collect(),
        }
    }

    /// The settings files' changes, line by line in the manner of a unified diff. It shows no line that stays, and of a line that
    /// changes only what changes: settings files hold credentials, and a diff ends up in transcripts.
    pub fn diff(&self) -> String {
        self.files.iter().filter(|file| !file.is_nothing()).map(FileStep::diff).collect()
    }

    /// Does it: the settings files, each as a whole and all or none, then the commands.
    pub fn apply(&self, runner: &dyn Runner) -> Result<Applied, FileError> {
        let mut backups = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            match file.apply() {
                Ok(kept) => backups.push(kept),
                Err(error) => {
                    let done = self.files[..at].iter().zip(&backups);
                    done.for_each(|(file, kept)| file.undo(kept.as_deref()));
                    return Err(error);
                }
            }
        }
        // What is restored by an uninstall goes only once all of it is.
        let spent = self.files.iter().flat_map(|file| &file.spent_backups);
        spent.for_each(|path| _ = std::fs::remove_file(path));
        let command = self.command.apply(runner);
        let settings_changed = !self.files.iter().all(FileStep::is_nothing);
        Ok(Applied { settings_changed, backups: backups.into_iter().flatten().collect(), command })
    }
}

impl CommandStep {
    fn apply(&self, runner: &dyn Runner) -> CommandOutcome {
        let (invocations, keep, tidy) = match self {
            Self::Nothing => return CommandOutcome::Unchanged,
            Self::Print(lines) => return CommandOutcome::ToType(lines.clone()),
            Self::Run { invocations, keep, tidy } => (invocations, keep, tidy),
        };
        let failed = |invocation, detail| CommandOutcome::Failed { command: shell_line(invocation), detail };
        let kept = match keep.as_ref().map(file::keep_backup).transpose() {
            Ok(kept) => kept.flatten(),
            Err(error) => return failed(&invocations[0], error.to_string()),
        };
        for invocation in invocations {
            if let Err(detail) = run(runner, invocation) {
                kept.iter().for_each(|path| _ = std::fs::remove_file(path));
                return failed(invocation, detail);
            }
        }
        tidy.iter().for_each(Tidy::apply);
        CommandOutcome::Done
    }
}

impl Tidy {
    // What the commands left is valid either way; a file that cannot be tidied stays as they left it.
    fn apply(&self) {
        let Ok(found) = file::find(&self.path) else { return };
        let Some(now) =
            found.text.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        else {
            return;
        };
        let Some(choice) = self.choices.iter().find(|choice| choice.left == now) else { return };
        let Restore { wanted, spent_backups, .. } = choice.clone();
        if (FileStep { wanted, ..FileStep::nothing(found) }).apply().is_ok() {
            spent_backups.iter().for_each(|path| _ = std::fs::remove_file(path));
        }
    }
}

fn run(runner: &dyn Runner, invocation: &Invocation) -> Result<(), String> {
    match runner.run(invocation) {
        Ok(output) if output.ok() => Ok(()),
        Ok(output) => Err(output.first_line()),
        Err(error @ (RunError::Io { .. } | RunError::TimedOut { .. })) => Err(error.to_string()),
    }
}

pub(crate) fn shell_line(invocation: &Invocation) -> String {
    let name = invocation.program.file_name().map(|name| name.to_string_lossy().into_owned());
    let words: Vec<String> = name.into_iter().chain(invocation.args.iter().cloned()).collect();
    shell_text(&words)
}

fn discreet_diff(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(0).iter_hunks() {
        _ = writeln!(out, "{}", hunk.header());
        let line = |tag| {
            let lines = hunk.iter_changes().filter(move |change| change.tag() == tag);
            lines.map(|change| change.value().trim_end_matches(['\n', '\r']).to_owned()).collect::<Vec<_>>()
        };
        let (mut removed, mut added) = (line(ChangeTag::Delete), line(ChangeTag::Insert));
        for (one, other) in removed.iter_mut().zip(added.iter_mut()) {
            (*one, *other) = cut_shared(one, other);
        }
        removed.iter().for_each(|line| _ = writeln!(out, "-{line}"));
        added.iter().for_each(|line| _ = writeln!(out, "+{line}"));
    }
    out
}

/// The two lines with what both begin with and both end with cut to an ellipsis, unless it is only brackets and spaces.
fn cut_shared(one: &str, other: &str) -> (String, String) {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let shared = |pairs: &mut dyn Iterator<Item = (&char, &char)>| pairs.take_while(|(x, y)| x == y).count();
    let head = shared(&mut a.iter().zip(&b));
    let tail = shared(&mut a[head..].iter().rev().zip(b[head..].iter().rev()));
    let cut = |chars: &[char]| {
        let middle: String = chars[head..chars.len() - tail].iter().collect();
        let show = |part: &[char]| -> String {
            if part.iter().any(|c| c.is_alphanumeric()) { "…".into() } else { part.iter().collect() }
        };
        format!("{}{middle}{}", show(&chars[..head]), show(&chars[chars.len() - tail..]))
    };
    (cut(&a), cut(&b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_comes_and_goes() {
        let diff = discreet_diff("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
        assert_eq!(diff, "@@ -2 +2,2 @@\n-…\n+…,\n+  \"b\": 2\n");
    }

    #[test]
    fn wound_31_a_diff_does_not_repeat_a_neighbouring_secret() {
        let old = "{\n  \"apiKey\": \"sk-very-secret\"\n}\n";
        let new = "{\n  \"apiKey\": \"sk-very-secret\",\n  \"b\": 2\n}\n";
        let diff = discreet_diff(old, new);
        assert!(!diff.contains("very-secret") && diff.contains("\"b\": 2"), "{diff}");
        let one_line =
            discreet_diff("{\"apiKey\":\"sk-very-secret\"}", "{\"apiKey\":\"sk-very-secret\", \"b\": 2}");
        assert!(!one_line.contains("very-secret") && one_line.contains("\"b\": 2"), "{one_line}");
    }
}
