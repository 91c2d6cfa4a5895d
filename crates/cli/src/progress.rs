//! How far a long catch-up is, to a person who waits for it: a line on stderr that is gone at the end. Nothing where stderr is
//! no terminal. Must not hold up what was asked for when nothing comes.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parlor_api::{Reply, Request, Room};

use crate::commands::Context;
use crate::render::catching;

/// Fewer than this are here before anybody has read a line about them.
const LONG: u64 = 1_000;
/// Between two looks.
const STEP: Duration = Duration::from_millis(200);
/// How long somebody may take to say what there is.
const FIRST_WORD: Duration = Duration::from_millis(600);
/// Nothing came for so long: it goes on by itself, without anybody watching.
const STILL: Duration = Duration::from_secs(10);

/// Shows a room's catch-up until it is level or stands still.
pub fn until_level(context: &Context, room: &str) {
    if context.out.is_json() || !std::io::stderr().is_terminal() {
        return;
    }
    let begun = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let mut last = (0, begun);
    while let Some(room) = look(context, Some(room)) {
        if room.missing != last.0 {
            last = (room.missing, Instant::now());
        }
        let waits_for_word = bar.is_none() && room.missing == 0 && begun.elapsed() < FIRST_WORD;
        let is_over = room.missing == 0 || last.1.elapsed() > STILL || (bar.is_none() && room.missing < LONG);
        if is_over && !waits_for_word {
            break;
        }
        if let Some(shown) = catching::shown(&room) {
            let bar = bar.get_or_insert_with(line);
            bar.set_message(shown);
            bar.set_length(room.messages.saturating_add(room.missing));
            bar.set_position(room.messages);
        }
        std::thread::sleep(STEP);
    }
    bar.iter().for_each(ProgressBar::finish_and_clear);
}

/// Says that what is shown now is not all there is.
pub fn mention(context: &Context, room: Option<&str>) {
    if context.out.is_json() || !std::io::stderr().is_terminal() {
        return;
    }
    if let Some(room) = look(context, room).filter(|room| room.missing >= LONG)
        && let Some(shown) = catching::shown(&room)
    {
        context.out.talk(&format!("{shown} have come; the rest is on its way."));
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:24} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

// What cannot be asked is not worth a complaint: it would only have been a line about how far it is.
fn look(context: &Context, room: Option<&str>) -> Option<Room> {
    match context.ask(&Request::RoomShow { room: room.map(str::to_owned) }).ok()? {
        Reply::Room(room) => Some(room),
        _ => None,
    }
}
