//! A room with real keys: Alice, who started it, Bob, who joined by a ticket he still holds the text of, and Carol, who
//! holds the text of another. Signs entries, seals keys, opens what somebody's secrets open. Judges nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use parlor_core::crypto::{self, RoomKey, SealContext, TicketKeys};
use parlor_core::identity::Identity;
use parlor_core::keys::{KeyRing, Opener, Recipient, recipients};
use parlor_wire::control::{
    Control, ControlBody, ControlHeader, Genesis, Grant, Join, Rekey, Role, Seal, Ticket, Wrap,
    ticket_recipient,
};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{
    EntryId, KeyId, PeerId, PublicSealingKey, RULES, RecipientId, RoomId, SUITE, Salt, SignedCard,
    WIRE_VERSION, domain,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

pub const NOW: u64 = 1_000;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const CAROL: usize = 2;
pub const EVERYBODY: [usize; 3] = [ALICE, BOB, CAROL];

/// The ticket Bob came by, the one Carol holds, and one made in the course of things.
pub const BOBS_TICKET: usize = 0;
pub const CAROLS_TICKET: usize = 1;
pub const NEW_TICKET: usize = 2;

/// Bytes of the key there was before anything happened; acts make keys of other numbers.
const FIRST_KEY: u8 = 100;

struct Person {
    identity: Identity,
    card: SignedCard,
}

type SealName = (u8, RecipientId, usize);
/// The key, whom it is sealed to, by whom, and whose secret is tried.
type OpenedName = (KeyId, RecipientId, PeerId, RecipientId);

pub struct Room {
    /// What had happened, and everybody had seen, before the acts.
    pub base: Dag,
    pub bobs_join: EntryId,
    pub base_tickets: [EntryId; 2],
    id: RoomId,
    people: Vec<Person>,
    tickets: Vec<TicketKeys>,
    seals: RefCell<HashMap<SealName, Seal>>,
    opened: RefCell<HashMap<OpenedName, Option<RoomKey>>>,
}

impl Room {
    pub fn new() -> Self {
        let person = |n: u8| {
            let identity = Identity::new(&[n; 32], Zeroizing::new([n + 100; 32]));
            let card = identity.card(0, 0);
            Person { identity, card }
        };
        let nothing = EntryId([0; 32]);
        let mut room = Self {
            base: Dag::new(RoomId([0; 32])),
            bobs_join: nothing,
            base_tickets: [nothing; 2],
            id: RoomId([0; 32]),
            people: (1..=3).map(person).collect(),
            tickets: (1..=3).map(|n| TicketKeys::from_seed(&[n; 32])).collect(),
            seals: RefCell::default(),
            opened: RefCell::default(),
        };
        room.begin();
        room
    }

    fn begin(&mut self) {
        let card = self.card(ALICE).clone();
        let genesis = ControlBody::Genesis(Genesis { card, nonce: Salt([0; 16]) });
        let genesis = self.sign(ALICE, &self.base, None, genesis, None);
        self.id = RoomId::from(genesis.id);
        self.base = Dag::new(self.id);
        self.put(genesis);
        for ticket in [BOBS_TICKET, CAROLS_TICKET] {
            let body = ControlBody::Ticket(self.ticket_body(ticket, Vec::new()));
            self.base_tickets[ticket] = self.write_base(ALICE, body, None);
        }
        let body = self.join_body(BOB, self.base_tickets[BOBS_TICKET]);
        self.bobs_join = self.write_base(BOB, body, Some(BOBS_TICKET));
        let to = recipients(&Roster::fold(&self.base), NOW);
        let rekey = Rekey {
            key: self.key(FIRST_KEY).0,
            seals: to.iter().map(|one| self.seal(ALICE, FIRST_KEY, one.to, &one.public)).collect(),
            wraps: Vec::new(),
        };
        self.write_base(ALICE, ControlBody::Rekey(rekey), None);
    }

    fn write_base(&mut self, who: usize, body: ControlBody, ticket: Option<usize>) -> EntryId {
        let membership = match &body {
            ControlBody::Join(_) => None,
            _ => self.membership(who, &Roster::fold(&self.base)),
        };
        let control = self.sign(who, &self.base, membership, body, ticket);
        self.put(control)
    }

    fn put(&mut self, control: Control) -> EntryId {
        let id = control.id;
        assert!(matches!(self.base.insert(control), Insert::In(_)));
        id
    }

    pub fn peer(&self, who: usize) -> PeerId {
        self.people[who].identity.peer()
    }

    fn card(&self, who: usize) -> &SignedCard {
        &self.people[who].card
    }

    /// The membership somebody writes as.
    pub fn membership(&self, who: usize, roster: &Roster) -> Option<EntryId> {
        roster.members.get(&self.peer(who))?.memberships.first().copied()
    }

    /// Signs an entry that has seen everything in `seen`.
    pub fn sign(
        &self,
        who: usize,
        seen: &Dag,
        membership: Option<EntryId>,
        body: ControlBody,
        ticket: Option<usize>,
    ) -> Control {
        let genesis = matches!(body, ControlBody::Genesis(_));
        let identity = &self.people[who].identity;
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room: (!genesis).then_some(self.id),
            author: identity.peer(),
            membership,
            kind: body.kind(),
            after: seen.heads().iter().copied().collect(),
            time: seen.len() as u64,
            body: body.bytes().into(),
        };
        let signature = identity.sign(domain::CONTROL_SIGNATURE, &header.bytes());
        let cosigned = ticket.map(|at| self.tickets[at].sign(domain::JOIN_SIGNATURE, &header.bytes()));
        Control::new(header, body, signature, cosigned)
    }

    pub fn ticket_recipient(&self, ticket: usize) -> RecipientId {
        let keys = &self.tickets[ticket];
        ticket_recipient(&keys.signing_key(), &keys.sealing_key)
    }

    pub fn ticket_body(&self, ticket: usize, grants: Vec<Grant>) -> Ticket {
        let keys = &self.tickets[ticket];
        Ticket {
            signing_key: keys.signing_key(),
            sealing_key: keys.sealing_key,
            role: Role::Member,
            uses: None,
            expires: None,
            approve: false,
            grants,
        }
    }

    pub fn join_body(&self, who: usize, ticket: EntryId) -> ControlBody {
        ControlBody::Join(Join { ticket, card: self.card(who).clone() })
    }

    fn key(&self, number: u8) -> (KeyId, RoomKey) {
        let key = Zeroizing::new([number; 32]);
        (crypto::key_id(&self.id, &key), key)
    }

    /// The same again for the same names, as no real seal is; so that it is made and opened once.
    fn seal(&self, by: usize, number: u8, to: RecipientId, public: &PublicSealingKey) -> Seal {
        let name = (number, to, by);
        if let Some(seal) = self.seals.borrow().get(&name) {
            return seal.clone();
        }
        let (key, secret) = self.key(number);
        let context = SealContext { room: self.id, key, to, author: self.peer(by) };
        let mut rng = ChaCha20Rng::from_seed([number; 32]);
        let seal = crypto::seal_key(&context, public, &secret, &mut rng).unwrap();
        self.seals.borrow_mut().insert(name, seal.clone());
        seal
    }

    /// A new key, as one makes it who holds `seen`, for those who are in by `roster`.
    pub fn rekey(&self, by: usize, number: u8, seen: &Dag, roster: &Roster) -> Rekey {
        let (key, secret) = self.key(number);
        let ring = self.ring(by, &[], seen);
        let to = recipients(roster, NOW);
        let wrap = |older: &KeyId| -> Wrap {
            crypto::wrap_key(&self.id, &secret, (older, ring.get(older).unwrap())).unwrap()
        };
        Rekey {
            key,
            seals: to.iter().map(|one| self.seal(by, number, one.to, &one.public)).collect(),
            wraps: ring.heads().iter().map(wrap).collect(),
        }
    }

    /// All key heads of one who holds `seen`, sealed to a ticket (K4).
    pub fn head_grants(&self, by: usize, seen: &Dag, ticket: usize) -> Vec<Grant> {
        let keys = &self.tickets[ticket];
        let one = Recipient { to: self.ticket_recipient(ticket), public: keys.sealing_key, ticket: None };
        let ring = self.ring(by, &[], seen);
        ring.heads().iter().map(|key| self.grant(by, &ring, key, &[one])).collect()
    }

    pub fn grant(&self, by: usize, ring: &KeyRing, key: &KeyId, to: &[Recipient]) -> Grant {
        let number = ring.get(key).unwrap()[0];
        let seals = to.iter().map(|one| self.seal(by, number, one.to, &one.public)).collect();
        Grant { key: *key, seals }
    }

    /// What somebody can open: the card, and the tickets whose texts they hold.
    pub fn secrets(&self, who: usize, texts: &[usize]) -> Vec<Opener<'_>> {
        let person = &self.people[who];
        let card = Opener { to: person.card.card.id(), secret: person.identity.sealing_secret() };
        let ticket =
            |at: &usize| Opener { to: self.ticket_recipient(*at), secret: &self.tickets[*at].sealing_secret };
        std::iter::once(card).chain(texts.iter().map(ticket)).collect()
    }

    pub fn ring(&self, who: usize, texts: &[usize], dag: &Dag) -> KeyRing {
        let mut ring = KeyRing::default();
        self.read(&mut ring, who, texts, dag);
        ring
    }

    /// The same for one whose store has kept the keys: opening seals is what takes the time here.
    pub fn ring_restored(&self, who: usize, texts: &[usize], dag: &Dag) -> KeyRing {
        let mut ring = KeyRing::default();
        let opened = self.opens(&self.secrets(who, texts), dag);
        opened.into_iter().for_each(|(id, key)| ring.restore(id, key));
        self.read(&mut ring, who, texts, dag);
        ring
    }

    pub fn read(&self, ring: &mut KeyRing, who: usize, texts: &[usize], dag: &Dag) {
        ring.read(&self.id, dag, &Roster::fold(dag), &self.secrets(who, texts), 0);
    }

    /// The keys these secrets open of all that was ever sealed or wrapped, whatever the key ring thinks of it.
    pub fn opens(&self, secrets: &[Opener<'_>], dag: &Dag) -> BTreeMap<KeyId, RoomKey> {
        let mut held: BTreeMap<KeyId, RoomKey> = BTreeMap::new();
        for control in dag.iter() {
            let granted = control.body.grants().iter().map(|grant| (grant.key, &grant.seals));
            let rekeyed = control.body.rekey().map(|rekey| (rekey.key, &rekey.seals));
            for (key, seals) in granted.chain(rekeyed) {
                let opened =
                    seals.iter().find_map(|seal| self.open(secrets, control.header.author, key, seal));
                held.extend(opened.map(|opened| (key, opened)));
            }
        }
        loop {
            let before = held.len();
            for rekey in dag.iter().filter_map(|control| control.body.rekey()) {
                let Some(newer) = held.get(&rekey.key).cloned() else { continue };
                let open = |wrap: &Wrap| Some((wrap.key, crypto::open_wrap(&self.id, &newer, wrap).ok()?));
                held.extend(rekey.wraps.iter().filter_map(open));
            }
            if held.len() == before {
                return held;
            }
        }
    }

    fn open(&self, secrets: &[Opener<'_>], author: PeerId, key: KeyId, seal: &Seal) -> Option<RoomKey> {
        secrets.iter().find_map(|opener| {
            let open = || {
                let context = SealContext { room: self.id, key, to: seal.to, author };
                crypto::open_key(&context, opener.secret, seal).ok()
            };
            let mut opened = self.opened.borrow_mut();
            opened.entry((key, seal.to, author, opener.to)).or_insert_with(open).clone()
        })
    }
}
