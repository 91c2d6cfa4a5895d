//! What the operating system says of processes: parents, and whether one still lives. Where it says nothing
//! (other than Linux) ancestry is unknown and a process id is taken by its word.

/// A process that a later one with the same number is not taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Process {
    pub pid: u32,
    /// When it began, in the system's own unit; absent where the system does not say.
    pub started: Option<u64>,
}

/// More ancestors than this nobody has.
#[cfg(target_os = "linux")]
const MAX_ANCESTORS: usize = 64;
/// What agent programs run commands by.
#[cfg(target_os = "linux")]
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox"];

impl Process {
    /// The process of this number, if it lives.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        lives(pid).then(|| Self { pid, started: started(pid) })
    }

    pub(crate) fn lives(&self) -> bool {
        lives(self.pid) && started(self.pid) == self.started
    }
}

/// Whether a process is, or descends from, another; none where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn descends(pid: u32, from: u32) -> Option<bool> {
    Some(ancestry(pid).contains(&from))
}

/// Whether a process is another; whether it descends from one is not to be had here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn descends(pid: u32, from: u32) -> Option<bool> {
    (pid == from).then_some(true)
}

fn lives(pid: u32) -> bool {
    let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let Some(number) = number else { return false };
    // Whoever may not be signalled lives all the same.
    !matches!(rustix::process::test_kill_process(number), Err(rustix::io::Errno::SRCH)) && !is_dead(pid)
}

#[cfg(target_os = "linux")]
fn stat_word(pid: u32, at: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(at).map(str::to_owned)
}

#[cfg(target_os = "linux")]
fn stat_field(pid: u32, at: usize) -> Option<u64> {
    stat_word(pid, at)?.parse().ok()
}

/// Whether a process has ended and only its parent has not asked how: it keeps its number and can be signalled.
#[cfg(target_os = "linux")]
fn is_dead(pid: u32) -> bool {
    stat_word(pid, 0).is_some_and(|state| state == "Z" || state == "X")
}

#[cfg(not(target_os = "linux"))]
fn is_dead(_: u32) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<u64> {
    stat_field(pid, 19)
}

#[cfg(not(target_os = "linux"))]
fn started(_: u32) -> Option<u64> {
    None
}

/// A process and those it descends from, itself first.
#[cfg(target_os = "linux")]
pub(crate) fn ancestry(pid: u32) -> Vec<u32> {
    let mut line = vec![pid];
    let parent = |pid: u32| stat_field(pid, 1).and_then(|parent| u32::try_from(parent).ok());
    while let Some(up) = line.last().copied().and_then(parent).filter(|up| *up > 1)
        && line.len() < MAX_ANCESTORS
    {
        line.push(up);
    }
    line
}

/// A process; those it descends from are not to be had here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ancestry(pid: u32) -> Vec<u32> {
    vec![pid]
}

/// The process that had this one begun: the nearest above it that is no shell, which is there only to run it.
#[cfg(target_os = "linux")]
pub(crate) fn begun_by(pid: u32) -> Option<u32> {
    let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    ancestry(pid).into_iter().skip(1).find(|above| !SHELLS.contains(&name(above).trim_end()))
}

/// Not to be had here: the shell between may be gone before it is asked about.
#[cfg(not(target_os = "linux"))]
pub(crate) fn begun_by(_: u32) -> Option<u32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_descends_from_this_process() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let line = ancestry(child.id());
        assert_eq!(line[..2], [child.id(), std::process::id()]);
        let process = Process::of(child.id()).unwrap();
        assert!(process.lives() && process.started.is_some());
        let this = std::process::id();
        assert_eq!((descends(child.id(), this), descends(this, child.id())), (Some(true), Some(false)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.lives());
        assert_eq!(Process::of(child.id()), None);
    }

    #[test]
    fn shells_between_are_not_who_began_it() {
        let script = "sh -c 'sleep 60; true' & wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap();
        let line = |name: &str| {
            let found = Command::new("pgrep").args(["-P", &shell.id().to_string(), name]).output().unwrap();
            String::from_utf8(found.stdout).unwrap().trim().parse::<u32>().ok()
        };
        let inner = loop {
            match line("sh") {
                Some(inner) => break inner,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(begun_by(inner), Some(std::process::id()));
        for pid in [inner, shell.id()] {
            _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid as i32).unwrap(),
                rustix::process::Signal::KILL,
            );
        }
        shell.wait().unwrap();
    }

    #[test]
    fn one_that_ended_and_nobody_has_asked_about_does_not_live() {
        use std::io::Read;
        let mut child = Command::new("sh")
            .args(["-c", "read x"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let process = Process::of(child.id()).unwrap();
        let mut out = child.stdout.take().unwrap();
        drop(child.stdin.take());
        // Its end closes its output; a moment later it is dead, and nobody waits for it yet.
        out.read_to_end(&mut Vec::new()).unwrap();
        while stat_word(child.id(), 0).is_some_and(|state| state != "Z") {
            std::thread::yield_now();
        }
        assert!(!process.lives());
        assert_eq!(Process::of(child.id()), None);
        child.wait().unwrap();
    }

    #[test]
    fn another_process_of_the_same_number_is_another() {
        let this = Process::of(std::process::id()).unwrap();
        let earlier = Process { started: this.started.map(|at| at - 1), ..this };
        assert!(this.lives() && !earlier.lives());
        assert_eq!(Process::of(0), None);
    }
}
