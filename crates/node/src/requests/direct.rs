//! Saying something to one peer alone, or to one session of theirs. Must not send: `talk` does.

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::api::{Command, Outcome};
use parlor_core::text::names;
use parlor_wire::{PeerId, RoomId};

use super::Asked;
use crate::errors;
use crate::node::Node;

/// The direct room for a message to a peer, or to one session of it, opened if it is not, and the session's label.
pub(super) async fn room_for(
    asked: &Asked<'_>,
    peer: PeerId,
    session: Option<&str>,
) -> Result<(RoomId, Option<String>), ApiError> {
    let node = asked.node;
    if peer == node.me {
        let error = ApiError::new(ErrorKind::BadInput, "that is you");
        return Err(error.hint("`parlor start --local` makes a room for this machine's sessions alone"));
    }
    let Outcome::Joined { room, .. } = node.driver.command(Command::OpenDirect { peer }).await? else {
        return Err(errors::internal("the direct room was not opened"));
    };
    Ok((room, session.map(|label| names::session_label(label).into_string())))
}

/// What a sender should know whose message is for a session that is not there now.
pub(super) async fn missing_session(
    node: &Node,
    room: RoomId,
    label: &str,
) -> Result<Option<String>, ApiError> {
    let looked = node.driver.view(move |engine| {
        let peer = engine.direct_peer(&room)?;
        Some((engine.room_name(room).into_string(), engine.sessions_of(&peer)))
    });
    let Some((name, sessions)) = looked.await? else { return Ok(None) };
    if sessions.contains(label) {
        return Ok(None);
    }
    let there = sessions.into_iter().collect::<Vec<_>>().join(", ");
    let there = if there.is_empty() { "none is seen there".into() } else { format!("seen there: {there}") };
    Ok(Some(format!(
        "{name} has no session {label} now ({there}); one that begins by that name is told of it only while it is among the newest"
    )))
}
