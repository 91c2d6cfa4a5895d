//! Dropping, listing and getting files. What may leave is decided here by who asks; the sealing, fetching and placing of
//! them is `crate::files`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parlor_api::{ApiError, Dropped, ErrorKind, Event, File, Progress, Reply};
use parlor_core::engine::api::{Author, Command, Failure, MessageView, Outcome, RoomStanding, Send};
use parlor_core::room::body::Announced;
use parlor_core::text::file_name;
use parlor_core::text::time::rfc3339;
use parlor_wire::RoomId;
use parlor_wire::control::Role;
use parlor_wire::ids::BodyHash;
use parlor_wire::limits::MAX_FILE_NAME_BYTES;

use super::{Asked, MAX_WAIT_MS, place, talk, whom};
use crate::driver::PAGE_ROWS;
use crate::errors;
use crate::files::outgoing::{Bounds, Outgoing, open_outgoing};
use crate::files::seal::{SealError, seal};
use crate::files::{Sealing, Wanted};
use crate::node::Node;
use crate::sessions::Session;

/// How often somebody who waits is told how far it is; it also says that the node lives.
const TOLD_EVERY: Duration = Duration::from_millis(500);
/// How long a fetch goes on that nobody waits for any more because it took long.
const GOES_ON: Duration = Duration::from_secs(10 * 60);

/// A file to drop.
pub(super) struct Dropping {
    pub path: PathBuf,
    pub room: Option<String>,
    pub to: Option<String>,
    pub request_id: String,
    pub allow_secrets: bool,
    pub wait_ms: u64,
}

pub(super) async fn drop_file(asked: &Asked<'_>, dropping: Dropping) -> Result<Reply, ApiError> {
    let node = asked.node;
    if dropping.request_id.is_empty() || dropping.request_id.len() > talk::MAX_REQUEST_ID_BYTES {
        let message = format!("a request id has 1 to {} bytes", talk::MAX_REQUEST_ID_BYTES);
        return Err(ApiError::new(ErrorKind::Usage, message));
    }
    if dropping.allow_secrets {
        let command = format!("parlor drop --allow-secrets {}", dropping.path.display());
        asked.refuse_agents_what("sends a file whatever secrets are in it", &command)?;
        if asked.caller.author(&node.sessions()) != Author::Human {
            let message =
                "this sends a file whatever secrets are in it, which only a person at a terminal decides";
            return Err(
                ApiError::new(ErrorKind::NotAllowed, message).hint(format!("run `{command}` at a terminal"))
            );
        }
    }
    let session = place::own_session(node, asked.caller).await;
    let author = asked.caller.author(&node.sessions());
    let outgoing = outgoing(asked, &dropping, session.as_ref(), author).await?;
    let (mut here, mut warning) = (false, None);
    let (room, to) = match (&dropping.to, &dropping.room) {
        (None, room) => (place::room(node, asked.caller, room.as_deref()).await?, None),
        (Some(to), None) => {
            let aim = whom::meant(asked, to).await?;
            (here, warning) = (aim.here, aim.warning);
            (aim.room, aim.to)
        }
        (Some(_), Some(_)) => {
            let message = "a file goes to a room or to a peer alone, not to both";
            return Err(ApiError::new(ErrorKind::Usage, message));
        }
    };
    may_write(node, room).await?;
    let stays_here = here || place::stays_here(node, room).await?;
    let name = short_name(&outgoing.name);
    let sealed = sealed(asked, outgoing, !dropping.allow_secrets).await?;
    hold_for(node, room, &sealed)?;
    let text = file_name::announcement(&name, sealed.length);
    let key = BodyHash(*sealed.key);
    let announced = Announced { name: name.clone(), length: sealed.length, blob: sealed.blob, key };
    // A person's own words are not unread to them, wherever they typed them.
    let seat = || (author == Author::Human).then(|| talk::SEAT.to_owned());
    let send = Send {
        room,
        text,
        request_id: dropping.request_id,
        priority: parlor_core::engine::api::Priority::Normal,
        author,
        origin: session.as_ref().map(Session::key).or_else(seat),
        label: session.map(|session| talk::session_shown(node, &session, stays_here)),
        to,
        peers: Vec::new(),
        ask: None,
        about: None,
        tags: Vec::new(),
        form: None,
        file: Some(announced),
        wait_ms: dropping.wait_ms.min(MAX_WAIT_MS),
    };
    let mut sent = match node.driver.command(Command::Send(send)).await {
        Ok(Outcome::Sent(sent)) => sent,
        Ok(_) => return Err(errors::internal("the announcement was not answered")),
        Err(error) => {
            node.files.shelf.forget_new(&sealed.blob);
            return Err(error);
        }
    };
    sent.warnings.extend(warning);
    settle(node, room, sent.id, &sealed).await?;
    Ok(Reply::Dropped(Dropped {
        id: sent.id.to_string(),
        room: room.to_string(),
        room_name: talk::room_name(node, room).await?,
        file: file_name::shown(&name).into_string(),
        bytes: sealed.length,
        reached: sent.reached,
        of: sent.of,
        warnings: sent.warnings,
    }))
}

/// Before it is announced, for members ask at once.
fn hold_for(node: &Node, room: RoomId, sealed: &Sealing) -> Result<(), ApiError> {
    node.files.shelf.hold_for(&sealed.blob, &room).map_err(|error| {
        node.files.shelf.forget_new(&sealed.blob);
        not_kept(&error)
    })
}

fn not_kept(error: &std::io::Error) -> ApiError {
    ApiError::new(ErrorKind::Machine, format!("the sealed file could not be kept: {error}"))
}

/// What is announced is held. A retry of what was announced before sealed it once more for nothing.
async fn settle(
    node: &Node,
    room: RoomId,
    id: parlor_wire::EntryId,
    sealed: &Sealing,
) -> Result<(), ApiError> {
    let found = node.driver.messages(room, &[id]).await?;
    let is_it = |message: &MessageView| message.file.as_ref().is_some_and(|file| file.blob == sealed.blob);
    if found.iter().any(is_it) {
        let kept = node.files.shelf.announced(&sealed.blob);
        return kept.map_err(|error| not_kept(&error));
    }
    node.files.shelf.forget_new(&sealed.blob);
    Ok(())
}

/// Opens what is to leave, if the caller may have it leave.
async fn outgoing(
    asked: &Asked<'_>,
    dropping: &Dropping,
    session: Option<&Session>,
    author: Author,
) -> Result<Outgoing, ApiError> {
    let bounds = match (author, session) {
        (Author::Human, _) => Bounds::Named,
        (_, Some(session)) => Bounds::Below(session.dir.clone()),
        (Author::Program, None) => asked.caller.hello.cwd.clone().map_or(Bounds::Nothing, Bounds::Below),
        (Author::Agent, None) => Bounds::Nothing,
    };
    let (path, home) = (dropping.path.clone(), asked.node.home.dir().to_path_buf());
    let opened = tokio::task::spawn_blocking(move || open_outgoing(&path, &bounds, &home));
    opened.await.map_err(|_| errors::internal("opening the file broke"))?
}

/// Before a long file is sealed for nothing.
async fn may_write(node: &Node, room: RoomId) -> Result<(), ApiError> {
    let view = node.driver.view(move |engine| engine.room(&room)).await?;
    let failure = match view.map(|view| (view.state, view.role)) {
        Some((RoomStanding::Joined, Some(Role::Reader))) => Failure::ReadersDoNotWrite,
        Some((RoomStanding::Joined, _)) => return Ok(()),
        Some((RoomStanding::Left, _)) => Failure::Left,
        Some((RoomStanding::Removed, _)) => Failure::PutOut,
        Some(_) => Failure::NotJoined,
        None => Failure::NoSuchRoom,
    };
    Err(errors::of_failure(&failure))
}

/// As much of a name as may be announced.
fn short_name(name: &str) -> String {
    name[..name.floor_char_boundary(MAX_FILE_NAME_BYTES)].to_owned()
}

/// Seals, telling how far it is.
async fn sealed(asked: &Asked<'_>, outgoing: Outgoing, scan: bool) -> Result<Sealing, ApiError> {
    let node = asked.node;
    let _turn = node.files.sealing_turn().await;
    let of = outgoing.file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    let (done, files, stop) = (Arc::new(AtomicU64::new(0)), node.files.clone(), asked.cancel.child_token());
    // Whoever stops waiting stops it.
    let _stops = stop.clone().drop_guard();
    let told = done.clone();
    let mut sealing = tokio::task::spawn_blocking(move || {
        seal(outgoing.file, &files.shelf, scan, &stop, |bytes| told.store(bytes, Ordering::Relaxed))
    });
    let mut ticks = tokio::time::interval(TOLD_EVERY);
    let sealed = loop {
        tokio::select! {
            sealed = &mut sealing => break sealed,
            _ = ticks.tick() => {
                let done = done.load(Ordering::Relaxed);
                asked.events.emit(Event::Progress(Progress { done, of })).await;
            }
        }
    };
    let sealed = sealed.map_err(|_| errors::internal("sealing the file broke"))?;
    sealed.map_err(|error| of_sealing(&error, &outgoing.name))
}

fn of_sealing(error: &SealError, name: &str) -> ApiError {
    let name = file_name::shown(name);
    let (kind, hint) = match error {
        SealError::Secret(_) => (
            ErrorKind::NotAllowed,
            "take it out; where it is none, a person says so with `parlor drop --allow-secrets FILE`",
        ),
        SealError::TooLong => (ErrorKind::BadInput, "other tools carry such files better"),
        SealError::Quota => (ErrorKind::Machine, "what is in `blobs/own` of the home was dropped from here"),
        SealError::Changed => (ErrorKind::BadInput, "nothing was sent; drop a copy of it"),
        SealError::Read(_) => (ErrorKind::BadInput, "nothing was sent"),
        SealError::Write(_) | SealError::Randomness => {
            (ErrorKind::Machine, "look at the disk of the home; nothing was sent and nothing half is left")
        }
        SealError::Stopped => (ErrorKind::Interrupted, "nothing was sent"),
    };
    ApiError::new(kind, format!("{name} was not dropped: {error}")).hint(hint)
}

pub(super) async fn list(asked: &Asked<'_>, room: Option<String>) -> Result<Reply, ApiError> {
    let room = place::room(asked.node, asked.caller, room.as_deref()).await?;
    place::readable(asked.node, room).await?;
    let messages = announcements(asked.node, room).await?;
    let name = talk::room_name(asked.node, room).await?;
    Ok(Reply::Files(messages.iter().filter_map(|message| shown(asked.node, message, &name)).collect()))
}

/// The messages of a room that announce files and may be read here, the newest first.
async fn announcements(node: &Node, room: RoomId) -> Result<Vec<MessageView>, ApiError> {
    let ids = node.driver.view(move |engine| engine.files(&room)).await?;
    let floor_ms = node.retention.floor_ms(&room);
    let mut found = Vec::new();
    for page in ids.chunks(PAGE_ROWS as usize) {
        let messages = node.driver.messages(room, page).await?;
        found.extend(messages.into_iter().filter(|message| message.sort_ms >= floor_ms));
    }
    Ok(found)
}

fn shown(node: &Node, message: &MessageView, room_name: &str) -> Option<File> {
    let file = message.file.as_ref()?;
    let path = file.path.as_ref().map(PathBuf::from).filter(|path| path.is_file());
    Some(File {
        id: message.id.to_string(),
        room: message.room.to_string(),
        room_name: room_name.into(),
        file: file.name.as_str().into(),
        bytes: file.length,
        peer: message.peer.to_string(),
        name: message.name.as_str().into(),
        time: rfc3339(message.time_ms),
        own: message.own,
        held: path.is_some() || node.files.shelf.find(&file.blob).is_some(),
        path,
    })
}

pub(super) async fn get(
    asked: &Asked<'_>,
    named: &str,
    room: Option<String>,
    wait_ms: Option<u64>,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let message = find(asked, named, room).await?;
    let room_name = talk::room_name(node, message.room).await?;
    let Some(file) = shown(node, &message, &room_name) else {
        let error = ApiError::new(ErrorKind::NotFound, "that message announces no file");
        return Err(error.hint("`parlor files` shows those that do"));
    };
    if file.path.is_some() {
        return Ok(Reply::File(file));
    }
    let wanted = Wanted::of(&message).ok_or_else(|| errors::internal("a file went missing"))?;
    let path = fetched(asked, wanted, file.bytes, wait_ms).await?;
    Ok(Reply::File(File { path: Some(path), held: true, ..file }))
}

/// Waits until a file is here, telling how far it is.
async fn fetched(
    asked: &Asked<'_>,
    wanted: Wanted,
    of: u64,
    wait_ms: Option<u64>,
) -> Result<PathBuf, ApiError> {
    let mut progress = asked.node.files.fetch(wanted)?;
    let patience = wait_ms.map(|wait_ms| Duration::from_millis(wait_ms.min(MAX_WAIT_MS)));
    let over = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        let (done, end) = {
            let now = progress.borrow_and_update();
            (now.done, now.end.clone())
        };
        if let Some(end) = end {
            return end;
        }
        if progress.has_changed().is_err() {
            return Err(errors::internal("fetching the file broke"));
        }
        asked.events.emit(Event::Progress(Progress { done, of })).await;
        tokio::select! {
            () = &mut over => {
                let size = parlor_wire::file::size;
                let words = format!("the file is still on its way: {} of {} are here", size(done), size(of));
                go_on(progress);
                return Err(ApiError::new(ErrorKind::Unreached, words)
                    .hint("it goes on coming by itself: ask again in a moment"));
            }
            () = asked.cancel.cancelled() => {
                return Err(ApiError::new(ErrorKind::Interrupted, "the file is not here yet")
                    .hint("what has come is kept: the next time it goes on from there"));
            }
            // How it ends is heard at once; how far it is, now and then.
            () = tokio::time::sleep(TOLD_EVERY) => {}
            ended = ended(progress.clone()) => ended,
        }
    }
}

async fn ended(mut progress: tokio::sync::watch::Receiver<crate::files::Progress>) {
    if progress.wait_for(|progress| progress.end.is_some()).await.is_err() {
        // It ended without a word; whoever waits is told by what is there.
        std::future::pending::<()>().await;
    }
}

/// A fetch goes on for as long as somebody holds this.
fn go_on(mut progress: tokio::sync::watch::Receiver<crate::files::Progress>) {
    tokio::spawn(async move {
        let ended = progress.wait_for(|progress| progress.end.is_some());
        _ = tokio::time::timeout(GOES_ON, ended).await;
    });
}

/// The message meant: by the beginning of its id, else the newest that announces a file of this name.
async fn find(asked: &Asked<'_>, named: &str, room: Option<String>) -> Result<MessageView, ApiError> {
    let node = asked.node;
    let by_id = match talk::find(node, room.clone(), named).await {
        Ok(message) if message.file.is_some() => return Ok(message),
        Ok(_) => None,
        Err(error) if error.kind == ErrorKind::Ambiguous => Some(error),
        Err(_) => None,
    };
    let room = place::room(node, asked.caller, room.as_deref()).await?;
    place::readable(node, room).await?;
    let is_it = |message: &MessageView| message.file.as_ref().is_some_and(|file| file.name.as_str() == named);
    let mut found = announcements(node, room).await?;
    found.retain(is_it);
    let peers: std::collections::BTreeSet<_> = found.iter().map(|message| message.peer).collect();
    if peers.len() > 1 {
        let one = |message: &MessageView| format!("{} by {}", message.id.short(), message.name);
        return Err(ApiError::new(ErrorKind::Ambiguous, "several members dropped a file of this name")
            .hint("name it by its id")
            .candidates(found.iter().map(one).collect()));
    }
    match (found.into_iter().next(), by_id) {
        (Some(message), _) => Ok(message),
        (None, Some(ambiguous)) => Err(ambiguous),
        (None, None) => Err(ApiError::new(ErrorKind::NotFound, format!("no file here is called {named}"))
            .hint("`parlor files` shows those there are; it may not have been heard of yet")),
    }
}
