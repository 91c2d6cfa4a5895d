//! For how long a room may be read here.

use parlor_api::{ApiError, ErrorKind, Reply, Retained};

use super::{Asked, place, talk};
use crate::errors;
use crate::retention::{MAX_DAYS, Retention};

pub(super) async fn retention(
    asked: &Asked<'_>,
    room: Option<String>,
    days: Option<u32>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    if let Some(days) = days {
        let typed = if days == 0 { "off".to_owned() } else { days.to_string() };
        asked.refuse_agents_what(
            "decides for how long a room is read on this node",
            &format!("parlor room retention {typed}"),
        )?;
        if days > MAX_DAYS {
            let message = format!("{days} days are more than the {MAX_DAYS} a room can be told to keep");
            return Err(
                ApiError::new(ErrorKind::BadInput, message).hint("say `off`: then it is kept for ever")
            );
        }
        let days = (days > 0).then_some(days);
        let _turn = node.retention.turn().await;
        let before = node.retention.days(&room);
        node.driver.command(Retention::record(room, days)).await?;
        node.retention.set(room, days);
        if before != days {
            // Now and not when its thread comes to it: whoever was answered finds nothing of it.
            let index = node.index.clone();
            tokio::task::spawn_blocking(move || index.forget(room))
                .await
                .map_err(|_| errors::internal("the index could not be told"))?
                .map_err(|error| errors::of_store(&error))?;
        }
    }
    Ok(Reply::Retained(Retained {
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        days: node.retention.days(&room),
    }))
}
