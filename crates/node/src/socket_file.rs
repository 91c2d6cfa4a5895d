//! The socket's file: as long as it is there and ours, whoever looks for the node finds it. Must not remove what
//! somebody else put in its place.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::life::Ending;
use crate::node::Node;

/// Less than a command waits for a node, so that it gets the next one instead of an error.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One file, by what it is and not by its name alone.
#[derive(Debug, Clone)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: FileId,
}

/// A file or directory, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    /// Of what has this name now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

impl SocketFile {
    /// The one that is there now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), id: FileId::of(path)? })
    }

    fn is_there(&self) -> bool {
        FileId::of(&self.path).is_ok_and(|id| id == self.id)
    }

    /// Removes it, unless it is gone or another's.
    pub(crate) fn remove(&self) {
        if self.is_there() {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Ends the node when nobody can find it any more: the file or the whole home was removed or moved away. What is
/// stored is where the home is now; the next command starts a node there.
pub(crate) async fn watch(node: Arc<Node>, file: SocketFile) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.life.stopping.cancelled() => return,
        }
        if !file.is_there() {
            tracing::error!("{} was removed under the node, which ends", file.path.display());
            node.life.end(Ending::Lost);
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn another_file_of_the_same_name_is_not_it_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.sock");
        let kept = dir.path().join("kept");
        std::fs::write(&path, "").unwrap();
        let file = SocketFile::at(&path).unwrap();
        assert!(file.is_there());
        // Kept under another name, its number is not given to the next.
        std::fs::rename(&path, &kept).unwrap();
        assert!(!file.is_there());
        std::fs::write(&path, "").unwrap();
        assert!(!file.is_there());
        file.remove();
        assert!(path.exists());
        std::fs::rename(&kept, &path).unwrap();
        file.remove();
        assert!(!path.exists());
    }
}
