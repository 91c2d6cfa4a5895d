//! What people read: answers as lines of text. Pure; must not print, ask or wait. Texts of others arrive clean from
//! the node, and are laid out here, never interpreted.

pub mod ask;
pub mod catching;
pub mod config;
pub mod files;
pub mod peers;

use anstyle::{AnsiColor, Style};
use parlor_api::{
    Check, Here, Identity, Invited, Message, Paused, Person, Priority, Revoked, Room, Sent, Status,
    UnreadRoom, ago,
};
use unicode_width::UnicodeWidthStr;

use crate::clock;

pub mod quiet;
pub mod ruling;
pub mod sessions;
pub mod talk;

/// What carries a room of this machine alone.
const LOCAL: &str = "local";
/// How many characters of an id people are shown.
const SHORT_CHARS: usize = 8;
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// The beginning of an id, as people are shown it.
pub fn short(id: &str) -> &str {
    id.char_indices().nth(SHORT_CHARS).map_or(id, |(end, _)| &id[..end])
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn dim(text: &str) -> String {
    paint(DIM, text)
}

fn bold(text: &str) -> String {
    paint(BOLD, text)
}

/// `1 member`, `2 members`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Rows with their columns under each other; the last column is as long as it likes.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let plain = |cell: &str| anstream::adapter::strip_str(cell).to_string().width();
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..most)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| plain(cell)).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let padded =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - plain(cell))));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The one session a message is for: behind its peer's name, or by its own among sessions of one machine.
fn addressee(message: &Message) -> String {
    let called = |to: &String| if to.contains('/') { format!(" → {to}") } else { format!(" → /{to}") };
    message.to.as_ref().map(called).unwrap_or_default()
}

/// One message; the lines of its text after the first are indented.
pub fn message(message: &Message) -> String {
    let seat = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let kind = if message.author == "human" { String::new() } else { format!(" ({})", message.author) };
    let to = addressee(message);
    let revoked = if message.revoked { " [revoked identity]" } else { "" };
    let urgency = match message.priority {
        Priority::Low => "[low] ",
        Priority::Normal => "",
        Priority::Now => "[now] ",
    };
    let text = match message.newer {
        true => "(written by a newer Parlor: update this one to read it)".into(),
        false => message.text.trim_end().replace('\n', "\n    "),
    };
    let known = if message.sealed_unfit { "[key known to outsiders] " } else { "" };
    let asks = if message.asks_until.is_some() { "[asks] " } else { "" };
    let answers = message.about.as_ref().map(|id| format!("[answers {}] ", short(id))).unwrap_or_default();
    format!(
        "{} {} {}: {known}{asks}{answers}{urgency}{text}",
        dim(&clock::stamp(message.time_ms)),
        dim(short(&message.id)),
        bold(&format!("{}{seat}{kind}{revoked}{to}", message.name)),
    )
}

/// One message, with the room it was said in.
pub fn message_of_room(said: &Message) -> String {
    format!("{} {}", dim(&said.room_name), message(said))
}

/// One message, whole: who, when, where, then the text as it is.
pub fn whole_message(message: &Message) -> Vec<String> {
    let seat = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let head =
        format!("{}{seat} ({}) in {}, {}", message.name, message.author, message.room_name, message.time);
    vec![bold(&head), dim(&message.id), String::new(), message.text.trim_end().to_owned()]
}

/// What became of a message.
pub fn sent(sent: &Sent) -> String {
    let tagged = sent.tagged.map(|count| format!(" · {count} present with that tag")).unwrap_or_default();
    format!("{} stored · {}{tagged}", short(&sent.id), reached(sent.reached, sent.of))
}

/// How many of the other members have it; of nobody's none is said to lack it.
pub fn reached(reached: u64, of: u64) -> String {
    if of == 0 { "on no other machine".to_owned() } else { format!("reached {reached} of {of}") }
}

/// The line that somebody else pastes.
pub fn join_line(ticket: &Invited) -> String {
    format!("parlor join {}", ticket.ticket)
}

/// What that line allows.
pub fn ticket_allows(ticket: &Invited) -> String {
    let what = if ticket.role == "reader" { "read the room" } else { "read the room and write in it" };
    let end = ticket.expires.as_ref().map(|at| format!(" until {}", clock::until(at))).unwrap_or_default();
    let uses = ticket
        .uses
        .map(|uses| format!(", {} at most", count(uses.into(), "person", "people")))
        .unwrap_or_default();
    if ticket.approve {
        return format!(
            "Whoever has this line can ask to {what}{end}{uses}; each waits for an owner's `parlor member approve`."
        );
    }
    format!("Whoever has this line can {what}{end}{uses}: hand it on like a key.")
}

/// Where a room is heard.
pub fn heard(bound: Option<&std::path::Path>) -> String {
    match bound {
        Some(dir) => format!("Agents working in {} hear it.", dir.display()),
        None => "No directory hears it yet.".into(),
    }
}

/// What to do about a room that was refused.
pub const NEXT_REFUSED: &str =
    "Next: ask whoever invited you for a new ticket, then `parlor join TICKET` here.";
/// What to do about a room whose owners have not answered yet.
pub const NEXT_ASKING: &str = "Next: nothing to type; it joins by itself as soon as an owner has let you in.";
/// What to do about a room one has left.
pub const NEXT_LEFT: &str =
    "You have left it. Next: `parlor log` reads what was said; a new ticket leads back.";
/// What to do about a room one was put out of.
pub const NEXT_REMOVED: &str =
    "Next: `parlor log` reads what was said before; an owner's new ticket leads back.";
/// What to do about a room that holds something newer.
pub const NEXT_FROZEN: &str = "Next: update Parlor; until then the room can be read: `parlor log`.";

/// What to do about a room of a version that is read no more.
pub const NEXT_OLDER: &str = "What was said is in transcript.txt below `rooms` in the home. Next: `parlor start` opens a room to go on in.";

/// How to be heard in a room one has just come to.
pub fn next_to_say(room: &Room, bound: Option<&std::path::Path>) -> String {
    if bound.is_some() {
        return "`parlor send \"hello\"`".into();
    }
    let name = typed_name(&room.name, &room.id);
    format!(
        "`parlor room bind {name}` in the directory whose agents are to hear it, and \
         `parlor send --room {name} \"hello\"`"
    )
}

/// A room as one can type it in a shell: its name is another's text, and a shell must not find anything in it.
pub fn typed_name(name: &str, id: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '@');
    let bare = name.strip_prefix('@').unwrap_or(name);
    if !bare.starts_with(|c: char| c.is_alphanumeric()) || name.contains('\'') {
        short(id).to_owned()
    } else if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{name}'")
    }
}

/// The people of a room, a row each; under them, who may be mistaken for somebody else.
pub fn people(people: &[Person]) -> Vec<String> {
    let rows: Vec<_> = people.iter().map(person).collect();
    let warnings = people.iter().filter_map(|person| person.warning.as_ref());
    let warnings =
        warnings.map(|warning| format!("{}: {warning}", paint(AnsiColor::Yellow.on_default(), "warning")));
    columns(&rows).into_iter().chain(warnings).collect()
}

fn person(person: &Person) -> Vec<String> {
    let link = match (person.own, person.connected, &person.last_seen) {
        (true, ..) => "you".into(),
        (_, true, _) => paint(AnsiColor::Green.on_default(), "linked"),
        // Heard of by others, then: when its own node was last linked says less.
        _ if !person.sessions.is_empty() => dim("not linked"),
        (_, _, Some(seen)) => dim(&last_seen(person, seen)),
        (_, _, None) => dim("not seen yet"),
    };
    let is_near = person.own || person.connected;
    let sessions = person.sessions.iter().map(|session| sessions::one(session, is_near));
    let verified = if person.verified.is_some() { ", verified" } else { "" };
    vec![
        bold(&person.name),
        format!("{}{verified}", person.role),
        link,
        sessions.collect::<Vec<_>>().join("; "),
        dim(short(&person.peer)),
    ]
}

fn last_seen(person: &Person, seen: &str) -> String {
    match person.seen_ago_s {
        Some(seconds) => format!("last seen {}", ago(seconds)),
        None => format!("last seen {}", clock::stamp_of(seen)),
    }
}

/// Unread counts, a row each.
pub fn unread(counts: &[UnreadRoom]) -> Vec<String> {
    let row = |room: &UnreadRoom| {
        vec![bold(&room.room_name), format!("{} unread", room.unread), dim(&room.session)]
    };
    columns(&counts.iter().map(row).collect::<Vec<_>>())
}

/// All rooms, a row each.
pub fn rooms(rooms: &[Room]) -> Vec<String> {
    let row = |room: &Room| {
        let mark = if room.default { "*" } else { " " };
        let state =
            if room.state == "joined" { room.role.clone().unwrap_or_default() } else { room.state.clone() };
        let mut heard: Vec<_> = room.bound.iter().map(|dir| dir.display().to_string()).collect();
        heard.extend(room.by_itself.then(|| dim("made by itself")));
        vec![
            format!("{mark} {}", bold(&room.name)),
            state,
            format!("{}, {} linked", count(room.members, "member", "members"), room.connected),
            count(room.messages, "message", "messages"),
            heard.join(" "),
            dim(short(&room.id)),
        ]
    };
    columns(&rooms.iter().map(row).collect::<Vec<_>>())
}

/// One room, a line for each thing known of it.
pub fn room(room: &Room) -> Vec<String> {
    let bound: Vec<_> = room.bound.iter().map(|dir| dir.display().to_string()).collect();
    let why = room.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let mut rows = vec![
        ("room", bold(&room.name)),
        ("id", room.id.clone()),
        ("state", format!("{}{why}", room.state)),
        ("you are", room.role.clone().unwrap_or_else(|| no_member(room).into())),
        ("people", format!("{}, {} linked now", count(room.members, "member", "members"), room.connected)),
        ("messages", room.messages.to_string()),
        ("catching up", catching::shown(room).unwrap_or_default()),
        ("open tickets", room.open_tickets.to_string()),
        ("asking", asking(room)),
        ("carried", room.carrier.clone()),
        (
            "read here",
            room.retention_days
                .map_or("for ever".into(), |days| format!("for {}", count(days.get().into(), "day", "days"))),
        ),
        (
            "made",
            if room.by_itself {
                "by itself, for the sessions of one directory".into()
            } else {
                String::new()
            },
        ),
        ("heard in", if bound.is_empty() { "no directory".into() } else { bound.join(", ") }),
    ];
    if room.waiting > 0 {
        rows.push((
            "waiting",
            format!("{} that cannot be opened yet", count(room.waiting, "entry", "entries")),
        ));
    }
    let until = |one: &Paused| format!("{} until {}: {}", one.name, clock::stamp_of(&one.resumes), one.why);
    rows.extend(room.paused.iter().map(|one| ("paused", until(one))));
    rows.extend(room.warnings.iter().map(|warning| ("warning", warning.clone())));
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let rows: Vec<_> = rows.map(|(name, value)| vec![dim(name), value]).collect();
    columns(&rows)
}

fn no_member(room: &Room) -> &'static str {
    if matches!(room.state.as_str(), "left" | "removed" | "older") {
        "no member any more"
    } else {
        "no member yet"
    }
}

/// How many ask to be let in, and where they are seen; nothing when nobody does.
fn asking(room: &Room) -> String {
    match room.asking {
        0 => String::new(),
        some => format!("{}: `parlor member list`", count(some, "person", "people")),
    }
}

/// Where one is: the rooms heard here with their people and what is unread.
pub fn here(here: &Here) -> Vec<String> {
    let mut lines = Vec::new();
    for room in &here.rooms {
        let why = room.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let state = if room.state == "joined" { String::new() } else { format!(" · {}{why}", room.state) };
        let people = format!("{}, {} linked", count(room.members, "member", "members"), room.connected);
        lines.push(format!(
            "{}{state} · {people} · {}",
            bold(&room.name),
            catching::shown(room).unwrap_or_else(|| count(room.messages, "message", "messages"))
        ));
        let inside: Vec<_> = here.people.iter().filter(|person| person.room == room.id).cloned().collect();
        lines.extend(self::people(&inside).into_iter().map(|line| format!("  {line}")));
        let waiting = here.unread.iter().filter(|unread| unread.room == room.id && unread.unread > 0);
        lines.extend(waiting.map(|unread| format!("  {} unread ({})", unread.unread, unread.session)));
    }
    lines.extend(
        elsewhere(here).map(|unread| format!("{} · {} unread", bold(&unread.room_name), unread.unread)),
    );
    lines
}

/// What is unread in rooms that are not heard here: what somebody has said to one alone.
fn elsewhere(here: &Here) -> impl Iterator<Item = &UnreadRoom> {
    let is_here = |id: &str| here.rooms.iter().any(|room| room.id == id);
    here.unread.iter().filter(move |unread| unread.unread > 0 && !is_here(&unread.room))
}

/// What to do next where one is.
pub fn next_here(here: &Here) -> String {
    let unread: u64 = here.unread.iter().map(|room| room.unread).sum();
    if let Some(direct) = elsewhere(here).next() {
        let name = typed_name(&direct.room_name, &direct.room);
        return format!("Next: `parlor log --room {name}`.");
    }
    match here.rooms.first() {
        None if here.other_rooms > 0 => format!(
            "No room is heard here; {} elsewhere (`parlor room list`).\n\
             Next: `parlor room bind ROOM`, or `parlor start`, or `parlor join TICKET`.",
            count(here.other_rooms, "room", "rooms")
        ),
        None => "No room yet.\nNext: `parlor start` opens one for this directory; `parlor join TICKET` enters another's.".into(),
        Some(room) if room.state == "joining" => {
            "Next: nothing to type; it joins by itself as soon as somebody of the room is reached.".into()
        }
        Some(room) if room.state == "asking" => NEXT_ASKING.into(),
        Some(room) if room.state == "left" => NEXT_LEFT.into(),
        Some(room) if room.state == "removed" => NEXT_REMOVED.into(),
        Some(room) if room.state == "refused" => NEXT_REFUSED.into(),
        Some(room) if room.state == "frozen" => NEXT_FROZEN.into(),
        Some(room) if room.state == "older" => NEXT_OLDER.into(),
        Some(room) if room.asking > 0 && room.role.as_deref() == Some("owner") => format!(
            "{} to be let in.\nNext: `parlor member list` shows who.",
            count(room.asking, "person asks", "people ask")
        ),
        Some(_) if unread > 0 => "Next: `parlor log`, `parlor send \"…\"`.".into(),
        Some(room) if room.members <= 1 && room.role.as_deref() == Some("owner") && room.carrier != LOCAL => "Next: `parlor invite` prints the line by which others join.".into(),
        Some(_) => "Next: `parlor send \"…\"`.".into(),
    }
}

/// What became of a revoked identity's rooms.
pub fn revoked(revoked: &Revoked) -> Vec<String> {
    let mut lines = vec![format!("{} is revoked", revoked.peer)];
    if !revoked.told.is_empty() {
        lines.push(format!("told and left: {}", revoked.told.join(", ")));
    }
    if !revoked.abandoned.is_empty() {
        lines.push(format!("ruled by nobody now: {}", revoked.abandoned.join(", ")));
    }
    lines
}

/// How the node is.
pub fn status(status: &Status) -> Vec<String> {
    let rows = [
        ("node", format!("running, pid {}", status.pid)),
        ("version", status.version.clone()),
        ("since", clock::stamp_of(&status.since)),
        ("home", status.home.display().to_string()),
        ("identity", status.peer.clone()),
        ("rooms", status.rooms.to_string()),
        ("linked", count(status.connected, "peer", "peers")),
        ("sessions", status.sessions.to_string()),
        ("listens on", status.addresses.join(" ")),
    ];
    columns(&rows.map(|(name, value)| vec![dim(name), value]))
}

/// One check; what to do about it stands under it.
pub fn check(check: &Check) -> Vec<String> {
    let color = match check.state.as_str() {
        "ok" => AnsiColor::Green,
        "warn" => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let state = paint(color.on_default(), &format!("{:4}", check.state));
    let mut lines = vec![format!("{state}  {:14}  {}", check.name, check.detail)];
    if check.state != "ok" {
        lines.extend(check.hint.as_ref().map(|hint| format!("      {:14}  → {hint}", "")));
    }
    lines
}

/// Who one is.
pub fn identity(identity: &Identity) -> Vec<String> {
    let mut rows = vec![
        ("identity", identity.peer.clone()),
        ("nick", bold(&identity.nick)),
        ("home", identity.home.display().to_string()),
    ];
    rows.extend(identity.revoked.as_ref().map(|at| ("revoked", clock::stamp_of(at))));
    columns(&rows.into_iter().map(|(name, value)| vec![dim(name), value]).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests;
