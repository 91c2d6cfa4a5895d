//! Whether a process holds a home, and when it is gone: the lock says so even when the socket does not answer. Must
//! not take the lock.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ConstantBuilder};
use parlor_api::paths::Home;

/// Between two looks at the lock, in milliseconds.
const STEP_MS: u64 = 10;

/// Whether a node, serving or not, holds the home.
pub fn is_held(home: &Home) -> bool {
    // A shared look disturbs no other, and lasts no longer than this line.
    File::open(home.lock()).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The process the lock names, while it is held.
pub fn holder(home: &Home) -> Option<u32> {
    let text = std::fs::read_to_string(home.lock()).ok().filter(|_| is_held(home))?;
    text.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty())?.parse().ok()
}

/// Waits until nobody holds the home; false when somebody still does.
pub fn await_free(home: &Home, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let steps = ConstantBuilder::new().with_delay(Duration::from_millis(STEP_MS)).without_max_times();
    let look = || if is_held(home) { Err(()) } else { Ok(()) };
    look.retry(steps).when(|()| Instant::now() < deadline).call().is_ok()
}

/// A process that is watched until it ends. Made before it is asked to end, it cannot be taken for a later one of
/// the same number.
pub struct Watched {
    #[cfg(target_os = "linux")]
    handle: Option<rustix::fd::OwnedFd>,
    #[cfg(not(target_os = "linux"))]
    pid: Option<rustix::process::Pid>,
}

impl Watched {
    /// The process of this number.
    pub fn of(pid: Option<u32>) -> Self {
        let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{PidfdFlags, pidfd_open};
            Self { handle: pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) }
        }
        #[cfg(not(target_os = "linux"))]
        Self { pid }
    }

    /// Waits for its end; false when it still lives.
    #[cfg(target_os = "linux")]
    pub fn await_end(&self, within: Duration) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(handle) = &self.handle else { return true };
        let within = Timespec::try_from(within).ok();
        poll(&mut [PollFd::new(handle, PollFlags::IN)], within.as_ref()).is_ok_and(|ended| ended > 0)
    }

    /// Waits for its end; false when it still lives.
    #[cfg(not(target_os = "linux"))]
    pub fn await_end(&self, within: Duration) -> bool {
        let Some(pid) = self.pid else { return true };
        let deadline = Instant::now() + within;
        let steps = ConstantBuilder::new().with_delay(Duration::from_millis(STEP_MS)).without_max_times();
        let look = || if rustix::process::test_kill_process(pid).is_ok() { Err(()) } else { Ok(()) };
        look.retry(steps).when(|()| Instant::now() < deadline).call().is_ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn wound_42_a_process_is_watched_until_it_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let watched = Watched::of(Some(child.id()));
        assert!(!watched.await_end(Duration::from_millis(20)));
        child.kill().unwrap();
        assert!(watched.await_end(Duration::from_secs(20)));
        child.wait().unwrap();
        assert!(Watched::of(None).await_end(Duration::ZERO));
    }

    #[test]
    fn wound_42_a_home_is_free_only_when_its_lock_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert!(!is_held(&home));
        std::fs::write(home.lock(), "4711\n").unwrap();
        assert!(!is_held(&home));
        assert_eq!(holder(&home), None);
        let lock = File::open(home.lock()).unwrap();
        lock.lock().unwrap();
        assert!(is_held(&home));
        assert_eq!(holder(&home), Some(4711));
        assert!(!await_free(&home, Duration::from_millis(30)));
        let free = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| await_free(&home, Duration::from_secs(20)));
            drop(lock);
            waiting.join().unwrap()
        });
        assert!(free);
    }
}
