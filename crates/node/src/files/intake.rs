//! Takes in the chunks of one file: each is authenticated as it comes, kept sealed for whoever asks next and written out in
//! the same pass. What was taken in before a break is read again first. Blocking; must not reach a network.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use parlor_core::crypto::Stream;
use parlor_wire::file::{self, BlobNamer, SEALED_CHUNK_BYTES, TAG_BYTES};
use tempfile::NamedTempFile;

use super::{Shelf, Wanted, place};

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

/// A file that is coming.
pub(super) struct Intake {
    length: u64,
    /// None where the sealed file is held already.
    part: Option<File>,
    plain: NamedTempFile,
    stream: Stream,
    namer: BlobNamer,
    chunk: Vec<u8>,
}

impl Intake {
    /// Goes on from what has come before, or from a sealed file that is held.
    pub(super) fn begin(shelf: &Shelf, dir: &Path, wanted: &Wanted, held: Option<&Path>) -> io::Result<Self> {
        let stream = Stream::new(&wanted.file.key).map_err(|_| io::Error::other("a key that is none"))?;
        let mut intake = Self {
            length: wanted.file.length,
            part: None,
            plain: place::begin(dir)?,
            stream,
            namer: BlobNamer::default(),
            chunk: Vec::with_capacity(SEALED_CHUNK_BYTES),
        };
        if let Some(held) = held {
            intake.replay(&mut File::open(held)?)?;
            return Ok(intake);
        }
        let mut part = shelf.part(&wanted.file.blob)?;
        let kept = intake.replay(&mut part)?;
        // From the last whole chunk on; what lies behind it came incomplete or not at all.
        part.set_len(kept)?;
        part.seek(SeekFrom::Start(kept))?;
        intake.part = Some(part);
        Ok(intake)
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

    /// Takes in the next chunk.
    pub(super) fn feed(&mut self, sealed: &[u8]) -> Result<(), Refused> {
        self.open(sealed)?;
        if let Some(part) = &mut self.part {
            part.write_all(sealed)?;
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
    pub(super) fn finish(self, wanted: &Wanted) -> Option<NamedTempFile> {
        (self.is_whole() && self.namer.name() == wanted.file.blob).then_some(self.plain)
    }
}
