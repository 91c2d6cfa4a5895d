//! Files that are only appended to, for their owner only, and moved aside when they have grown. Must not know
//! what is in them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Opens a file to append to, and says how long it is.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Moves `path` to `path.1`, that to `path.2`, and so on; the one beyond `keep` goes.
pub(crate) fn shift(path: &Path, keep: u32) -> io::Result<()> {
    for number in (1..keep).rev() {
        let from = numbered(path, number);
        if from.exists() {
            std::fs::rename(from, numbered(path, number + 1))?;
        }
    }
    std::fs::rename(path, numbered(path, 1))
}

/// What `path` was moved aside to.
pub(crate) fn all_aside(path: &Path, keep: u32) -> Vec<PathBuf> {
    (1..=keep).map(|number| numbered(path, number)).collect()
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// A file that moves itself aside.
#[derive(Debug)]
pub(crate) struct Rotating {
    path: PathBuf,
    file: File,
    len: u64,
    limit: u64,
    keep: u32,
}

impl Rotating {
    pub(crate) fn open(path: &Path, limit: u64, keep: u32) -> io::Result<Self> {
        let (file, len) = open(path)?;
        Ok(Self { path: path.into(), file, len, limit, keep })
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.len >= self.limit {
            shift(&self.path, self.keep)?;
            (self.file, self.len) = open(&self.path)?;
        }
        // Whole, so that no line is torn between two files.
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_moves_aside_and_forgets_the_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let mut log = Rotating::open(&path, 8, 2).unwrap();
        for line in ["one one one\n", "two two two\n", "three three\n", "four\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("node.log"), "four\n");
        assert_eq!(read("node.log.1"), "three three\n");
        assert_eq!(read("node.log.2"), "two two two\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn it_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        Rotating::open(&path, 100, 1).unwrap().write_all(b"one\n").unwrap();
        Rotating::open(&path, 100, 1).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
