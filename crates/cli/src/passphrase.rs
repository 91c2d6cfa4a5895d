//! Passphrases: typed at the terminal without echo, or read from a file descriptor. Never an argument or a variable,
//! which others could see; never kept longer than needed.

use std::fs::File;
use std::io::{ErrorKind as IoKind, Read};

use parlor_api::ErrorKind;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;

/// Whoever has the file can guess as long as they like: fewer characters would not keep them busy.
const LEAST_CHARS: usize = 12;
const MAX_BYTES: usize = 1024;
const TERMINAL: &str = "/dev/tty";

/// One to be chosen: asked for twice, so that it is not mistyped, and long enough.
pub fn new(descriptor: Option<u32>, interrupt: &Interrupt) -> Outcome<Zeroizing<String>> {
    let chosen = match descriptor {
        Some(descriptor) => from_descriptor(descriptor)?,
        None => {
            let chosen = typed("Passphrase of the backup: ", interrupt)?;
            // Before it is typed again for nothing.
            check_length(&chosen)?;
            if typed("The same again: ", interrupt)? != chosen {
                return Err(Failure::bad_input(
                    "the two passphrases differ",
                    "nothing was written; try again",
                ));
            }
            chosen
        }
    };
    check_length(&chosen)?;
    Ok(chosen)
}

/// One that was chosen before.
pub fn known(descriptor: Option<u32>, interrupt: &Interrupt) -> Outcome<Zeroizing<String>> {
    match descriptor {
        Some(descriptor) => from_descriptor(descriptor),
        None => typed("Passphrase of the backup: ", interrupt),
    }
}

fn check_length(passphrase: &str) -> Outcome {
    if passphrase.chars().count() < LEAST_CHARS {
        return Err(Failure::bad_input(
            format!("a passphrase has at least {LEAST_CHARS} characters"),
            "nothing was written; five or six words that do not belong together are good ones",
        ));
    }
    Ok(())
}

fn typed(prompt: &str, interrupt: &Interrupt) -> Outcome<Zeroizing<String>> {
    give_the_terminal_back(interrupt);
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        if error.kind() == IoKind::Interrupted {
            return Failure::new(ErrorKind::Interrupted, "interrupted", "nothing was done");
        }
        Failure::usage(
            format!("there is no terminal to ask for the passphrase: {error}"),
            "run it at a terminal, or name a descriptor with --passphrase-fd",
        )
    })
}

/// A process that is ended while it asks must not leave a terminal behind that shows nothing.
fn give_the_terminal_back(interrupt: &Interrupt) {
    let Ok(terminal) = File::open(TERMINAL) else { return };
    if let Ok(before) = tcgetattr(&terminal) {
        // If it cannot be given back now, nobody can.
        interrupt.on_interrupt(move || _ = tcsetattr(&terminal, OptionalActions::Now, &before));
    }
}

fn from_descriptor(descriptor: u32) -> Outcome<Zeroizing<String>> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(
            format!("no passphrase can be read from descriptor {descriptor}: {error}"),
            "give one that is open for reading: `parlor … --passphrase-fd 3 3< FILE`",
        )
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    let file = File::open(format!("/dev/fd/{descriptor}")).map_err(unreadable)?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    one_line(&bytes).map(|line| Zeroizing::new(line.to_owned()))
}

fn one_line(bytes: &[u8]) -> Outcome<&str> {
    let bad = |what: &str| Failure::bad_input(what, "give it as one line of text");
    let text = std::str::from_utf8(bytes).map_err(|_| bad("the passphrase is no UTF-8 text"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if bytes.len() > MAX_BYTES {
        Err(bad("the passphrase is longer than 1024 bytes"))
    } else if line.contains(['\n', '\r']) {
        Err(bad("the passphrase is more than one line"))
    } else if line.is_empty() {
        Err(bad("the passphrase is empty"))
    } else {
        Ok(line)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_is_the_files_and_everything_else_the_passphrases() {
        for bytes in [&b" correct horse "[..], b" correct horse \n", b" correct horse \r\n"] {
            assert_eq!(one_line(bytes).unwrap(), " correct horse ");
        }
        let long = vec![b'x'; MAX_BYTES + 1];
        for bytes in [&b""[..], b"\n", b"two\nlines\n", b"\xff", &long] {
            assert_eq!(one_line(bytes).unwrap_err().exit_code(), 5);
        }
    }

    #[test]
    fn one_that_is_soon_guessed_is_refused() {
        assert_eq!(check_length("hunter2").unwrap_err().exit_code(), 5);
        assert!(check_length("äöüäöüäöüäöü").is_ok());
    }
}
