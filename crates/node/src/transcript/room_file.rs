//! One room's transcript on disk, and beside it how far it reaches, so that after a kill nothing is missing and
//! nothing stands in it twice.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use parlor_core::engine::api::{Author, MessageView};
use parlor_core::text::clean::CleanText;
use parlor_core::text::time;
use parlor_wire::{RoomId, TimeMs};

use crate::rotate;

/// Beyond this the transcript moves aside.
const LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// Transcripts kept beside the present one.
const KEPT: u32 = 8;
const TRANSCRIPT: &str = "transcript.txt";
const REACHED: &str = "reached";
const INDENT: &str = "    ";

/// How far a transcript reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reached {
    /// The last arrival number in it.
    upto: u64,
    /// How long it was then.
    len: u64,
}

impl Reached {
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let (upto, len) = text.trim().split_once(' ')?;
        Some(Self { upto: upto.parse().ok()?, len: len.parse().ok()? })
    }

    fn write(self, path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        writeln!(file, "{} {}", self.upto, self.len)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// One room's transcript.
pub(super) struct RoomFile {
    dir: PathBuf,
    file: File,
    now: Reached,
    saved: Reached,
    limit: u64,
}

impl RoomFile {
    /// Opens the transcript of a room below `rooms`, at the place it had reached for certain.
    pub(super) fn open(rooms: &Path, name: &CleanText, room: RoomId) -> io::Result<Self> {
        let dir = room_dir(rooms, name, room)?;
        let (file, len) = rotate::open(&dir.join(TRANSCRIPT))?;
        // A file that is shorter than it is known to be has lost something: it is written anew.
        let saved =
            Reached::read(&dir.join(REACHED)).filter(|reached| reached.len <= len).unwrap_or_default();
        file.set_len(saved.len)?;
        Ok(Self { dir, file, now: saved, saved, limit: LIMIT_BYTES })
    }

    /// The room's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The last arrival number in it.
    pub(super) fn upto(&self) -> u64 {
        self.now.upto
    }

    /// Adds messages, by arrival, leaving out those it has and those sorted before `floor_ms`; it then reaches to `upto`.
    pub(super) fn append(&mut self, messages: &[MessageView], upto: u64, floor_ms: TimeMs) -> io::Result<()> {
        let mut text = String::new();
        let is_new = |message: &&MessageView| message.arrival > self.now.upto && message.sort_ms >= floor_ms;
        for message in messages.iter().filter(is_new) {
            push_message(&mut text, message);
        }
        if self.file.metadata()?.nlink() == 0 {
            // Somebody has deleted it: opened again, it is written anew.
            return Err(io::ErrorKind::NotFound.into());
        }
        self.file.write_all(text.as_bytes())?;
        self.now = Reached { upto: upto.max(self.now.upto), len: self.now.len + text.len() as u64 };
        if self.now.len > self.limit { self.rotate() } else { Ok(()) }
    }

    /// Removes all of it; opened again, it is written anew.
    pub(super) fn begin_again(&mut self) -> io::Result<()> {
        // First how far it reaches: killed in between, it is begun again all the same.
        let gone = |path: &Path| match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        gone(&self.dir.join(REACHED))?;
        let path = self.dir.join(TRANSCRIPT);
        gone(&path)?;
        rotate::all_aside(&path, KEPT).iter().try_for_each(|aside| gone(aside))
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let path = self.dir.join(TRANSCRIPT);
        rotate::shift(&path, KEPT)?;
        (self.file, self.now.len) = rotate::open(&path)?;
        self.save()
    }

    /// Writes down how far it reaches; what is written down is on the disk.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if self.now == self.saved {
            return Ok(());
        }
        self.file.sync_data()?;
        self.now.write(&self.dir.join(REACHED))?;
        self.saved = self.now;
        Ok(())
    }
}

/// `NAME~ID`: found by its id, and called by the present name.
pub(crate) fn room_dir(rooms: &Path, name: &CleanText, room: RoomId) -> io::Result<PathBuf> {
    make_dir(rooms)?;
    let tail = format!("~{}", room.short());
    let wanted = rooms.join(format!("{name}{tail}"));
    for entry in std::fs::read_dir(rooms)? {
        let path = entry?.path();
        let is_it = path.file_name().is_some_and(|found| found.to_string_lossy().ends_with(&tail));
        if is_it && path != wanted && !wanted.exists() {
            std::fs::rename(&path, &wanted)?;
        }
    }
    make_dir(&wanted)?;
    Ok(wanted)
}

/// Makes one directory. What it lies in is never made: a home that was removed or moved away stays so.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// `[2026-11-20 14:05Z @bob/api-fix (agent) mk7m2qdx] text`, further lines indented.
fn push_message(text: &mut String, message: &MessageView) {
    // Dated always: this is read on other days.
    let time = time::for_people(message.time_ms, message.time_ms.saturating_add(2 * 86_400_000));
    let author = match message.author {
        Author::Human => "human",
        Author::Agent => "agent",
        Author::Program => "program",
    };
    let session = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let head = format!("[{time} @{}{session} ({author}) {}] ", message.name, message.id.short());
    text.push_str(&head);
    text.push_str(&message.text.as_str().replace('\n', &format!("\n{INDENT}")));
    text.push('\n');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use parlor_core::engine::api::Priority;
    use parlor_core::text::clean::{Mode, clean};
    use parlor_core::text::names;
    use parlor_wire::{EntryId, PeerId};

    use super::*;

    const ROOM: RoomId = RoomId([3; 32]);

    fn message(arrival: u64, text: &str) -> MessageView {
        MessageView {
            room: ROOM,
            id: EntryId([u8::try_from(arrival).unwrap(); 32]),
            chain: EntryId([0; 32]),
            seq: 0,
            peer: PeerId([7; 32]),
            name: names::nick("bob"),
            session: Some(names::session_label("api")),
            author: Author::Agent,
            time_ms: 1_795_176_309_123,
            sort_ms: 0,
            arrival,
            priority: Priority::Normal,
            text: clean(text, Mode::Body),
            own: false,
            newer: false,
            peers: Vec::new(),
            tags: Vec::new(),
            hops: 0,
            form: None,
            ask: None,
            about: None,
            to: None,
            revoked: false,
            sealed_unfit: false,
            file: None,
        }
    }

    fn open(rooms: &Path, name: &str) -> RoomFile {
        RoomFile::open(rooms, &names::room_name(name), ROOM).unwrap()
    }

    fn read(file: &RoomFile) -> String {
        std::fs::read_to_string(file.dir.join(TRANSCRIPT)).unwrap()
    }

    #[test]
    fn messages_stand_one_to_a_line_dated_and_indented_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "payments");
        file.append(&[message(1, "one"), message(2, "two\n[forged] line")], 2, 0).unwrap();
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("[2026-11-20 12:05Z @bob/api (agent) m"), "{text}");
        assert!(lines[0].ends_with("] one"));
        assert_eq!(lines[2], "    [forged] line");
        assert!(file.dir.ends_with(format!("payments~{}", ROOM.short())));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.dir), mode(&file.dir.join(TRANSCRIPT))), (0o700, 0o600));
    }

    #[test]
    fn after_a_kill_it_goes_on_from_what_was_certain() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "payments");
        file.append(&[message(1, "one")], 1, 0).unwrap();
        file.save().unwrap();
        file.append(&[message(2, "two")], 2, 0).unwrap();
        drop(file);
        let mut file = open(dir.path(), "payments");
        assert_eq!(file.upto(), 1);
        file.append(&[message(1, "one"), message(2, "two"), message(3, "three")], 3, 0).unwrap();
        assert_eq!(read(&file).lines().filter(|line| line.ends_with("two")).count(), 1);
        assert_eq!(read(&file).lines().count(), 3);
    }

    #[test]
    fn what_is_not_read_any_more_is_not_in_it_once_it_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "payments");
        file.limit = 100;
        let (mut old, mut new) = (message(1, "older words"), message(2, "newer words"));
        (old.sort_ms, new.sort_ms) = (10, 20);
        file.append(&[old.clone()], 1, 0).unwrap();
        file.append(&[new.clone()], 2, 0).unwrap();
        let path = file.dir.clone();
        file.begin_again().unwrap();
        drop(file);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "rotated parts are gone too");
        let mut file = open(dir.path(), "payments");
        assert_eq!(file.upto(), 0);
        file.append(&[old, new], 2, 15).unwrap();
        assert!(read(&file).contains("newer words") && !read(&file).contains("older words"));
        assert_eq!(file.upto(), 2, "what is left out is not read again");
    }

    #[test]
    fn one_that_was_deleted_says_so_and_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "payments");
        file.append(&[message(1, "one")], 1, 0).unwrap();
        file.save().unwrap();
        std::fs::remove_file(file.dir.join(TRANSCRIPT)).unwrap();
        assert_eq!(file.append(&[message(2, "two")], 2, 0).unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut file = open(dir.path(), "payments");
        assert_eq!(file.upto(), 0);
        file.append(&[message(1, "one"), message(2, "two")], 2, 0).unwrap();
        assert_eq!(read(&file).lines().count(), 2);
    }

    #[test]
    fn where_the_home_was_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let rooms = dir.path().join("gone").join("rooms");
        assert!(RoomFile::open(&rooms, &names::room_name("payments"), ROOM).is_err());
        assert!(!dir.path().join("gone").exists());
    }

    #[test]
    fn one_that_lost_something_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "payments");
        file.append(&[message(1, "one")], 1, 0).unwrap();
        file.save().unwrap();
        file.file.set_len(3).unwrap();
        drop(file);
        assert_eq!(open(dir.path(), "payments").upto(), 0);
    }

    #[test]
    fn it_follows_the_rooms_name_and_moves_aside_when_it_has_grown() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), "old");
        file.limit = 100;
        for arrival in 1..=5 {
            file.append(&[message(arrival, "a line of some length")], arrival, 0).unwrap();
        }
        file.save().unwrap();
        drop(file);
        let file = open(dir.path(), "new");
        assert_eq!(file.upto(), 5);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let names: Vec<_> =
            std::fs::read_dir(&file.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().any(|name| name == "transcript.txt.2"), "{names:?}");
    }
}
