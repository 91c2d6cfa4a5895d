//! What does not wait for a prompt, noted as it arrives so that no log is searched for it between tools; and questions
//! with their answers. Bounded by room and by author; must not decide what a session is given: takes do.

mod view;

use std::collections::{BTreeMap, VecDeque};

use parlor_wire::{EntryId, PeerId, RoomId, TimeMs, limits};

use super::Engine;
use super::api::{Failure, Listener, MessageView, Now, Priority, Send, Take, UrgentView};
use super::quiet::{is_named, may_be_one};
use crate::persist::{DataRow, Op, Table};
use crate::room::body::Body;
use crate::room::record::UrgentRecord;
use crate::text::mention::{self, Called, is_called};
use crate::text::session_name::SessionName;
use crate::text::{Mode, clean};

/// Most kept of others in one room: four times what a cursor may be ahead, in about 200 KiB.
const MAX_IN_ROOM: usize = 1024;
/// Most own questions that are open at once.
const MAX_OPEN: usize = 1024;
/// Answers kept of one question by name; more are counted.
const MAX_ANSWERS: usize = 64;
/// Of those, of one member that was not asked by name: who says much hides nobody's answer.
const MAX_ANSWERS_OF_PEER: usize = 4;
/// Answers remembered that came before their question: chains of different members come in any order.
const MAX_EARLY: usize = 64;
/// Of those, of one author: nobody pushes out what others say.
const MAX_EARLY_OF_PEER: usize = 8;
/// The longest that answers are waited for, in milliseconds: a week.
pub(super) const MAX_ASK_MS: u64 = 7 * DAY_MS;
/// After so long nothing is urgent any more, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How far two clocks may be apart before a question counts as expired by its author's stamp, in milliseconds.
const CLOCK_MS: u64 = 10 * 60 * 1000;
/// How often what is over is forgotten, in milliseconds.
const SWEEP_MS: u64 = 60 * 60 * 1000;
/// How much of a question is kept to be told of it, in characters.
const BEGINS_CHARS: usize = 100;
/// Of those who are named in one message, so many are kept: nobody calls more by name to say something urgent.
const MAX_NAMED: usize = 8;
/// A longer word behind an `@` is hardly a name of anybody, in bytes. Of a room that is a megabyte at most.
const MAX_NAMED_BYTES: usize = 128;

struct Urgent {
    record: UrgentRecord,
    /// Of a question: until when it is open, by the monotonic clock.
    until_ms: u64,
}

/// An answer, which may come before its question.
#[derive(Clone)]
struct Early {
    room: RoomId,
    about: EntryId,
    answer: EntryId,
    peer: PeerId,
    label: Option<String>,
    origin: Option<String>,
}

/// What does not wait for a prompt, by room and arrival.
#[derive(Default)]
pub(super) struct Urgents {
    held: BTreeMap<(RoomId, u64), Urgent>,
    /// Questions among them.
    by_id: BTreeMap<EntryId, (RoomId, u64)>,
    /// Answers that came before their question.
    early: VecDeque<Early>,
    /// When the next question is over, or what is over is to be forgotten.
    due_ms: Option<u64>,
}

fn key((room, arrival): &(RoomId, u64)) -> Vec<u8> {
    [&room.0[..], &arrival.to_be_bytes()].concat()
}

impl Urgents {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.due_ms
    }

    pub(super) fn restore(&mut self, key: &[u8], value: &[u8], now: Now) {
        let Some((room, arrival)) = key.split_at_checked(32) else { return };
        let (Ok(room), Ok(arrival)) = (RoomId::try_from(room), <[u8; 8]>::try_from(arrival)) else { return };
        let Ok(record) = minicbor::decode::<UrgentRecord>(value) else { return };
        let gone_ms = now.wall_ms.saturating_sub(record.at);
        let left_ms = record.asks_ms.unwrap_or(0).saturating_sub(gone_ms);
        self.insert((room, u64::from_be_bytes(arrival)), record, now.mono_ms + left_ms, now.mono_ms);
    }

    fn insert(&mut self, at: (RoomId, u64), record: UrgentRecord, until_ms: u64, now_ms: u64) {
        if record.asks_ms.is_some() {
            self.by_id.insert(record.id, at);
        }
        let next_ms = if until_ms > now_ms { until_ms.min(now_ms + SWEEP_MS) } else { now_ms + SWEEP_MS };
        self.due_ms = Some(self.due_ms.map_or(next_ms, |due| due.min(next_ms)));
        self.held.insert(at, Urgent { record, until_ms });
    }

    fn remove(&mut self, at: &(RoomId, u64), ops: &mut Vec<Op>) {
        if let Some(gone) = self.held.remove(at) {
            self.by_id.remove(&gone.record.id);
            ops.push(Op::Delete { table: Table::Urgent, key: key(at) });
        }
    }

    fn put_early(&mut self, answer: Early) {
        let of_peer = |early: &Early| early.peer == answer.peer;
        if self.early.iter().filter(|early| of_peer(early)).count() >= MAX_EARLY_OF_PEER
            && let Some(oldest) = self.early.iter().position(of_peer)
        {
            self.early.remove(oldest);
        }
        if self.early.len() >= MAX_EARLY {
            self.early.pop_front();
        }
        self.early.push_back(answer);
    }

    fn in_room(&self, room: RoomId) -> impl DoubleEndedIterator<Item = (&(RoomId, u64), &Urgent)> {
        self.held.range((room, 0)..=(room, u64::MAX))
    }

    fn ask(&self, id: &EntryId) -> Option<(&(RoomId, u64), &Urgent)> {
        self.held.get_key_value(self.by_id.get(id)?)
    }

    /// Makes room for one more of others: of whoever has most, the oldest goes. Its message waits for the prompt then.
    fn bound(&mut self, room: RoomId, me: PeerId, ops: &mut Vec<Op>) {
        let mut of_author: BTreeMap<PeerId, (usize, u64)> = BTreeMap::new();
        for ((_, arrival), urgent) in self.in_room(room).filter(|(_, urgent)| urgent.record.peer != me) {
            of_author.entry(urgent.record.peer).or_insert((0, *arrival)).0 += 1;
        }
        if of_author.values().map(|(count, _)| count).sum::<usize>() < MAX_IN_ROOM {
            return;
        }
        if let Some((_, oldest)) = of_author.into_values().max_by_key(|(count, _)| *count) {
            self.remove(&(room, oldest), ops);
        }
    }
}

impl Urgent {
    fn is_open(&self, now_ms: u64) -> bool {
        self.record.asks_ms.is_some() && self.until_ms > now_ms
    }

    fn is_to_all(&self, is_direct: bool) -> bool {
        let record = &self.record;
        !is_direct && record.to.is_none() && record.tags.is_none() && record.peers.is_none()
    }
}

/// Whether a question is for this member's session. Which tags sessions of others have is not known here: a question to
/// a tag anybody may answer.
fn is_asked(
    record: &UrgentRecord,
    peer: PeerId,
    label: Option<&str>,
    is_direct: bool,
    stays_here: bool,
) -> bool {
    match (&record.tags, &record.peers, &record.to) {
        (Some(_), ..) => true,
        (None, Some(peers), _) => peers.contains(&peer),
        (None, None, _) if is_direct => peer != record.peer,
        (None, None, Some(to)) if stays_here => label.is_none_or(|label| may_be_one(to, label)),
        (None, None, Some(to)) => is_named(to, false, stays_here, label),
        (None, None, None) => true,
    }
}

/// Whether a question has an answer of somebody whom the session is to hear.
fn is_answered_for(urgent: &Urgent, room: RoomId, take: &Take) -> bool {
    urgent.record.answers.iter().any(|(_, peer)| !take.deny.contains(&(room, *peer)))
}

/// The words behind an `@` in a text, each once; none if there are none.
fn named_in(text: &str) -> Option<Vec<String>> {
    let mut named: Vec<String> = Vec::new();
    for word in mention::words(text).filter(|word| !word.is_empty() && word.len() <= MAX_NAMED_BYTES) {
        if named.len() == MAX_NAMED {
            break;
        }
        if !named.iter().any(|other| other == word) {
            named.push(word.to_owned());
        }
    }
    (!named.is_empty()).then_some(named)
}

/// How many answers of one member are kept: those who were asked by name share all there is.
fn most_answers(record: &UrgentRecord, is_direct: bool) -> usize {
    let asked = if is_direct { 1 } else { record.peers.as_ref().map_or(MAX_ANSWERS, Vec::len) };
    (MAX_ANSWERS / asked.max(1)).max(MAX_ANSWERS_OF_PEER)
}

impl Engine {
    /// A message has arrived: it may be urgent, a question, or the answer to one.
    pub(super) fn note_urgent(&mut self, row: &DataRow, view: &MessageView, body: &Body) {
        // What nobody is disturbed for is no answer either: it would end that somebody is asked.
        let is_answer = body.form.is_none() && view.priority >= Priority::GIVEN_AT_PROMPT;
        if let Some(about) = body.about.filter(|_| is_answer) {
            self.answered(row, about, view);
        }
        let is_urgent = view.priority == Priority::Now && body.form.is_none();
        if row.history || !(is_urgent || body.ask.is_some()) {
            return;
        }
        let (wall_ms, mono_ms) = (self.now.wall_ms, self.now.mono_ms);
        let asks_ms = body.ask.as_ref().map(|ask| ask.deadline.saturating_sub(view.time_ms).min(MAX_ASK_MS));
        // By its author's stamp it may be over already: it was long on its way.
        let late = body.ask.as_ref().is_some_and(|ask| ask.deadline.saturating_add(CLOCK_MS) < wall_ms);
        let begins = || clean(view.text.as_str(), Mode::Line { limit_chars: BEGINS_CHARS }).into_string();
        let record = UrgentRecord {
            id: row.id,
            peer: view.peer,
            origin: row.origin.clone(),
            label: view.session.as_ref().map(|label| label.as_str().to_owned()),
            now: is_urgent,
            asks_ms: asks_ms.map(|left| if late { 0 } else { left }),
            to: view.to.as_ref().map(|label| label.as_str().to_owned()),
            tags: body.tags.clone(),
            peers: body.peers.clone(),
            at: wall_ms,
            answers: Vec::new(),
            answered: 0,
            hops: body.hops(),
            begins: asks_ms.map(|_| begins()),
            deadline: body.ask.as_ref().map(|ask| ask.deadline),
            chain: row.chain,
            seq: row.seq,
            named: named_in(view.text.as_str()),
        };
        if view.peer != self.me {
            self.urgents.bound(row.room, self.me, &mut self.ops);
        }
        let at = (row.room, view.arrival);
        let until_ms = mono_ms + record.asks_ms.unwrap_or(0);
        self.urgents.insert(at, record, until_ms, mono_ms);
        let (early, others): (VecDeque<_>, _) =
            std::mem::take(&mut self.urgents.early).into_iter().partition(|early| early.about == row.id);
        self.urgents.early = others;
        // What is said of it in another room answers nothing.
        for early in early.into_iter().filter(|early| early.room == row.room) {
            self.count_answer(at, &early);
        }
        self.put_urgent(&at);
    }

    fn put_urgent(&mut self, at: &(RoomId, u64)) {
        if let Some(urgent) = self.urgents.held.get(at) {
            let value = parlor_wire::cbor::encode(&urgent.record);
            self.put(Table::Urgent, key(at), value);
        }
    }

    fn answered(&mut self, row: &DataRow, about: EntryId, view: &MessageView) {
        let answer = Early {
            room: row.room,
            about,
            answer: row.id,
            peer: view.peer,
            label: view.session.as_ref().map(|label| label.as_str().to_owned()),
            origin: row.origin.clone(),
        };
        match self.urgents.by_id.get(&about).copied() {
            Some(at) if at.0 == row.room => {
                if self.count_answer(at, &answer) {
                    self.put_urgent(&at);
                }
            }
            Some(_) => {}
            None => self.urgents.put_early(answer),
        }
    }

    /// A session does not answer its own question, whatever it says, and nobody one that others were asked by name. Which of
    /// another node's sessions asked is known there alone, and refused there.
    fn count_answer(&mut self, at: (RoomId, u64), given: &Early) -> bool {
        let (peer, label) = (given.peer, given.label.as_deref());
        let (is_direct, stays_here) = (self.direct_peer(&at.0).is_some(), self.stays_here(&at.0));
        let Some(urgent) = self.urgents.held.get_mut(&at) else { return false };
        let record = &mut urgent.record;
        let is_own = record.peer == peer && peer == self.me && record.origin == given.origin;
        if is_own || !is_asked(record, peer, label, is_direct, stays_here) {
            return false;
        }
        let of_peer = record.answers.iter().filter(|(_, by)| *by == peer).count();
        if peer != self.me && of_peer >= most_answers(record, is_direct) {
            return false;
        }
        record.answered = record.answered.saturating_add(1);
        if record.answers.len() < MAX_ANSWERS {
            record.answers.push((given.answer, peer));
        }
        true
    }

    /// Until when one may ask from now on.
    pub(super) fn clamped(&self, deadline: TimeMs) -> TimeMs {
        deadline.min(self.now.wall_ms.saturating_add(MAX_ASK_MS))
    }

    /// Whether one more question may be asked.
    pub(super) fn may_ask(&self) -> Result<(), Failure> {
        let now = self.now.mono_ms;
        let own = self.urgents.held.values().filter(|urgent| urgent.record.peer == self.me);
        if own.filter(|urgent| urgent.is_open(now)).count() >= MAX_OPEN {
            return Err(Failure::Limit("1,024 questions of yours are open; wait for some to end"));
        }
        Ok(())
    }

    /// Nobody answers its own question.
    pub(super) fn may_answer(&self, about: &EntryId, send: &Send) -> Result<(), Failure> {
        let asked = self.urgents.ask(about).map(|(_, urgent)| &urgent.record);
        let is_own = asked.is_some_and(|asked| asked.peer == self.me && asked.origin == send.origin);
        if is_own { Err(Failure::OwnQuestion) } else { Ok(()) }
    }

    /// What of a room does not wait for a prompt of this session, oldest first.
    pub(super) fn urgent_in(&self, room: RoomId, to: &Listener) -> Vec<UrgentView> {
        // How often each may still disturb this session: what is beyond waits for its prompt.
        let mut left: BTreeMap<(PeerId, Option<&str>), usize> = BTreeMap::new();
        let mut left_of_peer: BTreeMap<PeerId, usize> = BTreeMap::new();
        let view = |((room, arrival), urgent): (&(RoomId, u64), &Urgent)| {
            let to_you = self.is_urgent_for(*room, urgent, to)?;
            let record = &urgent.record;
            Some(UrgentView {
                room: *room,
                arrival: *arrival,
                id: record.id,
                peer: record.peer,
                asks: record.asks_ms.is_some(),
                to_you,
                names_you: self.is_called_by(record, to),
                hops: record.hops,
            })
        };
        let mut urgent = Vec::new();
        for at in self.urgents.in_room(room) {
            if self.deliveries.was_given(room, &to.session, at.0.1) {
                continue;
            }
            let (Some(view), record) = (view(at), &at.1.record) else { continue };
            let label = record.label.as_deref();
            let may = || self.may_disturb(&to.session, record.peer, label);
            let left = left.entry((record.peer, label)).or_insert_with(may);
            let may = || self.may_peer_disturb(&to.session, record.peer);
            let left_of_peer = left_of_peer.entry(record.peer).or_insert_with(may);
            if *left > 0 && *left_of_peer > 0 {
                *left -= 1;
                *left_of_peer -= 1;
                urgent.push(view);
            }
        }
        urgent
    }

    /// Whether the text of what is for everybody names a session.
    fn is_called_by(&self, record: &UrgentRecord, to: &Listener) -> bool {
        let session = SessionName::of(to.label.as_deref().unwrap_or_default());
        let called = Called { nick: &self.nick, session: &session, tags: &to.tags };
        let is_for_some = record.to.is_some() || record.tags.is_some() || record.peers.is_some();
        !is_for_some && record.named.iter().flatten().any(|word| is_called(word, &called))
    }

    /// Whether it does not wait for the session's prompt, and if so, whether it is addressed to that session.
    fn is_urgent_for(&self, room: RoomId, urgent: &Urgent, to: &Listener) -> Option<bool> {
        let record = &urgent.record;
        let is_old = record.at.saturating_add(DAY_MS) <= self.now.wall_ms;
        // Too many agents have passed it on since a human said something: it waits for one.
        let is_far = record.hops >= limits::MAX_HOPS;
        if is_old || is_far || record.origin.as_ref() == Some(&to.session) {
            return None;
        }
        let asks = urgent.is_open(self.now.mono_ms) && record.answered == 0;
        let is_direct = self.direct_peer(&room).is_some();
        let own = record.peer == self.me;
        let label_is = |label: &str| is_named(label, own, self.stays_here(&room), to.label.as_deref());
        let to_label = record.to.as_deref().map(label_is);
        let to_tag = record.tags.as_ref().map(|tags| tags.iter().any(|tag| to.tags.contains(tag)));
        let to_peer = record.peers.as_ref().map(|peers| peers.contains(&self.me));
        let addressed = [to_label, to_tag, to_peer];
        let excluded =
            to_label == Some(false) || (addressed.contains(&Some(false)) && !addressed.contains(&Some(true)));
        if excluded {
            return None;
        }
        let is_addressed = addressed.contains(&Some(true)) || (is_direct && !own);
        (record.now || (asks && is_addressed)).then_some(is_addressed)
    }

    /// Whether a message is nobody's business any more but the asker's: a question to all that is answered, or the answer
    /// to a question that another session asked. Whom a session is not to hear settles nothing for it.
    pub(super) fn is_settled_for(&self, view: &MessageView, take: &Take) -> bool {
        let asked = self.urgents.ask(&view.id).map(|(_, urgent)| urgent);
        let is_answered = asked.is_some_and(|urgent| {
            is_answered_for(urgent, view.room, take)
                && urgent.is_to_all(self.direct_peer(&view.room).is_some())
        });
        let about = view.about.and_then(|about| self.urgents.ask(&about)).map(|(_, urgent)| &urgent.record);
        let was_told = |origin: &str| self.deliveries.was_given(view.room, origin, view.arrival);
        let is_others = |asked: &UrgentRecord| {
            let origin = asked.origin.as_deref();
            !take.is_its(origin) || origin.is_some_and(|origin| origin != take.session && was_told(origin))
        };
        is_answered || about.is_some_and(is_others)
    }

    /// Why nobody waits any more for an answer to what was a question.
    pub(super) fn why_not_asked(&self, view: &MessageView, take: &Take) -> Option<&'static str> {
        let deadline = view.ask?;
        let is_over = || deadline.saturating_add(CLOCK_MS) < self.now.wall_ms;
        let known = self.urgents.ask(&view.id).map(|(_, urgent)| urgent);
        if known.is_some_and(|urgent| is_answered_for(urgent, view.room, take)) {
            Some("a question that has an answer")
        } else if known.map_or_else(is_over, |urgent| !urgent.is_open(self.now.mono_ms)) {
            Some("a question whose time is over")
        } else {
            None
        }
    }

    pub(super) fn tick_urgents(&mut self) {
        let (wall_ms, mono_ms) = (self.now.wall_ms, self.now.mono_ms);
        if self.urgents.due_ms.is_none_or(|due| due > mono_ms) {
            return;
        }
        let is_over = |urgent: &Urgent| {
            urgent.until_ms <= mono_ms && urgent.record.at.saturating_add(DAY_MS) <= wall_ms
        };
        let over: Vec<_> =
            self.urgents.held.iter().filter(|(_, urgent)| is_over(urgent)).map(|(at, _)| *at).collect();
        for at in over {
            self.urgents.remove(&at, &mut self.ops);
        }
        let open = self.urgents.held.values().map(|urgent| urgent.until_ms).filter(|until| *until > mono_ms);
        let next_ms = open.min().map_or(mono_ms + SWEEP_MS, |until| until.min(mono_ms + SWEEP_MS));
        self.urgents.due_ms = (!self.urgents.held.is_empty()).then_some(next_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_what_nobody_asked_pushes_out_nobody_elses_early_answers() {
        let early = |peer: u8, answer: u8| Early {
            room: RoomId([1; 32]),
            about: EntryId([answer; 32]),
            answer: EntryId([answer; 32]),
            peer: PeerId([peer; 32]),
            label: None,
            origin: None,
        };
        let mut urgents = Urgents::default();
        urgents.put_early(early(1, 0));
        (1..=200).for_each(|answer| urgents.put_early(early(2, answer)));
        assert_eq!(urgents.early.len(), 1 + MAX_EARLY_OF_PEER);
        assert!(urgents.early.iter().any(|early| early.peer == PeerId([1; 32])));
        for peer in 3..=90 {
            urgents.put_early(early(peer, 201));
        }
        assert_eq!(urgents.early.len(), MAX_EARLY);
    }
}
