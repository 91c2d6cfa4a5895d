//! `parlor ticket`: which tickets a room has, and closing one.

use parlor_api::{Reply, Request};

use super::Context;
use crate::args::Ticket;
use crate::errors::{Failure, Outcome};
use crate::render::ruling;

pub fn run(context: &Context, command: Ticket) -> Outcome {
    match command {
        Ticket::List { room, all } => list(context, room, all),
        Ticket::Close { ticket, room } => close(context, ticket, room),
    }
}

fn list(context: &Context, room: Option<String>, all: bool) -> Outcome {
    let Reply::Tickets(tickets) = context.ask(&Request::TicketList { room, all })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&tickets, || ruling::tickets(&tickets))?;
    if tickets.is_empty() {
        context.out.talk("No ticket lets anybody in now: `parlor invite` makes one.");
    }
    Ok(())
}

fn close(context: &Context, ticket: String, room: Option<String>) -> Outcome {
    let Reply::Ticket(ticket) = context.ask(&Request::TicketClose { room, ticket })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&ticket, || vec![ruling::closed(&ticket)])?;
    context.out.talk("Who came by it stays: `parlor member remove` puts somebody out.");
    Ok(())
}
