//! How the node is, who it is, and what there is where the caller stands.

use parlor_api::{ApiError, ErrorKind, Here, Identity, Reply, Revoked, Status};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, Outcome};
use parlor_core::text::time::rfc3339;
use parlor_wire::RoomId;

use super::{Asked, place, rooms, talk};
use crate::bindings;
use crate::errors;
use crate::life::Ending;

const MAX_NICK_BYTES: usize = 1024;

pub(super) async fn status(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let (rooms, connected) =
        node.driver.view(|engine| (engine.rooms().len() as u64, engine.linked_peers() as u64)).await?;
    Ok(Reply::Status(Status {
        pid: std::process::id(),
        version: node.version.into(),
        home: node.home.dir().into(),
        peer: node.me.to_string(),
        since: rfc3339(node.since_ms),
        rooms,
        connected,
        sessions: node.sessions().running() as u64,
        addresses: node.carrier.far_places().addresses.iter().map(ToString::to_string).collect(),
    }))
}

pub(super) async fn here(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let heard = place::heard(node, asked.caller).await;
    let all = rooms::all_rooms(asked).await?;
    let is_heard = |id: &str| heard.iter().position(|heard| heard.room.to_string() == id);
    let other_rooms = all.iter().filter(|room| is_heard(&room.id).is_none()).count() as u64;
    let mut rooms: Vec<_> = all.into_iter().filter(|room| is_heard(&room.id).is_some()).collect();
    rooms.sort_by_key(|room| is_heard(&room.id));
    let mut people = Vec::new();
    for heard in &heard {
        people.extend(talk::people(node, heard.room).await?);
    }
    let unread = talk::counts(asked, heard).await?;
    let dir = place::dir(node, asked.caller);
    let key = dir.map(|dir| bindings::key_of(&dir));
    let dir = key.map(|key| node.bindings().nearest_dir(&key).unwrap_or(key));
    Ok(Reply::Here(Here { dir, rooms, people, unread, other_rooms }))
}

pub(super) async fn end(asked: &Asked<'_>, ending: Ending) -> Result<Reply, ApiError> {
    let life = &asked.node.life;
    life.end(ending);
    life.drained.cancelled().await;
    Ok(Reply::Done)
}

/// Goes on in the same process, so that whoever runs it goes on running it.
pub(super) async fn restart(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    end(asked, Ending::Restart { exe: None, version: asked.node.version.into() }).await
}

pub(super) fn may_configure(asked: &Asked<'_>, command: &str) -> Result<Reply, ApiError> {
    asked.caller.refuse_agents_settings(&asked.node.sessions(), command).map(|()| Reply::Done)
}

pub(super) async fn identity(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let (nick, revoked) =
        node.driver.view(|engine: &Engine| (engine.nick().to_owned(), engine.revoked())).await?;
    let (peer, home, revoked) = (node.me.to_string(), node.home.dir().into(), revoked.map(rfc3339));
    Ok(Reply::Identity(Identity { peer, nick, home, revoked }))
}

/// Tells all rooms that nobody should take this identity for its person any more. No directory hears them then.
pub(super) async fn revoke(asked: &Asked<'_>, abandon: bool) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor identity revoke")?;
    let node = asked.node;
    let names = place::shown_rooms(node).await?;
    let Outcome::Revoked { told, abandoned } = node.driver.command(Command::Revoke { abandon }).await? else {
        return Err(errors::internal("the identity was not revoked"));
    };
    let named = |rooms: Vec<RoomId>| rooms.iter().filter_map(|room| names.get(room).cloned()).collect();
    rooms::unbind_all(node).await?;
    Ok(Reply::Revoked(Revoked { peer: node.me.to_string(), told: named(told), abandoned: named(abandoned) }))
}

pub(super) async fn nick(asked: &Asked<'_>, set: Option<String>) -> Result<Reply, ApiError> {
    if let Some(nick) = set {
        asked.refuse_agents("parlor nick")?;
        if nick.trim().is_empty() || nick.len() > MAX_NICK_BYTES {
            let error = ApiError::new(ErrorKind::BadInput, "a nick has 1 to 32 characters that can be seen");
            return Err(error.hint("`parlor nick NAME`"));
        }
        asked.node.driver.command(Command::SetNick(nick)).await?;
    }
    identity(asked).await
}
