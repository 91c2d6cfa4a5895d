//! One simulated node: the real engine over the real memory store, started and stopped like a process. Must hold
//! nothing across a crash but its store and its identity.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_core::engine::Engine;
use parlor_core::engine::api::{Effect, Event, Failure, LinkId, MessageView, Now, Outcome, RequestId};
use parlor_store::{MemoryStore, Store};
use parlor_wire::{PeerId, RoomId};

use crate::dial::Missed;
use crate::world::Happening;

/// Wall clock of the world at its beginning: a day in 2026.
pub const EPOCH_MS: u64 = 1_780_000_000_000;

/// What crossed the network at one end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64 + 4;
    }
}

/// One node.
pub struct Node {
    /// Its identity's secret.
    pub identity: [u8; 32],
    /// Its identity.
    pub peer: PeerId,
    /// What it calls itself.
    pub nick: String,
    /// Its disk.
    pub store: MemoryStore,
    /// Its process, while it runs.
    pub engine: Option<Engine>,
    /// What has come in, if it is no engine but a puppet a test plays.
    pub puppet: Option<VecDeque<Event>>,
    /// How often it was started.
    pub run: u64,
    /// When it was started, by the world's clock.
    pub started_ms: u64,
    /// What its wall clock is off by.
    pub skew_ms: i64,
    /// Answers, by request.
    pub replies: BTreeMap<RequestId, Result<Outcome, Failure>>,
    /// Requests that have not been answered.
    pub asked: BTreeSet<RequestId>,
    /// What has arrived since it was started.
    pub arrived: Vec<MessageView>,
    /// Effects that wait for their batch to be committed.
    pub pending: Vec<Vec<Effect>>,
    /// Links its process has open.
    pub links: BTreeMap<LinkId, Socket>,
    /// When its next tick is due, by the world's clock.
    pub tick_at: Option<u64>,
    /// When it will look for links to dial.
    pub dial_at: Option<u64>,
    /// Whether a flush of pending effects is on its way.
    pub flush_at: Option<u64>,
    /// When its machine was put to sleep with all that runs on it, by the world's clock.
    pub suspended: Option<u64>,
    /// How long its monotonic clock stood still meanwhile.
    pub stood_ms: u64,
    /// What it sent.
    pub sent: Traffic,
    /// What came to it.
    pub got: Traffic,
    /// Connections it tried to make, with the peers it was not connected with.
    pub dials: u64,
    /// Real time its engine worked.
    pub spent: std::time::Duration,
    /// What waits for its machine to wake.
    pub(crate) kept: Vec<Happening>,
    /// Peers that were dialled in vain.
    pub(crate) missed: BTreeMap<PeerId, Missed>,
    pub(crate) next_link: LinkId,
    /// Peers whose links end as soon as they begin: how often in a row, and when to try again.
    pub(crate) patience: BTreeMap<(PeerId, RoomId), (u32, u64)>,
}

/// What a link is to the node's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// The cable.
    pub cable: usize,
    /// Which end of it: 0 dialled.
    pub side: usize,
    /// Who is at the other end.
    pub peer: PeerId,
    /// For which room it was dialled.
    pub room: RoomId,
    /// When it came up.
    pub since_ms: u64,
}

impl Node {
    /// A node that has never run.
    pub fn new(identity: [u8; 32], nick: &str, skew_ms: i64) -> Self {
        let (engine, _) = Engine::restore(
            Now { wall_ms: 0, mono_ms: 0 },
            &identity,
            [0; 32],
            nick,
            parlor_core::persist::Snapshot::default(),
        );
        Self {
            identity,
            peer: engine.me(),
            nick: nick.to_owned(),
            store: MemoryStore::new(),
            engine: None,
            puppet: None,
            run: 0,
            started_ms: 0,
            skew_ms,
            replies: BTreeMap::new(),
            asked: BTreeSet::new(),
            arrived: Vec::new(),
            pending: Vec::new(),
            links: BTreeMap::new(),
            tick_at: None,
            dial_at: None,
            flush_at: None,
            suspended: None,
            stood_ms: 0,
            sent: Traffic::default(),
            got: Traffic::default(),
            dials: 0,
            spent: std::time::Duration::ZERO,
            kept: Vec::new(),
            missed: BTreeMap::new(),
            next_link: 1,
            patience: BTreeMap::new(),
        }
    }

    /// Its clocks; the monotonic one begins at its start.
    pub fn now(&self, world_ms: u64) -> Now {
        Now {
            wall_ms: (EPOCH_MS + world_ms).saturating_add_signed(self.skew_ms),
            mono_ms: world_ms - self.started_ms - self.stood_ms,
        }
    }

    /// Starts its process from its disk.
    pub fn start(&mut self, world_ms: u64, seed: [u8; 32]) {
        self.run += 1;
        self.started_ms = world_ms;
        let snapshot = self.store.reopen().and_then(|()| self.store.load());
        let snapshot = snapshot.unwrap_or_else(|error| panic!("the store does not load: {error}"));
        let (engine, ops) = Engine::restore(self.now(world_ms), &self.identity, seed, &self.nick, snapshot);
        self.store.commit(&ops).unwrap_or_else(|error| panic!("the first commit failed: {error}"));
        self.engine = Some(engine);
    }

    /// Ends its process without a word to it.
    pub fn stop(&mut self) {
        self.engine = None;
        self.puppet = None;
        self.links.clear();
        self.patience.clear();
        self.missed.clear();
        self.kept.clear();
        self.suspended = None;
        self.stood_ms = 0;
        self.pending.clear();
        self.asked.clear();
        self.arrived.clear();
        self.tick_at = None;
        self.dial_at = None;
        self.flush_at = None;
    }

    /// A link it dialled is gone: the next is dialled after a while, longer if this one was of no use.
    pub(crate) fn link_gone(&mut self, socket: &Socket, world_ms: u64) {
        let key = (socket.peer, socket.room);
        if socket.side != 0 || world_ms > socket.since_ms + 5_000 {
            self.patience.remove(&key);
            return;
        }
        let (count, at) = self.patience.entry(key).or_insert((0, 0));
        *at = world_ms + (500 << *count).min(60_000);
        *count = (*count + 1).min(7);
    }

    /// Whether it waits before dialling that peer again.
    pub(crate) fn waits_for(&self, peer: PeerId, room: RoomId, world_ms: u64) -> bool {
        self.patience.get(&(peer, room)).is_some_and(|(_, at)| *at > world_ms)
    }

    /// Whether it runs and its machine does not sleep.
    pub fn is_awake(&self) -> bool {
        self.runs() && self.suspended.is_none()
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.engine.is_some() || self.puppet.is_some()
    }
}
