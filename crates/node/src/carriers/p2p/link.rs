//! One link: a stream, its queue, and how it ends. A frame goes over it as its length in four bytes, big-endian,
//! and its bytes. Must not decide who is dialled.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use iroh::endpoint::{ReadError, ReadExactError, RecvStream, SendStream, VarInt, WriteError};
use parlor_core::engine::api::LinkId;
use parlor_wire::limits::MAX_FRAME_BYTES;
use parlor_wire::{PeerId, RoomId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{CLOSE_GRACE, Shared};
use crate::carriers::CarrierEvent;

/// Most links at once, whoever dialled.
const MAX_LINKS: usize = 2048;
/// Frames that may wait on one link.
const MAX_QUEUED_FRAMES: usize = 1024;
/// Bytes that may wait on one link.
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;
/// Told to the peer when a link ends otherwise than by finishing.
const CUT: VarInt = VarInt::from_u32(1);

/// A stream that is not yet a link.
#[derive(Debug)]
pub(super) struct Stream {
    /// Who is at the other end.
    pub peer: PeerId,
    /// For which room this side dialled.
    pub room: Option<RoomId>,
    pub send: SendStream,
    pub recv: RecvStream,
}

/// All open links.
#[derive(Debug)]
pub(super) struct Links {
    open: Mutex<HashMap<LinkId, Inlet>>,
    last: AtomicU64,
}

/// Where frames go into a link. Dropping it ends the link after what was sent.
#[derive(Debug)]
struct Inlet {
    queue: mpsc::Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    ends: Ends,
}

/// The two ways this side ends a link.
#[derive(Debug, Clone, Default)]
struct Ends {
    /// After what was sent on it.
    closing: CancellationToken,
    /// Now.
    cut: CancellationToken,
}

/// Where a link's task takes frames from.
#[derive(Debug)]
struct Outlet {
    queue: mpsc::Receiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    ends: Ends,
}

impl Links {
    /// Those to come have ids above this.
    pub(super) fn new(above: LinkId) -> Self {
        Self { open: Mutex::default(), last: AtomicU64::new(above) }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<LinkId, Inlet>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) -> Option<(LinkId, Outlet)> {
        let mut open = self.locked();
        if open.len() >= MAX_LINKS {
            return None;
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (inlet, queue) = mpsc::channel(MAX_QUEUED_FRAMES);
        let (queued_bytes, ends) = (Arc::new(AtomicUsize::new(0)), Ends::default());
        let outlet = Outlet { queue, queued_bytes: Arc::clone(&queued_bytes), ends: ends.clone() };
        open.insert(id, Inlet { queue: inlet, queued_bytes, ends });
        Some((id, outlet))
    }

    pub(super) fn count(&self) -> usize {
        self.locked().len()
    }

    /// Queues a frame, or cuts the link that cannot take it.
    pub(super) fn send(&self, link: LinkId, bytes: Vec<u8>) {
        let mut open = self.locked();
        let Some(inlet) = open.get(&link) else { return };
        let len = bytes.len();
        let queued = inlet.queued_bytes.fetch_add(len, Ordering::Relaxed) + len;
        let reason = if len > MAX_FRAME_BYTES {
            "a frame of ours is too long"
        } else if queued > MAX_QUEUED_BYTES {
            "too many bytes wait for the peer"
        } else if inlet.queue.try_send(bytes).is_err() {
            "too many frames wait for the peer"
        } else {
            return;
        };
        tracing::info!(link, reason, "cutting a link");
        inlet.ends.cut.cancel();
        open.remove(&link);
    }

    /// Ends a link after what was sent on it.
    pub(super) fn close(&self, link: LinkId) {
        if let Some(inlet) = self.locked().remove(&link) {
            inlet.ends.closing.cancel();
        }
    }

    pub(super) fn close_all(&self) {
        self.locked().drain().for_each(|(_, inlet)| inlet.ends.closing.cancel());
    }

    pub(super) fn cut_all(&self) {
        self.locked().drain().for_each(|(_, inlet)| inlet.ends.cut.cancel());
    }
}

/// How a link came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Either side finished, and the other took everything.
    Finished,
    /// This side cut it: overflow, or a hard stop.
    Cut,
    /// The peer announced a frame that is too long.
    TooLong,
    /// The stream or its connection broke, or the peer did not take the last frames in time.
    Lost,
}

/// Carries one link from `Up` to `Down`.
pub(super) async fn run(shared: &Shared, stream: Stream) {
    let Stream { peer, room, mut send, mut recv } = stream;
    let Some((id, outlet)) = shared.links.add() else {
        tracing::info!(?peer, "too many links, this one is refused");
        refuse(&mut send, &mut recv);
        return;
    };
    tracing::debug!(link = id, ?peer, dialled = room.is_some(), "link up");
    // Who stops the carrier closes the links there are, and this one may have come after.
    if !shared.stop.is_cancelled() && shared.tell(CarrierEvent::Up { link: id, peer, room }).await {
        let end = carry(shared, id, &mut send, &mut recv, outlet).await;
        tracing::debug!(link = id, ?peer, ?end, "link down");
        if end != End::Finished {
            refuse(&mut send, &mut recv);
        }
        // The driver may still send on it: from here on that goes nowhere.
        shared.links.close(id);
        shared.tell(CarrierEvent::Down { link: id }).await;
    } else {
        shared.links.close(id);
    }
}

/// Ends both directions now; where one has ended already there is nothing to do.
fn refuse(send: &mut SendStream, recv: &mut RecvStream) {
    let _ = send.reset(CUT);
    let _ = recv.stop(CUT);
}

async fn carry(
    shared: &Shared,
    id: LinkId,
    send: &mut SendStream,
    recv: &mut RecvStream,
    outlet: Outlet,
) -> End {
    let ends = outlet.ends.clone();
    let mut writer = pin!(write_frames(send, outlet));
    let mut reader = pin!(read_frames(shared, id, recv, &ends.closing));
    tokio::select! {
        biased;
        () = ends.cut.cancelled() => return End::Cut,
        () = ends.closing.cancelled() => {}
        end = &mut reader => return end,
        // The peer takes no more; what it has said until now is still heard.
        _ = &mut writer => return timeout(CLOSE_GRACE, reader).await.unwrap_or(End::Lost),
    }
    // Finishing is no flush: only when the peer has ended its side too has it read what was sent.
    let handed_over = async { tokio::join!(writer, reader).1 };
    tokio::select! {
        () = ends.cut.cancelled() => End::Cut,
        end = timeout(CLOSE_GRACE, handed_over) => end.unwrap_or(End::Lost),
    }
}

/// Writes what is queued until the link is closed, then finishes.
async fn write_frames(send: &mut SendStream, mut outlet: Outlet) -> Result<(), WriteError> {
    while let Some(bytes) = outlet.queue.recv().await {
        let len = bytes.len();
        let header = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
        send.write_all_chunks(&mut [Bytes::copy_from_slice(&header), Bytes::from(bytes)]).await?;
        outlet.queued_bytes.fetch_sub(len, Ordering::Relaxed);
    }
    // It can only have been stopped or reset before, which the peer knows.
    let _ = send.finish();
    Ok(())
}

/// Hands frames to the driver as fast as it takes them; the peer is held back by the stream's window. Frames
/// that come while the link closes are read and let go.
async fn read_frames(
    shared: &Shared,
    link: LinkId,
    recv: &mut RecvStream,
    closing: &CancellationToken,
) -> End {
    loop {
        match read_frame(recv).await {
            Ok(bytes) if closing.is_cancelled() => drop(bytes),
            Ok(bytes) => {
                if !shared.tell(CarrierEvent::Frame { link, bytes }).await {
                    return End::Lost;
                }
            }
            Err(end) => return end,
        }
    }
}

/// One frame. Memory is taken for its length but filled only by what arrives, and kept by nobody afterwards.
async fn read_frame(recv: &mut RecvStream) -> Result<Vec<u8>, End> {
    let mut header = [0; 4];
    recv.read_exact(&mut header).await.map_err(|error| match error {
        ReadExactError::FinishedEarly(0) => End::Finished,
        ReadExactError::FinishedEarly(_) => End::Lost,
        ReadExactError::ReadError(error) => lost(&error),
    })?;
    let len = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if len > MAX_FRAME_BYTES {
        return Err(End::TooLong);
    }
    let mut bytes = vec![0; len];
    recv.read_exact(&mut bytes).await.map_err(|_| End::Lost)?;
    Ok(bytes)
}

fn lost(error: &ReadError) -> End {
    tracing::debug!(%error, "a link broke");
    End::Lost
}
