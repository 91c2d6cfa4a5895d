//! What owners and leavers did: the entries by which others come in, go and change, gathered before the fold looks at
//! who is in. Whether an entry counts here depends on its own past alone (R1, R2).

use std::collections::{BTreeMap, BTreeSet};

use super::dag::Dag;
use crate::control::{Control, ControlBody, Leave, Remove, Role, SetRole, Ticket};
use crate::ids::{EntryId, PeerId};

/// Acts that count.
pub(super) struct Acts<'a> {
    /// Owners' memberships, live or left (R1).
    pub owners: BTreeMap<EntryId, PeerId>,
    /// Tickets by owners: who wrote them, what they say.
    pub tickets: BTreeMap<EntryId, (PeerId, &'a Ticket)>,
    /// What closes each ticket (R4).
    pub closers: BTreeMap<EntryId, Vec<EntryId>>,
    /// Entries that only owners write, by owners.
    owned: BTreeSet<EntryId>,
    removes: BTreeMap<PeerId, Vec<(EntryId, &'a Remove)>>,
    roles: BTreeMap<PeerId, Vec<(EntryId, &'a SetRole)>>,
    leaves: BTreeMap<PeerId, Vec<EntryId>>,
    /// Owners' memberships that were left.
    left_owners: BTreeSet<EntryId>,
    abandons: bool,
}

impl<'a> Acts<'a> {
    /// Gathers them in one pass in causal order.
    pub fn of(dag: &'a Dag) -> Self {
        let mut acts = Self {
            owners: BTreeMap::new(),
            tickets: BTreeMap::new(),
            closers: BTreeMap::new(),
            owned: BTreeSet::new(),
            removes: BTreeMap::new(),
            roles: BTreeMap::new(),
            leaves: BTreeMap::new(),
            left_owners: BTreeSet::new(),
            abandons: false,
        };
        for control in dag.iter() {
            match &control.body {
                ControlBody::Genesis(_) | ControlBody::Direct(_) => {
                    acts.owners.insert(control.id, control.header.author);
                }
                ControlBody::Leave(leave) => acts.take_leave(dag, control, leave),
                _ if acts.authored_by_owner(dag, control) => acts.take_owners(dag, control),
                _ => {}
            }
        }
        acts
    }

    /// Whether the membership an entry acts as is an owner's that has not left in its past (R1, R2).
    fn authored_by_owner(&self, dag: &Dag, control: &Control) -> bool {
        let membership = control.acts_as();
        self.owners.get(&membership) == Some(&control.header.author)
            && !self.has_left(dag, &control.header.author, &membership, control)
    }

    /// Whether in the past of an entry its author's membership was left.
    fn has_left(&self, dag: &Dag, identity: &PeerId, membership: &EntryId, control: &Control) -> bool {
        let leaves = self.leaves.get(identity).into_iter().flatten();
        let mut before = leaves.filter(|leave| dag.reaches(&control.id, leave) && **leave != control.id);
        before.any(|leave| dag.reaches(leave, membership))
    }

    /// Whether an identity is an owner as far as the past of an entry tells.
    fn owned_before(&self, dag: &Dag, identity: &PeerId, control: &Control) -> bool {
        self.owners.iter().any(|(membership, owner)| {
            owner == identity
                && dag.reaches(&control.id, membership)
                && !self.has_left(dag, identity, membership, control)
        })
    }

    /// R1: the last owner leaves only by saying that the room is abandoned; who is last, the leave's past says.
    fn take_leave(&mut self, dag: &Dag, control: &Control, leave: &Leave) {
        let identity = control.header.author;
        let ruled = self.owned_before(dag, &identity, control);
        let others =
            self.owners.values().any(|owner| *owner != identity && self.owned_before(dag, owner, control));
        let last = ruled && !others;
        if last && !leave.abandons {
            return;
        }
        self.abandons |= last;
        let left =
            self.owners.iter().filter(|(id, owner)| **owner == identity && dag.reaches(&control.id, id));
        self.left_owners.extend(left.map(|(id, _)| *id));
        self.leaves.entry(identity).or_default().push(control.id);
    }

    fn take_owners(&mut self, dag: &'a Dag, control: &'a Control) {
        match &control.body {
            ControlBody::Own(own) => drop(self.owners.insert(control.id, own.identity)),
            ControlBody::Ticket(ticket) => {
                self.tickets.insert(control.id, (control.header.author, ticket));
            }
            ControlBody::Close(close) => self.closers.entry(close.ticket).or_default().push(control.id),
            // R1: nobody removes an owner, nor what it said before it was one.
            ControlBody::Remove(remove) if self.owned_before(dag, &remove.identity, control) => {}
            ControlBody::Remove(remove) => {
                for ticket in remove.memberships.iter().filter_map(|membership| ticket_of(dag, membership)) {
                    self.closers.entry(ticket).or_default().push(control.id);
                }
                self.removes.entry(remove.identity).or_default().push((control.id, remove));
            }
            ControlBody::Role(set) => {
                self.roles.entry(set.identity).or_default().push((control.id, set));
            }
            _ => {}
        }
        self.owned.insert(control.id);
    }

    /// Whether an entry was written by an owner as such.
    pub fn by_owner(&self, id: &EntryId) -> bool {
        self.owned.contains(id)
    }

    /// Whether an owner's membership was left.
    pub fn left_owner(&self, membership: &EntryId) -> bool {
        self.left_owners.contains(membership)
    }

    /// Whether the last owner has gone, and nobody was made one beside it.
    pub fn abandoned(&self) -> bool {
        self.abandons && self.owners.keys().all(|membership| self.left_owner(membership))
    }

    /// Removes of an identity that count.
    pub fn removes_of(&self, identity: &PeerId) -> impl Iterator<Item = (EntryId, &'a Remove)> {
        self.removes.get(identity).into_iter().flatten().copied()
    }

    /// Entries that set an identity's role and count.
    pub fn roles_of(&self, identity: &PeerId) -> impl Iterator<Item = (EntryId, &'a SetRole)> {
        self.roles.get(identity).into_iter().flatten().copied()
    }

    /// R8: whether a membership was left: its identity left with it in the past. Leaving never reaches further.
    pub fn left(&self, dag: &Dag, identity: &PeerId, membership: &EntryId) -> bool {
        self.leaves.get(identity).into_iter().flatten().any(|leave| dag.reaches(leave, membership))
    }

    /// R8: the role of a membership: what its ticket gives, unless entries that were not known when it was let in
    /// say otherwise; of these the causally last, of concurrent ones the lowest.
    pub fn role(&self, dag: &Dag, identity: &PeerId, since: &EntryId, given: Role) -> Role {
        let said: Vec<(EntryId, &SetRole)> =
            self.roles_of(identity).filter(|(id, _)| !dag.reaches(since, id)).collect();
        let is_last = |id: &EntryId| !said.iter().any(|(other, _)| other != id && dag.reaches(other, id));
        said.iter().filter(|(id, _)| is_last(id)).map(|(_, set)| set.role).min().unwrap_or(given)
    }
}

/// The ticket a membership joined by.
fn ticket_of(dag: &Dag, membership: &EntryId) -> Option<EntryId> {
    match &dag.get(membership)?.body {
        ControlBody::Join(join) => Some(join.ticket),
        ControlBody::Admit(admit) => admit.asked().map(|request| request.ticket),
        _ => None,
    }
}
