//! Long answers on a terminal go through the user's pager, as git does it. Must not be used where no person reads.

use std::io::{IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::ColorChoice;

use crate::errors::Outcome;
use crate::interrupt::Interrupt;
use crate::output;

/// Ends at once what fits one screen, keeps colours, leaves the text on the screen.
const LESS: &str = "FRX";

/// A pager that reads what is written to it.
pub struct Pager {
    child: Child,
    stdin: Option<ChildStdin>,
    colours: bool,
    living: Arc<Mutex<()>>,
}

impl Pager {
    /// The user's, or `less`; none where stdout is no terminal, where the user wants none, or where it cannot be run.
    pub fn start(interrupt: &Interrupt) -> Option<Self> {
        let stdout = std::io::stdout();
        let wanted = std::env::var("PAGER").unwrap_or_else(|_| "less".into());
        if !stdout.is_terminal() || matches!(wanted.trim(), "" | "cat") {
            return None;
        }
        let mut command = Command::new("sh");
        command.args(["-c", &wanted]).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        // A shell that finds no such program says so and leaves nobody who reads.
        which(&wanted)?;
        let mut child = command.spawn().ok()?;
        let stdin = child.stdin.take();
        let living = Arc::new(Mutex::new(()));
        let ended = living.clone();
        // Ctrl-C is the pager's while it has the terminal.
        interrupt.on_interrupt(move || drop(ended.lock().unwrap_or_else(PoisonError::into_inner)));
        let colours = anstream::AutoStream::choice(&stdout) != ColorChoice::Never;
        Some(Self { child, stdin, colours, living })
    }

    /// One line; a pager that was left is no error.
    fn line(&mut self, line: &str) -> Outcome {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        let written = match self.colours {
            true => writeln!(stdin, "{line}"),
            false => writeln!(stdin, "{}", anstream::adapter::strip_str(line)),
        };
        written.map_err(output::lost)
    }

    /// Writes all that `each` gives, and returns when the person has left the pager.
    pub fn show(mut self, each: impl FnOnce(&mut dyn FnMut(&str) -> Outcome) -> Outcome) -> Outcome {
        let living = self.living.clone();
        let held = living.lock().unwrap_or_else(PoisonError::into_inner);
        let done = each(&mut |line| self.line(line));
        drop(self.stdin.take());
        _ = self.child.wait();
        drop(held);
        done
    }
}

/// Whether the first word of a command names a program, or is something only a shell can tell.
fn which(command: &str) -> Option<()> {
    let word = command.split_whitespace().next()?;
    if word.contains(['/', '$', '=', '\'', '"']) {
        return Some(());
    }
    let dirs = std::env::var_os("PATH")?;
    std::env::split_paths(&dirs).any(|dir| dir.join(word).is_file()).then_some(())
}
