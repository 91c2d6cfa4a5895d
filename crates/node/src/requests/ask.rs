//! Questions and answers: asking one peer, one session, those of a tag or a room; waiting for answers; answering. Who waits is
//! told how far the question is known to have got. Must not guess who is meant.

use std::time::Duration;

use parlor_api::{ApiError, Asked as AskedReply, ErrorKind, Message, Reply, Sent};
use parlor_core::engine::api::{AskView, Author, Command, MessageView, Moment, Outcome, Send, TakeRoom};
use parlor_core::text::inject::{Budget, Unit};
use parlor_core::text::time::rfc3339;
use parlor_wire::{EntryId, PeerId, RoomId};

use super::moments::{self, Taking};
use super::{Asked, MAX_WAIT_MS, convert, direct, far, hearing, peers, place, talk, whom};
use crate::clock;
use crate::consent::What;
use crate::errors;

/// What stands before a tag, and before the word for all.
const MANY: char = '@';
/// Nobody answers in less, in milliseconds.
const MIN_ASK_MS: u64 = 1_000;
/// Answers told at once.
const MAX_ANSWERS: usize = 32;
/// Characters of answers that are noted as given at once.
const MAX_GIVEN_CHARS: usize = 1 << 20;

/// A question to ask.
pub(super) struct Question {
    pub room: Option<String>,
    pub to: String,
    pub text: String,
    pub request_id: String,
    pub timeout_ms: u64,
    pub wait_ms: u64,
}

/// Who is asked.
#[derive(Default)]
struct Whom {
    to: Option<String>,
    peers: Vec<PeerId>,
    tags: Vec<String>,
    warnings: Vec<String>,
}

pub(super) async fn ask(asked: &Asked<'_>, question: Question) -> Result<Reply, ApiError> {
    let node = asked.node;
    talk::check_request_id(&question.request_id)?;
    let (room, whom) = meant(asked, &question.to, question.room.as_deref()).await?;
    let deadline = clock::wall_ms().saturating_add(question.timeout_ms.max(MIN_ASK_MS));
    let by = talk::By::caller(asked, room).await?;
    let send = Send {
        room,
        text: question.text,
        request_id: question.request_id,
        priority: Default::default(),
        author: by.author,
        origin: by.origin,
        label: by.label,
        to: whom.to.clone(),
        peers: whom.peers,
        tags: whom.tags,
        form: None,
        ask: Some(deadline),
        about: None,
        file: None,
        wait_ms: question.wait_ms.min(MAX_WAIT_MS),
    };
    let Outcome::Sent(sent) = node.driver.command(Command::Send(send)).await? else {
        return Err(errors::internal("the question was not answered"));
    };
    let mut reply = told(asked, sent.id, (Vec::new(), 0), None).await?;
    reply.warnings = sent.warnings.into_iter().chain(whom.warnings).collect();
    Ok(Reply::Asked(reply))
}

/// Whom `to` means, and in which room they are asked.
async fn meant(asked: &Asked<'_>, to: &str, room: Option<&str>) -> Result<(RoomId, Whom), ApiError> {
    let node = asked.node;
    if to == whom::EVERYBODY {
        return Ok((place::room(node, asked.caller, room).await?, Whom::default()));
    }
    if let Some(tag) = whom::tag(asked, to).await? {
        let room = place::room(node, asked.caller, room).await?;
        let speaker = place::own_session(node, asked.caller).await;
        let nobody = hearing::tagged(node, room, &tag, speaker.as_ref()).await? == 0;
        let warnings =
            nobody.then(|| format!("no session that is present has the tag @{tag}")).into_iter().collect();
        return Ok((room, Whom { tags: vec![tag], warnings, ..Whom::default() }));
    }
    // A peer may be written as agents read of it: `@bob`.
    let to = to.strip_prefix(MANY).unwrap_or(to);
    let Some(room) = room else {
        let aim = whom::meant(asked, to).await?;
        let mut warnings: Vec<String> = aim.warning.into_iter().collect();
        if let Some(label) = aim.to.as_deref().filter(|_| !aim.here) {
            warnings.extend(direct::missing_session(node, aim.room, label).await?);
        }
        return Ok((aim.room, Whom { to: aim.to, warnings, ..Whom::default() }));
    };
    let room = place::room_named(node, room).await?;
    let peer = peers::named(node, to).await?;
    let people = node.driver.view(move |engine| engine.people(&room)).await?;
    if peer == node.me || !people.iter().any(|person| person.peer == peer) {
        let message = format!("{to} is not somebody else in that room");
        return Err(ApiError::new(ErrorKind::NotFound, message)
            .hint("`parlor who --room ROOM` shows who is; without --room a peer is asked alone"));
    }
    Ok((room, Whom { peers: vec![peer], ..Whom::default() }))
}

/// A question that is remembered, by its id or the beginning of it.
async fn asked_by(asked: &Asked<'_>, entry: &str) -> Result<(MessageView, Option<AskView>), ApiError> {
    let message = talk::found(asked.node, None, entry).await?;
    if message.ask.is_none() {
        let error = ApiError::new(ErrorKind::BadInput, format!("{} is no question", message.id.short()));
        return Err(error.hint("`parlor send` says something without answering anything"));
    }
    let id = message.id;
    let view = asked.node.driver.view(move |engine| engine.ask(&id)).await?;
    Ok((message, view))
}

pub(super) async fn answer(
    asked: &Asked<'_>,
    entry: &str,
    text: String,
    request_id: String,
    wait_ms: u64,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    talk::check_request_id(&request_id)?;
    let (question, view) = asked_by(asked, entry).await?;
    let room = question.room;
    let by = talk::By::caller(asked, room).await?;
    if view.is_none() && question.own && !by.stays_here {
        return Err(errors::of_failure(&parlor_core::engine::api::Failure::OwnQuestion));
    }
    let direct = node.driver.view(move |engine| engine.direct_peer(&room).is_some()).await?;
    let alone = direct || by.stays_here;
    let asker = question.session.as_ref().map(|label| label.as_str().to_owned());
    let send = Send {
        room,
        text,
        request_id,
        priority: Default::default(),
        author: by.author,
        origin: by.origin,
        label: by.label,
        to: asker.filter(|_| alone),
        peers: if alone || question.own { Vec::new() } else { vec![question.peer] },
        tags: Vec::new(),
        form: None,
        ask: None,
        about: Some(question.id),
        file: None,
        wait_ms: wait_ms.min(MAX_WAIT_MS),
    };
    let Outcome::Sent(mut sent) = node.driver.command(Command::Send(send)).await? else {
        return Err(errors::internal("the answer was not sent"));
    };
    let id = question.id;
    let after = node.driver.view(move |engine| engine.ask(&id)).await?;
    sent.warnings.extend(unawaited(view.as_ref(), after.as_ref(), &sent.id).map(str::to_owned));
    Ok(Reply::Sent(Sent {
        id: sent.id.to_string(),
        room: sent.room.to_string(),
        room_name: talk::room_name(node, sent.room).await?,
        reached: sent.reached,
        of: sent.of,
        tagged: None,
        far: Vec::new(),
        warnings: sent.warnings,
    }))
}

/// Why nobody waits for an answer that has just been given, if nobody does.
fn unawaited(before: Option<&AskView>, after: Option<&AskView>, answer: &EntryId) -> Option<&'static str> {
    let (Some(before), Some(after)) = (before, after) else {
        return Some("the question is over: nobody waits for the answer, it is in the log, and counted");
    };
    let is_kept = after.answers.iter().any(|(id, _)| id == answer);
    if before.answers.iter().any(|(id, _)| id == answer) {
        // Asked again of a node that had stored it.
        return None;
    }
    match (before.open, before.to_all || before.tags.is_some(), before.answered) {
        (false, ..) => {
            Some("the question is over: nobody waits for the answer, it is in the log, and counted")
        }
        (true, false, 1..) => Some("the question has an answer already: this one is in the log"),
        (true, ..) if !is_kept => Some(
            "the question was not for this session, or has many answers: it does not end by this one, which is in the log",
        ),
        _ => None,
    }
}

pub(super) async fn answers(
    asked: &Asked<'_>,
    entry: &str,
    seen: u64,
    wait_ms: u64,
    give: bool,
) -> Result<Reply, ApiError> {
    let node = asked.node;
    let (message, view) = asked_by(asked, entry).await?;
    let Some(view) = view else {
        let error = ApiError::new(ErrorKind::NotFound, "that question was asked too long ago");
        return Err(error.hint("`parlor log` shows what was answered"));
    };
    let id = message.id;
    let left_ms = view.deadline.saturating_sub(clock::wall_ms());
    let wait = Duration::from_millis(wait_ms.min(MAX_WAIT_MS).min(left_ms));
    let deadline = tokio::time::Instant::now() + wait;
    let mut stirred = node.driver.stirred();
    let view = loop {
        stirred.borrow_and_update();
        let Some(view) = node.driver.view(move |engine| engine.ask(&id)).await? else {
            return Err(errors::internal("a question went missing"));
        };
        // Not by their number: no more are kept by name than some, and who knows those would ask without a pause.
        if view.answers.len() as u64 > seen || !view.open || tokio::time::Instant::now() >= deadline {
            break view;
        }
        tokio::select! {
            moved = stirred.changed() => if moved.is_err() { return Err(errors::ending()) },
            () = tokio::time::sleep_until(deadline) => {}
            () = asked.cancel.cancelled() => return Err(errors::ending()),
        }
    };
    let known = usize::try_from(seen).unwrap_or(usize::MAX);
    let new: Vec<(EntryId, PeerId)> = view.answers.iter().skip(known).take(MAX_ANSWERS).copied().collect();
    let seen = seen.saturating_add(new.len() as u64);
    let new: Vec<EntryId> =
        new.into_iter().filter(|(_, peer)| hears(asked, view.room, *peer)).map(|(id, _)| id).collect();
    let token = if give { lease(asked, view.room, &new).await? } else { None };
    let answers = node.driver.messages(view.room, &new).await?;
    let name = talk::room_name(node, view.room).await?;
    let answers = answers.into_iter().map(|message| convert::message(message, &name)).collect();
    Ok(Reply::Asked(told(asked, id, (answers, seen), token).await?))
}

/// Whether somebody's answer may be shown to the caller: to an agent not, where its person has denied that.
fn hears(asked: &Asked<'_>, room: RoomId, peer: PeerId) -> bool {
    let is_agent = || asked.caller.author(&asked.node.sessions()) == Author::Agent;
    peer == asked.node.me || asked.node.consent().may(What::Inject, room, peer) || !is_agent()
}

/// What an agent's session is shown in an answer is not given to it again at its prompt.
async fn lease(asked: &Asked<'_>, room: RoomId, answers: &[EntryId]) -> Result<Option<u64>, ApiError> {
    let Some(session) = place::session(asked.node, asked.caller).filter(|_| !answers.is_empty()) else {
        return Ok(None);
    };
    let taking = Taking {
        rooms: vec![TakeRoom { room, bound_at: 0 }],
        // All of it is shown: the text that is made here is not.
        budget: Budget { limit: MAX_GIVEN_CHARS, unit: Unit::Bytes },
        moment: Moment::Check,
        only: Some(answers.to_vec()),
        ..Taking::default()
    };
    Ok(moments::take(asked, &session, taking).await?.token)
}

async fn told(
    asked: &Asked<'_>,
    id: EntryId,
    (answers, seen): (Vec<Message>, u64),
    token: Option<u64>,
) -> Result<AskedReply, ApiError> {
    let node = asked.node;
    let named = far::named(asked);
    let looked = node.driver.view(move |engine| {
        let view = engine.ask(&id)?;
        let far = far::of_question(engine, &view, &named);
        let of = engine.room(&view.room).map_or(0, |room| room.members.saturating_sub(1));
        Some((view, far, of))
    });
    let Some((view, far, of)) = looked.await? else {
        return Err(errors::internal("a question went missing"));
    };
    let left_ms = view.deadline.saturating_sub(clock::wall_ms());
    let unheard = view.answers.iter().filter(|(_, peer)| !hears(asked, view.room, *peer)).count();
    Ok(AskedReply {
        id: id.to_string(),
        room: view.room.to_string(),
        room_name: talk::room_name(node, view.room).await?,
        open: view.open && left_ms > 0,
        until: rfc3339(view.deadline),
        left_ms: if view.open { left_ms } else { 0 },
        to_all: view.to_all || view.tags.is_some(),
        answered: view.answered.saturating_sub(unheard as u64),
        answers,
        seen,
        reached: view.reached.len() as u64,
        of,
        far,
        token,
        warnings: Vec::new(),
    })
}
