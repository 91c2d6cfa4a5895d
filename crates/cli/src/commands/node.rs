//! `parlor node`: the background process. `run` is the process itself; the others look at it from outside and never
//! start one.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ConstantBuilder};
use parlor_api::paths::Home;
use parlor_api::{Client, ClientError, NODE_WAIT_MS, Reply, Request, Status};
use parlor_node::{LockError, RunOptions, StartError};
use serde::Serialize;
use serde_json::json;

use super::{Context, node_log, service};
use crate::args::Node;
use crate::errors::{Failure, Outcome};
use crate::lock::Watched;
use crate::readiness::Readiness;
use crate::{lock, reach, render};

/// How long a node has to end after it said that nothing is left to lose, in milliseconds.
const STOP_WAIT_MS: u64 = 10_000;
/// Between two attempts to reach a node that is about to serve, in milliseconds.
const STEP_MS: u64 = 25;
/// Exit code of `status` when there is none to be shown.
const NONE_RUNS: u8 = 3;

/// Is the node, until it is stopped.
pub fn run(context: &Context, background: bool) -> Outcome {
    let starter = if background { Some(detach()?) } else { None };
    let options = RunOptions {
        version: env!("CARGO_PKG_VERSION"),
        background,
        ready: starter.as_ref().and_then(|starter| starter.try_clone().ok()).map(|pipe| Box::new(pipe) as _),
        restart_args: run_args(&context.home, background),
    };
    parlor_node::run(context.home.clone(), options).map_err(|error| {
        let readiness = not_ready(error);
        // Whoever started it may have gone already.
        starter.iter().for_each(|mut starter| _ = starter.write_all(readiness.line().as_bytes()));
        match readiness {
            Readiness::Busy { error } | Readiness::Failed { error } => error.into(),
            Readiness::Ready => Failure::unexpected_reply(),
        }
    })
}

fn not_ready(error: StartError) -> Readiness {
    match error {
        StartError::Lock(LockError::Held { .. }) => Readiness::Busy { error: error.into() },
        error => Readiness::Failed { error: error.into() },
    }
}

fn run_args(home: &Home, background: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--home".into(), home.dir().into(), "node".into(), "run".into()];
    args.extend(background.then(|| "--background".into()));
    args
}

/// Leaves the session, the directory and the stdout of whoever started it; the last is kept as the pipe its starter
/// waits on.
fn detach() -> Outcome<File> {
    let failed = |error: std::io::Error| {
        Failure::machine(
            format!("the node cannot leave its starter's session: {error}"),
            "see what the system refuses",
        )
    };
    // It leads a session already when it was started again as a newer one.
    _ = rustix::process::setsid();
    std::env::set_current_dir("/").map_err(failed)?;
    let pipe = std::io::stdout().as_fd().try_clone_to_owned().map_err(failed)?;
    let nowhere = File::options().write(true).open("/dev/null").map_err(failed)?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(|error| failed(error.into()))?;
    Ok(pipe.into())
}

pub fn manage(context: &Context, command: Node) -> Outcome {
    match command {
        Node::Run { background } => run(context, background),
        Node::Status => status(context),
        Node::Stop => stop_command(context),
        Node::Log { follow, lines } => node_log::run(context, follow, lines),
    }
}

#[derive(Serialize)]
struct Running<'a> {
    running: bool,
    #[serde(flatten)]
    status: &'a Status,
}

fn status(context: &Context) -> Outcome {
    let reply = match Client::new(&context.home, reach::hello())?.call(&Request::Status) {
        Err(ClientError::NotRunning(_)) => {
            let line = match lock::holder(&context.home) {
                Some(pid) => format!("not serving: process {pid} holds the home, and is starting or ending"),
                None => "not running".into(),
            };
            context.out.answer(&json!({ "running": false }), || vec![line])?;
            return Err(Failure::Said(NONE_RUNS));
        }
        reply => reply?,
    };
    let Reply::Status(status) = reply else { return Err(Failure::unexpected_reply()) };
    context.out.answer(&Running { running: true, status: &status }, || render::status(&status))
}

fn stop_command(context: &Context) -> Outcome {
    let stopped = stop(&context.home)?;
    let line = match stopped {
        Some(pid) => format!("stopped (pid {pid})"),
        None => "no node was running".into(),
    };
    context.out.answer(&json!({ "stopped": stopped.is_some(), "pid": stopped }), || vec![line])?;
    if let Some(start) = service::installed(context) {
        context
            .out
            .talk(&format!("Its service does not start it again before you log in next, or type: {start}"));
    }
    Ok(())
}

/// Ends the home's node and returns when it is gone; the process that was ended, if there was one.
pub fn stop(home: &Home) -> Outcome<Option<u32>> {
    let watched = Watched::of(lock::holder(home));
    let Some(pid) = ask_to_stop(home)? else { return Ok(None) };
    let within = Duration::from_millis(STOP_WAIT_MS);
    if lock::await_free(home, within) && watched.await_end(within) {
        return Ok(Some(pid));
    }
    let message = format!("the node (pid {pid}) was asked to stop and still holds {}", home.dir().display());
    Err(Failure::machine(
        message,
        format!("look at `parlor node log`; `kill {pid}` ends it, nothing stored is lost"),
    ))
}

enum Attempt {
    /// Somebody holds the home and does not serve: it starts, or it ends.
    Between(Failure),
    Last(Failure),
}

/// The process that was asked, or none where none runs.
fn ask_to_stop(home: &Home) -> Outcome<Option<u32>> {
    let deadline = Instant::now() + Duration::from_millis(NODE_WAIT_MS);
    let steps = ConstantBuilder::new().with_delay(Duration::from_millis(STEP_MS)).without_max_times();
    let asked = (|| try_to_stop(home)).retry(steps);
    let asked = asked.when(|end| matches!(end, Attempt::Between(_)) && Instant::now() < deadline).call();
    asked.map_err(|end| match end {
        Attempt::Between(failure) | Attempt::Last(failure) => failure,
    })
}

fn try_to_stop(home: &Home) -> Result<Option<u32>, Attempt> {
    let holder = lock::holder(home);
    let mut client = Client::new(home, reach::hello()).map_err(|error| Attempt::Last(error.into()))?;
    match client.call(&Request::Stop) {
        Ok(_) => Ok(client.node().map(|node| node.pid)),
        // It ended before it could say so.
        Err(ClientError::Broken { served: true }) => Ok(holder),
        Err(error) if error.is_undone() => match (lock::is_held(home), holder) {
            (false, pid) => Ok(pid),
            (true, pid) => Err(Attempt::Between(stuck(home, pid, &error))),
        },
        Err(error) => Err(Attempt::Last(stuck(home, holder, &error))),
    }
}

fn stuck(home: &Home, pid: Option<u32>, error: &ClientError) -> Failure {
    let who = pid.map(|pid| format!("process {pid}")).unwrap_or_else(|| "another process".into());
    let end = pid.map(|pid| format!("`kill {pid}` ends it, nothing stored is lost")).unwrap_or_default();
    Failure::machine(
        format!("{who} holds {} and cannot be asked to stop: {error}", home.dir().display()),
        end,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn stopping_what_does_not_run_is_no_error_and_starts_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("none"));
        assert_eq!(stop(&home).unwrap(), None);
        assert!(!home.dir().exists());
    }
}
