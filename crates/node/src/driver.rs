//! The one place where the engine and the store are used: a thread that takes events one by one, and this, the
//! handle by which everything else asks it. Answers come when what they say is durable.

mod commit;
mod followers;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parlor_api::ApiError;
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, MessageView, Outcome};
use parlor_core::persist::{Loaded, Query};
use parlor_wire::{EntryId, RoomId};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::errors;
pub(crate) use commit::Origin;
pub use commit::RestoreError;
pub(crate) use followers::{Follower, Following, News};
pub(crate) use worker::{Worker, WorkerParts};

/// Requests that may wait for the driver; beyond it, whoever asks waits to be heard.
const QUEUE_LEN: usize = 1024;
/// Messages of one page: enough for a turn's worth, few enough to hold in memory whatever their size and whoever
/// does not take them.
pub(crate) const PAGE_ROWS: u32 = 16;
/// Pages asked for at once: what others ask must not stand behind all of a crowd's reading.
const PAGES_AT_ONCE: usize = 2;

type Answer = Result<Outcome, ApiError>;
type ViewJob = Box<dyn FnOnce(Result<&Engine, ApiError>) + Send>;

/// What the driver is asked.
pub(crate) enum Input {
    /// Do this and answer, if somebody wants to know.
    Command(Box<Command>, Option<oneshot::Sender<Answer>>),
    /// Look at the engine, once everything before is durable.
    View(ViewJob),
    /// Ask the store, once everything before is durable.
    Query(Query, oneshot::Sender<Result<Loaded, ApiError>>),
    /// Tell what arrives.
    Follow(Follower),
    /// Give back space.
    Compact(oneshot::Sender<Result<(), ApiError>>),
    /// Write, read and forget a record.
    TryStore(oneshot::Sender<Result<(), ApiError>>),
    /// Finish what was asked before this, and end.
    End,
}

/// The way to the driver.
#[derive(Clone)]
pub(crate) struct Driver {
    inputs: mpsc::Sender<Input>,
    pages: Arc<Semaphore>,
    /// How many engines there have been: a later one knows nothing of signals told to an earlier one.
    generation: Arc<AtomicU64>,
    /// Moves whenever something has arrived, or a session has come to do something else.
    stir: Arc<watch::Sender<u64>>,
}

impl Driver {
    /// A handle, and the end the worker listens at.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Input>) {
        let (inputs, queue) = mpsc::channel(QUEUE_LEN);
        let pages = Arc::new(Semaphore::new(PAGES_AT_ONCE));
        let stir = Arc::new(watch::Sender::new(0));
        (Self { inputs, pages, generation: Arc::default(), stir }, queue)
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(make(answer)).await.map_err(|_| errors::ending())?;
        answered.await.map_err(|_| errors::ending())
    }

    /// Has it done, and answers when it is durable.
    pub(crate) async fn command(&self, command: Command) -> Answer {
        self.ask(|answer| Input::Command(Box::new(command), Some(answer))).await?
    }

    /// Has it done; nobody waits for it.
    pub(crate) async fn cast(&self, command: Command) {
        // A driver that has ended has nothing left to do it with.
        _ = self.inputs.send(Input::Command(Box::new(command), None)).await;
    }

    /// Looks at the engine.
    pub(crate) async fn view<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        self.ask(|answer| {
            Input::View(Box::new(move |engine| {
                // Whoever asked may have gone.
                _ = answer.send(engine.map(look));
            }))
        })
        .await?
    }

    /// Hears of what arrives in a room from now on.
    pub(crate) async fn follow(&self, room: RoomId) -> Result<Following, ApiError> {
        let (follower, following) = followers::pair(room);
        self.inputs.send(Input::Follow(follower)).await.map_err(|_| errors::ending())?;
        Ok(following)
    }

    /// Whether the store takes and gives back.
    pub(crate) async fn try_store(&self) -> Result<(), ApiError> {
        self.ask(Input::TryStore).await?
    }

    /// Asks the store.
    pub(crate) async fn query(&self, query: Query) -> Result<Loaded, ApiError> {
        self.ask(|answer| Input::Query(query, answer)).await?
    }

    /// Has the store give back space, and answers when that is done; everything else waits.
    pub(crate) async fn compact(&self) -> Result<(), ApiError> {
        self.ask(Input::Compact).await?
    }

    /// Ends the driver after everything asked before.
    pub(crate) async fn end(&self) {
        _ = self.inputs.send(Input::End).await;
    }

    /// Something has happened that whoever waits has to look at.
    pub(crate) fn stir(&self) {
        self.stir.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells whenever something has happened.
    pub(crate) fn stirred(&self) -> watch::Receiver<u64> {
        self.stir.subscribe()
    }

    /// The number of the present engine.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The next of what has arrived in a room after an arrival number, by arrival; nothing when that is all.
    pub(crate) async fn arrived_after(&self, room: RoomId, after: u64) -> Result<Option<Page>, ApiError> {
        let query =
            Query::Arrivals { room, after, limit: PAGE_ROWS, except_origin: None, without_history: false };
        let Loaded::Rows(rows) = self.query(query).await? else {
            return Err(errors::internal("the store answered something else than was asked"));
        };
        // They come by arrival.
        let Some((last, Some(upto))) = rows.last().map(|row| (row.id, row.arrival)) else { return Ok(None) };
        let ids: Vec<EntryId> = rows.iter().map(|row| row.id).collect();
        let mut messages = self.messages(room, &ids).await?;
        messages.sort_by_key(|message| message.arrival);
        Ok(Some(Page { messages, upto, last }))
    }

    /// A page of messages by their ids, in that order; what does not count any more is left out.
    pub(crate) async fn messages(&self, room: RoomId, ids: &[EntryId]) -> Result<Vec<MessageView>, ApiError> {
        // Never closed, so always given.
        let _turn = self.pages.acquire().await;
        // The engine opens what the store keeps sealed; all of a page in one turn of the driver.
        let opened =
            ids.iter().map(|id| self.command(Command::Messages { room: Some(room), low: *id, high: *id }));
        let mut messages = Vec::with_capacity(ids.len());
        for outcome in futures_util::future::try_join_all(opened).await? {
            if let Outcome::Messages(found) = outcome {
                messages.extend(found);
            }
        }
        Ok(messages)
    }
}

/// Messages by arrival, and how far they reach: what does not count any more is left out.
pub(crate) struct Page {
    pub messages: Vec<MessageView>,
    pub upto: u64,
    /// The entry with that number.
    pub last: EntryId,
}
