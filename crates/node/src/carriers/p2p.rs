//! The p2p carrier: QUIC between two nodes, straight from one to the other where that is possible, else through a relay.
//! No name service, no other server: what is contacted are the addresses the engine names, the relays that may be (see
//! `relays`) and, if wanted, the LAN's multicast group. One connection per peer, one bidirectional stream per link.
//! Must not look into frames.

mod accept;
mod addresses;
mod dial;
mod files;
mod lan;
mod link;
mod peers;
mod relays;
mod wake;

pub(crate) use files::{FileLink, FileLinkError, FileStream};
pub use relays::TrustedRoots;

pub use crate::config::RelaySetting;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use iroh::TransportAddr;
use iroh::address_lookup::MemoryLookup;
use iroh::endpoint::{BindOpts, PortmapperConfig, QuicTransportConfig, RelayMode, VarInt, presets};
use iroh::tls::CaTlsConfig;
use iroh::{Endpoint, RelayMap, SecretKey, Watcher};
use parlor_core::engine::api::{LinkId, NEAR, Places, WantedLink};
use parlor_wire::PeerId;
use parlor_wire::{file, frame};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Carrier, CarrierEvent, PathTo};

/// A peer that has said nothing for this long is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(12);
/// How often a quiet connection is kept alive: three may be lost before the peer counts as gone.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// What a round trip is taken for until one was measured: that of a near network, so that a lost first packet
/// is soon sent again, and an attempt nobody answers is soon given up at the end.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Links a peer may open on one connection at once: rooms shared with it.
const MAX_LINKS_PER_CONNECTION: u32 = 128;
/// Unread bytes of one link that are held.
const LINK_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Unread, and unacknowledged, bytes of all links of a connection that are held.
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// How long a closed link may take to hand over what was sent on it.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// How long a peer may take to answer when its path is tried.
const TRIAL: Duration = Duration::from_secs(2);
/// How long the goodbyes to all peers may take at the end.
const GOODBYE: Duration = Duration::from_secs(2);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the carrier did not start.
#[derive(Debug, thiserror::Error)]
pub enum P2pError {
    /// No UDP port could be had, not even a free one.
    #[error("this machine gave no UDP port: {0}")]
    Bind(#[source] Cause),
}

/// How the carrier is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct P2pStatus {
    /// The bound UDP port.
    pub port: u16,
    /// Where this node can be reached, best first.
    pub addresses: Vec<SocketAddr>,
    /// Peers there is a connection with.
    pub peers: usize,
    /// Open links.
    pub links: usize,
    /// Links that are kept up or dialled.
    pub wanted: usize,
    /// Whether peers are looked for on the LAN now.
    pub lan: bool,
    /// The relay this node is at, and whether it answers, where one may be contacted.
    pub relay: Option<RelayStatus>,
}

/// The relay a node is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Its URL.
    pub url: String,
    /// Whether it answers.
    pub connected: bool,
    /// Why not, as far as that is known.
    pub error: Option<String>,
}

/// How far a carrier reaches.
#[derive(Debug)]
pub enum Range {
    /// Wherever the network goes, through relays where they may be contacted.
    Far {
        /// Which may be.
        relay: RelaySetting,
        /// Whose certificates they may show.
        roots: TrustedRoots,
    },
    /// The local network; there are no relays on this endpoint.
    Near,
}

/// What a carrier is made from.
#[derive(Debug)]
pub struct P2pOptions {
    /// The UDP port; any free one where that is taken or none is given.
    pub port: Option<u16>,
    /// This node and its peers find each other by multicast DNS.
    pub lan: bool,
    /// How far it reaches.
    pub range: Range,
}

/// The carrier. Dropping it is a hard end; `shutdown` is the good one.
#[derive(Debug)]
pub struct P2p {
    shared: Arc<Shared>,
    dials: Arc<dial::Dials>,
    port: u16,
}

/// What all tasks of the carrier use.
#[derive(Debug)]
struct Shared {
    me: PeerId,
    endpoint: Endpoint,
    events: mpsc::Sender<CarrierEvent>,
    links: link::Links,
    peers: peers::Peers,
    /// It reaches the local network only.
    near: bool,
    relays: relays::Relays,
    /// Where this node can be reached, best first.
    here: watch::Sender<Places>,
    /// Changes when whatever was given up is worth another try at once: the network is another, or the machine woke.
    retry: watch::Sender<()>,
    /// Whether peers are looked for on the LAN now.
    on_lan: watch::Sender<bool>,
    /// Those who ask for files.
    callers: files::Callers,
    /// Connection attempts of ours that may run at once.
    dialling: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Shared {
    /// Runs a task until it ends or the carrier stops.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn_on(
            async move {
                stop.run_until_cancelled(task).await;
            },
            &self.runtime,
        );
    }

    /// Tells the driver, and waits for it if it is busy; once the carrier stops, only if it is not.
    async fn tell(&self, event: CarrierEvent) -> bool {
        tokio::select! {
            biased;
            sent = self.events.send(event) => sent.is_ok(),
            () = self.stop.cancelled() => false,
        }
    }
}

impl P2p {
    /// Starts. Needs no network: links come up when one does.
    pub async fn start(
        secret: &[u8; 32],
        options: P2pOptions,
        events: mpsc::Sender<CarrierEvent>,
    ) -> Result<Self, P2pError> {
        let book = MemoryLookup::new();
        let P2pOptions { port, lan, range } = options;
        let near = matches!(range, Range::Near);
        let (relay, roots) = match range {
            Range::Far { relay, roots } => (relay, roots),
            Range::Near => (RelaySetting::Off, TrustedRoots::default()),
        };
        let endpoint = bind(secret, port, &book, (relay != RelaySetting::Off).then_some(&roots)).await?;
        let port = endpoint.bound_sockets().iter().find(|at| at.is_ipv4()).map_or(0, SocketAddr::port);
        let relays = relays::Relays::new(relay);
        let addresses = addresses::ranked(endpoint.addr().ip_addrs().copied(), port);
        let here = Places { addresses, relays: relays.word().into_iter().collect() };
        tracing::info!(port, ?here, near, "the p2p carrier is up");
        let shared = Arc::new(Shared {
            me: PeerId(*endpoint.id().as_bytes()),
            endpoint,
            events,
            links: link::Links::new(if near { NEAR } else { 0 }),
            peers: peers::Peers::new(book),
            near,
            relays,
            here: watch::Sender::new(here),
            retry: watch::Sender::new(()),
            on_lan: watch::Sender::new(false),
            callers: files::Callers::default(),
            dialling: Semaphore::new(dial::MAX_DIALLING),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        });
        shared.spawn(accept::run(Arc::clone(&shared)));
        shared.spawn(addresses::run(Arc::clone(&shared), port));
        shared.spawn(wake::run(Arc::clone(&shared)));
        if lan {
            shared.spawn(lan::run(Arc::clone(&shared)));
        }
        Ok(Self { dials: Arc::new(dial::Dials::new(Arc::clone(&shared))), shared, port })
    }

    /// The bound UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How it is doing.
    pub fn status(&self) -> P2pStatus {
        P2pStatus {
            port: self.port,
            addresses: self.here().addresses,
            peers: self.shared.peers.connected(),
            links: self.shared.links.count(),
            wanted: self.dials.wanted(),
            lan: *self.shared.on_lan.borrow(),
            relay: self.relay(),
        }
    }

    fn relay(&self) -> Option<RelayStatus> {
        let status = self.shared.endpoint.home_relay_status().get().into_iter().next()?;
        Some(RelayStatus {
            url: status.url().to_string(),
            connected: status.is_connected(),
            error: status.last_error().map(ToString::to_string),
        })
    }

    /// On what its tasks run.
    pub(super) fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    /// The relays that are set.
    pub fn set_relays(&self) -> Vec<String> {
        self.shared.relays.set()
    }

    /// Lets relays be contacted: a person has been told which.
    pub fn allow_relays(&self) {
        if self.shared.relays.allow() {
            self.relays_changed();
        }
    }

    /// Which relays rooms need: none, or those that are set and those that tickets named.
    pub fn need_relays(&self, named: Option<Vec<String>>) {
        if self.shared.relays.need(named) {
            self.relays_changed();
        }
    }

    /// How a peer is reached, tried now: a stream that says nothing is opened, ended, and has to be taken.
    pub async fn try_path_to(&self, peer: &PeerId) -> Option<PathTo> {
        let connected = self.shared.peers.live(peer)?;
        let taken = async {
            let (mut send, _recv) = connected.connection.open_bi().await.ok()?;
            send.finish().ok()?;
            send.stopped().await.ok()
        };
        let answered = tokio::time::timeout(TRIAL, taken).await.is_ok_and(|taken| taken.is_some());
        Some(PathTo { answered, ..self.path_to(peer)? })
    }

    fn relays_changed(&self) {
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move {
            shared.relays.apply(&shared.endpoint).await;
            shared.peers.write_all_down(&shared.relays);
        });
    }

    /// Closes every link after what was sent on it, then the endpoint; within four seconds, usually at once. The carrier does nothing afterwards.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.links.close_all();
        self.shared.tasks.close();
        if tokio::time::timeout(CLOSE_GRACE, self.shared.tasks.wait()).await.is_err() {
            tracing::debug!("some links did not end in time");
        }
        if tokio::time::timeout(GOODBYE, self.shared.endpoint.close()).await.is_err() {
            tracing::debug!("some peers did not take the goodbye in time");
        }
    }
}

impl Drop for P2p {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.links.cut_all();
    }
}

impl Carrier for P2p {
    fn want(&self, links: Vec<(WantedLink, Places)>) {
        self.dials.want(links);
    }

    fn send(&self, link: LinkId, bytes: Vec<u8>) {
        self.shared.links.send(link, bytes);
    }

    fn close(&self, link: LinkId) {
        self.shared.links.close(link);
    }

    fn here(&self) -> Places {
        self.shared.here.borrow().clone()
    }

    fn path_to(&self, peer: &PeerId) -> Option<PathTo> {
        let connected = self.shared.peers.live(peer)?;
        let paths = connected.connection.paths();
        let path = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next())?;
        let at = match path.remote_addr() {
            TransportAddr::Ip(at) => at.to_string(),
            TransportAddr::Relay(url) => url.to_string(),
            other => format!("{other:?}"),
        };
        let round_trip_ms = u64::try_from(path.rtt().as_millis()).unwrap_or(u64::MAX);
        Some(PathTo { at, relayed: path.is_relay(), round_trip_ms, answered: false })
    }
}

/// Binds at the port wanted, else at any.
async fn bind(
    secret: &[u8; 32],
    port: Option<u16>,
    book: &MemoryLookup,
    relays: Option<&TrustedRoots>,
) -> Result<Endpoint, P2pError> {
    if let Some(port) = port {
        match bind_at(secret, port, book, relays).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => tracing::info!(port, %error, "the port cannot be had, any other will do"),
        }
    }
    bind_at(secret, 0, book, relays).await.map_err(P2pError::Bind)
}

/// With `relays` the endpoint can use some; it is given none yet.
async fn bind_at(
    secret: &[u8; 32],
    port: u16,
    book: &MemoryLookup,
    relays: Option<&TrustedRoots>,
) -> Result<Endpoint, Cause> {
    let optional = BindOpts::default().set_is_required(false);
    let mode = relays.map_or(RelayMode::Disabled, |_| RelayMode::Custom(RelayMap::empty()));
    let roots = relays.map(|roots| roots.0.clone()).unwrap_or_default();
    let endpoint = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(secret))
        .alpns(vec![frame::ALPN.to_vec(), file::ALPN.to_vec()])
        .relay_mode(mode)
        .ca_tls_config(CaTlsConfig::embedded().with_extra_roots(roots))
        .portmapper_config(PortmapperConfig::Disabled)
        .transport_config(quic())
        .address_lookup(book.clone())
        .clear_ip_transports()
        .bind_addr(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?
        .bind_addr_with_opts(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), optional)?
        .bind()
        .await?;
    Ok(endpoint)
}

fn quic() -> QuicTransportConfig {
    let idle_ms = u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    QuicTransportConfig::builder()
        .max_idle_timeout(Some(VarInt::from_u32(idle_ms).into()))
        .keep_alive_interval(KEEP_ALIVE)
        .initial_rtt(FIRST_ROUND_TRIP)
        .default_path_max_idle_timeout(IDLE_TIMEOUT)
        .default_path_keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_LINKS_PER_CONNECTION))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(LINK_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .build()
}
