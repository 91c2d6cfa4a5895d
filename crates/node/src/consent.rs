//! What a peer's message may do to a session here, which is its person's to set. Must not decide what a message says or
//! who is in a room.

use std::collections::BTreeMap;

use parlor_core::engine::api::Command;
use parlor_core::persist::{Snapshot, Table};
use parlor_wire::{PeerId, RoomId};

/// What a message may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Be given at a prompt.
    Inject,
    /// Be given between tools, and make a turn go on.
    Tools,
    /// Wake an idle session.
    Wake,
    /// Have its file fetched by itself.
    Files,
}

impl What {
    pub(crate) const ALL: [Self; 4] = [Self::Inject, Self::Tools, Self::Wake, Self::Files];

    /// What holds where nobody has said anything. Who is in a room that was joined here may be heard; nobody wakes a session or
    /// brings files by itself before a person here has said so.
    pub(crate) fn usual(self) -> bool {
        matches!(self, Self::Inject | Self::Tools)
    }
}

/// Whose messages are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// All of a room.
    Room(RoomId),
    /// Those of a peer, wherever it speaks.
    Peer(PeerId),
}

/// What was allowed and denied.
#[derive(Debug, Default)]
pub(crate) struct Consent {
    said: BTreeMap<(What, Whose), bool>,
}

const OF_ROOM: u8 = b'r';
const OF_PEER: u8 = b'p';
const YES: &[u8] = b"1";
const NO: &[u8] = b"0";

impl Consent {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let rows = snapshot.records.iter().filter(|(table, _, _)| *table == Table::Consent);
        let said = rows.filter_map(|(_, key, value)| Some((place(key)?, value == YES)));
        Self { said: said.collect() }
    }

    /// What is to be written so that this holds; none: what is usual.
    pub(crate) fn record(what: What, whose: Whose, allowed: Option<bool>) -> Command {
        let (kind, id) = match whose {
            Whose::Room(room) => (OF_ROOM, room.0),
            Whose::Peer(peer) => (OF_PEER, peer.0),
        };
        let key = [&[kind, what as u8], &id[..]].concat();
        let value = allowed.map(|allowed| if allowed { YES } else { NO }.to_vec());
        Command::PutRecord { table: Table::Consent, key, value }
    }

    /// This holds from now on.
    pub(crate) fn set(&mut self, what: What, whose: Whose, allowed: Option<bool>) {
        match allowed {
            Some(allowed) => drop(self.said.insert((what, whose), allowed)),
            None => drop(self.said.remove(&(what, whose))),
        }
    }

    /// Whether what `peer` says in `room` may do this. What was said of the peer goes before what was said of the room, and that
    /// before what is usual.
    pub(crate) fn may(&self, what: What, room: RoomId, peer: PeerId) -> bool {
        let said = |whose| self.said.get(&(what, whose)).copied();
        said(Whose::Peer(peer)).or_else(|| said(Whose::Room(room))).unwrap_or_else(|| what.usual())
    }

    /// All that was said.
    pub(crate) fn said(&self) -> impl Iterator<Item = (What, Whose, bool)> + '_ {
        self.said.iter().map(|((what, whose), allowed)| (*what, *whose, *allowed))
    }
}

/// What and whom a row is about; none for one of a later Parlor.
fn place(key: &[u8]) -> Option<(What, Whose)> {
    let ([kind, what], id) = key.split_first_chunk::<2>()?;
    let what = What::ALL.into_iter().find(|known| *known as u8 == *what)?;
    let whose = match *kind {
        OF_ROOM => Whose::Room(RoomId::try_from(id).ok()?),
        OF_PEER => Whose::Peer(PeerId(id.try_into().ok()?)),
        _ => return None,
    };
    Some((what, whose))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);
    const BOB: PeerId = PeerId([2; 32]);
    const CAROL: PeerId = PeerId([3; 32]);

    #[test]
    fn nobody_wakes_or_brings_files_before_a_person_has_said_so() {
        let nothing = Consent::default();
        let may = What::ALL.map(|what| nothing.may(what, ROOM, BOB));
        assert_eq!(may, [true, true, false, false]);
    }

    #[test]
    fn what_was_said_of_a_peer_goes_before_what_was_said_of_a_room() {
        let mut consent = Consent::default();
        consent.set(What::Wake, Whose::Room(ROOM), Some(true));
        assert!(consent.may(What::Wake, ROOM, BOB) && !consent.may(What::Wake, RoomId([9; 32]), BOB));
        consent.set(What::Wake, Whose::Peer(BOB), Some(false));
        assert!(!consent.may(What::Wake, ROOM, BOB) && consent.may(What::Wake, ROOM, CAROL));
        assert!(!consent.may(What::Files, ROOM, CAROL), "one thing is not another");
        consent.set(What::Wake, Whose::Peer(BOB), None);
        assert!(consent.may(What::Wake, ROOM, BOB));
    }

    proptest! {
        #[test]
        fn what_was_said_is_read_again(said in prop::collection::vec((0..4_usize, any::<bool>(), any::<[u8; 32]>(), any::<bool>()), 0..20)) {
            let mut consent = Consent::default();
            let mut rows = BTreeMap::new();
            for (what, is_room, id, allowed) in said {
                let whose = if is_room { Whose::Room(RoomId(id)) } else { Whose::Peer(PeerId(id)) };
                consent.set(What::ALL[what], whose, Some(allowed));
                let Command::PutRecord { table, key, value } = Consent::record(What::ALL[what], whose, Some(allowed)) else { panic!() };
                rows.insert(key, (table, value.unwrap()));
            }
            let records = rows.into_iter().map(|(key, (table, value))| (table, key, value)).collect();
            let again = Consent::restore(&Snapshot { records, ..Snapshot::default() });
            prop_assert_eq!(again.said, consent.said);
        }

        #[test]
        fn any_bytes_as_a_row_are_no_consent_to_wake(key in prop::collection::vec(any::<u8>(), 0..40), value in prop::collection::vec(any::<u8>(), 0..3)) {
            prop_assume!(value != YES);
            let snapshot = Snapshot { records: vec![(Table::Consent, key, value)], ..Snapshot::default() };
            prop_assert!(Consent::restore(&snapshot).said().all(|(.., allowed)| !allowed));
        }
    }
}
