//! What core derives, as JSON: ids of keys, key pairs, seals, wraps, sealed bodies and signals, the hedge, safety
//! numbers. Written to `testdata/vectors` by `cargo run -p parlor-core --example make_derivations`, compared with
//! what lies there by the test `derivations`, and worked out again by `check.py`. Secrets here are made of small numbers.

mod files;
mod keys;
mod not_opened;
mod people;
mod sealed;

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use parlor_wire::{SUITE, WIRE_VERSION};
use serde_json::{Value, json};

/// Where vectors lie.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors")
}

/// Every file of what is derived, by name.
pub fn files() -> Vec<(&'static str, String)> {
    let files = [
        ("room_keys.json", keys::room_keys()),
        ("sealing_pairs.json", keys::sealing_pairs()),
        ("ticket_keys.json", keys::ticket_keys()),
        ("seals.json", keys::seals()),
        ("wraps.json", keys::wraps()),
        ("padding.json", sealed::padding()),
        ("bodies.json", sealed::bodies()),
        ("signals.json", sealed::signals()),
        ("whereabouts.json", sealed::whereabouts()),
        ("not_opened.json", not_opened::not_opened()),
        ("hedge.json", people::hedge()),
        ("safety_numbers.json", people::safety_numbers()),
        ("files.json", files::files()),
    ];
    files.map(|(name, value)| (name, serde_json::to_string_pretty(&value).unwrap_or_default() + "\n")).into()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn file(about: &str, vectors: Vec<Value>) -> Value {
    json!({ "about": about, "wire_version": WIRE_VERSION, "suite": SUITE, "vectors": vectors })
}
