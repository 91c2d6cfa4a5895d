//! A room of hundreds, beyond what two cores carry as processes: runs the simulator's example `scale` and puts what it prints
//! into rows. Measures nothing itself.

use super::Context;
use super::measure::Spread;
use super::table::Row;
use crate::{Result, workspace};

/// Members, of them online, entries of history, rooms.
const WORLDS: [[&str; 4]; 2] = [["512", "50", "2000", "1"], ["50", "50", "50", "5"]];
/// Of what is printed for each node and second, what is told here.
const TOLD: [(&str, &str); 4] =
    [("frames sent", "/s"), ("KiB sent", "KiB/s"), ("ms of engine", "ms/s"), ("dials a minute", "/min")];

/// Some rows for each world.
pub fn run(_: &Context<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for world in WORLDS {
        let mut cargo = workspace::cargo();
        cargo.args(["run", "--quiet", "--release", "--package", "parlor-sim", "--example", "scale", "--"]);
        let [members, online, history, rooms] = world;
        let title =
            format!("simulated: {members} members, {online} online, {history} entries, {rooms} rooms");
        rows.extend(rows_of(&title, &workspace::output(cargo.args(world))?)?);
    }
    Ok(rows)
}

fn rows_of(title: &str, printed: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut section = "";
    for line in printed.lines() {
        if !line.starts_with(' ') {
            section = line.split([',', ':']).next().unwrap_or_default();
        }
        let told = TOLD.iter().find(|(name, _)| line.trim_start().starts_with(name));
        if let Some((name, unit)) = told.filter(|_| section == "at rest") {
            let (mean, most) = (after(line, "mean")?, after(line, "most")?);
            let measured = Spread { min: mean, median: mean, p99: most, max: most };
            rows.push(row(format!("{title}; at rest, {name} by a node (mean, most)"), unit, measured));
        }
        if line.contains("a message to another node") {
            let (p50, p99, last) = (after(line, "p50")?, after(line, "p99")?, after(line, "last")?);
            let measured = Spread { min: p50, median: p50, p99, max: last };
            rows.push(row(
                format!("{title}; a message to another node, frames take 10 to 50 ms"),
                "ms",
                measured,
            ));
        }
        if line.starts_with("memory:") {
            let mib = after(line, "memory:")? / 1024.0;
            rows.push(row(format!("{title}; memory of a node with its store"), "MiB", Spread::single(mib)));
        }
    }
    if rows.is_empty() { Err("the example printed nothing that is known here".into()) } else { Ok(rows) }
}

fn row(what: String, unit: &'static str, measured: Spread) -> Row {
    Row { what, unit, measured, bar: None }
}

/// The number behind a word.
fn after(line: &str, word: &str) -> Result<f64> {
    let mut words = line.split_whitespace().skip_while(|other| *other != word).skip(1);
    let number = words.next().ok_or_else(|| format!("no `{word}` in: {line}"))?;
    Ok(number.trim_end_matches(',').parse()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const PRINTED: &str = "joining: 1.0 s simulated; for each node and second:\n  frames sent   mean  9.0   most 10.0\n\
        at rest, a session of each present: 600.0 s simulated; for each node and second:\n  \
        frames sent            mean      7.500   most     10.250   most/mean 1.37   starter      8.000\n\
        fifty messages, one after the other: 3.0 s simulated\n  frames sent  mean 1.0 most 2.0\n  \
        a message to another node: p50 135 ms, p99 250 ms, last 260 ms\nmemory: 2048 KiB a node, with its store in memory\n";

    #[test]
    fn what_the_example_prints_becomes_rows() {
        let rows = rows_of("a room", PRINTED).unwrap();
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert_eq!((rows[0].measured.median, rows[0].measured.max), (7.5, 10.25));
        assert_eq!(
            (rows[1].measured.median, rows[1].measured.p99, rows[1].measured.max),
            (135.0, 250.0, 260.0)
        );
        assert_eq!(rows[2].measured.median, 2.0);
        assert!(rows_of("a room", "nothing\n").is_err());
    }
}
