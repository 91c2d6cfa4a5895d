//! `parlor allow`, `deny`, `mute`, `unmute`, `tag` and `room level`: what a person decides about being disturbed.

use std::path::PathBuf;

use parlor_api::{Mute as Muting, Reply, Request, Verdict};

use super::{Context, dir_or_current};
use crate::args::{Allow, Budget, Mute, SetBudget, SetLevel, Tag};
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn allow(context: &Context, allow: Allow) -> Outcome {
    consent(context, allow, Verdict::Allow)
}

pub fn deny(context: &Context, allow: Allow) -> Outcome {
    consent(context, allow, Verdict::Deny)
}

fn consent(context: &Context, allow: Allow, verdict: Verdict) -> Outcome {
    let verdict = if allow.usual { Verdict::Usual } else { verdict };
    let verdict = allow.what.is_some().then_some(verdict);
    let request = Request::Consent { what: allow.what.map(Into::into), whose: allow.whose, verdict };
    let Reply::Allowed(allowed) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context.out.list(&allowed, || render::quiet::allowed(&allowed))
}

pub fn level(context: &Context, set: SetLevel) -> Outcome {
    let dir = Some(dir_or_current(set.dir)?);
    show(context, &Request::RoomLevel { room: set.room, dir, level: set.level.map(Into::into), mute: None })
}

pub fn mute(context: &Context, mute: Mute) -> Outcome {
    let muting = mute.lasts.map_or(Muting::On, |lasts| Muting::Seconds(lasts.as_secs()));
    silence(context, mute.room, muting)
}

pub fn unmute(context: &Context, room: Option<String>) -> Outcome {
    silence(context, room, Muting::Off)
}

fn silence(context: &Context, room: Option<String>, mute: Muting) -> Outcome {
    let dir = Some(super::current_dir()?);
    show(context, &Request::RoomLevel { room, dir, level: None, mute: Some(mute) })
}

fn show(context: &Context, request: &Request) -> Outcome {
    let Reply::Levels(levels) = context.ask(request)? else { return Err(Failure::unexpected_reply()) };
    context.out.list(&levels, || render::quiet::levels(&levels))
}

pub fn tag(context: &Context, command: Tag) -> Outcome {
    let (dir, add, remove): (Option<PathBuf>, _, _) = match command {
        Tag::Add { name, dir } => (dir, Some(name), None),
        Tag::Remove { name, dir } => (dir, None, Some(name)),
        Tag::List { dir } => (dir, None, None),
    };
    let request = Request::Tags { dir: Some(dir_or_current(dir)?), add, remove };
    let Reply::Tags(tagged) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context.out.answer(&tagged, || tagged.tags.iter().map(|tag| format!("@{tag}")).collect())?;
    if tagged.tags.is_empty() {
        context.out.talk(&format!("{} has no tags.", tagged.dir.display()));
    }
    Ok(())
}

pub fn budget(context: &Context, budget: Budget) -> Outcome {
    let (room, set) = match budget.command {
        Some(SetBudget::Set { room, chars }) => (Some(room), Some(chars)),
        None => (None, None),
    };
    let Reply::Budgets(budgets) = context.ask(&Request::Budget { room, set })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&budgets, || render::quiet::budgets(&budgets))?;
    if budgets.is_empty() {
        context.out.talk("Nothing was given to a session of yours in the last seven days.");
    }
    Ok(())
}
