//! Files that are announced in rooms: sealed on the way out, handed to members who ask, fetched from them and put where
//! agents may read them. Streams all of it, off the driver's thread and beside the messages. Must not decide who is in a
//! room.

mod auto;
mod begin;
mod fetch;
mod intake;
pub(crate) mod outgoing;
mod place;
pub(crate) mod seal;
pub(crate) mod secrets;
mod serve;
mod shelf;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlor_api::paths::Home;
use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::api::{FileView, MessageView};
use parlor_wire::{EntryId, PeerId, RoomId, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::carriers::Both;
use crate::driver::Driver;

pub(crate) use auto::AutoFetcher;
pub(crate) use place::room_files_dir;
pub(crate) use seal::Sealing;
pub(crate) use shelf::Shelf;

/// Files fetched at once: each holds a few megabytes of memory and a connection.
const MAX_DOWNLOADS: usize = 4;
/// Fetches that may be asked for at once, those that wait their turn included.
const MAX_WAITING: usize = 64;
/// Files handed out at once.
pub(crate) const MAX_UPLOADS: usize = 16;
/// Of these, to one peer.
pub(crate) const MAX_UPLOADS_OF_PEER: usize = 4;
/// Files sealed at once: the disk is one.
const MAX_SEALING: usize = 2;

/// How far a fetch has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Bytes that are here and verified chunk by chunk.
    pub done: u64,
    /// How it ended.
    pub end: Option<Result<PathBuf, ApiError>>,
}

/// A file that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub room: RoomId,
    pub entry: EntryId,
    /// Who announced it.
    pub peer: PeerId,
    pub file: FileView,
}

impl Wanted {
    /// What a message announces, if it announces anything that may be fetched.
    pub(crate) fn of(message: &MessageView) -> Option<Self> {
        let file = message.file.clone()?;
        Some(Self { room: message.room, entry: message.id, peer: message.peer, file })
    }
}

/// The files of a node.
pub(crate) struct Files {
    me: PeerId,
    rooms: PathBuf,
    pub(crate) shelf: Shelf,
    driver: Driver,
    carrier: Arc<Both>,
    /// Files up to this length are fetched by themselves where that is allowed.
    auto_bytes: u64,
    downloads: Semaphore,
    uploads: Arc<Semaphore>,
    uploads_by_peer: Mutex<BTreeMap<PeerId, usize>>,
    sealing: Arc<Semaphore>,
    fetching: Mutex<BTreeMap<EntryId, watch::Receiver<Progress>>>,
    runtime: tokio::runtime::Handle,
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    pub(crate) fn new(
        home: &Home,
        me: PeerId,
        driver: Driver,
        carrier: Arc<Both>,
        auto_bytes: u64,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        Self {
            me,
            rooms: home.rooms(),
            shelf: Shelf::at(home.blobs()),
            driver,
            carrier,
            auto_bytes,
            downloads: Semaphore::new(MAX_DOWNLOADS),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            uploads_by_peer: Mutex::default(),
            sealing: Arc::new(Semaphore::new(MAX_SEALING)),
            fetching: Mutex::default(),
            runtime,
        }
    }

    /// Has a file fetched, or joins those who wait for it. It goes on while anybody holds what this gives.
    pub(crate) fn fetch(self: &Arc<Self>, wanted: Wanted) -> Result<watch::Receiver<Progress>, ApiError> {
        if wanted.file.length > limits::MAX_FILE_BYTES {
            let message = "this file is announced as longer than any may be, and is not fetched";
            return Err(ApiError::new(ErrorKind::BadInput, message));
        }
        let mut fetching = locked(&self.fetching);
        if let Some(progress) = fetching.get(&wanted.entry) {
            return Ok(progress.clone());
        }
        if fetching.len() >= MAX_WAITING {
            let message = format!("{MAX_WAITING} files are being fetched already");
            return Err(ApiError::new(ErrorKind::Machine, message).hint("try again when some have come"));
        }
        let (told, progress) = watch::channel(Progress::default());
        fetching.insert(wanted.entry, progress.clone());
        drop(fetching);
        let files = Arc::clone(self);
        self.runtime.spawn(async move {
            let entry = wanted.entry;
            // The list holds one of the receivers.
            let all_gone = files.all_gone(&told, entry);
            let end = tokio::select! {
                end = fetch::run(&files, &wanted, &told) => Some(end),
                () = all_gone => None,
            };
            if end.is_some() {
                // Given up, it is off the list, and another fetch of the same may be on it.
                locked(&files.fetching).remove(&entry);
            }
            told.send_modify(|progress| progress.end = end);
        });
        Ok(progress)
    }

    /// The turn of whoever seals a file.
    pub(crate) async fn sealing_turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so always given.
        Arc::clone(&self.sealing).acquire_owned().await.ok()
    }

    /// Waits until nobody but the list waits for a fetch, and takes it off the list.
    async fn all_gone(&self, told: &watch::Sender<Progress>, entry: EntryId) {
        loop {
            // There is no event for "one left"; a fetch that nobody wants may go on for a moment.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let mut fetching = locked(&self.fetching);
            if told.receiver_count() <= 1 {
                fetching.remove(&entry);
                return;
            }
        }
    }
}
