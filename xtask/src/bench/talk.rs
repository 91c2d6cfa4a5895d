//! Two nodes on loopback: how long from `send` on one until the other could give it to an agent, and how long a
//! fresh peer needs for a long log.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Context;
use super::measure::Spread;
use super::table::{Bar, Judged, Row};
use super::world::Person;
use crate::Result;

const SENDS: u32 = 500;
const SENDS_BAR_MS: f64 = 10.0;
const BEHIND: usize = 100_000;
const BEHIND_BAR_S: f64 = 6.0;
const MESSAGE_BYTES: usize = 512;
const GIVE_UP: Duration = Duration::from_secs(300);

/// From the request on one node to the event on the other, which comes after its commit.
pub fn send_to_hook(context: &Context<'_>) -> Result<Vec<Row>> {
    let (alice, bob) = (Person::new(&context.release)?, Person::new(&context.release)?);
    bob.parlor(&["join", &alice.start()?])?;
    let mut follow = alice.connect()?;
    follow.write(json!({"do": "log", "follow": true, "limit": 1}))?;
    let mut speak = bob.connect()?;
    speak.call(json!({"do": "send", "text": "warm", "request_id": "warm", "wait_ms": 5000}))?;
    follow.answer()?;
    let mut took = Vec::new();
    for n in 0..context.runs(SENDS) {
        let begun = Instant::now();
        speak
            .write(json!({"do": "send", "text": format!("word {n}"), "request_id": format!("bench {n}")}))?;
        follow.answer()?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        speak.answer()?;
    }
    let measured = Spread::of(took).ok_or("no runs")?;
    let bar = Some(Bar::AtMost(Judged::P99, SENDS_BAR_MS));
    Ok(vec![Row { what: "send → readable by the other's hook".into(), unit: "ms", measured, bar }])
}

/// From `join` to all of it verified and durable.
pub fn catch_up(context: &Context<'_>) -> Result<Vec<Row>> {
    let (alice, bob) = (Person::new(&context.release)?, Person::new(&context.release)?);
    let ticket = alice.start()?;
    alice.say(BEHIND, MESSAGE_BYTES)?;
    bob.parlor(&["node", "status"]).ok();
    bob.parlor(&["identity", "show"])?;
    let mut watch = bob.connect()?;
    let begun = Instant::now();
    let join = json!({"do": "join", "ticket": ticket, "wait_ms": 60_000});
    watch.call(join)?;
    loop {
        let answer = watch.call(json!({"do": "room_list"}))?;
        let held = answer["ok"]["rooms"][0]["messages"].as_u64().unwrap_or(0);
        if held as usize >= BEHIND {
            break;
        }
        if begun.elapsed() > GIVE_UP {
            return Err(format!("only {held} of {BEHIND} messages after {GIVE_UP:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5)); // sleep: how often the watcher looks
    }
    let measured = Spread::single(begun.elapsed().as_secs_f64());
    let bar = Some(Bar::AtMost(Judged::Median, BEHIND_BAR_S));
    Ok(vec![Row { what: format!("a fresh peer, {BEHIND} entries behind"), unit: "s", measured, bar }])
}
