//! What does not wait for a prompt, and questions with their answers: given once each, at the moment for it, whatever dies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{
    AskView, Author, Command, Failure, Form, Listener, Moment, Outcome, Priority, Send, Sent, Take, TakeRoom,
    UrgentView,
};
use parlor_sim::{Faults, Session, World};
use parlor_wire::control::Role;
use parlor_wire::{EntryId, RoomId};

const MINUTE_MS: u64 = 60_000;

/// Alice's room with Bob in it, and Bob's session that was given everything.
fn two(seed: u64) -> (World, RoomId, Session) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let invited = world.start_room_with(alice, &[bob]);
    let mut session = Session::new(&world, bob, "s1", invited.room);
    session.drain(&mut world);
    (world, invited.room, session)
}

fn message(room: RoomId, text: &str) -> Send {
    Send {
        room,
        text: text.into(),
        request_id: text.into(),
        priority: Priority::Normal,
        author: Author::Agent,
        origin: None,
        label: Some("api".into()),
        to: None,
        peers: Vec::new(),
        tags: Vec::new(),
        form: None,
        ask: None,
        about: None,
        file: None,
        wait_ms: 0,
    }
}

fn send(world: &mut World, node: usize, send: Send) -> Sent {
    match world.ask(node, Command::Send(send)) {
        Some(Ok(Outcome::Sent(sent))) => sent,
        other => world.fail(&format!("send: {other:?}")),
    }
}

fn now(world: &mut World, node: usize, room: RoomId, text: &str) -> EntryId {
    send(world, node, Send { priority: Priority::Now, ..message(room, text) }).id
}

/// Alice asks Bob before all the room.
fn ask_bob(world: &mut World, room: RoomId, text: &str, for_ms: u64) -> EntryId {
    let (ask, bob) = (Some(world.wall_ms(0) + for_ms), world.nodes[1].peer);
    send(world, 0, Send { ask, peers: vec![bob], ..message(room, text) }).id
}

fn answer(world: &mut World, node: usize, room: RoomId, about: EntryId, text: &str) -> Sent {
    send(world, node, Send { about: Some(about), ..message(room, text) })
}

fn asked(world: &World, node: usize, id: EntryId) -> Option<AskView> {
    world.nodes[node].engine.as_ref().unwrap().ask(&id)
}

fn urgent(world: &World, session: &Session) -> Vec<UrgentView> {
    let to = Listener { session: session.key.clone(), label: None, ..Listener::default() };
    let rooms = [TakeRoom { room: session.room, bound_at: 0 }];
    world.nodes[session.node].engine.as_ref().unwrap().urgent(&rooms, &to)
}

/// A whole hook at a moment: what it gives.
fn hook(world: &mut World, session: &mut Session, moment: Moment) -> Vec<String> {
    let Some(giving) = session.take_at(world, 77, moment) else { return Vec::new() };
    session.commit(world, &giving);
    giving.marks
}

#[test]
fn between_tools_only_what_is_urgent_is_given_and_the_prompt_gives_the_rest_once() {
    let (mut world, room, mut session) = two(1);
    for (at, urgent) in [false, true, false, true].into_iter().enumerate() {
        let text = format!("#{at}# words");
        if urgent {
            now(&mut world, 0, room, &text)
        } else {
            world.say_surely(0, room, &text).id
        };
    }
    world.settle();
    let loads = world.loads;
    assert_eq!(hook(&mut world, &mut session, Moment::Tools), ["1", "3"]);
    assert_eq!(world.loads - loads, 1, "no log is searched");
    assert!(hook(&mut world, &mut session, Moment::Tools).is_empty());
    assert!(hook(&mut world, &mut session, Moment::Stop).is_empty());
    assert_eq!(hook(&mut world, &mut session, Moment::Prompt), ["0", "2"]);
    assert!(hook(&mut world, &mut session, Moment::Prompt).is_empty());
}

#[test]
fn what_was_given_ahead_is_not_counted_as_unread_any_more() {
    let (mut world, room, mut session) = two(2);
    world.say_surely(0, room, "#1# waits");
    now(&mut world, 0, room, "#2# does not");
    world.settle();
    hook(&mut world, &mut session, Moment::Tools);
    let rooms = vec![TakeRoom { room, bound_at: 0 }];
    let unread = Command::Unread { session: "s1".into(), label: None, rooms };
    let counted = world.ask(1, unread);
    assert!(matches!(&counted, Some(Ok(Outcome::Unread(counts))) if counts[0].1 == 1), "{counted:?}");
}

#[test]
fn wound_09_what_was_given_between_tools_is_given_once_whatever_is_killed_when() {
    for kill in 0..4 {
        let (mut world, room, mut session) = two(3 + kill);
        world.say_surely(0, room, "#0# before");
        now(&mut world, 0, room, "#1# now");
        world.settle();
        let giving = session.take_at(&mut world, 7, Moment::Tools).unwrap();
        assert_eq!(giving.marks, ["1"]);
        match kill {
            0 => session.dies(&mut world, &giving),
            1 => world.kill(1),
            2 => assert!(session.commit(&mut world, &giving)),
            _ => {
                assert!(session.commit(&mut world, &giving));
                world.kill(1);
            }
        }
        world.settle();
        let again = if kill < 2 { vec!["1"] } else { Vec::new() };
        assert_eq!(hook(&mut world, &mut session, Moment::Stop), again, "{kill}");
        assert_eq!(session.drain(&mut world), ["0"], "{kill}");
    }
}

#[test]
fn a_new_session_is_told_what_was_before_though_it_was_given_something_urgent_first() {
    let (mut world, room, _) = two(8);
    world.say_surely(0, room, "#0# before");
    now(&mut world, 0, room, "#1# now");
    world.settle();
    let mut new = Session { bound_at: 0, ..Session::new(&world, 1, "s2", room) };
    assert_eq!(hook(&mut world, &mut new, Moment::Tools), ["1"]);
    let earlier = new.take(&mut world, 9).unwrap();
    assert!(earlier.text.contains("Earlier:") && earlier.marks == ["0"], "{}", earlier.text);
    new.commit(&mut world, &earlier);
    assert!(new.drain(&mut world).is_empty());
}

#[test]
fn a_question_to_a_member_is_urgent_to_it_until_it_is_answered() {
    let (mut world, room, mut session) = two(9);
    let carol = world.add_node("carol");
    let ticket = world.ticket(0, room, Role::Member, false).text;
    world.join(carol, &ticket, 30_000).unwrap().unwrap();
    world.settle();
    let other = Session::new(&world, carol, "c", room);
    let id = ask_bob(&mut world, room, "#1# where is the schema?", 60 * MINUTE_MS);
    world.settle();
    assert_eq!((urgent(&world, &session).len(), urgent(&world, &other).len()), (1, 0));
    let giving = session.take_at(&mut world, 7, Moment::Tools).unwrap();
    assert!(giving.text.contains("(agent, asks you) "), "{}", giving.text);
    assert!(giving.text.contains("questions are answered by: parlor answer ID TEXT"), "{}", giving.text);
    session.dies(&mut world, &giving);
    let said = answer(&mut world, 1, room, id, "#2# in db/");
    world.settle();
    assert!(urgent(&world, &session).is_empty(), "it is answered");
    for node in 0..3 {
        let view = asked(&world, node, id).unwrap();
        assert_eq!((view.answered, view.answers[0].0), (1, said.id), "{node}");
    }
}

#[test]
fn a_question_that_came_late_or_is_over_is_urgent_no_more() {
    let (mut world, room, session) = two(10);
    ask_bob(&mut world, room, "#1# soon?", MINUTE_MS);
    world.pass(10_000);
    assert_eq!(urgent(&world, &session).len(), 1);
    world.pass(MINUTE_MS);
    assert!(urgent(&world, &session).is_empty());
    world.put_to_sleep(1);
    ask_bob(&mut world, room, "#2# still there?", MINUTE_MS);
    world.pass(30 * MINUTE_MS);
    world.wake(1);
    world.settle();
    assert!(urgent(&world, &session).is_empty(), "it was asked half an hour ago, for a minute");
}

#[test]
fn wound_35_a_question_to_all_costs_nobody_anything_once_it_is_answered() {
    let (mut world, room, mut session) = two(11);
    let ask = Some(world.wall_ms(0) + MINUTE_MS);
    let id = send(&mut world, 0, Send { ask, ..message(room, "#1# who has seen this?") }).id;
    world.settle();
    assert!(urgent(&world, &session).is_empty(), "it waits for the prompt");
    let mut other = Session::new(&world, 1, "s2", room);
    other.bound_at = session.bound_at;
    other.drain(&mut world);
    send(&mut world, 1, Send { origin: Some("s2".into()), about: Some(id), ..message(room, "#2# I have") });
    world.settle();
    let giving = session.take(&mut world, 7).unwrap();
    assert!(giving.marks.is_empty(), "{}", giving.text);
    session.commit(&mut world, &giving);
    assert!(session.drain(&mut world).is_empty());
}

#[test]
fn nobody_answers_its_own_question() {
    let (mut world, room, _) = two(12);
    let id = ask_bob(&mut world, room, "#1# where?", MINUTE_MS);
    let own = Send { about: Some(id), ..message(room, "#2# nowhere") };
    assert!(matches!(world.ask(0, Command::Send(own.clone())), Some(Err(Failure::OwnQuestion))));
    // One that is written all the same, under the same name, counts nowhere.
    send(&mut world, 0, Send { origin: Some("other".into()), ..own });
    world.settle();
    for node in 0..2 {
        assert_eq!(asked(&world, node, id).unwrap().answered, 0, "{node}");
    }
}

#[test]
fn questions_and_answers_survive_loss_partition_and_death() {
    for seed in 20..26 {
        let (mut world, room, _) = two(seed);
        world.faults = Faults { vanishes: 20, twice: 20, overtakes: 20, ..Faults::NONE };
        let ids: Vec<EntryId> =
            (0..8).map(|at| ask_bob(&mut world, room, &format!("#{at}# ?"), 60 * MINUTE_MS)).collect();
        world.pass(2_000);
        world.kill(1);
        world.settle();
        for (at, id) in ids.iter().enumerate() {
            answer(&mut world, 1, room, *id, &format!("#1{at}# !"));
        }
        world.kill(0);
        world.settle();
        world.kill(1);
        world.settle();
        for id in &ids {
            let counts = [0, 1].map(|node| asked(&world, node, *id).map(|view| view.answered));
            assert_eq!(counts, [Some(1), Some(1)], "{seed}");
        }
    }
}

#[test]
fn five_hundred_questions_at_once_are_given_once_each_and_none_is_lost() {
    let (mut world, room, mut session) = two(30);
    let ids: Vec<EntryId> =
        (0..500).map(|at| ask_bob(&mut world, room, &format!("#{at}# ?"), 60 * MINUTE_MS)).collect();
    world.settle();
    let mut given = Vec::new();
    for _ in 0..200 {
        let some = hook(&mut world, &mut session, Moment::Tools);
        if some.is_empty() {
            break;
        }
        given.extend(some);
    }
    given.extend(session.drain(&mut world));
    let all: Vec<String> = (0..500).map(|at| at.to_string()).collect();
    assert_eq!(given, all, "once each, in order");
    for id in &ids {
        assert!(asked(&world, 0, *id).unwrap().open, "the asker still waits for each");
    }
}

#[test]
fn what_others_call_urgent_is_bounded_and_crowds_nobody_out() {
    let (mut world, room, session) = two(31);
    let quiet = now(&mut world, 0, room, "#0# the quiet one");
    let carol = world.add_node("carol");
    let ticket = world.ticket(0, room, Role::Member, false).text;
    world.join(carol, &ticket, 30_000).unwrap().unwrap();
    world.settle();
    for at in 1..1_200 {
        now(&mut world, carol, room, &format!("#{at}# loud"));
    }
    world.settle();
    let urgent = urgent(&world, &session);
    assert!(urgent.len() <= 1_024, "{}", urgent.len());
    assert!(urgent.iter().any(|view| view.id == quiet), "who says little is not displaced by who says much");
}

#[test]
fn too_many_open_questions_are_refused() {
    let (mut world, room, _) = two(32);
    for at in 0..1_024 {
        ask_bob(&mut world, room, &format!("#{at}# ?"), 60 * MINUTE_MS);
    }
    let ask = Some(world.wall_ms(0) + MINUTE_MS);
    let more = world.ask(0, Command::Send(Send { ask, ..message(room, "one more") }));
    assert!(matches!(more, Some(Err(Failure::Limit(_)))), "{more:?}");
    world.pass(61 * MINUTE_MS);
    assert!(matches!(
        world.ask(0, Command::Send(Send { ask: Some(u64::MAX), ..message(room, "now") })),
        Some(Ok(_))
    ));
}

/// Carol, who is in the room as well.
fn carol_joins(world: &mut World, room: RoomId) -> usize {
    let carol = world.add_node("carol");
    let ticket = world.ticket(0, room, Role::Member, false).text;
    world.join(carol, &ticket, 30_000).unwrap().unwrap();
    world.settle();
    carol
}

#[test]
fn only_who_was_asked_ends_a_question_and_only_by_an_answer() {
    let (mut world, room, session) = two(40);
    let carol = carol_joins(&mut world, room);
    let id = ask_bob(&mut world, room, "#1# which port?", 60 * MINUTE_MS);
    world.settle();
    answer(&mut world, carol, room, id, "not mine to say");
    let about = |text| Send { about: Some(id), ..message(room, text) };
    send(&mut world, 1, Send { form: Some(Form::Ack), ..about("seen") });
    send(&mut world, 1, Send { form: Some(Form::Progress), ..about("looking") });
    send(&mut world, 1, Send { priority: Priority::Low, ..about("by the way") });
    world.settle();
    assert_eq!(urgent(&world, &session).len(), 1, "Bob is still asked");
    assert!((0..3).all(|node| asked(&world, node, id).unwrap().answered == 0));
    let said = answer(&mut world, 1, room, id, "5432").id;
    world.settle();
    assert!(urgent(&world, &session).is_empty());
    for node in 0..3 {
        assert_eq!(asked(&world, node, id).unwrap().answers, [(said, world.nodes[1].peer)], "{node}");
    }
}

#[test]
fn whom_a_session_is_not_to_hear_settles_no_question_for_it() {
    for denied in [false, true] {
        let (mut world, room, session) = two(41);
        let carol = carol_joins(&mut world, room);
        let ask = Some(world.wall_ms(0) + 60 * MINUTE_MS);
        let id = send(&mut world, 0, Send { ask, ..message(room, "#1# who knows?") }).id;
        world.settle();
        answer(&mut world, carol, room, id, "nobody");
        world.settle();
        let deny = if denied { vec![(room, world.nodes[carol].peer)] } else { Vec::new() };
        let rooms = vec![TakeRoom { room, bound_at: 0 }];
        let take = Take { session: session.key.clone(), rooms, deny, ..Take::default() };
        let Some(Ok(Outcome::Taken(taken))) = world.ask(1, Command::Take(take)) else { panic!("no take") };
        assert_eq!(taken.text.contains("who knows?"), denied, "{}", taken.text);
        assert_eq!(taken.text.contains(", asks)"), denied, "it is one still: {}", taken.text);
    }
}

#[test]
fn who_answers_without_end_hides_nobody_s_answer() {
    let (mut world, room, _) = two(42);
    let carol = carol_joins(&mut world, room);
    let (all, bob) = (None, Some(vec![world.nodes[1].peer, world.nodes[carol].peer]));
    for (question, whom) in [("#1# who knows?", all), ("#2# which port?", bob)] {
        let ask = Some(world.wall_ms(0) + 60 * MINUTE_MS);
        let peers = whom.unwrap_or_default();
        let id = send(&mut world, 0, Send { ask, peers, ..message(room, question) }).id;
        world.settle();
        for at in 0..70 {
            answer(&mut world, carol, room, id, &format!("no idea {question} {at}"));
        }
        world.settle();
        let real = answer(&mut world, 1, room, id, &format!("5432 {question}")).id;
        world.settle();
        let kept = asked(&world, 0, id).unwrap().answers;
        assert!(
            kept.iter().any(|(answer, _)| *answer == real) && kept.len() < 64,
            "{question}: {}",
            kept.len()
        );
    }
}

#[test]
fn what_is_said_of_a_question_in_another_room_before_it_came_answers_nothing() {
    for seed in 50..58 {
        let (mut world, room, _) = two(seed);
        let carol = carol_joins(&mut world, room);
        let other = world.start_room_with(carol, &[1]).room;
        world.settle();
        world.put_to_sleep(1);
        let ask = Some(world.wall_ms(0) + 60 * MINUTE_MS);
        let id = send(&mut world, 0, Send { ask, ..message(room, "#1# who knows?") }).id;
        world.pass(2_000);
        answer(&mut world, carol, other, id, "nobody");
        world.pass(2_000);
        world.wake(1);
        world.settle();
        assert_eq!(asked(&world, 1, id).map(|view| view.answered), Some(0), "{seed}");
    }
}

#[test]
fn an_answer_is_given_to_the_session_that_goes_on_for_one_that_has_ended() {
    let (mut world, room, _) = two(93);
    let (ask, alice) = (Some(world.wall_ms(1) + 10 * MINUTE_MS), world.nodes[0].peer);
    let asked = Send { ask, peers: vec![alice], origin: Some("claude:a".into()), ..message(room, "port?") };
    let id = send(&mut world, 1, asked).id;
    world.settle();
    let take = |session: &str, heir_of: &[&str]| Take {
        session: session.into(),
        rooms: vec![TakeRoom { room, bound_at: 0 }],
        moment: Moment::Start,
        heir_of: heir_of.iter().map(|of| (*of).to_owned()).collect(),
        ..Take::default()
    };
    let given = |world: &mut World, take| match world.ask(1, Command::Take(take)) {
        Some(Ok(Outcome::Taken(taken))) => taken.text,
        other => world.fail(&format!("take: {other:?}")),
    };
    send(&mut world, 0, Send { label: None, about: Some(id), ..message(room, "#answer# 5432") });
    world.settle();
    let heard = |text: &str| text.contains("#answer#");
    assert!(!heard(&given(&mut world, take("claude:d", &["claude:c"]))), "another's question");
    assert!(heard(&given(&mut world, take("claude:b", &["claude:a"]))), "its own, by inheritance");
}

#[test]
fn sessions_that_are_called_alike_answer_each_other() {
    let (mut world, room, _) = two(94);
    let session = |origin: &str| Send { origin: Some(origin.into()), ..message(room, "#1# who knows?") };
    let ask = Some(world.wall_ms(0) + 10 * MINUTE_MS);
    let id = send(&mut world, 0, Send { ask, ..session("claude:a") }).id;
    world.settle();
    for (node, origin, text) in [(0, "claude:b", "beside it"), (1, "claude:c", "elsewhere")] {
        let (text, request_id) = (text.to_owned(), text.to_owned());
        send(&mut world, node, Send { about: Some(id), text, request_id, ..session(origin) });
    }
    world.settle();
    for node in 0..2 {
        assert_eq!(asked(&world, node, id).unwrap().answered, 2, "{node}");
    }
}

#[test]
fn what_a_session_was_told_before_it_ended_is_told_to_none_that_goes_on_for_it() {
    let (mut world, room, _) = two(95);
    let (ask, alice) = (Some(world.wall_ms(1) + 10 * MINUTE_MS), world.nodes[0].peer);
    let asked = Send { ask, peers: vec![alice], origin: Some("claude:a".into()), ..message(room, "port?") };
    let id = send(&mut world, 1, asked).id;
    world.settle();
    send(&mut world, 0, Send { label: None, about: Some(id), ..message(room, "#answer# 5432") });
    world.settle();
    let mut give = |session: &str, heir_of: Vec<String>| {
        let rooms = vec![TakeRoom { room, bound_at: 0 }];
        let take = Take { session: session.into(), rooms, moment: Moment::Start, heir_of, ..Take::default() };
        let Some(Ok(Outcome::Taken(taken))) = world.ask(1, Command::Take(take)) else { panic!() };
        if let Some(token) = taken.token {
            assert!(matches!(world.ask(1, Command::Commit { token }), Some(Ok(Outcome::Done))));
        }
        taken.text.contains("#answer#")
    };
    assert!(give("claude:a", Vec::new()));
    assert!(!give("claude:b", vec!["claude:a".into()]));
}

#[test]
fn what_is_held_out_to_a_session_is_being_given_until_it_is_written_or_the_hook_is_gone() {
    let (mut world, room, session) = two(96);
    now(&mut world, 0, room, "#1# now");
    world.settle();
    let given = |world: &World| world.nodes[1].engine.as_ref().unwrap().is_being_given(&session.key);
    assert!(!given(&world));
    let take = |world: &mut World| {
        let rooms = vec![TakeRoom { room, bound_at: 0 }];
        let take = Take { session: session.key.clone(), rooms, holder: 7, ..Take::default() };
        let Some(Ok(Outcome::Taken(taken))) = world.ask(1, Command::Take(take)) else { panic!() };
        taken.token.unwrap()
    };
    take(&mut world);
    assert!(given(&world));
    world.ask(1, Command::Release { holder: 7 });
    assert!(!given(&world));
    let token = take(&mut world);
    assert!(given(&world) && matches!(world.ask(1, Command::Commit { token }), Some(Ok(Outcome::Done))));
    assert!(!given(&world) && urgent(&world, &session).is_empty());
}
