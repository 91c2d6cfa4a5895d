//! The home directory on disk: made for its owner only. Must not look into any file of it.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeDirError {
    /// The operating system refused.
    #[error("the home {} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody else could change what is in it.
    #[error("the home {} belongs to another user", .0.display())]
    NotOurs(PathBuf),
    /// Something else has its name.
    #[error("the home {} is not a directory", .0.display())]
    NotADirectory(PathBuf),
}

/// Makes the home if it is not there, and closes it to others. Says whether it was open to them.
pub(crate) fn prepare(dir: &Path) -> Result<bool, HomeDirError> {
    let io = |source| HomeDirError::Io { path: dir.into(), source };
    if let Err(source) = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir) {
        return Err(if dir.exists() { HomeDirError::NotADirectory(dir.into()) } else { io(source) });
    }
    let metadata = std::fs::metadata(dir).map_err(io)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeDirError::NotOurs(dir.into()));
    }
    let open = metadata.permissions().mode() & 0o077 != 0;
    if open {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(open)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn mode(dir: &Path) -> u32 {
        std::fs::metadata(dir).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_closed_and_closed_if_it_was_open() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("a").join("b");
        assert!(!prepare(&home).unwrap());
        assert_eq!(mode(&home), 0o700);
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(prepare(&home).unwrap());
        assert_eq!(mode(&home), 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::write(&home, "").unwrap();
        assert!(matches!(prepare(&home), Err(HomeDirError::NotADirectory(path)) if path == home));
    }
}
