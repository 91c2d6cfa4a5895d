//! What was said that holds certain words: found by the index, opened and judged like any other message.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parlor_api::{ApiError, ErrorKind, Event, Found, Reply, SearchIn};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Author, MessageView};
use parlor_core::text::seek::Terms;
use parlor_store::index::Sought;
use parlor_wire::{EntryId, RoomId};

use super::{Asked, convert, place};
use crate::errors;
use crate::search::{AllReached, is_sought};

const DEFAULT_LIMIT: u64 = 50;
/// More than this nobody reads at once.
const MAX_LIMIT: u64 = 1_000;
/// Messages told in the answer itself, and characters of each: together well below one line of the socket.
const MAX_BRIEF: u64 = 50;
const MAX_BRIEF_CHARS: usize = 2_000;
/// Of an excerpt, this part stands before what was found.
const LEAD_PART: usize = 4;
/// What an answer may hold in memory: its messages are gathered newest first and told oldest first.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What is asked of the index at once: some of what it finds may not count any more.
const PAGE: u32 = 128;

/// How long what has just arrived may take to get into the index, before the answer says that it is not in it.
const SETTLE: Duration = Duration::from_millis(500);

/// What is looked for, and where.
pub(super) struct Wanted {
    pub text: String,
    pub room: Option<String>,
    pub within: SearchIn,
    pub limit: Option<u64>,
    pub since_ms: Option<u64>,
    pub brief_chars: Option<u32>,
}

pub(super) async fn search(asked: &Asked<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    let terms = Terms::parse(&wanted.text).map_err(|error| {
        ApiError::new(ErrorKind::BadInput, error.to_string())
            .hint("several words must all occur; \"quoted words\" must occur as they stand")
    })?;
    let rooms = rooms(asked, wanted.room.as_deref(), wanted.within).await?;
    let turn = tokio::select! {
        turn = asked.caller.log_turn.acquire() => turn,
        () = asked.cancel.cancelled() => return Ok(Reply::Done),
    };
    let search =
        Search { asked, terms: Arc::new(terms), rooms: rooms.into(), since_ms: wanted.since_ms.unwrap_or(0) };
    let most = if wanted.brief_chars.is_some() { MAX_BRIEF } else { MAX_LIMIT };
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, most);
    let mut gathered = search.gather(usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    drop(turn);
    gathered.messages.reverse();
    let names = place::shown_rooms(asked.node).await?;
    let mut found = Found {
        messages: gathered.messages.len() as u64,
        more: gathered.more,
        not_indexed: gathered.not_indexed,
        brief: Vec::new(),
    };
    for message in gathered.messages {
        let name = names.get(&message.room).cloned().unwrap_or_else(|| message.room.short());
        let mut message = convert::message(message, &name);
        if let Some(chars) = wanted.brief_chars {
            let chars = usize::try_from(chars).unwrap_or(usize::MAX).clamp(1, MAX_BRIEF_CHARS);
            message.text = excerpt(&search.terms, &message.text, chars);
            found.brief.push(message);
            continue;
        }
        let taken = tokio::select! {
            taken = asked.events.emit(Event::Message(message)) => taken,
            () = asked.cancel.cancelled() => false,
        };
        if !taken {
            return Ok(Reply::Done);
        }
    }
    Ok(Reply::Found(found))
}

/// A text cut to so many characters, around the first of the terms that is found in it as it stands.
fn excerpt(terms: &Terms, said: &str, limit: usize) -> String {
    let lower = said.to_lowercase();
    let first = terms.iter().find_map(|term| lower.find(term));
    let at = first.and_then(|at| lower.get(..at)).map_or(0, |before| before.chars().count());
    let chars = said.chars().count();
    let from = if chars <= limit { 0 } else { at.saturating_sub(limit / LEAD_PART).min(chars - limit) };
    let part: String = said.chars().skip(from).take(limit).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + limit < chars { "…" } else { "" };
    format!("{before}{part}{after}")
}

/// The rooms that are searched.
async fn rooms(asked: &Asked<'_>, named: Option<&str>, within: SearchIn) -> Result<Vec<RoomId>, ApiError> {
    let node = asked.node;
    if let Some(name) = named {
        return Ok(vec![place::room_named(node, name).await?]);
    }
    let heard = place::heard(node, asked.caller).await;
    let is_agent = asked.caller.author(&node.sessions()) == Author::Agent;
    match within {
        SearchIn::All => all(asked).await,
        SearchIn::Heard => {
            let heard = node.driver.view(move |engine| engine.with_directs(heard)).await?;
            Ok(heard.into_iter().map(|heard| heard.room).collect())
        }
        SearchIn::Here => match heard.first() {
            Some(heard) => Ok(vec![heard.room]),
            None if is_agent => Ok(vec![place::room(node, asked.caller, None).await?]),
            None => all(asked).await,
        },
    }
}

async fn all(asked: &Asked<'_>) -> Result<Vec<RoomId>, ApiError> {
    let ids = |engine: &Engine| engine.rooms().into_iter().map(|room| room.id).collect();
    asked.node.driver.view(ids).await
}

struct Search<'a> {
    asked: &'a Asked<'a>,
    terms: Arc<Terms>,
    rooms: Arc<[RoomId]>,
    since_ms: u64,
}

#[derive(Default)]
struct Gathered {
    /// Newest first.
    messages: Vec<MessageView>,
    more: bool,
    not_indexed: u64,
}

impl Search<'_> {
    /// The newest so many that count.
    async fn gather(&self, limit: usize) -> Result<Gathered, ApiError> {
        let arrivals = self.arrivals().await?;
        let before = self.settled(&arrivals).await;
        let mut gathered = self.gather_indexed(limit).await?;
        // Neither what came into the index while it was asked nor what went out of it was looked at.
        let after = self.not_indexed(&arrivals, &self.asked.node.index.reached().borrow());
        gathered.not_indexed = before.max(after);
        Ok(gathered)
    }

    async fn gather_indexed(&self, limit: usize) -> Result<Gathered, ApiError> {
        let mut gathered = Gathered::default();
        let (mut skip, mut bytes) = (0, 0);
        loop {
            let found = self.ask(skip).await?;
            let ends = found.len() < PAGE as usize;
            skip += PAGE;
            for message in self.open(&found).await? {
                if gathered.messages.len() == limit || bytes > MAX_BYTES {
                    gathered.more = true;
                    return Ok(gathered);
                }
                bytes += message.text.as_str().len();
                gathered.messages.push(message);
            }
            if ends || self.asked.cancel.is_cancelled() {
                return Ok(gathered);
            }
        }
    }

    async fn ask(&self, skip: u32) -> Result<Vec<(RoomId, EntryId)>, ApiError> {
        let (index, terms, rooms) = (self.asked.node.index.clone(), self.terms.clone(), self.rooms.clone());
        let since_ms = self.since_ms;
        let ask = move || index.find(&Sought { terms: &terms, rooms: &rooms, since_ms, limit: PAGE, skip });
        let found = tokio::task::spawn_blocking(ask).await;
        let found = found.map_err(|_| errors::internal("the search broke off"))?;
        found.map_err(|_| {
            ApiError::new(ErrorKind::Machine, "the index is being made: nothing can be found yet")
                .hint("try again in a moment; `parlor log` shows what was said")
        })
    }

    /// What was found, in that order, as far as it counts and is read.
    async fn open(&self, found: &[(RoomId, EntryId)]) -> Result<Vec<MessageView>, ApiError> {
        let mut by_room: BTreeMap<RoomId, Vec<EntryId>> = BTreeMap::new();
        for (room, id) in found {
            by_room.entry(*room).or_default().push(*id);
        }
        let mut opened = HashMap::new();
        for (room, ids) in by_room {
            for message in self.asked.node.driver.messages(room, &ids).await? {
                opened.insert((room, message.id), message);
            }
        }
        let opened = found.iter().filter_map(|place| opened.remove(place));
        let is_read =
            |message: &MessageView| message.sort_ms >= self.asked.node.retention.floor_ms(&message.room);
        Ok(opened.filter(|message| is_read(message) && is_sought(&self.terms, message)).collect())
    }

    /// How much has arrived in each room.
    async fn arrivals(&self) -> Result<Vec<(RoomId, u64)>, ApiError> {
        let rooms = self.rooms.clone();
        let arrivals = move |engine: &Engine| -> Vec<(RoomId, u64)> {
            rooms.iter().filter_map(|room| Some((*room, engine.room(room)?.arrivals))).collect()
        };
        self.asked.node.driver.view(arrivals).await
    }

    /// Waits a little for what came just now, and says how many of these are not indexed then.
    async fn settled(&self, arrivals: &[(RoomId, u64)]) -> u64 {
        let mut reached = self.asked.node.index.reached();
        let settled = reached.wait_for(|reached| self.not_indexed(arrivals, reached) == 0);
        if matches!(tokio::time::timeout(SETTLE, settled).await, Ok(Ok(_))) {
            return 0;
        }
        self.not_indexed(arrivals, &reached.borrow())
    }

    /// How many of these are not indexed yet; none of a room is that was indexed for other days than it is read now.
    fn not_indexed(&self, arrivals: &[(RoomId, u64)], reached: &AllReached) -> u64 {
        let days = |room| self.asked.node.retention.days(room).unwrap_or(0);
        let upto =
            |room| reached.get(room).filter(|held| held.days == days(room)).map_or(0, |held| held.upto);
        arrivals.iter().map(|(room, all)| all.saturating_sub(upto(room))).sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_cut_around_what_was_found() {
        let terms = Terms::parse("Pool").unwrap();
        assert_eq!(excerpt(&terms, "the Pool is full", 100), "the Pool is full");
        let long = format!("{}the Pool{}", "x".repeat(500), "y".repeat(500));
        let cut = excerpt(&terms, &long, 40);
        assert!(cut.starts_with("…x") && cut.contains("the Pool") && cut.ends_with("y…"), "{cut}");
        assert_eq!(cut.chars().count(), 42);
        let at_the_end = excerpt(&terms, &format!("{}pool", "x".repeat(500)), 40);
        assert!(at_the_end.ends_with("pool"), "{at_the_end}");
        // Lower case may be longer than what it is of; nothing breaks.
        assert!(!excerpt(&terms, &format!("{}pool", "İ".repeat(500)), 40).is_empty());
    }
}
