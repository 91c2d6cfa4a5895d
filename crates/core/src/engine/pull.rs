//! Fetching what peers hold and this node lacks: control first, then ranges of chains, one batch for each want,
//! a few wants at once. Must not ask two peers for one range, nor one peer again for what it did not give.

use std::collections::BTreeSet;

use parlor_wire::frame::{
    Ack, ChainTips, ControlBatch, ControlWant, DataBatch, DataHeads, DataPush, DataWant, Frame, Tip,
};
use parlor_wire::{Data, EntryId, RoomId, limits};

use super::api::LinkId;
use super::ingest::{Batch, ChainIntake, Incoming};
use super::link::{SEARCH_STEP, Search, Want};
use super::{Engine, Pending};
use crate::persist::{DataRow, Loaded, Query};

/// How many places one batch reaches.
const WINDOW: u64 = limits::MAX_BATCH_ENTRIES as u64;

impl Engine {
    // -- control

    pub(super) fn control_heads(&mut self, link: LinkId, room: RoomId, heads: &[EntryId]) {
        if heads.len() > limits::MAX_CONTROL_IDS {
            self.close_link(link, "too many control heads");
            return;
        }
        self.confirm_join(room, heads);
        self.confirm_leave(link, room, heads);
        self.spoken_of(link, heads.iter().copied());
        self.want_control(link, room);
    }

    /// Remembers control entries a peer speaks of, until it or anybody gives them.
    pub(super) fn spoken_of(&mut self, link: LinkId, ids: impl IntoIterator<Item = EntryId>) {
        let now = self.now.mono_ms;
        let Some(state) = self.links.get_mut(&link) else { return };
        let Some(held) = state.room.and_then(|room| self.rooms.get(&room)) else { return };
        state.spoken.retain(|id, _| !held.dag.contains(id));
        for id in ids {
            let lacks = !held.dag.contains(&id) && !state.surplus.contains(&id);
            if lacks && state.spoken.len() < limits::MAX_CONTROL_IDS {
                state.spoken.entry(id).or_insert(now);
            }
        }
    }

    /// Asks a peer for control entries it spoke of, each once until something new came; when there is nothing to
    /// ask for, all it can give is here.
    pub(super) fn want_control(&mut self, link: LinkId, room: RoomId) {
        let now = self.now.mono_ms;
        let (Some(state), Some(held)) = (self.links.get_mut(&link), self.rooms.get(&room)) else { return };
        if state.control_asked.is_some() {
            return;
        }
        state.spoken.retain(|id, _| !held.dag.contains(id));
        let lacking: BTreeSet<EntryId> = state.spoken.keys().copied().chain(held.dag.missing()).collect();
        let want: Vec<EntryId> = lacking
            .into_iter()
            .filter(|id| !state.control_tried.contains(id))
            .take(limits::MAX_CONTROL_IDS)
            .collect();
        if want.is_empty() {
            self.control_finished(link, room);
            return;
        }
        state.control_asked = Some(now);
        state.control_tried.extend(want.iter().copied());
        let have = held.dag.sample();
        self.send(link, &Frame::ControlWant(ControlWant { want, have }));
    }

    pub(super) fn control_want(&mut self, link: LinkId, room: RoomId, want: &ControlWant) {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        let mut ids = held.dag.difference(&want.want, &want.have);
        if !state.entitled {
            // Who was put out may learn of that, and of nothing later.
            if !self.is_put_out(link, room) {
                return;
            }
            let past = held.past_of_removal(&state.peer);
            ids.retain(|id| past.contains(id));
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut more = false;
        for control in ids.iter().filter_map(|id| held.dag.get(id)) {
            if entries.len() >= limits::MAX_BATCH_ENTRIES || bytes >= limits::BATCH_BYTES / 2 {
                more = true;
                break;
            }
            let encoded = control.encode();
            bytes += encoded.len();
            entries.push(encoded.into());
        }
        self.send(link, &Frame::ControlBatch(ControlBatch { entries, more }));
    }

    pub(super) fn control_batch(&mut self, link: LinkId, room: RoomId, batch: &ControlBatch) {
        if let Some(state) = self.links.get_mut(&link) {
            state.control_asked = None;
        }
        let entries: Vec<&[u8]> = batch.entries.iter().map(|bytes| bytes.as_ref()).collect();
        let intake = self.take_control(room, link, &entries);
        if let Some(refusal) = intake.refused {
            self.send(link, &Frame::Refuse(refusal));
        }
        if let Some(why) = intake.violation {
            self.close_link(link, why);
            return;
        }
        if let Some(state) = self.links.get_mut(&link).filter(|_| intake.grew) {
            state.control_tried.clear();
        }
        self.want_control(link, room);
    }

    /// All a peer can give of control is here: its data may be asked for, a saved join may be written.
    fn control_finished(&mut self, link: LinkId, room: RoomId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if !std::mem::replace(&mut state.control_done, true) {
            self.complete_join(room);
            self.tell_asking(link, room);
        }
        self.plan(link, room);
    }

    // -- data

    pub(super) fn data_heads(&mut self, link: LinkId, room: RoomId, heads: DataHeads) {
        let Some(state) = self.links.get_mut(&link) else { return };
        for told in heads.chains {
            state.peer_holds(told);
        }
        state.peer_complete |= heads.complete;
        self.plan(link, room);
        self.tick_reach();
        self.finish_leave(link, room);
    }

    /// Looks on every link of a room for something to ask for.
    pub(super) fn plan_room(&mut self, room: RoomId) {
        let open = self.links.iter().filter(|(_, link)| link.room == Some(room) && link.open);
        for link in open.map(|(id, _)| *id).collect::<Vec<LinkId>>() {
            self.plan(link, room);
        }
    }

    /// New control entries may make sense of what could not be taken before.
    pub(super) fn control_grew(&mut self, room: RoomId) {
        self.unstall(room);
    }

    /// Asks again for what could not go on.
    pub(super) fn unstall(&mut self, room: RoomId) {
        for link in self.links.values_mut().filter(|link| link.room == Some(room)) {
            link.stalled.clear();
        }
        self.plan_room(room);
    }

    /// Asks a peer for what it said it holds and this node lacks.
    pub(super) fn plan(&mut self, link: LinkId, room: RoomId) {
        let searches = self.links.get(&link).map(|state| state.searches.keys().copied().collect::<Vec<_>>());
        for chain in searches.unwrap_or_default() {
            self.go_on_searching(link, chain);
        }
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        let mut plan = Plan::default();
        for chain in &state.behind {
            let tips = state.peer_tips.get(chain).map(Vec::as_slice).unwrap_or_default();
            let known = state.known_behind.get(chain);
            let mine = held.chains.get(chain);
            let lacked: Vec<Tip> = tips
                .iter()
                .filter(|tip| !mine.is_some_and(|mine| mine.has_tip(&tip.id)))
                .filter(|tip| !known.is_some_and(|known| known.contains(&tip.id)))
                .copied()
                .collect();
            if lacked.is_empty() {
                plan.level.push(*chain);
            } else if !state.stalled.contains(chain)
                && !state.searches.contains_key(chain)
                && !state.asking.contains(chain)
                && held.chain_author(chain).is_some()
                && !self.is_paused(&room, chain)
            {
                let next = mine.map_or(0, |mine| mine.next_seq());
                let forked = tips.len() > 1 || mine.is_some_and(|mine| mine.tips.len() > 1);
                self.plan_chain(link, *chain, next, &lacked, forked, &mut plan);
            }
        }
        self.carry_out(link, room, plan);
        self.finish_first_sync(link, room);
    }

    fn plan_chain(
        &self,
        link: LinkId,
        chain: EntryId,
        next: u64,
        lacked: &[Tip],
        forked: bool,
        plan: &mut Plan,
    ) {
        let Some(state) = self.links.get(&link) else { return };
        let free = limits::MAX_OUTSTANDING_WANTS.saturating_sub(state.wants.len() + plan.wants.len());
        // Behind us, or a branch: the store knows which.
        let below = lacked.iter().filter(|tip| tip.seq < next).map(|tip| (chain, *tip));
        plan.claims.extend(below);
        let Some(top) = lacked.iter().filter(|tip| tip.seq >= next).max().copied() else { return };
        // One chain is fetched from one link at a time; its ranges follow each other.
        let mut others = self.links.iter().filter(|(id, other)| **id != link && other.room == state.room);
        if others.any(|(_, other)| other.wants.iter().any(|want| want.chain == chain)) {
            return;
        }
        if forked {
            plan.searches.push((chain, Search::new(top, next.saturating_sub(1))));
            return;
        }
        let top = top.seq;
        let asked = state.wants.iter().filter(|want| want.chain == chain).map(|want| want.to + 1).max();
        let mut from = asked.unwrap_or(next).max(next);
        for _ in 0..free {
            if from > top {
                break;
            }
            let to = top.min(from + state.window - 1);
            plan.wants.push(DataWant { chain, from_seq: from, to_seq: to });
            from = to + 1;
        }
    }

    fn carry_out(&mut self, link: LinkId, room: RoomId, plan: Plan) {
        let Some(state) = self.links.get_mut(&link) else { return };
        for chain in &plan.level {
            state.behind.remove(chain);
        }
        state.asking.extend(plan.claims.iter().map(|(chain, _)| *chain));
        for want in plan.wants {
            self.want(link, want);
        }
        for (chain, search) in plan.searches {
            self.search(link, chain, search);
        }
        for claims in plan.claims.chunks(limits::MAX_BATCH_ENTRIES) {
            let claims = claims.to_vec();
            let ids = claims.iter().map(|(_, tip)| tip.id).collect();
            self.load(Query::Known { room, ids }, Pending::Behind { room, link, claims });
        }
    }

    fn want(&mut self, link: LinkId, want: DataWant) {
        let asked_ms = self.now.mono_ms;
        if let Some(state) = self.links.get_mut(&link) {
            let (chain, from, to) = (want.chain, want.from_seq, want.to_seq);
            state.wants.push_back(Want { chain, from, to, asked_ms });
            self.send(link, &Frame::DataWant(want));
        }
    }

    /// The store has said which of a peer's lower tips are held; the others are branches to fetch.
    pub(super) fn behind_loaded(
        &mut self,
        room: RoomId,
        link: LinkId,
        claims: Vec<(EntryId, Tip)>,
        loaded: Option<Loaded>,
    ) {
        let Some(state) = self.links.get_mut(&link) else { return };
        for (chain, _) in &claims {
            state.asking.remove(chain);
        }
        let Some(Loaded::Rows(rows)) = loaded else {
            self.close_link(link, "the store could not be read");
            return;
        };
        for (chain, tip) in claims {
            if rows.iter().any(|row| row.id == tip.id) {
                let Some(state) = self.links.get_mut(&link) else { return };
                state.known_behind.entry(chain).or_default().insert(tip.id);
                self.mark_dirty_for(link, chain);
            } else {
                let from = tip.seq.saturating_sub(SEARCH_STEP);
                self.search(link, chain, Search::new(tip, from));
            }
        }
        self.plan(link, room);
    }

    /// Begins to look for where a peer's branch leaves what is held.
    fn search(&mut self, link: LinkId, chain: EntryId, search: Search) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.searches.entry(chain).or_insert(search);
        self.go_on_searching(link, chain);
    }

    /// Asks for the next window of a search, as soon as there is credit for it.
    fn go_on_searching(&mut self, link: LinkId, chain: EntryId) {
        let Some(state) = self.links.get(&link) else { return };
        let Some(search) = state.searches.get(&chain) else { return };
        let asked = state.wants.iter().any(|want| want.chain == chain && want.from == search.from);
        if !asked && state.wants.len() < limits::MAX_OUTSTANDING_WANTS {
            let to_seq = search.tip.seq.min(search.from.saturating_add(WINDOW - 1));
            self.want(link, DataWant { chain, from_seq: search.from, to_seq });
        }
    }

    pub(super) fn data_batch(&mut self, link: LinkId, room: RoomId, batch: &DataBatch) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let wanted =
            state.wants.iter().position(|want| want.chain == batch.chain && want.from == batch.from_seq);
        let Some(place) = wanted else {
            self.close_link(link, "a batch nobody asked for");
            return;
        };
        let want = state.wants.remove(place);
        if batch.entries.is_empty() {
            // The peer no longer has what it said; it is not asked again until it says something new.
            state.forget(&batch.chain);
            self.plan_room(room);
            return;
        }
        self.take_frames(link, room, want, batch.entries.iter().map(|bytes| bytes.as_ref()));
    }

    pub(super) fn data_push(&mut self, link: LinkId, room: RoomId, push: &DataPush) {
        self.take_frames(link, room, None, push.entries.iter().map(|bytes| bytes.as_ref()));
    }

    fn take_frames<'a>(
        &mut self,
        link: LinkId,
        room: RoomId,
        asked: Option<Want>,
        entries: impl Iterator<Item = &'a [u8]>,
    ) {
        let mut incoming: Vec<Incoming> = Vec::new();
        for bytes in entries {
            match Data::decode(bytes) {
                Ok(data) => incoming.push(Incoming { data, bytes: bytes.to_vec() }),
                Err(parlor_wire::data::DataError::Version(version)) => {
                    self.warn(room, format!("there are entries of wire version {version}: update Parlor"));
                    break;
                }
                Err(error) => {
                    self.close_link(link, error.to_string());
                    return;
                }
            }
        }
        if let Some(state) = self.links.get_mut(&link) {
            incoming.iter().for_each(|entry| state.peer_sent(&entry.data));
            let last = incoming.last().map(|entry| entry.data.header.seq);
            if let (Some(want), Some(last)) = (&asked, last) {
                state.fit_window(want, last);
            }
        }
        let mut chains = std::collections::BTreeMap::new();
        let asked = asked.map(|want| (want.chain, want.from));
        chains.extend(asked.map(|(chain, _)| (chain, ChainIntake::default())));
        self.take_data(Batch { room, link, entries: incoming, chains, asked });
    }

    /// After entries were taken in: acknowledge, tell others, go on.
    pub(super) fn data_taken(&mut self, batch: Batch) {
        let Batch { room, link, chains, asked, .. } = batch;
        let Some(held) = self.rooms.get(&room) else { return };
        let grew: BTreeSet<EntryId> =
            chains.iter().filter(|(_, intake)| intake.grew).map(|(chain, _)| *chain).collect();
        let connected = chains.iter().filter(|(_, intake)| intake.upto.is_some()).map(|(chain, _)| *chain);
        let told: Vec<ChainTips> =
            connected.map(|chain| ChainTips { chain, tips: held.tips(&chain) }).collect();
        let own = held.local.chain;
        for part in told.chunks(limits::MAX_HEADS_PER_FRAME) {
            self.send(link, &Frame::Ack(Ack { chains: part.to_vec() }));
        }
        if !grew.is_empty() {
            self.mark_dirty(room, Some(link), &grew);
            if own.is_some_and(|own| grew.contains(&own)) {
                self.own_chain_elsewhere(room);
            }
        }
        for (chain, intake) in &chains {
            self.go_on_with(link, room, *chain, intake, asked);
        }
        let Some(state) = self.links.get(&link) else { return self.plan_room(room) };
        let busy = |chain: &EntryId| state.wants.iter().any(|want| want.chain == *chain);
        if asked.is_some_and(|(chain, _)| !busy(&chain)) {
            // Others may have more of a chain that was fetched here.
            self.plan_room(room);
        } else {
            self.plan(link, room);
        }
    }

    /// What a batch means for the search of a branch point, and whether the chain can go on at all.
    fn go_on_with(
        &mut self,
        link: LinkId,
        room: RoomId,
        chain: EntryId,
        intake: &ChainIntake,
        asked: Option<(EntryId, u64)>,
    ) {
        let (Some(state), Some(held)) = (self.links.get_mut(&link), self.rooms.get(&room)) else { return };
        if intake.refused || intake.awaits_control || intake.paused {
            state.searches.remove(&chain);
            state.stalled.insert(chain);
            return;
        }
        let mine = held.chains.get(&chain);
        let has_tip = |id: &EntryId| mine.is_some_and(|mine| mine.has_tip(id));
        let next = mine.map_or(0, |mine| mine.next_seq());
        let from = asked.filter(|(of, _)| *of == chain).map(|(_, from)| from);
        let Some(search) = state.searches.get_mut(&chain) else {
            let tips = state.peer_tips.get(&chain).into_iter().flatten();
            let Some(lacked) = tips.copied().find(|tip| !has_tip(&tip.id)) else { return };
            if let Some(low) = intake.loose {
                self.search(link, chain, Search::new(lacked, low.saturating_sub(SEARCH_STEP)));
            } else if !intake.grew && from.is_some_and(|from| !intake.gap || from <= next) {
                state.stalled.insert(chain);
            }
            return;
        };
        if has_tip(&search.tip.id) {
            state.searches.remove(&chain);
        } else if from == Some(search.from) {
            if search.narrow(intake.grew, intake.loose, intake.end) {
                self.go_on_searching(link, chain);
            } else {
                state.searches.remove(&chain);
                state.stalled.insert(chain);
            }
        }
    }

    /// Somebody else holds entries of the chain this store writes: the store was restored or copied. Never sign
    /// for a place that is taken: open a new chain.
    fn own_chain_elsewhere(&mut self, room: RoomId) {
        self.warn(room, "this store was restored or copied: a new chain was opened".into());
        self.local(room, |local| local.chain = None);
        if let Err(failure) = self.open_new_chain(room) {
            self.note(format!("{}: no new chain: {failure}", room.short()));
        }
    }

    /// The first time a peer has nothing more to give, what is held becomes the history line.
    fn finish_first_sync(&mut self, link: LinkId, room: RoomId) {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&room)) else { return };
        let done = state.control_done && state.peer_complete && state.wants.is_empty();
        if !held.awaits_history() || !done || !state.asking.is_empty() || held.asking > 0 {
            return;
        }
        let counts = |chain: &&EntryId| held.roster.chains.contains_key(*chain);
        let goes_on = |chain: &EntryId| !state.stalled.contains(chain) && !self.is_paused(&room, chain);
        if state.behind.iter().filter(counts).any(goes_on) {
            return;
        }
        let own = held.local.chain;
        let others = held.chains.iter().filter(|(chain, _)| Some(**chain) != own);
        let line = others.filter_map(|(chain, state)| Some((*chain, state.max_seq()?))).collect();
        self.local(room, |local| local.history = Some(line));
        self.note(format!("{}: first sync finished", room.short()));
        self.answer_joins(room);
    }

    // -- serving

    pub(super) fn data_want(&mut self, link: LinkId, room: RoomId, want: DataWant) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if !state.entitled {
            return;
        }
        if state.serving >= limits::MAX_OUTSTANDING_WANTS || want.to_seq < want.from_seq {
            self.close_link(link, "more wants than the credit given");
            return;
        }
        state.serving += 1;
        let query = Query::Chain {
            room,
            chain: want.chain,
            from_seq: want.from_seq,
            to_seq: want.to_seq.min(want.from_seq.saturating_add(WINDOW - 1)),
            limit: limits::MAX_BATCH_ENTRIES as u32,
            limit_bytes: limits::BATCH_BYTES,
        };
        self.load(query, Pending::Serve { link, want });
    }

    pub(super) fn serve_loaded(&mut self, link: LinkId, want: &DataWant, loaded: Option<Loaded>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.serving = state.serving.saturating_sub(1);
        if !state.entitled {
            return;
        }
        let room = state.room;
        let Some(Loaded::Rows(mut rows)) = loaded else {
            self.close_link(link, "the store could not be read");
            return;
        };
        self.trim_unproven(room, &mut rows);
        let entries = rows.into_iter().map(|row| row.bytes.into()).collect();
        let batch = DataBatch { chain: want.chain, from_seq: want.from_seq, entries };
        self.send(link, &Frame::DataBatch(batch));
    }

    /// A batch must prove itself: entries taken because a later one commits to them may carry any signature, so
    /// whatever stands after the last that verifies, in each branch, is left for the next batch.
    fn trim_unproven(&self, room: Option<RoomId>, rows: &mut Vec<DataRow>) {
        let Some(held) = room.and_then(|room| self.rooms.get(&room)) else { return };
        let Some(chain) = rows.last().map(|row| row.chain) else { return };
        let Some(author) = held.chain_author(&chain) else { return rows.clear() };
        let proven = |data: &Data| data.verify(&author).is_ok();
        if held.chains.get(&chain).is_some_and(|chain| chain.tips.len() == 1) {
            // Without branches each entry follows the one before.
            while rows.last().is_some_and(|row| !Data::decode(&row.bytes).is_ok_and(|data| proven(&data))) {
                rows.pop();
            }
            return;
        }
        let mut vouched: BTreeSet<EntryId> = BTreeSet::new();
        let mut keep = vec![false; rows.len()];
        for (at, row) in rows.iter().enumerate().rev() {
            let Ok(data) = Data::decode(&row.bytes) else { continue };
            if vouched.contains(&row.id) || proven(&data) {
                keep[at] = true;
                vouched.extend(data.header.prev);
            }
        }
        let mut keep = keep.into_iter();
        rows.retain(|_| keep.next().unwrap_or(false));
    }
}

/// What to do about one link's chains.
#[derive(Default)]
struct Plan {
    wants: Vec<DataWant>,
    searches: Vec<(EntryId, Search)>,
    claims: Vec<(EntryId, Tip)>,
    /// Chains the peer has nothing new of.
    level: Vec<EntryId>,
}
