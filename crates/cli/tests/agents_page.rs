//! The table of docs/guide/agents.md: at which moments each agent program hears, measured with the real program of the
//! pinned version and the real binaries of two people. It says what was seen and nothing else.
//!
//! The test compares what it sees, yes or no, with the page. `PARLOR_WRITE_PAGE=ROUNDS` measures that many times and writes it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/moments.rs"]
mod moments;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use moments::{Driver, MOMENTS, Seen};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/agents.md");
const WRITE_ENV: &str = "PARLOR_WRITE_PAGE";

/// The head of the page, up to its table.
const HEAD: &str = "# At which moments agents hear

Measured, not claimed: this page is written by a test (`crates/cli/tests/agents_page.rs`) that starts each real program of the version named
against a stub model, on one of two machines' nodes, and looks at the requests the model is sent. The test fails when a *yes* or a *no* no longer
holds.

Times are milliseconds from the start of `parlor send` on the other node to the model's request that holds the words: the middle one and the
longest but one in a hundred of the rounds. *Prompt* includes the pressing of Enter, in OpenCode the start of the program. They were measured
with a debug build on a machine that did other things as well.

";

fn cell(seen: &Seen) -> String {
    if !seen.heard {
        return "no".to_owned();
    }
    let mut times = seen.took.clone();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1));
    match (at(50), at(99)) {
        (Some(middle), Some(longest)) => format!("yes, {} / {}", middle.as_millis(), longest.as_millis()),
        _ => "yes".to_owned(),
    }
}

fn row(driver: &Driver, seen: &BTreeMap<&'static str, Seen>) -> String {
    let cells: Vec<String> = MOMENTS.iter().map(|moment| cell(&seen[moment])).collect();
    format!("| {} {} | {} |\n", driver.name, driver.version, cells.join(" | "))
}

/// The row of the page without its times.
fn verdicts(row: &str) -> Vec<String> {
    row.split('|').map(|cell| cell.trim().split(',').next().unwrap_or_default().to_owned()).collect()
}

/// Measures one program; writes its row, or compares it with the page.
fn measure(driver: &Driver) {
    let rounds = std::env::var(WRITE_ENV).ok().map(|text| text.parse::<usize>().unwrap());
    let row = row(driver, &moments::measure(driver, rounds.unwrap_or(1)));
    if rounds.is_some() {
        return write(&row, driver.name);
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let start = format!("| {} ", driver.name);
    let written =
        page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row of {start}"));
    assert_eq!(verdicts(written), verdicts(row.trim_end()), "seen: {row}");
}

/// Puts one row in its place, and leaves the others.
fn write(row: &str, name: &str) {
    let old = std::fs::read_to_string(PAGE).unwrap_or_default();
    let mut page =
        format!("{HEAD}| program | {} |\n|{}\n", MOMENTS.join(" | "), "---|".repeat(MOMENTS.len() + 1));
    for driver in moments::drivers() {
        let start = format!("| {} ", driver.name);
        let kept = old.lines().find(|line| line.starts_with(&start)).map(|line| format!("{line}\n"));
        page += if driver.name == name { row } else { kept.as_deref().unwrap_or_default() };
    }
    page += FOOT;
    std::fs::write(Path::new(PAGE), page).unwrap();
}

/// What follows the table.
const FOOT: &str = "
- *Prompt*: what was said before a prompt is in its request. *Between tools* and *at stop*: what is urgent (`--priority now`) is heard in
  the middle of a turn, and continues one that would end, once. *Start*: a new session is told who is in the room.
- *Wake*: what is urgent starts a turn of an idle session in a terminal, once you have said `parlor allow wake`. Measured
  once a terminal.
- *Ask*: a question is heard between tools, answered from the agent's shell, and the asker's command ends with the answer.
- *Files*: a file that was dropped is announced at the next prompt.
";

#[test]
fn claude_code_hears_when_the_page_says_it_does() {
    measure(&moments::drivers()[0]);
}

#[test]
fn codex_hears_when_the_page_says_it_does() {
    measure(&moments::drivers()[1]);
}

#[test]
fn gemini_cli_hears_when_the_page_says_it_does() {
    measure(&moments::drivers()[2]);
}

#[test]
fn opencode_hears_when_the_page_says_it_does() {
    measure(&moments::drivers()[3]);
}

#[test]
fn the_page_has_one_row_for_each_program_and_one_cell_for_each_moment() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert!(page.starts_with(HEAD) && page.ends_with(FOOT), "written by hand: {WRITE_ENV}=20 writes it");
    for driver in moments::drivers() {
        let start = format!("| {} {} |", driver.name, driver.version);
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with(&start)).collect();
        assert_eq!(rows.len(), 1, "{start}");
        assert_eq!(rows[0].split('|').count(), MOMENTS.len() + 3, "{}", rows[0]);
    }
    assert!(verdicts("| a 1 | yes, 3 / 4 | no |").contains(&"yes".to_owned()));
    let took = [5, 1, 3].map(Duration::from_millis).to_vec();
    assert_eq!(cell(&Seen { heard: true, took }), "yes, 3 / 5");
}
