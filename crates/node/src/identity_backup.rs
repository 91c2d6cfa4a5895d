//! The identity's secret in a file for safe keeping, under a passphrase, and back from there. The format is age's;
//! what is inside is the text of `identity.key`, so that other programs can open it too. Must not ask anybody
//! anything, and never replaces a file.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, scrypt};
use parlor_api::ApiError;
use parlor_api::paths::Home;
use parlor_wire::PeerId;
use zeroize::Zeroizing;

use crate::home_dir;
use crate::identity_file::{self, IdentityError, IdentityFile};
use crate::lock::HomeLock;
use crate::start::StartError;

/// What each guess at a passphrase costs: 256 MiB, and about a second of a laptop. Always the same, so that a small
/// machine can open what a large one has made.
const WORK_LOG_N: u8 = 18;
/// What a file may ask for at most: 1 GiB.
const MOST_WORK_LOG_N: u8 = 20;
const MAX_BACKUP_BYTES: u64 = 64 * 1024;
const MAX_SECRET_BYTES: u64 = 4096;

/// Why there is no backup, or no identity from it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nobody to make a backup of.
    #[error("there is no identity in {}", .0.display())]
    Nobody(PathBuf),
    /// There is somebody already where one was to be restored.
    #[error("the home {} has an identity already, which is never replaced", .0.display())]
    Somebody(PathBuf),
    /// The file to write is there.
    #[error("{} is there already, and was left as it is", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("{} cannot be {what}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else, or not all of it.
    #[error("{} is no whole backup of an identity", .0.display())]
    NotABackup(PathBuf),
    /// The file asks for more work than is ever put into one.
    #[error("{} asks for more work than a backup of Parlor's does", .0.display())]
    TooMuchWork(PathBuf),
    /// It does not open.
    #[error("this is not the passphrase of {}", .0.display())]
    Passphrase(PathBuf),
    /// It could not be made.
    #[error("the backup could not be made: {0}")]
    Encryption(String),
    /// The home, or the key in it, cannot be used.
    #[error(transparent)]
    Home(#[from] StartError),
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        use parlor_api::ErrorKind as Kind;
        let message = error.to_string();
        let (kind, hint) = match error {
            BackupError::Home(error) => return error.into(),
            BackupError::Nobody(_) => (Kind::NotFound, "name the home with --home or PARLOR_HOME"),
            BackupError::Somebody(_) => {
                (Kind::NotAllowed, "restore into another home: `parlor --home DIR identity restore FILE`")
            }
            BackupError::Exists(_) => (Kind::BadInput, "name another file, or move that one away"),
            BackupError::Io { what: "read", .. } => {
                (Kind::BadInput, "name the file that `identity backup` wrote")
            }
            BackupError::Io { .. } => (Kind::Machine, "name a place that can be written, with some space"),
            BackupError::NotABackup(_) | BackupError::TooMuchWork(_) => {
                (Kind::BadInput, "nothing was restored; use the whole file that `identity backup` wrote")
            }
            BackupError::Passphrase(_) => (Kind::BadInput, "nothing was restored; try again"),
            BackupError::Encryption(_) => (Kind::Internal, "please report it"),
        };
        Self::new(kind, message).hint(hint)
    }
}

/// A backup to be written.
pub struct Backup {
    identity: IdentityFile,
    file: PathBuf,
}

impl Backup {
    /// Of this home's identity, to this file: looks whether it can be, and writes nothing yet.
    pub fn of(home: &Home, file: &Path) -> Result<Self, BackupError> {
        if file.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(file.into()));
        }
        match identity_file::read(&home.identity()) {
            Ok(identity) => Ok(Self { identity, file: file.into() }),
            Err(IdentityError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Err(BackupError::Nobody(home.dir().into()))
            }
            Err(error) => Err(StartError::from(error).into()),
        }
    }

    /// Writes it, durably and whole or not at all.
    pub fn write(self, passphrase: Zeroizing<String>) -> Result<PeerId, BackupError> {
        let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.as_str()));
        recipient.set_work_factor(WORK_LOG_N);
        let text = identity_file::text_of(&self.identity.secret);
        let sealed = age::encrypt_and_armor(&recipient, text.as_bytes())
            .map_err(|error| BackupError::Encryption(error.to_string()))?;
        let path = self.file;
        match identity_file::place(&path, sealed.as_bytes()) {
            Ok(()) => Ok(self.identity.peer),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(BackupError::Exists(path)),
            Err(source) => Err(BackupError::Io { path, what: "written", source }),
        }
    }
}

/// A backup to be opened.
pub struct Restore {
    home: Home,
    file: PathBuf,
    sealed: Vec<u8>,
}

/// Who was restored.
#[derive(Debug)]
pub struct Restored {
    /// The identity.
    pub peer: PeerId,
    /// Whether the home held a store already, of an identity whose key was gone.
    pub has_store: bool,
}

impl Restore {
    /// From this file into this home: looks whether it can be, and writes nothing yet.
    pub fn of(home: &Home, file: &Path) -> Result<Self, BackupError> {
        refuse_somebody(home)?;
        let io = |source| BackupError::Io { path: file.into(), what: "read", source };
        let mut sealed = Vec::new();
        let opened = std::fs::File::open(file).map_err(io)?;
        opened.take(MAX_BACKUP_BYTES + 1).read_to_end(&mut sealed).map_err(io)?;
        let restore = Self { home: home.clone(), file: file.into(), sealed };
        restore.decryptor()?;
        Ok(restore)
    }

    fn decryptor(&self) -> Result<Decryptor<impl Read>, BackupError> {
        let none = || BackupError::NotABackup(self.file.clone());
        if self.sealed.len() as u64 > MAX_BACKUP_BYTES {
            return Err(none());
        }
        let decryptor = Decryptor::new(ArmoredReader::new(self.sealed.as_slice())).map_err(|_| none())?;
        if decryptor.is_scrypt() { Ok(decryptor) } else { Err(none()) }
    }

    /// Opens it, and makes whom it holds the identity of the home.
    pub fn write(self, passphrase: Zeroizing<String>) -> Result<Restored, BackupError> {
        let text = self.open(&passphrase)?;
        let text = std::str::from_utf8(&text).map_err(|_| BackupError::NotABackup(self.file.clone()))?;
        let (secret, peer) =
            identity_file::parse(text).map_err(|_| BackupError::NotABackup(self.file.clone()))?;
        home_dir::prepare(self.home.dir()).map_err(StartError::from)?;
        let lock = HomeLock::take(&self.home.lock()).map_err(StartError::from)?;
        let path = self.home.identity();
        let placed = identity_file::place(&path, identity_file::text_of(&secret).as_bytes());
        drop(lock);
        match placed {
            Ok(()) => Ok(Restored { peer, has_store: self.home.store().exists() }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(BackupError::Somebody(self.home.dir().into()))
            }
            Err(source) => Err(BackupError::Io { path, what: "written", source }),
        }
    }

    fn open(&self, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let mut identity = scrypt::Identity::new(SecretString::from(passphrase));
        identity.set_max_work_factor(MOST_WORK_LOG_N);
        let identities = std::iter::once(&identity as &dyn age::Identity);
        let opened = self.decryptor()?.decrypt(identities).map_err(|error| match error {
            DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed
            | DecryptError::NoMatchingKeys => BackupError::Passphrase(self.file.clone()),
            DecryptError::ExcessiveWork { .. } => BackupError::TooMuchWork(self.file.clone()),
            _ => BackupError::NotABackup(self.file.clone()),
        })?;
        // Held whole at once, so that it is not copied about while it grows.
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES as usize));
        let read = opened.take(MAX_SECRET_BYTES).read_to_end(&mut text);
        read.map(|_| text).map_err(|_| BackupError::NotABackup(self.file.clone()))
    }
}

fn refuse_somebody(home: &Home) -> Result<(), BackupError> {
    if home.identity().symlink_metadata().is_ok() {
        return Err(BackupError::Somebody(home.dir().into()));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn what_is_no_whole_backup_restores_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (home, other) = (Home::at(dir.path().join("a")), Home::at(dir.path().join("b")));
        std::fs::create_dir(home.dir()).unwrap();
        identity_file::read_or_make(&home.identity(), false).unwrap();
        let file = dir.path().join("backup");
        Backup::of(&home, &file).unwrap().write(passphrase("a long passphrase")).unwrap();
        let good = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        let middle = lines[lines.len() / 2];
        let turned: String = middle.chars().rev().collect();
        for (what, bad) in [
            ("nothing", String::new()),
            ("words", "hello".to_owned()),
            ("half", good[..good.len() / 2].to_owned()),
            ("changed", good.replace(middle, &turned)),
            ("endless", "x".repeat(100_000)),
            ("the key itself", std::fs::read_to_string(home.identity()).unwrap()),
        ] {
            std::fs::write(&file, bad).unwrap();
            let restored =
                Restore::of(&other, &file).and_then(|restore| restore.write(passphrase("a long passphrase")));
            assert!(
                matches!(restored, Err(BackupError::NotABackup(_) | BackupError::Passphrase(_))),
                "{what}"
            );
            assert!(!other.dir().exists(), "{what}");
        }
        std::fs::write(
            &file,
            age::encrypt_and_armor(&cheap("a long passphrase"), b"secret of a bank").unwrap(),
        )
        .unwrap();
        let restored = Restore::of(&other, &file).unwrap().write(passphrase("a long passphrase"));
        assert!(matches!(restored, Err(BackupError::NotABackup(_))), "{restored:?}");
    }

    fn cheap(passphrase: &str) -> scrypt::Recipient {
        let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase));
        recipient.set_work_factor(2);
        recipient
    }

    #[test]
    fn a_file_that_asks_for_too_much_work_is_refused_before_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backup");
        // The work is named in the header, in clear.
        let mut sealed = age::encrypt(&cheap("p"), b"x").unwrap();
        let at = sealed.windows(3).position(|bytes| bytes == b" 2\n").unwrap();
        sealed.splice(at..at + 3, b" 30\n".iter().copied());
        std::fs::write(&file, sealed).unwrap();
        let restored = Restore::of(&Home::at(dir.path().join("b")), &file).unwrap().write(passphrase("p"));
        assert!(matches!(restored, Err(BackupError::TooMuchWork(_))), "{restored:?}");
    }
}
