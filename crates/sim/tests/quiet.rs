//! What a session is not disturbed by: chains of agents, one who does not stop, what is for others, floods, what costs too much.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::engine::api::{
    Author, Command, Form, Level, Listener, Moment, Outcome, Priority, Send, Take, TakeRoom, Taken,
};
use parlor_sim::World;
use parlor_wire::control::Role;
use parlor_wire::{RoomId, limits};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const KEYS: [&str; 2] = ["claude:a", "claude:b"];

/// Alice and Bob in a room, each with a session that was told what was before.
fn two(seed: u64) -> (World, RoomId) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.add_node("alice"), world.add_node("bob"));
    let room = world.start_room_with(alice, &[bob]).room;
    for node in [alice, bob] {
        give(&mut world, &take(node, room, Moment::Start));
    }
    (world, room)
}

fn take(node: usize, room: RoomId, moment: Moment) -> (usize, Take) {
    let rooms = vec![TakeRoom { room, bound_at: 0 }];
    let label = Some(format!("claude/api~{node}"));
    (node, Take { holder: 7, session: KEYS[node].into(), label, rooms, moment, ..Take::default() })
}

/// A whole hook: what it gives, written out.
fn give(world: &mut World, (node, take): &(usize, Take)) -> Taken {
    let Some(Ok(Outcome::Taken(taken))) = world.ask(*node, Command::Take(take.clone())) else {
        panic!("the node died");
    };
    if let Some(token) = taken.token {
        assert!(matches!(world.ask(*node, Command::Commit { token }), Some(Ok(_))));
    }
    taken
}

fn message(room: RoomId, text: &str) -> Send {
    Send {
        room,
        text: text.into(),
        request_id: format!("request of {text}"),
        priority: Priority::Normal,
        author: Author::Human,
        origin: None,
        label: None,
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

fn say(world: &mut World, node: usize, send: Send) {
    assert!(matches!(world.ask(node, Command::Send(send)), Some(Ok(Outcome::Sent(_)))));
    world.pass(200);
}

/// What an agent says, at once and urgently.
fn reply(node: usize, room: RoomId, text: &str) -> Send {
    Send {
        author: Author::Agent,
        priority: Priority::Now,
        origin: Some(KEYS[node].into()),
        label: Some("api".into()),
        ..message(room, text)
    }
}

#[test]
fn wound_35_two_agents_that_answer_everything_stop_by_themselves() {
    for moment in [Moment::Tools, Moment::Stop, Moment::Wake] {
        let (mut world, room) = two(35);
        say(&mut world, 0, Send { priority: Priority::Now, ..message(room, "#0# begin") });
        let mut said = 0;
        let mut quiet = 0;
        while quiet < 4 {
            quiet += 1;
            for node in [1, 0] {
                let taken = give(&mut world, &take(node, room, moment));
                if taken.messages > 0 {
                    quiet = 0;
                    said += 1;
                    assert!(said <= u32::from(limits::MAX_HOPS), "{moment:?}: they do not stop");
                    say(&mut world, node, reply(node, room, &format!("#{said}# and you?")));
                }
            }
        }
        assert_eq!(said, u32::from(limits::MAX_HOPS), "{moment:?}: each is heard until the limit");
        // What was too far waits for a human, and is not lost.
        let waits = if said % 2 == 1 { 0 } else { 1 };
        let prompted = (waits, Take { by_human: true, ..take(waits, room, Moment::Prompt).1 });
        let given = give(&mut world, &prompted);
        assert!(given.text.contains(&format!("#{said}#")), "{moment:?}: {}", given.text);
        // A human has spoken: the next word of this agent disturbs again.
        say(&mut world, waits, reply(waits, room, "#99# for my human"));
        assert_eq!(give(&mut world, &take(1 - waits, room, moment)).messages, 1, "{moment:?}");
    }
}

#[test]
fn one_session_disturbs_another_twenty_times_an_hour_and_the_rest_waits_for_a_prompt() {
    let (mut world, room) = two(36);
    for n in 0..limits::MAX_DISTURBANCES + 10 {
        say(&mut world, 0, Send { priority: Priority::Now, ..message(room, &format!("#{n}# look")) });
    }
    let mut given = 0;
    for _ in 0..5 {
        given += give(&mut world, &take(1, room, Moment::Tools)).messages;
    }
    assert_eq!(given, limits::MAX_DISTURBANCES as u64);
    let rest = give(&mut world, &take(1, room, Moment::Prompt));
    assert_eq!(rest.messages, 10, "at the prompt, as usual: {}", rest.text);
    world.pass(61 * 60 * 1000);
    say(&mut world, 0, Send { priority: Priority::Now, ..message(room, "#100# an hour later") });
    assert_eq!(give(&mut world, &take(1, room, Moment::Tools)).messages, 1);
}

/// What is said, whether it is addressed to Bob's session with the tag `backend`, and whether it is for others.
fn all_kinds(world: &World, room: RoomId) -> Vec<(Send, &'static str)> {
    let (alice, bob) = (world.nodes[0].peer, world.nodes[1].peer);
    let deadline = Some(world.wall_ms(0) + 60_000);
    let of = |text: &str| message(room, text);
    vec![
        (of("#1# plain"), "all"),
        (of("#2# @bob look"), "mention"),
        (of("#3# for @backend people"), "mention"),
        (of("#4# @bob/api"), "mention"),
        (of("#5# @bobby and x@bob"), "all"),
        (Send { tags: vec!["backend".into()], ..of("#6# tagged") }, "mention"),
        (Send { tags: vec!["frontend".into()], ..of("#7# @bob tagged for others") }, "others"),
        (Send { peers: vec![bob], ..of("#8# to bob") }, "mention"),
        (Send { peers: vec![alice], ..of("#9# to alice") }, "others"),
        (Send { ask: deadline, ..of("#10# who knows?") }, "all"),
        (Send { ask: deadline, peers: vec![bob], ..of("#11# bob?") }, "ask"),
        (Send { ask: deadline, tags: vec!["backend".into()], ..of("#12# backend?") }, "ask"),
        (Send { ask: deadline, ..of("#13# @bob, is it so?") }, "ask"),
        (Send { form: Some(Form::Ack), ..of("#14# @bob got it") }, "others"),
        (Send { form: Some(Form::Progress), priority: Priority::Now, ..of("#15# half way") }, "others"),
        (Send { priority: Priority::Low, ..of("#16# @bob low") }, "others"),
    ]
}

#[test]
fn what_is_below_the_level_or_for_others_is_counted_and_the_rest_is_given() {
    let hears: [(Level, &[&str]); 4] = [
        (Level::All, &["all", "mention", "ask"]),
        (Level::Mentions, &["mention", "ask"]),
        (Level::Asks, &["ask"]),
        (Level::None, &[]),
    ];
    for (level, kinds) in hears {
        let (mut world, room) = two(37);
        let all = all_kinds(&world, room);
        for (send, _) in &all {
            say(&mut world, 0, send.clone());
        }
        let (node, usual) = take(1, room, Moment::Prompt);
        let at = (node, Take { levels: vec![(room, level)], tags: vec!["backend".into()], ..usual });
        let given = give(&mut world, &at);
        for (send, kind) in &all {
            let mark = send.text.split(' ').next().unwrap();
            assert_eq!(
                given.text.contains(mark),
                kinds.contains(kind),
                "{level:?} {}: {}",
                send.text,
                given.text
            );
        }
        let low = all.iter().filter(|(_, kind)| !kinds.contains(kind)).count();
        let counted = given.text.is_empty() || given.text.contains(&format!("{low} low: parlor log"));
        assert!(counted, "{level:?}: {}", given.text);
        assert_eq!(given.text.is_empty(), kinds.is_empty());
        // All of it was passed over, and all of it is in the log.
        assert_eq!(give(&mut world, &at).text, "");
        let listed = world.ask(1, Command::Log { room, since_ms: 0, limit: 100 });
        assert!(matches!(listed, Some(Ok(Outcome::Listed(ids))) if ids.len() == all.len()));
    }
}

#[test]
fn between_tools_nothing_is_given_that_is_below_the_level_or_of_whom_one_does_not_hear() {
    let (mut world, room) = two(38);
    let alice = world.nodes[0].peer;
    say(&mut world, 0, Send { priority: Priority::Now, ..message(room, "#1# now") });
    let (node, usual) = take(1, room, Moment::Tools);
    for quiet in [
        Take { levels: vec![(room, Level::None)], ..usual.clone() },
        Take { levels: vec![(room, Level::Asks)], ..usual.clone() },
        Take { deny: vec![(room, alice)], ..usual.clone() },
        Take { budgets: vec![(room, 0)], ..usual.clone() },
    ] {
        assert_eq!(give(&mut world, &(node, quiet)).text, "");
    }
    assert_eq!(give(&mut world, &(node, usual)).messages, 1, "and it was not passed over");
}

#[test]
fn a_room_whose_budget_is_spent_wakes_nobody_but_for_a_question_until_the_reserve_is() {
    let (mut world, room) = two(46);
    say(&mut world, 0, Send { priority: Priority::Now, ..message(room, "#1# now") });
    let (ask, bob) = (Some(world.wall_ms(0) + 600_000), world.nodes[1].peer);
    say(&mut world, 0, Send { ask, peers: vec![bob], ..message(room, "#2# which port?") });
    let (node, usual) = take(1, room, Moment::Prompt);
    let urgent = |world: &World, chars: u64| {
        let to =
            Listener { session: "claude:other".into(), budgets: vec![(room, chars)], ..Listener::default() };
        let rooms = [TakeRoom { room, bound_at: 0 }];
        let urgent = world.nodes[1].engine.as_ref().unwrap().urgent(&rooms, &to);
        urgent.into_iter().map(|view| view.asks).collect::<Vec<_>>()
    };
    assert_eq!(urgent(&world, 100_000), [false, true]);
    give(&mut world, &(node, usual));
    let spent = world.nodes[1].engine.as_ref().unwrap().spent()[0].today;
    assert_eq!(urgent(&world, spent), [true], "a question to the session");
    assert_eq!(urgent(&world, spent / 2), [false; 0], "the reserve is used up as well");
    assert_eq!(urgent(&world, 0), [false; 0]);
}

#[test]
fn of_a_flood_what_concerns_the_session_is_given_and_the_rest_counted_and_still_unread() {
    let (mut world, room) = two(39);
    for n in 0..300 {
        let text = if n % 100 == 50 { format!("#{n}# @bob look") } else { format!("#{n}# word") };
        say(&mut world, 0, message(room, &text));
    }
    let (node, usual) = take(1, room, Moment::Prompt);
    let at = (node, Take { digest: true, ..usual.clone() });
    let given = give(&mut world, &at);
    assert_eq!((given.messages, given.more), (3, 297), "{}", given.text);
    assert!(["#50#", "#150#", "#250#"].iter().all(|mark| given.text.contains(mark)), "{}", given.text);
    assert!(given.text.contains("and only counted: 297 (297 of @alice)"), "{}", given.text);
    assert!(given.text.contains("297 more: parlor log, or the tool check_messages"), "{}", given.text);
    let again = give(&mut world, &at);
    assert!(again.messages == 0 && again.text.contains("and only counted: 297"), "not twice: {}", again.text);
    // Who asks is given all of it, once.
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let taken = give(&mut world, &(node, Take { moment: Moment::Check, ..usual.clone() }));
        if taken.messages == 0 {
            break;
        }
        for mark in parlor_sim::session::marks_in(&taken.text) {
            assert!(seen.insert(mark.clone()), "{mark} twice");
        }
    }
    assert_eq!(seen.len(), 297);
    say(&mut world, 0, message(room, "#500# after it"));
    assert!(give(&mut world, &at).text.contains("#500#"));
}

#[test]
fn a_room_that_has_cost_enough_today_is_counted_and_given_tomorrow() {
    let (mut world, room) = two(40);
    let (node, usual) = take(1, room, Moment::Prompt);
    let at = (node, Take { budgets: vec![(room, 100)], ..usual.clone() });
    say(&mut world, 0, message(room, &format!("#1# {}", "x".repeat(150))));
    assert!(give(&mut world, &at).text.contains("#1#"), "it is only known by then what it costs");
    say(&mut world, 0, message(room, "#2# one more"));
    let counted = give(&mut world, &at);
    assert_eq!(counted.text, "1 more: parlor log, or the tool check_messages\n");
    assert_eq!(counted.token, None, "no cursor moves");
    let spent = world.nodes[1].engine.as_ref().unwrap().spent();
    assert!(spent.len() == 1 && spent[0].today > 150 && spent[0].session == KEYS[1], "{spent:?}");
    // What was given is known to the next run of the node.
    world.kill(1);
    world.pass(10_000);
    assert_eq!(give(&mut world, &at).messages, 0);
    let asked = give(&mut world, &(node, Take { moment: Moment::Check, ..at.1.clone() }));
    assert!(asked.text.contains("#2#"), "who asks by itself is given it");
    say(&mut world, 0, message(room, "#3# and another"));
    assert_eq!(give(&mut world, &at).messages, 0);
    world.pass(DAY_MS);
    assert!(give(&mut world, &at).text.contains("#3#"));
}

/// Mallory, who is in the room as well.
fn mallory_joins(world: &mut World, room: RoomId) -> usize {
    joins(world, room, "mallory")
}

fn joins(world: &mut World, room: RoomId, nick: &str) -> usize {
    let mallory = world.add_node(nick);
    let ticket = world.ticket(0, room, Role::Member, false).text;
    world.join(mallory, &ticket, 30_000).unwrap().unwrap();
    world.pass(2_000);
    mallory
}

/// Alice asks Bob.
fn ask_bob(world: &mut World, room: RoomId, text: &str) {
    let (ask, bob) = (Some(world.wall_ms(0) + DAY_MS), world.nodes[1].peer);
    say(world, 0, Send { ask, peers: vec![bob], ..message(room, text) });
    world.pass(2_000);
}

#[test]
fn who_names_a_member_without_end_leaves_space_for_what_others_ask_it() {
    let (mut world, room) = two(45);
    let mallory = mallory_joins(&mut world, room);
    for n in 0..340 {
        let text = if n < 70 { format!("words {n}") } else { format!("@bob {n}") };
        assert!(world.ask(mallory, Command::Send(message(room, &text))).is_some());
        world.pass(20);
    }
    world.pass(5_000);
    for _ in 0..40 {
        let (node, prompt) = take(1, room, Moment::Prompt);
        give(&mut world, &(node, Take { digest: true, ..prompt }));
    }
    ask_bob(&mut world, room, "which port?");
    let given = give(&mut world, &take(1, room, Moment::Tools));
    assert!(given.text.contains("which port?"), "{}", given.text);
}

#[test]
fn a_question_to_a_session_is_heard_in_a_room_whose_budget_is_spent_until_the_reserve_is() {
    for moment in [Moment::Tools, Moment::Stop, Moment::Wake, Moment::Prompt] {
        let (mut world, room) = two(46);
        let mallory = mallory_joins(&mut world, room);
        let spent_at = |chars, (node, take): (usize, Take)| {
            (node, Take { budgets: vec![(room, chars)], by_human: moment == Moment::Prompt, ..take })
        };
        let at = |moment| spent_at(3_000, take(1, room, moment));
        say(&mut world, mallory, message(room, &"lorem ipsum ".repeat(250)));
        assert_eq!(give(&mut world, &at(Moment::Prompt)).messages, 1);
        say(&mut world, mallory, message(room, "more words"));
        say(&mut world, mallory, Send { priority: Priority::Now, ..message(room, "more at once") });
        ask_bob(&mut world, room, "which port?");
        let given = give(&mut world, &at(moment));
        assert!(given.text.contains("which port?"), "{moment:?}: {}", given.text);
        assert!(given.messages == 1 && !given.text.contains("more words"), "{moment:?}: {}", given.text);
        assert!(moment != Moment::Prompt || given.text.contains("2 more"), "{}", given.text);
        let again = give(&mut world, &at(moment));
        assert!(!again.text.contains("which port?"), "once: {}", again.text);
        for n in 0..5 {
            ask_bob(&mut world, room, &format!("#{n}# {}", "and what is that? ".repeat(10)));
            give(&mut world, &at(moment));
        }
        let spent: u64 = world.nodes[1].engine.as_ref().unwrap().spent().iter().map(|one| one.today).sum();
        assert!(spent < 3_700, "{moment:?}: the reserve has an end: {spent}");
        ask_bob(&mut world, room, "and the host?");
        assert_eq!(give(&mut world, &at(moment)).messages, 0, "{moment:?}");
    }
}

#[test]
fn what_is_urgent_and_below_the_level_keeps_no_question_away() {
    for level in [Level::Asks, Level::Mentions] {
        let (mut world, room) = two(47);
        let crowd: Vec<usize> = (0..4).map(|n| joins(&mut world, room, &format!("mallory{n}"))).collect();
        for n in 0..80 {
            let urgent = Send { priority: Priority::Now, ..message(room, &format!("now {n}")) };
            assert!(world.ask(crowd[n / 20], Command::Send(urgent)).is_some());
        }
        world.pass(5_000);
        ask_bob(&mut world, room, "which port?");
        let (node, tools) = take(1, room, Moment::Tools);
        let given = give(&mut world, &(node, Take { levels: vec![(room, level)], ..tools }));
        assert!(given.text.contains("which port?"), "{level:?}: {}", given.text);
    }
}

#[test]
fn whoever_changes_its_label_disturbs_no_more_often() {
    let (mut world, room) = two(48);
    for n in 0..90 {
        let label = Some(format!("l{n}"));
        let urgent = Send { priority: Priority::Now, label, ..message(room, &format!("now {n}")) };
        assert!(world.ask(0, Command::Send(urgent)).is_some());
    }
    world.pass(5_000);
    let given: u64 = (0..6).map(|_| give(&mut world, &take(1, room, Moment::Tools)).messages).sum();
    assert_eq!(given, limits::MAX_DISTURBANCES_OF_PEER as u64);
}
