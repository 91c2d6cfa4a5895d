//! What can go wrong with the store, whose fault it is and what to do. Must not carry anything that is kept.

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space is left where the store lies.
    #[error(
        "the disk that holds the store is full: this was not written, nothing written before is lost; free some space \
         and try again"
    )]
    Full,
    /// The store may be read but not written.
    #[error(
        "the store cannot be written: its file, its directory or the whole disk is read-only for this user; make it \
         writable and try again"
    )]
    ReadOnly,
    /// What is in the file is not what was written.
    #[error(
        "the store is damaged ({0}); it was left as it is: put a copy of it back, or move it away to start with an \
         empty one"
    )]
    Corrupt(String),
    /// A file of something else lies where the store should be.
    #[error(
        "this is not a store of Parlor ({0}); it was left as it is: move it away, or choose another home directory"
    )]
    Foreign(String),
    /// A newer Parlor has written it.
    #[error(
        "the store was written by a newer Parlor (its version is {found}, this one knows up to {known}); it was left \
         as it is: update Parlor"
    )]
    Newer {
        /// The version of the store.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Another process is writing.
    #[error("another process is using the store: wait for it or stop it, and try again")]
    Busy,
    /// There is nothing to open.
    #[error("there is no store at {0}: check the path of the home directory")]
    Missing(String),
    /// A write failed and the store was not opened again since.
    #[error(
        "an earlier write failed and the store was not opened again: a fault in Parlor, please report it"
    )]
    NeedsReopen,
    /// What was to be written contradicts itself or what is kept.
    #[error("this cannot be written ({0}): a fault in Parlor, please report it")]
    Impossible(String),
    /// The operating system refused.
    #[error("the store could not be read or written ({0}): check the disk and its permissions")]
    Io(String),
}
