//! Who is told of what arrives. A follower that does not keep up misses some and is told so: it reads the rest
//! from the log. Nobody's slowness holds the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parlor_core::engine::api::MessageView;
use parlor_wire::RoomId;
use tokio::sync::mpsc;

const QUEUE_LEN: usize = 128;

/// The driver's end.
pub(crate) struct Follower {
    room: RoomId,
    queue: mpsc::Sender<MessageView>,
    lagged: Arc<AtomicBool>,
}

/// The other end.
pub(crate) struct Following {
    queue: mpsc::Receiver<MessageView>,
    lagged: Arc<AtomicBool>,
}

/// What a follower is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A message.
    Message(Box<MessageView>),
    /// Some were missed: the log has them.
    Missed,
}

pub(super) fn pair(room: RoomId) -> (Follower, Following) {
    let (queue, news) = mpsc::channel(QUEUE_LEN);
    let lagged = Arc::new(AtomicBool::new(false));
    (Follower { room, queue, lagged: lagged.clone() }, Following { queue: news, lagged })
}

impl Follower {
    /// Tells it; false when nobody listens any more.
    pub(super) fn tell(&self, message: &MessageView) -> bool {
        if message.room != self.room {
            return !self.queue.is_closed();
        }
        match self.queue.try_send(message.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lagged.store(true, Ordering::Release);
                // Drained between the two, it would not look: what comes now wakes it, and shows the gap.
                _ = self.queue.try_send(message.clone());
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

impl Following {
    /// The next thing; none when the driver has ended.
    pub(crate) async fn next(&mut self) -> Option<News> {
        // The queue was full when some were missed, so it is not empty before this is noticed.
        if self.queue.is_empty() && self.lagged.swap(false, Ordering::AcqRel) {
            return Some(News::Missed);
        }
        self.queue.recv().await.map(|message| News::Message(Box::new(message)))
    }
}
