//! How far a message is known to have got, member by member: what somebody has observed, and nothing that follows from it.
//! Must not ask anybody.

use std::collections::BTreeMap;

use parlor_api::{ApiError, Far, FarState, MessageFar, Reply};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{AskView, MessageView, PersonView, SessionView};
use parlor_core::engine::receipts::ReceiptView;
use parlor_wire::{EntryId, PeerId, RoomId};

use super::{Asked, convert, talk};

/// People told of at most.
const PEOPLE: usize = 32;
/// Messages asked about at once.
const MAX_ENTRIES: usize = 64;

/// One message, and what is known of it.
struct Known {
    room: RoomId,
    acknowledged: Vec<PeerId>,
    receipts: Vec<ReceiptView>,
    answered: Vec<PeerId>,
    /// The label of the one session it is for.
    to: Option<String>,
    /// The sessions of this node that were given it, in a room that never leaves it.
    here: Option<Vec<String>>,
}

/// Sessions of this node by what they are called, and as the engine knows them.
pub(super) type Named = Vec<(String, String)>;

/// How far a question has got with those who are asked.
pub(super) fn of_question(engine: &Engine, ask: &AskView, named: &Named) -> Vec<Far> {
    let stays_here = engine.room(&ask.room).is_some_and(|room| room.stays_here);
    let known = Known {
        room: ask.room,
        acknowledged: ask.reached.clone(),
        receipts: engine.receipts(&ask.room, &ask.chain, ask.seq),
        answered: ask.answers.iter().map(|(_, peer)| *peer).collect(),
        to: ask.to.as_ref().map(|to| to.as_str().to_owned()),
        here: stays_here.then(|| given_here(engine, named, ask.room, ask.arrival)),
    };
    let is_asked = |person: &PersonView| match &ask.peers {
        Some(peers) => peers.contains(&person.peer),
        None => stays_here || !person.own,
    };
    known.told(engine, is_asked)
}

/// How far a message of this identity has got with all others in its room.
fn of_message(engine: &Engine, message: &MessageView, named: &Named) -> Vec<Far> {
    let stays_here = engine.room(&message.room).is_some_and(|room| room.stays_here);
    let ask = engine.ask(&message.id);
    let known = Known {
        room: message.room,
        acknowledged: engine.acknowledged(&message.room, &message.chain, message.seq),
        receipts: engine.receipts(&message.room, &message.chain, message.seq),
        answered: ask.iter().flat_map(|ask| ask.answers.iter().map(|(_, peer)| *peer)).collect(),
        to: message.to.as_ref().map(|to| to.as_str().to_owned()),
        here: stays_here.then(|| given_here(engine, named, message.room, message.arrival)),
    };
    known.told(engine, |person| stays_here || !person.own)
}

fn given_here(engine: &Engine, named: &Named, room: RoomId, arrival: u64) -> Vec<String> {
    let given = named.iter().filter(|(_, key)| engine.was_given(room, key, arrival));
    given.map(|(name, _)| name.clone()).collect()
}

impl Known {
    fn told(&self, engine: &Engine, is_meant: impl Fn(&PersonView) -> bool) -> Vec<Far> {
        let direct = engine.direct_peer(&self.room).is_some();
        let people = engine.people(&self.room).into_iter().filter(|person| is_meant(person)).take(PEOPLE);
        people
            .flat_map(|mut person| {
                if direct {
                    // Sessions are announced to rooms that directories hear; who is in one of these hears the direct room, too.
                    person.sessions = engine.sessions_seen(&person.peer);
                }
                self.of_person(&person)
            })
            .collect()
    }

    fn of_person(&self, person: &PersonView) -> Vec<Far> {
        let answered = self.answered.contains(&person.peer);
        let mut receipts: BTreeMap<Option<String>, &ReceiptView> = BTreeMap::new();
        for receipt in self.receipts.iter().filter(|receipt| receipt.peer == person.peer) {
            let label = receipt.label.as_ref().map(|label| label.as_str().to_owned());
            let best = receipts.entry(label).or_insert(receipt);
            if (receipt.shown, receipt.handed) > (best.shown, best.handed) {
                *best = receipt;
            }
        }
        let at_peer = self.acknowledged.contains(&person.peer) || !receipts.is_empty() || person.own;
        let base = if at_peer { FarState::AtPeer } else { FarState::Stored };
        let state = |receipt: Option<&&ReceiptView>| match receipt {
            Some(receipt) if receipt.shown => FarState::Shown,
            Some(receipt) if receipt.handed => FarState::Handed,
            _ => base,
        };
        let mut far = Vec::new();
        for view in person.sessions.iter().filter(|view| self.is_for(view)) {
            let receipt = receipts.remove(&Some(view.presence.label.clone()));
            let here = self.here.iter().flatten().any(|name| names(name, view));
            let state = if here { FarState::Handed } else { state(receipt.as_ref()) };
            // Among sessions of one machine the label alone may be several programs'.
            let called = match &self.here {
                Some(_) => format!("{}/{}", view.presence.program, view.presence.label),
                None => view.presence.label.clone(),
            };
            far.push(of_session(person, Some(called), Some(view), state));
        }
        for (label, receipt) in receipts.iter().filter(|(_, receipt)| receipt.handed) {
            far.push(of_session(person, label.clone(), None, state(Some(receipt))));
        }
        if far.is_empty() {
            far.push(of_session(person, None, None, base));
        }
        if answered && let Some(most) = far.iter_mut().max_by_key(|far| far.state) {
            most.state = FarState::Answered;
        }
        far
    }

    fn is_for(&self, view: &SessionView) -> bool {
        self.to.as_ref().is_none_or(|to| names(to, view))
    }
}

/// Whether a session's name, `program/label~id` or a part of it, may be this session's.
fn names(name: &str, view: &SessionView) -> bool {
    let (program, label) =
        name.split_once('/').map_or((None, name), |(program, label)| (Some(program), label));
    let label = label.split('~').next().unwrap_or_default();
    label == view.presence.label && program.is_none_or(|program| program == view.presence.program)
}

fn of_session(
    person: &PersonView,
    session: Option<String>,
    view: Option<&SessionView>,
    state: FarState,
) -> Far {
    Far {
        peer: person.peer.to_string(),
        name: person.name.as_str().to_owned(),
        session,
        state,
        hears: view.and_then(|view| view.presence.reach).map(convert::hears),
        status: view.and_then(|view| view.presence.status).map(convert::status),
    }
}

/// The sessions of this node, named.
pub(super) fn named(asked: &Asked<'_>) -> Named {
    let sessions = asked.node.sessions();
    sessions.present().into_iter().map(|session| (session.full_name(), session.key())).collect()
}

/// How far a message that was just sent has got.
pub(super) async fn of_sent(asked: &Asked<'_>, id: EntryId) -> Result<Vec<Far>, ApiError> {
    let message = talk::found(asked.node, None, &id.to_string()).await?;
    let named = named(asked);
    asked.node.driver.view(move |engine| of_message(engine, &message, &named)).await
}

/// How far messages of this identity have got.
pub(super) async fn far(asked: &Asked<'_>, entries: &[String]) -> Result<Reply, ApiError> {
    let mut told = Vec::new();
    for entry in entries.iter().take(MAX_ENTRIES) {
        let message = talk::found(asked.node, None, entry).await?;
        let id: EntryId = message.id;
        let named = named(asked);
        let far = asked.node.driver.view(move |engine| of_message(engine, &message, &named)).await?;
        told.push(MessageFar { id: id.to_string(), far });
    }
    Ok(Reply::Far(told))
}
