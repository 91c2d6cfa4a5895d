//! How things stand in the rooms a session hears, told to it when it begins: who is there and works on what, and which
//! questions have no answer. Facts in a few lines, within a bound; must not count as given.

use std::fmt::Write as _;

use parlor_wire::RoomId;

use crate::engine::Engine;
use crate::engine::api::{AskView, Moment, PersonView, SessionView, Status, Take};
use crate::engine::quiet::is_named;
use crate::text::session_name::SessionName;
use crate::text::{Mode, clean, names, time};

/// The most all of it may be, in bytes.
pub const MAX_STATUS_BYTES: usize = 1536;
/// People named of one room; more are counted.
const PEOPLE: usize = 8;
/// Sessions named of one of them.
const SESSIONS: usize = 3;
/// Questions told of one room, of either kind.
const ASKS: usize = 4;
/// How much of a summary is told, in characters.
const SUMMARY_CHARS: usize = 80;

impl Engine {
    /// What a session is told beside messages when it begins; nothing at other moments, and nothing where there is
    /// nobody else and nothing is asked.
    pub(super) fn status_of(&self, take: &Take) -> String {
        let mut text = String::new();
        if take.moment != Moment::Start {
            return text;
        }
        for heard in &take.rooms {
            for line in self.standing_of(heard.room, take) {
                if text.len() + line.len() < MAX_STATUS_BYTES.min(take.budget.limit / 4) {
                    text += &line;
                    text.push('\n');
                }
            }
        }
        text
    }

    fn standing_of(&self, room: RoomId, take: &Take) -> Vec<String> {
        let name = names::room_name(self.room_name_apart(room).as_str()).into_string();
        let direct = self.direct_peer(&room).is_some();
        let mut lines = Vec::new();
        if !direct {
            let here = self.stays_here(&room);
            let words = |person: &PersonView| self.person_words(person, take, here);
            let people: Vec<String> = self.people(&room).iter().filter_map(words).collect();
            if !people.is_empty() {
                let more = people.len().saturating_sub(PEOPLE);
                let mut line = format!("In {name}: {}", people[..people.len() - more].join("; "));
                if more > 0 {
                    _ = write!(line, "; and {more} more: parlor who");
                }
                lines.push(line);
            }
        }
        let (own, others): (Vec<_>, Vec<_>) = self.unanswered(&room).into_iter().partition(|ask| ask.own);
        let is_its = |ask: &AskView| take.is_its(ask.origin.as_deref());
        let for_it = |ask: &AskView| match (&ask.to, &take.label) {
            (Some(to), label) => is_named(to.as_str(), ask.own, self.stays_here(&room), label.as_deref()),
            _ => true,
        };
        let words = |what: &str, ask: &AskView| self.ask_words(what, &name, ask);
        let asked = others.iter().filter(|ask| ask.open && for_it(ask)).rev().take(ASKS);
        lines.extend(asked.map(|ask| words("No answer yet to", ask)));
        lines.extend(
            own.iter()
                .filter(|ask| is_its(ask))
                .rev()
                .take(ASKS)
                .map(|ask| words("No answer yet to your", ask)),
        );
        lines
    }

    fn person_words(&self, person: &PersonView, take: &Take, here: bool) -> Option<String> {
        let itself = take.label.as_deref().map(SessionName::of);
        let is_itself = |view: &SessionView| {
            let is = |name: &SessionName| {
                let program = name.program.as_ref().is_none_or(|program| *program == view.presence.program);
                program && name.label == view.presence.label
            };
            person.own && itself.as_ref().is_some_and(is)
        };
        let sessions: Vec<String> = person
            .sessions
            .iter()
            .filter(|view| !is_itself(view))
            .take(SESSIONS)
            .map(|view| session_words(view, here))
            .collect();
        if person.own && sessions.is_empty() {
            return None;
        }
        let there = if sessions.is_empty() {
            if person.connected { " (no session)".to_owned() } else { " (not there)".to_owned() }
        } else {
            format!(": {}", sessions.join(", "))
        };
        Some(format!("@{}{there}", person.name.as_str()))
    }

    fn ask_words(&self, what: &str, room: &str, ask: &AskView) -> String {
        let who = match &ask.label {
            _ if ask.own => String::new(),
            Some(label) => format!(" of @{}/{}", ask.name.as_str(), label.as_str()),
            None => format!(" of @{}", ask.name.as_str()),
        };
        let until = time::for_people(ask.deadline, self.now.wall_ms);
        format!("{what} question {}{who} in {room}, open until {until}: {}", ask.id.short(), ask.begins)
    }
}

/// Among sessions of one machine by its name there, which is how one of them is spoken to.
fn session_words(view: &SessionView, here: bool) -> String {
    let presence = &view.presence;
    let mut known = if here { Vec::new() } else { vec![presence.program.clone()] };
    known.extend(presence.status.map(|status| match status {
        Status::Idle => "idle".to_owned(),
        Status::Working => "working".to_owned(),
        Status::Dnd => "do not disturb".to_owned(),
    }));
    let summary = presence.summary.as_deref().map(|text| {
        let text = clean(text, Mode::Line { limit_chars: SUMMARY_CHARS }).into_string();
        format!(" – {text}")
    });
    let program = if here { format!("{}/", presence.program) } else { String::new() };
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    format!("{program}{}{known}{}", presence.label, summary.unwrap_or_default())
}
