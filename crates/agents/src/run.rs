//! Running an agent program's own commands, bounded in time and output. Must not know which program it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What is read of a program's stdout and of its stderr.
const OUTPUT_LIMIT_BYTES: u64 = 64 * 1024;
/// How often a running program is looked after.
const POLL_MS: u64 = 5;

/// One run of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// All of its environment.
    pub env: BTreeMap<OsString, OsString>,
    /// After this it is killed.
    pub timeout_ms: u64,
}

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote, at most 64 KiB.
    pub stdout: String,
    /// What it complained about, at most 64 KiB.
    pub stderr: String,
}

impl Output {
    /// Whether it says that it worked.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The first line it wrote, of its complaints if there are any: what to show a human.
    pub fn first_line(&self) -> String {
        let line = |text: &str| text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        line(&self.stderr).or_else(|| line(&self.stdout)).unwrap_or_else(|| "it wrote nothing".into())
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started or looked after.
    #[error("{program} could not be run: {source}")]
    Io {
        /// Which.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It did not come to an end.
    #[error("{program} did not finish within {timeout_ms} ms and was stopped")]
    TimedOut {
        /// Which.
        program: PathBuf,
        /// How long it had.
        timeout_ms: u64,
    },
}

/// Whatever can run a program: the system, or a test that looks at what would be run.
pub trait Runner {
    /// Runs the program to its end.
    fn run(&self, invocation: &Invocation) -> Result<Output, RunError>;
}

impl<F: Fn(&Invocation) -> Result<Output, RunError>> Runner for F {
    fn run(&self, invocation: &Invocation) -> Result<Output, RunError> {
        self(invocation)
    }
}

/// Runs programs as processes of this system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRunner;

impl Runner for SystemRunner {
    fn run(&self, invocation: &Invocation) -> Result<Output, RunError> {
        let failed = |source| RunError::Io { program: invocation.program.clone(), source };
        // Files, not pipes: a grandchild that keeps a pipe open cannot make us wait.
        let mut stdout = tempfile::tempfile().map_err(failed)?;
        let mut stderr = tempfile::tempfile().map_err(failed)?;
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .current_dir(&invocation.cwd)
            .env_clear()
            .envs(&invocation.env)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let Some(status) = wait(&mut child, invocation.timeout_ms).map_err(failed)? else {
            return Err(RunError::TimedOut {
                program: invocation.program.clone(),
                timeout_ms: invocation.timeout_ms,
            });
        };
        let (stdout, stderr) = (read(&mut stdout).map_err(failed)?, read(&mut stderr).map_err(failed)?);
        Ok(Output { code: status.code(), stdout, stderr })
    }
}

/// The child's end, or none when it had to be killed.
fn wait(child: &mut Child, timeout_ms: u64) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(OUTPUT_LIMIT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn sh(script: &str, timeout_ms: u64) -> Result<Output, RunError> {
        SystemRunner.run(&Invocation {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            cwd: "/".into(),
            env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into()), ("ONLY".into(), "this".into())]),
            timeout_ms,
        })
    }

    #[test]
    fn output_code_and_environment_are_as_told() {
        let output = sh("echo $ONLY-$HOME; echo bad >&2; exit 3", 10_000).unwrap();
        assert_eq!(output, Output { code: Some(3), stdout: "this-\n".into(), stderr: "bad\n".into() });
        assert_eq!(output.first_line(), "bad");
        assert!(!output.ok());
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        assert!(matches!(sh("exec sleep 600", 50), Err(RunError::TimedOut { timeout_ms: 50, .. })));
    }

    #[test]
    fn a_program_that_floods_is_read_in_part() {
        let output = sh("head -c 1000000 /dev/zero | tr '\\0' x", 10_000).unwrap();
        assert_eq!(output.stdout.len() as u64, OUTPUT_LIMIT_BYTES);
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let invocation = Invocation {
            program: "/nowhere/claude".into(),
            args: vec![],
            cwd: "/".into(),
            env: BTreeMap::new(),
            timeout_ms: 1000,
        };
        let error = SystemRunner.run(&invocation).unwrap_err().to_string();
        assert!(error.contains("/nowhere/claude"), "{error}");
    }
}
