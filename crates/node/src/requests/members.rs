//! Members: who is in, who asks to be, letting in, putting out, giving roles. A name is never guessed, and what
//! changes who is in is refused to agents.

use std::collections::BTreeMap;

use parlor_api::{ApiError, ErrorKind, Member, Members, Removed, Reply, Role};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, Outcome, PeerView};
use parlor_core::text::CleanText;
use parlor_core::text::names::{self, Named};
use parlor_wire::{EntryId, PeerId, RoomId};

use super::{Asked, convert, place, talk, tickets};
use crate::errors;
use crate::node::Node;

const LIST: &str = "parlor member list";

/// Where somebody stands who may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    In,
    Asks,
    /// In no list here, but this node's person calls somebody so: nobody here must pass for them.
    Elsewhere,
}

/// Somebody who may be named.
struct Somebody {
    peer: PeerId,
    /// As it is shown.
    name: String,
    petname: Option<String>,
    nick: Option<String>,
    standing: Standing,
}

/// Somebody in a room.
struct Meant {
    room: RoomId,
    peer: PeerId,
    name: String,
}

pub(super) async fn list(asked: &Asked<'_>, room: Option<String>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let people = talk::people(node, room).await?;
    let asking = node.driver.view(move |engine| engine.asking(&room)).await?;
    Ok(Reply::Members(Members {
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        people,
        asking: asking.into_iter().map(convert::asking).collect(),
    }))
}

pub(super) async fn approve(asked: &Asked<'_>, room: Option<String>, peer: &str) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor member approve")?;
    let meant = meant(asked, room, peer, Standing::Asks).await?;
    let Meant { room, peer, .. } = meant;
    asked.node.driver.command(Command::Approve { room, peer }).await?;
    member(asked.node, meant).await
}

pub(super) async fn remove(
    asked: &Asked<'_>,
    room: Option<String>,
    peer: &str,
    keep: &[String],
) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor member remove")?;
    let node = asked.node;
    let Meant { room, peer, name } = meant(asked, room, peer, Standing::In).await?;
    let known = tickets::of_room(node, room).await?;
    let keep = keep.iter().map(|text| tickets::named(&known, text)).collect::<Result<Vec<EntryId>, _>>()?;
    let Outcome::Removed { closed } = node.driver.command(Command::Remove { room, peer, keep }).await? else {
        return Err(errors::internal("nobody was put out"));
    };
    Ok(Reply::Removed(Removed {
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        peer: peer.to_string(),
        name,
        closed: closed.iter().map(ToString::to_string).collect(),
    }))
}

pub(super) async fn role(
    asked: &Asked<'_>,
    room: Option<String>,
    peer: &str,
    role: Role,
) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor member role")?;
    let meant = meant(asked, room, peer, Standing::In).await?;
    let Meant { room, peer, .. } = meant;
    let command = Command::SetRole { room, peer, role: convert::role_to_core(role) };
    asked.node.driver.command(command).await?;
    member(asked.node, meant).await
}

/// A member as it is now.
async fn member(node: &Node, meant: Meant) -> Result<Reply, ApiError> {
    let Meant { room, peer, name } = meant;
    let people = node.driver.view(move |engine| engine.people(&room)).await?;
    let found = people.into_iter().find(|person| person.peer == peer);
    let found = found.ok_or_else(|| errors::internal("a member went missing"))?;
    Ok(Reply::Member(Member {
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        peer: peer.to_string(),
        name,
        role: convert::role(found.role).into(),
    }))
}

/// Whom a name means, if they stand where they can be meant.
async fn meant(
    asked: &Asked<'_>,
    room: Option<String>,
    text: &str,
    wanted: Standing,
) -> Result<Meant, ApiError> {
    let node = asked.node;
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    let everybody = node.driver.view(move |engine| everybody(engine, room)).await?;
    let somebody = match named(&everybody, text) {
        Ok(somebody) => somebody,
        // Who has left is in no list, and is still meant by a whole id.
        Err(error) => match text.trim().parse::<PeerId>() {
            Ok(peer) if wanted == Standing::In => return Ok(Meant { room, peer, name: peer.short() }),
            _ => return Err(error),
        },
    };
    let Somebody { peer, name, standing, .. } = somebody;
    if *standing == wanted {
        return Ok(Meant { room, peer: *peer, name: name.clone() });
    }
    let (message, hint) = match standing {
        Standing::In => ("is in the room already", "`parlor member list` shows who asks to be"),
        Standing::Asks => (
            "is not in the room, and only asks to be",
            "leave it unanswered, or close the ticket it came by: `parlor ticket close`",
        ),
        Standing::Elsewhere => ("is not in the room", "`parlor member list` shows who is in and who asks"),
    };
    Err(ApiError::new(ErrorKind::NotFound, format!("{name} {message}")).hint(hint))
}

fn everybody(engine: &Engine, room: RoomId) -> Vec<Somebody> {
    let people = engine.people(&room).into_iter().map(|person| (person.peer, person.name, Standing::In));
    let asking = engine.asking(&room).into_iter().map(|one| (one.peer, one.name, Standing::Asks));
    let here: BTreeMap<PeerId, (CleanText, Standing)> =
        asking.chain(people).map(|(peer, name, standing)| (peer, (name, standing))).collect();
    let mut known: BTreeMap<PeerId, PeerView> =
        engine.peers().into_iter().map(|peer| (peer.peer, peer)).collect();
    let text = |name: Option<&CleanText>| name.map(|name| name.as_str().to_owned());
    let mut everybody: Vec<Somebody> = Vec::with_capacity(here.len());
    for (peer, (name, standing)) in here {
        let view = known.remove(&peer);
        let petname = text(view.as_ref().and_then(|view| view.petname.as_ref()));
        let nick = text(view.as_ref().and_then(|view| view.nick.as_ref()));
        everybody.push(Somebody { peer, name: name.into_string(), petname, nick, standing });
    }
    let elsewhere = known.into_values().filter(|view| view.petname.is_some());
    everybody.extend(elsewhere.map(|view| Somebody {
        peer: view.peer,
        petname: text(view.petname.as_ref()),
        nick: None,
        name: view.name.into_string(),
        standing: Standing::Elsewhere,
    }));
    everybody
}

fn named<'a>(everybody: &'a [Somebody], text: &str) -> Result<&'a Somebody, ApiError> {
    let ids: Vec<String> = everybody.iter().map(|one| one.peer.to_string()).collect();
    let candidates: Vec<Named<'_>> = ids
        .iter()
        .zip(everybody)
        .map(|(id, one)| Named { id, petname: one.petname.as_deref(), nick: one.nick.as_deref() })
        .collect();
    let found = names::resolve(text, &candidates).map_err(|error| errors::of_name(error, LIST))?;
    everybody.get(found).ok_or_else(|| errors::internal("a member went missing"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn somebody(byte: u8, petname: Option<&str>, nick: Option<&str>, standing: Standing) -> Somebody {
        let text = |name: Option<&str>| name.map(str::to_owned);
        let peer = PeerId([byte; 32]);
        Somebody { peer, name: peer.short(), petname: text(petname), nick: text(nick), standing }
    }

    #[test]
    fn somebody_is_meant_by_id_by_the_beginning_of_it_or_by_a_name_nobody_else_has() {
        let everybody = [
            somebody(1, None, Some("alice"), Standing::In),
            somebody(2, None, Some("bob"), Standing::In),
            somebody(9, None, Some("bob"), Standing::In),
            somebody(77, None, None, Standing::Asks),
        ];
        let found = |text: &str| named(&everybody, text).map(|one| one.peer.0[0]);
        let apart = |byte: u8| format!("bob~{}", &PeerId([byte; 32]).to_string()[1..7]);
        assert_eq!(found("alice"), Ok(1));
        assert_eq!(found("ALICE"), Ok(1));
        assert_eq!(found(&apart(2)), Ok(2));
        assert_eq!(found(&apart(9)), Ok(9));
        let asking = PeerId([77; 32]).to_string();
        for text in [&asking[..], &asking[..8], &asking[1..7]] {
            assert_eq!(found(text), Ok(77), "{text}");
        }
        let error = found("bob").unwrap_err();
        assert_eq!((error.kind, error.candidates.len()), (ErrorKind::Ambiguous, 2));
        assert_eq!(found("carol").unwrap_err().kind, ErrorKind::NotFound);
    }

    #[test]
    fn nobody_in_a_room_passes_for_somebody_else_whom_a_person_named() {
        let everybody = [
            somebody(1, None, Some("bob"), Standing::In),
            somebody(2, Some("bob"), None, Standing::Elsewhere),
            somebody(3, Some("carol"), Some("fourth"), Standing::In),
        ];
        assert_eq!(named(&everybody, "bob").unwrap().standing, Standing::Elsewhere);
        assert_eq!(named(&everybody, "carol").unwrap().standing, Standing::In);
    }
}
