//! A plain transcript of each room, by arrival, for whatever can read a file. It is derived: written by a thread
//! of its own behind the log, and brought up to the log where it is behind. Must never hold the driver.

mod room_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parlor_core::engine::api::{MessageView, RoomStanding};
use parlor_wire::RoomId;
use tokio::runtime::Handle;

use crate::driver::Driver;
use crate::socket_file::FileId;
use room_file::RoomFile;

/// Batches that may wait to be written; what does not fit is read from the log.
const QUEUE_LEN: usize = 16;
/// How long the place reached may be unwritten: after a kill so much is written again, over itself.
const SAVE_AFTER: Duration = Duration::from_secs(2);

/// The driver's end.
pub(crate) struct TranscriptFeed {
    queue: SyncSender<Vec<MessageView>>,
    behind: Arc<AtomicBool>,
}

/// The writer's end.
pub(crate) struct TranscriptWriter {
    queue: Receiver<Vec<MessageView>>,
    behind: Arc<AtomicBool>,
}

pub(crate) fn pair() -> (TranscriptFeed, TranscriptWriter) {
    let (queue, batches) = sync_channel(QUEUE_LEN);
    let behind = Arc::new(AtomicBool::new(true));
    (TranscriptFeed { queue, behind: behind.clone() }, TranscriptWriter { queue: batches, behind })
}

impl TranscriptFeed {
    /// Passes on what arrived, if there is room; whatever was not is found in the log.
    pub(crate) fn tell(&self, messages: &[MessageView]) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(messages.to_vec()) {
            self.behind.store(true, Ordering::Release);
            // Drained between the two, the writer would not look.
            _ = self.queue.try_send(Vec::new());
        }
    }
}

impl TranscriptWriter {
    /// Writes until the driver has ended. `rooms` is the directory they lie in.
    pub(crate) fn run(self, rooms: PathBuf, driver: &Driver, runtime: &Handle) {
        let mut transcripts = Transcripts {
            home: home_of(&rooms),
            dir: rooms,
            files: BTreeMap::new(),
            failed: BTreeSet::new(),
            driver,
            runtime,
        };
        let mut is_dirty = false;
        loop {
            if self.behind.swap(false, Ordering::AcqRel) {
                transcripts.catch_up_all();
                is_dirty = true;
            }
            let batch = if is_dirty {
                self.queue.recv_timeout(SAVE_AFTER)
            } else {
                self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match batch {
                Ok(messages) => {
                    transcripts.write(&messages);
                    is_dirty = true;
                }
                Err(RecvTimeoutError::Timeout) => {
                    transcripts.save();
                    is_dirty = false;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    transcripts.save();
                    return;
                }
            }
        }
    }
}

fn home_of(rooms: &Path) -> Option<FileId> {
    FileId::of(rooms.parent()?).ok()
}

struct Transcripts<'a> {
    dir: PathBuf,
    files: BTreeMap<RoomId, RoomFile>,
    /// Rooms whose transcript could not be written last time. It is tried again with the next message.
    failed: BTreeSet<RoomId>,
    driver: &'a Driver,
    runtime: &'a Handle,
    /// The home they lie in, by what it is and not by its name alone: another may have its place by now.
    home: Option<FileId>,
}

impl Transcripts<'_> {
    fn catch_up_all(&mut self) {
        let rooms = self.runtime.block_on(self.driver.view(|engine| engine.rooms()));
        for room in rooms.unwrap_or_default() {
            // A room that is read no more has nothing else left: its transcript is not touched.
            if room.arrivals > 0 && !matches!(room.state, RoomStanding::Older(_)) {
                self.catch_up(room.id);
            }
        }
    }

    fn catch_up(&mut self, room: RoomId) {
        while let Some(after) = self.file(room).map(|file| file.upto()) {
            match self.runtime.block_on(self.driver.arrived_after(room, after)) {
                Ok(Some(page)) => self.with_file(room, |file| file.append(&page.messages, page.upto)),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn write(&mut self, messages: &[MessageView]) {
        for run in messages.chunk_by(|a, b| a.room == b.room) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let Some(upto) = self.file(first.room).map(|file| file.upto()) else { continue };
            if first.arrival > upto + 1 {
                self.catch_up(first.room);
            }
            self.with_file(first.room, |file| file.append(run, last.arrival));
        }
    }

    fn save(&mut self) {
        for room in self.files.keys().copied().collect::<Vec<_>>() {
            self.with_file(room, RoomFile::save);
        }
    }

    fn file(&mut self, room: RoomId) -> Option<&mut RoomFile> {
        if !self.files.contains_key(&room) {
            if home_of(&self.dir) != self.home {
                return None;
            }
            let name = self.runtime.block_on(self.driver.view(move |engine| engine.room_name(room))).ok()?;
            match RoomFile::open(&self.dir, &name, room) {
                Ok(file) => _ = self.files.insert(room, file),
                Err(error) => self.fail(room, &error),
            }
        }
        self.files.get_mut(&room)
    }

    fn with_file(&mut self, room: RoomId, act: impl FnOnce(&mut RoomFile) -> std::io::Result<()>) {
        let Some(file) = self.file(room) else { return };
        match act(file) {
            Ok(()) => _ = self.failed.remove(&room),
            Err(error) => {
                // Opened again, it goes on from what is certain.
                self.files.remove(&room);
                self.fail(room, &error);
            }
        }
    }

    fn fail(&mut self, room: RoomId, error: &std::io::Error) {
        if self.failed.insert(room) {
            tracing::warn!(%error, "the transcript of {} waits", room.short());
        }
    }
}
