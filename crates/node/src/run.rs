//! The life of a node from the lock to its release: everything is opened in the order in which it can fail
//! cheaply, and closed so that nothing is lost.

use std::io::Write;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parlor_api::paths::Home;
use parlor_core::persist::{Op, Snapshot, Table};
use parlor_store::{OpenMode, SqliteStore, Store};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::bindings::Bindings;
use crate::budget::Budgets;
use crate::carriers::p2p::TrustedRoots;
use crate::carriers::{Both, BothOptions, CarrierEvent};
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::Consent;
use crate::default_nick;
use crate::driver::{Driver, Origin, Worker, WorkerParts};
use crate::feed;
use crate::files::{AutoFetcher, Files};
use crate::home_dir;
use crate::identity_file;
use crate::levels::Tags;
use crate::life::Ending;
use crate::local_rooms::LocalRooms;
use crate::lock::HomeLock;
use crate::node::{Node, NodeParts};
use crate::requests::relays;
use crate::retention::Retention;
use crate::search::{IndexWriter, SearchIndex};
use crate::sessions::Sessions;
use crate::socket_file::SocketFile;
use crate::start::StartError;
use crate::transcript::TranscriptWriter;
use crate::{READY_LINE, RunOptions, log, presence, restart, serve, socket_file, waker};

/// Frames that may wait for the driver: each at most a mebibyte.
const CARRIED_LEN: usize = 32;
/// Where in `Table::Own` the UDP port is kept, so that addresses in tickets stay true.
const PORT_KEY: &[u8] = b"p2p port";
/// How long requests at work may take to end.
const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// How long the goodbyes to peers may take.
const CARRIER_WAIT: Duration = Duration::from_secs(2);
/// How long clients may take to read the last word.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);
/// Files up to this length are fetched by themselves where that is allowed and nothing else is said.
const FILES_AUTO_BYTES: u64 = 1024 * 1024;
const WORKER_THREADS: usize = 2;

pub(crate) fn run(home: Home, mut options: RunOptions) -> Result<(), StartError> {
    let socket = home.socket()?;
    let was_open = home_dir::prepare(home.dir())?;
    let lock = HomeLock::take(&home.lock())?;
    let config = Config::read(&home.config())?;
    log::begin(&home.log(), options.background)
        .map_err(|source| StartError::Log { path: home.log(), source })?;
    if was_open {
        tracing::warn!("the home was open to other users; it is closed to them now");
    }
    for key in &config.unknown {
        tracing::warn!("config.toml says `{key}`, which this version does not know");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .thread_name("parlor-node")
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    let running = Running::start(&runtime, home, &config, options.version)?;
    if let Some(mut ready) = options.ready.take() {
        // Whoever started the node may have gone; it runs all the same.
        _ = ready.write_all(READY_LINE.as_bytes()).and_then(|()| ready.flush());
    }
    let ending = running.until_end(&runtime);
    runtime.shutdown_timeout(FAREWELL_WAIT);
    drop(lock);
    match ending {
        Ending::Stop => Ok(()),
        Ending::Lost => Err(StartError::Lost(socket)),
        Ending::Broken => Err(StartError::Broken),
        Ending::Restart { exe, version } => match restart::go_on_as(exe, &version, &options.restart_args) {
            Ok(never) => match never {},
            Err(error) => Err(StartError::Restart(error)),
        },
    }
}

/// The parts of a node at work.
struct Running {
    node: Arc<Node>,
    carrier: Arc<Both>,
    driving: JoinHandle<()>,
    transcribing: JoinHandle<()>,
    indexing: JoinHandle<()>,
    signals: Vec<Signal>,
    socket: SocketFile,
}

impl Running {
    fn start(
        runtime: &Runtime,
        home: Home,
        config: &Config,
        version: &'static str,
    ) -> Result<Self, StartError> {
        let clock = Clock::new();
        let identity = identity_file::read_or_make(&home.identity(), home.store().exists())?;
        if identity.was_open_to_others {
            tracing::warn!("the identity's key could be read by other users; it cannot be any more");
        }
        let mut store: Box<dyn Store> = Box::new(SqliteStore::open(&home.store(), OpenMode::Create)?);
        let snapshot = store.load()?;
        let (sessions, bindings) = (Sessions::restore(&snapshot, clock.now()), Bindings::restore(&snapshot));
        let (consent, tags) = (Consent::restore(&snapshot), Tags::restore(&snapshot));
        let budgets = Budgets::restore(&snapshot);
        let known_port = kept_port(&snapshot);
        let retention = Arc::new(Retention::restore(&snapshot));
        let default_nick = default_nick::of(config.nick.as_deref(), &snapshot, store.as_mut())?;
        let origin = Origin { secret: identity.secret, default_nick };
        let relays_told = relays::told(&snapshot);
        let engine = origin.restore(clock.now(), snapshot, store.as_mut())?;

        let (events, carried) = mpsc::channel::<CarrierEvent>(CARRIED_LEN);
        let port = config.port.or(known_port);
        let carriers = BothOptions {
            secret: origin.secret.clone(),
            port,
            lan: config.lan.unwrap_or(true),
            relay: config.relay.clone().unwrap_or_default(),
            roots: roots(config),
        };
        let carrier = runtime.block_on(Both::start(carriers, events));
        let carrier = carrier.map_err(|error| StartError::Endpoint(error.to_string()))?;
        if relays_told.as_ref().is_some_and(|told| *told == carrier.set_relays().join(" ")) {
            carrier.allow_relays();
        }
        keep_port(store.as_mut(), known_port, carrier.port())?;
        if config.port.is_some_and(|port| port != carrier.port()) {
            tracing::warn!("the port config.toml names is taken; the node is at {}", carrier.port());
        }

        let (driver, inputs) = Driver::new();
        let (to_transcripts, transcripts) = feed::pair();
        let (to_index, indexing) = feed::pair();
        let index = Arc::new(SearchIndex::at(home.index()));
        let (to_files, auto_files) = feed::pair();
        let derived = vec![to_transcripts, to_index, to_files];
        let parts = WorkerParts { engine, store, origin, carrier: carrier.clone(), derived, clock };
        let worker = Worker::new(parts, &driver, inputs, carried);
        let files = Arc::new(Files::new(
            &home,
            identity.peer,
            driver.clone(),
            carrier.clone(),
            config.files_auto_bytes.unwrap_or(FILES_AUTO_BYTES),
            runtime.handle().clone(),
        ));
        let node = Arc::new(Node::new(NodeParts {
            home,
            clock,
            version,
            me: identity.peer,
            driver: driver.clone(),
            carrier: carrier.clone(),
            relays_told,
            index,
            retention,
            local_rooms: LocalRooms::new(config.local_rooms.unwrap_or(true)),
            files,
            sessions,
            bindings,
            consent,
            tags,
            budgets,
        }));
        let (listener, socket, signals) = runtime.block_on(async { listen(&node) })?;
        let driving = spawn_driver(worker, &node, runtime)?;
        let transcribing = spawn_transcripts(TranscriptWriter(transcripts), &node, runtime)?;
        let indexing = spawn_index(IndexWriter(indexing), &node, runtime)?;
        spawn_auto_fetcher(AutoFetcher(auto_files), &node)?;
        node.files.begin();
        runtime.spawn(serve::serve(node.clone(), listener));
        runtime.spawn(presence::watch(node.clone()));
        runtime.spawn(waker::watch(node.clone()));
        runtime.spawn(socket_file::watch(node.clone(), socket.clone()));
        tracing::info!("node {version} serves {}", node.home.dir().display());
        Ok(Self { node, carrier, driving, transcribing, indexing, signals, socket })
    }

    /// Waits for the end and brings it about. When it returns, nothing is left to lose.
    fn until_end(mut self, runtime: &Runtime) -> Ending {
        let node = self.node.clone();
        runtime.block_on(async {
            tokio::select! {
                () = node.life.stopping.cancelled() => {}
                () = any(&mut self.signals) => node.life.end(Ending::Stop),
            }
            node.life.requests.close();
            if tokio::time::timeout(DRAIN_WAIT, node.life.requests.wait()).await.is_err() {
                tracing::info!("some requests were still waiting");
            }
            node.driver.end().await;
        });
        if self.driving.join().is_err() {
            tracing::error!("the driver broke");
        }
        drop(self.transcribing.join());
        drop(self.indexing.join());
        // Under the lock: whoever starts next makes its own.
        self.socket.remove();
        runtime.block_on(async {
            if tokio::time::timeout(CARRIER_WAIT, self.carrier.shutdown()).await.is_err() {
                tracing::info!("some peers did not take the goodbye in time");
            }
            node.life.drained.cancel();
            node.life.connections.close();
            _ = tokio::time::timeout(FAREWELL_WAIT, node.life.connections.wait()).await;
        });
        let ending = node.life.ending();
        tracing::info!("the node ends: {ending:?}");
        ending
    }
}

fn listen(node: &Node) -> Result<(UnixListener, SocketFile, Vec<Signal>), StartError> {
    let path = node.home.socket()?;
    let listening = serve::listen(&path).and_then(|listener| Ok((listener, SocketFile::at(&path)?)));
    let (listener, file) = listening.map_err(|source| StartError::Socket { path, source })?;
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let signals: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
    Ok((listener, file, signals.map_err(StartError::System)?))
}

/// Returns at the first of these signals.
async fn any(signals: &mut [Signal]) {
    let waits = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures_util::future::select_all(waits).await;
}

/// The driver's thread. Should it break, the node ends: without it nothing can be done.
fn spawn_driver(worker: Worker, node: &Arc<Node>, runtime: &Runtime) -> Result<JoinHandle<()>, StartError> {
    struct EndWith(Arc<Node>);
    impl Drop for EndWith {
        fn drop(&mut self) {
            self.0.life.end(Ending::Broken);
        }
    }
    let (end, handle) = (EndWith(node.clone()), runtime.handle().clone());
    let run = move || {
        let _end = end;
        worker.run(&handle);
    };
    std::thread::Builder::new().name("parlor-driver".into()).spawn(run).map_err(StartError::System)
}

fn spawn_transcripts(
    writer: TranscriptWriter,
    node: &Arc<Node>,
    runtime: &Runtime,
) -> Result<JoinHandle<()>, StartError> {
    let (rooms, driver, handle) = (node.home.rooms(), node.driver.clone(), runtime.handle().clone());
    let retention = node.retention.clone();
    let run = move || writer.run(rooms, &retention, &driver, &handle);
    std::thread::Builder::new().name("parlor-text".into()).spawn(run).map_err(StartError::System)
}

fn spawn_index(
    writer: IndexWriter,
    node: &Arc<Node>,
    runtime: &Runtime,
) -> Result<JoinHandle<()>, StartError> {
    let (index, driver, handle) = (node.index.clone(), node.driver.clone(), runtime.handle().clone());
    let retention = node.retention.clone();
    let run = move || writer.run(&index, &retention, &driver, &handle);
    std::thread::Builder::new().name("parlor-index".into()).spawn(run).map_err(StartError::System)
}

/// It ends with the driver, and nobody has to wait for it.
fn spawn_auto_fetcher(fetcher: AutoFetcher, node: &Arc<Node>) -> Result<(), StartError> {
    let node = node.clone();
    let run = move || fetcher.run(&node);
    std::thread::Builder::new().name("parlor-files".into()).spawn(run).map(drop).map_err(StartError::System)
}

/// A file that cannot be read keeps no node from starting: relays it certifies do not answer, and `doctor` says so.
fn roots(config: &Config) -> TrustedRoots {
    let Some(path) = &config.relay_ca else { return TrustedRoots::default() };
    TrustedRoots::read(path).unwrap_or_else(|error| {
        tracing::warn!("relay_ca: {error}");
        TrustedRoots::default()
    })
}

fn kept_port(snapshot: &Snapshot) -> Option<u16> {
    let is_port = |(table, key, _): &&(Table, Vec<u8>, Vec<u8>)| *table == Table::Own && key == PORT_KEY;
    let (_, _, value) = snapshot.records.iter().find(is_port)?;
    Some(u16::from_be_bytes(value.as_slice().try_into().ok()?))
}

fn keep_port(store: &mut dyn Store, known: Option<u16>, port: u16) -> Result<(), StartError> {
    if known != Some(port) {
        let value = port.to_be_bytes().to_vec();
        store.commit(&[Op::Put { table: Table::Own, key: PORT_KEY.to_vec(), value }])?;
    }
    Ok(())
}
