//! What SECURITY.md and docs/attacks.md say of removing, tickets and what crosses in clear, tried with everything an
//! attacker may have in hand. Must not repeat what the other files of this folder show.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use parlor_core::crypto::TicketKeys;
use parlor_core::engine::api::{Command, Presence, RoomStanding, Terms};
use parlor_core::identity::Identity;
use parlor_core::keys::{KeyRing, Opener};
use parlor_core::persist::Table;
use parlor_sim::World;
use parlor_sim::act::{three, ticket_keys};
use parlor_store::Store;
use parlor_wire::control::{ControlBody, ControlHeader, Join, Request, Role, ticket_recipient};
use parlor_wire::frame::{ControlBatch, Frame};
use parlor_wire::roster::{Insert, Roster};
use parlor_wire::{Control, EntryId, KeyId, PeerId, RULES, RoomId, SUITE, Salt, WIRE_VERSION, domain};
use zeroize::Zeroizing;

/// The keys that open with these secrets to whoever has every control entry that a node has.
fn opened(world: &mut World, node: usize, room: RoomId, openers: &[Opener<'_>], known: KeyRing) -> KeyRing {
    let mut ring = known;
    let held = world.held(node, room).unwrap();
    ring.read(&room, &held.dag, &held.roster, openers, 0);
    ring
}

fn by_ticket(keys: &TicketKeys) -> Opener<'_> {
    Opener { to: ticket_recipient(&keys.signing_key(), &keys.sealing_key), secret: &keys.sealing_secret }
}

/// The keys under which a node holds messages, the latest last.
fn keys_used(world: &mut World, node: usize, room: RoomId) -> Vec<KeyId> {
    let mut rows = world.held(node, room).unwrap().rows;
    rows.retain(|row| row.arrival.is_some());
    rows.sort_by_key(|row| row.arrival);
    rows.iter().map(|row| row.key).collect()
}

/// Scenario 1: the removed kept the store, the ticket's text, and comes by all that is ever sent.
#[test]
fn the_removed_opens_nothing_said_after_with_every_secret_and_every_entry_in_hand() {
    let (mut world, room, [a, b, c], text) = three(801);
    world.say_surely(a, room, "before");
    world.settle();
    world.remove(a, room, b);
    world.settle();
    world.say_surely(a, room, "after");
    world.say_surely(c, room, "after too");
    world.settle();
    let snapshot = world.nodes[b].store.load().unwrap();
    let seed = snapshot.records.iter().find(|(table, key, _)| *table == Table::Own && key == b"sealing seed");
    let seed: [u8; 32] = seed.unwrap().2.as_slice().try_into().unwrap();
    let bob = Identity::new(&world.nodes[b].identity, Zeroizing::new(seed));
    let mut known = KeyRing::default();
    let his = snapshot.rooms.into_iter().find(|kept| kept.room == room).unwrap();
    for (id, key) in his.keys {
        known.restore(id, key);
    }
    let ticket = ticket_keys(&text);
    let cards = world.held(a, room).unwrap().roster.cards;
    let mut openers: Vec<Opener<'_>> = cards
        .iter()
        .filter(|(_, peer)| **peer == bob.peer())
        .map(|(card, _)| Opener { to: *card, secret: bob.sealing_secret() })
        .collect();
    assert!(!openers.is_empty());
    openers.push(by_ticket(&ticket));
    let ring = opened(&mut world, a, room, &openers, known);
    let used = keys_used(&mut world, a, room);
    assert_eq!(used.len(), 3);
    assert!(ring.get(&used[0]).is_some(), "what was said before stays readable");
    assert!(used[1..].iter().all(|key| ring.get(key).is_none()), "what was said after does not open");
}

#[test]
fn until_a_node_hears_of_a_removal_the_removed_reads_what_it_says() {
    let (mut world, room, [a, b, c], _) = three(802);
    world.cut(a, b);
    world.cut(a, c);
    world.remove(a, room, b);
    world.say_surely(c, room, "not knowing");
    world.pass(10_000);
    assert_eq!(world.texts(b, room), ["not knowing"]);
    world.settle();
    world.say_surely(c, room, "knowing");
    world.settle();
    assert_eq!(world.texts(a, room), ["not knowing", "knowing"]);
    assert_eq!(world.texts(b, room), ["not knowing"]);
}

#[test]
fn an_open_tickets_text_reads_without_joining_and_one_that_asks_for_approval_does_not() {
    let (mut world, room, [a, ..], text) = three(803);
    let asks = world.ticket(a, room, Role::Member, true);
    world.say_surely(a, room, "to members");
    world.settle();
    let used = keys_used(&mut world, a, room);
    for (text, reads) in [(&text, true), (&asks.text, false)] {
        let keys = ticket_keys(text);
        let ring = opened(&mut world, a, room, &[by_ticket(&keys)], KeyRing::default());
        assert_eq!(ring.get(used.last().unwrap()).is_some(), reads);
    }
}

fn join_header(room: RoomId, author: PeerId, body: &ControlBody, after: EntryId, time: u64) -> ControlHeader {
    ControlHeader {
        v: WIRE_VERSION,
        rules: RULES,
        suite: SUITE,
        room: Some(room),
        author,
        membership: None,
        kind: body.kind(),
        after: vec![after],
        time,
        body: body.bytes().into(),
    }
}

fn signed(who: &Identity, ticket: &TicketKeys, header: ControlHeader, body: ControlBody) -> Control {
    let message = header.bytes();
    let signature = who.sign(domain::CONTROL_SIGNATURE, &message);
    let cosigned = ticket.sign(domain::JOIN_SIGNATURE, &message);
    Control::new(header, body, signature, Some(cosigned))
}

/// Scenario 2: joins written after the removal, stamped before it, after nothing but the ticket, with whatever ids
/// trying often enough gives.
#[test]
fn wound_23_backdated_joins_with_ground_ids_bring_nobody_back() {
    let (mut world, room, [a, b, _], text) = three(804);
    world.remove(a, room, b);
    world.settle();
    let held = world.held(a, room).unwrap();
    let keys = ticket_keys(&text);
    let (ticket, _) = held.roster.ticket_by_key(&keys.signing_key()).unwrap();
    let bob = world.identity(b);
    let mut joins: Vec<Control> = (0..64)
        .map(|n| {
            let body = ControlBody::Join(Join { ticket, card: bob.card(0, n) });
            signed(&bob, &keys, join_header(room, bob.peer(), &body, ticket, n), body)
        })
        .collect();
    // The lowest, the highest, and both, in each order; then all.
    joins.sort_by_key(|join| join.id);
    let (low, high) = (joins[0].clone(), joins[63].clone());
    let tries =
        [vec![low.clone()], vec![high.clone()], vec![low.clone(), high.clone()], vec![high, low], joins];
    for tried in tries {
        let mut dag = held.dag.clone();
        for join in tried {
            assert!(matches!(dag.insert(join), Insert::In(_)), "they are well formed");
        }
        let roster = Roster::fold(&dag);
        assert!(!roster.reads(&bob.peer()));
        assert_eq!(roster.members, held.roster.members);
        let his = roster.chains.iter().filter(|(_, chain)| chain.author == bob.peer());
        let before = held.roster.chains.iter().filter(|(_, chain)| chain.author == bob.peer());
        assert!(his.eq(before), "no new chain of his counts");
    }
}

#[test]
fn wound_23_a_text_kept_open_lets_others_in_and_not_the_removed() {
    let (mut world, room, [a, b, c], _) = three(805);
    let d = world.add_node("fourth");
    let kept = world.ticket(a, room, Role::Member, false);
    world.settle();
    let peer = world.nodes[b].peer;
    world.rule(a, Command::Remove { room, peer, keep: vec![kept.id] });
    world.settle();
    world.join(b, &kept.text, 20_000);
    world.join(d, &kept.text, 20_000).unwrap().unwrap();
    world.settle();
    let roster = world.held(c, room).unwrap().roster;
    assert!(!roster.reads(&peer));
    assert!(roster.reads(&world.nodes[d].peer));
    let said = world.say(b, room, "not in");
    assert!(!matches!(said, Some(Ok(_))), "{said:?}");
    world.say_surely(c, room, "one");
    world.settle();
    assert_eq!(world.texts(a, room), ["one"]);
    assert_eq!(world.texts(d, room), ["one"]);
    world.check_room(room);
}

/// Whoever has the text of a ticket that asks for approval can ask under as many identities as they like.
#[test]
fn wound_23_a_flood_of_requests_is_bounded() {
    let (mut world, room, [a, ..], _) = three(806);
    let m = world.add_node("rogue");
    let asks = world.ticket(a, room, Role::Member, true);
    world.settle();
    world.make_puppet(m);
    let keys = ticket_keys(&asks.text);
    let link = world.puppet_opens(m, a, room, Some(&keys));
    for n in 0..100 {
        let who = Identity::new(&[n; 32], Zeroizing::new([n; 32]));
        let body = ControlBody::Request(Request { ticket: asks.id, card: who.card(0, 1) });
        let request = signed(&who, &keys, join_header(room, who.peer(), &body, asks.id, 1), body);
        let entries = vec![request.encode().into()];
        world.puppet_says(m, link, &Frame::ControlBatch(ControlBatch { entries, more: false }));
    }
    world.pass(1_000);
    assert_eq!(world.nodes[a].engine.as_ref().unwrap().asking(&room).len(), 64);
    world.rule(a, Command::CloseTicket { room, ticket: asks.id });
    world.pass(61_000);
    assert_eq!(
        world.nodes[a].engine.as_ref().unwrap().asking(&room).len(),
        0,
        "a close ends them within a minute"
    );
    world.settle();
    world.check_room(room);
}

#[test]
fn wound_28_no_word_name_or_label_crosses_in_clear() {
    let mut world = World::new(807);
    let [a, b, m] = ["alicenick", "bobsnick", "rogue"].map(|nick| world.add_node(nick));
    let invited = world.start_room(a, "roomsname");
    let room = invited.room;
    world.join(b, &invited.text, 20_000).unwrap().unwrap();
    world.settle();
    world.make_puppet(m);
    let link = world.puppet_opens(m, a, room, Some(&ticket_keys(&invited.text)));
    let presence = Presence {
        label: "labelword".into(),
        program: "programword".into(),
        summary: Some("summaryword".into()),
        directory: Some("directoryword".into()),
        branch: Some("branchword".into()),
        ..Presence::default()
    };
    world.inform(a, Command::Announce { room, session: Salt([5; 16]), presence: Some(presence) });
    world.say_surely(a, room, "bodyword");
    world.rule(a, Command::Rename { room, name: "othersname".into() });
    world.pass(1_000);
    let heard = world.puppet_hears(m, link);
    assert!(heard.iter().any(|frame| matches!(frame, Frame::Signal(_))), "{heard:?}");
    let held = world.held(b, room).unwrap();
    let mut crossed: Vec<Vec<u8>> = heard.iter().map(Frame::encode).collect();
    crossed.extend(held.dag.iter().map(Control::encode));
    crossed.extend(held.rows.iter().map(|row| row.bytes.clone()));
    assert_eq!(world.texts(b, room), ["bodyword"]);
    let words = [
        "alicenick",
        "bobsnick",
        "roomsname",
        "othersname",
        "bodyword",
        "labelword",
        "programword",
        "summaryword",
        "directoryword",
        "branchword",
    ];
    for word in words {
        let shows = |bytes: &Vec<u8>| bytes.windows(word.len()).any(|part| part == word.as_bytes());
        assert!(!crossed.iter().any(shows), "{word}");
    }
}

/// The remover holds one branch of the chain of whom it removes, another node holds both: what lies at the same
/// places and not on the way to the cut does not count there either.
#[test]
fn a_removal_cuts_a_forked_chain_at_the_branch_the_remover_held() {
    let (mut world, room, [a, b, c], _) = three(808);
    world.say_surely(b, room, "one");
    world.settle();
    let backup = world.nodes[b].store.clone();
    world.say_surely(b, room, "two");
    world.say_surely(b, room, "three");
    world.settle();
    for other in [a, c] {
        world.cut(b, other);
    }
    world.cut(a, c);
    world.restore_disk(b, backup);
    world.say_surely(b, room, "two again");
    world.mend(b, c);
    world.pass(30_000);
    assert!(world.texts(c, room).contains(&"two again".to_owned()), "both branches count");
    world.remove(a, room, b);
    world.settle();
    for node in [a, c] {
        assert_eq!(world.texts(node, room), ["one", "two", "three"], "node {node}");
        let view = world.nodes[node].engine.as_ref().unwrap().room(&room).unwrap();
        assert_eq!(view.state, RoomStanding::Joined);
    }
    world.check_room(room);
}

/// R9, R5: in a partition more join than a ticket allows; the owner, who hears of one, closes it.
#[test]
fn a_spent_ticket_is_closed_and_a_join_its_close_had_not_seen_is_undone() {
    let mut world = World::new(809);
    let [a, b, c, d] = ["alice", "bob", "carol", "fourth"].map(|nick| world.add_node(nick));
    let first = world.start_room(a, "room");
    let room = first.room;
    world.join(b, &first.text, 20_000).unwrap().unwrap();
    let expires = world.wall_ms(a) + 90_000_000;
    let terms = Terms { expires, uses: Some(1), role: Role::Member, approve: false };
    let once = world.invite_on(a, room, Some(terms)).unwrap().unwrap();
    world.settle();
    for (one, other) in [(a, b), (a, d), (b, c), (c, d)] {
        world.cut(one, other);
    }
    world.join(c, &once.text, 20_000).unwrap().unwrap();
    let by_bob = world.ticket_naming(&once.text, b);
    world.join(d, &by_bob, 20_000).unwrap().unwrap();
    world.settle();
    let e = world.add_node("late");
    let late = world.join(e, &once.text, 20_000);
    assert!(!matches!(late, Some(Ok(_))), "{late:?}");
    world.settle();
    world.check_room(room);
    let held = world.held(b, room).unwrap();
    assert!(held.roster.tickets[&once.id].closed);
    assert!(!held.roster.reads(&world.nodes[e].peer));
    let [c, d] = [c, d].map(|node| held.roster.reads(&world.nodes[node].peer));
    assert!(c, "the owner's node had heard of this one before it closed the ticket");
    assert!(!d, "and not of that one");
}
