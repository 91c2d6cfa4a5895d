//! What a whole process costs: CPU and wall time of a command from its start to its exit, many times, in alternation
//! with others so that a busy minute falls on all alike. Judges nothing, prints nothing.
//!
//! CPU time is the difference of the resource usage of finished children around one child. So nothing else may be
//! waited for meanwhile: one thread measures, and helpers that run beside (a node) are ended before or after.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::Result;

/// A command to be measured.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// What it is called in the table.
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// What it reads from stdin, at most what a pipe holds.
    pub input: Vec<u8>,
}

/// One run of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub cpu_us: f64,
    pub wall_us: f64,
}

/// Bytes a pipe surely holds, so that writing the input never waits for its reader.
const INPUT_MAX: usize = 64 << 10;

/// Runs of each subject that are not counted: they fill the page cache.
const WARM_UP_RUNS: u32 = 5;

/// Measure all subjects `runs` times in alternation; the answer is in the order of the subjects.
pub fn alternate(subjects: &[Subject], runs: u32) -> Result<Vec<Vec<Sample>>> {
    let mut series = vec![Vec::with_capacity(runs as usize); subjects.len()];
    for round in 0..WARM_UP_RUNS + runs {
        for (subject, samples) in subjects.iter().zip(&mut series) {
            let sample = once(subject)?;
            if round >= WARM_UP_RUNS {
                samples.push(sample);
            }
        }
    }
    Ok(series)
}

/// Run a subject once, as a whole process. It must succeed: the cost of a failure is not what is asked for.
pub fn once(subject: &Subject) -> Result<Sample> {
    if subject.input.len() > INPUT_MAX {
        return Err(format!("{}: more than {INPUT_MAX} bytes of input", subject.name).into());
    }
    let mut command = Command::new(&subject.program);
    command
        .args(&subject.arguments)
        .envs(subject.environment.iter().map(|(name, value)| (name, value)))
        .stdin(if subject.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::null());

    let cpu_before = children_cpu()?;
    let started = Instant::now();
    let mut child =
        command.spawn().map_err(|error| format!("cannot start {}: {error}", subject.program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&subject.input)?;
    }
    // Read like an agent program does; a hook knows when nobody reads it.
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut Vec::new())?;
    }
    let status = child.wait()?;
    let wall = started.elapsed();
    let cpu = children_cpu()?.saturating_sub(cpu_before);
    if !status.success() {
        return Err(format!("{} ended with {status}", subject.name).into());
    }
    Ok(Sample { cpu_us: micros(cpu), wall_us: micros(wall) })
}

fn children_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let total_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(total_us)?))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The order statistics of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// None of an empty series.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        // Nearest rank: the smallest value that at least this share of all does not exceed.
        let rank =
            |share: f64| sorted[((sorted.len() as f64 * share).ceil() as usize).clamp(1, last + 1) - 1];
        Some(Self { min: sorted[0], median: rank(0.5), p99: rank(0.99), max: sorted[last] })
    }

    /// A value that was measured once.
    pub fn single(value: f64) -> Self {
        Self { min: value, median: value, p99: value, max: value }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Subject {
        Subject {
            name: script.to_owned(),
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            ..Subject::default()
        }
    }

    #[test]
    fn a_spread_is_of_nearest_ranks() {
        let spread = Spread::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!(spread, Spread { min: 1.0, median: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Spread::of([7.0]).unwrap(), Spread::single(7.0));
        assert_eq!(Spread::of([]), None);
    }

    // One test: the usage of finished children is one number for the whole process, so tests that run beside
    // each other would count each other's children.
    #[test]
    fn cpu_is_what_the_child_burns_and_wall_is_what_it_takes() {
        let busy = shell("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done");
        let waiting = shell("read line; sleep 0.05"); // sleep: the child takes time without burning any
        let waiting = Subject { input: b"go\n".to_vec(), ..waiting };
        let series = alternate(&[busy, waiting], 3).unwrap();
        assert_eq!(series.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        for (busy, waiting) in series[0].iter().zip(&series[1]) {
            assert!(waiting.wall_us >= 50_000.0 && waiting.cpu_us < waiting.wall_us / 2.0, "{waiting:?}");
            assert!(busy.cpu_us > 2.0 * waiting.cpu_us && busy.cpu_us > 5_000.0, "{busy:?} {waiting:?}");
        }

        assert!(once(&shell("exit 3")).unwrap_err().to_string().contains("exit status: 3"));
        let missing = Subject { program: "/no/such/program".into(), ..Subject::default() };
        assert!(once(&missing).unwrap_err().to_string().contains("/no/such/program"));
        let too_much = Subject { input: vec![0; INPUT_MAX + 1], ..shell("cat") };
        assert!(once(&too_much).is_err());
    }
}
