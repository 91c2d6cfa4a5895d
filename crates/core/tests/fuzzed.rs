//! Drives the fuzz targets of core: bodies, everything sealed, histories of keys; with any bytes, and with the committed
//! vectors changed a little.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/targets/body.rs"]
mod fuzz_body;
#[path = "../../../fuzz/targets/keyring.rs"]
mod fuzz_keyring;
#[path = "../../../fuzz/targets/opening.rs"]
mod fuzz_opening;

use std::path::Path;

use data_encoding::HEXLOWER;
use parlor_core::room::body::Body;
use parlor_core::room::said::Said;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// One field of every vector of a file.
fn vectors(file: &str, field: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors").join(file);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let all = file["vectors"].as_array().unwrap().iter().filter_map(|vector| vector[field].as_str());
    all.map(|hex| HEXLOWER.decode(hex.as_bytes()).unwrap()).collect()
}

/// Single bits, bytes put in, taken out, and every beginning.
fn changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flips = (0..bytes.len()).flat_map(move |at| {
        [0x01, 0x20, 0x80].into_iter().map(move |bits| {
            let mut changed = bytes.to_vec();
            changed[at] ^= bits;
            changed
        })
    });
    let spliced = (0..bytes.len()).flat_map(move |at| {
        [vec![], vec![!bytes[at]], vec![0xf6], vec![0x18, bytes[at]]]
            .into_iter()
            .map(move |put| [&bytes[..at], &put, &bytes[at + 1..]].concat())
    });
    flips.chain(spliced).chain((0..bytes.len()).map(|at| bytes[..at].to_vec()))
}

#[test]
fn no_changed_body_or_signal_is_misread() {
    let bodies = vectors("bodies.json", "plaintext");
    let said = vectors("signals.json", "said");
    assert!(bodies.len() > 6 && said.len() == 5);
    for bytes in bodies.iter().filter(|bytes| bytes.len() < 200).chain(&said) {
        fuzz_body::run(bytes);
        for changed in changes(bytes) {
            fuzz_body::run(&changed);
            // What stands in open keys is nobody's yet: there a change may say the same.
            let is_open = bytes.ends_with(&[16, 0xf5])
                && changed.get(1..).is_some_and(|rest| rest.starts_with(&bytes[1..bytes.len() - 2]));
            assert!(
                changed == *bytes
                    || Body::decode(&changed) != Body::decode(bytes)
                    || Body::decode(bytes).kind == u16::MAX
                    || is_open
            );
            let read = Said::decode(&changed).ok();
            assert!(changed == *bytes || read.is_none() || read != Said::decode(bytes).ok());
        }
    }
}

#[test]
fn nothing_sealed_opens_when_it_is_changed_or_in_another_place() {
    let mut opened = 0;
    for bytes in vectors("bodies.json", "entry").iter().chain(&vectors("signals.json", "frame")) {
        opened += usize::from(fuzz_opening::opens(bytes));
        changes(bytes).step_by(7).for_each(|changed| fuzz_opening::run(&changed));
    }
    assert!(opened > 10, "the vectors open as they are: {opened}");
    for bytes in vectors("seals.json", "sealed").iter().chain(&vectors("wraps.json", "sealed")) {
        fuzz_opening::run(bytes);
        changes(bytes).for_each(|changed| fuzz_opening::run(&changed));
    }
}

#[test]
fn histories_of_keys_hold_what_they_are_there_for() {
    let mut tally = [0; 4];
    for number in 0..60_u64 {
        let mut bytes = [0; 99];
        blake3::Hasher::new().update(&number.to_be_bytes()).finalize_xof().fill(&mut bytes);
        let looked = fuzz_keyring::look(&bytes);
        tally.iter_mut().zip(looked).for_each(|(all, one)| *all += one);
    }
    assert!(tally.iter().all(|times| *times >= 10), "wrapped, fit, wanted, out with keys: {tally:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_do_not_open(bytes in vec(any::<u8>(), 0..600)) {
        fuzz_body::run(&bytes);
        fuzz_opening::run(&bytes);
    }

    #[test]
    fn any_bytes_as_a_history_of_keys_give_the_same_keys_to_all_and_none_to_the_removed(bytes in vec(any::<u8>(), 0..100)) {
        fuzz_keyring::run(&bytes);
    }
}
