//! How fast a joiner catches up: one node holds 100,000 messages of 512 bytes, another joins and pulls them, both in
//! this process with stores in memory, so that what is measured is the engine. Prints entries per second and where
//! the time goes. `cargo run --release -p parlor-sim --example catch_up [COUNT]`
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use parlor_core::engine::Engine;
use parlor_core::engine::api::{Author, Command, Effect, Event, Now, Outcome, Priority, Reach, Send};
use parlor_core::persist::Snapshot;
use parlor_store::{MemoryStore, Store};
use parlor_wire::frame::Frame;
use parlor_wire::ticket::{Endpoint, TicketText};

const TEXT_BYTES: usize = 512;

struct Node {
    name: &'static str,
    engine: Engine,
    store: MemoryStore,
    inbox: VecDeque<Event>,
    outbox: Vec<Vec<u8>>,
    answers: Vec<Outcome>,
    spent: BTreeMap<&'static str, Duration>,
    arrived: usize,
}

fn now(start: Instant) -> Now {
    let mono_ms = start.elapsed().as_millis() as u64;
    Now { wall_ms: 1_780_000_000_000 + mono_ms, mono_ms }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Command { .. } => "command",
        Event::Loaded { .. } => "loaded",
        Event::Frame { bytes, .. } => match Frame::decode(bytes) {
            Ok(Frame::DataBatch(_)) => "batch",
            Ok(Frame::DataWant(_)) => "want",
            _ => "frame",
        },
        _ => "other",
    }
}

impl Node {
    fn new(name: &'static str, secret: u8, start: Instant) -> Self {
        let (engine, ops) =
            Engine::restore(now(start), &[secret; 32], [secret; 32], name, Snapshot::default());
        let mut store = MemoryStore::new();
        store.commit(&ops).unwrap_or_else(|error| panic!("{error}"));
        Self {
            name,
            engine,
            store,
            inbox: VecDeque::new(),
            outbox: Vec::new(),
            answers: Vec::new(),
            spent: BTreeMap::new(),
            arrived: 0,
        }
    }

    fn time<T>(&mut self, what: &'static str, work: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = work(self);
        *self.spent.entry(what).or_default() += begun.elapsed();
        done
    }

    /// One turn as the real driver takes it: all that waits, one commit, then the rest in order.
    fn turn(&mut self, start: Instant) {
        let mut ops = Vec::new();
        let mut rest = Vec::new();
        for event in std::mem::take(&mut self.inbox) {
            let what = kind(&event);
            let effects = self.time(what, |node| node.engine.handle(now(start), event));
            for effect in effects {
                match effect {
                    Effect::Persist(more) => ops.extend(more),
                    other => rest.push(other),
                }
            }
        }
        self.time("store: commit", |node| node.store.commit(&ops)).unwrap_or_else(|error| panic!("{error}"));
        for effect in rest {
            match effect {
                Effect::Send { bytes, .. } => self.outbox.push(bytes),
                Effect::Load { token, query } => {
                    let loaded = self.time("store: query", |node| node.store.query(&query)).ok();
                    self.inbox.push_back(Event::Loaded { token, loaded });
                }
                Effect::Reply { outcome: Ok(outcome), .. } => self.answers.push(outcome),
                Effect::Arrived(views) => self.arrived += views.len(),
                _ => {}
            }
        }
    }

    fn ask(&mut self, start: Instant, command: Command) -> Outcome {
        self.inbox.push_back(Event::Command { request: 1, command });
        while self.answers.is_empty() {
            self.turn(start);
        }
        self.answers.remove(0)
    }

    fn report(&self) {
        for (what, spent) in &self.spent {
            println!("  {:<8} {:<14} {:>8.3} s", self.name, what, spent.as_secs_f64());
        }
    }
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let start = Instant::now();
    let mut starter = Node::new("starter", 1, start);
    let mut joiner = Node::new("joiner", 2, start);
    let endpoints = vec![Endpoint { peer: starter.engine.me(), addresses: Vec::new() }];
    let command = Command::Start { name: "room".into(), reach: Reach::Anywhere, expires: None, endpoints };
    let Outcome::Started { invited: Some(invited), .. } = starter.ask(start, command) else { return };
    let begun = Instant::now();
    for n in 0..count {
        let send = Send {
            room: invited.room,
            text: format!("{n:0TEXT_BYTES$}"),
            request_id: n.to_string(),
            priority: Priority::Normal,
            author: Author::Agent,
            origin: None,
            label: None,
            to: None,
            peers: Vec::new(),
            tags: Vec::new(),
            form: None,
            ask: None,
            about: None,
            file: None,
            wait_ms: 0,
        };
        starter.ask(start, Command::Send(send));
    }
    let took = begun.elapsed();
    println!(
        "written: {count} messages in {:.2} s ({:.0} µs each)",
        took.as_secs_f64(),
        took.as_micros() as f64 / count as f64
    );
    starter.report();
    starter.spent.clear();

    let ticket = TicketText::parse(&invited.text).unwrap_or_else(|error| panic!("{error}"));
    let (a, b) = (starter.engine.me(), joiner.engine.me());
    let begun = Instant::now();
    joiner.inbox.push_back(Event::Command { request: 1, command: Command::Join { ticket, wait_ms: 0 } });
    joiner.inbox.push_back(Event::LinkUp { link: 1, peer: a, room: Some(invited.room) });
    starter.inbox.push_back(Event::LinkUp { link: 1, peer: b, room: None });
    let mut bytes = 0;
    let arrivals = |node: &Node| node.engine.room(&invited.room).map_or(0, |view| view.arrivals);
    while arrivals(&joiner) < count as u64 {
        joiner.turn(start);
        for frame in std::mem::take(&mut joiner.outbox) {
            starter.inbox.push_back(Event::Frame { link: 1, bytes: frame });
        }
        starter.turn(start);
        for frame in std::mem::take(&mut starter.outbox) {
            bytes += frame.len();
            joiner.inbox.push_back(Event::Frame { link: 1, bytes: frame });
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not end");
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "caught up: {count} messages in {took:.2} s ({:.0} entries/s, {:.1} MB, {} told)",
        count as f64 / took,
        bytes as f64 / 1e6,
        joiner.arrived
    );
    joiner.report();
    starter.report();
}
