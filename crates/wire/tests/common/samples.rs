//! One of everything, with fixed keys and times: what round trips, perturbations and vectors are made of.

use std::net::SocketAddr;

use parlor_wire::control::{ControlBody, Role, Ticket};
use parlor_wire::data::{CLASS_CONTENT, CLASS_RECEIPT, body_hash};
use parlor_wire::frame::{
    Ack, ChainTips, ControlBatch, ControlWant, DataBatch, DataHeads, DataPush, DataWant, Frame, Hello, Open,
    Proof, Refusal, Signal, Tip, proof_message,
};
use parlor_wire::ticket::{Endpoint, TicketText};
use parlor_wire::{
    Control, Data, DataHeader, EntryId, KeyId, RecipientId, RoomId, Salt, WIRE_VERSION, domain,
};

use super::{
    Place, Signing, T0, admit, close, control, cut, data, direct, genesis, grant, join, leave, new_card,
    note, own, rekey, remove, role, ticket, want,
};

/// Alice starts a room.
pub const ALICE: u8 = 1;
/// Bob joins it by a ticket and becomes an owner.
pub const BOB: u8 = 2;
/// Carol asks to come in, is let in, changed and put out.
pub const CAROL: u8 = 3;
/// The ticket.
pub const TICKET: u8 = 101;
/// The ticket by which one can only ask.
pub const ASKING: u8 = 102;

/// The room of [`story`].
pub fn room() -> RoomId {
    genesis(&Signing::new(ALICE), 7).room()
}

/// A small room with one entry of each kind, parents before children; each is the only head after the one before.
pub fn story() -> Vec<(&'static str, Control)> {
    let (alice, bob, key) = (Signing::new(ALICE), Signing::new(BOB), Signing::new(TICKET));
    let mut told: Vec<(&'static str, Control)> = vec![("genesis", genesis(&alice, 7))];
    let start = told[0].1.id;
    let room = RoomId::from(start);
    let after =
        |told: &[(&str, Control)]| told.last().map(|(_, entry)| entry.id).into_iter().collect::<Vec<_>>();
    let time = |told: &[(&str, Control)]| T0 + 1000 * told.len() as u64;
    let mut say = |name, author: &Signing, membership: EntryId, body: ControlBody| {
        let entry = control(author, Place::new(room, membership, &after(&told)), body, time(&told));
        told.push((name, entry.clone()));
        if name != "ticket" {
            return entry.id;
        }
        let place = Place::new(room, entry.id, &after(&told));
        let joined = join(&bob, &key, entry.id, place, time(&told));
        told.push(("join", joined.clone()));
        joined.id
    };
    let first_key = rekey(&[alice.card(1, T0).card.id()], 0x11);
    say("rekey", &alice, start, ControlBody::Rekey(first_key));
    let joined = say("ticket", &alice, start, ControlBody::Ticket(full_ticket(&key)));
    say("note", &bob, joined, note());
    let owns = say("own", &alice, start, own(&bob));
    say("card", &bob, joined, new_card(bob.card(2, T0 + 6000)));
    let new_reader = bob.card(2, T0 + 6000).card.id();
    say("grant", &alice, start, ControlBody::Grant(grant(new_reader, 0x11)));
    let ticket_id = told_ticket(&told);
    let mut closing = close(ticket_id);
    if let ControlBody::Close(close) = &mut closing {
        close.rekey = Some(rekey(&[alice.card(1, T0).card.id(), new_reader], 0x22));
    }
    told.push(("close", control(&bob, Place::new(room, owns, &after(&told)), closing, time(&told))));
    told.push((
        "close bare",
        control(&bob, Place::new(room, owns, &after(&told)), close(ticket_id), time(&told)),
    ));
    let mut bare = ticket(&Signing::new(ASKING), Role::Reader);
    bare.approve = true;
    let bare = ControlBody::Ticket(bare);
    told.push(("ticket bare", control(&alice, Place::new(room, start, &after(&told)), bare, time(&told))));
    tell_of_carol(&mut told, start, owns);
    told
}

/// The second half of [`story`]: Carol comes and goes, then the owners do.
fn tell_of_carol(told: &mut Vec<(&'static str, Control)>, alices: EntryId, bobs: EntryId) {
    let (alice, bob, carol) = (Signing::new(ALICE), Signing::new(BOB), Signing::new(CAROL));
    let mut say = |name, author: &Signing, membership: EntryId, body: ControlBody| {
        let (room, before) = (RoomId::from(told[0].1.id), told[told.len() - 1].1.id);
        let place = Place::new(room, membership, &[before]);
        told.push((name, control(author, place, body, T0 + 1000 * told.len() as u64)));
        (before, told[told.len() - 1].1.id)
    };
    let asked = asked_by(&carol, say("note before asking", &alice, alices, note()).0);
    let card = asked.body.card().map_or(RecipientId([0; 32]), |card| card.card.id());
    let mut admits = admit(&asked);
    if let ControlBody::Admit(admit) = &mut admits {
        admit.grants = vec![grant(card, 0x22)];
    }
    let (_, membership) = say("admit", &alice, alices, admits);
    say("role member", &bob, bobs, role(&carol, Role::Member, &[]));
    say("want", &carol, membership, want(&[0x11, 0x22]));
    let cuts = [cut(membership, 5, 1), cut(membership, 5, 2)];
    say("role reader", &alice, alices, role(&carol, Role::Reader, &cuts));
    let mut removes = remove(&carol, &[membership], &[cut(membership, 300, 1)]);
    if let ControlBody::Remove(remove) = &mut removes {
        remove.rekey = Some(rekey(&[alice.card(1, T0).card.id()], 0x33));
    }
    say("remove", &bob, bobs, removes);
    say("remove bare", &alice, alices, remove(&carol, &[], &[]));
    say("leave", &bob, bobs, leave(false));
    say("leave and abandon", &alice, alices, leave(true));
}

fn asked_by(who: &Signing, ticket: EntryId) -> Control {
    super::request(who, &Signing::new(ASKING), ticket, Place::new(room(), ticket, &[ticket]), T0 + 9500)
}

/// The direct room of Alice and Bob: she opens it and knows a card of his, he follows and knows none, she writes a
/// key; and what she wrote when she had not heard that it is open already.
pub fn direct_story() -> Vec<(&'static str, Control)> {
    let (alice, bob) = (Signing::new(ALICE), Signing::new(BOB));
    let opened = direct(&alice, &bob, &[bob.card(1, T0)], &[], T0);
    let room = opened.room();
    let followed = direct(&bob, &alice, &[], &[opened.id], T0 + 1000);
    let readers = [alice.card(1, T0).card.id(), bob.card(1, T0).card.id()];
    let key = ControlBody::Rekey(rekey(&readers, 0x44));
    let keyed = control(&alice, Place::new(room, opened.id, &[followed.id]), key, T0 + 2000);
    let again = direct(&alice, &bob, &[bob.card(1, T0), bob.card(2, T0)], &[], T0 + 3000);
    vec![("direct", opened), ("direct answered", followed), ("direct rekey", keyed), ("direct again", again)]
}

/// What Carol asks in [`story`]: it stands in the admit, and in no DAG.
pub fn request() -> Control {
    let admits = story().into_iter().find_map(|(_, entry)| match entry.body {
        ControlBody::Admit(admit) => Some(*admit.request),
        _ => None,
    });
    admits.unwrap_or_else(|| genesis(&Signing::new(ALICE), 7))
}

fn told_ticket(told: &[(&str, Control)]) -> EntryId {
    told.iter().find(|(name, _)| *name == "ticket").map_or(EntryId([0; 32]), |(_, entry)| entry.id)
}

/// A ticket with every field used.
fn full_ticket(key: &Signing) -> Ticket {
    let mut full = ticket(key, Role::Member);
    full.uses = Some(3);
    full.expires = Some(T0 + 7 * 86_400_000);
    full.grants = vec![grant(full.recipient(), 0x11)];
    full
}

/// A sealed body of the right form and no meaning.
pub fn sealed(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 + 3) as u8).collect()
}

/// A chain of data entries on the genesis of [`story`], by Alice.
pub fn chain() -> Vec<(&'static str, Data)> {
    let alice = Signing::new(ALICE);
    let room = room();
    let mut entries: Vec<(&'static str, Data)> = Vec::new();
    let mut say = |name, class, bytes: usize, change: &dyn Fn(&mut DataHeader)| {
        let body = sealed(bytes);
        let mut header = DataHeader {
            v: WIRE_VERSION,
            room,
            chain: EntryId::from(room),
            seq: entries.len() as u64,
            prev: entries.last().map(|(_, entry)| entry.id),
            class,
            time: T0 + 60_000 * entries.len() as u64,
            key: KeyId([0x11; 32]),
            salt: Salt([entries.len() as u8; 16]),
            slot: None,
            supersedes: None,
            after: None,
            body_hash: Some(body_hash(&body)),
            body_len: bytes as u32,
        };
        change(&mut header);
        let entry = data(&alice, header, Some(body));
        entries.push((name, entry.clone()));
        entry.id
    };
    let heads = story()[1].1.id;
    say("content", CLASS_CONTENT, 272, &|header| header.after = Some(vec![heads]));
    let first = say("receipt", CLASS_RECEIPT, 48, &|header| header.slot = Some(Salt([0x51; 16])));
    say("superseding receipt", CLASS_RECEIPT, 48, &|header| {
        header.slot = Some(Salt([0x51; 16]));
        header.supersedes = Some(first);
    });
    say("unknown class", 200, 16, &|_| {});
    let mut gone = entries[1].1.clone();
    gone.body = None;
    entries.push(("body gone", gone));
    entries
}

/// A signal by Bob.
pub fn signal() -> Signal {
    signal_of(0x5e, 90)
}

/// Where Bob is.
pub fn whereabouts() -> Signal {
    signal_of(0, 0)
}

fn signal_of(session: u8, ttl_s: u32) -> Signal {
    let bob = Signing::new(BOB);
    let mut signal = Signal {
        author: bob.peer(),
        session: Salt([session; 16]),
        counter: 42,
        ttl_s,
        key: KeyId([0x11; 32]),
        salt: Salt([0x5a; 16]),
        sealed: sealed(96).into(),
        signature: None,
    };
    let message = [&room().0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(bob.sign(domain::SIGNAL_SIGNATURE, &message));
    signal
}

/// Bob's proof to Alice that he holds the ticket's text, answering the nonce of her hello.
pub fn proof() -> Proof {
    let (alice, bob, key) = (Signing::new(ALICE), Signing::new(BOB), Signing::new(TICKET));
    let room = room();
    let message = proof_message(&bob.peer(), &alice.peer(), &room, &Salt([0xa1; 16]));
    Proof { signing_key: key.peer(), signature: key.sign(domain::LINK_PROOF, &message) }
}

/// One frame of each kind, and each refusal.
pub fn frames() -> Vec<(&'static str, Frame)> {
    let (story, room) = (story(), room());
    let ids: Vec<EntryId> = story.iter().map(|(_, entry)| entry.id).collect();
    let chain = EntryId::from(room);
    let tips = vec![ChainTips { chain, tips: vec![Tip { seq: 3, id: ids[1] }, Tip { seq: 2, id: ids[2] }] }];
    let data: Vec<_> = self::chain().iter().take(2).map(|(_, entry)| entry.encode().into()).collect();
    let entries = vec![story[0].1.encode().into()];
    vec![
        (
            "hello of who knows more",
            Frame::Hello(Hello { v: WIRE_VERSION, nonce: Salt([0xa2; 16]), knows: u64::MAX }),
        ),
        ("hello", Frame::Hello(Hello { v: WIRE_VERSION, nonce: Salt([0xa1; 16]), knows: 0 })),
        ("open as a member", Frame::Open(Open { room, proof: None })),
        ("open by a ticket", Frame::Open(Open { room, proof: Some(proof()) })),
        ("refuse: not entitled", Frame::Refuse(Refusal::NotEntitled)),
        ("refuse: ticket closed", Frame::Refuse(Refusal::TicketClosed)),
        ("refuse: ticket expired", Frame::Refuse(Refusal::TicketExpired)),
        ("refuse: ticket spent", Frame::Refuse(Refusal::TicketSpent)),
        ("refuse: version", Frame::Refuse(Refusal::Version)),
        ("refuse: busy", Frame::Refuse(Refusal::Busy)),
        ("refuse: full", Frame::Refuse(Refusal::Full)),
        ("control heads", Frame::ControlHeads(vec![ids[3]])),
        ("control want", Frame::ControlWant(ControlWant { want: vec![ids[3]], have: vec![ids[1], ids[0]] })),
        ("control batch", Frame::ControlBatch(ControlBatch { entries, more: true })),
        ("data heads", Frame::DataHeads(DataHeads { chains: tips.clone(), complete: true })),
        ("data want", Frame::DataWant(DataWant { chain, from_seq: 2, to_seq: 257 })),
        ("data batch", Frame::DataBatch(DataBatch { chain, from_seq: 0, entries: data.clone() })),
        ("data push", Frame::DataPush(DataPush { entries: data })),
        ("ack", Frame::Ack(Ack { chains: tips })),
        ("signal", Frame::Signal(signal())),
        ("whereabouts", Frame::Whereabouts(whereabouts())),
    ]
}

/// Ticket texts from the shortest to one that is full.
pub fn tickets() -> Vec<(&'static str, TicketText)> {
    let bare = TicketText {
        room: room(),
        seed: zeroize::Zeroizing::new([0x77; 32]),
        endpoints: vec![],
        relay: None,
        expires: None,
    };
    let endpoint = |number: u8, addresses: &[&str]| Endpoint {
        peer: Signing::new(number).peer(),
        addresses: addresses.iter().filter_map(|address| address.parse::<SocketAddr>().ok()).collect(),
    };
    let start = TicketText {
        endpoints: vec![endpoint(ALICE, &["192.168.1.20:4433", "[fd00::20]:4433"])],
        expires: Some(T0 + 7 * 86_400_000),
        ..bare.clone()
    };
    let relayed = TicketText {
        endpoints: vec![endpoint(ALICE, &["10.0.0.1:1"])],
        relay: Some("https://hub.example".into()),
        ..bare.clone()
    };
    let three = TicketText {
        endpoints: vec![endpoint(ALICE, &[]), endpoint(BOB, &[]), endpoint(3, &[])],
        expires: Some(T0),
        ..bare.clone()
    };
    vec![("shortest", bare), ("one endpoint", start), ("relay", relayed), ("three endpoints", three)]
}

/// Contents of tickets as others may make them by hand, byte by byte: within the limits, and beyond them.
pub fn ticket_contents() -> Vec<(&'static str, Vec<u8>)> {
    let head = |items: u8| [&[0x80 + items, 0x58, 0x20][..], &room().0, &[0x58, 0x20], &[0x77; 32]].concat();
    let endpoint = |addresses: u8| {
        let address = [0x46, 10, 0, 0, 1, 17, 81].repeat(addresses.into());
        let peer = Signing::new(ALICE).peer().0;
        [&[0x81, 0x82, 0x58, 0x20][..], &peer, &[0x80 + addresses], &address].concat()
    };
    let relay = "https://hub.example";
    let relay = [&[0xf6, 0x60 + relay.len() as u8][..], relay.as_bytes()].concat();
    let expires = [&[0x1b][..], &(u64::MAX / 1000 + 1).to_be_bytes()].concat();
    vec![
        ("no endpoint", [head(3), vec![0x80]].concat()),
        ("four addresses", [head(3), endpoint(4)].concat()),
        ("five addresses", [head(3), endpoint(5)].concat()),
        ("fifteen addresses", [head(3), endpoint(15)].concat()),
        ("a time beyond all milliseconds", [head(4), endpoint(1), expires].concat()),
        ("a relay and no time", [head(5), endpoint(1), relay].concat()),
    ]
}

/// The text that holds a content, whatever it is.
pub fn ticket_text(content: &[u8]) -> String {
    let mut bytes = vec![1, content.len() as u8];
    bytes.extend_from_slice(content);
    let checksum = blake3::derive_key(domain::TICKET_CHECKSUM, &bytes);
    bytes.extend_from_slice(&checksum[..4]);
    format!("parlor1{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase())
}
