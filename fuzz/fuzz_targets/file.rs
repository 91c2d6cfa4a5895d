//! Feeds `targets/file.rs` what the fuzzer makes up. Adds nothing of its own.
#![no_main]

#[path = "../targets/file.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::run(bytes));
