//! What a session is given at each moment of its life: at its start and its prompts what is unread; between tools, at the end
//! of a turn and while it is idle only what does not wait. What agent programs are like is known to `parlor-agents` alone.

use parlor_agents::{AgentProgram, HookCall, HookEvent, StartSource, Wake};
use parlor_api::{ApiError, Hook, Reply, SessionStatus};
use parlor_core::engine::api::{
    Command, Listener, Moment, Outcome, Reached, Take, TakeRoom, Taken, UrgentView,
};
use parlor_core::text::inject::{Budget, Unit};
use parlor_wire::{EntryId, PeerId, RoomId};

use super::Asked;
use super::hearing::{self, Hearing};
use crate::consent::What;
use crate::errors;
use crate::node::Node;
use crate::sessions::Session;
use crate::waiters::Kind;

pub(super) const NOTHING: Reply = Reply::Hook(Hook { stdout: String::new(), token: None, wake: false });

/// The moment a hook is run at; none where nothing can be given.
fn moment(call: &HookCall) -> Option<Moment> {
    match &call.event {
        // What was given stands in the summary; how things stand was told.
        HookEvent::SessionStart { source: StartSource::Compact } | HookEvent::Prompt => Some(Moment::Prompt),
        HookEvent::SessionStart { .. } => Some(Moment::Start),
        HookEvent::PostTool => Some(Moment::Tools),
        // A turn that goes on because of a hook ends: otherwise two agents could keep each other from ever stopping.
        HookEvent::Stop if !call.stop_active => Some(Moment::Stop),
        HookEvent::Idle => Some(Moment::Wake),
        HookEvent::Stop | HookEvent::SessionEnd { .. } | HookEvent::Other(_) => None,
    }
}

/// Whether a turn begins or ends: then what the agent program keeps of the session is looked at, not after every tool.
pub(super) fn is_between_turns(call: &HookCall) -> bool {
    matches!(call.event, HookEvent::Prompt | HookEvent::Stop | HookEvent::SessionStart { .. })
}

/// What a hook gives.
pub(super) async fn at_hook(
    asked: &Asked<'_>,
    program: &dyn AgentProgram,
    call: &HookCall,
    session: &Session,
    rooms: Vec<TakeRoom>,
) -> Result<Reply, ApiError> {
    // Beside an idle session one waits for rooms, too.
    let heard = |moment: &Moment| !rooms.is_empty() || *moment == Moment::Wake;
    let Some(moment) = moment(call).filter(heard) else { return Ok(NOTHING) };
    let driven = || asked.node.sessions().is_driven(&session.key(), asked.node.clock.now());
    let by_human = matches!(call.event, HookEvent::Prompt) && !driven();
    // Counted in bytes, which are never fewer than the characters an agent program may count instead.
    let limit = Budget::default().limit.min(program.injection_limit().size);
    let mut taking =
        Taking { rooms, budget: Budget { limit, unit: Unit::Bytes }, moment, ..Taking::default() };
    match moment {
        Moment::Prompt => taking.by_human = by_human,
        Moment::Start | Moment::Check => {}
        Moment::Tools => {
            if !heeds_urgent(asked.node, session, &mut taking, What::Tools).await? {
                return Ok(NOTHING);
            }
        }
        Moment::Stop => {
            let can = program.format_continue(&call.event_name, "").is_some();
            if !can || !heeds_urgent(asked.node, session, &mut taking, What::Tools).await? {
                return Ok(NOTHING);
            }
        }
        Moment::Wake => return until_woken(asked, session, taking).await,
    }
    let taken = take(asked, session, taking).await?;
    let stdout = match &*taken.text {
        "" => String::new(),
        text if moment == Moment::Stop => {
            asked.node.sessions().drive(&session.key(), asked.node.clock.now());
            taken.token.iter().for_each(|token| asked.node.will_go_on(*token, session.key()));
            program.format_continue(&call.event_name, text).unwrap_or_default() + "\n"
        }
        text => program.format_injection(&call.event_name, text) + "\n",
    };
    Ok(Reply::Hook(Hook { stdout, token: taken.token, wake: false }))
}

/// What is to be taken for a session.
#[derive(Default)]
pub(super) struct Taking {
    pub rooms: Vec<TakeRoom>,
    pub budget: Budget,
    pub moment: Moment,
    pub deny: Vec<(RoomId, PeerId)>,
    pub only: Option<Vec<EntryId>>,
    pub from: Option<PeerId>,
    pub by_human: bool,
}

/// Leases it to the caller's connection.
pub(super) async fn take(asked: &Asked<'_>, session: &Session, taking: Taking) -> Result<Taken, ApiError> {
    let node = asked.node;
    let Hearing { levels, budgets, deny: silenced } = hearing::of(node, session, &taking.rooms).await?;
    let Listener { session, label, tags, .. } = hearing::listener(node, session);
    let key = session.clone();
    let heir_of = node.sessions().ended_beside(&key);
    let Taking { rooms, budget, moment, mut deny, only, from, by_human } = taking;
    deny.extend(silenced);
    let holder = asked.caller.holder;
    let digest = matches!(moment, Moment::Start | Moment::Prompt);
    let take = Take {
        holder,
        session,
        label,
        rooms,
        budget,
        moment,
        tags,
        deny,
        levels,
        budgets,
        digest,
        by_human,
        only,
        from,
        heir_of,
    };
    match asked.node.driver.command(Command::Take(take)).await? {
        Outcome::Taken(taken) => {
            if let Some(token) = taken.token {
                asked.node.gave(token, holder);
                asked.node.evidence.gave(token, &key, &taken.mark);
            }
            Ok(taken)
        }
        _ => Err(errors::internal("nothing was taken")),
    }
}

/// What does not wait for a session's prompt and may do this to it; notes whose words may not.
async fn urgent(
    node: &Node,
    session: &Session,
    taking: &mut Taking,
    what: What,
) -> Result<Vec<UrgentView>, ApiError> {
    let (rooms, to) = (taking.rooms.clone(), hearing::listener(node, session));
    // Whoever wants to be left alone is given what there is at the next prompt.
    if node.sessions().status(&session.key(), node.clock.now()) == Some(SessionStatus::Dnd) {
        return Ok(Vec::new());
    }
    let hearing = hearing::of(node, session, &rooms).await?;
    let all = node.driver.view(move |engine| engine.urgent(&rooms, &to)).await?;
    let consent = node.consent();
    let all = all.into_iter().filter(|one| hearing.heeds(one));
    let (heeded, denied): (Vec<_>, Vec<_>) = all.partition(|one| {
        consent.may(What::Inject, one.room, one.peer) && consent.may(what, one.room, one.peer)
    });
    taking.deny = denied.into_iter().map(|one| (one.room, one.peer)).collect();
    Ok(heeded)
}

async fn heeds_urgent(
    node: &Node,
    session: &Session,
    taking: &mut Taking,
    what: What,
) -> Result<bool, ApiError> {
    Ok(!urgent(node, session, taking, what).await?.is_empty())
}

/// Whether a session is between two turns, as far as its hooks have told.
fn is_idle(node: &Node, session: &Session) -> bool {
    let sessions = node.sessions();
    let runs = sessions.get(&session.key()).is_some_and(|session| !session.ended);
    runs && sessions.status(&session.key(), node.clock.now()) == Some(SessionStatus::Idle)
}

/// What would wake an idle session, and may.
pub(crate) async fn waking(
    node: &Node,
    session: &Session,
    rooms: Vec<TakeRoom>,
) -> Result<(Vec<UrgentView>, Vec<(RoomId, PeerId)>), ApiError> {
    if rooms.is_empty() || !is_idle(node, session) {
        return Ok((Vec::new(), Vec::new()));
    }
    // A hook of it is writing: what that gives needs no waking, and is not yet known to be given.
    let key = session.key();
    if node.driver.view(move |engine| engine.is_being_given(&key)).await? {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut taking = Taking { rooms, ..Taking::default() };
    let waking = urgent(node, session, &mut taking, What::Wake).await?;
    Ok((waking, taking.deny))
}

/// Waits beside an idle session until there is something to wake it for.
async fn until_woken(asked: &Asked<'_>, session: &Session, taking: Taking) -> Result<Reply, ApiError> {
    let node = asked.node;
    let Some(waiter) = node.waiters.begin(Kind::Idle, &session.key()) else { return Ok(NOTHING) };
    node.announce(session).await;
    let mut stirred = node.driver.stirred();
    loop {
        stirred.borrow_and_update();
        let heard = super::hook::with_directs(node, node.heard_by(session).await).await?;
        let (waking, deny) = waking(node, session, heard.clone()).await?;
        if !waking.is_empty() {
            let only = Some(waking.iter().map(|one| one.id).collect());
            let (rooms, moment) = (heard, Moment::Wake);
            let taken = take(
                asked,
                session,
                Taking { rooms, budget: taking.budget, moment, deny, only, from: None, by_human: false },
            )
            .await?;
            if !taken.text.is_empty() && taken.token.is_some() {
                node.sessions().drive(&session.key(), node.clock.now());
                return Ok(Reply::Hook(Hook { stdout: taken.text, token: taken.token, wake: true }));
            }
        }
        if node.sessions().get(&session.key()).is_none_or(|session| session.ended) {
            return Ok(NOTHING);
        }
        tokio::select! {
            // What stops the node cancels every request, too.
            biased;
            moved = stirred.changed() => if moved.is_err() { return Err(errors::ending()) },
            () = waiter.replaced.cancelled() => return Ok(NOTHING),
            // Nobody would wait beside the session any more: the hook asks again.
            () = node.life.stopping.cancelled() => return Err(errors::ending()),
            () = asked.cancel.cancelled() => return Ok(NOTHING),
        }
    }
}

/// At which moments beside its prompts a session was seen to hear, or will: bits of `Reached`.
pub(super) fn reach(program: &dyn AgentProgram, event: &HookEvent) -> u8 {
    let by_command = if program.wake() == Wake::Command { Reached::WAKE } else { 0 };
    by_command
        | match event {
            HookEvent::PostTool => Reached::TOOLS,
            HookEvent::Stop => Reached::STOP,
            HookEvent::Idle => Reached::WAKE,
            _ => 0,
        }
}
