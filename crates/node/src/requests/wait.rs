//! Waiting for messages: answered as soon as there is something for the session, or when the time is over. What it gives is
//! leased like any other take. Must not hold up anything else.

use std::time::Duration;

use parlor_api::{ApiError, ErrorKind, Reply, Unheard};
use parlor_core::engine::api::{Moment, TakeRoom};
use parlor_core::text::inject::Budget;
use parlor_wire::{EntryId, PeerId, RoomId};

use super::hook::{budget, rooms_of, session_of};
use super::moments::{self, Taking};
use super::{Asked, MAX_WAIT_MS, peers, talk};
use crate::errors;
use crate::waiters::Kind;

/// What is waited for.
pub(super) struct Wanted {
    pub room: Option<String>,
    pub from: Option<String>,
    pub about: Option<String>,
    pub wait_ms: u64,
    pub limit_chars: Option<u32>,
}

/// The same, found.
struct Meant {
    rooms: Vec<TakeRoom>,
    from: Option<PeerId>,
    about: Option<(RoomId, EntryId)>,
    budget: Budget,
}

pub(super) async fn wait(asked: &Asked<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    let node = asked.node;
    let session = session_of(asked).await?;
    let meant = find(asked, &wanted).await?;
    let Some(waiter) = node.waiters.begin(Kind::Messages, &session.key()) else {
        let error =
            ApiError::new(ErrorKind::Unreached, "too many sessions wait for messages on this machine");
        return Err(error.hint("messages are heard at the next prompt all the same"));
    };
    let deadline = tokio::time::Instant::now() + Duration::from_millis(wanted.wait_ms.min(MAX_WAIT_MS));
    let mut stirred = node.driver.stirred();
    loop {
        stirred.borrow_and_update();
        let taken = moments::take(asked, &session, taking(asked, &meant).await?).await?;
        let over = tokio::time::Instant::now() >= deadline || waiter.replaced.is_cancelled();
        if !taken.text.is_empty() || over {
            return Ok(Reply::Unheard(Unheard {
                text: taken.text,
                messages: taken.messages,
                more: taken.more,
                token: taken.token,
            }));
        }
        if let Some(token) = taken.token {
            // Nothing but what is only counted: that is passed over.
            super::hook::commit(asked, token).await?;
        }
        tokio::select! {
            moved = stirred.changed() => if moved.is_err() { return Err(errors::ending()) },
            () = waiter.replaced.cancelled() => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = asked.cancel.cancelled() => return Err(errors::ending()),
        }
    }
}

async fn find(asked: &Asked<'_>, wanted: &Wanted) -> Result<Meant, ApiError> {
    let node = asked.node;
    let about = match &wanted.about {
        Some(entry) => {
            let message = talk::found(node, None, entry).await?;
            Some((message.room, message.id))
        }
        None => None,
    };
    let from = match &wanted.from {
        Some(name) => Some(peers::named(node, name).await?),
        None => None,
    };
    let rooms = match about {
        Some((room, _)) => vec![TakeRoom { room, bound_at: 0 }],
        None => rooms_of(asked, wanted.room.clone()).await?,
    };
    Ok(Meant { rooms, from, about, budget: budget(wanted.limit_chars) })
}

async fn taking(asked: &Asked<'_>, meant: &Meant) -> Result<Taking, ApiError> {
    let only = match meant.about {
        Some((_, id)) => {
            let view = asked.node.driver.view(move |engine| engine.ask(&id)).await?;
            let answers = view.map(|view| view.answers).unwrap_or_default();
            Some(answers.into_iter().map(|(id, _)| id).collect())
        }
        None => None,
    };
    Ok(Taking {
        rooms: meant.rooms.clone(),
        budget: meant.budget,
        moment: Moment::Check,
        only,
        from: meant.from,
        ..Taking::default()
    })
}
