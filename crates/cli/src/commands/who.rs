//! `parlor who`: who is in a room, and their sessions; and the sessions of this machine.

use parlor_api::{ErrorKind, OwnSession, Reply, Request};

use super::Context;
use crate::args::Who;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context, who: Who) -> Outcome {
    let local = local(context)?;
    if who.local {
        context.out.list(&local, || render::sessions::local(&local))?;
        if local.is_empty() {
            context.out.talk("No session of this machine is present.");
        }
        return Ok(());
    }
    let is_any = who.room.is_none();
    let people = match context.ask(&Request::Who { room: who.room }) {
        Ok(Reply::People(people)) => people,
        Ok(_) => return Err(Failure::unexpected_reply()),
        // Who has no room yet may still have sessions.
        Err(Failure::Error(error)) if is_any && error.kind == ErrorKind::NotFound && !local.is_empty() => {
            context.out.list(&[] as &[OwnSession], || render::sessions::local(&local))?;
            context.out.talk(&error.message);
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    context.out.list(&people, || {
        let mut lines = render::people(&people);
        if !local.is_empty() {
            lines.push(render::sessions::HERE.into());
            lines.extend(render::sessions::local(&local));
        }
        lines
    })?;
    if people.is_empty() {
        context.out.talk(
            "Nobody is known here yet: the room is saved and joins by itself when a member is reached.",
        );
    }
    Ok(())
}

fn local(context: &Context) -> Outcome<Vec<OwnSession>> {
    let Reply::Sessions(sessions) = context.ask(&Request::SessionList)? else {
        return Err(Failure::unexpected_reply());
    };
    Ok(sessions)
}
