//! `parlor unread`: how much is unread here.

use parlor_api::{Reply, Request};

use super::Context;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context) -> Outcome {
    let Reply::Unread(counts) = context.ask(&Request::Unread)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&counts, || render::unread(&counts))?;
    if counts.is_empty() {
        context.out.talk("No room is heard here, so nothing is unread.");
    }
    Ok(())
}
