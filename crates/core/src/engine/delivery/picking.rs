//! Takes of some messages from among the unread: what does not wait for a prompt, and what was asked for by name. The
//! others stay unread, and what was picked is remembered ahead of the cursor. Must not read the log to find them.

use parlor_wire::{EntryId, RoomId};

use super::cursors::MAX_AHEAD;
use super::{RoomRead, TakeJob};
use crate::engine::api::{Listener, Take};
use crate::engine::quiet::is_for;
use crate::engine::{Engine, Pending};
use crate::persist::{DataRow, Query};

/// Most picked at once: more than fit into a text.
const PICK_ROWS: usize = 64;

impl Take {
    /// Whether it takes some from among the unread.
    pub(super) fn picks(&self) -> bool {
        self.only.is_some() || self.moment.is_between_prompts()
    }

    /// For whom it is.
    pub(super) fn listener(&self) -> Listener {
        Listener { session: self.session.clone(), label: self.label.clone(), tags: self.tags.clone() }
    }
}

impl Engine {
    pub(super) fn pick_next(&mut self, mut job: TakeJob) {
        while let Some(next) = job.rest.front().cloned() {
            let ids = self.picked(&job.take, next.room);
            let Some(held) = self.rooms.get(&next.room).filter(|_| !ids.is_empty()) else {
                job.rest.pop_front();
                continue;
            };
            job.read.push(RoomRead {
                room: next.room,
                fresh: false,
                bound_at: next.bound_at,
                head: held.arrivals,
                views: Vec::new(),
                low: 0,
                read_upto: 0,
                counted: 0,
                picked: true,
            });
            return self.load(Query::Entries { room: next.room, ids }, Pending::Take(Box::new(job)));
        }
        self.take_done(job);
    }

    fn picked(&self, take: &Take, room: RoomId) -> Vec<EntryId> {
        let space = MAX_AHEAD.saturating_sub(self.deliveries.ahead(room, &take.session).len());
        let urgent = || {
            let all = self.urgent_in(room, &take.listener()).into_iter();
            let heard = all.filter(|view| !take.deny.contains(&(room, view.peer)));
            heard.map(|view| view.id).take(PICK_ROWS.min(space)).collect()
        };
        match &take.only {
            Some(ids) => ids.iter().copied().take(PICK_ROWS.min(space)).collect(),
            None => urgent(),
        }
    }

    pub(super) fn picked_rows(&mut self, mut job: TakeJob, rows: Vec<DataRow>) {
        let Some(read) = job.read.last_mut() else { return };
        let (room, session) = (read.room, &job.take.session);
        let (label, here) = (job.take.label.as_deref(), self.stays_here(&room));
        let is_new = |row: &&DataRow| {
            let given = |at| self.deliveries.was_given(room, session, at);
            row.arrival.is_some_and(|at| !given(at)) && row.origin.as_ref() != Some(session)
        };
        let opened = rows.iter().filter(is_new).filter_map(|row| self.open_view(row));
        read.views = opened.filter(|view| is_for(view, here, label)).collect();
        job.rest.pop_front();
        self.pick_next(job);
    }
}
