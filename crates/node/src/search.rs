//! The index of what may be read here, kept up with the log by a thread of its own behind it. Where it is missing, damaged
//! or of another store it is made anew from the log. Must never hold the driver, nor say that a message is to be shown:
//! what is found is opened like any other message, and what does not count is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use parlor_core::engine::api::MessageView;
use parlor_core::persist::{Loaded, Query};
use parlor_core::text::seek::{Terms, fold};
use parlor_store::StoreError;
use parlor_store::index::{Index, IndexReader, Indexed, Reached, Sought};
use parlor_wire::{EntryId, RoomId, TimeMs};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::driver::Driver;
use crate::feed::{Fed, Next};
use crate::retention::{Expiry, Retention};
use crate::socket_file::FileId;

/// How often the thread looks whether its file is still there, when nothing else wakes it.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// The index of one home.
pub(crate) struct SearchIndex {
    path: PathBuf,
    /// The home it lies in, by what it is and not by its name alone: another may have its place by now.
    home: Option<FileId>,
    writing: Mutex<Held>,
    /// How far each room can be searched.
    reached: watch::Sender<BTreeMap<RoomId, u64>>,
}

enum Held {
    /// Not opened yet.
    Unopened,
    Open(Index),
    /// It failed, or is gone: what lies there is not trusted again.
    Lost,
}

enum Opened {
    GoesOn,
    /// Everything is to be looked at again.
    Begins,
    No,
}

impl SearchIndex {
    /// The index at a path, not opened yet.
    pub(crate) fn at(path: PathBuf) -> Self {
        let home = home_of(&path);
        Self { path, home, writing: Mutex::new(Held::Unopened), reached: watch::Sender::default() }
    }

    /// How far each room can be searched, as it changes.
    pub(crate) fn reached(&self) -> watch::Receiver<BTreeMap<RoomId, u64>> {
        self.reached.subscribe()
    }

    fn writing(&self) -> MutexGuard<'_, Held> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it, on a thread that may wait.
    pub(crate) fn find(&self, sought: &Sought<'_>) -> Result<Vec<(RoomId, EntryId)>, StoreError> {
        IndexReader::open(&self.path).and_then(|reader| reader.find(sought)).inspect_err(|error| {
            if !matches!(error, StoreError::Busy | StoreError::Full) {
                tracing::warn!("the index cannot be read and is made anew: {error}");
                // Its thread sees that there is none, and begins again.
                *self.writing() = Held::Lost;
            }
        })
    }

    /// Does something with it that writes, on a thread that may wait; not at all while there is none.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut writing = self.writing();
        let Held::Open(index) = &mut *writing else { return Ok(None) };
        let done = write(index);
        if let Err(error) = &done {
            tracing::warn!("the index cannot be written and is made anew: {error}");
            *writing = Held::Lost;
        }
        done.map(Some)
    }

    /// A room is not in it any more, until its thread has made it anew.
    pub(crate) fn forget(&self, room: RoomId) -> Result<(), StoreError> {
        self.write(|index| index.forget(room, TimeMs::MAX))?;
        self.reached.send_modify(|reached| _ = reached.remove(&room));
        Ok(())
    }

    /// Sees to it that there is one to go on with.
    fn open(&self) -> Result<Opened, StoreError> {
        let mut writing = self.writing();
        let opened = match &*writing {
            Held::Open(index) if index.is_in_place() => return Ok(Opened::GoesOn),
            _ if home_of(&self.path) != self.home => return Ok(Opened::No),
            Held::Unopened => Index::open(&self.path),
            Held::Open(_) | Held::Lost => Index::anew(&self.path),
        };
        *writing = Held::Lost;
        *writing = Held::Open(opened?);
        Ok(Opened::Begins)
    }
}

fn home_of(path: &Path) -> Option<FileId> {
    FileId::of(path.parent()?).ok()
}

/// Keeps the index up with the log.
pub(crate) struct IndexWriter(pub(crate) Fed);

impl IndexWriter {
    /// Writes until the driver has ended.
    pub(crate) fn run(self, index: &SearchIndex, retention: &Retention, driver: &Driver, runtime: &Handle) {
        let mut follower = Follower { index, retention, driver, runtime, reached: BTreeMap::new() };
        let mut expiry = Expiry::new();
        let mut failed = false;
        loop {
            let next = self.0.next(Some(LOOK_AFTER));
            if matches!(next, Next::End) {
                return;
            }
            let opened = index.open();
            if opened.is_ok() {
                expiry.due(retention).into_iter().for_each(|room| follower.anew(room));
            }
            match (opened, next) {
                (Ok(Opened::Begins), _) | (Ok(Opened::GoesOn), Next::CatchUp) => follower.catch_up_all(),
                (Ok(Opened::GoesOn), Next::Arrived(messages)) => follower.take(&messages),
                (Ok(_), _) => {}
                (Err(error), _) if !std::mem::replace(&mut failed, true) => {
                    tracing::warn!("the index cannot be made, and is tried again: {error}");
                }
                (Err(_), _) => {}
            }
        }
    }
}

struct Follower<'a> {
    index: &'a SearchIndex,
    retention: &'a Retention,
    driver: &'a Driver,
    runtime: &'a Handle,
    reached: BTreeMap<RoomId, Reached>,
}

impl Follower<'_> {
    fn catch_up_all(&mut self) {
        let reached = self.index.write(|index| index.reached());
        self.reached = reached.ok().flatten().unwrap_or_default();
        self.tell();
        let rooms = self.runtime.block_on(self.driver.view(|engine| engine.rooms())).unwrap_or_default();
        let held: BTreeSet<RoomId> = rooms.iter().map(|room| room.id).collect();
        for room in self.reached.keys().copied().collect::<Vec<_>>() {
            if !held.contains(&room) || !self.is_of_this_store(room) {
                self.begin_again(room);
            }
        }
        for room in rooms.iter().filter(|room| room.arrivals > 0) {
            self.catch_up(room.id);
        }
    }

    /// Whether the entry the index ends with has its number here: a store that was put back gives numbers anew.
    fn is_of_this_store(&self, room: RoomId) -> bool {
        let Some(reached) = self.reached.get(&room) else { return true };
        let after = reached.upto.saturating_sub(1);
        let query = Query::Arrivals { room, after, limit: 1, except_origin: None, without_history: false };
        match self.runtime.block_on(self.driver.query(query)) {
            Ok(Loaded::Rows(rows)) => {
                rows.first().is_some_and(|row| row.arrival == Some(reached.upto) && row.id == reached.id)
            }
            // What cannot be read now says nothing.
            _ => true,
        }
    }

    /// Tells how far each room reaches.
    fn tell(&self) {
        let reached = self.reached.iter().map(|(room, reached)| (*room, reached.upto)).collect();
        self.index.reached.send_replace(reached);
    }

    fn begin_again(&mut self, room: RoomId) {
        self.reached.remove(&room);
        self.tell();
        _ = self.index.write(|index| index.forget(room, TimeMs::MAX));
    }

    /// A room is read for another time than it was, or a day has passed.
    fn anew(&mut self, room: RoomId) {
        self.begin_again(room);
        self.catch_up(room);
    }

    fn upto(&self, room: RoomId) -> u64 {
        self.reached.get(&room).map_or(0, |reached| reached.upto)
    }

    fn catch_up(&mut self, room: RoomId) {
        loop {
            match self.runtime.block_on(self.driver.arrived_after(room, self.upto(room))) {
                Ok(Some(page)) => {
                    let reached = Reached { upto: page.upto, id: page.last };
                    if !self.add(room, &page.messages, reached) {
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, messages: &Arc<[MessageView]>) {
        for run in messages.chunk_by(|a, b| a.room == b.room) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if first.arrival > self.upto(first.room) + 1 {
                self.catch_up(first.room);
            }
            if last.arrival > self.upto(first.room) {
                self.add(first.room, run, Reached { upto: last.arrival, id: last.id });
            }
        }
    }

    fn add(&mut self, room: RoomId, messages: &[MessageView], reached: Reached) -> bool {
        let floor_ms = self.retention.floor_ms(&room);
        let is_indexed = |message: &&MessageView| !message.newer && message.sort_ms >= floor_ms;
        let indexed: Vec<Indexed> = messages.iter().filter(is_indexed).map(indexed).collect();
        match self.index.write(|index| index.add(room, &indexed, reached)) {
            Ok(Some(())) => {
                self.reached.insert(room, reached);
                self.index.reached.send_modify(|all| _ = all.insert(room, reached.upto));
                true
            }
            Ok(None) | Err(_) => false,
        }
    }
}

fn indexed(message: &MessageView) -> Indexed {
    Indexed { id: message.id, sort_ms: message.sort_ms, text: fold(message.text.as_str()) }
}

/// Whether a message is one that is looked for.
pub(crate) fn is_sought(terms: &Terms, message: &MessageView) -> bool {
    !message.newer && terms.are_in(&fold(message.text.as_str()))
}
