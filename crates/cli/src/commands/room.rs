//! `parlor room`: which rooms there are, which directory hears which, what they are called, their keys, leaving.

use std::path::PathBuf;

use parlor_api::{Bound, Reply, Request};

use super::{Context, dir_or_current};
use crate::args::Room;
use crate::errors::{Failure, Outcome};
use crate::render;

pub fn run(context: &Context, command: Room) -> Outcome {
    match command {
        Room::List => list(context),
        Room::Show(which) => show(context, &Request::RoomShow { room: which.room() }),
        Room::Alias { room, name } => show(context, &Request::RoomAlias { room, alias: name }),
        Room::Bind { room, dir, force } => bind(context, room, dir, force),
        Room::Unbind { room, dir } => unbind(context, room, dir),
        Room::Rename { name, room } => rename(context, &Request::RoomRename { room, name }),
        Room::Rekey(which) => rekey(context, which.room()),
        Room::Retention { days, room } => retention(context, room, days),
        // They are run elsewhere: with what can interrupt it, and beside what else a person decides about being disturbed.
        Room::Export(_) | Room::Level(_) => Ok(()),
        Room::Leave { which, abandon } => leave(context, which.room(), abandon),
    }
}

fn list(context: &Context) -> Outcome {
    let Reply::Rooms(rooms) = context.ask(&Request::RoomList)? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.list(&rooms, || render::rooms(&rooms))?;
    if rooms.is_empty() {
        context.out.talk("No room yet. Next: `parlor start`, or `parlor join TICKET`.");
    }
    Ok(())
}

fn show(context: &Context, request: &Request) -> Outcome {
    let Reply::Room(room) = context.ask(request)? else { return Err(Failure::unexpected_reply()) };
    context.out.answer(&room, || render::room(&room))
}

fn bind(context: &Context, room: String, dir: Option<PathBuf>, force: bool) -> Outcome {
    let request = Request::RoomBind { room, dir: dir_or_current(dir)?, force };
    let Reply::Bound(bound) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context
        .out
        .answer(&bound, || vec![format!("{} is heard in {}", bound.room_name, bound.dir.display())])?;
    super::start::mention_agent(context, Some(&bound.dir));
    Ok(())
}

fn unbind(context: &Context, room: Option<String>, dir: Option<PathBuf>) -> Outcome {
    // A directory that is gone can still be unbound.
    let dir = match dir {
        Some(dir) => dir.canonicalize().or_else(|_| std::path::absolute(&dir)).unwrap_or(dir),
        None => super::current_dir()?,
    };
    let Reply::Unbound(unbound) = context.ask(&Request::RoomUnbind { room, dir })? else {
        return Err(Failure::unexpected_reply());
    };
    let line = |bound: &Bound| format!("{} is no longer heard in {}", bound.room_name, bound.dir.display());
    context.out.list(&unbound, || unbound.iter().map(line).collect())
}

fn rename(context: &Context, request: &Request) -> Outcome {
    show(context, request)?;
    context
        .out
        .talk("Everybody in it sees that name, but for who calls it something else: `parlor room alias`.");
    Ok(())
}

fn retention(context: &Context, room: Option<String>, days: Option<u32>) -> Outcome {
    let Reply::Retained(kept) = context.ask(&Request::RoomRetention { room, days })? else {
        return Err(Failure::unexpected_reply());
    };
    let words = match kept.days {
        None => format!("{} is read here for ever", kept.room_name),
        Some(days) => {
            format!("{} is read here for {}", kept.room_name, render::count(days.into(), "day", "days"))
        }
    };
    context.out.answer(&kept, || vec![words])?;
    if days.is_some() && kept.days.is_some() {
        context.out.talk(
            "What is older is not shown, searched or exported here, nor in transcripts; what is unread is given once all \
             the same. Sealed, it stays in the store: others are served it, and `off` shows it again.",
        );
    }
    Ok(())
}

fn rekey(context: &Context, room: Option<String>) -> Outcome {
    let Reply::Room(room) = context.ask(&Request::RoomRekey { room })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&room, || vec![format!("{} has a new key", room.name)])?;
    context.out.talk("What is said from now on is sealed under it; what was said before is not.");
    Ok(())
}

fn leave(context: &Context, room: Option<String>, abandon: bool) -> Outcome {
    let Reply::Left(left) = context.ask(&Request::RoomLeave { room, abandon })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&left, || vec![format!("{}: you have left it", left.room_name)])?;
    for dir in &left.unbound {
        context.out.talk(&format!("It is no longer heard in {}.", dir.display()));
    }
    let name = render::typed_name(&left.room_name, &left.room);
    context.out.talk(&format!("What was said until now stays here: `parlor log --room {name}`."));
    Ok(())
}
