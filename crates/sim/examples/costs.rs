//! What the engine's heavy parts cost, for `cargo xtask bench`: a new room key for fifty, ten thousand control entries
//! read, inserted and folded from nothing, sealing and opening. One JSON object a line, the samples raw; judges nothing.
//! `cargo run --release -p parlor-sim --example costs`
#![allow(clippy::print_stdout, clippy::panic)]

use std::hint::black_box;
use std::time::Instant;

use parlor_core::crypto::{self, EntryContext, RoomKey, SealContext};
use parlor_core::engine::api::{Command, Event};
use parlor_core::identity::Identity;
use parlor_sim::World;
use parlor_wire::control::{
    Control, ControlBody, ControlHeader, Genesis, Grant, Join, NewCard, Note, Remove, Role, Seal, SetRole,
    Ticket,
};
use parlor_wire::data::{CLASS_CONTENT, DataHeader};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{EntryId, KeyId, RULES, RecipientId, RoomId, SUITE, Salt, WIRE_VERSION, domain};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

const REKEY_MEMBERS: usize = 50;
const REKEYS: usize = 20;
const CONTROL_ENTRIES: usize = 10_000;
const PEOPLE: usize = 500;
/// Entries written at once by people who have not seen each other's.
const ABREAST: usize = 4;
const FOLDS: usize = 10;
const SEALINGS: u64 = 20_000;
const KEY_SEALINGS: usize = 500;
const SERIES: usize = 5;
const TEXT_BYTES: usize = 512;

fn main() {
    rekeys();
    let entries = long_room();
    control(&entries);
    bodies();
    keys();
}

fn print(what: &str, unit: &str, samples: &[f64]) {
    let samples: Vec<String> = samples.iter().map(f64::to_string).collect();
    println!(r#"{{"what":"{what}","unit":"{unit}","samples":[{}]}}"#, samples.join(","));
}

fn ms_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// Closing a ticket makes a key, seals it to every member and folds the roster again.
fn rekeys() {
    let mut world = World::new(1);
    let alice = world.add_node("alice");
    let invited = world.start_room(alice, "room");
    for n in 1..REKEY_MEMBERS {
        let node = world.add_node(&format!("member {n}"));
        assert!(matches!(world.join(node, &invited.text, 30_000), Some(Ok(_))), "{n} did not join");
        // Who has joined sleeps, so that building the room does not take longer than measuring it.
        world.put_to_sleep(node);
    }
    world.pass(1_000);
    let expires = Some(world.wall_ms(alice) + 1_000_000);
    let mut took = Vec::new();
    for _ in 0..REKEYS {
        let Some(Ok(ticket)) = world.invite(alice, invited.room, expires) else { panic!("no ticket") };
        let now = world.nodes[alice].now(world.now_ms);
        let Some(engine) = &mut world.nodes[alice].engine else { panic!("no engine") };
        let command = Command::CloseTicket { room: invited.room, ticket: ticket.id };
        let begun = Instant::now();
        let effects = engine.handle(now, Event::Command { request: u64::MAX, command });
        took.push(ms_since(begun));
        assert!(!effects.is_empty());
    }
    let members = world.nodes[alice].engine.as_ref().and_then(|engine| engine.room(&invited.room));
    assert_eq!(members.map(|view| view.members), Some(REKEY_MEMBERS as u64));
    print(&format!("rekey of {REKEY_MEMBERS} members"), "ms", &took);
}

/// Who writes the long room, and the entry they write as.
struct Writer {
    identity: Identity,
    membership: Option<EntryId>,
}

struct LongRoom {
    room: RoomId,
    writers: Vec<Writer>,
    entries: Vec<Control>,
    heads: Vec<EntryId>,
}

impl LongRoom {
    fn sign(&self, who: usize, body: ControlBody, ticket: Option<&crypto::TicketKeys>) -> Control {
        let writer = &self.writers[who];
        let genesis = matches!(body, ControlBody::Genesis(_));
        let mut after = self.heads.clone();
        after.sort_unstable();
        let header = ControlHeader {
            v: WIRE_VERSION,
            rules: RULES,
            suite: SUITE,
            room: (!genesis).then_some(self.room),
            author: writer.identity.peer(),
            membership: writer.membership,
            kind: body.kind(),
            after,
            time: self.entries.len() as u64,
            body: body.bytes().into(),
        };
        let signature = writer.identity.sign(domain::CONTROL_SIGNATURE, &header.bytes());
        let cosigned = ticket.map(|keys| keys.sign(domain::JOIN_SIGNATURE, &header.bytes()));
        Control::new(header, body, signature, cosigned)
    }

    /// Writes what these say without having seen each other.
    fn write(&mut self, round: Vec<(usize, ControlBody)>, ticket: Option<&crypto::TicketKeys>) {
        let written: Vec<(usize, Control)> =
            round.into_iter().map(|(who, body)| (who, self.sign(who, body, ticket))).collect();
        self.heads = written.iter().map(|(_, control)| control.id).collect();
        for (who, control) in written {
            if control.body.makes_membership() {
                self.writers[who].membership = Some(control.id);
            }
            self.entries.push(control);
        }
    }

    /// What somebody writes as the nth entry: mostly keys for others, at times an owner's ruling.
    fn act(&self, n: usize) -> (usize, ControlBody) {
        let who = n % PEOPLE;
        let identity = self.writers[who].identity.peer();
        match n % 20 {
            0 => (0, ControlBody::Role(SetRole { identity, role: Role::Reader, cuts: Vec::new() })),
            1 if n % 100 == 1 => {
                let memberships = self.writers[who].membership.into_iter().collect();
                (0, ControlBody::Remove(Remove { identity, memberships, cuts: Vec::new(), rekey: None }))
            }
            2..=3 => (who, ControlBody::Card(NewCard { card: self.writers[who].identity.card(0, n as u64) })),
            4..=9 => {
                let enc = self.writers[who].identity.card(0, 0).card.sealing_key;
                let seal = Seal { to: RecipientId([7; 32]), enc, sealed: vec![7; 48].into() };
                (who, ControlBody::Grant(Grant { key: KeyId([7; 32]), seals: vec![seal] }))
            }
            _ => (who, ControlBody::Note(Note {})),
        }
    }
}

fn long_room() -> Vec<Control> {
    let writer = |n: usize| {
        let mut secret = [1; 32];
        secret[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Writer { identity: Identity::new(&secret, Zeroizing::new(secret)), membership: None }
    };
    let writers: Vec<Writer> = (0..PEOPLE).map(writer).collect();
    let mut long = LongRoom { room: RoomId([0; 32]), writers, entries: Vec::new(), heads: Vec::new() };
    let card = long.writers[0].identity.card(0, 0);
    long.write(vec![(0, ControlBody::Genesis(Genesis { card, nonce: Salt([0; 16]) }))], None);
    long.room = RoomId::from(long.entries[0].id);
    let keys = crypto::TicketKeys::from_seed(&[9; 32]);
    let ticket = Ticket {
        signing_key: keys.signing_key(),
        sealing_key: keys.sealing_key,
        role: Role::Member,
        uses: None,
        expires: None,
        approve: false,
        grants: Vec::new(),
    };
    long.write(vec![(0, ControlBody::Ticket(ticket))], None);
    let ticket = long.entries[1].id;
    for who in 1..PEOPLE {
        let card = long.writers[who].identity.card(0, 0);
        long.write(vec![(who, ControlBody::Join(Join { ticket, card }))], Some(&keys));
    }
    while long.entries.len() < CONTROL_ENTRIES {
        let abreast = ABREAST.min(CONTROL_ENTRIES - long.entries.len());
        let first = long.entries.len();
        long.write((first..first + abreast).map(|n| long.act(n)).collect(), None);
    }
    long.entries
}

fn control(entries: &[Control]) {
    let bytes: Vec<Vec<u8>> = entries.iter().map(Control::encode).collect();
    let (mut read, mut inserted, mut folded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FOLDS {
        let begun = Instant::now();
        let controls: Vec<Control> = bytes.iter().filter_map(|bytes| Control::decode(bytes).ok()).collect();
        read.push(ms_since(begun));
        let mut dag = Dag::new(entries[0].room());
        let begun = Instant::now();
        let put = controls.into_iter().map(|control| dag.insert(control));
        let all_in = put.filter(|put| matches!(put, Insert::In(_))).count();
        inserted.push(ms_since(begun));
        assert_eq!(all_in, CONTROL_ENTRIES);
        let begun = Instant::now();
        let roster = black_box(Roster::fold(&dag));
        folded.push(ms_since(begun));
        assert!(!roster.members.is_empty() && !roster.removed.is_empty());
    }
    print(
        &format!("{CONTROL_ENTRIES} control entries from a store's snapshot to a roster"),
        "ms",
        &opened(&bytes),
    );
    print(&format!("{CONTROL_ENTRIES} control entries decoded and verified"), "ms", &read);
    print(&format!("{CONTROL_ENTRIES} control entries inserted"), "ms", &inserted);
    print(&format!("{CONTROL_ENTRIES} control entries folded from nothing"), "ms", &folded);
}

/// What opening a room costs at a start: the store's snapshot holds entries that were verified when they came.
fn opened(bytes: &[Vec<u8>]) -> Vec<f64> {
    let open = |_| {
        let begun = Instant::now();
        let mut entries = bytes.iter().filter_map(|bytes| Control::decode_trusted(bytes).ok()).peekable();
        let Some(room) = entries.peek().map(Control::room) else { panic!("no entries") };
        let mut dag = Dag::new(room);
        entries.for_each(|control| drop(dag.insert(control)));
        let roster = black_box(Roster::fold(&dag));
        assert!(dag.len() == CONTROL_ENTRIES && !roster.members.is_empty());
        ms_since(begun)
    };
    (0..FOLDS).map(open).collect()
}

fn header(room: RoomId, key: &RoomKey, seq: u64) -> DataHeader {
    DataHeader {
        v: WIRE_VERSION,
        room,
        chain: EntryId([2; 32]),
        seq,
        prev: Some(EntryId([3; 32])),
        class: CLASS_CONTENT,
        time: 1_800_000_000_000,
        key: crypto::key_id(&room, key),
        salt: Salt([4; 16]),
        slot: None,
        supersedes: None,
        after: None,
        body_hash: None,
        body_len: crypto::sealed_len(TEXT_BYTES) as u32,
    }
}

fn bodies() {
    let (room, key, text) = (RoomId([1; 32]), RoomKey::new([9; 32]), [b'x'; TEXT_BYTES]);
    let headers: Vec<DataHeader> = (0..SEALINGS).map(|seq| header(room, &key, seq)).collect();
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for _ in 0..SERIES {
        let begun = Instant::now();
        let seal = |header| crypto::seal_body(&EntryContext { key: &key, header }, &text).ok();
        let sealed: Vec<Vec<u8>> = headers.iter().filter_map(seal).collect();
        sealing.push(SEALINGS as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let open = |(header, sealed): (&DataHeader, &Vec<u8>)| {
            crypto::open_body(&EntryContext { key: &key, header }, &room, sealed).is_ok()
        };
        let opened = headers.iter().zip(&sealed).filter(|pair| open(*pair)).count();
        opening.push(SEALINGS as f64 / begun.elapsed().as_secs_f64());
        assert_eq!(opened as u64, SEALINGS);
    }
    print(&format!("bodies of {TEXT_BYTES} bytes sealed"), "/s", &sealing);
    print(&format!("bodies of {TEXT_BYTES} bytes opened"), "/s", &opening);
}

fn keys() {
    let (room, key) = (RoomId([1; 32]), RoomKey::new([9; 32]));
    let identity = Identity::new(&[1; 32], Zeroizing::new([2; 32]));
    let card = identity.card(0, 0).card;
    let context =
        SealContext { room, key: crypto::key_id(&room, &key), to: card.id(), author: identity.peer() };
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for series in 0..SERIES {
        let mut rng = ChaCha20Rng::from_seed([series as u8; 32]);
        let begun = Instant::now();
        let seal = |_| crypto::seal_key(&context, &card.sealing_key, &key, &mut rng).ok();
        let seals: Vec<Seal> = (0..KEY_SEALINGS).filter_map(seal).collect();
        sealing.push(KEY_SEALINGS as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let open = |seal: &Seal| crypto::open_key(&context, identity.sealing_secret(), seal).is_ok();
        let opened = seals.iter().filter(|seal| open(seal)).count();
        opening.push(KEY_SEALINGS as f64 / begun.elapsed().as_secs_f64());
        assert_eq!(opened, KEY_SEALINGS);
    }
    print("room keys sealed to a card", "/s", &sealing);
    print("room keys opened by a card", "/s", &opening);
}
