//! Data entries coming in: a batch is checked by the signatures of its last entries and by hashes, opened, given
//! standing and arrival number, persisted. Must never move a tip past what is kept, nor take an entry twice.

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::data::CLASS_RECEIPT;
use parlor_wire::frame::Tip;
use parlor_wire::{Data, DataHeader, EntryId, KeyId, PeerId, RoomId, TimeMs, limits};

use super::api::LinkId;
use super::{Engine, Pending, restore};
use crate::crypto::{self, EntryContext};
use crate::persist::{DataRow, Loaded, Op, Query, Standing, Table};
use crate::room::body::Body;
use crate::room::{TipState, record, sort_after};

/// A data entry of proper form, and the bytes it came in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub data: Data,
    pub bytes: Vec<u8>,
}

/// What became of the entries of one chain.
#[derive(Debug, Default)]
pub(super) struct ChainIntake {
    /// New entries were taken.
    pub grew: bool,
    /// The highest place of an entry of the batch that is held now, new or not.
    pub upto: Option<u64>,
    /// The lowest place of an entry that is reached here and follows nothing that is held: a branch.
    pub loose: Option<u64>,
    /// An entry came from beyond what is held.
    pub gap: bool,
    /// Where the batch leaves off: the lowest end of its branches that is beyond where it was asked from.
    pub end: u64,
    /// The chain has too many branches.
    pub refused: bool,
    /// Entries wait for control entries this node lacks.
    pub awaits_control: bool,
    /// Its author is paused: entries were left where they are.
    pub paused: bool,
}

/// A batch on its way in.
#[derive(Debug)]
pub(super) struct Batch {
    pub room: RoomId,
    pub link: LinkId,
    pub entries: Vec<Incoming>,
    pub chains: BTreeMap<EntryId, ChainIntake>,
    /// The place the batch was asked from, if it was asked for.
    pub asked: Option<(EntryId, u64)>,
}

/// Places and sort times of entries that are held.
type Held = BTreeMap<EntryId, (u64, TimeMs)>;

impl Engine {
    /// Takes in data entries of a peer. What follows from it is in `pull`, at once or when the store has said
    /// which entries are held.
    pub(super) fn take_data(&mut self, mut batch: Batch) {
        for entry in &batch.entries {
            batch.chains.entry(entry.data.header.chain).or_default();
        }
        let (room, link) = (batch.room, batch.link);
        if batch.entries.iter().any(|entry| entry.data.header.room != room) {
            self.close_link(link, "a data entry of another room");
            return;
        }
        let upto = self.hold_back(&mut batch);
        let forged = self.keep_authentic(room, &mut batch.entries, upto);
        if let Some((chain, from)) = batch.asked {
            let end = lowest_end(&batch.entries, &chain, from);
            batch.chains.entry(chain).or_default().end = end;
        }
        if self.all_connect(room, &batch.entries) {
            self.settle_batch(batch, Held::new());
        } else {
            self.ask_store(batch);
        }
        if forged {
            // Whoever serves keeps to batches that prove themselves.
            self.close_link(link, "a data entry whose signature is not valid");
        }
    }

    /// A data entry naming control heads this node lacks is not taken yet, nor what follows it; the heads are
    /// fetched first. Says how many entries stand before it.
    fn hold_back(&mut self, batch: &mut Batch) -> usize {
        let Some(held) = self.rooms.get(&batch.room) else { return 0 };
        let lacks = |entry: &Incoming| -> BTreeSet<EntryId> {
            let header = &entry.data.header;
            let named = header.after.iter().flatten().chain([&header.chain]);
            named.filter(|id| !held.dag.contains(id)).copied().collect()
        };
        let first = batch.entries.iter().enumerate().find_map(|(at, entry)| {
            let unknown = lacks(entry);
            (!unknown.is_empty()).then_some((at, unknown))
        });
        let Some((at, unknown)) = first else { return batch.entries.len() };
        for entry in &batch.entries[at..] {
            batch.chains.entry(entry.data.header.chain).or_default().awaits_control = true;
        }
        self.spoken_of(batch.link, unknown);
        self.want_control(batch.link, batch.room);
        at
    }

    /// Keeps, of the first `upto` entries, those whose own signature verifies, and those a verified later entry of
    /// the batch commits to. True when there were others.
    fn keep_authentic(&self, room: RoomId, entries: &mut Vec<Incoming>, upto: usize) -> bool {
        let Some(held) = self.rooms.get(&room) else { return false };
        let mut vouched: BTreeSet<EntryId> = BTreeSet::new();
        let mut keep = vec![false; entries.len()];
        for (at, entry) in entries.iter().enumerate().rev() {
            let data = &entry.data;
            let authentic = vouched.contains(&data.id)
                || held.chain_author(&data.header.chain).is_some_and(|author| data.verify(&author).is_ok());
            if authentic {
                keep[at] = true;
                vouched.extend(data.header.prev);
            }
        }
        entries.truncate(upto);
        let mut keep = keep.into_iter();
        let before = entries.len();
        entries.retain(|_| keep.next().unwrap_or(false));
        entries.len() < before
    }

    /// Whether memory alone shows that each entry follows what is held, or is held: each follows a tip or another
    /// entry of the batch.
    fn all_connect(&self, room: RoomId, entries: &[Incoming]) -> bool {
        let Some(held) = self.rooms.get(&room) else { return true };
        let mut fresh: BTreeSet<EntryId> = BTreeSet::new();
        entries.iter().all(|Incoming { data, .. }| {
            let chain = held.chains.get(&data.header.chain).filter(|chain| !chain.tips.is_empty());
            if chain.is_some_and(|chain| chain.has_tip(&data.id)) {
                return true;
            }
            let connects = match data.header.prev {
                None => chain.is_none(),
                Some(prev) => fresh.contains(&prev) || chain.is_some_and(|chain| chain.has_tip(&prev)),
            };
            if connects {
                fresh.insert(data.id);
            }
            connects
        })
    }

    /// Entries that follow no tip: held already, a branch, or with a gap before them. The store knows.
    fn ask_store(&mut self, batch: Batch) {
        let room = batch.room;
        let entries = batch.entries.iter();
        let ids: BTreeSet<EntryId> =
            entries.flat_map(|entry| [Some(entry.data.id), entry.data.header.prev]).flatten().collect();
        if let Some(held) = self.rooms.get_mut(&room) {
            held.asking += 1;
        }
        self.load(Query::Known { room, ids: ids.into_iter().collect() }, Pending::Batch(Box::new(batch)));
    }

    pub(super) fn batch_loaded(&mut self, batch: Batch, loaded: Option<Loaded>) {
        let room = batch.room;
        let Some(held) = self.rooms.get_mut(&room) else { return };
        held.asking = held.asking.saturating_sub(1);
        // What was taken in since the store was asked is held too.
        let mut known: Held = held.recent.clone();
        if held.asking == 0 {
            held.recent.clear();
        }
        let Some(Loaded::Rows(rows)) = loaded else {
            self.close_link(batch.link, "the store could not be read");
            return;
        };
        known.extend(rows.into_iter().map(|row| (row.id, (row.seq, row.sort_ms))));
        self.settle_batch(batch, known);
    }

    /// Takes what connects. `known`: entries that are held, besides the tips.
    fn settle_batch(&mut self, mut batch: Batch, mut known: Held) {
        let room = batch.room;
        let Some(held) = self.rooms.get(&room) else { return };
        for chain in batch.chains.keys().filter_map(|id| held.chains.get(id)) {
            known.extend(chain.tips.iter().map(|tip| (tip.tip.id, (tip.tip.seq, tip.sort_ms))));
        }
        for entry in std::mem::take(&mut batch.entries) {
            let (chain, seq, id) = (entry.data.header.chain, entry.data.header.seq, entry.data.id);
            let intake = batch.chains.entry(chain).or_default();
            if !known.contains_key(&id) {
                let Some(sort_ms) = connect(&known, &entry.data) else {
                    let next = self.rooms.get(&room).and_then(|held| held.chains.get(&chain));
                    let gap = seq > next.map_or(0, |chain| chain.next_seq());
                    intake.gap |= gap;
                    if !gap {
                        intake.loose = Some(intake.loose.map_or(seq, |low| low.min(seq)));
                    }
                    continue;
                };
                if !self.may_take(room, &chain, entry.bytes.len()) {
                    intake.paused = true;
                    continue;
                }
                if !self.accept(room, entry, sort_ms) {
                    intake.refused = true;
                    continue;
                }
                known.insert(id, (seq, sort_ms));
                intake.grew = true;
            }
            intake.upto = intake.upto.max(Some(seq));
        }
        for (chain, _) in batch.chains.iter().filter(|(_, intake)| intake.grew) {
            self.put_tips(room, *chain);
        }
        self.look_at_cuts(room);
        self.data_taken(batch);
    }

    fn put_tips(&mut self, room: RoomId, chain: EntryId) {
        let Some(held) = self.rooms.get(&room).and_then(|held| held.chains.get(&chain)) else { return };
        let tips = record::encode_tips(held);
        self.put(Table::Tips, restore::pair(&room, &chain), tips);
    }

    /// Keeps one entry whose place and authorship are settled. False when its chain is refused.
    fn accept(&mut self, room: RoomId, entry: Incoming, sort_ms: TimeMs) -> bool {
        let Incoming { data, bytes } = entry;
        let header = &data.header;
        let Some(held) = self.rooms.get_mut(&room) else { return false };
        let Some(author) = held.chain_author(&header.chain) else { return false };
        let sealed_unfit = held.is_sealed_unfit(header);
        let chain = held.chains.entry(header.chain).or_default();
        let branches = chain.tips.len();
        let tip = TipState { tip: Tip { seq: header.seq, id: data.id }, sort_ms };
        if !chain.advance(header.prev, tip) {
            self.warn(room, format!("chain {} has too many branches and is refused", header.chain.short()));
            return false;
        }
        chain.sealed = Some((header.key, sealed_unfit));
        let forked = branches > 0 && chain.tips.len() > branches;
        if held.asking > 0 {
            held.recent.insert(data.id, (header.seq, sort_ms));
        }
        let history = held.is_history(&header.chain, header.seq);
        held.counting.took(&header.chain, &data.id, forked);
        let counts = held.counts(&header.chain, header.class, header.seq, &data.id) == Some(true);
        if forked {
            self.warn(room, format!("{} wrote two entries for one place: a copied store?", author.short()));
        }
        let (standing, body) = self.judge(room, &data, counts);
        let arrival = self.number(room, standing);
        let row = DataRow {
            room,
            id: data.id,
            chain: header.chain,
            seq: header.seq,
            key: header.key,
            bytes,
            sort_ms,
            standing,
            arrival,
            history,
            sealed_unfit,
            origin: None,
        };
        self.settle(author, &row, header.time, body);
        self.ops.push(Op::PutData(row));
        true
    }

    /// Opens a body if its key is held, and says where the entry stands.
    fn judge(&mut self, room: RoomId, data: &Data, counts: bool) -> (Standing, Option<Body>) {
        let Some(held) = self.rooms.get_mut(&room) else { return (Standing::Waiting, None) };
        let Some(sealed) = &data.body else { return (Standing::Consumed, None) };
        let Some(key) = held.keys.get(&data.header.key).filter(|_| counts) else {
            held.waiting.insert((data.header.key, data.header.chain));
            return (Standing::Waiting, None);
        };
        match crypto::open_body(&EntryContext { key, header: &data.header }, &room, sealed) {
            Ok(bytes) => {
                let body = Body::decode(&bytes);
                // What readers may write is never a message, whatever stands in it.
                let reading = body.for_reading() && data.header.class != CLASS_RECEIPT;
                let standing = if reading { Standing::Arrived } else { Standing::Consumed };
                (standing, Some(body))
            }
            Err(_) => {
                self.warn(room, format!("entry {} does not open with its key", data.id.short()));
                (Standing::Unopenable, None)
            }
        }
    }

    fn number(&mut self, room: RoomId, standing: Standing) -> Option<u64> {
        if standing != Standing::Arrived {
            return None;
        }
        let now = self.now.wall_ms;
        let held = self.rooms.get_mut(&room)?;
        if held.local.mark_day(held.arrivals, now) {
            self.touched_rooms.insert(room);
        }
        held.arrivals += 1;
        Some(held.arrivals)
    }

    fn settle(&mut self, author: PeerId, row: &DataRow, time: TimeMs, body: Option<Body>) {
        let Some(body) = body else { return };
        if row.standing == Standing::Consumed {
            self.heard_receipt(author, row, &body);
            self.consume(row.room, author, row.sort_ms, &body);
        } else {
            self.note_file(row, &body);
            // History is told too: whoever follows a log they have just joined wants to see it come.
            let view = self.view_of(row, author, time, &body);
            self.note_urgent(row, &view, &body);
            self.arrived.push(view);
        }
    }

    /// Looks again at waiting entries whose key is now held and whose chain counts.
    pub(super) fn reopen(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        if held.reopening {
            return;
        }
        let counting = &held.counting;
        let ready = |pair: &&(KeyId, EntryId)| {
            held.keys.get(&pair.0).is_some()
                && held.roster.chains.contains_key(&pair.1)
                && counting.tried.get(*pair) != Some(&counting.generation)
        };
        let Some((key, chain)) = held.waiting.iter().find(ready).copied() else { return };
        held.reopening = true;
        // What does not count stays; it is looked at again only when something changes.
        held.counting.tried.insert((key, chain), held.counting.generation);
        held.waiting.remove(&(key, chain));
        self.read_waiting(room, (key, chain), 0);
    }

    fn read_waiting(&mut self, room: RoomId, (key, chain): (KeyId, EntryId), from_seq: u64) {
        let limit = limits::MAX_BATCH_ENTRIES as u32;
        let query = Query::Waiting { room, key: Some(key), chain: Some(chain), from_seq, limit };
        self.load(query, Pending::Reopen { room, key, chain, from_seq });
    }

    pub(super) fn reopen_loaded(
        &mut self,
        room: RoomId,
        pair: (KeyId, EntryId),
        from_seq: u64,
        loaded: Option<Loaded>,
    ) {
        let Some(held) = self.rooms.get_mut(&room) else { return };
        held.reopening = false;
        let Some(Loaded::Rows(rows)) = loaded else {
            // What cannot be read now is tried again at the next occasion.
            held.counting.tried.remove(&pair);
            held.waiting.insert(pair);
            return;
        };
        let Some(author) = held.chain_author(&pair.1) else { return };
        let next = rows.last().filter(|_| rows.len() >= limits::MAX_BATCH_ENTRIES).map(|last| last.seq);
        for row in rows {
            let Ok(data) = Data::decode(&row.bytes) else { continue };
            let counts = |held: &crate::room::Room| {
                held.counts(&row.chain, data.header.class, row.seq, &row.id) == Some(true)
            };
            let counts = self.rooms.get(&room).is_some_and(counts);
            let (standing, body) = self.judge(room, &data, counts);
            if standing == Standing::Waiting {
                continue;
            }
            let arrival = self.number(room, standing);
            self.ops.push(Op::SetStanding { room, id: row.id, standing, arrival });
            let row = DataRow { standing, arrival, ..row };
            self.settle(author, &row, data.header.time, body);
        }
        match next {
            Some(last) => {
                if let Some(held) = self.rooms.get_mut(&room) {
                    held.reopening = true;
                }
                // Branches of one place may stand on both sides of a page.
                self.read_waiting(room, pair, if last > from_seq { last } else { last + 1 });
            }
            None => self.reopen(room),
        }
    }
}

impl crate::room::Room {
    /// K7: whether the key of an entry was unfit in the entry's own past. One who has not heard of a removal seals
    /// under a fit key by all it knows, and is not blamed; nor does this stop anything from being shown.
    fn is_sealed_unfit(&self, header: &DataHeader) -> bool {
        let before = self.chains.get(&header.chain).and_then(|chain| chain.sealed);
        match (&header.after, before) {
            (None, Some((key, unfit))) if key == header.key => unfit,
            (after, _) => {
                let after = after.as_deref().unwrap_or_default();
                self.keys.unfit_before(&header.key, after, &self.dag, &self.roster)
            }
        }
    }
}

/// The sort time of an entry that follows one that is held, or begins its chain.
fn connect(known: &Held, data: &Data) -> Option<TimeMs> {
    let header = &data.header;
    let Some(prev) = header.prev else { return Some(sort_after(header.time, None)) };
    let (seq, sort) = known.get(&prev)?;
    (seq.checked_add(1) == Some(header.seq)).then(|| sort_after(header.time, Some(*sort)))
}

/// Of the places beyond `from` at which a branch of the batch ends, the lowest. Whoever served it may have held
/// back what no signature vouches for, in one branch sooner than in another.
fn lowest_end(entries: &[Incoming], chain: &EntryId, from: u64) -> u64 {
    let mut ends: BTreeMap<EntryId, u64> = BTreeMap::new();
    for Incoming { data, .. } in entries.iter().filter(|entry| entry.data.header.chain == *chain) {
        if let Some(prev) = &data.header.prev {
            ends.remove(prev);
        }
        ends.insert(data.id, data.header.seq);
    }
    ends.into_values().filter(|end| *end > from).min().unwrap_or(from)
}
