//! Alice, Bob, and Rogue who is played by hand, for tests of what a member may do to others. Must not help the
//! engines Rogue talks to.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use parlor_core::crypto::{RoomKey, TicketKeys};
use parlor_core::engine::api::LinkId;
use parlor_core::engine::audit::Sizes;
use parlor_sim::{Session, World, Writing};
use parlor_wire::control::{Control, ControlBody, ControlHeader};
use parlor_wire::data::body_hash;
use parlor_wire::frame::{ChainTips, ControlBatch, DataBatch, DataHeads, DataPush, Frame, Tip};
use parlor_wire::{Data, EntryId, KeyId, RULES, RoomId, SUITE, WIRE_VERSION, domain, limits};

/// Alice, Bob, and Rogue: a member once, now played by hand.
pub struct Stage {
    pub world: World,
    pub room: RoomId,
    pub ticket: TicketKeys,
    pub key: (KeyId, RoomKey),
    pub chain: EntryId,
    pub last: Option<(u64, EntryId)>,
    pub session: Session,
    /// The entry by which Rogue is in.
    pub membership: EntryId,
    /// The text by which all came in.
    pub ticket_text: String,
    said: u64,
    /// The control heads that the next data entries name.
    pub after: Option<Vec<EntryId>>,
}

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const ROGUE: usize = 2;

impl Stage {
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        for nick in ["alice", "bob", "rogue"] {
            world.add_node(nick);
        }
        let invited = world.start_room(ALICE, "room");
        let room = invited.room;
        for node in [BOB, ROGUE] {
            world.join(node, &invited.text, 5_000).unwrap().unwrap();
        }
        world.settle();
        let mut session = Session::new(&world, ALICE, "s", room);
        session.drain(&mut world);
        let held = world.held(ROGUE, room).unwrap();
        let peer = world.nodes[ROGUE].peer;
        let chain = *held.roster.chains.iter().find(|(_, state)| state.author == peer).unwrap().0;
        let last = held.rows.iter().filter(|row| row.chain == chain).map(|row| (row.seq, row.id)).max();
        let key = held.snapshot.keys.last().cloned().unwrap();
        world.make_puppet(ROGUE);
        let text = parlor_wire::ticket::TicketText::parse(&invited.text).unwrap();
        Self {
            world,
            room,
            ticket: TicketKeys::from_seed(&text.seed),
            key,
            chain,
            last,
            session,
            membership: chain,
            ticket_text: invited.text,
            said: 0,
            after: None,
        }
    }

    pub fn open(&mut self, to: usize) -> LinkId {
        let link = self.world.puppet_opens(ROGUE, to, self.room, Some(&self.ticket));
        assert!(self.world.puppet_is_linked(ROGUE, link));
        link
    }

    /// The next entries of Rogue's chain, or of a branch that leaves it after `after`.
    pub fn entries(&self, after: Option<(u64, EntryId)>, count: usize, time: u64, say: &str) -> Vec<Data> {
        let heads = self.after.as_deref();
        let writing = Writing { room: self.room, chain: self.chain, key: &self.key, time, heads };
        self.world.puppet_entries(ROGUE, &writing, after, (0..count).map(|n| format!("{say} {n}")))
    }

    pub fn push(&mut self, link: LinkId, entries: &[Data]) {
        let entries = entries.iter().map(|data| data.encode().into()).collect();
        self.world.puppet_says(ROGUE, link, &Frame::DataPush(DataPush { entries }));
    }

    /// Control entries of Rogue, each after the one before, the first after everything Alice holds.
    pub fn control(&mut self, bodies: impl IntoIterator<Item = ControlBody>) -> Vec<Control> {
        let heads = self.world.held(ALICE, self.room).unwrap().dag.heads().iter().copied().collect();
        self.control_after(heads, bodies)
    }

    /// The same after these entries.
    pub fn control_after(
        &mut self,
        mut after: Vec<EntryId>,
        bodies: impl IntoIterator<Item = ControlBody>,
    ) -> Vec<Control> {
        let identity = self.world.identity(ROGUE);
        let sign = |body: ControlBody| {
            self.said += 1;
            let header = ControlHeader {
                v: WIRE_VERSION,
                rules: RULES,
                suite: SUITE,
                room: Some(self.room),
                author: identity.peer(),
                membership: Some(self.membership),
                kind: body.kind(),
                after: after.clone(),
                time: self.said,
                body: body.bytes().into(),
            };
            let signature = identity.sign(domain::CONTROL_SIGNATURE, &header.bytes());
            let control = Control::new(header, body, signature, None);
            after = vec![control.id];
            control
        };
        bodies.into_iter().map(sign).collect()
    }

    /// Gives control entries on a link, in batches.
    pub fn give(&mut self, link: LinkId, entries: &[Control]) {
        for part in entries.chunks(100) {
            let entries = part.iter().map(|control| control.encode().into()).collect();
            let batch = ControlBatch { entries, more: false };
            self.world.puppet_says(ROGUE, link, &Frame::ControlBatch(batch));
        }
    }

    /// Says which entries Rogue has, and gives what is asked for until nothing is. How often it was asked.
    pub fn serves(&mut self, link: LinkId, entries: &[Data]) -> usize {
        let last = entries.last().unwrap();
        let tips = vec![Tip { seq: last.header.seq, id: last.id }];
        let heads = DataHeads { chains: vec![ChainTips { chain: self.chain, tips }], complete: true };
        self.world.puppet_says(ROGUE, link, &Frame::DataHeads(heads));
        let mut asked = 0;
        for _ in 0..100 {
            let heard = self.world.puppet_hears(ROGUE, link);
            let wants = heard.into_iter().filter_map(|frame| match frame {
                Frame::DataWant(want) => Some(want),
                _ => None,
            });
            let wants: Vec<_> = wants.collect();
            if wants.is_empty() {
                break;
            }
            asked += wants.len();
            for want in wants {
                let asked = want.from_seq..=want.to_seq;
                let found = entries.iter().filter(|data| asked.contains(&data.header.seq));
                let mut bytes = 0;
                let fits = |data: &Vec<u8>| {
                    bytes += data.len();
                    bytes <= limits::BATCH_BYTES
                };
                let entries = found.map(Data::encode).take_while(fits).map(Into::into).collect();
                let batch = DataBatch { chain: want.chain, from_seq: want.from_seq, entries };
                self.world.puppet_says(ROGUE, link, &Frame::DataBatch(batch));
            }
        }
        asked
    }

    /// The places of Rogue's chain that a node has on disk.
    pub fn of_chain(&mut self, node: usize) -> Vec<u64> {
        let held = self.world.held(node, self.room).unwrap();
        let mut places: Vec<u64> =
            held.rows.iter().filter(|row| row.chain == self.chain).map(|row| row.seq).collect();
        places.sort_unstable();
        places
    }

    /// How much an engine holds in memory.
    pub fn sizes(&self, node: usize) -> Sizes {
        self.world.nodes[node].engine.as_ref().unwrap().sizes()
    }

    /// What people are warned of.
    pub fn warnings(&self, node: usize) -> Vec<String> {
        self.world.nodes[node].engine.as_ref().unwrap().room(&self.room).unwrap().warnings
    }

    pub fn lost(&mut self, link: LinkId) -> bool {
        self.world.pass(100);
        !self.world.puppet_is_linked(ROGUE, link)
    }

    /// Everybody else still talks, and nothing was taken that should not be.
    pub fn others_are_well(&mut self, count: usize) {
        let n = self.world.now_ms;
        self.world.say_surely(ALICE, self.room, &format!("#{n}1# alice"));
        self.world.say_surely(BOB, self.room, &format!("#{n}2# bob"));
        self.world.pass(2_000);
        let alice = self.world.texts(ALICE, self.room);
        assert_eq!(alice, self.world.texts(BOB, self.room));
        assert_eq!(alice.len(), count + 2);
        assert!(self.session.drain(&mut self.world).contains(&format!("{n}2")));
    }
}

pub fn blake3_of(say: &str, n: usize) -> [u8; 16] {
    let hash = body_hash(format!("{say}{n}").as_bytes());
    hash.0[..16].try_into().unwrap()
}
