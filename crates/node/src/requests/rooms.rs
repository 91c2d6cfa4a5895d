//! Starting, joining, showing and binding rooms. What changes who hears whom is refused to agents.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use parlor_api::{self as api, ApiError, Bound, ErrorKind, Joined, Left, Reply, Room, Started};
use parlor_core::engine::api::{Command, Outcome, Reach, RoomView};
use parlor_core::persist::Table;
use parlor_wire::RoomId;
use parlor_wire::ticket::TicketText;

use super::tickets::{self, TICKET_LASTS_MS};
use super::{Asked, MAX_WAIT_MS, convert, place, talk};
use crate::bindings::Change;
use crate::clock;
use crate::errors;
use crate::node::Node;

/// Room names and typed names are cut far below this by the engine; this only spares it the work.
const MAX_NAME_BYTES: usize = 1024;

fn key_for(dir: Option<PathBuf>, force: bool) -> Result<Option<PathBuf>, ApiError> {
    dir.map(|dir| place::binding_key(&dir, force)).transpose()
}

/// A room to start.
pub(super) struct Wanted {
    pub name: Option<String>,
    pub dir: Option<PathBuf>,
    pub force: bool,
    pub local: bool,
    pub lan: bool,
}

pub(super) async fn start(asked: &Asked<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor start")?;
    let Wanted { name, dir, force, local, lan } = wanted;
    let reach = match (local, lan) {
        (false, false) => Reach::Anywhere,
        (false, true) => Reach::Lan,
        (true, false) => Reach::Here,
        (true, true) => {
            let message = "a room stays on this machine or in the local network, not both";
            return Err(ApiError::new(ErrorKind::Usage, message));
        }
    };
    let node = asked.node;
    let named_by = dir.clone().or_else(|| asked.caller.hello.cwd.clone());
    let name = name.unwrap_or_else(|| {
        let name = named_by.as_deref().and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    });
    check_name(&name)?;
    let key = key_for(dir, force)?;
    let expires = Some(clock::wall_ms().saturating_add(TICKET_LASTS_MS));
    let endpoints = vec![tickets::own_endpoint(node, lan).await?];
    let command = Command::Start { name, reach, expires, endpoints };
    let Outcome::Started { room, invited } = node.driver.command(command).await? else {
        return Err(errors::internal("the room was not started"));
    };
    if let Some(key) = &key {
        bind_room(node, key, room, 0).await?;
    }
    let shown = one_room(asked, room).await?;
    Ok(Reply::Started(Started { room: shown, ticket: invited.map(convert::invited), bound: key }))
}

pub(super) async fn join(
    asked: &Asked<'_>,
    ticket: &str,
    dir: Option<PathBuf>,
    force: bool,
    wait_ms: u64,
) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor join")?;
    let node = asked.node;
    let ticket = TicketText::parse(ticket).map_err(|error| errors::of_ticket(&error))?;
    let key = key_for(dir, force)?;
    let room = ticket.room;
    // What arrives while the join is waited for is news already.
    let bound_at = arrivals(node, room).await?;
    let command = Command::Join { ticket, wait_ms: wait_ms.min(MAX_WAIT_MS) };
    let Outcome::Joined { already, .. } = node.driver.command(command).await? else {
        return Err(errors::internal("the room was not joined"));
    };
    if let Some(key) = &key {
        bind_room(node, key, room, bound_at).await?;
    }
    Ok(Reply::Joined(Joined { room: one_room(asked, room).await?, already, bound: key }))
}

async fn arrivals(node: &Node, room: RoomId) -> Result<u64, ApiError> {
    node.driver.view(move |engine| engine.room(&room).map_or(0, |room| room.arrivals)).await
}

/// Binds, durably, and tells the sessions' rooms.
async fn bind_room(node: &Node, key: &Path, room: RoomId, bound_at: u64) -> Result<(), ApiError> {
    let change = node.bindings().bind(key, room, bound_at, clock::wall_ms());
    apply(node, vec![change]).await
}

async fn apply(node: &Node, changes: Vec<Change>) -> Result<(), ApiError> {
    for change in changes {
        let (key, value) = change.to_row();
        node.driver.command(Command::PutRecord { table: Table::Binding, key, value }).await?;
        node.bindings().apply(&change);
    }
    node.announce_all().await;
    Ok(())
}

pub(super) async fn bind(asked: &Asked<'_>, room: &str, dir: &Path, force: bool) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room bind")?;
    let room = place::room_named(asked.node, room).await?;
    let key = place::binding_key(dir, force)?;
    let bound_at = arrivals(asked.node, room).await?;
    bind_room(asked.node, &key, room, bound_at).await?;
    let shown = one_room(asked, room).await?;
    Ok(Reply::Bound(Bound { room: shown.id, room_name: shown.name, dir: key }))
}

pub(super) async fn unbind(asked: &Asked<'_>, room: Option<String>, dir: &Path) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room unbind")?;
    let node = asked.node;
    let room = match room {
        Some(name) => Some(place::room_named(node, &name).await?),
        None => None,
    };
    let key = place::binding_key(dir, true)?;
    let changes = node.bindings().unbind(&key, room);
    if changes.is_empty() {
        let error =
            ApiError::new(ErrorKind::NotFound, format!("nothing of that is bound to {}", key.display()));
        let nearest = node.bindings().nearest_dir(&key);
        let hint = match nearest {
            Some(nearest) => format!("what is heard here is bound to {}", nearest.display()),
            None => "`parlor room list` shows what is bound where".into(),
        };
        return Err(error.hint(hint));
    }
    let rooms: Vec<RoomId> = changes.iter().map(Change::room).collect();
    apply(node, changes).await?;
    let mut unbound = Vec::with_capacity(rooms.len());
    for room in rooms {
        let room_name = talk::room_name(node, room).await?;
        unbound.push(Bound { room: room.to_string(), room_name, dir: key.clone() });
    }
    Ok(Reply::Unbound(unbound))
}

pub(super) async fn alias(asked: &Asked<'_>, room: &str, alias: Option<String>) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room alias")?;
    if let Some(alias) = &alias {
        check_name(alias)?;
    }
    let room = place::room_named(asked.node, room).await?;
    asked.node.driver.command(Command::SetAlias { room, alias }).await?;
    Ok(Reply::Room(one_room(asked, room).await?))
}

pub(super) async fn rename(asked: &Asked<'_>, room: Option<String>, name: String) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room rename")?;
    check_name(&name)?;
    let room = place::room(asked.node, asked.caller, room.as_deref()).await?;
    asked.node.driver.command(Command::Rename { room, name }).await?;
    Ok(Reply::Room(one_room(asked, room).await?))
}

pub(super) async fn rekey(asked: &Asked<'_>, room: Option<String>) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room rekey")?;
    let room = place::room(asked.node, asked.caller, room.as_deref()).await?;
    asked.node.driver.command(Command::Rekey { room }).await?;
    Ok(Reply::Room(one_room(asked, room).await?))
}

pub(super) async fn leave(asked: &Asked<'_>, room: Option<String>, abandon: bool) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor room leave")?;
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let room_name = talk::room_name(node, room).await?;
    node.driver.command(Command::Leave { room, abandon }).await?;
    let unbound = unbind_everywhere(node, room).await?;
    Ok(Reply::Left(Left { room: room.to_string(), room_name, unbound }))
}

/// No directory hears a room any more; those that did.
async fn unbind_everywhere(node: &Node, room: RoomId) -> Result<Vec<PathBuf>, ApiError> {
    let unbound = node.bindings().dirs_of(&room);
    let changes = {
        let bindings = node.bindings();
        unbound.iter().flat_map(|dir| bindings.unbind(dir, Some(room))).collect()
    };
    apply(node, changes).await?;
    Ok(unbound)
}

/// No directory hears anything any more.
pub(super) async fn unbind_all(node: &Node) -> Result<(), ApiError> {
    let rooms =
        node.driver.view(|engine| engine.rooms().iter().map(|room| room.id).collect::<Vec<_>>()).await?;
    for room in rooms {
        unbind_everywhere(node, room).await?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(ApiError::new(ErrorKind::BadInput, format!("the name is {} bytes long", name.len()))
        .hint("a room's name has at most 32 characters"))
}

pub(super) async fn list(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::Rooms(all_rooms(asked).await?))
}

pub(super) async fn show(asked: &Asked<'_>, room: Option<String>) -> Result<Reply, ApiError> {
    let room = place::room(asked.node, asked.caller, room.as_deref()).await?;
    Ok(Reply::Room(one_room(asked, room).await?))
}

/// One room as the caller sees it.
pub(super) async fn one_room(asked: &Asked<'_>, room: RoomId) -> Result<Room, ApiError> {
    let (id, rooms) = (room.to_string(), all_rooms(asked).await?);
    rooms.into_iter().find(|room| room.id == id).ok_or_else(|| errors::internal("a room went missing"))
}

/// All rooms as the caller sees them.
pub(super) async fn all_rooms(asked: &Asked<'_>) -> Result<Vec<Room>, ApiError> {
    let node = asked.node;
    let views = node.driver.view(|engine| {
        let with_asking = |view: RoomView| (engine.asking(&view.id).len() as u64, view);
        let views: Vec<_> = engine.rooms().into_iter().map(with_asking).collect();
        (views, place::shown_names(engine))
    });
    let (views, mut names) = views.await?;
    let default = place::heard(node, asked.caller).await.first().map(|heard| heard.room);
    let bindings = node.bindings();
    let rooms = views.into_iter().map(|(asking, view)| {
        let id = view.id;
        let name = names.remove(&id).unwrap_or_else(|| id.short());
        let bound = bindings.dirs_of(&id);
        let retention_days = node.retention.days(&id).and_then(NonZeroU32::new);
        let by_itself = bindings.is_by_itself(&id);
        api::Room {
            asking,
            retention_days,
            by_itself,
            ..convert::room(view, name, bound, default == Some(id))
        }
    });
    Ok(rooms.collect())
}
