//! The sessions this node knows: running agents, by agent program and its id for them. A session's directory is
//! fixed when it is first seen. Must not decide what a session hears: its directory's bindings do, at every hook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parlor_core::engine::api::{Command, Presence};
use parlor_core::persist::{Snapshot, Table};
use parlor_core::text::names;
use parlor_wire::limits::LEASE_SECONDS;
use parlor_wire::{RoomId, Salt};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// Sessions remembered; those seen longest ago are forgotten first.
const MAX_SESSIONS: usize = 1024;
/// When a session was last seen is written down no more often than this, in milliseconds.
const SEEN_STEP_MS: u64 = 60_000;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub program: String,
    /// The agent program's id of it.
    pub id: String,
    /// Where it was first seen.
    pub dir: PathBuf,
    pub process: Option<Process>,
    pub summary: Option<String>,
    /// What it is known by to peers.
    handle: [u8; 16],
    started_ms: u64,
    pub seen_ms: u64,
    pub ended: bool,
    /// What `PARLOR_ROOM` said.
    pub room: Option<String>,
}

impl Session {
    /// By which the store and the engine know it.
    pub(crate) fn key(&self) -> String {
        key(&self.program, &self.id)
    }

    /// What people call it.
    pub(crate) fn label(&self) -> String {
        label_of(&self.dir)
    }

    fn presence(&self) -> Presence {
        Presence { label: self.label(), program: self.program.clone(), summary: self.summary.clone() }
    }

    fn lives(&self, attached: bool, now_ms: u64) -> bool {
        let by_process = || match &self.process {
            Some(process) => process.lives(),
            None => now_ms.saturating_sub(self.seen_ms) < LEASE_SECONDS * 1000,
        };
        !self.ended && (attached || by_process())
    }
}

/// The label of a session in a directory.
pub(crate) fn label_of(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    names::session_label(&name).into_string()
}

fn key(program: &str, id: &str) -> String {
    format!("{program}:{id}")
}

/// What was learned of a session just now.
#[derive(Debug, Clone)]
pub(crate) struct Sighting<'a> {
    pub program: &'a str,
    pub id: &'a str,
    pub dir: &'a Path,
    pub pid: Option<u32>,
    pub room: Option<&'a str>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: BTreeMap<String, Session>,
    /// The rooms each was announced to.
    announced: BTreeMap<String, BTreeSet<RoomId>>,
}

impl Sessions {
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let mut sessions = Self::default();
        for (_, _, value) in snapshot.records.iter().filter(|(table, _, _)| *table == Table::Session) {
            if let Ok(session) = serde_json::from_slice::<Session>(value) {
                sessions.by_key.insert(session.key(), session);
            }
        }
        sessions
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Session> {
        self.by_key.get(key)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.by_key.keys().cloned().collect()
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.by_key.values().filter(|session| !session.ended).count()
    }

    /// Takes in what was learned, and says its key and what to write down. `handle` is fresh randomness, used
    /// if the session is new.
    pub(crate) fn see(
        &mut self,
        seen: &Sighting<'_>,
        handle: [u8; 16],
        now_ms: u64,
    ) -> (String, Vec<Command>) {
        let key = key(seen.program, seen.id);
        let is_new = !self.by_key.contains_key(&key);
        let session = self.by_key.entry(key.clone()).or_insert_with(|| Session {
            program: seen.program.into(),
            id: seen.id.into(),
            dir: seen.dir.into(),
            process: None,
            summary: None,
            handle,
            started_ms: now_ms,
            seen_ms: now_ms,
            ended: false,
            room: None,
        });
        let before = session.clone();
        if session.process.is_none_or(|process| Some(process.pid) != seen.pid || !process.lives()) {
            session.process = seen.pid.and_then(Process::of).or(session.process);
        }
        session.room = seen.room.map(str::to_owned);
        session.ended = false;
        let is_changed = *session != before || now_ms.abs_diff(session.seen_ms) > SEEN_STEP_MS;
        session.seen_ms = now_ms;
        let mut writes = Vec::new();
        if is_new || is_changed {
            writes.extend(self.row(&key));
        }
        writes.extend(self.forget_beyond_limit(&key));
        (key, writes)
    }

    fn forget_beyond_limit(&mut self, except: &str) -> Option<Command> {
        if self.by_key.len() <= MAX_SESSIONS {
            return None;
        }
        let others = self.by_key.iter().filter(|(key, _)| *key != except);
        let oldest = others.min_by_key(|(_, session)| (!session.ended, session.seen_ms))?.0.clone();
        self.by_key.remove(&oldest);
        Some(write(&oldest, None))
    }

    /// The session's record, to be written down.
    fn row(&self, key: &str) -> Option<Command> {
        let value = serde_json::to_vec(self.by_key.get(key)?).ok()?;
        Some(write(key, Some(value)))
    }

    /// It is over until it is seen again.
    pub(crate) fn end(&mut self, key: &str) -> Option<Command> {
        let session = self.by_key.get_mut(key).filter(|session| !session.ended)?;
        session.ended = true;
        session.summary = None;
        self.row(key)
    }

    pub(crate) fn set_summary(&mut self, key: &str, summary: Option<String>) -> Option<Command> {
        self.by_key.get_mut(key)?.summary = summary;
        self.row(key)
    }

    /// The session one of these processes runs: a session that goes on before one that ended, the newest first.
    pub(crate) fn of_processes(&self, pids: &[u32]) -> Option<&Session> {
        let runs = |session: &&Session| {
            session.process.is_some_and(|process| pids.contains(&process.pid) && process.lives())
        };
        self.by_key
            .values()
            .filter(runs)
            .max_by_key(|session| (!session.ended, session.seen_ms, session.started_ms))
    }

    /// The session an agent program calls so.
    pub(crate) fn of_id(&self, id: &str) -> Option<&Session> {
        self.by_key.values().filter(|session| session.id == id).max_by_key(|session| session.seen_ms)
    }

    /// Sessions that have neither process nor connection any more.
    pub(crate) fn gone(&self, attached: &BTreeSet<String>, now_ms: u64) -> Vec<String> {
        let is_gone =
            |key: &str, session: &Session| !session.ended && !session.lives(attached.contains(key), now_ms);
        self.by_key
            .iter()
            .filter(|(key, session)| is_gone(key, session))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// What to tell the rooms so that they know of this session: that it is there, where it was not told yet or
    /// when `again`; that it ended, where it is not heard any more.
    pub(crate) fn announcements(&mut self, key: &str, rooms: &[RoomId], again: bool) -> Vec<Command> {
        let Some(session) = self.by_key.get(key) else { return Vec::new() };
        let rooms: BTreeSet<RoomId> =
            if session.ended { BTreeSet::new() } else { rooms.iter().copied().collect() };
        let told = self.announced.remove(key).unwrap_or_default();
        let announce =
            |room: RoomId, presence| Command::Announce { room, session: Salt(session.handle), presence };
        let left = told.difference(&rooms).map(|room| announce(*room, None));
        let there = rooms.iter().filter(|room| again || !told.contains(room));
        let all = left.chain(there.map(|room| announce(*room, Some(session.presence())))).collect();
        if !rooms.is_empty() {
            self.announced.insert(key.into(), rooms);
        }
        all
    }

    /// The engine has forgotten what it was told.
    pub(crate) fn forget_announced(&mut self) {
        self.announced.clear();
    }
}

fn write(key: &str, value: Option<Vec<u8>>) -> Command {
    Command::PutRecord { table: Table::Session, key: key.as_bytes().to_vec(), value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 32]);

    fn sighting(id: &str) -> Sighting<'_> {
        Sighting {
            program: "claude",
            id,
            dir: Path::new("/srv/api"),
            pid: Some(std::process::id()),
            room: None,
        }
    }

    #[test]
    fn the_directory_of_the_first_sight_stays() {
        let mut sessions = Sessions::default();
        let (key, writes) = sessions.see(&sighting("a"), [1; 16], 1_000);
        assert_eq!((key.as_str(), writes.len()), ("claude:a", 1));
        let later = Sighting { dir: Path::new("/srv/web"), ..sighting("a") };
        let (_, writes) = sessions.see(&later, [2; 16], 2_000);
        assert!(writes.is_empty(), "nothing that matters has changed");
        assert_eq!(sessions.get(&key).unwrap().dir, Path::new("/srv/api"));
        assert_eq!(sessions.get(&key).unwrap().label(), "api");
        assert_eq!(sessions.see(&later, [2; 16], 100_000).1.len(), 1, "it was seen much later");
    }

    #[test]
    fn of_two_in_one_process_the_one_that_goes_on_is_meant() {
        let mut sessions = Sessions::default();
        let (old, _) = sessions.see(&sighting("old"), [1; 16], 1_000);
        sessions.see(&sighting("new"), [2; 16], 1_000);
        sessions.see(&sighting("old"), [2; 16], 2_000);
        assert!(sessions.end(&old).is_some() && sessions.end(&old).is_none());
        let pids = [std::process::id()];
        assert_eq!(sessions.of_processes(&pids).unwrap().id, "new");
        assert!(sessions.of_processes(&[0]).is_none());
        assert_eq!(sessions.of_id("old").unwrap().key(), old);
    }

    #[test]
    fn one_without_process_and_connection_is_gone() {
        let mut sessions = Sessions::default();
        sessions.see(&sighting("a"), [1; 16], 1_000);
        let lone = Sighting { pid: None, ..sighting("b") };
        let (lone, _) = sessions.see(&lone, [2; 16], 1_000);
        let lease_ms = LEASE_SECONDS * 1000;
        assert!(sessions.gone(&BTreeSet::new(), lease_ms).is_empty());
        assert_eq!(sessions.gone(&BTreeSet::new(), 1_000 + lease_ms), std::slice::from_ref(&lone));
        assert!(sessions.gone(&BTreeSet::from([lone]), 1_000 + lease_ms).is_empty());
    }

    #[test]
    fn rooms_are_told_once_and_told_of_the_end() {
        let mut sessions = Sessions::default();
        let (key, _) = sessions.see(&sighting("a"), [1; 16], 1_000);
        let presences = |commands: Vec<Command>| -> Vec<bool> {
            let is_there = |command| matches!(command, Command::Announce { presence: Some(_), .. });
            commands.into_iter().map(is_there).collect()
        };
        assert_eq!(presences(sessions.announcements(&key, &[ROOM], false)), [true]);
        assert!(sessions.announcements(&key, &[ROOM], false).is_empty());
        assert_eq!(presences(sessions.announcements(&key, &[ROOM], true)), [true]);
        sessions.end(&key);
        assert_eq!(presences(sessions.announcements(&key, &[ROOM], true)), [false]);
        assert!(sessions.announcements(&key, &[ROOM], true).is_empty());
    }

    #[test]
    fn they_are_bounded_and_come_back_from_the_store() {
        let mut sessions = Sessions::default();
        let mut snapshot = Snapshot::default();
        for number in 0..u64::try_from(MAX_SESSIONS).unwrap() + 5 {
            let (_, writes) = sessions.see(&sighting(&number.to_string()), [1; 16], number);
            for write in writes {
                let Command::PutRecord { table, key, value } = write else { panic!() };
                snapshot.records.retain(|(_, known, _)| *known != key);
                snapshot.records.extend(value.map(|value| (table, key, value)));
            }
        }
        assert_eq!(sessions.by_key.len(), MAX_SESSIONS);
        assert!(sessions.of_id("4").is_none() && sessions.of_id("5").is_some());
        assert_eq!(Sessions::restore(&snapshot).by_key, sessions.by_key);
    }
}
