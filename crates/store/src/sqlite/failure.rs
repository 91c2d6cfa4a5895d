//! What SQLite and the operating system say, in the store's own words. Must not hide what it does not understand.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::StoreError;

/// With less than this left, an error that names no reason is put down to the full disk: SQLite needs this much to
/// write anything.
const MIN_FREE_BYTES: u64 = 64 * 1024;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::ConstraintViolation) => StoreError::Impossible(text),
            Some(_) => StoreError::Io(text),
            None => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => StoreError::Corrupt(text),
                _ => StoreError::Io(text),
            },
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
            _ => StoreError::Io(error.to_string()),
        }
    }
}

/// SQLite often says only that it could not write or open a file: the place of the store tells why.
pub(super) fn explain(path: &Path, error: StoreError) -> StoreError {
    let StoreError::Io(_) = error else { return error };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let is_full = rustix::fs::statvfs(directory)
        .is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < MIN_FREE_BYTES);
    let is_read_only = matches!(
        rustix::fs::access(directory, rustix::fs::Access::WRITE_OK),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::ROFS | rustix::io::Errno::PERM)
    );
    match (is_read_only, is_full) {
        (true, _) => StoreError::ReadOnly,
        (false, true) => StoreError::Full,
        (false, false) => error,
    }
}
