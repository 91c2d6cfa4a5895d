//! Looks for secrets in what is about to leave: the rules of Betterleaks, distilled (`secrets/update.py`), over a window that
//! moves through the file, be it text, text in UTF-16 or binary. Says which rule and which line, and never the secret. Must not keep more than two windows.

use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

/// What of the window before is looked at again: as much as the longest secret there are rules for.
const OVERLAP_BYTES: usize = 8 * 1024;
/// Zero bytes that belong to a letter of UTF-32.
const ZEROS_OF_LETTER: usize = 3;
const RULES: &str = include_str!("secrets/rules.toml");

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule it answers to.
    pub rule: String,
    /// From 1.
    pub line: u64,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} looks like a secret (rule {})", self.line, self.rule)
    }
}

#[derive(Deserialize)]
struct File {
    rules: Vec<Rule>,
}

/// What one kind of secret looks like.
#[derive(Deserialize)]
struct Rule {
    id: String,
    regex: String,
    /// One of these is near every such secret.
    keywords: Vec<String>,
    /// A secret has more than this, in bits a byte; 0: whatever it has.
    entropy: f64,
    /// What it is not.
    #[serde(default)]
    except: Vec<String>,
    /// What it has to be besides.
    #[serde(default)]
    only: Vec<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Compiled>>,
}

struct Compiled {
    secret: Regex,
    except: Vec<Regex>,
    only: Vec<Regex>,
}

/// All rules, and what they are found by.
struct Rules {
    rules: Vec<Rule>,
    keywords: AhoCorasick,
    /// For each keyword its rule.
    of_keyword: Vec<usize>,
}

static ALL: LazyLock<Option<Rules>> = LazyLock::new(|| {
    let rules = toml::from_str::<File>(RULES).ok()?.rules;
    let words =
        rules.iter().enumerate().flat_map(|(at, rule)| rule.keywords.iter().map(move |word| (at, word)));
    let (of_keyword, words): (Vec<usize>, Vec<&String>) = words.unzip();
    let keywords = AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()?;
    Some(Rules { of_keyword, keywords, rules })
});

fn compile(pattern: &str) -> Option<Regex> {
    // As the rules were written: for bytes, where a letter is one of ASCII.
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

impl Rule {
    fn compiled(&self) -> Option<&Compiled> {
        let all = |patterns: &[String]| -> Option<Vec<Regex>> {
            patterns.iter().map(|pattern| compile(pattern)).collect()
        };
        let make = || {
            let secret = compile(&self.regex)?;
            Some(Compiled { secret, except: all(&self.except)?, only: all(&self.only)? })
        };
        self.compiled.get_or_init(make).as_ref()
    }

    /// Where the first secret of its kind begins.
    fn first_in(&self, window: &[u8]) -> Option<usize> {
        let compiled = self.compiled()?;
        compiled.secret.captures_iter(window).find_map(|found| {
            let secret =
                found.iter().skip(1).flatten().find(|group| !group.is_empty()).or_else(|| found.get(0))?;
            let text = secret.as_bytes();
            let excepted = compiled.except.iter().any(|except| except.is_match(text));
            let is_it = compiled.only.is_empty() || compiled.only.iter().any(|only| only.is_match(text));
            let random = self.entropy <= 0.0 || entropy(text) > self.entropy;
            (random && is_it && !excepted).then(|| secret.start())
        })
    }
}

/// How much a byte of it says, in bits.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let len = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / len;
    -counts.iter().filter(|count| **count > 0).map(|count| share(count) * share(count).log2()).sum::<f64>()
}

/// Looks through a file as it goes by: at its text, at what of binary data can be printed, and at text of which each letter
/// takes two bytes or four.
#[derive(Default)]
pub(crate) struct Scanner {
    plain: Window,
    wide: Window,
    /// Zero bytes at the end of what went by.
    zeros: usize,
    /// Whether there was one in the bytes before.
    had_zeros: bool,
}

impl Scanner {
    /// The next bytes of the file.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<Finding> {
        let has_zeros = bytes.contains(&0);
        // A zero byte does not make a file one that has no secrets in it: the rest is looked at as it stands between.
        let plain = bytes.iter().map(|byte| if has_zeros { printable(*byte) } else { *byte });
        self.plain.text.extend(plain);
        self.widen(bytes);
        // Without zero bytes both are the same.
        let in_wide = if has_zeros || self.had_zeros { self.wide.look() } else { None };
        self.had_zeros = has_zeros;
        let found = self.plain.look().or(in_wide);
        self.plain.pass();
        self.wide.pass();
        found
    }

    /// Letters of UTF-16 and UTF-32 are those of ASCII with zero bytes between, in either order and from any byte on.
    fn widen(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.zeros = if *byte == 0 { self.zeros + 1 } else { 0 };
            if self.zeros == 0 || self.zeros > ZEROS_OF_LETTER {
                self.wide.text.push(printable(*byte));
            }
        }
    }
}

/// What cannot be printed parts what can.
fn printable(byte: u8) -> u8 {
    if byte.is_ascii_graphic() || byte == b'\n' { byte } else { b' ' }
}

/// What is looked at together.
#[derive(Default)]
struct Window {
    text: Vec<u8>,
    /// Lines before it.
    lines: u64,
}

impl Window {
    fn look(&self) -> Option<Finding> {
        let all = ALL.as_ref()?;
        let hits = all.keywords.find_overlapping_iter(&self.text);
        let near: BTreeSet<usize> = hits.map(|hit| all.of_keyword[hit.pattern().as_usize()]).collect();
        let first = near.into_iter().filter_map(|at| Some((all.rules[at].first_in(&self.text)?, at))).min();
        let (start, rule) = first?;
        Some(Finding {
            rule: all.rules[rule].id.clone(),
            line: self.lines + newlines(&self.text[..start]) + 1,
        })
    }

    /// Goes on, keeping the end of what was looked at.
    fn pass(&mut self) {
        let passed = self.text.len().saturating_sub(OVERLAP_BYTES);
        self.lines += newlines(&self.text[..passed]);
        self.text.drain(..passed);
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    /// Random enough for a rule, and nobody's.
    const LETTERS: &str = "q7Xw2Lk9Zt4Vb8Nc3Mf6Hj1Gd5Rs0YpAeUiToQzWxCvB";

    fn github() -> String {
        format!("ghp{}{}", "_", &LETTERS[..36])
    }

    fn look(text: &str) -> Option<Finding> {
        let mut scanner = Scanner::default();
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(64 * 1024).collect();
        chunks.iter().find_map(|chunk| scanner.feed(chunk))
    }

    #[test]
    fn every_rule_of_the_set_is_one() {
        let all = ALL.as_ref().unwrap();
        assert!(all.rules.len() > 350, "{}", all.rules.len());
        for rule in &all.rules {
            assert!(rule.compiled().is_some(), "{}", rule.id);
            assert!(!rule.keywords.is_empty(), "{}", rule.id);
        }
    }

    #[test]
    fn a_secret_is_named_by_rule_and_line_and_never_shown() {
        let found = look(&format!("one\ntwo\ntoken = {}\n", github())).unwrap();
        assert_eq!((found.rule.as_str(), found.line), ("github-pat", 3));
        assert!(!found.to_string().contains(&LETTERS[..8]), "{found}");
        let amazon = format!("aws_key: AKI{}", "AQ7XW2LK5ZT4VB6NC");
        assert_eq!(look(&amazon).unwrap().rule, "aws-access-token");
        assert_eq!(look(&amazon.replace("Q7XW2LK5ZT4VB6NC", "IOSFODNN7EXAMPLE")), None, "the documents' own");
    }

    #[test]
    fn a_secret_that_lies_across_two_chunks_is_found() {
        for before in [64 * 1024 - 20, 64 * 1024 - 1, 128 * 1024 - 39] {
            let text = format!("{}\n{} end", "x".repeat(before), github());
            let found = look(&text).unwrap_or_else(|| panic!("after {before}"));
            assert_eq!(found.line, 2, "after {before}");
        }
    }

    #[test]
    fn plain_text_and_code_pass() {
        assert_eq!(look("the key of the room is kept by its members\n"), None);
        assert_eq!(look(include_str!("secrets.rs")), None);
        assert_eq!(look(&format!("token = ghp_{}", "a".repeat(36))), None, "nothing random");
        let noise: Vec<u8> =
            (0_u32..1 << 18).map(|at| (at.wrapping_mul(at ^ 0x9e37_79b9) >> 13) as u8).collect();
        let mut scanner = Scanner::default();
        assert_eq!(noise.chunks(64 * 1024).find_map(|chunk| scanner.feed(chunk)), None);
    }

    #[test]
    fn a_zero_byte_hides_no_secret() {
        let text = format!("one\ntoken = {}\n", github());
        for (before, after) in [("\0", ""), ("", "\0"), ("\0\0\u{1}", "\0\0"), ("name\0\0\0\0\0", "\0")] {
            let found =
                look(&[before, &text, after].concat()).unwrap_or_else(|| panic!("{before:?} {after:?}"));
            assert_eq!((found.rule.as_str(), found.line), ("github-pat", 2));
        }
        let secret = github();
        let (start, end) = secret.split_at(20);
        assert!(look(&format!("{start}\0{end}")).is_some(), "inside of it");
    }

    #[test]
    fn a_secret_in_utf_16_is_found_in_either_order_and_across_chunks() {
        let text = format!(
            "\u{feff}eins\nzw\u{f6}lf \u{4e2d}\n{}token = {}\n",
            "x".repeat(32 * 1024 - 40),
            github()
        );
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let wide: Vec<u8> = text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
        let shifted = [b"x", little.as_slice()].concat();
        for bytes in [little, big, wide, shifted] {
            let mut scanner = Scanner::default();
            let found = bytes.chunks(64 * 1024).find_map(|chunk| scanner.feed(chunk)).unwrap();
            assert_eq!((found.rule.as_str(), found.line), ("github-pat", 3));
        }
    }
}
