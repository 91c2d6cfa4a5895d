//! A plain transcript of each room, by arrival, for whatever can read a file. It is derived: written by a thread
//! of its own behind the log, and brought up to the log where it is behind. Must never hold the driver.

mod room_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlor_core::engine::api::{Command, MessageView, RoomStanding};
use parlor_wire::RoomId;
use tokio::runtime::Handle;

use crate::driver::Driver;
use crate::feed::{Fed, Next};
use crate::files::room_files_dir;
use crate::retention::{Expiry, Retention};
use crate::socket_file::FileId;
use room_file::RoomFile;
pub(crate) use room_file::{make_dir, room_dir};

/// How long the place reached may be unwritten: after a kill so much is written again, over itself.
const SAVE_AFTER: Duration = Duration::from_secs(2);

/// How soon a room that is to be read for another time is written anew.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// Writes the transcripts.
pub(crate) struct TranscriptWriter(pub(crate) Fed);

impl TranscriptWriter {
    /// Writes until the driver has ended. `rooms` is the directory they lie in.
    pub(crate) fn run(self, rooms: PathBuf, retention: &Retention, driver: &Driver, runtime: &Handle) {
        let mut transcripts = Transcripts {
            home: home_of(&rooms),
            dir: rooms,
            files: BTreeMap::new(),
            failed: BTreeSet::new(),
            retention,
            driver,
            runtime,
        };
        let mut expiry = Expiry::new();
        let mut is_dirty = false;
        loop {
            let next = self.0.next(Some(if is_dirty { SAVE_AFTER } else { LOOK_AFTER }));
            expiry.due(retention).into_iter().for_each(|room| transcripts.anew(room));
            match next {
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
    retention: &'a Retention,
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
                Ok(Some(page)) => {
                    let floor_ms = self.retention.floor_ms(&room);
                    self.with_file(room, |file| file.append(&page.messages, page.upto, floor_ms));
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// A room is read for another time than it was, or a day has passed: what it said is written anew, as far as it is read.
    fn anew(&mut self, room: RoomId) {
        self.with_file(room, RoomFile::begin_again);
        self.files.remove(&room);
        self.catch_up(room);
    }

    fn write(&mut self, messages: &[MessageView]) {
        for run in messages.chunk_by(|a, b| a.room == b.room) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let Some(upto) = self.file(first.room).map(|file| file.upto()) else { continue };
            if first.arrival > upto + 1 {
                self.catch_up(first.room);
            }
            let floor_ms = self.retention.floor_ms(&first.room);
            self.with_file(first.room, |file| file.append(run, last.arrival, floor_ms));
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
                Ok(file) => {
                    let dir = room_files_dir(file.dir()).to_string_lossy().into_owned();
                    // So that whoever hears of a file that was fetched is told where it lies by now.
                    self.runtime.block_on(self.driver.cast(Command::FilesIn { room, dir }));
                    self.files.insert(room, file);
                }
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
