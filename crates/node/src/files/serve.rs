//! Handing files to members who ask: only what was announced in a room both are in, by a message that counts, on the carrier
//! that room travels by, and what this node itself dropped in that room or fetched from it. All that fails is answered by one word. Must not open a file's seal.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parlor_core::engine::api::{Command, Outcome};
use parlor_wire::PeerId;
use parlor_wire::file::{FileAnswer, FileRequest, SEALED_CHUNK_BYTES};
use parlor_wire::limits::MAX_FILE_REQUEST_BYTES;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::{Files, MAX_UPLOADS_OF_PEER, locked};
use crate::carriers::p2p::FileStream;

/// How long a caller may take to ask.
const ASKING: Duration = Duration::from_secs(10);
/// How long it may take to take a piece.
const TAKING: Duration = Duration::from_secs(30);
/// What is read and sent at once: what is sealed for the wire next is still in the caches of a core.
const PIECE_BYTES: usize = 128 * 1024;
/// After so many pieces it is looked again whether the peer is still a member.
const LOOK_AGAIN: usize = 128;

/// Serves callers until the carriers end.
pub(super) async fn run(files: Arc<Files>, mut callers: mpsc::Receiver<FileStream>) {
    while let Some(caller) = callers.recv().await {
        let place = Place::take(&files, caller.peer);
        let files = Arc::clone(&files);
        tokio::spawn(async move { serve(&files, caller, place).await });
    }
}

/// One of the places for those who are served.
struct Place {
    files: Arc<Files>,
    peer: PeerId,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn take(files: &Arc<Files>, peer: PeerId) -> Option<Self> {
        let permit = Arc::clone(&files.uploads).try_acquire_owned().ok()?;
        let mut by_peer = locked(&files.uploads_by_peer);
        let count = by_peer.entry(peer).or_default();
        if *count >= MAX_UPLOADS_OF_PEER {
            return None;
        }
        *count += 1;
        Some(Self { files: Arc::clone(files), peer, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_peer = locked(&self.files.uploads_by_peer);
        if let Some(count) = by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                by_peer.remove(&self.peer);
            }
        }
    }
}

async fn serve(files: &Files, mut caller: FileStream, place: Option<Place>) {
    let Ok(Some(request)) = timeout(ASKING, read_request(&mut caller)).await else { return };
    let found = match place {
        Some(_) => found(files, &caller, &request).await,
        None => Err(FileAnswer::Busy),
    };
    let answer = found.as_ref().map_or_else(|answer| *answer, |_| FileAnswer::Comes);
    if caller.send.write_all(&[answer.byte()]).await.is_err() {
        return;
    }
    if let Ok(file) = found
        && !give(files, &mut caller, &request, file).await
    {
        _ = caller.send.reset(0_u32.into());
        return;
    }
    if caller.send.finish().is_ok() {
        _ = timeout(TAKING, caller.send.stopped()).await;
    }
}

async fn read_request(caller: &mut FileStream) -> Option<FileRequest> {
    let mut len = [0; 2];
    caller.recv.read_exact(&mut len).await.ok()?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(len)).min(MAX_FILE_REQUEST_BYTES)];
    caller.recv.read_exact(&mut bytes).await.ok()?;
    FileRequest::decode(&bytes).ok()
}

/// The sealed file at the chunk that is asked for, if it is held and the caller may have it.
async fn found(files: &Files, caller: &FileStream, request: &FileRequest) -> Result<File, FileAnswer> {
    if !may_have(files, caller, request).await || !is_announced(files, request).await {
        return Err(FileAnswer::No);
    }
    if !files.shelf.is_held_for(&request.blob, &request.room) {
        return Err(FileAnswer::No);
    }
    let path = files.shelf.find(&request.blob).ok_or(FileAnswer::No)?;
    let mut file = File::open(path).await.map_err(|_| FileAnswer::No)?;
    let from = request.chunk.saturating_mul(SEALED_CHUNK_BYTES as u64);
    file.seek(SeekFrom::Start(from)).await.map_err(|_| FileAnswer::No)?;
    Ok(file)
}

async fn may_have(files: &Files, caller: &FileStream, request: &FileRequest) -> bool {
    let (room, peer, near) = (request.room, caller.peer, caller.near);
    files.driver.view(move |engine| engine.gives_files(&room, &peer, near)).await.unwrap_or(false)
}

/// A name alone is nobody's right: the entry that announced it in that room has to count.
async fn is_announced(files: &Files, request: &FileRequest) -> bool {
    let (low, high) = (request.entry, request.entry);
    let asked = files.driver.command(Command::Messages { room: Some(request.room), low, high }).await;
    let Ok(Outcome::Messages(found)) = asked else { return false };
    found.iter().any(|message| message.file.as_ref().is_some_and(|file| file.blob == request.blob))
}

/// Sends all from where the file is read on; false where the caller may not have it any more, or does not take it.
async fn give(files: &Files, caller: &mut FileStream, request: &FileRequest, mut file: File) -> bool {
    file.set_max_buf_size(PIECE_BYTES);
    for piece in 0_usize.. {
        if piece % LOOK_AGAIN == LOOK_AGAIN - 1 && !may_have(files, caller, request).await {
            return false;
        }
        let mut bytes = BytesMut::with_capacity(PIECE_BYTES);
        match file.read_buf(&mut bytes).await {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a file that is held could not be read");
                return false;
            }
        }
        if !matches!(timeout(TAKING, caller.send.write_chunk(bytes.freeze())).await, Ok(Ok(()))) {
            return false;
        }
    }
    true
}
