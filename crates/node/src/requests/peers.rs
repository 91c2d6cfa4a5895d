//! Peers whatever the room: who is known, what this identity calls them, and the safety number with each. Naming and
//! verifying are a person's, and refused to agents.

use parlor_api::{ApiError, ErrorKind, Peer, Reply, Safety};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, PeerView};
use parlor_core::text::names::{self, Named};
use parlor_core::text::safety::safety_number;
use parlor_wire::PeerId;

use super::{Asked, convert, place};
use crate::errors;
use crate::node::Node;

/// Names are cut far below this by the engine; this only spares it the work.
const MAX_NAME_BYTES: usize = 1024;

pub(super) async fn list(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::Peers(all(asked.node).await?))
}

async fn all(node: &Node) -> Result<Vec<Peer>, ApiError> {
    let rooms = place::shown_rooms(node).await?;
    let peers = node.driver.view(Engine::peers).await?;
    Ok(peers.into_iter().map(|peer| convert::peer(peer, &rooms)).collect())
}

pub(super) async fn name(asked: &Asked<'_>, peer: &str, name: Option<String>) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor peer name")?;
    if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_BYTES) {
        let error = ApiError::new(ErrorKind::BadInput, "a name has 1 to 32 characters that can be seen");
        return Err(error.hint("`parlor peer name PEER NAME`"));
    }
    let peer = named(asked.node, peer).await?;
    asked.node.driver.command(Command::SetPetname { peer, name }).await?;
    Ok(Reply::Peer(one(asked.node, peer).await?))
}

pub(super) async fn verify(asked: &Asked<'_>, peer: &str, mark: bool) -> Result<Reply, ApiError> {
    asked.refuse_agents("parlor peer verify")?;
    let node = asked.node;
    let peer = named(node, peer).await?;
    if peer == node.me {
        let error = ApiError::new(ErrorKind::BadInput, "that is you, and there is nobody to compare with");
        return Err(error.hint("`parlor peer list` shows the others"));
    }
    if mark {
        node.driver.command(Command::SetVerified { peer }).await?;
    }
    let number = safety_number(&node.me, &peer);
    let (digits, words) = (number.digits.join(" "), number.words.join(" "));
    Ok(Reply::Safety(Safety { peer: one(node, peer).await?, digits, words }))
}

async fn one(node: &Node, peer: PeerId) -> Result<Peer, ApiError> {
    let id = peer.to_string();
    let peers = all(node).await?;
    peers.into_iter().find(|peer| peer.peer == id).ok_or_else(|| errors::internal("a peer went missing"))
}

/// The peer a name or an id means.
pub(super) async fn named(node: &Node, name: &str) -> Result<PeerId, ApiError> {
    let peers: Vec<PeerView> = node.driver.view(Engine::peers).await?;
    let ids: Vec<String> = peers.iter().map(|peer| peer.peer.to_string()).collect();
    let named: Vec<Named<'_>> = ids
        .iter()
        .zip(&peers)
        .map(|(id, peer)| Named {
            id,
            petname: peer.petname.as_ref().map(|name| name.as_str()),
            nick: peer.nick.as_ref().map(|name| name.as_str()),
        })
        .collect();
    let found = names::resolve(name, &named).map_err(|error| errors::of_name(error, "parlor peer list"))?;
    peers.get(found).map(|peer| peer.peer).ok_or_else(|| errors::internal("a peer went missing"))
}
