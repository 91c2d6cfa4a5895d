//! Brings a node up when a command needs one: starts it in the background, waits until it says that it serves.
//! Any number of commands may do so at once; one node comes of it. Must not talk to the node beyond connecting.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ConstantBuilder};
use parlor_api::paths::Home;
use parlor_api::{ApiError, ErrorKind, NODE_WAIT_MS};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::hook_pipe::node_in_background;
use crate::readiness::Readiness;

/// Between two attempts while another process starts or ends the node, in milliseconds.
const STEP_MS: u64 = 25;
/// What a node says of its start fits; what does not is no node's.
const WORD_LIMIT_BYTES: u64 = 64 * 1024;

/// Why there is no node.
#[derive(Debug)]
enum NotUp {
    /// Another process holds the home; it serves soon, or is about to end.
    Busy(ApiError),
    /// It will not come up.
    Failed(ApiError),
}

impl NotUp {
    fn into_error(self) -> ApiError {
        match self {
            Self::Busy(error) | Self::Failed(error) => error,
        }
    }
}

/// Returns when a node of `home` takes connections.
pub fn ensure_node(home: &Home) -> Result<(), ApiError> {
    let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
    let steps = ConstantBuilder::new().with_delay(Duration::from_millis(STEP_MS)).without_max_times();
    let attempt = || bring_up(home, deadline);
    let up =
        attempt.retry(steps).when(|why| matches!(why, NotUp::Busy(_)) && Instant::now() < deadline).call();
    up.map_err(NotUp::into_error)
}

fn bring_up(home: &Home, deadline: Instant) -> Result<(), NotUp> {
    let socket = home.socket().map_err(|error| failed(error.to_string()))?;
    if UnixStream::connect(&socket).is_ok() {
        return Ok(());
    }
    let parlor = own_executable().map_err(|error| failed(error.to_string()))?;
    let spawned = node_in_background(&parlor, home).stdout(Stdio::piped()).spawn();
    let mut child =
        spawned.map_err(|error| failed(format!("{} could not be run: {error}", parlor.display())))?;
    let stdout = child.stdout.take();
    reap(child);
    ready(stdout, deadline)
}

/// Returns when a node that was started with this stdout serves.
pub fn await_ready(stdout: Option<impl Read + AsFd>) -> Result<(), ApiError> {
    ready(stdout, Instant::now() + Duration::from_millis(NODE_WAIT_MS)).map_err(NotUp::into_error)
}

fn ready(stdout: Option<impl Read + AsFd>, deadline: Instant) -> Result<(), NotUp> {
    let word = stdout.and_then(|stdout| first_word(stdout, deadline));
    match word.as_deref().map(Readiness::read) {
        Some(Some(Readiness::Ready)) => Ok(()),
        Some(Some(Readiness::Busy { error })) => Err(NotUp::Busy(error)),
        Some(Some(Readiness::Failed { error })) => Err(NotUp::Failed(error)),
        Some(None) => Err(failed("the node ended before it was ready".into())),
        None => Err(failed(format!("the node was not ready within {NODE_WAIT_MS} ms"))),
    }
}

/// The binary that runs now; the same one is to be the node.
pub fn own_executable() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

fn failed(message: String) -> NotUp {
    NotUp::Failed(ApiError::new(ErrorKind::Machine, message).hint("`parlor node log` says why"))
}

// A process that lives long, as the MCP server does, would otherwise keep the ended node as a zombie.
fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}

/// What the node says before it closes the pipe; none when it says nothing in time.
fn first_word(stdout: impl Read + AsFd, deadline: Instant) -> Option<String> {
    let mut text = Vec::new();
    let mut stdout = stdout.take(WORD_LIMIT_BYTES);
    let mut part = [0; 4096];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let left = Timespec::try_from(left).ok()?;
        let ready = poll(&mut [PollFd::new(stdout.get_ref(), PollFlags::IN)], Some(&left));
        match ready {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(ready) if ready > 0 => (),
            _ => return None,
        }
        let read = stdout.read(&mut part).ok()?;
        text.extend_from_slice(&part[..read]);
        if read == 0 || text.ends_with(b"\n") {
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::process::Command;

    use super::*;

    fn says(script: &str, within: Duration) -> Option<String> {
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let word = first_word(child.stdout.take().unwrap(), Instant::now() + within);
        child.kill().unwrap();
        child.wait().unwrap();
        word
    }

    #[test]
    fn the_first_word_is_a_line_or_all_there_is() {
        let long = Duration::from_secs(20);
        assert_eq!(says("echo ready; exec cat /dev/zero", long).unwrap().lines().next(), Some("ready"));
        assert_eq!(says("exit 1", long).unwrap(), "");
        assert_eq!(says("printf half", long).unwrap(), "half");
    }

    #[test]
    fn wound_42_silence_is_not_readiness() {
        assert_eq!(says("exec sleep 60", Duration::from_millis(50)), None);
        assert_eq!(Readiness::read(""), None);
    }

    #[test]
    fn a_home_that_cannot_hold_a_socket_starts_nothing() {
        let home = Home::at(format!("/tmp/{}", "x".repeat(120)));
        let error = ensure_node(&home).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Machine);
        assert!(error.message.contains("choose a shorter home"));
    }
}
