//! Any bytes as a history of keys: who makes, grants, wraps and wants which, upon what, and in which order it arrives.
//! Nobody is honest: keys wrap each other in circles, seals and wraps hold rubbish, keys are made twice and for strangers.
//! Whatever it is, a key ring holds what its secrets open and nothing else, is the same in every order, its heads open the rest,
//! and what it would seal under opens to nobody who is out.

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::crypto::{self, RoomKey, SealContext, TicketKeys};
use parlor_core::identity::Identity;
use parlor_core::keys::{KeyRing, Knower, Opener, Recipient};
use parlor_wire::control::{
    Close, Control, ControlBody, ControlHeader, Genesis, Grant, Join, Rekey, Remove, Role, Seal, Ticket,
    Want, Wrap, ticket_recipient,
};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{
    EntryId, KeyId, PublicSealingKey, RULES, RecipientId, RoomId, SUITE, Salt, WIRE_VERSION, domain,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

const NOW: u64 = 1_000;
const KEYS: u8 = 8;
const MOST_ACTS: usize = 14;
const BYTES_OF_ACT: usize = 7;
/// Alice, who started the room, Bob, who came by the first ticket, Carol, who came by the second, and somebody who came by none
/// and has the text of the second.
/// Between two readings.
const READ_APART_MS: u64 = 2 * 60 * 60 * 1000;
const VIEWERS: usize = 4;
const BOB: usize = 1;
/// The bit of somebody nobody knows among those a key is sealed to.
const STRANGER: u8 = 1 << 5;

/// One input.
pub fn run(bytes: &[u8]) {
    look(bytes);
}

/// One input. Gives how many keys were held, more than heads need be; how many would be sealed under; how many were wanted;
/// and how many of those who are out hold some.
pub fn look(bytes: &[u8]) -> [usize; 4] {
    let (seed, bytes) = bytes.split_first().map_or((0, bytes), |(seed, rest)| (*seed, rest));
    let mut room = Room::new();
    for act in bytes.chunks(BYTES_OF_ACT).take(MOST_ACTS) {
        let mut all = [0; BYTES_OF_ACT];
        all[..act.len()].copy_from_slice(act);
        room.act(all);
    }
    let roster = Roster::fold(&room.dag);
    let views: Vec<View> =
        (0..VIEWERS).map(|who| room.view_of(who, &room.entries.iter().collect::<Vec<_>>(), 1)).collect();
    let mut order: Vec<&Control> = room.entries.iter().rev().collect();
    for turn in 0..2 {
        for (who, view) in views.iter().enumerate() {
            assert_eq!(room.view_of(who, &order, 3), *view, "the order of arrival decides keys of {who}");
        }
        order.sort_by_key(|entry| *blake3::hash(&[&entry.id.0[..], &[seed, turn]].concat()).as_bytes());
    }
    let mut out = 0;
    for (who, view) in views.iter().enumerate() {
        room.check(who, view, &roster);
        out += usize::from(!room.may_read(who, &roster) && !view.held.is_empty());
    }
    let under_heads = views.iter().map(|view| view.held.len() - view.heads.len()).sum();
    let fit = views.iter().filter(|view| view.fit.is_some()).count();
    [under_heads, fit, views[0].wanted.len(), out]
}

/// What somebody holds and makes of it.
#[derive(Debug, PartialEq)]
struct View {
    held: BTreeSet<KeyId>,
    heads: BTreeSet<KeyId>,
    fit: Option<KeyId>,
    wanted: BTreeSet<KeyId>,
    knows: Vec<BTreeSet<Knower>>,
    unaware: Vec<BTreeSet<Recipient>>,
}

struct Room {
    id: RoomId,
    dag: Dag,
    entries: Vec<Control>,
    people: Vec<Identity>,
    memberships: Vec<EntryId>,
    tickets: Vec<(EntryId, TicketKeys)>,
    /// Whether every wrap holds what it says.
    wraps_are_true: bool,
}

impl Room {
    fn new() -> Self {
        let people = (1..=3_u8).map(|n| Identity::new(&[n; 32], Zeroizing::new([n + 100; 32]))).collect();
        let id = RoomId([0; 32]);
        let mut room = Self {
            id,
            dag: Dag::new(id),
            entries: Vec::new(),
            people,
            memberships: Vec::new(),
            tickets: Vec::new(),
            wraps_are_true: true,
        };
        let genesis = ControlBody::Genesis(Genesis { card: room.people[0].card(0, 0), nonce: Salt([0; 16]) });
        let genesis = room.sign(0, genesis, &[], None);
        room.id = genesis.room();
        room.dag = Dag::new(room.id);
        room.memberships.push(genesis.id);
        room.put(genesis);
        for who in [1, 2] {
            let ticket = room.ticket(who as u8);
            let card = room.people[who].card(0, 0);
            let body = ControlBody::Join(Join { ticket, card });
            let join = room.sign(who, body, &room.heads(usize::MAX), Some(who - 1));
            room.memberships.push(join.id);
            room.put(join);
        }
        room
    }

    fn ticket(&mut self, number: u8) -> EntryId {
        let keys = TicketKeys::from_seed(&[number; 32]);
        let body = ControlBody::Ticket(Ticket {
            signing_key: keys.signing_key(),
            sealing_key: keys.sealing_key,
            role: Role::Member,
            uses: None,
            expires: None,
            approve: false,
            grants: Vec::new(),
        });
        let entry = self.sign(0, body, &self.heads(usize::MAX), None);
        self.tickets.push((entry.id, keys));
        let id = entry.id;
        self.put(entry);
        id
    }

    fn put(&mut self, entry: Control) {
        if matches!(self.dag.insert(entry.clone()), Insert::In(_)) {
            self.entries.push(entry);
        }
    }

    /// The maximal ones of the first so many entries.
    fn heads(&self, upto: usize) -> Vec<EntryId> {
        let seen: Vec<&Control> = self.dag.iter().take(upto).collect();
        let is_head = |entry: &&&Control| seen.iter().all(|other| !other.header.after.contains(&entry.id));
        let mut heads: Vec<EntryId> = seen.iter().filter(is_head).map(|entry| entry.id).collect();
        heads.sort_unstable();
        heads.truncate(parlor_wire::limits::MAX_PARENTS);
        heads
    }

    fn sign(&self, who: usize, body: ControlBody, after: &[EntryId], ticket: Option<usize>) -> Control {
        let is_genesis = matches!(body, ControlBody::Genesis(_));
        let own = !is_genesis && ticket.is_none();
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room: (!is_genesis).then_some(self.id),
            author: self.people[who].peer(),
            membership: own.then(|| self.memberships[who]),
            kind: body.kind(),
            after: after.to_vec(),
            time: self.entries.len() as u64,
            body: body.bytes().into(),
        };
        let signature = self.people[who].sign(domain::CONTROL_SIGNATURE, &header.bytes());
        let cosigned = ticket.map(|at| self.tickets[at].1.sign(domain::JOIN_SIGNATURE, &header.bytes()));
        Control::new(header, body, signature, cosigned)
    }

    fn act(&mut self, [who, what, number, to, wraps, from, spoil]: [u8; BYTES_OF_ACT]) {
        let who = usize::from(who) % self.people.len();
        // Few wraps, and seldom a stranger: else nothing would be fit.
        let (wraps, to) = (wraps & wraps >> 3, if spoil > 224 { to } else { to & !STRANGER });
        let base = 5;
        let upto = if from % 4 == 3 { base + usize::from(from / 4) % self.entries.len() } else { usize::MAX };
        let bare = ControlBody::Want(Want { keys: vec![self.key(number).0] });
        let body = match what % 16 {
            0..=7 => ControlBody::Rekey(self.rekey(who, number, to, wraps, spoil)),
            8..=10 => ControlBody::Grant(Grant {
                key: self.key(number).0,
                seals: self.seals(who, number, to, spoil),
            }),
            11 => {
                let ticket = self.tickets[usize::from(number) % self.tickets.len()].0;
                let rekey = Some(self.rekey(who, number, to, wraps, spoil));
                ControlBody::Close(Close { ticket, rekey })
            }
            12 => {
                let (identity, memberships) = (self.people[BOB].peer(), vec![self.memberships[BOB]]);
                let rekey = Some(self.rekey(who, number, to, wraps, spoil));
                ControlBody::Remove(Remove { identity, memberships, cuts: Vec::new(), rekey })
            }
            _ => bare,
        };
        let entry = self.sign(who, body, &self.heads(upto), None);
        self.put(entry);
    }

    fn key(&self, number: u8) -> (KeyId, RoomKey) {
        let key = Zeroizing::new([number % KEYS + 1; 32]);
        (crypto::key_id(&self.id, &key), key)
    }

    /// The cards, the tickets, and somebody nobody knows.
    fn recipients(&self) -> Vec<(RecipientId, PublicSealingKey)> {
        let cards =
            self.people.iter().map(|person| person.card(0, 0).card).map(|card| (card.id(), card.sealing_key));
        let tickets = self.tickets.iter().map(|(_, keys)| (recipient(keys), keys.sealing_key));
        let stranger = (RecipientId([7; 32]), TicketKeys::from_seed(&[99; 32]).sealing_key);
        cards.chain(tickets).chain([stranger]).collect()
    }

    fn seals(&self, who: usize, number: u8, to: u8, spoil: u8) -> Vec<Seal> {
        let (id, key) = self.key(number);
        let all = self.recipients().into_iter().enumerate().filter(|(at, _)| to >> at & 1 == 1);
        let seals = all.map(|(at, (to, public))| {
            let spoilt = spoil % 8 == 1 && usize::from(spoil / 8) % 6 == at;
            let author = self.people[if spoilt && spoil > 128 { (who + 1) % 3 } else { who }].peer();
            let context = SealContext { room: self.id, key: id, to, author };
            let sealed = if spoilt && spoil < 64 { self.key(number.wrapping_add(1)).1 } else { key.clone() };
            let mut rng = ChaCha20Rng::from_seed([number; 32]);
            let seal = crypto::seal_key(&context, &public, &sealed, &mut rng).expect("a key that is a point");
            if spoilt && (64..=128).contains(&spoil) {
                Seal { sealed: vec![spoil; 48].into(), ..seal }
            } else {
                seal
            }
        });
        seals.collect()
    }

    fn rekey(&mut self, who: usize, number: u8, to: u8, wraps: u8, spoil: u8) -> Rekey {
        let (key, secret) = self.key(number);
        let others = (0..KEYS).filter(|older| wraps >> older & 1 == 1 && self.key(*older).0 != key);
        let mut wraps: Vec<Wrap> = Vec::new();
        for older in others {
            let (id, older) = self.key(older);
            wraps.extend(crypto::wrap_key(&self.id, &secret, (&id, &older)));
        }
        if spoil % 8 == 2
            && let Some(wrap) = wraps.first_mut()
        {
            wrap.sealed = vec![spoil; 48].into();
            self.wraps_are_true = false;
        }
        Rekey { key, seals: self.seals(who, number, to, spoil), wraps }
    }

    /// The tickets whose texts somebody has.
    fn texts(&self, who: usize) -> &[(EntryId, TicketKeys)] {
        match who {
            0 => &[],
            BOB => &self.tickets[..1],
            _ => &self.tickets[1..],
        }
    }

    fn openers(&self, who: usize) -> Vec<Opener<'_>> {
        let own = self
            .people
            .get(who)
            .map(|person| Opener { to: person.card(0, 0).card.id(), secret: person.sealing_secret() });
        let texts = self
            .texts(who)
            .iter()
            .map(|(_, keys)| Opener { to: recipient(keys), secret: &keys.sealing_secret });
        own.into_iter().chain(texts).collect()
    }

    /// What somebody makes of it who reads after every so many entries.
    fn view_of(&self, who: usize, order: &[&Control], every: usize) -> View {
        let (mut dag, mut ring) = (Dag::new(self.id), KeyRing::default());
        let openers = self.openers(who);
        // Few at a time and hours apart: of more gifts to strangers than a few in an hour the later ones are not
        // heeded, and which these are depends on when they come, by design (K5).
        let mut arriving = Dag::new(self.id);
        order.iter().for_each(|entry| drop(arriving.insert((*entry).clone())));
        let mut read = |dag: &Dag, at: usize| {
            ring.read(&self.id, dag, &Roster::fold(dag), &openers, at as u64 * READ_APART_MS);
        };
        for (at, entry) in arriving.iter().enumerate() {
            dag.insert(entry.clone());
            if at % every == 0 {
                read(&dag, at);
            }
        }
        read(&dag, order.len());
        assert_eq!(dag.len(), self.dag.len());
        let roster = Roster::fold(&dag);
        let all: Vec<KeyId> = (0..KEYS).map(|number| self.key(number).0).collect();
        for (id, number) in all.iter().zip(0..KEYS) {
            assert!(ring.get(id).is_none_or(|held| *held == self.key(number).1), "held under a false name");
        }
        View {
            held: all.iter().filter(|key| ring.get(key).is_some()).copied().collect(),
            heads: ring.heads().into_iter().collect(),
            fit: ring.fit_key(&roster, NOW),
            wanted: ring.wanted(),
            knows: all.iter().map(|key| ring.knows(key, &roster)).collect(),
            unaware: all.iter().map(|key| ring.unaware(key, &roster, NOW).into_iter().collect()).collect(),
        }
    }

    /// All that somebody's secrets open, and what they made themselves if `made`, by trying everything.
    fn opens(&self, who: usize, made: bool) -> BTreeMap<KeyId, RoomKey> {
        let mut held: BTreeMap<KeyId, RoomKey> = BTreeMap::new();
        let openers = self.openers(who);
        for entry in &self.entries {
            let author = entry.header.author;
            let granted = entry.body.grants().iter().map(|grant| (grant.key, &grant.seals));
            let rekeyed = entry.body.rekey().map(|rekey| (rekey.key, &rekey.seals));
            for (key, seals) in granted.chain(rekeyed) {
                let own = made
                    && rekeyed_by(entry, key)
                    && self.people.get(who).is_some_and(|person| person.peer() == author);
                let number = (0..KEYS).find(|number| self.key(*number).0 == key);
                held.extend(number.filter(|_| own).map(|number| (key, self.key(number).1)));
                for (seal, opener) in
                    seals.iter().flat_map(|seal| openers.iter().map(move |opener| (seal, opener)))
                {
                    let context = SealContext { room: self.id, key, to: seal.to, author };
                    held.extend(
                        crypto::open_key(&context, opener.secret, seal).ok().map(|opened| (key, opened)),
                    );
                }
            }
        }
        self.unwrapped(held)
    }

    /// These keys, and all that wraps under them open.
    fn unwrapped(&self, mut held: BTreeMap<KeyId, RoomKey>) -> BTreeMap<KeyId, RoomKey> {
        loop {
            let before = held.len();
            for rekey in self.entries.iter().filter_map(|entry| entry.body.rekey()) {
                let Some(newer) = held.get(&rekey.key).cloned() else { continue };
                let open = |wrap: &Wrap| Some((wrap.key, crypto::open_wrap(&self.id, &newer, wrap).ok()?));
                held.extend(rekey.wraps.iter().filter_map(open));
            }
            if held.len() == before {
                return held;
            }
        }
    }

    /// Whether somebody is in, or has the text of a ticket that is good.
    fn may_read(&self, who: usize, roster: &Roster) -> bool {
        let is_in = self.people.get(who).is_some_and(|person| roster.reads(&person.peer()));
        is_in || self.texts(who).iter().any(|(id, _)| roster.tickets[id].sealable(NOW))
    }

    fn check(&self, who: usize, view: &View, roster: &Roster) {
        let opened = self.opens(who, false);
        let openable: BTreeSet<KeyId> = opened.keys().copied().collect();
        assert_eq!(view.held, openable, "{who} holds other keys than can be opened");
        let heads =
            opened.iter().filter(|(id, _)| view.heads.contains(id)).map(|(id, key)| (*id, key.clone()));
        let from_heads = self.unwrapped(heads.collect());
        if self.wraps_are_true {
            assert!(
                from_heads.keys().eq(view.held.iter()),
                "the heads of {who} do not open all that is held"
            );
        }
        let Some(fit) = view.fit else { return };
        for other in 0..VIEWERS {
            let may = self.may_read(other, roster);
            assert!(
                may || !self.opens(other, true).contains_key(&fit),
                "{other} is out and opens what {who} would seal"
            );
        }
    }
}

fn recipient(keys: &TicketKeys) -> RecipientId {
    ticket_recipient(&keys.signing_key(), &keys.sealing_key)
}

fn rekeyed_by(entry: &Control, key: KeyId) -> bool {
    entry.body.rekey().is_some_and(|rekey| rekey.key == key)
}
