//! Processes that are not our children: whether they live, awaiting their end, ending them by id.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// The process of this id, if the number can be one.
fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether a process of this id runs. One that has ended and that nobody has waited for does not.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) && state != Some('Z')
}

/// Kills it as `kill -9` does; true when it is gone.
pub(crate) fn kill(pid: u32, patience: Duration) -> bool {
    raw(pid).is_some_and(|raw| kill_process(raw, Signal::KILL).is_ok()) && await_end(pid, patience)
}

/// Waits until it is gone; false when it outlives `patience`.
#[cfg(target_os = "linux")]
pub(crate) fn await_end(pid: u32, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};
    let Some(handle) = raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return true;
    };
    let Ok(limit) = Timespec::try_from(patience) else { return false };
    poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit)).is_ok_and(|ready| ready == 1)
}

/// Waits until it is gone; false when it outlives `patience`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn await_end(pid: u32, patience: Duration) -> bool {
    // There is no handle on a process that is not a child here, so it is asked again and again.
    let deadline = std::time::Instant::now() + patience;
    while lives(pid) {
        if std::time::Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10)); // sleep: no event to await on this system
    }
    true
}
