//! What a node costs while nothing happens: memory, and CPU over a while, linked to a peer and alone.

use std::time::Duration;

use super::Context;
use super::measure::Spread;
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
    let before = cpu_ticks(pid)?;
    std::thread::sleep(WHILE); // sleep: the time that is measured
    let ticks = cpu_ticks(pid)? - before;
    // The kernel counts in hundredths of a second on every Linux there is.
    let percent = ticks as f64 / WHILE.as_secs_f64();
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

fn rss_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// User and system time of a process.
fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let field = |at: usize| -> Result<u64> { Ok(fields.get(at).ok_or("a short stat")?.parse()?) };
    Ok(field(11)? + field(12)?)
}
