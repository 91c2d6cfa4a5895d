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
use crate::retention::{Expiry, Retention, floor_ms};
use crate::socket_file::FileId;

/// How often the thread looks whether its file is still there, when nothing else wakes it.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// The index of one home.
pub(crate) struct SearchIndex {
    path: PathBuf,
    /// The home it lies in, by what it is and not by its name alone: another may have its place by now.
    home: Option<FileId>,
    writing: Mutex<Held>,
    /// How far each room can be searched: what the file says, told anew under the lock of whoever writes it.
    reached: watch::Sender<AllReached>,
    /// Rooms whose thread has to begin where the file now is.
    behind: Mutex<BTreeSet<RoomId>>,
}

/// How far each room is indexed.
pub(crate) type AllReached = BTreeMap<RoomId, Reached>;

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
        let writing = Mutex::new(Held::Unopened);
        Self { path, home, writing, reached: watch::Sender::default(), behind: Mutex::default() }
    }

    /// How far each room can be searched, as it changes.
    pub(crate) fn reached(&self) -> watch::Receiver<AllReached> {
        self.reached.subscribe()
    }

    fn behind(&self) -> MutexGuard<'_, BTreeSet<RoomId>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
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
                self.lose(&mut self.writing());
            }
        })
    }

    /// Does something with it that writes, on a thread that may wait; not at all while there is none.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.write_held(&mut self.writing(), write)
    }

    fn write_held<T>(
        &self,
        writing: &mut Held,
        write: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Held::Open(index) = writing else { return Ok(None) };
        let done = write(index);
        if let Err(error) = &done {
            tracing::warn!("the index cannot be written and is made anew: {error}");
            self.lose(writing);
        }
        done.map(Some)
    }

    /// Nothing of it is held any more.
    fn lose(&self, writing: &mut Held) {
        *writing = Held::Lost;
        self.reached.send_replace(BTreeMap::new());
    }

    /// A room is not in it any more, until its thread has made it anew.
    pub(crate) fn forget(&self, room: RoomId) -> Result<(), StoreError> {
        let mut writing = self.writing();
        self.behind().insert(room);
        self.write_held(&mut writing, |index| index.forget(room, TimeMs::MAX))?;
        self.reached.send_modify(|reached| _ = reached.remove(&room));
        Ok(())
    }

    /// Adds what goes on from `after`. No where the file is at another place by now, or made for other days: then its
    /// thread has to begin where it is.
    fn add(&self, room: RoomId, after: u64, messages: &[Indexed], reached: Reached) -> bool {
        let mut writing = self.writing();
        let added = self.write_held(&mut writing, |index| index.add(room, after, messages, reached));
        let is_added = matches!(added, Ok(Some(true)));
        if is_added {
            self.reached.send_modify(|all| _ = all.insert(room, reached));
        } else {
            self.behind().insert(room);
        }
        is_added
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
        self.lose(&mut writing);
        let index = opened?;
        self.reached.send_replace(index.reached()?);
        *writing = Held::Open(index);
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
        let mut follower = Follower { index, retention, driver, runtime };
        let mut expiry = Expiry::new();
        let mut failed = false;
        loop {
            let next = self.0.next(Some(LOOK_AFTER));
            if matches!(next, Next::End) {
                return;
            }
            let opened = index.open();
            if matches!(opened, Ok(Opened::GoesOn | Opened::Begins)) {
                expiry.due(retention).into_iter().for_each(|room| follower.anew(room));
                let behind = std::mem::take(&mut *index.behind());
                behind.into_iter().for_each(|room| follower.catch_up(room));
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
}

impl Follower<'_> {
    fn catch_up_all(&mut self) {
        let rooms = self.runtime.block_on(self.driver.view(|engine| engine.rooms())).unwrap_or_default();
        let held: BTreeSet<RoomId> = rooms.iter().map(|room| room.id).collect();
        let reached = self.index.reached.borrow().clone();
        for (room, reached) in reached {
            if !held.contains(&room) || !self.is_of_this_store(room, reached) {
                self.begin_again(room);
            }
        }
        for room in rooms.iter().filter(|room| room.arrivals > 0) {
            self.catch_up(room.id);
        }
    }

    /// Whether the entry the index ends with has its number here: a store that was put back gives numbers anew.
    fn is_of_this_store(&self, room: RoomId, reached: Reached) -> bool {
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

    fn begin_again(&mut self, room: RoomId) {
        // What could not be forgotten is not gone on with either: the index is lost then, and made anew.
        _ = self.index.forget(room);
    }

    /// A room is read for another time than it was, or a day has passed.
    fn anew(&mut self, room: RoomId) {
        self.begin_again(room);
        self.catch_up(room);
    }

    fn upto(&self, room: RoomId) -> u64 {
        self.index.reached.borrow().get(&room).map_or(0, |reached| reached.upto)
    }

    fn days(&self, room: RoomId) -> u32 {
        self.retention.days(&room).unwrap_or(0)
    }

    /// From where the index is to the end of the log; from the beginning where it was made for other days.
    fn catch_up(&mut self, room: RoomId) {
        let made_for = self.index.reached.borrow().get(&room).map(|reached| reached.days);
        if made_for.is_some_and(|days| days != self.days(room)) {
            self.begin_again(room);
        }
        loop {
            let after = self.upto(room);
            match self.runtime.block_on(self.driver.arrived_after(room, after)) {
                Ok(Some(page)) => {
                    if !self.add(room, after, &page.messages, (page.upto, page.last)) {
                        return;
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    self.index.behind().insert(room);
                    return;
                }
            }
        }
    }

    fn take(&mut self, messages: &Arc<[MessageView]>) {
        for run in messages.chunk_by(|a, b| a.room == b.room) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if first.arrival > self.upto(first.room) + 1 {
                self.catch_up(first.room);
            }
            let upto = self.upto(first.room);
            // What still does not go on from there waits in the log.
            if first.arrival <= upto + 1 && last.arrival > upto {
                self.add(first.room, upto, run, (last.arrival, last.id));
            }
        }
    }

    fn add(&mut self, room: RoomId, after: u64, messages: &[MessageView], end: (u64, EntryId)) -> bool {
        let days = self.retention.days(&room);
        let floor_ms = floor_ms(days);
        let is_indexed = |message: &&MessageView| !message.newer && message.sort_ms >= floor_ms;
        let indexed: Vec<Indexed> = messages.iter().filter(is_indexed).map(indexed).collect();
        // Whoever changes the days now empties the room after this: then it is begun again.
        let reached = Reached { upto: end.0, id: end.1, days: days.unwrap_or(0) };
        self.index.add(room, after, &indexed, reached)
    }
}

fn indexed(message: &MessageView) -> Indexed {
    Indexed { id: message.id, sort_ms: message.sort_ms, text: fold(message.text.as_str()) }
}

/// Whether a message is one that is looked for.
pub(crate) fn is_sought(terms: &Terms, message: &MessageView) -> bool {
    !message.newer && terms.are_in(&fold(message.text.as_str()))
}
