//! An interactive Claude Code in a terminal, typed to as a person types.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::tmux::Tmux;
use crate::{Error, Result};

const READY_TIMEOUT: Duration = Duration::from_secs(120);
const TYPED_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a key that was taken may take to show.
const PRESSED_TIMEOUT: Duration = Duration::from_secs(2);
const PROMPT: char = '❯';

/// A running session; the terminal and the program go at drop.
#[derive(Debug)]
pub struct Session {
    tmux: Tmux,
}

impl Session {
    pub(super) fn start(words: &[String], env: &[(String, String)], cwd: &Path) -> Result<Self> {
        let session = Self { tmux: Tmux::start(words, env, cwd)? };
        let ready = |screen: &str| screen.lines().any(|line| line.trim_start().starts_with(PROMPT));
        session.wait_for_screen("the prompt of Claude Code", ready, READY_TIMEOUT)?;
        Ok(session)
    }

    /// Types one line — a prompt or a command such as `/clear` — and sends it off once it stands in the
    /// input box.
    pub fn type_line(&self, line: &str) -> Result<()> {
        self.tmux.type_text(line)?;
        let wanted = format!("{PROMPT}{}", without_blanks(line));
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

    /// Leaves by `/exit` and waits until the program has ended.
    pub fn exit(self) -> Result<()> {
        self.type_line("/exit")?;
        self.tmux.wait_for_end(READY_TIMEOUT)
    }
}

/// A long line is wrapped and indented by the input box.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}
