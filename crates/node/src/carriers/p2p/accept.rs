//! Connections others open, and on every connection the links the peer opens. Must not dial.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use iroh::TransportAddr;
use iroh::endpoint::{Connection, Incoming, IncomingAddr, VarInt};
use parlor_wire::{PeerId, RoomId, called};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::link::{self, Stream};
use super::peers::Connected;
use super::{Shared, addresses, files};
use crate::carriers::CarrierEvent;

/// Connections that may be opened to us at once; who comes meanwhile tries again by itself.
const MAX_GREETING: usize = 64;
/// How long opening one may take.
const GREETING: Duration = Duration::from_secs(10);
/// How long a connection without a link is kept.
const UNUSED: Duration = Duration::from_secs(30);
/// How long the peer may hold back the right to open a link.
const OPENING: Duration = Duration::from_secs(5);
/// Told to a peer that opens a connection when there are enough.
const TOO_MANY: VarInt = VarInt::from_u32(3);
/// Told to a peer when nothing was to be said for a while.
const DONE: VarInt = VarInt::from_u32(0);

/// Takes connections until the carrier stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let greeting = Arc::new(Semaphore::new(MAX_GREETING));
    while let Some(incoming) = shared.endpoint.accept().await {
        if shared.near && !comes_from_near(&shared, &incoming) {
            incoming.ignore();
            continue;
        }
        if is_for_another(&shared.me, &incoming) {
            // An answer would be taken before that of who is called: peers keep each other's old addresses.
            incoming.ignore();
            continue;
        }
        // Once many greet at a time, who comes first shows that it is where it says: addresses can be made up.
        if greeting.available_permits() < MAX_GREETING / 2 && !incoming.remote_addr_validated() {
            if let Err(error) = incoming.retry() {
                tracing::debug!(%error, "an incoming connection was not asked to show its address");
            }
            continue;
        }
        match Arc::clone(&greeting).try_acquire_owned() {
            Ok(place) => shared.spawn(greet(Arc::clone(&shared), incoming, place)),
            Err(_) => incoming.ignore(),
        }
    }
}

/// Whether who calls is in the local network.
fn comes_from_near(shared: &Shared, incoming: &Incoming) -> bool {
    let IncomingAddr::Ip(at) = incoming.remote_addr() else { return false };
    let at = SocketAddr::new(at.ip().to_canonical(), at.port());
    at.ip().is_loopback() || addresses::is_near(&at, &shared.here.borrow().addresses)
}

/// Whether the first packet says that somebody else is called. One that cannot be read whole says nothing.
fn is_for_another(me: &PeerId, incoming: &Incoming) -> bool {
    let offered = incoming.decrypt().and_then(|packet| packet.alpns());
    offered.is_some_and(|names| called::is_for_another(me, names.flatten()))
}

async fn greet(shared: Arc<Shared>, incoming: Incoming, place: OwnedSemaphorePermit) {
    let connection = match timeout(GREETING, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%error, "an incoming connection failed"),
        Err(_) => return tracing::debug!("an incoming connection took too long"),
    };
    drop(place);
    if files::is_about_files(&connection) {
        let owned = Arc::clone(&shared);
        shared.spawn(async move { files::serve(&owned, connection).await });
        return;
    }
    attach(&shared, connection, false);
}

/// Takes a connection in and serves it; none if there are enough.
pub(super) fn attach(shared: &Arc<Shared>, connection: Connection, dialled: bool) -> Option<Arc<Connected>> {
    let kept = connection.clone();
    let Some(connected) = shared.peers.attach(connection, dialled) else {
        tracing::info!("too many connections, one more is refused");
        kept.close(TOO_MANY, b"too many connections");
        return None;
    };
    tracing::info!(peer = ?connected.peer, dialled, "connected");
    shared.spawn(serve(Arc::clone(shared), Arc::clone(&connected)));
    Some(connected)
}

/// Takes the links the peer opens, until the connection ends or nobody uses it.
async fn serve(shared: Arc<Shared>, connected: Arc<Connected>) {
    let mut learning = pin!(learn(&shared, &connected));
    loop {
        tokio::select! {
            () = &mut learning => {}
            stream = connected.connection.accept_bi() => match stream {
                Ok((send, recv)) => {
                    let stream = Stream { peer: connected.peer, room: None, send, recv };
                    carry(&shared, &connected, stream);
                }
                Err(error) => {
                    tracing::info!(peer = ?connected.peer, %error, "disconnected");
                    break;
                }
            },
            () = unused(&connected) => {
                tracing::debug!(peer = ?connected.peer, "closing a connection nobody uses");
                connected.connection.close(DONE, b"unused");
                break;
            }
        }
    }
    shared.peers.detach(&connected);
}

/// Tells the driver where the peer is reached, whenever a path is found; never ends.
async fn learn(shared: &Shared, connected: &Connected) {
    let mut all_paths = connected.connection.paths_stream();
    let mut told = Vec::new();
    while let Some(paths) = all_paths.next().await {
        let reached = paths.iter().filter_map(|path| match path.remote_addr() {
            TransportAddr::Ip(at) => Some(*at),
            _ => None,
        });
        let addresses = addresses::dialable(&reached.collect::<Vec<_>>());
        if !addresses.is_empty() && addresses != told {
            told.clone_from(&addresses);
            let (peer, near) = (connected.peer, shared.near);
            shared.tell(CarrierEvent::Learned { peer, addresses, near }).await;
        }
    }
    std::future::pending().await
}

async fn unused(connected: &Connected) {
    let mut links = connected.links.subscribe();
    loop {
        // The count cannot go away: it is part of the connection.
        let _ = links.wait_for(|count| *count == 0).await;
        if timeout(UNUSED, links.wait_for(|count| *count > 0)).await.is_err() {
            return;
        }
    }
}

/// Opens a link for a room and carries it to its end.
pub(super) async fn open(shared: &Arc<Shared>, connected: &Arc<Connected>, room: RoomId) {
    match timeout(OPENING, connected.connection.open_bi()).await {
        Ok(Ok((send, recv))) => {
            let stream = Stream { peer: connected.peer, room: Some(room), send, recv };
            let _ = carry(shared, connected, stream).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = ?connected.peer, %error, "no link could be opened"),
        Err(_) => tracing::debug!(peer = ?connected.peer, "the peer lets us open no more links"),
    }
}

/// Carries a link in a task of its own, which outlives a stop by what closing takes.
fn carry(shared: &Arc<Shared>, connected: &Arc<Connected>, stream: Stream) -> tokio::task::JoinHandle<()> {
    let used = Used::new(connected);
    let owned = Arc::clone(shared);
    let task = async move {
        link::run(&owned, stream).await;
        drop(used);
    };
    shared.tasks.spawn_on(task, &shared.runtime)
}

/// Counts a link of a connection while it lives.
#[derive(Debug)]
struct Used(watch::Sender<usize>);

impl Used {
    fn new(connected: &Connected) -> Self {
        let count = connected.links.clone();
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
