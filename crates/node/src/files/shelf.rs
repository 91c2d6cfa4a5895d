//! The sealed files a node holds, in `blobs` below its home: those it dropped, for as long as they are announced, and those
//! it fetched, as long as there is room, so that others may have them from here; and of each, for which rooms it is held.
//! Must not open one.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parlor_wire::ids::{BodyHash, base32};
use parlor_wire::{EntryId, RoomId};
use tempfile::NamedTempFile;

/// Sealed files of one's own, together: a person who shares more than this shares a disk.
pub(crate) const OWN_QUOTA_BYTES: u64 = 128 * 1024 * 1024 * 1024;
/// Sealed copies of what was fetched, together: they only spare others the way to who dropped it.
pub(crate) const GOT_QUOTA_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Parts of what is being fetched, in number; each may grow to the length that was announced.
const MAX_PARTS: usize = 64;
/// What is sealed and not announced yet.
const NEW: &str = "new";
/// What has come of a file.
const PART: &str = "part";
/// What is being sealed.
const SEALING: &str = ".sealing-";

/// Where sealed files lie.
pub(crate) struct Shelf {
    own: PathBuf,
    got: PathBuf,
    /// A directory for each sealed file, and in it an empty file for each room it is held for.
    rooms: PathBuf,
}

fn name(blob: &BodyHash) -> String {
    base32().encode(&blob.0)
}

fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The files of a directory with their lengths and when they were last written, the oldest first.
fn listed(dir: &Path) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((metadata.modified().ok(), entry.path(), metadata.len()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path, len)| (path, len)).collect()
}

/// The sealed file that lies under a name.
fn blob_of(path: &Path) -> Option<BodyHash> {
    let bytes = base32().decode(path.file_stem()?.to_str()?.as_bytes()).ok()?;
    Some(BodyHash(bytes.as_slice().try_into().ok()?))
}

fn is_called(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

/// Whether what is open is what lies at a path.
fn lies_at(file: &File, path: &Path) -> io::Result<bool> {
    let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok(of(there) == of(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Shelf {
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { own: dir.join("own"), got: dir.join("got"), rooms: dir.join("rooms") }
    }

    /// A file to seal into.
    pub(crate) fn begin_own(&self) -> io::Result<NamedTempFile> {
        make(&self.own)?;
        tempfile::Builder::new().prefix(SEALING).tempfile_in(&self.own)
    }

    /// How many bytes of one's own are held.
    pub(crate) fn own_bytes(&self) -> u64 {
        listed(&self.own).iter().map(|(_, len)| len).sum()
    }

    /// Takes in a sealed file that is going to be announced.
    pub(crate) fn keep_new(&self, sealed: NamedTempFile, blob: &BodyHash) -> io::Result<()> {
        sealed.as_file().sync_data()?;
        sealed.persist(self.own.join(name(blob)).with_extension(NEW)).map_err(|error| error.error)?;
        File::open(&self.own)?.sync_all()
    }

    /// It is announced: from here on it is held.
    pub(crate) fn announced(&self, blob: &BodyHash) -> io::Result<()> {
        let path = self.own.join(name(blob));
        std::fs::rename(path.with_extension(NEW), path)
    }

    /// From here on it is held for a room: dropped there by this node, or fetched from there. An announcement by
    /// somebody else does not say that, or who was put out of one room would have its files through another.
    pub(crate) fn hold_for(&self, blob: &BodyHash, room: &RoomId) -> io::Result<()> {
        let dir = self.rooms.join(name(blob));
        make(&dir)?;
        File::create(dir.join(base32().encode(&room.0))).map(|_| ())
    }

    /// Whether it may be given to members of a room.
    pub(crate) fn is_held_for(&self, blob: &BodyHash, room: &RoomId) -> bool {
        self.rooms.join(name(blob)).join(base32().encode(&room.0)).is_file()
    }

    /// One's own sealed files of which no room is noted: they were dropped before rooms were.
    pub(crate) fn without_room(&self) -> Vec<BodyHash> {
        let own = listed(&self.own).into_iter().filter_map(|(path, _)| blob_of(&path));
        own.filter(|blob| !self.rooms.join(name(blob)).is_dir()).collect()
    }

    /// It is not going to be announced.
    pub(crate) fn forget_new(&self, blob: &BodyHash) {
        _ = std::fs::remove_dir_all(self.rooms.join(name(blob)));
        _ = std::fs::remove_file(self.own.join(name(blob)).with_extension(NEW));
    }

    /// Sealed files of which it is not known whether they were announced: the node was killed meanwhile.
    pub(crate) fn undecided(&self) -> Vec<BodyHash> {
        let new = listed(&self.own).into_iter().filter(|(path, _)| is_called(path, NEW));
        new.filter_map(|(path, _)| blob_of(&path)).collect()
    }

    /// Removes what was being sealed when the node was killed.
    pub(crate) fn tidy(&self) {
        let is_sealing =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEALING));
        listed(&self.own).iter().filter(|(path, _)| is_sealing(path)).for_each(|(path, _)| {
            _ = std::fs::remove_file(path);
        });
    }

    /// A whole sealed file, if it is held.
    pub(crate) fn find(&self, blob: &BodyHash) -> Option<PathBuf> {
        let name = name(blob);
        let own = self.own.join(&name);
        [own.clone(), self.got.join(&name), own.with_extension(NEW)].into_iter().find(|path| path.is_file())
    }

    /// Where the part of one announced file lies. Each announcement has its own: who announces a file of another again, with
    /// a key or length that is wrong, must not reach what comes for the first.
    fn part_path(&self, entry: &EntryId) -> PathBuf {
        self.got.join(base32().encode(&entry.0)).with_extension(PART)
    }

    /// What has come of a file that is being fetched, to be read and written on by nobody else for as long as it is open:
    /// while another has it, this would block.
    pub(crate) fn part(&self, entry: &EntryId) -> io::Result<File> {
        make(&self.got)?;
        let path = self.part_path(entry);
        if !path.exists() {
            self.make_room_for_part();
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let part = options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()).open(&path)?;
        part.try_lock()?;
        if !lies_at(&part, &path)? {
            // Who had it has put it elsewhere meanwhile, or thrown it away.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(part)
    }

    /// The part that nobody went on with longest, and nobody has open, gives way: its file is begun anew, should it be
    /// wanted again.
    fn make_room_for_part(&self) {
        let parts: Vec<_> = listed(&self.got).into_iter().filter(|(path, _)| is_called(path, PART)).collect();
        if parts.len() < MAX_PARTS {
            return;
        }
        for (path, _) in parts {
            // Locked until it is gone: nobody begins to write to it meanwhile.
            let part = File::open(&path).ok().filter(|part| part.try_lock().is_ok());
            if part.is_some_and(|_part| std::fs::remove_file(&path).is_ok()) {
                return;
            }
        }
    }

    /// Throws away what has come.
    pub(crate) fn forget_part(&self, entry: &EntryId) {
        _ = std::fs::remove_file(self.part_path(entry));
    }

    /// All of it has come into `part`, and is what was announced: it is held for others, and the oldest such give way.
    pub(crate) fn keep_got(&self, part: &File, entry: &EntryId, blob: &BodyHash) -> io::Result<()> {
        let path = self.part_path(entry);
        if !lies_at(part, &path)? {
            // Only what was written there is known to be the file.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "another file was put in its place"));
        }
        // A copy that a loss of power left incomplete would be given to others.
        part.sync_data()?;
        std::fs::rename(path, self.got.join(name(blob)))?;
        self.make_room(GOT_QUOTA_BYTES);
        Ok(())
    }

    fn make_room(&self, quota_bytes: u64) {
        let held: Vec<_> = listed(&self.got).into_iter().filter(|(path, _)| !is_called(path, PART)).collect();
        let mut over = held.iter().map(|(_, len)| len).sum::<u64>().saturating_sub(quota_bytes);
        for (path, len) in held {
            if over == 0 {
                return;
            }
            if std::fs::remove_file(&path).is_ok() {
                over = over.saturating_sub(len);
                self.forget_rooms(&path);
            }
        }
    }

    /// Of a copy that is gone.
    fn forget_rooms(&self, gone: &Path) {
        if let Some(blob) = blob_of(gone).filter(|blob| self.find(blob).is_none()) {
            _ = std::fs::remove_dir_all(self.rooms.join(name(&blob)));
        }
    }

    /// Bytes that are free where sealed files lie.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        make(&self.got).ok()?;
        let stat = rustix::fs::statvfs(&self.got).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::Write;

    use super::*;

    const ROOM: RoomId = RoomId([5; 32]);

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("blobs"));
        (dir, shelf)
    }

    fn got(shelf: &Shelf, number: u8, len: usize) -> BodyHash {
        let (entry, blob) = (EntryId([number; 32]), BodyHash([number; 32]));
        let mut part = shelf.part(&entry).unwrap();
        part.write_all(&vec![number; len]).unwrap();
        shelf.hold_for(&blob, &ROOM).unwrap();
        shelf.keep_got(&part, &entry, &blob).unwrap();
        blob
    }

    #[test]
    fn what_is_being_sealed_is_held_from_its_announcement_on() {
        let (_dir, shelf) = shelf();
        let blob = BodyHash([7; 32]);
        let mut sealed = shelf.begin_own().unwrap();
        sealed.write_all(b"sealed").unwrap();
        assert_eq!(shelf.find(&blob), None);
        shelf.keep_new(sealed, &blob).unwrap();
        assert_eq!(shelf.undecided(), [blob]);
        shelf.announced(&blob).unwrap();
        assert_eq!(shelf.without_room(), [blob]);
        shelf.hold_for(&blob, &ROOM).unwrap();
        assert_eq!(shelf.without_room(), []);
        assert!(shelf.is_held_for(&blob, &ROOM) && !shelf.is_held_for(&blob, &RoomId([6; 32])));
        assert_eq!((shelf.undecided(), shelf.own_bytes()), (Vec::new(), 6));
        assert!(shelf.find(&blob).is_some());
    }

    #[test]
    fn what_a_killed_node_was_sealing_goes_and_nothing_else() {
        let (_dir, shelf) = shelf();
        let (_, left) = shelf.begin_own().unwrap().keep().unwrap();
        let kept = BodyHash([8; 32]);
        shelf.keep_new(shelf.begin_own().unwrap(), &kept).unwrap();
        shelf.tidy();
        assert!(!left.exists());
        assert_eq!(shelf.undecided(), [kept]);
        shelf.forget_new(&kept);
        assert_eq!(shelf.find(&kept), None);
    }

    #[test]
    fn a_sealed_copy_that_was_put_in_the_place_of_what_came_is_not_held() {
        let (_dir, shelf) = shelf();
        let (entry, blob) = (EntryId([3; 32]), BodyHash([4; 32]));
        let part = shelf.part(&entry).unwrap();
        let other = shelf.got.join("other");
        std::fs::write(&other, b"something else").unwrap();
        std::fs::rename(other, shelf.part_path(&entry)).unwrap();
        assert!(shelf.keep_got(&part, &entry, &blob).is_err());
        assert_eq!(shelf.find(&blob), None);
    }

    #[test]
    fn what_has_come_of_a_file_is_written_to_by_one_fetch_alone() {
        let (_dir, shelf) = shelf();
        let entry = EntryId([3; 32]);
        let part = shelf.part(&entry).unwrap();
        assert_eq!(shelf.part(&entry).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(part);
        shelf.part(&entry).unwrap();
    }

    #[test]
    fn the_oldest_part_that_nobody_writes_to_gives_way() {
        let (_dir, shelf) = shelf();
        let entries: Vec<_> = (0..MAX_PARTS as u8).map(|n| EntryId([n; 32])).collect();
        let mut parts: Vec<_> = entries.iter().map(|entry| shelf.part(entry).unwrap()).collect();
        for (age, part) in parts.iter().rev().enumerate() {
            let written = std::time::SystemTime::now() - std::time::Duration::from_secs(60 * age as u64);
            part.set_modified(written).unwrap();
        }
        parts.truncate(1);
        shelf.part(&EntryId([99; 32])).unwrap();
        let left: Vec<_> = entries.iter().map(|entry| shelf.part_path(entry).exists()).collect();
        assert_eq!((&left[..2], left[2..].contains(&false)), (&[true, false][..], false));
    }

    #[test]
    fn the_oldest_copies_of_what_was_fetched_give_way() {
        let (_dir, shelf) = shelf();
        let (first, second) = (got(&shelf, 1, 100), got(&shelf, 2, 100));
        let older = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        File::options().write(true).open(shelf.find(&first).unwrap()).unwrap().set_modified(older).unwrap();
        shelf.make_room(150);
        assert_eq!((shelf.find(&first), shelf.find(&second).is_some()), (None, true));
        assert!(!shelf.is_held_for(&first, &ROOM) && shelf.is_held_for(&second, &ROOM));
    }
}
