//! Takes in the chunks of one file: each is authenticated as it comes, written out, and kept sealed for whoever asks next,
//! which is done beside: most of the work is writing. What was taken in before a break is read again first. Blocking; must
//! not reach a network.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use parlor_core::crypto::Stream;
use parlor_wire::file::{self, BlobNamer, SEALED_CHUNK_BYTES, TAG_BYTES};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::{Shelf, Wanted, place};

/// Chunks that wait to be opened, and again to be kept: half a megabyte each, which stays in the caches of a core.
pub(super) const QUEUED_CHUNKS: usize = 8;

/// Why a chunk was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It is not what was sealed.
    #[error("it does not open")]
    Altered,
    /// This machine could not write it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file that has come.
pub(super) struct Whole {
    pub plain: NamedTempFile,
    /// Its sealed copy. Nobody else writes to it for as long as this is held.
    pub part: Option<File>,
}

/// A file that is coming.
pub(super) struct Intake {
    length: u64,
    /// None where the sealed file is held already, and where writing to it failed: it may lack a chunk that was opened.
    part: Option<File>,
    plain: NamedTempFile,
    stream: Stream,
    namer: BlobNamer,
    chunk: Vec<u8>,
}

impl Intake {
    /// Of a sealed file that is held, or else from what has come before on. A held one that does not open to its end is not
    /// used: it is damaged, or announced here with another key.
    pub(super) fn begin(shelf: &Shelf, dir: &Path, wanted: &Wanted) -> io::Result<Self> {
        if let Some(held) = shelf.find(&wanted.file.blob) {
            let mut intake = Self::new(dir, wanted)?;
            intake.replay(&mut File::open(held)?)?;
            if intake.is_whole() {
                return Ok(intake);
            }
        }
        let mut part = shelf.part(&wanted.entry)?;
        let mut intake = Self::new(dir, wanted)?;
        let kept = intake.replay(&mut part)?;
        // From the last whole chunk on; what lies behind it came incomplete or not at all.
        part.set_len(kept)?;
        part.seek(SeekFrom::Start(kept))?;
        intake.part = Some(part);
        Ok(intake)
    }

    fn new(dir: &Path, wanted: &Wanted) -> io::Result<Self> {
        Ok(Self {
            length: wanted.file.length,
            part: None,
            plain: place::begin(dir)?,
            stream: Stream::new(&wanted.file.key).map_err(|_| io::Error::other("a key that is none"))?,
            namer: BlobNamer::default(),
            chunk: Vec::with_capacity(SEALED_CHUNK_BYTES),
        })
    }

    /// Reads chunks from a file for as long as they are whole; how many sealed bytes they have.
    fn replay(&mut self, from: &mut File) -> io::Result<u64> {
        let (mut kept, mut sealed) = (0, Vec::with_capacity(SEALED_CHUNK_BYTES));
        while !self.is_whole() {
            let len = self.next_len();
            sealed.clear();
            Read::by_ref(from).take(len as u64).read_to_end(&mut sealed)?;
            match self.open(&sealed) {
                _ if sealed.len() < len => break,
                Ok(()) => kept += len as u64,
                Err(Refused::Altered) => break,
                Err(Refused::Io(error)) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// Takes in chunks as they come, until no more do; `tell` hears how many bytes of the file are here. What opened
    /// before one that does not is kept.
    pub(super) fn take_in(
        &mut self,
        chunks: mpsc::Receiver<Vec<u8>>,
        tell: impl Fn(u64),
    ) -> Result<(), Refused> {
        // Without it nothing is taken in that could not be kept.
        let Some(mut part) = self.part.take() else { return Ok(()) };
        let (kept, taken) = thread::scope(|scope| {
            let (queue, opened) = sync_channel(QUEUED_CHUNKS);
            let keeping = thread::Builder::new()
                .name("keeps a file".into())
                .spawn_scoped(scope, || keep(&mut part, opened))?;
            // The queue ends with this, and with it the other thread.
            let taken = self.open_all(chunks, queue, tell);
            let kept = keeping.join().unwrap_or_else(|_| Err(io::Error::other("keeping a file broke")));
            Ok::<_, io::Error>((kept, taken))
        })?;
        kept?;
        self.part = Some(part);
        taken
    }

    /// Opens chunks and hands them on, until no more come or nobody takes them.
    fn open_all(
        &mut self,
        mut chunks: mpsc::Receiver<Vec<u8>>,
        opened: SyncSender<Vec<u8>>,
        tell: impl Fn(u64),
    ) -> Result<(), Refused> {
        while let Some(sealed) = chunks.blocking_recv() {
            self.open(&sealed)?;
            if opened.send(sealed).is_err() {
                break;
            }
            tell(self.done());
        }
        Ok(())
    }

    fn open(&mut self, sealed: &[u8]) -> Result<(), Refused> {
        if sealed.len() != self.next_len() {
            return Err(Refused::Altered);
        }
        self.chunk.clear();
        self.chunk.extend_from_slice(sealed);
        let is_last = self.next_chunk() + 1 == file::chunks(self.length);
        self.stream.open(&mut self.chunk, is_last).map_err(|_| Refused::Altered)?;
        self.namer.update(sealed);
        self.plain.write_all(&self.chunk)?;
        Ok(())
    }

    /// The number of the chunk that is taken in next.
    pub(super) fn next_chunk(&self) -> u64 {
        self.stream.next()
    }

    /// How long it is.
    pub(super) fn next_len(&self) -> usize {
        file::chunk_len(self.length, self.next_chunk()) + TAG_BYTES
    }

    /// How many chunks are still to come.
    pub(super) fn left(&self) -> u64 {
        file::chunks(self.length).saturating_sub(self.next_chunk())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.left() == 0
    }

    /// Bytes of the file that are here.
    pub(super) fn done(&self) -> u64 {
        self.length.min(self.next_chunk().saturating_mul(parlor_wire::limits::FILE_CHUNK_BYTES as u64))
    }

    /// The whole file, if it is the one that was announced.
    pub(super) fn finish(self, wanted: &Wanted) -> Option<Whole> {
        let is_it = self.is_whole() && self.namer.name() == wanted.file.blob;
        is_it.then_some(Whole { plain: self.plain, part: self.part })
    }
}

/// Writes what was opened behind what is there already.
fn keep(part: &mut File, opened: Receiver<Vec<u8>>) -> io::Result<()> {
    opened.iter().try_for_each(|sealed| part.write_all(&sealed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_core::crypto::FileKey;
    use parlor_core::engine::api::FileView;
    use parlor_core::text::{Mode, clean};
    use parlor_wire::ids::BodyHash;
    use parlor_wire::{EntryId, PeerId, RoomId};
    use tokio_util::sync::CancellationToken;

    use super::super::seal::seal;
    use super::*;

    fn wanted(entry: u8, blob: BodyHash, key: &FileKey, length: u64) -> Wanted {
        let file = FileView {
            name: clean("plan", Mode::Line { limit_chars: 99 }),
            disk_name: "plan".into(),
            length,
            blob,
            key: key.clone(),
            path: None,
        };
        Wanted { room: RoomId([1; 32]), entry: EntryId([entry; 32]), peer: PeerId([2; 32]), file }
    }

    /// What a source that gives these bytes gives.
    fn chunks(bytes: &[u8]) -> mpsc::Receiver<Vec<u8>> {
        let (queue, chunks) = mpsc::channel(QUEUED_CHUNKS);
        bytes.chunks(SEALED_CHUNK_BYTES).for_each(|chunk| queue.blocking_send(chunk.to_vec()).unwrap());
        chunks
    }

    /// A file of 200,000 bytes as it is announced, its sealed bytes, and where it is to be held.
    fn announced(dir: &Path) -> (Wanted, Vec<u8>, Shelf) {
        let path = dir.join("plan");
        std::fs::write(&path, vec![7; 200_000]).unwrap();
        let from = Shelf::at(dir.join("from"));
        let sealed =
            seal(File::open(path).unwrap(), &from, false, &CancellationToken::new(), |_| ()).unwrap();
        let bytes = std::fs::read(from.find(&sealed.blob).unwrap()).unwrap();
        (wanted(1, sealed.blob, &sealed.key, sealed.length), bytes, Shelf::at(dir.join("to")))
    }

    #[test]
    fn what_opened_before_a_chunk_that_does_not_is_kept_and_gone_on_from() {
        let dir = tempfile::tempdir().unwrap();
        let (wanted, bytes, to) = announced(dir.path());
        let mut altered = bytes.clone();
        altered[2 * SEALED_CHUNK_BYTES] ^= 1;
        let mut intake = Intake::begin(&to, dir.path(), &wanted).unwrap();
        assert!(matches!(intake.take_in(chunks(&altered), |_| ()), Err(Refused::Altered)));
        assert_eq!(intake.next_chunk(), 2);
        drop(intake);
        let mut again = Intake::begin(&to, dir.path(), &wanted).unwrap();
        assert_eq!(again.next_chunk(), 2);
        let told = std::cell::RefCell::new(Vec::new());
        let rest = chunks(&bytes[2 * SEALED_CHUNK_BYTES..]);
        again.take_in(rest, |done| told.borrow_mut().push(done)).unwrap();
        assert_eq!(told.into_inner(), [3 * 65_536, 200_000]);
        let whole = again.finish(&wanted).unwrap();
        assert_eq!(std::fs::read(whole.plain.path()).unwrap(), vec![7; 200_000]);
    }

    #[test]
    fn a_sealed_copy_that_cannot_be_written_ends_the_fetch() {
        let dir = tempfile::tempdir().unwrap();
        let (wanted, bytes, to) = announced(dir.path());
        let mut intake = Intake::begin(&to, dir.path(), &wanted).unwrap();
        // Opened to be read alone: writing to it fails as on a disk that is full.
        intake.part = Some(File::open(dir.path().join("plan")).unwrap());
        assert!(matches!(intake.take_in(chunks(&bytes), |_| ()), Err(Refused::Io(_))));
        assert!(intake.part.is_none(), "nothing is kept of which a chunk may lack");
    }

    #[test]
    fn a_held_copy_that_is_damaged_is_fetched_and_kept_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (wanted, bytes, to) = announced(dir.path());
        let blob = wanted.file.blob;
        let fetch = || {
            let mut intake = Intake::begin(&to, dir.path(), &wanted).unwrap();
            intake.take_in(chunks(&bytes), |_| ()).unwrap();
            let whole = intake.finish(&wanted).unwrap();
            to.keep_got(&whole.part.unwrap(), &wanted.entry, &blob).unwrap();
            to.find(&blob).unwrap()
        };
        let held = fetch();
        assert!(Intake::begin(&to, dir.path(), &wanted).unwrap().is_whole());
        // As a machine that lost its power may leave it.
        File::options().write(true).open(&held).unwrap().set_len(SEALED_CHUNK_BYTES as u64 + 7).unwrap();
        assert_eq!(std::fs::read(fetch()).unwrap(), bytes);
    }

    #[test]
    fn a_second_announcement_of_a_file_with_a_wrong_key_or_length_leaves_the_fetch_of_the_first_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (right, bytes, to) = announced(dir.path());
        let mut intake = Intake::begin(&to, dir.path(), &right).unwrap();
        let (first, rest) = bytes.split_at(SEALED_CHUNK_BYTES);
        intake.take_in(chunks(first), |_| ()).unwrap();
        for wrong in [
            wanted(2, right.file.blob, &FileKey::new([9; 32]), right.file.length),
            wanted(3, right.file.blob, &right.file.key, 1 << 36),
        ] {
            drop(Intake::begin(&to, dir.path(), &wrong).unwrap());
            to.forget_part(&wrong.entry);
        }
        intake.take_in(chunks(rest), |_| ()).unwrap();
        let whole = intake.finish(&right).unwrap();
        to.keep_got(&whole.part.unwrap(), &right.entry, &right.file.blob).unwrap();
        assert_eq!(std::fs::read(to.find(&right.file.blob).unwrap()).unwrap(), bytes);
    }
}
