//! `parlor log --search`: what was said that holds certain words.

use parlor_api::{Cancel, Event, Reply, Request, SearchIn};

use super::Context;
use crate::args::Log;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::reach::Reach;
use crate::render::{self, count};

/// How many messages are shown when nothing else is said.
const DEFAULT_LINES: u64 = 50;
/// The node gives no more at once.
const MAX_LINES: u64 = 1_000;

pub fn run(context: &Context, log: Log, interrupt: &Interrupt) -> Outcome {
    if log.lines.is_some_and(|lines| lines > MAX_LINES) {
        return Err(Failure::usage(
            "a search shows at most the 1,000 newest messages",
            "say `-n 1000` or fewer, and search for something rarer, or narrow it by --since or --room",
        ));
    }
    let request = Request::Search {
        text: log.search.unwrap_or_default(),
        room: log.room,
        within: if log.all_rooms { SearchIn::All } else { SearchIn::Here },
        limit: Some(log.lines.unwrap_or(DEFAULT_LINES)),
        since_ms: log.since,
        brief_chars: None,
    };
    let cancel = Cancel::default();
    let interrupted = cancel.clone();
    interrupt.on_interrupt(move || interrupted.cancel());
    let mut found = Vec::new();
    let end = Reach::new(&context.home)?.stream(&request, &cancel, |event| {
        if let Event::Message(message) = event {
            found.push(message);
        }
    })?;
    let Reply::Found(end) = end else { return Err(Failure::unexpected_reply()) };
    // Where several rooms were searched, each message says which it is of.
    let several = found.iter().any(|message| message.room != found[0].room);
    let line = |message| if several { render::message_of_room(message) } else { render::message(message) };
    context.out.list(&found, || found.iter().map(line).collect())?;
    // Of what was not looked at nothing can be said.
    if found.is_empty() && end.not_indexed == 0 {
        context.out.talk("Nothing that was said here holds that.");
    }
    if end.more {
        context.out.talk("There is more, and older: see `-n`.");
    }
    if end.not_indexed > 0 {
        let messages = count(end.not_indexed, "message is", "messages are");
        context
            .out
            .warn(&format!("{messages} not indexed yet and were not looked at: try again in a moment"));
    }
    Ok(())
}
