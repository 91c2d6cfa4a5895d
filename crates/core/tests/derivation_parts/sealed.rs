//! Bodies of every bucket and of every kind, sealed and signed, and signals. Holds no rule.

use parlor_core::crypto::{self, EntryContext};
use parlor_core::room::body::{Announced, Asking, Body, KIND_MESSAGE, KIND_PROFILE, KIND_REVOKED, KIND_ROOM};
use parlor_core::room::receipt::Receipt;
use parlor_core::room::said::{Said, Whereabouts};
use parlor_wire::data::{CLASS_CONTENT, CLASS_RECEIPT, body_hash};
use parlor_wire::frame::{Frame, Signal};
use parlor_wire::{BodyHash, Data, DataHeader, EntryId, Salt, WIRE_VERSION, domain, limits};
use serde_json::{Value, json};

use super::keys::{ROOMS, person, room_key};
use super::{file, hex};

const TIME: u64 = 1_800_000_000_000;
/// Sealed bodies up to this many bytes stand in the file; of longer ones the hash in the header says enough.
const LONGEST_SHOWN_BYTES: usize = 1040;

/// The most plaintext of each bucket there is.
fn fullest() -> Vec<usize> {
    let small = [256, 512, 1024, 2048, 4096];
    let large = (2..=19).map(|nth| nth * 4096);
    small.into_iter().chain(large).map(|bucket| bucket - 4).collect()
}

pub fn padding() -> Value {
    let mut lengths = vec![0, 1, limits::MAX_TEXT_BYTES];
    lengths.extend(fullest().into_iter().flat_map(|most| [most, most + 1]));
    let all = lengths.into_iter().map(|length| {
        let sealed = Some(crypto::sealed_len(length)).filter(|bytes| *bytes <= limits::MAX_BODY_BYTES);
        json!({ "plaintext_bytes": length, "body_len": sealed })
    });
    file("How long a sealed body is; null: it is not made.", all.collect())
}

struct Written<'a> {
    name: &'a str,
    plaintext: Vec<u8>,
    class: u8,
    seq: u64,
}

fn seal(written: &Written<'_>) -> (DataHeader, Vec<u8>) {
    let (room, key) = (ROOMS[0], room_key(1));
    let number = written.seq as u8;
    let mut header = DataHeader {
        v: WIRE_VERSION,
        room,
        chain: EntryId::from(room),
        seq: written.seq,
        prev: (written.seq > 0).then_some(EntryId([number; 32])),
        class: written.class,
        time: TIME.wrapping_add(written.seq),
        key: crypto::key_id(&room, &key),
        salt: Salt([number ^ 0xc3; 16]),
        slot: (written.class == CLASS_RECEIPT).then_some(Salt([7; 16])),
        supersedes: None,
        after: (written.seq % 3 == 1).then(|| vec![EntryId::from(room)]),
        body_hash: None,
        body_len: crypto::sealed_len(written.plaintext.len()) as u32,
    };
    let context = EntryContext { key: &key, header: &header };
    let sealed = crypto::seal_body(&context, &written.plaintext).unwrap();
    header.body_hash = Some(body_hash(&sealed));
    let context = EntryContext { key: &key, header: &header };
    assert_eq!(crypto::open_body(&context, &room, &sealed), Ok(written.plaintext.clone()));
    (header, sealed)
}

fn vector(written: &Written<'_>) -> Value {
    let (header, sealed) = seal(written);
    let alice = person(1);
    let signature = alice.sign(domain::DATA_SIGNATURE, &header.bytes());
    let short = sealed.len() <= LONGEST_SHOWN_BYTES;
    let data = Data::new(header, signature, short.then_some(sealed));
    let mut vector = json!({
        "name": written.name,
        "key": hex(*room_key(1)),
        "author": hex(alice.peer().0),
        "entry": hex(data.encode()),
    });
    if short {
        vector["plaintext"] = json!(hex(&written.plaintext));
    } else {
        vector["plaintext_bytes"] = json!(written.plaintext.len());
    }
    vector
}

fn said() -> Vec<(&'static str, Body)> {
    let text = |text: &str| Some(text.to_owned());
    let full = Body {
        kind: KIND_MESSAGE,
        text: text("postgres, we have it\nsecond line: \u{e9}\u{1f600}"),
        nick: text("alice"),
        session: text("api"),
        author: Some(1),
        priority: Some(2),
        to: text("api-fix"),
        ..Body::default()
    };
    vec![
        ("a message", Body { text: text("hello"), nick: text("alice"), author: Some(0), ..Body::default() }),
        ("a message with every field", full),
        ("a message without words", Body::default()),
        ("a profile", Body { kind: KIND_PROFILE, nick: text("alice"), ..Body::default() }),
        ("a room's name", Body { kind: KIND_ROOM, text: text("api-redesign"), ..Body::default() }),
        ("a revocation", Body { kind: KIND_REVOKED, nick: text("alice"), ..Body::default() }),
        ("a kind of a newer Parlor", Body { kind: 40_000, ..Body::default() }),
    ]
}

/// Bodies with all that this version writes into open keys.
fn with_open_keys() -> Vec<Written<'static>> {
    let id = |byte: u8| EntryId([byte; 32]);
    let agent = Body { nick: Some("alice".into()), session: Some("api".into()), ..Body::default() };
    let asks = Body {
        text: Some("which port?".into()),
        ask: Some(Asking { deadline: TIME + 120_000 }),
        tags: Some(vec!["backend".into(), "db-2".into()]),
        hops: Some(2),
        peers: Some(vec![person(2).peer(), person(3).peer()]),
        author: Some(1),
        ..agent.clone()
    };
    let file = Announced {
        name: "schema.sql".into(),
        length: 12_400,
        blob: BodyHash([0xb1; 32]),
        key: BodyHash([0x4e; 32]),
    };
    let answers = Body { text: Some("5432".into()), about: Some(id(0xab)), form: Some(1), ..agent };
    let announces = Body { file: Some(file), ..Body::default() };
    let mut receipt = Receipt::new(Salt([5; 16]), Some("api".into()));
    let of = receipt.touch(id(0xc1));
    of.upto = 9;
    (3..=5).chain([8]).for_each(|seq| of.handed.add(seq));
    of.shown.add(4);
    let tells = Body { kind: KIND_PROFILE, receipt: Some(receipt), ..Body::default() };
    let all = [
        ("a message that asks", asks, CLASS_CONTENT, 901),
        ("a message that answers", answers, CLASS_CONTENT, 902),
        ("a message that announces a file", announces, CLASS_CONTENT, 903),
        ("a profile that is a receipt", tells, CLASS_RECEIPT, 904),
    ];
    all.map(|(name, body, class, seq)| Written { name, plaintext: body.encode(), class, seq }).into()
}

pub fn bodies() -> Value {
    let mut all = Vec::new();
    for (name, body) in said() {
        let plaintext = body.encode();
        all.push(Written { name, plaintext, class: CLASS_CONTENT, seq: all.len() as u64 });
    }
    let mut open = said()[0].1.encode();
    open[0] += 1;
    open.extend_from_slice(&[16, 0xf5]);
    all.push(Written { name: "a message with an open key", plaintext: open, class: CLASS_CONTENT, seq: 900 });
    let pattern = |length: usize| (0..length).map(|at| (at * 7 + 3) as u8).collect::<Vec<u8>>();
    for most in fullest() {
        let written = [("a bucket, full", most), ("one byte more", most + 1)];
        for (name, length) in
            written.into_iter().filter(|(_, n)| crypto::sealed_len(*n) <= limits::MAX_BODY_BYTES)
        {
            all.push(Written {
                name,
                plaintext: pattern(length),
                class: CLASS_CONTENT,
                seq: all.len() as u64,
            });
        }
    }
    let receipt = Written { name: "a receipt", plaintext: vec![0xa0], class: CLASS_RECEIPT, seq: u64::MAX };
    all.push(receipt);
    all.extend(with_open_keys());
    file(
        "Data entries with their plaintexts. Where only plaintext_bytes is given, byte number n is (7n + 3) mod 256, and \
         the sealed body is left out of the entry.",
        all.iter().map(vector).collect(),
    )
}

/// A signal of Bob's that says this, and what its vector says of it.
fn signal(
    name: &str,
    at: u8,
    (session, ttl_s): (u8, u32),
    said: Vec<u8>,
    frame: fn(Signal) -> Frame,
) -> Value {
    let (bob, room, key) = (person(2), ROOMS[0], room_key(1));
    let mut signal = Signal {
        author: bob.peer(),
        session: Salt([session; 16]),
        counter: TIME + u64::from(at),
        ttl_s,
        key: crypto::key_id(&room, &key),
        salt: Salt([at; 16]),
        sealed: Vec::new().into(),
        signature: None,
    };
    signal.sealed = crypto::seal_signal(&key, &room, &signal, &said).unwrap().into();
    let message = [&room.0[..], &signal.signed_bytes()].concat();
    signal.signature = Some(bob.sign(domain::SIGNAL_SIGNATURE, &message));
    assert!(signal.verify(&room) && crypto::open_signal(&key, &room, &signal) == Ok(said.clone()));
    json!({
        "name": name,
        "room": hex(room.0),
        "key": hex(*key),
        "author_secret": hex([2_u8; 32]),
        "frame": hex(frame(signal).encode()),
        "said": hex(said),
    })
}

pub fn signals() -> Value {
    let says = |summary: Option<&str>| Said {
        label: "api".into(),
        program: "claude".into(),
        summary: summary.map(str::to_owned),
        ..Said::default()
    };
    let open = Said {
        directory: Some("api".into()),
        branch: Some("postgres".into()),
        status: Some(1),
        threshold: Some(1),
        ..says(Some("writing tests"))
    };
    let signals = [
        ("present", says(None), 90),
        ("with a summary", says(Some("writing tests")), 90),
        ("ended", Said::default(), 0),
        ("with directory, branch, status and threshold", open.clone(), 90),
        (
            "with tags, and when it hears",
            Said { tags: Some(vec!["backend".into()]), reach: Some(7), ..open },
            90,
        ),
    ];
    let all = signals
        .into_iter()
        .zip(0..)
        .map(|((name, said, ttl_s), at)| signal(name, at, (0x5e, ttl_s), said.encode(), Frame::Signal));
    file("Signals, with what is sealed in them.", all.collect())
}

pub fn whereabouts() -> Value {
    let says = |addresses: &[&str], relay: Option<&str>| Whereabouts {
        addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        relay: relay.map(str::to_owned),
    };
    let all = [
        ("addresses alone", says(&["192.168.7.9:4711", "[fd00::1]:4711"], None)),
        ("a relay", says(&["127.0.0.1:4711"], Some("https://relay.example/"))),
        ("a relay alone", says(&[], Some("default"))),
    ];
    let all = all
        .into_iter()
        .zip(0x20..)
        .map(|((name, said), at)| signal(name, at, (0, 0), said.encode(), Frame::Whereabouts));
    file("Whereabouts, with what is sealed in them.", all.collect())
}
