//! Fetching one file: from whoever has it, one after the other, from the last whole chunk on, until it is here or nobody
//! gives it for a while. Must not show it before all of it is verified.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_api::{ApiError, ErrorKind};
use parlor_core::engine::api::{Command, Places};
use parlor_core::text::CleanText;
use parlor_wire::PeerId;
use parlor_wire::file::{self, FileAnswer, FileRequest};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::intake::{Intake, QUEUED_CHUNKS, Refused, Whole};
use super::{Files, Progress, Shelf, Wanted, place};
use crate::carriers::p2p::FileLink;
use crate::errors;

/// How long nobody may give anything before it is given up for now; what has come is kept.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same where all who were asked said that they do not have it, or not for this node.
const REFUSED: Duration = Duration::from_secs(3);
/// How long a source may give nothing once it has begun.
const STALL: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two rounds of all sources.
const PAUSE: Duration = Duration::from_millis(500);
/// Members that are tried though they are not linked: in a large room most are asleep.
const UNLINKED_TRIED: usize = 4;
/// Space that is left to everything else.
const SPARE_BYTES: u64 = 16 * 1024 * 1024;

/// What became of one source.
enum Source {
    /// It gave something, or all of it.
    Gave,
    /// It gave nothing this time.
    Nothing,
    /// It says that it gives nothing.
    Refused,
    /// What it gave is not what was announced.
    Lied,
    /// This machine fails.
    Failed(ApiError),
}

/// What is asked of the engine before each round.
struct Round {
    name: CleanText,
    near: bool,
    sources: Vec<(PeerId, Places)>,
}

/// Fetches a file and puts it where agents may read it.
pub(super) async fn run(
    files: &Arc<Files>,
    wanted: &Wanted,
    told: &watch::Sender<Progress>,
) -> Result<PathBuf, ApiError> {
    // Never closed, so always given.
    let _turn = files.downloads.acquire().await;
    let round = look(files, wanted).await?;
    let mut intake = begin(files, wanted, &round.name).await?;
    if !intake.is_whole() {
        has_space(files, wanted, intake.done())?;
        intake = fetch(files, wanted, intake, told).await?;
    }
    finish(files, wanted, intake, round.name).await
}

async fn look(files: &Files, wanted: &Wanted) -> Result<Round, ApiError> {
    let (room, author, me) = (wanted.room, wanted.peer, files.me);
    files
        .driver
        .view(move |engine| {
            let linked = engine.linked_in(&room);
            let mut sources = engine.file_sources(&room);
            let mut unlinked = 0;
            sources.retain(|peer| {
                unlinked += usize::from(!linked.contains(peer));
                linked.contains(peer) || *peer == author || unlinked <= UNLINKED_TRIED
            });
            // Who announced it has it.
            sources.sort_by_key(|peer| *peer != author);
            let places = |peer: PeerId| (peer, engine.places_of(&peer, &room));
            let sources = sources.into_iter().filter(|peer| *peer != me).map(places).collect();
            Round { name: engine.room_name(room), near: engine.is_lan(&room), sources }
        })
        .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    wanted: &Wanted,
    files: &Files,
) -> Result<T, ApiError> {
    let done =
        tokio::task::spawn_blocking(work).await.map_err(|_| errors::internal("writing a file broke"))?;
    done.map_err(|error| failed(files, wanted, &error))
}

/// What is here of it. A fetch of it that was given up may still be writing its last, and is waited for.
async fn begin(files: &Arc<Files>, wanted: &Wanted, name: &CleanText) -> Result<Intake, ApiError> {
    loop {
        let (shared, file, name) = (Arc::clone(files), wanted.clone(), name.clone());
        let work = move || {
            let dir = place::make(&shared.rooms, &name, file.room)?;
            match Intake::begin(&shared.shelf, &dir, &file) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                begun => begun.map(Some),
            }
        };
        if let Some(intake) = blocking(work, wanted, files).await? {
            return Ok(intake);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A disk that cannot hold it is said to be full before it is.
fn has_space(files: &Files, wanted: &Wanted, done: u64) -> Result<(), ApiError> {
    let sealed = file::sealed_len(wanted.file.length).saturating_sub(done);
    let needed = sealed.saturating_add(wanted.file.length).saturating_sub(done).saturating_add(SPARE_BYTES);
    match files.shelf.free_bytes() {
        Some(free) if free < needed => {
            files.shelf.forget_part(&wanted.entry);
            Err(full(files, wanted))
        }
        _ => Ok(()),
    }
}

/// Goes round all sources until the file is whole.
async fn fetch(
    files: &Arc<Files>,
    wanted: &Wanted,
    mut intake: Intake,
    told: &watch::Sender<Progress>,
) -> Result<Intake, ApiError> {
    let (mut since, mut lied) = (Instant::now(), Vec::new());
    loop {
        let round = look(files, wanted).await?;
        let mut silent = false;
        for (peer, places) in round.sources {
            while !lied.contains(&peer) && !intake.is_whole() {
                let (after, source) =
                    one_source(files, wanted, intake, (peer, &places, round.near), told).await?;
                intake = after;
                match source {
                    // It may have been cut off, and goes on at once.
                    Source::Gave => since = Instant::now(),
                    Source::Nothing => {
                        silent = true;
                        break;
                    }
                    Source::Refused => break,
                    Source::Lied => {
                        tracing::warn!(?peer, "gave something else than the file that was announced");
                        lied.push(peer);
                    }
                    Source::Failed(error) => return Err(error),
                }
            }
        }
        if intake.is_whole() {
            return Ok(intake);
        }
        if since.elapsed() >= if silent { PATIENCE } else { REFUSED } {
            return Err(unreached(wanted, intake.done(), !lied.is_empty()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes from one source what it gives.
async fn one_source(
    files: &Arc<Files>,
    wanted: &Wanted,
    mut intake: Intake,
    (peer, places, near): (PeerId, &Places, bool),
    told: &watch::Sender<Progress>,
) -> Result<(Intake, Source), ApiError> {
    let link = match timeout(ANSWER, ask(files, wanted, &intake, (peer, places, near))).await {
        Ok(Some((link, FileAnswer::Comes))) => link,
        Ok(Some((_, FileAnswer::No))) => return Ok((intake, Source::Refused)),
        Ok(Some((_, FileAnswer::Busy)) | None) | Err(_) => return Ok((intake, Source::Nothing)),
    };
    let (queue, chunks) = mpsc::channel(QUEUED_CHUNKS);
    let (first, left) = (intake.next_chunk(), intake.left());
    let told = told.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let taken = intake.take_in(chunks, |done| told.send_modify(|progress| progress.done = done));
        (intake, taken.err())
    });
    read(link, wanted.file.length, first, left, queue).await;
    let (intake, refused) = writing.await.map_err(|_| errors::internal("writing a file broke"))?;
    let source = match refused {
        Some(Refused::Altered) => Source::Lied,
        Some(Refused::Io(error)) => Source::Failed(failed(files, wanted, &error)),
        None if intake.next_chunk() > first => Source::Gave,
        None => Source::Nothing,
    };
    Ok((intake, source))
}

/// Opens a stream to a source and asks; nothing where there is no answer that is understood.
async fn ask(
    files: &Files,
    wanted: &Wanted,
    intake: &Intake,
    (peer, places, near): (PeerId, &Places, bool),
) -> Option<(FileLink, FileAnswer)> {
    let opened = files.carrier.open_file(&peer, places, near).await;
    let mut link = opened.inspect_err(|error| tracing::debug!(?peer, %error, "no way to a file")).ok()?;
    let (room, entry, blob) = (wanted.room, wanted.entry, wanted.file.blob);
    let request = FileRequest { room, entry, blob, chunk: intake.next_chunk() };
    link.send.write_all(&request.to_bytes()).await.ok()?;
    link.send.finish().ok()?;
    let mut answer = [0];
    link.recv.read_exact(&mut answer).await.ok()?;
    tracing::debug!(?peer, answer = answer[0], "asked for a file");
    Some((link, FileAnswer::of(answer[0])?))
}

/// Reads chunks until all have come, the source ends or falls silent, or nobody takes them any more.
async fn read(mut link: FileLink, length: u64, first: u64, left: u64, queue: mpsc::Sender<Vec<u8>>) {
    for at in first..first.saturating_add(left) {
        let mut sealed = vec![0; file::chunk_len(length, at) + file::TAG_BYTES];
        let came = timeout(STALL, link.recv.read_exact(&mut sealed)).await;
        if !matches!(came, Ok(Ok(()))) || queue.send(sealed).await.is_err() {
            return;
        }
    }
}

async fn finish(
    files: &Arc<Files>,
    wanted: &Wanted,
    intake: Intake,
    name: CleanText,
) -> Result<PathBuf, ApiError> {
    let (shared, file) = (Arc::clone(files), wanted.clone());
    let work = move || {
        let Some(Whole { plain, part }) = intake.finish(&file) else {
            shared.shelf.forget_part(&file.entry);
            return Ok(None);
        };
        let dir = place::make(&shared.rooms, &name, file.room)?;
        let path = place::put(plain, &dir, &file.file.disk_name)?;
        if let Some(part) = part {
            keep(&shared.shelf, &part, &file);
        }
        Ok(Some((dir, path)))
    };
    let Some((dir, path)) = blocking(work, wanted, files).await? else {
        let message = "what came is not the file that was announced; nothing of it was kept";
        return Err(ApiError::new(ErrorKind::BadInput, message).hint("ask its sender to drop it again"));
    };
    let (room, entry) = (wanted.room, wanted.entry);
    let dir = dir.to_string_lossy().into_owned();
    files.driver.cast(Command::FilesIn { room, dir }).await;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    files.driver.command(Command::FileAt { room, entry, name }).await?;
    Ok(path)
}

/// Keeps the sealed copy for others. The file itself is verified and in its place, whatever becomes of the copy.
fn keep(shelf: &Shelf, part: &File, wanted: &Wanted) {
    let blob = &wanted.file.blob;
    let kept = shelf.hold_for(blob, &wanted.room).and_then(|()| shelf.keep_got(part, &wanted.entry, blob));
    if let Err(error) = kept {
        tracing::warn!(%error, "the sealed copy of a file that was fetched is not kept");
        shelf.forget_part(&wanted.entry);
    }
}

/// What this machine could not do. A full disk is left as it was before.
fn failed(files: &Files, wanted: &Wanted, error: &io::Error) -> ApiError {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        files.shelf.forget_part(&wanted.entry);
        return full(files, wanted);
    }
    ApiError::new(ErrorKind::Machine, format!("the file could not be written: {error}"))
        .hint("look at the disk and at the rights of the home")
}

fn full(files: &Files, wanted: &Wanted) -> ApiError {
    let disk = files.rooms.parent().unwrap_or(&files.rooms).display();
    let size = file::size(wanted.file.length);
    let message = format!("the disk of {disk} is too full for this file of {size}; nothing of it was kept");
    ApiError::new(ErrorKind::Machine, message)
        .hint("free about twice as much: it is kept sealed too, for others of the room")
}

fn unreached(wanted: &Wanted, done: u64, lied: bool) -> ApiError {
    let size = file::size;
    if lied {
        let message = "who gave this file gave something else than was announced, and nobody else has it";
        return ApiError::new(ErrorKind::BadInput, message).hint("ask its sender to drop it again");
    }
    let kept = if done > 0 {
        format!("; {} of {} are here", size(done), size(wanted.file.length))
    } else {
        String::new()
    };
    ApiError::new(ErrorKind::Unreached, format!("nobody who has this file was reached{kept}"))
        .hint("try again when its sender, or another who has it, is there: what is here is not fetched again")
}
