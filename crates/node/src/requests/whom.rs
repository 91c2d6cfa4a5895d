//! Whom a message is for that is not for a whole room: a peer, a session of a peer's, or a session of this machine. A name
//! is never guessed: what may mean two is refused, with both.

use std::path::PathBuf;

use parlor_api::{ApiError, ErrorKind, OwnSession, Reply};
use parlor_core::engine::Engine;
use parlor_core::text::mention;
use parlor_core::text::session_name::SessionName;
use parlor_wire::{PeerId, RoomId};

use super::{Asked, direct, peers, place, quiet, status};
use crate::bindings;
use crate::errors;
use crate::local_rooms;
use crate::node::Node;
use crate::sessions::Session;

/// Between a peer's name, or an agent program's, and the label of a session.
const SESSION: char = '/';
/// What stands before a tag.
const TAG: char = '@';
/// All in a room: what goes to nobody else goes to them.
pub(super) const EVERYBODY: &str = "@all";
/// How much of an id tells sessions apart at least.
const MIN_APART_CHARS: usize = 4;
/// How many candidates are listed.
const LISTED: usize = 10;

/// Where a message goes, and for which session alone.
pub(super) struct Aim {
    pub room: RoomId,
    pub to: Option<String>,
    /// It is for a session of this machine.
    pub here: bool,
    /// What its sender should know.
    pub warning: Option<String>,
}

/// What `to` means: a peer, or one session of a peer's, or of this machine's.
pub(super) async fn meant(asked: &Asked<'_>, to: &str) -> Result<Aim, ApiError> {
    let node = asked.node;
    let (head, session) = match to.split_once(SESSION) {
        Some((head, session)) => (head, Some(session.trim())),
        None => (to, None),
    };
    if session.is_some_and(str::is_empty) {
        let error = ApiError::new(ErrorKind::Usage, "no session is named behind the `/`");
        return Err(error.hint("`parlor who` shows the sessions; without the `/` it goes to all of them"));
    }
    let peer = peers::named(node, head).await;
    let own_session = session.filter(|_| peer.as_ref().is_ok_and(|peer| *peer == node.me));
    let typed = SessionName::of(own_session.unwrap_or(to));
    let found = sessions(asked, &typed);
    match peer {
        Ok(peer) if own_session.is_none() && found.is_empty() => to_peer(asked, peer, session).await,
        // Named behind this identity's own name, only a session of it can be meant.
        Ok(peer) if own_session.is_none() && peer != node.me => Err(either(node, to, peer, &found)),
        _ if found.is_empty() => Err(nobody(asked, to, &typed, peer.err())),
        _ => to_session(asked, &typed, found).await,
    }
}

/// The tag that `to` means: behind a `@`, unless that is what a peer is called, who is meant then.
pub(super) async fn tag(asked: &Asked<'_>, to: &str) -> Result<Option<String>, ApiError> {
    let Some(name) = to.strip_prefix(TAG).filter(|name| !name.contains(SESSION)) else { return Ok(None) };
    match peers::named(asked.node, name).await {
        Ok(peer) => match mention::tag(name) {
            Some(tag) if is_somebodys(asked.node, tag.clone()).await? => {
                let message = format!("{to} may mean a peer, or the sessions that have that tag");
                Err(ApiError::new(ErrorKind::Ambiguous, message)
                    .hint("name the peer by its id, without the `@`")
                    .candidates(vec![peer.to_string()]))
            }
            _ => Ok(None),
        },
        Err(error) if error.kind == ErrorKind::Ambiguous => Err(error),
        Err(_) => quiet::one_tag(name).map(Some),
    }
}

/// Whether a session that is present in any room has a tag.
async fn is_somebodys(node: &Node, tag: String) -> Result<bool, ApiError> {
    let has = move |engine: &Engine| {
        let people = engine.rooms().into_iter().flat_map(|room| engine.people(&room.id));
        people.flat_map(|person| person.sessions).any(|session| session.presence.tags.contains(&tag))
    };
    node.driver.view(has).await
}

async fn to_peer(asked: &Asked<'_>, peer: PeerId, session: Option<&str>) -> Result<Aim, ApiError> {
    let (room, to) = direct::room_for(asked, peer, session).await?;
    Ok(Aim { room, to, here: false, warning: None })
}

/// The sessions of this machine that a name may mean, but for the caller's own: those that are there, else those that were.
fn sessions(asked: &Asked<'_>, typed: &SessionName) -> Vec<Session> {
    let own = place::session(asked.node, asked.caller).map(|session| session.key());
    let known = asked.node.sessions();
    let called = |session: &&Session| {
        Some(session.key()) != own && typed.means(&SessionName::of(&session.full_name()))
    };
    let (there, gone): (Vec<&Session>, Vec<&Session>) =
        known.all().filter(called).partition(|session| !session.ended);
    let found = if there.is_empty() { gone } else { there };
    found.into_iter().cloned().collect()
}

/// Several sessions of one program and label in one project are all meant; anything else is one too many.
async fn to_session(asked: &Asked<'_>, typed: &SessionName, found: Vec<Session>) -> Result<Aim, ApiError> {
    let node = asked.node;
    let Some(first) = found.first() else { return Err(errors::internal("no session is meant")) };
    let key = bindings::key_of(&first.dir);
    let is_same = |other: &Session| other.program == first.program && bindings::key_of(&other.dir) == key;
    if !found.iter().all(is_same) {
        let message = format!("several sessions of this machine are called {typed}");
        let candidates = found.iter().take(LISTED).map(|session| listed(node, session)).collect();
        return Err(ApiError::new(ErrorKind::Ambiguous, message)
            .hint("name one by what stands before its directory")
            .candidates(candidates));
    }
    let room = local_rooms::of_project(node, &key).await?;
    node.announce_all().await;
    let name = SessionName { program: Some(first.program.clone()), ..typed.clone() };
    let warning = first.ended.then(|| {
        format!("{name} does not run now: it is told when it is resumed, or another that begins there while this is among the newest")
    });
    Ok(Aim { room, to: Some(name.to_string()), here: true, warning })
}

fn listed(node: &Node, session: &Session) -> String {
    format!("{} ({})", apart(node, session), session.dir.display())
}

fn either(node: &Node, to: &str, peer: PeerId, found: &[Session]) -> ApiError {
    let sessions = found.iter().take(LISTED).map(|session| apart(node, session));
    let candidates = std::iter::once(peer.to_string()).chain(sessions).collect();
    ApiError::new(ErrorKind::Ambiguous, format!("{to} may mean a peer, or a session of this machine"))
        .hint("name the peer by its id, or the session with its agent program and id")
        .candidates(candidates)
}

/// Neither a peer nor another session is called so.
fn nobody(asked: &Asked<'_>, to: &str, typed: &SessionName, of_peers: Option<ApiError>) -> ApiError {
    let node = asked.node;
    let own = place::session(node, asked.caller);
    if own.as_ref().is_some_and(|own| typed.means(&SessionName::of(&own.full_name()))) {
        let error = ApiError::new(ErrorKind::BadInput, "that is this session itself");
        return error.hint("`parlor who` shows the other sessions of this machine");
    }
    let own = own.map(|session| session.key());
    let present = node.sessions().present();
    let others = present.iter().filter(|session| Some(session.key()) != own);
    let names: Vec<String> = others.take(LISTED).map(|session| name(node, session)).collect();
    match of_peers {
        Some(error) if error.kind == ErrorKind::Ambiguous || (names.is_empty() && !to.contains(SESSION)) => {
            error
        }
        of_peers => {
            let near = of_peers.map(|error| error.candidates).unwrap_or_default();
            let message = format!("no peer and no other session of this machine is called {typed}");
            ApiError::new(ErrorKind::NotFound, message)
                .hint("`parlor who` shows the sessions of this machine, `parlor peer list` the peers")
                .candidates(near.into_iter().chain(names).collect())
        }
    }
}

/// What a session is called among those of this machine: with as much of its id as tells it from others called alike.
pub(super) fn name(node: &Node, session: &Session) -> String {
    let sessions = node.sessions();
    let alike = |other: &&Session| {
        other.key() != session.key() && other.program == session.program && other.label() == session.label()
    };
    let others: Vec<&str> =
        sessions.all().filter(|other| !other.ended).filter(alike).map(|other| other.id.as_str()).collect();
    let short = SessionName { id: None, ..SessionName::of(&session.full_name()) };
    if others.is_empty() {
        return short.to_string();
    }
    SessionName { id: Some(beginning(&session.id, &others)), ..short }.to_string()
}

/// The same with a part of its id in any case.
fn apart(node: &Node, session: &Session) -> String {
    let sessions = node.sessions();
    let others: Vec<&str> =
        sessions.all().map(|other| other.id.as_str()).filter(|id| *id != session.id).collect();
    let whole = SessionName::of(&session.full_name());
    SessionName { id: Some(beginning(&session.id, &others)), ..whole }.to_string()
}

/// The shortest beginning of an id with which none of the others begins.
fn beginning(id: &str, others: &[&str]) -> String {
    let taken = |part: &str| others.iter().any(|other| other.starts_with(part));
    let ends = id.char_indices().map(|(at, c)| at + c.len_utf8()).skip(MIN_APART_CHARS - 1);
    let free = ends.map(|end| &id[..end]).find(|part| !taken(part));
    free.unwrap_or(id).to_owned()
}

/// The sessions of this machine that are there.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let own = place::session(node, asked.caller).map(|session| session.key());
    let present = node.sessions().present();
    let shown = present.iter().map(|session| {
        let you = own.as_ref() == Some(&session.key());
        OwnSession { you, ..status::shown(node, session) }
    });
    let mut shown: Vec<OwnSession> = shown.collect();
    let here: Option<PathBuf> = place::dir(node, asked.caller).map(|dir| bindings::key_of(&dir));
    shown.sort_by_key(|session| {
        (here.as_ref() != Some(&bindings::key_of(&session.dir)), session.dir.clone(), session.name.clone())
    });
    Ok(Reply::Sessions(shown))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn as_much_of_an_id_as_tells_it_apart() {
        assert_eq!(beginning("f86f8701", &[]), "f86f");
        assert_eq!(beginning("f86f8701", &["f86f9", "aaaa"]), "f86f8");
        assert_eq!(beginning("f86f", &["f86f8701"]), "f86f", "there is no more of it");
        assert_eq!(beginning("ab", &[]), "ab");
    }
}
