//! What may happen, each act written as a real entry by somebody who had seen what is in its past. Judges nothing.

use std::collections::HashMap;
use std::rc::Rc;

use parlor_wire::control::{Close, Control, ControlBody, Leave, Own, Rekey, Remove};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{EntryId, KeyId};

use super::room::{ALICE, BOB, BOBS_TICKET, CAROL, CAROLS_TICKET, NEW_TICKET, Room};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Alice puts Bob out, with a new key.
    Remove,
    /// Alice does it once more, or on another of her machines.
    RemoveAgain,
    /// Alice closes the ticket whose text Carol holds, with a new key.
    CloseCarols,
    /// Alice makes a ticket; in a history in which Bob uses it he holds its text.
    NewTicket,
    /// Alice makes Bob an owner.
    OwnBob,
    /// Bob makes a new key.
    BobRekeys,
    Leave,
    /// Bob comes by the ticket he once came by, whatever he has seen.
    BobByOld,
    /// Bob comes by the new ticket.
    BobByNew,
    /// Carol comes by her ticket, whatever she has seen.
    CarolJoins,
    /// Carol makes a new key.
    CarolRekeys,
}

pub const ALL: [Act; 11] = [
    Act::Remove,
    Act::RemoveAgain,
    Act::CloseCarols,
    Act::NewTicket,
    Act::OwnBob,
    Act::BobRekeys,
    Act::Leave,
    Act::BobByOld,
    Act::BobByNew,
    Act::CarolJoins,
    Act::CarolRekeys,
];

impl Act {
    pub fn removes(self) -> bool {
        matches!(self, Self::Remove | Self::RemoveAgain)
    }

    fn author(self) -> usize {
        match self {
            Self::BobRekeys | Self::Leave | Self::BobByOld | Self::BobByNew => BOB,
            Self::CarolJoins | Self::CarolRekeys => CAROL,
            _ => ALICE,
        }
    }
}

/// An entry, and the room as it was to its author just after it was written.
pub struct Written {
    pub control: Control,
    pub dag: Dag,
    pub roster: Roster,
}

impl Written {
    /// The key it makes.
    pub fn key(&self) -> Option<KeyId> {
        self.control.body.rekey().map(|rekey| rekey.key)
    }
}

/// Writes acts, the same act upon the same past once.
pub struct Scribe<'a> {
    room: &'a Room,
    written: HashMap<(Act, Vec<EntryId>), Option<Rc<Written>>>,
}

impl<'a> Scribe<'a> {
    pub fn new(room: &'a Room) -> Self {
        Self { room, written: HashMap::new() }
    }

    /// Writes the acts, each with the others in its past. None if one of them is nothing its author could do then.
    pub fn history(&mut self, acts: &[Act], pasts: &[u8], order: &[usize]) -> Option<Vec<Rc<Written>>> {
        let mut done: Vec<Option<Rc<Written>>> = vec![None; acts.len()];
        for at in order {
            let mut seen: Vec<&Control> = Vec::new();
            for other in order.iter().filter(|other| pasts[*at] & (1 << **other) != 0) {
                seen.push(&done[*other].as_ref()?.control);
            }
            let written = self.once(acts[*at], &seen)?;
            done[*at] = Some(written);
        }
        done.into_iter().collect()
    }

    fn once(&mut self, act: Act, seen: &[&Control]) -> Option<Rc<Written>> {
        let mut ids: Vec<EntryId> = seen.iter().map(|control| control.id).collect();
        ids.sort();
        let room = self.room;
        self.written.entry((act, ids)).or_insert_with(|| write(room, act, seen).map(Rc::new)).clone()
    }
}

fn write(room: &Room, act: Act, seen: &[&Control]) -> Option<Written> {
    let mut dag = room.base.clone();
    for control in seen {
        assert!(matches!(dag.insert((*control).clone()), Insert::In(_)));
    }
    let roster = Roster::fold(&dag);
    let control = sign(room, act, &dag, &roster)?;
    assert!(matches!(dag.insert(control.clone()), Insert::In(_)), "{act:?}");
    let roster = Roster::fold(&dag);
    Some(Written { control, dag, roster })
}

fn sign(room: &Room, act: Act, dag: &Dag, roster: &Roster) -> Option<Control> {
    let author = act.author();
    let number = act as u8 + 1;
    let rekey = |roster: &Roster| room.rekey(author, number, dag, roster);
    let join =
        |ticket, entry| Some(room.sign(author, dag, None, room.join_body(author, entry), Some(ticket)));
    let membership = room.membership(author, roster);
    let body = match act {
        Act::BobByOld => return join(BOBS_TICKET, room.base_tickets[BOBS_TICKET]),
        Act::CarolJoins => return join(CAROLS_TICKET, room.base_tickets[CAROLS_TICKET]),
        Act::BobByNew => return join(NEW_TICKET, new_ticket(room, roster)?),
        Act::OwnBob => ControlBody::Own(Own { identity: room.peer(BOB) }),
        Act::Leave => ControlBody::Leave(Leave { abandons: false }),
        Act::BobRekeys | Act::CarolRekeys => {
            membership?;
            ControlBody::Rekey(rekey(roster))
        }
        Act::NewTicket => {
            let grants = room.head_grants(author, dag, NEW_TICKET);
            ControlBody::Ticket(room.ticket_body(NEW_TICKET, grants))
        }
        Act::CloseCarols | Act::Remove | Act::RemoveAgain => {
            if act.removes() && roster.owns(&room.peer(BOB)) {
                return None;
            }
            // Who is in after this, and gets its key, the fold says of the same without a key.
            let bare = room.sign(author, dag, membership, ending(room, act, roster, None), None);
            let mut after = dag.clone();
            assert!(matches!(after.insert(bare), Insert::In(_)));
            ending(room, act, roster, Some(rekey(&Roster::fold(&after))))
        }
    };
    Some(room.sign(author, dag, Some(membership?), body, None))
}

fn ending(room: &Room, act: Act, roster: &Roster, rekey: Option<Rekey>) -> ControlBody {
    if act == Act::CloseCarols {
        return ControlBody::Close(Close { ticket: room.base_tickets[CAROLS_TICKET], rekey });
    }
    let identity = room.peer(BOB);
    let all = [&roster.memberships, &roster.left, &roster.removed].into_iter().flatten();
    let memberships = all.filter(|(_, one)| one.identity == identity).map(|(id, _)| *id).collect();
    ControlBody::Remove(Remove { identity, memberships, cuts: Vec::new(), rekey })
}

fn new_ticket(room: &Room, roster: &Roster) -> Option<EntryId> {
    let recipient = room.ticket_recipient(NEW_TICKET);
    roster.ticket_by_recipient(&recipient).map(|(id, _)| id)
}
