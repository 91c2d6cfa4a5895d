//! Looking after a store: whether everything in it is as it was signed, and how much of what there is. Reads the file, whether
//! a node runs or not, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use parlor_api::paths::Home;
use parlor_core::crypto::{EntryContext, RoomKey, key_id, open_body};
use parlor_core::persist::{DataRow, Standing, Table};
use parlor_core::room::record::LocalRecord;
use parlor_core::text::names;
use parlor_core::text::time::rfc3339;
use parlor_store::index::IndexReader;
use parlor_store::{StoreError, StoreReader};
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{Control, Data, EntryId, KeyId, RoomId};
use serde::Serialize;

/// Problems that are named; more are counted.
const MAX_NAMED: usize = 20;

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct StoreReport {
    /// Rooms looked at.
    pub rooms: u64,
    /// Control entries.
    pub control: u64,
    /// Data entries.
    pub entries: u64,
    /// How many things are wrong.
    pub problems: u64,
    /// The first of them.
    pub named: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(skip)]
    of: Option<RoomId>,
    /// In which room.
    pub room: Option<String>,
    /// What it is called, as far as that can be read.
    pub room_name: Option<String>,
    /// With which entry.
    pub entry: Option<String>,
    /// What.
    pub what: String,
}

/// A store in numbers.
#[derive(Debug, Serialize)]
pub struct StoreStats {
    /// Bytes of the store's file.
    pub store_bytes: u64,
    /// Of these, unused.
    pub free_bytes: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Its rooms.
    pub rooms: Vec<RoomStats>,
}

/// A room in numbers.
#[derive(Debug, Serialize)]
pub struct RoomStats {
    /// Its id.
    pub room: String,
    /// What it is called.
    pub name: String,
    /// Who is in it.
    pub people: u64,
    /// Control entries.
    pub control: u64,
    /// Data entries.
    pub entries: u64,
    /// Of these, messages.
    pub messages: u64,
    /// Chains.
    pub chains: u64,
    /// Bytes of all entries.
    pub bytes: u64,
    /// The oldest entry, by where people see it.
    pub oldest: Option<String>,
    /// And the newest.
    pub newest: Option<String>,
    /// Messages in the index.
    pub indexed: u64,
    /// Bytes of its transcripts.
    pub transcript_bytes: u64,
}

/// Checks a store. `progress` is told of the entries looked at so far; nothing yet means that the file is being read.
pub fn store_check(home: &Home, mut progress: impl FnMut(u64)) -> Result<StoreReport, StoreError> {
    let reader = StoreReader::open(&home.store())?;
    let mut report = StoreReport::default();
    progress(0);
    match reader.findings() {
        Ok(found) => {
            for what in found {
                report.add(None, None, format!("the file itself is damaged: {what}"));
            }
        }
        Err(error) => report.file(None, None, error)?,
    }
    match reader.rooms() {
        Ok(rooms) => {
            for room in rooms {
                report.rooms += 1;
                let mut last = None;
                if let Err(error) = check_room(&reader, room, &mut report, &mut last, &mut progress) {
                    report.file(Some(room), last, error)?;
                }
            }
        }
        Err(error) => report.file(None, None, error)?,
    }
    for problem in &mut report.named {
        problem.room_name = problem.of.and_then(|room| room_name(&reader, room).ok().flatten());
    }
    Ok(report)
}

impl StoreReport {
    fn add(&mut self, room: Option<RoomId>, entry: Option<EntryId>, what: impl Into<String>) {
        self.problems += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(Problem {
                of: room,
                room: room.map(|id| id.to_string()),
                room_name: None,
                entry: entry.map(|id| id.to_string()),
                what: what.into(),
            });
        }
    }

    /// The file could not be read on: after which entry, if one of the room was read. What has another reason than the
    /// file ends the check.
    fn file(
        &mut self,
        room: Option<RoomId>,
        last: Option<EntryId>,
        error: StoreError,
    ) -> Result<(), StoreError> {
        let (StoreError::Corrupt(why) | StoreError::Io(why)) = error else { return Err(error) };
        let place = match (room, last) {
            (None, _) => "",
            (_, None) => " where this room begins",
            (_, Some(_)) => " behind this entry",
        };
        let what =
            format!("the file itself is damaged{place}, and what follows could not be checked ({why})");
        self.add(room, last, what);
        Ok(())
    }
}

fn check_room(
    reader: &StoreReader,
    room: RoomId,
    report: &mut StoreReport,
    last: &mut Option<EntryId>,
    progress: &mut impl FnMut(u64),
) -> Result<(), StoreError> {
    let mut dag = Dag::new(room);
    reader.control(room, |id, bytes| {
        report.control += 1;
        *last = Some(id);
        match Control::decode(&bytes) {
            Ok(control) if control.id != id => {
                report.add(Some(room), Some(id), "a control entry that the store has under the id of another")
            }
            Ok(control) => {
                if !matches!(dag.insert(control), Insert::In(_)) {
                    report.add(
                        Some(room),
                        Some(id),
                        "a control entry that does not follow what stands before it",
                    );
                }
            }
            Err(error) => {
                report.add(Some(room), Some(id), format!("a control entry that cannot be read: {error}"))
            }
        }
    })?;
    let mut keys = Keys::new();
    for (id, key) in reader.keys(room)? {
        if key_id(&room, &key) == id {
            keys.insert(id, key);
        } else {
            report.add(Some(room), None, format!("a room key that is not {}", id.short()));
        }
    }
    let mut chain = Chain::default();
    reader.entries(room, |row| {
        report.entries += 1;
        *last = Some(row.id);
        if let Err(what) = check_entry(&row, &dag, &keys, &mut chain) {
            report.add(Some(room), Some(row.id), what);
        }
        progress(report.control + report.entries);
    })
}

type Keys = BTreeMap<KeyId, RoomKey>;

/// Where in which chain the last entry was.
#[derive(Default)]
struct Chain {
    id: Option<EntryId>,
    seq: u64,
    here: BTreeSet<EntryId>,
    before: BTreeSet<EntryId>,
}

impl Chain {
    fn goes_on(&mut self, row: &DataRow, prev: Option<EntryId>) -> bool {
        if self.id != Some(row.chain) {
            *self = Self { id: Some(row.chain), seq: row.seq, ..Self::default() };
        } else if row.seq > self.seq {
            let is_next = row.seq == self.seq + 1;
            let here = std::mem::take(&mut self.here);
            self.before = if is_next { here } else { BTreeSet::new() };
            self.seq = row.seq;
        }
        self.here.insert(row.id);
        prev.map_or(row.seq == 0, |prev| self.before.contains(&prev))
    }
}

fn check_entry(row: &DataRow, dag: &Dag, keys: &Keys, chain: &mut Chain) -> Result<(), String> {
    let decoded = Data::decode(&row.bytes);
    let prev = decoded.as_ref().ok().and_then(|data| data.header.prev);
    let follows = chain.goes_on(row, prev);
    let data = decoded.map_err(|error| format!("an entry that cannot be read: {error}"))?;
    let header = &data.header;
    let differs = [
        ("room", row.room != header.room),
        ("id", row.id != data.id),
        ("chain", row.chain != header.chain),
        ("place in its chain", row.seq != header.seq),
        ("key", row.key != header.key),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(format!(
            "the store has this entry under another {what} than the entry itself says: one of the two was changed in the file"
        ));
    }
    let opener = dag.get(&row.chain).filter(|control| control.body.opens_chain());
    let author = opener.ok_or("a chain that nobody has opened")?.subject();
    data.verify(&author).map_err(|error| format!("an entry that its author has not signed so: {error}"))?;
    if !follows {
        return Err("an entry before which another is missing in its chain".into());
    }
    if row.standing != Standing::Arrived {
        return Ok(());
    }
    let key = keys.get(&row.key).ok_or("a message whose key is not there")?;
    let sealed = data.body.as_deref().ok_or("a message without its body")?;
    open_body(&EntryContext { key, header }, &row.room, sealed)
        .map(drop)
        .map_err(|_| "a message that does not open with its key".into())
}

/// Counts a store.
pub fn store_stats(home: &Home) -> Result<StoreStats, StoreError> {
    let reader = StoreReader::open(&home.store())?;
    let file = reader.file()?;
    // An index that is not there, or not sound, is made anew by the node: then nothing is in it.
    let indexed = IndexReader::open(&home.index()).and_then(|index| index.counts()).unwrap_or_default();
    let mut rooms = Vec::new();
    for room in reader.rooms()? {
        let indexed = indexed.get(&room).copied().unwrap_or(0);
        rooms.push(room_stats(&reader, home, room, indexed)?);
    }
    Ok(StoreStats {
        store_bytes: file.pages * file.page_bytes,
        free_bytes: file.free_pages * file.page_bytes,
        log_bytes: len(&beside(&home.store(), "-wal")),
        index_bytes: len(&home.index()) + len(&beside(&home.index(), "-wal")),
        rooms,
    })
}

fn room_stats(
    reader: &StoreReader,
    home: &Home,
    room: RoomId,
    indexed: u64,
) -> Result<RoomStats, StoreError> {
    let counts = reader.counts(room)?;
    let mut dag = Dag::new(room);
    reader.control(room, |_, bytes| {
        // What is not right is for the check to say.
        if let Ok(control) = Control::decode_trusted(&bytes) {
            dag.insert(control);
        }
    })?;
    Ok(RoomStats {
        room: room.to_string(),
        name: room_name(reader, room)?.unwrap_or_else(|| room.short()),
        people: Roster::fold(&dag).members.len() as u64,
        control: counts.control,
        entries: counts.entries,
        messages: counts.messages,
        chains: counts.chains,
        bytes: counts.control_bytes + counts.entry_bytes,
        oldest: counts.oldest_ms.map(rfc3339),
        newest: counts.newest_ms.map(rfc3339),
        indexed,
        transcript_bytes: transcript_bytes(&home.rooms(), room),
    })
}

/// What a room is called here, as far as the store says.
fn room_name(reader: &StoreReader, room: RoomId) -> Result<Option<String>, StoreError> {
    let local = reader.record(Table::Room, &room.0)?;
    let local: Option<LocalRecord> = local.and_then(|bytes| LocalRecord::read(&bytes));
    let name = local.and_then(|local| local.alias.or(local.name.map(|(name, _)| name)));
    Ok(name.map(|name| names::room_name(&name).into_string()))
}

fn transcript_bytes(rooms: &Path, room: RoomId) -> u64 {
    let tail = format!("~{}", room.short());
    let dirs = std::fs::read_dir(rooms).into_iter().flatten().flatten();
    let dirs = dirs.filter(|dir| dir.file_name().to_string_lossy().ends_with(&tail));
    let files = dirs.flat_map(|dir| std::fs::read_dir(dir.path()).into_iter().flatten().flatten());
    files.map(|file| len(&file.path())).sum()
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn beside(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
