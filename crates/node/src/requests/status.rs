//! The status of this node's own sessions: which are meant, showing it, setting it.

use std::path::Path;

use parlor_api::{ApiError, ErrorKind, OwnSession, Reply, SessionStatus};
use parlor_core::engine::api::Author;

use super::{Asked, place, whom};
use crate::bindings;
use crate::node::Node;
use crate::sessions::Session;

/// Fewer characters of an id name no session.
const MIN_ID_CHARS: usize = 4;
/// How much of an id tells sessions of one label apart.
const SHOWN_ID_CHARS: usize = 8;

pub(super) async fn session(
    asked: &Asked<'_>,
    named: Option<String>,
    set: Option<SessionStatus>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let meant = meant(asked, named.as_deref()).await?;
    if let Some(status) = set {
        for session in &meant {
            let write = node.sessions().set_status(&session.key(), status);
            if let Some(write) = write {
                node.driver.command(write).await?;
            }
            node.announce(session).await;
        }
    }
    Ok(Reply::Sessions(meant.iter().map(|session| shown(node, session)).collect()))
}

pub(super) fn shown(node: &Node, session: &Session) -> OwnSession {
    OwnSession {
        id: session.id.clone(),
        name: whom::name(node, session),
        you: false,
        label: session.label(),
        program: session.program.clone(),
        dir: session.dir.clone(),
        branch: bindings::branch_of(&session.dir),
        status: node.sessions().status(&session.key(), node.clock.now()),
        summary: session.summary.clone(),
    }
}

/// The caller's own session; else the one it names; else all of the directory it stands in.
async fn meant(asked: &Asked<'_>, named: Option<&str>) -> Result<Vec<Session>, ApiError> {
    let node = asked.node;
    let own = place::own_session(node, asked.caller).await;
    let present = node.sessions().present();
    match (named, own) {
        (None, Some(own)) => Ok(vec![own]),
        (Some(name), own) => {
            let session = one_named(&present, name)?;
            let is_own = own.is_some_and(|own| own.key() == session.key());
            if !is_own && asked.caller.author(&node.sessions()) == Author::Agent {
                let message =
                    "this is another session than the agent's own, and an agent may not speak for it";
                let error = ApiError::new(ErrorKind::NotAllowed, message);
                return Err(error.hint("ask your human to run `parlor status`"));
            }
            Ok(vec![session])
        }
        (None, None) if asked.caller.author(&node.sessions()) == Author::Agent => {
            Err(ApiError::new(ErrorKind::NotFound, "this is no agent's session")
                .hint("a session is known from its first hook on"))
        }
        (None, None) => of_directory(&present, asked.caller.hello.cwd.as_deref()),
    }
}

fn of_directory(present: &[Session], dir: Option<&Path>) -> Result<Vec<Session>, ApiError> {
    let key = dir.map(bindings::key_of);
    let here = |session: &&Session| key.as_ref().is_some_and(|key| bindings::key_of(&session.dir) == *key);
    let here: Vec<Session> = present.iter().filter(here).cloned().collect();
    if here.is_empty() {
        let error = ApiError::new(ErrorKind::NotFound, "no session of yours is present in this directory");
        return Err(error.hint("name one with --session").candidates(present.iter().map(name_of).collect()));
    }
    Ok(here)
}

fn name_of(session: &Session) -> String {
    let id: String = session.id.chars().take(SHOWN_ID_CHARS).collect();
    format!("{} ({id})", session.label())
}

/// The session of a label, or of an id or its beginning. A name is never guessed.
fn one_named(present: &[Session], name: &str) -> Result<Session, ApiError> {
    let called = |session: &&Session| {
        session.label() == name || (name.len() >= MIN_ID_CHARS && session.id.starts_with(name))
    };
    let found: Vec<&Session> = present.iter().filter(called).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(ApiError::new(
            ErrorKind::NotFound,
            format!("no session of yours that is present is called {name}"),
        )
        .hint("name one by its label, or by the beginning of its id")
        .candidates(present.iter().map(name_of).collect())),
        several => {
            Err(ApiError::new(ErrorKind::Ambiguous, format!("several sessions of yours are called {name}"))
                .hint("name one by the beginning of its id")
                .candidates(several.iter().map(|session| name_of(session)).collect()))
        }
    }
}
