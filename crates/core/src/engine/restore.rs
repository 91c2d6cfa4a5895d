//! Making an engine: from what the store holds, or from nothing. The store's own secrets are made here the
//! first time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_wire::control::Control;
use parlor_wire::{EntryId, RoomId};
use zeroize::Zeroizing;

use super::{Engine, Now};
use crate::crypto::Hedge;
use crate::identity::Identity;
use crate::persist::{Op, Snapshot, Table};
use crate::room::Room;
use crate::room::record::{self, LocalRecord};

/// Under this name in `Table::Own`: what the sealing secret comes from.
pub const OWN_SEALING: &[u8] = b"sealing seed";
/// Under this name in `Table::Own`: the store's hedge secret.
pub const OWN_HEDGE: &[u8] = b"hedge secret";
/// Under this name in `Table::Own`: the nick.
pub const OWN_NICK: &[u8] = b"nick";
/// Under this name in `Table::Own`: when this identity was revoked here.
pub const OWN_REVOKED: &[u8] = b"revoked";
/// Under this name in `Table::Own`: above this no counter of a signal was used.
pub const OWN_SIGNALS: &[u8] = b"signals";

/// The secrets of a store, made if it is new. The operations must be durable before the engine is used.
///
/// What keys are sealed to is drawn with the identity's secret too: two identities that begin with the same randomness
/// must not be able to open each other's.
fn own_secrets(
    snapshot: &Snapshot,
    identity_secret: &[u8; 32],
    seed: &[u8; 32],
) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>, Vec<Op>) {
    let read = |name: &[u8]| -> Option<Zeroizing<[u8; 32]>> {
        let found = snapshot.records.iter().find(|(table, key, _)| *table == Table::Own && key == name)?;
        found.2.as_slice().try_into().ok().map(Zeroizing::new)
    };
    let mut ops = Vec::new();
    let hedge_secret = read(OWN_HEDGE).unwrap_or_else(|| {
        let secret = Hedge::new_secret(seed);
        ops.push(Op::Put { table: Table::Own, key: OWN_HEDGE.to_vec(), value: secret.to_vec() });
        secret
    });
    let sealing = read(OWN_SEALING).unwrap_or_else(|| {
        let secret = Hedge::new(hedge_secret.clone(), *seed).bytes(&[OWN_SEALING, identity_secret]);
        ops.push(Op::Put { table: Table::Own, key: OWN_SEALING.to_vec(), value: secret.to_vec() });
        secret
    });
    (hedge_secret, sealing, ops)
}

impl Engine {
    /// From what the store holds. `seed` is fresh randomness of the operating system, different at each start.
    /// The operations returned must be durable before the first event.
    pub fn restore(
        now: Now,
        identity_secret: &[u8; 32],
        seed: [u8; 32],
        default_nick: &str,
        snapshot: Snapshot,
    ) -> (Self, Vec<Op>) {
        let (hedge_secret, sealing, ops) = own_secrets(&snapshot, identity_secret, &seed);
        let identity = Identity::new(identity_secret, sealing);
        let mut hedge = Hedge::new(hedge_secret, seed);
        // A token of an earlier run must hold nothing in this one, even if the generator repeats itself.
        let drawn = hedge.bytes(&[b"first token", &now.wall_ms.to_be_bytes()]);
        let first_token =
            u64::from_be_bytes([0, 0, drawn[0], drawn[1], drawn[2], drawn[3], drawn[4], drawn[5]]);
        let mut engine = Self {
            now,
            me: identity.peer(),
            identity,
            hedge,
            nick: crate::text::names::nick(default_nick).into_string(),
            revoked: None,
            rooms: BTreeMap::new(),
            peers: BTreeMap::new(),
            ticket_seeds: BTreeMap::new(),
            links: BTreeMap::new(),
            deliveries: super::delivery::Deliveries::new(first_token),
            urgents: super::asks::Urgents::default(),
            receipts: super::receipts::Receipts::default(),
            pairs: super::quiet::Pairs::default(),
            spent: super::quiet::Spent::default(),
            presence: super::presence::PresenceBook::default(),
            whereabouts: super::whereabouts::WhereaboutsBook::default(),
            meshes: super::linking::Meshes::default(),
            files: super::files::FilesBook::default(),
            repairs: super::repair::Repairs::default(),
            pauses: super::pause::Pauses::default(),
            reach: Vec::new(),
            join_waits: Vec::new(),
            recent_requests: BTreeMap::new(),
            request_order: VecDeque::new(),
            loads: BTreeMap::new(),
            next_load: 1,
            ops: Vec::new(),
            effects: Vec::new(),
            arrived: Vec::new(),
            touched_rooms: BTreeSet::new(),
        };
        engine.restore_rooms(&snapshot);
        engine.restore_records(&snapshot);
        for room in engine.rooms.keys().copied().collect::<Vec<_>>() {
            engine.refold(room);
            engine.rename(room);
        }
        // What was only derived again is on disk already, or is written by the next event.
        engine.effects.clear();
        (engine, ops)
    }

    fn restore_rooms(&mut self, snapshot: &Snapshot) {
        for (table, key, value) in &snapshot.records {
            if *table == Table::Room
                && let Ok(id) = RoomId::try_from(key.as_slice())
            {
                let mut local: LocalRecord = minicbor::decode(value).unwrap_or_default();
                if local.frozen_for.as_deref() != Some(record::VERSION) {
                    local.frozen = None;
                }
                self.rooms.insert(id, Room::new(id, local));
            }
        }
        for kept in &snapshot.rooms {
            let Some(room) = self.rooms.get_mut(&kept.room) else { continue };
            for bytes in &kept.control {
                // Checked when it was first taken in.
                match Control::decode_trusted(bytes) {
                    Ok(control) => drop(room.dag.insert(control)),
                    Err(error) => {
                        room.local.frozen = Some(error.to_string());
                        room.older = error.is_older();
                    }
                }
            }
            for (id, key) in &kept.keys {
                room.keys.restore(*id, key.clone());
            }
            room.arrivals = kept.arrivals;
            room.waiting = kept.waiting.iter().copied().collect();
        }
    }

    fn restore_records(&mut self, snapshot: &Snapshot) {
        for (table, key, value) in &snapshot.records {
            match table {
                Table::Own if key == OWN_NICK => {
                    self.nick = String::from_utf8_lossy(value).into_owned();
                }
                Table::Own if key == OWN_REVOKED => {
                    self.revoked = value.as_slice().try_into().ok().map(u64::from_be_bytes);
                }
                Table::Own if key == OWN_SIGNALS => {
                    let written = value.as_slice().try_into().map_or(0, u64::from_be_bytes);
                    self.presence.restore_mark(written);
                }
                Table::Peer => {
                    if let Ok(peer) = key.as_slice().try_into() {
                        self.peers.insert(peer, minicbor::decode(value).unwrap_or_default());
                    }
                }
                Table::Asking => {
                    if let Some((room, _)) = split_pair(key)
                        && let Some(room) = self.rooms.get_mut(&room)
                        && let Ok(control) = Control::decode_trusted(value)
                    {
                        room.asking_in.insert(control.header.author, control);
                    }
                }
                Table::Cursor => self.deliveries.restore_cursor(key, value),
                Table::Spent => self.spent.restore(key, value),
                Table::Receipt => self.receipts.restore(key, value),
                Table::Urgent => self.urgents.restore(key, value, self.now),
                Table::Blob => self.files.restore(key, value),
                Table::Tips => {
                    if let Some((room, chain)) = split_pair(key)
                        && let Some(room) = self.rooms.get_mut(&room)
                    {
                        room.chains.insert(chain, record::decode_tips(value));
                    }
                }
                Table::Ticket => {
                    if let Some(pair) = split_pair(key)
                        && let Ok(seed) = <[u8; 32]>::try_from(value.as_slice())
                    {
                        self.ticket_seeds.insert(pair, Zeroizing::new(seed));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A key made of a room and an entry.
pub(super) fn pair(room: &RoomId, entry: &EntryId) -> Vec<u8> {
    [room.0, entry.0].concat()
}

fn split_pair(key: &[u8]) -> Option<(RoomId, EntryId)> {
    let (room, entry) = key.split_at_checked(32)?;
    Some((room.try_into().ok()?, entry.try_into().ok()?))
}
