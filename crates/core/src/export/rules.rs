//! What the control entries of an export mean for its data entries: whose a chain is, and whether an entry may be read.

use parlor_wire::control::{Control, Role};
use parlor_wire::roster::{Dag, Extent, Insert, Roster};
use parlor_wire::{DataHeader, EntryId, PeerId, RoomId};

/// The control entries of one room, and who was in.
pub struct Rules {
    dag: Dag,
    roster: Roster,
}

impl Rules {
    /// With nothing in it yet.
    pub fn new(room: RoomId) -> Self {
        Self { dag: Dag::new(room), roster: Roster::default() }
    }

    /// Takes one, its parents before it. False when it cannot stand there.
    pub fn take(&mut self, control: Control) -> bool {
        matches!(self.dag.insert(control), Insert::In(_))
    }

    /// All are in.
    pub fn settle(&mut self) {
        self.roster = Roster::fold(&self.dag);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.dag.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.dag.is_empty()
    }

    /// They, parents before children.
    pub fn iter(&self) -> impl Iterator<Item = &Control> {
        self.dag.iter()
    }

    /// Whose data a chain is, whether it counts or not.
    pub fn author(&self, chain: &EntryId) -> Option<PeerId> {
        let opener = self.dag.get(chain).filter(|control| control.body.opens_chain())?;
        Some(opener.subject())
    }

    /// Whether something of an entry may count (R10): not beyond every cut of its chain. Which branch of a forked chain a
    /// cut lies on is not looked at.
    pub fn may_count(&self, header: &DataHeader) -> bool {
        let Some(state) = self.roster.chains.get(&header.chain) else { return false };
        match state.extent(header.class) {
            Extent::All => true,
            Extent::Upto(cuts) => cuts.iter().any(|(seq, _)| header.seq <= *seq),
        }
    }

    /// How somebody stands in the room: by the set of control entries, whenever the words were said.
    pub fn standing(&self, peer: &PeerId) -> &'static str {
        let was = |held: &std::collections::BTreeMap<EntryId, parlor_wire::roster::Membership>| {
            held.values().any(|membership| membership.identity == *peer)
        };
        match self.roster.members.get(peer).map(|member| member.role) {
            Some(Role::Owner) => "owner",
            Some(Role::Member) => "member",
            Some(Role::Reader) => "reader",
            None if was(&self.roster.removed) => "removed",
            None if was(&self.roster.left) => "left",
            None => "nobody",
        }
    }
}
