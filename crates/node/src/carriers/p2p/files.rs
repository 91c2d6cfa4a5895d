//! Connections about files: a protocol name of their own beside the links', so that a file has windows of its own and stands
//! in no message's way. Who may have what is decided elsewhere. Must not look into what is sent.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use iroh::endpoint::{
    ConnectOptions, ConnectWithOptsError, ConnectingError, Connection, ConnectionError, RecvStream,
    SendStream, VarInt,
};
use iroh::{EndpointAddr, EndpointId, TransportAddr};
use parlor_core::engine::api::Places;
use parlor_wire::file::ALPN;
use parlor_wire::{PeerId, called};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{P2p, Shared, addresses};

/// Connections about files that others opened.
const MAX_CONNECTIONS: usize = 64;
/// Of these, of one peer.
const MAX_OF_PEER: usize = 4;
/// How long one may be open without a request.
const IDLE: Duration = Duration::from_secs(30);
/// How long opening one may take.
const OPENING: Duration = Duration::from_secs(5);
/// Told to a peer when there are enough.
const TOO_MANY: VarInt = VarInt::from_u32(3);
/// Told to a peer when everything was said.
const DONE: VarInt = VarInt::from_u32(0);

/// A stream on which a peer asks for a file.
pub(crate) struct FileStream {
    /// Who, authenticated.
    pub peer: PeerId,
    /// On a path that stays in the local network.
    pub near: bool,
    pub send: SendStream,
    pub recv: RecvStream,
    connection: Connection,
}

impl Drop for FileStream {
    fn drop(&mut self) {
        // Who was served, or is not, holds no place here.
        self.connection.close(DONE, b"done");
    }
}

/// A stream on which this node asks for one, and its connection, which ends with it.
pub(crate) struct FileLink {
    pub send: SendStream,
    pub recv: RecvStream,
    connection: Connection,
}

impl Drop for FileLink {
    fn drop(&mut self) {
        self.connection.close(DONE, b"done");
    }
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileLinkError {
    #[error("this is no identity's key")]
    NoIdentity,
    #[error("nobody answered in time")]
    Silence,
    #[error("the carrier of the local network does not run: {0}")]
    NoCarrier(String),
    #[error(transparent)]
    Call(#[from] ConnectWithOptsError),
    #[error(transparent)]
    Handshake(#[from] ConnectingError),
    #[error(transparent)]
    Lost(#[from] ConnectionError),
    #[error("this machine gave no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
    #[error("the carrier is stopping")]
    Stopping,
}

/// Where callers go, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Callers {
    to: OnceLock<mpsc::Sender<FileStream>>,
    open: Mutex<HashMap<PeerId, usize>>,
}

impl Callers {
    fn enter(&self, peer: PeerId) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MAX_CONNECTIONS {
            return false;
        }
        let count = open.entry(peer).or_default();
        let enters = *count < MAX_OF_PEER;
        *count += usize::from(enters);
        enters
    }

    fn leave(&self, peer: &PeerId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(peer);
            }
        }
    }
}

/// Whether a connection is about files.
pub(super) fn is_about_files(connection: &Connection) -> bool {
    connection.alpn() == ALPN
}

/// Takes a peer's requests until it asks for nothing more.
pub(super) async fn serve(shared: &Shared, connection: Connection) {
    let peer = PeerId(*connection.remote_id().as_bytes());
    let Some(to) = shared.callers.to.get() else { return connection.close(TOO_MANY, b"not now") };
    if !shared.callers.enter(peer) {
        return connection.close(TOO_MANY, b"too many connections");
    }
    if let Ok(Ok((send, recv))) = timeout(IDLE, connection.accept_bi()).await {
        let caller = FileStream { peer, near: shared.near, send, recv, connection: connection.clone() };
        // Who is not taken in time asks another member, or again.
        _ = to.try_send(caller);
        connection.closed().await;
    }
    shared.callers.leave(&peer);
}

impl P2p {
    /// Where those go who ask for files; until it is said, nobody is taken.
    pub(crate) fn serve_files(&self, to: mpsc::Sender<FileStream>) {
        // Said once, at the start.
        _ = self.shared.callers.to.set(to);
    }

    /// A stream to a peer, on a connection of its own.
    pub(crate) async fn open_file(&self, peer: &PeerId, places: &Places) -> Result<FileLink, FileLinkError> {
        let shared = &self.shared;
        let id = EndpointId::from_bytes(&peer.0).map_err(|_| FileLinkError::NoIdentity)?;
        let mut salt = [0; called::SALT_BYTES];
        getrandom::fill(&mut salt)?;
        let options = ConnectOptions::new().with_additional_alpns(vec![called::offer(peer, &salt)]);
        let address = EndpointAddr::from_parts(id, self.ways_to(peer, places));
        let open = async {
            let _place = shared.dialling.acquire().await.map_err(|_| FileLinkError::Stopping)?;
            let connection = shared.endpoint.connect_with_opts(address, ALPN, options).await?.await?;
            let (send, recv) = connection.open_bi().await?;
            Ok(FileLink { send, recv, connection })
        };
        timeout(OPENING, open).await.map_err(|_| FileLinkError::Silence)?
    }

    /// Where a peer may be: at the other end of a link there is, where the engine knows it, at relays that may be contacted.
    fn ways_to(&self, peer: &PeerId, places: &Places) -> Vec<TransportAddr> {
        let shared = &self.shared;
        let mut direct = addresses::dialable(&places.addresses);
        if shared.near {
            let here = shared.here.borrow().addresses.clone();
            direct.retain(|at| at.ip().is_loopback() || addresses::is_near(at, &here));
        }
        let mut ways: Vec<TransportAddr> = direct.into_iter().map(TransportAddr::Ip).collect();
        if let Some(connected) = shared.peers.live(peer) {
            ways.extend(connected.connection.paths().iter().map(|path| path.remote_addr().clone()));
        }
        ways.extend(shared.relays.dialable(&places.relays).into_iter().map(TransportAddr::Relay));
        ways
    }
}
