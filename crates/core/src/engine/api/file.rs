//! A file as a message announces it. Holds the key it is sealed under, and never shows it.

use parlor_wire::ids::BodyHash;

use crate::crypto::FileKey;
use crate::text::clean::CleanText;

/// A file that a message announces.
#[derive(Clone, PartialEq, Eq)]
pub struct FileView {
    /// What it is called, as people are shown it.
    pub name: CleanText,
    /// Under which name it may be written here.
    pub disk_name: String,
    /// Its length in bytes, as it was announced.
    pub length: u64,
    /// What its sealed bytes are named.
    pub blob: BodyHash,
    /// What it is sealed under.
    pub key: FileKey,
    /// Where it lies here.
    pub path: Option<String>,
}

impl std::fmt::Debug for FileView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileView")
            .field("name", &self.name)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
