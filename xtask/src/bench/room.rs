//! Rooms of many real nodes in a network of their own: what keeping alive costs, how fast a word is everywhere, what each
//! node costs, and one node in many rooms.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Context;
use super::measure::Spread;
use super::net::Net;
use super::process::{cpu_s, rss_mib};
use super::table::Row;
use super::world::{Connection, Person};
use crate::Result;

/// As many real nodes as two cores carry.
const PEOPLE: usize = 30;
const WORDS: u32 = 50;
const ROOMS: usize = 20;
const WHILE: Duration = Duration::from_secs(40);
const GIVE_UP: Duration = Duration::from_secs(120);

fn told(what: impl Into<String>, unit: &'static str, measured: Spread) -> Row {
    Row { what: what.into(), unit, measured, bar: None }
}

fn settle() {
    std::thread::sleep(Duration::from_secs(5)); // sleep: what was just begun ends
}

/// Two nodes that have nothing to say, in the packets and bytes of both.
pub fn keep_alive(context: &Context<'_>) -> Result<Vec<Row>> {
    let net = Net::new()?;
    let [alice, bob] = [Person::within(&context.release, &net)?, Person::within(&context.release, &net)?];
    bob.parlor(&["join", &alice.start()?])?;
    bob.parlor(&["send", "now be quiet"])?;
    settle();
    let before = net.crossed()?;
    std::thread::sleep(WHILE); // sleep: the time that is measured
    let after = net.crossed()?;
    let a_second = |before: f64, after: f64| Spread::single((after - before) / WHILE.as_secs_f64());
    Ok(vec![
        told("a quiet link, both directions", "B/s", a_second(before.0, after.0)),
        told("a quiet link, both directions", "packets/s", a_second(before.1, after.1)),
    ])
}

/// All join by one line at once; then one after the other says something, and everybody has it.
pub fn room(context: &Context<'_>) -> Result<Vec<Row>> {
    let net = Net::new()?;
    let people: Vec<Person> =
        (0..PEOPLE).map(|_| Person::within(&context.release, &net)).collect::<Result<_>>()?;
    let ticket = people[0].start()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let joins: Vec<_> = people[1..]
            .iter()
            .map(|person| {
                scope.spawn(|| person.parlor(&["join", &ticket]).map(drop).map_err(|e| e.to_string()))
            })
            .collect();
        joins.into_iter().try_for_each(|join| join.join().map_err(|_| "a join broke")?)
    })?;
    let joined_s = begun.elapsed().as_secs_f64();
    settle();
    let pids: Vec<u32> = people.iter().map(Person::node_pid).collect::<Result<_>>()?;
    let cpu = || pids.iter().map(|pid| cpu_s(*pid)).collect::<Result<Vec<f64>>>();
    let (cpu_before, crossed_before) = (cpu()?, net.crossed()?.0);
    let took = propagation(&people, context.runs(WORDS))?;
    let words = f64::from(context.runs(WORDS));
    let spent = cpu()?.into_iter().zip(cpu_before).map(|(after, before)| (after - before) / words * 1e3);
    let spent: Vec<f64> = spent.collect();
    let starter = spent[0];
    let crossed = (net.crossed()?.0 - crossed_before) / words / 1024.0;
    let rss: Vec<f64> = pids.iter().map(|pid| rss_mib(*pid)).collect::<Result<_>>()?;
    let spread = |values: Vec<f64>| Spread::of(values).ok_or("no runs");
    Ok(vec![
        told(format!("{PEOPLE} nodes, all joined by one line"), "s", Spread::single(joined_s)),
        told(format!("{PEOPLE} nodes, send → readable by all others"), "ms", spread(took)?),
        told(format!("{PEOPLE} nodes, CPU of a node for one message"), "ms", spread(spent)?),
        told(
            format!("{PEOPLE} nodes, CPU of the starter's node for one message"),
            "ms",
            Spread::single(starter),
        ),
        told(format!("{PEOPLE} nodes, bytes of all for one message"), "KiB", Spread::single(crossed)),
        told(format!("{PEOPLE} nodes, RSS of a node"), "MiB", spread(rss)?),
    ])
}

/// From the request on one node until every other has it on disk and would give it.
fn propagation(people: &[Person], words: u32) -> Result<Vec<f64>> {
    let mut listeners: Vec<Connection> = people.iter().map(Person::connect).collect::<Result<_>>()?;
    for listener in &mut listeners {
        listener.write(json!({"do": "log", "follow": true, "limit": 1}))?;
    }
    let mut speakers: Vec<Connection> = people.iter().map(Person::connect).collect::<Result<_>>()?;
    let mut took = Vec::new();
    for n in 0..words as usize {
        let text = format!("word {n} of {}", std::process::id());
        let speaker = n % people.len();
        let begun = Instant::now();
        speakers[speaker].write(json!({"do": "send", "text": text, "request_id": text}))?;
        for listener in &mut listeners {
            while !listener.answer()?.to_string().contains(&text) {
                if begun.elapsed() > GIVE_UP {
                    return Err(format!("somebody does not have it after {GIVE_UP:?}").into());
                }
            }
        }
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        speakers[speaker].answer()?;
    }
    Ok(took)
}

/// One node in many rooms with another: what it costs while nothing happens.
pub fn rooms(context: &Context<'_>) -> Result<Vec<Row>> {
    let net = Net::new()?;
    let [alice, bob] = [Person::within(&context.release, &net)?, Person::within(&context.release, &net)?];
    for n in 0..ROOMS {
        let line = alice.parlor(&["start", &format!("room{n}")])?;
        bob.parlor(&["join", line.trim().rsplit(' ').next().unwrap_or_default()])?;
        bob.parlor(&["send", "--room", &format!("room{n}"), "hello"])?;
    }
    settle();
    let pid = alice.node_pid()?;
    let before = cpu_s(pid)?;
    std::thread::sleep(WHILE); // sleep: the time that is measured
    let percent = (cpu_s(pid)? - before) / WHILE.as_secs_f64() * 100.0;
    Ok(vec![
        told(format!("idle node in {ROOMS} rooms: RSS"), "MiB", Spread::single(rss_mib(pid)?)),
        told(format!("idle node in {ROOMS} rooms: CPU of one core"), "%", Spread::single(percent)),
    ])
}
