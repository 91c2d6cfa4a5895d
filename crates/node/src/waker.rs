//! Wakes idle sessions of agent programs that are woken by a command of theirs. The command is given no words of others, and
//! its end proves nothing: what it woke for stays unread until a hook of the session takes it. Must not hold anybody up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_agents::{Place, Runner, SystemRunner, Wake};
use parlor_core::engine::api::UrgentView;
use parlor_wire::RoomId;
use tokio::sync::mpsc;

use crate::node::Node;
use crate::requests::hook::with_directs;
use crate::requests::moments;
use crate::sessions::Session;

/// Between two attempts to wake one session: a human may look at what the first has brought about.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Sessions remembered as woken.
const MAX_WOKEN: usize = 1024;
/// A command that fails so often in a row is not run again for the same: something else is wrong, and in the node's log.
const MAX_FAILURES: u32 = 5;
/// Ends of commands that wait to be looked at.
const ENDS: usize = 64;

/// What a session was last woken for, and when.
struct Woken {
    what: BTreeSet<(RoomId, u64)>,
    at: Instant,
    /// How often in a row the command failed.
    failures: u32,
}

/// What became of a command: the session's key, and whether it succeeded.
type End = (String, bool);

/// Runs until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut stirred = node.driver.stirred();
    let mut woken: BTreeMap<String, Woken> = BTreeMap::new();
    let (ends, mut ended) = mpsc::channel::<End>(ENDS);
    loop {
        stirred.borrow_and_update();
        let present = node.sessions().present();
        let mut put_off: Option<Instant> = None;
        for session in present {
            let later = look(&node, &session, &mut woken, &ends).await;
            put_off = put_off.into_iter().chain(later).min();
        }
        let looked_again = async {
            match put_off {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            moved = stirred.changed() => if moved.is_err() { return },
            Some((key, ok)) = ended.recv() => {
                note_end(&mut woken, &key, ok);
                if !ok {
                    // The next prompt is its human's.
                    _ = node.sessions().is_driven(&key, node.clock.now());
                }
            }
            () = looked_again => {}
            () = node.life.stopping.cancelled() => return,
        }
    }
}

/// What a failed command was to wake for is waked for again, when the minute is over.
fn note_end(woken: &mut BTreeMap<String, Woken>, key: &str, ok: bool) {
    let Some(last) = woken.get_mut(key) else { return };
    last.failures = if ok { 0 } else { last.failures.saturating_add(1) };
    if !ok && last.failures < MAX_FAILURES {
        last.what.clear();
    }
}

/// Wakes a session for what it was not woken for yet; when to look again, where that is too early now.
async fn look(
    node: &Arc<Node>,
    session: &Session,
    woken: &mut BTreeMap<String, Woken>,
    ends: &mpsc::Sender<End>,
) -> Option<Instant> {
    let program = parlor_agents::program(&session.program)?;
    if program.wake() != Wake::Command {
        return None;
    }
    let heard = with_directs(node, node.heard_by(session).await).await.ok()?;
    let (waking, _) = moments::waking(node, session, heard).await.ok()?;
    let what: BTreeSet<(RoomId, u64)> = waking.iter().map(|one| (one.room, one.arrival)).collect();
    let key = session.key();
    let last = woken.get(&key);
    if last.map_or(what.is_empty(), |last| what.is_subset(&last.what)) {
        return None;
    }
    if let Some(at) = last.map(|last| last.at + AGAIN_AFTER).filter(|at| *at > Instant::now()) {
        return Some(at);
    }
    if woken.len() >= MAX_WOKEN {
        woken.clear();
    }
    node.sessions().drive(&key, node.clock.now());
    let failures = woken.get(&key).map_or(0, |last| last.failures);
    woken.insert(key, Woken { what, at: Instant::now(), failures });
    wake(session, &waking, ends.clone());
    None
}

/// Runs the command beside everything else.
fn wake(session: &Session, waking: &[UrgentView], ends: mpsc::Sender<End>) {
    let (id, name, text) = (session.id.clone(), session.program.clone(), words(waking));
    let key = session.key();
    tokio::task::spawn_blocking(move || {
        let (Some(program), Ok(place)) = (parlor_agents::program(&name), Place::of_this_process()) else {
            return;
        };
        let Some(invocation) = program.wake_command(&place, &id, &text) else { return };
        let end = SystemRunner.run(&invocation);
        match &end {
            Ok(output) if output.ok() => tracing::debug!("a session of {name} was told that something waits"),
            Ok(output) => tracing::warn!("{name} could not be woken: {}", output.first_line()),
            Err(error) => tracing::warn!("{name} could not be woken: {error}"),
        }
        // Where so many ends wait, nobody looks at them any more.
        _ = ends.try_send((key, end.is_ok_and(|output| output.ok())));
    });
}

/// That there is something, and never what: whoever is on this machine can read a command line.
fn words(waking: &[UrgentView]) -> String {
    let asks = waking.iter().filter(|one| one.asks).count();
    let count = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        more => Some(format!("{more} {many}")),
    };
    let all = [
        count(asks, "question", "questions"),
        count(waking.len() - asks, "urgent message", "urgent messages"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    format!("Parlor: {} from colleagues for this session.", all.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_command_was_for_is_tried_again_and_not_for_ever() {
        let what = BTreeSet::from([(RoomId([1; 32]), 7)]);
        let mut woken = BTreeMap::new();
        let again = |woken: &mut BTreeMap<String, Woken>, failures| {
            woken.insert("codex:a".to_owned(), Woken { what: what.clone(), at: Instant::now(), failures });
        };
        for failures in 0..MAX_FAILURES {
            again(&mut woken, failures);
            note_end(&mut woken, "codex:a", false);
            assert_eq!(woken["codex:a"].what.is_empty(), failures + 1 < MAX_FAILURES, "{failures}");
        }
        note_end(&mut woken, "codex:a", true);
        assert_eq!((woken["codex:a"].failures, &woken["codex:a"].what), (0, &what));
        note_end(&mut woken, "codex:gone", false);
        assert_eq!(woken.len(), 1);
    }
}
