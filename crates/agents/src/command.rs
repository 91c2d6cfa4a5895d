//! Command lines that Parlor writes into other programs' settings, and recognises there again. Must never carry a secret:
//! command lines are seen by `ps`, by transcripts and by whoever reads the settings.

use std::path::{Path, PathBuf};

/// What tells a hook to wait beside an idle session.
pub(crate) const IDLE: &str = "--idle";

/// Why a command cannot be written into a settings file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommandError {
    /// Agent programs run hooks from any directory.
    #[error(
        "the command {0:?} is not an absolute path, and an agent program may run it from any directory; give the whole path"
    )]
    NotAbsolute(PathBuf),
    /// Settings files are UTF-8 text.
    #[error("the path {0:?} is not UTF-8 and cannot stand in a settings file; put Parlor under another path")]
    NotText(PathBuf),
    /// A line break or another control character would not survive every reader.
    #[error("{0:?} holds a control character and cannot stand in a settings file; use another path")]
    Control(String),
}

/// A program with its arguments: an absolute path, and words that name things. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// A command line for `program` with `args`.
    pub fn new(program: &Path, args: &[&str]) -> Result<Self, CommandError> {
        if !program.is_absolute() {
            return Err(CommandError::NotAbsolute(program.into()));
        }
        let mut line = Self { words: vec![path_text(program)?] };
        for arg in args {
            line.push((*arg).into())?;
        }
        Ok(line)
    }

    /// A hook's command line where none is known: what an uninstall looks for is known by its name alone.
    pub(crate) fn any_hook() -> Self {
        Self { words: vec!["/parlor-hook".into()] }
    }

    /// The same for the MCP server.
    pub(crate) fn any_mcp() -> Self {
        Self { words: vec!["/parlor".into(), "mcp".into()] }
    }

    /// The same with `--home DIR`, for an identity that is not in the default home.
    pub fn with_home(mut self, home: &Path) -> Result<Self, CommandError> {
        if !home.is_absolute() {
            return Err(CommandError::NotAbsolute(home.into()));
        }
        self.push("--home".into())?;
        self.push(path_text(home)?)?;
        Ok(self)
    }

    /// The same with more words at its end.
    pub(crate) fn with(mut self, words: &[&str]) -> Result<Self, CommandError> {
        words.iter().try_for_each(|word| self.push((*word).into()))?;
        Ok(self)
    }

    /// The program and its arguments, one word each.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The command line as `sh` reads it, quoted only where that is needed.
    pub fn to_shell(&self) -> String {
        shell_text(&self.words)
    }

    fn push(&mut self, word: String) -> Result<(), CommandError> {
        if word.chars().any(char::is_control) {
            return Err(CommandError::Control(word));
        }
        self.words.push(word);
        Ok(())
    }
}

fn path_text(path: &Path) -> Result<String, CommandError> {
    let text = path.to_str().ok_or_else(|| CommandError::NotText(path.into()))?;
    if text.chars().any(char::is_control) {
        return Err(CommandError::Control(text.into()));
    }
    Ok(text.into())
}

/// Words as `sh` reads them.
pub(crate) fn shell_text<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quote(word.as_ref())).collect();
    quoted.join(" ")
}

// Only a NUL cannot be quoted, and no word holds a control character; should one come all the same, sh would end there.
fn quote(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.replace('\0', ""), |quoted| quoted.into_owned())
}

/// Whether a shell command in a settings file runs Parlor's hook, under whatever path: `parlor-hook …`, or `parlor … hook`.
pub(crate) fn is_parlor_hook(command: &str) -> bool {
    let Some(words) = shlex::split(command) else { return false };
    let Some((program, args)) = words.split_first() else { return false };
    match file_name(program) {
        Some("parlor-hook") => true,
        Some("parlor") => first_verb(args) == Some("hook"),
        _ => false,
    }
}

/// Whether a Parlor hook is one that waits beside an idle session.
pub(crate) fn waits(command: &str) -> bool {
    shlex::split(command).is_some_and(|words| words.iter().any(|word| word == IDLE))
}

/// Whether a program with arguments is Parlor's MCP server, under whatever path.
pub(crate) fn is_parlor_mcp(program: &str, args: &[String]) -> bool {
    file_name(program) == Some("parlor") && first_verb(args) == Some("mcp")
}

fn file_name(program: &str) -> Option<&str> {
    Path::new(program).file_name().and_then(|name| name.to_str())
}

/// The first argument that is neither `--home` nor its value.
fn first_verb(args: &[String]) -> Option<&str> {
    let mut args = args.iter().map(String::as_str);
    loop {
        match args.next()? {
            "--home" => _ = args.next(),
            other if other.starts_with("--home=") => (),
            other => return Some(other),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_stands_as_it_is_and_an_odd_one_is_quoted() {
        let plain = CommandLine::new(Path::new("/opt/parlor/parlor-hook"), &[]).unwrap();
        assert_eq!(plain.to_shell(), "/opt/parlor/parlor-hook");
        let odd = CommandLine::new(Path::new("/my tools/bob's/parlor"), &["hook"]).unwrap();
        let odd = odd.with_home(Path::new("/a b/$HOME")).unwrap();
        assert_eq!(shlex::split(&odd.to_shell()).unwrap(), odd.words());
    }

    #[test]
    fn what_sh_runs_is_the_program_at_the_odd_path() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a 'b' $c \"d\"; `e`");
        std::fs::create_dir(&folder).unwrap();
        let script = folder.join("parlor-hook");
        std::fs::write(&script, "#!/bin/sh\nprintf '%s|' \"$@\"\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let line = CommandLine::new(&script, &["x y"]).unwrap().with_home(Path::new("/h 'm'")).unwrap();
        let output = std::process::Command::new("sh").arg("-c").arg(line.to_shell()).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "x y|--home|/h 'm'|");
    }

    #[test]
    fn a_relative_path_and_a_line_break_are_refused() {
        let relative = CommandLine::new(Path::new("parlor-hook"), &[]);
        assert!(matches!(relative, Err(CommandError::NotAbsolute(_))));
        let broken = CommandLine::new(Path::new("/a\nb/parlor-hook"), &[]);
        assert!(matches!(broken, Err(CommandError::Control(_))));
    }

    #[test]
    fn our_hook_is_known_by_its_program_name_under_any_path() {
        for ours in [
            "/opt/parlor-hook",
            "'/my tools/parlor-hook' --home '/x y'",
            "parlor hook",
            "/usr/bin/parlor --home /x hook",
            "/usr/bin/parlor --home=/x hook claude",
            "/opt/parlor-hook 2>/dev/null || exit 0",
        ] {
            assert!(is_parlor_hook(ours), "{ours}");
        }
        for other in [
            "",
            "/opt/parlor-hooks",
            "/opt/parlor-hook/run",
            "parlor send hook",
            "echo parlor-hook",
            "echo 'x",
        ] {
            assert!(!is_parlor_hook(other), "{other}");
        }
    }
}
