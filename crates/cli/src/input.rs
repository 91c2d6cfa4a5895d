//! Text from the command line or stdin: bounded, whole, UTF-8. Must not hold more than it may return.

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Read};

use parlor_wire::limits::MAX_TEXT_BYTES;

use crate::errors::{Failure, Outcome};
use crate::output::Output;

/// What a text is called in complaints, and how long it may be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub what: &'static str,
    pub limit_bytes: usize,
    /// What to type when nothing was given.
    pub example: &'static str,
    /// What is said to somebody who sits there and may type or paste it.
    pub prompt: &'static str,
    /// It ends with its line.
    pub one_line: bool,
}

/// A message.
pub const MESSAGE: Wanted = Wanted {
    what: "the message",
    limit_bytes: MAX_TEXT_BYTES,
    example: "parlor send \"hello\"",
    prompt: "Type the message; Ctrl-D on an empty line ends it.",
    one_line: false,
};
/// A question.
pub const QUESTION: Wanted = Wanted {
    what: "the question",
    example: "parlor ask bob \"which port?\"",
    prompt: "Type the question; Ctrl-D on an empty line ends it.",
    ..MESSAGE
};
/// An answer to one.
pub const ANSWER: Wanted = Wanted {
    what: "the answer",
    example: "parlor answer mk7m2qda \"5432\"",
    prompt: "Type the answer; Ctrl-D on an empty line ends it.",
    ..MESSAGE
};
/// A ticket and whatever somebody pasted around it.
pub const TICKET: Wanted = Wanted {
    what: "the ticket",
    limit_bytes: 16 * 1024,
    example: "parlor join parlor1…",
    prompt: "Paste the line you were sent, and press Enter.",
    one_line: true,
};

/// The text of the words given; of stdin when they are `-` or when there are none. Who sits there is told so.
pub fn text(words: &[OsString], wanted: Wanted, out: &Output) -> Outcome<String> {
    let stdin = std::io::stdin();
    let is_terminal = stdin.is_terminal();
    if words.is_empty() && is_terminal {
        out.talk(wanted.prompt);
    }
    text_from(words, wanted, stdin.lock(), is_terminal)
}

fn text_from(words: &[OsString], wanted: Wanted, stdin: impl BufRead, is_terminal: bool) -> Outcome<String> {
    let bytes = match words {
        // A terminal does not end by itself.
        [] => read(stdin, wanted, is_terminal && wanted.one_line)?,
        [dash] if dash == "-" => read(stdin, wanted, false)?,
        words => words.join(" ".as_ref()).into_encoded_bytes(),
    };
    check(bytes, wanted)
}

/// Reads one byte more than may stay, and leaves the rest where it is.
fn read(stdin: impl BufRead, wanted: Wanted, one_line: bool) -> Outcome<Vec<u8>> {
    // A line end is not counted: it is the shell's, not the text's.
    let most = wanted.limit_bytes + "\r\n".len() + 1;
    let mut bytes = Vec::new();
    let mut stdin = stdin.take(u64::try_from(most).unwrap_or(u64::MAX));
    let read = if one_line { stdin.read_until(b'\n', &mut bytes) } else { stdin.read_to_end(&mut bytes) };
    read.map_err(|error| {
        Failure::machine(format!("standard input cannot be read: {error}"), "see where it comes from")
    })?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        bytes.pop_if(|byte| *byte == b'\r');
    }
    Ok(bytes)
}

fn check(bytes: Vec<u8>, wanted: Wanted) -> Outcome<String> {
    let Wanted { what, limit_bytes, .. } = wanted;
    if bytes.len() > limit_bytes {
        let message = format!("{what} is longer than {limit_bytes} bytes ({} KiB)", limit_bytes / 1024);
        return Err(Failure::bad_input(
            message,
            "nothing was done; make it shorter, or share it as a file with `parlor drop FILE`",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("{what} is not UTF-8 text: the byte at {at} belongs to no character");
        Failure::bad_input(message, "nothing was done; convert it first, for example with iconv")
    })?;
    if text.trim().is_empty() {
        let message = format!("{what} is empty");
        return Err(Failure::bad_input(message, format!("for example: {}", wanted.example)));
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    fn piped(bytes: &[u8]) -> Outcome<String> {
        text_from(&words(&["-"]), MESSAGE, bytes, false)
    }

    /// A pipe that never ends, and counts what is taken of it.
    struct Endless<'a>(&'a mut usize);

    impl Read for Endless<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            *self.0 += buffer.len();
            Ok(buffer.len())
        }
    }

    #[test]
    fn words_are_joined_and_a_dash_or_a_pipe_is_read() {
        let nothing: &[u8] = b"";
        assert_eq!(text_from(&words(&["hello", "world"]), MESSAGE, nothing, true).unwrap(), "hello world");
        assert_eq!(text_from(&words(&["hello"]), MESSAGE, &b"piped"[..], false).unwrap(), "hello");
        assert_eq!(text_from(&[], MESSAGE, &b"piped\n"[..], false).unwrap(), "piped");
        assert_eq!(piped(b"two\nlines\r\n").unwrap(), "two\nlines");
        assert_eq!(text_from(&[], MESSAGE, &b"typed\nby hand\n"[..], true).unwrap(), "typed\nby hand");
        assert_eq!(
            text_from(&[], TICKET, &b"parlor join parlor1x\nmore"[..], true).unwrap(),
            "parlor join parlor1x"
        );
        assert_eq!(text_from(&[], MESSAGE, nothing, true).unwrap_err().exit_code(), 5);
    }

    #[test]
    fn empty_and_broken_text_is_refused_as_such() {
        for bytes in [&b""[..], b"\n", b" \t\r\n", b"ab\xffcd"] {
            assert_eq!(piped(bytes).unwrap_err().exit_code(), 5);
        }
        let broken = OsString::from_vec(b"a\xff".to_vec());
        let Failure::Error(error) = text_from(&[broken], MESSAGE, &b""[..], true).unwrap_err() else {
            panic!()
        };
        assert!(error.message.contains("not UTF-8"));
    }

    #[test]
    fn wound_07_the_limit_is_checked_before_anything_is_sent() {
        let most = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(piped(format!("{most}\r\n").as_bytes()).unwrap().len(), MAX_TEXT_BYTES);
        let Failure::Error(error) = piped(format!("{most}x").as_bytes()).unwrap_err() else { panic!() };
        assert!(error.message.contains("65536 bytes (64 KiB)"));
        assert_eq!(text_from(&words(&[&(most + "x")]), MESSAGE, &b""[..], true).unwrap_err().exit_code(), 5);
    }

    #[test]
    fn a_line_without_end_is_not_taken_in() {
        let mut taken = 0;
        let refused = text_from(&[], MESSAGE, std::io::BufReader::new(Endless(&mut taken)), false);
        assert_eq!(refused.unwrap_err().exit_code(), 5);
        assert!(taken < 4 * MAX_TEXT_BYTES, "{taken}");
    }

    proptest! {
        #[test]
        fn whatever_is_piped_in_comes_out_as_it_was_or_not_at_all(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(text) = piped(&bytes) {
                let rest = &bytes[text.len()..];
                prop_assert_eq!(text.as_bytes(), &bytes[..text.len()]);
                prop_assert!(matches!(rest, b"" | b"\n" | b"\r\n"));
            }
        }
    }
}
