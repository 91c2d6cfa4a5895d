//! Files that messages announce: which there are, whom they may be given to, where they lie here. A file's bytes never come
//! here. Must not give anybody a right that the roster does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::{Decode, Encode};
use parlor_wire::{EntryId, PeerId, RoomId, limits};

use super::Engine;
use super::api::{FileView, Outcome, RequestId};
use crate::crypto::FileKey;
use crate::persist::{DataRow, Op, Table};
use crate::room::body::Body;
use crate::text::clean::CleanText;
use crate::text::{Mode, clean, file_name};

/// A message that announces a file, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Record {
    /// The message.
    #[n(0)]
    entry: EntryId,
    /// The name under which the file lies here.
    #[n(1)]
    name: Option<String>,
}

/// One of a room's announcements.
#[derive(Debug)]
struct Listed {
    arrival: u64,
    record: Record,
}

/// The announcements of all rooms, of each the newest.
#[derive(Debug, Default)]
pub(super) struct FilesBook {
    by_room: BTreeMap<RoomId, VecDeque<Listed>>,
    /// In which directory files of a room lie.
    dirs: BTreeMap<RoomId, String>,
}

fn key(room: &RoomId, arrival: u64) -> Vec<u8> {
    [&room.0[..], &arrival.to_be_bytes()].concat()
}

impl FilesBook {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) {
        let Some((room, arrival)) = key.split_last_chunk::<8>() else { return };
        let (Ok(room), Ok(record)) = (RoomId::try_from(room), minicbor::decode(value)) else { return };
        let arrival = u64::from_be_bytes(*arrival);
        let list = self.by_room.entry(room).or_default();
        let at = list.partition_point(|listed| listed.arrival < arrival);
        list.insert(at, Listed { arrival, record });
    }

    /// Files of a room lie in this directory.
    pub(super) fn lie_in(&mut self, room: RoomId, dir: String) {
        self.dirs.insert(room, dir);
    }

    fn listed(&self, room: &RoomId, entry: &EntryId) -> Option<&Listed> {
        self.by_room.get(room)?.iter().rev().find(|listed| listed.record.entry == *entry)
    }

    fn path(&self, room: &RoomId, entry: &EntryId) -> Option<String> {
        let name = self.listed(room, entry)?.record.name.as_ref()?;
        Some(format!("{}/{name}", self.dirs.get(room)?))
    }
}

impl Engine {
    /// The messages of a room that announce files, the newest first.
    pub fn files(&self, room: &RoomId) -> Vec<EntryId> {
        let listed = self.files.by_room.get(room).into_iter().flatten();
        listed.rev().map(|listed| listed.record.entry).collect()
    }

    /// Whether a peer may be given files of a room on a connection that stays in the local network, or on one that does not:
    /// as long as it reads the room by this node's roster, and this node is in it.
    pub fn gives_files(&self, room: &RoomId, peer: &PeerId, near: bool) -> bool {
        let Some(held) = self.rooms.get(room) else { return false };
        let is_in = held.gone(&self.me).is_none() && held.roster.reads(&self.me);
        is_in && !held.local.stays_here && self.is_lan(room) == near && held.roster.reads(peer)
    }

    /// The members of a room that are linked for it now.
    pub fn linked_in(&self, room: &RoomId) -> BTreeSet<PeerId> {
        self.connected(*room)
    }

    /// Who else may have a file of a room: members that are linked first.
    pub fn file_sources(&self, room: &RoomId) -> Vec<PeerId> {
        let Some(held) = self.rooms.get(room).filter(|held| !held.local.stays_here) else {
            return Vec::new();
        };
        let connected = self.connected(*room);
        let others = held.roster.members.keys().filter(|peer| **peer != self.me && held.roster.reads(peer));
        let mut sources: Vec<PeerId> = others.copied().collect();
        sources.sort_by_key(|peer| !connected.contains(peer));
        sources
    }

    /// Notes that a message announces a file. What is beyond the limit is forgotten, the oldest first, and still found by its id.
    pub(super) fn note_file(&mut self, row: &DataRow, body: &Body) {
        let Some(arrival) = row.arrival.filter(|_| body.file.is_some()) else { return };
        let record = Record { entry: row.id, name: None };
        self.put(Table::Blob, key(&row.room, arrival), parlor_wire::cbor::encode(&record));
        let list = self.files.by_room.entry(row.room).or_default();
        list.push_back(Listed { arrival, record });
        if list.len() > limits::MAX_FILES_LISTED
            && let Some(oldest) = list.pop_front()
        {
            self.ops.push(Op::Delete { table: Table::Blob, key: key(&row.room, oldest.arrival) });
        }
    }

    pub(super) fn file_at(&mut self, request: RequestId, room: RoomId, entry: EntryId, name: Option<String>) {
        let list = self.files.by_room.get_mut(&room);
        if let Some(listed) = list.and_then(|list| list.iter_mut().find(|one| one.record.entry == entry)) {
            listed.record.name = name;
            let (arrival, value) = (listed.arrival, parlor_wire::cbor::encode(&listed.record));
            self.put(Table::Blob, key(&room, arrival), value);
        }
        self.reply(request, Ok(Outcome::Done));
    }

    pub(super) fn file_view(&self, row: &DataRow, body: &Body) -> Option<FileView> {
        let file = body.file.as_ref()?;
        Some(FileView {
            name: file_name::shown(&file.name),
            disk_name: file_name::on_disk(&file.name),
            length: file.length,
            blob: file.blob,
            key: FileKey::new(file.key.0),
            path: self.files.path(&row.room, &row.id),
        })
    }
}

/// What a message that announces a file says: its words, if it has any of its own, and where the file is.
pub(super) fn words(text: &str, file: &FileView, id: &EntryId) -> CleanText {
    let (name, size) = (&file.name, parlor_wire::file::size(file.length));
    let there = match &file.path {
        Some(path) => path.clone(),
        None => format!("parlor get {}", id.short()),
    };
    let file_words = format!("[file {name} {size}: {there}]");
    let own = if text == file_name::announcement(name.as_str(), file.length) { "" } else { text };
    // What its sender wrote is cut before this is, if anything is.
    let own = clean(own, Mode::Body);
    let text = if own.as_str() == crate::text::clean::NOTHING_VISIBLE {
        file_words
    } else {
        format!("{file_words} {own}")
    };
    clean(&text, Mode::Body)
}
