//! A room under the hands of a test: every entry goes in at once, parents are what the test says. Must not say which
//! entries count.

use parlor_wire::control::{ControlBody, Role};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{Control, EntryId, RoomId};

use super::{Place, Signing, T0, admit, control, genesis, join, request, ticket};

/// The room, its starter, and the key of its tickets.
#[derive(Clone)]
pub struct Room {
    pub dag: Dag,
    pub id: RoomId,
    pub start: EntryId,
    pub alice: Signing,
    pub key: Signing,
}

impl Room {
    /// Alice starts it.
    pub fn new() -> Self {
        let alice = Signing::new(1);
        let start = genesis(&alice, 1);
        let mut dag = Dag::new(start.room());
        assert_eq!(dag.insert(start.clone()), Insert::In(vec![start.id]));
        Self { dag, id: start.room(), start: start.id, alice, key: Signing::new(101) }
    }

    /// Takes an entry in.
    pub fn put(&mut self, entry: Control) -> EntryId {
        let id = entry.id;
        assert_eq!(self.dag.insert(entry), Insert::In(vec![id]));
        id
    }

    /// An entry that is not yet in.
    pub fn write(
        &self,
        author: &Signing,
        membership: EntryId,
        after: &[EntryId],
        body: ControlBody,
    ) -> Control {
        control(author, Place::new(self.id, membership, after), body, self.time())
    }

    /// An entry that is in.
    pub fn say(
        &mut self,
        author: &Signing,
        membership: EntryId,
        after: &[EntryId],
        body: ControlBody,
    ) -> EntryId {
        let entry = self.write(author, membership, after, body);
        self.put(entry)
    }

    /// Alice says something as the starter.
    pub fn rule(&mut self, after: &[EntryId], body: ControlBody) -> EntryId {
        self.say(&self.alice.clone(), self.start, after, body)
    }

    /// Alice writes a ticket of that role behind the genesis.
    pub fn ticket(&mut self, role: Role) -> EntryId {
        self.ticket_after(&[self.start], role)
    }

    /// Alice writes a ticket of that role.
    pub fn ticket_after(&mut self, after: &[EntryId], role: Role) -> EntryId {
        let body = ControlBody::Ticket(ticket(&self.key, role));
        self.rule(after, body)
    }

    /// Alice writes a ticket of that role, by which one can only ask.
    pub fn approving(&mut self, role: Role) -> EntryId {
        let mut body = ticket(&self.key, role);
        body.approve = true;
        self.rule(&[self.start], ControlBody::Ticket(body))
    }

    /// A join that is in.
    pub fn join(&mut self, who: &Signing, ticket: EntryId, after: &[EntryId]) -> EntryId {
        let entry = self.joining(who, ticket, after);
        self.put(entry)
    }

    /// A join that is not yet in.
    pub fn joining(&self, who: &Signing, ticket: EntryId, after: &[EntryId]) -> Control {
        join(who, &self.key, ticket, Place::new(self.id, ticket, after), self.time())
    }

    /// What somebody asks by a ticket.
    pub fn asking(&self, who: &Signing, ticket: EntryId) -> Control {
        request(who, &self.key, ticket, Place::new(self.id, ticket, &[ticket]), self.time())
    }

    /// Alice lets in who asked by a ticket.
    pub fn admit(&mut self, who: &Signing, ticket: EntryId, after: &[EntryId]) -> EntryId {
        let body = admit(&self.asking(who, ticket));
        self.rule(after, body)
    }

    /// The roster of what is in.
    pub fn roster(&self) -> Roster {
        Roster::fold(&self.dag)
    }

    /// Every entry a millisecond later than the one before.
    fn time(&self) -> u64 {
        T0 + self.dag.len() as u64
    }
}

/// Somebody.
pub fn bob() -> Signing {
    Signing::new(2)
}

/// Somebody else.
pub fn carol() -> Signing {
    Signing::new(3)
}

/// And one more.
pub fn fourth() -> Signing {
    Signing::new(4)
}
