//! Giving and committing: what a session is given, once, in order, whatever dies between.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{Command, Outcome, Priority, Take, TakeRoom};
use parlor_core::text::inject::Budget;
use parlor_sim::{Session, World};
use parlor_wire::RoomId;

/// Two people in a room, and a session of the first that has been told what was before it.
fn two() -> (World, RoomId, Session) {
    let mut world = World::new(11);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room_with(alice, &[bob]);
    let mut session = Session::new(&world, alice, "s1", invited.room);
    assert!(session.drain(&mut world).is_empty());
    (world, invited.room, session)
}

fn say(world: &mut World, node: usize, room: RoomId, from: usize, count: usize) {
    for n in from..from + count {
        world.say_surely(node, room, &format!("#{n}# word"));
    }
    world.pass(2_000);
}

fn marks(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| n.to_string()).collect()
}

#[test]
fn wound_01_what_was_taken_and_not_committed_is_given_again() {
    let (mut world, room, mut session) = two();
    say(&mut world, 1, room, 0, 3);
    let giving = session.take(&mut world, 1).unwrap();
    assert_eq!(giving.marks, marks(0, 3));
    // The hook dies before it has written anything.
    world.inform(0, Command::Release { holder: 1 });
    let again = session.take(&mut world, 2).unwrap();
    assert_eq!(again.marks, marks(0, 3));
    // The node dies with the take open.
    world.kill(0);
    world.pass(10_000);
    assert_eq!(session.drain(&mut world), marks(0, 3));
    assert!(session.drain(&mut world).is_empty());
}

#[test]
fn wound_01_a_commit_that_was_not_durable_is_no_commit() {
    let (mut world, room, mut session) = two();
    say(&mut world, 1, room, 0, 2);
    let giving = session.take(&mut world, 1).unwrap();
    world.trouble.commit_fails = 1000;
    let answer = world.ask(0, Command::Commit { token: giving.token.unwrap() });
    assert!(answer.is_none(), "{answer:?}");
    world.trouble.commit_fails = 0;
    world.pass(5_000);
    assert_eq!(session.drain(&mut world), marks(0, 2));
}

#[test]
fn wound_02_a_take_dies_with_its_holder_and_the_next_gets_all() {
    let (mut world, room, mut session) = two();
    say(&mut world, 1, room, 0, 2);
    let first = session.take(&mut world, 1).unwrap();
    say(&mut world, 1, room, 2, 2);
    assert!(session.take(&mut world, 2).unwrap().text.is_empty(), "the first hook still holds");
    world.inform(0, Command::Release { holder: 1 });
    assert_eq!(session.drain(&mut world), marks(0, 4));
    let late = world.ask(0, Command::Commit { token: first.token.unwrap() }).unwrap();
    assert!(late.is_err(), "a released take cannot be committed: {late:?}");
}

#[test]
fn wound_09_two_hooks_at_once_give_once() {
    let (mut world, room, mut session) = two();
    say(&mut world, 1, room, 0, 5);
    let requests = [session.begin(&mut world, 1), session.begin(&mut world, 2)];
    world.pass(1_000);
    let mut texts = Vec::new();
    for request in requests {
        match world.nodes[0].replies.remove(&request) {
            Some(Ok(Outcome::Taken(taken))) => texts.push(taken),
            other => panic!("{other:?}"),
        }
    }
    let full: Vec<_> = texts.iter().filter(|taken| !taken.text.is_empty()).collect();
    assert_eq!(full.len(), 1);
    assert_eq!(full[0].messages, 5);
    let giving = session.saw(&world, full[0].clone(), 1);
    session.commit(&mut world, &giving);
    assert!(session.drain(&mut world).is_empty());
}

#[test]
fn wound_10_stamps_of_the_future_and_the_past_hide_nothing() {
    for skew in [4_070_908_800_000 - 1_780_000_000_000, -1_780_000_000_000 + 1] {
        let mut world = World::new(12);
        let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
        let carol = world.add_node_skewed("carol", skew);
        let invited = world.start_room(alice, "room");
        let expires = Some(u64::MAX >> 12);
        let ticket = world.invite(alice, invited.room, expires).unwrap().unwrap();
        world.join(bob, &ticket.text, 5_000).unwrap().unwrap();
        world.join(carol, &ticket.text, 5_000).unwrap().unwrap();
        world.settle();
        let mut old = Session::new(&world, alice, "s1", invited.room);
        let mut new = Session::new(&world, alice, "s2", invited.room);
        old.drain(&mut world);
        say(&mut world, carol, invited.room, 0, 2);
        say(&mut world, bob, invited.room, 2, 2);
        assert_eq!(old.drain(&mut world), marks(0, 4), "{skew}");
        assert_eq!(new.drain(&mut world), marks(0, 4), "{skew}: a new session is told of a day by arrival");
        say(&mut world, carol, invited.room, 4, 1);
        say(&mut world, bob, invited.room, 5, 1);
        assert_eq!(old.drain(&mut world), marks(4, 2), "{skew}");
        world.settle();
        world.check_room(invited.room);
    }
}

#[test]
fn a_new_session_is_told_of_a_day_and_not_more() {
    let (mut world, room, _) = two();
    let mut session = Session::new(&world, 0, "s2", room);
    say(&mut world, 1, room, 0, 3);
    world.pass(25 * 3_600_000);
    say(&mut world, 1, room, 3, 3);
    let giving = session.take(&mut world, 1).unwrap();
    assert_eq!(giving.marks, marks(3, 3), "{}", giving.text);
    assert!(giving.text.contains("3 older"), "{}", giving.text);
}

#[test]
fn a_new_session_is_told_of_twenty_and_how_many_came_before() {
    let (mut world, room, _) = two();
    let mut session = Session::new(&world, 0, "s2", room);
    say(&mut world, 1, room, 0, 200);
    let giving = session.take(&mut world, 1).unwrap();
    assert_eq!(giving.marks, marks(180, 20));
    assert!(giving.text.contains("180 older"), "{}", giving.text);
    session.commit(&mut world, &giving);
    assert!(session.drain(&mut world).is_empty());
}

#[test]
fn wound_12_a_message_too_big_for_the_budget_is_cut_and_the_next_ones_come() {
    let (mut world, room, mut session) = two();
    world.say_surely(1, room, &format!("#0# {}", "long ".repeat(10_000)));
    say(&mut world, 1, room, 1, 2);
    let giving = session.take(&mut world, 1).unwrap();
    assert!(giving.text.len() <= Budget::default().limit);
    session.commit(&mut world, &giving);
    let rest = session.drain(&mut world);
    let mut all = giving.marks;
    all.extend(rest);
    assert_eq!(all, marks(0, 3));
}

#[test]
fn what_does_not_fit_stays_unread_and_comes_at_the_next_prompts() {
    let (mut world, room, mut session) = two();
    say(&mut world, 1, room, 0, 1_000);
    let giving = session.take(&mut world, 1).unwrap();
    assert!(!giving.marks.is_empty() && giving.marks.len() < 1_000);
    session.commit(&mut world, &giving);
    let mut all = giving.marks;
    all.extend(session.drain(&mut world));
    assert_eq!(all, marks(0, 1_000));
    // Few enough to be read at once, and too long to be given at once.
    for number in 1_000..1_060 {
        world.say_surely(1, room, &format!("#{number}# {}", "word ".repeat(60)));
    }
    world.settle();
    let giving = session.take(&mut world, 1).unwrap();
    assert!(!giving.marks.is_empty() && giving.marks.len() < 60);
    session.commit(&mut world, &giving);
    let mut rest = giving.marks;
    rest.extend(session.drain(&mut world));
    assert_eq!(rest, marks(1_000, 60));
}

#[test]
fn wound_13_every_session_is_given_every_message() {
    let (mut world, room, mut first) = two();
    let mut others: Vec<Session> = (0..4).map(|n| Session::new(&world, 0, &format!("t{n}"), room)).collect();
    others.iter_mut().for_each(|session| drop(session.drain(&mut world)));
    for round in 0..4 {
        say(&mut world, 1, room, round * 5, 5);
        assert_eq!(first.drain(&mut world), marks(round * 5, 5));
        for session in &mut others {
            assert_eq!(session.drain(&mut world), marks(round * 5, 5), "{}", session.key);
        }
    }
}

#[test]
fn wound_14_own_words_are_never_given_back_and_others_words_of_the_same_node_are() {
    let (mut world, room, mut first) = two();
    let mut second = Session::new(&world, 0, "s2", room);
    let mut fresh = Session::new(&world, 0, "s3", room);
    second.drain(&mut world);
    for (n, session) in [(0, "s1"), (1, "s2"), (2, "s3"), (3, "s1")] {
        let command = world.sending(room, &format!("#{n}# mine"), &format!("r{n}"), Some(session));
        world.ask(0, command).unwrap().unwrap();
    }
    assert_eq!(first.drain(&mut world), ["1", "2"]);
    assert_eq!(second.drain(&mut world), ["0", "2", "3"]);
    assert_eq!(fresh.drain(&mut world), ["0", "1", "3"]);
}

#[test]
fn low_messages_are_counted_never_given_and_hide_nothing() {
    let (mut world, room, mut session) = two();
    for n in 0..300 {
        let mut command = world.sending(room, &format!("#{n}# low"), &format!("r{n}"), None);
        if let Command::Send(send) = &mut command {
            send.priority = Priority::Low;
        }
        world.ask(1, command).unwrap().unwrap();
    }
    say(&mut world, 1, room, 300, 1);
    let giving = session.take(&mut world, 1).unwrap();
    assert_eq!(giving.marks, ["300"], "{}", giving.text);
    assert!(giving.text.contains("300"), "{}", giving.text);
    session.commit(&mut world, &giving);
    assert!(session.drain(&mut world).is_empty());
}

#[test]
fn several_rooms_share_one_text_and_have_their_own_cursors() {
    let (mut world, room, _) = two();
    let other = world.start_room(1, "other");
    world.join(0, &other.text, 5_000).unwrap().unwrap();
    world.settle();
    let take = |world: &mut World, holder| {
        let rooms = [room, other.room].map(|room| TakeRoom { room, bound_at: 0 }).to_vec();
        let take = Take { holder, session: "s".into(), rooms, ..Take::default() };
        match world.ask(0, Command::Take(take)) {
            Some(Ok(Outcome::Taken(taken))) => taken,
            other => panic!("{other:?}"),
        }
    };
    let first = take(&mut world, 1);
    world.ask(0, Command::Commit { token: first.token.unwrap() }).unwrap().unwrap();
    world.say_surely(1, room, "#1# here");
    world.say_surely(1, other.room, "#2# there");
    world.pass(1_000);
    let taken = take(&mut world, 2);
    assert_eq!(taken.messages, 2, "{}", taken.text);
    assert!(taken.text.contains("#1# here") && taken.text.contains("#2# there"), "{}", taken.text);
    world.ask(0, Command::Commit { token: taken.token.unwrap() }).unwrap().unwrap();
    world.say_surely(1, other.room, "#3# there");
    world.pass(1_000);
    let taken = take(&mut world, 3);
    assert_eq!(taken.messages, 1, "{}", taken.text);
    let unread = world.ask(
        0,
        Command::Unread {
            session: "s".into(),
            label: None,
            rooms: [room, other.room].map(|room| TakeRoom { room, bound_at: 0 }).to_vec(),
        },
    );
    assert!(
        matches!(&unread, Some(Ok(Outcome::Unread(counts))) if *counts == [(room, 0), (other.room, 1)]),
        "{unread:?}"
    );
}

#[test]
fn wound_11_a_take_asks_the_store_as_much_with_a_long_log_as_with_none() {
    let (mut world, room, mut session) = two();
    let mut asked = Vec::new();
    for long in [0, 1_000] {
        say(&mut world, 1, room, asked.len() * 10_000, long);
        session.drain(&mut world);
        world.settle();
        let before = world.loads;
        let giving = session.take(&mut world, 1).unwrap();
        assert!(giving.token.is_none());
        asked.push(world.loads - before);
    }
    assert_eq!(asked, [0, 0], "nothing unread, nothing asked");
}

#[test]
fn a_history_at_joining_is_never_unread() {
    let mut world = World::new(13);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room(alice, "room");
    let room = invited.room;
    say(&mut world, alice, room, 0, 50);
    world.join(bob, &invited.text, 30_000).unwrap().unwrap();
    let mut session = Session { bound_at: 0, ..Session::new(&world, bob, "s1", room) };
    world.settle();
    let giving = session.take(&mut world, 1).unwrap();
    assert!(giving.marks.is_empty(), "{}", giving.text);
    session.commit(&mut world, &giving);
    say(&mut world, alice, room, 50, 1);
    assert_eq!(session.drain(&mut world), ["50"]);
    assert_eq!(world.texts(bob, room).len(), 51);
}
