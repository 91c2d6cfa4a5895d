//! The store in one SQLite file: write-ahead log, every commit flushed to the disk. It is the file's only writer;
//! it must not run on a thread that must not wait.

mod ask;
mod codes;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod cost;
mod failure;
mod file;
mod migrate;
mod reading;
mod tally;
mod write;

use std::path::{Path, PathBuf};

use parlor_core::persist::{Loaded, Op, Query, Snapshot};
use rusqlite::{Connection, TransactionBehavior};

use crate::{Store, StoreError, check};
use codes::Names;
pub use reading::{FileCounts, RoomCounts, StoreReader};
use write::Writer;

/// Whether a store that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// It is made.
    Create,
    /// It is an error.
    Existing,
}

/// A store in a file. At most one at a time may be open on a file.
pub struct SqliteStore {
    path: PathBuf,
    conn: Connection,
    names: Names,
    needs_reopen: bool,
}

impl SqliteStore {
    /// Opens the store at `path`, bringing one of an older Parlor up to date after copying it. A file that is not a
    /// store, is damaged, or is from a newer Parlor is refused and left as it is.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        let conn = file::open(path, mode).map_err(|error| failure::explain(path, error))?;
        Ok(Self { path: path.to_owned(), conn, names: Names::default(), needs_reopen: false })
    }

    /// Reads the whole file and says whether it is sound. Takes as long as reading it takes.
    pub fn examine(&mut self) -> Result<(), StoreError> {
        let verdict: Result<String, _> = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        match verdict.map_err(|error| failure::explain(&self.path, error.into()))?.as_str() {
            "ok" => Ok(()),
            found => Err(StoreError::Corrupt(found.to_owned())),
        }
    }

    fn usable(&self) -> Result<(), StoreError> {
        if self.needs_reopen { Err(StoreError::NeedsReopen) } else { Ok(()) }
    }

    /// Does something that writes; when it fails, the store must be reopened.
    fn writing<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.usable()?;
        write(self).map_err(|error| {
            self.needs_reopen = true;
            failure::explain(&self.path, error)
        })
    }
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.usable()?;
        ask::snapshot(&self.conn).map_err(|error| failure::explain(&self.path, error))
    }

    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.writing(|store| {
            if ops.is_empty() {
                return Ok(());
            }
            let transaction = store.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut writer = Writer::new(&transaction, &mut store.names);
            for op in ops {
                check::possible(op)?;
                writer.write(op)?;
            }
            writer.finish()?;
            Ok(transaction.commit()?)
        })
    }

    fn query(&mut self, query: &Query) -> Result<Loaded, StoreError> {
        self.usable()?;
        let answer = ask::answer(&self.conn, &mut self.names, query);
        answer.map_err(|error| failure::explain(&self.path, error))
    }

    fn prune_requests(&mut self, keep: u64) -> Result<u64, StoreError> {
        self.writing(|store| write::prune_requests(&store.conn, keep))
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.usable()?;
        file::checkpoint(&self.conn).map_err(|error| failure::explain(&self.path, error))
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.usable()?;
        file::compact(&self.conn).map_err(|error| failure::explain(&self.path, error))
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        // The new connection is opened before the old one is closed: as long as one is open, SQLite remembers where
        // the last good commit ends, and what came after it is overwritten instead of recovered. It also needs no
        // new space, so that a store on a full disk can still be read.
        self.conn = file::reopen(&self.path).map_err(|error| failure::explain(&self.path, error))?;
        self.names = Names::default();
        self.needs_reopen = false;
        Ok(())
    }
}
