//! The rules of the roster by their letter, a second time: over a list with parents before children, with sets, recursion
//! and no cleverness. Must not use the fold or the DAG.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use parlor_wire::control::{ControlBody, Cut, Role, Ticket};
use parlor_wire::{Control, EntryId, PeerId};

use super::history::History;

/// What became of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    Left,
    Removed,
}

/// A membership that counts: whose, what it gives, the ticket it came by, what became of it.
pub type Counted = (PeerId, Role, Option<EntryId>, Standing);

/// How much counts: everything, or what leads to these.
pub type Kept = Option<BTreeSet<(u64, EntryId)>>;

/// The entries that are in.
pub struct Oracle {
    pub past: HashMap<EntryId, BTreeSet<EntryId>>,
    pub entries: BTreeMap<EntryId, Control>,
    rules: RefCell<HashMap<EntryId, bool>>,
    leaves: RefCell<HashMap<EntryId, bool>>,
}

impl Oracle {
    /// Of what a history holds.
    pub fn of(history: &History) -> Self {
        let mut oracle = Self {
            past: HashMap::new(),
            entries: BTreeMap::new(),
            rules: RefCell::default(),
            leaves: RefCell::default(),
        };
        for entry in &history.entries {
            if !entry.header.after.iter().all(|parent| oracle.entries.contains_key(parent)) {
                continue;
            }
            let mut past = BTreeSet::from([entry.id]);
            for parent in &entry.header.after {
                past.extend(oracle.past[parent].iter().copied());
            }
            if oracle.well_formed(entry, &past) {
                oracle.past.insert(entry.id, past);
                oracle.entries.insert(entry.id, entry.clone());
            }
        }
        oracle
    }

    /// Whose membership an entry is.
    pub fn whose(&self, membership: &EntryId) -> Option<PeerId> {
        let entry = self.entries.get(membership)?;
        match &entry.body {
            ControlBody::Genesis(_) | ControlBody::Join(_) => Some(entry.header.author),
            ControlBody::Own(own) => Some(own.identity),
            ControlBody::Admit(admit) => Some(admit.request.header.author),
            _ => None,
        }
    }

    fn well_formed(&self, entry: &Control, past: &BTreeSet<EntryId>) -> bool {
        let own_membership = entry.header.membership.is_some_and(|membership| {
            past.contains(&membership) && self.whose(&membership) == Some(entry.header.author)
        });
        let comes_in = |written: &Control, ticket: &EntryId| {
            let body = self.entries.get(ticket).map(|ticket| &ticket.body);
            let signed =
                matches!(body, Some(ControlBody::Ticket(ticket)) if written.verify_ticket(ticket).is_ok());
            past.contains(ticket) && signed
        };
        match &entry.body {
            ControlBody::Genesis(_) => true,
            ControlBody::Request(_) => false,
            ControlBody::Join(join) => comes_in(entry, &join.ticket),
            ControlBody::Admit(admit) => match &admit.request.body {
                ControlBody::Request(asked) => own_membership && comes_in(&admit.request, &asked.ticket),
                _ => false,
            },
            _ => own_membership,
        }
    }

    fn knows(&self, entry: &EntryId, of: &EntryId) -> bool {
        self.past[entry].contains(of)
    }

    fn before<'a>(&'a self, entry: &'a EntryId) -> impl Iterator<Item = &'a Control> {
        self.past[entry].iter().filter(move |id| *id != entry).map(|id| &self.entries[id])
    }

    /// R1: whether a membership is an owner's.
    fn is_owners(&self, membership: &EntryId) -> bool {
        match &self.entries[membership].body {
            ControlBody::Genesis(_) => true,
            ControlBody::Own(_) => self.rules(membership),
            _ => false,
        }
    }

    /// R1, R2: whether an entry was written as an owner's membership that its author had not left before.
    pub fn rules(&self, id: &EntryId) -> bool {
        if let Some(known) = self.rules.borrow().get(id) {
            return *known;
        }
        let membership = self.entries[id].acts_as();
        let rules = membership != *id
            && self.is_owners(&membership)
            && !self.left_before(id, &self.entries[id].header.author, &membership);
        self.rules.borrow_mut().insert(*id, rules);
        rules
    }

    fn left_before(&self, id: &EntryId, whose: &PeerId, membership: &EntryId) -> bool {
        self.before(id).any(|leave| self.leave_counts(&leave.id, whose) && self.knows(&leave.id, membership))
    }

    fn owns_before(&self, id: &EntryId, who: &PeerId) -> bool {
        self.before(id).any(|entry| {
            self.whose(&entry.id) == Some(*who)
                && self.is_owners(&entry.id)
                && !self.left_before(id, who, &entry.id)
        })
    }

    fn is_last_owner(&self, id: &EntryId) -> bool {
        let author = self.entries[id].header.author;
        let people: BTreeSet<PeerId> = self.entries.keys().filter_map(|id| self.whose(id)).collect();
        self.owns_before(id, &author)
            && !people.iter().any(|peer| *peer != author && self.owns_before(id, peer))
    }

    /// R1: a leave of that person, unless it is the last owner's and does not abandon the room.
    fn leave_counts(&self, id: &EntryId, whose: &PeerId) -> bool {
        let ControlBody::Leave(leave) = &self.entries[id].body else { return false };
        if self.entries[id].header.author != *whose {
            return false;
        }
        if let Some(known) = self.leaves.borrow().get(id) {
            return *known;
        }
        let counts = leave.abandons || !self.is_last_owner(id);
        self.leaves.borrow_mut().insert(*id, counts);
        counts
    }

    fn ruled(&self) -> impl Iterator<Item = (&EntryId, &ControlBody)> {
        self.entries.iter().filter(|(id, _)| self.rules(id)).map(|(id, entry)| (id, &entry.body))
    }

    /// R2: tickets that count.
    pub fn tickets(&self) -> BTreeMap<EntryId, &Ticket> {
        let tickets = self.ruled().filter_map(|(id, body)| match body {
            ControlBody::Ticket(ticket) => Some((*id, ticket)),
            _ => None,
        });
        tickets.collect()
    }

    /// R1, R7: removes of somebody that count, with their cuts.
    pub fn removes(&self, who: &PeerId) -> Vec<(EntryId, &[Cut])> {
        let removes = self.ruled().filter_map(|(id, body)| match body {
            ControlBody::Remove(remove) if remove.identity == *who => Some((*id, &remove.cuts[..])),
            _ => None,
        });
        removes.filter(|(id, _)| !self.owns_before(id, who)).collect()
    }

    fn roles(&self, who: &PeerId) -> Vec<(EntryId, Role, &[Cut])> {
        let roles = self.ruled().filter_map(|(id, body)| match body {
            ControlBody::Role(set) if set.identity == *who => Some((*id, set.role, &set.cuts[..])),
            _ => None,
        });
        roles.collect()
    }

    /// The ticket by which an entry comes in, and the entry that must know what was said of whoever comes.
    pub fn came_by(&self, id: &EntryId) -> Option<(EntryId, EntryId)> {
        match &self.entries.get(id)?.body {
            ControlBody::Join(join) => Some((join.ticket, join.ticket)),
            ControlBody::Admit(admit) => match &admit.request.body {
                ControlBody::Request(asked) => Some((asked.ticket, *id)),
                _ => None,
            },
            _ => None,
        }
    }

    /// R4: what closes a ticket.
    pub fn closers(&self, ticket: &EntryId) -> BTreeSet<EntryId> {
        let closes = |id: &EntryId, body: &ControlBody| match body {
            ControlBody::Close(close) => close.ticket == *ticket,
            ControlBody::Remove(remove) => {
                !self.owns_before(id, &remove.identity)
                    && remove.memberships.iter().any(|m| self.came_by(m).is_some_and(|(by, _)| by == *ticket))
            }
            _ => false,
        };
        self.ruled().filter(|(id, body)| closes(id, body)).map(|(id, _)| *id).collect()
    }

    /// R5, R6: whether a join or an admit counts, removes left aside.
    pub fn lets_in(&self, id: &EntryId) -> bool {
        let Some((ticket, _)) = self.came_by(id) else { return false };
        let tickets = self.tickets();
        let Some(body) = tickets.get(&ticket) else { return false };
        match &self.entries[id].body {
            ControlBody::Join(_) => {
                !body.approve && self.closers(&ticket).iter().all(|closer| self.knows(closer, id))
            }
            _ => self.rules(id),
        }
    }

    /// R8: the role of somebody who came in by a ticket of that role.
    fn role(&self, who: &PeerId, since: &EntryId, given: Role) -> Role {
        let mut said = self.roles(who);
        said.retain(|(id, ..)| !self.knows(since, id));
        let last = said
            .iter()
            .filter(|(id, ..)| said.iter().all(|(other, ..)| other == id || !self.knows(other, id)));
        last.map(|(_, role, _)| *role).min().unwrap_or(given)
    }

    /// R1, R3, R5–R8: every membership that counts or did until it ended.
    pub fn memberships(&self) -> BTreeMap<EntryId, Counted> {
        let mut all = BTreeMap::new();
        let tickets = self.tickets();
        for id in self.entries.keys() {
            let Some(who) = self.whose(id) else { continue };
            let left =
                self.entries.keys().any(|leave| self.leave_counts(leave, &who) && self.knows(leave, id));
            let ended = if left { Standing::Left } else { Standing::Live };
            if self.is_owners(id) {
                all.insert(*id, (who, Role::Owner, None, ended));
            }
            let Some((ticket, since)) = self.came_by(id).filter(|_| self.lets_in(id)) else { continue };
            let role = self.role(&who, &since, tickets[&ticket].role);
            let removed = self.removes(&who).iter().any(|(remove, _)| !self.knows(&since, remove));
            all.insert(*id, (who, role, Some(ticket), if removed { Standing::Removed } else { ended }));
        }
        all
    }

    /// R10: chains of which something counts: whose, how much of content, how much of receipts.
    pub fn chains(&self) -> BTreeMap<EntryId, (PeerId, Kept, Kept)> {
        let memberships = self.memberships();
        let highest = |who: &PeerId, among: &dyn Fn(Standing) -> bool| {
            memberships.values().filter(|m| m.0 == *who && among(m.3)).map(|m| m.1).max()
        };
        let mut chains = BTreeMap::new();
        for (id, entry) in &self.entries {
            let by = if matches!(entry.body, ControlBody::Card(_)) { entry.acts_as() } else { *id };
            let Some((who, _, _, standing)) = memberships.get(&by) else { continue };
            let role = match standing {
                Standing::Live => highest(who, &|other| other == Standing::Live),
                _ => highest(who, &|_| true),
            };
            let within = |cuts: Vec<&[Cut]>| -> Kept {
                let here = cuts.concat().into_iter().filter(|cut| cut.chain == *id);
                Some(here.map(|cut| (cut.seq, cut.id)).collect())
            };
            let held = match standing {
                Standing::Removed => within(self.removes(who).into_iter().map(|(_, cuts)| cuts).collect()),
                _ => None,
            };
            let content = match role {
                Some(Role::Reader) => within(self.roles(who).into_iter().map(|(_, _, cuts)| cuts).collect()),
                _ => held.clone(),
            };
            let nothing = Some(BTreeSet::new());
            if content != nothing || held != nothing {
                chains.insert(*id, (*who, content, held));
            }
        }
        chains
    }

    /// R1: whether the last owner left and said so, and nobody owns.
    pub fn abandoned(&self) -> bool {
        let said = |(id, entry): (&EntryId, &Control)| {
            matches!(&entry.body, ControlBody::Leave(leave) if leave.abandons) && self.is_last_owner(id)
        };
        let owned = self.memberships().values().any(|m| m.1 == Role::Owner && m.3 == Standing::Live);
        self.entries.iter().any(said) && !owned
    }

    /// The maximal entries.
    pub fn heads(&self) -> BTreeSet<EntryId> {
        let below: BTreeSet<EntryId> =
            self.entries.values().flat_map(|entry| entry.header.after.clone()).collect();
        self.entries.keys().filter(|id| !below.contains(id)).copied().collect()
    }
}
