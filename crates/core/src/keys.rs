//! The key schedule of a room (rules K1–K6): which keys this node can open, who knows which key, and which key
//! is fit to seal under now. The sealer answers for the key.

mod gifts;

use std::collections::{BTreeMap, BTreeSet};

use parlor_wire::control::{Control, ControlBody, Grant, Rekey, Seal, Wrap};
use parlor_wire::roster::{Dag, Roster};
use parlor_wire::{EntryId, KeyId, PeerId, PublicSealingKey, RecipientId, RoomId, TimeMs};

use crate::crypto::{self, RoomKey, SealContext};
use gifts::Gifts;
pub use gifts::Leak;

/// Somebody who may hold a room key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knower {
    /// An identity.
    Peer(PeerId),
    /// Whoever has the text of a ticket.
    Ticket(EntryId),
    /// A card or ticket nobody has heard of: never fit.
    Unknown(RecipientId),
}

/// By which entry a key was given, to a recipient or to who knows the key that wraps it.
#[derive(Debug, Clone, Copy)]
struct Given {
    by: EntryId,
    /// Whether that makes it known to them, as far as fitness is concerned (K5).
    heeded: bool,
}

impl Given {
    /// Notes one more way in which something was given.
    fn note<K: Ord>(given: &mut BTreeMap<K, Given>, to: K, how: Given) {
        let known = given.entry(to).or_insert(how);
        if how.heeded && !known.heeded {
            *known = how;
        }
    }
}

/// What control entries say about one key.
#[derive(Debug, Clone, Default)]
struct KeyFacts {
    /// To whom it was sealed and granted; resolved when asked, because a card may become known later.
    sealed_to: BTreeMap<RecipientId, Given>,
    /// Everyone who wrote a rekey of it.
    authors: BTreeSet<PeerId>,
    /// The keys that wrap it.
    wrapped_by: BTreeMap<KeyId, Given>,
    /// The keys it wraps.
    wraps: BTreeSet<KeyId>,
    /// Who wrote its rekey.
    author: Option<PeerId>,
}

/// Somebody a room key is sealed to: a card of an identity, or a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// The card or ticket.
    pub to: RecipientId,
    /// Its public key.
    pub public: PublicSealingKey,
    /// The ticket, if it is one.
    pub ticket: Option<EntryId>,
}

/// A recipient's secret this node holds.
pub struct Opener<'a> {
    /// The card or ticket.
    pub to: RecipientId,
    /// Its sealing secret.
    pub secret: &'a [u8; 32],
}

/// The keys of one room.
#[derive(Default)]
pub struct KeyRing {
    held: BTreeMap<KeyId, RoomKey>,
    facts: BTreeMap<KeyId, KeyFacts>,
    joined_by: BTreeMap<EntryId, BTreeSet<PeerId>>,
    /// The sealing key of every card, by the card.
    card_keys: BTreeMap<RecipientId, PublicSealingKey>,
    /// Whose each card is.
    card_owners: BTreeMap<RecipientId, PeerId>,
    /// Keys that somebody says have not reached them, and that nobody gave since: the entries that say so. All of them,
    /// for which one comes last is another to everybody.
    wants: BTreeMap<(KeyId, PeerId), BTreeSet<EntryId>>,
    /// Whose sealing keys joined by a ticket: whoever has one could open what is sealed to the ticket.
    joined_keys: BTreeMap<EntryId, BTreeSet<(PeerId, PublicSealingKey)>>,
    gifts: Gifts,
    /// Entries already read for facts, as a count of the DAG's order.
    seen: usize,
    /// Seals and wraps not yet opened: tried again when secrets or keys come.
    closed_seals: Vec<(KeyId, PeerId, Seal)>,
    closed_wraps: Vec<(KeyId, Wrap)>,
}

impl KeyRing {
    /// A key that can be opened.
    pub fn get(&self, id: &KeyId) -> Option<&RoomKey> {
        self.held.get(id)
    }

    /// Whether any key can be opened.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Reads everything again the next time: a secret has come for which seals may have been passed over.
    pub fn read_again(&mut self) {
        *self = Self { held: std::mem::take(&mut self.held), ..Self::default() };
    }

    /// Takes a key read from the store.
    pub fn restore(&mut self, id: KeyId, key: RoomKey) {
        self.held.insert(id, key);
    }

    /// Reads what entries new in the DAG say about keys, and opens what can be opened. Returns keys newly held. The
    /// roster is that of the DAG; `now_ms` is monotonic.
    pub fn read(
        &mut self,
        room: &RoomId,
        dag: &Dag,
        roster: &Roster,
        openers: &[Opener<'_>],
        now_ms: u64,
    ) -> Vec<KeyId> {
        let me: BTreeSet<RecipientId> = openers.iter().map(|opener| opener.to).collect();
        let at_start = self.seen == 0;
        for control in dag.iter().skip(self.seen) {
            let author = control.header.author;
            for card in control.body.cards() {
                self.card_keys.insert(card.card.id(), card.card.sealing_key);
                self.card_owners.insert(card.card.id(), card.card.identity);
            }
            self.gifts.read(dag, control);
            let strangers = self.gifts.strangers(dag, roster, control, &self.card_owners);
            let heeded = strangers.is_empty() || self.gifts.heed(author, now_ms, at_start);
            let passed_over = if heeded { BTreeSet::new() } else { strangers };
            for grant in control.body.grants() {
                self.note_grant(control, grant, &me, &passed_over);
            }
            match &control.body {
                ControlBody::Join(join) => {
                    self.joined_by.entry(join.ticket).or_default().insert(author);
                    self.joined_keys
                        .entry(join.ticket)
                        .or_default()
                        .insert((author, join.card.card.sealing_key));
                }
                ControlBody::Want(want) => {
                    for key in &want.keys {
                        self.wants.entry((*key, author)).or_default().insert(control.id);
                    }
                }
                _ => {}
            }
            self.settle_wants(dag, control);
            if let Some(rekey) = control.body.rekey() {
                self.note_rekey(control, rekey, &me, heeded);
            }
        }
        self.seen = dag.len();
        self.open_all(room, openers)
    }

    /// A want ends with an entry that follows it and seals the key to a card of whoever wanted it.
    fn settle_wants(&mut self, dag: &Dag, control: &Control) {
        if self.wants.is_empty() {
            return;
        }
        let granted = control.body.grants().iter().map(|grant| (grant.key, &grant.seals));
        let rekeyed = control.body.rekey().map(|rekey| (rekey.key, &rekey.seals));
        for (key, seals) in granted.chain(rekeyed) {
            for owner in seals.iter().filter_map(|seal| self.card_owners.get(&seal.to)) {
                if let Some(wants) = self.wants.get_mut(&(key, *owner)) {
                    wants.retain(|want| !dag.reaches(&control.id, want));
                }
            }
        }
        self.wants.retain(|_, wants| !wants.is_empty());
    }

    /// Who gave keys to strangers, since this was last asked.
    pub fn take_leaks(&mut self) -> BTreeSet<Leak> {
        self.gifts.take_leaks()
    }

    /// Keys that somebody wants and nobody gave since.
    pub fn wanted(&self) -> BTreeSet<KeyId> {
        self.wants.keys().map(|(key, _)| *key).collect()
    }

    /// Whether an identity has said that it wants a key, and nobody gave it since.
    pub fn is_wanted_by(&self, key: &KeyId, peer: &PeerId) -> bool {
        self.wants.contains_key(&(*key, *peer))
    }

    fn knower(roster: &Roster, to: &RecipientId) -> Knower {
        if let Some(peer) = roster.cards.get(to) {
            return Knower::Peer(*peer);
        }
        match roster.ticket_by_recipient(to) {
            Some((ticket, _)) => Knower::Ticket(ticket),
            None => Knower::Unknown(*to),
        }
    }

    fn note_grant(
        &mut self,
        control: &Control,
        grant: &Grant,
        me: &BTreeSet<RecipientId>,
        passed_over: &BTreeSet<RecipientId>,
    ) {
        let facts = self.facts.entry(grant.key).or_default();
        for to in grant.seals.iter().map(|seal| seal.to) {
            let given = Given { by: control.id, heeded: !passed_over.contains(&to) };
            Given::note(&mut facts.sealed_to, to, given);
        }
        self.keep_seals(grant.key, control.header.author, &grant.seals, me);
    }

    fn note_rekey(&mut self, control: &Control, rekey: &Rekey, me: &BTreeSet<RecipientId>, heeded: bool) {
        let author = control.header.author;
        // Unheeded, it stays unfit by whom it is sealed to, and says nothing more about the keys it wraps.
        let given = Given { by: control.id, heeded: true };
        let facts = self.facts.entry(rekey.key).or_default();
        facts.author.get_or_insert(author);
        facts.authors.insert(author);
        rekey.seals.iter().for_each(|seal| Given::note(&mut facts.sealed_to, seal.to, given));
        if heeded {
            facts.wraps.extend(rekey.wraps.iter().map(|wrap| wrap.key));
        }
        for wrap in &rekey.wraps {
            let wrapped = self.facts.entry(wrap.key).or_default();
            Given::note(&mut wrapped.wrapped_by, rekey.key, Given { heeded, ..given });
            self.closed_wraps.push((rekey.key, wrap.clone()));
        }
        self.keep_seals(rekey.key, author, &rekey.seals, me);
    }

    /// Seals to others are nothing this node will ever open; only its own are kept.
    fn keep_seals(&mut self, key: KeyId, author: PeerId, seals: &[Seal], me: &BTreeSet<RecipientId>) {
        let mine = seals.iter().filter(|seal| me.contains(&seal.to));
        self.closed_seals.extend(mine.map(|seal| (key, author, seal.clone())));
    }

    /// Opens seals and wraps until nothing more opens. A seal or wrap that fails under the right secret is
    /// dropped: it was never a key (K6: opening does not depend on the roster).
    fn open_all(&mut self, room: &RoomId, openers: &[Opener<'_>]) -> Vec<KeyId> {
        let mut new = Vec::new();
        for (key, author, seal) in std::mem::take(&mut self.closed_seals) {
            if self.held.contains_key(&key) {
                continue;
            }
            let Some(opener) = openers.iter().find(|opener| opener.to == seal.to) else {
                self.closed_seals.push((key, author, seal));
                continue;
            };
            let context = SealContext { room: *room, key, to: seal.to, author };
            if let Ok(opened) = crypto::open_key(&context, opener.secret, &seal) {
                self.held.insert(key, opened);
                new.push(key);
            }
        }
        loop {
            let before = new.len();
            for (newer, wrap) in std::mem::take(&mut self.closed_wraps) {
                if self.held.contains_key(&wrap.key) {
                    continue;
                }
                let Some(newer_key) = self.held.get(&newer) else {
                    self.closed_wraps.push((newer, wrap));
                    continue;
                };
                if let Ok(opened) = crypto::open_wrap(room, newer_key, &wrap) {
                    self.held.insert(wrap.key, opened);
                    new.push(wrap.key);
                }
            }
            if new.len() == before {
                return new;
            }
        }
    }

    /// Whom a key was given to: directly, or through a key that wraps it.
    fn given_to(&self, key: &KeyId, roster: &Roster) -> BTreeSet<Knower> {
        let mut knowers = BTreeSet::new();
        self.each_wrapping(key, |facts| {
            knowers.extend(facts.authors.iter().map(|peer| Knower::Peer(*peer)));
            knowers.extend(heeded(&facts.sealed_to).map(|to| Self::knower(roster, to)));
        });
        knowers
    }

    /// K2: who knows a key: to whom it was given, and whoever joined by a ticket among these.
    pub fn knows(&self, key: &KeyId, roster: &Roster) -> BTreeSet<Knower> {
        let mut knowers = self.given_to(key, roster);
        let tickets: Vec<EntryId> = knowers
            .iter()
            .filter_map(|knower| if let Knower::Ticket(id) = knower { Some(*id) } else { None })
            .collect();
        for ticket in tickets {
            let joined = self.joined_by.get(&ticket).into_iter().flatten();
            knowers.extend(joined.map(|peer| Knower::Peer(*peer)));
        }
        knowers
    }

    /// What is said of a key and of every key that wraps it.
    fn each_wrapping<'a>(&'a self, key: &KeyId, mut look: impl FnMut(&'a KeyFacts)) {
        let mut stack = vec![*key];
        let mut seen = BTreeSet::new();
        while let Some(at) = stack.pop() {
            if !seen.insert(at) {
                continue;
            }
            let Some(facts) = self.facts.get(&at) else { continue };
            look(facts);
            stack.extend(heeded(&facts.wrapped_by).copied());
        }
    }

    /// Keys no other held key wraps: together they open everything. Keys that wrap each other in a circle hide none of
    /// it: whoever closed the circle would keep what they open from everybody who comes later.
    pub fn heads(&self) -> Vec<KeyId> {
        let circling = self.circling();
        let is_wrapped = |id: &KeyId| {
            let wrapped_by = self.wrapped_by(id);
            let mut held = wrapped_by.iter().filter(|by| self.held.contains_key(by));
            held.any(|by| !circling.contains(id) || !circling.contains(by))
        };
        self.held.keys().filter(|id| !is_wrapped(id)).copied().collect()
    }

    /// The keys that a key wraps.
    fn wraps(&self, key: &KeyId) -> Vec<KeyId> {
        self.facts.get(key).into_iter().flat_map(|facts| &facts.wraps).copied().collect()
    }

    /// The keys that wrap a key.
    fn wrapped_by(&self, key: &KeyId) -> Vec<KeyId> {
        self.facts.get(key).into_iter().flat_map(|facts| heeded(&facts.wrapped_by)).copied().collect()
    }

    /// The keys in circles of wraps, and those between two circles.
    fn circling(&self) -> BTreeSet<KeyId> {
        let all = self.facts.keys().copied().collect();
        let (above, _) = without_ends(all, |id| self.wraps(id), |id| self.wrapped_by(id));
        without_ends(above, |id| self.wrapped_by(id), |id| self.wraps(id)).0
    }

    /// The longest line of wrapped keys below each key. Below one that leads into a circle there is no longest: it has
    /// more than any other.
    fn depths(&self) -> BTreeMap<KeyId, usize> {
        let all = self.facts.keys().copied().collect();
        let (endless, ends) = without_ends(all, |id| self.wraps(id), |id| self.wrapped_by(id));
        let mut depths: BTreeMap<KeyId, usize> = endless.iter().map(|id| (*id, usize::MAX)).collect();
        for id in ends {
            let wrapped = self.facts.get(&id).into_iter().flat_map(|facts| &facts.wraps);
            let below = wrapped.filter_map(|wrapped| depths.get(wrapped)).max();
            let depth = below.map_or(0, |below| below + 1);
            depths.insert(id, depth);
        }
        depths
    }

    /// K2: whether everybody a key was given to is a live reader or a sealable ticket. Who joined by a ticket is not
    /// asked about: while it is sealable, anyone who has its text may read, whether they left or never came; once it
    /// is not, the ticket itself makes the key unfit.
    pub fn fit(&self, key: &KeyId, roster: &Roster, now: TimeMs) -> bool {
        let facts = self.facts.get(key);
        // Readers make no keys.
        facts.is_some_and(|facts| facts.authors.iter().any(|author| roster.writes(author)))
            && self.given_to(key, roster).iter().all(|knower| match knower {
                Knower::Peer(peer) => roster.reads(peer),
                Knower::Ticket(id) => roster.tickets.get(id).is_some_and(|state| state.sealable(now)),
                Knower::Unknown(_) => false,
            })
    }

    /// K7: whether by what lies in the past of these entries a key was known to somebody who was out, or to a ticket that
    /// was closed: whoever wrote after them could have known. Clocks decide nothing here.
    pub fn unfit_before(&self, key: &KeyId, after: &[EntryId], dag: &Dag, roster: &Roster) -> bool {
        let past = dag.past(after.iter().copied());
        let seen = |id: &EntryId| past.contains(id);
        let mut stack = vec![*key];
        let mut looked_at = BTreeSet::new();
        while let Some(at) = stack.pop() {
            let Some(facts) = self.facts.get(&at).filter(|_| looked_at.insert(at)) else { continue };
            let mut given = facts.sealed_to.iter().filter(|(_, given)| seen(&given.by));
            if given.any(|(to, _)| self.gifts.is_stranger(dag, roster, &seen, to, &self.card_owners)) {
                return true;
            }
            stack.extend(facts.wrapped_by.iter().filter(|(_, given)| seen(&given.by)).map(|(by, _)| *by));
        }
        false
    }

    /// K3: the deepest fit key this node can open.
    pub fn fit_key(&self, roster: &Roster, now: TimeMs) -> Option<KeyId> {
        let fit = self.held.keys().filter(|id| self.fit(id, roster, now));
        let depths = self.depths();
        fit.max_by_key(|id| (depths.get(id), **id)).copied()
    }

    /// Cards of live readers and sealable tickets to which a key was never given, directly or under a key that wraps
    /// it. A card counts by its sealing key: a reader who lost a store knows nothing by the cards of before.
    pub fn unaware(&self, key: &KeyId, roster: &Roster, now: TimeMs) -> Vec<Recipient> {
        let mut sealed_to: BTreeSet<RecipientId> = BTreeSet::new();
        self.each_wrapping(key, |facts| sealed_to.extend(heeded(&facts.sealed_to)));
        let pair = |to: &RecipientId| Some((*self.card_owners.get(to)?, *self.card_keys.get(to)?));
        let mut opened_by: BTreeSet<(PeerId, PublicSealingKey)> = sealed_to.iter().filter_map(pair).collect();
        for (ticket, state) in &roster.tickets {
            if sealed_to.contains(&state.ticket.recipient()) {
                opened_by.extend(self.joined_keys.get(ticket).into_iter().flatten());
            }
        }
        let mut recipients = recipients(roster, now);
        let wants = |one: &Recipient| {
            roster.cards.get(&one.to).is_some_and(|peer| self.wants.contains_key(&(*key, *peer)))
        };
        recipients.retain(|one| match one.ticket {
            Some(_) => !sealed_to.contains(&one.to),
            None => pair(&one.to).is_none_or(|pair| !opened_by.contains(&pair)) || wants(one),
        });
        recipients
    }

    /// Who wrote the rekey of a key.
    pub fn author(&self, key: &KeyId) -> Option<PeerId> {
        self.facts.get(key).and_then(|facts| facts.author)
    }
}

/// Those to whom something was given so that it counts.
fn heeded<K>(given: &BTreeMap<K, Given>) -> impl Iterator<Item = &K> {
    given.iter().filter(|(_, given)| given.heeded).map(|(to, _)| to)
}

/// What is left of a graph when whatever leads nowhere is taken away, again and again; and what was taken, in that order.
/// `to` gives where something leads to, `from` from where one comes to it.
fn without_ends(
    mut left: BTreeSet<KeyId>,
    to: impl Fn(&KeyId) -> Vec<KeyId>,
    from: impl Fn(&KeyId) -> Vec<KeyId>,
) -> (BTreeSet<KeyId>, Vec<KeyId>) {
    let leads = |id: &KeyId| to(id).iter().filter(|id| left.contains(id)).count();
    let mut ways: BTreeMap<KeyId, usize> = left.iter().map(|id| (*id, leads(id))).collect();
    let mut ends: Vec<KeyId> = ways.iter().filter(|(_, ways)| **ways == 0).map(|(id, _)| *id).collect();
    let mut next = 0;
    while let Some(end) = ends.get(next).copied() {
        next += 1;
        left.remove(&end);
        for before in from(&end) {
            if let Some(ways) = ways.get_mut(&before) {
                *ways -= 1;
                if *ways == 0 {
                    ends.push(before);
                }
            }
        }
    }
    (left, ends)
}

/// Everyone a room key should be sealed to: the cards of live readers, and sealable tickets.
pub fn recipients(roster: &Roster, now: TimeMs) -> Vec<Recipient> {
    let cards = roster.members.values().flat_map(|member| &member.cards).map(|signed| Recipient {
        to: signed.card.id(),
        public: signed.card.sealing_key,
        ticket: None,
    });
    let open = roster.tickets.iter().filter(|(_, state)| state.sealable(now));
    let tickets = open.map(|(id, state)| Recipient {
        to: state.ticket.recipient(),
        public: state.ticket.sealing_key,
        ticket: Some(*id),
    });
    cards.chain(tickets).collect()
}
