//! One large file from one node to another, over loopback: how fast, and what memory both nodes have had by then. Homes lie
//! in memory, so that the program is measured and not a disk. A virtual machine has most of its free memory from its host
//! only when it is written to, which takes as long as all that the program does: so a file is fetched twice, into memory as
//! it is found, which is told, and into memory that was just written to, which is judged.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Context;
use super::measure::Spread;
use super::process::peak_rss_mib;
use super::table::{Bar, Judged, Row};
use super::world::Person;
use crate::Result;

const BYTES: u64 = 1 << 30;
const SPEED_BAR: f64 = 250.0;
const RSS_BAR_MIB: f64 = 100.0;
const RUNS: u32 = 3;
const GIVE_UP: Duration = Duration::from_secs(30);

pub fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    let (alice, bob) = (Person::in_memory(&context.release)?, Person::in_memory(&context.release)?);
    bob.parlor(&["join", &alice.start()?])?;
    let (mut sealed, mut fetched, mut fetched_cold) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..context.runs(RUNS) {
        let name = format!("noise-{n}.bin");
        let path = alice.project().join(&name);
        write_noise(&path)?;
        let begun = Instant::now();
        alice.parlor(&["drop", &path.display().to_string()])?;
        sealed.push(speed(begun));
        std::fs::remove_file(&path)?;
        await_file(&bob, &name)?;
        fetched_cold.push(fetch(&bob, &name)?);
        touch(&bob.project().join("touched"))?;
        fetched.push(fetch(&bob, &name)?);
        // Memory is not what is measured: what was dropped goes again.
        remove_all(&alice.home().join("blobs/own"))?;
    }
    let speeds = |what: &str, values, bar| -> Result<Row> {
        let measured = Spread::of(values).ok_or("no runs")?;
        Ok(Row { what: what.into(), unit: "MB/s", measured, bar })
    };
    let rss = |who: &str, value| Row {
        what: format!("{who} of a file of 1 GiB: highest RSS"),
        unit: "MiB",
        measured: Spread::single(value),
        bar: Some(Bar::AtMost(Judged::Median, RSS_BAR_MIB)),
    };
    Ok(vec![
        speeds("1 GiB dropped: read, looked through, sealed, durable", sealed, None)?,
        speeds("1 GiB fetched over loopback, into memory as it is found", fetched_cold, None)?,
        speeds(
            "1 GiB fetched over loopback, into memory just written to",
            fetched,
            Some(Bar::AtLeast(Judged::Median, SPEED_BAR)),
        )?,
        rss("sender", peak_rss_mib(alice.node_pid()?)?),
        rss("receiver", peak_rss_mib(bob.node_pid()?)?),
    ])
}

/// Fetches it, says how fast, and removes it again.
fn fetch(bob: &Person, name: &str) -> Result<f64> {
    let begun = Instant::now();
    let got = bob.parlor(&["get", name])?;
    let speed = speed(begun);
    if std::fs::metadata(got.trim())?.len() != BYTES {
        return Err("the file that came has another length".into());
    }
    std::fs::remove_file(got.trim())?;
    remove_all(&bob.home().join("blobs/got"))?;
    Ok(speed)
}

/// Has the machine hold as much memory as a fetch writes.
fn touch(path: &Path) -> Result<()> {
    std::io::copy(&mut std::io::repeat(0).take(2 * BYTES + BYTES / 4), &mut File::create(path)?)?;
    Ok(std::fs::remove_file(path)?)
}

fn speed(begun: Instant) -> f64 {
    BYTES as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

/// Nothing in it can be packed, and every byte value is there: it is no text.
fn write_noise(path: &Path) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    std::io::copy(&mut File::open("/dev/urandom")?.take(BYTES), &mut out)?;
    out.flush()?;
    Ok(())
}

fn await_file(person: &Person, name: &str) -> Result<()> {
    let begun = Instant::now();
    while !person.parlor(&["files", "--json"])?.contains(name) {
        if begun.elapsed() > GIVE_UP {
            return Err(format!("{name} was not heard of").into());
        }
    }
    Ok(())
}

fn remove_all(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}
