//! Tickets: making, listing and closing them. Who lets others in is a person's business: agents may only look.

use parlor_api::{ApiError, ErrorKind, Reply, Role};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, Outcome, Terms, TicketView};
use parlor_core::text::names::{self, Named};
use parlor_wire::limits::MAX_TICKET_ENDPOINTS;
use parlor_wire::ticket::Endpoint;
use parlor_wire::{EntryId, PeerId, RoomId};

use super::{Asked, convert, place, talk};
use crate::carriers::Carrier;
use crate::carriers::p2p::P2pError;
use crate::clock;
use crate::errors;
use crate::node::Node;

/// How long a ticket lasts unless something else is said, in milliseconds.
pub(super) const TICKET_LASTS_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// A ticket lasts at most so long, in seconds: whoever has it holds the room's key.
const LONGEST_TICKET_S: u64 = 365 * 24 * 60 * 60;
/// Addresses of one endpoint in a ticket: more make it longer than they help.
const TICKET_ADDRESSES: usize = 2;
const LIST: &str = "parlor ticket list --all";

/// What was said of a ticket to be made; what was not said is as usual.
pub(super) struct Wanted {
    pub expires_s: Option<u64>,
    pub uses: Option<u32>,
    pub role: Option<Role>,
    pub approve: bool,
}

impl Wanted {
    /// The terms of a new ticket, if any was named.
    fn terms(&self, now_ms: u64) -> Result<Option<Terms>, ApiError> {
        let usage = |message: String| ApiError::new(ErrorKind::Usage, message);
        if self.expires_s.is_some_and(|seconds| seconds == 0 || seconds > LONGEST_TICKET_S) {
            let message = format!("a ticket lasts 1 to {LONGEST_TICKET_S} seconds, which are 365 days");
            return Err(usage(message));
        }
        if self.uses == Some(0) {
            return Err(usage("a ticket that nobody may use is none".into()));
        }
        if self.role == Some(Role::Owner) {
            let error = usage("a ticket makes members or readers, and no owner".into());
            return Err(error.hint("let them in, then `parlor member role PEER owner`"));
        }
        let is_usual =
            self.expires_s.is_none() && self.uses.is_none() && self.role.is_none() && !self.approve;
        let lasts_ms = self.expires_s.map_or(TICKET_LASTS_MS, |seconds| seconds.saturating_mul(1000));
        Ok((!is_usual).then(|| Terms {
            expires: now_ms.saturating_add(lasts_ms),
            uses: self.uses,
            role: convert::role_to_core(self.role.unwrap_or_default()),
            approve: self.approve,
        }))
    }
}

pub(super) async fn invite(
    asked: &Asked<'_>,
    room: Option<String>,
    wanted: Wanted,
) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor invite")?;
    let now_ms = clock::wall_ms();
    let terms = wanted.terms(now_ms)?;
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let lan = node.driver.view(move |engine| engine.is_lan(&room)).await?;
    let own = own_endpoint(node, lan).await?;
    let others = node.driver.view(move |engine| other_endpoints(engine, room)).await?;
    let endpoints = std::iter::once(own).chain(others).take(MAX_TICKET_ENDPOINTS).collect();
    let default_expires = now_ms.saturating_add(TICKET_LASTS_MS);
    let command = Command::Invite { room, terms, default_expires, endpoints };
    match node.driver.command(command).await? {
        Outcome::Invited(invited) => Ok(Reply::Invited(convert::invited(invited))),
        _ => Err(errors::internal("no ticket was made")),
    }
}

pub(super) async fn list(asked: &Asked<'_>, room: Option<String>, all: bool) -> Result<Reply, ApiError> {
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let room_name = talk::room_name(node, room).await?;
    let tickets = of_room(node, room).await?.into_iter().filter(|ticket| all || ticket.open);
    Ok(Reply::Tickets(tickets.map(|ticket| convert::ticket(&room, &room_name, ticket)).collect()))
}

pub(super) async fn close(asked: &Asked<'_>, room: Option<String>, ticket: &str) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor ticket close")?;
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let known = of_room(node, room).await?;
    let ticket = named(&known, ticket)?;
    // Closing it again would give the room another key for nothing.
    if !known.iter().any(|view| view.id == ticket && view.closed) {
        node.driver.command(Command::CloseTicket { room, ticket }).await?;
    }
    let room_name = talk::room_name(node, room).await?;
    let closed = of_room(node, room).await?.into_iter().find(|view| view.id == ticket);
    let closed = closed.ok_or_else(|| errors::internal("a ticket went missing"))?;
    Ok(Reply::Ticket(convert::ticket(&room, &room_name, closed)))
}

/// All tickets of a room.
pub(super) async fn of_room(node: &Node, room: RoomId) -> Result<Vec<TicketView>, ApiError> {
    node.driver.view(move |engine| engine.tickets(&room)).await
}

/// The ticket that an id or the beginning of one means.
pub(super) fn named(tickets: &[TicketView], text: &str) -> Result<EntryId, ApiError> {
    let ids: Vec<String> = tickets.iter().map(|ticket| ticket.id.to_string()).collect();
    let named: Vec<Named<'_>> = ids.iter().map(|id| Named { id, petname: None, nick: None }).collect();
    let found = names::resolve(text, &named).map_err(|error| errors::of_name(error, LIST))?;
    tickets.get(found).map(|ticket| ticket.id).ok_or_else(|| errors::internal("a ticket went missing"))
}

/// Where this node is reached: by loopback only where there is nothing else. `lan`: for a room that stays in the local
/// network.
pub(super) async fn own_endpoint(node: &Node, lan: bool) -> Result<Endpoint, ApiError> {
    let all = match lan {
        true => {
            let near = node.carrier.near().await;
            let error = |error: P2pError| ApiError::new(ErrorKind::Machine, error.to_string());
            near.map_err(error)?.here().addresses
        }
        false => node.carrier.far_places().addresses,
    };
    let (loopback, outside): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|address| address.ip().is_loopback());
    let mut addresses = if outside.is_empty() { loopback } else { outside };
    addresses.truncate(TICKET_ADDRESSES);
    Ok(Endpoint { peer: node.me, addresses })
}

/// Other members that are linked now, and where.
fn other_endpoints(engine: &Engine, room: RoomId) -> Vec<Endpoint> {
    let endpoint = |peer: PeerId| {
        let mut addresses = engine.places_of(&peer, &room).addresses;
        addresses.truncate(TICKET_ADDRESSES);
        Endpoint { peer, addresses }
    };
    let people = engine.people(&room).into_iter().filter(|person| person.connected && !person.own);
    people.map(|person| endpoint(person.peer)).filter(|endpoint| !endpoint.addresses.is_empty()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const USUAL: Wanted = Wanted { expires_s: None, uses: None, role: None, approve: false };

    #[test]
    fn any_term_that_is_named_makes_a_ticket_of_its_own_with_the_others_as_usual() {
        assert_eq!(USUAL.terms(1).unwrap(), None);
        let role = convert::role_to_core(Role::Member);
        let usual = Terms { expires: 1 + TICKET_LASTS_MS, uses: None, role, approve: false };
        let terms = |wanted: Wanted| wanted.terms(1).unwrap().unwrap();
        assert_eq!(terms(Wanted { expires_s: Some(60), ..USUAL }), Terms { expires: 60_001, ..usual });
        assert_eq!(terms(Wanted { uses: Some(1), ..USUAL }), Terms { uses: Some(1), ..usual });
        assert_eq!(terms(Wanted { role: Some(Role::Member), ..USUAL }), usual);
        let reader = convert::role_to_core(Role::Reader);
        assert_eq!(terms(Wanted { role: Some(Role::Reader), ..USUAL }), Terms { role: reader, ..usual });
        assert_eq!(terms(Wanted { approve: true, ..USUAL }), Terms { approve: true, ..usual });
    }

    #[test]
    fn terms_that_make_no_ticket_are_refused() {
        for wanted in [
            Wanted { expires_s: Some(0), ..USUAL },
            Wanted { expires_s: Some(LONGEST_TICKET_S + 1), ..USUAL },
            Wanted { uses: Some(0), ..USUAL },
            Wanted { role: Some(Role::Owner), ..USUAL },
        ] {
            assert_eq!(wanted.terms(1).unwrap_err().kind, ErrorKind::Usage);
        }
    }
}
