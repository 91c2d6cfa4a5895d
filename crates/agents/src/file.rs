//! Settings files as they lie on the disk: read within a limit, replaced as a whole or not at all, with a backup beside them.
//! Must not know what is in them, and never writes into what belongs to somebody else.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// More than any settings file; what is larger is none.
const SIZE_LIMIT_BYTES: u64 = 16 << 20;
/// How many backups beside one file are looked at, newest first.
const BACKUPS_READ: usize = 32;
const BACKUP_MARK: &str = ".parlor-backup-";
const ANY_WRITE_BIT: u32 = 0o222;

/// Why a settings file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system said no.
    #[error("{path}: {source}; nothing was changed")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("{0} is not a regular file; move it away and run this again")]
    NotAFile(PathBuf),
    /// A symlink to nothing.
    #[error(
        "{0} is a link that leads to nothing; remove the link or restore what it leads to, then run this again"
    )]
    DanglingLink(PathBuf),
    /// Too large to be settings.
    #[error("{path} holds {size_bytes} bytes, more than any settings file; nothing was changed")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How much it is.
        size_bytes: u64,
    },
    /// Not text.
    #[error("{path} is not UTF-8 text (byte {offset} is wrong); repair it and run this again")]
    NotText {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// Belongs to another OS user.
    #[error("{path} belongs to the OS user with id {owner}, and this runs as {me}; run it as that user")]
    NotYours {
        /// Which file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asked.
        me: u32,
    },
    /// Marked read-only, so somebody means it to stay.
    #[error("{0} is read-only; nothing was changed. Make it writable (chmod u+w) and run this again")]
    ReadOnly(PathBuf),
    /// Somebody else wrote it meanwhile.
    #[error("{0} was changed by another program meanwhile; nothing was changed, run this again")]
    ChangedMeanwhile(PathBuf),
}

/// A file as it was found, absent or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The file itself, after links.
    pub(crate) path: PathBuf,
    /// What it holds; none when there is no such file.
    pub(crate) text: Option<String>,
    /// Whether a link led to it.
    pub(crate) linked: bool,
}

/// A backup beside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backup {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { path, source }
}

/// Looks at the file at `path`, following links.
pub(crate) fn find(path: &Path) -> Result<Found, FileError> {
    let linked = match fs::symlink_metadata(path) {
        Ok(meta) => meta.is_symlink(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found { path: path.into(), text: None, linked: false });
        }
        Err(error) => return Err(io_at(path)(error)),
    };
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if linked && error.kind() == io::ErrorKind::NotFound => {
            return Err(FileError::DanglingLink(path.into()));
        }
        Err(error) => return Err(io_at(path)(error)),
    };
    let text = read(&real)?;
    Ok(Found { path: real, text: Some(text), linked })
}

fn read(path: &Path) -> Result<String, FileError> {
    // Asked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(io_at(path))?.is_file() {
        return Err(FileError::NotAFile(path.into()));
    }
    let file = File::open(path).map_err(io_at(path))?;
    let size_bytes = file.metadata().map_err(io_at(path))?.len();
    if size_bytes > SIZE_LIMIT_BYTES {
        return Err(FileError::TooLarge { path: path.into(), size_bytes });
    }
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT_BYTES).read_to_end(&mut bytes).map_err(io_at(path))?;
    String::from_utf8(bytes)
        .map_err(|error| FileError::NotText { path: path.into(), offset: error.utf8_error().valid_up_to() })
}

/// Whether the file may be written at all: ours, and nobody marked it or its directory read-only. The marks count for root,
/// too, whom the system would let through.
pub(crate) fn check_writable(found: &Found) -> Result<(), FileError> {
    if found.text.is_some() {
        check_mine(&found.path)?;
    }
    match nearest_directory(&found.path) {
        Some(directory) if found.text.is_some() || Some(directory) == found.path.parent() => {
            check_mine(directory)
        }
        Some(directory) => check_marks(directory, &fs::metadata(directory).map_err(io_at(directory))?),
        None => Ok(()),
    }
}

fn check_mine(path: &Path) -> Result<(), FileError> {
    let meta = fs::metadata(path).map_err(io_at(path))?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(FileError::NotYours { path: path.into(), owner: meta.uid(), me });
    }
    check_marks(path, &meta)
}

fn check_marks(path: &Path, meta: &Metadata) -> Result<(), FileError> {
    if meta.mode() & ANY_WRITE_BIT == 0 { Err(FileError::ReadOnly(path.into())) } else { Ok(()) }
}

fn nearest_directory(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|directory| directory.is_dir())
}

/// Puts `text` in the file's place: written aside, synced, renamed. With `backup`, what was there is kept beside it first; its
/// path is returned. When anything fails, everything is as it was.
pub(crate) fn replace(
    found: &Found,
    text: &str,
    backup: bool,
    new_mode: u32,
) -> Result<Option<PathBuf>, FileError> {
    check_writable(found)?;
    let directory = found.path.parent().unwrap_or(Path::new("/"));
    let made = make_directories(directory)?;
    let mut kept = None;
    let written = write_aside(found, text, directory, new_mode).and_then(|aside| {
        check_unchanged(found)?;
        kept = if backup { keep_backup(found)? } else { None };
        put_in_place(found, aside)
    });
    if let Err(error) = written {
        kept.iter().for_each(|path| _ = fs::remove_file(path));
        made.iter().for_each(|path| _ = fs::remove_dir(path));
        return Err(error);
    }
    sync_directory(directory);
    Ok(kept)
}

/// Removes the file, and so many of the directories around it as nothing else is in.
pub(crate) fn remove(found: &Found, own_directories: usize) -> Result<(), FileError> {
    check_writable(found)?;
    check_unchanged(found)?;
    fs::remove_file(&found.path).map_err(io_at(&found.path))?;
    // Fails when something is in it, which is the question asked.
    let around = found.path.ancestors().skip(1);
    let gone = around.clone().take(own_directories).take_while(|directory| fs::remove_dir(directory).is_ok());
    let gone = gone.count();
    around.skip(gone).take(1).for_each(sync_directory);
    Ok(())
}

/// Makes what is missing of the directory; gives back what it made, innermost first.
fn make_directories(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let missing: Vec<_> =
        directory.ancestors().take_while(|path| !path.is_dir()).map(Path::to_owned).collect();
    fs::create_dir_all(directory).map_err(io_at(directory))?;
    Ok(missing)
}

fn write_aside(
    found: &Found,
    text: &str,
    directory: &Path,
    new_mode: u32,
) -> Result<tempfile::NamedTempFile, FileError> {
    let mut aside = tempfile::Builder::new()
        .prefix(".parlor-")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(new_mode))
        .tempfile_in(directory)
        .map_err(io_at(directory))?;
    let path = aside.path().to_owned();
    aside.write_all(text.as_bytes()).map_err(io_at(&path))?;
    if found.text.is_some() {
        let old = fs::metadata(&found.path).map_err(io_at(&found.path))?;
        let new = aside.as_file().metadata().map_err(io_at(&path))?;
        if new.gid() != old.gid() {
            fchown(aside.as_file(), None, Some(old.gid())).map_err(io_at(&found.path))?;
        }
        let mode = Permissions::from_mode(old.mode() & 0o7777);
        aside.as_file().set_permissions(mode).map_err(io_at(&path))?;
    }
    aside.as_file().sync_all().map_err(io_at(&path))?;
    Ok(aside)
}

fn check_unchanged(found: &Found) -> Result<(), FileError> {
    let now = find(&found.path)?;
    if now.text == found.text { Ok(()) } else { Err(FileError::ChangedMeanwhile(found.path.clone())) }
}

fn put_in_place(found: &Found, aside: tempfile::NamedTempFile) -> Result<(), FileError> {
    let moved = match found.text {
        Some(_) => aside.persist(&found.path),
        None => aside.persist_noclobber(&found.path),
    };
    match moved {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FileError::ChangedMeanwhile(found.path.clone()))
        }
        Err(failed) => Err(io_at(&found.path)(failed.error)),
    }
}

/// Keeps what the file holds beside it, under a name nothing has yet.
pub(crate) fn keep_backup(found: &Found) -> Result<Option<PathBuf>, FileError> {
    let Some(text) = &found.text else { return Ok(None) };
    let mode = fs::metadata(&found.path).map_err(io_at(&found.path))?.mode() & 0o700;
    let newest = backup_paths(&found.path).first().map_or(0, |(number, _)| *number);
    let path = backup_path(&found.path, newest.saturating_add(1));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(io_at(&path))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        _ = fs::remove_file(&path);
        return Err(io_at(&path)(error));
    }
    Ok(Some(path))
}

/// The backups beside the file that can be read, newest first.
pub(crate) fn backups(path: &Path) -> Vec<Backup> {
    let readable = backup_paths(path).into_iter().take(BACKUPS_READ).filter_map(|(_, path)| {
        let is_file = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
        is_file.then(|| read(&path).ok().map(|text| Backup { path, text }))?
    });
    readable.collect()
}

fn backup_path(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("{BACKUP_MARK}{number}"));
    path.with_file_name(name)
}

fn backup_paths(path: &Path) -> Vec<(u32, PathBuf)> {
    let Some(directory) = path.parent() else { return Vec::new() };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| {
            let beside = entry.ok()?.file_name();
            let number = beside.to_str()?.strip_prefix(name)?.strip_prefix(BACKUP_MARK)?;
            Some((number.parse().ok()?, directory.join(&beside)))
        })
        .collect();
    paths.sort_by(|one, other| other.cmp(one));
    paths
}

// The rename is done whatever this says; a file system that cannot sync a directory must not make it look undone.
fn sync_directory(directory: &Path) {
    _ = File::open(directory).and_then(|directory| directory.sync_all());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("s.json");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_a_backup_and_nothing_else_is_left() {
        let (directory, path) = file("old");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        fs::write(directory.path().join("s.json.parlor-backup-7"), "somebody's").unwrap();
        let kept = replace(&find(&path).unwrap(), "new", true, 0o600).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(names(directory.path()), ["s.json", "s.json.parlor-backup-7", "s.json.parlor-backup-8"]);
    }

    #[test]
    fn a_link_stays_a_link_and_its_target_changes() {
        let (directory, path) = file("old");
        let link = directory.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let found = find(&link).unwrap();
        assert!(found.linked);
        replace(&found, "new", false, 0o600).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_link_to_nothing_a_directory_a_pipe_and_bad_bytes_are_refused() {
        let (directory, path) = file("old");
        let link = directory.path().join("link.json");
        std::os::unix::fs::symlink(directory.path().join("gone"), &link).unwrap();
        assert!(matches!(find(&link), Err(FileError::DanglingLink(_))));
        assert!(matches!(find(directory.path()), Err(FileError::NotAFile(_))));
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(find(&pipe), Err(FileError::NotAFile(_))));
        fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
        assert!(matches!(find(&path), Err(FileError::NotText { offset: 7, .. })));
        File::create(&path).unwrap().set_len(SIZE_LIMIT_BYTES + 1).unwrap();
        assert!(matches!(find(&path), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let (directory, path) = file("old");
        let found = find(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(replace(&found, "new", true, 0o600), Err(FileError::ChangedMeanwhile(_))));
        assert!(matches!(remove(&found, 1), Err(FileError::ChangedMeanwhile(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(names(directory.path()), ["s.json"]);
        let absent = Found { path: path.clone(), text: None, linked: false };
        assert!(matches!(replace(&absent, "new", true, 0o600), Err(FileError::ChangedMeanwhile(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[test]
    fn another_users_file_and_directory_are_refused() {
        let (directory, path) = file("old");
        if std::os::unix::fs::chown(&path, Some(12345), None).is_err() {
            return; // Only root can make a file somebody else's; elsewhere the check cannot be provoked.
        }
        let refused = replace(&find(&path).unwrap(), "new", true, 0o600);
        assert!(matches!(refused, Err(FileError::NotYours { owner: 12345, .. })));
        let folder = directory.path().join("theirs");
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
        let link = directory.path().join("mine");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let refused = replace(&find(&link.join("s.json")).unwrap(), "new", true, 0o600);
        assert!(matches!(refused, Err(FileError::NotYours { .. })));
        assert!(names(&folder).is_empty());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn read_only_files_and_directories_are_refused_and_untouched() {
        let (directory, path) = file("old");
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        assert!(matches!(replace(&find(&path).unwrap(), "new", true, 0o600), Err(FileError::ReadOnly(_))));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o555)).unwrap();
        assert!(matches!(replace(&find(&path).unwrap(), "new", true, 0o600), Err(FileError::ReadOnly(_))));
        let deeper = find(&directory.path().join("a/b/s.json")).unwrap();
        assert!(matches!(replace(&deeper, "new", true, 0o600), Err(FileError::ReadOnly(_))));
        assert_eq!(names(directory.path()), ["s.json"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_new_file_gets_its_directories_and_takes_the_empty_one_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".claude/s.json");
        assert_eq!(replace(&find(&path).unwrap(), "new", true, 0o600).unwrap(), None);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        remove(&find(&path).unwrap(), 1).unwrap();
        assert!(names(directory.path()).is_empty());
    }
}
