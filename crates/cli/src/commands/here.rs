//! `parlor`: where one is, and the next thing to type.

use parlor_api::{Here, Reply, Request};

use super::relays::{self, Named};
use super::{Context, current_dir};
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context) -> Outcome {
    let here = look(context)?;
    if !here.rooms.is_empty() {
        relays::name(context, Named::IfNeeded)?;
    }
    context.out.answer(&here, || render::here(&here))?;
    context.out.talk(&render::next_here(&here));
    Ok(())
}

fn look(context: &Context) -> Outcome<Here> {
    // Whoever only looks round does not become somebody by it.
    if !context.home.identity().exists() {
        let (rooms, people, unread) = Default::default();
        return Ok(Here { dir: current_dir().ok(), rooms, people, unread, other_rooms: 0 });
    }
    match context.ask(&Request::Here)? {
        Reply::Here(here) => Ok(here),
        _ => Err(Failure::unexpected_reply()),
    }
}
