//! The lock of a home: one identity, one node. The file says whose it is; the operating system's lock on it
//! decides, so that nothing has to be cleaned up after a kill.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{BlockingRetryable, ConstantBuilder};

/// Between taking the lock and writing down who did, a holder may be seen that has no name yet.
const NAMELESS_STEP: Duration = Duration::from_millis(10);
const NAMELESS_TRIES: usize = 20;

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another node runs for this home.
    #[error("{} of this home already", holder(.pid))]
    Held {
        /// Its process, if it said so.
        pid: Option<u32>,
    },
    /// The file cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn holder(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid} is the node"),
        None => "another process is the node".to_owned(),
    }
}

/// The lock, released when dropped.
#[derive(Debug)]
pub(crate) struct HomeLock {
    file: File,
}

impl HomeLock {
    /// Takes it, and writes down whose it is.
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.into(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let text = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // A lock that nobody holds should not name anybody; if it does all the same, nobody is misled for long.
        _ = self.file.set_len(0);
        _ = self.file.unlock();
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let read = || -> Result<u32, ()> {
        let mut text = String::new();
        file.rewind().map_err(|_| ())?;
        file.take(32).read_to_string(&mut text).map_err(|_| ())?;
        text.trim().parse().map_err(|_| ())
    };
    let steps = ConstantBuilder::new().with_delay(NAMELESS_STEP).with_max_times(NAMELESS_TRIES);
    read.retry(steps).call().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn wound_22_the_second_is_told_who_holds_it_and_the_next_may_have_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.lock");
        let held = HomeLock::take(&path).unwrap();
        let error = HomeLock::take(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        HomeLock::take(&path).unwrap();
    }

    #[test]
    fn a_stale_file_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.lock");
        std::fs::write(&path, "4711 and what a longer text leaves behind\n").unwrap();
        let held = HomeLock::take(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(held);
    }

    #[test]
    fn a_lock_that_cannot_be_opened_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = HomeLock::take(dir.path()).unwrap_err();
        assert!(matches!(&error, LockError::Io { path, .. } if path == dir.path()), "{error}");
    }
}
