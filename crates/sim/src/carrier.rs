//! A puppet that carries for others what it likes: it serves control and data entries a test chose, on one link, and
//! answers what it is asked. And what a puppet writes in its own name. Must not help the engines it talks to.

use parlor_core::crypto::{self, EntryContext, RoomKey, TicketKeys};
use parlor_core::engine::api::LinkId;
use parlor_core::identity::Identity;
use parlor_core::room::body::Body;
use parlor_wire::control::{Control, ControlBody, ControlHeader};
use parlor_wire::data::{CLASS_CONTENT, body_hash};
use parlor_wire::frame::{ChainTips, ControlBatch, DataBatch, DataHeads, Frame, Tip};
use parlor_wire::roster::{Dag, Insert};
use parlor_wire::{
    Data, DataHeader, EntryId, KeyId, RULES, RoomId, SUITE, Salt, WIRE_VERSION, domain, limits,
};

use crate::world::World;

/// How often a carrier looks for what it was asked, in milliseconds.
const LOOK_MS: u64 = 20;

/// What a puppet carries.
#[derive(Clone)]
pub struct Carrier {
    /// The puppet.
    pub puppet: usize,
    /// The room.
    pub room: RoomId,
    /// The control entries it shows.
    pub dag: Dag,
    /// The data entries it shows.
    pub data: Vec<Data>,
}

impl Carrier {
    /// Carries all that a node has on its disk.
    pub fn of(world: &mut World, puppet: usize, node: usize, room: RoomId) -> Self {
        let Some(held) = world.held(node, room) else { world.fail("there is nothing to carry") };
        let data = held.rows.iter().filter_map(|row| Data::decode(&row.bytes).ok()).collect();
        Self { puppet, room, dag: held.dag, data }
    }

    /// Carries no data but what is shown.
    #[must_use]
    pub fn showing(mut self, shows: impl Fn(&Data) -> bool) -> Self {
        self.data.retain(shows);
        self
    }

    /// Carries one control entry more, which must follow what it carries.
    pub fn add(&mut self, world: &World, control: Control) -> EntryId {
        let id = control.id;
        if !matches!(self.dag.insert(control), Insert::In(_)) {
            world.fail("a puppet wrote what can never be in");
        }
        id
    }

    /// Opens a link, tells what it shows, and answers for so long. Returns the link.
    pub fn serves(&self, world: &mut World, to: usize, ticket: Option<&TicketKeys>, ms: u64) -> LinkId {
        let link = world.puppet_opens(self.puppet, to, self.room, ticket);
        let heads = self.dag.heads().iter().copied().collect();
        world.puppet_says(self.puppet, link, &Frame::ControlHeads(heads));
        let heads = DataHeads { chains: self.tips(), complete: true };
        world.puppet_says(self.puppet, link, &Frame::DataHeads(heads));
        let until = world.now_ms + ms;
        while world.now_ms < until {
            for frame in world.puppet_hears(self.puppet, link) {
                if let Some(answer) = self.answer(frame) {
                    world.puppet_says(self.puppet, link, &answer);
                }
            }
            world.pass(LOOK_MS);
        }
        link
    }

    fn answer(&self, asked: Frame) -> Option<Frame> {
        match asked {
            Frame::ControlWant(want) => {
                let mut missing = self.dag.difference(&want.want, &want.have);
                let more = missing.len() > limits::MAX_BATCH_ENTRIES;
                missing.truncate(limits::MAX_BATCH_ENTRIES);
                let entries = missing.iter().filter_map(|id| self.dag.get(id));
                let entries = entries.map(|control| control.encode().into()).collect();
                Some(Frame::ControlBatch(ControlBatch { entries, more }))
            }
            Frame::DataWant(want) => {
                let mut wanted: Vec<&Data> = self.of_chain(want.chain).collect();
                wanted.retain(|data| (want.from_seq..=want.to_seq).contains(&data.header.seq));
                wanted.sort_by_key(|data| data.header.seq);
                wanted.truncate(limits::MAX_BATCH_ENTRIES);
                let entries = wanted.into_iter().map(|data| data.encode().into()).collect();
                Some(Frame::DataBatch(DataBatch { chain: want.chain, from_seq: want.from_seq, entries }))
            }
            _ => None,
        }
    }

    fn of_chain(&self, chain: EntryId) -> impl Iterator<Item = &Data> {
        self.data.iter().filter(move |data| data.header.chain == chain)
    }

    /// The ends of all branches it shows.
    fn tips(&self) -> Vec<ChainTips> {
        let mut chains: Vec<EntryId> = self.data.iter().map(|data| data.header.chain).collect();
        chains.sort_unstable();
        chains.dedup();
        let tips = |chain: EntryId| {
            let is_end = |data: &&Data| self.of_chain(chain).all(|other| other.header.prev != Some(data.id));
            self.of_chain(chain)
                .filter(is_end)
                .map(|data| Tip { seq: data.header.seq, id: data.id })
                .collect()
        };
        chains.into_iter().map(|chain| ChainTips { chain, tips: tips(chain) }).collect()
    }
}

/// What data entries of a puppet have in common.
pub struct Writing<'a> {
    /// The room.
    pub room: RoomId,
    /// The puppet's chain.
    pub chain: EntryId,
    /// What it seals under.
    pub key: &'a (KeyId, RoomKey),
    /// The time it writes on them.
    pub time: u64,
    /// The control heads that the first of them names.
    pub heads: Option<&'a [EntryId]>,
}

impl World {
    /// Entries of a puppet's chain one after the other, behind `after`.
    pub fn puppet_entries(
        &self,
        puppet: usize,
        writing: &Writing<'_>,
        after: Option<(u64, EntryId)>,
        texts: impl Iterator<Item = String>,
    ) -> Vec<Data> {
        let mut before = after;
        let mut heads = writing.heads.map(<[EntryId]>::to_vec);
        let write = |text: String| {
            let salt = body_hash(text.as_bytes());
            let body = Body { text: Some(text), ..Body::default() }.encode();
            let mut header = DataHeader {
                v: WIRE_VERSION,
                room: writing.room,
                chain: writing.chain,
                seq: before.map_or(0, |(seq, _)| seq + 1),
                prev: before.map(|(_, id)| id),
                class: CLASS_CONTENT,
                time: writing.time,
                key: writing.key.0,
                salt: Salt(std::array::from_fn(|at| salt.0[at])),
                slot: None,
                supersedes: None,
                after: heads.take(),
                body_hash: None,
                body_len: crypto::sealed_len(body.len()) as u32,
            };
            let context = EntryContext { key: &writing.key.1, header: &header };
            let Ok(sealed) = crypto::seal_body(&context, &body) else { self.fail("a puppet cannot seal") };
            header.body_hash = Some(body_hash(&sealed));
            let signature = self.identity(puppet).sign(domain::DATA_SIGNATURE, &header.bytes());
            let data = Data::new(header, signature, Some(sealed));
            before = Some((data.header.seq, data.id));
            data
        };
        texts.map(write).collect()
    }

    /// A control entry of a puppet, upon these parents; with a ticket's keys it is a join.
    pub fn puppet_control(
        &self,
        puppet: usize,
        (room, membership): (RoomId, Option<EntryId>),
        after: &[EntryId],
        body: ControlBody,
        ticket: Option<&TicketKeys>,
    ) -> Control {
        let mut after = after.to_vec();
        after.sort_unstable();
        control_of(&self.identity(puppet), (room, membership), after, body, ticket)
    }
}

/// A control entry as its author writes it; with a ticket's keys it is a join.
pub(crate) fn control_of(
    who: &Identity,
    (room, membership): (RoomId, Option<EntryId>),
    after: Vec<EntryId>,
    body: ControlBody,
    ticket: Option<&TicketKeys>,
) -> Control {
    let header = ControlHeader {
        v: WIRE_VERSION,
        rules: RULES,
        suite: SUITE,
        room: Some(room),
        author: who.peer(),
        membership,
        kind: body.kind(),
        after,
        time: 1,
        body: body.bytes().into(),
    };
    let message = header.bytes();
    let signature = who.sign(domain::CONTROL_SIGNATURE, &message);
    let cosigned = ticket.map(|keys| keys.sign(domain::JOIN_SIGNATURE, &message));
    Control::new(header, body, signature, cosigned)
}
