//! What people are shown, word for word. Must not start anything.

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
    let human = Message { author: "human".into(), name: "bob (agent)".into(), session: None, ..said("x") };
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
        far: Vec::new(),
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
