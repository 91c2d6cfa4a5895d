//! What people read of tickets and members. Pure, like all of rendering.

use parlor_api::{Asking, Member, Members, Removed, Ticket};

use super::{bold, columns, count, dim, people, short};
use crate::clock;

/// Tickets, a row each.
pub fn tickets(tickets: &[Ticket]) -> Vec<String> {
    let row = |ticket: &Ticket| {
        vec![
            bold(short(&ticket.id)),
            ticket.role.clone(),
            uses_left(ticket),
            if ticket.approve { "asks an owner".into() } else { "at once".into() },
            standing(ticket),
            dim(&format!("by {}", ticket.name)),
        ]
    };
    columns(&tickets.iter().map(row).collect::<Vec<_>>())
}

fn uses_left(ticket: &Ticket) -> String {
    match ticket.uses {
        None => format!("any number, {} came", ticket.joins),
        Some(uses) => format!("{} of {uses} left", uses.saturating_sub(ticket.joins)),
    }
}

fn standing(ticket: &Ticket) -> String {
    let until = ticket.expires.as_deref().map(clock::until);
    match (ticket.open, until) {
        (true, Some(until)) => format!("until {until}"),
        (true, None) => "for ever".into(),
        _ if ticket.closed => "closed".into(),
        _ if ticket.uses.is_some_and(|uses| ticket.joins >= uses) => "spent".into(),
        (_, Some(until)) => format!("expired {until}"),
        (_, None) => "not open".into(),
    }
}

/// A ticket that was closed.
pub fn closed(ticket: &Ticket) -> String {
    format!("{}: closed; nobody comes to {} by it any more", short(&ticket.id), ticket.room_name)
}

/// Who is in a room, then who asks to be.
pub fn members(members: &Members) -> Vec<String> {
    let asks = |asking: &Asking| {
        let since = clock::stamp_of(&asking.time);
        let by = format!("by ticket {}", short(&asking.ticket));
        vec![bold(&asking.name), "asks".into(), format!("since {since}"), by, dim(short(&asking.peer))]
    };
    let mut lines = people(&members.people);
    lines.extend(columns(&members.asking.iter().map(asks).collect::<Vec<_>>()));
    lines
}

/// How somebody who asks is let in; `named`: the room was, so it has to be again.
pub fn how_to_approve(members: &Members, asking: &Asking, named: bool) -> String {
    // A name is another's text, and a shell must not find anything in it.
    let room = if named { format!(" --room {}", short(&members.room)) } else { String::new() };
    let peer = short(&asking.peer);
    format!("Next: `parlor member approve {peer}{room}` lets them in, once you know whose id that is.")
}

/// Somebody was let in.
pub fn let_in(member: &Member) -> String {
    format!("{} is in {} as {}", member.name, member.room_name, with_article(&member.role))
}

/// Somebody has a role now.
pub fn has_role(member: &Member) -> String {
    format!("{} is {} of {}", member.name, with_article(&member.role), member.room_name)
}

fn with_article(role: &str) -> String {
    format!("{} {role}", if role == "owner" { "an" } else { "a" })
}

/// Somebody was put out, and what followed from it.
pub fn removed(removed: &Removed) -> Vec<String> {
    let mut lines = vec![format!("{} is out of {}", removed.name, removed.room_name)];
    if !removed.closed.is_empty() {
        let ids: Vec<_> = removed.closed.iter().map(|id| short(id)).collect();
        let number = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        lines.push(format!("closed {}: {}", count(number, "ticket", "tickets"), ids.join(", ")));
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            id: "mk7m2qdabcdefgh".into(),
            room: "raaaabbbbcccc".into(),
            room_name: "payments".into(),
            peer: "pxxxxxxxxxx".into(),
            name: "alice".into(),
            role: "member".into(),
            uses: None,
            joins: 2,
            expires: Some("2026-11-22T14:05:00Z".into()),
            approve: false,
            open: true,
            closed: false,
        }
    }

    fn line(ticket: Ticket) -> String {
        anstream::adapter::strip_str(&tickets(&[ticket])[0]).to_string()
    }

    #[test]
    fn a_ticket_says_what_it_allows_and_what_is_left_of_it() {
        let usual = line(ticket());
        assert!(
            usual.starts_with("mk7m2qda  member  any number, 2 came  at once  until 2026-11-2"),
            "{usual}"
        );
        assert!(usual.ends_with("  by alice"), "{usual}");
        let strict = line(Ticket { uses: Some(5), approve: true, role: "reader".into(), ..ticket() });
        assert!(strict.starts_with("mk7m2qda  reader  3 of 5 left  asks an owner  until"), "{strict}");
    }

    #[test]
    fn a_ticket_that_lets_nobody_in_says_why() {
        let over = Ticket { open: false, ..ticket() };
        assert!(line(over.clone()).contains("expired 2026-11-2"));
        assert!(line(Ticket { closed: true, ..over.clone() }).contains("  closed  "));
        assert!(line(Ticket { uses: Some(2), ..over }).contains("  spent  "));
    }

    #[test]
    fn who_asks_is_named_by_the_id_one_lets_them_in_by() {
        let asking = Asking {
            peer: "pqrstuvwxyz".into(),
            name: "pqrstuvw".into(),
            ticket: "mk7m2qdabcdefgh".into(),
            time: "2026-11-22T14:05:00Z".into(),
        };
        let members = Members {
            room: "raaaabbbbcccc".into(),
            room_name: "$(reboot)".into(),
            people: Vec::new(),
            asking: vec![asking.clone()],
        };
        let shown = anstream::adapter::strip_str(&self::members(&members)[0]).to_string();
        assert!(shown.starts_with("pqrstuvw  asks  since "), "{shown}");
        assert!(shown.ends_with("by ticket mk7m2qda  pqrstuvw"), "{shown}");
        assert!(how_to_approve(&members, &asking, false).contains("`parlor member approve pqrstuvw`"));
        let named = how_to_approve(&members, &asking, true);
        assert!(named.contains("`parlor member approve pqrstuvw --room raaaabbb`"), "{named}");
    }

    #[test]
    fn what_follows_from_putting_somebody_out_is_said() {
        let mut out = Removed {
            room: "raaaabbbbcccc".into(),
            room_name: "payments".into(),
            peer: "pxxxxxxxxxx".into(),
            name: "bob".into(),
            closed: vec!["mk7m2qdabcdefgh".into(), "mabcdefghijk".into()],
        };
        assert_eq!(removed(&out), ["bob is out of payments", "closed 2 tickets: mk7m2qda, mabcdefg"]);
        out.closed.clear();
        assert_eq!(removed(&out), ["bob is out of payments"]);
    }
}
