//! One node, its socket, and what people ask of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use parlor_api::{Cancel, ClientError, ErrorKind, Event, Reply, Request};
use support::{TestNode, hello, log_of, send, texts, until};

fn refused(result: Result<Reply, ClientError>) -> parlor_api::ApiError {
    match result {
        Err(ClientError::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_is_in_the_log_and_in_the_transcript_and_outlives_the_node() {
    let mut node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    let started = node.start_room("payments", Some(dir.path()));
    assert_eq!(started.room.name, "payments");
    assert_eq!(started.bound.as_deref(), Some(dir.path().canonicalize().unwrap().as_path()));
    let ticket = started.ticket.unwrap();
    assert!(ticket.ticket.starts_with("parlor1") && ticket.expires.is_some());
    let mut alice = node.person(dir.path());
    let sent = send(&mut alice, None, "postgres, we have it", "one");
    assert_eq!((sent.reached, sent.of, sent.room_name.as_str()), (0, 0, "payments"));
    let messages = log_of(&mut alice, None);
    assert_eq!(texts(&messages), ["postgres, we have it"]);
    assert_eq!((messages[0].author.as_str(), messages[0].own), ("human", true));
    assert_eq!(messages[0].id, sent.id);
    let folder = node.home.rooms().join(format!("payments~{}", &started.room.id[..8]));
    let transcript = until("a line in the transcript", || {
        let text = std::fs::read_to_string(folder.join("transcript.txt")).unwrap_or_default();
        (!text.is_empty()).then_some(text)
    });
    assert!(transcript.ends_with("] postgres, we have it\n"), "{transcript}");
    node.stop();
    node.run();
    assert_eq!(texts(&log_of(&mut node.person(dir.path()), None)), ["postgres, we have it"]);
}

#[test]
fn a_send_that_is_retried_is_one_message_even_after_a_restart() {
    let mut node = TestNode::start();
    let room = node.start_room("payments", None).room.id;
    let first = send(&mut node.client("cli"), Some(&room), "once", "same");
    assert_eq!(send(&mut node.client("cli"), Some(&room), "once", "same").id, first.id);
    node.stop();
    node.run();
    assert_eq!(send(&mut node.client("cli"), Some(&room), "once", "same").id, first.id);
    assert_eq!(log_of(&mut node.client("cli"), Some(&room)).len(), 1);
}

#[test]
fn a_room_is_meant_by_id_prefix_or_name_and_what_is_unknown_lists_near_ones() {
    let node = TestNode::start();
    let first = node.start_room("payments", None).room;
    let mut client = node.client("cli");
    let show = |room: Option<&str>| Request::RoomShow { room: room.map(str::to_owned) };
    // The only room is meant where none is bound.
    for name in [None, Some(first.id.as_str()), Some(&first.id[..8]), Some(&first.id[1..8]), Some("PAYMENTS")]
    {
        let Reply::Room(room) = client.call(&show(name)).unwrap() else { panic!() };
        assert_eq!(room.id, first.id, "{name:?}");
    }
    let error = refused(client.call(&show(Some("paymnets"))));
    assert_eq!(
        (error.kind, error.candidates.as_slice()),
        (ErrorKind::NotFound, &["payments".to_owned()][..])
    );
    let second = node.start_room("payments", None).room;
    let error = refused(client.call(&show(Some("payments"))));
    assert_eq!((error.kind, error.candidates.len()), (ErrorKind::Ambiguous, 2));
    for candidate in &error.candidates {
        assert!(matches!(client.call(&show(Some(candidate))), Ok(Reply::Room(_))), "{candidate}");
    }
    let error = refused(client.call(&show(None)));
    assert!(error.kind == ErrorKind::Ambiguous && error.hint.is_some(), "{error:?}");
    let alias = Request::RoomAlias { room: second.id.clone(), alias: Some("money".into()) };
    assert!(matches!(client.call(&alias), Ok(Reply::Room(room)) if room.name == "money"));
    assert!(matches!(client.call(&show(Some("money"))), Ok(Reply::Room(room)) if room.id == second.id));
}

#[test]
fn the_room_bound_to_the_directory_is_meant_and_bindings_end() {
    let node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("src");
    std::fs::create_dir(&inner).unwrap();
    let other = node.start_room("other", None).room;
    let here = node.start_room("here", Some(dir.path())).room;
    let mut alice = node.person(&inner);
    let Reply::Here(view) = alice.call(&Request::Here).unwrap() else { panic!() };
    assert_eq!(view.rooms.iter().map(|room| room.id.as_str()).collect::<Vec<_>>(), [here.id.as_str()]);
    assert!(view.rooms[0].default && view.other_rooms == 1 && view.people.len() == 1);
    let bind =
        |dir: &std::path::Path, force| Request::RoomBind { room: "other".into(), dir: dir.into(), force };
    assert!(
        matches!(alice.call(&bind(dir.path(), false)), Ok(Reply::Bound(bound)) if bound.room == other.id)
    );
    assert_eq!(send(&mut alice, None, "to the default", "1").room, other.id);
    let root = refused(alice.call(&bind(std::path::Path::new("/"), false)));
    assert!(root.kind == ErrorKind::NotAllowed && root.hint.unwrap().contains("--force"));
    let unbind = Request::RoomUnbind { room: None, dir: dir.path().into() };
    let Reply::Unbound(unbound) = alice.call(&unbind).unwrap() else { panic!() };
    let rooms: Vec<&str> = unbound.iter().map(|bound| bound.room_name.as_str()).collect();
    assert_eq!(rooms, ["other", "here"]);
    assert_eq!(refused(alice.call(&unbind)).kind, ErrorKind::NotFound);
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut client = node.client("cli");
    let say = |text: &str| Request::Send {
        to: None,
        room: None,
        text: text.into(),
        request_id: "1".into(),
        priority: parlor_api::Priority::Normal,
        form: None,
        wait_ms: 0,
    };
    let long = refused(client.call(&say(&"x".repeat(64 * 1024 + 1))));
    assert!(long.kind == ErrorKind::BadInput && long.message.contains("65536"), "{long}");
    for nothing in [" \n", "\u{200b}", "\u{202e} \u{2066}"] {
        assert_eq!(refused(client.call(&say(nothing))).kind, ErrorKind::BadInput, "{nothing:?}");
    }
    for ticket in ["", "hello", "parlor1abc", "parlor9xyz"] {
        let join = Request::Join { ticket: ticket.into(), dir: None, force: false, wait_ms: 0 };
        let error = refused(client.call(&join));
        assert!(error.kind == ErrorKind::BadInput && error.hint.is_some(), "{ticket}: {error:?}");
    }
    assert!(log_of(&mut client, None).is_empty());
}

#[test]
fn a_follower_is_told_what_was_and_what_comes_each_once_in_order_until_it_cancels() {
    let node = TestNode::start();
    let room = node.start_room("payments", None).room.id;
    let mut writer = node.client("cli");
    for number in 0..3 {
        send(&mut writer, None, &number.to_string(), &number.to_string());
    }
    let cancel = Cancel::default();
    let (stop, mut follower) = (cancel.clone(), node.client("cli"));
    let (tell, told) = std::sync::mpsc::channel();
    let request = Request::Log { room: Some(room), limit: Some(2), since_ms: None, follow: true };
    let following = std::thread::spawn(move || {
        follower.stream(&request, &stop, |event| {
            let Event::Message(message) = event else { panic!("{event:?}") };
            tell.send(message.text).unwrap();
        })
    });
    let mut heard =
        vec![told.recv_timeout(support::PATIENCE).unwrap(), told.recv_timeout(support::PATIENCE).unwrap()];
    // More than any queue between the two holds, from several at once.
    std::thread::scope(|scope| {
        for part in 0..4 {
            let mut writer = node.client("cli");
            scope.spawn(move || {
                for number in 0..150 {
                    let text = format!("{part}-{number}");
                    send(&mut writer, None, &text, &text);
                }
            });
        }
    });
    heard.extend((0..600).map(|_| told.recv_timeout(support::PATIENCE).unwrap()));
    assert_eq!(heard[..2], ["1", "2"]);
    for part in 0..4 {
        let prefix = format!("{part}-");
        let of_part: Vec<&String> = heard[2..].iter().filter(|text| text.starts_with(&prefix)).collect();
        let wanted: Vec<String> = (0..150).map(|number| format!("{part}-{number}")).collect();
        assert_eq!(of_part, wanted.iter().collect::<Vec<_>>());
    }
    assert!(told.try_recv().is_err());
    cancel.cancel();
    assert!(matches!(following.join().unwrap(), Err(ClientError::Cancelled)));
}

#[test]
fn an_agent_may_talk_and_may_not_change_who_hears() {
    let node = TestNode::start();
    let dir = tempfile::Builder::new().prefix("api-").tempdir().unwrap();
    let label = dir.path().file_name().unwrap().to_str().unwrap();
    let room = node.start_room("payments", Some(dir.path())).room.id;
    let mut agent = support::client(&node.home, hello("mcp", Some(dir.path())));
    let sent = send(&mut agent, Some(&room), "from an agent", "1");
    let messages = log_of(&mut node.client("cli"), None);
    assert_eq!((messages[0].id.as_str(), messages[0].author.as_str()), (sent.id.as_str(), "agent"));
    assert_eq!(messages[0].session.as_deref(), Some(label));
    for request in [
        Request::Start { name: None, dir: None, force: false, local: false, lan: false },
        Request::Join { ticket: "parlor1".into(), dir: None, force: false, wait_ms: 0 },
        support::invite(None),
        Request::RoomBind { room: room.clone(), dir: "/srv".into(), force: false },
        Request::RoomAlias { room: room.clone(), alias: Some("ops".into()) },
        Request::Nick { set: Some("bob".into()) },
    ] {
        let error = refused(agent.call(&request));
        assert_eq!(error.kind, ErrorKind::NotAllowed, "{request:?}");
        assert!(error.hint.unwrap().starts_with("ask your human"), "{request:?}");
    }
    assert!(matches!(agent.call(&Request::Nick { set: None }), Ok(Reply::Identity(_))), "it may look");
    assert_eq!(agent.call(&Request::SetSummary { summary: "fixing\nthe api".into() }).unwrap(), Reply::Done);
    let Reply::People(people) = node.client("cli").call(&Request::Who { room: None }).unwrap() else {
        panic!()
    };
    let [session] = people[0].sessions.as_slice() else { panic!("{people:?}") };
    assert_eq!((session.label.as_str(), session.summary.as_deref()), (label, Some("fixing the api")));
}

#[test]
fn the_node_tries_its_own_links_and_says_who_it_is() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut client = node.client("cli");
    let Reply::Checks(checks) = client.call(&Request::Doctor).unwrap() else { panic!() };
    let state = |name: &str| checks.iter().find(|check| check.name == name).unwrap().state.clone();
    assert_eq!(
        (state("store"), state("clock"), state("room payments")),
        ("ok".into(), "ok".into(), "ok".into())
    );
    assert!(checks.iter().any(|check| check.name == "network" && check.detail.contains(':')), "{checks:?}");
    let Reply::Identity(identity) = client.call(&Request::Nick { set: Some("bob".into()) }).unwrap() else {
        panic!()
    };
    assert_eq!(identity.nick, "bob");
    let Reply::Status(status) = client.call(&Request::Status).unwrap() else { panic!() };
    assert_eq!((status.peer, status.pid), (identity.peer, std::process::id()));
    assert!(status.rooms == 1 && !status.addresses.is_empty());
}

#[test]
fn a_person_has_read_what_they_said_and_what_the_log_showed_them() {
    let node = TestNode::start();
    let dir = tempfile::tempdir().unwrap();
    node.start_room("payments", Some(dir.path()));
    let mut alice = node.person(dir.path());
    let unread = |client: &mut parlor_api::Client| match client.call(&Request::Unread).unwrap() {
        Reply::Unread(rooms) => rooms[0].unread,
        other => panic!("{other:?}"),
    };
    send(&mut alice, None, "my own words", "1");
    assert_eq!(unread(&mut alice), 0);
    let mut program = support::client(&node.home, hello("cli", Some(dir.path())));
    send(&mut program, None, "somebody else's", "2");
    assert_eq!(unread(&mut alice), 1);
    send(&mut alice, None, "more of my own", "3");
    assert_eq!(unread(&mut alice), 1, "saying something is not reading, and one's own words are not news");
    log_of(&mut program, None);
    assert_eq!(unread(&mut alice), 1, "a program has looked, not a person");
    log_of(&mut alice, None);
    assert_eq!(unread(&mut alice), 0);
    for number in 4..8 {
        send(&mut program, None, "one of four", &number.to_string());
    }
    let newest = Request::Log { room: None, limit: Some(1), since_ms: None, follow: false };
    alice.stream(&newest, &Cancel::default(), |_| {}).unwrap();
    assert_eq!(unread(&mut alice), 4, "three of them were not shown");
}

#[test]
fn a_request_id_stands_for_one_message() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut client = node.client("cli");
    let first = send(&mut client, None, "postgres", "1");
    assert_eq!(send(&mut client, None, "postgres", "1").id, first.id, "asked again");
    let other = |text: &str, priority| Request::Send {
        to: None,
        room: None,
        text: text.into(),
        request_id: "1".into(),
        priority,
        form: None,
        wait_ms: 0,
    };
    for request in
        [other("mysql", parlor_api::Priority::Normal), other("postgres", parlor_api::Priority::Now)]
    {
        let error = refused(client.call(&request));
        assert!(error.kind == ErrorKind::Usage && error.hint.is_some(), "{error}");
    }
    // The store says so too, when nothing of it is in memory any more.
    let mut node = node;
    node.stop();
    node.run();
    let mut client = node.client("cli");
    assert_eq!(send(&mut client, None, "postgres", "1").id, first.id);
    assert_eq!(refused(client.call(&other("mysql", parlor_api::Priority::Normal))).kind, ErrorKind::Usage);
    assert_eq!(log_of(&mut client, None).len(), 1);
}

#[test]
fn a_ticket_lasts_a_year_at_most() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut client = node.client("cli");
    for expires_s in [0, 365 * 24 * 60 * 60 + 1, u64::MAX] {
        let error = refused(client.call(&support::invite(Some(expires_s))));
        assert_eq!(error.kind, ErrorKind::Usage, "{expires_s}");
    }
    let longest = support::invite(Some(365 * 24 * 60 * 60));
    assert!(matches!(client.call(&longest), Ok(Reply::Invited(_))));
}

#[test]
fn a_message_is_found_by_the_beginning_of_its_id() {
    let node = TestNode::start();
    node.start_room("payments", None);
    let mut client = node.client("cli");
    let sent = send(&mut client, None, "find me", "1");
    for id in [&sent.id[..], &sent.id[..8], &sent.id[..6], &sent.id[1..8]] {
        let Reply::Message(found) = client.call(&Request::Message { room: None, entry: id.into() }).unwrap()
        else {
            panic!()
        };
        assert_eq!((found.id.as_str(), found.text.as_str()), (sent.id.as_str(), "find me"));
    }
}
