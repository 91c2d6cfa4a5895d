//! `node.log`: what the node did, for whoever looks for a fault. No bodies, keys or tickets go in here: only
//! what is written with `tracing` by this crate and its carriers does.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

use crate::rotate::Rotating;

/// Beyond this the log moves aside.
const LIMIT_BYTES: u64 = 4 * 1024 * 1024;
/// Logs kept beside the present one.
const KEPT: u32 = 2;
/// Names what is logged, in the words of `tracing`.
const FILTER_VARIABLE: &str = "PARLOR_LOG";
const FILTER: &str = "warn,parlor_node=info,iroh=error,netwatch=error,swarm_discovery=error";

/// Begins to log. A process has one log; whoever comes second in it shares the first one's.
pub(crate) fn begin(path: &Path, background: bool) -> io::Result<()> {
    let file = Mutex::new(Rotating::open(path, LIMIT_BYTES, KEPT)?);
    let filter = || EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(FILTER));
    let build = || tracing_subscriber::fmt().with_ansi(false).with_target(false).with_env_filter(filter());
    _ = if background {
        build().with_writer(file).try_init().is_ok()
    } else {
        build().with_writer(file.and(io::stderr)).try_init().is_ok()
    };
    Ok(())
}
