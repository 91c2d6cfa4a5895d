//! `parlor log`: what was said, or one message whole, or all that arrives.

use parlor_api::{Cancel, Event, Reply, Request};

use super::{Context, search};
use crate::args::Log;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::reach::Reach;
use crate::render;

/// How many messages are shown when nothing else is said.
const DEFAULT_LINES: u64 = 50;

pub fn run(context: &Context, log: Log, interrupt: &Interrupt) -> Outcome {
    match (log.id.clone(), &log.search) {
        (Some(id), _) => one(context, log.room, id),
        (None, Some(_)) => search::run(context, log, interrupt),
        (None, None) => many(context, log, interrupt),
    }
}

fn one(context: &Context, room: Option<String>, id: String) -> Outcome {
    let Reply::Message(message) = context.ask(&Request::Message { room, entry: id })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&message, || render::whole_message(&message))
}

fn many(context: &Context, log: Log, interrupt: &Interrupt) -> Outcome {
    let default = if log.since.is_none() { Some(DEFAULT_LINES) } else { None };
    let request = Request::Log {
        room: log.room,
        limit: log.lines.or(default),
        since_ms: log.since,
        follow: log.follow,
    };
    let cancel = Cancel::default();
    let interrupted = cancel.clone();
    interrupt.on_interrupt(move || interrupted.cancel());
    let mut lost = None;
    let mut shown = false;
    let end = Reach::new(&context.home)?.stream(&request, &cancel, |event| {
        shown = true;
        if lost.is_none()
            && let Err(failure) = show(context, event, log.follow)
        {
            lost = Some(failure);
            // Nobody reads any more.
            cancel.cancel();
        }
    });
    if !shown && end.is_ok() {
        context.out.talk("There is nothing to show.");
    }
    lost.map_or_else(|| end.map(drop), Err)
}

fn show(context: &Context, event: Event, at_once: bool) -> Outcome {
    let Event::Message(message) = event else { return Ok(()) };
    if context.out.is_json() {
        return context.out.object(&message);
    }
    context.out.line(&render::message(&message))?;
    if at_once { context.out.flush() } else { Ok(()) }
}
