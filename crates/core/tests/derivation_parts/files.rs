//! Sealed files that end in every way there is, and a request for one. Holds no rule.

use parlor_core::crypto::{FileKey, Stream};
use parlor_wire::file::{self, BlobNamer, FileRequest};
use parlor_wire::ids::BodyHash;
use parlor_wire::limits::FILE_CHUNK_BYTES;
use parlor_wire::{EntryId, RoomId};
use serde_json::{Value, json};

use super::{file as made, hex};

/// What any reader of the vectors can make again.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31 + at / 256) % 256) as u8).collect()
}

fn sealed(length: usize, number: u8) -> Value {
    let key = FileKey::new([number; 32]);
    let (mut stream, mut namer, mut sealed) = (Stream::new(&key).unwrap(), BlobNamer::default(), Vec::new());
    let content = content(length);
    let count = file::chunks(length as u64);
    for at in 0..count {
        let from = at as usize * FILE_CHUNK_BYTES;
        let mut chunk = content[from..from + file::chunk_len(length as u64, at)].to_vec();
        stream.seal(&mut chunk, at + 1 == count).unwrap();
        namer.update(&chunk);
        sealed.extend(chunk);
    }
    assert_eq!(sealed.len() as u64, file::sealed_len(length as u64));
    json!({
        "length": length,
        "key": hex(*key),
        "sealed_bytes": sealed.len(),
        "blob": hex(namer.name().0),
        "ends": hex(&sealed[sealed.len().saturating_sub(48)..]),
    })
}

pub fn files() -> Value {
    let lengths =
        [0, 1, 100, FILE_CHUNK_BYTES - 1, FILE_CHUNK_BYTES, FILE_CHUNK_BYTES + 1, 2 * FILE_CHUNK_BYTES];
    let mut vectors: Vec<Value> =
        lengths.into_iter().zip(1..).map(|(length, number)| sealed(length, number)).collect();
    let request = FileRequest {
        room: RoomId([1; 32]),
        entry: EntryId([2; 32]),
        blob: BodyHash([3; 32]),
        chunk: 70_000,
    };
    vectors.push(json!({ "request": hex(parlor_wire::cbor::encode(&request)) }));
    made(
        "Sealed files of the bytes (at * 31 + at / 256) mod 256, their names and last 48 bytes; a request for one.",
        vectors,
    )
}
