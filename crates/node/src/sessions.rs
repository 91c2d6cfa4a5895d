//! The sessions this node knows: running agents, by agent program and its id for them. A session's directory is
//! fixed when it is first seen. Must not decide what a session hears: its directory's bindings do, at every hook.

mod lease;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parlor_api::SessionStatus;
use parlor_core::engine::api::{Command, Now, Presence, Priority, Reached, Status};
use parlor_core::persist::{Snapshot, Table};
use parlor_core::text::names;
use parlor_wire::{RoomId, Salt};
use serde::{Deserialize, Serialize};

use self::lease::Lease;
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
    /// What its human or agent has said of it; its hooks overrule all but a wish to be left alone.
    #[serde(default)]
    pub status: Option<SessionStatus>,
    /// Whether its agent program has run a hook: without one nothing is given to it by itself.
    #[serde(default)]
    hooked: bool,
    /// At which moments beside its prompts its hooks were run: bits of `Reached`.
    #[serde(default)]
    reach: u8,
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

    /// What it is called among the sessions of this machine, as `SessionName` reads it.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}~{}", self.program, self.label(), self.id)
    }

    fn has_process(&self) -> bool {
        self.process.is_some_and(|process| process.lives())
    }
}

fn status_to_core(status: SessionStatus) -> Status {
    match status {
        SessionStatus::Idle => Status::Idle,
        SessionStatus::Working => Status::Working,
        SessionStatus::Dnd => Status::Dnd,
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

/// What is looked up of a session whenever it is told of.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// The branch of its directory.
    pub branch: Option<String>,
    /// The tags of its directory.
    pub tags: Vec<String>,
    /// Only a hook that waits wakes it, and none does.
    pub unwatched: bool,
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: BTreeMap<String, Session>,
    /// What is known only while this node runs, of those that have not ended.
    leases: BTreeMap<String, Lease>,
    /// The rooms each was announced to, and what they were told.
    announced: BTreeMap<String, (BTreeSet<RoomId>, Presence)>,
}

impl Sessions {
    pub(crate) fn restore(snapshot: &Snapshot, now: Now) -> Self {
        let mut sessions = Self::default();
        for (_, _, value) in snapshot.records.iter().filter(|(table, _, _)| *table == Table::Session) {
            if let Ok(session) = serde_json::from_slice::<Session>(value) {
                if !session.ended {
                    sessions.leases.insert(session.key(), Lease::restored(session.seen_ms, now));
                }
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

    /// All that are remembered.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Session> {
        self.by_key.values()
    }

    /// Those that are present.
    pub(crate) fn present(&self) -> Vec<Session> {
        self.by_key.values().filter(|session| !session.ended).cloned().collect()
    }

    /// Those of its directory that have ended: after `/clear` what was asked before is answered to the next one.
    pub(crate) fn ended_beside(&self, key: &str) -> Vec<String> {
        let Some(own) = self.get(key) else { return Vec::new() };
        let ended = self.all().filter(|session| session.ended && session.dir == own.dir);
        ended.map(Session::key).collect()
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.by_key.values().filter(|session| !session.ended).count()
    }

    /// Takes in what was learned, and says its key and what to write down. `handle` is fresh randomness, used
    /// if the session is new.
    pub(crate) fn see(&mut self, seen: &Sighting<'_>, handle: [u8; 16], now: Now) -> (String, Vec<Command>) {
        let now_ms = now.wall_ms;
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
            status: None,
            hooked: false,
            reach: 0,
        });
        let before = session.clone();
        if session.process.is_none_or(|process| Some(process.pid) != seen.pid || !process.lives()) {
            session.process = seen.pid.and_then(Process::of).or(session.process);
        }
        session.room = seen.room.map(str::to_owned);
        session.ended = false;
        let is_changed = *session != before || now_ms.abs_diff(session.seen_ms) > SEEN_STEP_MS;
        session.seen_ms = now_ms;
        self.leases.entry(key.clone()).or_default().renew(now);
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
        self.leases.remove(&oldest);
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
        (session.summary, session.status) = (None, None);
        self.leases.remove(key);
        self.row(key)
    }

    /// Its agent program has run a hook, which may tell how it is.
    pub(crate) fn hooked(&mut self, key: &str, status: Option<SessionStatus>, now: Now) -> Option<Command> {
        let session = self.by_key.get_mut(key)?;
        let before = (session.hooked, session.status);
        session.hooked = true;
        if status.is_some() && session.status != Some(SessionStatus::Dnd) {
            session.status = None;
        }
        let is_changed = before != (session.hooked, session.status);
        self.leases.entry(key.into()).or_default().tell(status, now);
        if is_changed { self.row(key) } else { None }
    }

    /// Its hooks were run at these moments.
    pub(crate) fn reached(&mut self, key: &str, at: u8) -> Option<Command> {
        let session = self.by_key.get_mut(key).filter(|session| session.reach & at != at)?;
        session.reach |= at;
        self.row(key)
    }

    pub(crate) fn set_status(&mut self, key: &str, status: SessionStatus) -> Option<Command> {
        self.by_key.get_mut(key)?.status = Some(status);
        self.row(key)
    }

    /// How it is: what was said of it, else what its hooks have told.
    pub(crate) fn status(&self, key: &str, now: Now) -> Option<SessionStatus> {
        let said = self.by_key.get(key)?.status;
        said.or_else(|| self.leases.get(key)?.told(now))
    }

    /// Something said to it makes it go on: the prompt that comes of that is no human's.
    pub(crate) fn drive(&mut self, key: &str, now: Now) {
        if let Some(lease) = self.leases.get_mut(key) {
            lease.drive(now);
        }
    }

    /// Whether a prompt now comes of something that was said to it. Once for each.
    pub(crate) fn is_driven(&mut self, key: &str, now: Now) -> bool {
        self.leases.get_mut(key).is_some_and(|lease| lease.is_driven(now))
    }

    /// An agent's connection that was part of it has ended: its lease runs from now.
    pub(crate) fn left(&mut self, key: &str, now: Now) {
        if let Some(lease) = self.leases.get_mut(key) {
            lease.renew(now);
        }
    }

    pub(crate) fn set_summary(&mut self, key: &str, summary: Option<String>) -> Option<Command> {
        self.by_key.get_mut(key)?.summary = summary;
        self.row(key)
    }

    /// The session the first of these processes runs that runs one: a session that goes on before one that ended, the newest
    /// first.
    pub(crate) fn of_processes(&self, pids: &[u32]) -> Option<&Session> {
        let runs = |session: &&Session, pid: u32| {
            session.process.is_some_and(|process| process.pid == pid && process.lives())
        };
        pids.iter().find_map(|pid| {
            let there = self.by_key.values().filter(|session| runs(session, *pid));
            there.max_by_key(|session| (!session.ended, session.seen_ms, session.started_ms))
        })
    }

    /// The session an agent program calls so.
    pub(crate) fn of_id(&self, id: &str) -> Option<&Session> {
        self.by_key.values().filter(|session| session.id == id).max_by_key(|session| session.seen_ms)
    }

    /// Looks which sessions have a process or a connection: their leases begin anew. Those whose lease is over are gone.
    pub(crate) fn look(&mut self, attached: &BTreeSet<String>, now: Now) -> Vec<String> {
        let mut gone = Vec::new();
        for (key, session) in self.by_key.iter().filter(|(_, session)| !session.ended) {
            let lease = self.leases.entry(key.clone()).or_default();
            if attached.contains(key) || session.has_process() {
                lease.renew(now);
            } else if lease.lapse(now) {
                gone.push(key.clone());
            }
        }
        gone
    }

    fn presence(&self, session: &Session, about: About, now: Now) -> Presence {
        let key = session.key();
        let status = self.status(&key, now);
        // While it works its next idle time is meant.
        let wakes = !about.unwatched || status == Some(SessionStatus::Working);
        let reach = if wakes { session.reach } else { session.reach & !Reached::WAKE };
        Presence {
            label: session.label(),
            program: session.program.clone(),
            summary: session.summary.clone(),
            directory: session.dir.file_name().map(|name| name.to_string_lossy().into_owned()),
            branch: about.branch,
            tags: about.tags,
            status: status.map(status_to_core),
            threshold: session.hooked.then_some(Priority::GIVEN_AT_PROMPT),
            reach: session.hooked.then_some(Reached(reach)),
            left_ms: self.leases.get(&key).and_then(|lease| lease.left_ms(now)),
        }
    }

    /// What to tell the rooms so that they know of this session: that it is there, where that or how it is was not told
    /// yet; that it ended, where it is not heard any more.
    pub(crate) fn announcements(
        &mut self,
        key: &str,
        rooms: &[RoomId],
        about: About,
        now: Now,
    ) -> Vec<Command> {
        let Some(session) = self.by_key.get(key) else { return Vec::new() };
        let rooms: BTreeSet<RoomId> =
            if session.ended { BTreeSet::new() } else { rooms.iter().copied().collect() };
        let presence = self.presence(session, about, now);
        let (told, said) = self.announced.remove(key).unwrap_or_default();
        let announce =
            |room: RoomId, presence| Command::Announce { room, session: Salt(session.handle), presence };
        let left = told.difference(&rooms).map(|room| announce(*room, None));
        let is_news = is_news(&said, &presence);
        let there = rooms.iter().filter(|room| is_news || !told.contains(room));
        let all = left.chain(there.map(|room| announce(*room, Some(presence.clone())))).collect();
        if !rooms.is_empty() {
            self.announced.insert(key.into(), (rooms, presence));
        }
        all
    }

    /// The engine has forgotten what it was told.
    pub(crate) fn forget_announced(&mut self) {
        self.announced.clear();
    }
}

/// Whether two are said differently: a lease that runs out is said once, and does so by itself.
fn is_news(before: &Presence, now: &Presence) -> bool {
    let timeless =
        |presence: &Presence| Presence { left_ms: presence.left_ms.map(|_| 0), ..presence.clone() };
    timeless(before) != timeless(now)
}

fn write(key: &str, value: Option<Vec<u8>>) -> Command {
    Command::PutRecord { table: Table::Session, key: key.as_bytes().to_vec(), value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
