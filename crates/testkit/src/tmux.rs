//! A private tmux server with one program in it: a terminal that a test types into and reads.
//!
//! The server has its own socket and is killed through that socket only. Changes of the screen are
//! awaited through tmux's control mode, never by sleeping.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::process;
use crate::run::{Run, find_program};
use crate::{Error, Result};

const CONFIG: &str = "set -g remain-on-exit on
set -g default-size 160x50
set -g escape-time 0
set -g status off
";

/// What tmux adds to the environment of the program.
const TMUX_ENV: [&str; 5] = ["TMUX", "TMUX_PANE", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "PWD"];
/// How long a program may take to end when its terminal goes.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(10);

/// A program in a terminal of 160 × 50.
#[derive(Debug)]
pub struct Tmux {
    program: PathBuf,
    dir: tempfile::TempDir,
    watcher: Option<Child>,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Tmux {
    /// Starts `words` in `cwd` with exactly `env`.
    pub fn start(words: &[String], env: &[(String, String)], cwd: &std::path::Path) -> Result<Self> {
        let program = find_program("tmux", "tmux")?;
        let builder = tempfile::Builder::new().prefix("pl-tmux-").rand_bytes(5).tempdir_in("/tmp");
        let dir = builder.map_err(Error::file("cannot make a directory in", "/tmp"))?;
        let config = dir.path().join("conf");
        std::fs::write(&config, CONFIG).map_err(Error::file("cannot write", config))?;
        let mut tmux = Self { program, dir, watcher: None, changes: Arc::default() };
        // `env` becomes the program: no shell in between, and no sign of tmux in its environment.
        let start =
            tmux.client(&["new-session", "-d", "-s", "main", "-c"]).arg(cwd).args(["--", "/usr/bin/env"]);
        let start = start.args(TMUX_ENV.iter().flat_map(|name| ["-u", name])).args(words);
        start.clear_env().envs(env.iter().map(|(name, value)| (name, value))).cwd(cwd).ok()?;
        tmux.watcher = Some(tmux.watch()?);
        Ok(tmux)
    }

    /// What is on the screen, without trailing blanks.
    pub fn capture(&self) -> Result<String> {
        let screen = self.client(&["capture-pane", "-p", "-t", "main"]).ok()?.out();
        Ok(screen.trim_end().to_owned())
    }

    /// Types `text` as it is.
    pub fn type_text(&self, text: &str) -> Result<()> {
        self.client(&["send-keys", "-t", "main", "-l", "--", text]).ok().map(drop)
    }

    /// Presses keys by their tmux names: `Enter`, `Escape`, `C-c`.
    pub fn send_keys(&self, keys: &[&str]) -> Result<()> {
        self.client(&["send-keys", "-t", "main"]).args(keys).ok().map(drop)
    }

    /// Waits until the screen satisfies `wanted` and returns that screen.
    pub fn wait_for_screen(
        &self,
        what: &str,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<String> {
        let deadline = Instant::now() + timeout;
        loop {
            let seen = self.changes.count();
            let screen = self.capture()?;
            if wanted(&screen) {
                return Ok(screen);
            }
            if !self.changes.wait_after(seen, deadline) {
                let what = format!("on the terminal: {what}");
                return Err(Error::Timeout { what, after: timeout, seen: format!("the screen:\n{screen}") });
            }
        }
    }

    /// Waits until the program has ended.
    pub fn wait_for_end(&self, timeout: Duration) -> Result<()> {
        if process::await_end(self.pid()?, timeout) {
            return Ok(());
        }
        let seen = format!("the screen:\n{}", self.capture()?);
        Err(Error::Timeout { what: "the end of the program".into(), after: timeout, seen })
    }

    /// The process id of the program.
    pub fn pid(&self) -> Result<u32> {
        let answer = self.client(&["display-message", "-p", "-t", "main", "#{pane_pid}"]).ok()?.out();
        answer.trim().parse().map_err(|_| Error::Answer { what: "tmux knows no process id", answer })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    fn client(&self, words: &[&str]) -> Run {
        let config = self.dir.path().join("conf");
        Run::new(&self.program).arg("-f").arg(config).arg("-S").arg(self.socket()).args(words).clear_env()
    }

    /// A control mode client: it is told of everything the program writes, which wakes the waiters.
    fn watch(&self) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("-S").arg(self.socket()).args([
            "-C",
            "attach-session",
            "-t",
            "main",
            "-f",
            "ignore-size,read-only",
        ]);
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = command.spawn();
        let mut child =
            started.map_err(|source| Error::Start { command: "tmux -C attach-session".into(), source })?;
        let (changes, pipe) = (Arc::clone(&self.changes), child.stdout.take());
        std::thread::spawn(move || {
            let mut lines = pipe.map(BufReader::new);
            let mut line = Vec::new();
            while lines
                .as_mut()
                .is_some_and(|lines| lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0))
            {
                line.clear();
                changes.bump();
            }
        });
        Ok(child)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let pid = self.pid();
        let _ = self.client(&["kill-server"]).output();
        if let Ok(pid) = pid
            && !process::await_end(pid, HANG_UP_PATIENCE)
        {
            process::kill(pid, HANG_UP_PATIENCE);
        }
        if let Some(mut watcher) = self.watcher.take() {
            let _ = watcher.kill();
            let _ = watcher.wait();
        }
    }
}

impl Changes {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bump(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for a change after `seen`; false when none came before `deadline`.
    fn wait_after(&self, seen: u64, deadline: Instant) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(count, left, |count| *count == seen);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_program_is_typed_to_seen_and_gone_at_drop() {
        let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("SEEN".to_owned(), "yes".to_owned())];
        let words =
            ["/bin/sh", "-c", "echo \"ready $SEEN\"; stty size; read line; echo \"got <$line>\"; read line"];
        let tmux = Tmux::start(&words.map(str::to_owned), &env, "/tmp".as_ref()).unwrap();
        tmux.wait_for_screen("ready", |screen| screen.contains("ready yes\n50 160"), SOON).unwrap();
        tmux.type_text("-hello; $HOME").unwrap();
        tmux.send_keys(&["Enter"]).unwrap();
        tmux.wait_for_screen("echo", |screen| screen.contains("got <-hello; $HOME>"), SOON).unwrap();
        let refused =
            tmux.wait_for_screen("never", |_| false, Duration::from_millis(20)).unwrap_err().to_string();
        assert!(refused.contains("never did not happen") && refused.contains("got <"), "{refused}");
        let (pid, dir) = (tmux.pid().unwrap(), tmux.dir.path().to_owned());
        drop(tmux);
        assert!(!dir.exists() && !process::lives(pid));
    }

    #[test]
    fn the_end_of_the_program_is_awaited_and_its_last_screen_stays() {
        let words = ["/bin/sh", "-c", "echo; echo last words; read line"];
        let tmux = Tmux::start(&words.map(str::to_owned), &[], "/tmp".as_ref()).unwrap();
        assert!(tmux.wait_for_end(Duration::from_millis(20)).is_err());
        tmux.send_keys(&["Enter"]).unwrap();
        tmux.wait_for_end(SOON).unwrap();
        let screen = tmux.capture().unwrap();
        assert!(screen.contains("last words"), "{screen}");
    }
}
