//! Revoking an identity: its rooms are told that nobody should take it for its person any more, and are left. Nothing here
//! takes rights away: what a stolen key may still do, only owners end.

use parlor_wire::{PeerId, RoomId};

use super::api::{Failure, Outcome};
use super::{Engine, OWN_REVOKED};
use crate::persist::Table;
use crate::room::body::{Body, KIND_REVOKED};
use crate::room::record;

impl Engine {
    /// Tells every room and leaves it; from then on this identity writes nothing here. With rooms of which it is the
    /// last owner nothing is done, unless they are to be abandoned.
    pub(super) fn revoke(&mut self, abandon: bool) -> Result<Outcome, Failure> {
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        let last: Vec<RoomId> = rooms.iter().filter(|room| self.rules_alone(room)).copied().collect();
        if !last.is_empty() && !abandon {
            return Err(Failure::LastOwner);
        }
        let mut told = Vec::new();
        for room in rooms {
            if self.writable(room).is_ok() {
                let body = Body { kind: KIND_REVOKED, nick: Some(self.nick.clone()), ..Body::default() };
                match self.author_data(room, &body, None) {
                    Ok(_) if self.has_others(&room) => told.push(room),
                    Ok(_) => {}
                    Err(failure) => self.note(format!("{}: not told: {failure}", room.short())),
                }
            }
            if self.rooms.get(&room).is_some_and(|held| held.local.direct.is_none())
                && let Err(failure) = self.leave(room, abandon || !self.has_others(&room))
            {
                self.note(format!("{}: not left: {failure}", room.short()));
            }
        }
        let now = self.now.wall_ms;
        self.revoked = Some(now);
        self.put(Table::Own, OWN_REVOKED.to_vec(), now.to_be_bytes().to_vec());
        Ok(Outcome::Revoked { told, abandoned: last })
    }

    fn has_others(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|held| held.roster.members.len() > 1)
    }

    /// Whether this identity is the last owner of a room others are in.
    fn rules_alone(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|held| {
            held.local.state == record::STATE_JOINED
                && held.local.direct.is_none()
                && held.roster.owns(&self.me)
                && held.roster.owners().count() == 1
        }) && self.has_others(room)
    }

    /// A peer, or somebody with its key, has said that it is revoked. Whoever else has that key may say so too: it is
    /// believed of others only, and remembered for good.
    pub(super) fn heard_revoked(&mut self, room: RoomId, peer: PeerId) {
        if peer == self.me {
            let said = "your identity was revoked from another machine: by you, or by who has your key";
            return self.warn(room, said.into());
        }
        let now = self.now.wall_ms;
        let record = self.peers.entry(peer).or_default();
        if record.revoked.replace(now).is_none() {
            self.put_peer(peer);
        }
        self.presence.disbelieve(peer);
    }

    /// Whether it was heard of a peer that its identity is revoked.
    pub(super) fn is_revoked(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|known| known.revoked.is_some())
    }

    /// Since when this identity is revoked, by its own word here.
    pub fn revoked(&self) -> Option<parlor_wire::TimeMs> {
        self.revoked
    }

    /// The words about a member whose identity was revoked.
    pub(super) fn revoked_words(&self, room: RoomId, peer: PeerId) -> Option<String> {
        self.peers.get(&peer)?.revoked?;
        let (name, id) = (self.name_of(room, peer), peer.short());
        let what = if self.direct_peer(&room).is_some() {
            "whoever reads and writes here may be somebody else".to_owned()
        } else {
            format!("an owner should put it out, with `parlor member remove {id}`")
        };
        Some(format!("{name} ({id}) has revoked this identity: {what}"))
    }
}
