//! Rooms that the node makes by itself, so that the sessions of one directory have somewhere to talk without anybody having
//! set up anything. They never leave the machine. Must not decide who is meant by a name, and makes none for `/` or the home.

use std::path::Path;

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, Outcome, Reach, RoomStanding};
use parlor_core::persist::Table;
use parlor_wire::RoomId;

use crate::bindings;
use crate::clock;
use crate::errors;
use crate::node::Node;
use crate::sessions::Session;

/// How many are made at most. Each costs a few entries of the store, and a person who works in more projects than this has
/// stopped working in some.
const MAX_MADE: usize = 256;
/// What such a room is called behind the name of its directory, so that a room people share can have that name alone.
const SUFFIX: &str = "-local";
/// How much of the directory's name fits before it.
const STEM_CHARS: usize = 32 - SUFFIX.len();

/// Whether they are made, and the turn of whoever makes one.
#[derive(Debug, Default)]
pub(crate) struct LocalRooms {
    off: bool,
    making: tokio::sync::Mutex<()>,
}

impl LocalRooms {
    pub(crate) fn new(on: bool) -> Self {
        Self { off: !on, ..Self::default() }
    }
}

/// The room in which the sessions of a directory talk among themselves: one that a person has bound there and that stays on
/// this machine, else the one that was made by itself, else a new one.
pub(crate) async fn of_project(node: &Node, key: &Path) -> Result<RoomId, ApiError> {
    if let Some(room) = held(node, key).await? {
        return Ok(room);
    }
    if node.local_rooms.off {
        let message = "local rooms are turned off in config.toml, and no room of this machine is bound there";
        let error = ApiError::new(ErrorKind::NotFound, message);
        return Err(error.hint("`parlor start NAME --local` makes one; `parlor config unset local_rooms`"));
    }
    if bindings::is_too_wide(key) {
        let message = format!("{} has no room of its own: nearly every session lies below it", key.display());
        let error = ApiError::new(ErrorKind::NotAllowed, message);
        return Err(error.hint("`parlor start NAME --local --force` there makes one that all of them hear"));
    }
    let _turn = node.local_rooms.making.lock().await;
    match held(node, key).await? {
        Some(room) => Ok(room),
        None => make(node, key).await,
    }
}

/// A session was seen: if it is not alone in its directory and nothing is heard there, they are given a room.
pub(crate) async fn meet(node: &Node, session: &Session) {
    if node.local_rooms.off || session.room.is_some() || session.ended {
        return;
    }
    let key = bindings::key_of(&session.dir);
    if bindings::is_too_wide(&key) || !node.bindings().heard(&key).is_empty() {
        return;
    }
    let others = node.sessions().present().into_iter().filter(|other| other.key() != session.key());
    let is_met = others.into_iter().any(|other| bindings::key_of(&other.dir) == key);
    if !is_met {
        return;
    }
    match of_project(node, &key).await {
        Ok(_) => node.announce_all().await,
        Err(error) => tracing::warn!("no room was made for the sessions of one directory: {error}"),
    }
}

/// The room that is there, and still written in.
async fn held(node: &Node, key: &Path) -> Result<Option<RoomId>, ApiError> {
    let bound = node.bindings().of_dir(key);
    node.driver.view(move |engine| bound.into_iter().find(|room| stands(engine, room))).await
}

fn stands(engine: &Engine, room: &RoomId) -> bool {
    engine.room(room).is_some_and(|room| room.stays_here && room.state == RoomStanding::Joined)
}

async fn make(node: &Node, key: &Path) -> Result<RoomId, ApiError> {
    if node.bindings().made_by_itself() >= MAX_MADE {
        let message = format!("this node has made {MAX_MADE} rooms by itself, and makes no more");
        let error = ApiError::new(ErrorKind::NotAllowed, message);
        return Err(error.hint("`parlor room list` shows them; `parlor room leave ROOM --abandon` ends one"));
    }
    let name = name_for(key);
    let room = match unbound(node, &name).await? {
        Some(room) => room,
        None => start(node, name).await?,
    };
    let change = node.bindings().bind_by_itself(key, room, clock::wall_ms());
    let (row, value) = change.to_row();
    node.driver.command(Command::PutRecord { table: Table::Binding, key: row, value }).await?;
    node.bindings().apply(&change);
    // To who is there already, all that is said in it is new.
    let present = node.sessions().present();
    for session in present {
        if bindings::key_of(&session.dir) == key {
            node.driver.command(Command::MarkRead { session: session.key(), room, upto: 0 }).await?;
        }
    }
    Ok(room)
}

async fn start(node: &Node, name: String) -> Result<RoomId, ApiError> {
    let command = Command::Start { name, reach: Reach::Here, expires: None, endpoints: Vec::new() };
    match node.driver.command(command).await? {
        Outcome::Started { room, .. } => Ok(room),
        _ => Err(errors::internal("the room was not started")),
    }
}

/// One that was made just before the node was killed: nothing is said in it, and nobody hears it.
async fn unbound(node: &Node, name: &str) -> Result<Option<RoomId>, ApiError> {
    let name = name.to_owned();
    let empty = move |engine: &Engine| {
        let rooms = engine.rooms().into_iter();
        let empty = rooms.filter(|room| room.arrivals == 0 && room.name.as_str() == name);
        empty.map(|room| room.id).filter(|room| stands(engine, room)).collect::<Vec<_>>()
    };
    let empty = node.driver.view(empty).await?;
    let bindings = node.bindings();
    Ok(empty.into_iter().find(|room| bindings.dirs_of(room).is_empty()))
}

fn name_for(key: &Path) -> String {
    let name = key.file_name().unwrap_or_default().to_string_lossy();
    let stem: String = name.chars().take(STEM_CHARS).collect();
    stem + SUFFIX
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_core::text::names;

    use super::*;

    #[test]
    fn a_room_is_called_after_its_directory_and_never_as_a_room_people_share() {
        for (dir, name) in [("/srv/api", "api-local"), ("/srv/a b", "a-b-local"), ("/", "local")] {
            assert_eq!(names::room_name(&name_for(Path::new(dir))).as_str(), name);
        }
        let long = names::room_name(&name_for(Path::new(&format!("/{}", "x".repeat(90)))));
        assert!(long.as_str().ends_with("x-local"), "{}", long.as_str());
    }
}
