//! What must hold once the world has come to rest: all members hold the same, in the same order, and can read it.

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::engine::api::RoomStanding;
use parlor_core::persist::{DataRow, Loaded, Query, RoomSnapshot, Standing, Table};
use parlor_store::Store;
use parlor_wire::control::{Role, direct_room};
use parlor_wire::roster::{Dag, Extent, Insert, Roster};
use parlor_wire::{Control, Data, EntryId, PeerId, RoomId};

use crate::net::Faults;
use crate::watch::Promise;
use crate::world::{Trouble, World};

/// How long the world is left alone at a time, in milliseconds: longer than every timeout there is.
const REST_MS: u64 = 70_000;

/// What one node has on disk of one room.
pub struct Held {
    /// What the store would hand to a restarted engine.
    pub snapshot: RoomSnapshot,
    /// All its data entries by (sort, id).
    pub rows: Vec<DataRow>,
    /// Its control entries, folded from nothing.
    pub dag: Dag,
    /// What they mean.
    pub roster: Roster,
}

impl World {
    /// All faults end, all nodes run and reach each other, and time passes until nothing changes any more.
    pub fn settle(&mut self) {
        let harsh = self.faults.vanishes + self.faults.twice + self.faults.overtakes > 0;
        self.faults = Faults::NONE;
        self.trouble = Trouble::default();
        self.mend_all();
        for node in (0..self.nodes.len()).filter(|node| !self.asleep.contains(node)).collect::<Vec<_>>() {
            self.start(node);
        }
        // A stream that loses frames is dead, and its ends come to know it.
        if harsh {
            for cable in 0..self.net.cables.len() {
                self.snap(cable);
            }
        }
        let mut before = Vec::new();
        for _ in 0..40 {
            self.pass(REST_MS);
            let now = self.digest();
            if now == before {
                return;
            }
            before = now;
        }
        self.fail("the world does not come to rest");
    }

    /// At rest nobody waits for anybody and next to nothing is sent.
    pub fn check_quiet(&mut self) {
        let before = self.frames;
        self.pass(REST_MS);
        let links: usize = self.nodes.iter().map(|node| node.links.len()).sum();
        let sent = self.frames - before;
        if sent > 20 * (1 + links as u64) {
            self.fail(&format!("{sent} frames on {links} ends of links at rest"));
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(sizes) = node.engine.as_ref().map(|engine| engine.sizes()) else { continue };
            if sizes.loads + sizes.waits + sizes.pushed + sizes.wants > 0 {
                self.fail(&format!("{at}: waits at rest: {sizes:?}"));
            }
        }
    }

    fn digest(&mut self) -> Vec<(RoomId, usize, u64, usize)> {
        let mut all = Vec::new();
        for node in &mut self.nodes {
            for room in node.store.load().map(|snapshot| snapshot.rooms).unwrap_or_default() {
                let tips = node.engine.as_ref().and_then(|engine| engine.room(&room.room));
                all.push((
                    room.room,
                    room.control.len(),
                    room.arrivals,
                    tips.map_or(0, |view| view.waiting as usize),
                ));
            }
        }
        all
    }

    /// What a node has on disk of a room.
    pub fn held(&mut self, node: usize, room: RoomId) -> Option<Held> {
        let store = &mut self.nodes[node].store;
        let all = store.load().ok()?;
        let snapshot = all.rooms.into_iter().find(|kept| kept.room == room)?;
        let mut dag = Dag::new(room);
        for bytes in &snapshot.control {
            let Ok(control) = Control::decode(bytes) else { continue };
            assert!(
                matches!(dag.insert(control), Insert::In(_)),
                "the disk holds control entries out of order"
            );
        }
        let chains: BTreeSet<EntryId> = all
            .records
            .iter()
            .filter(|(table, key, _)| *table == Table::Tips && key[..32] == room.0)
            .filter_map(|(_, key, _)| EntryId::try_from(&key[32..]).ok())
            .collect();
        let mut rows = Vec::new();
        for chain in chains {
            let query = Query::Chain {
                room,
                chain,
                from_seq: 0,
                to_seq: u64::MAX >> 1,
                limit: u32::MAX,
                limit_bytes: usize::MAX,
            };
            if let Ok(Loaded::Rows(found)) = store.query(&query) {
                rows.extend(found);
            }
        }
        rows.sort_by_key(|row| (row.sort_ms, row.id));
        let roster = Roster::fold(&dag);
        Some(Held { snapshot, rows, dag, roster })
    }

    /// Running nodes that are members of a room by the first node's roster, and believe so themselves. A join that
    /// a close has not seen is undone, and whoever wrote it may have been told no more than that.
    pub fn members(&mut self, room: RoomId) -> Vec<usize> {
        let Some(lead) = self.held(0, room) else { return Vec::new() };
        let is_member = |node: &usize| {
            let state = &self.nodes[*node];
            let view = state.engine.as_ref().and_then(|engine| engine.room(&room));
            lead.roster.reads(&state.peer) && view.is_some_and(|view| view.state == RoomStanding::Joined)
        };
        (0..self.nodes.len()).filter(is_member).collect()
    }

    /// Everything that must hold at rest in a room, for the nodes that are members.
    pub fn check_room(&mut self, room: RoomId) {
        let members = self.members(room);
        self.check_among(room, &members);
    }

    /// The same for the direct room of two nodes, if they speak of it. False if they do not.
    pub fn check_direct(&mut self, one: usize, other: usize) -> bool {
        let Some(room) = direct_room(&self.nodes[one].peer, &self.nodes[other].peer) else { return false };
        let linked = |node: usize| {
            let view = self.nodes[node].engine.as_ref().and_then(|engine| engine.room(&room));
            view.is_some_and(|view| view.state == RoomStanding::Joined && view.connected == 1)
        };
        let speak = linked(one) && linked(other);
        if speak {
            self.check_among(room, &[one, other]);
        }
        speak
    }

    fn check_among(&mut self, room: RoomId, nodes: &[usize]) {
        let mut all: Vec<(usize, Held)> = Vec::new();
        for node in nodes.iter().copied() {
            if let Some(held) = self.held(node, room) {
                all.push((node, held));
            }
        }
        let Some((first, lead)) = all.first() else { return };
        for (node, held) in &all {
            self.check_same(*first, lead, *node, held);
            self.check_roster(*node, room, held);
            self.check_reading(*node, room, held);
        }
        self.check_promises(room, &all);
    }

    fn check_same(&self, first: usize, lead: &Held, node: usize, held: &Held) {
        let control = |held: &Held| held.dag.iter().map(|control| control.id).collect::<BTreeSet<EntryId>>();
        if control(lead) != control(held) {
            self.fail(&format!("{first} and {node} hold different control entries"));
        }
        if lead.roster != held.roster {
            self.fail(&format!(
                "{first} and {node} hold the same control entries and fold different rosters"
            ));
        }
        let order = |held: &Held| held.rows.iter().map(|row| (row.sort_ms, row.id)).collect::<Vec<_>>();
        let (ours, theirs) = (order(lead), order(held));
        if ours != theirs {
            let a: BTreeSet<_> = ours.into_iter().collect();
            let b: BTreeSet<_> = theirs.into_iter().collect();
            self.fail(&format!(
                "{first} and {node} hold different data: {:?} against {:?}",
                a.difference(&b).collect::<Vec<_>>(),
                b.difference(&a).collect::<Vec<_>>()
            ));
        }
    }

    fn check_roster(&self, node: usize, room: RoomId, held: &Held) {
        let Some(engine) = &self.nodes[node].engine else { return };
        let shown: BTreeMap<PeerId, Role> =
            engine.people(&room).iter().map(|person| (person.peer, person.role)).collect();
        let folded: BTreeMap<PeerId, Role> =
            held.roster.members.iter().map(|(peer, member)| (*peer, member.role)).collect();
        if shown != folded {
            self.fail(&format!("{node}: shows {shown:?}, the disk says {folded:?}"));
        }
    }

    /// Every entry of a chain that counts is open, and arrival numbers are dense and unique.
    fn check_reading(&self, node: usize, room: RoomId, held: &Held) {
        let counted = Counted::of(held);
        for row in &held.rows {
            let counts = counted.counts(row);
            let open = matches!(row.standing, Standing::Arrived | Standing::Consumed);
            if counts && !open {
                self.fail(&format!(
                    "{node}: {}: {} of {} is {:?}",
                    room.short(),
                    row.id.short(),
                    row.chain.short(),
                    row.standing
                ));
            }
        }
        let numbers: BTreeSet<u64> = held.rows.iter().filter_map(|row| row.arrival).collect();
        let arrived = held.rows.iter().filter(|row| row.arrival.is_some()).count();
        let dense = numbers.len() == arrived && numbers.last().copied().unwrap_or(0) == arrived as u64;
        if !dense {
            self.fail(&format!(
                "{node}: arrival numbers have holes or doubles: {arrived} of {:?}",
                numbers.last()
            ));
        }
        let view = self.nodes[node].engine.as_ref().and_then(|engine| engine.room(&room));
        if view.as_ref().is_some_and(|view| view.arrivals != arrived as u64) {
            self.fail(&format!(
                "{node}: counts {:?} arrivals, the disk has {arrived}",
                view.map(|v| v.arrivals)
            ));
        }
    }

    fn check_promises(&self, room: RoomId, all: &[(usize, Held)]) {
        let by_member =
            |promise: &&Promise| promise.room == room && all.iter().any(|(node, _)| *node == promise.node);
        for (request, promise) in self.watch.promised.iter().filter(|(_, promise)| by_member(promise)) {
            for (node, held) in all {
                if !held.rows.iter().any(|row| row.id == promise.entry) {
                    self.fail(&format!(
                        "{node}: message {request:?}, acknowledged by {}, is lost",
                        promise.node
                    ));
                }
            }
        }
    }
}

/// Which data entries count, worked out from all there is, with no regard to how they came.
struct Counted<'a> {
    held: &'a Held,
    /// What lies on the way to each cut, by the cut.
    ways: BTreeMap<EntryId, BTreeSet<EntryId>>,
}

impl<'a> Counted<'a> {
    fn of(held: &'a Held) -> Self {
        let mut prev: BTreeMap<EntryId, Option<EntryId>> = BTreeMap::new();
        for data in held.rows.iter().filter_map(|row| Data::decode(&row.bytes).ok()) {
            prev.insert(data.id, data.header.prev);
        }
        let mut ways = BTreeMap::new();
        let extents = held.roster.chains.values().flat_map(|state| [&state.content, &state.receipts]);
        for cut in extents.flat_map(cuts) {
            let mut way = BTreeSet::new();
            let mut at = Some(cut);
            while let Some((id, before)) = at.and_then(|id| Some((id, prev.get(&id)?))) {
                way.insert(id);
                at = *before;
            }
            ways.insert(cut, way);
        }
        Self { held, ways }
    }

    fn counts(&self, row: &DataRow) -> bool {
        let class = Data::decode(&row.bytes).map_or(0, |data| data.header.class);
        match self.held.roster.chains.get(&row.chain).map(|state| state.extent(class)) {
            Some(Extent::All) => true,
            Some(Extent::Upto(upto)) => upto.iter().any(|(_, cut)| self.ways[cut].contains(&row.id)),
            None => false,
        }
    }
}

fn cuts(extent: &Extent) -> Vec<EntryId> {
    match extent {
        Extent::All => Vec::new(),
        Extent::Upto(upto) => upto.iter().map(|(_, id)| *id).collect(),
    }
}
