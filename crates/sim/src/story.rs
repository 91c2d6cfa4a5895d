//! Random histories: people start, join, talk, close tickets; agents are given messages; machines die, disks are
//! restored and copied, clocks jump, the network does its worst. At the end all promises are checked.

use std::collections::{BTreeMap, BTreeSet};

use parlor_core::engine::api::{Command, Outcome, Priority, RequestId, Terms};
use parlor_store::MemoryStore;
use parlor_wire::control::Role;
use parlor_wire::roster::Extent;
use parlor_wire::{EntryId, RoomId};

use crate::net::Faults;
use crate::session::{Giving, Session};
use crate::world::{Trouble, World};

const HOUR_MS: i64 = 3_600_000;

/// What may happen in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plot {
    /// How many nodes there are at most.
    pub nodes: u64,
    /// How many things people do.
    pub acts: u64,
    /// The network.
    pub faults: Faults,
    /// The machines.
    pub trouble: Trouble,
    /// Whether old disks come back.
    pub restores: bool,
    /// Whether machines are copied.
    pub clones: bool,
    /// Whether clocks are wrong and jump.
    pub skews: bool,
    /// Whether people are put out, leave, and are let in.
    pub rules: bool,
    /// Whether people tell each other things alone.
    pub tells: bool,
    /// Whether every start of every process draws the same randomness.
    pub same_randomness: bool,
}

impl Plot {
    /// A plot chosen by a seed.
    pub fn of(seed: u64) -> Self {
        let harsh = seed % 5 == 4;
        let faults = match seed % 5 {
            0 => Faults::NONE,
            4 => Faults::HARSH,
            _ => Faults::BAD,
        };
        let trouble = Trouble {
            dies_before_commit: if seed.is_multiple_of(3) { 2 } else { 0 },
            dies_after_commit: if seed.is_multiple_of(3) { 2 } else { 0 },
            commit_fails: if seed % 3 == 1 { 3 } else { 0 },
            load_fails: if seed % 7 == 3 { 5 } else { 0 },
            holds: if seed.is_multiple_of(2) { 300 } else { 0 },
        };
        Self {
            nodes: 2 + seed % 4,
            acts: if harsh { 60 } else { 100 },
            faults,
            trouble,
            restores: seed % 4 == 1,
            rules: seed.is_multiple_of(2),
            clones: seed % 4 == 3,
            tells: !seed.is_multiple_of(3),
            skews: seed % 3 == 2,
            same_randomness: seed % 6 == 1,
        }
    }
}

/// A message somebody wrote.
#[derive(Debug, Clone)]
struct Said {
    node: usize,
    session: Option<String>,
    /// How often the node's disk had been replaced when it was written.
    disk: u32,
    text: String,
    low: bool,
    room: RoomId,
    /// The request that has not been answered yet.
    open: Option<RequestId>,
}

struct Backup {
    node: usize,
    disk: MemoryStore,
    since: BTreeMap<String, Option<u64>>,
}

/// A running story.
pub struct Story {
    /// The world it happens in.
    pub world: World,
    plot: Plot,
    room: RoomId,
    /// Tickets' texts and entries.
    tickets: Vec<(String, EntryId)>,
    said: Vec<Said>,
    sessions: Vec<Session>,
    /// By session: the arrival number from which on everything must be given.
    since: BTreeMap<String, Option<u64>>,
    givings: Vec<(usize, Giving)>,
    backups: Vec<Backup>,
    disks: BTreeMap<usize, u32>,
    clones: BTreeSet<usize>,
    holder: u64,
    /// Pairs who spoke with each other alone, and hold the same.
    pub spoken: usize,
}

/// Runs the story of a seed to its end and checks it.
pub fn run(seed: u64) {
    let mut story = Story::new(seed, Plot::of(seed));
    story.play();
    story.end();
}

impl Story {
    /// The beginning: nodes, a room, its first ticket.
    pub fn new(seed: u64, plot: Plot) -> Self {
        let mut world = World::new(seed);
        world.same_seed = plot.same_randomness.then_some([7; 32]);
        for n in 0..plot.nodes {
            let skew = if plot.skews { world.dice.pick(&SKEWS).unwrap_or(0) } else { 0 };
            // The starter's clock is right: its tickets' expiry is what others are measured by.
            world.add_node_skewed(
                ["alice", "bob", "carol", "alice"][n as usize % 4],
                if n == 0 { 0 } else { skew },
            );
        }
        let invited = world.start_room(0, "room");
        Self {
            plot,
            room: invited.room,
            tickets: vec![(invited.text, invited.id)],
            said: Vec::new(),
            sessions: Vec::new(),
            since: BTreeMap::new(),
            givings: Vec::new(),
            backups: Vec::new(),
            disks: BTreeMap::new(),
            clones: BTreeSet::new(),
            holder: 0,
            spoken: 0,
            world,
        }
    }

    /// The middle.
    pub fn play(&mut self) {
        self.world.faults = self.plot.faults;
        self.world.trouble = self.plot.trouble;
        for _ in 0..self.plot.acts {
            self.act();
            let ms = match self.world.dice.below(10) {
                0 => self.world.dice.between(5_000, 40_000),
                1..4 => 0,
                _ => self.world.dice.between(0, 1_500),
            };
            self.world.pass(ms);
            self.note_answers();
            self.check_sizes();
        }
    }

    fn some_node(&mut self) -> usize {
        let count = self.world.nodes.len() as u64;
        self.world.dice.below(count) as usize
    }

    fn act(&mut self) {
        let node = self.some_node();
        match self.world.dice.below(100) {
            0..8 if self.plot.tells => self.tell(node),
            0..30 => self.say(node),
            30..42 => self.join(node),
            42..62 => self.give(),
            62..66 => self.new_session(node),
            66..69 => self.invite(node),
            69..72 => self.close_ticket(node),
            72..76 => self.world.kill(node),
            76..82 => {
                let other = self.some_node();
                if other != node {
                    self.world.cut(node, other);
                }
            }
            82..88 => {
                let other = self.some_node();
                self.world.mend(node, other);
            }
            88..91 => self.backup(node),
            91..93 => self.restore(),
            93..94 => self.copy(node),
            94..96 => self.jump(node),
            96..97 => self.nick(node),
            97..99 if self.plot.rules => self.rule(node),
            _ => self.retry(),
        }
    }

    fn say(&mut self, node: usize) {
        let n = self.said.len();
        let length = match self.world.dice.below(20) {
            0 => self.world.dice.between(10_000, 60_000),
            1..4 => self.world.dice.between(500, 4_000),
            _ => self.world.dice.below(80),
        };
        let text = format!("#{n}# {}", "x".repeat(length as usize));
        let mine: Vec<String> = self
            .sessions
            .iter()
            .filter(|session| session.node == node)
            .map(|session| session.key.clone())
            .collect();
        let session = self.world.dice.pick(&mine).filter(|_| !self.clones.contains(&node));
        let low = self.world.dice.chance(100);
        let disk = self.disks.get(&node).copied().unwrap_or(0);
        let room = self.room;
        self.said.push(Said { node, session, disk, text, low, open: None, room });
        self.send(n);
    }

    /// Says something to one alone: to somebody else in the room, or to nobody who can be told.
    fn tell(&mut self, node: usize) {
        let other = self.some_node();
        let Some(Ok(Outcome::Joined { room, .. })) = self.world.open_direct(node, other) else { return };
        let n = self.said.len();
        let disk = self.disks.get(&node).copied().unwrap_or(0);
        let text = format!("#{n}# to {other} alone");
        self.said.push(Said { node, session: None, disk, text, low: false, open: None, room });
        self.send(n);
    }

    fn send(&mut self, n: usize) {
        let said = self.said[n].clone();
        let mut command =
            self.world.sending(said.room, &said.text, &format!("request {n}"), said.session.as_deref());
        if let (Command::Send(send), true) = (&mut command, said.low) {
            send.priority = Priority::Low;
        }
        self.world.log(format!("{}: says #{n}#", said.node));
        self.said[n].open = Some(self.world.tell(said.node, command));
    }

    /// Sends again what was never answered.
    fn retry(&mut self) {
        for n in 0..self.said.len() {
            let said = &self.said[n];
            let Some(request) = said.open else { continue };
            if !self.world.nodes[said.node].asked.contains(&request) && self.world.nodes[said.node].runs() {
                self.send(n);
            }
        }
    }

    fn note_answers(&mut self) {
        for said in &mut self.said {
            let Some(request) = said.open else { continue };
            if self.world.nodes[said.node].replies.remove(&request).is_some() {
                said.open = None;
            }
        }
    }

    fn join(&mut self, node: usize) {
        if let Some((text, _)) = self.world.dice.pick(&self.tickets) {
            let wait_ms = self.world.dice.pick(&[0, 0, 3_000]).unwrap_or(0);
            let _ = self.world.join(node, &text, wait_ms);
        }
    }

    fn invite(&mut self, node: usize) {
        let last = self.world.dice.between(3_000, 400_000);
        let expires = self.world.wall_ms(node) + last;
        if let Some(Ok(invited)) = self.world.invite(node, self.room, Some(expires)) {
            self.tickets.push((invited.text, invited.id));
        }
    }

    fn close_ticket(&mut self, node: usize) {
        if let Some((_, id)) = self.world.dice.pick(&self.tickets) {
            let _ = self.world.close_ticket(node, self.room, id);
        }
    }

    /// Whoever may, and now and then somebody who may not, changes who is in.
    fn rule(&mut self, node: usize) {
        let (room, other) = (self.room, self.some_node());
        let peer = self.world.nodes[other].peer;
        let command = match self.world.dice.below(12) {
            0..4 => Command::Remove { room, peer, keep: Vec::new() },
            4..6 => Command::Rekey { room },
            6 => Command::SetRole { room, peer, role: Role::Owner },
            7 => Command::Leave { room, abandon: false },
            8..10 => {
                let expires = self.world.wall_ms(node) + self.world.dice.between(60_000, 900_000);
                let terms = Terms { expires, uses: None, role: Role::Member, approve: true };
                if let Some(Ok(invited)) = self.world.invite_on(node, room, Some(terms)) {
                    self.tickets.push((invited.text, invited.id));
                }
                return;
            }
            _ => Command::Approve { room, peer },
        };
        self.world.log(format!("{node}: {command:?}"));
        let _ = self.world.ask(node, command);
    }

    fn nick(&mut self, node: usize) {
        let n = self.world.dice.below(100);
        let _ = self.world.ask(node, Command::SetNick(format!("nick-{n}")));
    }

    fn jump(&mut self, node: usize) {
        if self.plot.skews && node != 0 {
            self.world.nodes[node].skew_ms = self.world.dice.pick(&SKEWS).unwrap_or(0);
        }
    }

    // -- sessions

    fn new_session(&mut self, node: usize) {
        if self.sessions.len() < 8 && self.world.nodes[node].runs() && !self.clones.contains(&node) {
            let key = format!("s{}", self.sessions.len());
            self.sessions.push(Session::new(&self.world, node, &key, self.room));
        }
    }

    /// A hook runs, whole or not.
    fn give(&mut self) {
        let Some(at) =
            (!self.sessions.is_empty()).then(|| self.world.dice.below(self.sessions.len() as u64) as usize)
        else {
            return;
        };
        if let Some(place) = self.givings.iter().position(|(of, _)| *of == at) {
            let (_, giving) = self.givings.remove(place);
            return self.finish(at, &giving);
        }
        self.holder += 1;
        let holder = self.holder;
        let run = self.world.nodes[self.sessions[at].node].run;
        let Some(giving) = self.sessions[at].take(&mut self.world, holder) else { return };
        self.check_own_words(at, &giving);
        if giving.token.is_none() {
            return;
        }
        match self.world.dice.below(4) {
            // The hook takes its time: it is finished later, if its node still runs.
            0 if run == self.world.nodes[self.sessions[at].node].run => self.givings.push((at, giving)),
            1 => self.sessions[at].dies(&mut self.world, &giving),
            _ => self.finish(at, &giving),
        }
    }

    fn finish(&mut self, at: usize, giving: &Giving) {
        let surely = self.sessions[at].commit(&mut self.world, giving);
        let session = &self.sessions[at];
        let arrivals = self.arrivals(session.node);
        let since = self.since.entry(session.key.clone()).or_insert(None);
        if surely {
            // What arrived until now may have been left to "Earlier"; whatever comes later must be given.
            since.get_or_insert(arrivals);
        }
    }

    fn arrivals(&self, node: usize) -> u64 {
        let engine = self.world.nodes[node].engine.as_ref();
        engine.and_then(|engine| engine.room(&self.room)).map_or(u64::MAX >> 1, |view| view.arrivals)
    }

    fn check_own_words(&self, at: usize, giving: &Giving) {
        let session = &self.sessions[at];
        let disk = self.disks.get(&session.node).copied().unwrap_or(0);
        for mark in &giving.marks {
            let Some(said) = mark.parse().ok().and_then(|n: usize| self.said.get(n)) else { continue };
            let own = said.node == session.node && said.session.as_ref() == Some(&session.key);
            if own && said.disk == disk {
                self.world.fail(&format!("session {} is given its own words #{mark}#", session.key));
            }
            if said.low {
                self.world.fail(&format!("session {} is given #{mark}# of low priority", session.key));
            }
        }
    }

    // -- disks

    fn backup(&mut self, node: usize) {
        if self.plot.restores {
            let disk = self.world.nodes[node].store.clone();
            self.backups.push(Backup { node, disk, since: self.since.clone() });
        }
    }

    fn restore(&mut self) {
        if self.backups.is_empty() {
            return;
        }
        let at = self.world.dice.below(self.backups.len() as u64) as usize;
        let Backup { node, disk, since } = self.backups.swap_remove(at);
        self.world.restore_disk(node, disk);
        // What it told others before is not retried: it does not know of it any more.
        *self.disks.entry(node).or_insert(0) += 1;
        for session in self.sessions.iter_mut().filter(|session| session.node == node) {
            session.maybe = session.given.keys().cloned().collect();
            session.earlier = 0;
            self.since.insert(session.key.clone(), since.get(&session.key).copied().flatten());
        }
        for said in self.said.iter_mut().filter(|said| said.node == node) {
            said.open = None;
        }
    }

    fn copy(&mut self, node: usize) {
        if self.plot.clones && self.clones.is_empty() {
            let copy = self.world.clone_node(node);
            self.clones.insert(copy);
            self.world.start(copy);
        }
    }

    // -- the end

    /// The end: all is mended, every promise is checked.
    pub fn end(&mut self) {
        self.end_with_clones();
        self.world.settle();
        self.retry();
        self.world.pass(1_000);
        self.note_answers();
        self.world.settle();
        self.world.check_room(self.room);
        self.check_directs();
        self.check_sent();
        self.world.check_quiet();
        for at in 0..self.sessions.len() {
            self.check_session(at);
        }
    }

    /// Two machines with one identity cannot both be heard at once: each in turn.
    fn end_with_clones(&mut self) {
        let copies: Vec<usize> = self.clones.iter().copied().collect();
        for round in 0..5 {
            for copy in &copies {
                let peer = self.world.nodes[*copy].peer;
                for node in 0..self.world.nodes.len() {
                    if self.world.nodes[node].peer == peer {
                        let sleeps = (node == *copy) == (round % 2 == 0);
                        if sleeps { self.world.put_to_sleep(node) } else { self.world.wake(node) }
                    }
                }
                self.world.settle();
                self.retry();
            }
        }
    }

    /// What two who speak with each other alone hold is the same; each pair of identities on one machine each.
    fn check_directs(&mut self) {
        let peers: Vec<_> = self.world.nodes.iter().map(|node| node.peer).collect();
        let is_one = |at: usize| peers.iter().filter(|peer| **peer == peers[at]).count() == 1;
        let ones: Vec<usize> = (0..peers.len()).filter(|at| is_one(*at)).collect();
        for (at, one) in ones.iter().enumerate() {
            for other in &ones[at + 1..] {
                self.spoken += usize::from(self.world.check_direct(*one, *other));
            }
        }
    }

    /// What was asked to be sent by a member has been answered.
    fn check_sent(&self) {
        for (n, said) in self.said.iter().enumerate() {
            if said.open.is_some() && self.world.nodes[said.node].runs() {
                self.world.fail(&format!("request {n} at {} is never answered", said.node));
            }
        }
    }

    fn check_session(&mut self, at: usize) {
        let node = self.sessions[at].node;
        if !self.world.nodes[node].runs() {
            return;
        }
        while let Some(place) = self.givings.iter().position(|(of, _)| *of == at) {
            let (_, giving) = self.givings.remove(place);
            self.finish(at, &giving);
        }
        let mut session = self.sessions[at].clone();
        session.drain(&mut self.world);
        let again = session.drain(&mut self.world);
        if !again.is_empty() {
            self.world.fail(&format!("session {} is given {again:?} after it had all", session.key));
        }
        let Some(Some(since)) = self.since.get(&session.key).copied() else { return };
        self.check_all_given(&session, since);
        self.sessions[at] = session;
    }

    fn check_all_given(&mut self, session: &Session, since: u64) {
        let Some(held) = self.world.held(session.node, self.room) else { return };
        for view in self.world.messages(session.node, self.room) {
            let Some(row) = held.rows.iter().find(|row| row.id == view.id) else { continue };
            // What was beyond a cut when its turn came, and within a later one, is in the log alone.
            let cut = held.roster.chains.get(&row.chain).is_none_or(|state| state.content != Extent::All);
            let own = cut || row.origin.as_deref() == Some(&session.key);
            let marks = crate::session::marks_in(view.text.as_str());
            let due = view.arrival > since && !row.history && !own && view.priority != Priority::Low;
            if due && !marks.iter().all(|mark| session.given.contains_key(mark)) {
                self.world.fail(&format!(
                    "session {} of {} was never given {marks:?}, arrival {} of {}, since {since}",
                    session.key, session.node, view.arrival, held.snapshot.arrivals
                ));
            }
        }
    }

    fn check_sizes(&self) {
        for (at, node) in self.world.nodes.iter().enumerate() {
            let Some(sizes) = node.engine.as_ref().map(|engine| engine.sizes()) else { continue };
            let fits = sizes.pushed <= 256
                && sizes.wants <= 4
                && sizes.spoken <= 256
                && sizes.loads <= 64 + 8 * sizes.links
                && sizes.links <= 64
                && sizes.takes <= 8
                && sizes.peers <= 8;
            if !fits {
                self.world.fail(&format!("{at}: holds too much: {sizes:?}"));
            }
        }
    }
}

/// Wrong clocks: six hours either way, unset, far in the future, a little off.
const SKEWS: [i64; 6] = [
    0,
    6 * HOUR_MS,
    -6 * HOUR_MS,
    -(crate::node::EPOCH_MS as i64) + 5_000,
    4_070_908_800_000 - crate::node::EPOCH_MS as i64,
    15_000,
];
