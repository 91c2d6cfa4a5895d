//! The world: nodes, network and clock, run one happening after the other. It drives engines exactly as a node
//! does: handle, commit, then the rest in order; a load is answered by an event. Must take chance from its dice
//! only, so that a seed is a history.

use std::collections::{BTreeMap, VecDeque};

use parlor_core::engine::api::{
    Command, Effect, Event, Failure, LinkId, LoadToken, NEAR, Outcome, RequestId,
};
use parlor_core::persist::{Loaded, Op};
use parlor_store::{Store, StoreError};
use parlor_wire::RoomId;

use crate::dial::Dialling;
use crate::dice::Dice;
use crate::net::{Cable, End, Faults, Net};
use crate::node::{Node, Socket};
use crate::watch::Watch;

/// More than this in one millisecond is an engine that spins.
const MOST_IN_A_MS: u64 = 200_000;
/// More than this in one world is engines that keep each other busy.
const MOST_AT_ALL: u64 = 2_000_000;
/// Lines of the log kept for a failing seed.
const LOG_LINES: usize = 400;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Up { cable: usize },
    Frame { cable: usize, side: usize, bytes: Vec<u8> },
    Down { cable: usize, side: usize },
    Loaded { node: usize, run: u64, token: LoadToken, loaded: Option<Loaded> },
    Tick { node: usize, run: u64 },
    Dial { node: usize, run: u64 },
    Flush { node: usize, run: u64 },
    Restart { node: usize },
}

/// How often a process or a disk fails, in thousandths of steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The process dies before what it did is committed.
    pub dies_before_commit: u64,
    /// It dies after the commit, before or amid the rest.
    pub dies_after_commit: u64,
    /// A commit fails.
    pub commit_fails: u64,
    /// A load cannot be read.
    pub load_fails: u64,
    /// Several events are handled before they are committed together.
    pub holds: u64,
}

/// Everything there is.
pub struct World {
    /// Chance.
    pub dice: Dice,
    /// Milliseconds since the beginning.
    pub now_ms: u64,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// The network.
    pub net: Net,
    /// What goes wrong on it.
    pub faults: Faults,
    /// What goes wrong on machines.
    pub trouble: Trouble,
    /// Whether dead processes are started again by themselves.
    pub restarts: bool,
    /// Nodes that are not started by themselves.
    pub asleep: std::collections::BTreeSet<usize>,
    /// Whether every start of a process draws the same randomness.
    pub same_seed: Option<[u8; 32]>,
    /// What must never happen.
    pub watch: Watch,
    /// How carriers dial.
    pub dialling: Dialling,
    /// More happenings than this are engines that keep each other busy.
    pub most: u64,
    /// Frames sent so far.
    pub frames: u64,
    /// Questions to stores so far.
    pub loads: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    next_request: RequestId,
    in_this_ms: u64,
    happened: u64,
    log: VecDeque<String>,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            now_ms: 1_000,
            nodes: Vec::new(),
            net: Net::default(),
            faults: Faults::NONE,
            trouble: Trouble::default(),
            restarts: true,
            asleep: std::collections::BTreeSet::new(),
            same_seed: None,
            watch: Watch::default(),
            dialling: Dialling::QUICK,
            most: MOST_AT_ALL,
            frames: 0,
            loads: 0,
            queue: BTreeMap::new(),
            next: 0,
            next_request: 1,
            in_this_ms: 0,
            happened: 0,
            log: VecDeque::new(),
        }
    }

    /// One more node, running.
    pub fn add_node(&mut self, nick: &str) -> usize {
        self.add_node_skewed(nick, 0)
    }

    /// One more node whose wall clock is off.
    pub fn add_node_skewed(&mut self, nick: &str, skew_ms: i64) -> usize {
        let identity = self.dice.bytes();
        self.nodes.push(Node::new(identity, nick, skew_ms));
        let node = self.nodes.len() - 1;
        self.start(node);
        node
    }

    /// A copy of a node's disk and identity, as another machine that is not running yet.
    pub fn clone_node(&mut self, of: usize) -> usize {
        let from = &self.nodes[of];
        let mut copy = Node::new(from.identity, &from.nick, from.skew_ms);
        copy.store = from.store.clone();
        self.nodes.push(copy);
        self.nodes.len() - 1
    }

    /// Writes a line to the log of a failing world.
    pub fn log(&mut self, line: String) {
        if self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(format!("{:>8} {line}", self.now_ms));
    }

    pub(crate) fn later(&mut self, at_ms: u64, what: Happening) {
        self.next += 1;
        self.queue.insert((at_ms.max(self.now_ms), self.next), what);
    }

    // -- processes

    /// Starts a node's process.
    pub fn start(&mut self, node: usize) {
        if self.nodes[node].runs() {
            return;
        }
        let seed = self.dice.bytes();
        let seed = self.same_seed.unwrap_or(seed);
        let now_ms = self.now_ms;
        self.nodes[node].start(now_ms, seed);
        self.log(format!("{node}: started"));
        self.watch.started(node, &self.nodes[node]);
        self.plan_tick(node);
        self.plan_dial(node, 1);
    }

    /// Kills a node's process: what is not on its disk is gone.
    pub fn kill(&mut self, node: usize) {
        if !self.nodes[node].runs() {
            return;
        }
        self.log(format!("{node}: killed"));
        let sockets: Vec<Socket> = self.nodes[node].links.values().copied().collect();
        self.nodes[node].stop();
        for socket in sockets {
            self.snap(socket.cable);
        }
        self.watch.killed(node);
        if self.restarts && !self.asleep.contains(&node) {
            let at = self.now_ms + self.dice.between(1, 3_000);
            self.later(at, Happening::Restart { node });
        }
    }

    /// Puts an earlier disk into a node and starts it.
    pub fn restore_disk(&mut self, node: usize, disk: parlor_store::MemoryStore) {
        self.kill(node);
        self.log(format!("{node}: an old disk"));
        self.nodes[node].store = disk;
        self.watch.disk_replaced(node);
        self.start(node);
    }

    /// Kills a node's process and leaves it so.
    pub fn put_to_sleep(&mut self, node: usize) {
        self.asleep.insert(node);
        self.kill(node);
    }

    /// Starts such a node again.
    pub fn wake(&mut self, node: usize) {
        self.asleep.remove(&node);
        self.start(node);
    }

    // -- network

    /// Whether links that begin from now on are those of a local network.
    pub fn link_near(&mut self, near: bool) {
        for node in &mut self.nodes {
            let plain = (node.next_link & !NEAR) + 1;
            node.next_link = if near { plain | NEAR } else { plain };
        }
    }

    /// Parts two nodes.
    pub fn cut(&mut self, a: usize, b: usize) {
        if !self.net.cut.insert((a.min(b), a.max(b))) {
            return;
        }
        self.log(format!("{a} and {b}: cut"));
        for cable in 0..self.net.cables.len() {
            let ends = self.net.cables[cable].ends;
            let nodes = (ends[0].node.min(ends[1].node), ends[0].node.max(ends[1].node));
            if nodes == (a.min(b), a.max(b)) {
                self.snap(cable);
            }
        }
    }

    /// Lets two nodes reach each other again.
    pub fn mend(&mut self, a: usize, b: usize) {
        if self.net.cut.remove(&(a.min(b), a.max(b))) {
            self.log(format!("{a} and {b}: mended"));
        }
    }

    /// Lets all reach all.
    pub fn mend_all(&mut self) {
        self.net.cut.clear();
    }

    /// A cable dies without a word to its ends.
    pub fn kill_cable(&mut self, cable: usize) {
        self.snap(cable);
    }

    /// A cable dies; its ends notice sooner or later.
    pub(crate) fn snap(&mut self, cable: usize) {
        if !self.net.cables[cable].alive {
            return;
        }
        self.net.cables[cable].alive = false;
        for side in 0..2 {
            let at = self.now_ms + self.dice.between(1, self.faults.unnoticed_ms);
            self.later(at, Happening::Down { cable, side });
        }
    }

    pub(crate) fn connect(&mut self, from: usize, to: usize, room: RoomId) {
        let cable = self.net.cables.len();
        let at = self.now_ms + self.dice.between(self.faults.least_ms, self.faults.most_ms);
        let mut ends = [from, to].map(|node| {
            let state = &mut self.nodes[node];
            let link = state.next_link;
            state.next_link += 1;
            End { node, run: state.run, link, open: true, last_arrival: 0 }
        });
        ends[0].last_arrival = at;
        ends[1].open = false;
        self.net.cables.push(Cable { ends, room, alive: true });
        let peers = [self.nodes[from].peer, self.nodes[to].peer];
        let socket = Socket { cable, side: 0, peer: peers[1], room, since_ms: self.now_ms };
        self.nodes[from].links.insert(ends[0].link, socket);
        self.later(at, Happening::Up { cable });
        self.feed(from, Event::LinkUp { link: ends[0].link, peer: peers[1], room: Some(room) });
    }

    fn arrive_up(&mut self, cable: usize) {
        let Cable { ends, room, alive } = self.net.cables[cable].clone();
        let to = ends[1];
        if !alive || self.nodes[to.node].run != to.run || !self.nodes[to.node].is_awake() {
            self.snap(cable);
            return;
        }
        self.net.cables[cable].ends[1].open = true;
        let peer = self.nodes[ends[0].node].peer;
        self.nodes[to.node]
            .links
            .insert(to.link, Socket { cable, side: 1, peer, room, since_ms: self.now_ms });
        self.feed(to.node, Event::LinkUp { link: to.link, peer, room: None });
    }

    pub(crate) fn transmit(&mut self, node: usize, link: LinkId, bytes: Vec<u8>) {
        let Some(Socket { cable, side, .. }) = self.nodes[node].links.get(&link).copied() else { return };
        self.frames += 1;
        self.nodes[node].sent.count(bytes.len());
        if !self.net.cables[cable].alive {
            return;
        }
        if self.dice.chance(self.faults.breaks) {
            self.snap(cable);
            return;
        }
        if self.dice.chance(self.faults.vanishes) {
            return;
        }
        let slow = self.dice.between(self.faults.least_ms, self.faults.most_ms);
        let last = self.net.cables[cable].ends[side].last_arrival;
        let overtakes = self.dice.chance(self.faults.overtakes);
        let at = if overtakes { self.now_ms + self.faults.least_ms } else { (self.now_ms + slow).max(last) };
        self.net.cables[cable].ends[side].last_arrival = at.max(last);
        if self.dice.chance(self.faults.twice) {
            self.later(at, Happening::Frame { cable, side: 1 - side, bytes: bytes.clone() });
        }
        self.later(at, Happening::Frame { cable, side: 1 - side, bytes });
    }

    fn close(&mut self, node: usize, link: LinkId) {
        let now_ms = self.now_ms;
        let Some(socket) = self.nodes[node].links.remove(&link) else { return };
        self.nodes[node].link_gone(&socket, now_ms);
        let Socket { cable, side, .. } = socket;
        self.net.cables[cable].ends[side].open = false;
        // What was sent before the close still arrives; then the other end sees it.
        let at = self.net.cables[cable].ends[side].last_arrival.max(self.now_ms + 1);
        self.later(at, Happening::Down { cable, side: 1 - side });
        self.plan_dial(node, 500);
    }

    fn arrive_frame(&mut self, cable: usize, side: usize, bytes: Vec<u8>) {
        let state = &self.net.cables[cable];
        let end = state.ends[side];
        self.nodes[end.node].got.count(bytes.len());
        if state.alive && end.open && self.nodes[end.node].run == end.run {
            self.feed(end.node, Event::Frame { link: end.link, bytes });
        }
    }

    fn arrive_down(&mut self, cable: usize, side: usize) {
        let end = self.net.cables[cable].ends[side];
        self.net.cables[cable].alive = false;
        self.net.cables[cable].ends[side].open = false;
        let node = &mut self.nodes[end.node];
        if end.open
            && node.run == end.run
            && let Some(socket) = node.links.remove(&end.link)
        {
            node.link_gone(&socket, self.now_ms);
            self.feed(end.node, Event::LinkDown { link: end.link });
            self.plan_dial(end.node, 500);
        }
    }

    // -- the driver

    fn feed(&mut self, node: usize, event: Event) {
        let now = self.nodes[node].now(self.now_ms);
        if let Some(puppet) = &mut self.nodes[node].puppet {
            puppet.push_back(event);
            return;
        }
        let Some(engine) = &mut self.nodes[node].engine else { return };
        let ticked = matches!(event, Event::Tick);
        let begun = std::time::Instant::now();
        let effects = engine.handle(now, event);
        let spent = begun.elapsed();
        let due = engine.next_deadline_ms();
        if ticked && due.is_some_and(|due| due <= now.mono_ms) {
            self.fail(&format!("{node}: a tick at {} leaves a deadline at {due:?}", now.mono_ms));
        }
        self.nodes[node].spent += spent;
        self.nodes[node].pending.push(effects);
        self.plan_tick(node);
        if self.dice.chance(self.trouble.dies_before_commit) {
            self.kill(node);
        } else if self.dice.chance(self.trouble.holds) {
            let at = self.now_ms + self.dice.between(0, 4);
            if self.nodes[node].flush_at.is_none() {
                self.nodes[node].flush_at = Some(at);
                let run = self.nodes[node].run;
                self.later(at, Happening::Flush { node, run });
            }
        } else if self.nodes[node].flush_at.is_none() {
            self.flush(node);
        }
    }

    /// Commits what is pending in one transaction, then does the rest in order.
    fn flush(&mut self, node: usize) {
        self.nodes[node].flush_at = None;
        let mut ops: Vec<Op> = Vec::new();
        let mut rest = Vec::new();
        for effect in std::mem::take(&mut self.nodes[node].pending).into_iter().flatten() {
            match effect {
                Effect::Persist(more) => ops.extend(more),
                other => rest.push(other),
            }
        }
        self.watch.signs(&self.nodes, node, &ops);
        if !ops.is_empty() && self.dice.chance(self.trouble.commit_fails) {
            self.nodes[node].store.fail_next_commit(StoreError::Full);
        }
        if let Err(error) = self.nodes[node].store.commit(&ops) {
            if !matches!(error, StoreError::Full) {
                self.fail(&format!("{node}: a commit failed: {error}"));
            }
            self.log(format!("{node}: commit failed"));
            self.reload(node);
            return;
        }
        for effect in rest {
            if self.dice.chance(self.trouble.dies_after_commit) {
                self.kill(node);
                return;
            }
            self.carry_out(node, effect);
            if !self.nodes[node].runs() {
                return;
            }
        }
    }

    /// After a failed commit: everything in memory is in doubt, the store is read again.
    fn reload(&mut self, node: usize) {
        let restarts = std::mem::replace(&mut self.restarts, false);
        self.kill(node);
        self.restarts = restarts;
        self.start(node);
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist(_) => {}
            Effect::Send { link, bytes } => {
                let room = self.nodes[node].links.get(&link).map(|socket| socket.room);
                if let Err(why) = self.watch.sends(&mut self.nodes, node, room, &bytes) {
                    self.fail(&why);
                }
                self.transmit(node, link, bytes);
            }
            Effect::Close { link, reason } => {
                self.log(format!("{node}: closes {link}: {reason}"));
                self.close(node, link);
            }
            Effect::Load { token, query } => {
                self.loads += 1;
                let run = self.nodes[node].run;
                let loaded = match self.dice.chance(self.trouble.load_fails) {
                    true => None,
                    false => self.nodes[node].store.query(&query).ok(),
                };
                self.later(self.now_ms, Happening::Loaded { node, run, token, loaded });
            }
            Effect::Reply { request, outcome } => {
                if let Err(why) = self.watch.replies(node, request, &outcome) {
                    self.fail(&why);
                }
                let state = &mut self.nodes[node];
                if !state.asked.remove(&request) {
                    self.fail(&format!("{node}: request {request} was answered twice"));
                }
                self.nodes[node].replies.insert(request, outcome);
            }
            Effect::Arrived(views) => {
                if let Err(why) = self.watch.arrives(node, &views) {
                    self.fail(&why);
                }
                self.nodes[node].arrived.extend(views);
            }
            Effect::LinksChanged => self.plan_dial(node, 20),
            Effect::Note(text) => self.log(format!("{node}: {text}")),
        }
    }

    pub(crate) fn plan_tick(&mut self, node: usize) {
        let state = &self.nodes[node];
        let Some(due) = state.engine.as_ref().and_then(|engine| engine.next_deadline_ms()) else { return };
        if state.suspended.is_some() {
            return;
        }
        let at = (state.started_ms + state.stood_ms).saturating_add(due).max(self.now_ms);
        if state.tick_at.is_none_or(|planned| planned > at) {
            let run = state.run;
            self.nodes[node].tick_at = Some(at);
            self.later(at, Happening::Tick { node, run });
        }
    }

    // -- time

    /// Lets the next thing happen, if it is due by then.
    pub fn step(&mut self, until_ms: u64) -> bool {
        let Some((&(at, number), _)) = self.queue.first_key_value() else { return false };
        if at > until_ms {
            return false;
        }
        let Some(what) = self.queue.remove(&(at, number)) else { return false };
        self.in_this_ms = if at > self.now_ms { 0 } else { self.in_this_ms + 1 };
        if self.in_this_ms > MOST_IN_A_MS {
            self.fail("time does not advance");
        }
        self.happened += 1;
        if self.happened > self.most {
            self.fail("the world is too busy");
        }
        self.now_ms = self.now_ms.max(at);
        self.happen(what);
        true
    }

    fn happen(&mut self, what: Happening) {
        let Some(what) = self.keep_for_later(what) else { return };
        let runs =
            |world: &Self, node: usize, run: u64| world.nodes[node].run == run && world.nodes[node].runs();
        let is_due = |world: &Self, at: Option<u64>| at.is_some_and(|at| at <= world.now_ms);
        match what {
            Happening::Up { cable } => self.arrive_up(cable),
            Happening::Frame { cable, side, bytes } => self.arrive_frame(cable, side, bytes),
            Happening::Down { cable, side } => self.arrive_down(cable, side),
            Happening::Loaded { node, run, token, loaded } if runs(self, node, run) => {
                self.feed(node, Event::Loaded { token, loaded });
            }
            Happening::Tick { node, run }
                if runs(self, node, run) && is_due(self, self.nodes[node].tick_at) =>
            {
                self.nodes[node].tick_at = None;
                self.feed(node, Event::Tick);
            }
            Happening::Dial { node, run }
                if runs(self, node, run) && is_due(self, self.nodes[node].dial_at) =>
            {
                self.nodes[node].dial_at = None;
                self.dial(node);
            }
            Happening::Flush { node, run } if runs(self, node, run) => self.flush(node),
            Happening::Restart { node } if !self.asleep.contains(&node) => self.start(node),
            _ => {}
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.step(until) {}
        if until > self.now_ms {
            self.now_ms = until;
            self.in_this_ms = 0;
        }
    }

    // -- asking

    /// Gives a node a command; its answer comes later, unless it dies before.
    pub fn tell(&mut self, node: usize, command: Command) -> RequestId {
        let request = self.next_request;
        self.next_request += 1;
        if self.nodes[node].runs() {
            self.nodes[node].asked.insert(request);
            self.watch.asks(node, request, &command);
            self.feed(node, Event::Command { request, command });
        }
        request
    }

    /// Gives a node a command that is never answered.
    pub fn inform(&mut self, node: usize, command: Command) {
        let request = self.next_request;
        self.next_request += 1;
        self.feed(node, Event::Command { request, command });
    }

    /// Gives a node a command and waits for its answer; none when the node dies before.
    pub fn ask(&mut self, node: usize, command: Command) -> Option<Result<Outcome, Failure>> {
        let request = self.tell(node, command);
        let until = self.now_ms + 600_000;
        loop {
            if let Some(answer) = self.nodes[node].replies.remove(&request) {
                return Some(answer);
            }
            if !self.nodes[node].asked.contains(&request) || !self.step(until) {
                return None;
            }
        }
    }

    /// Something happened that must not.
    pub fn fail(&self, why: &str) -> ! {
        let log: Vec<&str> = self.log.iter().map(String::as_str).collect();
        panic!("{}\nat {}: {why}", log.join("\n"), self.now_ms);
    }
}
