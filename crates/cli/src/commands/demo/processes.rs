//! The processes of the demo. Each is known from its start, so that all can be ended at any instant, and none starts
//! once they were.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlor_api::ErrorKind;

use crate::errors::{Failure, Outcome};

/// More than any of them has to say.
const STDOUT_LIMIT_BYTES: u64 = 1024 * 1024;

/// All that run.
#[derive(Clone, Default)]
pub struct Processes(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    is_over: bool,
    children: Vec<Child>,
}

/// One that was started.
pub struct Process {
    id: u32,
    pub stdin: Option<ChildStdin>,
    /// What it says.
    pub said: Option<File>,
}

impl Processes {
    /// Starts one; its stdout is ours to read.
    pub fn start(&self, command: &mut Command) -> Outcome<Process> {
        self.begin(command.stdout(Stdio::piped()), None)
    }

    /// Starts one; its stdout and its talk are ours to read, in the order in which they come.
    pub fn start_talking(&self, command: &mut Command) -> Outcome<Process> {
        let no_pipe =
            |error| Failure::machine(format!("no pipe could be made: {error}"), "close some programs");
        let (ours, theirs) = std::io::pipe().map_err(no_pipe)?;
        command.stdout(theirs.try_clone().map_err(no_pipe)?).stderr(theirs);
        let started = self.begin(command, Some(ours.into()));
        // The ends that were given to it would keep the pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        started
    }

    fn begin(&self, command: &mut Command, said: Option<OwnedFd>) -> Outcome<Process> {
        let mut running = self.lock();
        if running.is_over {
            return Err(interrupted());
        }
        let mut child = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            Failure::machine(format!("{program} could not be run: {error}"), "install Parlor again")
        })?;
        let said = said.or(child.stdout.take().map(OwnedFd::from));
        let process = Process { id: child.id(), stdin: child.stdin.take(), said: said.map(File::from) };
        running.children.push(child);
        Ok(process)
    }

    /// Waits until one has ended well; what it said.
    pub fn finish(&self, mut process: Process, called: &str) -> Outcome<String> {
        drop(process.stdin.take());
        let mut said = Vec::new();
        // Whatever was lost of it is told by how it ended.
        process.said.take().map(|pipe| pipe.take(STDOUT_LIMIT_BYTES).read_to_end(&mut said));
        let status = self.forget(process.id).ok_or_else(interrupted)?.wait();
        match status.map(|status| status.code()) {
            Ok(Some(0)) => Ok(String::from_utf8_lossy(&said).trim_end().to_owned()),
            Ok(Some(code)) if code == i32::from(ErrorKind::Interrupted.exit_code()) => Err(interrupted()),
            _ => Err(Failure::machine(format!("`{called}` failed"), "run `parlor doctor`")),
        }
    }

    /// Ends all, and keeps others from starting. They have nothing to lose.
    pub fn end_all(&self) {
        let mut running = self.lock();
        running.is_over = true;
        // The latest first: what asks a node is gone before the node, and does not start another.
        while let Some(mut child) = running.children.pop() {
            _ = child.kill();
            _ = child.wait();
        }
    }

    fn forget(&self, id: u32) -> Option<Child> {
        let mut running = self.lock();
        let at = running.children.iter().position(|child| child.id() == id)?;
        Some(running.children.remove(at))
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn interrupted() -> Failure {
    Failure::Said(ErrorKind::Interrupted.exit_code())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[test]
    fn what_one_said_comes_back_when_it_ended_well() {
        let processes = Processes::default();
        let run =
            |script: &str| processes.start(&mut shell(script)).and_then(|it| processes.finish(it, "it"));
        assert_eq!(run("echo hello").unwrap(), "hello");
        assert_eq!(run("exit 3").unwrap_err().exit_code(), 7);
        assert_eq!(run("exit 130").unwrap_err().exit_code(), 130);
    }

    #[test]
    fn its_talk_comes_where_it_was_said() {
        let processes = Processes::default();
        let talker = processes.start_talking(&mut shell("echo one; echo two >&2; echo three")).unwrap();
        assert_eq!(processes.finish(talker, "it").unwrap(), "one\ntwo\nthree");
    }

    #[test]
    fn once_ended_none_runs_and_none_starts() {
        let processes = Processes::default();
        let sleeper = processes.start(&mut shell("exec sleep 60")).unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(sleeper.id).unwrap()).unwrap();
        processes.end_all();
        assert!(rustix::process::test_kill_process(pid).is_err());
        assert_eq!(processes.finish(sleeper, "it").unwrap_err().exit_code(), 130);
        assert_eq!(processes.start(&mut shell("true")).err().unwrap().exit_code(), 130);
    }
}
