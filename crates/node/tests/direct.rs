//! Saying something to one peer alone, between real nodes: it opens by itself, is heard where both are, for one session
//! where one is named, and by nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use parlor_api::{ApiError, ErrorKind, Reply, Request, Sent, UnreadRoom};
use support::{TestNode, log_of, send, texts, until, whole_hook};

fn telling(to: &str, text: &str) -> Request {
    Request::Send {
        room: None,
        to: Some(to.into()),
        text: text.into(),
        request_id: text.into(),
        priority: parlor_api::Priority::Normal,
        form: None,
        wait_ms: 2_000,
    }
}

/// Somebody with a node and a directory, whose rooms are heard there.
struct Side {
    node: TestNode,
    dir: tempfile::TempDir,
}

impl Side {
    fn new(nick: &str) -> Self {
        Self { node: TestNode::named(nick), dir: tempfile::tempdir().unwrap() }
    }

    fn ask(&self, request: &Request) -> Result<Reply, ApiError> {
        self.node.person(self.dir.path()).call(request).map_err(|error| match error {
            parlor_api::ClientError::Refused(error) => error,
            other => panic!("{other}"),
        })
    }

    fn tell(&self, to: &str, text: &str) -> Sent {
        match self.ask(&telling(to, text)) {
            Ok(Reply::Sent(sent)) => sent,
            other => panic!("{other:?}"),
        }
    }

    fn knows(&self, name: &str) {
        until(name, || {
            let Ok(Reply::Peers(peers)) = self.ask(&Request::PeerList) else { panic!() };
            peers.iter().any(|peer| peer.name == name).then_some(())
        });
    }

    fn unread(&self, dir: &Path) -> Vec<UnreadRoom> {
        let Reply::Unread(unread) = self.node.person(dir).call(&Request::Unread).unwrap() else { panic!() };
        unread.into_iter().filter(|room| room.unread > 0).collect()
    }

    fn heard(&self, room: &str) -> Vec<String> {
        let messages = log_of(&mut self.node.person(self.dir.path()), Some(room));
        texts(&messages).into_iter().map(str::to_owned).collect()
    }

    fn session(&self, event: &str, session: &str) -> String {
        whole_hook(&self.node, event, session, self.dir.path())
    }
}

/// Alice, and Bob who is in her room.
fn two() -> (Side, Side) {
    let (alice, bob) = (Side::new("alice"), Side::new("bob"));
    let started = alice.node.start_room("payments", Some(alice.dir.path()));
    let join = Request::Join {
        ticket: started.ticket.unwrap().ticket,
        dir: Some(bob.dir.path().into()),
        force: false,
        wait_ms: 10_000,
    };
    assert!(matches!(bob.ask(&join), Ok(Reply::Joined(_))));
    alice.knows("bob");
    bob.knows("alice");
    (alice, bob)
}

#[test]
fn what_is_told_to_one_peer_is_heard_by_its_sessions_and_stands_in_a_log_of_its_own() {
    let (alice, bob) = two();
    bob.session("SessionStart", "s1");
    let sent = alice.tell("bob", "for you alone");
    assert_eq!((sent.room_name.as_str(), sent.of), ("@bob", 1));
    let given = until("the line at the prompt", || {
        let given = bob.session("UserPromptSubmit", "s1");
        (!given.is_empty()).then_some(given)
    });
    assert!(given.contains("[@alice @alice (human) ") && given.contains("for you alone"), "{given}");
    assert_eq!(bob.heard("@alice"), ["for you alone"]);
    assert_eq!(bob.tell("alice", "and back").room, sent.room, "one room, whoever speaks");
    until("the answer", || (alice.heard("@bob").len() == 2).then_some(()));
    // In the room of all it does not stand.
    assert!(log_of(&mut bob.node.person(bob.dir.path()), None).is_empty());
}

#[test]
fn a_person_finds_what_was_said_to_them_alone_wherever_they_stand() {
    let (alice, bob) = two();
    alice.tell("bob", "look at this");
    let elsewhere = tempfile::tempdir().unwrap();
    let unread = until("something unread", || {
        let unread = bob.unread(elsewhere.path());
        (!unread.is_empty()).then_some(unread)
    });
    assert_eq!((unread[0].room_name.as_str(), unread[0].unread, unread.len()), ("@alice", 1, 1));
    assert_eq!(bob.heard("@alice"), ["look at this"]);
    assert!(bob.unread(elsewhere.path()).is_empty(), "read is read");
    assert!(alice.unread(alice.dir.path()).is_empty(), "one's own words are not unread");
}

#[test]
fn one_session_is_told_alone_and_a_missing_one_is_named() {
    let (alice, bob) = two();
    bob.session("SessionStart", "s1");
    let label = bob.dir.path().canonicalize().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let other = alice.tell("bob/nobody-there", "to a session that is not");
    assert!(other.warnings.iter().any(|said| said.contains("no session nobody-there now")), "{other:?}");
    until("its presence", || {
        let sent = alice.tell(&format!("bob/{label}"), "to this session");
        sent.warnings.is_empty().then_some(())
    });
    let mut given = String::new();
    until("the line at the prompt", || {
        given += &bob.session("UserPromptSubmit", "s1");
        given.contains("to this session").then_some(())
    });
    assert!(given.contains("to you") && !given.contains("a session that is not"), "{given}");
}

#[test]
fn whom_one_cannot_tell_is_said_with_the_way_out() {
    let (alice, bob) = two();
    let kind = |to: &str| alice.ask(&telling(to, "x")).unwrap_err();
    assert_eq!(kind("nobody").kind, ErrorKind::NotFound);
    let own = kind("alice");
    assert_eq!(own.kind, ErrorKind::BadInput);
    assert!(own.hint.unwrap().contains("--local"));
    assert_eq!(kind("bob/").kind, ErrorKind::Usage);
    let Request::Send { to, text, request_id, priority, wait_ms, .. } = telling("bob", "x") else { panic!() };
    let both =
        Request::Send { room: Some("payments".into()), to, text, request_id, priority, form: None, wait_ms };
    assert_eq!(alice.ask(&both).unwrap_err().kind, ErrorKind::Usage);
    let error = alice.ask(&Request::Who { room: Some("@bob".into()) }).unwrap_err();
    assert!(error.hint.unwrap().contains("parlor tell"), "nothing was said yet");
    // And what cannot be done with a room of two.
    alice.tell("bob", "hello");
    until("hello", || (!bob.unread(bob.dir.path()).is_empty()).then_some(()));
    let room = Some("@bob".to_owned());
    for request in [
        Request::Invite { room: room.clone(), expires_s: None, uses: None, role: None, approve: false },
        Request::MemberRemove { room: room.clone(), peer: "bob".into(), keep: Vec::new() },
        Request::RoomRename { room: room.clone(), name: "mine".into() },
        Request::RoomLeave { room, abandon: true },
    ] {
        let error = alice.ask(&request).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAllowed, "{request:?}: {error}");
    }
}

#[test]
fn a_local_room_is_heard_by_the_sessions_of_this_machine_and_gets_no_ticket() {
    let side = Side::new("alice");
    let start = Request::Start {
        name: Some("notes".into()),
        dir: Some(side.dir.path().into()),
        force: false,
        local: true,
        lan: false,
    };
    let Ok(Reply::Started(started)) = side.ask(&start) else { panic!() };
    assert!(started.ticket.is_none());
    assert_eq!((started.room.carrier.as_str(), started.room.open_tickets), ("local", 0));
    side.session("SessionStart", "s1");
    send(&mut side.node.person(side.dir.path()), None, "between my own", "1");
    assert!(side.session("UserPromptSubmit", "s1").contains("between my own"));
    let error = side.ask(&support::invite(None)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotAllowed);
    assert!(error.hint.unwrap().contains("--local"));
}
