//! The p2p carrier: QUIC between two nodes, straight from one to the other. No relay, no name service, no
//! server of anybody's: what is contacted are the addresses the engine names and, if wanted, the LAN's
//! multicast group. One connection per peer, one bidirectional stream per link. Must not look into frames.

mod accept;
mod addresses;
mod dial;
mod lan;
mod link;
mod peers;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use iroh::address_lookup::MemoryLookup;
use iroh::endpoint::{BindOpts, PortmapperConfig, QuicTransportConfig, RelayMode, VarInt, presets};
use iroh::{Endpoint, SecretKey};
use parlor_core::engine::api::{LinkId, WantedLink};
use parlor_wire::PeerId;
use parlor_wire::frame::ALPN;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Carrier, CarrierEvent};

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
    /// Where this node can be reached, best first.
    here: watch::Sender<Vec<SocketAddr>>,
    /// Whether peers are looked for on the LAN now.
    on_lan: watch::Sender<bool>,
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
    /// Starts at `port`, or at any free one where that is taken or none is given. Needs no network: links come
    /// up when one does. With `lan`, this node and its peers find each other by multicast DNS.
    pub async fn start(
        secret: &[u8; 32],
        port: Option<u16>,
        lan: bool,
        events: mpsc::Sender<CarrierEvent>,
    ) -> Result<Self, P2pError> {
        let book = MemoryLookup::new();
        let endpoint = bind(secret, port, &book).await?;
        let port = endpoint.bound_sockets().iter().find(|at| at.is_ipv4()).map_or(0, SocketAddr::port);
        let here = addresses::ranked(endpoint.addr().ip_addrs().copied(), port);
        tracing::info!(port, ?here, "the p2p carrier is up");
        let shared = Arc::new(Shared {
            me: PeerId(*endpoint.id().as_bytes()),
            endpoint,
            events,
            links: link::Links::default(),
            peers: peers::Peers::new(book),
            here: watch::Sender::new(here),
            on_lan: watch::Sender::new(false),
            dialling: Semaphore::new(dial::MAX_DIALLING),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        });
        shared.spawn(accept::run(Arc::clone(&shared)));
        shared.spawn(addresses::run(Arc::clone(&shared), port));
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
            addresses: self.addresses(),
            peers: self.shared.peers.connected(),
            links: self.shared.links.count(),
            wanted: self.dials.wanted(),
            lan: *self.shared.on_lan.borrow(),
        }
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
    fn want(&self, links: Vec<(WantedLink, Vec<SocketAddr>)>) {
        self.dials.want(links);
    }

    fn send(&self, link: LinkId, bytes: Vec<u8>) {
        self.shared.links.send(link, bytes);
    }

    fn close(&self, link: LinkId) {
        self.shared.links.close(link);
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.here.borrow().clone()
    }
}

/// Binds at the port wanted, else at any.
async fn bind(secret: &[u8; 32], port: Option<u16>, book: &MemoryLookup) -> Result<Endpoint, P2pError> {
    if let Some(port) = port {
        match bind_at(secret, port, book).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => tracing::info!(port, %error, "the port cannot be had, any other will do"),
        }
    }
    bind_at(secret, 0, book).await.map_err(P2pError::Bind)
}

async fn bind_at(secret: &[u8; 32], port: u16, book: &MemoryLookup) -> Result<Endpoint, Cause> {
    let optional = BindOpts::default().set_is_required(false);
    let endpoint = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(secret))
        .alpns(vec![ALPN.to_vec()])
        .relay_mode(RelayMode::Disabled)
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
