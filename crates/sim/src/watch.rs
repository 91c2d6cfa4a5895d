//! What must hold at every moment of a simulated world, looked at from outside the engines: no key and salt
//! twice, nothing acknowledged that is not on disk, no message twice in one node's order. Must not ask an engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parlor_core::engine::api::{Command, Failure, MessageView, Outcome, RequestId};
use parlor_core::persist::{Loaded, Op, Query};
use parlor_store::Store;
use parlor_wire::frame::{ChainTips, DataHeads, Frame};
use parlor_wire::{Data, EntryId, KeyId, RoomId, Salt};

use crate::node::Node;

/// A message that was acknowledged to its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Its room.
    pub room: RoomId,
    /// It.
    pub entry: EntryId,
    /// The node that promised.
    pub node: usize,
}

/// What has been seen.
#[derive(Debug, Default)]
pub struct Watch {
    /// What each key and salt were used for.
    salts: HashMap<(KeyId, Salt), [u8; 32]>,
    asked: HashMap<(usize, RequestId), String>,
    /// Acknowledged sends by request id.
    pub promised: BTreeMap<String, Promise>,
    /// By node and room: the highest arrival number told, in this run.
    told: BTreeMap<(usize, RoomId), u64>,
    /// Messages told as arrived, by node.
    arrived: BTreeMap<usize, BTreeSet<EntryId>>,
    /// A key and salt used twice, found while committing.
    fault: Option<String>,
}

impl Watch {
    pub(crate) fn asks(&mut self, node: usize, request: RequestId, command: &Command) {
        if let Command::Send(send) = command {
            self.asked.insert((node, request), send.request_id.clone());
        }
    }

    pub(crate) fn started(&mut self, node: usize, _state: &Node) {
        self.told.retain(|(of, _), _| *of != node);
    }

    pub(crate) fn killed(&mut self, node: usize) {
        self.asked.retain(|(of, _), _| *of != node);
        // What was told and not yet committed may be told again; what was committed never is, but the store says
        // which: see `check`.
        self.arrived.remove(&node);
    }

    /// A disk was taken back in time: what it promised since may be gone.
    pub(crate) fn disk_replaced(&mut self, node: usize) {
        self.promised.retain(|_, promise| promise.node != node);
    }

    /// Entries about to be written, committed or not.
    pub(crate) fn signs(&mut self, _nodes: &[Node], node: usize, ops: &[Op]) {
        for op in ops {
            let Op::PutData(row) = op else { continue };
            match Data::decode(&row.bytes) {
                Ok(data) => self.uses(node, data.header.key, data.header.salt, row.id.0),
                Err(error) => {
                    self.fault = Some(format!("{node}: wrote an entry that does not decode: {error}"))
                }
            }
        }
    }

    fn uses(&mut self, node: usize, key: KeyId, salt: Salt, for_what: [u8; 32]) {
        let before = *self.salts.entry((key, salt)).or_insert(for_what);
        if before != for_what {
            self.fault = Some(format!("{node}: key {} and salt {salt:?} were used twice", key.short()));
        }
    }

    /// A frame that goes out: what it says is durable must be on the disk.
    pub(crate) fn sends(
        &mut self,
        nodes: &mut [Node],
        node: usize,
        room: Option<RoomId>,
        bytes: &[u8],
    ) -> Result<(), String> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if bytes.len() > parlor_wire::limits::MAX_FRAME_BYTES {
            return Err(format!("{node}: a frame of {} bytes", bytes.len()));
        }
        match Frame::decode(bytes).map_err(|error| format!("{node}: sends a malformed frame: {error}"))? {
            Frame::Ack(parlor_wire::frame::Ack { chains }) | Frame::DataHeads(DataHeads { chains, .. }) => {
                room.map_or(Ok(()), |room| on_disk(nodes, node, room, &chains))
            }
            Frame::Signal(signal) => {
                let what = *parlor_wire::data::body_hash(&signal.signed_bytes()).as_bytes();
                self.uses(node, signal.key, signal.salt, what);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn replies(
        &mut self,
        node: usize,
        request: RequestId,
        outcome: &Result<Outcome, Failure>,
    ) -> Result<(), String> {
        let Some(id) = self.asked.remove(&(node, request)) else { return Ok(()) };
        let Ok(Outcome::Sent(sent)) = outcome else { return Ok(()) };
        let promise = Promise { room: sent.room, entry: sent.id, node };
        let before = self.promised.entry(id.clone()).or_insert(promise);
        if before.entry != sent.id {
            return Err(format!("{node}: request {id} became two messages"));
        }
        Ok(())
    }

    pub(crate) fn arrives(&mut self, node: usize, views: &[MessageView]) -> Result<(), String> {
        for view in views {
            let last = self.told.insert((node, view.room), view.arrival).unwrap_or(0);
            if view.arrival <= last {
                return Err(format!("{node}: arrival {} told after {last}", view.arrival));
            }
            if !self.arrived.entry(node).or_default().insert(view.id) {
                return Err(format!("{node}: {} arrived twice", view.id.short()));
            }
        }
        Ok(())
    }
}

fn on_disk(nodes: &mut [Node], node: usize, room: RoomId, chains: &[ChainTips]) -> Result<(), String> {
    for chain in chains {
        let ids: Vec<EntryId> = chain.tips.iter().map(|tip| tip.id).collect();
        let wanted = ids.len();
        let held = match nodes[node].store.query(&Query::Known { room, ids }) {
            Ok(Loaded::Rows(rows)) => rows.len(),
            _ => 0,
        };
        if held != wanted {
            return Err(format!(
                "{node}: speaks of entries of chain {} it has not on disk",
                chain.chain.short()
            ));
        }
    }
    Ok(())
}
