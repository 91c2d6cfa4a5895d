//! Which key is fit to seal under, case by case (rules K1–K5): the sealer answers for the key.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use parlor_core::crypto::{self, RoomKey, SealContext, TicketKeys};
use parlor_core::engine::{Engine, OWN_SEALING};
use parlor_core::identity::Identity;
use parlor_core::keys::{KeyRing, Opener, recipients};
use parlor_core::persist::{Op, Snapshot, Table};
use parlor_wire::control::{
    Close, Control, ControlBody, ControlHeader, Genesis, Grant, Join, Leave, NewCard, Note, Own, Rekey,
    Remove, Role, Seal, SetRole, Ticket, Want, Wrap, ticket_recipient,
};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{
    EntryId, KeyId, PublicSealingKey, RULES, RecipientId, RoomId, SUITE, Salt, SignedCard, WIRE_VERSION,
    domain,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

const NOW: u64 = 1_000;
/// Keys that wrap each other: far fewer than a member can write.
const WEB: u16 = 800;

struct Person {
    identity: Identity,
    card: SignedCard,
    membership: Option<EntryId>,
}

/// A room in which the test writes every control entry by hand. The first person starts it.
struct Stage {
    dag: Dag,
    room: RoomId,
    people: Vec<Person>,
    tickets: Vec<(EntryId, TicketKeys)>,
}

impl Stage {
    fn new() -> Self {
        let person = |n: u8| {
            let identity = Identity::new(&[n; 32], Zeroizing::new([n + 100; 32]));
            let card = identity.card(0, 0);
            Person { identity, card, membership: None }
        };
        let room = RoomId([0; 32]);
        let people: Vec<Person> = (1..=4).map(person).collect();
        let mut stage = Self { dag: Dag::new(room), room, people, tickets: Vec::new() };
        let card = stage.people[0].card.clone();
        let genesis = stage.sign(0, ControlBody::Genesis(Genesis { card, nonce: Salt([0; 16]) }), None);
        stage.room = RoomId::from(genesis.id);
        stage.dag = Dag::new(stage.room);
        stage.people[0].membership = Some(genesis.id);
        stage.put(genesis);
        stage
    }

    fn sign(&self, who: usize, body: ControlBody, ticket: Option<&TicketKeys>) -> Control {
        let genesis = matches!(body, ControlBody::Genesis(_));
        let itself = genesis || matches!(body, ControlBody::Join(_));
        let person = &self.people[who];
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room: (!genesis).then_some(self.room),
            author: person.identity.peer(),
            membership: person.membership.filter(|_| !itself),
            kind: body.kind(),
            after: if genesis { Vec::new() } else { self.dag.heads().iter().copied().collect() },
            time: self.dag.len() as u64,
            body: body.bytes().into(),
        };
        let signature = person.identity.sign(domain::CONTROL_SIGNATURE, &header.bytes());
        let cosigned = ticket.map(|keys| keys.sign(domain::JOIN_SIGNATURE, &header.bytes()));
        Control::new(header, body, signature, cosigned)
    }

    fn put(&mut self, control: Control) -> EntryId {
        let id = control.id;
        assert!(matches!(self.dag.insert(control), Insert::In(_)));
        id
    }

    fn write(&mut self, who: usize, body: ControlBody) -> EntryId {
        let control = self.sign(who, body, None);
        self.put(control)
    }

    fn ticket(&mut self, expires: Option<u64>, approve: bool) -> usize {
        let keys = TicketKeys::from_seed(&[self.tickets.len() as u8 + 1; 32]);
        let body = Ticket {
            signing_key: keys.signing_key(),
            sealing_key: keys.sealing_key,
            role: Role::Member,
            uses: None,
            expires,
            approve,
            grants: Vec::new(),
        };
        let id = self.write(0, ControlBody::Ticket(body));
        self.tickets.push((id, keys));
        self.tickets.len() - 1
    }

    fn join(&mut self, who: usize, ticket: usize) {
        let (id, keys) = &self.tickets[ticket];
        let body = ControlBody::Join(Join { ticket: *id, card: self.people[who].card.clone() });
        let control = self.sign(who, body, Some(keys));
        let id = self.put(control);
        self.people[who].membership = Some(id);
    }

    fn close(&mut self, ticket: usize, rekey: Option<Rekey>) -> EntryId {
        let ticket = self.tickets[ticket].0;
        self.write(0, ControlBody::Close(Close { ticket, rekey }))
    }

    fn key(&self, number: u8) -> (KeyId, RoomKey) {
        let key = Zeroizing::new([number; 32]);
        (crypto::key_id(&self.room, &key), key)
    }

    fn seal(&self, by: usize, number: u8, to: RecipientId, public: &PublicSealingKey) -> Seal {
        let (key, secret) = self.key(number);
        let context = SealContext { room: self.room, key, to, author: self.people[by].identity.peer() };
        let mut rng = ChaCha20Rng::from_seed([number; 32]);
        crypto::seal_key(&context, public, &secret, &mut rng).unwrap()
    }

    fn to_person(&self, by: usize, number: u8, who: usize) -> Seal {
        let card = &self.people[who].card.card;
        self.seal(by, number, card.id(), &card.sealing_key)
    }

    fn to_ticket(&self, number: u8, ticket: usize) -> Seal {
        let keys = &self.tickets[ticket].1;
        self.seal(0, number, ticket_recipient(&keys.signing_key(), &keys.sealing_key), &keys.sealing_key)
    }

    fn rekey(&self, number: u8, seals: Vec<Seal>, wraps: &[u8]) -> Rekey {
        let (key, secret) = self.key(number);
        let wrap = |older: &u8| -> Wrap {
            let (id, older) = self.key(*older);
            crypto::wrap_key(&self.room, &secret, (&id, &older)).unwrap()
        };
        Rekey { key, seals, wraps: wraps.iter().map(wrap).collect() }
    }

    /// What a person holds, with the text of a ticket perhaps.
    fn ring(&self, who: usize, ticket: Option<usize>) -> KeyRing {
        let person = &self.people[who];
        let secret = person.identity.sealing_secret();
        let mut openers = vec![Opener { to: person.card.card.id(), secret }];
        openers.extend(ticket.map(|at| {
            let keys = &self.tickets[at].1;
            let to = ticket_recipient(&keys.signing_key(), &keys.sealing_key);
            Opener { to, secret: &keys.sealing_secret }
        }));
        let mut ring = KeyRing::default();
        ring.read(&self.room, &self.dag, &Roster::fold(&self.dag), &openers, 0);
        ring
    }

    fn fit(&self, number: u8) -> bool {
        self.ring(0, None).fit(&self.key(number).0, &Roster::fold(&self.dag), NOW)
    }
}

#[test]
fn k2_a_key_of_members_and_open_tickets_is_fit() {
    let mut stage = Stage::new();
    let open = stage.ticket(None, false);
    let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0), stage.to_ticket(1, open)], &[]);
    stage.write(0, ControlBody::Rekey(rekey));
    assert!(stage.fit(1));
    // Whoever joins by that ticket knows it, and may.
    stage.join(1, open);
    assert!(stage.fit(1));
    assert!(stage.ring(1, Some(open)).get(&stage.key(1).0).is_some());
    assert!(stage.ring(1, None).get(&stage.key(1).0).is_none());
}

#[test]
fn k2_a_key_known_to_a_closed_expired_or_approve_ticket_is_unfit() {
    for (expires, approve, close, fit) in [
        (None, false, false, true),
        (Some(NOW + 1), false, false, true),
        (Some(NOW), false, false, false),
        (None, true, false, false),
        (None, false, true, false),
    ] {
        let mut stage = Stage::new();
        let ticket = stage.ticket(expires, approve);
        let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0), stage.to_ticket(1, ticket)], &[]);
        stage.write(0, ControlBody::Rekey(rekey));
        if close {
            stage.close(ticket, None);
        }
        assert_eq!(stage.fit(1), fit, "expires {expires:?} approve {approve} close {close}");
    }
}

#[test]
fn k2_a_key_nobody_rekeyed_or_sealed_to_a_stranger_is_unfit() {
    let mut stage = Stage::new();
    let grant = Grant { key: stage.key(1).0, seals: vec![stage.to_person(0, 1, 0)] };
    stage.write(0, ControlBody::Grant(grant));
    assert!(!stage.fit(1), "a grant alone makes no key");
    let stranger = stage.seal(0, 2, RecipientId([9; 32]), &stage.people[3].card.card.sealing_key);
    let rekey = stage.rekey(2, vec![stage.to_person(0, 2, 0), stranger], &[]);
    stage.write(0, ControlBody::Rekey(rekey));
    assert!(!stage.fit(2), "somebody unknown may hold it");
}

#[test]
fn k2_knowing_a_key_is_knowing_what_it_wraps() {
    let mut stage = Stage::new();
    let (gone, open) = (stage.ticket(None, false), stage.ticket(None, false));
    let first = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    stage.write(0, ControlBody::Rekey(first));
    let second = stage.rekey(2, vec![stage.to_person(0, 2, 0), stage.to_ticket(2, gone)], &[1]);
    stage.write(0, ControlBody::Rekey(second));
    let third = stage.rekey(3, vec![stage.to_person(0, 3, 0), stage.to_ticket(3, open)], &[2]);
    stage.close(gone, Some(third));
    // The closed ticket opens 2, and by it 1; not 3.
    assert_eq!([1, 2, 3].map(|number| stage.fit(number)), [false, false, true]);
    let ring = stage.ring(0, None);
    assert_eq!(ring.heads(), [stage.key(3).0]);
    assert_eq!(ring.fit_key(&Roster::fold(&stage.dag), NOW), Some(stage.key(3).0));
    let by_ticket = stage.ring(1, Some(gone));
    let held = [1, 2, 3].map(|number| by_ticket.get(&stage.key(number).0).is_some());
    assert_eq!(held, [true, true, false], "history opens through the wraps");
}

#[test]
fn k2_an_undone_join_makes_every_key_it_knew_unfit() {
    let mut stage = Stage::new();
    let ticket = stage.ticket(None, false);
    let body = ControlBody::Close(Close { ticket: stage.tickets[ticket].0, rekey: None });
    let unseeing = stage.sign(0, body, None);
    stage.join(1, ticket);
    let rekey = stage.rekey(1, vec![stage.to_person(1, 1, 1), stage.to_person(1, 1, 0)], &[]);
    stage.write(1, ControlBody::Rekey(rekey));
    assert!(stage.fit(1));
    stage.put(unseeing);
    assert!(!Roster::fold(&stage.dag).reads(&stage.people[1].identity.peer()));
    assert!(!stage.fit(1), "its author is out");
    assert!(stage.ring(0, None).get(&stage.key(1).0).is_some(), "and yet it opens (K6)");
}

#[test]
fn k3_the_deepest_fit_key_is_taken() {
    let mut stage = Stage::new();
    for number in 1..=4 {
        let wraps: Vec<u8> = if number > 1 { vec![number - 1] } else { Vec::new() };
        let rekey = stage.rekey(number, vec![stage.to_person(0, number, 0)], &wraps);
        stage.write(0, ControlBody::Rekey(rekey));
    }
    let fit_key = |stage: &Stage| stage.ring(0, None).fit_key(&Roster::fold(&stage.dag), NOW);
    assert_eq!(fit_key(&stage), Some(stage.key(4).0));
    // One deeper that somebody unknown has makes all below it unfit; what stands apart from them is taken.
    let unknown = stage.seal(0, 5, RecipientId([9; 32]), &stage.people[0].card.card.sealing_key);
    let leaked = stage.rekey(5, vec![stage.to_person(0, 5, 0), unknown], &[4]);
    stage.write(0, ControlBody::Rekey(leaked));
    assert_eq!(fit_key(&stage), None);
    let apart = stage.rekey(6, vec![stage.to_person(0, 6, 0)], &[]);
    stage.write(0, ControlBody::Rekey(apart));
    assert_eq!(fit_key(&stage), Some(stage.key(6).0));
}

/// Each wraps all before it, or says so: the ways through such a web are more than anybody can walk.
#[test]
fn k3_a_web_of_wraps_is_measured_without_walking_every_way_through_it() {
    let mut stage = Stage::new();
    let rubbish = |number: u16| {
        // The newest has the lowest id: the worst order to come by.
        let id = KeyId(std::array::from_fn(|at| (!number).to_be_bytes()[at % 2]));
        Wrap { key: id, sealed: vec![0; 48].into() }
    };
    for number in 0..WEB {
        let wraps: Vec<Wrap> = (0..number).map(rubbish).collect();
        stage.write(0, ControlBody::Rekey(Rekey { key: rubbish(number).key, seals: vec![], wraps }));
    }
    let mut top = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    top.wraps = vec![rubbish(WEB - 1)];
    stage.write(0, ControlBody::Rekey(top));
    let low = stage.rekey(2, vec![stage.to_person(0, 2, 0)], &[]);
    stage.write(0, ControlBody::Rekey(low));
    let fit = stage.ring(0, None).fit_key(&Roster::fold(&stage.dag), NOW);
    assert_eq!(fit, Some(stage.key(1).0), "the one with the longest line below it");
}

#[test]
fn k5_readers_and_tickets_without_a_key_are_found_by_their_cards() {
    let mut stage = Stage::new();
    let ticket = stage.ticket(None, false);
    let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    stage.write(0, ControlBody::Rekey(rekey));
    let unaware = |stage: &Stage| -> Vec<RecipientId> {
        let lacking = stage.ring(0, None).unaware(&stage.key(1).0, &Roster::fold(&stage.dag), NOW);
        let mut ids: Vec<RecipientId> = lacking.iter().map(|one| one.to).collect();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<RecipientId>| {
        ids.sort();
        ids
    };
    let ticket_id = stage.to_ticket(1, ticket).to;
    assert_eq!(unaware(&stage), [ticket_id]);
    stage.join(1, ticket);
    let bob = stage.people[1].card.card.id();
    assert_eq!(unaware(&stage), sorted(vec![bob, ticket_id]));
    let grant = Grant { key: stage.key(1).0, seals: vec![stage.to_ticket(1, ticket)] };
    stage.write(0, ControlBody::Grant(grant));
    assert!(unaware(&stage).is_empty(), "he opens it by the ticket he joined by");
    // He loses his store: a new sealing key, a new card. What was sealed to the old one does not help him.
    let reborn = Identity::new(&[2; 32], Zeroizing::new([200; 32])).card(0, 50);
    stage.write(1, ControlBody::Card(NewCard { card: reborn.clone() }));
    assert_eq!(unaware(&stage), [reborn.card.id()]);
    // A card signed again for the same sealing key is no news.
    let again = stage.people[0].identity.card(0, 60);
    stage.write(0, ControlBody::Card(NewCard { card: again }));
    assert_eq!(unaware(&stage), [reborn.card.id()]);
    assert_eq!(recipients(&Roster::fold(&stage.dag), NOW).len(), 4, "Alice, Bob twice, the ticket");
}

/// Whoever knows both can make a second rekey of the older key that wraps the newer one.
#[test]
fn k1_keys_that_wrap_each_other_are_heads_and_are_wrapped_by_the_next() {
    let mut stage = Stage::new();
    let first = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    stage.write(0, ControlBody::Rekey(first));
    let second = stage.rekey(2, vec![stage.to_person(0, 2, 0)], &[1]);
    stage.write(0, ControlBody::Rekey(second));
    assert_eq!(stage.ring(0, None).heads(), [stage.key(2).0]);
    let circle = stage.rekey(1, vec![], &[2]);
    stage.write(0, ControlBody::Rekey(circle));
    let both: BTreeSet<KeyId> = [1, 2].into_iter().map(|number| stage.key(number).0).collect();
    assert_eq!(stage.ring(0, None).heads().into_iter().collect::<BTreeSet<_>>(), both, "neither is lost");
    let next = stage.rekey(3, vec![stage.to_person(0, 3, 0)], &[1, 2]);
    stage.write(0, ControlBody::Rekey(next));
    assert_eq!(stage.ring(0, None).heads(), [stage.key(3).0]);
    let around_itself = stage.rekey(4, vec![stage.to_person(0, 4, 0)], &[4]);
    stage.write(0, ControlBody::Rekey(around_itself));
    assert!(stage.ring(0, None).heads().contains(&stage.key(4).0));
}

/// A machine and its copy may both say so, and a grant may have heard of one of them.
#[test]
fn k5_a_want_that_no_grant_has_seen_stays_in_every_order() {
    let mut stage = Stage::new();
    let ticket = stage.ticket(None, false);
    stage.join(1, ticket);
    let key = stage.key(1).0;
    let before = stage.dag.clone();
    let want = stage.sign(1, ControlBody::Want(Want { keys: vec![key] }), None);
    stage.put(want.clone());
    let grant = ControlBody::Grant(Grant { key, seals: vec![stage.to_person(0, 1, 1)] });
    let grant = stage.sign(0, grant, None);
    stage.dag = before.clone();
    stage.write(0, ControlBody::Note(Note {}));
    let note = stage.dag.iter().last().unwrap().clone();
    let other = stage.sign(1, ControlBody::Want(Want { keys: vec![key] }), None);
    for order in [[&want, &grant, &other], [&other, &want, &grant], [&want, &other, &grant]] {
        stage.dag = before.clone();
        stage.put(note.clone());
        for entry in order {
            stage.put(entry.clone());
        }
        let peer = stage.people[1].identity.peer();
        assert!(stage.ring(0, None).is_wanted_by(&key, &peer));
    }
}

#[test]
fn a_seal_taken_from_somebody_elses_entry_does_not_open() {
    let mut stage = Stage::new();
    let ticket = stage.ticket(None, false);
    stage.join(1, ticket);
    // Bob writes a rekey with a seal that Alice made.
    let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    stage.write(1, ControlBody::Rekey(rekey));
    assert!(stage.ring(0, None).get(&stage.key(1).0).is_none());
}

#[test]
fn a_ticket_whose_text_comes_later_opens_what_was_sealed_to_it_before() {
    let mut stage = Stage::new();
    let ticket = stage.ticket(None, false);
    let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0), stage.to_ticket(1, ticket)], &[]);
    stage.write(0, ControlBody::Rekey(rekey));
    let mut ring = stage.ring(1, None);
    assert!(ring.is_empty());
    let keys = &stage.tickets[ticket].1;
    let to = ticket_recipient(&keys.signing_key(), &keys.sealing_key);
    ring.read_again();
    let openers = [Opener { to, secret: &keys.sealing_secret }];
    ring.read(&stage.room, &stage.dag, &Roster::fold(&stage.dag), &openers, 0);
    assert!(ring.get(&stage.key(1).0).is_some());
}

/// Two machines that began with the same randomness must not have one sealing key; somebody who copies another's card key into
/// a card of their own gets nothing by it, and keeps nobody from being given what they lack.
#[test]
fn k5_who_bears_the_sealing_key_of_another_is_not_taken_for_that_other() {
    let mut stage = Stage::new();
    let open = stage.ticket(None, false);
    // Bob signs a card with the sealing key of Alice.
    stage.people[1].identity = Identity::new(&[2; 32], Zeroizing::new([101; 32]));
    stage.people[1].card = stage.people[1].identity.card(0, 0);
    assert_eq!(stage.people[1].card.card.sealing_key, stage.people[0].card.card.sealing_key);
    stage.join(1, open);
    stage.close(open, None);
    let rekey = stage.rekey(1, vec![stage.to_person(0, 1, 0)], &[]);
    stage.write(0, ControlBody::Rekey(rekey));
    let (ring, roster) = (stage.ring(0, None), Roster::fold(&stage.dag));
    let unaware = ring.unaware(&stage.key(1).0, &roster, NOW);
    assert_eq!(unaware.iter().map(|one| one.to).collect::<Vec<_>>(), [stage.people[1].card.card.id()]);
}

#[test]
fn two_identities_that_begin_with_the_same_randomness_have_two_sealing_keys() {
    let sealing = |secret: u8| {
        let now = parlor_core::engine::api::Now { wall_ms: 0, mono_ms: 0 };
        let (_, ops) = Engine::restore(now, &[secret; 32], [7; 32], "nick", Snapshot::default());
        let found = ops.into_iter().find_map(|op| match op {
            Op::Put { table: Table::Own, key, value } if key == OWN_SEALING => Some(value),
            _ => None,
        });
        found.unwrap()
    };
    assert_ne!(sealing(1), sealing(2));
    assert_eq!(sealing(1), sealing(1));
}

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Alice's room with Bob and Carol in it, and what Alice's node has read of it so far.
fn giving() -> (Stage, KeyRing) {
    let mut stage = Stage::new();
    let open = stage.ticket(None, false);
    stage.join(1, open);
    stage.join(2, open);
    stage.close(open, None);
    let ring = stage.ring(0, None);
    (stage, ring)
}

impl Stage {
    /// A new key of Alice's for all three, or for her and Bob.
    fn new_key(&mut self, number: u8, carol: bool) {
        let mut seals = vec![self.to_person(0, number, 0), self.to_person(0, number, 1)];
        seals.extend(carol.then(|| self.to_person(0, number, 2)));
        let rekey = self.rekey(number, seals, &[]);
        self.write(0, ControlBody::Rekey(rekey));
    }

    fn put_out(&mut self, who: usize) {
        let person = &self.people[who];
        let memberships = person.membership.into_iter().collect();
        let identity = person.identity.peer();
        self.write(0, ControlBody::Remove(Remove { identity, memberships, cuts: Vec::new(), rekey: None }));
    }

    fn reads(&self, ring: &mut KeyRing, now_ms: u64) {
        ring.read(&self.room, &self.dag, &Roster::fold(&self.dag), &[], now_ms);
    }

    fn is_fit(&self, ring: &KeyRing, number: u8) -> bool {
        ring.fit(&self.key(number).0, &Roster::fold(&self.dag), NOW)
    }
}

#[test]
fn k5_gifts_to_strangers_make_keys_unfit_three_times_an_hour() {
    let (mut stage, mut ring) = giving();
    let bob = stage.people[1].identity.peer();
    let mut fit = Vec::new();
    for number in 1..=6 {
        stage.new_key(number, true);
        let seals =
            vec![stage.seal(1, number, RecipientId([number; 32]), &stage.people[3].card.card.sealing_key)];
        stage.write(1, ControlBody::Grant(Grant { key: stage.key(number).0, seals }));
        stage.reads(&mut ring, 1_000);
        fit.push(stage.is_fit(&ring, number));
    }
    assert_eq!(fit, [false, false, false, true, true, true]);
    assert!((1..=6).all(|number| !stage.fit(number)), "who finds them at its start heeds them all");
    let leaks: Vec<_> = ring.take_leaks().into_iter().map(|leak| (leak.by, leak.unheeded)).collect();
    assert_eq!(leaks, [(bob, false), (bob, true)]);
    // An hour later one is heeded again.
    stage.new_key(7, true);
    let seals = vec![stage.seal(1, 7, RecipientId([7; 32]), &stage.people[3].card.card.sealing_key)];
    stage.write(1, ControlBody::Grant(Grant { key: stage.key(7).0, seals }));
    stage.reads(&mut ring, 1_000 + HOUR_MS);
    assert!(!stage.is_fit(&ring, 7));
    // When Bob is out, none is fit that he was ever given.
    stage.put_out(1);
    stage.reads(&mut ring, 1_000 + HOUR_MS);
    assert!((1..=7).all(|number| !stage.is_fit(&ring, number)));
    assert!((1..=7).all(|number| !stage.fit(number)), "nor to one who reads it all anew");
}

/// A new key for strangers that wraps the present one is a gift like any other, and never fit itself.
#[test]
fn k5_keys_made_for_strangers_are_gifts_too_and_never_fit() {
    let (mut stage, mut ring) = giving();
    for number in 1..=6 {
        stage.new_key(number, true);
        let stranger =
            stage.seal(1, number + 10, RecipientId([9; 32]), &stage.people[3].card.card.sealing_key);
        let seals = vec![stage.to_person(1, number + 10, 0), stranger];
        let rekey = stage.rekey(number + 10, seals, &[number]);
        stage.write(1, ControlBody::Rekey(rekey));
        stage.reads(&mut ring, 1_000);
        assert_eq!(stage.is_fit(&ring, number), number > 3, "{number}");
        assert!(!stage.is_fit(&ring, number + 10), "{number}");
    }
}

/// Who has not heard of a removal gives keys to the removed in good faith, and the removed holds them: nothing may be
/// sealed under these, however many they are.
#[test]
fn k5_what_was_given_by_one_who_had_not_heard_is_always_heeded() {
    let (mut stage, mut ring) = giving();
    for number in 1..=8 {
        stage.new_key(number, false);
    }
    let grants: Vec<Control> = (1..=8)
        .map(|number| {
            let seals = vec![stage.to_person(1, number, 2)];
            stage.sign(1, ControlBody::Grant(Grant { key: stage.key(number).0, seals }), None)
        })
        .collect();
    stage.put_out(2);
    for grant in grants {
        stage.put(grant);
        stage.reads(&mut ring, 1_000);
    }
    assert!((1..=8).all(|number| !stage.is_fit(&ring, number)));
    assert!(ring.take_leaks().is_empty(), "and nobody is accused");
}

/// The same for a join that a close undid, which whoever had not seen the close believed in.
#[test]
fn k5_what_was_given_to_one_whose_join_is_undone_is_always_heeded() {
    let (mut stage, mut ring) = giving();
    let open = stage.ticket(None, false);
    let close = ControlBody::Close(Close { ticket: stage.tickets[open].0, rekey: None });
    let unseeing = stage.sign(0, close, None);
    stage.join(3, open);
    for number in 1..=8 {
        stage.new_key(number, false);
        let seals = vec![stage.to_person(1, number, 3)];
        stage.write(1, ControlBody::Grant(Grant { key: stage.key(number).0, seals }));
        stage.reads(&mut ring, 1_000);
    }
    assert!((1..=8).all(|number| stage.is_fit(&ring, number)));
    stage.put(unseeing);
    stage.reads(&mut ring, 1_000);
    assert!((1..=8).all(|number| !stage.is_fit(&ring, number)));
    let seals = vec![stage.to_person(1, 8, 3)];
    stage.write(1, ControlBody::Grant(Grant { key: stage.key(8).0, seals }));
    stage.reads(&mut ring, 1_000);
    assert!(ring.take_leaks().iter().all(|leak| !leak.unheeded));
}

/// A remove of an owner is none, so nobody who gives to that owner is accused when the owner has left later.
#[test]
fn k5_what_was_given_to_an_owner_is_given_in_good_faith() {
    let (mut stage, mut ring) = giving();
    let identity = stage.people[2].identity.peer();
    let own = stage.write(0, ControlBody::Own(Own { identity }));
    stage.put_out(2);
    assert!(Roster::fold(&stage.dag).owns(&identity), "nobody puts out an owner");
    for number in 1..=6 {
        stage.new_key(number, true);
    }
    stage.people[2].membership = Some(own);
    stage.write(2, ControlBody::Leave(Leave { abandons: false }));
    stage.reads(&mut ring, 1_000);
    assert!(ring.take_leaks().is_empty());
    assert!((1..=6).all(|number| !stage.is_fit(&ring, number)));
}

/// K7: judged by what is in the past of the entries named, whatever came later.
#[test]
fn k7_a_key_is_unfit_in_the_past_of_what_knew_that_a_holder_was_out() {
    let (mut stage, _) = giving();
    stage.new_key(1, true);
    let before = stage.dag.heads().iter().copied().collect::<Vec<_>>();
    let second = stage.rekey(2, vec![stage.to_person(0, 2, 0), stage.to_person(0, 2, 2)], &[1]);
    stage.write(0, ControlBody::Rekey(second));
    stage.put_out(2);
    let out = stage.dag.heads().iter().copied().collect::<Vec<_>>();
    stage.new_key(3, false);
    let granted = Grant { key: stage.key(3).0, seals: vec![stage.to_person(1, 3, 2)] };
    stage.write(1, ControlBody::Grant(granted));
    let leaked = stage.dag.heads().iter().copied().collect::<Vec<_>>();
    stage.new_key(4, false);
    let unwrapped = stage.dag.heads().iter().copied().collect::<Vec<_>>();
    let fifth = stage.rekey(5, vec![stage.to_person(1, 5, 2)], &[4]);
    stage.write(1, ControlBody::Rekey(fifth));
    let wrapped = stage.dag.heads().iter().copied().collect::<Vec<_>>();
    let (ring, roster) = (stage.ring(0, None), Roster::fold(&stage.dag));
    let unfit =
        |number: u8, after: &[EntryId]| ring.unfit_before(&stage.key(number).0, after, &stage.dag, &roster);
    assert!(!unfit(1, &before), "nobody had heard of a removal");
    assert!(unfit(1, &out) && unfit(2, &out), "who is out was given it");
    assert!(
        !unfit(3, &out) && unfit(3, &leaked),
        "a gift that came later says nothing of what was said before"
    );
    assert!(!unfit(4, &unwrapped) && unfit(4, &wrapped), "who knows a key knows what it wraps");
    assert!(!unfit(1, &[]), "nothing is known");
}

#[test]
fn k5_whoever_knew_that_somebody_was_out_gives_to_a_stranger() {
    let (mut stage, mut ring) = giving();
    // To one put out, to a ticket that was closed, to a ticket that is no owner's.
    stage.put_out(2);
    stage.new_key(1, false);
    let closed = stage.to_ticket(1, 0);
    let own = TicketKeys::from_seed(&[77; 32]);
    let own_id = ticket_recipient(&own.signing_key(), &own.sealing_key);
    let to_own = stage.seal(1, 1, own_id, &own.sealing_key);
    let ticket = Ticket {
        signing_key: own.signing_key(),
        sealing_key: own.sealing_key,
        role: Role::Member,
        uses: None,
        expires: None,
        approve: false,
        grants: vec![Grant { key: stage.key(1).0, seals: vec![to_own] }],
    };
    let carol = stage.to_person(1, 1, 2);
    let gifts = [
        ControlBody::Grant(Grant { key: stage.key(1).0, seals: vec![carol] }),
        ControlBody::Grant(Grant { key: stage.key(1).0, seals: vec![closed] }),
        ControlBody::Ticket(ticket),
    ];
    for gift in gifts {
        stage.write(1, gift);
        stage.reads(&mut ring, 1_000);
        assert_eq!(ring.take_leaks().len(), 1);
    }
    // Somebody who is no owner puts nobody out: who gives to such a one is no leak.
    let (mut stage, mut ring) = giving();
    let identity = stage.people[2].identity.peer();
    let memberships = stage.people[2].membership.into_iter().collect();
    stage.write(1, ControlBody::Remove(Remove { identity, memberships, cuts: Vec::new(), rekey: None }));
    stage.new_key(1, false);
    let seals = vec![stage.to_person(0, 1, 2)];
    stage.write(0, ControlBody::Grant(Grant { key: stage.key(1).0, seals }));
    // Later she is put out for good: what was given before was given in good faith.
    stage.put_out(2);
    stage.reads(&mut ring, 1_000);
    assert!(ring.take_leaks().is_empty());
    assert!(!stage.is_fit(&ring, 1));
}

#[test]
fn k1_a_readers_rekey_makes_no_key_to_seal_under() {
    let mut stage = Stage::new();
    let open = stage.ticket(None, false);
    stage.join(1, open);
    stage.close(open, None);
    let seals = vec![stage.to_person(1, 1, 0), stage.to_person(1, 1, 1)];
    let rekey = stage.rekey(1, seals, &[]);
    stage.write(1, ControlBody::Rekey(rekey));
    assert!(stage.fit(1), "a member's does");
    let identity = stage.people[1].identity.peer();
    let lower = SetRole { identity, role: Role::Reader, cuts: Vec::new() };
    stage.write(0, ControlBody::Role(lower));
    assert!(!stage.fit(1));
}
