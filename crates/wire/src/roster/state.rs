//! What the fold gives: members, tickets, chains. Plain data with the questions everybody asks of it; must not read
//! an entry.

use std::collections::{BTreeMap, BTreeSet};

use crate::TimeMs;
use crate::card::SignedCard;
use crate::control::{Cut, Role, Ticket};
use crate::data;
use crate::ids::{EntryId, PeerId, RecipientId};

/// A membership: a genesis, own, join, admit or the opening of a direct room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Whose.
    pub identity: PeerId,
    /// What it gives.
    pub role: Role,
    /// The ticket it came by, if by one.
    pub ticket: Option<EntryId>,
}

/// One identity's live memberships, which act as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The highest role of its memberships.
    pub role: Role,
    /// Its memberships; none yet of one whose direct room only the other has opened.
    pub memberships: BTreeSet<EntryId>,
    /// The cards room keys are sealed to: unsuperseded, newest first, at most four.
    pub cards: Vec<SignedCard>,
}

/// A ticket that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketState {
    /// Its owner.
    pub author: PeerId,
    /// What it says.
    pub ticket: Ticket,
    /// Whether somebody closed it.
    pub closed: bool,
    /// How many identities came by it and count.
    pub joins: u32,
}

impl TicketState {
    /// Whether its uses are spent.
    pub fn spent(&self) -> bool {
        self.ticket.uses.is_some_and(|uses| self.joins >= uses)
    }

    /// How many came by it beyond its uses: in a partition more may join, and all count.
    pub fn surplus(&self) -> u32 {
        self.ticket.uses.map_or(0, |uses| self.joins.saturating_sub(uses))
    }

    /// Whether it has expired by the asker's clock.
    pub fn expired(&self, now: TimeMs) -> bool {
        self.ticket.expires.is_some_and(|at| at <= now)
    }

    /// Whether it lets people in, or lets them ask.
    pub fn open(&self, now: TimeMs) -> bool {
        !self.closed && !self.spent() && !self.expired(now)
    }

    /// Whether room keys may be sealed to it (rule K2): open, and everyone who holds it may read at once.
    pub fn sealable(&self, now: TimeMs) -> bool {
        self.open(now) && !self.ticket.approve
    }
}

/// How much of a chain counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    All,
    /// What lies on the way to one of these entries, they included: places and ids.
    Upto(BTreeSet<(u64, EntryId)>),
}

impl Extent {
    /// Up to the cuts that name a chain.
    pub(super) fn upto<'a>(cuts: impl Iterator<Item = &'a Cut>, chain: &EntryId) -> Self {
        Self::Upto(cuts.filter(|cut| cut.chain == *chain).map(|cut| (cut.seq, cut.id)).collect())
    }

    /// Whether nothing counts.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Upto(cuts) if cuts.is_empty())
    }
}

/// Whose data a chain is, and how much of it counts (R10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// Its author.
    pub author: PeerId,
    /// How much of what people read counts.
    pub content: Extent,
    /// How much of the receipts counts.
    pub receipts: Extent,
}

impl ChainState {
    pub(super) fn nothing(author: PeerId) -> Self {
        let nothing = || Extent::Upto(BTreeSet::new());
        Self { author, content: nothing(), receipts: nothing() }
    }

    /// How much of a class counts. What a later Parlor knows is content to this one.
    pub fn extent(&self, class: u8) -> &Extent {
        if class == data::CLASS_RECEIPT { &self.receipts } else { &self.content }
    }
}

/// Who is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Memberships that are live, by the entry that made them.
    pub memberships: BTreeMap<EntryId, Membership>,
    /// Memberships whose owner has left: what they said stays.
    pub left: BTreeMap<EntryId, Membership>,
    /// Memberships that were removed.
    pub removed: BTreeMap<EntryId, Membership>,
    /// Live members.
    pub members: BTreeMap<PeerId, Member>,
    /// Tickets that count.
    pub tickets: BTreeMap<EntryId, TicketState>,
    /// Chains of which something counts.
    pub chains: BTreeMap<EntryId, ChainState>,
    /// Cards by id, of every identity, superseded or not.
    pub cards: BTreeMap<RecipientId, PeerId>,
    /// The last owner has left and said so: nobody rules the room any more.
    pub abandoned: bool,
}

impl Roster {
    /// Whether an identity is a live member who may write (R8).
    pub fn writes(&self, peer: &PeerId) -> bool {
        self.members.get(peer).is_some_and(|member| member.role >= Role::Member)
    }

    /// Whether an identity is live in any role.
    pub fn reads(&self, peer: &PeerId) -> bool {
        self.members.contains_key(peer)
    }

    /// Whether an identity is an owner.
    pub fn owns(&self, peer: &PeerId) -> bool {
        self.members.get(peer).is_some_and(|member| member.role == Role::Owner)
    }

    /// The ticket by which a membership came.
    pub fn ticket_of(&self, membership: &EntryId) -> Option<EntryId> {
        let found = self.memberships.get(membership).or_else(|| self.left.get(membership));
        found.or_else(|| self.removed.get(membership))?.ticket
    }

    /// The live owners.
    pub fn owners(&self) -> impl Iterator<Item = &PeerId> {
        self.members.iter().filter(|(_, member)| member.role == Role::Owner).map(|(peer, _)| peer)
    }

    /// The ticket with that signing key. Owners may write one text's keys twice; closed once, it is closed.
    pub fn ticket_by_key(&self, signing_key: &PeerId) -> Option<(EntryId, &TicketState)> {
        self.ticket_where(|ticket| ticket.signing_key == *signing_key)
    }

    /// The ticket that receives room keys under that id; of several with the same keys a closed one.
    pub fn ticket_by_recipient(&self, recipient: &RecipientId) -> Option<(EntryId, &TicketState)> {
        self.ticket_where(|ticket| ticket.recipient() == *recipient)
    }

    fn ticket_where(&self, is_it: impl Fn(&Ticket) -> bool) -> Option<(EntryId, &TicketState)> {
        let found = self.tickets.iter().filter(|(_, state)| is_it(&state.ticket));
        found.min_by_key(|(_, state)| !state.closed).map(|(id, state)| (*id, state))
    }
}
