//! A question from one session to another on another node, over loopback: from the asking until the answer is there, without
//! what a model needs to think of one. The hook between tools is the real program, run until it brings the question.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Context;
use super::measure::Spread;
use super::table::{Bar, Judged, Row};
use super::world::{Connection, Person};
use crate::Result;

const ROUNDS: u32 = 100;
const BAR_MS: f64 = 100.0;
const GIVE_UP: Duration = Duration::from_secs(10);
/// One session asks another twenty times an hour at most: what is asked more often waits for a prompt.
const ROUNDS_OF_SESSION: u32 = 20;

pub fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    let (alice, bob) = (Person::new(&context.release)?, Person::new(&context.release)?);
    bob.parlor(&["join", &alice.start()?])?;
    let identity: Value = serde_json::from_str(&bob.parlor(&["identity", "show", "--json"])?)?;
    let whom = identity["peer"].as_str().ok_or("the identity names no peer")?.to_owned();
    let (mut asking, mut answering) = (alice.connect()?, bob.connect()?);
    let mut took = Vec::new();
    for round in 0..context.runs(ROUNDS) {
        let session = format!("asked-{}", round / ROUNDS_OF_SESSION);
        if round % ROUNDS_OF_SESSION == 0 {
            bob.hook(&session, "SessionStart")?;
        }
        let begun = Instant::now();
        one_question(&mut asking, &mut answering, (&bob, &session), &whom, round)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let measured = Spread::of(took).ok_or("no runs")?;
    let bar = Some(Bar::AtMost(Judged::P99, BAR_MS));
    let what = "ask → heard between tools → answer, without the model".into();
    Ok(vec![Row { what, unit: "ms", measured, bar }])
}

fn one_question(
    asking: &mut Connection,
    answering: &mut Connection,
    (bob, session): (&Person, &str),
    whom: &str,
    round: u32,
) -> Result<()> {
    let question = format!("question {round}?");
    let asked = asking.call(json!({
        "do": "ask", "to": whom, "text": question, "request_id": format!("ask {round}"), "timeout_ms": 60_000,
    }))?;
    let id = asked["ok"]["asked"]["id"].as_str().ok_or_else(|| format!("no id in {asked}"))?.to_owned();
    let begun = Instant::now();
    while !bob.hook(session, "PostToolUse")?.contains(&question) {
        if begun.elapsed() > GIVE_UP {
            return Err(format!("{question} was not heard in {GIVE_UP:?}").into());
        }
    }
    asking.write(json!({"do": "answers", "entry": id, "wait_ms": 10_000}))?;
    answering.call(json!({
        "do": "answer", "entry": id, "text": "here", "request_id": format!("answer {round}"),
    }))?;
    let answers = asking.answer()?;
    match answers["ok"]["asked"]["answers"].as_array() {
        Some(answers) if answers.len() == 1 => Ok(()),
        _ => Err(format!("no answer in {answers}").into()),
    }
}
