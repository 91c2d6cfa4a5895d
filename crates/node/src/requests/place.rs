//! Which room is meant, and where the caller stands. A name is never guessed.

use std::path::{Path, PathBuf};

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::api::TakeRoom;
use parlor_core::text::names::{self, Named};
use parlor_wire::RoomId;

use crate::bindings;
use crate::caller::Caller;
use crate::errors;
use crate::node::{Node, OFF};
use crate::sessions::Session;

/// The session of a caller, if it is in one.
pub(crate) fn session(node: &Node, caller: &Caller) -> Option<Session> {
    caller.session(&node.sessions()).cloned()
}

/// The session of a caller; an agent's connection that no hook has named becomes one of its own.
pub(crate) async fn own_session(node: &Node, caller: &Caller) -> Option<Session> {
    if let Some(session) = session(node, caller) {
        return Some(session);
    }
    let session = node.see(&caller.sighting()?).await?;
    node.announce(&session, false).await;
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
    let rooms = shown_rooms(node).await?;
    match rooms.as_slice() {
        [(only, _)] => Ok(*only),
        [] => Err(ApiError::new(ErrorKind::NotFound, "there is no room yet")
            .hint("`parlor start` makes one; `parlor join TICKET` joins one")),
        several => {
            let dir = dir(node, caller).map(|dir| bindings::key_of(&dir).display().to_string());
            let here = dir.unwrap_or_else(|| "here".into());
            Err(ApiError::new(
                ErrorKind::Ambiguous,
                format!("no room is bound to {here}, and there are several"),
            )
            .hint("name one with --room, or bind one with `parlor room bind ROOM`")
            .candidates(several.iter().map(|(_, name)| name.clone()).collect()))
        }
    }
}

/// The room a name or an id means.
pub(crate) async fn room_named(node: &Node, name: &str) -> Result<RoomId, ApiError> {
    let rooms = node.driver.view(|engine| {
        let rooms = engine.rooms();
        rooms.into_iter().map(|room| (room.id, room.name.into_string())).collect::<Vec<_>>()
    });
    let rooms = rooms.await?;
    let ids: Vec<String> = rooms.iter().map(|(id, _)| id.to_string()).collect();
    let named: Vec<Named<'_>> =
        ids.iter().zip(&rooms).map(|(id, (_, name))| Named { id, petname: None, nick: Some(name) }).collect();
    let found = names::resolve(name, &named).map_err(|error| errors::of_name(error, "parlor room list"))?;
    rooms.get(found).map(|(id, _)| *id).ok_or_else(|| errors::internal("a room went missing"))
}

/// All rooms with the names they are shown by: alike ones apart.
pub(crate) async fn shown_rooms(node: &Node) -> Result<Vec<(RoomId, String)>, ApiError> {
    node.driver
        .view(|engine| shown_names(engine.rooms().into_iter().map(|room| (room.id, room.name.into_string()))))
        .await
}

/// Rooms' names, alike ones told apart.
pub(crate) fn shown_names(rooms: impl Iterator<Item = (RoomId, String)>) -> Vec<(RoomId, String)> {
    let rooms: Vec<(RoomId, String)> = rooms.collect();
    let ids: Vec<String> = rooms.iter().map(|(id, _)| id.to_string()).collect();
    let named: Vec<Named<'_>> =
        ids.iter().zip(&rooms).map(|(id, (_, name))| Named { id, petname: None, nick: Some(name) }).collect();
    let shown = names::display_names(&named);
    rooms.iter().zip(shown).map(|((id, _), name)| (*id, name.into_string())).collect()
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
