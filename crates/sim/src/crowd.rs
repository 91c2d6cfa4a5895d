//! Rooms with very many members, of whom only some have a node here: the others joined and are not there. Must not
//! shorten what those who are there do.

use parlor_core::crypto::TicketKeys;
use parlor_core::engine::OWN_SEALING;
use parlor_core::engine::api::Command;
use parlor_core::identity::Identity;
use parlor_core::persist::{Op, Table};
use parlor_core::room::record::{self, LocalRecord};
use parlor_store::Store;
use parlor_wire::control::{Control, ControlBody, Join};
use parlor_wire::ids::BodyHash;
use parlor_wire::ticket::TicketText;
use parlor_wire::{EntryId, RoomId};
use zeroize::Zeroizing;

use crate::act::ticket_keys;
use crate::carrier::control_of;
use crate::world::World;

/// What the others of a room come by.
struct Entrance {
    room: RoomId,
    ticket: EntryId,
    keys: TicketKeys,
    /// The joins so far, and what the next follows.
    joins: Vec<Control>,
    after: Vec<EntryId>,
}

impl Entrance {
    fn of(world: &mut World, node: usize, room: RoomId, ticket_text: &str) -> Self {
        let Some(held) = world.held(node, room) else { world.fail("there is no such room") };
        let keys = ticket_keys(ticket_text);
        let Some((ticket, _)) = held.roster.ticket_by_key(&keys.signing_key()) else {
            world.fail("there is no such ticket");
        };
        let after = held.dag.heads().iter().copied().collect();
        Self { room, ticket, keys, joins: Vec::new(), after }
    }

    fn join(&mut self, who: &Identity) -> EntryId {
        let join = join(who, self.room, self.ticket, std::mem::take(&mut self.after), &self.keys);
        let id = join.id;
        self.after = vec![id];
        self.joins.push(join);
        id
    }

    fn joins_strangers(&mut self, world: &mut World, count: usize) {
        for _ in 0..count {
            let secret = world.dice.bytes();
            self.join(&Identity::new(&secret, Zeroizing::new(secret)));
        }
    }

    fn ops(&self) -> Vec<Op> {
        let put = |join: &Control| Op::PutControl { room: self.room, id: join.id, bytes: join.encode() };
        self.joins.iter().map(put).collect()
    }
}

impl World {
    /// Writes the joins of people who are not there to the disk of a node, one after the other.
    pub fn enrol(&mut self, node: usize, room: RoomId, ticket_text: &str, count: usize) {
        let mut entrance = Entrance::of(self, node, room, ticket_text);
        entrance.joins_strangers(self, count);
        self.write_to_disk(node, &entrance.ops());
    }

    /// A room that so many are in, of whom these nodes are there: all of them joined a while ago, and begin now. Its ticket's
    /// text.
    pub fn settled_room(&mut self, nodes: &[usize], members: usize) -> (RoomId, String) {
        let starter = nodes[0];
        let invited = self.start_room(starter, "room");
        let room = invited.room;
        let mut entrance = Entrance::of(self, starter, room, &invited.text);
        let identities: Vec<Identity> = nodes[1..].iter().map(|node| self.true_identity(*node)).collect();
        let chains: Vec<EntryId> = identities.iter().map(|who| entrance.join(who)).collect();
        entrance.joins_strangers(self, members.saturating_sub(nodes.len()));
        let Some(held) = self.held(starter, room) else { self.fail("there is no such room") };
        let begun =
            held.dag.iter().map(|control| Op::PutControl { room, id: control.id, bytes: control.encode() });
        let all: Vec<Op> = begun.chain(entrance.ops()).collect();
        let Ok(ticket) = TicketText::parse(&invited.text) else { self.fail("that is no ticket") };
        for (node, chain) in nodes[1..].iter().zip(chains) {
            let local = LocalRecord {
                state: record::STATE_JOINED,
                ticket_seed: Some(BodyHash(*ticket.seed)),
                contacts: ticket.endpoints.iter().map(|endpoint| endpoint.peer).collect(),
                chain: Some(chain),
                history: Some(Vec::new()),
                told_nick: Some(self.nodes[*node].nick.clone()),
                confirmed: true,
                ..LocalRecord::default()
            };
            let value = parlor_wire::cbor::encode(&local);
            let put = Op::Put { table: Table::Room, key: room.0.to_vec(), value };
            let ops: Vec<Op> = std::iter::once(put).chain(all.iter().cloned()).collect();
            self.write_to_disk(*node, &ops);
        }
        self.write_to_disk(starter, &entrance.ops());
        (room, invited.text)
    }

    /// The identity of a node with what its store seals by.
    fn true_identity(&mut self, node: usize) -> Identity {
        let records = self.nodes[node].store.load().map(|all| all.records).unwrap_or_default();
        let is_seed =
            |(table, key, _): &&(Table, Vec<u8>, Vec<u8>)| *table == Table::Own && key == OWN_SEALING;
        let seed = records.iter().find(is_seed).and_then(|(.., value)| value.as_slice().try_into().ok());
        let Some(seed) = seed else { self.fail(&format!("{node} has never run")) };
        Identity::new(&self.nodes[node].identity, Zeroizing::new(seed))
    }

    /// Puts something on the disk of a node behind its back.
    fn write_to_disk(&mut self, node: usize, ops: &[Op]) {
        let restarts = std::mem::replace(&mut self.restarts, false);
        self.kill(node);
        self.restarts = restarts;
        if let Err(error) = self.nodes[node].store.commit(ops) {
            self.fail(&format!("{node}: {error}"));
        }
        self.start(node);
    }

    /// All join at once by one ticket; how long it took until all were in, in milliseconds.
    pub fn all_join(&mut self, nodes: &[usize], ticket_text: &str) -> u64 {
        let since = self.now_ms;
        let Ok(ticket) = TicketText::parse(ticket_text) else {
            self.fail("that is no ticket");
        };
        let ask = |world: &mut Self, node: usize| {
            let wait_ms = 600_000;
            let join = Command::Join { ticket: ticket.clone(), wait_ms };
            (node, world.tell(node, join))
        };
        let asked: Vec<(usize, u64)> = nodes.iter().map(|node| ask(self, *node)).collect();
        for (node, request) in asked {
            while !self.nodes[node].replies.contains_key(&request) {
                if !self.step(since + 600_000) {
                    self.fail(&format!("{node} did not come in"));
                }
            }
            if let Some(Err(failure)) = self.nodes[node].replies.remove(&request) {
                self.fail(&format!("{node}: {failure}"));
            }
        }
        self.now_ms - since
    }

    /// How long until a text is in the logs of all these nodes, for each of them, in milliseconds.
    pub fn spread(&mut self, nodes: &[usize], room: RoomId, text: &str, most_ms: u64) -> Vec<u64> {
        let since = self.now_ms;
        let mut took: Vec<Option<u64>> = vec![None; nodes.len()];
        let has = |world: &Self, node: usize| {
            world.nodes[node].arrived.iter().rev().any(|view| view.room == room && view.text.as_str() == text)
        };
        loop {
            let now = self.now_ms;
            for (at, node) in nodes.iter().enumerate() {
                if took[at].is_none() && has(self, *node) {
                    took[at] = Some(now - since);
                }
            }
            if took.iter().all(Option::is_some) {
                return took.into_iter().flatten().collect();
            }
            if now > since + most_ms {
                let missing = took.iter().filter(|took| took.is_none()).count();
                self.fail(&format!("{missing} of {} have not heard {text:?}", nodes.len()));
            }
            self.pass(5);
        }
    }
}

fn join(who: &Identity, room: RoomId, ticket: EntryId, after: Vec<EntryId>, keys: &TicketKeys) -> Control {
    let body = ControlBody::Join(Join { ticket, card: who.card(0, 1) });
    control_of(who, (room, None), after, body, Some(keys))
}
