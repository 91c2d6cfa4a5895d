//! A promise without a test is not made: every row of the table of attacks names tests, and every test named exists.
//! Knows that a test is a function of that name; that it tests the right thing is for readers.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Finding;

/// The document with one row per attack.
pub const TABLE: &str = "docs/attacks.md";

/// A name in backticks with this many underscores is taken for a test wherever it stands.
const UNDERSCORES_OF_A_TEST: usize = 3;

/// The names of all functions in a source file.
pub fn functions(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("fn ") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + 3..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        names.push(&rest[..end]);
    }
    names
}

/// Rows of the table of attacks that name no test, or one that does not exist.
pub fn table(path: &str, text: &str, functions: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reader = TableReader::default();
    let mut rows = 0;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let Some(tests) = reader.read(&event) else { continue };
        rows += 1;
        let line = text[..range.start].matches('\n').count() + 1;
        match tests {
            None => findings.push(Finding::new(
                path,
                line,
                "a row of a table without a column of tests",
                "head the column that names the tests with `test`",
            )),
            Some(tests) if tests.is_empty() => findings.push(Finding::new(
                path,
                line,
                "an attack without a test",
                "name the test in backticks, or take the row out: a promise without a test is not made",
            )),
            Some(tests) => findings.extend(
                tests.iter().filter(|t| !functions.contains(last_segment(t))).map(|t| missing(path, line, t)),
            ),
        }
    }
    if rows == 0 {
        findings.push(no_table());
    }
    findings
}

/// The table is not there, or empty.
pub fn no_table() -> Finding {
    Finding::new(TABLE, 1, "there is no table of attacks", "one row per attack, with the tests that try it")
}

/// Names anywhere in a document that look like tests and are none.
pub fn cited(path: &str, text: &str, functions: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let Event::Code(name) = event else { continue };
        let last = last_segment(&name);
        let looks_like_a_test = is_identifier(last)
            && (last.starts_with("wound_") || last.matches('_').count() >= UNDERSCORES_OF_A_TEST);
        if looks_like_a_test && !functions.contains(last) {
            let line = text[..range.start].matches('\n').count() + 1;
            findings.push(missing(path, line, &name));
        }
    }
    findings
}

fn missing(path: &str, line: usize, name: &str) -> Finding {
    Finding::new(
        path,
        line,
        format!("no test has the name `{name}`"),
        "write the test, or correct the name: the last part must be the name of a function in this tree",
    )
}

fn last_segment(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Follows the events of a document and hands out, at the end of each row, the code spans of its column of tests.
#[derive(Default)]
struct TableReader {
    in_head: bool,
    in_table: bool,
    column: usize,
    tests_column: Option<usize>,
    names: Vec<String>,
}

impl TableReader {
    /// At the end of a row: the tests it names, or none when the table has no column for them.
    fn read(&mut self, event: &Event<'_>) -> Option<Option<Vec<String>>> {
        match event {
            Event::Start(Tag::Table(_)) => *self = Self { in_table: true, ..Self::default() },
            Event::End(TagEnd::Table) => self.in_table = false,
            Event::Start(Tag::TableHead) => (self.in_head, self.column) = (true, 0),
            Event::End(TagEnd::TableHead) => self.in_head = false,
            Event::Start(Tag::TableRow) => self.column = 0,
            Event::End(TagEnd::TableCell) => self.column += 1,
            Event::Text(title) if self.in_head && title.to_lowercase().contains("test") => {
                self.tests_column = Some(self.column);
            }
            Event::Code(name) if self.in_table && self.tests_column == Some(self.column) => {
                self.names.push(name.to_string());
            }
            Event::End(TagEnd::TableRow) => {
                let names = std::mem::take(&mut self.names);
                return Some(self.tests_column.map(|_| names));
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const HEAD: &str = "# Attacks\n\n| attack | what happens | tests |\n|---|---|---|\n";

    fn known() -> BTreeSet<&'static str> {
        BTreeSet::from(["wound_7_a_long_line_never_wedges_a_link", "two_hooks_inject_once"])
    }

    fn found_in(rows: &str) -> Vec<Finding> {
        table(TABLE, &format!("{HEAD}{rows}"), &known())
    }

    #[test]
    fn functions_are_found_with_every_qualifier_and_nothing_else_is() {
        let text =
            "pub async fn one() {}\n    fn two<T>(t: T) {}\nlet define = 1; // fn_ptr\nconst fn three() {}";
        assert_eq!(functions(text), ["one", "two", "three"]);
    }

    #[test]
    fn a_row_that_names_existing_tests_passes() {
        let rows = "| a `send` | refused | `wound_7_a_long_line_never_wedges_a_link`, `store::two_hooks_inject_once` |\n";
        assert_eq!(found_in(rows), []);
    }

    #[test]
    fn a_row_without_a_test_or_with_one_that_is_not_there_is_found() {
        let findings = found_in("| a | b | in words |\n| c | d | `wound_9_not_written` |\n");
        assert_eq!(findings.len(), 2);
        assert_eq!((findings[0].line, findings[1].line), (5, 6));
    }

    #[test]
    fn a_table_without_a_column_of_tests_and_an_empty_document_are_found() {
        assert_eq!(table(TABLE, "| a | b |\n|---|---|\n| c | `d` |\n", &known()).len(), 1);
        assert_eq!(table(TABLE, "# Attacks\n", &known()).len(), 1);
    }

    #[test]
    fn a_test_cited_in_prose_must_exist_and_other_words_are_left_alone() {
        let good = "`send` keeps `max_message_size`; see `two_hooks_inject_once` and `PARLOR_A_B_C_D`.";
        assert_eq!(cited("SECURITY.md", good, &known()), []);
        assert_eq!(cited("SECURITY.md", "see `wound_1`", &known()).len(), 1);
        let findings = cited("SECURITY.md", "\nsee `parlor_core::tests::nobody_writes_as_bob`", &known());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }
}
