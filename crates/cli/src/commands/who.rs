//! `parlor who`: who is in a room, and their sessions.

use parlor_api::{Reply, Request};

use super::Context;
use crate::args::InRoom;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context, who: InRoom) -> Outcome {
    let Reply::People(people) = context.ask(&Request::Who { room: who.room })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&people, || render::people(&people))?;
    if people.is_empty() {
        context.out.talk(
            "Nobody is known here yet: the room is saved and joins by itself when a member is reached.",
        );
    }
    Ok(())
}
