//! An interactive agent program in a terminal, typed to as a person types.
//!
//! What differs between programs is their [`Look`]; nothing else of them is known here.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::tmux::Tmux;
use crate::{Error, Result};

const READY_TIMEOUT: Duration = Duration::from_secs(120);
const TYPED_TIMEOUT: Duration = Duration::from_secs(30);
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
        let begins =
            |line: &str| line.trim_start_matches(|c: char| c.is_whitespace() || c == '│').starts_with(prompt);
        let what = format!("the prompt of {}", self.look.name);
        self.wait_for_screen(&what, |screen| screen.lines().any(begins), READY_TIMEOUT)?;
        Ok(self)
    }

    /// Types one line — a prompt or a command such as `/clear` — and sends it off once it stands in the
    /// input box.
    pub fn type_line(&self, line: &str) -> Result<()> {
        self.tmux.type_text(line)?;
        let wanted = format!("{}{}", self.look.prompt, without_blanks(line));
        let typed = |screen: &str| without_blanks(screen).contains(&wanted);
        self.wait_for_screen("the typed line in the input box", typed, TYPED_TIMEOUT)?;
        self.tmux.send_keys(&["Enter"])
    }

    /// Takes what a dialog that shows `text` offers first, and returns when the dialog is gone. A key pressed while
    /// it is still being drawn is lost, so it is pressed again.
    pub fn accept(&self, text: &str, timeout: Duration) -> Result<()> {
        let shown = |screen: &str| screen.contains(text);
        self.wait_for_screen("the dialog", shown, timeout)?;
        let deadline = Instant::now() + timeout;
        loop {
            self.tmux.send_keys(&["Enter"])?;
            match self.wait_for_screen("the end of the dialog", |screen| !shown(screen), PRESSED_TIMEOUT) {
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
        self.type_line(self.look.leave)?;
        self.tmux.wait_for_end(READY_TIMEOUT)
    }
}

/// A long line is wrapped and indented by the input box.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}
