//! What an agent program's hooks and an agent's own tools ask: unread messages, leased until they are written out,
//! and what a session says of itself. What agent programs are like is known to `parlor-agents` alone.

use std::collections::BTreeMap;

use parlor_agents::{HookCall, HookEvent, StartSource};
use parlor_api::{ApiError, ErrorKind, Reply, SessionStatus, Unheard};
use parlor_core::engine::api::{Command, Moment, TakeRoom};
use parlor_core::text::inject::{Budget, Unit};
use parlor_core::text::{Mode, clean};
use parlor_wire::limits::MAX_SUMMARY_CHARS;

use super::moments::{self, NOTHING, Taking};
use super::{Asked, place};
use crate::node::Node;
use crate::sessions::{Session, Sighting};

const ROOM_VARIABLE: &str = "PARLOR_ROOM";
/// The bounds of what a caller may ask for at once, in characters.
const MIN_CHECK_CHARS: usize = 1_200;
const MAX_CHECK_CHARS: usize = 64 * 1024;

/// One call of a hook, as it came.
pub(super) struct Call {
    pub program: String,
    pub stdin: String,
    pub env: BTreeMap<String, String>,
    pub idle: bool,
}

pub(super) async fn hook(asked: &Asked<'_>, call: Call) -> Result<Reply, ApiError> {
    let node = asked.node;
    let program = parlor_agents::program(&call.program)
        .ok_or_else(|| ApiError::new(ErrorKind::Usage, "this node knows no agent program of that name"))?;
    let read = program.parse_hook(call.stdin.as_bytes(), &call.env);
    let mut read = read.map_err(|error| ApiError::new(ErrorKind::BadInput, error.to_string()))?;
    if call.idle && !program.may_wait(&call.env) {
        return Ok(NOTHING);
    }
    if call.idle {
        read.event = HookEvent::Idle;
    }
    if !program.names_its_process() {
        read.pid = asked.caller.begun_by();
    }
    let room = call.env.get(ROOM_VARIABLE).map(String::as_str).filter(|room| !room.is_empty());
    let seen = Sighting {
        program: read.program,
        id: &read.session_id,
        dir: read.directory(),
        // The hook's own parent may be a shell that is gone with it.
        pid: read.pid.filter(|pid| asked.caller.is_begun_by(*pid)),
        room,
    };
    let is_proven = seen.pid.is_some() && program.names_its_process();
    if !is_proven && is_anothers(asked, &read) {
        tracing::warn!("a hook named a session that another process runs, and is given nothing of it");
        return Ok(NOTHING);
    }
    let Some(session) = node.see(&seen).await else { return Ok(NOTHING) };
    if matches!(read.event, HookEvent::SessionEnd { .. }) {
        node.end_session(&session.key()).await;
        return Ok(NOTHING);
    }
    let tells = tells(&read).or_else(|| tells_waiting(node, &read, &session));
    // That it is idle is told once it holds what this hook gives: nobody wakes it for that.
    let becomes_idle = tells == Some(SessionStatus::Idle) && !matches!(read.event, HookEvent::Idle);
    note(node, &session.key(), tells.filter(|_| !becomes_idle)).await;
    let rooms = with_directs(node, node.heard_by(&session).await).await?;
    let write = node.sessions().reached(&session.key(), moments::reach(program, &read.event));
    if let Some(write) = write {
        node.driver.cast(write).await;
    }
    if let Some(path) = read.transcript.clone().filter(|_| moments::is_between_turns(&read)) {
        node.evidence.look(&node.driver, program, &session.key(), path);
    }
    let reply = moments::at_hook(asked, program, &read, &session, rooms).await;
    if becomes_idle {
        note(node, &session.key(), Some(SessionStatus::Idle)).await;
    }
    let reply = reply?;
    node.driver.stir();
    node.announce(&session).await;
    Ok(reply)
}

/// Notes that a hook of it was run, and how it is if that tells.
async fn note(node: &Node, key: &str, tells: Option<SessionStatus>) {
    let write = node.sessions().hooked(key, tells, node.clock.now());
    if let Some(write) = write {
        node.driver.cast(write).await;
    }
}

/// Whether a process runs this session that has not begun the hook.
fn is_anothers(asked: &Asked<'_>, call: &HookCall) -> bool {
    let sessions = asked.node.sessions();
    let known = sessions.of_id(&call.session_id).filter(|session| session.program == call.program);
    known.is_some_and(|session| !asked.caller.may_be(session))
}

/// How the session is, as far as this hook tells.
fn tells(call: &HookCall) -> Option<SessionStatus> {
    match &call.event {
        HookEvent::Prompt | HookEvent::PostTool => Some(SessionStatus::Working),
        HookEvent::SessionStart { source: StartSource::Compact } => None,
        HookEvent::SessionStart { .. } | HookEvent::Stop => Some(SessionStatus::Idle),
        HookEvent::Idle | HookEvent::SessionEnd { .. } | HookEvent::Other(_) => None,
    }
}

/// What nobody remembers of a session beside which a hook waits: this node has begun since then. A hook that waits does so
/// while the session works, too, so what another has told goes before it.
fn tells_waiting(node: &Node, call: &HookCall, session: &Session) -> Option<SessionStatus> {
    let is_told = || node.sessions().status(&session.key(), node.clock.now()).is_some();
    (matches!(call.event, HookEvent::Idle) && !is_told()).then_some(SessionStatus::Idle)
}

/// These rooms, and what their members say to this identity alone.
pub(crate) async fn with_directs(node: &Node, rooms: Vec<TakeRoom>) -> Result<Vec<TakeRoom>, ApiError> {
    node.driver.view(|engine| engine.with_directs(rooms)).await
}

pub(super) async fn commit(asked: &Asked<'_>, token: u64) -> Result<Reply, ApiError> {
    let Some(given) = asked.node.takes_back(token, asked.caller.holder) else {
        let message = "nothing is held under that token on this connection";
        return Err(
            ApiError::new(ErrorKind::NotFound, message).hint("commit on the connection it was given on")
        );
    };
    asked.node.driver.command(Command::Commit { token }).await?;
    if let Some(key) = given.goes_on {
        note(asked.node, &key, Some(SessionStatus::Working)).await;
        let session = asked.node.sessions().get(&key).cloned();
        if let Some(session) = session {
            asked.node.announce(&session).await;
        }
    }
    asked.node.evidence.wrote(token);
    Ok(Reply::Done)
}

/// The rooms a caller hears, or the one it names.
pub(super) async fn rooms_of(asked: &Asked<'_>, room: Option<String>) -> Result<Vec<TakeRoom>, ApiError> {
    let node = asked.node;
    let heard = place::heard(node, asked.caller).await;
    let Some(name) = room else { return with_directs(node, heard).await };
    let room = place::room_named(node, &name).await?;
    let bound = heard.into_iter().find(|heard| heard.room == room);
    Ok(vec![bound.unwrap_or(TakeRoom { room, bound_at: 0 })])
}

/// How much a caller may be told at once.
pub(super) fn budget(limit_chars: Option<u32>) -> Budget {
    let limit = limit_chars.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or_else(Budget::default, |limit| Budget {
        limit: limit.clamp(MIN_CHECK_CHARS, MAX_CHECK_CHARS),
        unit: Unit::Chars,
    })
}

/// The session of a caller that asks as one.
pub(super) async fn session_of(asked: &Asked<'_>) -> Result<Session, ApiError> {
    place::own_session(asked.node, asked.caller).await.ok_or_else(|| {
        ApiError::new(ErrorKind::NotFound, "this is no agent's session")
            .hint("`parlor log` shows what was said, `parlor unread` how much of it is unread")
    })
}

pub(super) async fn check(
    asked: &Asked<'_>,
    room: Option<String>,
    limit_chars: Option<u32>,
) -> Result<Reply, ApiError> {
    let session = session_of(asked).await?;
    let rooms = rooms_of(asked, room).await?;
    let budget = budget(limit_chars);
    let taking = Taking { rooms, budget, moment: Moment::Check, ..Taking::default() };
    let taken = moments::take(asked, &session, taking).await?;
    Ok(Reply::Unheard(Unheard {
        text: taken.text,
        messages: taken.messages,
        more: taken.more,
        token: taken.token,
    }))
}

pub(super) async fn set_summary(asked: &Asked<'_>, summary: &str) -> Result<Reply, ApiError> {
    let node = asked.node;
    let session = session_of(asked).await?;
    let summary = (!summary.trim().is_empty())
        .then(|| clean(summary, Mode::Line { limit_chars: MAX_SUMMARY_CHARS }).into_string());
    let write = node.sessions().set_summary(&session.key(), summary);
    if let Some(write) = write {
        node.driver.command(write).await?;
    }
    node.announce(&session).await;
    Ok(Reply::Done)
}
