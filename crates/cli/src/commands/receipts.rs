//! `parlor log --receipts`: messages, and of one's own how far each is known to have got.

use parlor_api::{Cancel, Event, Message, MessageFar, Reply, Request};
use serde::Serialize;

use super::Context;
use super::log::DEFAULT_LINES;
use crate::args::Log;
use crate::errors::{Failure, Outcome};
use crate::reach::Reach;
use crate::render;

/// The node answers for so many at once.
const AT_ONCE: usize = 64;

/// A message to programs, with what is known of it.
#[derive(Serialize)]
struct Known<'a> {
    #[serde(flatten)]
    message: &'a Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    far: Option<&'a [parlor_api::Far]>,
}

pub fn one(context: &Context, room: Option<String>, id: String) -> Outcome {
    let Reply::Message(message) = context.ask(&Request::Message { room, entry: id })? else {
        return Err(Failure::unexpected_reply());
    };
    show(context, &[message])
}

pub fn many(context: &Context, log: Log) -> Outcome {
    let default = if log.since.is_none() { Some(DEFAULT_LINES) } else { None };
    let limit = log.lines.or(default);
    let request = Request::Log { room: log.room, limit, since_ms: log.since, follow: false };
    let mut messages = Vec::new();
    Reach::new(&context.home)?.stream(&request, &Cancel::default(), |event| {
        if let Event::Message(message) = event {
            messages.push(message);
        }
    })?;
    show(context, &messages)
}

fn show(context: &Context, messages: &[Message]) -> Outcome {
    let own: Vec<String> =
        messages.iter().filter(|message| message.own).map(|message| message.id.clone()).collect();
    let mut known: Vec<MessageFar> = Vec::new();
    for entries in own.chunks(AT_ONCE) {
        let Reply::Far(far) = context.ask(&Request::Far { entries: entries.to_vec() })? else {
            return Err(Failure::unexpected_reply());
        };
        known.extend(far);
    }
    let of = |message: &Message| known.iter().find(|one| one.id == message.id).map(|one| one.far.as_slice());
    for message in messages {
        if context.out.is_json() {
            context.out.object(&Known { message, far: of(message) })?;
            continue;
        }
        context.out.line(&render::message(message))?;
        for far in of(message).unwrap_or_default() {
            context.out.line(&format!("    {}", render::ask::one(far)))?;
        }
    }
    context.out.flush()
}
