//! What the engine shows, as it crosses the socket: whole ids, times in RFC 3339.

use std::collections::BTreeMap;
use std::path::PathBuf;

use parlor_api as api;
use parlor_core::engine::api::{
    AskingView, Author, Form, Invited, MessageView, PausedView, PeerView, PersonView, Priority, Reached,
    RoomStanding, RoomView, SessionView, Status, TicketView, refusal_words,
};
use parlor_core::text::CleanText;
use parlor_core::text::time::rfc3339;
use parlor_wire::RoomId;
use parlor_wire::control::Role;

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Member => "member",
        Role::Reader => "reader",
    }
}

pub(super) fn role_to_core(role: api::Role) -> Role {
    match role {
        api::Role::Owner => Role::Owner,
        api::Role::Member => Role::Member,
        api::Role::Reader => Role::Reader,
    }
}

pub(super) fn priority_to_core(priority: api::Priority) -> Priority {
    match priority {
        api::Priority::Low => Priority::Low,
        api::Priority::Normal => Priority::Normal,
        api::Priority::Now => Priority::Now,
    }
}

fn priority(priority: Priority) -> api::Priority {
    match priority {
        Priority::Low => api::Priority::Low,
        Priority::Normal => api::Priority::Normal,
        Priority::Now => api::Priority::Now,
    }
}

pub(super) fn form(form: api::Form) -> Form {
    match form {
        api::Form::Ack => Form::Ack,
        api::Form::Progress => Form::Progress,
    }
}

fn form_shown(form: Form) -> api::Form {
    match form {
        Form::Ack => api::Form::Ack,
        Form::Progress => api::Form::Progress,
    }
}

fn author(author: Author) -> &'static str {
    match author {
        Author::Human => "human",
        Author::Agent => "agent",
        Author::Program => "program",
    }
}

pub(super) fn invited(invited: Invited) -> api::Invited {
    api::Invited {
        ticket: invited.text,
        id: invited.id.to_string(),
        room: invited.room.to_string(),
        role: role(invited.role).into(),
        expires: invited.expires.map(rfc3339),
        uses: invited.uses,
        approve: invited.approve,
    }
}

pub(super) fn ticket(room: &RoomId, room_name: &str, ticket: TicketView) -> api::Ticket {
    api::Ticket {
        id: ticket.id.to_string(),
        room: room.to_string(),
        room_name: room_name.into(),
        peer: ticket.author.to_string(),
        name: ticket.name.into_string(),
        role: role(ticket.role).into(),
        uses: ticket.uses,
        joins: ticket.joins,
        expires: ticket.expires.map(rfc3339),
        approve: ticket.approve,
        open: ticket.open,
        closed: ticket.closed,
    }
}

pub(super) fn asking(asking: AskingView) -> api::Asking {
    api::Asking {
        peer: asking.peer.to_string(),
        name: asking.name.into_string(),
        ticket: asking.ticket.to_string(),
        time: rfc3339(asking.time_ms),
    }
}

pub(super) fn message(message: MessageView, room_name: &str) -> api::Message {
    api::Message {
        id: message.id.to_string(),
        room: message.room.to_string(),
        room_name: room_name.into(),
        peer: message.peer.to_string(),
        name: message.name.into_string(),
        session: message.session.map(|label| label.into_string()),
        author: author(message.author).into(),
        time: rfc3339(message.time_ms),
        time_ms: message.time_ms,
        arrival: message.arrival,
        priority: priority(message.priority),
        text: message.text.into_string(),
        own: message.own,
        newer: message.newer,
        to: message.to.map(CleanText::into_string),
        asks_until: message.ask.map(rfc3339),
        about: message.about.map(|about| about.to_string()),
        tags: message.tags,
        form: message.form.map(form_shown),
        revoked: message.revoked,
        unread: false,
        sealed_unfit: message.sealed_unfit,
    }
}

pub(super) fn status(status: Status) -> api::SessionStatus {
    match status {
        Status::Idle => api::SessionStatus::Idle,
        Status::Working => api::SessionStatus::Working,
        Status::Dnd => api::SessionStatus::Dnd,
    }
}

pub(super) fn hears(reach: Reached) -> api::Hears {
    api::Hears {
        tools: reach.at(Reached::TOOLS),
        stop: reach.at(Reached::STOP),
        wake: reach.at(Reached::WAKE),
    }
}

fn session(view: SessionView, now_ms: u64) -> api::Session {
    let SessionView { presence, since, heard } = view;
    api::Session {
        label: presence.label,
        program: presence.program,
        summary: presence.summary,
        directory: presence.directory,
        branch: presence.branch,
        status: presence.status.map(status),
        threshold: presence.threshold.map(priority),
        tags: presence.tags,
        hears: presence.reach.map(hears),
        since: Some(rfc3339(since)),
        last_heard: heard.map(rfc3339),
        heard_ago_s: heard.map(|at| now_ms.saturating_sub(at) / 1000),
    }
}

pub(super) fn person(room: &RoomId, person: PersonView, now_ms: u64) -> api::Person {
    let last_seen = person.last_seen.filter(|_| !person.connected);
    api::Person {
        room: room.to_string(),
        peer: person.peer.to_string(),
        name: person.name.into_string(),
        role: role(person.role).into(),
        own: person.own,
        connected: person.connected,
        last_seen: last_seen.map(rfc3339),
        seen_ago_s: last_seen.map(|at| now_ms.saturating_sub(at) / 1000),
        sessions: person.sessions.into_iter().map(|view| session(view, now_ms)).collect(),
        verified: person.verified.map(rfc3339),
        warning: person.warning,
    }
}

pub(super) fn peer(peer: PeerView, rooms: &BTreeMap<RoomId, String>) -> api::Peer {
    let shared = rooms.iter().filter(|(id, _)| peer.rooms.contains(id));
    api::Peer {
        peer: peer.peer.to_string(),
        name: peer.name.into_string(),
        petname: peer.petname.map(CleanText::into_string),
        nick: peer.nick.map(CleanText::into_string),
        own: peer.own,
        rooms: shared.map(|(_, name)| name.clone()).collect(),
        connected: peer.connected,
        last_seen: peer.last_seen.filter(|_| !peer.connected).map(rfc3339),
        verified: peer.verified.map(rfc3339),
        revoked: peer.revoked.map(rfc3339),
    }
}

fn paused(view: PausedView) -> api::Paused {
    api::Paused {
        peer: view.peer.to_string(),
        name: view.name.into_string(),
        why: "it wrote more than is taken from one member in an hour".into(),
        resumes: rfc3339(view.resumes_ms),
    }
}

pub(super) fn room(view: RoomView, name: String, bound: Vec<PathBuf>, default: bool) -> api::Room {
    let (state, why) = match &view.state {
        RoomStanding::Joined => ("joined", None),
        RoomStanding::Joining => ("joining", None),
        RoomStanding::Older(why) => ("older", Some(why.clone())),
        RoomStanding::Frozen(why) => ("frozen", Some(why.clone())),
        RoomStanding::Refused(refusal) => ("refused", Some(refusal_words(refusal).to_owned())),
        RoomStanding::Asking => ("asking", Some("an owner has to let you in".to_owned())),
        RoomStanding::Left => ("left", None),
        RoomStanding::Removed => ("removed", Some("an owner has put you out".to_owned())),
    };
    api::Room {
        id: view.id.to_string(),
        name,
        state: state.into(),
        why,
        role: view.role.map(|held| role(held).into()),
        members: view.members,
        connected: view.connected,
        messages: view.arrivals,
        open_tickets: view.open_tickets,
        // Counted by whoever sees all of them.
        asking: 0,
        waiting: view.waiting,
        missing: view.missing,
        bound,
        carrier: match (view.stays_here, view.lan) {
            (true, _) => "local",
            (_, true) => "lan",
            _ => "p2p",
        }
        .into(),
        direct: view.direct.map(|peer| peer.to_string()),
        // Known to the node and not to the engine.
        retention_days: None,
        by_itself: false,
        default,
        paused: view.paused.into_iter().map(paused).collect(),
        warnings: view.warnings,
    }
}
