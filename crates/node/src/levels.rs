//! How much of a room the sessions of a directory are disturbed by, and which tags they have. Must not decide what a message
//! says: the engine compares.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use parlor_core::engine::api::{Command, Level};
use parlor_core::persist::{Snapshot, Table};
use parlor_core::text::mention;
use serde::{Deserialize, Serialize};

/// What stands before the directory in the key of its tags' record.
const KEY: &[u8] = b"tags ";

/// What a binding says of being disturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disturbed {
    #[serde(default, with = "level_number", skip_serializing_if = "is_all")]
    pub level: Level,
    /// By the wall clock; the greatest number: until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until_ms: Option<u64>,
}

fn is_all(level: &Level) -> bool {
    *level == Level::All
}

mod level_number {
    use parlor_core::engine::api::Level;
    use serde::{Deserialize, Deserializer, Serializer};

    const ALL: [Level; 4] = [Level::All, Level::Mentions, Level::Asks, Level::None];

    pub(super) fn serialize<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(*level as u8)
    }

    /// A level of a later Parlor is the usual one: nothing is lost by hearing too much.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
        let number = usize::from(u8::deserialize(from)?);
        Ok(ALL.get(number).copied().unwrap_or_default())
    }
}

impl Disturbed {
    /// Until when nothing is given, if that is so now.
    pub(crate) fn muted_until_ms(&self, now_ms: u64) -> Option<u64> {
        self.muted_until_ms.filter(|until| *until > now_ms)
    }

    /// What holds now.
    pub(crate) fn level(&self, now_ms: u64) -> Level {
        if self.muted_until_ms(now_ms).is_some() { Level::None } else { self.level }
    }
}

/// Which tags the sessions of which directory have.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    by_dir: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl Tags {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let of_dir = |(table, key, value): &(Table, Vec<u8>, Vec<u8>)| {
            let dir = key.strip_prefix(KEY).filter(|_| *table == Table::Own)?;
            let tags: Vec<String> = serde_json::from_slice(value).ok()?;
            let tags = tags.iter().filter_map(|tag| mention::tag(tag)).collect();
            Some((PathBuf::from(OsStr::from_bytes(dir)), tags))
        };
        Self { by_dir: snapshot.records.iter().filter_map(of_dir).collect() }
    }

    /// Those of a directory, by the key bindings have.
    pub(crate) fn of(&self, key: &Path) -> Vec<String> {
        self.by_dir.get(key).into_iter().flatten().cloned().collect()
    }

    /// What is to be written so that a directory has these.
    pub(crate) fn record(key: &Path, tags: &BTreeSet<String>) -> Command {
        let row = [KEY, key.as_os_str().as_bytes()].concat();
        let value = (!tags.is_empty()).then(|| serde_json::to_vec(tags).ok()).flatten();
        Command::PutRecord { table: Table::Own, key: row, value }
    }

    /// A directory has these from now on.
    pub(crate) fn set(&mut self, key: &Path, tags: BTreeSet<String>) {
        if tags.is_empty() {
            self.by_dir.remove(key);
        } else {
            self.by_dir.insert(key.into(), tags);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_ends_by_itself_and_the_level_is_what_it_was() {
        let muted = Disturbed { level: Level::Mentions, muted_until_ms: Some(100) };
        assert_eq!((muted.level(99), muted.level(100)), (Level::None, Level::Mentions));
        let for_good = Disturbed { muted_until_ms: Some(u64::MAX), ..muted };
        assert_eq!(for_good.level(u64::MAX - 1), Level::None);
    }

    #[test]
    fn what_is_written_is_read_again_and_what_a_later_parlor_wrote_hears_all() {
        let muted = Disturbed { level: Level::Asks, muted_until_ms: Some(7) };
        let text = serde_json::to_string(&muted).unwrap();
        assert_eq!(serde_json::from_str::<Disturbed>(&text).unwrap(), muted);
        assert_eq!(serde_json::to_string(&Disturbed::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Disturbed>("{\"level\":9}").unwrap(), Disturbed::default());
    }

    #[test]
    fn tags_are_kept_by_directory() {
        let (dir, tags) = (Path::new("/srv/api"), BTreeSet::from(["backend".to_owned()]));
        let Command::PutRecord { table, key, value } = Tags::record(dir, &tags) else { panic!() };
        let snapshot = Snapshot { records: vec![(table, key, value.unwrap())], ..Snapshot::default() };
        let mut kept = Tags::restore(&snapshot);
        assert_eq!(kept.of(dir), ["backend"]);
        assert!(kept.of(Path::new("/srv")).is_empty());
        kept.set(dir, BTreeSet::new());
        assert!(kept.of(dir).is_empty());
        let gone = Tags::record(dir, &BTreeSet::new());
        assert!(matches!(gone, Command::PutRecord { value: None, .. }));
    }
}
