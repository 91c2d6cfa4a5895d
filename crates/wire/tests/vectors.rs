//! The committed vectors are what the code does, byte for byte, and what they promise holds when they are read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use data_encoding::HEXLOWER;
use parlor_wire::frame::Frame;
use parlor_wire::ticket::TicketText;
use parlor_wire::{Control, Data, SignedCard};
use serde_json::Value;

fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(common::vectors::folder().join(name)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(vector[field].as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn the_committed_vectors_are_what_the_code_makes() {
    for (name, made) in common::vectors::files() {
        let committed = std::fs::read_to_string(common::vectors::folder().join(name)).unwrap_or_default();
        let differs = committed.lines().zip(made.lines()).position(|(a, b)| a != b);
        assert!(
            committed == made,
            "testdata/vectors/{name} is not what the code makes (line {differs:?}); if the wire was meant to change, \
             run `cargo run -p parlor-wire --example make_vectors` and look at the difference"
        );
    }
}

#[test]
fn vectors_read_from_the_files_round_trip() {
    for vector in read("control.json") {
        let entry = Control::decode(&bytes(&vector, "bytes")).unwrap();
        assert_eq!(entry.id.0[..], bytes(&vector, "id"));
        assert_eq!(entry.encode(), bytes(&vector, "bytes"));
    }
    for vector in read("data.json") {
        let entry = Data::decode(&bytes(&vector, "bytes")).unwrap();
        let author = bytes(&vector, "author")[..].try_into().unwrap();
        assert_eq!((&entry.id.0[..], entry.verify(&author)), (&bytes(&vector, "id")[..], Ok(())));
    }
    for vector in read("cards.json") {
        let card = SignedCard::decode(&bytes(&vector, "bytes")).unwrap();
        assert_eq!((&card.card.id().0[..], card.verify()), (&bytes(&vector, "id")[..], Ok(())));
    }
    for vector in read("frames.json") {
        assert_eq!(Frame::decode(&bytes(&vector, "bytes")).unwrap().encode(), bytes(&vector, "bytes"));
    }
    for vector in read("tickets.json") {
        let text = vector["text"].as_str().unwrap();
        if vector["error"].is_string() {
            assert!(TicketText::parse(text).is_err(), "{}", vector["name"]);
        } else {
            let pasted = vector["pasted"].as_str().unwrap_or(text);
            assert_eq!(TicketText::parse(pasted).unwrap().to_text(), text);
        }
    }
}

#[test]
fn nothing_that_must_be_refused_is_taken() {
    let vectors = read("refused.json");
    assert!(vectors.len() >= 30);
    for vector in vectors {
        assert!(!["taken", "?"].contains(&vector["verdict"].as_str().unwrap()), "{}", vector["name"]);
    }
}
