//! What the parts of a running node share, and what they do together: which rooms a session hears, and telling
//! rooms of sessions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlor_agents::Wake;
use parlor_api::paths::Home;
use parlor_core::engine::api::{Command, HolderId, TakeRoom};
use parlor_wire::{PeerId, RoomId};

use crate::bindings::{self, Bindings};
use crate::budget::Budgets;
use crate::caller::Caller;
use crate::carriers::Both;
use crate::clock::{self, Clock};
use crate::consent::Consent;
use crate::driver::Driver;
use crate::evidence::Evidence;
use crate::files::Files;
use crate::levels::Tags;
use crate::life::Life;
use crate::local_rooms::{self, LocalRooms};
use crate::requests::place;
use crate::retention::Retention;
use crate::search::SearchIndex;
use crate::sessions::{About, Session, Sessions, Sighting};
use crate::waiters::{Kind, Waiters};

/// This word for a room silences.
pub(crate) const OFF: &str = "off";

/// Something given that is not known yet to have been written out.
pub(crate) struct Given {
    holder: HolderId,
    /// The session that goes on because of it.
    pub goes_on: Option<String>,
}

/// One running node.
pub(crate) struct Node {
    pub home: Home,
    pub version: &'static str,
    pub me: PeerId,
    pub since_ms: u64,
    pub clock: Clock,
    pub driver: Driver,
    pub carrier: Arc<Both>,
    pub life: Life,
    pub index: Arc<SearchIndex>,
    pub retention: Arc<Retention>,
    /// Who waits for something to happen.
    pub waiters: Waiters,
    pub local_rooms: LocalRooms,
    pub files: Arc<Files>,
    pub evidence: Evidence,
    sessions: Mutex<Sessions>,
    bindings: Mutex<Bindings>,
    consent: Mutex<Consent>,
    tags: Mutex<Tags>,
    budgets: Mutex<Budgets>,
    /// Agents' open connections.
    attached: Mutex<BTreeMap<HolderId, Arc<Caller>>>,
    /// What was given under which token, to whom: only the connection that was given something may say that it
    /// was written out.
    given: Mutex<BTreeMap<u64, Given>>,
    /// The relays that a person was told of.
    relays_told: Mutex<Option<String>>,
}

/// What a node is made from.
pub(crate) struct NodeParts {
    pub home: Home,
    pub version: &'static str,
    pub me: PeerId,
    pub clock: Clock,
    pub driver: Driver,
    pub carrier: Arc<Both>,
    pub relays_told: Option<String>,
    pub index: Arc<SearchIndex>,
    pub retention: Arc<Retention>,
    pub local_rooms: LocalRooms,
    pub files: Arc<Files>,
    pub sessions: Sessions,
    pub bindings: Bindings,
    pub consent: Consent,
    pub tags: Tags,
    pub budgets: Budgets,
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    pub(crate) fn new(parts: NodeParts) -> Self {
        Self {
            home: parts.home,
            version: parts.version,
            me: parts.me,
            since_ms: clock::wall_ms(),
            clock: parts.clock,
            driver: parts.driver,
            carrier: parts.carrier,
            life: Life::new(),
            index: parts.index,
            retention: parts.retention,
            waiters: Waiters::default(),
            local_rooms: parts.local_rooms,
            files: parts.files,
            evidence: Evidence::default(),
            sessions: Mutex::new(parts.sessions),
            bindings: Mutex::new(parts.bindings),
            consent: Mutex::new(parts.consent),
            tags: Mutex::new(parts.tags),
            budgets: Mutex::new(parts.budgets),
            attached: Mutex::default(),
            given: Mutex::default(),
            relays_told: Mutex::new(parts.relays_told),
        }
    }

    /// Whether a person was told of these relays.
    pub(crate) fn relays_told(&self, urls: &[String]) -> bool {
        lock(&self.relays_told).as_ref().is_some_and(|told| *told == urls.join(" "))
    }

    pub(crate) fn note_relays_told(&self, urls: String) {
        *lock(&self.relays_told) = Some(urls);
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    pub(crate) fn bindings(&self) -> MutexGuard<'_, Bindings> {
        lock(&self.bindings)
    }

    pub(crate) fn consent(&self) -> MutexGuard<'_, Consent> {
        lock(&self.consent)
    }

    pub(crate) fn budgets(&self) -> MutexGuard<'_, Budgets> {
        lock(&self.budgets)
    }

    pub(crate) fn tags(&self) -> MutexGuard<'_, Tags> {
        lock(&self.tags)
    }

    /// Counts a connection of an agent.
    pub(crate) fn attach(&self, caller: &Arc<Caller>) {
        lock(&self.attached).insert(caller.holder, caller.clone());
    }

    pub(crate) fn detach(&self, holder: HolderId) {
        let left = lock(&self.attached).remove(&holder);
        if let Some(caller) = left {
            let mut sessions = self.sessions();
            if let Some(key) = caller.session(&sessions).map(Session::key) {
                sessions.left(&key, self.clock.now());
            }
        }
        lock(&self.given).retain(|_, given| given.holder != holder);
        self.driver.stir();
    }

    /// Notes to whom something was given.
    pub(crate) fn gave(&self, token: u64, holder: HolderId) {
        lock(&self.given).insert(token, Given { holder, goes_on: None });
    }

    /// What was given under this token makes a session go on, once it is written out.
    pub(crate) fn will_go_on(&self, token: u64, key: String) {
        if let Some(given) = lock(&self.given).get_mut(&token) {
            given.goes_on = Some(key);
        }
    }

    /// What a connection was given under this token; once.
    pub(crate) fn takes_back(&self, token: u64, holder: HolderId) -> Option<Given> {
        let mut given = lock(&self.given);
        given.get(&token).filter(|given| given.holder == holder)?;
        given.remove(&token)
    }

    /// The rooms heard in a directory where `PARLOR_ROOM` says `named`, the default first. A name that means
    /// nothing is heard nowhere.
    pub(crate) async fn heard_in(&self, dir: &Path, named: Option<&str>) -> Vec<TakeRoom> {
        // The file system is asked before the lock is taken: it may be slow.
        let key = bindings::key_of(dir);
        match named {
            Some(OFF) => Vec::new(),
            None => self.bindings().heard(&key),
            Some(name) => match place::room_named(self, name).await {
                Ok(room) => {
                    let here = self.bindings().heard(&key);
                    let bound = here.into_iter().find(|heard| heard.room == room);
                    vec![bound.unwrap_or(TakeRoom { room, bound_at: 0 })]
                }
                Err(error) => {
                    tracing::warn!("PARLOR_ROOM of a session means no room: {error}");
                    Vec::new()
                }
            },
        }
    }

    /// The rooms a session hears.
    pub(crate) async fn heard_by(&self, session: &Session) -> Vec<TakeRoom> {
        self.heard_in(&session.dir, session.room.as_deref()).await
    }

    /// A session was seen: it is known from now on, and its rooms are told.
    pub(crate) async fn see(&self, seen: &Sighting<'_>) -> Option<Session> {
        let mut handle = [0; 16];
        if let Err(error) = getrandom::fill(&mut handle) {
            tracing::error!("the operating system gave no randomness: {error}");
            return None;
        }
        let (session, writes) = {
            let mut sessions = self.sessions();
            let (key, writes) = sessions.see(seen, handle, self.clock.now());
            (sessions.get(&key).cloned(), writes)
        };
        self.cast_all(writes).await;
        if let Some(session) = &session {
            local_rooms::meet(self, session).await;
        }
        session
    }

    /// A session is over.
    pub(crate) async fn end_session(&self, key: &str) {
        let commands: Vec<Command> = {
            let mut sessions = self.sessions();
            let write = sessions.end(key);
            write
                .into_iter()
                .chain(sessions.announcements(key, &[], About::default(), self.clock.now()))
                .collect()
        };
        self.cast_all(commands).await;
        self.driver.stir();
    }

    /// Tells the rooms a session hears that it is there and how it is, as far as they do not know.
    pub(crate) async fn announce(&self, session: &Session) {
        let rooms: Vec<RoomId> = self.heard_by(session).await.into_iter().map(|heard| heard.room).collect();
        let tags = self.tags().of(&bindings::key_of(&session.dir));
        let by_hook = parlor_agents::program(&session.program).is_some_and(|one| one.wake() == Wake::Hook);
        let unwatched = by_hook && !self.waiters.has(Kind::Idle, &session.key());
        let about = About { branch: bindings::branch_of(&session.dir), tags, unwatched };
        let commands = self.sessions().announcements(&session.key(), &rooms, about, self.clock.now());
        self.cast_all(commands).await;
    }

    /// Bindings have changed, or rooms may have forgotten: tells what they do not know.
    pub(crate) async fn announce_all(&self) {
        let keys = self.sessions().keys();
        for key in keys {
            let session = self.sessions().get(&key).filter(|session| !session.ended).cloned();
            if let Some(session) = session {
                self.announce(&session).await;
            }
        }
    }

    /// Ends sessions that are gone without a word.
    pub(crate) async fn end_gone(&self) {
        let attached: Vec<Arc<Caller>> = lock(&self.attached).values().cloned().collect();
        let gone = {
            let mut sessions = self.sessions();
            let held =
                attached.iter().filter_map(|caller| caller.session(&sessions)).map(Session::key).collect();
            sessions.look(&held, self.clock.now())
        };
        for key in gone {
            self.end_session(&key).await;
        }
    }

    async fn cast_all(&self, commands: Vec<Command>) {
        for command in commands {
            self.driver.cast(command).await;
        }
    }
}
