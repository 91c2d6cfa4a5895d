//! `parlor join`: enters a room by its ticket, now or as soon as somebody of it is reached.

use parlor_api::{Joined, Reply, Request};
use parlor_wire::ticket::{LAN, TicketError, TicketText};

use super::relays::{self, Named};
use super::start::{mention_agent, mention_nick};
use super::{Context, dir_to_bind};
use crate::args::Join;
use crate::errors::{Failure, Outcome};
use crate::{input, progress, render};

/// How long somebody is waited for before the answer is "saved", in milliseconds.
const WAIT_MS: u64 = 5_000;

pub fn run(context: &Context, join: Join) -> Outcome {
    context.mention_clock();
    let pasted = input::text(&join.ticket, input::TICKET, context.out)?;
    let ticket = TicketText::parse(&pasted).map_err(not_a_ticket)?;
    let dir = dir_to_bind(&join.binding)?;
    if ticket.relay.as_deref() != Some(LAN) {
        relays::name(context, Named::Always)?;
        ticket.relay.iter().try_for_each(|relay| relays::name_of_ticket(context, relay))?;
    }
    // What goes on is the ticket alone, not what stood around it.
    let request =
        Request::Join { ticket: ticket.to_text(), dir, force: join.binding.force, wait_ms: WAIT_MS };
    let Reply::Joined(joined) = context.ask_waiting(&request, WAIT_MS)? else {
        return Err(Failure::unexpected_reply());
    };
    let me = if joined.room.state == "asking" { own_id(context)? } else { String::new() };
    context.out.answer(&joined, || vec![outcome(&joined, &ticket, &me)])?;
    let bound = joined.bound.as_deref();
    if joined.room.state != "refused" {
        context.out.talk(&render::heard(bound));
        mention_nick(context);
        mention_agent(context, bound);
    }
    if joined.room.state == "joined" {
        progress::until_level(context, &joined.room.id);
    }
    context.out.talk(&next(&joined));
    Ok(())
}

/// By which an owner tells one who asks from another.
fn own_id(context: &Context) -> Outcome<String> {
    match context.ask(&Request::Identity)? {
        Reply::Identity(identity) => Ok(identity.peer),
        _ => Err(Failure::unexpected_reply()),
    }
}

fn next(joined: &Joined) -> String {
    match joined.room.state.as_str() {
        "joining" => "Next: nothing; `parlor room list` shows when it has joined.".into(),
        "asking" => render::NEXT_ASKING.into(),
        "refused" => render::NEXT_REFUSED.into(),
        "frozen" => render::NEXT_FROZEN.into(),
        _ => format!("Next: {}.", render::next_to_say(&joined.room, joined.bound.as_deref())),
    }
}

fn outcome(joined: &Joined, ticket: &TicketText, me: &str) -> String {
    let room = &joined.room;
    match room.state.as_str() {
        "joining" => {
            format!("{}: saved; joins by itself when {} is reached", room.name, who_is_asked(ticket))
        }
        "asking" => format!(
            "{}: asked; you are in when an owner says yes (`parlor member approve {}` on their machine)",
            room.name,
            render::short(me)
        ),
        "joined" if joined.already => format!("{}: you are in it already", room.name),
        "joined" => format!("{}: joined · {}", room.name, render::count(room.members, "member", "members")),
        state => {
            let why = room.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}: {state}{why}", room.name)
        }
    }
}

fn who_is_asked(ticket: &TicketText) -> String {
    let peers: Vec<_> = ticket.endpoints.iter().map(|endpoint| endpoint.peer.short()).collect();
    match peers.as_slice() {
        [] => "somebody of the room".into(),
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

fn not_a_ticket(error: TicketError) -> Failure {
    let hint = match error {
        TicketError::NotATicket => "paste the whole line that `parlor start` or `parlor invite` printed",
        TicketError::Truncated { .. } => "copy the whole line again; nothing was joined",
        TicketError::Mistyped => "copy it instead of typing it; nothing was joined",
        TicketError::Newer => "update this Parlor, or ask for a ticket of an older one; nothing was joined",
        TicketError::Several => "paste one ticket at a time; nothing was joined",
    };
    Failure::bad_input(error.to_string(), hint)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_api::Room;
    use parlor_wire::ids::{PeerId, RoomId};
    use parlor_wire::ticket::Endpoint;

    use super::*;

    fn ticket(endpoints: u8) -> TicketText {
        let endpoint = |n| Endpoint { peer: PeerId([n; 32]), addresses: Vec::new() };
        TicketText {
            room: RoomId([1; 32]),
            seed: [2; 32].into(),
            endpoints: (0..endpoints).map(endpoint).collect(),
            relay: None,
            expires: None,
        }
    }

    fn joined(state: &str, already: bool) -> Joined {
        Joined { room: Room { state: state.into(), ..crate::render::tests::room() }, already, bound: None }
    }

    #[test]
    fn each_way_a_ticket_is_wrong_is_told_apart_and_is_bad_input() {
        let text = ticket(1).to_text();
        let said = |pasted: &str| {
            let failure = not_a_ticket(TicketText::parse(pasted).unwrap_err());
            assert_eq!(failure.exit_code(), 5);
            let Failure::Error(error) = failure else { panic!() };
            error.message
        };
        assert!(said("hello").contains("not a ticket"));
        assert!(said(&text[..40]).contains("cut short"));
        assert!(said(&text.replacen('1', "7", 1)).contains("newer Parlor"));
        assert!(said(&format!("{}x{}", &text[..20], &text[21..])).contains("mistyped"));
        assert!(said(&format!("{text} or {text}")).contains("more than one"));
    }

    #[test]
    fn the_next_thing_to_type_is_one_that_works() {
        assert!(next(&joined("joining", false)).starts_with("Next: nothing"));
        assert!(next(&joined("asking", false)).starts_with("Next: nothing to type"));
        assert!(next(&joined("refused", false)).contains("new ticket"));
        assert!(next(&joined("frozen", false)).contains("update Parlor"));
        let unbound = joined("joined", false);
        assert!(next(&unbound).contains("`parlor send --room payments \"hello\"`"));
        let bound = Joined { bound: Some("/repo".into()), ..unbound };
        assert_eq!(next(&bound), "Next: `parlor send \"hello\"`.");
    }

    #[test]
    fn what_came_of_it_is_said_honestly() {
        assert_eq!(outcome(&joined("joined", false), &ticket(1), ""), "payments: joined · 2 members");
        assert_eq!(outcome(&joined("joined", true), &ticket(1), ""), "payments: you are in it already");
        let asked = outcome(&joined("asking", false), &ticket(1), "pk7m2qdabcdefgh");
        assert_eq!(
            asked,
            "payments: asked; you are in when an owner says yes (`parlor member approve pk7m2qda` on their machine)"
        );
        let saved = outcome(&joined("joining", false), &ticket(2), "");
        assert!(
            saved.contains("saved; joins by itself when one of paaaaaaa, paeaqcai is reached"),
            "{saved}"
        );
    }
}
