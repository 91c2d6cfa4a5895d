//! What must hold of every set of acts, whatever its authors had seen and however it arrives. Writes only the grants
//! that repair the key schedule.

use std::collections::BTreeSet;
use std::rc::Rc;

use parlor_core::keys::{KeyRing, Opener};
use parlor_wire::control::ControlBody;
use parlor_wire::roster::{Dag, Insert, Roster};
use parlor_wire::{EntryId, KeyId};

use super::acts::{Act, Written};
use super::orders::arrivals;
use super::room::{ALICE, BOB, BOBS_TICKET, CAROL, CAROLS_TICKET, EVERYBODY, NEW_TICKET, NOW, Room};

/// Rounds of grants within which everybody must have what they may have.
const REPAIR_ROUNDS: usize = 4;

/// Some acts, who had seen which, and their entries.
pub struct History<'a> {
    pub room: &'a Room,
    pub acts: &'a [Act],
    pub pasts: &'a [u8],
    pub entries: Vec<Rc<Written>>,
}

impl History<'_> {
    /// Checks everything; how many states it went through.
    pub fn check(&self) -> usize {
        let (dag, roster, states) = self.arrive();
        self.check_memberships(&roster);
        self.check_tickets(&roster);
        self.check_own_keys();
        self.check_outsiders(&dag, None);
        let repaired = self.repair(&dag);
        assert_eq!(Roster::fold(&repaired), roster, "grants change nobody's place: {}", self.told());
        self.check_insiders(&repaired, &roster);
        self.check_outsiders(&repaired, Some(&roster));
        states
    }

    fn told(&self) -> String {
        format!("{:?} with pasts {:?}", self.acts, self.pasts)
    }

    fn at(&self, act: Act) -> Option<usize> {
        self.acts.iter().position(|one| *one == act)
    }

    fn has_seen(&self, later: usize, earlier: usize) -> bool {
        self.pasts[later] & (1 << earlier) != 0
    }

    /// The tickets whose texts somebody holds.
    fn texts(&self, who: usize) -> Vec<usize> {
        match who {
            BOB if self.at(Act::BobByNew).is_some() => vec![BOBS_TICKET, NEW_TICKET],
            BOB => vec![BOBS_TICKET],
            CAROL => vec![CAROLS_TICKET],
            _ => Vec::new(),
        }
    }

    /// The same set is the same room, in whatever order it came; a set is every state of the histories beyond it.
    fn arrive(&self) -> (Dag, Roster, usize) {
        let mut first: Option<(Dag, Roster, Vec<View>)> = None;
        let mut states = 0;
        for (turn, order) in arrivals(self.pasts).into_iter().enumerate() {
            let mut dag = self.room.base.clone();
            // All keep a key ring in the first order, and one of them, in turn, in each other: opening takes time.
            let keeps = |who: &usize| turn == 0 || turn % EVERYBODY.len() == *who;
            let mut rings: Vec<(usize, KeyRing)> = EVERYBODY
                .into_iter()
                .filter(keeps)
                .map(|who| (who, self.room.ring_restored(who, &self.texts(who), &dag)))
                .collect();
            for at in order {
                assert!(matches!(dag.insert(self.entries[at].control.clone()), Insert::In(_)));
                states += 1;
                for (who, ring) in &mut rings {
                    self.room.read(ring, *who, &self.texts(*who), &dag);
                }
            }
            let roster = Roster::fold(&dag);
            let views: Vec<View> = rings.iter().map(|(_, ring)| View::of(ring, &dag, &roster)).collect();
            let Some((_, same, same_views)) = &first else {
                first = Some((dag, roster, views));
                continue;
            };
            assert_eq!(roster, *same, "the order of arrival decides who is in: {}", self.told());
            for ((who, _), view) in rings.iter().zip(views) {
                assert_eq!(view, same_views[*who], "the order of arrival decides keys: {}", self.told());
            }
        }
        let (dag, roster, views) = first.unwrap();
        self.check_agreement(&dag, &roster, &views);
        self.arrive_backwards(&roster);
        (dag, roster, states)
    }

    /// A key ring holds what its secrets open, and who is in and holds the same seals under the same.
    fn check_agreement(&self, dag: &Dag, roster: &Roster, views: &[View]) {
        for (who, view) in views.iter().enumerate() {
            let opened = self.room.opens(&self.room.secrets(who, &self.texts(who)), dag);
            let held: Vec<KeyId> = opened.into_keys().collect();
            assert_eq!(view.held, held, "{who} holds other keys than can be opened: {}", self.told());
        }
        for (who, view) in views.iter().enumerate().filter(|(who, _)| roster.reads(&self.room.peer(*who))) {
            if view.held == views[ALICE].held {
                assert_eq!(view.fit, views[ALICE].fit, "{who} seals otherwise: {}", self.told());
            }
        }
    }

    /// Children before their parents: they wait, and come to the same.
    fn arrive_backwards(&self, roster: &Roster) {
        let mut dag = self.room.base.clone();
        let order = arrivals(self.pasts).pop().unwrap_or_default();
        for at in order.into_iter().rev() {
            let insert = dag.insert(self.entries[at].control.clone());
            assert!(matches!(insert, Insert::In(_) | Insert::Waits), "{insert:?}: {}", self.told());
        }
        assert_eq!(Roster::fold(&dag), *roster, "children before parents: {}", self.told());
    }

    /// Exactly those joins count that R4, R5, R7 and R8 say: an old ticket brings nobody back who was put out.
    fn check_memberships(&self, roster: &Roster) {
        let mut expected: BTreeSet<EntryId> =
            [EntryId::from(self.room.base.iter().next().unwrap().room())].into();
        let leave = self.at(Act::Leave);
        let bobs = [
            (Some(self.room.bobs_join), None, BOBS_TICKET),
            (self.id_of(Act::BobByOld), self.at(Act::BobByOld), BOBS_TICKET),
            (self.id_of(Act::BobByNew), self.at(Act::BobByNew), NEW_TICKET),
        ];
        for (id, join, ticket) in bobs.into_iter().filter_map(|(id, at, ticket)| Some((id?, at, ticket))) {
            let left = leave.is_some_and(|leave| join.is_none_or(|join| self.has_seen(leave, join)));
            if !left && self.counts(join, ticket) {
                expected.insert(id);
            }
        }
        if let Some(own) = self.at(Act::OwnBob)
            && !leave.is_some_and(|leave| self.has_seen(leave, own))
        {
            expected.insert(self.entries[own].control.id);
        }
        if let Some(join) = self.at(Act::CarolJoins)
            && self.at(Act::CloseCarols).is_none_or(|close| self.has_seen(close, join))
        {
            expected.insert(self.entries[join].control.id);
        }
        let live: BTreeSet<EntryId> = roster.memberships.keys().copied().collect();
        assert_eq!(live, expected, "who is in: {}", self.told());
    }

    /// Exactly those tickets are closed that a close names, or by which came whom a remove names (R4).
    fn check_tickets(&self, roster: &Roster) {
        let removes = || (0..self.acts.len()).filter(|at| self.acts[*at].removes());
        let by_new = self.at(Act::BobByNew);
        let expected = [
            removes().next().is_some(),
            self.at(Act::CloseCarols).is_some(),
            removes().any(|remove| by_new.is_some_and(|join| self.has_seen(remove, join))),
        ];
        for (ticket, closed) in expected.into_iter().enumerate() {
            let found = roster.ticket_by_recipient(&self.room.ticket_recipient(ticket));
            let there = ticket != NEW_TICKET || self.at(Act::NewTicket).is_some();
            let said = found.map(|(_, state)| state.closed);
            assert_eq!(said, there.then_some(closed), "whether {ticket} is closed: {}", self.told());
        }
    }

    fn id_of(&self, act: Act) -> Option<EntryId> {
        self.at(act).map(|at| self.entries[at].control.id)
    }

    /// Whether a join of Bob's counts, leaving aside; the one before all acts has no place among them.
    fn counts(&self, join: Option<usize>, ticket: usize) -> bool {
        let made = self.at(Act::NewTicket).filter(|_| ticket == NEW_TICKET);
        let mut removes = (0..self.acts.len()).filter(|at| self.acts[*at].removes());
        removes.all(|remove| {
            let ticket_knew = made.is_some_and(|made| self.has_seen(made, remove));
            let came = |act| self.at(act).is_some_and(|at| self.has_seen(remove, at));
            let closes = ticket == BOBS_TICKET || came(Act::BobByNew);
            let stays = join.is_none_or(|join| self.has_seen(remove, join));
            ticket_knew && (!closes || stays)
        })
    }

    /// A key is fit to whoever just made it; else every message would make another.
    fn check_own_keys(&self) {
        for entry in &self.entries {
            let Some(key) = entry.key() else { continue };
            let ring = self.room.ring_restored(ALICE, &[], &entry.dag);
            assert!(ring.fit(&key, &entry.roster, NOW), "its maker may not use it: {}", self.told());
        }
    }

    /// Whether somebody is out: no member, and with the text of no ticket that is still good for joining.
    fn is_out(&self, who: usize, roster: &Roster) -> bool {
        let good = |ticket: &usize| {
            let found = roster.ticket_by_recipient(&self.room.ticket_recipient(*ticket));
            found.is_some_and(|(_, state)| state.sealable(NOW))
        };
        !roster.reads(&self.room.peer(who)) && !self.texts(who).iter().any(good)
    }

    /// Who was out to the maker of a key, and to all who saw the key, neither is sealed it nor opens it. Once it is
    /// repaired, whoever is in gets everything, by the roster of the whole.
    fn check_outsiders(&self, dag: &Dag, repaired: Option<&Roster>) {
        for who in [BOB, CAROL] {
            if repaired.is_some_and(|roster| !self.is_out(who, roster)) {
                continue;
            }
            let secrets = self.room.secrets(who, &self.texts(who));
            let opened = self.room.opens(&secrets, dag);
            for (at, entry) in self.entries.iter().enumerate() {
                let Some(rekey) = entry.control.body.rekey() else { continue };
                let saw = |other: usize| other == at || self.has_seen(other, at);
                let in_to_nobody = (0..self.acts.len())
                    .filter(|other| saw(*other))
                    .all(|other| self.is_out(who, &self.entries[other].roster));
                if !in_to_nobody {
                    continue;
                }
                let sealed = rekey.seals.iter().any(|seal| secrets.iter().any(|own| own.to == seal.to));
                let repaired = if repaired.is_some() { "repaired" } else { "as it came" };
                assert!(!sealed, "{who} is sealed a key of {at}, {repaired}: {}", self.told());
                assert!(!opened.contains_key(&rekey.key), "{who} opens {at}, {repaired}: {}", self.told());
            }
        }
    }

    /// K5 until nobody finds anything to do.
    fn repair(&self, dag: &Dag) -> Dag {
        let mut dag = dag.clone();
        for _ in 0..REPAIR_ROUNDS {
            let before = dag.len();
            for who in EVERYBODY {
                self.grant_missing(who, &mut dag);
            }
            if dag.len() == before {
                return dag;
            }
        }
        panic!("repairs do not end: {}", self.told());
    }

    fn grant_missing(&self, who: usize, dag: &mut Dag) {
        let roster = Roster::fold(dag);
        if !roster.writes(&self.room.peer(who)) {
            return;
        }
        let ring = self.room.ring_restored(who, &self.texts(who), dag);
        for key in ring.heads() {
            let lacking = ring.unaware(&key, &roster, NOW);
            if lacking.is_empty() {
                continue;
            }
            let body = ControlBody::Grant(self.room.grant(who, &ring, &key, &lacking));
            let membership = self.room.membership(who, &roster);
            let grant = self.room.sign(who, dag, membership, body, None);
            assert!(matches!(dag.insert(grant), Insert::In(_)));
        }
    }

    /// Every live reader, and whoever holds a ticket that is good, opens every key there is, and knows that it does.
    fn check_insiders(&self, dag: &Dag, roster: &Roster) {
        let keys: BTreeSet<KeyId> =
            dag.iter().filter_map(|control| control.body.rekey()).map(|rekey| rekey.key).collect();
        for who in EVERYBODY.into_iter().filter(|who| roster.reads(&self.room.peer(*who))) {
            let secrets = self.room.secrets(who, &self.texts(who));
            let opened: BTreeSet<KeyId> = self.room.opens(&secrets, dag).into_keys().collect();
            assert_eq!(opened, keys, "{who} lacks a key: {}", self.told());
        }
        for ticket in [BOBS_TICKET, CAROLS_TICKET, NEW_TICKET] {
            let found = roster.ticket_by_recipient(&self.room.ticket_recipient(ticket));
            if found.is_some_and(|(_, state)| state.sealable(NOW)) {
                let secrets: Vec<Opener<'_>> = self.room.secrets(ALICE, &[ticket]).split_off(1);
                let opened: BTreeSet<KeyId> = self.room.opens(&secrets, dag).into_keys().collect();
                assert_eq!(opened, keys, "ticket {ticket} lacks a key: {}", self.told());
            }
        }
    }
}

/// What one holds, what of it is heads, and what one would seal under.
#[derive(Debug, PartialEq, Eq)]
struct View {
    held: Vec<KeyId>,
    heads: Vec<KeyId>,
    fit: Option<KeyId>,
}

impl View {
    fn of(ring: &KeyRing, dag: &Dag, roster: &Roster) -> Self {
        let keys: BTreeSet<KeyId> =
            dag.iter().filter_map(|control| control.body.rekey()).map(|rekey| rekey.key).collect();
        let held = keys.into_iter().filter(|key| ring.get(key).is_some()).collect();
        Self { held, heads: ring.heads(), fit: ring.fit_key(roster, NOW) }
    }
}
