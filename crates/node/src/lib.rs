//! What runs: the background process of one identity. `run` takes a home, holds it, serves its socket and its
//! peers, and returns when everything is durable and closed.

mod bindings;
mod budget;
mod caller;
pub mod carriers;
mod clock;
pub mod config;
mod consent;
mod default_nick;
mod driver;
mod errors;
mod evidence;
mod feed;
mod files;
mod home_dir;
mod identity_backup;
mod identity_file;
mod levels;
mod life;
mod local_rooms;
mod lock;
mod log;
mod node;
mod presence;
mod process;
mod requests;
mod restart;
mod retention;
mod rotate;
mod run;
mod search;
mod serve;
mod sessions;
mod socket_file;
mod start;
mod store_care;
mod transcript;
mod verify_export;
mod waiters;
mod waker;

use std::ffi::OsString;
use std::io::Write;

use parlor_api::paths::Home;

pub use caller::{refuse_agents_changing_settings, refuse_agents_here};
pub use config::ConfigError;
pub use home_dir::HomeDirError;
pub use identity_backup::{Backup, BackupError, Restore, Restored};
pub use identity_file::IdentityError;
pub use lock::LockError;
pub use parlor_store::StoreError;
pub use start::StartError;
pub use store_care::{Problem, RoomStats, StoreReport, StoreStats, store_check, store_stats};
pub use verify_export::{ExportError, ExportReport, ExportSpeaker, verify_export};

/// What is written to [`RunOptions::ready`] once the node serves.
pub const READY_LINE: &str = "ready\n";

/// How a node is run.
pub struct RunOptions {
    /// The version of the program it is part of.
    pub version: &'static str,
    /// Whether it runs by itself, so that nobody reads what it says: then it logs to its file only.
    pub background: bool,
    /// Told [`READY_LINE`] and closed, once the node serves: its socket listens, its store is open, its endpoint
    /// is bound.
    pub ready: Option<Box<dyn Write + Send>>,
    /// The arguments with which a newer program goes on as this node: those of `parlor node run`.
    pub restart_args: Vec<OsString>,
}

/// Runs the node of a home until it is told to stop, by `Request::Stop` or by a signal. When it returns, nothing
/// is left to lose and the home is free. Where a newer program takes over, it does not return.
pub fn run(home: Home, options: RunOptions) -> Result<(), StartError> {
    run::run(home, options)
}
