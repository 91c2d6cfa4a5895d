//! What a person decides about being disturbed: consent, levels and mutes, tags. All of it is refused to agents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parlor_api::{self as api, Allowed, ApiError, ErrorKind, Leveled, MayDo, Mute, Reply, Tagged, Verdict};
use parlor_core::engine::api::{Command, Level};
use parlor_core::persist::Table;
use parlor_core::text::mention;
use parlor_core::text::time::rfc3339;
use parlor_wire::RoomId;
use parlor_wire::limits::MAX_TAGS;

use super::{Asked, peers, place, talk, whom};
use crate::bindings;
use crate::clock;
use crate::consent::{Consent, What, Whose};
use crate::levels::{Disturbed, Tags};
use crate::node::Node;

fn what(what: MayDo) -> What {
    match what {
        MayDo::Inject => What::Inject,
        MayDo::Tools => What::Tools,
        MayDo::Wake => What::Wake,
        MayDo::Files => What::Files,
    }
}

fn what_shown(what: What) -> MayDo {
    match what {
        What::Inject => MayDo::Inject,
        What::Tools => MayDo::Tools,
        What::Wake => MayDo::Wake,
        What::Files => MayDo::Files,
    }
}

fn level(level: api::Level) -> Level {
    match level {
        api::Level::All => Level::All,
        api::Level::Mentions => Level::Mentions,
        api::Level::Asks => Level::Asks,
        api::Level::None => Level::None,
    }
}

fn level_shown(level: Level) -> api::Level {
    match level {
        Level::All => api::Level::All,
        Level::Mentions => api::Level::Mentions,
        Level::Asks => api::Level::Asks,
        Level::None => api::Level::None,
    }
}

/// Says what holds, or changes it.
pub(super) async fn consent(
    asked: &Asked<'_>,
    wanted: Option<(MayDo, String, Verdict)>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    if let Some((may, name, verdict)) = wanted {
        let word = if verdict == Verdict::Deny { "deny" } else { "allow" };
        asked.refuse_agents_what(
            "decides what others may do to sessions",
            &format!("parlor {word} {} {name}", word_of(may)),
        )?;
        let whose = whose(node, &name).await?;
        let allowed = match verdict {
            Verdict::Allow => Some(true),
            Verdict::Deny => Some(false),
            Verdict::Usual => None,
        };
        node.driver.command(Consent::record(what(may), whose, allowed)).await?;
        node.consent().set(what(may), whose, allowed);
    }
    Ok(Reply::Allowed(all_allowed(node).await?))
}

fn word_of(may: MayDo) -> &'static str {
    match may {
        MayDo::Inject => "inject",
        MayDo::Tools => "tools",
        MayDo::Wake => "wake",
        MayDo::Files => "files",
    }
}

/// A room or a peer; what may be either is refused with both.
async fn whose(node: &Node, name: &str) -> Result<Whose, ApiError> {
    match (place::room_named(node, name).await, peers::named(node, name).await) {
        (Ok(room), Ok(peer)) => {
            let message = format!("{name} is the name of a room and of a peer");
            Err(ApiError::new(ErrorKind::Ambiguous, message)
                .hint("name one by its id")
                .candidates(vec![room.to_string(), peer.to_string()]))
        }
        (Ok(room), Err(_)) => Ok(Whose::Room(room)),
        (Err(_), Ok(peer)) => Ok(Whose::Peer(peer)),
        (Err(room), Err(peer)) => {
            let is_several = |error: &ApiError| error.kind == ErrorKind::Ambiguous;
            let near = room.candidates.iter().chain(&peer.candidates).cloned().collect();
            match (is_several(&room), is_several(&peer)) {
                (true, _) => Err(room),
                (_, true) => Err(peer),
                _ => Err(ApiError::new(ErrorKind::NotFound, format!("no room and no peer is called {name}"))
                    .hint("`parlor room list` and `parlor peer list` show them")
                    .candidates(near)),
            }
        }
    }
}

/// What was said, each after what holds for all others.
async fn all_allowed(node: &Node) -> Result<Vec<Allowed>, ApiError> {
    let rooms = place::shown_rooms(node).await?;
    let people = node.driver.view(parlor_core::engine::Engine::peers).await?;
    let consent = node.consent();
    let mut all = Vec::new();
    for what in What::ALL {
        let usual =
            Allowed { what: what_shown(what), allowed: what.usual(), room: None, peer: None, name: None };
        all.push(usual.clone());
        for (_, whose, allowed) in consent.said().filter(|(said, ..)| *said == what) {
            let said = Allowed { allowed, ..usual.clone() };
            all.push(match whose {
                Whose::Room(room) => {
                    let name = rooms.get(&room).cloned().unwrap_or_else(|| room.short());
                    Allowed { room: Some(room.to_string()), name: Some(name), ..said }
                }
                Whose::Peer(peer) => {
                    let known = people.iter().find(|known| known.peer == peer);
                    let name = known.map_or_else(|| peer.short(), |known| known.name.as_str().to_owned());
                    Allowed { peer: Some(peer.to_string()), name: Some(name), ..said }
                }
            });
        }
    }
    Ok(all)
}

/// Which room of which directory, and what of it is to hold.
pub(super) struct Wanted {
    pub room: Option<String>,
    pub dir: Option<PathBuf>,
    pub level: Option<api::Level>,
    pub mute: Option<Mute>,
}

pub(super) async fn levels(asked: &Asked<'_>, wanted: Wanted) -> Result<Reply, ApiError> {
    let node = asked.node;
    let changes = wanted.level.is_some() || wanted.mute.is_some();
    if changes {
        asked.refuse_agents_what("decides what sessions are disturbed by", &typed(&wanted))?;
    }
    let dir = wanted.dir.clone().or_else(|| place::dir(node, asked.caller)).unwrap_or_else(|| "/".into());
    let key = bindings::key_of(&dir);
    let heard: Vec<RoomId> = node.bindings().heard(&key).into_iter().map(|heard| heard.room).collect();
    let meant = match &wanted.room {
        Some(name) => vec![place::room_named(node, name).await?],
        // A level is one room's; all of them are muted, or shown.
        None if wanted.level.is_some() => heard.iter().take(1).copied().collect(),
        None => heard.clone(),
    };
    if meant.is_empty() || meant.iter().any(|room| !heard.contains(room)) {
        let message = format!("that is not heard in {}", key.display());
        let error = ApiError::new(ErrorKind::NotFound, message);
        return Err(error
            .hint("`parlor room bind ROOM` binds it; `parlor deny inject PEER` silences a peer anywhere"));
    }
    let now_ms = clock::wall_ms();
    for room in meant.iter().filter(|_| changes) {
        let before = node.bindings().disturbed(&key, room).unwrap_or_default();
        let after = changed(before, &wanted, now_ms);
        let change = node.bindings().disturb(&key, room, after);
        if let Some(change) = change {
            let (row, value) = change.to_row();
            node.driver.command(Command::PutRecord { table: Table::Binding, key: row, value }).await?;
            node.bindings().apply(&change);
        }
    }
    let mut shown = Vec::with_capacity(meant.len());
    for room in meant {
        shown.push(leveled(node, &key, room, now_ms).await?);
    }
    Ok(Reply::Levels(shown))
}

/// The command that a person would have to type.
fn typed(wanted: &Wanted) -> String {
    let room = wanted.room.as_deref();
    let behind = room.map(|room| format!(" {room}")).unwrap_or_default();
    match (wanted.level, wanted.mute) {
        (Some(level), _) => {
            let option = room.map(|room| format!(" --room {room}")).unwrap_or_default();
            format!("parlor room level {}{option}", level.word())
        }
        (None, Some(Mute::Seconds(seconds))) => format!("parlor mute{behind} --for {seconds}s"),
        (None, Some(Mute::On)) => format!("parlor mute{behind}"),
        (None, _) => format!("parlor unmute{behind}"),
    }
}

fn changed(before: Disturbed, wanted: &Wanted, now_ms: u64) -> Disturbed {
    Disturbed {
        level: wanted.level.map_or(before.level, level),
        muted_until_ms: match wanted.mute {
            None => before.muted_until_ms(now_ms),
            Some(Mute::Off) => None,
            Some(Mute::On) => Some(u64::MAX),
            Some(Mute::Seconds(seconds)) => Some(now_ms.saturating_add(seconds.saturating_mul(1000))),
        },
    }
}

async fn leveled(node: &Node, key: &Path, room: RoomId, now_ms: u64) -> Result<Leveled, ApiError> {
    let (dir, disturbed) = {
        let bindings = node.bindings();
        (
            bindings.dir_of(key, &room).unwrap_or_else(|| key.into()),
            bindings.disturbed(key, &room).unwrap_or_default(),
        )
    };
    let until = disturbed.muted_until_ms(now_ms);
    Ok(Leveled {
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        dir,
        level: level_shown(disturbed.level),
        muted: until.is_some(),
        muted_until: until.filter(|until| *until != u64::MAX).map(rfc3339),
    })
}

/// Shows a directory's tags, or gives it one more or one less.
pub(super) async fn tags(
    asked: &Asked<'_>,
    dir: Option<PathBuf>,
    add: Option<String>,
    remove: Option<String>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let dir = dir.or_else(|| place::dir(node, asked.caller)).unwrap_or_else(|| "/".into());
    let key = bindings::key_of(&dir);
    if add.is_some() || remove.is_some() {
        let typed = add.as_ref().map(|tag| format!("parlor tag add {tag}"));
        let typed = typed.or_else(|| remove.as_ref().map(|tag| format!("parlor tag remove {tag}")));
        asked.refuse_agents_what("decides what sessions answer to", &typed.unwrap_or_default())?;
        let mut tags: BTreeSet<String> = node.tags().of(&key).into_iter().collect();
        if let Some(name) = &add {
            tags.insert(one_tag(name)?);
        }
        if let Some(name) = &remove
            && !tags.remove(&one_tag(name)?)
        {
            let message = format!("{} has no tag {name}", key.display());
            let error = ApiError::new(ErrorKind::NotFound, message).hint("`parlor tag list` shows them");
            return Err(error.candidates(tags.into_iter().collect()));
        }
        if tags.len() > MAX_TAGS {
            let message = format!("{} would have more than {MAX_TAGS} tags", key.display());
            return Err(
                ApiError::new(ErrorKind::BadInput, message).hint("`parlor tag remove` takes one away")
            );
        }
        node.driver.command(Tags::record(&key, &tags)).await?;
        node.tags().set(&key, tags);
        node.announce_all().await;
    }
    let tags = node.tags().of(&key);
    Ok(Reply::Tags(Tagged { dir: key, tags }))
}

/// A tag as it was typed.
pub(super) fn one_tag(name: &str) -> Result<String, ApiError> {
    // That word means everybody.
    mention::tag(name).filter(|tag| whom::EVERYBODY.strip_prefix('@') != Some(tag)).ok_or_else(|| {
        let message = format!("“{}” is no tag", name.chars().take(64).collect::<String>());
        ApiError::new(ErrorKind::BadInput, message)
            .hint("a tag is a word of 1 to 24 letters a to z, digits and hyphens, and not `all`: backend")
    })
}
