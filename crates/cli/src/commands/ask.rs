//! `parlor ask` and `parlor answer`: a question that is waited for, and the answer to one. Told is what is known: the answers, or
//! how far the question has got.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use parlor_api::{Asked, ErrorKind, Reply, Request};

use super::Context;
use super::send::{WAIT_MS, refuse_tickets, request_id};
use crate::args::{Answer, Ask};
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output;
use crate::reach::Reach;
use crate::render::ask as render;
use crate::{input, render as rendered};

/// The node waits at most so long for one answer to this; then it is asked again.
const PART_MS: u64 = 50_000;

pub fn ask(context: &Context, ask: Ask, interrupt: &Interrupt) -> Outcome {
    let text = text(context, &ask.text, input::QUESTION)?;
    let timeout_ms = u64::try_from(ask.timeout.as_millis()).unwrap_or(u64::MAX);
    let request = Request::Ask {
        to: ask.to,
        room: ask.room,
        text,
        request_id: request_id()?,
        timeout_ms,
        wait_ms: WAIT_MS,
    };
    let mut reach = Reach::new(&context.home)?;
    let phase = say_on_interrupt(context, interrupt);
    let Reply::Asked(asked) = reach.ask(&request, WAIT_MS)? else {
        return Err(Failure::unexpected_reply());
    };
    set(&phase, Phase::Open(Box::new(asked.clone())));
    context.out.talk(&render::asked(&asked));
    asked.warnings.iter().for_each(|warning| context.out.talk(&format!("warning: {warning}")));
    let asked = wait(context, &mut reach, asked, &phase)?;
    if context.out.is_json() {
        let (asked, tokens) = given(&mut reach, &asked)?;
        set(&phase, Phase::Over);
        context.out.object(&asked)?;
        context.out.flush()?;
        // Only now it has been shown: an interrupted command gives nothing, and its session is given it later.
        tokens.into_iter().for_each(|token| reach.commit(token));
    }
    set(&phase, Phase::Over);
    if asked.answered > 0 {
        return Ok(());
    }
    render::far(&asked).iter().for_each(|line| context.out.talk(line));
    Err(nobody(&asked, timeout_ms))
}

/// Asks the node for answers until there is one, or of many who are asked until the time is over. Each is shown as it comes,
/// unless all are to be one object at the end.
fn wait(context: &Context, reach: &mut Reach, first: Asked, phase: &Mutex<Phase>) -> Outcome<Asked> {
    let (mut known, mut seen) = (Vec::new(), 0);
    let give = !context.out.is_json();
    loop {
        let wait_ms = PART_MS;
        let request = Request::Answers { entry: first.id.clone(), seen, wait_ms, give };
        let Reply::Asked(mut asked) = reach.ask(&request, wait_ms)? else {
            return Err(Failure::unexpected_reply());
        };
        if give {
            asked.answers.iter().try_for_each(|answer| context.out.line(&render::answer(answer)))?;
            context.out.flush()?;
        }
        if let Some(token) = asked.token {
            // What was shown here is not given to the session again; if this is lost, it is.
            reach.commit(token);
        }
        seen = asked.seen;
        known.append(&mut asked.answers);
        let all = Asked { answers: known.clone(), warnings: first.warnings.clone(), ..asked };
        if !all.open || (!all.to_all && !known.is_empty()) {
            return Ok(all);
        }
        set(phase, Phase::Open(Box::new(all)));
    }
}

/// All answers again, now to be given: with what is to be committed once they are shown.
fn given(reach: &mut Reach, last: &Asked) -> Outcome<(Asked, Vec<u64>)> {
    let (mut answers, mut tokens, mut seen) = (Vec::new(), Vec::new(), 0);
    while seen < last.seen {
        let request = Request::Answers { entry: last.id.clone(), seen, wait_ms: 0, give: true };
        let Reply::Asked(mut asked) = reach.ask(&request, 0)? else {
            return Err(Failure::unexpected_reply());
        };
        answers.append(&mut asked.answers);
        tokens.extend(asked.token);
        if asked.seen <= seen {
            break;
        }
        seen = asked.seen;
    }
    Ok((Asked { answers, ..last.clone() }, tokens))
}

/// How far this command is: what its end means for the question depends on it.
enum Phase {
    /// The node may have taken the question or not: its answer has not come.
    Underway,
    Open(Box<Asked>),
    Over,
}

fn set(phase: &Mutex<Phase>, to: Phase) {
    *phase.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// What is said when the user does not wait any longer: the question is asked all the same.
fn say_on_interrupt(context: &Context, interrupt: &Interrupt) -> Arc<Mutex<Phase>> {
    let phase = Arc::new(Mutex::new(Phase::Underway));
    let (known, json) = (phase.clone(), context.out.is_json());
    interrupt.on_interrupt(move || match &*known.lock().unwrap_or_else(PoisonError::into_inner) {
        Phase::Open(asked) if json => output::last_object(asked.as_ref()),
        Phase::Open(asked) => output::farewell(&render::stays_open(asked)),
        Phase::Underway if !json => output::farewell(render::MAY_BE_ASKED),
        Phase::Underway | Phase::Over => {}
    });
    phase
}

fn nobody(asked: &Asked, timeout_ms: u64) -> Failure {
    let waited = humantime::format_duration(std::time::Duration::from_millis(timeout_ms));
    let id = rendered::short(&asked.id);
    Failure::new(
        ErrorKind::Unreached,
        format!("nobody has answered {id} within {waited}"),
        format!("an answer that comes later is in `parlor log`; `parlor log {id}` shows the question"),
    )
}

pub fn answer(context: &Context, answer: Answer) -> Outcome {
    let text = text(context, &answer.text, input::ANSWER)?;
    let request = Request::Answer { entry: answer.id, text, request_id: request_id()?, wait_ms: WAIT_MS };
    let Reply::Sent(sent) = context.ask_waiting(&request, WAIT_MS)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&sent, || vec![rendered::sent(&sent)])?;
    sent.warnings.iter().for_each(|warning| context.out.talk(&format!("warning: {warning}")));
    Ok(())
}

fn text(context: &Context, words: &[OsString], wanted: input::Wanted) -> Outcome<String> {
    context.mention_clock();
    let text = input::text(words, wanted, context.out)?;
    refuse_tickets(&text)?;
    Ok(text)
}
