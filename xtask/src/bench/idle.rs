//! What a node costs while nothing happens: memory, and CPU over a while, linked to a peer and alone.

use std::time::Duration;

use super::Context;
use super::measure::Spread;
use super::process::{cpu_s, rss_mib};
use super::table::{Bar, Judged, Row};
use super::world::Person;
use crate::Result;

const WHILE: Duration = Duration::from_secs(10);
const RSS_BAR_MIB: f64 = 40.0;
/// "About none": half a percent of one core.
const CPU_BAR_PERCENT: f64 = 0.5;

pub fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    let (alice, bob) = (Person::new(&context.release)?, Person::new(&context.release)?);
    bob.parlor(&["join", &alice.start()?])?;
    bob.parlor(&["send", "now be quiet"])?;
    let pid = alice.node_pid()?;
    std::thread::sleep(Duration::from_secs(2)); // sleep: what was just begun ends
    let before = cpu_s(pid)?;
    std::thread::sleep(WHILE); // sleep: the time that is measured
    let percent = (cpu_s(pid)? - before) / WHILE.as_secs_f64() * 100.0;
    let row = |what: &str, unit, value, limit| Row {
        what: what.to_owned(),
        unit,
        measured: Spread::single(value),
        bar: Some(Bar::AtMost(Judged::Median, limit)),
    };
    Ok(vec![
        row("idle node, one peer: RSS", "MiB", rss_mib(pid)?, RSS_BAR_MIB),
        row("idle node, one peer: CPU of one core", "%", percent, CPU_BAR_PERCENT),
    ])
}
