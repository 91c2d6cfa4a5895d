//! A plain transcript of each room, by arrival, for whatever can read a file. It is derived: written by a thread
//! of its own behind the log, and brought up to the log where it is behind. Must never hold the driver.

mod room_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlor_core::engine::api::MessageView;
use parlor_wire::RoomId;
use tokio::runtime::Handle;

use crate::driver::Driver;
use crate::feed::{Fed, Next};
use crate::socket_file::FileId;
use room_file::RoomFile;

/// How long the place reached may be unwritten: after a kill so much is written again, over itself.
const SAVE_AFTER: Duration = Duration::from_secs(2);

/// Writes the transcripts.
pub(crate) struct TranscriptWriter(pub(crate) Fed);

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
            match self.0.next(is_dirty.then_some(SAVE_AFTER)) {
                Next::CatchUp => {
                    transcripts.catch_up_all();
                    is_dirty = true;
                }
                Next::Arrived(messages) => {
                    transcripts.write(&messages);
                    is_dirty = true;
                }
                Next::Quiet => {
                    transcripts.save();
                    is_dirty = false;
                }
                Next::End => {
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
            if room.arrivals > 0 {
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
