//! Checks on Rust sources that need no parser: the opening comment, the length, ignored tests, sleeps in tests.
//! Looks at lines only; whatever needs syntax belongs to clippy.

use super::Finding;

/// No source file is longer than this many lines.
const LINES_MAX: usize = 700;

/// No tracked file is larger than this many bytes.
const BYTES_MAX: usize = 1 << 20;

/// Where the bad examples of these checks live.
const OWN_EXAMPLES: &str = "xtask/src/tidy/";

/// A file starts by saying what it is for. Inner attributes may stand before it.
pub fn module_doc(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().map(str::trim).enumerate().find(|(_, l)| !l.is_empty() && !l.starts_with("#!["));
    match first {
        Some((_, line)) if line.starts_with("//!") => None,
        _ => Some(Finding::new(
            path,
            first.map_or(1, |(index, _)| index + 1),
            "the file does not start with `//!`",
            "say in two lines what the file is for and what it must not do",
        )),
    }
}

/// A file that has grown too long does more than one thing.
pub fn length(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| {
        Finding::new(
            path,
            lines,
            format!("{lines} lines; the limit is {LINES_MAX}"),
            "split it along what it does; around 600 lines is where to start thinking of it",
        )
    })
}

/// Large files do not belong into the history.
pub fn size(path: &str, bytes: usize) -> Option<Finding> {
    (bytes > BYTES_MAX).then(|| {
        Finding::new(
            path,
            1,
            format!("{bytes} bytes are tracked by git; the limit is {BYTES_MAX}"),
            "generate it in the test, or fetch it where it is needed",
        )
    })
}

/// A test that never runs proves nothing.
pub fn ignored_tests(path: &str, text: &str) -> Vec<Finding> {
    if path.starts_with(OWN_EXAMPLES) {
        return Vec::new();
    }
    numbered(text)
        .filter(|(_, line)| line.trim_start().starts_with("#[ignore") || line.contains(", ignore)]"))
        .map(|(number, _)| {
            Finding::new(
                path,
                number,
                "an ignored test",
                "make it run everywhere, or delete it and the promise it tests",
            )
        })
        .collect()
}

/// A test waits for an event, not for time to pass; where time itself is the subject, the line says why.
pub fn sleeps(path: &str, text: &str) -> Vec<Finding> {
    if path.starts_with(OWN_EXAMPLES) {
        return Vec::new();
    }
    let tests_from = if is_test_path(path) { 1 } else { first_test_line(text).unwrap_or(usize::MAX) };
    numbered(text)
        .filter(|(number, line)| *number >= tests_from && calls_sleep(line) && !gives_reason(line))
        .map(|(number, _)| {
            Finding::new(
                path,
                number,
                "a sleep in a test without a reason",
                "await the event instead; where time is the subject, end the line with `// sleep: REASON`",
            )
        })
        .collect()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn is_test_path(path: &str) -> bool {
    let kit = ["crates/testkit/", "crates/sim/"].iter().any(|prefix| path.starts_with(prefix));
    kit || path.contains("/tests/") || path.ends_with("tests.rs")
}

/// The line where a test module written in the file itself begins; tests stand last in a file.
fn first_test_line(text: &str) -> Option<usize> {
    let mut after_cfg = false;
    for (number, line) in numbered(text) {
        let line = line.trim();
        after_cfg |= line.starts_with("#[cfg(test)]");
        if after_cfg && line.contains("mod ") {
            if line.ends_with('{') {
                return Some(number);
            }
            after_cfg = false;
        }
    }
    None
}

fn calls_sleep(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("sleep(").any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') && !code[..at].ends_with("fn ")
    })
}

fn gives_reason(line: &str) -> bool {
    line.split_once("// sleep:").is_some_and(|(_, reason)| !reason.trim().is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_its_opening_comment_is_found() {
        assert_eq!(module_doc("a.rs", "//! What it is for.\nfn a() {}\n"), None);
        assert_eq!(module_doc("a.rs", "#![allow(clippy::unwrap_used)]\n\n//! For this.\n"), None);
        assert_eq!(module_doc("a.rs", "\nuse std::fs;\n//! late\n").unwrap().line, 2);
        assert!(module_doc("a.rs", "").is_some());
        assert!(module_doc("a.rs", "// a plain comment\n").is_some());
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        assert_eq!(length("a.rs", &"x\n".repeat(LINES_MAX)), None);
        assert!(length("a.rs", &"x\n".repeat(LINES_MAX + 1)).is_some());
    }

    #[test]
    fn a_tracked_file_one_byte_too_large_is_found() {
        assert_eq!(size("a.bin", BYTES_MAX), None);
        assert!(size("a.bin", BYTES_MAX + 1).is_some());
    }

    #[test]
    fn ignored_tests_are_found_in_both_spellings() {
        assert!(ignored_tests("a.rs", "#[test]\nfn a() {}\n").is_empty());
        assert_eq!(ignored_tests("a.rs", "#[test]\n  #[ignore]\nfn a() {}\n")[0].line, 2);
        assert_eq!(ignored_tests("a.rs", "#[ignore = \"slow\"]\n").len(), 1);
        assert_eq!(ignored_tests("a.rs", "#[cfg_attr(ci, ignore)]\n").len(), 1);
    }

    #[test]
    fn a_sleep_in_a_test_needs_its_reason() {
        let bad = [
            "thread::sleep(d);",
            "    tokio::time::sleep(d).await;",
            "sleep(d).await; // sleep:",
            "sleep(d); // because",
        ];
        for line in bad {
            assert_eq!(sleeps("crates/a/tests/b.rs", line).len(), 1, "{line}");
        }
        let good = [
            "sleep(d); // sleep: the lease itself is the subject",
            "// sleep(d)",
            "self.clock.sleep(d)",
            "fn sleep(d: u8) {}",
            "oversleep(d)",
        ];
        for line in good {
            assert!(sleeps("crates/a/tests/b.rs", line).is_empty(), "{line}");
        }
    }

    #[test]
    fn only_the_test_part_of_a_source_file_is_searched_for_sleeps() {
        let text = "thread::sleep(d);\n#[cfg(test)]\n#[allow(x)]\nmod tests {\nthread::sleep(d);\n}\n";
        let findings = sleeps("crates/a/src/b.rs", text);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 5);
        assert!(sleeps("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\nthread::sleep(d);\n").is_empty());
        assert_eq!(sleeps("crates/a/src/b/tests.rs", "thread::sleep(d);\n").len(), 1);
    }
}
