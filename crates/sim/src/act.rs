//! What people and their agents do, in one line each: rooms, tickets, messages. Must not look inside an engine.

use parlor_core::crypto::TicketKeys;
use parlor_core::engine::api::{
    Author, Command, Failure, Invited, MessageView, Outcome, Priority, Reach, Send, Sent, Terms,
};
use parlor_wire::control::Role;
use parlor_wire::ticket::{Endpoint, TicketText};
use parlor_wire::{EntryId, RoomId};

use crate::world::World;

/// How long a ticket lasts unless a test says otherwise, in milliseconds.
pub const TICKET_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Alice's room with Bob and Carol in it, at rest; their nodes, and the text of the ticket they came by.
pub fn three(seed: u64) -> (World, RoomId, [usize; 3], String) {
    let mut world = World::new(seed);
    let nodes = ["alice", "bob", "carol"].map(|nick| world.add_node(nick));
    let invited = world.start_room_with(nodes[0], &nodes[1..]);
    (world, invited.room, nodes, invited.text)
}

/// Somebody has copied a node; its person revokes the identity and is gone; the copy comes in again by a ticket. The copy.
pub fn come_in_by_a_copy(world: &mut World, of: usize, ticket: &str) -> usize {
    let thief = world.clone_node(of);
    world.put_to_sleep(thief);
    world.rule(of, Command::Revoke { abandon: false });
    world.settle();
    world.put_to_sleep(of);
    world.wake(thief);
    world.settle();
    world.join(thief, ticket, 20_000);
    world.settle();
    thief
}

/// The keys that a ticket's text gives to whoever has it.
///
/// # Panics
/// The text is not a ticket's.
pub fn ticket_keys(text: &str) -> TicketKeys {
    match TicketText::parse(text) {
        Ok(ticket) => TicketKeys::from_seed(&ticket.seed),
        Err(error) => panic!("{error}: {text}"),
    }
}

impl World {
    fn endpoint(&self, node: usize) -> Vec<Endpoint> {
        vec![Endpoint { peer: self.nodes[node].peer, addresses: vec![([10, 0, 0, 1], 4000).into()] }]
    }

    /// A node's wall clock.
    pub fn wall_ms(&self, node: usize) -> u64 {
        self.nodes[node].now(self.now_ms).wall_ms
    }

    /// Starts a room.
    pub fn start_room(&mut self, node: usize, name: &str) -> Invited {
        let expires = Some(self.wall_ms(node) + TICKET_MS);
        let endpoints = self.endpoint(node);
        match self.ask(node, Command::Start { name: name.into(), reach: Reach::Anywhere, expires, endpoints })
        {
            Some(Ok(Outcome::Started { invited: Some(invited), .. })) => invited,
            other => self.fail(&format!("start: {other:?}")),
        }
    }

    /// Starts a room that the others have joined, at rest; and the ticket they came by.
    pub fn start_room_with(&mut self, node: usize, others: &[usize]) -> Invited {
        let invited = self.start_room(node, "room");
        for other in others {
            match self.join(*other, &invited.text, 20_000) {
                Some(Ok(_)) => {}
                failed => self.fail(&format!("join: {failed:?}")),
            }
        }
        self.settle();
        invited
    }

    /// Starts a room that stays on its node.
    pub fn start_local(&mut self, node: usize, name: &str) -> RoomId {
        let command =
            Command::Start { name: name.into(), reach: Reach::Here, expires: None, endpoints: Vec::new() };
        match self.ask(node, command) {
            Some(Ok(Outcome::Started { room, invited: None })) => room,
            other => self.fail(&format!("start: {other:?}")),
        }
    }

    /// The direct room with another node's identity, opened.
    pub fn open_direct(&mut self, node: usize, other: usize) -> Option<Result<Outcome, Failure>> {
        let peer = self.nodes[other].peer;
        self.ask(node, Command::OpenDirect { peer })
    }

    /// Joins by a ticket's text, waiting so long for the join itself.
    pub fn join(&mut self, node: usize, ticket: &str, wait_ms: u64) -> Option<Result<Outcome, Failure>> {
        let ticket = TicketText::parse(ticket).unwrap_or_else(|error| self.fail(&error.to_string()));
        self.ask(node, Command::Join { ticket, wait_ms })
    }

    /// Hands a joiner a ticket's text that names another node to ask.
    pub fn ticket_naming(&self, ticket: &str, node: usize) -> String {
        let mut ticket = TicketText::parse(ticket).unwrap_or_else(|error| self.fail(&error.to_string()));
        ticket.endpoints = self.endpoint(node);
        ticket.to_text()
    }

    /// A ticket; a new one when `expires` says until when.
    pub fn invite(
        &mut self,
        node: usize,
        room: RoomId,
        expires: Option<u64>,
    ) -> Option<Result<Invited, Failure>> {
        let usual = |expires| Terms { expires, uses: None, role: Role::Member, approve: false };
        self.invite_on(node, room, expires.map(usual))
    }

    /// Asks for a ticket of these terms.
    pub fn invite_on(
        &mut self,
        node: usize,
        room: RoomId,
        terms: Option<Terms>,
    ) -> Option<Result<Invited, Failure>> {
        let default_expires = self.wall_ms(node) + TICKET_MS;
        let endpoints = self.endpoint(node);
        let command = Command::Invite { room, terms, default_expires, endpoints };
        Some(self.ask(node, command)?.map(|outcome| match outcome {
            Outcome::Invited(invited) => invited,
            other => self.fail(&format!("invite: {other:?}")),
        }))
    }

    /// A ticket that must be made: of a role, with approval or not.
    pub fn ticket(&mut self, node: usize, room: RoomId, role: Role, approve: bool) -> Invited {
        let terms = Terms { expires: self.wall_ms(node) + TICKET_MS, uses: None, role, approve };
        match self.invite_on(node, room, Some(terms)) {
            Some(Ok(invited)) => invited,
            other => self.fail(&format!("invite: {other:?}")),
        }
    }

    /// An owner's act that must be taken.
    pub fn rule(&mut self, node: usize, command: Command) -> Outcome {
        match self.ask(node, command) {
            Some(Ok(outcome)) => outcome,
            other => self.fail(&format!("{node}: {other:?}")),
        }
    }

    /// Puts somebody out.
    pub fn remove(&mut self, node: usize, room: RoomId, whom: usize) {
        let peer = self.nodes[whom].peer;
        self.rule(node, Command::Remove { room, peer, keep: Vec::new() });
    }

    /// Closes a ticket.
    pub fn close_ticket(
        &mut self,
        node: usize,
        room: RoomId,
        ticket: EntryId,
    ) -> Option<Result<Outcome, Failure>> {
        self.ask(node, Command::CloseTicket { room, ticket })
    }

    /// The command that sends a text.
    pub fn sending(&self, room: RoomId, text: &str, request_id: &str, session: Option<&str>) -> Command {
        Command::Send(Send {
            room,
            text: text.into(),
            request_id: request_id.into(),
            priority: Priority::Normal,
            author: Author::Agent,
            origin: session.map(str::to_owned),
            label: session.map(|key| format!("label-{key}")),
            to: None,
            peers: Vec::new(),
            tags: Vec::new(),
            form: None,
            ask: None,
            about: None,
            file: None,
            wait_ms: 0,
        })
    }

    /// Sends a text; its own words are the request id.
    pub fn say(&mut self, node: usize, room: RoomId, text: &str) -> Option<Result<Sent, Failure>> {
        let command = self.sending(room, text, text, None);
        Some(self.ask(node, command)?.map(|outcome| match outcome {
            Outcome::Sent(sent) => sent,
            other => self.fail(&format!("send: {other:?}")),
        }))
    }

    /// Sends a text that must be taken.
    pub fn say_surely(&mut self, node: usize, room: RoomId, text: &str) -> Sent {
        match self.say(node, room, text) {
            Some(Ok(sent)) => sent,
            other => self.fail(&format!("{node}: send: {other:?}")),
        }
    }

    /// The texts of a room as a node's log shows them.
    pub fn texts(&mut self, node: usize, room: RoomId) -> Vec<String> {
        self.messages(node, room).iter().map(|view| view.text.as_str().to_owned()).collect()
    }

    /// The messages of a room as a node's log shows them.
    pub fn messages(&mut self, node: usize, room: RoomId) -> Vec<MessageView> {
        let listed = match self.ask(node, Command::Log { room, since_ms: 0, limit: 1_000_000 }) {
            Some(Ok(Outcome::Listed(ids))) => ids,
            other => self.fail(&format!("{node}: log: {other:?}")),
        };
        let mut views = Vec::with_capacity(listed.len());
        for id in listed {
            match self.ask(node, Command::Messages { room: Some(room), low: id, high: id }) {
                Some(Ok(Outcome::Messages(found))) => views.extend(found),
                other => self.fail(&format!("{node}: message {id}: {other:?}")),
            }
        }
        views
    }
}
