//! What a hook costs as a whole process, the node running, with logs of different lengths: with nothing new, at the
//! first prompt of a session, and with more unread than one prompt is given. The bar is a multiple of `true`, because
//! machines differ.

use serde_json::json;

use super::Context;
use super::measure::{Sample, Spread, Subject, once};
use super::table::{Bar, Judged, Row};
use super::world::Person;
use crate::Result;

const RUNS: u32 = 200;
const LOGS: [usize; 3] = [0, 1_000, 100_000];
const MESSAGE_BYTES: usize = 512;
/// 1.5 ms where `true` takes 0.5 ms.
const BAR_OVER_TRUE: f64 = 3.0;
/// A log of 100,000 costs what an empty one does, within the noise of a shared machine.
const BAR_FLAT: f64 = 1.25;

pub fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    let runs = context.runs(RUNS);
    let alice = Person::new(&context.release)?;
    alice.start()?;
    // Behind from here on: each of its prompts is given what fits and told how much more there is.
    prompt(context, &alice, BEHIND, false)?;
    let mut rows = Vec::new();
    let mut said = 0;
    let mut empty_us = None;
    for log in LOGS {
        alice.say(log - said, MESSAGE_BYTES)?;
        said = log;
        let measured = series(context, &alice, &format!("steady-{log}"), runs)?;
        for (name, samples) in ["nothing new", "first prompt", "much unread"].into_iter().zip(&measured.hooks)
        {
            if name == "much unread" && log < LOGS[2] {
                continue;
            }
            rows.extend(rows_of(&format!("hook, {log} messages, {name}"), samples, measured.true_us)?);
        }
        let steady = Spread::of(measured.hooks[0].iter().map(|s| s.cpu_us)).ok_or("no runs")?.median;
        let empty = *empty_us.get_or_insert(steady / measured.true_us);
        if log == LOGS[2] {
            let ratio = Spread::single(steady / measured.true_us / empty);
            let bar = Some(Bar::AtMost(Judged::Median, BAR_FLAT));
            rows.push(Row {
                what: format!("hook CPU, {log} messages over none"),
                unit: "×",
                measured: ratio,
                bar,
            });
        }
    }
    Ok(rows)
}

struct Series {
    true_us: f64,
    hooks: [Vec<Sample>; 3],
}

/// A session that does not keep up.
const BEHIND: &str = "behind";

/// `true`, a hook with nothing new, a hook of a new session, a hook with much unread, in alternation.
fn series(context: &Context<'_>, alice: &Person, session: &str, runs: u32) -> Result<Series> {
    let bare = Subject { name: "true".to_owned(), program: "true".into(), ..Subject::default() };
    let (mut least, mut steady, mut first, mut behind) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // A session that begins now has heard all there is.
    prompt(context, alice, session, false)?;
    for round in 0..runs {
        least.push(once(&bare)?.cpu_us);
        steady.push(prompt(context, alice, session, true)?);
        behind.push(prompt(context, alice, BEHIND, true)?);
        first.push(prompt(context, alice, &format!("new-{}-{round}", alice.home().display()), false)?);
    }
    let true_us = Spread::of(least).ok_or("no runs")?.median;
    Ok(Series { true_us, hooks: [steady, first, behind] })
}

/// Runs the hook once, as Claude Code does.
fn prompt(context: &Context<'_>, alice: &Person, session: &str, known: bool) -> Result<Sample> {
    let event = if known { "UserPromptSubmit" } else { "SessionStart" };
    let call = json!({
        "session_id": session, "hook_event_name": event, "source": "startup", "prompt": "go on",
        "cwd": alice.project(), "transcript_path": "/dev/null",
    });
    once(&Subject {
        name: "parlor-hook".to_owned(),
        program: context.release.join("parlor-hook"),
        arguments: Vec::new(),
        environment: vec![("PARLOR_HOME".to_owned(), alice.home().display().to_string())],
        input: call.to_string().into_bytes(),
    })
}

fn rows_of(what: &str, samples: &[Sample], true_us: f64) -> Result<Vec<Row>> {
    let cpu = Spread::of(samples.iter().map(|s| s.cpu_us)).ok_or("no runs")?;
    let wall = Spread::of(samples.iter().map(|s| s.wall_us)).ok_or("no runs")?;
    let over = Spread::single(cpu.median / true_us);
    let row = |kind: &str, unit, measured, bar| Row { what: format!("{what}: {kind}"), unit, measured, bar };
    Ok(vec![
        row("CPU", "µs", cpu, None),
        row("wall", "µs", wall, None),
        row("CPU over `true`", "×", over, Some(Bar::AtMost(Judged::Median, BAR_OVER_TRUE))),
    ])
}
