//! The hash DAG of control entries: those whose parents are all known are in, others wait outside, bounded.
//! Must not judge authority; it judges only that an entry is well formed where it stands.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::landmarks::{Landmark, Landmarks};
use crate::control::{Control, ControlBody};
use crate::ids::{EntryId, PeerId, RoomId, Signature};
use crate::limits;

/// The control entries of one room.
#[derive(Debug, Clone, Default)]
pub struct Dag {
    room: Option<RoomId>,
    entries: HashMap<EntryId, Node>,
    /// In the order they came in: parents before children.
    order: Vec<EntryId>,
    heads: BTreeSet<EntryId>,
    /// Entries that lack parents. The ticket's signature is no part of an entry's id and cannot be checked
    /// before the ticket is known, so copies that differ in it wait beside each other: a spoilt copy must not
    /// keep the good one out.
    waiting: BTreeMap<WaitingKey, Control>,
    /// By a parent that is missing: who waits for it.
    waiting_for: HashMap<EntryId, Vec<WaitingKey>>,
    /// How many entries of each author are in or wait.
    written: HashMap<PeerId, usize>,
    landmarks: u32,
}

type WaitingKey = (EntryId, Option<Signature>);

#[derive(Debug, Clone)]
struct Node {
    control: Control,
    /// 1 + the highest of its parents: ancestors always have a lower one.
    height: u64,
    /// The landmarks in its past, itself included.
    past: Landmarks,
    /// Its own number among the landmarks, if it is one.
    landmark: Option<Landmark>,
}

/// What became of an entry that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insert {
    /// It and these that waited for it are in, in this order.
    In(Vec<EntryId>),
    /// It was there already.
    Known,
    /// It waits for parents.
    Waits,
    /// It can never be in: it is of another room, or acts as a membership that is not its author's.
    Malformed(&'static str),
    /// It would wait, and too many wait already.
    Full,
}

impl Dag {
    /// Of the room with that genesis, still empty.
    pub fn new(room: RoomId) -> Self {
        Self { room: Some(room), ..Self::default() }
    }

    /// Whether it is of that room.
    pub fn is_of(&self, room: &RoomId) -> bool {
        self.room.as_ref() == Some(room)
    }

    /// How many entries are in.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether even the genesis is missing.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The maximal entries.
    pub fn heads(&self) -> &BTreeSet<EntryId> {
        &self.heads
    }

    /// An entry that is in.
    pub fn get(&self, id: &EntryId) -> Option<&Control> {
        self.entries.get(id).map(|node| &node.control)
    }

    /// Whether an entry is in.
    pub fn contains(&self, id: &EntryId) -> bool {
        self.entries.contains_key(id)
    }

    /// How many entries of an author are here, those that wait included. What the author's limit is, is not judged
    /// here: what is in would depend on the order of arrival.
    pub fn written_by(&self, author: &PeerId) -> usize {
        self.written.get(author).copied().unwrap_or(0)
    }

    /// All entries, parents before children.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Control> {
        self.order.iter().filter_map(|id| self.get(id))
    }

    /// Entries known to be missing: parents of waiting ones.
    pub fn missing(&self) -> BTreeSet<EntryId> {
        self.waiting_for.keys().filter(|id| !self.waits(id)).copied().collect()
    }

    /// Offers an entry whose own signature has been checked.
    pub fn insert(&mut self, control: Control) -> Insert {
        if !self.is_of(&control.room()) {
            return Insert::Malformed("of another room");
        }
        if self.contains(&control.id) || self.waiting.contains_key(&waiting_key(&control)) {
            return Insert::Known;
        }
        if !self.has_parents(&control) {
            return self.keep_waiting(control);
        }
        if let Err(why) = self.check(&control) {
            return Insert::Malformed(why);
        }
        let mut added = vec![control.id];
        self.put(control);
        self.admit_waiting(&mut added);
        Insert::In(added)
    }

    fn has_parents(&self, control: &Control) -> bool {
        control.header.after.iter().all(|parent| self.contains(parent))
    }

    fn waits(&self, id: &EntryId) -> bool {
        self.waiting.range((*id, None)..).next().is_some_and(|((first, _), _)| first == id)
    }

    fn keep_waiting(&mut self, control: Control) -> Insert {
        if self.waiting.len() >= limits::MAX_WAITING_CONTROL {
            return Insert::Full;
        }
        let key = waiting_key(&control);
        for parent in control.header.after.iter().filter(|parent| !self.entries.contains_key(parent)) {
            self.waiting_for.entry(*parent).or_default().push(key);
        }
        *self.written.entry(control.header.author).or_default() += 1;
        self.waiting.insert(key, control);
        Insert::Waits
    }

    /// Takes in what waited for those just added, and for these in turn.
    fn admit_waiting(&mut self, added: &mut Vec<EntryId>) {
        let mut next = 0;
        while let Some(parent) = added.get(next).copied() {
            next += 1;
            for key in self.waiting_for.remove(&parent).unwrap_or_default() {
                if !self.waiting.get(&key).is_some_and(|control| self.has_parents(control)) {
                    continue;
                }
                let Some(control) = self.waiting.remove(&key) else { continue };
                if let Some(written) = self.written.get_mut(&control.header.author) {
                    *written = written.saturating_sub(1);
                }
                if !self.contains(&control.id) && self.check(&control).is_ok() {
                    added.push(control.id);
                    self.put(control);
                }
            }
        }
    }

    fn put(&mut self, control: Control) {
        let parents = control.header.after.iter().filter_map(|id| self.entries.get(id));
        let height = parents.clone().map(|node| node.height + 1).max().unwrap_or(0);
        let mut past = Landmarks::union(parents.map(|node| &node.past));
        let landmark = is_landmark(&control.body).then_some(Landmark(self.landmarks));
        if let Some(landmark) = landmark {
            self.landmarks += 1;
            past.insert(landmark);
        }
        for parent in &control.header.after {
            self.heads.remove(parent);
        }
        self.heads.insert(control.id);
        *self.written.entry(control.header.author).or_default() += 1;
        self.order.push(control.id);
        self.entries.insert(control.id, Node { control, height, past, landmark });
    }

    /// Whether an entry with known parents may stand where it stands.
    fn check(&self, control: &Control) -> Result<(), &'static str> {
        if self.is_direct() && !control.body.fits_direct() {
            return Err("rules a direct room, which nobody rules");
        }
        if self.is_direct() && control.header.body.len() > limits::MAX_DIRECT_CONTROL_BYTES {
            return Err("is too long for a direct room");
        }
        match &control.body {
            ControlBody::Genesis(_) | ControlBody::Direct(_) => return Ok(()),
            ControlBody::Join(join) => return self.check_entrance(control, control, &join.ticket),
            ControlBody::Request(_) => return Err("asks to come in, which an owner must answer"),
            ControlBody::Admit(admit) => {
                let asked = admit.asked().ok_or("admits something that is no request")?;
                self.check_entrance(control, &admit.request, &asked.ticket)?;
            }
            _ => {}
        }
        let membership = self.get(&control.acts_as()).ok_or("acts as an unknown membership")?;
        if !membership.body.makes_membership() {
            return Err("acts as something that is no membership");
        }
        if membership.subject() != control.header.author {
            return Err("acts as somebody else's membership");
        }
        if !self.in_past_of(control, &membership.id) {
            return Err("acts as a membership that is not in its past");
        }
        Ok(())
    }

    /// Whether somebody comes in by a ticket that is in the past of `control` and signed what they wrote.
    fn check_entrance(
        &self,
        control: &Control,
        written: &Control,
        ticket: &EntryId,
    ) -> Result<(), &'static str> {
        let entry = self.get(ticket).ok_or("comes by a ticket that is not in its past")?;
        let ControlBody::Ticket(body) = &entry.body else { return Err("comes by something else") };
        written.verify_ticket(body).map_err(|_| "the ticket did not sign it")?;
        self.in_past_of(control, ticket).then_some(()).ok_or("comes by a ticket that is not in its past")
    }

    /// Whether it is the room of two: what opened it says so.
    fn is_direct(&self) -> bool {
        let first = self.order.first().and_then(|id| self.get(id));
        first.is_some_and(|control| matches!(control.body, ControlBody::Direct(_)))
    }

    fn in_past_of(&self, control: &Control, ancestor: &EntryId) -> bool {
        control.header.after.iter().any(|parent| self.reaches(parent, ancestor))
    }

    /// Whether `ancestor` is in the past of `id` (which includes `id` itself).
    pub fn reaches(&self, id: &EntryId, ancestor: &EntryId) -> bool {
        let Some(target) = self.entries.get(ancestor) else { return false };
        if let Some(landmark) = target.landmark {
            return self.entries.get(id).is_some_and(|node| node.past.contains(landmark));
        }
        let floor = target.height;
        let mut stack = vec![*id];
        let mut seen = HashSet::new();
        while let Some(at) = stack.pop() {
            if at == *ancestor {
                return true;
            }
            let Some(node) = self.entries.get(&at) else { continue };
            if node.height > floor {
                stack.extend(node.control.header.after.iter().filter(|parent| seen.insert(**parent)));
            }
        }
        false
    }

    /// Everything in the past of `ids`, them included.
    pub fn past(&self, ids: impl IntoIterator<Item = EntryId>) -> HashSet<EntryId> {
        let mut stack: Vec<EntryId> = ids.into_iter().collect();
        let mut past = HashSet::new();
        while let Some(at) = stack.pop() {
            let Some(node) = self.entries.get(&at) else { continue };
            if past.insert(at) {
                stack.extend(node.control.header.after.iter());
            }
        }
        past
    }

    /// What one who holds the past of `have` lacks of the past of `want`, parents before children.
    pub fn difference(&self, want: &[EntryId], have: &[EntryId]) -> Vec<EntryId> {
        let held = self.past(have.iter().copied());
        let wanted = self.past(want.iter().copied());
        self.order.iter().filter(|id| wanted.contains(id) && !held.contains(id)).copied().collect()
    }

    /// A sample of held entries that lets another find common ancestors: heads, then ever wider steps back.
    pub fn sample(&self) -> Vec<EntryId> {
        let mut ids: Vec<EntryId> = self.heads.iter().take(limits::MAX_CONTROL_IDS / 2).copied().collect();
        let mut step = 1;
        let mut back = 1;
        while back < self.order.len() && ids.len() < limits::MAX_CONTROL_IDS {
            ids.push(self.order[self.order.len() - 1 - back]);
            back += step;
            step = step.saturating_mul(2).min(1 << 20);
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn waiting_key(control: &Control) -> WaitingKey {
    (control.id, control.ticket_signature)
}

/// Whether questions of the kind "is it in the past of that?" are asked about entries of this kind: what makes a
/// membership, ends or changes it, and tickets.
fn is_landmark(body: &ControlBody) -> bool {
    let rules = matches!(
        body,
        ControlBody::Ticket(_)
            | ControlBody::Remove(_)
            | ControlBody::Role(_)
            | ControlBody::Leave(_)
            | ControlBody::Want(_)
    );
    rules || body.makes_membership()
}
