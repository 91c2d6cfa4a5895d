//! Sealing a file on its way out, chunk by chunk, looking for secrets in the same pass. Holds one chunk and the one after it;
//! leaves nothing behind where it fails.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;

use parlor_core::crypto::{FileKey, Stream};
use parlor_wire::file::BlobNamer;
use parlor_wire::ids::BodyHash;
use parlor_wire::limits::{FILE_CHUNK_BYTES, MAX_FILE_BYTES};
use tokio_util::sync::CancellationToken;

use super::secrets::{Finding, Scanner};
use super::shelf::{OWN_QUOTA_BYTES, Shelf};

/// A file that is sealed and waits for its announcement.
pub(crate) struct Sealing {
    pub blob: BodyHash,
    pub key: FileKey,
    pub length: u64,
}

/// Why a file was not sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("{0}")]
    Secret(Finding),
    #[error("the file is longer than 64 GiB, and no file may be")]
    TooLong,
    #[error("the files dropped from here have 128 GiB already")]
    Quota,
    #[error("this machine gave no random bytes")]
    Randomness,
    #[error("somebody wrote to the file while it was read, or it is longer or shorter than it says")]
    Changed,
    #[error("the file could not be read: {0}")]
    Read(io::Error),
    #[error("the sealed file could not be written: {0}")]
    Write(io::Error),
    #[error("it was stopped")]
    Stopped,
}

/// Seals all of a file. `scan`: whether it is looked through for secrets; `tell` hears how far it is.
pub(crate) fn seal(
    mut file: File,
    shelf: &Shelf,
    scan: bool,
    stop: &CancellationToken,
    tell: impl Fn(u64),
) -> Result<Sealing, SealError> {
    let before = file.metadata().map_err(SealError::Read)?;
    let expected = before.len();
    if expected > MAX_FILE_BYTES {
        return Err(SealError::TooLong);
    }
    if shelf.own_bytes().saturating_add(expected) > OWN_QUOTA_BYTES {
        return Err(SealError::Quota);
    }
    let key = new_key()?;
    let mut out = shelf.begin_own().map_err(SealError::Write)?;
    let mut stream = Stream::new(&key).map_err(|_| SealError::TooLong)?;
    let (mut namer, mut scanner) = (BlobNamer::default(), scan.then(Scanner::default));
    let (mut length, mut chunk) = (0, read_chunk(&mut file)?);
    loop {
        if stop.is_cancelled() {
            return Err(SealError::Stopped);
        }
        length += chunk.len() as u64;
        if length > MAX_FILE_BYTES {
            return Err(SealError::TooLong);
        }
        let next = if chunk.len() < FILE_CHUNK_BYTES { Vec::new() } else { read_chunk(&mut file)? };
        let is_last = next.is_empty();
        if let Some(finding) = scanner.as_mut().and_then(|scanner| scanner.feed(&chunk)) {
            return Err(SealError::Secret(finding));
        }
        stream.seal(&mut chunk, is_last).map_err(|_| SealError::TooLong)?;
        namer.update(&chunk);
        out.write_all(&chunk).map_err(SealError::Write)?;
        tell(length);
        if is_last {
            break;
        }
        chunk = next;
    }
    let after = file.metadata().map_err(SealError::Read)?;
    // Nothing but writing changes these: a rename or another name of it does not.
    let version = |file: &Metadata| (file.len(), file.mtime(), file.mtime_nsec());
    if length != expected || version(&before) != version(&after) {
        return Err(SealError::Changed);
    }
    let blob = namer.name();
    shelf.keep_new(out, &blob).map_err(SealError::Write)?;
    Ok(Sealing { blob, key, length })
}

fn new_key() -> Result<FileKey, SealError> {
    let mut key = FileKey::new([0; 32]);
    getrandom::fill(&mut key[..]).map_err(|_| SealError::Randomness)?;
    Ok(key)
}

/// As much as a chunk holds; less only at the end of the file.
fn read_chunk(file: &mut File) -> Result<Vec<u8>, SealError> {
    let mut chunk = Vec::with_capacity(FILE_CHUNK_BYTES + parlor_wire::file::TAG_BYTES);
    file.take(FILE_CHUNK_BYTES as u64).read_to_end(&mut chunk).map_err(SealError::Read)?;
    Ok(chunk)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::FileExt;

    use parlor_wire::file;

    use super::*;

    fn sealed(content: &[u8]) -> (tempfile::TempDir, Shelf, Result<Sealing, SealError>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        let shelf = Shelf::at(dir.path().join("blobs"));
        let done = seal(File::open(path).unwrap(), &shelf, true, &CancellationToken::new(), |_| ());
        (dir, shelf, done)
    }

    #[test]
    fn what_is_sealed_is_named_and_as_long_as_was_said() {
        for len in [0, 1, FILE_CHUNK_BYTES - 1, FILE_CHUNK_BYTES, FILE_CHUNK_BYTES + 1, 3 * FILE_CHUNK_BYTES]
        {
            let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let (_dir, shelf, done) = sealed(&content);
            let done = done.unwrap();
            let bytes = std::fs::read(shelf.find(&done.blob).unwrap()).unwrap();
            assert_eq!((done.length, bytes.len() as u64), (len as u64, file::sealed_len(len as u64)));
            let mut namer = BlobNamer::default();
            namer.update(&bytes);
            assert_eq!(namer.name(), done.blob);
            let (mut stream, mut plain) = (Stream::new(&done.key).unwrap(), Vec::new());
            let count = file::chunks(done.length);
            for (at, sealed) in bytes.chunks(file::SEALED_CHUNK_BYTES).enumerate() {
                let mut chunk = sealed.to_vec();
                stream.open(&mut chunk, at as u64 + 1 == count).unwrap();
                plain.extend(chunk);
            }
            assert_eq!(plain, content, "{len}");
        }
    }

    #[test]
    fn a_file_that_is_changed_while_it_is_read_is_not_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let shelf = Shelf::at(dir.path().join("blobs"));
        let changes: [&dyn Fn(&File); 3] = [
            &|file| file.write_at(b"B", 0).map(drop).unwrap(),
            &|file| file.set_len(FILE_CHUNK_BYTES as u64).unwrap(),
            &|file| file.write_at(b"more", 3 * FILE_CHUNK_BYTES as u64).map(drop).unwrap(),
        ];
        for change in changes {
            std::fs::write(&path, vec![b'A'; 3 * FILE_CHUNK_BYTES]).unwrap();
            let other = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            // Some file systems' clocks stand still for milliseconds.
            other.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            let file = File::open(&path).unwrap();
            let done = seal(file, &shelf, false, &CancellationToken::new(), |_| change(&other));
            assert!(matches!(done, Err(SealError::Changed)));
            assert_eq!(shelf.own_bytes(), 0);
        }
    }

    #[test]
    fn a_file_with_a_secret_in_it_leaves_nothing_behind() {
        let secret = [
            "-----BEGIN RSA PRIVATE",
            " KEY-----\n",
            &"MIIEow".repeat(40),
            "\n-----END RSA PRIVATE",
            " KEY-----\n",
        ];
        let (dir, shelf, done) = sealed(["first line\n", &secret.concat()].concat().as_bytes());
        let Err(SealError::Secret(finding)) = done else { panic!("it was sealed") };
        assert_eq!((finding.rule.as_str(), finding.line), ("private-key", 2));
        assert!(!finding.to_string().contains("MII"), "{finding}");
        assert_eq!(shelf.own_bytes(), 0);
        drop(dir);
    }
}
