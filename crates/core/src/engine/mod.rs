//! The engine: all rooms of one identity, and every rule of theirs. `handle(now, event) → effects`; it never
//! touches clock, disk or network. What must be durable comes first in the effects.

pub mod api;
mod asking;
mod asks;
pub mod audit;
mod authoring;
mod bounds;
mod commands;
mod control;
mod cuts;
mod delivery;
mod direct;
mod exporting;
pub mod files;
mod ingest;
mod link;
mod linking;
pub mod mesh;
mod passing;
pub mod pause;
mod peers;
mod presence;
mod pull;
mod push;
mod quiet;
pub mod receipts;
mod repair;
mod restore;
mod revoking;
mod ruling;
mod views;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_wire::{EntryId, PeerId, RoomId};

use crate::crypto::Hedge;
use crate::identity::Identity;
use crate::persist::{Loaded, Op, Query, Table};
use crate::room::Room;
use crate::room::counting::CutAt;
use crate::room::record::{LocalRecord, PeerRecord};
use api::{Effect, Event, Failure, LinkId, LoadToken, MessageView, Now, Outcome, RequestId};
pub use restore::{OWN_HEDGE, OWN_NICK, OWN_REVOKED, OWN_SEALING, OWN_SIGNALS};

/// Requests remembered in memory beside the store, for retries that come before the first is durable.
const RECENT_REQUESTS: usize = 1024;

/// All rooms of one identity.
pub struct Engine {
    now: Now,
    me: PeerId,
    identity: Identity,
    hedge: Hedge,
    nick: String,
    /// Since when this identity is revoked, by its own word here.
    revoked: Option<parlor_wire::TimeMs>,
    rooms: BTreeMap<RoomId, Room>,
    peers: BTreeMap<PeerId, PeerRecord>,
    ticket_seeds: BTreeMap<(RoomId, EntryId), zeroize::Zeroizing<[u8; 32]>>,
    links: BTreeMap<LinkId, link::Link>,
    deliveries: delivery::Deliveries,
    urgents: asks::Urgents,
    receipts: receipts::Receipts,
    pairs: quiet::Pairs,
    spent: quiet::Spent,
    presence: presence::PresenceBook,
    whereabouts: whereabouts::WhereaboutsBook,
    meshes: linking::Meshes,
    files: files::FilesBook,
    repairs: repair::Repairs,
    pauses: pause::Pauses,
    reach: Vec<push::ReachWait>,
    join_waits: Vec<commands::JoinWait>,
    recent_requests: BTreeMap<String, crate::room::record::RequestRecord>,
    request_order: VecDeque<String>,
    loads: BTreeMap<LoadToken, Pending>,
    next_load: LoadToken,
    /// Gathered while one event is handled.
    ops: Vec<Op>,
    effects: Vec<Effect>,
    arrived: Vec<MessageView>,
    touched_rooms: BTreeSet<RoomId>,
}

/// What a load was for.
enum Pending {
    Send { request: RequestId, send: Box<api::Send> },
    Messages { request: RequestId },
    Listed { request: RequestId },
    Serve { link: LinkId, want: parlor_wire::frame::DataWant },
    Reopen { room: RoomId, key: parlor_wire::KeyId, chain: EntryId, from_seq: u64 },
    Cuts { room: RoomId, cuts: Vec<CutAt> },
    Path(Box<cuts::PathJob>),
    Batch(Box<ingest::Batch>),
    Behind { room: RoomId, link: LinkId, claims: Vec<(EntryId, parlor_wire::frame::Tip)> },
    Take(Box<delivery::TakeJob>),
    Unread(Box<delivery::UnreadJob>),
}

impl Engine {
    /// The identity it runs for.
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Takes one event in. The effects are to be carried out in order; the first may be a `Persist`.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Command { request, command } => self.command(request, command),
            Event::LinkUp { link, peer, room } => self.link_up(link, peer, room),
            Event::Frame { link, bytes } => self.frame(link, &bytes),
            Event::LinkDown { link } => self.link_down(link),
            Event::Loaded { token, loaded } => self.loaded(token, loaded),
            Event::Tick => self.tick(),
        }
        self.finish()
    }

    /// When the next `Tick` is due, by the monotonic clock.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let dirty = self.links.values().filter_map(link::Link::deadline_ms).min();
        let reach = self.reach.iter().map(|wait| wait.deadline_ms).min();
        let joins = self.join_waits.iter().map(|wait| wait.deadline_ms).min();
        let repairs = self.repairs.deadline_ms();
        let presence = self.presence.deadline_ms();
        let pauses = self.pauses.deadline_ms();
        let whereabouts = self.whereabouts.deadline_ms();
        let meshes = self.meshes.deadline_ms();
        let urgents = self.urgents.deadline_ms();
        let all = [
            dirty,
            reach,
            joins,
            repairs,
            presence,
            pauses,
            whereabouts,
            meshes,
            urgents,
            self.receipts.deadline_ms(),
        ];
        all.into_iter().flatten().min()
    }

    fn tick(&mut self) {
        // First what may open links or ask for things, so that no deadline it sets is already past.
        self.tick_links();
        self.tick_reach();
        self.tick_joins();
        self.tick_repairs();
        self.tick_presence();
        self.tick_pauses();
        self.tick_whereabouts();
        self.tick_urgents();
        self.tick_receipts();
        // Last, because all of these may end links.
        self.tick_meshes();
    }

    fn finish(&mut self) -> Vec<Effect> {
        for room in std::mem::take(&mut self.touched_rooms) {
            self.put_local(room);
        }
        if !self.arrived.is_empty() {
            let arrived = std::mem::take(&mut self.arrived);
            self.effects.push(Effect::Arrived(arrived));
        }
        let mut effects = Vec::with_capacity(self.effects.len() + 1);
        if !self.ops.is_empty() {
            effects.push(Effect::Persist(std::mem::take(&mut self.ops)));
        }
        effects.append(&mut self.effects);
        effects
    }

    fn loaded(&mut self, token: LoadToken, loaded: Option<Loaded>) {
        let Some(pending) = self.loads.remove(&token) else { return };
        match pending {
            Pending::Send { request, send } => self.send_checked(request, *send, loaded),
            Pending::Messages { request } => self.messages_loaded(request, loaded),
            Pending::Listed { request } => self.listed(request, loaded),
            Pending::Serve { link, want } => self.serve_loaded(link, &want, loaded),
            Pending::Reopen { room, key, chain, from_seq } => {
                self.reopen_loaded(room, (key, chain), from_seq, loaded);
            }
            Pending::Cuts { room, cuts } => self.cuts_loaded(room, cuts, loaded),
            Pending::Path(job) => self.path_loaded(*job, loaded),
            Pending::Batch(batch) => self.batch_loaded(*batch, loaded),
            Pending::Behind { room, link, claims } => self.behind_loaded(room, link, claims, loaded),
            Pending::Take(job) => self.take_loaded(*job, loaded),
            Pending::Unread(job) => self.unread_loaded(*job, loaded),
        }
    }

    fn load(&mut self, query: Query, pending: Pending) {
        let token = self.next_load;
        self.next_load += 1;
        self.loads.insert(token, pending);
        self.effects.push(Effect::Load { token, query });
    }

    fn reply(&mut self, request: RequestId, outcome: Result<Outcome, Failure>) {
        self.effects.push(Effect::Reply { request, outcome });
    }

    fn note(&mut self, text: impl Into<String>) {
        self.effects.push(Effect::Note(text.into()));
    }

    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.ops.push(Op::Put { table, key, value });
    }

    fn put_local(&mut self, room: RoomId) {
        if let Some(held) = self.rooms.get(&room) {
            let value = parlor_wire::cbor::encode(&held.local);
            self.put(Table::Room, room.0.to_vec(), value);
        }
    }

    /// Changes what is local about a room; written once at the end of the event.
    fn local(&mut self, room: RoomId, change: impl FnOnce(&mut LocalRecord)) {
        if let Some(held) = self.rooms.get_mut(&room) {
            change(&mut held.local);
            self.touched_rooms.insert(room);
        }
    }

    /// A warning people should see, kept once and bounded.
    fn warn(&mut self, room: RoomId, text: String) {
        self.note(format!("{}: {text}", room.short()));
        self.local(room, |local| {
            if !local.warnings.contains(&text) && local.warnings.len() < 16 {
                local.warnings.push(text);
            }
        });
    }
}
