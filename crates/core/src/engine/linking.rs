//! Which links the engine wants: to everybody in small rooms, to those that `mesh` chooses in larger ones. Must not
//! open or close a stream: the driver does.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::{PeerId, RoomId, limits};

use super::Engine;
use super::api::{LinkId, WantedLink};
use super::mesh::{Mesh, Other};
use crate::room::{Gone, Room, record};

/// The meshes of rooms too large for links to all.
#[derive(Debug, Default)]
pub(super) struct Meshes(BTreeMap<RoomId, Mesh>);

impl Meshes {
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.0.values().map(Mesh::due_ms).min()
    }

    /// Whether a room is too large for links to all.
    pub(super) fn has(&self, room: &RoomId) -> bool {
        self.0.contains_key(room)
    }
}

impl Engine {
    /// The links there should be: to every other member of a small room, to the chosen ones of a larger one, and to whom
    /// a saved ticket names.
    pub fn wanted_links(&self) -> Vec<WantedLink> {
        let mut wanted = Vec::new();
        for (room, held) in self.rooms.iter().filter(|(_, held)| self.wants_links(held)) {
            let chosen: Vec<PeerId> = match self.meshes.0.get(room) {
                Some(mesh) => self.chosen(room, mesh),
                None => held.roster.members.keys().copied().collect(),
            };
            let contacts = held.local.contacts.iter().copied().filter(|_| !held.roster.reads(&self.me));
            wanted.extend(
                chosen
                    .into_iter()
                    .chain(contacts)
                    .filter(|peer| *peer != self.me && self.speaks_of(room, peer))
                    .map(|peer| WantedLink { room: *room, peer }),
            );
        }
        wanted.sort_unstable();
        wanted.dedup();
        // A peer that has dialled us needs no dialling.
        let come: BTreeSet<(RoomId, PeerId)> = self
            .links
            .values()
            .filter(|link| link.open && !link.dialled)
            .filter_map(|link| Some((link.room?, link.peer)))
            .collect();
        wanted.retain(|want| !come.contains(&(want.room, want.peer)));
        wanted
    }

    /// Those that are tried, and those that were and are linked.
    fn chosen(&self, room: &RoomId, mesh: &Mesh) -> Vec<PeerId> {
        let kept = self.links.values().filter(|link| link.room == Some(*room) && link.open && link.dialled);
        mesh.trying().copied().chain(kept.map(|link| link.peer)).collect()
    }

    /// Whether links of a room are wanted at all.
    fn wants_links(&self, held: &Room) -> bool {
        let told = held.local.confirmed || held.gone(&self.me) == Some(Gone::Removed);
        held.local.state != record::STATE_REFUSED && !(held.gone(&self.me).is_some() && told)
    }

    fn is_large(&self, held: &Room) -> bool {
        let others = held.roster.members.len() - usize::from(held.roster.reads(&self.me));
        held.local.direct.is_none() && !held.local.stays_here && others > limits::MAX_FULL_MESH
    }

    /// Members or links of a room have changed.
    pub(super) fn look_at_mesh(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        if !self.is_large(held) || !self.wants_links(held) {
            self.meshes.0.remove(&room);
            return;
        }
        let (now, me, hedge) = (self.now.mono_ms, self.me, &mut self.hedge);
        let mesh = self.meshes.0.entry(room);
        mesh.or_insert_with(|| Mesh::new(room, &me, now, &mut |bound| hedge.below(bound))).look_soon(now);
    }

    pub(super) fn tick_meshes(&mut self) {
        let now = self.now.mono_ms;
        let due = self.meshes.0.iter().filter(|(_, mesh)| mesh.due_ms() <= now);
        for room in due.map(|(room, _)| *room).collect::<Vec<RoomId>>() {
            self.turn_mesh(room);
        }
    }

    fn turn_mesh(&mut self, room: RoomId) {
        let Some(mut mesh) = self.meshes.0.remove(&room) else { return };
        let Some(held) = self.rooms.get(&room).filter(|held| self.wants_links(held)) else {
            self.links_changed();
            return;
        };
        let settled = held.local.state == record::STATE_JOINED
            && (held.local.confirmed || held.local.ticket_seed.is_none())
            && !held.awaits_history();
        let others = self.others(room, held);
        let tried: usize = self.meshes.0.values().map(|mesh| mesh.trying().count()).sum();
        let free = limits::MAX_TRIES.saturating_sub(tried + mesh.trying().count());
        let (now, hedge) = (self.now.mono_ms, &mut self.hedge);
        let turn = mesh.turn(now, &others, free, settled, &mut |bound| hedge.below(bound));
        self.meshes.0.insert(room, mesh);
        if turn.changed {
            self.links_changed();
        }
        let surplus = turn.close.map(|peer| self.links_with(room, &peer)).unwrap_or_default();
        for link in surplus {
            self.close_link(link, "links enough of this room");
        }
    }

    fn links_with(&self, room: RoomId, peer: &PeerId) -> Vec<LinkId> {
        let of = self.links.iter().filter(|(_, link)| link.room == Some(room) && link.peer == *peer);
        of.map(|(id, _)| *id).collect()
    }

    /// The other members of a room, and what is known of each.
    fn others(&self, room: RoomId, held: &Room) -> Vec<Other> {
        let open = || self.links.values().filter(|link| link.open);
        let here: BTreeMap<PeerId, _> =
            open().filter(|link| link.room == Some(room)).map(|link| (link.peer, link.standing())).collect();
        let elsewhere: BTreeSet<PeerId> =
            open().filter(|link| link.room != Some(room)).map(|link| link.peer).collect();
        let heard = self.presence.peers(room);
        let members = held.roster.members.keys().filter(|peer| **peer != self.me);
        members
            .map(|peer| {
                let known = self.peers.get(peer);
                let reached = known.filter(|known| !known.addresses.is_empty()).map(|_| 0);
                Other {
                    peer: *peer,
                    link: here.get(peer).copied(),
                    present: heard.contains(peer) || elsewhere.contains(peer),
                    named: held.local.contacts.contains(peer),
                    seen_ms: known.and_then(|known| known.last_seen).or(reached),
                }
            })
            .collect()
    }
}
