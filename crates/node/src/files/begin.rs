//! What is done about files when a node starts: what a killed one left half done goes, what it had announced stays, and the
//! carriers are told where callers go. Must not hold up the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use parlor_wire::RoomId;
use parlor_wire::ids::BodyHash;
use tokio::sync::mpsc;

use super::{Files, MAX_UPLOADS, place, serve};

impl Files {
    /// Begins to serve, and tidies up.
    pub(crate) fn begin(self: &Arc<Self>) {
        let (callers, queue) = mpsc::channel(MAX_UPLOADS);
        self.carrier.serve_files(callers);
        self.runtime.spawn(serve::run(Arc::clone(self), queue));
        let files = Arc::clone(self);
        self.runtime.spawn(async move { files.tidy().await });
    }

    async fn tidy(self: Arc<Self>) {
        let files = Arc::clone(&self);
        // Before anything new is sealed or fetched: nothing else takes a turn meanwhile.
        let undecided = tokio::task::spawn_blocking(move || {
            place::tidy(&files.rooms);
            files.shelf.tidy();
            (files.shelf.undecided(), files.shelf.without_room())
        });
        let (undecided, without_room) = undecided.await.unwrap_or_default();
        if undecided.is_empty() && without_room.is_empty() {
            return;
        }
        // Where the log cannot be read they wait for the next start.
        let Some(announced) = self.announced().await else { return };
        for blob in undecided {
            if announced.contains_key(&blob) {
                _ = self.shelf.announced(&blob);
            } else {
                self.shelf.forget_new(&blob);
            }
        }
        for blob in without_room {
            if let Some(room) = announced.get(&blob) {
                _ = self.shelf.hold_for(&blob, room);
            }
        }
    }

    /// The files of this node's own among all rooms' newest announcements, with the room of each.
    async fn announced(&self) -> Option<BTreeMap<BodyHash, RoomId>> {
        let listed = self.driver.view(|engine| {
            let rooms = engine.rooms().into_iter().map(|room| room.id);
            rooms.map(|room| (room, engine.files(&room))).collect::<Vec<_>>()
        });
        let mut announced = BTreeMap::new();
        for (room, ids) in listed.await.ok()? {
            for page in ids.chunks(crate::driver::PAGE_ROWS as usize) {
                let messages = self.driver.messages(room, page).await.ok()?;
                let own = messages.into_iter().filter(|message| message.own);
                announced.extend(own.filter_map(|message| Some((message.file?.blob, message.room))));
            }
        }
        Some(announced)
    }
}
