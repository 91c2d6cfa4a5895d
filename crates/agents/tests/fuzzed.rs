//! Drives the fuzz targets of agent programs: what a hook is given, and settings files; with any bytes, and with real ones
//! changed a little.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../fuzz/targets/hook.rs"]
mod fuzz_hook;
#[path = "../../../fuzz/targets/settings.rs"]
mod fuzz_settings;

use proptest::collection::vec;
use proptest::prelude::*;

const CALL: &str = r#"{"session_id":"0b5e","transcript_path":"/t","cwd":"/w","hook_event_name":"SessionStart","source":"startup"}"#;

const SETTINGS: &[&str] = &[
    "{}",
    "",
    "{\n  // mine\n  \"model\": \"opus\",\n  \"hooks\": {\n    \"Stop\": [],\n  },\n}\n",
    r#"{"hooks":{"UserPromptSubmit":[{"matcher":"","hooks":[{"type":"command","command":"echo \"hi\""}]}]},"env":{"A":"é"}}"#,
    "\u{feff}{\"hooks\": {\"SessionStart\": [ /* none */ ]}}",
];

#[test]
fn a_changed_hook_call_is_read_or_refused_without_repeating_it() {
    let bytes = CALL.as_bytes();
    for at in 0..bytes.len() {
        for put in [&[][..], b"\"", b"\n", b"\\u0000", b"null", b"{", b"../..", b"\xff"] {
            fuzz_hook::run(&[&bytes[..at], put, &bytes[at..]].concat());
            fuzz_hook::run(&[&bytes[..at], put, &bytes[at + 1..]].concat());
        }
    }
}

#[test]
fn changed_settings_are_left_alone_or_come_back_as_they_were() {
    for text in SETTINGS {
        assert!(fuzz_settings::is_taken(text.as_bytes()), "{text}");
        let bytes = text.as_bytes();
        for at in (0..bytes.len()).step_by(3) {
            for put in [&[][..], b"\"", b",", b"{}", b"\xff", b"//"] {
                fuzz_settings::run(&[&bytes[..at], put, &bytes[at + 1..]].concat());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_no_hook_call_or_a_plain_one(bytes in vec(any::<u8>(), 0..600)) {
        fuzz_hook::run(&bytes);
        fuzz_settings::run(&bytes);
    }

    #[test]
    fn any_json_is_left_alone_or_comes_back_as_it_was(
        parts in vec(prop::sample::select(vec!["{", "}", "[", "]", ":", ",", "\"hooks\"", "\"SessionStart\"", "\"command\"", "\"type\"", "1", "null", "\n", "// a\n", "  "]), 0..40)
    ) {
        fuzz_settings::run(parts.concat().as_bytes());
    }
}
