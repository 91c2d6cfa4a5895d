//! The home directory on disk: made for its owner only, and only where nobody else keeps anything. Must not look into any
//! file of it.

use std::ffi::OsStr;
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
    /// Somebody keeps something else in it.
    #[error("{} is not empty and no home of Parlor's; nothing was changed in it", .0.display())]
    NotAHome(PathBuf),
}

/// One of these is in every home in which a node has run, whatever else people have put there.
const MARKS: [&str; 2] = ["identity.key", "node.lock"];
/// What else has its place in a home, before a node has run in it too.
const OWN: [&str; 3] = ["config.toml", "rooms", "blobs"];
/// What begins so is a home's too: numbered logs, what SQLite keeps beside a store, files about to take their place.
const OWN_BEGINNINGS: [&str; 4] = ["node.", "store.db", "index.db", ".config-"];

/// Makes the home if it is not there, and closes it to others. Says whether it was open to them.
pub(crate) fn prepare(dir: &Path) -> Result<bool, HomeDirError> {
    let io = |source| HomeDirError::Io { path: dir.into(), source };
    refuse_others(dir)?;
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

/// Refuses a directory in which somebody keeps something that is no home: its name was mistyped. Changes nothing.
pub(crate) fn refuse_others(dir: &Path) -> Result<(), HomeDirError> {
    if !dir.is_dir() || MARKS.iter().any(|mark| dir.join(mark).exists()) {
        return Ok(());
    }
    let io = |source| HomeDirError::Io { path: dir.into(), source };
    for entry in std::fs::read_dir(dir).map_err(io)? {
        if !is_own(&entry.map_err(io)?.file_name()) {
            return Err(HomeDirError::NotAHome(dir.into()));
        }
    }
    Ok(())
}

fn is_own(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    OWN.iter().any(|own| *own == name) || OWN_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
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

    #[test]
    fn a_directory_with_something_else_in_it_is_no_home_and_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("project");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
        for theirs in ["main.rs", "config.toml", "rooms.txt"] {
            std::fs::write(home.join(theirs), "").unwrap();
            let refused = prepare(&home);
            assert!(matches!(refused, Err(HomeDirError::NotAHome(path)) if path == home), "{theirs}");
        }
        assert_eq!((mode(&home), std::fs::read_dir(&home).unwrap().count()), (0o755, 3));
        for mark in MARKS {
            std::fs::write(home.join(mark), "").unwrap();
            assert!(prepare(&home).is_ok(), "{mark}");
            std::fs::remove_file(home.join(mark)).unwrap();
        }
    }

    #[test]
    fn one_with_nothing_but_what_a_home_has_is_one() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path()).unwrap();
        for own in ["config.toml", ".config-x", "node.log.1", "store.db-wal", "index.db"] {
            std::fs::write(dir.path().join(own), "").unwrap();
            prepare(dir.path()).unwrap();
        }
    }
}
