//! Which files may leave: decided on the canonical path, and the file opened by that very path without following a link, so
//! that what is decided about is what is read. Must not read what is in them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use parlor_api::{ApiError, ErrorKind};
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use crate::bindings;

/// Where programs keep what nobody else should have, wherever it lies. An agent drops none of it.
const PRIVATE: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".password-store",
    ".vault-token",
];
/// Files of variables: mostly secrets of no known form. Those that say by their names that they are examples are none.
const VARIABLES: &str = ".env";
const EXAMPLES: &[&str] = &[".example", ".sample", ".template", ".dist"];

/// What somebody may drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// What a person named at a terminal.
    Named,
    /// Only what lies below this directory, and nothing private.
    Below(PathBuf),
    /// Nothing: it is not known where the caller works.
    Nothing,
}

/// A file that may leave.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub file: File,
    pub name: String,
}

/// Opens a file that is to leave, if it may. `home` is the node's own directory.
pub(crate) fn open_outgoing(path: &Path, bounds: &Bounds, home: &Path) -> Result<Outgoing, ApiError> {
    if !path.is_absolute() {
        return Err(ApiError::new(ErrorKind::Usage, format!("{} is not an absolute path", path.display())));
    }
    let canonical = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    may_leave(&canonical, bounds, home)?;
    let file = open_straight(&canonical).map_err(|error| unreadable(path, &error))?;
    let kind = file.metadata().map_err(|error| unreadable(path, &error))?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() || kind.is_socket() {
            "no file but a channel to a program"
        } else {
            "no file but a device"
        };
        let message = format!("{} is {what}, and only files are dropped", path.display());
        return Err(ApiError::new(ErrorKind::BadInput, message)
            .hint("put what is in it into one file, with tar for instance"));
    }
    let name = canonical.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Outgoing { file, name })
}

/// Decides on a canonical path.
fn may_leave(canonical: &Path, bounds: &Bounds, home: &Path) -> Result<(), ApiError> {
    let home = home.canonicalize().unwrap_or_else(|_| home.into());
    if canonical.starts_with(&home) && !canonical.starts_with(home.join("rooms")) {
        let message = "this file is of Parlor's own home, with its keys and messages, and is not dropped";
        return Err(ApiError::new(ErrorKind::NotAllowed, message));
    }
    let dir = match bounds {
        Bounds::Named => return Ok(()),
        Bounds::Nothing => {
            return Err(refused("it is not known in which directory whoever drops it works", canonical));
        }
        Bounds::Below(dir) => dir.canonicalize().unwrap_or_else(|_| dir.clone()),
    };
    if bindings::is_too_wide(&dir) {
        return Err(refused("below the directory it is dropped from lies all that is yours", canonical));
    }
    let Ok(below) = canonical.strip_prefix(&dir) else {
        return Err(refused("this file lies outside the directory it is dropped from", canonical));
    };
    if below.components().any(|part| is_private(&part.as_os_str().to_string_lossy())) {
        return Err(refused("files of this name mostly hold secrets", canonical));
    }
    Ok(())
}

fn is_private(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_example = EXAMPLES.iter().any(|example| name.ends_with(example));
    PRIVATE.contains(&name.as_str()) || (name.starts_with(VARIABLES) && !is_example)
}

fn refused(why: &str, canonical: &Path) -> ApiError {
    ApiError::new(ErrorKind::NotAllowed, format!("{why}, and only a person at a terminal may drop it"))
        .hint(format!("ask your human to run `parlor drop {}` at a terminal", canonical.display()))
}

fn unreadable(path: &Path, error: &io::Error) -> ApiError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        _ => ErrorKind::BadInput,
    };
    ApiError::new(kind, format!("{} cannot be read: {error}", path.display()))
}

/// Opens by a path of which no part is a link now, whatever it was when it was looked at.
fn open_straight(canonical: &Path) -> io::Result<File> {
    let dir = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | search();
    let mut at: OwnedFd = open("/", dir, Mode::empty())?;
    let mut parts = canonical.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let Some(mut name) = parts.next() else {
        return Ok(File::from(open("/", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?));
    };
    for next in parts {
        at = openat(&at, name, dir, Mode::empty()).map_err(changed)?;
        name = next;
    }
    // Opening must not wait for another program, nor take a terminal.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(openat(&at, name, flags, Mode::empty()).map_err(changed)?))
}

/// A directory one may pass through and not list is passed through.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn search() -> OFlags {
    OFlags::PATH
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn search() -> OFlags {
    OFlags::RDONLY
}

fn changed(errno: Errno) -> io::Error {
    match errno {
        Errno::LOOP | Errno::NOTDIR => io::Error::other("a part of its path was changed meanwhile"),
        Errno::NXIO => io::Error::other("it is a channel to a program"),
        other => other.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Tree {
        _dir: tempfile::TempDir,
        root: PathBuf,
    }

    /// `project/sub/a.sql`, `project/.env`, `outside/secret` and a home, all canonical.
    fn tree() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, text) in [
            ("project/sub/a.sql", "a"),
            ("project/.env", "X=1"),
            ("project/.env.example", "X="),
            ("project/.ssh/id", "k"),
            ("outside/secret", "s"),
            ("home/identity.key", "i"),
            ("home/rooms/r/files/f", "f"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Tree { _dir: dir, root }
    }

    fn drop_of(tree: &Tree, path: &str, bounds: &Bounds) -> Result<String, ErrorKind> {
        open_outgoing(&tree.root.join(path), bounds, &tree.root.join("home"))
            .map(|outgoing| outgoing.name)
            .map_err(|error| error.kind)
    }

    #[test]
    fn wound_36_an_agent_drops_only_what_lies_below_its_directory_by_the_canonical_path() {
        let tree = tree();
        symlink(tree.root.join("outside/secret"), tree.root.join("project/link")).unwrap();
        symlink(tree.root.join("outside"), tree.root.join("project/dir")).unwrap();
        symlink("sub/a.sql", tree.root.join("project/inner")).unwrap();
        let agent = Bounds::Below(tree.root.join("project"));
        for (path, outcome) in [
            ("project/sub/a.sql", Ok("a.sql")),
            ("project/inner", Ok("a.sql")),
            ("project/sub/../sub/a.sql", Ok("a.sql")),
            ("project/.env.example", Ok(".env.example")),
            ("project/../outside/secret", Err(ErrorKind::NotAllowed)),
            ("project/link", Err(ErrorKind::NotAllowed)),
            ("project/dir/secret", Err(ErrorKind::NotAllowed)),
            ("project/.env", Err(ErrorKind::NotAllowed)),
            ("project/.ssh/id", Err(ErrorKind::NotAllowed)),
            ("project/nothing", Err(ErrorKind::NotFound)),
        ] {
            assert_eq!(drop_of(&tree, path, &agent), outcome.map(str::to_owned), "{path}");
        }
        assert_eq!(drop_of(&tree, "project/sub/a.sql", &Bounds::Nothing), Err(ErrorKind::NotAllowed));
        let all = Bounds::Below("/".into());
        assert_eq!(drop_of(&tree, "project/sub/a.sql", &all), Err(ErrorKind::NotAllowed));
    }

    #[test]
    fn a_person_drops_what_they_name_but_not_the_keys_of_parlor() {
        let tree = tree();
        assert_eq!(drop_of(&tree, "outside/secret", &Bounds::Named).unwrap(), "secret");
        assert_eq!(drop_of(&tree, "project/.env", &Bounds::Named).unwrap(), ".env");
        assert_eq!(drop_of(&tree, "home/identity.key", &Bounds::Named), Err(ErrorKind::NotAllowed));
        assert_eq!(drop_of(&tree, "home/rooms/r/files/f", &Bounds::Named).unwrap(), "f");
    }

    #[test]
    fn only_files_are_dropped() {
        let tree = tree();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            tree.root.join("project/pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(tree.root.join("project/sock")).unwrap();
        for path in ["project/sub", "project/pipe", "project/sock", "/dev/null", "/"] {
            assert_eq!(drop_of(&tree, path, &Bounds::Named), Err(ErrorKind::BadInput), "{path}");
        }
    }

    #[test]
    fn wound_36_a_path_that_has_become_a_link_is_not_followed() {
        let tree = tree();
        let canonical = tree.root.join("project/sub/a.sql");
        std::fs::remove_dir_all(tree.root.join("project/sub")).unwrap();
        std::fs::write(tree.root.join("outside/a.sql"), "secret").unwrap();
        symlink(tree.root.join("outside"), tree.root.join("project/sub")).unwrap();
        assert!(open_straight(&canonical).is_err());
        std::fs::remove_file(tree.root.join("project/sub")).unwrap();
        std::fs::create_dir(tree.root.join("project/sub")).unwrap();
        symlink(tree.root.join("outside/a.sql"), &canonical).unwrap();
        assert!(open_straight(&canonical).is_err());
    }
}
