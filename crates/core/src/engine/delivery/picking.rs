//! Takes of some messages from among the unread: what does not wait for a prompt, and what was asked for by name. The
//! others stay unread, and what was picked is remembered ahead of the cursor. Must not read the log to find them.

use parlor_wire::{EntryId, RoomId};

use super::cursors::MAX_AHEAD;
use super::{RoomRead, TAKE_ROWS, TakeJob, is_for};
use crate::engine::api::{Level, Listener, MessageView, Take, TakeRoom, UrgentView};
use crate::engine::{Engine, Pending};
use crate::persist::{DataRow, Query};

/// Most picked at once: more than fit into a text.
const PICK_ROWS: usize = 64;

impl Take {
    /// Whether it takes some from among the unread.
    pub(super) fn picks(&self) -> bool {
        self.only.is_some() || self.from.is_some() || self.moment.is_between_prompts()
    }

    /// Whether it asked what was asked in this session, or goes on for the session that did.
    pub(in crate::engine) fn is_its(&self, origin: Option<&str>) -> bool {
        origin.is_some_and(|origin| self.session == origin || self.heir_of.iter().any(|of| of == origin))
    }

    /// For whom it is.
    pub(super) fn listener(&self) -> Listener {
        Listener {
            session: self.session.clone(),
            label: self.label.clone(),
            tags: self.tags.clone(),
            budgets: self.budgets.clone(),
        }
    }
}

impl Engine {
    pub(super) fn pick_next(&mut self, mut job: TakeJob) {
        while let Some(next) = job.rest.front().cloned() {
            let query = self.picking(&job.take, &next);
            let Some((held, query)) = self.rooms.get(&next.room).zip(query) else {
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
                digest: None,
            });
            return self.load(query, Pending::Take(Box::new(job)));
        }
        self.take_done(job);
    }

    /// What finds it in the store; none where nothing is to be found.
    fn picking(&self, take: &Take, heard: &TakeRoom) -> Option<Query> {
        let room = heard.room;
        if take.from.is_none() || take.only.is_some() {
            let ids = self.picked(take, room);
            return (!ids.is_empty()).then_some(Query::Entries { room, ids });
        }
        let after = self.deliveries.cursor(room, &take.session).unwrap_or(heard.bound_at);
        let except_origin = Some(take.session.clone());
        let arrived = self.rooms.get(&room).is_some_and(|held| held.arrivals > after);
        let space = self.space_ahead(take, room) > 0;
        let query = Query::Arrivals { room, after, limit: TAKE_ROWS, except_origin, without_history: true };
        (arrived && space).then_some(query)
    }

    fn space_ahead(&self, take: &Take, room: RoomId) -> usize {
        MAX_AHEAD.saturating_sub(self.deliveries.ahead(room, &take.session).len())
    }

    fn picked(&self, take: &Take, room: RoomId) -> Vec<EntryId> {
        let space = self.space_ahead(take, room);
        let nothing = take.level(room) == Level::None || self.is_reserve_spent(take, room);
        if take.moment.is_between_prompts() && nothing {
            return Vec::new();
        }
        match &take.only {
            Some(ids) => ids.iter().copied().take(PICK_ROWS.min(space)).collect(),
            None => self.picked_urgent(take, room, space),
        }
    }

    /// What does not wait for a prompt; of a room whose budget is spent, questions to this session alone.
    fn picked_urgent(&self, take: &Take, room: RoomId, space: usize) -> Vec<EntryId> {
        let spent = self.is_spent(take, room);
        let all = self.urgent_in(room, &take.listener()).into_iter();
        let heard = all.filter(|view| !take.deny.contains(&(room, view.peer)));
        let asks_you = |view: &UrgentView| view.asks && view.to_you;
        let mut wanted: Vec<UrgentView> = heard.filter(|view| !spent || asks_you(view)).collect();
        // Questions first: of what is chosen here more is held back by level and form.
        wanted.sort_by_key(|view| !asks_you(view));
        wanted.iter().map(|view| view.id).take(PICK_ROWS.min(space)).collect()
    }

    /// What of a room whose budget is spent is given at a prompt all the same; none where there is nothing.
    pub(super) fn reserved(&self, take: &Take, room: RoomId) -> Option<Query> {
        let ids = match self.is_reserve_spent(take, room) {
            true => Vec::new(),
            false => self.picked_urgent(take, room, self.space_ahead(take, room)),
        };
        (!ids.is_empty()).then_some(Query::Entries { room, ids })
    }

    pub(super) fn picked_rows(&mut self, mut job: TakeJob, rows: Vec<DataRow>) {
        let Some(room) = job.read.last().map(|read| read.room) else { return };
        let session = &job.take.session;
        let (label, here) = (job.take.label.as_deref(), self.stays_here(&room));
        let is_new = |row: &&DataRow| {
            let given = |at| self.deliveries.was_given(room, session, at);
            row.arrival.is_some_and(|at| !given(at)) && row.origin.as_ref() != Some(session)
        };
        let opened = rows.iter().filter(is_new).filter_map(|row| self.open_view(row));
        let is_from = |view: &MessageView| job.take.from.is_none_or(|peer| view.peer == peer);
        let opened = opened.filter(|view| is_for(view, here, label) && is_from(view));
        // What a tool asks for by name it is given.
        let named = job.take.only.is_some() || job.take.from.is_some();
        let asked_for = named && !job.take.moment.is_between_prompts();
        let wanted = opened.filter(|view| asked_for || !self.is_counted_only(view, &job.take));
        let views = wanted.take(PICK_ROWS.min(self.space_ahead(&job.take, room))).collect();
        let Some(read) = job.read.last_mut() else { return };
        read.views = views;
        if !job.take.picks() {
            // The others are counted: the room's budget is spent.
            return self.take_count(job);
        }
        job.rest.pop_front();
        self.pick_next(job);
    }
}
