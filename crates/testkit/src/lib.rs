//! The test kit: everything the tests of other crates need to drive real things — the real agent
//! program against a stub model server, the real `parlor` binary in a throw-away home, network
//! namespaces, a disk that fills up.
//!
//! Development only. It treats `parlor` as a program whose path is given and links no other crate of
//! the workspace, so that a test can never pass because kit and product share a mistake. Nothing here
//! skips: what is missing on a machine is an [`Error::Missing`] that says how to install it.

pub mod cache;
pub mod claude;
pub mod codex;
mod error;
pub mod gemini;
pub mod mcp;
#[cfg(target_os = "linux")]
pub mod netns;
pub mod opencode;
pub mod parlor;
pub mod person;
mod process;
pub mod record;
#[cfg(target_os = "linux")]
pub mod relay;
pub mod run;
pub mod seat;
pub mod session;
pub mod stub_model;
#[cfg(target_os = "linux")]
pub mod tmpfs;
pub mod tmux;

pub use error::{Error, Result};
