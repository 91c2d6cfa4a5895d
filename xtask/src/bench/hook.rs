//! What a hook costs as a whole process, the node running, with logs of different lengths: at every moment of a session with
//! nothing new, at the first prompt of one, and with more unread than one prompt is given. The bar is a multiple of `true`,
//! because machines differ.

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
    hook(context, &alice, BEHIND, "SessionStart")?;
    let mut rows = Vec::new();
    let mut said = 0;
    let mut empty_us = None;
    for log in LOGS {
        alice.say(log - said, MESSAGE_BYTES)?;
        said = log;
        let measured = series(context, &alice, &format!("steady-{log}"), runs)?;
        for (call, samples) in CALLS.iter().zip(&measured.hooks) {
            if call.at_the_end && log < LOGS[2] {
                continue;
            }
            rows.extend(rows_of(&format!("hook, {log} messages, {}", call.what), samples, measured.true_us)?);
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
    /// One list for each of [`CALLS`].
    hooks: Vec<Vec<Sample>>,
}

/// One kind of call that is measured.
struct Call {
    what: &'static str,
    event: &'static str,
    whose: Whose,
    /// Only with the longest log.
    at_the_end: bool,
}

#[derive(Clone, Copy)]
enum Whose {
    /// A session that has been given everything.
    Steady,
    /// A session that does not keep up.
    Behind,
    /// A session that begins with this call.
    New,
}

const CALLS: [Call; 7] = [
    Call { what: "nothing new", event: "UserPromptSubmit", whose: Whose::Steady, at_the_end: false },
    Call { what: "first prompt", event: "SessionStart", whose: Whose::New, at_the_end: false },
    Call { what: "much unread", event: "UserPromptSubmit", whose: Whose::Behind, at_the_end: true },
    Call { what: "between tools", event: "PostToolUse", whose: Whose::Steady, at_the_end: true },
    Call { what: "between tools, much unread", event: "PostToolUse", whose: Whose::Behind, at_the_end: true },
    Call { what: "at stop", event: "Stop", whose: Whose::Steady, at_the_end: true },
    Call { what: "at the end", event: "SessionEnd", whose: Whose::New, at_the_end: true },
];

const BEHIND: &str = "behind";

/// `true` and each call, in alternation.
fn series(context: &Context<'_>, alice: &Person, session: &str, runs: u32) -> Result<Series> {
    let bare = Subject { name: "true".to_owned(), program: "true".into(), ..Subject::default() };
    let (mut least, mut hooks) = (Vec::new(), vec![Vec::new(); CALLS.len()]);
    // A session that begins now has heard all there is.
    hook(context, alice, session, "SessionStart")?;
    for round in 0..runs {
        least.push(once(&bare)?.cpu_us);
        for (call, samples) in CALLS.iter().zip(&mut hooks) {
            let named = match call.whose {
                Whose::Steady => session.to_owned(),
                Whose::Behind => BEHIND.to_owned(),
                Whose::New => format!("new-{}-{round}", alice.home().display()),
            };
            samples.push(hook(context, alice, &named, call.event)?);
        }
    }
    let true_us = Spread::of(least).ok_or("no runs")?.median;
    Ok(Series { true_us, hooks })
}

/// Runs the hook once, as Claude Code does.
fn hook(context: &Context<'_>, alice: &Person, session: &str, event: &str) -> Result<Sample> {
    let call = json!({
        "session_id": session.replace('/', "-"), "hook_event_name": event, "source": "startup", "prompt": "go on",
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
