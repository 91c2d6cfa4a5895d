//! Any bytes as a history of a room: who writes which control entry, as which membership, upon which parents, and in
//! which order it all arrives. Nobody is honest: the removed keep the seeds of tickets, parents are old, missing or
//! anything, ids are ground, memberships are somebody else's. Whatever it is, the roster is what the rules say to the letter,
//! the same in every order, and nobody who was put out is in.

use parlor_wire::control::{ControlBody, Role};
use parlor_wire::limits::MAX_PARENTS;
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{Control, EntryId, PeerId, Signature};

use crate::common::history::History;
use crate::common::oracle::Oracle;
use crate::common::{
    Place, Signing, T0, admit, close, control, cut, genesis, grant, join, judge, leave, new_card, note, own,
    rekey, remove, request, role, ticket, want,
};

const PEOPLE: u8 = 5;
/// The starter acts more than others, or little would ever count.
const ACTORS: [u8; 8] = [1, 1, 1, 2, 2, 3, 4, 5];
/// Entries of one history: the oracle takes its time.
const MOST_ENTRIES: usize = 40;
const MOST_GROUND: u8 = 6;

/// One input.
pub fn run(bytes: &[u8]) {
    let (history, seed) = history_of(bytes);
    let oracle = Oracle::of(&history);
    let straight = arrive(&history, history.entries.iter());
    let roster = Roster::fold(&straight);
    judge::agrees(&straight, &oracle);
    judge::nobody_removed_is_in(&straight, &roster, &oracle);
    let mut order: Vec<&Control> = history.entries.iter().rev().collect();
    for turn in 0..3 {
        let dag = arrive(&history, order.iter().copied());
        assert_eq!(dag.heads(), straight.heads());
        assert_eq!(Roster::fold(&dag), roster, "the order of arrival decides who is in");
        order.sort_by_key(|entry| *blake3::hash(&[&entry.id.0[..], &[seed, turn]].concat()).as_bytes());
    }
    some_of_it(&history, &order[..order.len() / 2]);
}

/// What has arrived so far is a history too.
fn some_of_it(history: &History, arrived: &[&Control]) {
    let here = |entry: &&Control| arrived.iter().any(|one| one.id == entry.id);
    let part =
        History { room: history.room, entries: history.entries.iter().filter(here).cloned().collect() };
    judge::agrees(&arrive(&part, arrived.iter().copied()), &Oracle::of(&part));
}

/// Before each join comes a copy of it that the ticket did not sign.
fn arrive<'a>(history: &History, entries: impl Iterator<Item = &'a Control>) -> Dag {
    let mut dag = Dag::new(history.room);
    for entry in entries {
        if entry.ticket_signature.is_some() {
            let spoilt = Control { ticket_signature: Some(Signature([7; 64])), ..entry.clone() };
            assert!(!matches!(dag.insert(spoilt), Insert::In(_)), "nobody has that ticket's key");
        }
        assert_ne!(dag.insert(entry.clone()), Insert::Full);
    }
    dag
}

/// What the bytes say was written, and one byte that says in which order it arrives.
pub fn history_of(bytes: &[u8]) -> (History, u8) {
    let (seed, bytes) = bytes.split_first().map_or((0, bytes), |(seed, rest)| (*seed, rest));
    let mut room = Room::new();
    for act in bytes.chunks(7).take(MOST_ENTRIES) {
        let mut all = [0; 7];
        all[..act.len()].copy_from_slice(act);
        room.act(all);
    }
    (History { room: room.entries[0].room(), entries: room.entries }, seed)
}

struct Room {
    entries: Vec<Control>,
    /// What an honest node that hears everything at once has taken in.
    dag: Dag,
    tickets: Vec<(EntryId, Signing)>,
}

impl Room {
    fn new() -> Self {
        let start = genesis(&Signing::new(1), 1);
        let mut dag = Dag::new(start.room());
        dag.insert(start.clone());
        Self { entries: vec![start], dag, tickets: Vec::new() }
    }

    fn act(&mut self, [who, what, acts_as, from, whom, nth, grind]: [u8; 7]) {
        let author =
            if who > 250 { Signing::new(200) } else { Signing::new(ACTORS[usize::from(who) % ACTORS.len()]) };
        let mut after = self.parents(from, nth);
        let seen = self.dag.past(after.iter().copied().filter(|id| self.dag.contains(id)));
        let (membership, is_own) = self.membership(&author, acts_as, |id| seen.contains(id));
        // Who is not in mostly comes in, by a ticket as far as one is known.
        let what = if is_own || acts_as > 240 { what } else { 5 };
        let ticket = self.tickets.get(usize::from(nth) % self.tickets.len().max(1));
        let unseen = ticket.map(|(id, _)| *id).filter(|id| !seen.contains(id) && self.dag.contains(id));
        if matches!(what % 16, 5..=8) && grind < 224 && after.len() < MAX_PARENTS {
            after.extend(unseen);
        }
        let tries = if grind % 4 == 0 { 1 } else { u64::from(grind % MOST_GROUND) + 1 };
        // Clocks are wrong on purpose.
        let write = |try_: u64| {
            let time = T0 + u64::from(from) * 1000 + try_;
            let place = Place::new(self.entries[0].room(), membership, &after);
            self.entry(&author, place, time, [what, whom, nth, grind])
        };
        let written = (0..tries).filter_map(write);
        let ground = match grind % 2 {
            0 => written.min_by_key(|entry| entry.id),
            _ => written.max_by_key(|entry| entry.id),
        };
        let is_new = |entry: &Control| self.entries.iter().all(|known| known.id != entry.id);
        let Some(entry) = ground.filter(is_new) else { return };
        if matches!(entry.body, ControlBody::Ticket(_)) {
            self.tickets.push((entry.id, self.new_ticket_key(nth)));
        }
        self.dag.insert(entry.clone());
        self.entries.push(entry);
    }

    /// What its author names as seen: everything, as much as there was once, anything, or what nobody has.
    fn parents(&self, from: u8, nth: u8) -> Vec<EntryId> {
        let any = |of: &mut dyn Iterator<Item = &Control>, len: usize| {
            of.nth(usize::from(nth) % len).map(|entry| entry.id)
        };
        let upto = match from % 16 {
            0..=7 => self.dag.len(),
            8..=12 => 1 + usize::from(nth) % self.dag.len(),
            13 | 14 => return any(&mut self.dag.iter(), self.dag.len()).into_iter().collect(),
            _ => {
                let some = any(&mut self.entries.iter(), self.entries.len());
                let unknown = (from < 128).then_some(EntryId([nth; 32]));
                return some.into_iter().chain(unknown).collect();
            }
        };
        let seen: Vec<&Control> = self.dag.iter().take(upto).collect();
        let is_head = |entry: &&&Control| seen.iter().all(|other| !other.header.after.contains(&entry.id));
        seen.iter().filter(is_head).map(|entry| entry.id).take(MAX_PARENTS).collect()
    }

    /// One of the author's own that it has seen, mostly, and whether it is.
    fn membership(&self, author: &Signing, nth: u8, seen: impl Fn(&EntryId) -> bool) -> (EntryId, bool) {
        let mut own = self.memberships(&author.peer());
        own.retain(seen);
        match usize::from(nth) {
            nth if nth < 240 && !own.is_empty() => (own[nth % own.len()], true),
            nth => (self.entries[nth % self.entries.len()].id, false),
        }
    }

    fn memberships(&self, peer: &PeerId) -> Vec<EntryId> {
        let theirs = |entry: &&Control| entry.body.makes_membership() && entry.subject() == *peer;
        self.entries.iter().filter(theirs).map(|entry| entry.id).collect()
    }

    /// Sometimes the keys of an earlier one.
    fn new_ticket_key(&self, nth: u8) -> Signing {
        match self.tickets.first() {
            Some((_, key)) if nth % 16 == 5 => key.clone(),
            _ => Signing::new(100 + self.tickets.len() as u8),
        }
    }

    fn entry(
        &self,
        author: &Signing,
        place: Place,
        time: u64,
        [what, whom, nth, grind]: [u8; 4],
    ) -> Option<Control> {
        let whom = Signing::new(1 + whom % PEOPLE);
        let ticket_nth = self.tickets.get(usize::from(nth) % self.tickets.len().max(1));
        let by_ticket = |who: &Signing| {
            let (id, key) = ticket_nth?;
            let key = if grind > 240 { Signing::new(99) } else { key.clone() };
            let place = Place { membership: Some(*id), ..place.clone() };
            Some((who.clone(), key, *id, place))
        };
        let body = match what % 16 {
            0 => own(&whom),
            1..=3 => {
                let of = if nth % 3 == 0 { Role::Reader } else { Role::Member };
                let mut body = ticket(&self.new_ticket_key(nth), of);
                body.approve = what % 16 == 3;
                body.uses = (nth % 5 == 0).then_some(1);
                ControlBody::Ticket(body)
            }
            4 => close(ticket_nth?.0),
            5..=7 => {
                let (who, key, id, place) = by_ticket(author)?;
                return Some(join(&who, &key, id, place, time));
            }
            8 => {
                let (who, key, id, place) = by_ticket(&whom)?;
                admit(&request(&who, &key, id, place, time))
            }
            9 | 10 => remove(&whom, &self.some(&whom, grind), &self.cuts(&whom, nth)),
            11 if nth % 2 == 0 => role(&whom, Role::Reader, &self.cuts(&whom, nth)),
            11 => role(&whom, Role::Member, &[]),
            12 => leave(nth % 2 == 0),
            13 => new_card(author.card(u32::from(nth % 3), time)),
            14 => {
                let (who, key, id, place) = by_ticket(author)?;
                return Some(request(&who, &key, id, place, time));
            }
            _ => [
                note(),
                ControlBody::Rekey(rekey(&[], nth)),
                want(&[nth]),
                ControlBody::Grant(grant(author.card(1, T0).card.id(), nth)),
            ][usize::from(nth % 4)]
            .clone(),
        };
        Some(control(author, place, body, time))
    }

    /// Some of somebody's memberships, as the bits say.
    fn some(&self, whom: &Signing, bits: u8) -> Vec<EntryId> {
        let all = self.memberships(&whom.peer()).into_iter().enumerate();
        all.filter(|(at, _)| bits >> (at % 8) & 1 == 1).map(|(_, id)| id).collect()
    }

    fn cuts(&self, whom: &Signing, nth: u8) -> Vec<parlor_wire::control::Cut> {
        let chains = self.memberships(&whom.peer());
        let some = chains.into_iter().filter(|chain| chain.0[0] % 4 != nth % 4);
        some.map(|chain| cut(chain, u64::from(nth % 7), nth % 3)).collect()
    }
}
