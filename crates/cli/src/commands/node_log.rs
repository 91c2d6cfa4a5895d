//! `parlor node log`: the end of the node's log, and what is added to it. Reads the file, not the node: it is wanted
//! most when there is none.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind as IoKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use parlor_api::ErrorKind;
use serde_json::json;

use super::Context;
use crate::errors::{Failure, Outcome};

/// The end of the log is looked for in so many bytes at most.
const TAIL_BYTES: u64 = 1024 * 1024;
/// A longer line is shown in parts.
const LINE_BYTES: u64 = 64 * 1024;
/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(context: &Context, follow: bool, lines: usize) -> Outcome {
    let path = context.home.log();
    let mut log = Log::open(&path).map_err(|error| unreadable(&path, &error))?;
    for line in log.tail(lines).map_err(|error| unreadable(&path, &error))? {
        show(context, &line)?;
    }
    context.out.flush()?;
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(LOOK);
        for line in log.more(&path).map_err(|error| unreadable(&path, &error))? {
            show(context, &line)?;
        }
        context.out.flush()?;
    }
}

fn show(context: &Context, line: &str) -> Outcome {
    if context.out.is_json() {
        return context.out.object(&json!({ "line": line }));
    }
    context.out.line(&line.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == IoKind::NotFound {
        let message = format!("there is no {}: no node has run in this home yet", path.display());
        return Failure::new(ErrorKind::NotFound, message, "`parlor node run` runs one");
    }
    Failure::machine(format!("{} cannot be read: {error}", path.display()), "see who owns it")
}

/// A log file, read up to some point.
struct Log {
    reader: BufReader<File>,
    /// A line whose end has not been written yet.
    rest: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { reader: BufReader::new(File::open(path)?), rest: Vec::new() })
    }

    /// The last lines there are.
    fn tail(&mut self, lines: usize) -> std::io::Result<Vec<String>> {
        let end = self.reader.seek(SeekFrom::End(0))?;
        let start = end.saturating_sub(TAIL_BYTES);
        self.reader.seek(SeekFrom::Start(start))?;
        let mut all = self.lines()?;
        if start > 0 && !all.is_empty() {
            // Its beginning is further up.
            all.remove(0);
        }
        Ok(all.split_off(all.len().saturating_sub(lines)))
    }

    /// The lines added since; of a new file when the old one was put away.
    fn more(&mut self, path: &Path) -> std::io::Result<Vec<String>> {
        let mut lines = self.lines()?;
        let now = self.reader.get_ref().metadata()?;
        let was_put_away = std::fs::metadata(path).is_ok_and(|there| there.ino() != now.ino());
        if was_put_away {
            *self = Self::open(path)?;
            lines.extend(self.lines()?);
        } else if now.len() < self.reader.stream_position()? {
            self.reader.rewind()?;
        }
        Ok(lines)
    }

    fn lines(&mut self) -> std::io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let room = LINE_BYTES.saturating_sub(self.rest.len() as u64);
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.rest)?;
            let is_whole = self.rest.ends_with(b"\n") || self.rest.len() as u64 >= LINE_BYTES;
            if is_whole {
                lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).trim_end().to_owned());
            } else if read == 0 {
                return Ok(lines);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_end_is_shown_and_what_is_added_also_after_the_log_is_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        std::fs::write(&path, "one\ntwo\nthree\nhal").unwrap();
        let mut log = Log::open(&path).unwrap();
        assert_eq!(log.tail(2).unwrap(), ["two", "three"]);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"f\n").unwrap();
        assert_eq!(log.more(&path).unwrap(), ["half"]);
        file.write_all(b"last\n").unwrap();
        std::fs::rename(&path, dir.path().join("node.log.1")).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(log.more(&path).unwrap(), ["last", "new"]);
        assert_eq!(log.more(&path).unwrap(), [""; 0]);
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let line = "x".repeat(1023) + "\n";
        std::fs::write(&path, line.repeat(3000)).unwrap();
        let lines = Log::open(&path).unwrap().tail(usize::MAX).unwrap();
        assert!(lines.len() >= 1000 && lines.len() <= 1024, "{}", lines.len());
        assert!(lines.iter().all(|line| line.len() == 1023));
    }
}
