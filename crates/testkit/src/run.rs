//! Running a real program with a deadline, bounded output, and nothing left behind.
//!
//! A program runs in a process group of its own; when its time is over that group is killed, by its
//! own id. Awaiting is by condition variable, never by sleeping.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::shorten;
use crate::{Error, Result};

/// How long a program may take when nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// More than this of one output stream is read and thrown away.
pub const MAX_OUTPUT_BYTES: usize = 64 << 20;
const SHOWN_CHARS: usize = 4_000;

/// A program about to run.
#[derive(Debug, Clone)]
pub struct Run {
    words: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clear_env: bool,
    cwd: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
}

impl Run {
    /// `program` with this process's environment, no arguments, empty stdin.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let words = vec![program.as_ref().to_owned()];
        Self { words, env: Vec::new(), clear_env: false, cwd: None, stdin: None, timeout: DEFAULT_TIMEOUT }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.words.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.words.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Runs the whole command line behind `prefix`, such as `ip netns exec NAME`.
    #[must_use]
    pub fn behind<A: AsRef<OsStr>>(mut self, prefix: impl IntoIterator<Item = A>) -> Self {
        let mut words: Vec<OsString> = prefix.into_iter().map(|word| word.as_ref().to_owned()).collect();
        words.append(&mut self.words);
        self.words = words;
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// Sets one environment variable; the last one of a name wins.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets several environment variables.
    #[must_use]
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(self, env: impl IntoIterator<Item = (N, V)>) -> Self {
        env.into_iter().fold(self, |run, (name, value)| run.env(name, value))
    }

    /// Runs in `dir`.
    #[must_use]
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = Some(dir.into());
        self
    }

    /// Gives `bytes` on stdin, then closes it.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Allows this much time instead of [`DEFAULT_TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs to the end and returns what came out, whatever the exit status.
    pub fn output(self) -> Result<Output> {
        let timeout = self.timeout;
        self.spawn()?.finish(timeout)
    }

    /// Runs to the end; anything but exit status 0 is an error that shows the output.
    pub fn ok(self) -> Result<Output> {
        self.output()?.ok()
    }

    /// Starts it and returns at once; dropping the result kills it.
    pub fn spawn(self) -> Result<Running> {
        let shown = self.shown();
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.clear_env {
            command.env_clear();
        }
        command.envs(self.env).stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        let child = command.spawn().map_err(|source| Error::Start { command: shown.clone(), source })?;
        Ok(Running::watch(child, shown, self.stdin))
    }

    fn shown(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        shorten(&words.join(" "), 300)
    }
}

/// What a program that ended left.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote on stdout, at most [`MAX_OUTPUT_BYTES`].
    pub stdout: Vec<u8>,
    /// What it wrote on stderr, at most [`MAX_OUTPUT_BYTES`].
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub took: Duration,
    command: String,
}

impl Output {
    /// The exit code, or 128 + the signal that ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// Stdout as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stderr as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Itself when the exit status is 0, else an error that shows the output.
    pub fn ok(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let (stdout, stderr) = (shorten(&self.out(), SHOWN_CHARS), shorten(&self.err(), SHOWN_CHARS));
        Err(Error::Failed { command: self.command, status: self.status.to_string(), stdout, stderr })
    }
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    command: String,
    pid: Pid,
    started: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stdout: Stream,
    stderr: Stream,
    status: Option<ExitStatus>,
}

#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `done` holds, and says whether it did before `deadline`.
    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> (MutexGuard<'_, State>, bool) {
        let mut state = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if done(&state) || left.is_zero() {
                let held = done(&state);
                return (state, held);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Running {
    fn watch(mut child: Child, command: String, stdin: Option<Vec<u8>>) -> Self {
        let shared = Arc::new(Shared::default());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let _ = read_in_background(stdout, &shared, |state| &mut state.stdout);
        let _ = read_in_background(stderr, &shared, |state| &mut state.stderr);
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
            // A program that does not read its stdin to the end is no error of ours.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let pid = Pid::from_child(&child);
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            if let Ok(status) = child.wait() {
                theirs.change(|state| state.status = Some(status));
            }
        });
        Self { command, pid, started: Instant::now(), shared }
    }

    /// Its process id, which is also the id of its process group.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.shared.lock().status.is_none()
    }

    /// Kills it with everything in its process group, as `kill -9` does.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends `signal` to its process group, if it still runs.
    pub fn signal(&self, signal: Signal) {
        // Under the lock: the waiting thread cannot have reported the pid as gone meanwhile.
        let state = self.shared.lock();
        if state.status.is_none() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Waits until its whole stdout so far satisfies `wanted`, and returns that stdout.
    pub fn wait_for_stdout(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Result<String> {
        self.wait_for(|state| &state.stdout, wanted, timeout)
    }

    /// Waits until its whole stderr so far satisfies `wanted`, and returns that stderr.
    pub fn wait_for_stderr(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Result<String> {
        self.wait_for(|state| &state.stderr, wanted, timeout)
    }

    fn wait_for(
        &self,
        stream: fn(&State) -> &Stream,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<String> {
        let text = |state: &State| String::from_utf8_lossy(&stream(state).bytes).into_owned();
        let (state, held) = self.shared.wait(Instant::now() + timeout, |state| wanted(&text(state)));
        if held {
            return Ok(text(&state));
        }
        Err(self.too_late("the awaited output", &state, timeout))
    }

    /// Waits for its end and for the end of both its output streams; kills it when that takes too long.
    pub fn finish(self, timeout: Duration) -> Result<Output> {
        let ended = |state: &State| state.status.is_some() && state.stdout.closed && state.stderr.closed;
        let (mut state, _) = self.shared.wait(Instant::now() + timeout, ended);
        let Some(status) = state.status else { return Err(self.too_late("its end", &state, timeout)) };
        if !ended(&state) {
            let what =
                "the end of its output: it ended, but something it started holds its stdout or stderr; this";
            return Err(self.too_late(what, &state, timeout));
        }
        Ok(Output {
            status,
            stdout: std::mem::take(&mut state.stdout.bytes),
            stderr: std::mem::take(&mut state.stderr.bytes),
            took: self.started.elapsed(),
            command: self.command.clone(),
        })
    }

    fn too_late(&self, what: &str, state: &State, after: Duration) -> Error {
        let text = |stream: &Stream| shorten(&String::from_utf8_lossy(&stream.bytes), SHOWN_CHARS);
        let seen = format!("--- stdout\n{}\n--- stderr\n{}", text(&state.stdout), text(&state.stderr));
        Error::Timeout { what: format!("`{}`: {what}", self.command), after, seen }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_in_background(
    pipe: Option<impl Read + Send + 'static>,
    shared: &Arc<Shared>,
    stream: fn(&mut State) -> &mut Stream,
) -> Option<std::thread::JoinHandle<()>> {
    let (mut pipe, shared) = (pipe?, Arc::clone(shared));
    Some(std::thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            shared.change(|state| {
                let bytes = &mut stream(state).bytes;
                let room = MAX_OUTPUT_BYTES.saturating_sub(bytes.len());
                bytes.extend_from_slice(&chunk[..count.min(room)]);
            });
        }
        shared.change(|state| stream(state).closed = true);
    }))
}

/// Where `program` is, looked for in `PATH` and the system's administration directories, or an error
/// that names the Debian package which brings it.
pub fn find_program(program: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fixed = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
    std::env::split_paths(&path)
        .chain(fixed.iter().map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| Error::Missing {
            what: format!("the program `{program}`"),
            install: format!("apt-get install {package}"),
        })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn output_status_stdin_and_cleared_environment() {
        let run = Run::new("/bin/sh").args(["-c", "cat; echo \"[$HOME][$SEEN]\"; echo no >&2; exit 3"]);
        let output = run.clear_env().env("SEEN", "yes").stdin("given ").output().unwrap();
        assert_eq!((output.code(), output.out(), output.err()), (3, "given [][yes]\n".into(), "no\n".into()));
        let refused = output.ok().unwrap_err().to_string();
        assert!(refused.contains("exit status: 3") && refused.contains("given"), "{refused}");
    }

    #[test]
    fn a_program_over_its_time_is_killed_with_its_children_and_shows_what_it_wrote() {
        let run = Run::new("/bin/sh").args(["-c", "echo begun; sleep 600 & wait"]);
        let running = run.spawn().unwrap();
        running.wait_for_stdout(|text| text.contains("begun"), Duration::from_secs(30)).unwrap();
        let shared = Arc::clone(&running.shared);
        let refused = running.finish(Duration::from_millis(50)).unwrap_err().to_string();
        assert!(refused.contains("its end did not happen") && refused.contains("begun"), "{refused}");
        // Both streams close only when the `sleep` is gone too.
        let soon = Instant::now() + Duration::from_secs(30);
        let closed = shared.wait(soon, |state| state.stdout.closed).1;
        assert!(closed, "the child of the killed program lives on");
    }

    #[test]
    fn a_descendant_that_keeps_the_output_open_is_told_from_a_slow_program() {
        let run = Run::new("/bin/sh").args(["-c", "sleep 600 & exit 0"]).timeout(Duration::from_secs(2));
        let running = run.clone().spawn().unwrap();
        let group = running.pid;
        let refused = running.finish(Duration::from_secs(2)).unwrap_err().to_string();
        kill_process_group(group, Signal::KILL).unwrap();
        assert!(refused.contains("something it started holds its stdout"), "{refused}");
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let refused = find_program("no-such-program", "some-package").unwrap_err().to_string();
        assert_eq!(refused, "this test needs the program `no-such-program`: apt-get install some-package");
    }
}
