//! Drives the fuzz target of the socket's lines: with any bytes, and with real lines changed a little.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/targets/request.rs"]
mod fuzz_request;

use parlor_api::{ClientLine, NodeLine};
use proptest::collection::vec;
use proptest::prelude::*;

const LINES: &[&str] = &[
    r#"{"hello":{"api":1,"version":"0.1.0","surface":"cli","cwd":"/w","terminal":true,"env":{"A":"b"}}}"#,
    r#"{"hello":{"api":1,"version":"0.1.0","pid":7}}"#,
    r#"{"cancel":3}"#,
    r#"{"id":1,"do":"member_role","peer":"bob","role":"reader"}"#,
    r#"{"id":1,"do":"send","text":"hello","request_id":"a"}"#,
    r#"{"id":0,"error":{"kind":"usage","message":"no"}}"#,
];

#[test]
fn a_changed_line_is_read_or_refused_and_says_the_same_again() {
    for line in LINES {
        let read = serde_json::from_str::<ClientLine>(line).is_ok()
            || serde_json::from_str::<NodeLine>(line).is_ok();
        assert!(read, "{line}");
        let bytes = line.as_bytes();
        for at in 0..bytes.len() {
            for put in [
                &[][..],
                b"\n",
                b"\"",
                b"9999999999999999999999",
                b"null",
                b"[",
                b"-1e400",
                b"\\u0000",
                b"{}",
            ] {
                fuzz_request::run(&[&bytes[..at], put, &bytes[at..], b"\n"].concat());
                fuzz_request::run(&[&bytes[..at], put, &bytes[at + 1..], b"\n"].concat());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_on_the_socket_are_read_or_refused(bytes in vec(any::<u8>(), 0..600)) {
        fuzz_request::run(&bytes);
    }

    #[test]
    fn any_json_on_the_socket_is_read_or_refused(
        parts in vec(prop::sample::select(vec!["{", "}", "[", "]", ":", ",", "\"id\"", "\"do\"", "\"send\"", "\"hello\"", "1", "null", "\"x\"", "\n", "\"peer\""]), 0..40)
    ) {
        fuzz_request::run(parts.concat().as_bytes());
    }
}
