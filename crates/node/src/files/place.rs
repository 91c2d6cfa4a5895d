//! Where fetched files lie: `rooms/NAME~ID/files` below the home, for this user only. What is written there has a name of its
//! own and takes nothing's place. Must not make a home that is gone.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use parlor_core::text::file_name::numbered;
use tempfile::NamedTempFile;

use crate::transcript::{make_dir, room_dir};

/// Files of one name that lie beside each other.
const MAX_ALIKE: u32 = 1000;
/// The directory below a room's.
const FILES: &str = "files";
/// What stands before a file that is being written.
const COMING: &str = ".coming-";

/// The directory of a room's files, below the room's own.
pub(crate) fn room_files_dir(room_dir: &Path) -> PathBuf {
    room_dir.join(FILES)
}

/// Makes it.
pub(super) fn make(
    rooms: &Path,
    name: &parlor_core::text::CleanText,
    room: parlor_wire::RoomId,
) -> io::Result<PathBuf> {
    let dir = match held(rooms, room) {
        Some(dir) => room_files_dir(&dir),
        None => room_files_dir(&room_dir(rooms, name, room)?),
    };
    make_dir(&dir)?;
    if !std::fs::symlink_metadata(&dir)?.is_dir() {
        // Written through a link it would lie somewhere else.
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "the room's directory of files is a link"));
    }
    Ok(dir)
}

/// The directory a room has, whatever the room was called when it was made: whoever writes transcripts calls it anew.
fn held(rooms: &Path, room: parlor_wire::RoomId) -> Option<PathBuf> {
    let tail = format!("~{}", room.short());
    let mut dirs = std::fs::read_dir(rooms).ok()?.flatten().map(|entry| entry.path());
    dirs.find(|dir| dir.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&tail)))
}

/// A file to write into, which is not seen before it is whole.
pub(super) fn begin(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(COMING).tempfile_in(dir)
}

/// Puts a whole file where it is seen, under its name or the next that is free.
pub(super) fn put(mut file: NamedTempFile, dir: &Path, name: &str) -> io::Result<PathBuf> {
    file.as_file().sync_data()?;
    for number in 1..=MAX_ALIKE {
        let path = dir.join(if number == 1 { name.to_owned() } else { numbered(name, number) });
        match file.persist_noclobber(&path) {
            Ok(_) => {
                File::open(dir)?.sync_all()?;
                return Ok(path);
            }
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => file = refused.file,
            Err(refused) => return Err(refused.error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{MAX_ALIKE} files of that name lie there already"),
    ))
}

/// Removes what was being written when the node was killed, in every room.
pub(super) fn tidy(rooms: &Path) {
    let rooms = std::fs::read_dir(rooms).into_iter().flatten().flatten();
    for dir in rooms.map(|room| room_files_dir(&room.path())) {
        let is_coming =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(COMING));
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| is_coming(path)).for_each(|path| {
            _ = std::fs::remove_file(path);
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use parlor_core::text::names::room_name;
    use parlor_wire::RoomId;

    use super::*;

    #[test]
    fn wound_36_a_file_takes_nothing_s_place_and_follows_no_link() {
        let home = tempfile::tempdir().unwrap();
        let rooms = home.path().join("rooms");
        let dir = make(&rooms, &room_name("payments"), RoomId([1; 32])).unwrap();
        let outside = home.path().join("outside");
        std::fs::write(&outside, "mine").unwrap();
        std::os::unix::fs::symlink(&outside, dir.join("schema.sql")).unwrap();
        let written = |text: &str| {
            let mut file = begin(&dir).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            put(file, &dir, "schema.sql").unwrap()
        };
        assert_eq!(written("one"), dir.join("schema-2.sql"));
        assert_eq!(written("two"), dir.join("schema-3.sql"));
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine");
        assert_eq!(std::fs::metadata(dir.join("schema-2.sql")).unwrap().mode() & 0o777, 0o600);
        tidy(&rooms);
        assert!(dir.join("schema-3.sql").exists());
    }

    #[test]
    fn wound_36_a_directory_that_is_a_link_is_not_written_into() {
        let home = tempfile::tempdir().unwrap();
        let rooms = home.path().join("rooms");
        let name = room_name("payments");
        let dir = make(&rooms, &name, RoomId([1; 32])).unwrap();
        std::fs::remove_dir(&dir).unwrap();
        std::os::unix::fs::symlink(home.path(), &dir).unwrap();
        assert!(make(&rooms, &name, RoomId([1; 32])).is_err());
    }
}
