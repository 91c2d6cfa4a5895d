//! `parlor status`: how one's own sessions are, for others to see.

use parlor_api::{Reply, Request};

use super::Context;
use crate::args::SetStatus;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context, status: SetStatus) -> Outcome {
    let set = status.status.map(Into::into);
    let request = Request::SessionStatus { session: status.session, set };
    let Reply::Sessions(sessions) = context.ask(&request)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&sessions, || render::sessions::own(&sessions))
}
