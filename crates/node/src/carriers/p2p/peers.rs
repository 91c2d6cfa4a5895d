//! Peers as this carrier knows them: where they may be, and the connections with them. Must not dial.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iroh::address_lookup::MemoryLookup;
use iroh::endpoint::{Connection, VarInt};
use iroh::{EndpointAddr, EndpointId, TransportAddr};
use parlor_core::engine::api::Places;
use parlor_wire::PeerId;
use tokio::sync::watch;

use super::addresses;
use super::relays::Relays;

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
    /// Relays the engine named, whether they may be contacted or not.
    relays: Vec<String>,
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
            && self.relays.is_empty()
            && self.seen.is_empty()
            && self.connections.is_empty()
            && self.news.receiver_count() == 0
    }

    /// Where it is called: on the LAN, where the engine knows it, and at relays that may be contacted.
    fn addresses(&self, relays: &Relays) -> Vec<TransportAddr> {
        let direct = self.seen.iter().chain(&self.told).copied().map(TransportAddr::Ip);
        direct.chain(relays.dialable(&self.relays).into_iter().map(TransportAddr::Relay)).collect()
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
    pub(super) fn told(&self, peer: PeerId, places: &Places, relays: &Relays) {
        let told = addresses::dialable(&places.addresses);
        self.change(peer, relays, |known| {
            known.told = told;
            known.relays.clone_from(&places.relays);
        });
    }

    /// Where a peer was seen on the LAN; nowhere when it is gone from there.
    pub(super) fn seen(&self, peer: PeerId, addresses: &[SocketAddr], relays: &Relays) {
        let seen = addresses::dialable(addresses);
        let all = self.locked();
        let known = all.get(&peer);
        let full = || all.values().filter(|known| !known.seen.is_empty()).count() >= MAX_SEEN;
        if known.is_none() && (seen.is_empty() || full()) {
            return;
        }
        drop(all);
        self.change(peer, relays, |known| known.seen = seen);
    }

    fn change(&self, peer: PeerId, relays: &Relays, change: impl FnOnce(&mut Known)) {
        let mut all = self.locked();
        let known = all.entry(peer).or_default();
        let before = known.addresses(relays);
        change(known);
        let now = known.addresses(relays);
        if now != before {
            self.write_down(peer, &now);
        }
        if now.iter().any(|at| !before.contains(at)) {
            known.news.send_replace(());
        }
        if known.unused() {
            all.remove(&peer);
        }
    }

    /// Keeps the endpoint's own book the same as ours.
    fn write_down(&self, peer: PeerId, addresses: &[TransportAddr]) {
        let Ok(id) = EndpointId::from_bytes(&peer.0) else { return };
        if addresses.is_empty() {
            self.book.remove_endpoint_info(id);
        } else {
            self.book.set_endpoint_info(EndpointAddr::from_parts(id, addresses.iter().cloned()));
        }
    }

    /// Relays may be contacted that could not before, or the other way round.
    pub(super) fn write_all_down(&self, relays: &Relays) {
        for (peer, known) in self.locked().iter().filter(|(_, known)| !known.relays.is_empty()) {
            self.write_down(*peer, &known.addresses(relays));
            known.news.send_replace(());
        }
    }

    pub(super) fn has_address(&self, peer: &PeerId, relays: &Relays) -> bool {
        self.locked().get(peer).is_some_and(|known| !known.addresses(relays).is_empty())
    }

    /// All connections there are.
    pub(super) fn all(&self) -> Vec<Arc<Connected>> {
        self.locked().values().flat_map(|known| &known.connections).cloned().collect()
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
    pub(super) fn unwanted(&self, peer: PeerId, relays: &Relays) {
        self.change(peer, relays, |known| {
            known.told.clear();
            known.relays.clear();
        });
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
