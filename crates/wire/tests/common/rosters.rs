//! Vectors of rosters: sets of entries, and who is in by each of them. Must not decide what is right: `check.py` and the
//! oracle of the random tests do.

use std::collections::BTreeMap;

use parlor_wire::control::{ControlBody, Role};
use parlor_wire::roster::{Dag, Extent, Insert, Membership, Roster};
use parlor_wire::{Control, EntryId, domain};
use serde_json::{Value, json};

use super::room::{Room, bob, carol, fourth};
use super::vectors::{file, hex};
use super::{
    Place, Signing, T0, admit, close, control, cut, direct, genesis, join, leave, new_card, note, own,
    remove, role, samples, ticket,
};

/// A set of entries and the roster that comes out of it.
fn roster_vector(name: &str, entries: &[&Control]) -> Value {
    let mut dag = Dag::new(entries[0].room());
    let refused: Vec<String> = entries
        .iter()
        .filter(|entry| !matches!(dag.insert((**entry).clone()), Insert::In(_)))
        .map(|entry| hex(entry.id.0))
        .collect();
    let roster = Roster::fold(&dag);
    let role = |role: Role| match role {
        Role::Reader => "reader",
        Role::Member => "member",
        Role::Owner => "owner",
    };
    let members = roster.members.iter().map(|(peer, member)| (hex(peer.0), json!(role(member.role))));
    let memberships = |of: &BTreeMap<EntryId, Membership>| -> Value {
        let each = of.iter().map(|(id, m)| {
            let fields = json!({ "identity": hex(m.identity.0), "role": role(m.role), "ticket": m.ticket.map(|id| hex(id.0)) });
            (hex(id.0), fields)
        });
        each.collect()
    };
    let tickets = roster
        .tickets
        .iter()
        .map(|(id, state)| (hex(id.0), json!({ "closed": state.closed, "joins": state.joins })));
    let chains = roster.chains.iter().map(|(chain, state)| {
        let fields = json!({
            "author": hex(state.author.0),
            "content": extent(&state.content),
            "receipts": extent(&state.receipts),
        });
        (hex(chain.0), fields)
    });
    json!({
        "name": name,
        "entries": entries.iter().map(|entry| hex(entry.encode())).collect::<Vec<_>>(),
        "never_in": refused,
        "heads": dag.heads().iter().map(|id| hex(id.0)).collect::<Vec<_>>(),
        "members": members.collect::<Value>(),
        "memberships": memberships(&roster.memberships),
        "left": memberships(&roster.left),
        "removed": memberships(&roster.removed),
        "abandoned": roster.abandoned,
        "tickets": tickets.collect::<Value>(),
        "chains": chains.collect::<Value>(),
    })
}

/// How much of a chain counts: everything, or what leads to these places.
fn extent(extent: &Extent) -> Value {
    match extent {
        Extent::All => json!("all"),
        Extent::Upto(cuts) => cuts.iter().map(|(seq, id)| json!([seq, hex(id.0)])).collect(),
    }
}

/// Sets of entries and what comes out of them.
pub fn rosters() -> Value {
    let story = samples::story();
    let told: Vec<&Control> = story.iter().map(|(_, entry)| entry).collect();
    let (alice, bob, carol, key) = (Signing::new(1), bob(), carol(), Signing::new(101));
    let start = genesis(&alice, 9);
    let at = |membership: EntryId, after: &[EntryId]| Place::new(start.room(), membership, after);
    let ticket_body = ControlBody::Ticket(ticket(&key, Role::Member));
    let invites = control(&alice, at(start.id, &[start.id]), ticket_body.clone(), T0 + 1);
    let seen = join(&bob, &key, invites.id, at(start.id, &[invites.id]), T0 + 2);
    let unseen = join(&carol, &key, invites.id, at(start.id, &[invites.id]), T0 + 3);
    let closes = control(&alice, at(start.id, &[seen.id]), close(invites.id), T0 + 4);
    let by_member = control(&bob, at(seen.id, &[closes.id]), ticket_body, T0 + 5);
    let by_its_ticket = join(&carol, &key, by_member.id, at(start.id, &[by_member.id]), T0 + 6);
    let owns = control(&bob, at(seen.id, &[closes.id]), own(&carol), T0 + 7);
    let named = control(&alice, at(start.id, &[closes.id]), own(&bob), T0 + 8);
    let names = control(&bob, at(named.id, &[named.id]), own(&carol), T0 + 9);
    let stranger = control(&carol, at(start.id, &[start.id]), note(), T0 + 10);
    let second_close = control(&alice, at(start.id, &[invites.id]), close(invites.id), T0 + 11);
    let race = [&start, &invites, &seen, &unseen, &closes];
    let powers = [&start, &invites, &seen, &closes, &by_member, &by_its_ticket, &owns, &stranger];
    let mut all = vec![
        roster_vector("the story of control.json", &told),
        roster_vector("a close that saw one of two joins", &race),
        roster_vector("a second close that saw none", &[&race[..], &[&second_close]].concat()),
        roster_vector("what a member and a stranger may not do", &powers),
        roster_vector("an owner names an owner", &[&race[..], &[&named, &names]].concat()),
    ];
    let rooms = [
        ("one asked and was admitted", asked()),
        ("removed, twice, with different cuts", removed()),
        ("removed, and back by what knew of it", removed_and_back()),
        ("a removed member's other ticket and whom it brought", removed_by_two_tickets()),
        ("nobody removes an owner", owner_removed()),
        ("made a reader by one of two owners", demoted()),
        ("made a reader, then removed", demoted_and_removed()),
        ("made a member again, and an old ticket", promoted()),
        ("left, and came back", left()),
        ("an owner left and wrote on", owner_left()),
        ("the last owner leaves without a word", last_owner(false)),
        ("the last owner abandons the room", last_owner(true)),
        ("two owners leave at once", both_left()),
    ];
    for (name, told) in directs() {
        all.push(roster_vector(name, &told.iter().collect::<Vec<_>>()));
    }
    for (name, (room, never_in)) in rooms {
        let entries: Vec<&Control> = room.dag.iter().chain(&never_in).collect();
        all.push(roster_vector(name, &entries));
    }
    file(
        "Sets of control entries (here with parents first; any order gives the same) and the roster of each. Of chains: \
         whose, and how much of content and of receipts counts: all, or what leads to these places.",
        all,
    )
}

/// Rooms of two: one who speaks to nobody yet; both, who began apart; and what is never in.
fn directs() -> Vec<(&'static str, Vec<Control>)> {
    let (alice, bob) = (Signing::new(1), bob());
    let mut told: Vec<Control> = samples::direct_story().into_iter().map(|(_, entry)| entry).collect();
    let (opened, room) = (told[0].clone(), told[0].room());
    let apart = direct(&bob, &alice, &[], &[], T0 + 4000);
    let heads = [told[2].id, told[3].id, apart.id];
    let joins = control(&bob, Place::new(room, apart.id, &heads), note(), T0 + 5000);
    let further = new_card(alice.card(1, T0 + 6000));
    let further = control(&alice, Place::new(room, opened.id, &[joins.id]), further, T0 + 6000);
    let rules = [own(&carol()), remove(&bob, &[apart.id], &[]), leave(false)];
    let never = rules.map(|body| control(&alice, Place::new(room, opened.id, &[joins.id]), body, T0 + 7000));
    told.extend([apart, joins, further]);
    told.extend(never);
    vec![("a direct room that one has opened", vec![opened]), ("a direct room of both", told)]
}

/// A room, and what is offered to it and never in.
type Set = (Room, Vec<Control>);

/// Alice, and Bob who joined by her ticket.
fn with_bob() -> (Room, EntryId, EntryId) {
    let mut room = Room::new();
    let ticket = room.ticket(Role::Member);
    let joined = room.join(&bob(), ticket, &[ticket]);
    (room, ticket, joined)
}

fn asked() -> Set {
    let (mut room, _, joined) = with_bob();
    let asking = room.approving(Role::Reader);
    let admitted = room.admit(&carol(), asking, &[joined, asking]);
    room.say(&carol(), admitted, &[admitted], new_card(carol().card(2, T0)));
    let by_member = admit(&room.asking(&fourth(), asking));
    room.say(&bob(), joined, &[admitted], by_member);
    room.join(&fourth(), asking, &[asking]);
    let alone = room.asking(&fourth(), asking);
    let mut forged = room.asking(&fourth(), asking);
    forged.ticket_signature =
        alone.ticket_signature.map(|_| bob().sign(domain::JOIN_SIGNATURE, &forged.header.bytes()));
    let unsigned = room.write(&room.alice, room.start, &[asking], admit(&forged));
    (room, vec![alone, unsigned])
}

fn removed() -> Set {
    let (mut room, _, joined) = with_bob();
    let card = room.say(&bob(), joined, &[joined], new_card(bob().card(2, T0)));
    room.rule(&[card], remove(&bob(), &[joined], &[cut(joined, 2, 0), cut(card, 1, 0)]));
    room.rule(&[card], remove(&bob(), &[joined], &[cut(joined, 7, 0), cut(joined, 7, 9)]));
    room.say(&bob(), joined, &[card], remove(&Signing::new(1), &[], &[]));
    (room, vec![])
}

fn removed_and_back() -> Set {
    let (mut room, _, joined) = with_bob();
    let asking = room.approving(Role::Member);
    let removed = room.rule(&[joined, asking], remove(&bob(), &[joined], &[cut(joined, 300, 0)]));
    room.admit(&bob(), asking, &[asking]);
    room.admit(&bob(), asking, &[removed]);
    let new = room.ticket_after(&[removed], Role::Member);
    room.join(&bob(), new, &[new]);
    (room, vec![])
}

fn removed_by_two_tickets() -> Set {
    let (mut room, ticket, joined) = with_bob();
    let other = room.ticket(Role::Member);
    let seen = room.join(&carol(), ticket, &[joined]);
    room.join(&fourth(), ticket, &[ticket]);
    let removed = room.rule(&[seen, other], remove(&bob(), &[joined], &[cut(joined, 1, 0)]));
    room.join(&bob(), other, &[removed]);
    room.join(&bob(), other, &[other]);
    (room, vec![])
}

fn owner_removed() -> Set {
    let (mut room, _, joined) = with_bob();
    let named = room.rule(&[joined], own(&bob()));
    let start = room.start;
    room.rule(&[named], remove(&bob(), &[joined, named], &[cut(joined, 3, 0)]));
    let alice = room.alice.clone();
    room.say(&bob(), named, &[named], remove(&alice, &[start], &[]));
    (room, vec![])
}

fn demoted() -> Set {
    let (mut room, _, joined) = with_bob();
    let named = room.rule(&[joined], own(&carol()));
    room.rule(&[named], role(&bob(), Role::Reader, &[cut(joined, 5, 0)]));
    room.say(&carol(), named, &[named], role(&bob(), Role::Member, &[]));
    room.say(&bob(), joined, &[named], role(&bob(), Role::Member, &[]));
    (room, vec![])
}

fn demoted_and_removed() -> Set {
    let (mut room, _, joined) = with_bob();
    let down = room.rule(&[joined], role(&bob(), Role::Reader, &[cut(joined, 5, 0)]));
    room.rule(&[down], remove(&bob(), &[joined], &[cut(joined, 9, 0)]));
    (room, vec![])
}

fn promoted() -> Set {
    let (mut room, _, joined) = with_bob();
    let old = room.ticket(Role::Member);
    let down = room.rule(&[joined, old], role(&bob(), Role::Reader, &[cut(joined, 5, 0)]));
    room.rule(&[down], role(&carol(), Role::Reader, &[]));
    room.rule(&[down], role(&bob(), Role::Member, &[]));
    room.join(&carol(), old, &[old]);
    (room, vec![])
}

fn left() -> Set {
    let (mut room, ticket, joined) = with_bob();
    let unknown = room.join(&carol(), ticket, &[ticket]);
    let left = room.say(&bob(), joined, &[joined], leave(false));
    room.join(&bob(), ticket, &[left]);
    let gone = room.say(&carol(), unknown, &[unknown], leave(false));
    room.rule(&[gone, left], remove(&carol(), &[unknown], &[]));
    (room, vec![])
}

fn owner_left() -> Set {
    let (mut room, ticket, joined) = with_bob();
    let named = room.rule(&[joined], own(&bob()));
    let left = room.rule(&[named], leave(false));
    room.rule(&[left], own(&carol()));
    room.rule(&[named], close(ticket));
    let alice = room.alice.clone();
    let again = room.say(&bob(), named, &[left], own(&alice));
    room.say(&alice, again, &[again], own(&fourth()));
    room.say(&bob(), named, &[named], leave(false));
    (room, vec![])
}

fn last_owner(abandons: bool) -> Set {
    let (mut room, _, joined) = with_bob();
    let left = room.rule(&[joined], leave(abandons));
    room.rule(&[left], own(&carol()));
    (room, vec![])
}

fn both_left() -> Set {
    let mut room = Room::new();
    let named = room.rule(&[room.start], own(&bob()));
    room.rule(&[named], leave(false));
    room.say(&bob(), named, &[named], leave(true));
    (room, vec![])
}
