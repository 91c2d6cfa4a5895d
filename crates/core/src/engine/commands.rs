//! Commands of this node's own surfaces, each to its reply. Must leave nothing half done: what fails changes
//! nothing.

use parlor_wire::control::{ControlBody, Role, Ticket};
use parlor_wire::ids::BodyHash;
use parlor_wire::ticket::{Endpoint, LAN, TicketText};
use parlor_wire::{EntryId, RoomId, TimeMs, limits};

use super::api::{Author, Command, Failure, Form, Invited, Outcome, Reach, RequestId, Send, Sent, Terms};
use super::push::ReachWait;
use super::{Engine, Pending, RECENT_REQUESTS, restore};
use crate::crypto::TicketKeys;
use crate::persist::{Loaded, Op, Query, Table};
use crate::room::body::{self, Body};
use crate::room::record::{self, LocalRecord, RequestRecord};
use crate::room::{Gone, Room};
use crate::text::clean::is_visible;

/// A ticket handed out again must last at least this much longer, in milliseconds.
const LASTS_MS: u64 = 24 * 60 * 60 * 1000;

/// What a request asks for, short. It never leaves this store.
fn fingerprint(send: &Send) -> BodyHash {
    let priority = [body::priority_number(send.priority).unwrap_or(u8::MAX)];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&send.room.0).update(&priority);
    if let Some(to) = &send.to {
        hasher.update(&blake3::hash(to.as_bytes()).as_bytes()[..]);
    }
    // Until when it is asked changes from one try to the next.
    if send.ask.is_some() {
        hasher.update(b"asks");
    }
    send.about.iter().for_each(|about| _ = hasher.update(&about.0));
    send.peers.iter().for_each(|peer| _ = hasher.update(&peer.0));
    for tag in &send.tags {
        hasher.update(&blake3::hash(tag.as_bytes()).as_bytes()[..]);
    }
    if let Some(form) = send.form {
        hasher.update(&[form.number()]);
    }
    hasher.update(send.text.as_bytes());
    BodyHash(*hasher.finalize().as_bytes())
}

/// The terms of a ticket to be made.
struct Ticketing {
    expires: Option<TimeMs>,
    uses: Option<u32>,
    role: Role,
    approve: bool,
}

/// Somebody waiting for a join.
#[derive(Debug)]
pub(super) struct JoinWait {
    pub request: RequestId,
    pub room: RoomId,
    pub deadline_ms: u64,
}

impl Engine {
    pub(super) fn command(&mut self, request: RequestId, command: Command) {
        match command {
            Command::Start { name, reach, expires, endpoints } => {
                let outcome = self.start(&name, reach, expires, endpoints);
                self.reply(request, outcome);
            }
            Command::OpenDirect { peer } => {
                let outcome = self.open_direct(peer);
                self.reply(request, outcome);
            }
            Command::Join { ticket, wait_ms } => self.join(request, &ticket, wait_ms),
            Command::Invite { room, terms, default_expires, endpoints } => {
                let outcome = self.invite(room, terms, default_expires, endpoints).map(Outcome::Invited);
                self.reply(request, outcome);
            }
            Command::CloseTicket { .. }
            | Command::Approve { .. }
            | Command::Remove { .. }
            | Command::SetRole { .. }
            | Command::Leave { .. }
            | Command::Rename { .. }
            | Command::Rekey { .. } => {
                let outcome = self.rule(command);
                self.reply(request, outcome);
            }
            Command::Revoke { abandon } => {
                let outcome = self.revoke(abandon);
                self.reply(request, outcome);
            }
            Command::Send(send) => self.begin_send(request, send),
            Command::Log { room, since_ms, limit } => {
                self.load(Query::Newest { room, since_ms, limit }, Pending::Listed { request });
            }
            Command::Messages { room, low, high } => {
                self.load(Query::Between { room, low, high, limit: 8 }, Pending::Messages { request });
            }
            Command::Take(take) => self.take(request, take),
            Command::Commit { token } => self.commit_take(request, token),
            Command::Shown { session, mark } => self.shown(&session, &mark),
            Command::Release { holder } => self.release(holder),
            Command::Unread { session, label, rooms } => self.unread(request, session, label, rooms),
            Command::MarkRead { session, room, upto } => self.mark_read(request, &session, room, upto),
            Command::FileAt { room, entry, name } => self.file_at(request, room, entry, name),
            Command::FilesIn { room, dir } => self.files.lie_in(room, dir),
            Command::SetNick(nick) => self.set_nick(request, &nick),
            Command::SetAlias { room, alias } => self.set_alias(request, room, alias),
            Command::SetPetname { peer, name } => self.set_petname(request, peer, name.as_deref()),
            Command::SetVerified { peer } => self.set_verified(request, peer),
            Command::PutRecord { table, key, value } => self.put_record(request, table, key, value),
            Command::Announce { room, session, presence } => self.announce(room, session, presence),
            Command::Here { far, near } => self.here(far, near),
            Command::Learned { peer, addresses, near } => {
                let known = self
                    .rooms
                    .values()
                    .any(|held| held.roster.reads(&peer) || held.local.contacts.contains(&peer));
                if known {
                    self.learned(peer, &addresses, near);
                }
            }
        }
    }

    /// Whether this identity may still do anything.
    pub(super) fn stands(&self) -> Result<(), Failure> {
        self.revoked.map_or(Ok(()), |_| Err(Failure::Revoked))
    }

    /// Whether this identity may write in a room now.
    pub(super) fn writable(&self, room: RoomId) -> Result<(), Failure> {
        self.stands()?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        thawed(held)?;
        match held.gone(&self.me) {
            Some(Gone::Left) => return Err(Failure::Left),
            Some(Gone::Removed) => return Err(Failure::PutOut),
            None => {}
        }
        if let Some(refusal) = held.local.refusal.filter(|_| held.local.state == record::STATE_REFUSED) {
            return Err(Failure::Refused(refusal));
        }
        if held.local.state != record::STATE_JOINED || !held.roster.reads(&self.me) {
            return Err(Failure::NotJoined);
        }
        if !held.roster.writes(&self.me) {
            return Err(Failure::ReadersDoNotWrite);
        }
        Ok(())
    }

    fn start(
        &mut self,
        name: &str,
        reach: Reach,
        expires: Option<TimeMs>,
        endpoints: Vec<Endpoint>,
    ) -> Result<Outcome, Failure> {
        self.stands()?;
        if expires.is_some_and(|at| at <= self.now.wall_ms) {
            return Err(Failure::TicketExpired);
        }
        let genesis = self.author_genesis();
        let room = RoomId::from(genesis.id);
        let chain = genesis.id;
        let local = LocalRecord {
            state: record::STATE_JOINED,
            chain: Some(chain),
            stays_here: reach == Reach::Here,
            lan: reach == Reach::Lan,
            ..LocalRecord::default()
        };
        self.rooms.insert(room, Room::new(room, local));
        self.touched_rooms.insert(room);
        self.take_own_control(room, genesis)?;
        self.sealing_key(room)?;
        let terms = Ticketing { expires, uses: None, role: Role::Member, approve: false };
        let invited = match reach {
            Reach::Here => None,
            Reach::Anywhere | Reach::Lan => Some(self.new_ticket(room, terms, endpoints)?),
        };
        self.say_name(room, name)?;
        let nick = self.nick.clone();
        self.local(room, |local| local.told_nick = Some(nick));
        Ok(Outcome::Started { room, invited })
    }

    fn invite(
        &mut self,
        room: RoomId,
        terms: Option<Terms>,
        default_expires: TimeMs,
        endpoints: Vec<Endpoint>,
    ) -> Result<Invited, Failure> {
        self.writable(room)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if held.local.direct.is_some() {
            return Err(Failure::Direct);
        }
        if held.local.stays_here {
            return Err(Failure::StaysHere);
        }
        if !held.roster.owns(&self.me) {
            return Err(Failure::OwnersOnly);
        }
        if let Some(Terms { expires, uses, role, approve }) = terms {
            let terms = Ticketing { expires: Some(expires), uses, role, approve };
            return self.new_ticket(room, terms, endpoints);
        }
        let lasting = self.now.wall_ms.saturating_add(LASTS_MS);
        let known = held.roster.tickets.iter().filter(|(id, state)| {
            state.open(lasting)
                && state.ticket.role == Role::Member
                && !state.ticket.approve
                && state.ticket.uses.is_none()
                // One made to last longer was meant for somebody, not to be handed out from then on.
                && state.ticket.expires.is_some_and(|at| at <= default_expires)
                && self.ticket_seeds.contains_key(&(room, **id))
        });
        let newest = known.max_by_key(|(id, state)| (state.ticket.expires, **id));
        match newest.map(|(id, _)| *id) {
            Some(id) => self.ticket_text(room, id, endpoints),
            None => {
                let expires = Some(default_expires);
                let terms = Ticketing { expires, uses: None, role: Role::Member, approve: false };
                self.new_ticket(room, terms, endpoints)
            }
        }
    }

    fn new_ticket(
        &mut self,
        room: RoomId,
        terms: Ticketing,
        endpoints: Vec<Endpoint>,
    ) -> Result<Invited, Failure> {
        let Ticketing { expires, uses, role, approve } = terms;
        if expires.is_some_and(|at| at <= self.now.wall_ms) {
            return Err(Failure::TicketExpired);
        }
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let open = held.roster.tickets.values().filter(|state| state.open(self.now.wall_ms)).count();
        if open >= limits::MAX_OPEN_TICKETS {
            return Err(Failure::Limit("64 open tickets; close one first"));
        }
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        let seed = self.hedge.bytes(&[b"ticket seed", &room.0, &self.now.wall_ms.to_be_bytes()]);
        let keys = TicketKeys::from_seed(&seed);
        let mut ticket = Ticket {
            signing_key: keys.signing_key(),
            sealing_key: keys.sealing_key,
            role: role.min(Role::Member),
            uses,
            expires,
            approve,
            grants: Vec::new(),
        };
        // Whoever has to ask first is given the keys by whoever lets them in.
        if !approve {
            ticket.grants = self.head_grants(room, ticket.recipient(), &keys.sealing_key)?;
        }
        let id = self.author_control(room, ControlBody::Ticket(ticket), Some(membership), None)?;
        self.put(Table::Ticket, restore::pair(&room, &id), seed.to_vec());
        self.ticket_seeds.insert((room, id), seed);
        self.ticket_text(room, id, endpoints)
    }

    fn ticket_text(&self, room: RoomId, id: EntryId, endpoints: Vec<Endpoint>) -> Result<Invited, Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let state = held.roster.tickets.get(&id).ok_or(Failure::Limit("there is no such ticket"))?;
        let seed =
            self.ticket_seeds.get(&(room, id)).ok_or(Failure::Limit("that ticket was made elsewhere"))?;
        let relay = match held.local.lan {
            true => Some(LAN.to_owned()),
            false => self.whereabouts.relay().or(held.local.relay.as_ref()).cloned(),
        };
        let text = TicketText { room, seed: seed.clone(), endpoints, relay, expires: state.ticket.expires };
        Ok(Invited {
            room,
            id,
            text: text.to_text(),
            expires: state.ticket.expires,
            uses: state.ticket.uses,
            role: state.ticket.role,
            approve: state.ticket.approve,
        })
    }

    fn join(&mut self, request: RequestId, ticket: &TicketText, wait_ms: u64) {
        if let Err(failure) = self.stands() {
            return self.reply(request, Err(failure));
        }
        let room = ticket.room;
        if self.is_direct_id(&room, ticket.endpoints.iter().map(|endpoint| endpoint.peer)) {
            return self.reply(request, Err(Failure::Direct));
        }
        let joined = self.rooms.get(&room).is_some_and(|held| {
            let local = &held.local;
            let is_in = local.state == record::STATE_JOINED && held.roster.reads(&self.me);
            // One whom an owner does not count may come in again by another ticket.
            is_in && (local.refusal.is_none() || local.ticket_seed == Some(BodyHash(*ticket.seed)))
        });
        if joined {
            self.reply(request, Ok(Outcome::Joined { room, already: true }));
            return;
        }
        if ticket.expires.is_some_and(|at| at <= self.now.wall_ms) {
            self.reply(request, Err(Failure::TicketExpired));
            return;
        }
        // Once known to stay in the local network, no other text of a ticket lets it out.
        let known = self.rooms.get(&room).is_some_and(|held| held.local.lan);
        let lan = known || ticket.relay.as_deref() == Some(LAN);
        let local = LocalRecord {
            state: record::STATE_JOINING,
            ticket_seed: Some(BodyHash(*ticket.seed)),
            ticket_expires: ticket.expires,
            contacts: ticket.endpoints.iter().map(|endpoint| endpoint.peer).collect(),
            lan,
            given_up: false,
            relay: ticket.relay.clone().filter(|_| !lan),
            ..self.rooms.get(&room).map(|held| held.local.clone()).unwrap_or_default()
        };
        let keys = TicketKeys::from_seed(&ticket.seed);
        let held = self.rooms.entry(room).or_insert_with(|| Room::new(room, LocalRecord::default()));
        held.local = LocalRecord { refusal: None, asked: None, confirmed: false, ..local };
        held.ticket = Some(keys);
        held.keys.read_again();
        self.touched_rooms.insert(room);
        let relays: Vec<String> = ticket.relay.clone().into_iter().filter(|_| !lan).collect();
        for endpoint in &ticket.endpoints {
            self.learned(endpoint.peer, &endpoint.addresses, lan);
            self.learned_relays(endpoint.peer, &relays);
        }
        self.refold(room);
        self.links_changed();
        let deadline_ms = self.now.mono_ms.saturating_add(wait_ms);
        self.join_waits.push(JoinWait { request, room, deadline_ms });
        self.complete_join(room);
        self.tick_joins();
    }

    /// Answers those who wait for a join that has ended one way or the other. A join has ended well when somebody
    /// has shown to hold it and the first sync has ended: then the room's name and its people are known.
    pub(super) fn answer_joins(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let outcome = match (held.local.state, held.local.refusal) {
            (record::STATE_JOINED, _) if held.awaits_history() || !held.local.confirmed => return,
            (record::STATE_JOINED, _) => Ok(Outcome::Joined { room, already: false }),
            (record::STATE_REFUSED, Some(refusal)) => Err(Failure::Refused(refusal)),
            // An owner has to answer, and may sleep.
            (record::STATE_JOINING, _) if held.local.asked.is_some() => {
                Ok(Outcome::Joined { room, already: false })
            }
            _ => return,
        };
        for wait in std::mem::take(&mut self.join_waits) {
            if wait.room == room {
                self.reply(wait.request, outcome.clone());
            } else {
                self.join_waits.push(wait);
            }
        }
    }

    pub(super) fn tick_joins(&mut self) {
        let now = self.now.mono_ms;
        for wait in std::mem::take(&mut self.join_waits) {
            if wait.deadline_ms <= now {
                self.reply(wait.request, Ok(Outcome::Joined { room: wait.room, already: false }));
            } else {
                self.join_waits.push(wait);
            }
        }
    }

    fn begin_send(&mut self, request: RequestId, send: Send) {
        let checked = if send.text.len() > limits::MAX_TEXT_BYTES {
            Err(Failure::TooLong(send.text.len(), limits::MAX_TEXT_BYTES))
        } else if !is_visible(&send.text) {
            // Of what only seems to be text nothing would be left for others to see.
            Err(Failure::Empty)
        } else {
            self.writable(send.room)
        };
        if let Err(failure) = checked {
            self.reply(request, Err(failure));
            return;
        }
        if let Some(done) = self.recent_requests.get(&send.request_id).cloned() {
            self.answer_again(request, &send, &done);
            return;
        }
        let key = send.request_id.as_bytes().to_vec();
        self.load(
            Query::Record { table: Table::Request, key },
            Pending::Send { request, send: Box::new(send) },
        );
    }

    /// The store has said whether the request was done before.
    pub(super) fn send_checked(&mut self, request: RequestId, send: Send, loaded: Option<Loaded>) {
        let done = match loaded {
            Some(Loaded::Record(Some(bytes))) => minicbor::decode::<RequestRecord>(&bytes).ok(),
            // Another with the same id may have been done since the store was asked.
            Some(Loaded::Record(None)) => self.recent_requests.get(&send.request_id).cloned(),
            _ => {
                self.reply(request, Err(Failure::Store));
                return;
            }
        };
        if let Some(done) = done {
            self.answer_again(request, &send, &done);
            return;
        }
        match self.write_message(&send) {
            Ok(done) => self.answer_sent(request, &done, send.wait_ms),
            Err(failure) => self.reply(request, Err(failure)),
        }
    }

    /// A request that was done before is answered as it was then, if it is the same.
    fn answer_again(&mut self, request: RequestId, send: &Send, done: &RequestRecord) {
        if done.room == send.room && done.asked == fingerprint(send) {
            self.answer_sent(request, done, send.wait_ms);
        } else {
            self.reply(request, Err(Failure::RequestReused));
        }
    }

    fn write_message(&mut self, send: &Send) -> Result<RequestRecord, Failure> {
        self.writable(send.room)?;
        let body = Body {
            kind: body::KIND_MESSAGE,
            text: Some(send.text.clone()),
            nick: Some(self.nick.clone()),
            session: send.label.clone(),
            author: Some(body::author_number(send.author)),
            priority: body::priority_number(send.priority),
            to: send.to.clone(),
            ask: send.ask.map(|deadline| body::Asking { deadline: self.clamped(deadline) }),
            about: send.about,
            tags: (!send.tags.is_empty()).then(|| send.tags.clone()),
            hops: (send.author == Author::Agent).then(|| self.pairs.hops(send.origin.as_deref())),
            form: send.form.map(Form::number),
            peers: (!send.peers.is_empty()).then(|| send.peers.clone()),
            file: send.file.clone(),
            ..Body::default()
        };
        if body.ask.is_some() {
            self.may_ask()?;
        }
        if let Some(about) = &send.about {
            self.may_answer(about, send)?;
        }
        let row = self.author_data(send.room, &body, send.origin.clone())?;
        let asked = fingerprint(send);
        let done = RequestRecord { room: send.room, entry: row.id, chain: row.chain, seq: row.seq, asked };
        let key = send.request_id.as_bytes().to_vec();
        self.ops.push(Op::Put { table: Table::Request, key, value: parlor_wire::cbor::encode(&done) });
        self.recent_requests.insert(send.request_id.clone(), done.clone());
        self.request_order.push_back(send.request_id.clone());
        if self.request_order.len() > RECENT_REQUESTS
            && let Some(oldest) = self.request_order.pop_front()
        {
            self.recent_requests.remove(&oldest);
        }
        Ok(done)
    }

    fn answer_sent(&mut self, request: RequestId, done: &RequestRecord, wait_ms: u64) {
        let warnings = self.send_warnings(done.room);
        let of =
            self.rooms.get(&done.room).map_or(0, |held| held.roster.members.len().saturating_sub(1) as u64);
        let sent = Sent { room: done.room, id: done.entry, reached: 0, of, warnings };
        let deadline_ms = self.now.mono_ms.saturating_add(wait_ms);
        self.wait_reach(ReachWait {
            request,
            room: done.room,
            chain: done.chain,
            seq: done.seq,
            deadline_ms,
            sent,
        });
    }

    pub(super) fn messages_loaded(&mut self, request: RequestId, loaded: Option<Loaded>) {
        let Some(Loaded::Rows(rows)) = loaded else {
            self.reply(request, Err(Failure::Store));
            return;
        };
        let views = rows.iter().filter_map(|row| self.open_view(row)).collect();
        self.reply(request, Ok(Outcome::Messages(views)));
    }

    pub(super) fn listed(&mut self, request: RequestId, loaded: Option<Loaded>) {
        let outcome = match loaded {
            Some(Loaded::Rows(rows)) => Ok(Outcome::Listed(rows.into_iter().map(|row| row.id).collect())),
            _ => Err(Failure::Store),
        };
        self.reply(request, outcome);
    }

    fn set_nick(&mut self, request: RequestId, nick: &str) {
        if let Err(failure) = self.stands() {
            return self.reply(request, Err(failure));
        }
        self.nick = crate::text::names::nick(nick).into_string();
        self.put(Table::Own, super::OWN_NICK.to_vec(), self.nick.clone().into_bytes());
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            // Another machine of this identity may have said another one since.
            self.local(room, |local| local.told_nick = None);
            self.tell_nick(room);
            self.rename(room);
        }
        self.reply(request, Ok(Outcome::Done));
    }

    fn set_alias(&mut self, request: RequestId, room: RoomId, alias: Option<String>) {
        if !self.rooms.contains_key(&room) {
            self.reply(request, Err(Failure::NoSuchRoom));
            return;
        }
        let alias = alias.map(|alias| crate::text::names::room_name(&alias).into_string());
        self.local(room, |local| local.alias = alias);
        self.reply(request, Ok(Outcome::Done));
    }

    fn put_record(&mut self, request: RequestId, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.ops.push(match value {
            Some(value) => Op::Put { table, key, value },
            None => Op::Delete { table, key },
        });
        self.reply(request, Ok(Outcome::Done));
    }
}

/// Whether this version may write in a room at all.
pub(super) fn thawed(held: &crate::room::Room) -> Result<(), Failure> {
    match &held.local.frozen {
        Some(why) if held.older => Err(Failure::Older(why.clone())),
        Some(why) => Err(Failure::Frozen(why.clone())),
        None => Ok(()),
    }
}
