//! `parlor member`: who is in a room, who asks to be, letting in, putting out, giving roles.

use parlor_api::{Reply, Request};

use super::{Context, confirm};
use crate::args::{Member, Role};
use crate::errors::{Failure, Outcome};
use crate::render::ruling;

pub fn run(context: &Context, command: Member) -> Outcome {
    match command {
        Member::List { room } => list(context, room),
        Member::Approve { peer, room } => approve(context, peer, room),
        Member::Remove { peer, room, keep_ticket } => remove(context, peer, room, keep_ticket),
        Member::Role { peer, role, room, yes } => {
            if role == Role::Owner && !yes {
                ask_for_yes(context)?;
            }
            set_role(context, Request::MemberRole { room, peer, role: role.into() })
        }
    }
}

fn list(context: &Context, room: Option<String>) -> Outcome {
    let named = room.is_some();
    let Reply::Members(members) = context.ask(&Request::MemberList { room })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&members, || ruling::members(&members))?;
    if let Some(first) = members.asking.first() {
        context.out.talk(&ruling::how_to_approve(&members, first, named));
    }
    Ok(())
}

fn approve(context: &Context, peer: String, room: Option<String>) -> Outcome {
    let Reply::Member(member) = context.ask(&Request::MemberApprove { room, peer })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&member, || vec![ruling::let_in(&member)])
}

fn remove(context: &Context, peer: String, room: Option<String>, keep: Vec<String>) -> Outcome {
    let Reply::Removed(removed) = context.ask(&Request::MemberRemove { room, peer, keep })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&removed, || ruling::removed(&removed))?;
    context.out.talk(
        "They can still open what was said before, and nothing that is said by anybody whose node has heard of this.",
    );
    if !removed.closed.is_empty() {
        context.out.talk("Whoever was to come by a closed ticket needs a new one: `parlor invite`.");
    }
    Ok(())
}

fn set_role(context: &Context, request: Request) -> Outcome {
    let Reply::Member(member) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context.out.answer(&member, || vec![ruling::has_role(&member)])
}

fn ask_for_yes(context: &Context) -> Outcome {
    let asked = "An owner lets in and puts out, and stays an owner: this cannot be taken back.";
    confirm(context, asked, "an owner stays one: that cannot be taken back", "nobody was made an owner")
}
