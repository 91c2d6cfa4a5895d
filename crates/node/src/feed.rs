//! How what arrives reaches whatever is derived from the log (transcripts, the index), off the write path: a bounded
//! queue, and a word that something did not fit into it, which is then read from the log. Must never hold the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parlor_core::engine::api::MessageView;

/// Batches that may wait to be written; what does not fit is read from the log.
const QUEUE_LEN: usize = 16;

type Batch = Arc<[MessageView]>;

/// The driver's end.
pub(crate) struct Feed {
    queue: SyncSender<Batch>,
    behind: Arc<AtomicBool>,
}

/// The end of whoever follows.
pub(crate) struct Fed {
    queue: Receiver<Batch>,
    behind: Arc<AtomicBool>,
}

/// What a follower has to do next.
pub(crate) enum Next {
    /// Something was missed: the log has it.
    CatchUp,
    /// These arrived.
    Arrived(Batch),
    /// Nothing came in the time given.
    Quiet,
    /// The driver has ended.
    End,
}

/// Both ends. Whoever follows begins by reading the log.
pub(crate) fn pair() -> (Feed, Fed) {
    let (queue, batches) = sync_channel(QUEUE_LEN);
    let behind = Arc::new(AtomicBool::new(true));
    (Feed { queue, behind: behind.clone() }, Fed { queue: batches, behind })
}

impl Feed {
    /// Passes on what arrived, if there is room; whatever was not is found in the log.
    pub(crate) fn tell(&self, messages: &Batch) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(messages.clone()) {
            self.behind.store(true, Ordering::Release);
            // Drained between the two, the follower would not look.
            _ = self.queue.try_send(Arc::new([]));
        }
    }
}

impl Fed {
    /// Waits for what comes next; without a time, until something does.
    pub(crate) fn next(&self, wait: Option<Duration>) -> Next {
        if self.behind.swap(false, Ordering::AcqRel) {
            return Next::CatchUp;
        }
        let batch = match wait {
            Some(wait) => self.queue.recv_timeout(wait),
            None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match batch {
            Ok(messages) => Next::Arrived(messages),
            Err(RecvTimeoutError::Timeout) => Next::Quiet,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn who_falls_behind_is_told_to_read_the_log() {
        let (feed, fed) = pair();
        assert!(matches!(fed.next(None), Next::CatchUp), "it begins by reading the log");
        assert!(matches!(fed.next(Some(Duration::ZERO)), Next::Quiet));
        let nothing: Batch = Arc::new([]);
        (0..=QUEUE_LEN).for_each(|_| feed.tell(&nothing));
        assert!(matches!(fed.next(None), Next::CatchUp));
        (0..QUEUE_LEN).for_each(|_| assert!(matches!(fed.next(None), Next::Arrived(_))));
        drop(feed);
        assert!(matches!(fed.next(None), Next::End));
    }
}
