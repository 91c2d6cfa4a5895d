//! `parlor send` and `parlor tell`: say something to a room, or to one peer alone. Told is what is known: that it is stored, and whom it has reached.

use std::ffi::OsString;
use std::fmt::Write as _;

use parlor_api::{Form, Reply, Request};
use parlor_wire::ticket::{PREFIX, TicketError, TicketText};

use super::Context;
use crate::args::{Priority, Send, Tell};
use crate::errors::{Failure, Outcome};
use crate::{input, render};

/// How long peers' acknowledgements are waited for, in milliseconds: those that are there answer in much less, and
/// the message is safe already.
pub(super) const WAIT_MS: u64 = 500;

pub fn run(context: &Context, send: Send) -> Outcome {
    let form = match (send.ack, send.progress) {
        (true, _) => Some(Form::Ack),
        (_, true) => Some(Form::Progress),
        _ => None,
    };
    say(context, &send.text, (send.room, send.to), send.priority, form)
}

/// `parlor tell`: says something to one peer alone.
pub fn tell(context: &Context, tell: Tell) -> Outcome {
    say(context, &tell.text, (None, Some(tell.to)), tell.priority, None)
}

fn say(
    context: &Context,
    text: &[OsString],
    (room, to): (Option<String>, Option<String>),
    priority: Priority,
    form: Option<Form>,
) -> Outcome {
    context.mention_clock();
    let text = input::text(text, input::MESSAGE, context.out)?;
    refuse_tickets(&text)?;
    let priority = parlor_api::Priority::from(priority);
    let request =
        Request::Send { text, room, to, request_id: request_id()?, priority, form, wait_ms: WAIT_MS };
    let Reply::Sent(sent) = context.ask_waiting(&request, WAIT_MS)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&sent, || vec![render::sent(&sent)])?;
    sent.warnings.iter().for_each(|warning| context.out.talk(&format!("warning: {warning}")));
    if priority == parlor_api::Priority::Now {
        // Whoever is in a hurry is told of sessions that do not hear at once.
        sent.far.iter().filter(|far| far.waits()).for_each(|far| context.out.talk(&render::ask::one(far)));
    }
    Ok(())
}

/// A ticket in a room stays where everybody of it, and their model providers, can read it.
pub(super) fn refuse_tickets(text: &str) -> Outcome {
    if !holds_ticket(text) {
        return Ok(());
    }
    Err(Failure::bad_input(
        "this text holds a ticket, which lets whoever reads it join: it was not sent",
        "give it to the one person it is for another way, in a private chat for example",
    ))
}

/// Whether a ticket stands anywhere in a text, however many there are.
fn holds_ticket(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // No ticket holds a `1` after its prefix, so it is whole between two of them. One of a later form is one too.
    let mut parts = lower.split(PREFIX).skip(1).map(|part| TicketText::parse(&format!("{PREFIX}{part}")));
    parts.any(|read| matches!(read, Ok(_) | Err(TicketError::Newer)))
}

/// New for every call, the same for its retries: by it the node knows a message again.
pub(super) fn request_id() -> Outcome<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::machine(format!("the system gives no randomness: {error}"), "try again"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_wire::ids::RoomId;

    use super::*;

    fn ticket() -> String {
        let ticket = TicketText {
            room: RoomId([1; 32]),
            seed: [2; 32].into(),
            endpoints: Vec::new(),
            relay: None,
            expires: None,
        };
        ticket.to_text()
    }

    #[test]
    fn a_text_that_holds_a_ticket_is_bad_input() {
        let ticket = ticket();
        let broken = format!("{}\n{}", &ticket[..60], &ticket[60..]);
        for text in [
            ticket.clone(),
            format!("Bob, paste this: `parlor join {ticket}`, then say hello"),
            format!("parlor1 is its prefix: {ticket} and {ticket}"),
            ticket.to_ascii_uppercase(),
            broken,
        ] {
            let Failure::Error(error) = refuse_tickets(&text).unwrap_err() else { panic!() };
            assert_eq!(error.kind.exit_code(), 5);
            assert!(error.message.contains("it was not sent"));
            assert!(!error.message.contains(&ticket), "a ticket is not repeated");
        }
    }

    #[test]
    fn words_about_tickets_are_said() {
        for text in
            ["a ticket begins with parlor1", "parlor1af3iiwbagv4nmiodc6chvx…", "PARLOR1 parlor2", "hello"]
        {
            assert_eq!(refuse_tickets(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn every_call_has_a_request_id_of_its_own() {
        let (one, other) = (request_id().unwrap(), request_id().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
