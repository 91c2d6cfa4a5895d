//! Which directory hears which rooms. A directory inside a git work tree stands for the repository, so that its
//! work trees share; nothing is written into a repository and no process is run to ask about one.

mod git;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use parlor_core::engine::api::TakeRoom;
use parlor_core::persist::{Snapshot, Table};
use parlor_wire::RoomId;
use serde::{Deserialize, Serialize};

use crate::levels::Disturbed;

/// The directory by which bindings know `dir`: for a git work tree the one above git's common directory, else
/// the directory itself, without links.
pub(crate) fn key_of(dir: &Path) -> PathBuf {
    let dir = canonical(dir);
    match git::shared_root(&dir) {
        // Who keeps the whole home directory under git does not mean all of it.
        Some(root) if !is_too_wide(&root) => root,
        _ => dir,
    }
}

/// The branch a directory's work tree is on, read from git's own files each time; the beginning of a commit where it is on
/// none.
pub(crate) fn branch_of(dir: &Path) -> Option<String> {
    let dir = canonical(dir);
    let tree = git::tree_around(&dir)?;
    // Who keeps the whole home directory under git is not on its branch everywhere below.
    (tree == dir || !is_too_wide(tree)).then(|| git::branch(tree)).flatten()
}

fn canonical(dir: &Path) -> PathBuf {
    dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.into())
}

/// Whether a binding there would be heard by nearly every session of this user.
pub(crate) fn is_too_wide(key: &Path) -> bool {
    let home =
        std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| canonical(Path::new(&home)));
    key.parent().is_none() || home.is_some_and(|home| home.starts_with(key))
}

/// What is kept of a binding beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    bound_at: u64,
    time_ms: u64,
    /// Counts bindings; the highest of a directory is its default.
    order: u64,
    /// The node made the room for the sessions of this directory: it is heard beside all others, and after them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_itself: bool,
    /// How much of the room is given by itself.
    #[serde(flatten)]
    disturbed: Disturbed,
}

/// One room of one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Binding {
    room: RoomId,
    record: Record,
}

/// A binding to be written or forgotten.
pub(crate) struct Change {
    dir: PathBuf,
    room: RoomId,
    record: Option<Record>,
}

impl Change {
    /// The room that is bound, or not any more.
    pub(crate) fn room(&self) -> RoomId {
        self.room
    }

    /// Its key and value in `Table::Binding`.
    pub(crate) fn to_row(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let key = [&self.room.0[..], self.dir.as_os_str().as_bytes()].concat();
        (key, self.record.and_then(|record| serde_json::to_vec(&record).ok()))
    }
}

/// All bindings.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    by_dir: BTreeMap<PathBuf, Vec<Binding>>,
}

impl Bindings {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let mut bindings = Self::default();
        for (_, key, value) in snapshot.records.iter().filter(|(table, _, _)| *table == Table::Binding) {
            if let Some((room, dir)) = key.split_at_checked(32)
                && let Ok(room) = RoomId::try_from(room)
                && let Ok(record) = serde_json::from_slice(value)
            {
                let dir = PathBuf::from(OsStr::from_bytes(dir));
                bindings.apply(&Change { dir, room, record: Some(record) });
            }
        }
        bindings
    }

    /// What binding a room to a directory changes. The newest is the default; who was bound before keeps the
    /// arrival number from then, so that nothing is told twice.
    pub(crate) fn bind(&self, key: &Path, room: RoomId, bound_at: u64, time_ms: u64) -> Change {
        let here = self.by_dir.get(key).map(Vec::as_slice).unwrap_or_default();
        let before = here.iter().find(|binding| binding.room == room);
        let bound_at = before.map_or(bound_at, |binding| binding.record.bound_at);
        let order = here.iter().map(|binding| binding.record.order + 1).max().unwrap_or(0);
        let disturbed = before.map(|binding| binding.record.disturbed).unwrap_or_default();
        let record = Record { bound_at, time_ms, order, by_itself: false, disturbed };
        Change { dir: key.into(), room, record: Some(record) }
    }

    /// What binding a room changes that the node has made for a directory by itself.
    pub(crate) fn bind_by_itself(&self, key: &Path, room: RoomId, time_ms: u64) -> Change {
        let disturbed = Disturbed::default();
        let record = Record { bound_at: 0, time_ms, order: 0, by_itself: true, disturbed };
        Change { dir: key.into(), room, record: Some(record) }
    }

    /// The binding by which a room is heard in a directory.
    fn binding(&self, key: &Path, room: &RoomId) -> Option<(&PathBuf, &Binding)> {
        let of = |dir: &Path| {
            let (dir, here) = self.by_dir.get_key_value(dir)?;
            Some((dir, here.iter().find(|binding| binding.room == *room)?))
        };
        of(key).or_else(|| of(self.nearest(key)?.0))
    }

    /// The directory by whose binding a room is heard in another.
    pub(crate) fn dir_of(&self, key: &Path, room: &RoomId) -> Option<PathBuf> {
        self.binding(key, room).map(|(dir, _)| dir.clone())
    }

    /// How much of a room is given by itself in a directory.
    pub(crate) fn disturbed(&self, key: &Path, room: &RoomId) -> Option<Disturbed> {
        self.binding(key, room).map(|(_, binding)| binding.record.disturbed)
    }

    /// What it changes that so much of it is given.
    pub(crate) fn disturb(&self, key: &Path, room: &RoomId, disturbed: Disturbed) -> Option<Change> {
        let (dir, binding) = self.binding(key, room)?;
        let record = Record { disturbed, ..binding.record };
        Some(Change { dir: dir.clone(), room: *room, record: Some(record) })
    }

    /// What unbinding a room, or all, from a directory changes; nothing when nothing is bound there.
    pub(crate) fn unbind(&self, key: &Path, room: Option<RoomId>) -> Vec<Change> {
        let here = self.by_dir.get(key).into_iter().flatten();
        let meant = here.filter(|binding| room.is_none_or(|room| binding.room == room));
        meant.map(|binding| Change { dir: key.into(), room: binding.room, record: None }).collect()
    }

    /// Takes in a change that is durable.
    pub(crate) fn apply(&mut self, change: &Change) {
        let here = self.by_dir.entry(change.dir.clone()).or_default();
        here.retain(|binding| binding.room != change.room);
        here.extend(change.record.map(|record| Binding { room: change.room, record }));
        here.sort_by_key(|binding| (binding.record.by_itself, std::cmp::Reverse(binding.record.order)));
        if here.is_empty() {
            self.by_dir.remove(&change.dir);
        }
    }

    /// The rooms heard in a directory, by its key: those of its nearest ancestor to which a person has bound any, the default
    /// first, and then the one the node has made for this very directory.
    pub(crate) fn heard(&self, key: &Path) -> Vec<TakeRoom> {
        let rooms = self.nearest(key).map(|(_, here)| here).unwrap_or_default();
        let heard = |binding: &Binding| TakeRoom { room: binding.room, bound_at: binding.record.bound_at };
        let own = self.by_dir.get(key).into_iter().flatten().filter(|binding| binding.record.by_itself);
        rooms.iter().filter(|binding| !binding.record.by_itself).chain(own).map(heard).collect()
    }

    /// Only what a person has bound hides what is bound farther up.
    fn nearest(&self, key: &Path) -> Option<(&PathBuf, &[Binding])> {
        let is_bound = |here: &Vec<Binding>| here.iter().any(|binding| !binding.record.by_itself);
        key.ancestors()
            .find_map(|dir| self.by_dir.get_key_value(dir).filter(|(_, here)| is_bound(here)))
            .map(|(dir, here)| (dir, here.as_slice()))
    }

    /// The rooms bound to this very directory, the default first.
    pub(crate) fn of_dir(&self, key: &Path) -> Vec<RoomId> {
        self.by_dir.get(key).into_iter().flatten().map(|binding| binding.room).collect()
    }

    /// Whether the node has made a room by itself.
    pub(crate) fn is_by_itself(&self, room: &RoomId) -> bool {
        let mut all = self.by_dir.values().flatten();
        all.any(|binding| binding.room == *room && binding.record.by_itself)
    }

    /// How many rooms the node has made by itself.
    pub(crate) fn made_by_itself(&self) -> usize {
        self.by_dir.values().flatten().filter(|binding| binding.record.by_itself).count()
    }

    /// The directory whose bindings are heard in the one of this key.
    pub(crate) fn nearest_dir(&self, key: &Path) -> Option<PathBuf> {
        self.nearest(key).map(|(dir, _)| dir.clone())
    }

    /// The directories a room is bound to.
    pub(crate) fn dirs_of(&self, room: &RoomId) -> Vec<PathBuf> {
        let has = |here: &Vec<Binding>| here.iter().any(|binding| binding.room == *room);
        self.by_dir.iter().filter(|(_, here)| has(here)).map(|(dir, _)| dir.clone()).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
