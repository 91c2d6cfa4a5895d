//! The driver's thread. It alone owns engine and store. Everything that waits is taken in at once, written in
//! one commit, and only then acted upon: a frame is sent, a reply given, when what it rests on is on the disk.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{Command, Effect, Event, LinkId, RequestId, WantedLink};
use parlor_core::persist::{Loaded, Op, Query, Table};
use parlor_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::commit::{Keeper, Origin};
use super::{Answer, Driver, Follower, Input, ViewJob};
use crate::carriers::{Both, CarrierEvent};
use crate::clock::Clock;
use crate::errors;
use crate::feed::Feed;

/// Events taken into one commit.
const BATCH_EVENTS: usize = 4096;
/// Bytes of frames and texts after which no more are taken into one commit.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Between two ticks at least this long, so that no rule of the engine can make the thread spin.
const TICK_STEP_MS: u64 = 5;
/// After so long without anything the store is tidied.
const IDLE_MS: u64 = 30_000;
/// Requests remembered for retries.
const KEPT_REQUESTS: u64 = 100_000;
const TRIAL_KEY: &[u8] = b"doctor";

/// What a worker is made from.
pub(crate) struct WorkerParts {
    pub engine: Engine,
    pub store: Box<dyn Store>,
    pub origin: Origin,
    pub carrier: Arc<Both>,
    /// What is derived from the log.
    pub derived: Vec<Feed>,
    pub clock: Clock,
}

/// The thread's own.
pub(crate) struct Worker {
    /// None after a failure, until the store could be read again.
    engine: Option<Engine>,
    keeper: Keeper,
    origin: Origin,
    carrier: Arc<Both>,
    derived: Vec<Feed>,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    carried: mpsc::Receiver<CarrierEvent>,
    generation: Arc<AtomicU64>,
    stir: Arc<watch::Sender<u64>>,
    waiting: HashMap<RequestId, oneshot::Sender<Answer>>,
    next_request: RequestId,
    followers: Vec<Follower>,
    links: BTreeSet<LinkId>,
    /// Answers to loads, to be taken in with the next events.
    loaded: VecDeque<Event>,
    links_changed: bool,
    /// The engine does not know yet where this node is reached.
    is_new: bool,
    ticked_ms: u64,
    ends: bool,
}

/// What one turn gathers before anything of it is done.
#[derive(Default)]
struct Turn {
    ops: Vec<Op>,
    effects: Vec<Effect>,
    looks: Vec<Look>,
    events: usize,
    bytes: usize,
}

/// What is looked at when everything before it is durable.
enum Look {
    Engine(ViewJob),
    Store(Query, oneshot::Sender<Result<Loaded, ApiError>>),
    Trial(oneshot::Sender<Result<(), ApiError>>),
    Compact(oneshot::Sender<Result<(), ApiError>>),
}

impl Look {
    fn refuse(self, error: &ApiError) {
        match self {
            Self::Engine(look) => look(Err(error.clone())),
            Self::Store(_, answer) => _ = answer.send(Err(error.clone())),
            Self::Trial(answer) | Self::Compact(answer) => _ = answer.send(Err(error.clone())),
        }
    }
}

enum Wake {
    Input(Input),
    Carried(CarrierEvent),
    Deadline,
    Closed,
}

impl Worker {
    pub(crate) fn new(
        parts: WorkerParts,
        driver: &Driver,
        inputs: mpsc::Receiver<Input>,
        carried: mpsc::Receiver<CarrierEvent>,
    ) -> Self {
        Self {
            engine: Some(parts.engine),
            keeper: Keeper::new(parts.store),
            origin: parts.origin,
            carrier: parts.carrier,
            derived: parts.derived,
            clock: parts.clock,
            inputs,
            carried,
            generation: driver.generation.clone(),
            stir: driver.stir.clone(),
            waiting: HashMap::new(),
            next_request: 1,
            followers: Vec::new(),
            links: BTreeSet::new(),
            loaded: VecDeque::new(),
            links_changed: true,
            is_new: true,
            ticked_ms: 0,
            ends: false,
        }
    }

    /// Runs until it is told to end. `runtime` only keeps the time.
    pub(crate) fn run(mut self, runtime: &Handle) {
        if let Err(error) = self.keeper.store().prune_requests(KEPT_REQUESTS) {
            tracing::warn!("old requests were not forgotten: {error}");
        }
        self.want_links();
        while !self.ends {
            let first = if self.loaded.is_empty() { Some(runtime.block_on(self.wake())) } else { None };
            if matches!(first, Some(Wake::Closed)) {
                break;
            }
            self.revive();
            self.turn(first);
            self.want_links();
        }
        self.answer_all(&errors::ending());
        self.keeper.checkpoint();
    }

    async fn wake(&mut self) -> Wake {
        let deadline = self.deadline_ms().map(|at| tokio::time::Instant::from_std(self.clock.instant(at)));
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            input = self.inputs.recv() => input.map_or(Wake::Closed, Wake::Input),
            Some(event) = self.carried.recv() => Wake::Carried(event),
            () = sleep => Wake::Deadline,
        }
    }

    fn deadline_ms(&self) -> Option<u64> {
        let engine = self.engine.as_ref().and_then(Engine::next_deadline_ms);
        let engine = engine.map(|at| at.max(self.ticked_ms + TICK_STEP_MS));
        let idle = self.keeper.is_dirty.then(|| self.clock.mono_ms() + IDLE_MS);
        [engine, self.keeper.paused_until_ms, idle].into_iter().flatten().min()
    }

    /// After a failure: the engine is made anew as soon as the store allows it.
    fn revive(&mut self) {
        let now = self.clock.now();
        if self.keeper.paused_until_ms.is_some_and(|until| until > now.mono_ms) {
            return;
        }
        if self.keeper.paused_until_ms.take().is_some() {
            self.links_changed = true;
        }
        if self.engine.is_none() {
            self.start_over();
        }
    }

    fn start_over(&mut self) {
        let now = self.clock.now();
        match self.keeper.start_over(now, &self.origin, &self.generation) {
            Ok(engine) => {
                tracing::info!("the store was opened again");
                self.engine = Some(engine);
                (self.links_changed, self.is_new) = (true, true);
            }
            Err(error) => {
                tracing::error!("the store cannot be opened again: {error}");
                self.keeper.pause(now.mono_ms);
            }
        }
    }

    /// Takes in everything that waits, writes it, acts on it.
    fn turn(&mut self, first: Option<Wake>) {
        let mut turn = Turn::default();
        if std::mem::take(&mut self.is_new) {
            self.take_command(self.here(), None, &mut turn);
        }
        for event in std::mem::take(&mut self.loaded) {
            self.feed(event, &mut turn);
        }
        let is_idle = matches!(first, Some(Wake::Deadline));
        if let Some(first) = first {
            self.take(first, &mut turn);
        }
        self.drain(&mut turn);
        self.tick(&mut turn);
        if is_idle && turn.events == 0 && self.keeper.is_dirty {
            self.keeper.checkpoint();
        }
        match self.keeper.commit(&turn.ops) {
            Ok(()) => self.carry_out(turn),
            Err(error) => {
                let error = errors::of_store(&error);
                tracing::error!("nothing of this turn was written: {error}");
                self.fail(&error, turn.looks);
            }
        }
    }

    fn drain(&mut self, turn: &mut Turn) {
        while turn.events < BATCH_EVENTS && turn.bytes < BATCH_BYTES && !self.ends {
            // By turns, so that neither side keeps the other waiting.
            let input = self.inputs.try_recv().ok();
            let carried = self.carried.try_recv().ok();
            if input.is_none() && carried.is_none() {
                return;
            }
            if let Some(input) = input {
                self.take(Wake::Input(input), turn);
            }
            if let Some(carried) = carried {
                self.take(Wake::Carried(carried), turn);
            }
        }
    }

    fn take(&mut self, wake: Wake, turn: &mut Turn) {
        match wake {
            Wake::Input(input) => {
                turn.events += 1;
                self.take_input(input, turn);
            }
            Wake::Carried(event) => {
                turn.events += 1;
                self.take_carried(event, turn);
            }
            Wake::Deadline | Wake::Closed => {}
        }
    }

    fn take_input(&mut self, input: Input, turn: &mut Turn) {
        match input {
            Input::Command(command, answer) => self.take_command(*command, answer, turn),
            Input::View(look) => turn.looks.push(Look::Engine(look)),
            Input::Query(query, answer) => turn.looks.push(Look::Store(query, answer)),
            Input::Compact(answer) => turn.looks.push(Look::Compact(answer)),
            Input::TryStore(answer) => turn.looks.push(Look::Trial(answer)),
            Input::Follow(follower) => self.followers.push(follower),
            Input::End => self.ends = true,
        }
    }

    fn take_command(&mut self, command: Command, answer: Option<oneshot::Sender<Answer>>, turn: &mut Turn) {
        if self.engine.is_none() {
            if let Some(answer) = answer {
                _ = answer.send(Err(unreadable()));
            }
            return;
        }
        let request = self.next_request;
        self.next_request += 1;
        if let Some(answer) = answer {
            self.waiting.insert(request, answer);
        }
        if let Command::Send(send) = &command {
            turn.bytes += send.text.len();
        }
        self.feed(Event::Command { request, command }, turn);
    }

    fn take_carried(&mut self, event: CarrierEvent, turn: &mut Turn) {
        match event {
            CarrierEvent::Up { link, .. }
                if self.engine.is_none() || self.keeper.paused_until_ms.is_some() =>
            {
                self.carrier.close(link);
            }
            CarrierEvent::Up { link, peer, room } => {
                self.links.insert(link);
                self.feed(Event::LinkUp { link, peer, room }, turn);
            }
            CarrierEvent::Frame { link, bytes } => {
                turn.bytes += bytes.len();
                // A link that an earlier engine knew is being closed.
                if self.links.contains(&link) {
                    self.feed(Event::Frame { link, bytes }, turn);
                }
            }
            CarrierEvent::Down { link } => {
                if self.links.remove(&link) {
                    self.feed(Event::LinkDown { link }, turn);
                }
            }
            CarrierEvent::Learned { peer, addresses, near } => {
                self.take_command(Command::Learned { peer, addresses, near }, None, turn);
            }
            CarrierEvent::Moved => self.take_command(self.here(), None, turn),
        }
    }

    fn tick(&mut self, turn: &mut Turn) {
        let now_ms = self.clock.mono_ms();
        let due = self.engine.as_ref().and_then(Engine::next_deadline_ms).is_some_and(|at| at <= now_ms);
        if due && now_ms >= self.ticked_ms + TICK_STEP_MS {
            self.ticked_ms = now_ms;
            turn.events += 1;
            self.feed(Event::Tick, turn);
        }
    }

    fn feed(&mut self, event: Event, turn: &mut Turn) {
        let Some(engine) = &mut self.engine else { return };
        for effect in engine.handle(self.clock.now(), event) {
            match effect {
                Effect::Persist(ops) => turn.ops.extend(ops),
                other => turn.effects.push(other),
            }
        }
    }

    fn carry_out(&mut self, turn: Turn) {
        for effect in turn.effects {
            match effect {
                Effect::Persist(_) => {} // gathered above
                Effect::Send { link, bytes } => {
                    if self.links.contains(&link) {
                        self.carrier.send(link, bytes);
                    }
                }
                Effect::Close { link, reason } => {
                    tracing::debug!(link, "closed: {reason}");
                    self.carrier.close(link);
                }
                Effect::Load { token, query } => {
                    let loaded = self.load(&query);
                    self.loaded.push_back(Event::Loaded { token, loaded });
                }
                Effect::Reply { request, outcome } => {
                    if let Some(answer) = self.waiting.remove(&request) {
                        _ = answer.send(outcome.map_err(|failure| errors::of_failure(&failure)));
                    }
                }
                Effect::Arrived(messages) => {
                    self.followers.retain(|follower| messages.iter().all(|message| follower.tell(message)));
                    let messages = messages.into();
                    self.derived.iter().for_each(|feed| feed.tell(&messages));
                    self.stir.send_modify(|count| *count = count.wrapping_add(1));
                }
                Effect::LinksChanged => self.links_changed = true,
                Effect::Note(text) => tracing::info!("{text}"),
            }
        }
        for look in turn.looks {
            self.look(look);
        }
    }

    fn look(&mut self, look: Look) {
        match look {
            Look::Engine(look) => look(self.engine.as_ref().ok_or_else(unreadable)),
            Look::Store(query, answer) => _ = answer.send(self.load(&query).ok_or_else(unreadable)),
            Look::Compact(answer) => {
                let done = self.keeper.store().compact();
                _ = answer.send(done.map_err(|error| errors::of_store(&error)));
            }
            Look::Trial(answer) => {
                let tried = self.try_store();
                _ = answer.send(tried);
            }
        }
    }

    fn load(&mut self, query: &Query) -> Option<Loaded> {
        let loaded = self.keeper.store().query(query);
        loaded.inspect_err(|error| tracing::error!("the store could not be read: {error}")).ok()
    }

    /// Nothing of this turn happened: everybody who waits is told so, every link is closed (its peer syncs
    /// again), and the engine is made anew from what is on the disk.
    fn fail(&mut self, error: &ApiError, looks: Vec<Look>) {
        self.answer_all(error);
        for look in looks {
            look.refuse(error);
        }
        for link in std::mem::take(&mut self.links) {
            self.carrier.close(link);
        }
        self.loaded.clear();
        self.engine = None;
        self.start_over();
        if self.engine.is_some() {
            // It can be read; whether it can be written shows soon enough, and not to peers that dial at once.
            self.keeper.pause(self.clock.mono_ms());
        }
    }

    fn answer_all(&mut self, error: &ApiError) {
        for (_, answer) in self.waiting.drain() {
            _ = answer.send(Err(error.clone()));
        }
    }

    fn want_links(&mut self) {
        if !std::mem::take(&mut self.links_changed) {
            return;
        }
        let Some(engine) = self.engine.as_ref().filter(|_| self.keeper.paused_until_ms.is_none()) else {
            self.carrier.want(Vec::new(), Vec::new());
            return;
        };
        // First which relays may be called, then who.
        self.carrier.need_relays(engine.relayed_rooms());
        let with_places = |link: WantedLink| (link.clone(), engine.places_of(&link.peer, &link.room));
        let (near, far): (Vec<_>, Vec<_>) = engine
            .wanted_links()
            .into_iter()
            .map(with_places)
            .partition(|(link, _)| engine.is_lan(&link.room));
        self.carrier.want(near, far);
    }

    fn here(&self) -> Command {
        Command::Here { far: self.carrier.far_places(), near: self.carrier.near_addresses() }
    }

    fn try_store(&mut self) -> Result<(), ApiError> {
        let (table, key) = (Table::Own, TRIAL_KEY.to_vec());
        let value = self.clock.mono_ms().to_be_bytes().to_vec();
        let store = self.keeper.store();
        let put = Op::Put { table, key: key.clone(), value: value.clone() };
        let tried = store
            .commit(&[put])
            .and_then(|()| store.query(&Query::Record { table, key: key.clone() }))
            .and_then(|found| store.commit(&[Op::Delete { table, key }]).map(|()| found));
        match tried {
            Ok(Loaded::Record(Some(found))) if found == value => Ok(()),
            Ok(_) => Err(errors::internal("the store gave back something else than it took")),
            Err(error) => {
                let error = errors::of_store(&error);
                self.fail(&error, Vec::new());
                Err(error)
            }
        }
    }
}

fn unreadable() -> ApiError {
    ApiError::new(ErrorKind::Machine, "the store could not be read after a write failed")
        .hint("free space on its disk or make it writable; the node tries again by itself, and nothing acknowledged is lost")
}
