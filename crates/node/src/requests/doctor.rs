//! The node tries its own links: the store, the clock, the network, each room. A check says what was seen, not
//! what should be.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use parlor_api::{ApiError, Check, Reply};
use parlor_core::engine::Engine;
use parlor_core::engine::api::{PersonView, RoomStanding, RoomView};
use parlor_core::text::time::rfc3339;
use parlor_wire::PeerId;

use super::{Asked, place};
use crate::carriers::PathTo;
use crate::clock;

fn check(name: impl Into<String>, state: &str, detail: impl Into<String>, hint: Option<&str>) -> Check {
    Check { name: name.into(), state: state.into(), detail: detail.into(), hint: hint.map(str::to_owned) }
}

pub(super) async fn doctor(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let node = asked.node;
    let mut checks = vec![store(asked).await, clock(), network(asked), lan(asked), relay(asked).await?];
    let rooms = node.driver.view(|engine: &Engine| {
        let with_people = |room: RoomView| {
            let people = engine.people(&room.id);
            (room, people)
        };
        let rooms: Vec<_> = engine.rooms().into_iter().map(with_people).collect();
        (rooms, place::shown_names(engine))
    });
    let (rooms, names) = rooms.await?;
    for (view, people) in &rooms {
        let people = &tried(asked, view, people).await;
        let name = names.get(&view.id).map_or_else(|| view.id.short(), Clone::clone);
        checks.extend(room(&name, view, people));
    }
    Ok(Reply::Checks(checks))
}

async fn store(asked: &Asked<'_>) -> Check {
    let path = asked.node.home.store().display().to_string();
    match asked.node.driver.try_store().await {
        Ok(()) => check("store", "ok", format!("{path} takes and gives back"), None),
        Err(error) => check("store", "fail", error.message, error.hint.as_deref()),
    }
}

fn clock() -> Check {
    let now_ms = clock::wall_ms();
    if now_ms < clock::ABSURD_BEFORE_MS {
        let hint = "set the clock: messages carry its time";
        return check("clock", "fail", format!("it says {}", rfc3339(now_ms)), Some(hint));
    }
    check("clock", "ok", rfc3339(now_ms), None)
}

fn network(asked: &Asked<'_>) -> Check {
    let addresses = asked.node.carrier.far_places().addresses;
    let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if addresses.is_empty() {
        return check("network", "fail", "no address to be reached at", Some("look at `parlor node log`"));
    }
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        let hint = "nodes of this machine can reach it; others need a network";
        return check("network", "warn", format!("listens on {shown} only"), Some(hint));
    }
    check("network", "ok", format!("listens on {shown}"), None)
}

/// Whether peers are looked for where this machine is.
fn lan(asked: &Asked<'_>) -> Check {
    match asked.node.carrier.status().lan {
        true => check("local network", "ok", "peers are looked for by multicast DNS", None),
        false => {
            let hint = "there is no network, or `lan = false` in config.toml";
            check("local network", "warn", "peers are not looked for by multicast DNS", Some(hint))
        }
    }
}

/// Whether the relay answers by which peers are reached whom no direct path leads to.
async fn relay(asked: &Asked<'_>) -> Result<Check, ApiError> {
    let node = asked.node;
    let ok = |detail: String| check("relay", "ok", detail, None);
    let set = node.carrier.set_relays();
    if set.is_empty() {
        return Ok(ok("off: peers are reached directly or not at all".into()));
    }
    if !node.driver.view(|engine| engine.relayed_rooms().is_some()).await? {
        return Ok(ok("none is contacted: there is no room that needs one".into()));
    }
    if !node.relays_told(&set) {
        let hint = "`parlor` names the relays, and they are contacted from then on";
        return Ok(check("relay", "warn", "none is contacted yet: nobody was told which", Some(hint)));
    }
    let hint = "on a network without a way to it, `parlor config set relay off` stops the trying";
    Ok(match node.carrier.status().relay {
        Some(relay) if relay.connected => ok(format!("{} answers", relay.url)),
        Some(relay) => {
            let why = relay.error.map(|why| format!(": {why}")).unwrap_or_default();
            check("relay", "warn", format!("{} does not answer{why}", relay.url), Some(hint))
        }
        None => check("relay", "warn", format!("none of {} answers", set.join(", ")), Some(hint)),
    })
}

type Reached = (PersonView, Option<PathTo>);

/// Most people of a room whose paths are tried, all at once.
const MAX_TRIED: usize = 32;

/// The people of a room, and of those linked how they are reached now.
async fn tried(asked: &Asked<'_>, view: &RoomView, people: &[PersonView]) -> Vec<Reached> {
    let carrier = &asked.node.carrier;
    let linked = people.iter().filter(|person| person.connected && !person.own).take(MAX_TRIED);
    let paths =
        linked.map(|person| async { (person.peer, carrier.try_path_to(&person.peer, view.lan).await) });
    let mut paths: BTreeMap<PeerId, Option<PathTo>> = join_all(paths).await.into_iter().collect();
    people.iter().map(|person| (person.clone(), paths.remove(&person.peer).flatten())).collect()
}

fn room(name: &str, view: &RoomView, people: &[Reached]) -> Vec<Check> {
    let label = format!("room {name}");
    let mut checks = vec![standing(&label, view, people)];
    if view.waiting > 0 {
        let detail = "holds messages that cannot be opened yet: their key has not arrived";
        checks.push(check(&label, "warn", detail, Some("it comes with the next member that is reached")));
    }
    checks.extend(view.warnings.iter().map(|warning| check(&label, "warn", warning, None)));
    checks
}

fn standing(label: &str, view: &RoomView, people: &[Reached]) -> Check {
    match &view.state {
        RoomStanding::Older(why) => check(label, "fail", why, Some(crate::errors::OLDER)),
        RoomStanding::Frozen(why) => check(label, "fail", why, Some("update Parlor; nothing is lost")),
        RoomStanding::Refused(refusal) => {
            let words = parlor_core::engine::api::refusal_words(refusal);
            check(label, "fail", words, Some("ask for a new ticket: `parlor invite` makes it"))
        }
        RoomStanding::Joining => {
            let hint = "it joins by itself as soon as a member's machine is reachable";
            check(label, "warn", "saved, nobody reached yet", Some(hint))
        }
        RoomStanding::Asking => {
            let hint = "ask an owner to run `parlor member approve`; it joins by itself then";
            check(label, "warn", "asked; an owner has to let you in", Some(hint))
        }
        RoomStanding::Left => check(label, "ok", "you have left it; it can be read", None),
        RoomStanding::Removed => {
            let hint = "it can be read: `parlor log`; whoever owns it can let you in again by a new ticket";
            check(label, "warn", "an owner has put you out", Some(hint))
        }
        RoomStanding::Joined => reached(label, people),
    }
}

fn reached(label: &str, people: &[Reached]) -> Check {
    let others: Vec<&Reached> = people.iter().filter(|(person, _)| !person.own).collect();
    if others.is_empty() {
        return check(label, "ok", "nobody else is in it yet", None);
    }
    let word = |(person, path): &&Reached| match (person.connected, path, person.last_seen) {
        (true, Some(path), _) => {
            let how = if path.relayed { "through" } else { "at" };
            let said = match path.answered {
                true => format!("{} ms", path.round_trip_ms),
                false => "no answer now".to_owned(),
            };
            format!("{} linked {how} {} ({said})", person.name, path.at)
        }
        (true, None, _) => format!("{} linked", person.name),
        (false, _, Some(at)) => format!("{} last linked {}", person.name, rfc3339(at)),
        (false, _, None) => format!("{} never linked", person.name),
    };
    let words = others.iter().take(10).map(word).collect::<Vec<_>>().join(", ");
    let answers = |path: &Option<PathTo>| path.as_ref().is_none_or(|path| path.answered);
    let linked = others.iter().filter(|(person, path)| person.connected && answers(path)).count();
    let detail = format!("{linked} of {} reached: {words}", others.len());
    if linked > 0 {
        return check(label, "ok", detail, None);
    }
    check(label, "warn", detail, Some("what is sent waits here and travels when one of them is reachable"))
}
