//! Room keys given to strangers (rule K5): to whom nobody could honestly give one, by what the giver's own entry had
//! seen. More than a few of them in an hour no longer make a key unfit. Must accuse nobody who only had not heard yet:
//! a key that such a one gave away is known to whoever got it, and nothing may be sealed under it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_wire::control::{Control, ControlBody};
use parlor_wire::roster::{Dag, Roster};
use parlor_wire::{EntryId, PeerId, RecipientId, limits};

/// An hour, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// Gifts to strangers that were heard of: by whom, and whether there were too many to heed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Who gave.
    pub by: PeerId,
    /// Whether its gifts are no longer heeded.
    pub unheeded: bool,
}

/// What entries say about who could be given a key, and who gave one to whom it could not.
#[derive(Default)]
pub(super) struct Gifts {
    /// The ticket that is named by a recipient's id.
    tickets: BTreeMap<RecipientId, EntryId>,
    /// Entries by which an identity came in.
    entered: BTreeMap<PeerId, Vec<EntryId>>,
    /// What puts an identity out, and who wrote it: removes, and its own leaves.
    ended: BTreeMap<PeerId, Vec<(EntryId, PeerId)>>,
    /// What closes a ticket, and who wrote it.
    closed: BTreeMap<EntryId, Vec<(EntryId, PeerId)>>,
    /// When each author's heeded gifts to strangers were heard, in the last hour.
    heeded: BTreeMap<PeerId, VecDeque<u64>>,
    /// What was heard and not yet told to anybody.
    leaks: BTreeSet<Leak>,
}

impl Gifts {
    /// What was heard since this was last asked.
    pub(super) fn take_leaks(&mut self) -> BTreeSet<Leak> {
        std::mem::take(&mut self.leaks)
    }

    /// Reads who comes in and goes by an entry.
    pub(super) fn read(&mut self, dag: &Dag, control: &Control) {
        if control.body.makes_membership() {
            self.entered.entry(control.subject()).or_default().push(control.id);
        }
        let by = (control.id, control.header.author);
        match &control.body {
            ControlBody::Ticket(ticket) => drop(self.tickets.insert(ticket.recipient(), control.id)),
            ControlBody::Close(close) => self.closed.entry(close.ticket).or_default().push(by),
            ControlBody::Leave(_) => self.ended.entry(control.header.author).or_default().push(by),
            ControlBody::Remove(remove) => {
                self.ended.entry(remove.identity).or_default().push(by);
                for membership in remove.memberships.iter().filter_map(|id| dag.get(id)) {
                    if let ControlBody::Join(join) = &membership.body {
                        self.closed.entry(join.ticket).or_default().push(by);
                    }
                }
            }
            _ => {}
        }
    }

    /// The strangers among these recipients.
    pub(super) fn strangers(
        &self,
        dag: &Dag,
        roster: &Roster,
        control: &Control,
        card_owners: &BTreeMap<RecipientId, PeerId>,
    ) -> BTreeSet<RecipientId> {
        let granted = control.body.grants().iter().flat_map(|grant| &grant.seals);
        let rekeyed = control.body.rekey().into_iter().flat_map(|rekey| &rekey.seals);
        let seen = |id: &EntryId| dag.reaches(&control.id, id);
        let is_stranger = |to: &RecipientId| self.is_stranger(dag, roster, &seen, to, card_owners);
        granted.chain(rekeyed).map(|seal| seal.to).filter(is_stranger).collect()
    }

    /// Whether nobody who had seen what `seen` says could give a key to a recipient in good faith.
    pub(super) fn is_stranger(
        &self,
        dag: &Dag,
        roster: &Roster,
        seen: &dyn Fn(&EntryId) -> bool,
        to: &RecipientId,
        card_owners: &BTreeMap<RecipientId, PeerId>,
    ) -> bool {
        match (card_owners.get(to), self.tickets.get(to)) {
            (Some(peer), _) => self.is_out(dag, roster, seen, peer),
            (None, Some(ticket)) => self.is_shut(roster, seen, ticket),
            (None, None) => true,
        }
    }

    /// Whether whoever wrote an entry knew that an identity was not in: it never came in by what that entry had
    /// seen, or each time an owner had put it out or it had left. A join that a close undid was honest to believe in.
    fn is_out(&self, dag: &Dag, roster: &Roster, seen: &dyn Fn(&EntryId) -> bool, peer: &PeerId) -> bool {
        if roster.reads(peer) {
            return false;
        }
        let could_believe = |id: &&EntryId| match dag.get(id).map(|control| &control.body) {
            Some(ControlBody::Join(join)) => {
                roster.tickets.get(&join.ticket).is_some_and(|state| !state.ticket.approve)
            }
            _ => [&roster.memberships, &roster.left, &roster.removed].iter().any(|all| all.contains_key(*id)),
        };
        let entered = self.entered.get(peer).into_iter().flatten().filter(|id| seen(id));
        let ended = self.ended.get(peer).into_iter().flatten();
        let ends: Vec<EntryId> =
            ended.filter(|(id, by)| (by == peer || roster.owns(by)) && seen(id)).map(|(id, _)| *id).collect();
        // Not every remove or leave of an owner has effect, so who ever was one is no stranger.
        let ruled = |id: &EntryId| {
            matches!(
                dag.get(id).map(|control| &control.body),
                Some(ControlBody::Own(_) | ControlBody::Genesis(_))
            )
        };
        let is_over = |id: &EntryId| !ruled(id) && ends.iter().any(|end| dag.reaches(end, id));
        entered.filter(could_believe).all(is_over)
    }

    /// Whether whoever wrote an entry knew that a ticket takes no keys: it is no owner's, it asks for approval, or an
    /// owner had closed it. Clocks differ, so expiry accuses nobody.
    fn is_shut(&self, roster: &Roster, seen: &dyn Fn(&EntryId) -> bool, ticket: &EntryId) -> bool {
        let Some(state) = roster.tickets.get(ticket) else { return true };
        let mut closes = self.closed.get(ticket).into_iter().flatten();
        state.ticket.approve || closes.any(|(id, by)| roster.owns(by) && seen(id))
    }

    /// Notes that somebody gave a key to strangers. Whether that is heeded: three times an hour it is. What a
    /// node finds at its start, or when it comes in, has no hour, and is heeded.
    pub(super) fn heed(&mut self, by: PeerId, now_ms: u64, at_start: bool) -> bool {
        let heard = self.heeded.entry(by).or_default();
        while heard.front().is_some_and(|at| at.saturating_add(HOUR_MS) <= now_ms) {
            heard.pop_front();
        }
        let heeded = at_start || heard.len() < limits::MAX_LEAKS_PER_HOUR;
        if heeded && !at_start {
            heard.push_back(now_ms);
        }
        self.leaks.insert(Leak { by, unheeded: !heeded });
        heeded
    }
}
