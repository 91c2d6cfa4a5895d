//! What a session is given of the rooms it hears, as its person has decided: levels, budgets, whose words are not given. Must
//! not take anything.

use std::path::PathBuf;

use parlor_api::{ApiError, Budgeted, ErrorKind, Reply, SpentBy};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Level, Listener, TakeRoom, UrgentView};
use parlor_wire::{PeerId, RoomId};

use super::{Asked, place, talk, whom};
use crate::bindings;
use crate::budget::Budgets;
use crate::clock;
use crate::consent::{What, Whose};
use crate::node::Node;
use crate::sessions::Session;

/// A budget beyond this is none.
const MAX_BUDGET_CHARS: u64 = 1_000_000_000;

/// What holds for one session in the rooms it hears.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    pub levels: Vec<(RoomId, Level)>,
    pub budgets: Vec<(RoomId, u64)>,
    pub deny: Vec<(RoomId, PeerId)>,
}

impl Hearing {
    pub(super) fn level(&self, room: &RoomId) -> Level {
        self.levels.iter().find(|(of, _)| of == room).map(|(_, level)| *level).unwrap_or_default()
    }

    /// Whether what does not wait for a prompt is heard at its room's level.
    pub(super) fn heeds(&self, urgent: &UrgentView) -> bool {
        match self.level(&urgent.room) {
            Level::All => true,
            Level::Mentions => urgent.to_you || urgent.names_you,
            Level::Asks => urgent.to_you && urgent.asks,
            Level::None => false,
        }
    }
}

/// Who a session is, to those who look for what is for it.
pub(super) fn listener(node: &Node, session: &Session) -> Listener {
    let tags = node.tags().of(&bindings::key_of(&session.dir));
    let budgets = node.budgets().all();
    Listener { session: session.key(), label: Some(session.full_name()), tags, budgets }
}

pub(super) async fn of(node: &Node, session: &Session, rooms: &[TakeRoom]) -> Result<Hearing, ApiError> {
    let (key, now_ms) = (bindings::key_of(&session.dir), clock::wall_ms());
    let mut levels: Vec<(RoomId, Level)> = Vec::new();
    {
        let (bindings, consent) = (node.bindings(), node.consent());
        let denied = |room| consent.said().any(|said| said == (What::Inject, Whose::Room(room), false));
        let excepted = consent.said().any(|said| matches!(said, (What::Inject, Whose::Peer(_), true)));
        for room in rooms.iter().map(|heard| heard.room) {
            let level = bindings.disturbed(&key, &room).map_or(Level::All, |at| at.level(now_ms));
            let level = if denied(room) && !excepted { Level::None } else { level };
            levels.extend((level != Level::All).then_some((room, level)));
        }
    }
    let budgets = node.budgets().all();
    Ok(Hearing { levels, budgets, deny: denied(node, rooms).await? })
}

/// Whose words are not given, in which room.
async fn denied(node: &Node, rooms: &[TakeRoom]) -> Result<Vec<(RoomId, PeerId)>, ApiError> {
    if !node.consent().said().any(|(what, _, allowed)| what == What::Inject && !allowed) {
        return Ok(Vec::new());
    }
    let rooms: Vec<RoomId> = rooms.iter().map(|heard| heard.room).collect();
    let people = move |engine: &Engine| {
        let of_room =
            |room: &RoomId| engine.people(room).into_iter().map(|person| person.peer).collect::<Vec<_>>();
        rooms.iter().flat_map(|room| of_room(room).into_iter().map(|peer| (*room, peer))).collect::<Vec<_>>()
    };
    let people: Vec<(RoomId, PeerId)> = node.driver.view(people).await?;
    let consent = node.consent();
    Ok(people.into_iter().filter(|(room, peer)| !consent.may(What::Inject, *room, *peer)).collect())
}

/// What rooms cost, and how much they may; or sets how much one may.
pub(super) async fn budget(
    asked: &Asked<'_>,
    room: Option<String>,
    set: Option<u64>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let named = match &room {
        Some(name) => Some(place::room_named(node, name).await?),
        None => None,
    };
    if let Some(chars) = set {
        let name = room.as_deref().unwrap_or("ROOM");
        let command = format!("parlor budget set {name} {chars}");
        asked.refuse_agents_what("decides how much rooms may cost", &command)?;
        let Some(room) = named else {
            return Err(
                ApiError::new(ErrorKind::Usage, "no room is named").hint("`parlor budget set ROOM CHARS`")
            );
        };
        if chars > MAX_BUDGET_CHARS {
            let message = format!("a budget is at most {MAX_BUDGET_CHARS} characters a day");
            return Err(ApiError::new(ErrorKind::BadInput, message).hint("that is as good as none"));
        }
        node.driver.command(Budgets::record(room, Some(chars))).await?;
        node.budgets().set(room, Some(chars));
    }
    let spent = node.driver.view(Engine::spent).await?;
    let mut rooms: Vec<RoomId> = spent
        .iter()
        .map(|one| one.room)
        .chain(node.budgets().all().into_iter().map(|(room, _)| room))
        .chain(named)
        .collect();
    rooms.sort_unstable();
    rooms.dedup();
    let mut all = Vec::new();
    for room in rooms.into_iter().filter(|room| named.is_none_or(|named| named == *room)) {
        let of_room: Vec<_> = spent.iter().filter(|one| one.room == room).collect();
        let by = of_room.iter().map(|one| SpentBy {
            session: shown(node, &one.session),
            today: one.today,
            week: one.week,
        });
        all.push(Budgeted {
            room: room.to_string(),
            room_name: talk::room_name(node, room).await?,
            budget: node.budgets().of(&room),
            today: of_room.iter().map(|one| one.today).sum(),
            week: of_room.iter().map(|one| one.week).sum(),
            sessions: by.collect(),
        });
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.week));
    Ok(Reply::Budgets(all))
}

fn shown(node: &Node, key: &str) -> String {
    let session = node.sessions().get(key).cloned();
    session.map_or_else(|| key.to_owned(), |session| whom::name(node, &session))
}

/// How many sessions that are present in a room have a tag, but for the one that asks.
pub(super) async fn tagged(
    node: &Node,
    room: RoomId,
    tag: &str,
    own: Option<&Session>,
) -> Result<u64, ApiError> {
    let tag = tag.to_owned();
    let own_label = own.map(|session| (session.label(), session.program.clone()));
    let own_dir: Option<PathBuf> = own.map(|own| bindings::key_of(&own.dir));
    let is_own_tagged = own_dir.is_some_and(|dir| node.tags().of(&dir).contains(&tag));
    let count = move |engine: &Engine| {
        let people = engine.people(&room).into_iter();
        let sessions =
            people.flat_map(|person| person.sessions.into_iter().map(move |one| (person.own, one.presence)));
        sessions
            .filter(|(_, presence)| presence.tags.contains(&tag))
            .map(|(own, presence)| (own, presence.label, presence.program))
            .collect::<Vec<_>>()
    };
    let found = node.driver.view(count).await?;
    // The sender's own session is one of them, and does not hear itself.
    let is_itself = is_own_tagged
        && own_label.is_some_and(|(label, program)| {
            found.iter().any(|(own, of, by)| *own && *of == label && *by == program)
        });
    Ok((found.len() as u64).saturating_sub(u64::from(is_itself)))
}
