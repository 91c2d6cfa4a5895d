//! Receipts: what sessions here were given is told to the room, and what others tell is kept. Quiet: nothing is told before
//! something was written out, none is told of a receipt, an idle room falls silent. Must not claim what was not committed.

use std::collections::{BTreeMap, VecDeque};

use parlor_wire::{EntryId, PeerId, RoomId, Salt, TimeMs, data, limits};

use super::Engine;
use super::api::{MessageView, Priority};
use crate::persist::{DataRow, Op, Table};
use crate::room::body::{Body, KIND_PROFILE};
use crate::room::receipt::{Receipt, ReceiptRecord};
use crate::room::record;
use crate::text::clean::CleanText;

/// After the first that a session is given, in milliseconds: what is given at once is told at once.
const SOON_MS: u64 = 500;
/// Between two receipts of a session, in milliseconds.
const SMALL_MS: u64 = 5_000;
/// The same in a room of more members than are all linked.
const LARGE_MS: u64 = 60_000;
/// Receipts of others that are kept, of all rooms together; those that came longest ago are forgotten first.
const MAX_HEARD: usize = 4096;
/// Of one chain: more sessions than a person runs.
const MAX_OF_CHAIN: usize = 8;
/// Own sessions whose receipts are kept, of all rooms together; the one told longest ago is forgotten first.
const MAX_OWN: usize = 1024;
/// Texts remembered by their marks until there is evidence that they were shown.
const MAX_MARKS: usize = 256;

/// One message that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given {
    pub room: RoomId,
    pub chain: EntryId,
    pub seq: u64,
    /// It was meant for this identity by name, or did not wait.
    pub pressing: bool,
}

struct Own {
    record: ReceiptRecord,
    /// In which own chain it was told: a part of its row's key.
    chain: Option<EntryId>,
    due_ms: Option<u64>,
    written_ms: Option<u64>,
}

/// A text that was written out.
struct Mark {
    session: String,
    mark: String,
    given: Vec<Given>,
}

/// Receipts of sessions here, and of others.
#[derive(Default)]
pub(super) struct Receipts {
    own: BTreeMap<(RoomId, String), Own>,
    heard: BTreeMap<(RoomId, EntryId, Salt), ReceiptRecord>,
    marks: VecDeque<Mark>,
}

/// What is known of a message and one session of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptView {
    /// Whose session.
    pub peer: PeerId,
    /// What the session is called.
    pub label: Option<CleanText>,
    /// Its hook or tool has written the message out.
    pub handed: bool,
    /// There is evidence that its model was shown it.
    pub shown: bool,
    /// When that was heard, by this node's wall clock.
    pub at: TimeMs,
}

fn key(room: &RoomId, chain: &EntryId, session: &Salt) -> Vec<u8> {
    [&room.0[..], &chain.0[..], &session.0[..]].concat()
}

/// By which others tell a session from others of its node, in one room.
fn handle(room: &RoomId, session: &str) -> Salt {
    let hash = blake3::hash(&[&room.0[..], session.as_bytes()].concat());
    let mut handle = [0; 16];
    handle.copy_from_slice(&hash.as_bytes()[..16]);
    Salt(handle)
}

impl Receipts {
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.heard.len()
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.own.values().filter_map(|own| own.due_ms).min()
    }

    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) {
        let (Some(room), Some(chain), Some(session)) = (key.get(..32), key.get(32..64), key.get(64..)) else {
            return;
        };
        let (Ok(room), Ok(chain)) = (RoomId::try_from(room), EntryId::try_from(chain)) else { return };
        let Ok(session) = <[u8; 16]>::try_from(session) else { return };
        let Ok(record) = minicbor::decode::<ReceiptRecord>(value) else { return };
        match record.own.clone() {
            Some(own) => {
                self.own
                    .insert((room, own), Own { record, chain: Some(chain), due_ms: None, written_ms: None });
            }
            None => {
                self.heard.insert((room, chain, Salt(session)), record);
            }
        }
    }

    /// Makes room for one more session here: what was told longest ago goes, what is still to be told last.
    fn forget_own(&mut self, ops: &mut Vec<Op>) {
        let quietest = self.own.iter().min_by_key(|(_, own)| (own.due_ms.is_some(), own.record.at));
        let Some(place) = quietest.map(|(place, _)| place.clone()) else { return };
        let Some(gone) = self.own.remove(&place) else { return };
        if let Some(chain) = gone.chain {
            let key = key(&place.0, &chain, &gone.record.receipt.session);
            ops.push(Op::Delete { table: Table::Receipt, key });
        }
    }

    /// Makes room for one more: of a chain that has many, and of all.
    fn bound(&mut self, room: RoomId, chain: EntryId, ops: &mut Vec<Op>) {
        let of_chain = (room, chain, Salt([0; 16]))..=(room, chain, Salt([255; 16]));
        let over = |count: usize, most: usize| count >= most;
        let oldest = if over(self.heard.range(of_chain.clone()).count(), MAX_OF_CHAIN) {
            self.heard.range(of_chain).min_by_key(|(_, record)| record.at).map(|(place, _)| *place)
        } else if over(self.heard.len(), MAX_HEARD) {
            self.heard.iter().min_by_key(|(_, record)| record.at).map(|(place, _)| *place)
        } else {
            None
        };
        if let Some((room, chain, session)) = oldest {
            self.heard.remove(&(room, chain, session));
            ops.push(Op::Delete { table: Table::Receipt, key: key(&room, &chain, &session) });
        }
    }
}

impl Engine {
    /// What of a text is to be told to the rooms once it is written out. Of an own message, and of one that never leaves this
    /// node, there is nobody to be told.
    pub(super) fn given(&self, views: &[&MessageView]) -> Vec<Given> {
        let told = views.iter().filter(|view| !view.own && !self.stays_here(&view.room));
        let given = |view: &&&MessageView| Given {
            room: view.room,
            chain: view.chain,
            seq: view.seq,
            pressing: view.priority == Priority::Now
                || view.ask.is_some()
                || view.to.is_some()
                || view.peers.contains(&self.me)
                || self.direct_peer(&view.room).is_some(),
        };
        told.map(|view| given(&view)).collect()
    }

    /// These were written out by a hook or tool of a session.
    pub(super) fn handed(&mut self, session: &str, label: Option<&str>, mark: &str, given: Vec<Given>) {
        for one in &given {
            self.touch(session, label, one, |of, seq| of.handed.add(seq));
        }
        if !mark.is_empty() && !given.is_empty() {
            self.receipts.marks.push_back(Mark { session: session.into(), mark: mark.into(), given });
            if self.receipts.marks.len() > MAX_MARKS {
                self.receipts.marks.pop_front();
            }
        }
    }

    /// There is evidence that the model of a session was shown the text with this mark.
    pub(super) fn shown(&mut self, session: &str, mark: &str) {
        let is_it = |one: &Mark| one.session == session && one.mark == mark;
        let Some(at) = self.receipts.marks.iter().position(is_it) else { return };
        let Some(text) = self.receipts.marks.remove(at) else { return };
        for one in &text.given {
            self.touch(session, None, one, |of, seq| of.shown.add(seq));
        }
    }

    /// Whether a room has more members than are all linked with each other: only what was meant for somebody is told there.
    fn tells_little(&self, room: RoomId) -> bool {
        self.rooms.get(&room).is_some_and(|held| held.roster.members.len() > limits::MAX_FULL_MESH + 1)
    }

    fn touch(
        &mut self,
        session: &str,
        label: Option<&str>,
        one: &Given,
        add: impl Fn(&mut crate::room::receipt::OfChain, u64),
    ) {
        let large = self.tells_little(one.room);
        if large && !one.pressing {
            return;
        }
        let every_ms = if large { LARGE_MS } else { SMALL_MS };
        let place = (one.room, session.to_owned());
        if self.receipts.own.len() >= MAX_OWN && !self.receipts.own.contains_key(&place) {
            self.receipts.forget_own(&mut self.ops);
        }
        let now_ms = self.now.mono_ms;
        let own = self.receipts.own.entry(place).or_insert_with(|| Own {
            record: ReceiptRecord {
                receipt: Receipt::new(handle(&one.room, session), None),
                entry: None,
                seq: 0,
                at: 0,
                own: Some(session.into()),
            },
            chain: None,
            due_ms: None,
            written_ms: None,
        });
        if let Some(label) = label {
            let label = crate::text::session_name::SessionName::of(label).label;
            own.record.receipt.label = Some(label);
        }
        add(own.record.receipt.touch(one.chain), one.seq);
        let soon_ms = now_ms + SOON_MS;
        let due_ms = own.written_ms.map_or(soon_ms, |written| soon_ms.max(written + every_ms));
        own.due_ms.get_or_insert(due_ms);
    }

    pub(super) fn tick_receipts(&mut self) {
        let now_ms = self.now.mono_ms;
        let due: Vec<(RoomId, String)> = self
            .receipts
            .own
            .iter()
            .filter(|(_, own)| own.due_ms.is_some_and(|due| due <= now_ms))
            .map(|(place, _)| place.clone())
            .collect();
        for (room, session) in due {
            self.write_receipt(room, &session);
        }
    }

    /// Tells the room, under a key that is fit already: no key is made and none is granted for a receipt. Where there is
    /// none, nothing is told until something is given again.
    fn write_receipt(&mut self, room: RoomId, session: &str) {
        let now = self.now;
        let place = (room, session.to_owned());
        let Some(own) = self.receipts.own.get_mut(&place) else { return };
        (own.due_ms, own.written_ms) = (None, Some(now.mono_ms));
        let (mut receipt, supersedes) = (own.record.receipt.clone(), own.record.entry);
        let Some(held) = self.rooms.get(&room) else { return };
        let may = self.stands().is_ok()
            && held.local.state == record::STATE_JOINED
            && held.local.frozen.is_none()
            && held.roster.reads(&self.me);
        let key = held.keys.fit_key(&held.roster, now.wall_ms).filter(|key| held.keys.get(key).is_some());
        let (true, Some(key), Some(chain)) = (may, key, held.local.chain) else { return };
        for of in &mut receipt.chains {
            of.upto = held.chains.get(&of.chain).and_then(|chain| chain.max_seq()).unwrap_or(0);
        }
        // An earlier Parlor of this version reads it as what this identity calls itself, which it knows.
        let nick = Some(self.nick.clone());
        let body = Body { kind: KIND_PROFILE, nick, receipt: Some(receipt.clone()), ..Body::default() };
        let header =
            super::authoring::Kept { class: data::CLASS_RECEIPT, slot: Some(receipt.session), supersedes };
        match self.author_formed(room, chain, key, &body, header) {
            Ok(row) => self.wrote_receipt(&place, receipt, &row),
            Err(failure) => self.note(format!("{}: no receipt was told: {failure}", room.short())),
        }
    }

    fn wrote_receipt(&mut self, place: &(RoomId, String), receipt: Receipt, row: &DataRow) {
        let Some(own) = self.receipts.own.get_mut(place) else { return };
        let at = self.now.wall_ms;
        own.record =
            ReceiptRecord { receipt, entry: Some(row.id), seq: row.seq, at, own: own.record.own.clone() };
        own.chain = Some(row.chain);
        let value = parlor_wire::cbor::encode(&own.record);
        let key = key(&place.0, &row.chain, &own.record.receipt.session);
        self.put(Table::Receipt, key, value);
    }

    /// What a session of somebody else has been given; kept as far as it is about this identity's messages.
    pub(super) fn heard_receipt(&mut self, author: PeerId, row: &DataRow, body: &Body) {
        let Some(receipt) = body.receipt.as_ref().filter(|receipt| receipt.is_bounded()) else { return };
        let Some(held) = self.rooms.get(&row.room) else { return };
        if author == self.me {
            return;
        }
        let mut receipt = receipt.clone();
        receipt.label = receipt.label.map(|label| crate::text::names::session_label(&label).into_string());
        receipt.chains.retain(|of| held.chain_author(&of.chain) == Some(self.me));
        let place = (row.room, row.chain, receipt.session);
        let known = self.receipts.heard.get(&place);
        if known.is_some_and(|known| known.seq >= row.seq) || (known.is_none() && receipt.chains.is_empty()) {
            return;
        }
        if known.is_none() {
            self.receipts.bound(row.room, row.chain, &mut self.ops);
        }
        let at = self.now.wall_ms;
        let record = ReceiptRecord { receipt, entry: Some(row.id), seq: row.seq, at, own: None };
        let value = parlor_wire::cbor::encode(&record);
        self.put(Table::Receipt, key(&place.0, &place.1, &place.2), value);
        self.receipts.heard.insert(place, record);
    }

    /// What sessions of others have told of a message of this identity.
    pub fn receipts(&self, room: &RoomId, chain: &EntryId, seq: u64) -> Vec<ReceiptView> {
        let first = (*room, EntryId([0; 32]), Salt([0; 16]));
        let last = (*room, EntryId([255; 32]), Salt([255; 16]));
        let Some(held) = self.rooms.get(room) else { return Vec::new() };
        let view = |(place, record): (&(RoomId, EntryId, Salt), &ReceiptRecord)| {
            let of = record.receipt.chains.iter().find(|of| of.chain == *chain && of.upto >= seq)?;
            Some(ReceiptView {
                peer: held.chain_author(&place.1)?,
                label: record.receipt.label.as_deref().map(crate::text::names::session_label),
                handed: of.handed.has(seq) || of.shown.has(seq),
                shown: of.shown.has(seq),
                at: record.at,
            })
        };
        self.receipts.heard.range(first..=last).filter_map(view).collect()
    }

    /// Members whose node has acknowledged an entry, of those linked now.
    pub fn acknowledged(&self, room: &RoomId, chain: &EntryId, seq: u64) -> Vec<PeerId> {
        self.reached(*room, *chain, seq).0.into_iter().collect()
    }

    /// Whether a session here was given a message, by its cursor.
    pub fn was_given(&self, room: RoomId, session: &str, arrival: u64) -> bool {
        self.deliveries.was_given(room, session, arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);
    const CHAIN: EntryId = EntryId([2; 32]);

    fn own(at: u64, due_ms: Option<u64>) -> Own {
        let receipt = Receipt::new(Salt([0; 16]), None);
        let record = ReceiptRecord { receipt, entry: None, seq: 0, at, own: None };
        Own { record, chain: Some(CHAIN), due_ms, written_ms: None }
    }

    #[test]
    fn the_session_told_longest_ago_is_forgotten_with_its_row() {
        let mut receipts = Receipts::default();
        for (session, at, due_ms) in [("new", 0, Some(7)), ("old", 1, None), ("late", 2, None)] {
            receipts.own.insert((ROOM, session.into()), own(at, due_ms));
        }
        let mut ops = Vec::new();
        receipts.forget_own(&mut ops);
        let left: Vec<&str> = receipts.own.keys().map(|(_, session)| session.as_str()).collect();
        assert_eq!(left, ["late", "new"]);
        assert_eq!(ops, [Op::Delete { table: Table::Receipt, key: key(&ROOM, &CHAIN, &Salt([0; 16])) }]);
    }
}
