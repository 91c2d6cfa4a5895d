//! `parlor log`: what was said, or one message whole, or all that arrives.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parlor_api::{Cancel, Event, Message, Reply, Request};

use super::{Context, receipts, search};
use crate::args::Log;
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::pager::Pager;
use crate::reach::Reach;
use crate::render::talk::Talk;
use crate::{progress, readers, render};

/// How many messages are shown when nothing else is said.
pub(super) const DEFAULT_LINES: u64 = 50;
/// Of a terminal that does not say.
const USUAL_COLUMNS: usize = 80;

pub fn run(context: &Context, log: Log, interrupt: &Interrupt) -> Outcome {
    match (log.id.clone(), &log.search) {
        (Some(id), _) if log.receipts => receipts::one(context, log.room, id),
        (None, None) if log.receipts => receipts::many(context, log),
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
    progress::mention(context, log.room.as_deref());
    let default = if log.since.is_none() { Some(DEFAULT_LINES) } else { None };
    let request = Request::Log {
        room: log.room,
        limit: log.lines.or(default),
        since_ms: log.since,
        follow: log.follow,
    };
    let cancel = Cancel::default();
    let (interrupted, left) = (cancel.clone(), cancel.clone());
    interrupt.on_interrupt(move || interrupted.cancel());
    let mut form = form(context);
    let pages = matches!(form, Form::Terminal(_)) && !log.follow && !log.no_pager;
    match if pages { Pager::start(interrupt) } else { None } {
        Some(pager) => pager.show(|line| {
            stream(context, &request, &cancel, &mut form, &mut |lines| {
                lines.iter().try_for_each(|text| line(text))
            })
        }),
        None => {
            // Otherwise who follows would notice only by the next message that nobody reads any more.
            let alone = Arc::new(AtomicBool::new(false));
            let noticed = alone.clone();
            readers::when_gone(move || {
                noticed.store(true, Ordering::Release);
                left.cancel();
            });
            let end = stream(context, &request, &cancel, &mut form, &mut |lines| {
                lines.iter().try_for_each(|text| context.out.line(text))?;
                if log.follow { context.out.flush() } else { Ok(()) }
            });
            if alone.load(Ordering::Acquire) { Err(Failure::Said(0)) } else { end }
        }
    }
}

/// How each message is written.
enum Form {
    Json,
    /// One message, one line, but for the lines of its text: for whatever reads a pipe.
    Lines,
    Terminal(Box<Talk>),
}

fn form(context: &Context) -> Form {
    let stdout = std::io::stdout();
    if context.out.is_json() {
        return Form::Json;
    }
    if !stdout.is_terminal() {
        return Form::Lines;
    }
    let columns = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
    Form::Terminal(Box::new(Talk::new(columns, jiff::tz::TimeZone::system())))
}

impl Form {
    fn lines(&mut self, message: &Message) -> Outcome<Vec<String>> {
        match self {
            Self::Json => Ok(vec![serde_json::to_string(message).map_err(|_| Failure::unexpected_reply())?]),
            Self::Lines => Ok(vec![render::message(message)]),
            Self::Terminal(talk) => Ok(talk.message(message)),
        }
    }
}

fn stream(
    context: &Context,
    request: &Request,
    cancel: &Cancel,
    form: &mut Form,
    write: &mut dyn FnMut(&[String]) -> Outcome,
) -> Outcome {
    let mut lost = None;
    let mut shown = false;
    let end = Reach::new(&context.home)?.stream(request, cancel, |event| {
        let Event::Message(message) = event else { return };
        shown = true;
        if lost.is_none()
            && let Err(failure) = form.lines(&message).and_then(|lines| write(&lines))
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
