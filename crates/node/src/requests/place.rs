//! Which room is meant, and where the caller stands. A name is never guessed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Failure, RoomStanding, TakeRoom};
use parlor_core::text::names::{self, Named};
use parlor_wire::RoomId;
use parlor_wire::control::direct_room;

use super::peers;
use crate::bindings;
use crate::caller::Caller;
use crate::errors;
use crate::node::{Node, OFF};
use crate::sessions::Session;

/// What stands before a peer's name where a room's name is meant: the direct room with that peer.
const DIRECT: char = '@';

/// The session of a caller, if it is in one.
pub(crate) fn session(node: &Node, caller: &Caller) -> Option<Session> {
    caller.session(&node.sessions()).cloned()
}

/// The session of a caller; an agent's connection that no hook has named becomes one of its own.
pub(crate) async fn own_session(node: &Node, caller: &Caller) -> Option<Session> {
    if let Some(session) = session(node, caller) {
        return Some(session);
    }
    let seen = caller.sighting(&node.sessions())?;
    let session = node.see(&seen).await?;
    node.announce(&session).await;
    Some(session)
}

/// Where a caller stands: its session's directory, else its own.
pub(crate) fn dir(node: &Node, caller: &Caller) -> Option<PathBuf> {
    session(node, caller).map(|session| session.dir).or_else(|| caller.hello.cwd.clone())
}

/// The rooms heard where a caller stands, the default first.
pub(crate) async fn heard(node: &Node, caller: &Caller) -> Vec<TakeRoom> {
    let session = session(node, caller);
    let named = caller.room().map(str::to_owned);
    let named = named.or_else(|| session.as_ref().and_then(|session| session.room.clone()));
    let dir = session.map(|session| session.dir).or_else(|| caller.hello.cwd.clone());
    match dir {
        Some(dir) => node.heard_in(&dir, named.as_deref()).await,
        None => Vec::new(),
    }
}

/// Refuses a room whose messages this version cannot read: an empty answer would say that there are none.
pub(super) async fn readable(node: &Node, room: RoomId) -> Result<(), ApiError> {
    match node.driver.view(move |engine| engine.room(&room).map(|view| view.state)).await? {
        Some(RoomStanding::Older(why)) => Err(errors::of_failure(&Failure::Older(why))),
        _ => Ok(()),
    }
}

/// Whether a room never leaves this machine.
pub(super) async fn stays_here(node: &Node, room: RoomId) -> Result<bool, ApiError> {
    node.driver.view(move |engine| engine.room(&room).is_some_and(|room| room.stays_here)).await
}

/// The room meant: the one named, else the default where the caller stands, else the only one there is.
pub(crate) async fn room(node: &Node, caller: &Caller, named: Option<&str>) -> Result<RoomId, ApiError> {
    if let Some(name) = named.or(caller.room().filter(|name| *name != OFF)) {
        return room_named(node, name).await;
    }
    if caller.room() == Some(OFF) {
        let error = ApiError::new(ErrorKind::NotFound, "PARLOR_ROOM is off, so no room is meant here");
        return Err(error.hint("name a room with --room"));
    }
    if let Some(heard) = heard(node, caller).await.first() {
        return Ok(heard.room);
    }
    only_room(node, caller).await
}

async fn only_room(node: &Node, caller: &Caller) -> Result<RoomId, ApiError> {
    let mut rooms = shown_rooms(node).await?;
    // What nobody has set up is nobody's only room.
    rooms.retain(|room, _| !node.bindings().is_by_itself(room));
    let mut others = rooms.iter().filter(|(_, name)| !name.starts_with(DIRECT));
    match (others.next(), others.next()) {
        (Some((only, _)), None) => Ok(*only),
        (None, _) => Err(ApiError::new(ErrorKind::NotFound, "there is no room yet")
            .hint("`parlor start` makes one; `parlor join TICKET` joins one")),
        _ => {
            let dir = dir(node, caller).map(|dir| bindings::key_of(&dir).display().to_string());
            let here = dir.unwrap_or_else(|| "here".into());
            Err(ApiError::new(
                ErrorKind::Ambiguous,
                format!("no room is bound to {here}, and there are several"),
            )
            .hint("name one with --room, or bind one with `parlor room bind ROOM`")
            .candidates(rooms.into_values().collect()))
        }
    }
}

/// The room a name or an id means; `@` and a peer's name mean the direct room with that peer.
pub(crate) async fn room_named(node: &Node, name: &str) -> Result<RoomId, ApiError> {
    if let Some(peer) = name.strip_prefix(DIRECT) {
        return direct_with(node, peer).await;
    }
    let rooms = node.driver.view(|engine| {
        let rooms = engine.rooms();
        rooms.into_iter().map(|room| (room.id, room.name.into_string())).collect::<Vec<_>>()
    });
    let rooms = rooms.await?;
    let ids: Vec<String> = rooms.iter().map(|(id, _)| id.to_string()).collect();
    let called = |name: &'_ str| !name.starts_with(DIRECT);
    let named: Vec<Named<'_>> = ids
        .iter()
        .zip(&rooms)
        .map(|(id, (_, name))| Named {
            id,
            petname: None,
            nick: Some(name.as_str()).filter(|name| called(name)),
        })
        .collect();
    let found = names::resolve(name, &named).map_err(|error| errors::of_name(error, "parlor room list"))?;
    rooms.get(found).map(|(id, _)| *id).ok_or_else(|| errors::internal("a room went missing"))
}

async fn direct_with(node: &Node, peer: &str) -> Result<RoomId, ApiError> {
    let peer = peers::named(node, peer).await?;
    let held =
        move |engine: &Engine| direct_room(&engine.me(), &peer).filter(|room| engine.room(room).is_some());
    node.driver.view(held).await?.ok_or_else(|| {
        ApiError::new(ErrorKind::NotFound, "nothing was said between the two of you yet")
            .hint("`parlor tell PEER TEXT` says something to one peer alone")
    })
}

/// All rooms with the names they are shown by: alike ones apart.
pub(crate) async fn shown_rooms(node: &Node) -> Result<BTreeMap<RoomId, String>, ApiError> {
    node.driver.view(shown_names).await
}

/// The same, for one who looks at the engine already.
pub(crate) fn shown_names(engine: &Engine) -> BTreeMap<RoomId, String> {
    engine.room_names().into_iter().map(|(id, name)| (id, name.into_string())).collect()
}

/// The directory a binding to `dir` is kept under; one that nearly everything lies below needs `force`.
pub(crate) fn binding_key(dir: &Path, force: bool) -> Result<PathBuf, ApiError> {
    if !dir.is_absolute() {
        return Err(ApiError::new(ErrorKind::Usage, format!("{} is not an absolute path", dir.display())));
    }
    let key = bindings::key_of(dir);
    if bindings::is_too_wide(&key) && !force {
        let message = format!("every session below {} would hear the room", key.display());
        return Err(ApiError::new(ErrorKind::NotAllowed, message)
            .hint("go to the project's directory, or say --force"));
    }
    Ok(key)
}
