//! The vectors of the wire as JSON: the samples, what is refused and why; `rosters` adds what comes out of sets of
//! entries. Written to `testdata/vectors` by `cargo run -p parlor-wire --example make_vectors`, compared with
//! what lies there by the test `vectors`.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use parlor_wire::cbor::CborError;
use parlor_wire::control::{ControlBody, ControlError, Remove, Role};
use parlor_wire::data::DataError;
use parlor_wire::frame::Frame;
use parlor_wire::ticket::{TicketError, TicketText};
use parlor_wire::{
    Control, Data, EntryId, KeyId, PeerId, RecipientId, RoomId, SUITE, Signature, WIRE_VERSION, called,
    domain,
};
use serde_json::{Value, json};

use super::{
    Place, Signing, T0, admit, control, cut, genesis, header, new_card, note, remove, role, samples, want,
};

/// Where vectors lie.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors")
}

/// Every file of the wire, by name.
pub fn files() -> Vec<(&'static str, String)> {
    let files = [
        ("ids.json", ids()),
        ("domains.json", domains()),
        ("control.json", control_entries()),
        ("data.json", data_entries()),
        ("cards.json", cards()),
        ("frames.json", frames()),
        ("tickets.json", tickets()),
        ("refused.json", refused()),
        ("rosters.json", super::rosters::rosters()),
        ("calls.json", calls()),
    ];
    files.map(|(name, value)| (name, serde_json::to_string_pretty(&value).unwrap_or_default() + "\n")).into()
}

/// Bytes as people compare them.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// A file of vectors.
pub fn file(about: &str, vectors: Vec<Value>) -> Value {
    json!({ "about": about, "wire_version": WIRE_VERSION, "suite": SUITE, "vectors": vectors })
}

fn ids() -> Value {
    let bytes: [[u8; 32]; 4] =
        [[0; 32], [0xff; 32], Signing::new(1).peer().0, std::array::from_fn(|at| at as u8)];
    let one = |kind: &str, bytes: [u8; 32], text: String, short: String| json!({ "kind": kind, "bytes": hex(bytes), "text": text, "short": short });
    let all = bytes.into_iter().flat_map(|b| {
        [
            one("peer", b, PeerId(b).to_string(), PeerId(b).short()),
            one("room", b, RoomId(b).to_string(), RoomId(b).short()),
            one("entry", b, EntryId(b).to_string(), EntryId(b).short()),
            one("key", b, KeyId(b).to_string(), KeyId(b).short()),
            one("recipient", b, RecipientId(b).to_string(), RecipientId(b).short()),
        ]
    });
    file("Ids: 32 bytes, their text and the short form people see.", all.collect())
}

fn calls() -> Value {
    let one = |callee: PeerId, salt: [u8; called::SALT_BYTES]| json!({ "callee": hex(callee.0), "salt": hex(salt), "offer": hex(called::offer(&callee, &salt)) });
    let callees = [PeerId([0; 32]), Signing::new(1).peer(), Signing::new(2).peer()];
    let all = callees.into_iter().flat_map(|callee| [one(callee, [0; 8]), one(callee, *b"saltsalt")]);
    file("The second ALPN of a call, by whom it is for.", all.collect())
}

fn domains() -> Value {
    let all = domain::ALL.iter().map(|domain| json!(String::from_utf8_lossy(domain)));
    file("Every domain string, in the order of the specification's table.", all.collect())
}

fn control_vector(name: &str, entry: &Control) -> Value {
    let mut vector = json!({
        "name": name,
        "kind": entry.header.kind,
        "bytes": hex(entry.encode()),
        "header": hex(entry.header.bytes()),
        "body": hex(entry.body.bytes()),
        "id": hex(entry.id.0),
        "room": hex(entry.room().0),
        "author": hex(entry.header.author.0),
        "signature": hex(entry.signature.0),
    });
    if let Some(signature) = entry.ticket_signature {
        let asks = matches!(entry.body, ControlBody::Request(_));
        let key = Signing::new(if asks { samples::ASKING } else { samples::TICKET });
        vector["ticket_signature"] = json!(hex(signature.0));
        vector["ticket_signing_key"] = json!(hex(key.peer().0));
    }
    if let ControlBody::Ticket(ticket) = &entry.body {
        vector["recipient"] = json!(hex(ticket.recipient().0));
    }
    vector
}

fn control_entries() -> Value {
    let mut story = samples::story();
    story.extend(samples::direct_story());
    story.push(("request", samples::request()));
    let all = story.iter().map(|(name, entry)| control_vector(name, entry)).collect();
    let mut value = file(
        "Control entries of one room, each behind the one before, and of a direct room; the last is the request that \
         stands in the admit. Sealed keys are placeholders of the right length. Ed25519 seeds: of Alice 32 bytes 01, of Bob 02, of Carol 03, \
         of the tickets' signing keys 65 and 66.",
        all,
    );
    let signers = [samples::ALICE, samples::BOB, samples::CAROL, samples::TICKET, samples::ASKING];
    value["seeds"] =
        signers.iter().map(|n| (hex(Signing::new(*n).peer().0), hex(Signing::new(*n).seed()))).collect();
    value
}

fn data_entries() -> Value {
    let all = samples::chain().into_iter().map(|(name, entry)| {
        json!({
            "name": name,
            "bytes": hex(entry.encode()),
            "header": hex(entry.header.bytes()),
            "associated_data": hex(entry.header.associated_data()),
            "id": hex(entry.id.0),
            "author": hex(Signing::new(samples::ALICE).peer().0),
            "signature": hex(entry.signature.0),
            "sealed_body": entry.body.map(hex),
        })
    });
    file("A chain of data entries, on the genesis of control.json. Bodies are placeholders.", all.collect())
}

fn cards() -> Value {
    let all = [(samples::ALICE, 1, T0), (samples::BOB, 2, T0 + 6000), (samples::BOB, u32::MAX, u64::MAX)];
    let all = all.into_iter().map(|(who, generation, time)| {
        let card = Signing::new(who).card(generation, time);
        json!({
            "bytes": hex(card.encode()),
            "card": hex(card.card.bytes()),
            "id": hex(card.card.id().0),
            "identity": hex(card.card.identity.0),
            "signature": hex(card.signature.0),
        })
    });
    file("Signed cards.", all.collect())
}

fn frames() -> Value {
    let all = samples::frames().into_iter().map(|(name, frame)| {
        let mut vector = json!({ "name": name, "bytes": hex(frame.encode()) });
        if name == "open by a ticket" {
            vector["proof_message"] = json!(hex(parlor_wire::frame::proof_message(
                &Signing::new(samples::BOB).peer(),
                &Signing::new(samples::ALICE).peer(),
                &samples::room(),
                &parlor_wire::Salt([0xa1; 16]),
            )));
        }
        if let Frame::Signal(signal) | Frame::Whereabouts(signal) = &frame {
            vector["room"] = json!(hex(samples::room().0));
            vector["signed_bytes"] = json!(hex(signal.signed_bytes()));
        }
        vector
    });
    file("Frames, without the 4 bytes of length in front.", all.collect())
}

fn ticket_fields(ticket: &TicketText) -> Value {
    let endpoints = ticket.endpoints.iter().map(|endpoint| {
        let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
        json!({ "peer": hex(endpoint.peer.0), "addresses": addresses })
    });
    json!({
        "room": hex(ticket.room.0),
        "seed": hex(*ticket.seed),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "relay": ticket.relay,
        "expires_ms": ticket.expires,
    })
}

fn tickets() -> Value {
    let mut all: Vec<Value> = Vec::new();
    for (name, ticket) in samples::tickets() {
        all.push(json!({ "name": name, "text": ticket.to_text(), "says": ticket_fields(&ticket) }));
    }
    let text = samples::tickets()[1].1.to_text();
    let (a, b) = text.split_at(90);
    let refusals = [
        ("no ticket", "see you in the parlor".to_owned(), "not a ticket"),
        ("cut short", text[..100].to_owned(), "truncated"),
        (
            "one character wrong",
            format!("{}{}", &text[..50], text[50..].replacen(&text[50..51], "7", 1)),
            "mistyped",
        ),
        ("a character no ticket has", format!("{a}0{b}"), "mistyped"),
        ("a later text form", text.replacen('1', "2", 1), "newer"),
        ("two tickets", format!("{text} {text}"), "several"),
    ];
    for (name, text, error) in refusals {
        all.push(json!({ "name": name, "text": text, "error": error }));
    }
    for (name, content) in samples::ticket_contents() {
        let text = samples::ticket_text(&content);
        all.push(match TicketText::parse(&text) {
            Ok(says) => json!({ "name": name, "text": text, "says": ticket_fields(&says) }),
            Err(TicketError::Newer) => json!({ "name": name, "text": text, "error": "newer" }),
            Err(_) => json!({ "name": name, "text": text, "error": "?" }),
        });
    }
    let forgiven = [
        ("broken into lines", format!("{a}\n  {b}\n")),
        ("in upper case", text.to_uppercase()),
        ("with words around", format!("parlor join {text} see you")),
        ("in a sentence", format!("Take ({text}).")),
    ];
    for (name, pasted) in forgiven {
        all.push(json!({ "name": name, "pasted": pasted, "text": text }));
    }
    file("Ticket texts and what they say; what is refused and how; what is forgiven.", all)
}

/// Bytes that must be refused, with the reason in the words of the specification.
fn refused() -> Value {
    let alice = Signing::new(samples::ALICE);
    let start = genesis(&alice, 7);
    let place = Place::new(start.room(), start.id, &[start.id]);
    let right = control(&alice, place.clone(), note(), T0);
    let signed = |change: &dyn Fn(&mut parlor_wire::ControlHeader)| {
        let mut header = header(&alice, place.clone(), &note(), T0);
        change(&mut header);
        let signature = alice.sign(domain::CONTROL_SIGNATURE, &header.bytes());
        Control::new(header, note(), signature, None).encode()
    };
    let mut trailing = right.encode();
    trailing.push(0);
    let long_key = [&[0xa2, 0x18, 0x00], &right.encode()[2..]].concat();
    let unsigned = Control { signature: Signature([0; 64]), ..right.clone() }.encode();
    let says = |body: ControlBody| control(&alice, place.clone(), body, T0).encode();
    let bob = Signing::new(samples::BOB);
    let mut elsewhere = samples::request();
    elsewhere.header.room = Some(RoomId([9; 32]));
    elsewhere.signature =
        Signing::new(samples::CAROL).sign(domain::CONTROL_SIGNATURE, &elsewhere.header.bytes());
    let forged = Control { signature: right.signature, ..samples::request() };
    let unsorted = ControlBody::Remove(Remove {
        identity: bob.peer(),
        memberships: vec![EntryId([2; 32]), EntryId([1; 32])],
        cuts: vec![],
        rekey: None,
    });
    let bobs = new_card(Signing::new(samples::BOB).card(1, T0));
    let foreign_card = control(&alice, place.clone(), bobs, T0).encode();
    let entries = [
        ("a byte behind the entry", trailing),
        ("the long form of a key", long_key),
        ("a signature that is not valid", unsigned),
        ("parents not sorted", signed(&|h| h.after = vec![EntryId([2; 32]), EntryId([1; 32])])),
        ("seventeen parents", signed(&|h| h.after = (0..17).map(|n| EntryId([n; 32])).collect())),
        ("no parent", signed(&|h| h.after.clear())),
        ("no room", signed(&|h| h.room = None)),
        ("no membership", signed(&|h| h.membership = None)),
        ("a card of somebody else", foreign_card),
        (
            "a request without the ticket's signature",
            Control { ticket_signature: None, ..samples::request() }.encode(),
        ),
        ("an admit of a note", says(admit(&right))),
        (
            "an admit of an admit",
            says(admit(&control(&alice, place.clone(), admit(&samples::request()), T0))),
        ),
        ("an admit of a request of another room", says(admit(&elsewhere))),
        ("an admit of a request whoever asks did not sign", says(admit(&forged))),
        ("a remove with memberships not sorted", says(unsorted)),
        ("a remove with a cut twice", says(remove(&bob, &[], &[cut(start.id, 1, 0); 2]))),
        ("a role that makes an owner", says(role(&bob, Role::Owner, &[]))),
        ("a role of member with cuts", says(role(&bob, Role::Member, &[cut(start.id, 1, 0)]))),
        ("a want of nothing", says(want(&[]))),
        ("a want with keys not sorted", says(want(&[2, 1]))),
        ("a want of 65 keys", says(want(&(0..65).collect::<Vec<u8>>()))),
        ("kind 16", signed(&|h| h.kind = 16)),
        ("rules 2", signed(&|h| h.rules = 2)),
        ("suite 2", signed(&|h| h.suite = 2)),
        ("version 2", signed(&|h| h.v = 2)),
    ];
    let mut all: Vec<Value> = Vec::new();
    for (name, bytes) in entries {
        let verdict = Control::decode(&bytes).map_or_else(control_verdict, |_| "taken");
        all.push(json!({ "type": "control", "name": name, "bytes": hex(bytes), "verdict": verdict }));
    }
    let entry = &samples::chain()[1].1;
    let changed = |change: &dyn Fn(&mut Data)| {
        let mut entry = entry.clone();
        change(&mut entry);
        samples_signed(&alice, entry)
    };
    let entries = [
        ("another body", changed(&|entry| entry.body = Some(vec![0; 48]))),
        ("no entry before it, at place 1", changed(&|entry| entry.header.prev = None)),
        ("no body hash", changed(&|entry| entry.header.body_hash = None)),
        ("a body over the limit", changed(&|entry| entry.header.body_len = 80 * 1024 + 1)),
        ("version 2", changed(&|entry| entry.header.v = 2)),
    ];
    for (name, bytes) in entries {
        let verdict = Data::decode(&bytes).map_or_else(data_verdict, |_| "taken");
        all.push(json!({ "type": "data", "name": name, "bytes": hex(bytes), "verdict": verdict }));
    }
    file(
        "Entries that are refused. `freezes` stops the room when a member wrote it; the others close the link.",
        all,
    )
}

fn samples_signed(author: &Signing, entry: Data) -> Vec<u8> {
    super::data(author, entry.header, entry.body).encode()
}

fn control_verdict(error: ControlError) -> &'static str {
    match error {
        ControlError::Cbor(CborError::NotCanonical) => "not canonical",
        ControlError::Cbor(_) => "malformed",
        ControlError::Signature => "signature",
        ControlError::Form(_) => "form",
        error if error.freezes() => "freezes",
        _ => "?",
    }
}

fn data_verdict(error: DataError) -> &'static str {
    match error {
        DataError::Cbor(CborError::NotCanonical) => "not canonical",
        DataError::Cbor(_) => "malformed",
        DataError::Version(_) => "version",
        DataError::Form(_) => "form",
        DataError::Body => "body",
        DataError::Signature => "signature",
    }
}
