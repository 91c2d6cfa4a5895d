//! An interactive agent program in a terminal, typed to as a person types.
//!
//! What differs between programs is their `Look`; nothing else of them is known here.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::tmux::Tmux;
use crate::{Error, Result};

const READY_TIMEOUT: Duration = Duration::from_secs(120);
const TYPED_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a line that was taken may take to show.
const RETYPE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a key that was taken may take to show.
const PRESSED_TIMEOUT: Duration = Duration::from_secs(2);

/// How a program looks on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// What it is called, for errors.
    pub(crate) name: &'static str,
    /// What its input box begins with.
    pub(crate) prompt: char,
    /// The command that ends it.
    pub(crate) leave: &'static str,
    /// For how long after a key it takes Enter for a line break in pasted text.
    pub(crate) paste: Duration,
}

/// A running session; the terminal and the program go at drop.
#[derive(Debug)]
pub struct Session {
    tmux: Tmux,
    look: Look,
}

impl Session {
    /// Starts it and does not wait.
    pub(crate) fn begin(look: Look, words: &[String], env: &[(String, String)], cwd: &Path) -> Result<Self> {
        Ok(Self { tmux: Tmux::start(words, env, cwd)?, look })
    }

    /// Waits until it can be typed to.
    pub fn ready(self) -> Result<Self> {
        let prompt = self.look.prompt;
        let begins = |line: &str| {
            let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '│');
            // A dialog marks its first choice as the input box is marked.
            line.strip_prefix(prompt).is_some_and(|rest| !rest.trim_start().starts_with("1."))
        };
        let what = format!("the prompt of {}", self.look.name);
        self.wait_for_screen(&what, |screen| screen.lines().any(begins), READY_TIMEOUT)?;
        Ok(self)
    }

    /// Types one line — a prompt or a command such as `/clear` — and sends it off once it stands in the
    /// input box.
    pub fn type_line(&self, line: &str) -> Result<()> {
        self.write(line)?;
        std::thread::sleep(self.look.paste); // sleep: how a program tells typing from pasting is time and nothing else
        self.press_until(
            "Enter",
            "the typed line sent off",
            |screen| !self.holds(screen, line),
            TYPED_TIMEOUT,
        )
    }

    /// Types until it stands in the input box: one that is being drawn anew loses what is typed meanwhile.
    fn write(&self, line: &str) -> Result<()> {
        let wanted = format!("{}{}", self.look.prompt, without_blanks(line));
        let typed = |screen: &str| without_blanks(screen).contains(&wanted) && self.holds(screen, line);
        let deadline = Instant::now() + TYPED_TIMEOUT;
        loop {
            self.tmux.type_text(line)?;
            match self.wait_for_screen("the typed line in the input box", typed, RETYPE_TIMEOUT) {
                Err(Error::Timeout { .. }) if Instant::now() < deadline => self.tmux.send_keys(&["C-u"])?,
                ended => return ended.map(drop),
            }
        }
    }

    /// Whether `line`, or the beginning of it, stands in the input box, which is the last thing on the screen that is
    /// marked so.
    fn holds(&self, screen: &str, line: &str) -> bool {
        let marked = |shown: &str| {
            let shown = shown.trim_start_matches(|c: char| c.is_whitespace() || c == '│');
            shown.strip_prefix(self.look.prompt).map(without_blanks)
        };
        let shown = screen.lines().rev().find_map(marked).unwrap_or_default();
        !shown.is_empty() && without_blanks(line).starts_with(&shown)
    }

    /// Takes what a dialog that shows `text` offers first, and returns when the dialog is gone.
    pub fn accept(&self, text: &str, timeout: Duration) -> Result<()> {
        let shown = |screen: &str| screen.contains(text);
        self.wait_for_screen("the dialog", shown, timeout)?;
        self.press_until("Enter", "the end of the dialog", |screen| !shown(screen), timeout)
    }

    /// Presses `key` until the screen satisfies `wanted`: one that is pressed while a dialog is still being drawn is
    /// lost.
    pub fn press_until(
        &self,
        key: &str,
        what: &str,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            self.tmux.send_keys(&[key])?;
            match self.wait_for_screen(what, &wanted, PRESSED_TIMEOUT) {
                Err(Error::Timeout { .. }) if Instant::now() < deadline => {}
                ended => return ended.map(drop),
            }
        }
    }

    /// Presses keys by their tmux names.
    pub fn send_keys(&self, keys: &[&str]) -> Result<()> {
        self.tmux.send_keys(keys)
    }

    /// What is on the screen.
    pub fn capture(&self) -> Result<String> {
        self.tmux.capture()
    }

    /// Waits until the screen satisfies `wanted`.
    pub fn wait_for_screen(
        &self,
        what: &str,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<String> {
        self.tmux.wait_for_screen(what, wanted, timeout)
    }

    /// The process id of the program.
    pub fn pid(&self) -> Result<u32> {
        self.tmux.pid()
    }

    /// Leaves by the program's own command and waits until it has ended.
    pub fn exit(self) -> Result<()> {
        self.write(self.look.leave)?;
        std::thread::sleep(self.look.paste); // sleep: as in type_line
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            // A list of commands that is still being drawn takes the key for itself.
            self.tmux.send_keys(&["Enter"])?;
            match self.tmux.wait_for_end(PRESSED_TIMEOUT) {
                Err(Error::Timeout { .. }) if Instant::now() < deadline => {}
                ended => return ended,
            }
        }
    }
}

/// A long line is wrapped and indented by the input box.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}
