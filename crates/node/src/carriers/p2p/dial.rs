//! Keeps up what the engine wants: a connection with every wanted peer, a link on it for every wanted room.
//! Each has a task of its own that tries again with back-off. Must not accept anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use iroh::EndpointId;
use iroh::endpoint::{ConnectOptions, ConnectWithOptsError, ConnectingError, Connection};
use parlor_core::engine::api::{Places, WantedLink};
use parlor_wire::frame::ALPN;
use parlor_wire::{PeerId, called};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::peers::Connected;
use super::{Shared, accept, addresses};

/// Most links that are kept up or dialled.
const MAX_WANTED: usize = 2048;
/// Connection attempts that may run at once.
pub(super) const MAX_DIALLING: usize = 32;
/// How long one attempt may take: three first packets on a network that loses some.
const ATTEMPT: Duration = Duration::from_secs(5);
/// An attempt runs at least this long before new addresses start it anew.
const ATTEMPT_MIN: Duration = Duration::from_millis(500);
/// What held for this long was no failure: the back-off begins anew.
const LIVED: Duration = Duration::from_secs(10);
/// The first pause between attempts, and the least there ever is.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause; chance makes it up to twice as long.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long the back-off of something no longer wanted is remembered, in case it is wanted again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Why there is no connection now.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("this is no identity's key")]
    NoIdentity,
    #[error("nobody answered in time")]
    Silence,
    #[error(transparent)]
    Call(#[from] ConnectWithOptsError),
    #[error(transparent)]
    Handshake(#[from] ConnectingError),
    #[error("this machine gave no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
    #[error("there are too many connections")]
    TooMany,
    #[error("the carrier is stopping")]
    Stopping,
}

/// What is kept up.
#[derive(Debug)]
pub(super) struct Dials {
    shared: Arc<Shared>,
    links: Arc<Tasks<WantedLink>>,
    peers: Arc<Tasks<PeerId>>,
}

impl Dials {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, links: Arc::default(), peers: Arc::default() }
    }

    pub(super) fn wanted(&self) -> usize {
        self.links.locked().values().filter(|wanted| *wanted.borrow()).count()
    }

    pub(super) fn want(&self, mut links: Vec<(WantedLink, Places)>) {
        links.retain(|(link, _)| link.peer != self.shared.me);
        if links.len() > MAX_WANTED {
            tracing::warn!(wanted = links.len(), most = MAX_WANTED, "not all wanted links are dialled");
            links.truncate(MAX_WANTED);
        }
        self.peers.set(links.iter().map(|(link, _)| link.peer).collect(), |peer, wanted| {
            let (shared, tasks) = (Arc::clone(&self.shared), Arc::clone(&self.peers));
            self.shared.spawn(keep_connection(shared, tasks, peer, wanted));
        });
        self.links.set(links.iter().map(|(link, _)| link.clone()).collect(), |link, wanted| {
            let (shared, tasks) = (Arc::clone(&self.shared), Arc::clone(&self.links));
            self.shared.spawn(keep_link(shared, tasks, link, wanted));
        });
        // After the tasks run: one that was just ending has forgotten its peer's addresses.
        let here = self.shared.here.borrow().addresses.clone();
        let mut by_peer: BTreeMap<PeerId, Places> =
            links.into_iter().map(|(link, places)| (link.peer, places)).collect();
        if self.shared.near {
            // A room of the local network is called for nowhere else, whoever names an address.
            let stays = |at: &SocketAddr| at.ip().is_loopback() || addresses::is_near(at, &here);
            by_peer.values_mut().for_each(|places| places.addresses.retain(stays));
        }
        let relays = &self.shared.relays;
        by_peer.iter().for_each(|(peer, places)| self.shared.peers.told(*peer, places, relays));
    }
}

/// The running tasks by what they keep up, each with whether that is wanted.
#[derive(Debug)]
struct Tasks<K>(Mutex<BTreeMap<K, watch::Sender<bool>>>);

impl<K> Default for Tasks<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Tasks<K> {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<K, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes exactly `keys` wanted; starts what does not run.
    fn set(&self, keys: BTreeSet<K>, start: impl Fn(K, watch::Receiver<bool>)) {
        let mut running = self.locked();
        for (key, wanted) in running.iter() {
            let now = keys.contains(key);
            wanted.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
        for key in keys {
            running.entry(key.clone()).or_insert_with(|| {
                let (sender, receiver) = watch::channel(true);
                start(key, receiver);
                sender
            });
        }
    }

    /// Waits until `key` is wanted; false, and forgotten with what `forget` forgets, if it is not for a while.
    async fn wanted(&self, key: &K, wanted: &mut watch::Receiver<bool>, forget: impl FnOnce()) -> bool {
        if timeout(REMEMBERED, wanted.wait_for(|now| *now)).await.is_ok_and(|now| now.is_ok()) {
            return true;
        }
        let mut running = self.locked();
        let again = running.get(key).is_some_and(|now| *now.borrow());
        if !again {
            running.remove(key);
            forget();
        }
        again
    }
}

async fn unwanted(wanted: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the task is listed, and only the task itself takes it off the list.
    let _ = wanted.wait_for(|now| !*now).await;
}

/// Keeps a connection with a peer.
async fn keep_connection(
    shared: Arc<Shared>,
    tasks: Arc<Tasks<PeerId>>,
    peer: PeerId,
    mut wanted: watch::Receiver<bool>,
) {
    let mut news = shared.peers.news(peer);
    let (mut pause, mut retry) = (Pause::default(), shared.retry.subscribe());
    while tasks.wanted(&peer, &mut wanted, || shared.peers.unwanted(peer, &shared.relays)).await {
        news.mark_unchanged();
        let attempt = async {
            match reach(&shared, peer, &mut news).await {
                Ok(connected) => {
                    connected.connection.closed().await;
                    // That it was there is no news any more.
                    news.mark_unchanged();
                    connected.since.elapsed() >= LIVED
                }
                Err(error) => {
                    tracing::debug!(?peer, %error, "no connection");
                    false
                }
            }
        };
        let lived = tokio::select! {
            ended = attempt => ended,
            () = unwanted(&mut wanted) => continue,
        };
        if lived {
            pause.reset();
        }
        let again = async {
            tokio::select! {
                _ = news.changed() => {}
                _ = retry.changed() => {}
            }
        };
        pause.wait(again).await;
    }
}

/// Keeps a link up for a room, on whatever connection there is with its peer.
async fn keep_link(
    shared: Arc<Shared>,
    tasks: Arc<Tasks<WantedLink>>,
    link: WantedLink,
    mut wanted: watch::Receiver<bool>,
) {
    let mut news = shared.peers.news(link.peer);
    let mut pause = Pause::default();
    while tasks.wanted(&link, &mut wanted, || ()).await {
        let connected = tokio::select! {
            connected = connection(&shared, link.peer, &mut news) => connected,
            () = unwanted(&mut wanted) => continue,
        };
        let since = Instant::now();
        accept::open(&shared, &connected, link.room).await;
        if since.elapsed() >= LIVED {
            pause.reset();
        }
        pause.wait(std::future::pending()).await;
    }
}

/// Waits for a connection with a peer.
async fn connection(shared: &Shared, peer: PeerId, news: &mut watch::Receiver<()>) -> Arc<Connected> {
    loop {
        news.mark_unchanged();
        if let Some(connected) = shared.peers.live(&peer) {
            return connected;
        }
        // Who waits for news keeps the peer known, so there is always someone to send them.
        let _ = news.changed().await;
    }
}

/// The connection there is, or a new one, as soon as there is an address.
async fn reach(
    shared: &Arc<Shared>,
    peer: PeerId,
    news: &mut watch::Receiver<()>,
) -> Result<Arc<Connected>, DialError> {
    let id = EndpointId::from_bytes(&peer.0).map_err(|_| DialError::NoIdentity)?;
    loop {
        if let Some(connected) = shared.peers.live(&peer) {
            return Ok(connected);
        }
        if !shared.peers.has_address(&peer, &shared.relays) {
            let _ = news.changed().await;
            continue;
        }
        let _place = shared.dialling.acquire().await.map_err(|_| DialError::Stopping)?;
        let since = tokio::time::Instant::now();
        let attempt = timeout(ATTEMPT, call(shared, id, &peer));
        tokio::select! {
            connected = attempt => {
                let connection = connected.map_err(|_| DialError::Silence)??;
                return accept::attach(shared, connection, true).ok_or(DialError::TooMany);
            }
            // The peer has come to us, or is elsewhere than we thought.
            () = better(shared, peer, news, since) => {}
        }
    }
}

/// Calls a peer, by a name that lets anybody else at its addresses stay silent.
async fn call(shared: &Shared, id: EndpointId, peer: &PeerId) -> Result<Connection, DialError> {
    let mut salt = [0; called::SALT_BYTES];
    getrandom::fill(&mut salt)?;
    let options = ConnectOptions::new().with_additional_alpns(vec![called::offer(peer, &salt)]);
    Ok(shared.endpoint.connect_with_opts(id, ALPN, options).await?.await?)
}

/// Waits for a reason to give up an attempt that began at `since`.
async fn better(shared: &Shared, peer: PeerId, news: &mut watch::Receiver<()>, since: tokio::time::Instant) {
    let _ = news.changed().await;
    if shared.peers.live(&peer).is_none() {
        sleep_until(since + ATTEMPT_MIN).await;
    }
}

/// The back-off of one thing that is tried again and again.
#[derive(Debug, Default)]
struct Pause(Option<backon::ExponentialBackoff>);

impl Pause {
    fn reset(&mut self) {
        self.0 = None;
    }

    fn next(&mut self) -> Duration {
        let fresh = || {
            let builder = ExponentialBuilder::new().with_min_delay(PAUSE_MIN).with_max_delay(PAUSE_MAX);
            builder.with_jitter().without_max_times().build()
        };
        self.0.get_or_insert_with(fresh).next().unwrap_or(PAUSE_MAX)
    }

    /// Waits for the next try; `again` ends the pause, but not the shortest.
    async fn wait(&mut self, again: impl Future<Output = ()>) {
        let pause = self.next();
        sleep(PAUSE_MIN).await;
        tokio::select! {
            () = sleep(pause.saturating_sub(PAUSE_MIN)) => {}
            () = again => self.reset(),
        }
    }
}
