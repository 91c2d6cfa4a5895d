//! The list of mutants, `testdata/mutants.toml`: reading it, and whether each of them still applies to the tree. Runs
//! nothing and writes nothing.

use toml::{Table, Value};

use crate::Result;

/// Where the list stands, relative to the root.
pub const LIST: &str = "testdata/mutants.toml";

/// One way to break one rule, and the tests that must notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The rule that is broken, by its letter and number in the specification where it has one.
    pub rule: String,
    /// What is done to it, in a few words joined by hyphens.
    pub name: String,
    /// The file, relative to the root.
    pub file: String,
    /// What is replaced: it must occur exactly once.
    pub text: String,
    /// What stands there instead.
    pub instead: String,
    /// The tests.
    pub tests: Tests,
}

/// What `cargo test` is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tests {
    /// The package.
    pub package: String,
    /// `--lib`, `--bins`, or `--test` and a name, any number of times.
    pub targets: Vec<String>,
    /// Parts of names of tests; none: all tests of the targets.
    pub filters: Vec<String>,
}

impl Mutant {
    /// How it is printed and found.
    pub fn title(&self) -> String {
        format!("{} {}", self.rule, self.name)
    }

    /// The file's text with the rule broken, or why it cannot be broken.
    pub fn apply(&self, text: &str) -> std::result::Result<String, String> {
        if self.text == self.instead {
            return Err("replaces a text by itself".into());
        }
        match text.matches(&self.text).count() {
            1 => Ok(text.replacen(&self.text, &self.instead, 1)),
            0 => Err(format!("its text is not in {}", self.file)),
            times => Err(format!("its text is {times} times in {}, not once", self.file)),
        }
    }
}

/// Reads the list.
pub fn parse(text: &str) -> Result<Vec<Mutant>> {
    let table: Table = text.parse().map_err(|error| format!("{LIST}: {error}"))?;
    let rows = table.get("mutant").and_then(Value::as_array).ok_or(format!("{LIST}: no [[mutant]]"))?;
    rows.iter().map(mutant).collect()
}

fn mutant(row: &Value) -> Result<Mutant> {
    let field = |key: &str| -> Result<String> {
        let value = row.get(key).and_then(Value::as_str);
        Ok(value.ok_or_else(|| format!("{LIST}: a mutant without `{key}`: {row}"))?.to_owned())
    };
    Ok(Mutant {
        rule: field("rule")?,
        name: field("name")?,
        file: field("file")?,
        text: field("text")?,
        instead: field("instead")?,
        tests: tests(&field("tests")?)?,
    })
}

/// From `PACKAGE (--lib | --bins | --test NAME)… [FILTER…]`.
fn tests(said: &str) -> Result<Tests> {
    let mut words = said.split_whitespace().map(str::to_owned).peekable();
    let package = words.next().ok_or(format!("{LIST}: `{said}` names no package"))?;
    let mut targets = Vec::new();
    while let Some(word) = words.next_if(|word| word.starts_with("--")) {
        match (word.as_str(), words.peek()) {
            ("--lib" | "--bins", _) => targets.push(word),
            ("--test", Some(_)) => targets.extend([Some(word), words.next()].into_iter().flatten()),
            _ => return Err(format!("{LIST}: `{said}`: not understood at `{word}`").into()),
        }
    }
    if targets.is_empty() {
        return Err(format!("{LIST}: `{said}` names neither --lib nor --test").into());
    }
    Ok(Tests { package, targets, filters: words.collect() })
}

/// What is wrong with the list as the tree stands: the title of a mutant, and why it does not apply.
pub fn stale<'a>(mutants: &[Mutant], text_of: &dyn Fn(&str) -> Option<&'a str>) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (at, one) in mutants.iter().enumerate() {
        let mut say = |why: String| wrong.push((one.title(), why));
        match text_of(&one.file) {
            None => say(format!("there is no file {}", one.file)),
            Some(text) => drop(one.apply(text).map_err(&mut say)),
        }
        for test in one.tests.targets.iter().filter(|word| !word.starts_with("--")) {
            // The binary has the name of the whole; its directory does not.
            let directory = match one.tests.package.as_str() {
                "parlor" => "cli",
                package => package.trim_start_matches("parlor-"),
            };
            let path = format!("crates/{directory}/tests/{test}.rs");
            if text_of(&path).is_none() {
                say(format!("there is no file {path}"));
            }
        }
        if mutants.iter().take(at).any(|other| other.name == one.name) {
            say("another has its name".into());
        }
    }
    wrong
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ONE: &str = r#"
[[mutant]]
rule = "R7"
name = "the-removed-stay"
file = "a.rs"
text = "if out {"
instead = "if false {"
tests = "parlor-wire --test roster --test other r7_ r8_"
"#;

    fn stale_in(list: &str, files: &[(&str, &str)]) -> Vec<String> {
        let all =
            [files, &[("crates/wire/tests/roster.rs", ""), ("crates/wire/tests/other.rs", "")]].concat();
        let text_of = |path: &str| all.iter().find(|(at, _)| *at == path).map(|(_, text)| *text);
        let wrong = super::stale(&parse(list).unwrap(), &text_of);
        wrong.into_iter().map(|(title, why)| format!("{title}: {why}")).collect()
    }

    #[test]
    fn a_mutant_says_what_is_replaced_and_which_tests_are_run() {
        let one = &parse(ONE).unwrap()[0];
        assert_eq!(one.title(), "R7 the-removed-stay");
        assert_eq!(one.apply("x; if out { y }").unwrap(), "x; if false { y }");
        assert_eq!(one.tests.package, "parlor-wire");
        assert_eq!(one.tests.targets, ["--test", "roster", "--test", "other"]);
        assert_eq!(one.tests.filters, ["r7_", "r8_"]);
    }

    #[test]
    fn a_text_that_is_not_there_exactly_once_is_named() {
        assert_eq!(stale_in(ONE, &[("a.rs", "if out {}")]), [""; 0]);
        assert_eq!(stale_in(ONE, &[("a.rs", "")]), ["R7 the-removed-stay: its text is not in a.rs"]);
        let twice = [("a.rs", "if out {} if out {}")];
        assert_eq!(stale_in(ONE, &twice), ["R7 the-removed-stay: its text is 2 times in a.rs, not once"]);
        assert_eq!(stale_in(ONE, &[]), ["R7 the-removed-stay: there is no file a.rs"]);
    }

    #[test]
    fn a_missing_test_a_name_said_twice_and_no_change_are_named() {
        let text = [("a.rs", "if out {}")];
        let missing = ONE.replace("--test other", "--test gone");
        assert_eq!(
            stale_in(&missing, &text),
            ["R7 the-removed-stay: there is no file crates/wire/tests/gone.rs"]
        );
        assert_eq!(stale_in(&format!("{ONE}{ONE}"), &text), ["R7 the-removed-stay: another has its name"]);
        let same = ONE.replace("if false {", "if out {");
        assert_eq!(stale_in(&same, &text), ["R7 the-removed-stay: replaces a text by itself"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_says_why() {
        for (list, why) in [
            ("", "no [[mutant]]"),
            ("[[mutant]]\nname = \"x\"", "without `rule`"),
            (&ONE.replace("--test roster --test other", ""), "neither --lib nor --test"),
            (&ONE.replace("--test other", "--bin"), "not understood at `--bin`"),
        ] {
            let said = parse(list).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}
