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

/// One message; the lines of its text after the first are indented.
pub fn message(message: &Message) -> String {
    let seat = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let kind = if message.author == "human" { String::new() } else { format!(" ({})", message.author) };
    let to = message.to.as_ref().map(|label| format!(" → /{label}")).unwrap_or_default();
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
    format!("{} stored · reached {} of {}", short(&sent.id), sent.reached, sent.of)
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
pub(crate) mod tests {
    use parlor_api::Session;

    use super::*;

    pub(crate) fn room() -> Room {
        Room {
            id: "raaaabbbbcccc".into(),
            name: "payments".into(),
            state: "joined".into(),
            why: None,
            role: Some("owner".into()),
            members: 2,
            connected: 1,
            messages: 1,
            open_tickets: 1,
            asking: 0,
            waiting: 0,
            missing: 0,
            bound: vec!["/repo".into()],
            by_itself: false,
            direct: None,
            retention_days: None,
            carrier: "p2p".into(),
            default: true,
            paused: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn said(text: &str) -> Message {
        Message {
            id: "mk7m2qdabcdefgh".into(),
            room: room().id,
            room_name: "payments".into(),
            peer: "pxxxxxxxxxx".into(),
            name: "bob".into(),
            session: Some("api-fix".into()),
            author: "agent".into(),
            time: "2026-11-20T14:05:00Z".into(),
            time_ms: 1_795_183_500_000,
            arrival: 1,
            priority: Priority::Normal,
            text: text.into(),
            own: false,
            to: None,
            asks_until: None,
            about: None,
            tags: Vec::new(),
            form: None,
            revoked: false,
            newer: false,
            unread: false,
            sealed_unfit: false,
        }
    }

    fn member(name: &str, own: bool) -> Person {
        Person {
            room: room().id,
            peer: format!("p{name}aaaaaaaaaaaa"),
            name: name.into(),
            role: "member".into(),
            own,
            connected: !own,
            last_seen: None,
            seen_ago_s: None,
            sessions: vec![Session {
                label: "api-fix".into(),
                program: "claude".into(),
                summary: Some("tests".into()),
                ..Session::default()
            }],
            verified: None,
            warning: None,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_message_is_one_line_unless_its_text_is_more() {
        let line = plain(&message(&said("postgres, we have it")));
        assert!(line.ends_with(" mk7m2qda bob/api-fix (agent): postgres, we have it"), "{line}");
        let lines = plain(&message(&said("one\ntwo\n")));
        assert_eq!(lines.lines().nth(1), Some("    two"));
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn wound_21_a_human_is_told_from_an_agent_by_a_field_and_not_by_a_name() {
        let human =
            Message { author: "human".into(), name: "bob (agent)".into(), session: None, ..said("x") };
        assert!(plain(&message(&human)).contains("bob (agent): x"));
        let agent = Message { author: "agent".into(), ..human };
        assert!(plain(&message(&agent)).contains("bob (agent) (agent): x"));
    }

    #[test]
    fn wound_06_a_message_is_never_called_sent() {
        let sent = Sent {
            id: "mk7m2qdabcdefgh".into(),
            room: room().id,
            room_name: "payments".into(),
            reached: 0,
            of: 2,
            tagged: None,
            warnings: Vec::new(),
        };
        assert_eq!(self::sent(&sent), "mk7m2qda stored · reached 0 of 2");
    }

    #[test]
    fn urgency_and_newer_kinds_are_shown() {
        let urgent = Message { priority: Priority::Now, ..said("stop") };
        assert!(plain(&message(&urgent)).ends_with(": [now] stop"));
        let newer = Message { newer: true, ..said("") };
        assert!(plain(&message(&newer)).contains("newer Parlor"));
        let leaked = Message { sealed_unfit: true, ..said("hello") };
        assert!(plain(&message(&leaked)).contains(": [key known to outsiders] hello"));
    }

    #[test]
    fn columns_stand_under_each_other_whatever_is_in_them() {
        let rows = [["a", "1"], ["日本", "2"], ["\u{1b}[1mbold\u{1b}[0m", "3"]]
            .map(|row| row.map(String::from).to_vec());
        let lines: Vec<_> = columns(&rows).iter().map(|line| plain(line)).collect();
        assert_eq!(lines, ["a     1", "日本  2", "bold  3"]);
    }

    #[test]
    fn the_line_to_paste_is_one_line_and_says_what_it_allows() {
        let ticket = Invited {
            ticket: "parlor1abc".into(),
            id: "m1".into(),
            room: room().id,
            role: "member".into(),
            expires: Some("2026-11-22T14:05:00Z".into()),
            uses: Some(5),
            approve: false,
        };
        assert_eq!(join_line(&ticket), "parlor join parlor1abc");
        let allows = ticket_allows(&ticket);
        assert!(allows.contains("read the room and write in it until 2026-11-2"), "{allows}");
        assert!(allows.contains("5 people at most"));
        let asked = ticket_allows(&Invited { approve: true, ..ticket.clone() });
        assert!(asked.contains("can ask to read the room and write in it until"), "{asked}");
        assert!(asked.ends_with("each waits for an owner's `parlor member approve`."), "{asked}");
        let reader = Invited { role: "reader".into(), expires: None, uses: None, ..ticket };
        assert_eq!(ticket_allows(&reader), "Whoever has this line can read the room: hand it on like a key.");
    }

    #[test]
    fn where_one_is_shows_the_room_its_people_and_what_is_unread() {
        let unread =
            UnreadRoom { room: room().id, room_name: "payments".into(), unread: 3, session: "here".into() };
        let here = Here {
            dir: Some("/repo".into()),
            rooms: vec![room()],
            people: vec![member("alice", true), member("bob", false)],
            unread: vec![unread],
            other_rooms: 0,
        };
        let lines: Vec<_> = self::here(&here).iter().map(|line| plain(line)).collect();
        assert_eq!(lines[0], "payments · 2 members, 1 linked · 1 message");
        assert!(lines[1].starts_with("  alice  member  you     api-fix (claude): tests"), "{}", lines[1]);
        assert!(lines[2].starts_with("  bob    member  linked  "), "{}", lines[2]);
        assert_eq!(lines[3], "  3 unread (here)");
        assert!(next_here(&here).contains("parlor log"));
        let nowhere = Here { rooms: Vec::new(), unread: Vec::new(), ..here };
        assert!(next_here(&nowhere).contains("parlor start"));
        assert!(next_here(&Here { other_rooms: 1, ..nowhere }).contains("1 room elsewhere"));
    }

    #[test]
    fn who_is_there_is_told_from_who_is_linked_and_from_who_was_once_seen() {
        let mut bob = member("bob", false);
        bob.sessions[0].heard_ago_s = Some(40);
        let row = |person: &Person| plain(&people(std::slice::from_ref(person))[0]);
        assert!(row(&bob).contains("  linked  api-fix (claude): tests  "), "{}", row(&bob));
        bob.connected = false;
        (bob.last_seen, bob.seen_ago_s) = (Some("2026-11-20T10:00:00Z".into()), Some(7_300));
        let gone = row(&bob);
        assert!(gone.contains("  not linked  api-fix (claude, last heard 40 s ago): tests  "), "{gone}");
        bob.sessions.clear();
        assert!(row(&bob).contains("  last seen 2 h ago  "), "{}", row(&bob));
        (bob.last_seen, bob.seen_ago_s) = (None, None);
        assert!(row(&bob).contains("  not seen yet  "), "{}", row(&bob));
    }

    #[test]
    fn a_room_one_is_not_in_says_why_and_advises_only_what_works() {
        let here_in = |state: &str, why: Option<&str>| Here {
            dir: None,
            rooms: vec![Room {
                state: state.into(),
                why: why.map(String::from),
                role: None,
                members: 1,
                ..room()
            }],
            people: Vec::new(),
            unread: Vec::new(),
            other_rooms: 0,
        };
        let refused = here_in("refused", Some("the ticket has expired"));
        let line = plain(&self::here(&refused)[0]);
        assert!(line.starts_with("payments · refused: the ticket has expired · "), "{line}");
        assert!(next_here(&refused).contains("for a new ticket, then `parlor join TICKET` here"));
        assert!(next_here(&here_in("joining", None)).contains("nothing to type"));
        assert!(next_here(&here_in("asking", None)).contains("as soon as an owner has let you in"));
        assert!(next_here(&here_in("left", None)).starts_with("You have left it"));
        assert!(next_here(&here_in("removed", None)).contains("an owner's new ticket leads back"));
        assert!(next_here(&here_in("frozen", None)).contains("update Parlor"));
        assert!(!next_here(&here_in("joined", None)).contains("parlor invite"), "only owners invite");
        let mut own = here_in("joined", None);
        own.rooms[0].role = Some("owner".into());
        assert!(next_here(&own).contains("parlor invite"));
        own.rooms[0].carrier = LOCAL.into();
        assert_eq!(next_here(&own), "Next: `parlor send \"…\"`.", "nobody can be invited");
    }

    #[test]
    fn a_name_to_be_typed_is_one_word_for_every_shell() {
        let typed = |name: &str| typed_name(name, &room().id);
        assert_eq!(typed("payments~k7m2qd"), "payments~k7m2qd");
        assert_eq!(typed("the $(date) `room`"), "'the $(date) `room`'");
        assert_eq!(typed("Bob's"), "raaaabbb");
        assert_eq!(typed("-x"), "raaaabbb");
        let next = next_to_say(&room(), None);
        assert!(next.contains("`parlor room bind payments`"), "{next}");
        assert!(next.contains("`parlor send --room payments \"hello\"`"), "{next}");
    }

    #[test]
    fn a_room_says_why_it_stands_still_and_what_to_know() {
        let frozen = Room {
            state: "frozen".into(),
            why: Some("needs rules 2".into()),
            waiting: 1,
            warnings: vec!["a fork".into()],
            paused: vec![Paused {
                peer: "pbob".into(),
                name: "bob".into(),
                why: "too much".into(),
                resumes: "2026-11-20T12:05:00.000Z".into(),
            }],
            ..room()
        };
        let text = super::room(&frozen).iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n");
        assert!(text.contains("frozen: needs rules 2"));
        assert!(text.contains("1 entry that cannot be opened yet"));
        assert!(text.contains("warning       a fork"));
        assert!(text.contains("bob until 2026-11-20 ") && text.contains(": too much"), "{text}");
    }

    #[test]
    fn a_failed_check_says_what_to_do_under_it() {
        let check = Check {
            name: "home".into(),
            state: "fail".into(),
            detail: "anybody can read it".into(),
            hint: Some("chmod 700 it".into()),
        };
        let lines: Vec<_> = self::check(&check).iter().map(|line| plain(line)).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("fail  home            anybody"));
        assert!(lines[1].ends_with("→ chmod 700 it"));
    }

    #[test]
    fn ids_are_cut_for_people_at_characters() {
        assert_eq!(short("mk7m2qdabcdefgh"), "mk7m2qda");
        assert_eq!(short("é"), "é");
    }
}
