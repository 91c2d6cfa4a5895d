//! What sessions have been given: cursors by arrival number, takes that are leased until they are committed, and
//! the reading of unread messages into an injection. Must not move a cursor before a commit.

mod cursors;
mod picking;
mod standing;

use std::collections::VecDeque;

use parlor_wire::{Data, RoomId};

use super::api::{
    Author, Failure, HolderId, MessageView, Outcome, Priority, RequestId, Take, TakeRoom, Taken,
};
pub(super) use super::quiet::is_for;
use super::quiet::{Aim, DIGEST_ABOVE, DIGEST_ROWS, Digest, MAX_DIGEST_BYTES, Noted};
use super::{Engine, Pending};
use crate::persist::{DataRow, Loaded, Query};
use crate::text::inject::{Injection, Line, RoomNews, Who, inject};
pub(super) use cursors::Deliveries;
use cursors::{Held, MAX_AHEAD, MAX_DIGEST_AHEAD, Move};

/// How many messages back a new session is told.
const EARLIER_MESSAGES: usize = 20;
/// How many unread messages are read at once; more are announced.
const TAKE_ROWS: u32 = 128;

/// A take in progress: its rooms are read one by one.
pub(super) struct TakeJob {
    request: RequestId,
    take: Take,
    token: u64,
    rest: VecDeque<TakeRoom>,
    read: Vec<RoomRead>,
}

/// What is read of one room for one take.
struct RoomRead {
    room: RoomId,
    /// The session has no cursor here yet: it is told what was before it, once.
    fresh: bool,
    bound_at: u64,
    /// Where the room stood when the take began; what arrives later waits for the next.
    head: u64,
    /// Messages to give, oldest first.
    views: Vec<MessageView>,
    /// Messages of low priority among what was read.
    low: u64,
    /// The arrival number up to which everything was read.
    read_upto: u64,
    /// With `fresh`: how many there are since the binding. Else: how many there are beyond `read_upto`.
    counted: u64,
    /// These were picked from among others, which stay unread.
    picked: bool,
    /// The others are told by their authors.
    digest: Option<Digest>,
}

/// A count in progress.
pub(super) struct UnreadJob {
    request: RequestId,
    session: String,
    label: Option<String>,
    rest: VecDeque<TakeRoom>,
    /// Of the room that is being counted.
    so_far: u64,
    counted: Vec<(RoomId, u64)>,
}

impl Engine {
    /// Begins a take. A session has one at a time; another caller meanwhile is given nothing.
    pub(super) fn take(&mut self, request: RequestId, take: Take) {
        if take.by_human {
            self.pairs.prompted(&take.session);
        }
        let busy = self.deliveries.held.values().any(|held| held.session == take.session);
        if busy {
            self.reply(request, Ok(Outcome::Taken(nothing())));
            return;
        }
        let token = self.deliveries.next_token;
        self.deliveries.next_token += 1;
        let held = Held {
            holder: take.holder,
            session: take.session.clone(),
            moves: Vec::new(),
            label: take.label.clone(),
            mark: String::new(),
            given: Vec::new(),
            noted: Noted::default(),
        };
        self.deliveries.held.insert(token, held);
        let rest = take.rooms.iter().cloned().collect();
        let job = TakeJob { request, take, token, rest, read: Vec::new() };
        if job.take.picks() { self.pick_next(job) } else { self.take_next(job) }
    }

    fn take_next(&mut self, mut job: TakeJob) {
        while let Some(next) = job.rest.front().cloned() {
            let Some(held) = self.rooms.get(&next.room) else {
                job.rest.pop_front();
                continue;
            };
            let cursor = self.deliveries.cursor(next.room, &job.take.session);
            let spent = self.is_spent(&job.take, next.room);
            let read = RoomRead {
                // Of what is only counted no cursor moves.
                picked: spent,
                room: next.room,
                fresh: cursor.is_none() && !spent,
                bound_at: next.bound_at,
                head: held.arrivals,
                views: Vec::new(),
                low: 0,
                read_upto: cursor.unwrap_or(next.bound_at),
                counted: 0,
                digest: None,
            };
            let (fresh, idle) = (read.fresh, read.head <= read.read_upto);
            job.read.push(read);
            let reserved = if spent && !idle { self.reserved(&job.take, next.room) } else { None };
            if let Some(query) = reserved {
                return self.load(query, Pending::Take(Box::new(job)));
            }
            if !idle {
                return if fresh || spent { self.take_count(job) } else { self.take_unread(job) };
            }
            job.rest.pop_front();
        }
        self.take_done(job);
    }

    /// Counts what a session has not been given after where it was read up to.
    fn take_count(&mut self, job: TakeJob) {
        let Some(read) = job.read.last() else { return };
        let query = Query::CountArrivals {
            room: read.room,
            after: read.read_upto,
            except_origin: Some(job.take.session.clone()),
            without_history: true,
        };
        self.load(query, Pending::Take(Box::new(job)));
    }

    fn take_unread(&mut self, job: TakeJob) {
        let Some(read) = job.read.last() else { return };
        let query = Query::Arrivals {
            room: read.room,
            after: read.read_upto,
            limit: TAKE_ROWS,
            except_origin: Some(job.take.session.clone()),
            without_history: true,
        };
        self.load(query, Pending::Take(Box::new(job)));
    }

    /// A new session is told of a day back, counted by what had arrived here and not by anybody's stamps.
    fn take_earlier(&mut self, mut job: TakeJob) {
        let now = self.now.wall_ms;
        let Some(read) = job.read.last_mut() else { return };
        let day = self.rooms.get(&read.room).map_or(0, |held| held.local.a_day_ago(read.head, now));
        read.read_upto = read.bound_at.max(day);
        if read.counted <= u64::from(TAKE_ROWS) {
            return self.take_unread(job);
        }
        let except_origin = Some(job.take.session.clone());
        let query = Query::LastArrivals { room: read.room, limit: TAKE_ROWS, except_origin };
        self.load(query, Pending::Take(Box::new(job)));
    }

    pub(super) fn take_loaded(&mut self, mut job: TakeJob, loaded: Option<Loaded>) {
        if !self.deliveries.held.contains_key(&job.token) {
            // The holder is gone.
            return self.reply(job.request, Ok(Outcome::Taken(nothing())));
        }
        let Some(read) = job.read.last_mut() else { return };
        match loaded {
            Some(Loaded::Rows(rows)) if read.picked && read.digest.is_none() => self.picked_rows(job, rows),
            Some(Loaded::Rows(rows)) => self.take_rows(job, rows),
            Some(Loaded::Count(count)) => {
                let ahead = self.deliveries.ahead_of(read.room, &job.take.session, read.read_upto);
                // What was picked lies beyond as well.
                let picked = if read.picked && read.digest.is_none() { read.views.len() as u64 } else { 0 };
                read.counted = count.saturating_sub(ahead + picked);
                let count = read.counted;
                if read.fresh && count > 0 {
                    return self.take_earlier(job);
                }
                job.rest.pop_front();
                self.take_next(job);
            }
            _ => {
                self.deliveries.held.remove(&job.token);
                self.reply(job.request, Err(Failure::Store));
            }
        }
    }

    fn take_rows(&mut self, mut job: TakeJob, rows: Vec<DataRow>) {
        let full = rows.len() as u32 >= TAKE_ROWS;
        let Some(read) = job.read.last_mut() else { return };
        let (room, head, after, fresh) = (read.room, read.head, read.read_upto, read.fresh);
        let last = rows.last().and_then(|row| row.arrival).unwrap_or(head);
        let ahead = self.deliveries.ahead(room, &job.take.session);
        let within = |row: &&DataRow| {
            let is_new = |at| at > after && at <= head && ahead.binary_search(&at).is_err();
            row.arrival.is_some_and(is_new) && !(fresh && row.history)
        };
        let (label, stays_here) = (job.take.label.as_deref(), self.stays_here(&room));
        let views: Vec<MessageView> = rows
            .iter()
            .filter(within)
            .filter_map(|row| self.open_view(row))
            .filter(|view| is_for(view, stays_here, label))
            .collect();
        let (low, mut views): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| self.is_counted_only(view, &job.take));
        read.low += low.len() as u64;
        if fresh {
            views.drain(..views.len().saturating_sub(EARLIER_MESSAGES));
            read.views = views;
        } else {
            let looked_at = rows.len() as u64;
            read.read_upto = if full { last.min(head) } else { head };
            if read.digest.is_some() || (job.take.digest && views.len() > DIGEST_ABOVE) {
                return self.take_digest(job, views, looked_at, full && last < head);
            }
            read.views.extend(views);
            let nothing = read.views.is_empty();
            // Where some may be for other sessions, what lies beyond is not counted: it is given next.
            if full && last < head && (nothing || !self.has_some_for_others(&room)) {
                // Of low messages alone nobody is told at length: what lies behind them is looked for.
                return if nothing { self.take_unread(job) } else { self.take_count(job) };
            }
        }
        job.rest.pop_front();
        self.take_next(job);
    }

    /// Of a room in which too much is unread only what concerns the session is given; the rest is counted and stays unread.
    fn take_digest(&mut self, mut job: TakeJob, views: Vec<MessageView>, looked_at: u64, goes_on: bool) {
        let (concerning, others): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| self.concerns(view, &job.take));
        let Some(read) = job.read.last_mut() else { return };
        read.picked = true;
        read.views.extend(concerning);
        let ahead = self.deliveries.ahead(read.room, &job.take.session).len();
        let rest = beyond_space(&mut read.views, ahead);
        let digest = read.digest.get_or_insert_default();
        digest.count(&rest);
        digest.count(&others);
        digest.rows += looked_at;
        match (goes_on, digest.rows < DIGEST_ROWS) {
            (true, true) => self.take_unread(job),
            (true, false) => self.take_count(job),
            (false, _) => {
                job.rest.pop_front();
                self.take_next(job);
            }
        }
    }

    /// What is told of rooms in which too much is unread.
    fn digests(&self, job: &TakeJob) -> String {
        let mut text = String::new();
        for read in &job.read {
            let Some(digest) = &read.digest else { continue };
            let words = digest.words(&self.room_name_apart(read.room), read.counted);
            if text.len() + words.len() <= MAX_DIGEST_BYTES {
                text += &words;
            }
        }
        text
    }

    fn take_done(&mut self, job: TakeJob) {
        let boundary = {
            let bytes = self.hedge.bytes(&[b"fence", &job.token.to_be_bytes()]);
            let mut boundary = [0; 16];
            boundary.copy_from_slice(&bytes[..16]);
            boundary
        };
        let news: Vec<RoomNews> = job.read.iter().map(|read| self.news(read, &job.take)).collect();
        let status = self.status_of(&job.take) + &self.digests(&job);
        let injection = inject(self.now.wall_ms, boundary, job.take.budget, &status, &news);
        let (moves, messages, more) = advance(&job, &injection, self);
        let nothing_moves = moves.is_empty();
        let given = self.given(&shown(&job, &injection));
        if nothing_moves {
            self.deliveries.held.remove(&job.token);
        } else if let Some(held) = self.deliveries.held.get_mut(&job.token) {
            held.moves = moves;
            held.noted = noted(&job, &injection);
            (held.given, held.mark) = (given, injection.mark.clone());
        }
        let token = (!nothing_moves).then_some(job.token);
        let taken = Taken { text: injection.text, mark: injection.mark, token, messages, more };
        self.reply(job.request, Ok(Outcome::Taken(taken)));
    }

    /// Whether it is said that a message is for the session it is given to: of a direct room only where not all is.
    fn is_to_this(&self, view: &MessageView, take: &Take) -> bool {
        let by_room = view.to.is_none() && view.ask.is_none() && self.direct_peer(&view.room).is_some();
        self.aim(view, take) == Aim::You && !by_room
    }

    fn news(&self, read: &RoomRead, take: &Take) -> RoomNews {
        let as_line = |view| line(view, self.is_to_this(view, take), self.why_not_asked(view, take));
        let lines: Vec<Line> = read.views.iter().map(as_line).collect();
        let shown = lines.len() as u64;
        let others = read.digest.as_ref().map_or(0, Digest::total);
        let (earlier, unread) = if read.fresh { (lines, Vec::new()) } else { (Vec::new(), lines) };
        let older = if read.fresh { read.counted.saturating_sub(shown + read.low) } else { 0 };
        RoomNews {
            room_name: self.room_name_apart(read.room),
            // Some of the older ones may be for other sessions.
            older_count: if earlier.is_empty() || self.has_some_for_others(&read.room) { 0 } else { older },
            unread_total: if read.fresh { 0 } else { shown + others + read.counted },
            earlier,
            unread,
            low_count: read.low,
        }
    }

    /// What was taken has been written out: the cursors move.
    pub(super) fn commit_take(&mut self, request: RequestId, token: u64) {
        let Some(held) = self.deliveries.held.remove(&token) else {
            self.reply(request, Err(Failure::NoSuchTake));
            return;
        };
        for (room, step) in held.moves {
            self.deliveries.apply(room, &held.session, step, self.now.wall_ms, &mut self.ops);
        }
        self.note_given(&held.session, held.noted);
        self.handed(&held.session, held.label.as_deref(), &held.mark, held.given);
        self.reply(request, Ok(Outcome::Done));
    }

    /// The holder is gone: what it held is unread again.
    pub(super) fn release(&mut self, holder: HolderId) {
        self.deliveries.held.retain(|_, held| held.holder != holder);
    }

    pub(super) fn mark_read(&mut self, request: RequestId, session: &str, room: RoomId, upto: u64) {
        let head = self.rooms.get(&room).map_or(0, |held| held.arrivals);
        let upto = upto.min(head);
        if self.deliveries.cursor(room, session).is_none_or(|cursor| cursor < upto) {
            self.deliveries.set(room, session, upto, self.now.wall_ms, &mut self.ops);
        }
        self.reply(request, Ok(Outcome::Done));
    }

    /// Up to which arrival a reader has been given a room; none where it has been given nothing yet.
    pub fn read_upto(&self, room: RoomId, session: &str) -> Option<u64> {
        self.deliveries.cursor(room, session)
    }

    pub(super) fn unread(
        &mut self,
        request: RequestId,
        session: String,
        label: Option<String>,
        rooms: Vec<TakeRoom>,
    ) {
        self.unread_next(UnreadJob {
            request,
            session,
            label,
            rest: rooms.into(),
            so_far: 0,
            counted: Vec::new(),
        });
    }

    fn unread_next(&mut self, mut job: UnreadJob) {
        while let Some(next) = job.rest.front().cloned() {
            let head = self.rooms.get(&next.room).map_or(0, |held| held.arrivals);
            let after = self.deliveries.cursor(next.room, &job.session).unwrap_or(next.bound_at);
            if head <= after {
                job.rest.pop_front();
                job.counted.push((next.room, 0));
                continue;
            }
            return self.unread_after(job, next.room, after);
        }
        self.reply(job.request, Ok(Outcome::Unread(job.counted)));
    }

    /// Asks the store: for a number, or where some may be for another session, for the messages themselves.
    fn unread_after(&mut self, job: UnreadJob, room: RoomId, after: u64) {
        let except_origin = Some(job.session.clone());
        let query = if self.has_some_for_others(&room) && job.label.is_some() {
            Query::Arrivals { room, after, limit: TAKE_ROWS, except_origin, without_history: true }
        } else {
            Query::CountArrivals { room, after, except_origin, without_history: true }
        };
        self.load(query, Pending::Unread(Box::new(job)));
    }

    pub(super) fn unread_loaded(&mut self, mut job: UnreadJob, loaded: Option<Loaded>) {
        let Some(room) = job.rest.front().map(|next| next.room) else { return self.unread_next(job) };
        let (count, on) = match loaded {
            Some(Loaded::Count(count)) => {
                let bound_at = job.rest.front().map_or(0, |next| next.bound_at);
                let after = self.deliveries.cursor(room, &job.session).unwrap_or(bound_at);
                (count.saturating_sub(self.deliveries.ahead_of(room, &job.session, after)), None)
            }
            Some(Loaded::Rows(rows)) => {
                let (label, stays_here) = (job.label.as_deref(), self.stays_here(&room));
                let was_given =
                    |view: &MessageView| self.deliveries.was_given(room, &job.session, view.arrival);
                let views = rows.iter().filter_map(|row| self.open_view(row));
                let unread = views.filter(|view| is_for(view, stays_here, label) && !was_given(view));
                let count = unread.count() as u64;
                let full = rows.len() as u32 >= TAKE_ROWS;
                (count, rows.last().and_then(|row| row.arrival).filter(|_| full))
            }
            _ => return self.reply(job.request, Err(Failure::Store)),
        };
        job.so_far += count;
        if let Some(after) = on {
            return self.unread_after(job, room, after);
        }
        job.rest.pop_front();
        job.counted.push((room, std::mem::take(&mut job.so_far)));
        self.unread_next(job);
    }

    /// Opens a row whose key is held; a message of a chain that no longer counts is not shown.
    pub(super) fn open_view(&self, row: &DataRow) -> Option<MessageView> {
        let held = self.rooms.get(&row.room)?;
        let peer = held.chain_author(&row.chain)?;
        let data = Data::decode(&row.bytes).ok()?;
        if held.counts(&row.chain, data.header.class, row.seq, &row.id) != Some(true) {
            return None;
        }
        let key = held.keys.get(&data.header.key)?;
        let context = crate::crypto::EntryContext { key, header: &data.header };
        let bytes = crate::crypto::open_body(&context, &row.room, data.body.as_deref()?).ok()?;
        let body = crate::room::body::Body::decode(&bytes);
        Some(self.view_of(row, peer, data.header.time, &body))
    }
}

/// Takes out what there is no space for ahead of the cursor: some is left to what does not wait for a prompt, so that
/// nobody fills it with what does.
fn beyond_space(views: &mut Vec<MessageView>, ahead: usize) -> Vec<MessageView> {
    let (mut left, mut left_of_usual) =
        (MAX_AHEAD.saturating_sub(ahead), MAX_DIGEST_AHEAD.saturating_sub(ahead));
    let (kept, rest) = std::mem::take(views).into_iter().partition(|view| {
        let pressing = view.ask.is_some() || view.priority == Priority::Now;
        let fits = left > 0 && (pressing || left_of_usual > 0);
        if fits {
            left -= 1;
            left_of_usual = left_of_usual.saturating_sub(usize::from(!pressing));
        }
        fits
    });
    *views = kept;
    rest
}

/// The messages that stand in the text.
fn shown<'a>(job: &'a TakeJob, injection: &Injection) -> Vec<&'a MessageView> {
    let mut shown = Vec::new();
    for (read, given) in job.read.iter().zip(&injection.given) {
        let earlier = read.views.len().saturating_sub(given.earlier);
        let views = if read.fresh {
            &read.views[earlier..]
        } else {
            &read.views[..given.unread.min(read.views.len())]
        };
        shown.extend(views);
    }
    shown
}

/// How each room's cursor moves when the text has been written out, and how many messages it gives.
fn advance(job: &TakeJob, injection: &Injection, engine: &Engine) -> (Vec<(RoomId, Move)>, u64, u64) {
    let mut moves = Vec::new();
    let mut messages = 0;
    let mut more = 0;
    for (read, given) in job.read.iter().zip(&injection.given) {
        messages += (given.earlier + given.unread) as u64;
        let others = read.digest.as_ref().map_or(0, Digest::total);
        more += if read.fresh { 0 } else { (read.views.len() - given.unread) as u64 + others + read.counted };
        let shown = &read.views[..given.unread.min(read.views.len())];
        let to = match shown.last() {
            _ if read.picked => {
                if !shown.is_empty() {
                    let arrivals = shown.iter().map(|view| view.arrival).collect();
                    moves.push((read.room, Move::Ahead(arrivals)));
                }
                continue;
            }
            _ if read.fresh => read.head,
            _ if given.unread == read.views.len() => read.read_upto,
            Some(last) => last.arrival,
            None => continue,
        };
        if engine.deliveries.cursor(read.room, &job.take.session) != Some(to) {
            moves.push((read.room, Move::Upto(to)));
        }
    }
    (moves, messages, more)
}

/// What is to be remembered of a text when it has been written out.
fn noted(job: &TakeJob, injection: &Injection) -> Noted {
    let mut noted = Noted::default();
    for (read, given) in job.read.iter().zip(&injection.given) {
        let skipped = if read.fresh { read.views.len().saturating_sub(given.earlier) } else { 0 };
        let shown = given.earlier + given.unread;
        let views: Vec<&MessageView> = read.views.iter().skip(skipped).take(shown).collect();
        noted.add(&views, given.chars, &job.take);
    }
    noted
}

fn nothing() -> Taken {
    Taken { text: String::new(), mark: String::new(), token: None, messages: 0, more: 0 }
}

fn line(view: &MessageView, to_you: bool, not_asked: Option<&'static str>) -> Line {
    Line {
        name: view.name.clone(),
        session: view.session.clone(),
        who: match view.author {
            Author::Human => Who::Human,
            Author::Agent => Who::Agent,
            Author::Program => Who::Program,
        },
        time_ms: view.time_ms,
        id: view.id.short(),
        body: view.text.clone(),
        to_you,
        asks: view.ask.is_some() && not_asked.is_none(),
        newer_kind: view.newer,
        marks: not_asked.into_iter().chain(marks(view)).collect(),
    }
}

/// What else there is to say of a message.
fn marks(view: &MessageView) -> Vec<&'static str> {
    let known = [
        (view.about.is_some(), "an answer"),
        (view.revoked, "from a revoked identity"),
        (view.sealed_unfit, "key known to outsiders"),
    ];
    known.into_iter().filter_map(|(so, mark)| so.then_some(mark)).collect()
}
