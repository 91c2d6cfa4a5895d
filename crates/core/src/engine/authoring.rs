//! Writing entries: every control and data entry this node signs is made here, with keys by rules K1–K4. Must
//! be called with a room that is not frozen.

use parlor_wire::control::{Control, ControlBody, ControlHeader, Grant, NewCard, Note, Rekey, Seal};
use parlor_wire::data::{self, Data, DataHeader};
use parlor_wire::frame::Tip;
use parlor_wire::roster::Insert;
use parlor_wire::{EntryId, KeyId, RULES, RecipientId, RoomId, SUITE, TimeMs, WIRE_VERSION, domain, limits};

use super::api::Failure;
use super::ruling::Without;
use super::{Engine, restore};
use crate::crypto::{self, EntryContext, RoomKey, SealContext, TicketKeys};
use crate::keys::{self, Recipient};
use crate::persist::{DataRow, Op, Standing, Table};
use crate::room::body::Body;
use crate::room::record::{self, Sealing};
use crate::room::{FitKey, Room, TipState, sort_after};

/// What the header of a data entry says of how long it is kept: by default it is one that people are meant to be given.
#[derive(Default)]
pub(super) struct Kept {
    pub class: u8,
    pub slot: Option<parlor_wire::Salt>,
    pub supersedes: Option<EntryId>,
}

/// As many heads as an entry may have parents, among them one that leads to what must lie in its past: of more heads than
/// that, which anybody can make, the ids must not decide whether it does.
fn parents(held: &Room, must: Option<EntryId>) -> Vec<EntryId> {
    let leads = |head: &&EntryId| must.is_some_and(|must| held.dag.reaches(head, &must));
    let first = held.dag.heads().iter().find(leads);
    let others = held.dag.heads().iter().filter(|head| Some(*head) != first);
    let mut after: Vec<EntryId> =
        first.into_iter().chain(others).take(limits::MAX_PARENTS).copied().collect();
    after.sort_unstable();
    after
}

impl Engine {
    /// Signs a control entry after all heads and takes it in. `membership` is what it acts as; a join and a
    /// genesis act as themselves.
    pub(super) fn author_control(
        &mut self,
        room: RoomId,
        body: ControlBody,
        membership: Option<EntryId>,
        ticket: Option<&TicketKeys>,
    ) -> Result<EntryId, Failure> {
        self.stands()?;
        self.rooms.get(&room).map_or(Ok(()), super::commands::thawed)?;
        self.may_write_control(room, &body)?;
        self.merge_heads(room, membership)?;
        self.author_one(room, body, membership, ticket)
    }

    /// More heads than an entry may have parents are merged by notes first.
    fn merge_heads(&mut self, room: RoomId, membership: Option<EntryId>) -> Result<(), Failure> {
        while let Some(membership) = membership
            && !self.is_written_out(room)
            && self.rooms.get(&room).is_some_and(|held| held.dag.heads().len() > limits::MAX_PARENTS)
        {
            self.author_one(room, ControlBody::Note(Note {}), Some(membership), None)?;
        }
        Ok(())
    }

    fn author_one(
        &mut self,
        room: RoomId,
        body: ControlBody,
        membership: Option<EntryId>,
        ticket: Option<&TicketKeys>,
    ) -> Result<EntryId, Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let must = match &body {
            ControlBody::Join(join) => Some(join.ticket),
            _ => membership,
        };
        let after = parents(held, must);
        let control = self.sign_control(Some(room), body, membership, after, ticket);
        self.take_own_control(room, control)
    }

    /// Signs a control entry, for the ticket too where it is entered by one, and takes it in nowhere.
    pub(super) fn sign_control(
        &self,
        room: Option<RoomId>,
        body: ControlBody,
        membership: Option<EntryId>,
        after: Vec<EntryId>,
        ticket: Option<&TicketKeys>,
    ) -> Control {
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room,
            author: self.me,
            membership,
            kind: body.kind(),
            after,
            time: self.now.wall_ms,
            body: body.bytes().into(),
        };
        let message = header.bytes();
        let signature = self.identity.sign(domain::CONTROL_SIGNATURE, &message);
        let cosigned = ticket.map(|keys| keys.sign(domain::JOIN_SIGNATURE, &message));
        Control::new(header, body, signature, cosigned)
    }

    /// A room's first entry; the room must not be held yet.
    pub(super) fn author_genesis(&mut self) -> Control {
        let time = self.now.wall_ms;
        let nonce = self.hedge.salt(&[b"genesis", &time.to_be_bytes()]);
        let card = self.identity.card(0, time);
        let body = ControlBody::Genesis(parlor_wire::control::Genesis { card, nonce });
        self.sign_control(None, body, None, Vec::new(), None)
    }

    /// Takes in and persists a control entry this node has just signed.
    pub(super) fn take_own_control(&mut self, room: RoomId, control: Control) -> Result<EntryId, Failure> {
        let held = self.rooms.get_mut(&room).ok_or(Failure::NoSuchRoom)?;
        let (id, bytes) = (control.id, control.encode());
        match held.dag.insert(control) {
            Insert::In(_) => {}
            other => {
                self.note(format!("an entry of our own was not taken: {other:?}"));
                return Err(Failure::Limit("an entry of our own was not well formed"));
            }
        }
        self.ops.push(Op::PutControl { room, id, bytes });
        self.refold(room);
        self.tell_control(room, None);
        Ok(id)
    }

    /// The membership this identity acts as: the strongest it has.
    pub(super) fn own_membership(&self, room: RoomId) -> Option<EntryId> {
        let held = self.rooms.get(&room)?;
        let member = held.roster.members.get(&self.me)?;
        let role = |id: &EntryId| held.roster.memberships.get(id).map(|membership| membership.role);
        member.memberships.iter().max_by_key(|id| (role(id), std::cmp::Reverse(**id))).copied()
    }

    /// K1: a new key for everyone entitled, wrapping all heads. Nobody knows it before the entry is taken in.
    pub(super) fn make_rekey(&mut self, room: RoomId, without: &Without<'_>) -> Result<Rekey, Failure> {
        let now = self.now.wall_ms;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let heads = held.dag.heads().iter().flat_map(|id| id.0).collect::<Vec<u8>>();
        let key: RoomKey = self.hedge.bytes(&[b"room key", &room.0, &heads, &now.to_be_bytes()]);
        let id = crypto::key_id(&room, &key);
        let mut recipients = keys::recipients(&held.roster, now);
        let of_removed = |one: &Recipient| {
            without.peer.is_some() && held.roster.cards.get(&one.to).copied() == without.peer
        };
        recipients.retain(|one| {
            !one.ticket.is_some_and(|ticket| without.tickets.contains(&ticket)) && !of_removed(one)
        });
        let mut wraps = Vec::new();
        for older in held.keys.heads() {
            if let Some(older_key) = held.keys.get(&older) {
                wraps.extend(crypto::wrap_key(&room, &key, (&older, older_key)));
            }
        }
        let seals = self.seal_to(room, id, &key, &recipients);
        if let Some(held) = self.rooms.get_mut(&room) {
            held.keys.restore(id, key.clone());
        }
        self.ops.push(Op::PutKey { room, id, key });
        Ok(Rekey { key: id, seals, wraps })
    }

    /// Seals a key to these. One whose public key is no curve point can never open anything; the others must not
    /// wait for it.
    fn seal_to(&mut self, room: RoomId, id: KeyId, key: &RoomKey, recipients: &[Recipient]) -> Vec<Seal> {
        let mut seals = Vec::with_capacity(recipients.len());
        for Recipient { to, public, .. } in recipients.iter().take(limits::MAX_SEALS) {
            let context = SealContext { room, key: id, to: *to, author: self.me };
            let mut rng = self.hedge.rng(&[b"seal", &room.0, &id.0, &to.0]);
            seals.extend(crypto::seal_key(&context, public, key, &mut rng));
        }
        seals
    }

    /// Grants of all key heads to a recipient that has no entry yet (K4).
    pub(super) fn head_grants(
        &mut self,
        room: RoomId,
        to: RecipientId,
        public: &parlor_wire::PublicSealingKey,
    ) -> Result<Vec<Grant>, Failure> {
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let heads: Vec<(KeyId, RoomKey)> =
            held.keys.heads().into_iter().filter_map(|id| Some((id, held.keys.get(&id)?.clone()))).collect();
        let mut grants = Vec::new();
        for (id, key) in heads {
            let context = SealContext { room, key: id, to, author: self.me };
            let mut rng = self.hedge.rng(&[b"seal", &room.0, &id.0, &to.0]);
            let seals = crypto::seal_key(&context, public, &key, &mut rng).into_iter().collect();
            grants.push(Grant { key: id, seals });
        }
        Ok(grants)
    }

    /// K3: the key to seal under now; writes a rekey or a grant first where the rules ask for one.
    pub(super) fn sealing_key(&mut self, room: RoomId) -> Result<KeyId, Failure> {
        let now = self.now.wall_ms;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        if let Some(fit) = held.fit.as_ref().filter(|fit| fit.holds.contains(&now))
            && !self.is_worn(room, &fit.key)
        {
            return Ok(fit.key);
        }
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        let keyed = || held.dag.iter().any(|control| control.body.rekey().is_some());
        if held.keys.is_empty() && keyed() {
            return Err(Failure::NoKey);
        }
        // Who may write no more control entries goes on with a worn key, and leaves grants to others.
        let written_out = self.is_written_out(room);
        let usable = |id: &KeyId| written_out || !self.is_worn(room, id);
        let key = match held.keys.fit_key(&held.roster, now).filter(usable) {
            Some(id) => {
                if !written_out {
                    self.grant_missing(room, id, membership)?;
                }
                id
            }
            None => {
                let rekey = self.make_rekey(room, &Without::default())?;
                let id = rekey.key;
                self.author_control(room, ControlBody::Rekey(rekey), Some(membership), None)?;
                id
            }
        };
        if let Some(held) = self.rooms.get_mut(&room) {
            // Until the roster changes, which clears it, or a ticket expires.
            let expiries = held.roster.tickets.values().filter_map(|state| state.ticket.expires);
            let until = expiries.filter(|at| *at > now).min().unwrap_or(TimeMs::MAX);
            held.fit = Some(FitKey { key, holds: now..until });
        }
        self.note_sealing(room, key);
        Ok(key)
    }

    /// K8: whether a key has been used for seven days or 10,000 messages, as far as this node has seen.
    fn is_worn(&self, room: RoomId, key: &KeyId) -> bool {
        let Some(held) = self.rooms.get(&room) else { return false };
        let used = held.local.sealing.as_ref().filter(|sealing| sealing.key == *key);
        used.is_some_and(|sealing| {
            held.arrivals.saturating_sub(sealing.arrivals) >= limits::MAX_ENTRIES_PER_KEY
                || self.now.wall_ms.saturating_sub(sealing.since) >= limits::MAX_KEY_AGE_MS
        })
    }

    /// Remembers since when a key is sealed under.
    fn note_sealing(&mut self, room: RoomId, key: KeyId) {
        let now = self.now.wall_ms;
        let Some(held) = self.rooms.get(&room) else { return };
        if held.local.sealing.as_ref().is_none_or(|sealing| sealing.key != key) {
            let sealing = Sealing { key, arrivals: held.arrivals, since: now };
            self.local(room, |local| local.sealing = Some(sealing));
        }
    }

    /// Grants a key to everyone entitled who does not know it.
    pub(super) fn grant_missing(
        &mut self,
        room: RoomId,
        id: KeyId,
        membership: EntryId,
    ) -> Result<(), Failure> {
        let now = self.now.wall_ms;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let unaware = held.keys.unaware(&id, &held.roster, now);
        let Some(key) = held.keys.get(&id).cloned() else { return Ok(()) };
        if unaware.is_empty() {
            return Ok(());
        }
        let seals = self.seal_to(room, id, &key, &unaware);
        if !seals.is_empty() {
            let grant = ControlBody::Grant(Grant { key: id, seals });
            self.author_control(room, grant, Some(membership), None)?;
        }
        Ok(())
    }

    /// A further chain of this identity: after a restored or copied store, or a fork of the own chain.
    pub(super) fn open_new_chain(&mut self, room: RoomId) -> Result<EntryId, Failure> {
        let membership = self.own_membership(room).ok_or(Failure::NotJoined)?;
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let newest = held.roster.members.get(&self.me).and_then(|member| member.cards.first());
        let generation = newest.map_or(0, |card| card.card.generation);
        let card = self.identity.card(generation, self.now.wall_ms);
        let chain = self.author_control(room, ControlBody::Card(NewCard { card }), Some(membership), None)?;
        self.local(room, |local| local.chain = Some(chain));
        Ok(chain)
    }

    /// Seals, signs, takes in and persists a data entry. Returns it and its row.
    pub(super) fn author_data(
        &mut self,
        room: RoomId,
        body: &Body,
        origin: Option<String>,
    ) -> Result<DataRow, Failure> {
        self.stands()?;
        let key_id = self.sealing_key(room)?;
        let chain = match self.rooms.get(&room).and_then(|held| held.local.chain) {
            Some(chain) => chain,
            None => self.open_new_chain(room)?,
        };
        let data = self.sign_data(room, chain, key_id, body, Kept::default())?;
        self.keep_own_data(room, data, body, origin)
    }

    /// The same under a key that is known to be fit, on a chain that there is.
    pub(super) fn author_formed(
        &mut self,
        room: RoomId,
        chain: EntryId,
        key: KeyId,
        body: &Body,
        kept: Kept,
    ) -> Result<DataRow, Failure> {
        let data = self.sign_data(room, chain, key, body, kept)?;
        self.keep_own_data(room, data, body, None)
    }

    fn sign_data(
        &mut self,
        room: RoomId,
        chain: EntryId,
        key: KeyId,
        body: &Body,
        kept: Kept,
    ) -> Result<Data, Failure> {
        let plaintext = body.encode();
        let held = self.rooms.get(&room).ok_or(Failure::NoSuchRoom)?;
        let room_key = held.keys.get(&key).ok_or(Failure::NoKey)?.clone();
        let last = held.chains.get(&chain).and_then(|chain| chain.last()).copied();
        let heads: Vec<EntryId> = held.dag.heads().iter().take(limits::MAX_PARENTS).copied().collect();
        let mut header = DataHeader {
            v: WIRE_VERSION,
            room,
            chain,
            seq: last.map_or(0, |last| last.tip.seq + 1),
            prev: last.map(|last| last.tip.id),
            class: kept.class,
            time: self.now.wall_ms,
            key,
            salt: parlor_wire::Salt([0; 16]),
            slot: kept.slot,
            supersedes: kept.supersedes,
            after: (held.named_heads != heads).then(|| heads.clone()),
            body_hash: None,
            body_len: crypto::sealed_len(plaintext.len()) as u32,
        };
        header.salt = self.hedge.salt(&[b"entry", &header.bytes(), &plaintext]);
        let sealed = crypto::seal_body(&EntryContext { key: &room_key, header: &header }, &plaintext)
            .map_err(|_| Failure::TooLong(plaintext.len(), limits::MAX_TEXT_BYTES))?;
        header.body_hash = Some(data::body_hash(&sealed));
        let signature = self.identity.sign(domain::DATA_SIGNATURE, &header.bytes());
        if let Some(held) = self.rooms.get_mut(&room) {
            held.named_heads = heads;
        }
        Ok(Data::new(header, signature, Some(sealed)))
    }

    fn keep_own_data(
        &mut self,
        room: RoomId,
        data: Data,
        body: &Body,
        origin: Option<String>,
    ) -> Result<DataRow, Failure> {
        let held = self.rooms.get_mut(&room).ok_or(Failure::NoSuchRoom)?;
        let chain = held.chains.entry(data.header.chain).or_default();
        let before = chain.last().map(|last| last.sort_ms);
        let sort_ms = sort_after(data.header.time, before);
        let tip = Tip { seq: data.header.seq, id: data.id };
        chain.advance(data.header.prev, TipState { tip, sort_ms });
        let tips = record::encode_tips(chain);
        let reading = body.for_reading();
        if reading {
            if held.local.mark_day(held.arrivals, self.now.wall_ms) {
                self.touched_rooms.insert(room);
            }
            held.arrivals += 1;
        }
        let row = DataRow {
            room,
            id: data.id,
            chain: data.header.chain,
            seq: data.header.seq,
            key: data.header.key,
            bytes: data.encode(),
            sort_ms,
            standing: if reading { Standing::Arrived } else { Standing::Consumed },
            arrival: reading.then_some(held.arrivals),
            history: false,
            sealed_unfit: false,
            origin,
        };
        self.ops.push(Op::PutData(row.clone()));
        self.put(Table::Tips, restore::pair(&room, &row.chain), tips);
        if reading {
            self.note_file(&row, body);
            self.deliveries.wrote(room, row.origin.as_deref(), row.arrival.unwrap_or(0), &mut self.ops);
            let view = self.view_of(&row, self.me, data.header.time, body);
            self.note_urgent(&row, &view, body);
            self.arrived.push(view);
        } else if body.kind != crate::room::body::KIND_REVOKED {
            self.consume(room, self.me, sort_ms, body);
        }
        self.push_own(room, &row);
        Ok(row)
    }

    /// Tells the room what this identity calls itself, once per nick. Without a key it waits for one.
    pub(super) fn tell_nick(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        let told = held.local.told_nick.as_deref() == Some(self.nick.as_str());
        let ready = held.local.state == record::STATE_JOINED
            && held.local.frozen.is_none()
            && held.roster.writes(&self.me)
            && !held.keys.is_empty();
        if told || !ready {
            return;
        }
        let nick = self.nick.clone();
        let body =
            Body { kind: crate::room::body::KIND_PROFILE, nick: Some(nick.clone()), ..Body::default() };
        self.local(room, |local| local.told_nick = Some(nick));
        if let Err(failure) = self.author_data(room, &body, None) {
            self.note(format!("{}: the nick was not told: {failure}", room.short()));
            self.local(room, |local| local.told_nick = None);
        }
    }
}
