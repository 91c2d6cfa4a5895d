//! The carriers of a node: one for rooms that may travel anywhere, and, once there is such a room, one for rooms that
//! stay in the local network. They are two endpoints because a QUIC connection goes over to whatever path works best: on
//! the second there is no relay it could go over to, and nothing that looks addresses up. Must not look into frames.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parlor_core::engine::api::{LinkId, NEAR, Places, WantedLink};
use parlor_wire::PeerId;
use tokio::sync::{OnceCell, mpsc};
use zeroize::Zeroizing;

use super::p2p::{
    FileLink, FileLinkError, FileStream, P2p, P2pError, P2pOptions, P2pStatus, Range, RelaySetting,
    TrustedRoots,
};
use super::{Carrier, CarrierEvent, PathTo};

/// What the carriers are made from.
#[derive(Debug)]
pub struct BothOptions {
    /// The identity's.
    pub secret: Zeroizing<[u8; 32]>,
    /// The UDP port of the first.
    pub port: Option<u16>,
    /// Whether peers are looked for on the LAN.
    pub lan: bool,
    /// Which relays may be contacted.
    pub relay: RelaySetting,
    /// Whose certificates relays may show besides the well-known ones.
    pub roots: TrustedRoots,
}

/// The carriers of a node.
#[derive(Debug)]
pub struct Both {
    options: BothOptions,
    events: mpsc::Sender<CarrierEvent>,
    far: P2p,
    near: OnceCell<P2p>,
    /// What the second is to keep up, as long as it has not been told.
    near_wanted: Mutex<Option<Vec<(WantedLink, Places)>>>,
    /// Where those go who ask for files.
    callers: OnceLock<mpsc::Sender<FileStream>>,
}

impl Both {
    /// Starts the first; the second starts with the first room that needs it.
    pub async fn start(
        options: BothOptions,
        events: mpsc::Sender<CarrierEvent>,
    ) -> Result<Arc<Self>, P2pError> {
        let far = P2p::start(
            &options.secret,
            P2pOptions {
                port: options.port,
                lan: options.lan,
                range: Range::Far { relay: options.relay.clone(), roots: options.roots.clone() },
            },
            events.clone(),
        )
        .await?;
        let (near, near_wanted) = (OnceCell::new(), Mutex::default());
        let callers = OnceLock::new();
        Ok(Arc::new(Self { options, events, far, near, near_wanted, callers }))
    }

    /// The second, started if it is not there.
    pub async fn near(&self) -> Result<&P2p, P2pError> {
        let start = || async {
            let options = P2pOptions { port: None, lan: self.options.lan, range: Range::Near };
            let carrier = P2p::start(&self.options.secret, options, self.events.clone()).await?;
            self.callers.get().cloned().into_iter().for_each(|to| carrier.serve_files(to));
            Ok(carrier)
        };
        self.near.get_or_try_init(start).await
    }

    /// The links that should exist: those of rooms that stay in the local network, and all others.
    pub fn want(self: &Arc<Self>, near: Vec<(WantedLink, Places)>, far: Vec<(WantedLink, Places)>) {
        self.far.want(far);
        let needed = !near.is_empty();
        // Under the lock, so that who starts the second tells it nothing older than this.
        let mut waiting = self.near_wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(near);
        if let Some(carrier) = self.near.get() {
            carrier.want(waiting.take().unwrap_or_default());
        } else if needed {
            let both = Arc::clone(self);
            self.far.runtime().spawn(async move { both.start_near().await });
        }
    }

    async fn start_near(&self) {
        match self.near().await {
            Ok(carrier) => {
                let mut waiting = self.near_wanted.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(wanted) = waiting.take() {
                    carrier.want(wanted);
                }
            }
            Err(error) => tracing::error!(%error, "rooms of the local network cannot be carried"),
        }
    }

    /// Which relays rooms need: none, or those that are set and those that tickets named.
    pub fn need_relays(&self, named: Option<Vec<String>>) {
        self.far.need_relays(named);
    }

    /// Lets relays be contacted: a person has been told which.
    pub fn allow_relays(&self) {
        self.far.allow_relays();
    }

    /// The relays that may be contacted, as far as they are set.
    pub fn set_relays(&self) -> Vec<String> {
        self.far.set_relays()
    }

    /// Whether these are the default ones.
    pub fn relays_are_default(&self) -> bool {
        self.options.relay == RelaySetting::Default
    }

    /// Where those go who ask for files, on either carrier.
    pub(crate) fn serve_files(&self, to: mpsc::Sender<FileStream>) {
        // Said once, at the start.
        _ = self.callers.set(to.clone());
        self.far.serve_files(to.clone());
        if let Some(carrier) = self.near.get() {
            carrier.serve_files(to);
        }
    }

    /// A stream to a peer about a file of a room that stays in the local network, or of one that does not.
    pub(crate) async fn open_file(
        &self,
        peer: &PeerId,
        places: &Places,
        near: bool,
    ) -> Result<FileLink, FileLinkError> {
        if !near {
            return self.far.open_file(peer, places).await;
        }
        let carrier = self.near().await.map_err(|error| FileLinkError::NoCarrier(error.to_string()))?;
        carrier.open_file(peer, places).await
    }

    fn of(&self, link: LinkId) -> Option<&P2p> {
        if link & NEAR != 0 { self.near.get() } else { Some(&self.far) }
    }

    /// Sends a frame.
    pub fn send(&self, link: LinkId, bytes: Vec<u8>) {
        if let Some(carrier) = self.of(link) {
            carrier.send(link, bytes);
        }
    }

    /// Closes a link after what was sent on it.
    pub fn close(&self, link: LinkId) {
        if let Some(carrier) = self.of(link) {
            carrier.close(link);
        }
    }

    /// Where this node can be reached for all rooms but those of the local network.
    pub fn far_places(&self) -> Places {
        self.far.here()
    }

    /// Where it can be reached for rooms of the local network.
    pub fn near_addresses(&self) -> Vec<SocketAddr> {
        self.near.get().map(|carrier| carrier.here().addresses).unwrap_or_default()
    }

    /// How a peer is reached, tried now.
    pub async fn try_path_to(&self, peer: &PeerId, near: bool) -> Option<PathTo> {
        if near { self.near.get()?.try_path_to(peer).await } else { self.far.try_path_to(peer).await }
    }

    /// How the first is doing.
    pub fn status(&self) -> P2pStatus {
        self.far.status()
    }

    /// The UDP port of the first.
    pub fn port(&self) -> u16 {
        self.far.port()
    }

    /// Ends both.
    pub async fn shutdown(&self) {
        let near = async {
            if let Some(carrier) = self.near.get() {
                carrier.shutdown().await;
            }
        };
        tokio::join!(self.far.shutdown(), near);
    }
}
