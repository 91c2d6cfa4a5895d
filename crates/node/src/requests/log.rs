//! What was said in a room, and what is said from now on. A follower that falls behind reads on from the log, so
//! it misses nothing.

use std::collections::BTreeSet;

use parlor_api::{ApiError, Event, Reply};
use parlor_core::engine::api::{Author, Command, MessageView, Outcome, TakeRoom};
use parlor_wire::RoomId;

use super::talk::{SEAT, room_name};
use super::{Asked, convert, place};
use crate::driver::{Following, News, PAGE_ROWS};
use crate::errors;

const DEFAULT_LIMIT: u64 = 1_000;
/// More than this nobody reads at once.
const MAX_LIMIT: u64 = 100_000;

/// What of the log is wanted.
pub(super) struct Wanted {
    pub room: Option<String>,
    pub limit: Option<u64>,
    pub since_ms: Option<u64>,
    pub follow: bool,
}

pub(super) async fn log(asked: &Asked<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    let node = asked.node;
    let room = place::room(node, asked.caller, wanted.room.as_deref()).await?;
    let room_name = room_name(node, room).await?;
    place::readable(node, room).await?;
    let mut reader = Reader {
        asked,
        room,
        room_name,
        shown: BTreeSet::new(),
        upto: 0,
        read_upto: None,
        shows_all_unread: false,
    };
    if reader.is_human() {
        reader.read_upto = node.driver.view(move |engine| engine.read_upto(room, SEAT)).await?;
    }
    // Followed before it is read, so that nothing falls between the two.
    let following = if wanted.follow { Some(node.driver.follow(room).await?) } else { None };
    reader.upto = node.driver.view(move |engine| engine.room(&room).map_or(0, |room| room.arrivals)).await?;
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let floor_ms = node.retention.floor_ms(&room);
    let since_ms = wanted.since_ms.unwrap_or(0);
    let command = Command::Log {
        room,
        since_ms: since_ms.max(floor_ms),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    // One who asks for many logs and reads none waits for himself alone; what he no longer wants is not read.
    let turn = tokio::select! {
        turn = asked.caller.log_turn.acquire() => turn,
        () = asked.cancel.cancelled() => return Ok(Reply::Done),
    };
    let Outcome::Listed(ids) = node.driver.command(command).await? else {
        return Err(errors::internal("no messages came"));
    };
    // What is not read here any more cannot be shown to a person, and does not stay unread to one for ever.
    let shows_all_read_here = floor_ms > 0 && since_ms <= floor_ms && (ids.len() as u64) < limit;
    reader.shows_all_unread = shows_all_read_here || reader.unread().await? <= ids.len() as u64;
    for page in ids.chunks(PAGE_ROWS as usize) {
        for message in node.driver.messages(room, page).await? {
            if message.arrival > reader.upto {
                reader.shown.insert(message.arrival);
            }
            if !reader.show(message).await {
                return Ok(Reply::Done);
            }
        }
    }
    drop(turn);
    reader.note_read().await;
    if let Some(following) = following {
        reader.follow(following).await?;
        reader.note_read().await;
    }
    Ok(Reply::Done)
}

/// Somebody reading a room by arrival.
struct Reader<'a> {
    asked: &'a Asked<'a>,
    room: RoomId,
    room_name: String,
    /// Arrivals beyond `upto` that were shown already.
    shown: BTreeSet<u64>,
    upto: u64,
    /// Up to where a person had read it; what others and their own scripts wrote since is unread.
    read_upto: Option<u64>,
    /// Nothing that a person has not read is left out.
    shows_all_unread: bool,
}

impl Reader<'_> {
    /// False when nobody wants more.
    async fn show(&self, message: MessageView) -> bool {
        let is_of_others = !message.own || message.author == Author::Program;
        let unread = is_of_others && self.read_upto.is_some_and(|upto| message.arrival > upto);
        if message.sort_ms < self.asked.node.retention.floor_ms(&self.room) {
            return true;
        }
        let event =
            Event::Message(parlor_api::Message { unread, ..convert::message(message, &self.room_name) });
        tokio::select! {
            taken = self.asked.events.emit(event) => taken,
            () = self.asked.cancel.cancelled() => false,
        }
    }

    async fn show_new(&mut self, message: MessageView) -> bool {
        let arrival = message.arrival;
        if arrival <= self.upto {
            return true;
        }
        self.upto = arrival;
        self.shown.contains(&arrival) || self.show(message).await
    }

    async fn follow(&mut self, mut following: Following) -> Result<(), ApiError> {
        loop {
            let news = tokio::select! {
                news = following.next() => news,
                // Whoever follows is told when nothing more can come.
                () = self.asked.cancel.cancelled() => {
                    let is_ending = self.asked.node.life.stopping.is_cancelled();
                    return if is_ending { Err(errors::ending()) } else { Ok(()) };
                }
            };
            let goes_on = match news {
                None => return Err(errors::ending()),
                Some(News::Missed) => self.catch_up().await?,
                // A gap: some were missed before this one.
                Some(News::Message(message)) if message.arrival > self.upto + 1 => self.catch_up().await?,
                Some(News::Message(message)) => self.show_new(*message).await,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn catch_up(&mut self) -> Result<bool, ApiError> {
        while let Some(page) = self.asked.node.driver.arrived_after(self.room, self.upto).await? {
            for message in page.messages {
                if !self.show_new(message).await {
                    return Ok(false);
                }
            }
            self.upto = page.upto.max(self.upto);
        }
        Ok(true)
    }

    fn is_human(&self) -> bool {
        self.asked.caller.author(&self.asked.node.sessions()) == Author::Human
    }

    /// What a person has not read yet of the room.
    async fn unread(&self) -> Result<u64, ApiError> {
        if !self.is_human() {
            return Ok(0);
        }
        let heard = place::heard(self.asked.node, self.asked.caller).await;
        let bound = heard.into_iter().find(|heard| heard.room == self.room);
        let rooms = vec![bound.unwrap_or(TakeRoom { room: self.room, bound_at: 0 })];
        let command = Command::Unread { session: SEAT.into(), label: None, rooms };
        match self.asked.node.driver.command(command).await? {
            Outcome::Unread(counted) => Ok(counted.iter().map(|(_, unread)| *unread).sum()),
            _ => Err(errors::internal("nothing was counted")),
        }
    }

    /// What a person has been shown is not unread to them any more; what came meanwhile is.
    /// What was shown was shown, also where it cannot be written down: it counts as unread again then.
    async fn note_read(&mut self) {
        if let Err(error) = self.mark_read().await {
            tracing::warn!("what was read is not noted: {error}");
        }
    }

    async fn mark_read(&mut self) -> Result<(), ApiError> {
        while self.shown.contains(&(self.upto + 1)) {
            self.upto += 1;
        }
        if self.is_human() && self.shows_all_unread {
            let command = Command::MarkRead { session: SEAT.into(), room: self.room, upto: self.upto };
            self.asked.node.driver.command(command).await?;
        }
        Ok(())
    }
}
