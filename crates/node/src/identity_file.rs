//! `identity.key`: the identity's secret, as text, for its owner only. Made once and never replaced: whoever
//! has it is this identity, and nobody else can be.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parlor_core::identity::Identity;
use parlor_wire::PeerId;
use parlor_wire::ids::base32;
use zeroize::Zeroizing;

const HEAD: &str = "# The secret key of a Parlor identity. Whoever has it is this identity: keep it, and keep it to yourself.";
const SECRET: &str = "secret ";
const PEER: &str = "peer ";
const MAX_BYTES: usize = 4096;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or made.
    #[error("{} cannot be {what}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what was written.
    #[error("{} is damaged ({why}); it was left as it is", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The file is gone, and the store of the identity is there.
    #[error("{} is missing, and the store beside it is of the identity it held", .0.display())]
    Missing(PathBuf),
    /// The operating system gives no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(getrandom::Error),
}

/// The secret, and whether others could read its file until now.
pub(crate) struct IdentityFile {
    pub secret: Zeroizing<[u8; 32]>,
    pub peer: PeerId,
    pub was_open_to_others: bool,
}

/// The identity of this home, made if there is none. A home that has a store had an identity: then a new one is
/// not made in its place, for it would be a stranger in all of its rooms.
pub(crate) fn read_or_make(path: &Path, has_store: bool) -> Result<IdentityFile, IdentityError> {
    match read(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && has_store => {
            Err(IdentityError::Missing(path.into()))
        }
        Err(IdentityError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            make(path)?;
            read(path)
        }
        result => result,
    }
}

/// The identity of this home; none is made.
pub(crate) fn read(path: &Path) -> Result<IdentityFile, IdentityError> {
    let io = |source| IdentityError::Io { path: path.into(), what: "read", source };
    let damaged = |why| IdentityError::Damaged { path: path.into(), why };
    let metadata = std::fs::metadata(path).map_err(io)?;
    if metadata.len() > MAX_BYTES as u64 {
        return Err(damaged("it is too long"));
    }
    let was_open_to_others = metadata.permissions().mode() & 0o077 != 0;
    if was_open_to_others {
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
    }
    let text = Zeroizing::new(std::fs::read(path).map_err(io)?);
    let text = std::str::from_utf8(&text).map_err(|_| damaged("it is not text"))?;
    let (secret, peer) = parse(text).map_err(damaged)?;
    Ok(IdentityFile { secret, peer, was_open_to_others })
}

/// The secret in the text of such a file, checked against the peer beside it.
pub(crate) fn parse(text: &str) -> Result<(Zeroizing<[u8; 32]>, PeerId), &'static str> {
    let line = |head: &str| text.lines().find_map(|line| line.strip_prefix(head)).map(str::trim);
    let secret = line(SECRET).ok_or("its secret is missing")?;
    let bytes = base32().decode(secret.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| "its secret is mistyped")?;
    let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| "its secret is cut short")?;
    let secret = Zeroizing::new(secret);
    let peer = peer_of(&secret);
    // The public name beside it is its checksum: a wrong key would be somebody else.
    if line(PEER).and_then(|text| text.parse().ok()) != Some(peer) {
        return Err("its secret does not belong to the peer named beside it");
    }
    Ok((secret, peer))
}

fn peer_of(secret: &[u8; 32]) -> PeerId {
    Identity::new(secret, Zeroizing::new([0; 32])).peer()
}

/// Makes a new one, unless somebody was faster.
fn make(path: &Path) -> Result<(), IdentityError> {
    let io = |source| IdentityError::Io { path: path.into(), what: "written", source };
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(IdentityError::Randomness)?;
    match place(path, text_of(&secret).as_bytes()) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io(error)),
        _ => Ok(()),
    }
}

/// The text of such a file.
pub(crate) fn text_of(secret: &[u8; 32]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(base32().encode(secret));
    Zeroizing::new(format!("{HEAD}\n{SECRET}{}\n{PEER}{}\n", *encoded, peer_of(secret)))
}

/// Writes a file for its owner only, durably and whole, or not at all where there is one already.
pub(crate) fn place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_only_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let made = read_or_make(&path, false).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = read_or_make(&path, true).unwrap();
        assert_eq!((made.peer, *made.secret), (again.peer, *again.secret));
        assert!(!made.was_open_to_others);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn one_that_others_can_read_is_closed_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        read_or_make(&path, false).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(read_or_make(&path, false).unwrap().was_open_to_others);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_one_is_refused_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        read_or_make(&path, false).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        let secret = good.lines().find_map(|line| line.strip_prefix("secret ")).unwrap();
        let other = if secret.starts_with('a') { "b" } else { "a" };
        for bad in [
            String::new(),
            "hello".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replace(secret, &format!("{other}{}", &secret[1..])),
            good.replace("peer p", "peer q"),
            "x".repeat(10_000),
        ] {
            std::fs::write(&path, &bad).unwrap();
            let error = read_or_make(&path, false).err().unwrap();
            assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
            assert!(!error.to_string().contains(secret), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(matches!(read_or_make(&path, false), Err(IdentityError::Damaged { .. })));
    }

    #[test]
    fn a_store_without_its_key_is_refused_and_no_stranger_made_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        assert!(matches!(read_or_make(&path, true), Err(IdentityError::Missing(_))));
        assert!(!path.exists());
    }
}
