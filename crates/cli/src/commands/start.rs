//! `parlor start`: opens a room and prints the one line by which others join.

use std::path::Path;

use parlor_api::{Invited, Reply, Request, Started};

use super::relays::{self, Named};
use super::{Context, dir_to_bind, install};
use crate::args::Start;
use crate::errors::{Failure, Outcome};
use crate::render;

/// What one is called whom nothing gave a name.
const NAMELESS: &str = "nameless";

pub fn run(context: &Context, start: Start) -> Outcome {
    context.mention_clock();
    let dir = dir_to_bind(&start.binding)?;
    if !start.local && !start.lan {
        relays::name(context, Named::Always)?;
    }
    let request = Request::Start {
        name: start.name,
        dir,
        force: start.binding.force,
        local: start.local,
        lan: start.lan,
    };
    let Reply::Started(started) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    let Some(ticket) = &started.ticket else { return opened_here(context, &started) };
    context
        .out
        .talk(&format!("The room {} is open, and yours. Whoever you want in it pastes:", started.room.name));
    context.out.answer(&started, || vec![render::join_line(ticket)])?;
    explain(context, &started, ticket);
    Ok(())
}

/// A room of this machine alone: there is nothing to hand on.
fn opened_here(context: &Context, started: &Started) -> Outcome {
    let out = context.out;
    out.answer(started, || vec![format!("{} is open on this machine", started.room.name)])?;
    out.talk(
        "It never leaves this machine: all your sessions that hear it share it, and nobody can be invited.",
    );
    out.talk(&render::heard(started.bound.as_deref()));
    mention_others(context, started);
    mention_agent(context, started.bound.as_deref());
    let say = render::next_to_say(&started.room, started.bound.as_deref());
    out.talk(&format!("Next: {say}."));
    Ok(())
}

fn explain(context: &Context, started: &Started, ticket: &Invited) {
    let out = context.out;
    out.talk(&render::ticket_allows(ticket));
    if started.room.carrier == "lan" {
        out.talk("It never leaves the local network: who joins must be in the same one, and no relay is asked for it.");
    }
    out.talk(&render::heard(started.bound.as_deref()));
    out.talk(
        "This machine's key alone owns the room, and only an owner makes tickets: keep its home backed up.",
    );
    mention_nick(context);
    mention_others(context, started);
    mention_agent(context, started.bound.as_deref());
    let say = render::next_to_say(&started.room, started.bound.as_deref());
    out.talk(&format!("Next: send that line to somebody, then {say}."));
}

/// Says how to get a name, where nothing gave one.
pub fn mention_nick(context: &Context) {
    if let Ok(Reply::Identity(identity)) = context.ask(&Request::Identity)
        && identity.nick == NAMELESS
    {
        context.out.talk("Others see you as nameless: `parlor nick NAME` tells them who you are.");
    }
}

/// Says which rooms were heard here before, because what is sent goes to the newest.
fn mention_others(context: &Context, started: &Started) {
    let Ok(Reply::Here(here)) = context.ask(&Request::Here) else { return };
    let others = here.rooms.iter().filter(|room| room.id != started.room.id && started.bound.is_some());
    let names: Vec<&str> = others.map(|room| room.name.as_str()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        context.out.talk(&format!(
            "Heard here too: {names}. What is sent without --room goes to {} now.",
            started.room.name
        ));
    }
}

/// Says how to make an agent hear, if none does yet.
pub fn mention_agent(context: &Context, bound: Option<&Path>) {
    if bound.is_some() && install::is_missing(context) {
        context.out.talk("Your agent does not hear anything yet: `parlor install`, once.");
    }
}
