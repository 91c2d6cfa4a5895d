//! One link: a stream to one peer about one room, from hello to close. Greeting, proof, who may be served.
//! Must not touch data entries: `pull` and `push` do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor_wire::frame::{self, ChainTips, Frame, Hello, Open, Proof, Refusal, Tip};
use parlor_wire::{Data, EntryId, PeerId, RoomId, Salt, WIRE_VERSION, domain, limits};

use super::Engine;
use super::api::{Effect, LinkId, NEAR};
use crate::room::{Gone, record};

/// How long a link may take until it is open and entitled, in milliseconds.
const OPENING_MS: u64 = 30_000;
/// How long changed heads are gathered before they are told, in milliseconds.
pub(super) const TELL_MS: u64 = 20;
/// How long a wanted batch may take before it is asked for again elsewhere, in milliseconds.
const WANT_MS: u64 = 15_000;
/// How long a pushed entry may go unacknowledged, in milliseconds.
const PUSH_MS: u64 = 20_000;
/// Most links at once that are not entitled to anything yet: callers nobody knows.
const MAX_UNKNOWN_LINKS: usize = 256;
/// Of these, most of one peer: it may share several rooms that this node has not heard it is in.
const MAX_UNKNOWN_OF_PEER: usize = 32;
/// Most links at once: 512 members of a room, some rooms.
const MAX_LINKS: usize = 2048;

/// What is known of one link.
#[derive(Debug)]
pub(super) struct Link {
    pub peer: PeerId,
    pub room: Option<RoomId>,
    pub dialled: bool,
    up_ms: u64,
    opened_ms: u64,
    my_nonce: Salt,
    peer_nonce: Option<Salt>,
    /// What it knows beyond version 1, a bit each.
    pub peer_knows: u64,
    sent_open: bool,
    /// Both sides have named the room.
    pub open: bool,
    /// It has heard that this identity has left the room.
    pub knows_leave: bool,
    /// The peer may read the room: it is a live reader, or proved an open ticket.
    pub entitled: bool,
    proved: Option<EntryId>,
    /// Our heads were sent, so changes are told from here on.
    pub told_heads: bool,
    /// It was told where nodes are. Both are members then: before it joins it opens nothing, and this node seals nothing.
    told_where: bool,
    /// Whereabouts it passed on of people who are no members yet.
    pub early: Vec<frame::Signal>,
    /// All control entries the peer spoke of are here.
    pub control_done: bool,
    pub control_asked: Option<u64>,
    /// Control entries it spoke of and nobody has given, and since when.
    pub spoken: BTreeMap<EntryId, u64>,
    /// Control entries it was asked for since it last gave something new.
    pub control_tried: BTreeSet<EntryId>,
    /// Control entries it gave that are more than their author may write: not taken from it.
    pub surplus: BTreeSet<EntryId>,
    /// What the peer said it holds.
    pub peer_tips: BTreeMap<EntryId, Vec<Tip>>,
    /// It has said so of every chain.
    pub peer_complete: bool,
    /// What the peer holds durably, as far as it said: the highest place by chain.
    pub acked: BTreeMap<EntryId, u64>,
    /// What was pushed to it and not yet acknowledged, oldest first: chain, place, when.
    pub pushed: VecDeque<(EntryId, u64, u64)>,
    /// Chains whose heads it is to be told.
    pub dirty: BTreeSet<EntryId>,
    pub dirty_since: Option<u64>,
    /// When all heads are told again.
    pub again_ms: u64,
    /// How often they were, and up to which place of each chain.
    pub rounds: u64,
    pub told_again: BTreeMap<EntryId, u64>,
    /// Ranges asked of it.
    pub wants: VecDeque<Want>,
    /// How many places a range asked of it has: fewer when bodies are large.
    pub window: u64,
    /// Batches being read for it.
    pub serving: usize,
    /// Chains of which the peer may have something new.
    pub behind: BTreeSet<EntryId>,
    /// Chains of which the store is being asked whether the peer's tips are held.
    pub asking: BTreeSet<EntryId>,
    /// Tips of the peer that are held, though they are no tips here.
    pub known_behind: BTreeMap<EntryId, BTreeSet<EntryId>>,
    /// Branch points looked for, by chain.
    pub searches: BTreeMap<EntryId, Search>,
    /// Chains that cannot go on from this peer until it says, or control brings, something new.
    pub stalled: BTreeSet<EntryId>,
}

/// A range asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub chain: EntryId,
    pub from: u64,
    pub to: u64,
    pub asked_ms: u64,
}

/// The search for where a peer's branch leaves what is held: from near its known end ever further back until
/// something connects, then forward to its tip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub tip: Tip,
    /// First place of the window asked for.
    pub from: u64,
    step: u64,
    windows: u64,
}

/// How far back the first window of a search goes.
pub(super) const SEARCH_STEP: u64 = 16;

impl Search {
    pub(super) fn new(tip: Tip, from: u64) -> Self {
        Self { tip, from: from.min(tip.seq), step: SEARCH_STEP, windows: 0 }
    }

    /// Chooses the next window after a batch. False when there is none: the peer does not have what it said.
    /// `loose`: the lowest place of an entry that follows nothing held; `end`: where the batch leaves off.
    pub(super) fn narrow(&mut self, grew: bool, loose: Option<u64>, end: u64) -> bool {
        self.windows += 1;
        if self.windows > self.tip.seq / SEARCH_STEP + 64 {
            return false;
        }
        match loose {
            Some(low) if !grew => {
                self.step = self.step.saturating_mul(4);
                let from = low.min(self.from).saturating_sub(self.step);
                std::mem::replace(&mut self.from, from) > 0
            }
            // What came is held now, or was before: the branch point lies further on.
            _ => {
                self.from = end.max(self.from.saturating_add(1));
                self.from <= self.tip.seq
            }
        }
    }
}

impl Link {
    /// Since when there is this link, for choosing among several.
    pub(super) fn standing(&self) -> super::mesh::Standing {
        let fetches = !self.wants.is_empty() || !self.searches.is_empty() || self.control_asked.is_some();
        let gives = self.serving > 0 || !self.pushed.is_empty();
        super::mesh::Standing {
            since_ms: self.up_ms,
            dialled: self.dialled,
            idle: !fetches && !gives && self.control_done && self.peer_complete,
        }
    }

    /// When something is due on it.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let dirty = self.dirty_since.map(|since| since + TELL_MS);
        let want = self.wants.front().map(|want| want.asked_ms + WANT_MS);
        let pushed = self.pushed.front().map(|pushed| pushed.2 + PUSH_MS);
        let control = self.control_asked.map(|at| at + WANT_MS);
        let opening = (!(self.open && self.entitled)).then_some(self.opened_ms + OPENING_MS);
        let again = self.is_told().then_some(self.again_ms);
        [dirty, want, pushed, control, opening, again].into_iter().flatten().min()
    }

    /// Whether the peer is told what is new.
    fn is_told(&self) -> bool {
        self.open && self.entitled && self.told_heads
    }

    /// Whether it owes an answer for too long.
    fn is_late(&self, now: u64) -> bool {
        let opening = !(self.open && self.entitled) && self.opened_ms + OPENING_MS <= now;
        // A link on which we only listen (it serves us, we may not serve it) is used, not stuck.
        let used = self.open && (self.control_done || self.peer_complete);
        let stalled = self.wants.front().is_some_and(|want| want.asked_ms + WANT_MS <= now)
            || self.pushed.front().is_some_and(|pushed| pushed.2 + PUSH_MS <= now)
            || self.control_asked.is_some_and(|at| at + WANT_MS <= now);
        (opening && !used) || stalled
    }

    /// The peer says what it holds of a chain.
    pub(super) fn peer_holds(&mut self, told: ChainTips) {
        let ChainTips { chain, tips } = told;
        let room = self.peer_tips.len() < limits::MAX_CHAINS || self.peer_tips.contains_key(&chain);
        let Some(upto) = tips.iter().map(|tip| tip.seq).max().filter(|_| room) else { return };
        let acked = self.acked.entry(chain).or_insert(upto);
        *acked = upto.max(*acked);
        self.stalled.remove(&chain);
        if let Some(known) = self.known_behind.get_mut(&chain) {
            known.retain(|id| tips.iter().any(|tip| tip.id == *id));
        }
        self.peer_tips.insert(chain, tips);
        self.behind.insert(chain);
    }

    /// What a peer sends it holds.
    pub(super) fn peer_sent(&mut self, data: &Data) {
        let header = &data.header;
        if self.peer_tips.len() >= limits::MAX_CHAINS && !self.peer_tips.contains_key(&header.chain) {
            return;
        }
        let tips = self.peer_tips.entry(header.chain).or_default();
        let tip = Tip { seq: header.seq, id: data.id };
        let before = tips.iter().position(|tip| Some(tip.id) == header.prev);
        let ahead = tips.iter().all(|tip| tip.seq < header.seq);
        match before {
            Some(at) => tips[at] = tip,
            None if ahead && tips.len() == 1 => tips[0] = tip,
            None if ahead && tips.len() < limits::MAX_TIPS => tips.push(tip),
            None => {}
        }
        let acked = self.acked.entry(header.chain).or_insert(header.seq);
        *acked = header.seq.max(*acked);
        self.behind.insert(header.chain);
    }

    /// The peer gave nothing of a chain it spoke of.
    pub(super) fn forget(&mut self, chain: &EntryId) {
        self.peer_tips.remove(chain);
        self.searches.remove(chain);
        self.behind.remove(chain);
    }

    /// Asks for as many places as fit into a batch: `last` was the last place of the batch that answered `want`.
    pub(super) fn fit_window(&mut self, want: &Want, last: u64) {
        let got = last.saturating_sub(want.from).saturating_add(1);
        let most = limits::MAX_BATCH_ENTRIES as u64;
        let short = last < want.to;
        self.window = if short { got.min(most) } else { self.window.saturating_mul(2).min(most) };
    }

    /// The highest place of a chain the peer has or was sent.
    pub(super) fn has_upto(&self, chain: &EntryId) -> Option<u64> {
        let pushed = self.pushed.iter().rev().find(|pushed| pushed.0 == *chain).map(|pushed| pushed.1);
        pushed.max(self.acked.get(chain).copied())
    }
}

impl Engine {
    pub(super) fn link_up(&mut self, link: LinkId, peer: PeerId, room: Option<RoomId>) {
        if peer == self.me || self.links.len() >= MAX_LINKS || (room.is_none() && !self.makes_place(peer)) {
            self.effects.push(Effect::Close { link, reason: "too many links".into() });
            return;
        }
        let my_nonce = self.hedge.salt(&[b"link nonce", &link.to_be_bytes(), &peer.0]);
        let dialled = room.is_some();
        self.links.insert(
            link,
            Link {
                peer,
                room,
                dialled,
                up_ms: self.now.mono_ms,
                opened_ms: self.now.mono_ms,
                my_nonce,
                peer_nonce: None,
                peer_knows: 0,
                sent_open: false,
                open: false,
                knows_leave: false,
                entitled: false,
                proved: None,
                told_heads: false,
                told_where: false,
                early: Vec::new(),
                control_done: false,
                control_asked: None,
                spoken: BTreeMap::new(),
                control_tried: BTreeSet::new(),
                surplus: BTreeSet::new(),
                peer_tips: BTreeMap::new(),
                peer_complete: false,
                acked: BTreeMap::new(),
                pushed: VecDeque::new(),
                dirty: BTreeSet::new(),
                dirty_since: None,
                again_ms: 0,
                rounds: 0,
                told_again: BTreeMap::new(),
                wants: VecDeque::new(),
                window: limits::MAX_BATCH_ENTRIES as u64,
                serving: 0,
                behind: BTreeSet::new(),
                asking: BTreeSet::new(),
                known_behind: BTreeMap::new(),
                searches: BTreeMap::new(),
                stalled: BTreeSet::new(),
            },
        );
        self.send(
            link,
            &Frame::Hello(Hello { v: WIRE_VERSION, nonce: my_nonce, knows: frame::KNOWS_WHEREABOUTS }),
        );
    }

    /// Makes place for one more caller nobody knows: the one that has stood longest without being entitled to anything goes.
    /// Who comes in is entitled within moments, so whoever only stands there keeps nobody out. False when this very peer has
    /// had enough.
    fn makes_place(&mut self, peer: PeerId) -> bool {
        let unknown = || self.links.iter().filter(|(_, link)| !link.entitled && !link.dialled);
        if unknown().filter(|(_, link)| link.peer == peer).count() >= MAX_UNKNOWN_OF_PEER {
            return false;
        }
        let oldest = unknown().map(|(id, _)| *id).min().filter(|_| unknown().count() >= MAX_UNKNOWN_LINKS);
        if let Some(oldest) = oldest {
            self.close_link(oldest, "others wait");
        }
        true
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(gone) = self.links.remove(&link) else { return };
        if gone.open && gone.entitled {
            self.saw(gone.peer);
        }
        if let Some(room) = gone.room {
            self.plan_room(room);
            self.look_at_mesh(room);
            if gone.open && !gone.dialled {
                // Nobody dialled whom this link had come from.
                self.links_changed();
            }
        }
        self.tick_reach();
    }

    /// Remembers when a peer was last linked.
    fn saw(&mut self, peer: PeerId) {
        self.peers.entry(peer).or_default().last_seen = Some(self.now.wall_ms);
        self.put_peer(peer);
    }

    pub(super) fn close_link(&mut self, link: LinkId, reason: impl Into<String>) {
        if self.links.contains_key(&link) {
            self.effects.push(Effect::Close { link, reason: reason.into() });
            self.link_down(link);
        }
    }

    pub(super) fn send(&mut self, link: LinkId, frame: &Frame) {
        if self.links.contains_key(&link) {
            self.effects.push(Effect::Send { link, bytes: frame.encode() });
        }
    }

    pub(super) fn frame(&mut self, link: LinkId, bytes: &[u8]) {
        if !self.links.contains_key(&link) {
            return;
        }
        match Frame::decode(bytes) {
            Ok(frame) => self.framed(link, frame),
            Err(error) => self.close_link(link, format!("a malformed frame: {error}")),
        }
    }

    fn framed(&mut self, link: LinkId, frame: Frame) {
        let Some(state) = self.links.get(&link) else { return };
        match (frame, state.open.then_some(state.room).flatten()) {
            (Frame::Hello(hello), _) => self.greeted(link, &hello),
            (Frame::Open(open), _) => self.opened(link, &open),
            (Frame::Refuse(refusal), _) => self.refused(link, refusal),
            (Frame::ControlHeads(heads), Some(room)) => self.control_heads(link, room, &heads),
            (Frame::ControlWant(want), Some(room)) => self.control_want(link, room, &want),
            (Frame::ControlBatch(batch), Some(room)) => self.control_batch(link, room, &batch),
            (Frame::DataHeads(heads), Some(room)) => self.data_heads(link, room, heads),
            (Frame::DataWant(want), Some(room)) => self.data_want(link, room, want),
            (Frame::DataBatch(batch), Some(room)) => self.data_batch(link, room, &batch),
            (Frame::DataPush(push), Some(room)) => self.data_push(link, room, &push),
            (Frame::Ack(ack), Some(room)) => self.acked(link, room, &ack),
            (Frame::Signal(signal), Some(room)) => self.heard(link, room, signal),
            (Frame::Whereabouts(signal), Some(room)) => self.heard_whereabouts(link, room, signal),
            (_, None) => self.close_link(link, "a frame before the room was named"),
        }
    }

    fn greeted(&mut self, link: LinkId, hello: &Hello) {
        if hello.v != WIRE_VERSION {
            self.send(link, &Frame::Refuse(Refusal::Version));
            self.close_link(link, format!("the peer speaks wire version {}", hello.v));
            return;
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.peer_nonce.replace(hello.nonce).is_some() {
            self.close_link(link, "a second hello");
            return;
        }
        state.peer_knows = hello.knows;
        if state.dialled {
            self.send_open(link);
        }
    }

    /// Names the room, with a proof of the ticket it is or was joined by.
    fn send_open(&mut self, link: LinkId) {
        let Some(state) = self.links.get(&link) else { return };
        let (Some(room), Some(nonce), peer) = (state.room, state.peer_nonce, state.peer) else { return };
        let Some(held) = self.rooms.get(&room) else { return };
        // To somebody nobody knows a member proves nothing.
        let asked = state.dialled || held.local.state != record::STATE_JOINED || held.roster.reads(&peer);
        let proof = held.ticket.as_ref().filter(|_| asked).map(|keys| {
            let message = frame::proof_message(&self.me, &peer, &room, &nonce);
            Proof { signing_key: keys.signing_key(), signature: keys.sign(domain::LINK_PROOF, &message) }
        });
        self.send(link, &Frame::Open(Open { room, proof }));
        if let Some(state) = self.links.get_mut(&link) {
            state.sent_open = true;
        }
    }

    fn opened(&mut self, link: LinkId, open: &Open) {
        let Some(state) = self.links.get(&link) else { return };
        if state.open || state.peer_nonce.is_none() || state.room.is_some_and(|room| room != open.room) {
            self.close_link(link, "an open that does not fit");
            return;
        }
        let peer = state.peer;
        if !self.knows_room(open.room, peer) || self.is_lan(&open.room) != (link & NEAR != 0) {
            self.send(link, &Frame::Refuse(Refusal::NotEntitled));
            self.close_link(link, "a room that is not held here");
            return;
        }
        let proved = self.proven(link, open);
        // Who was put out while it was away is told so; it may be in again and this node not have heard.
        let farewell = !matches!(proved, Ok(Some(_))) && self.may_learn_why(link, open);
        match proved {
            Err(refusal) if !farewell => {
                self.send(link, &Frame::Refuse(refusal));
                self.close_link(link, "not entitled");
            }
            proved => {
                let Some(state) = self.links.get_mut(&link) else { return };
                state.room = Some(open.room);
                state.proved = proved.ok().flatten();
                state.open = true;
                if !state.sent_open {
                    self.send_open(link);
                }
                if farewell {
                    self.say_why(link, open.room);
                }
                self.drop_duplicates(link);
                self.entitle_links(open.room);
                self.look_at_mesh(open.room);
                self.links_changed();
            }
        }
    }

    /// What a peer's proof entitles it to. A member needs none; a wrong or dead ticket is refused with its
    /// reason, which only one who has the ticket's text can ask for.
    fn proven(&self, link: LinkId, open: &Open) -> Result<Option<EntryId>, Refusal> {
        let (Some(state), Some(held)) = (self.links.get(&link), self.rooms.get(&open.room)) else {
            return Err(Refusal::NotEntitled);
        };
        let Some(proof) = &open.proof else { return Ok(None) };
        if !proof.verify(&state.peer, &self.me, &open.room, &state.my_nonce) {
            return Err(Refusal::NotEntitled);
        }
        let Some((id, ticket)) = held.roster.ticket_by_key(&proof.signing_key) else {
            // Perhaps a ticket this node has not heard of: the peer may tell, and is not served meanwhile.
            return Ok(None);
        };
        if held.roster.reads(&state.peer) || ticket.open(self.now.wall_ms) {
            return Ok(Some(id));
        }
        if held.local.state != record::STATE_JOINED {
            return Ok(None);
        }
        Err(if ticket.closed {
            if ticket.spent() {
                Refusal::TicketSpent
            } else if ticket.expired(self.now.wall_ms) {
                Refusal::TicketExpired
            } else {
                Refusal::TicketClosed
            }
        } else if ticket.spent() {
            Refusal::TicketSpent
        } else {
            Refusal::TicketExpired
        })
    }

    /// Of two links to one peer about one room, the newer of one direction stays, and of two directions the one
    /// the lower identity dialled; both sides come to the same end.
    fn drop_duplicates(&mut self, link: LinkId) {
        let Some(state) = self.links.get(&link) else { return };
        let (peer, room) = (state.peer, state.room);
        let others: Vec<(LinkId, bool)> = self
            .links
            .iter()
            .filter(|(id, other)| **id != link && other.peer == peer && other.room == room && other.open)
            .map(|(id, other)| (*id, other.dialled))
            .collect();
        let dialled = state.dialled;
        let lower = self.me < peer;
        for (id, other_dialled) in others {
            let keep_this = other_dialled == dialled || dialled == lower;
            let loser = if keep_this { id } else { link };
            self.close_link(loser, "another link to the same peer");
            if loser == link {
                return;
            }
        }
    }

    fn refused(&mut self, link: LinkId, refusal: Refusal) {
        let Some(state) = self.links.get(&link) else { return };
        let (room, peer) = (state.room, state.peer);
        self.close_link(link, format!("refused: {refusal:?}"));
        let Some(room) = room else { return };
        if matches!(
            refusal,
            Refusal::TicketClosed | Refusal::TicketExpired | Refusal::TicketSpent | Refusal::Full
        ) {
            self.ticket_refused(room, peer, refusal);
        }
        // To whom one is nobody any more, one has left.
        if refusal == Refusal::NotEntitled
            && self.rooms.get(&room).is_some_and(|held| held.gone(&self.me) == Some(Gone::Left))
        {
            self.left(room);
        }
    }

    /// Who may be served is looked at again whenever the fold changes.
    pub(super) fn entitle_links(&mut self, room: RoomId) {
        let Some(held) = self.rooms.get(&room) else { return };
        self.whereabouts.keep(room, |peer| held.roster.reads(peer));
        let now = self.now.wall_ms;
        let mut fresh = Vec::new();
        let mut untold = Vec::new();
        let mut lost = Vec::new();
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.room == Some(room) && link.open) {
            let by_ticket = link
                .proved
                .and_then(|ticket| held.roster.tickets.get(&ticket))
                .is_some_and(|ticket| ticket.open(now));
            let entitled = held.roster.reads(&link.peer) || by_ticket;
            if entitled && !link.told_heads {
                fresh.push(*id);
            }
            // Who has left still gives what it said before; it is told nothing.
            let has_left = held.roster.left.values().any(|one| one.identity == link.peer)
                && !held.roster.removed.values().any(|one| one.identity == link.peer);
            if link.entitled && !entitled && !has_left {
                lost.push(*id);
            }
            if link.entitled && !entitled {
                // From here on it is one we only listen to, and has as long as any that begins so.
                link.opened_ms = self.now.mono_ms;
            }
            link.entitled = entitled;
            let both_in = held.roster.reads(&link.peer) && held.roster.reads(&self.me);
            if both_in && !std::mem::replace(&mut link.told_where, true) {
                untold.push(*id);
            }
        }
        for id in lost {
            self.say_why(id, room);
            self.close_link(id, "no longer entitled");
        }
        for id in fresh {
            self.tell_all(id, room);
        }
        for id in untold {
            self.tell_whereabouts(id, room);
        }
        self.hear_early(room);
    }

    /// Whether the engine wants other links, or other peers are reached, is for the driver to ask again.
    pub(super) fn links_changed(&mut self) {
        if !matches!(self.effects.last(), Some(Effect::LinksChanged)) {
            self.effects.push(Effect::LinksChanged);
        }
    }

    pub(super) fn tick_links(&mut self) {
        let now = self.now.mono_ms;
        let late: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.is_late(now)).map(|(id, _)| *id).collect();
        for link in late {
            self.close_link(link, "no answer in time");
        }
        let dirty: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.dirty_since.is_some_and(|since| since + TELL_MS <= now))
            .map(|(id, _)| *id)
            .collect();
        for link in dirty {
            self.tell_dirty(link);
        }
        let again = self.links.iter().filter(|(_, link)| link.is_told() && link.again_ms <= now);
        for link in again.map(|(id, _)| *id).collect::<Vec<LinkId>>() {
            self.tell_again(link);
        }
        // A listening link that is in use must not keep the deadline in the past.
        for link in self.links.values_mut().filter(|link| link.open && !link.entitled) {
            if link.opened_ms + OPENING_MS <= now {
                link.opened_ms = now;
            }
        }
    }

    /// Whether a link is open and serves the peer.
    pub(super) fn serves(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.open && link.entitled)
    }

    /// Links of a room that are open and serve the peer.
    pub(super) fn room_links(&self, room: RoomId) -> Vec<LinkId> {
        let of = self.links.iter().filter(|(_, link)| link.room == Some(room) && link.open && link.entitled);
        of.map(|(id, _)| *id).collect()
    }
}
