//! Random histories of a room, for property tests: several people, each with a view of their own, act on what they
//! have heard of. Some acts are forbidden on purpose; nothing here says which count.

use parlor_wire::control::{ControlBody, Cut, Role};
use parlor_wire::{Control, EntryId, RoomId};
use proptest::prelude::*;

use super::{
    Place, Signing, T0, admit, close, control, cut, genesis, grant, join, leave, new_card, note, own, rekey,
    remove, request, role, ticket, want,
};

/// How many people there are; the first starts the room, the last two join it only by accident.
pub const PEOPLE: usize = 6;

/// What somebody does. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
pub enum Act {
    /// Hears all that another has heard.
    Hear { who: usize, from: usize },
    /// Names an owner.
    Own { who: usize, as_nth: usize, whom: usize },
    /// Writes a ticket.
    Ticket { who: usize, as_nth: usize, reader: bool, approve: bool, uses: Option<u32> },
    /// Joins by a ticket heard of, sometimes with a key that is not the ticket's.
    Join { who: usize, nth: usize, forged: bool },
    /// Closes a ticket, heard of or not.
    Close { who: usize, as_nth: usize, nth: usize },
    /// Writes a further card.
    Card { who: usize, as_nth: usize, generation: u32 },
    /// Lets in who asked by a ticket heard of, sometimes with a key that is not the ticket's.
    Admit { who: usize, as_nth: usize, whom: usize, nth: usize, forged: bool },
    /// Sends out what an owner should have admitted.
    Ask { who: usize, nth: usize },
    /// Puts somebody out, as far as heard of them; the number says how much of it.
    Remove { who: usize, as_nth: usize, whom: usize, nth: usize },
    /// Gives somebody another role.
    Role { who: usize, as_nth: usize, whom: usize, reader: bool, nth: usize },
    /// Leaves.
    Leave { who: usize, as_nth: usize, abandons: bool },
    /// A note, a rekey, a grant or a want.
    Other { who: usize, as_nth: usize, what: u8 },
    /// Writes as somebody else's membership.
    Impostor { who: usize, nth: usize },
}

/// Any act.
pub fn act() -> impl Strategy<Value = Act> {
    let who = 0..PEOPLE;
    // The starter acts more than others, or little would ever count.
    let ruler = prop_oneof![1 => Just(0), 1 => 0..PEOPLE];
    let nth = any::<u8>().prop_map(usize::from);
    prop_oneof![
        9 => (ruler.clone(), who.clone()).prop_map(|(who, from)| Act::Hear { who, from }),
        2 => (ruler.clone(), nth.clone(), who.clone()).prop_map(|(who, as_nth, whom)| Act::Own { who, as_nth, whom }),
        3 => (ruler.clone(), nth.clone(), any::<bool>(), prop::bool::weighted(0.2), prop::option::of(0..3u32))
            .prop_map(|(who, as_nth, reader, approve, uses)| Act::Ticket { who, as_nth, reader, approve, uses }),
        6 => (who.clone(), nth.clone(), prop::bool::weighted(0.1))
            .prop_map(|(who, nth, forged)| Act::Join { who, nth, forged }),
        1 => (ruler.clone(), nth.clone(), nth.clone()).prop_map(|(who, as_nth, nth)| Act::Close { who, as_nth, nth }),
        2 => (who.clone(), nth.clone(), 0..3u32)
            .prop_map(|(who, as_nth, generation)| Act::Card { who, as_nth, generation }),
        3 => (ruler.clone(), nth.clone(), who.clone(), nth.clone(), prop::bool::weighted(0.1)).prop_map(
            |(who, as_nth, whom, nth, forged)| Act::Admit { who, as_nth, whom, nth, forged }),
        1 => (who.clone(), nth.clone()).prop_map(|(who, nth)| Act::Ask { who, nth }),
        3 => (ruler.clone(), nth.clone(), who.clone(), nth.clone())
            .prop_map(|(who, as_nth, whom, nth)| Act::Remove { who, as_nth, whom, nth }),
        4 => (ruler.clone(), nth.clone(), who.clone(), prop::bool::weighted(0.6), nth.clone())
            .prop_map(|(who, as_nth, whom, reader, nth)| Act::Role { who, as_nth, whom, reader, nth }),
        1 => (who.clone(), nth.clone(), any::<bool>())
            .prop_map(|(who, as_nth, abandons)| Act::Leave { who, as_nth, abandons }),
        2 => (who.clone(), nth.clone(), 0..4u8).prop_map(|(who, as_nth, what)| Act::Other { who, as_nth, what }),
        1 => (who, nth).prop_map(|(who, nth)| Act::Impostor { who, nth }),
    ]
}

/// A room and all that was ever written for it, parents before children.
#[derive(Debug)]
pub struct History {
    pub room: RoomId,
    pub entries: Vec<Control>,
}

struct World {
    people: Vec<Signing>,
    entries: Vec<Control>,
    /// Per person: which entries they have heard of.
    views: Vec<Vec<bool>>,
}

impl History {
    /// What these acts lead to.
    pub fn of(acts: &[Act]) -> Self {
        let people: Vec<Signing> = (1..=PEOPLE as u8).map(Signing::new).collect();
        let start = genesis(&people[0], 1);
        let room = start.room();
        let mut world = World { people, entries: vec![start], views: vec![vec![true]; PEOPLE] };
        for act in acts {
            world.act(act);
        }
        Self { room, entries: world.entries }
    }
}

impl World {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Hear { who, from } => {
                for at in 0..self.entries.len() {
                    self.views[who][at] |= self.views[from][at];
                }
            }
            Act::Own { who, as_nth, whom } => self.say(who, as_nth, own(&self.people[whom])),
            Act::Ticket { who, as_nth, reader, approve, uses } => {
                let key = self.ticket_key(self.entries.len());
                let mut body = ticket(&key, if reader { Role::Reader } else { Role::Member });
                (body.approve, body.uses) = (approve, uses);
                self.say(who, as_nth, ControlBody::Ticket(body));
            }
            Act::Join { who, nth, forged } => self.join(who, nth, forged),
            Act::Admit { who, as_nth, whom, nth, forged } => self.admit(who, as_nth, whom, nth, forged),
            Act::Ask { who, nth } => {
                if let Some(asked) = self.request(who, nth, false) {
                    self.add_forbidden(asked, who, nth);
                }
            }
            Act::Remove { who, as_nth, whom, nth } => {
                let whom = self.whom(who, whom, nth);
                let known = |at: &usize| self.views[who][*at] && !nth.is_multiple_of(4);
                let memberships: Vec<usize> = self.memberships_of(whom).into_iter().filter(known).collect();
                let listed: Vec<EntryId> = memberships.iter().map(|at| self.entries[*at].id).collect();
                let body = remove(&self.people[whom], &listed, &self.cuts(who, whom, nth));
                self.say(who, as_nth, body);
            }
            Act::Role { who, as_nth, whom, reader, nth } => {
                let whom = self.whom(who, whom, nth);
                let cuts = if reader { self.cuts(who, whom, nth) } else { vec![] };
                let to = if reader { Role::Reader } else { Role::Member };
                let body = role(&self.people[whom], to, &cuts);
                self.say(who, as_nth, body);
            }
            Act::Leave { who, as_nth, abandons } => self.say(who, as_nth, leave(abandons)),
            Act::Close { who, as_nth, nth } => {
                let heard_of = |at: &usize| self.views[who][*at] || nth.is_multiple_of(5);
                let tickets: Vec<usize> = self.tickets().into_iter().filter(heard_of).collect();
                if let Some(at) = pick(&tickets, nth) {
                    self.say(who, as_nth, close(self.entries[at].id));
                }
            }
            Act::Card { who, as_nth, generation } => {
                let card = self.people[who].card(generation, T0 + self.entries.len() as u64);
                self.say(who, as_nth, new_card(card));
            }
            Act::Other { who, as_nth, what } => {
                let to = self.people[who].card(1, T0).card.id();
                let number = self.entries.len() as u8;
                let body = match what {
                    0 => note(),
                    1 => ControlBody::Rekey(rekey(&[to], number)),
                    2 => want(&[number]),
                    _ => ControlBody::Grant(grant(to, number)),
                };
                self.say(who, as_nth, body);
            }
            Act::Impostor { who, nth } => {
                let at = nth % self.entries.len();
                let place = Place::new(self.room(), self.entries[at].acts_as(), &self.heads(who));
                let stranger = Signing::new(200 + who as u8);
                let author = if nth.is_multiple_of(2) { &stranger } else { &self.people[who] };
                let entry = control(author, place, note(), self.time());
                self.add_forbidden(entry, who, nth);
            }
        }
    }

    fn room(&self) -> RoomId {
        self.entries[0].room()
    }

    fn time(&self) -> u64 {
        // Clocks are wrong on purpose: they go backwards.
        T0 + 1_000_000 - self.entries.len() as u64
    }

    /// The key of the ticket that is entry number `at`.
    fn ticket_key(&self, at: usize) -> Signing {
        Signing::new(100 + (at % 100) as u8)
    }

    fn tickets(&self) -> Vec<usize> {
        let is_ticket = |at: &usize| matches!(self.entries[*at].body, ControlBody::Ticket(_));
        (0..self.entries.len()).filter(is_ticket).collect()
    }

    /// Entries that are memberships of somebody, whether they count or not.
    fn memberships_of(&self, whom: usize) -> Vec<usize> {
        let peer = self.people[whom].peer();
        let theirs = |at: &usize| {
            let entry = &self.entries[*at];
            entry.body.makes_membership() && entry.subject() == peer
        };
        (0..self.entries.len()).filter(theirs).collect()
    }

    /// Mostly one who joined as far as another has heard, sometimes anybody.
    fn whom(&self, who: usize, whom: usize, nth: usize) -> usize {
        let heard_of = |at: &usize| {
            let entry = &self.entries[*at];
            self.views[who][*at] && matches!(entry.body, ControlBody::Join(_) | ControlBody::Admit(_))
        };
        let joined: Vec<usize> = (0..self.entries.len()).filter(heard_of).collect();
        match pick(&joined, nth + whom) {
            Some(at) if !nth.is_multiple_of(7) => {
                let peer = self.entries[at].subject();
                self.people.iter().position(|person| person.peer() == peer).unwrap_or(whom)
            }
            _ => whom,
        }
    }

    /// Somebody's chains as far as another holds them, some with two branches.
    fn cuts(&self, who: usize, whom: usize, nth: usize) -> Vec<Cut> {
        let peer = self.people[whom].peer();
        let chains = (0..self.entries.len()).filter(|at| {
            let entry = &self.entries[*at];
            self.views[who][*at] && entry.body.opens_chain() && entry.subject() == peer
        });
        let mut cuts: Vec<Cut> =
            chains.map(|at| cut(self.entries[at].id, (at * nth % 7) as u64, (nth % 3) as u8)).collect();
        if let Some(first) = cuts.first().filter(|_| nth.is_multiple_of(3)) {
            cuts.push(cut(first.chain, first.seq + 1, 0x80));
        }
        cuts
    }

    /// Writes as one of the author's memberships in their view; without one, as the genesis.
    fn say(&mut self, who: usize, as_nth: usize, body: ControlBody) {
        let known = |at: &usize| self.views[who][*at];
        let memberships: Vec<usize> = self.memberships_of(who).into_iter().filter(known).collect();
        let membership = pick(&memberships, as_nth);
        let place = Place::new(self.room(), self.entries[membership.unwrap_or(0)].id, &self.heads(who));
        let entry = control(&self.people[who], place, body, self.time());
        match membership {
            Some(_) => self.add(entry, &[who]),
            None if as_nth.is_multiple_of(8) => self.add_forbidden(entry, who, as_nth),
            None => {}
        }
    }

    fn join(&mut self, who: usize, nth: usize, forged: bool) {
        let Some(at) = pick(&self.tickets(), nth) else { return };
        let ticket = self.entries[at].id;
        if !nth.is_multiple_of(10) {
            self.hear_past(who, at);
        }
        let key = if forged { Signing::new(99) } else { self.ticket_key(at) };
        let place = Place::new(self.room(), ticket, &self.heads(who));
        let entry = join(&self.people[who], &key, ticket, place, self.time());
        if forged || !self.views[who][at] {
            self.add_forbidden(entry, who, nth)
        } else {
            self.add(entry, &[who])
        }
    }

    /// What somebody asks by a ticket, heard of or not.
    fn request(&self, whom: usize, nth: usize, forged: bool) -> Option<Control> {
        let at = pick(&self.tickets(), nth)?;
        let ticket = self.entries[at].id;
        let key = if forged { Signing::new(99) } else { self.ticket_key(at) };
        let place = Place::new(self.room(), ticket, &[ticket]);
        Some(request(&self.people[whom], &key, ticket, place, self.time()))
    }

    fn admit(&mut self, who: usize, as_nth: usize, whom: usize, nth: usize, forged: bool) {
        let Some(asked) = self.request(whom, nth, forged) else { return };
        let ticket = asked.header.after[0];
        let known = (0..self.entries.len()).any(|at| self.views[who][at] && self.entries[at].id == ticket);
        if known && !forged {
            self.say(who, as_nth, admit(&asked));
        } else if let Some(at) = pick(&self.memberships_of(who), as_nth).filter(|at| self.views[who][*at]) {
            let place = Place::new(self.room(), self.entries[at].id, &self.heads(who));
            let entry = control(&self.people[who], place, admit(&asked), self.time());
            self.add_forbidden(entry, who, nth);
        }
    }

    /// Whoever gives a ticket's text away also gives what it rests on.
    fn hear_past(&mut self, who: usize, of: usize) {
        let mut left = vec![of];
        while let Some(at) = left.pop() {
            if !self.views[who][at] {
                self.views[who][at] = true;
                let after = &self.entries[at].header.after;
                left.extend((0..at).filter(|parent| after.contains(&self.entries[*parent].id)));
            }
        }
    }

    /// What no honest node takes in, nobody builds on; its author does so now and then all the same.
    fn add_forbidden(&mut self, entry: Control, who: usize, nth: usize) {
        if nth % 64 == 3 { self.add(entry, &[who]) } else { self.add(entry, &[]) }
    }

    fn add(&mut self, entry: Control, known_to: &[usize]) {
        if self.entries.iter().any(|known| known.id == entry.id) {
            return;
        }
        self.entries.push(entry);
        for (who, view) in self.views.iter_mut().enumerate() {
            view.push(known_to.contains(&who));
        }
    }

    /// The maximal entries of a view, at most as many as an entry may have parents.
    fn heads(&self, who: usize) -> Vec<EntryId> {
        let known = |at: &usize| self.views[who][*at];
        let known: Vec<&Control> =
            (0..self.entries.len()).filter(known).map(|at| &self.entries[at]).collect();
        let below: Vec<EntryId> = known.iter().flat_map(|entry| entry.header.after.clone()).collect();
        let maximal = known.iter().map(|entry| entry.id).filter(|id| !below.contains(id));
        maximal.take(parlor_wire::limits::MAX_PARENTS).collect()
    }
}

fn pick<T: Copy>(from: &[T], nth: usize) -> Option<T> {
    if from.is_empty() { None } else { Some(from[nth % from.len()]) }
}
