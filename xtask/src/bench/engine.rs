//! What the engine's heavy parts cost, with no process, disk or network between: runs the simulator's example `costs` and
//! holds what it prints against the bars. Measures nothing itself.

use serde_json::Value;

use super::Context;
use super::measure::Spread;
use super::table::{Bar, Judged, Row};
use crate::{Result, workspace};

const REKEY_BAR_MS: f64 = 10.0;

/// One row for each line of the example.
pub fn run(_: &Context<'_>) -> Result<Vec<Row>> {
    let mut cargo = workspace::cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "parlor-sim", "--example", "costs"]);
    let rows: Vec<Row> = workspace::output(&mut cargo)?.lines().map(row).collect::<Result<_>>()?;
    if rows.is_empty() { Err("the example printed nothing".into()) } else { Ok(rows) }
}

fn row(line: &str) -> Result<Row> {
    let read: Value = serde_json::from_str(line)?;
    let what = read["what"].as_str().ok_or("a line without `what`")?.to_owned();
    let unit = match read["unit"].as_str() {
        Some("ms") => "ms",
        Some("/s") => "/s",
        _ => return Err(format!("{what}: a unit this does not know").into()),
    };
    let samples = read["samples"].as_array().ok_or("a line without `samples`")?;
    let measured = Spread::of(samples.iter().filter_map(Value::as_f64)).ok_or("no samples")?;
    let bar = what.starts_with("rekey").then_some(Bar::AtMost(Judged::Median, REKEY_BAR_MS));
    Ok(Row { what, unit, measured, bar })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_example_is_a_row_and_only_the_rekey_is_judged() {
        let rekey = row(r#"{"what":"rekey of 50 members","unit":"ms","samples":[11.5,9,12]}"#).unwrap();
        assert_eq!((rekey.measured.min, rekey.measured.median, rekey.holds()), (9.0, 11.5, false));
        let sealed = row(r#"{"what":"bodies sealed","unit":"/s","samples":[1000]}"#).unwrap();
        assert!(sealed.bar.is_none() && sealed.measured == Spread::single(1000.0));
        for wrong in
            ["", "{}", r#"{"what":"x","unit":"s","samples":[1]}"#, r#"{"what":"x","unit":"ms","samples":[]}"#]
        {
            assert!(row(wrong).is_err(), "{wrong}");
        }
    }
}
