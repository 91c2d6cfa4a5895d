//! `parlor drop`, `parlor files` and `parlor get`. Sealing and fetching is the node's; what is written into a directory of
//! the caller's is written by this process, with the caller's own rights.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parlor_api::{Cancel, Dropped, ErrorKind, Event, File, Progress, Reply, Request};

use super::{Context, send};
use crate::args::{Drop, Get, InRoom};
use crate::errors::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::reach::Reach;
use crate::render;

/// How long peers' acknowledgements are waited for, in milliseconds; the file is safe already.
const WAIT_MS: u64 = 500;

/// `parlor drop`: one file after the other; the first that is refused ends it, and which were not tried is said.
pub fn drop_files(context: &Context, drop: Drop, interrupt: &Interrupt) -> Outcome {
    context.mention_clock();
    for (at, path) in drop.files.iter().enumerate() {
        let dropped = drop_one(context, &drop, path, interrupt);
        let left = drop.files.len() - at - 1;
        if dropped.is_err() && left > 0 {
            let names: Vec<String> =
                drop.files[at + 1..].iter().map(|path| path.display().to_string()).collect();
            context.out.warn(&format!("not dropped either: {}", names.join(", ")));
        }
        dropped?;
    }
    Ok(())
}

fn drop_one(context: &Context, drop: &Drop, path: &Path, interrupt: &Interrupt) -> Outcome {
    let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let request = Request::FileDrop {
        path,
        room: drop.room.clone(),
        to: drop.to.clone(),
        request_id: send::request_id()?,
        allow_secrets: drop.allow_secrets,
        wait_ms: WAIT_MS,
    };
    let Reply::Dropped(dropped) = told(context, &request, interrupt)? else {
        return Err(Failure::unexpected_reply());
    };
    say(context, &dropped)
}

fn say(context: &Context, dropped: &Dropped) -> Outcome {
    context.out.answer(dropped, || vec![render::files::dropped(dropped)])?;
    dropped.warnings.iter().for_each(|warning| context.out.talk(&format!("warning: {warning}")));
    Ok(())
}

/// `parlor files`: what was announced here.
pub fn list(context: &Context, which: InRoom) -> Outcome {
    let request = Request::FileList { room: which.room };
    let Reply::Files(files) = context.ask(&request)? else { return Err(Failure::unexpected_reply()) };
    context.out.list(&files, || render::files::list(&files))?;
    if files.is_empty() {
        context.out.talk("No file was dropped here. `parlor drop FILE` drops one.");
    }
    Ok(())
}

/// `parlor get`: fetches a file, and says where it lies.
pub fn get(context: &Context, get: Get, interrupt: &Interrupt) -> Outcome {
    let request = Request::FileGet { file: get.file, room: get.room, wait_ms: None };
    let Reply::File(file) = told(context, &request, interrupt)? else {
        return Err(Failure::unexpected_reply());
    };
    let Some(path) = file.path.clone() else { return Err(Failure::unexpected_reply()) };
    let path = match &get.out {
        Some(dir) => copy(&path, dir)?,
        None => path,
    };
    let file = File { path: Some(path.clone()), ..file };
    context.out.answer(&file, || vec![path.display().to_string()])
}

/// Asks for something that takes as long as a file is long.
fn told(context: &Context, request: &Request, interrupt: &Interrupt) -> Outcome<Reply> {
    let cancel = Cancel::default();
    let interrupted = cancel.clone();
    interrupt.on_interrupt(move || interrupted.cancel());
    let mut bar: Option<ProgressBar> = None;
    let end = Reach::new(&context.home)?.stream(request, &cancel, |event| {
        let Event::Progress(progress) = event else { return };
        if !context.out.is_json() {
            bar.get_or_insert_with(|| line(progress)).set_position(progress.done);
        }
    });
    bar.iter().for_each(ProgressBar::finish_and_clear);
    end
}

/// Drawn on a terminal only.
fn line(progress: Progress) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(progress.of), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(
        "{bar:24} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}",
    ) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A copy in a directory of the caller's, which takes nothing's place and is not seen before it is whole.
fn copy(path: &Path, dir: &Path) -> Outcome<PathBuf> {
    let failed = |error: &std::io::Error| {
        let message = format!("no copy could be written into {}: {error}", dir.display());
        Failure::machine(message, format!("the file itself is {}", path.display()))
    };
    let name = path.file_name().ok_or_else(Failure::unexpected_reply)?;
    let out = dir.join(name);
    let mut from = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut to = tempfile::NamedTempFile::new_in(dir).map_err(|error| failed(&error))?;
    std::io::copy(&mut from, &mut to).map_err(|error| failed(&error))?;
    match to.persist_noclobber(&out) {
        Ok(_) => Ok(out),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists, and nothing is written over it", out.display());
            Err(Failure::bad_input(
                message,
                format!("name another directory; the file itself is {}", path.display()),
            ))
        }
        Err(error) => Err(failed(&error.error)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        ErrorKind::NotFound,
        format!("{} cannot be read: {error}", path.display()),
        "name another file",
    )
}
