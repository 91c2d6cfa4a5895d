//! Peers as this carrier knows them: where they may be, and the connections with them. Must not dial.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iroh::address_lookup::MemoryLookup;
use iroh::endpoint::{Connection, VarInt};
use iroh::{EndpointAddr, EndpointId, TransportAddr};
use parlor_wire::PeerId;
use tokio::sync::watch;

use super::addresses;

/// Connections with one peer: one, or two where both dialled at once, and some that are just ending.
const MAX_PER_PEER: usize = 4;
/// Connections others opened: a large room, and room for some strangers.
const MAX_ACCEPTED: usize = 1024;
/// Peers remembered only because they were seen on the LAN.
const MAX_SEEN: usize = 1024;
/// A peer that uses its connection does not open another; if it does after this time, it has lost the first.
const SETTLED: Duration = Duration::from_secs(5);
/// Told to a peer whose newer connection takes the place of this one.
const REPLACED: VarInt = VarInt::from_u32(2);

/// A connection with a peer.
#[derive(Debug)]
pub(super) struct Connected {
    pub peer: PeerId,
    pub connection: Connection,
    /// Whether this side opened it.
    pub dialled: bool,
    /// Since when.
    pub since: Instant,
    /// How many links use it.
    pub links: watch::Sender<usize>,
}

/// All peers that are wanted, connected or seen on the LAN.
#[derive(Debug)]
pub(super) struct Peers {
    known: Mutex<HashMap<PeerId, Known>>,
    /// Where iroh looks addresses up.
    book: MemoryLookup,
}

#[derive(Debug, Default)]
struct Known {
    /// Addresses the engine named.
    told: Vec<SocketAddr>,
    /// Addresses it was seen at on the LAN.
    seen: Vec<SocketAddr>,
    /// Oldest first.
    connections: Vec<Arc<Connected>>,
    /// Changes when there is an address or a connection that was not there before.
    news: watch::Sender<()>,
}

impl Known {
    fn live(&self) -> Option<&Arc<Connected>> {
        self.connections.iter().find(|one| one.connection.close_reason().is_none())
    }

    fn unused(&self) -> bool {
        self.told.is_empty()
            && self.seen.is_empty()
            && self.connections.is_empty()
            && self.news.receiver_count() == 0
    }

    fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.seen.iter().chain(&self.told).copied()
    }
}

impl Peers {
    pub(super) fn new(book: MemoryLookup) -> Self {
        Self { known: Mutex::default(), book }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<PeerId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What wakes whoever waits for an address of a peer or a connection with it.
    pub(super) fn news(&self, peer: PeerId) -> watch::Receiver<()> {
        self.locked().entry(peer).or_default().news.subscribe()
    }

    /// Where the engine knows a peer.
    pub(super) fn told(&self, peer: PeerId, addresses: &[SocketAddr]) {
        let told = addresses::dialable(addresses);
        self.change(peer, |known| known.told = told);
    }

    /// Where a peer was seen on the LAN; nowhere when it is gone from there.
    pub(super) fn seen(&self, peer: PeerId, addresses: &[SocketAddr]) {
        let seen = addresses::dialable(addresses);
        let all = self.locked();
        let known = all.get(&peer);
        let full = || all.values().filter(|known| !known.seen.is_empty()).count() >= MAX_SEEN;
        if known.is_none() && (seen.is_empty() || full()) {
            return;
        }
        drop(all);
        self.change(peer, |known| known.seen = seen);
    }

    fn change(&self, peer: PeerId, change: impl FnOnce(&mut Known)) {
        let mut all = self.locked();
        let known = all.entry(peer).or_default();
        let before: Vec<SocketAddr> = known.addresses().collect();
        change(known);
        if known.addresses().ne(before.iter().copied()) {
            self.write_down(peer, known);
        }
        if known.addresses().any(|at| !before.contains(&at)) {
            known.news.send_replace(());
        }
        if known.unused() {
            all.remove(&peer);
        }
    }

    /// Keeps the endpoint's own book the same as ours.
    fn write_down(&self, peer: PeerId, known: &Known) {
        let Ok(id) = EndpointId::from_bytes(&peer.0) else { return };
        let addresses: Vec<TransportAddr> = known.addresses().map(TransportAddr::Ip).collect();
        if addresses.is_empty() {
            self.book.remove_endpoint_info(id);
        } else {
            self.book.set_endpoint_info(EndpointAddr::from_parts(id, addresses));
        }
    }

    pub(super) fn has_address(&self, peer: &PeerId) -> bool {
        self.locked().get(peer).is_some_and(|known| known.addresses().next().is_some())
    }

    /// The connection to use with a peer.
    pub(super) fn live(&self, peer: &PeerId) -> Option<Arc<Connected>> {
        self.locked().get(peer)?.live().cloned()
    }

    /// Takes a new connection in; none if there are enough.
    pub(super) fn attach(&self, connection: Connection, dialled: bool) -> Option<Arc<Connected>> {
        let peer = PeerId(*connection.remote_id().as_bytes());
        let mut all = self.locked();
        if !dialled && accepted(&all) >= MAX_ACCEPTED {
            return None;
        }
        let known = all.entry(peer).or_default();
        if !dialled {
            for old in known.connections.iter().filter(|old| old.since.elapsed() >= SETTLED) {
                old.connection.close(REPLACED, b"replaced");
            }
        }
        known.connections.retain(|old| old.connection.close_reason().is_none());
        if known.connections.len() >= MAX_PER_PEER {
            return None;
        }
        let since = Instant::now();
        let one = Arc::new(Connected { peer, connection, dialled, since, links: watch::Sender::new(0) });
        known.connections.push(Arc::clone(&one));
        known.news.send_replace(());
        Some(one)
    }

    /// Forgets a connection that has ended.
    pub(super) fn detach(&self, gone: &Arc<Connected>) {
        let mut all = self.locked();
        let Some(known) = all.get_mut(&gone.peer) else { return };
        known.connections.retain(|one| !Arc::ptr_eq(one, gone));
        if known.unused() {
            all.remove(&gone.peer);
        }
    }

    /// Forgets where the engine knew a peer it wants no more.
    pub(super) fn unwanted(&self, peer: PeerId) {
        self.change(peer, |known| known.told.clear());
        self.locked().retain(|_, known| !known.unused());
    }

    /// Peers there is a connection with.
    pub(super) fn connected(&self) -> usize {
        self.locked().values().filter(|known| known.live().is_some()).count()
    }
}

fn accepted(all: &HashMap<PeerId, Known>) -> usize {
    all.values().flat_map(|known| &known.connections).filter(|one| !one.dialled).count()
}
