//! `parlor invite`: the line by which others join a room.

use parlor_api::{Reply, Request};

use super::Context;
use super::relays::{self, Named};
use crate::args::Invite;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context, invite: Invite) -> Outcome {
    context.mention_clock();
    relays::name(context, Named::IfNeeded)?;
    let request = Request::Invite {
        room: invite.room,
        expires_s: invite.expires.map(|time| time.as_secs()),
        uses: invite.uses,
        role: invite.role.map(Into::into),
        approve: invite.approve,
    };
    let Reply::Invited(ticket) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context.out.answer(&ticket, || vec![render::join_line(&ticket)])?;
    context.out.talk(&render::ticket_allows(&ticket));
    Ok(())
}
