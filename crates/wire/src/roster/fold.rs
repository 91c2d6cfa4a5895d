//! The fold: who is a member with which role, which tickets are open, which data counts. A function of the set of
//! entries in the DAG and of nothing else; clocks come in only where a caller asks about expiry.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::acts::Acts;
use super::dag::Dag;
use super::state::{ChainState, Extent, Member, Membership, Roster, TicketState};
use crate::card::SignedCard;
use crate::control::{Control, ControlBody, Role};
use crate::ids::{EntryId, PeerId};
use crate::limits;

impl Roster {
    /// Folds a set of control entries.
    pub fn fold(dag: &Dag) -> Self {
        let acts = Acts::of(dag);
        let mut roster = Self { abandoned: acts.abandoned(), ..Self::default() };
        roster.fold_tickets(&acts);
        roster.fold_owners(&acts);
        roster.fold_joins(dag, &acts);
        roster.fold_members(dag);
        roster.fold_chains(dag, &acts);
        roster
    }

    /// R2, R4: tickets by owners, and whether something closes them.
    fn fold_tickets(&mut self, acts: &Acts<'_>) {
        for (id, (author, ticket)) in &acts.tickets {
            let closed = acts.closers.contains_key(id);
            let state = TicketState { author: *author, ticket: (*ticket).clone(), closed, joins: 0 };
            self.tickets.insert(*id, state);
        }
    }

    /// R1: owners' memberships, live or left.
    fn fold_owners(&mut self, acts: &Acts<'_>) {
        for (id, identity) in &acts.owners {
            let membership = Membership { identity: *identity, role: Role::Owner, ticket: None };
            self.keep(*id, membership, acts.left_owner(id));
        }
    }

    fn keep(&mut self, id: EntryId, membership: Membership, left: bool) {
        if left {
            self.left.insert(id, membership);
        } else {
            self.memberships.insert(id, membership);
        }
    }

    /// R5, R6, R7: joins and admits.
    fn fold_joins(&mut self, dag: &Dag, acts: &Acts<'_>) {
        let mut joined: BTreeMap<EntryId, BTreeSet<PeerId>> = BTreeMap::new();
        for control in dag.iter() {
            let Some((ticket, since)) = self.entrance(dag, acts, control) else { continue };
            let identity = control.subject();
            let given = self.tickets.get(&ticket).map_or(Role::Reader, |state| state.ticket.role);
            let role = acts.role(dag, &identity, &since, given);
            let membership = Membership { identity, role, ticket: Some(ticket) };
            if acts.removes_of(&identity).any(|(remove, _)| !dag.reaches(&since, &remove)) {
                self.removed.insert(control.id, membership);
                continue;
            }
            joined.entry(ticket).or_default().insert(identity);
            self.keep(control.id, membership, acts.left(dag, &identity, &control.id));
        }
        for (ticket, identities) in joined {
            if let Some(state) = self.tickets.get_mut(&ticket) {
                state.joins = u32::try_from(identities.len()).unwrap_or(u32::MAX);
            }
        }
    }

    /// The ticket by which an entry lets somebody in, and the entry before which whatever is said of that somebody
    /// must have been known: the ticket of a join (R5), an admit itself (R6). That the ticket is in its past, and
    /// signed it, is what let it into the DAG.
    fn entrance(&self, dag: &Dag, acts: &Acts<'_>, control: &Control) -> Option<(EntryId, EntryId)> {
        match &control.body {
            ControlBody::Join(join) => {
                let state = self.tickets.get(&join.ticket)?;
                let mut closers = acts.closers.get(&join.ticket).into_iter().flatten();
                let undone = closers.any(|closer| !dag.reaches(closer, &control.id));
                // By an approve ticket one asks; a bare join by it never counts.
                (!undone && !state.ticket.approve).then_some((join.ticket, join.ticket))
            }
            ControlBody::Admit(admit) if acts.by_owner(&control.id) => {
                let ticket = admit.asked()?.ticket;
                self.tickets.contains_key(&ticket).then_some((ticket, control.id))
            }
            _ => None,
        }
    }

    /// R3: one identity's live memberships act as one, at the highest role; and its cards.
    fn fold_members(&mut self, dag: &Dag) {
        for (id, membership) in &self.memberships {
            let member = self.members.entry(membership.identity).or_insert_with(|| Member {
                role: membership.role,
                memberships: BTreeSet::new(),
                cards: Vec::new(),
            });
            member.role = member.role.max(membership.role);
            member.memberships.insert(*id);
        }
        self.fold_others(dag);
        for card in dag.iter().flat_map(|control| control.body.cards()) {
            self.cards.insert(card.card.id(), card.card.identity);
            if let Some(member) = self.members.get_mut(&card.card.identity) {
                member.cards.push(card.clone());
            }
        }
        for member in self.members.values_mut() {
            keep_unsuperseded(&mut member.cards);
        }
    }

    /// R12: who has not opened their direct room yet reads it, and owns it, as the one who has.
    fn fold_others(&mut self, dag: &Dag) {
        for control in dag.iter() {
            let ControlBody::Direct(direct) = &control.body else { continue };
            let absent = || Member { role: Role::Owner, memberships: BTreeSet::new(), cards: Vec::new() };
            self.members.entry(direct.other).or_insert_with(absent);
        }
    }

    /// R10: which data counts.
    fn fold_chains(&mut self, dag: &Dag, acts: &Acts<'_>) {
        let highest = self.highest_ever();
        for control in dag.iter().filter(|control| control.body.opens_chain()) {
            let membership = if control.body.makes_membership() { control.id } else { control.acts_as() };
            let author = control.subject();
            let live = self.memberships.contains_key(&membership);
            let role =
                if live { self.members.get(&author).map(|m| m.role) } else { highest.get(&author).copied() };
            let Some(role) = role.filter(|_| live || self.has_ended(&membership)) else { continue };
            let state = self.chain_state(acts, &membership, &control.id, author, role);
            if state != ChainState::nothing(author) {
                self.chains.insert(control.id, state);
            }
        }
    }

    fn has_ended(&self, membership: &EntryId) -> bool {
        self.left.contains_key(membership) || self.removed.contains_key(membership)
    }

    /// The highest role of each identity, whether its memberships are live or have ended: what somebody said stays
    /// said with the rights they had, though one membership alone gave less (R3).
    fn highest_ever(&self) -> BTreeMap<PeerId, Role> {
        let mut highest = BTreeMap::new();
        for membership in
            [&self.memberships, &self.left, &self.removed].into_iter().flat_map(BTreeMap::values)
        {
            let role = highest.entry(membership.identity).or_insert(membership.role);
            *role = membership.role.max(*role);
        }
        highest
    }

    /// How much of a chain counts whose author wrote with that role: removes cut all of it, and content that only a
    /// reader wrote lies within the cuts that came with the role. Being removed gives none of it back.
    fn chain_state(
        &self,
        acts: &Acts<'_>,
        membership: &EntryId,
        chain: &EntryId,
        author: PeerId,
        role: Role,
    ) -> ChainState {
        let receipts = if self.removed.contains_key(membership) {
            Extent::upto(acts.removes_of(&author).flat_map(|(_, remove)| &remove.cuts), chain)
        } else {
            Extent::All
        };
        let content = if role > Role::Reader {
            receipts.clone()
        } else {
            Extent::upto(acts.roles_of(&author).flat_map(|(_, set)| &set.cuts), chain)
        };
        ChainState { author, content, receipts }
    }
}

/// Leaves the cards room keys are sealed to. A higher generation supersedes; two machines with one identity may
/// both be at the highest, and each sealing key counts once, by its newest card, however often it was signed again.
pub fn keep_unsuperseded(cards: &mut Vec<SignedCard>) {
    let newest = cards.iter().map(|card| card.card.generation).max().unwrap_or(0);
    cards.retain(|card| card.card.generation == newest);
    // The signature is compared too: one card may bear several, and arrival must not choose among them.
    cards.sort_by_key(|card| (Reverse(card.card.time), card.card.id(), card.signature));
    let mut seen = BTreeSet::new();
    cards.retain(|card| seen.insert(card.card.sealing_key));
    cards.truncate(limits::MAX_CARDS);
}
