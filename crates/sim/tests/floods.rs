//! Scenario 9: a member floods a room with branches, stamps, heads, control entries, keys for strangers and words.
//! Honest latency and memory stay bounded, and a chain is paused and never has a hole. Branches, stamps and heads one
//! by one are in `lying`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{ALICE, BOB, ROGUE, Stage};
use parlor_core::crypto::{self, SealContext};
use parlor_core::engine::api::{Command, Failure};
use parlor_core::engine::pause::Patience;
use parlor_core::identity::Identity;
use parlor_sim::act::three;
use parlor_sim::{Session, World};
use parlor_wire::control::{
    ControlBody, ControlHeader, Direct, Grant, Join, Note, Rekey, Role, Seal, direct_room,
};
use parlor_wire::frame::{ChainTips, ControlBatch, DataHeads, Frame, Refusal, Tip};
use parlor_wire::{
    Control, EntryId, PublicSealingKey, RULES, RecipientId, SUITE, WIRE_VERSION, domain, limits,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

fn notes(count: usize) -> impl Iterator<Item = ControlBody> {
    (0..count).map(|_| ControlBody::Note(Note {}))
}

/// How many control entries of Rogue a node has on disk.
fn of_rogue(stage: &mut Stage, node: usize) -> usize {
    let peer = stage.world.nodes[ROGUE].peer;
    let held = stage.world.held(node, stage.room).unwrap();
    held.dag.iter().filter(|control| control.header.author == peer).count()
}

fn ids(stage: &mut Stage, node: usize) -> Vec<EntryId> {
    let mut ids: Vec<EntryId> =
        stage.world.held(node, stage.room).unwrap().dag.iter().map(|control| control.id).collect();
    ids.sort_unstable();
    ids
}

/// All of it at once: branches, stamps of 2099, heads that do not exist, keys for outsiders, control entries and words
/// without end. The others hear each other at once, and hold a bounded amount.
#[test]
fn a_flood_of_everything_at_once_leaves_the_others_prompt_and_bounded() {
    let mut stage = Stage::new(900);
    for node in [ALICE, BOB] {
        let engine = stage.world.nodes[node].engine.as_mut().unwrap();
        engine.set_patience(Patience { entries: 500, bytes: 1 << 24 });
    }
    let year_2099 = 4_070_908_800_000;
    let mut links = [ALICE, BOB].map(|node| stage.open(node));
    for round in 0..40 {
        for (at, node) in [ALICE, BOB].into_iter().enumerate() {
            if !stage.world.puppet_is_linked(ROGUE, links[at]) {
                links[at] = stage.open(node);
            }
        }
        let link = links[round % 2];
        let made_up = |n: usize| EntryId(parlor_wire::data::body_hash(&[round as u8, n as u8]).0);
        let branch = stage.entries(stage.last, 20, year_2099, &format!("branch {round}"));
        stage.push(link, &branch);
        let mut flood = vec![grant_to_outsider(&mut stage, round)];
        flood.extend(notes(20));
        let flood = stage.control(flood);
        stage.give(link, &flood);
        let heads = Frame::ControlHeads((0..200).map(made_up).collect());
        stage.world.puppet_says(ROGUE, link, &heads);
        let tips = (0..8).map(|n| Tip { seq: 1 << 40, id: made_up(n) }).collect();
        let chains = vec![ChainTips { chain: stage.chain, tips }];
        let heads = Frame::DataHeads(DataHeads { chains, complete: true });
        stage.world.puppet_says(ROGUE, link, &heads);
        let speaker = if round % 3 == 0 { ALICE } else { BOB };
        stage.world.say_surely(speaker, stage.room, &format!("#{round}# honest"));
        stage.world.pass(1_000);
        let given = stage.session.drain(&mut stage.world);
        assert!(given.contains(&round.to_string()), "round {round}: {given:?}");
        for node in [ALICE, BOB] {
            let sizes = stage.sizes(node);
            let bounded = sizes.control < 400
                && sizes.missing <= limits::MAX_WAITING_CONTROL
                && sizes.spoken <= limits::MAX_CONTROL_IDS
                && sizes.wants <= limits::MAX_OUTSTANDING_WANTS
                && sizes.pushed <= limits::MAX_UNACKED_PUSHES
                && sizes.loads < 50
                && sizes.links < 8;
            assert!(bounded, "round {round}: {sizes:?}");
        }
    }
    stage.world.pass(120_000);
    for node in [ALICE, BOB] {
        let texts = stage.world.texts(node, stage.room);
        assert_eq!(texts.iter().filter(|text| text.contains("honest")).count(), 40, "node {node}");
        let held = stage.world.held(node, stage.room).unwrap();
        let of_rogue = held.rows.iter().filter(|row| row.chain == stage.chain).count();
        assert!(of_rogue < 8 * 20 + 5, "{of_rogue} of eight branches");
    }
    assert_eq!(ids(&mut stage, ALICE), ids(&mut stage, BOB));
}

fn grant_to_outsider(stage: &mut Stage, round: usize) -> ControlBody {
    let (key, _) = stage.world.held(ALICE, stage.room).unwrap().snapshot.keys.last().cloned().unwrap();
    let to = RecipientId([round as u8; 32]);
    let seal = Seal { to, enc: PublicSealingKey([9; 32]), sealed: vec![0; 48].into() };
    ControlBody::Grant(Grant { key, seals: vec![seal] })
}

#[test]
fn control_entries_beyond_256_of_one_member_are_not_taken_from_it_and_stop_nobody() {
    let mut stage = Stage::new(901);
    let flood = stage.control(notes(1_000));
    for node in [ALICE, BOB] {
        let link = stage.open(node);
        stage.give(link, &flood);
        assert!(stage.lost(link), "who gives hundreds too many loses the link");
    }
    for node in [ALICE, BOB] {
        assert_eq!(of_rogue(&mut stage, node), limits::MAX_CONTROL_PER_MEMBER);
        assert!(stage.sizes(node).control < 300, "{:?}", stage.sizes(node));
        let said = stage.warnings(node);
        assert!(said.iter().any(|text| text.contains("more control entries than a member may")), "{said:?}");
        assert!(!said.iter().any(|text| text.contains("have not reached")), "{said:?}");
    }
    // Who goes on speaking of them makes nobody think that something is missing.
    let link = stage.open(ALICE);
    stage.give(link, &flood[300..350]);
    stage.world.puppet_says(ROGUE, link, &Frame::ControlHeads(vec![flood[349].id]));
    stage.world.pass(12_000);
    assert!(stage.world.puppet_is_linked(ROGUE, link));
    let sent = stage.world.say_surely(ALICE, stage.room, "#0# under the newest roster");
    assert!(sent.warnings.is_empty(), "{:?}", sent.warnings);
    let said = stage.warnings(ALICE);
    assert!(!said.iter().any(|text| text.contains("have not reached")), "{said:?}");
    stage.session.drain(&mut stage.world);
    stage.others_are_well(1);
    assert_eq!(ids(&mut stage, ALICE), ids(&mut stage, BOB));
}

/// In a direct room nobody rules, and either of the two writes so many.
#[test]
fn a_direct_room_takes_1024_control_entries_of_the_other_and_no_more() {
    let mut stage = Stage::new(903);
    let (alice, rogue) = (stage.world.nodes[ALICE].peer, stage.world.nodes[ROGUE].peer);
    let card = stage.world.identity(ROGUE).card(0, 0);
    let body = ControlBody::Direct(Direct { other: alice, card, known: Vec::new() });
    let room = direct_room(&alice, &rogue).unwrap();
    let opening = stage.world.puppet_control(ROGUE, (room, None), &[], body, None);
    (stage.room, stage.membership) = (room, opening.id);
    let flood = stage.control_after(vec![opening.id], notes(1_500));
    let link = stage.world.puppet_opens(ROGUE, ALICE, room, None);
    stage.give(link, &[opening]);
    stage.give(link, &flood);
    assert!(stage.lost(link));
    assert_eq!(of_rogue(&mut stage, ALICE), limits::MAX_CONTROL_IN_DIRECT);
}

/// Out of order, so that the first of them only wait.
#[test]
fn control_entries_that_wait_count_too() {
    let mut stage = Stage::new(902);
    let mut flood = stage.control(notes(600));
    flood.reverse();
    let link = stage.open(ALICE);
    stage.give(link, &flood);
    assert!(stage.lost(link));
    let link = stage.open(ALICE);
    flood.reverse();
    stage.give(link, &flood[..250]);
    assert!(of_rogue(&mut stage, ALICE) <= limits::MAX_CONTROL_PER_MEMBER);
    assert!(stage.sizes(ALICE).missing <= limits::MAX_WAITING_CONTROL, "{:?}", stage.sizes(ALICE));
    stage.others_are_well(0);
}

/// Each side of a partition has taken as many as it may; together they are more, and both have built on theirs.
#[test]
fn what_two_sides_took_within_the_limit_both_hold_in_the_end() {
    let mut stage = Stage::new(903);
    stage.world.cut(ALICE, BOB);
    let heads: Vec<EntryId> =
        stage.world.held(ALICE, stage.room).unwrap().dag.heads().iter().copied().collect();
    for node in [ALICE, BOB] {
        let entries = stage.control_after(heads.clone(), notes(200));
        let link = stage.open(node);
        stage.give(link, &entries);
        stage.world.rule(node, Command::Rekey { room: stage.room });
        stage.world.say_surely(node, stage.room, &format!("#{node}7# under a key of {node}"));
    }
    stage.world.mend(ALICE, BOB);
    stage.world.pass(60_000);
    assert_eq!(of_rogue(&mut stage, ALICE), 401, "her join, and both sides' two hundred");
    assert_eq!(ids(&mut stage, ALICE), ids(&mut stage, BOB));
    let (alice, bob) =
        (stage.world.held(ALICE, stage.room).unwrap(), stage.world.held(BOB, stage.room).unwrap());
    assert_eq!(alice.roster, bob.roster);
    stage.others_are_well(2);
    // From herself neither takes one more.
    let more = stage.control(notes(3));
    let link = stage.open(BOB);
    stage.give(link, &more);
    assert_eq!(of_rogue(&mut stage, BOB), 401);
}

/// Who was made an owner meanwhile is not bound, and its own word is enough to show it.
#[test]
fn what_a_new_owner_wrote_is_taken_from_it_however_much_it_is() {
    let mut world = World::new(915);
    let [a, b, c] = ["alice", "bob", "carol"].map(|nick| world.add_node(nick));
    let invited = world.start_room(a, "room");
    let room = invited.room;
    for node in [b, c] {
        world.join(node, &invited.text, 20_000).unwrap().unwrap();
    }
    for _ in 0..250 {
        world.rule(b, Command::Rekey { room });
    }
    world.settle();
    world.cut(a, c);
    world.cut(b, c);
    let peer = world.nodes[b].peer;
    world.rule(a, Command::SetRole { room, peer, role: Role::Owner });
    world.pass(10_000);
    for _ in 0..60 {
        world.rule(b, Command::Rekey { room });
    }
    world.put_to_sleep(a);
    world.mend(b, c);
    world.pass(60_000);
    let of = |world: &mut World, node| world.held(node, room).unwrap().dag.len();
    assert_eq!(of(&mut world, c), of(&mut world, b));
    let view = world.nodes[c].engine.as_ref().unwrap().room(&room).unwrap();
    assert!(view.warnings.is_empty(), "{:?}", view.warnings);
}

/// An honest node stops one short of the limit, goes on talking, and can still leave.
#[test]
fn who_has_written_all_its_control_entries_talks_on_and_may_leave() {
    let mut world = World::new(904);
    let [a, b] = ["alice", "bob"].map(|nick| world.add_node(nick));
    let invited = world.start_room_with(a, &[b]);
    let room = invited.room;
    let mut written = 0;
    let ended = loop {
        match world.ask(b, Command::Rekey { room }) {
            Some(Ok(_)) => written += 1,
            other => break other,
        }
        assert!(written < limits::MAX_CONTROL_PER_MEMBER);
    };
    assert!(matches!(ended, Some(Err(Failure::Limit(_)))), "{ended:?}");
    // An owner is not bound, and the other's words open everywhere. No ticket is left that would be closed later.
    world.close_ticket(a, room, invited.id).unwrap().unwrap();
    world.settle();
    world.say_surely(b, room, "still here");
    world.settle();
    // A key that is worn is better than silence.
    world.pass(limits::MAX_KEY_AGE_MS + 1);
    world.say_surely(b, room, "under a worn key");
    world.settle();
    assert_eq!(world.texts(a, room), ["still here", "under a worn key"]);
    let view = world.nodes[b].engine.as_ref().unwrap().room(&room).unwrap();
    assert!(view.warnings.iter().any(|text| text.contains("256 control entries")), "{:?}", view.warnings);
    world.check_room(room);
    world.rule(b, Command::Leave { room, abandon: false });
    world.settle();
    let held = world.held(a, room).unwrap();
    assert!(!held.roster.reads(&world.nodes[b].peer), "the leave was written and taken");
    let peer = world.nodes[b].peer;
    let of_bob = held.dag.iter().filter(|control| control.header.author == peer).count();
    assert_eq!(of_bob, limits::MAX_CONTROL_PER_MEMBER);
}

/// Somebody's join by the room's ticket, after these.
fn join_of(stage: &Stage, identity: &Identity, ticket: EntryId, after: Vec<EntryId>) -> Control {
    let body = ControlBody::Join(Join { ticket, card: identity.card(0, 1) });
    let header = ControlHeader {
        v: WIRE_VERSION,
        rules: RULES,
        suite: SUITE,
        room: Some(stage.room),
        author: identity.peer(),
        membership: None,
        kind: body.kind(),
        after,
        time: 1,
        body: body.bytes().into(),
    };
    let signature = identity.sign(domain::CONTROL_SIGNATURE, &header.bytes());
    let cosigned = stage.ticket.sign(domain::JOIN_SIGNATURE, &header.bytes());
    Control::new(header, body, signature, Some(cosigned))
}

/// A room that 512 are in, most of them by joins that Rogue passes on, and the ticket that all came by.
fn full_room(seed: u64) -> (Stage, EntryId, Vec<EntryId>) {
    let mut stage = Stage::new(seed);
    let held = stage.world.held(ALICE, stage.room).unwrap();
    let ticket = *held.roster.tickets.keys().next().unwrap();
    let mut after: Vec<EntryId> = held.dag.heads().iter().copied().collect();
    let link = stage.open(ALICE);
    let mut joins = Vec::new();
    for n in held.roster.members.len()..limits::MAX_MEMBERS {
        let mut secret = [1; 32];
        secret[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let join = join_of(&stage, &Identity::new(&secret, Zeroizing::new(secret)), ticket, after);
        after = vec![join.id];
        joins.push(join);
    }
    stage.give(link, &joins);
    stage.world.pass(1_000);
    let members = stage.world.held(ALICE, stage.room).unwrap().roster.members.len();
    assert_eq!(members, limits::MAX_MEMBERS);
    (stage, ticket, after)
}

#[test]
fn nobody_joins_a_room_of_512_and_whoever_tries_is_told() {
    let (mut stage, ticket, after) = full_room(905);
    // One who does not look first is refused by whoever takes the join.
    let eager = stage.world.add_node("eager");
    stage.world.make_puppet(eager);
    let room = stage.room;
    let link = stage.world.puppet_opens(eager, ALICE, room, Some(&stage.ticket));
    let join = join_of(&stage, &stage.world.identity(eager), ticket, after.clone());
    let batch = ControlBatch { entries: vec![join.encode().into()], more: false };
    stage.world.puppet_says(eager, link, &Frame::ControlBatch(batch));
    let heard = stage.world.puppet_hears(eager, link);
    assert!(heard.contains(&Frame::Refuse(Refusal::Full)), "{heard:?}");
    // One who asks for the room first sees it, and is told.
    let fourth = stage.world.add_node("fourth");
    let text = stage.ticket_text.clone();
    let refused = stage.world.join(fourth, &text, 20_000);
    assert!(matches!(refused, Some(Err(Failure::Refused(Refusal::Full)))), "{refused:?}");
    let held = stage.world.held(ALICE, room).unwrap();
    assert_eq!(held.roster.members.len(), limits::MAX_MEMBERS);
    assert!(!held.roster.reads(&stage.world.nodes[fourth].peer));
}

#[test]
fn no_owner_lets_anybody_into_a_room_of_512() {
    let (mut stage, ..) = full_room(906);
    let room = stage.room;
    let asks = stage.world.ticket(ALICE, room, Role::Member, true);
    let fourth = stage.world.add_node("fourth");
    stage.world.join(fourth, &asks.text, 20_000).unwrap().unwrap();
    stage.world.pass(5_000);
    let peer = stage.world.nodes[fourth].peer;
    let refused = stage.world.ask(ALICE, Command::Approve { room, peer });
    assert!(matches!(refused, Some(Err(Failure::Limit(_)))), "{refused:?}");
    let bob = stage.world.nodes[BOB].peer;
    stage.world.rule(ALICE, Command::Remove { room, peer: bob, keep: vec![asks.id] });
    stage.world.rule(ALICE, Command::Approve { room, peer });
    assert!(stage.world.held(ALICE, room).unwrap().roster.reads(&peer));
}

#[test]
fn a_room_has_64_open_tickets_and_no_more() {
    let mut world = World::new(907);
    let a = world.add_node("alice");
    let first = world.start_room(a, "room");
    for _ in 1..limits::MAX_OPEN_TICKETS {
        world.ticket(a, first.room, Role::Member, false);
    }
    let expires = Some(world.wall_ms(a) + 1_000_000);
    let refused = world.invite(a, first.room, expires);
    assert!(matches!(refused, Some(Err(Failure::Limit(_)))), "{refused:?}");
    world.close_ticket(a, first.room, first.id).unwrap().unwrap();
    world.ticket(a, first.room, Role::Member, false);
}

#[test]
fn a_ticket_is_closed_once_and_the_room_gets_one_key_for_it() {
    let mut world = World::new(908);
    let a = world.add_node("alice");
    let first = world.start_room(a, "room");
    world.close_ticket(a, first.room, first.id).unwrap().unwrap();
    let before = world.held(a, first.room).unwrap().dag.len();
    let again = world.close_ticket(a, first.room, first.id);
    assert!(matches!(again, Some(Err(Failure::TicketClosed))), "{again:?}");
    assert_eq!(world.held(a, first.room).unwrap().dag.len(), before);
}

/// K5: a member gives the room's keys to outsiders, over and over. The others say at once what they have to say, write
/// few keys, and are told.
#[test]
fn grants_to_outsiders_make_others_change_keys_a_few_times_and_no_more() {
    let mut stage = Stage::new(909);
    let link = stage.open(ALICE);
    let before = stage.world.held(ALICE, stage.room).unwrap().dag.len();
    const ROUNDS: usize = 60;
    for round in 0..ROUNDS {
        let gift = grant_to_outsider(&mut stage, round);
        let grant = stage.control([gift]);
        stage.give(link, &grant);
        let asked = stage.world.now_ms;
        stage.world.say_surely(if round % 2 == 0 { ALICE } else { BOB }, stage.room, &format!("#{round}#"));
        stage.world.pass(50);
        assert!(stage.session.drain(&mut stage.world).contains(&round.to_string()), "{round}");
        assert!(stage.world.now_ms - asked < 1_000, "{round}");
    }
    let held = stage.world.held(ALICE, stage.room).unwrap();
    let written = held.dag.len() - before - ROUNDS;
    let most = 2 * limits::MAX_LEAKS_PER_HOUR + 2;
    assert!((1..=most).contains(&written), "{written} entries for {ROUNDS} gifts");
    for node in [ALICE, BOB] {
        let said = stage.warnings(node);
        assert!(said.iter().any(|text| text.contains("to strangers again and again")), "{said:?}");
    }
    // Put out, she knows no key that is sealed under.
    stage.world.remove(ALICE, stage.room, ROGUE);
    stage.world.say_surely(ALICE, stage.room, "without her");
    let held = stage.world.held(ALICE, stage.room).unwrap();
    let row = held.rows.iter().max_by_key(|row| row.arrival).unwrap();
    let card = held.roster.cards.iter().find(|(_, peer)| **peer == stage.world.nodes[ROGUE].peer).unwrap().0;
    let given = held.dag.iter().filter_map(|control| control.body.rekey()).find(|rekey| rekey.key == row.key);
    assert!(given.unwrap().seals.iter().all(|seal| seal.to != *card));
}

/// Keys that a member makes and seals to Bob alone: Bob passes some of them on, and keeps half of what he may write for
/// what he needs himself.
#[test]
fn keys_made_for_one_alone_do_not_use_up_what_it_may_write() {
    let mut stage = Stage::new(910);
    // Alice sleeps: nobody else passes keys on.
    let (bob, room) = (stage.world.nodes[BOB].peer, stage.room);
    let held = stage.world.held(BOB, room).unwrap();
    let heads: Vec<EntryId> = held.dag.heads().iter().copied().collect();
    let card = held.roster.members[&bob].cards[0].card.clone();
    stage.world.put_to_sleep(ALICE);
    let rogue = stage.world.nodes[ROGUE].peer;
    let rekeys: Vec<ControlBody> = (0..200u8)
        .map(|n| {
            let secret = Zeroizing::new([n; 32]);
            let key = crypto::key_id(&room, &secret);
            let context = SealContext { room, key, to: card.id(), author: rogue };
            let mut rng = ChaCha20Rng::from_seed([n; 32]);
            let seal = crypto::seal_key(&context, &card.sealing_key, &secret, &mut rng).unwrap();
            ControlBody::Rekey(Rekey { key, seals: vec![seal], wraps: Vec::new() })
        })
        .collect();
    let rekeys = stage.control_after(heads, rekeys);
    for part in rekeys.chunks(20) {
        let link = stage.open(BOB);
        stage.give(link, part);
        stage.world.pass(40_000);
    }
    let held = stage.world.held(BOB, room).unwrap();
    let of_bob = held.dag.iter().filter(|control| control.header.author == bob).count();
    let half = limits::MAX_CONTROL_PER_MEMBER / 2;
    assert!((half..half + 25).contains(&of_bob), "{of_bob}");
    stage.world.say_surely(BOB, room, "still able to");
    stage.world.rule(BOB, Command::Rekey { room });
}

/// A member says more than anybody can mean to say in an hour. Its chain waits, and is complete an hour later; the
/// others talk on meanwhile.
#[test]
fn a_chain_is_paused_and_not_holed_and_complete_when_it_resumes() {
    for pushed in [true, false] {
        let mut stage = Stage::new(911);
        for node in [ALICE, BOB] {
            let engine = stage.world.nodes[node].engine.as_mut().unwrap();
            engine.set_patience(Patience { entries: 400, bytes: 1 << 30 });
        }
        let flood = stage.entries(stage.last, 1_000, 1, "flood");
        let link = stage.open(ALICE);
        if pushed {
            for part in flood.chunks(100) {
                stage.push(link, part);
            }
        } else {
            stage.serves(link, &flood);
        }
        stage.world.pass(5_000);
        let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
        let rogue = stage.world.nodes[ROGUE].peer;
        let paused: Vec<_> = view.paused.iter().map(|paused| paused.peer).collect();
        assert_eq!(paused, [rogue], "pushed {pushed}");
        let held = stage.of_chain(ALICE);
        assert!((300..=401).contains(&held.len()), "{}", held.len());
        assert!(held.iter().enumerate().all(|(at, seq)| *seq == at as u64), "no holes");
        // The others hear each other at once.
        stage.session.drain(&mut stage.world);
        for (n, node) in [(1, ALICE), (2, BOB)] {
            stage.world.say_surely(node, stage.room, &format!("#{n}9# honest"));
            stage.world.pass(100);
            assert!(stage.session.drain(&mut stage.world).contains(&format!("{n}9")));
        }
        // Who goes on speaking of more is not asked for it.
        let link = stage.open(ALICE);
        let asked: usize = (0..20).map(|_| stage.serves(link, &flood)).sum();
        assert_eq!(asked, 0);
        // In the next hours all of it comes, and nothing twice.
        for _ in 0..3 {
            stage.world.pass(3_700_000);
            let link = stage.open(ALICE);
            stage.serves(link, &flood);
        }
        let held = stage.of_chain(ALICE);
        assert!(held.iter().enumerate().all(|(at, seq)| *seq == at as u64), "no holes");
        assert_eq!(held.len() as u64, flood.last().unwrap().header.seq + 1, "complete");
        let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
        assert!(view.paused.is_empty(), "{:?}", view.paused);
    }
}

/// Bob has less patience than Alice, who has all of it and says nothing new.
#[test]
fn a_paused_chain_is_fetched_on_by_itself_when_the_hour_is_over() {
    let mut stage = Stage::new(912);
    stage.world.nodes[BOB].engine.as_mut().unwrap().set_patience(Patience { entries: 400, bytes: 1 << 30 });
    let flood = stage.entries(stage.last, 1_000, 1, "flood");
    let link = stage.open(ALICE);
    stage.serves(link, &flood);
    stage.world.pass(60_000);
    let all = stage.of_chain(ALICE).len();
    let mut held = stage.of_chain(BOB).len();
    assert_eq!(all as u64, flood.last().unwrap().header.seq + 1);
    while held < all {
        let view = stage.world.nodes[BOB].engine.as_ref().unwrap().room(&stage.room).unwrap();
        let resumes = view.paused.first().expect("is paused").resumes_ms;
        stage.world.pass(resumes - stage.world.wall_ms(BOB) + 100);
        let now = stage.of_chain(BOB).len();
        assert!(now == all || now >= held + 400, "{held} before, {now} now");
        held = now;
    }
    assert_eq!(stage.of_chain(BOB), (0..all as u64).collect::<Vec<_>>());
}

/// However much it is: a store that was lost gets back what its own identity said.
#[test]
fn nobody_is_paused_on_its_own_node() {
    let (mut world, room, [_, b, _], _) = three(915);
    let before = world.nodes[b].store.clone();
    for number in 0..50 {
        world.say_surely(b, room, &format!("#{number}#"));
    }
    world.settle();
    world.restore_disk(b, before);
    let patience = Patience { entries: 10, bytes: 1 << 30 };
    world.nodes[b].engine.as_mut().unwrap().set_patience(patience);
    world.settle();
    assert_eq!(world.texts(b, room).len(), 50);
    assert!(world.nodes[b].engine.as_ref().unwrap().room(&room).unwrap().paused.is_empty());
}

/// Bytes count like entries.
#[test]
fn large_entries_pause_a_chain_sooner() {
    let mut stage = Stage::new(913);
    let patience = Patience { entries: 1_000, bytes: 1 << 20 };
    stage.world.nodes[ALICE].engine.as_mut().unwrap().set_patience(patience);
    let large = stage.entries(stage.last, 100, 1, &"x".repeat(30_000));
    let link = stage.open(ALICE);
    stage.serves(link, &large);
    let held = stage.of_chain(ALICE).len();
    assert!((20..50).contains(&held), "{held}");
    let view = stage.world.nodes[ALICE].engine.as_ref().unwrap().room(&stage.room).unwrap();
    assert_eq!(view.paused.len(), 1);
}

/// K7: what was sealed under a key that an outsider held, by somebody who could know, is shown and marked; what was
/// sealed before anybody could know is not.
#[test]
fn what_is_sealed_under_a_key_that_outsiders_hold_is_shown_and_marked() {
    let mut stage = Stage::new(914);
    let honest = stage.entries(stage.last, 1, 1, "#1# before");
    let link = stage.open(ALICE);
    stage.push(link, &honest);
    let seal = Seal { to: RecipientId([5; 32]), enc: PublicSealingKey([9; 32]), sealed: vec![0; 48].into() };
    let grant = stage.control([ControlBody::Grant(Grant { key: stage.key.0, seals: vec![seal] })]);
    stage.give(link, &grant);
    stage.after = Some(vec![grant[0].id]);
    let last = Some((honest[0].header.seq, honest[0].id));
    let knowing = stage.entries(last, 1, 1, "#2# after");
    stage.push(link, &knowing);
    // Whose heads have not changed says nothing of heads.
    stage.after = None;
    let last = Some((knowing[0].header.seq, knowing[0].id));
    let more = stage.entries(last, 1, 1, "#3# and more");
    stage.world.pass(5_000);
    stage.world.kill(ALICE);
    stage.world.kill(BOB);
    stage.world.pass(5_000);
    let link = stage.open(ALICE);
    stage.push(link, &more);
    stage.world.pass(10_000);
    stage.world.say_surely(BOB, stage.room, "#4# under a new key");
    stage.world.pass(5_000);
    for node in [ALICE, BOB] {
        let shown = stage.world.messages(node, stage.room);
        let marks: Vec<bool> = shown.iter().map(|view| view.sealed_unfit).collect();
        assert_eq!(marks, [false, true, true, false], "node {node}: {shown:?}");
    }
    let mut fresh = Session::new(&stage.world, BOB, "fresh", stage.room);
    fresh.bound_at = 0;
    let text = fresh.take(&mut stage.world, 99).unwrap().text;
    assert_eq!(text.matches("key known to outsiders").count(), 2, "{text}");
}
