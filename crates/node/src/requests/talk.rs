//! Saying something, and looking at one message, at people, at what is unread.

use std::collections::BTreeSet;

use parlor_api::{self as api, ApiError, ErrorKind, Reply, Sent, UnreadRoom};
use parlor_core::engine::api::{Author, Command, MessageView, Outcome, Send, TakeRoom};
use parlor_wire::ids::{MIN_PREFIX_CHARS, base32};
use parlor_wire::{EntryId, RoomId};

use super::{Asked, MAX_WAIT_MS, convert, direct, far, hearing, place, whom};
use crate::clock;
use crate::errors;
use crate::node::Node;
use crate::sessions::Session;

/// The reader that a person at a terminal is, whatever the directory.
pub(super) const SEAT: &str = "seat";
/// What a person's count is called.
const HERE: &str = "here";
pub(super) const MAX_REQUEST_ID_BYTES: usize = 128;
/// Characters of a whole id without its letter.
const ID_CHARS: usize = 52;

/// A message to send.
pub(super) struct Said {
    pub room: Option<String>,
    pub to: Option<String>,
    pub text: String,
    pub request_id: String,
    pub priority: api::Priority,
    pub form: Option<api::Form>,
    pub wait_ms: u64,
}

pub(super) async fn send(asked: &Asked<'_>, said: Said) -> Result<Reply, ApiError> {
    let node = asked.node;
    check_request_id(&said.request_id)?;
    let (mut here, mut warning) = (false, None);
    let said = Said { to: said.to.filter(|to| to != whom::EVERYBODY), ..said };
    let tag = match &said.to {
        Some(to) => whom::tag(asked, to).await?,
        None => None,
    };
    let (room, to) = match (said.to.as_ref().filter(|_| tag.is_none()), &said.room) {
        (None, room) => (place::room(node, asked.caller, room.as_deref()).await?, None),
        (Some(to), None) => {
            let aim = whom::meant(asked, to).await?;
            (here, warning) = (aim.here, aim.warning);
            (aim.room, aim.to)
        }
        (Some(_), Some(_)) => {
            let message = "a message goes to a room, or to a peer or a session alone, not to both";
            return Err(ApiError::new(ErrorKind::Usage, message));
        }
    };
    let speaker = place::own_session(node, asked.caller).await;
    let by = By::caller(asked, room).await?;
    let send = Send {
        room,
        text: said.text,
        request_id: said.request_id,
        priority: convert::priority_to_core(said.priority),
        author: by.author,
        origin: by.origin,
        label: by.label,
        to: to.clone(),
        peers: Vec::new(),
        tags: tag.iter().cloned().collect(),
        form: said.form.map(convert::form),
        ask: None,
        about: None,
        file: None,
        wait_ms: said.wait_ms.min(MAX_WAIT_MS),
    };
    let Outcome::Sent(mut sent) = node.driver.command(Command::Send(send)).await? else {
        return Err(errors::internal("the message was not answered"));
    };
    sent.warnings.extend(warning);
    let tagged = match &tag {
        Some(tag) => Some(hearing::tagged(node, room, tag, speaker.as_ref()).await?),
        None => None,
    };
    sent.warnings.extend(tag.filter(|_| tagged == Some(0)).map(|tag| {
        format!("no session that is present has the tag @{tag}: one that has it later is told of it while it is unread")
    }));
    if let Some(label) = to.filter(|_| !here) {
        sent.warnings.extend(direct::missing_session(node, room, &label).await?);
    }
    let far = if said.wait_ms > 0 { far::of_sent(asked, sent.id).await? } else { Vec::new() };
    Ok(Reply::Sent(Sent {
        id: sent.id.to_string(),
        room: sent.room.to_string(),
        room_name: room_name(node, sent.room).await?,
        reached: sent.reached,
        of: sent.of,
        tagged,
        far,
        warnings: sent.warnings,
    }))
}

/// A retry is known by it, so it must be something, and not too much.
pub(super) fn check_request_id(request_id: &str) -> Result<(), ApiError> {
    if request_id.is_empty() || request_id.len() > MAX_REQUEST_ID_BYTES {
        let message = format!("a request id has 1 to {MAX_REQUEST_ID_BYTES} bytes");
        return Err(ApiError::new(ErrorKind::Usage, message));
    }
    Ok(())
}

/// Who says something in a room.
pub(super) struct By {
    pub author: Author,
    pub origin: Option<String>,
    pub label: Option<String>,
    pub stays_here: bool,
}

impl By {
    /// The caller.
    pub(super) async fn caller(asked: &Asked<'_>, room: RoomId) -> Result<Self, ApiError> {
        let node = asked.node;
        let session = place::own_session(node, asked.caller).await;
        let stays_here = place::stays_here(node, room).await?;
        let author = asked.caller.author(&node.sessions());
        // A person's own words are not unread to them, wherever they typed them.
        let seat = || (author == Author::Human).then(|| SEAT.to_owned());
        let origin = session.as_ref().map(Session::key).or_else(seat);
        let label = session.map(|session| session_shown(node, &session, stays_here));
        Ok(Self { author, origin, label, stays_here })
    }
}

/// What others see of a session: its label; on this machine, what another session of it is to type.
pub(super) fn session_shown(node: &Node, session: &Session, stays_here: bool) -> String {
    if stays_here { whom::name(node, session) } else { session.label() }
}

/// The name a room is shown by.
pub(super) async fn room_name(node: &Node, room: RoomId) -> Result<String, ApiError> {
    let mut shown = place::shown_rooms(node).await?;
    Ok(shown.remove(&room).unwrap_or_else(|| room.short()))
}

pub(super) async fn message(asked: &Asked<'_>, room: Option<String>, id: &str) -> Result<Reply, ApiError> {
    let message = find(asked.node, room, id).await?;
    let name = room_name(asked.node, message.room).await?;
    Ok(Reply::Message(convert::message(message, &name)))
}

/// The message that begins like this.
pub(super) async fn find(node: &Node, room: Option<String>, id: &str) -> Result<MessageView, ApiError> {
    let room = match room {
        Some(name) => Some(place::room_named(node, &name).await?),
        None => None,
    };
    found(node, room, id).await
}

/// A message by its id or the beginning of it.
pub(super) async fn found(node: &Node, room: Option<RoomId>, id: &str) -> Result<MessageView, ApiError> {
    let ranges = ranges(id);
    if ranges.is_empty() {
        let message = "a message is named by its id, or by at least the first 6 characters of it";
        return Err(
            ApiError::new(ErrorKind::BadInput, message).hint("ids stand beside each message in `parlor log`")
        );
    }
    for (low, high) in ranges {
        let Outcome::Messages(mut found) = node.driver.command(Command::Messages { room, low, high }).await?
        else {
            return Err(errors::internal("no messages came"));
        };
        if found.len() > 1 {
            let ids = found.iter().map(|message| message.id.to_string()).collect();
            return Err(ApiError::new(ErrorKind::Ambiguous, "several messages begin like this")
                .hint("type more of the id")
                .candidates(ids));
        }
        if let Some(message) = found.pop() {
            if message.sort_ms < node.retention.floor_ms(&message.room) {
                let message = "that message is older than its room is read on this node";
                return Err(ApiError::new(ErrorKind::NotFound, message)
                    .hint("`parlor room retention` says for how long it is, and changes that"));
            }
            return Ok(message);
        }
    }
    Err(ApiError::new(ErrorKind::NotFound, "no message here begins like this")
        .hint("it may not have arrived yet; `parlor log` shows what has"))
}

/// The ids that begin like a text: as one with its kind letter, then as one without.
fn ranges(text: &str) -> Vec<(EntryId, EntryId)> {
    let text = text.trim().to_ascii_lowercase();
    let without = text.strip_prefix(EntryId::LETTER);
    // Six characters are six, whether the letter is one of them or not.
    let forms = without
        .map(|rest| (rest, MIN_PREFIX_CHARS - 1))
        .into_iter()
        .chain([(text.as_str(), MIN_PREFIX_CHARS)]);
    forms.filter_map(|(prefix, least)| range(prefix, least)).collect()
}

fn range(prefix: &str, least_chars: usize) -> Option<(EntryId, EntryId)> {
    let is_prefix = prefix.chars().all(|c| c.is_ascii_lowercase() || ('2'..='7').contains(&c));
    if !is_prefix || prefix.len() < least_chars || prefix.len() > ID_CHARS {
        return None;
    }
    // The last character carries one bit of the id: `q` is the highest it can be.
    let filled = |fill: char, last: char| {
        let mut text: String = prefix.chars().chain(std::iter::repeat(fill)).take(ID_CHARS).collect();
        if prefix.len() < ID_CHARS {
            text.pop();
            text.push(last);
        }
        let bytes = base32().decode(text.as_bytes()).ok()?;
        EntryId::try_from(bytes.as_slice()).ok()
    };
    Some((filled('a', 'a')?, filled('7', 'q')?))
}

pub(super) async fn who(asked: &Asked<'_>, room: Option<String>) -> Result<Reply, ApiError> {
    let room = place::room(asked.node, asked.caller, room.as_deref()).await?;
    place::readable(asked.node, room).await?;
    Ok(Reply::People(people(asked.node, room).await?))
}

pub(super) async fn people(node: &Node, room: RoomId) -> Result<Vec<api::Person>, ApiError> {
    let people = node.driver.view(move |engine| engine.people(&room)).await?;
    let now_ms = clock::wall_ms();
    Ok(people.into_iter().map(|person| convert::person(&room, person, now_ms)).collect())
}

pub(super) async fn unread(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let rooms = place::heard(asked.node, asked.caller).await;
    Ok(Reply::Unread(counts(asked, rooms).await?))
}

/// What is unread in these rooms for the caller's session, or for the person who calls.
pub(super) async fn counts(asked: &Asked<'_>, rooms: Vec<TakeRoom>) -> Result<Vec<UnreadRoom>, ApiError> {
    let node = asked.node;
    let session = place::session(node, asked.caller);
    let of_session = session.is_some();
    let heard = node.driver.view(move |engine| {
        let rooms = engine.with_directs(rooms);
        // To a person, what is said to them alone is unread wherever they stand.
        let named: BTreeSet<RoomId> = rooms.iter().map(|room| room.room).collect();
        let others =
            engine.direct_rooms().into_iter().filter(|room| !of_session && !named.contains(&room.room));
        let rooms: Vec<TakeRoom> = rooms.iter().cloned().chain(others).collect();
        (rooms, place::shown_names(engine))
    });
    let (rooms, names) = heard.await?;
    let reader = session.as_ref().map_or_else(|| SEAT.to_owned(), |session| session.key());
    let name = session.as_ref().map(Session::full_name);
    let label = session.map(|session| session.label());
    let command = Command::Unread { session: reader, label: name, rooms };
    let Outcome::Unread(counted) = node.driver.command(command).await? else {
        return Err(errors::internal("nothing was counted"));
    };
    let label = label.unwrap_or_else(|| HERE.to_owned());
    let count = |(room, unread): (RoomId, u64)| UnreadRoom {
        room: room.to_string(),
        room_name: names.get(&room).map_or_else(|| room.short(), Clone::clone),
        unread,
        session: label.clone(),
    };
    Ok(counted.into_iter().map(count).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_the_ids_that_begin_so() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let id = EntryId([byte; 32]);
            let text = id.to_string();
            for len in 7..=text.len() {
                let ranges = ranges(&text[..len]);
                assert!(ranges.iter().any(|(low, high)| *low <= id && id <= *high), "{}", &text[..len]);
            }
            assert!(ranges(&text[1..9]).iter().any(|(low, high)| *low <= id && id <= *high));
            let (low, high) = ranges(&text)[0];
            assert_eq!((low, high), (id, id));
        }
    }

    #[test]
    fn what_is_no_prefix_means_nothing() {
        for text in ["", "m", "mabcde", "mabc!ef", "m018901", &"a".repeat(54), "mäöüäöü"] {
            let ranges = ranges(text);
            assert!(ranges.iter().all(|(low, high)| low <= high), "{text}");
            assert!(ranges.is_empty() || text == "mabcde", "{text}");
        }
    }
}
