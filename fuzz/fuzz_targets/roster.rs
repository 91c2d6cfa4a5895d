//! Feeds `targets/roster.rs` what the fuzzer makes up. Adds nothing of its own.
#![no_main]

#[path = "../../crates/wire/tests/common/mod.rs"]
mod common;
#[path = "../targets/roster.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
