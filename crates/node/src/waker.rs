//! Wakes idle sessions of agent programs that are woken by a command of theirs. The command is given no words of others, and
//! its end proves nothing: what it woke for stays unread until a hook of the session takes it. Must not hold anybody up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_agents::{Place, Runner, SystemRunner, Wake};
use parlor_core::engine::api::UrgentView;

use crate::node::Node;
use crate::requests::hook::with_directs;
use crate::requests::moments;
use crate::sessions::Session;

/// Between two attempts to wake one session: a human may look at what the first has brought about.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Sessions remembered as woken.
const MAX_WOKEN: usize = 1024;

/// What a session was last woken for, and when.
struct Woken {
    newest: u64,
    at: Instant,
}

/// Runs until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut stirred = node.driver.stirred();
    let mut woken: BTreeMap<String, Woken> = BTreeMap::new();
    loop {
        stirred.borrow_and_update();
        let present = node.sessions().present();
        for session in present {
            look(&node, &session, &mut woken).await;
        }
        tokio::select! {
            moved = stirred.changed() => if moved.is_err() { return },
            () = node.life.stopping.cancelled() => return,
        }
    }
}

async fn look(node: &Arc<Node>, session: &Session, woken: &mut BTreeMap<String, Woken>) {
    let Some(program) = parlor_agents::program(&session.program) else { return };
    if program.wake() != Wake::Command {
        return;
    }
    let Ok(heard) = with_directs(node, node.heard_by(session).await).await else { return };
    let Ok((waking, _)) = moments::waking(node, session, heard).await else { return };
    // Counted over all rooms: more have arrived than were woken for.
    let Some(newest) = waking.iter().map(|one| one.arrival).max() else { return };
    let key = session.key();
    let again = |last: &Woken| last.newest < newest && last.at.elapsed() >= AGAIN_AFTER;
    if !woken.get(&key).is_none_or(again) {
        return;
    }
    if woken.len() >= MAX_WOKEN {
        woken.clear();
    }
    node.sessions().drive(&key, node.clock.now());
    woken.insert(key, Woken { newest, at: Instant::now() });
    wake(session, &waking);
}

/// Runs the command beside everything else.
fn wake(session: &Session, waking: &[UrgentView]) {
    let (id, name, text) = (session.id.clone(), session.program.clone(), words(waking));
    tokio::task::spawn_blocking(move || {
        let (Some(program), Ok(place)) = (parlor_agents::program(&name), Place::of_this_process()) else {
            return;
        };
        let Some(invocation) = program.wake_command(&place, &id, &text) else { return };
        match SystemRunner.run(&invocation) {
            Ok(output) if output.ok() => tracing::debug!("a session of {name} was told that something waits"),
            Ok(output) => tracing::warn!("{name} could not be woken: {}", output.first_line()),
            Err(error) => tracing::warn!("{name} could not be woken: {error}"),
        }
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
