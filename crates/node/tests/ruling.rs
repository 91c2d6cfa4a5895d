//! Ruling a room with real nodes: who is let in, put out, given a role; tickets closed; leaving.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use parlor_api::{
    ApiError, Client, ClientError, ErrorKind, Invited, Members, Reply, Request, Role, Room, Ticket,
};
use support::{TestNode, hello, log_of, send, texts, until};
use tempfile::TempDir;

/// Somebody with a node and a directory that hears the room.
struct Side {
    node: TestNode,
    dir: TempDir,
}

impl Side {
    fn new(name: &str) -> Self {
        Self { node: TestNode::named(name), dir: tempfile::tempdir().unwrap() }
    }

    /// The same at a port that stays when the node is started again, so that others find it there.
    fn found_again(name: &str) -> Self {
        let mut side = Self::new(name);
        side.node.stop();
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!("lan = false\nnick = \"{name}\"\nport = {free}\n");
        std::fs::write(side.node.home.config(), config).unwrap();
        side.node.run();
        side
    }

    /// A person at a terminal, where the room is heard.
    fn client(&self) -> Client {
        self.node.person(self.dir.path())
    }

    fn ask(&self, request: &Request) -> Reply {
        self.client().call(request).unwrap()
    }

    fn refused(&self, request: &Request) -> ApiError {
        match self.client().call(request) {
            Err(ClientError::Refused(error)) => error,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    fn join(&self, ticket: &str) -> Room {
        match self.ask(&self.join_request(ticket)) {
            Reply::Joined(joined) => joined.room,
            other => panic!("{other:?}"),
        }
    }

    fn join_request(&self, ticket: &str) -> Request {
        let dir = Some(self.dir.path().into());
        Request::Join { ticket: ticket.into(), dir, force: false, wait_ms: 15_000 }
    }

    fn invite(&self, request: Request) -> Invited {
        match self.ask(&request) {
            Reply::Invited(invited) => invited,
            other => panic!("{other:?}"),
        }
    }

    fn room(&self) -> Room {
        // What was left is heard in no directory; it is still the only room here.
        match self.ask(&Request::RoomShow { room: None }) {
            Reply::Room(room) => room,
            other => panic!("{other:?}"),
        }
    }

    fn members(&self) -> Members {
        match self.ask(&Request::MemberList { room: None }) {
            Reply::Members(members) => members,
            other => panic!("{other:?}"),
        }
    }

    fn tickets(&self, all: bool) -> Vec<Ticket> {
        match self.ask(&Request::TicketList { room: None, all }) {
            Reply::Tickets(tickets) => tickets,
            other => panic!("{other:?}"),
        }
    }

    fn says(&self, text: &str) {
        send(&mut self.client(), None, text, text);
    }

    fn heard(&self, text: &str) -> bool {
        texts(&log_of(&mut self.client(), None)).contains(&text)
    }

    fn await_text(&self, text: &str) {
        until(text, || self.heard(text).then_some(()));
    }

    fn await_state(&self, state: &str) {
        until(state, || (self.room().state == state).then_some(()));
    }

    fn await_role(&self, role: &str) {
        until(role, || (self.room().role.as_deref() == Some(role)).then_some(()));
    }

    fn await_name(&self, name: &str) {
        let is_there = || self.members().people.iter().any(|person| person.name == name);
        until(name, || is_there().then_some(()));
    }

    fn sees(&self, count: usize) {
        until("as many members", || (self.members().people.len() == count).then_some(()));
    }
}

/// Alice has started a room; the others have joined it, and she knows their names.
fn room_of<const N: usize>(names: [&str; N]) -> (Side, [Side; N]) {
    let alice = Side::found_again("alice");
    let ticket = alice.node.start_room("payments", Some(alice.dir.path())).ticket.unwrap().ticket;
    let others = names.map(|name| {
        let side = Side::new(name);
        assert_eq!(side.join(&ticket).state, "joined");
        alice.await_name(name);
        side
    });
    (alice, others)
}

fn usual() -> Request {
    support::invite(None)
}

fn with_role(role: Role) -> Request {
    Request::Invite { room: None, expires_s: None, uses: None, role: Some(role), approve: false }
}

fn said(text: &str) -> Request {
    Request::Send {
        to: None,
        room: None,
        text: text.into(),
        request_id: text.into(),
        priority: parlor_api::Priority::Normal,
        form: None,
        wait_ms: 0,
    }
}

fn remove(peer: &str, keep: &[&str]) -> Request {
    let keep = keep.iter().map(|id| (*id).to_owned()).collect();
    Request::MemberRemove { room: None, peer: peer.into(), keep }
}

fn give_role(peer: &str, role: Role) -> Request {
    Request::MemberRole { room: None, peer: peer.into(), role }
}

fn approve(peer: &str) -> Request {
    Request::MemberApprove { room: None, peer: peer.into() }
}

#[test]
fn who_comes_by_a_ticket_that_asks_waits_for_an_owner_and_is_in_when_it_says_yes() {
    let (alice, [carol]) = room_of(["carol"]);
    alice.says("said before bob came");
    let ticket = alice.invite(Request::Invite {
        room: None,
        expires_s: None,
        uses: Some(3),
        role: None,
        approve: true,
    });
    assert_eq!((ticket.uses, ticket.approve, ticket.role.as_str()), (Some(3), true, "member"));

    let bob = Side::new("bob");
    let room = bob.join(&ticket.ticket);
    assert_eq!((room.state.as_str(), room.role.as_deref()), ("asking", None), "{room:?}");
    assert!(room.why.unwrap().contains("owner"));
    let error = bob.refused(&said("let me in"));
    assert!(error.hint.is_some() && !error.message.contains("reached"), "{error:?}");

    let asking = until("somebody who asks", || alice.members().asking.pop());
    assert_eq!(asking.ticket, ticket.id);
    assert_eq!(alice.room().asking, 1);
    assert!(!bob.heard("said before bob came"), "who only asks is told nothing");
    assert_eq!(carol.refused(&approve(&asking.peer)).kind, ErrorKind::NotAllowed, "carol owns nothing");
    let error = alice.refused(&remove(&asking.peer, &[]));
    assert!(error.kind == ErrorKind::NotFound && error.message.contains("only asks"), "{error}");

    let Reply::Member(member) = alice.ask(&approve(&asking.peer[..8])) else { panic!() };
    assert_eq!((member.peer.as_str(), member.role.as_str()), (asking.peer.as_str(), "member"));
    bob.await_state("joined");
    bob.await_text("said before bob came");
    bob.says("thank you");
    alice.await_text("thank you");
    carol.await_text("thank you");
    assert!(alice.members().asking.is_empty() && alice.room().asking == 0);
    let error = alice.refused(&approve("bob"));
    assert!(error.kind == ErrorKind::NotFound && error.message.contains("in the room"), "{error}");
}

#[test]
fn who_asks_still_asks_after_the_owner_started_again_and_is_let_in() {
    let mut alice = Side::found_again("alice");
    alice.node.start_room("payments", Some(alice.dir.path()));
    let ticket = alice.invite(Request::Invite {
        room: None,
        expires_s: None,
        uses: None,
        role: Some(Role::Reader),
        approve: true,
    });
    let bob = Side::new("bob");
    assert_eq!(bob.join(&ticket.ticket).state, "asking");
    until("somebody who asks", || alice.members().asking.pop());
    alice.node.stop();
    alice.node.run();
    let asking = alice.members().asking.pop().expect("the request was kept");
    alice.ask(&approve(&asking.peer));
    bob.await_role("reader");
}

#[test]
fn who_is_put_out_hears_nothing_more_and_is_heard_no_more() {
    let (alice, [bob, carol]) = room_of(["bob", "carol"]);
    bob.says("while i was in");
    alice.await_text("while i was in");
    carol.await_text("while i was in");
    let open: Vec<String> = alice.tickets(false).into_iter().map(|ticket| ticket.id).collect();
    assert_eq!(open.len(), 1);

    assert_eq!(carol.refused(&remove("bob", &[])).kind, ErrorKind::NotAllowed, "carol owns nothing");
    let Reply::Removed(removed) = alice.ask(&remove("bob", &[])) else { panic!() };
    assert_eq!((removed.name.as_str(), removed.room_name.as_str()), ("bob", "payments"));
    assert_eq!(removed.closed, open, "a pasted text may be known to anyone");
    bob.await_state("removed");
    carol.sees(2);
    alice.says("without bob");
    carol.await_text("without bob");

    let error = bob.refused(&said("still here"));
    assert!(
        error.kind == ErrorKind::NotAllowed && error.hint.unwrap().contains("parlor log"),
        "{}",
        error.message
    );
    assert!(bob.heard("while i was in"), "what was said before stays his");
    assert!(!bob.heard("without bob"), "what is said after is not");
    for side in [&alice, &carol] {
        assert!(side.heard("while i was in"), "what was said before stays said");
    }
    let old = bob.join_request(&alice.invite(usual()).ticket);
    assert!(matches!(bob.ask(&old), Reply::Joined(_)), "a new ticket leads back");
    bob.await_state("joined");
    bob.says("back again");
    alice.await_text("back again");
}

#[test]
fn what_is_said_by_one_who_does_not_know_of_being_put_out_arrives_nowhere() {
    let (mut alice, [mut bob, mut carol]) = room_of(["bob", "carol"]);
    bob.node.stop();
    carol.node.stop();
    alice.ask(&remove("bob", &[]));
    alice.node.stop();
    bob.node.run();
    bob.says("nobody told me");
    alice.node.run();
    carol.node.run();
    bob.await_state("removed");
    let error = bob.refused(&said("now i am told"));
    assert_eq!(error.kind, ErrorKind::NotAllowed, "{error}");
    carol.sees(2);
    alice.says("without bob");
    carol.await_text("without bob");
    assert!(!carol.heard("nobody told me") && !alice.heard("nobody told me"));
    assert!(!bob.heard("without bob"));
}

#[test]
fn putting_somebody_out_closes_all_tickets_but_those_that_are_kept() {
    let (alice, [_bob]) = room_of(["bob"]);
    let kept = alice.invite(with_role(Role::Reader)).id;
    let before = alice.tickets(false).len();
    assert_eq!(before, 2);
    let error = alice.refused(&remove("bob", &["maaaaaaaa"]));
    assert_eq!(error.kind, ErrorKind::NotFound, "a ticket that is none: {error}");
    assert_eq!(alice.members().people.len(), 2, "and nobody was put out");
    let Reply::Removed(removed) = alice.ask(&remove("bob", &[&kept[..8]])) else { panic!() };
    assert_eq!(removed.closed.len(), 1);
    let open: Vec<String> = alice.tickets(false).into_iter().map(|ticket| ticket.id).collect();
    assert_eq!(open, [kept]);
}

#[test]
fn a_reader_reads_and_does_not_write_until_it_is_made_a_member() {
    let alice = Side::new("alice");
    alice.node.start_room("payments", Some(alice.dir.path()));
    let bob = Side::new("bob");
    bob.join(&alice.invite(with_role(Role::Reader)).ticket);
    bob.await_role("reader");
    alice.says("read this");
    bob.await_text("read this");
    let error = bob.refused(&said("may i?"));
    assert!(
        error.kind == ErrorKind::NotAllowed && error.hint.unwrap().contains("owner"),
        "{}",
        error.message
    );
    alice.sees(2);
    let id = alice.members().people.pop().unwrap().peer;

    let Reply::Member(member) = alice.ask(&give_role(&id, Role::Member)) else { panic!() };
    assert_eq!(member.role, "member");
    bob.await_role("member");
    bob.says("thank you");
    alice.await_text("thank you");

    alice.ask(&give_role(&id, Role::Reader));
    bob.await_role("reader");
    assert_eq!(bob.refused(&said("and now?")).kind, ErrorKind::NotAllowed);
    assert!(alice.heard("thank you"), "what was said before stays said");
}

#[test]
fn who_leaves_is_out_for_everybody_and_its_directory_hears_nothing() {
    let (alice, [bob]) = room_of(["bob"]);
    alice.says("before");
    bob.await_text("before");
    let Reply::Left(left) = bob.ask(&Request::RoomLeave { room: None, abandon: false }) else { panic!() };
    assert_eq!(left.room_name, "payments");
    assert_eq!(left.unbound, [bob.dir.path().canonicalize().unwrap()]);
    alice.sees(1);
    let room = bob.room();
    assert_eq!((room.state.as_str(), room.role, room.bound.len()), ("left", None, 0));
    assert_eq!(bob.refused(&said("hello?")).kind, ErrorKind::NotAllowed);
    alice.says("after");
    assert!(bob.heard("before") && !bob.heard("after"));

    let again = alice.invite(usual());
    bob.join(&again.ticket);
    bob.await_state("joined");
    bob.says("back again");
    alice.await_text("back again");
}

#[test]
fn the_last_owner_leaves_only_when_it_says_that_it_abandons_the_room() {
    let (alice, [bob]) = room_of(["bob"]);
    let leave = |abandon| Request::RoomLeave { room: None, abandon };
    let error = alice.refused(&leave(false));
    assert!(
        error.kind == ErrorKind::NotAllowed && error.hint.unwrap().contains("--abandon"),
        "{}",
        error.message
    );
    assert_eq!(alice.room().state, "joined");
    assert!(matches!(alice.ask(&leave(true)), Reply::Left(_)));
    bob.sees(1);
    bob.says("alone");
    assert!(bob.heard("alone"));
}

#[test]
fn nobody_comes_by_a_ticket_that_was_closed() {
    let alice = Side::new("alice");
    let first = alice.node.start_room("payments", Some(alice.dir.path())).ticket.unwrap();
    let [open] = &alice.tickets(false)[..] else { panic!() };
    assert_eq!((open.id.as_str(), open.name.as_str(), open.joins), (first.id.as_str(), "alice", 0));
    let close = |ticket: &str| Request::TicketClose { room: None, ticket: ticket.into() };
    assert_eq!(alice.refused(&close("mzzzzzzz")).kind, ErrorKind::NotFound);
    for _ in 0..2 {
        let Reply::Ticket(closed) = alice.ask(&close(&first.id[..8])) else { panic!() };
        assert!(closed.closed && !closed.open && closed.id == first.id);
    }
    assert!(alice.tickets(false).is_empty());
    assert_eq!(alice.tickets(true).len(), 1);
    let bob = Side::new("bob");
    let error = bob.refused(&bob.join_request(&first.ticket));
    assert!(error.kind == ErrorKind::BadInput && error.message.contains("closed"), "{error}");
    let second = alice.invite(usual());
    assert_ne!(second.id, first.id, "a closed ticket is not handed out again");
    bob.join(&second.ticket);
    bob.await_state("joined");
}

#[test]
fn a_ticket_for_one_lets_one_in() {
    let alice = Side::new("alice");
    alice.node.start_room("payments", Some(alice.dir.path()));
    let once = alice.invite(Request::Invite {
        room: None,
        expires_s: Some(3600),
        uses: Some(1),
        role: None,
        approve: false,
    });
    let (bob, carol) = (Side::new("bob"), Side::new("carol"));
    assert_eq!(bob.join(&once.ticket).state, "joined");
    alice.sees(2);
    let error = carol.refused(&carol.join_request(&once.ticket));
    assert!(error.kind == ErrorKind::BadInput && error.message.contains("spent"), "{error}");
}

#[test]
fn who_is_made_an_owner_rules_and_stays_one() {
    let (alice, [bob]) = room_of(["bob"]);
    assert_eq!(bob.refused(&usual()).kind, ErrorKind::NotAllowed);
    let Reply::Member(member) = alice.ask(&give_role("bob", Role::Owner)) else { panic!() };
    assert_eq!(member.role, "owner");
    bob.await_role("owner");
    bob.await_name("alice");
    let carol = Side::new("carol");
    carol.join(&bob.invite(usual()).ticket);
    carol.await_state("joined");
    for request in [remove("bob", &[]), give_role("bob", Role::Reader)] {
        let error = alice.refused(&request);
        assert!(error.kind == ErrorKind::NotAllowed && error.message.contains("owner"), "{error}");
    }
    alice.ask(&Request::RoomLeave { room: None, abandon: false });
    bob.sees(2);
}

#[test]
fn a_room_is_called_and_sealed_anew_for_everybody() {
    let (alice, [bob]) = room_of(["bob"]);
    let rename = || Request::RoomRename { room: None, name: "money".into() };
    assert_eq!(bob.refused(&rename()).kind, ErrorKind::NotAllowed);
    let Reply::Room(room) = alice.ask(&rename()) else { panic!() };
    assert_eq!(room.name, "money");
    until("the name at bob's", || (bob.room().name == "money").then_some(()));
    assert!(matches!(alice.ask(&Request::RoomRekey { room: None }), Reply::Room(_)));
    alice.says("under a new key");
    bob.await_text("under a new key");
    bob.says("heard");
    alice.await_text("heard");
}

#[test]
fn an_agent_may_look_at_who_is_in_and_may_not_change_it() {
    let alice = Side::new("alice");
    let ticket = alice.node.start_room("payments", Some(alice.dir.path())).ticket.unwrap().id;
    let me = alice.members().people[0].peer.clone();
    let mut agent = support::client(&alice.node.home, hello("mcp", Some(Path::new(alice.dir.path()))));
    for request in [
        usual(),
        with_role(Role::Reader),
        Request::TicketClose { room: None, ticket: ticket.clone() },
        approve(&me),
        remove(&me, &[]),
        give_role(&me, Role::Owner),
        Request::RoomRename { room: None, name: "mine".into() },
        Request::RoomRekey { room: None },
        Request::RoomLeave { room: None, abandon: true },
    ] {
        match agent.call(&request) {
            Err(ClientError::Refused(error)) => {
                assert_eq!(error.kind, ErrorKind::NotAllowed, "{request:?}");
                assert!(error.hint.unwrap().starts_with("ask your human to run `parlor "), "{request:?}");
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    for request in [Request::TicketList { room: None, all: true }, Request::MemberList { room: None }] {
        assert!(agent.call(&request).is_ok(), "it may look: {request:?}");
    }
    assert_eq!((alice.room().name.as_str(), alice.tickets(false).len()), ("payments", 1));
}
