//! How far a message is known to have got, member by member: what somebody has observed, and nothing that follows from it.
//! Must not ask anybody.

use parlor_api::{Far, FarState};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{AskView, PersonView, SessionView};

use super::convert;

/// People told of at most.
const PEOPLE: usize = 32;

/// How far a question has got with those who are asked.
pub(super) fn of_question(engine: &Engine, ask: &AskView) -> Vec<Far> {
    let mut people = engine.people(&ask.room);
    if engine.direct_peer(&ask.room).is_some() {
        // Sessions are announced to rooms that directories hear; who is in one of these hears the direct room, too.
        people.iter_mut().for_each(|person| person.sessions = engine.sessions_seen(&person.peer));
    }
    let is_asked = |person: &&PersonView| match &ask.peers {
        Some(peers) => peers.contains(&person.peer),
        None => ask.to_all || !person.own || engine.room(&ask.room).is_some_and(|room| room.stays_here),
    };
    let asked = people.iter().filter(is_asked).filter(|person| !(person.own && ask.to_all));
    asked.take(PEOPLE).flat_map(|person| of_person(ask, person)).collect()
}

fn of_person(ask: &AskView, person: &PersonView) -> Vec<Far> {
    let answered = ask.answers.iter().any(|(_, peer)| *peer == person.peer);
    let state = match (answered, ask.reached.contains(&person.peer) || person.own) {
        (true, _) => FarState::Answered,
        (false, true) => FarState::AtPeer,
        (false, false) => FarState::Stored,
    };
    let far = |session: Option<&SessionView>| Far {
        peer: person.peer.to_string(),
        name: person.name.as_str().to_owned(),
        session: session.map(|view| view.presence.label.clone()),
        state,
        hears: session.and_then(|view| view.presence.reach).map(convert::hears),
        status: session.and_then(|view| view.presence.status).map(convert::status),
    };
    let is_asked = |view: &&SessionView| {
        ask.to.as_ref().is_none_or(|to| {
            let label = to.as_str().rsplit('/').next().unwrap_or_default();
            label.split('~').next() == Some(view.presence.label.as_str())
        })
    };
    let sessions: Vec<Far> = person.sessions.iter().filter(is_asked).map(|view| far(Some(view))).collect();
    if sessions.is_empty() { vec![far(None)] } else { sessions }
}
