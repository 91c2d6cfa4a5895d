//! What an export of a room needs of this identity: the control entries, keys of single entries, signatures. Gives away no
//! room key.

use parlor_wire::{Data, EntryId, RoomId, Signature};

use super::Engine;
use crate::crypto::EntryContext;
use crate::persist::DataRow;

impl Engine {
    /// The control entries of a room, parents before children, and the chains of which something is held.
    pub fn export_control(&self, room: &RoomId) -> Option<(Vec<parlor_wire::Control>, Vec<EntryId>)> {
        let held = self.rooms.get(room)?;
        Some((held.dag.iter().cloned().collect(), held.chains.keys().copied().collect()))
    }

    /// An entry, and its own key if it counts and opens here.
    pub fn export_entry(&self, row: &DataRow) -> Option<(Data, Option<zeroize::Zeroizing<[u8; 32]>>)> {
        let held = self.rooms.get(&row.room)?;
        let data = Data::decode(&row.bytes).ok()?;
        let counts = held.counts(&row.chain, data.header.class, row.seq, &row.id) == Some(true);
        let key = held.keys.get(&data.header.key).filter(|_| counts);
        let key = key.map(|key| EntryContext { key, header: &data.header }.entry_key());
        Some((data, key))
    }

    /// This identity's signature over a part of an export.
    pub fn sign_export(&self, domain: &[u8], message: &[u8]) -> Signature {
        self.identity.sign(domain, message)
    }
}
