//! Who is disturbed by a message, and who only finds it in the log: for which session it is, at which level, through how
//! many agents it came, how much a room may cost. Must not give anything itself and must not move a cursor.

mod digest;
mod pairs;
mod spent;

use parlor_wire::{PeerId, RoomId, limits};

use super::Engine;
use super::api::{Author, Level, MessageView, Moment, Priority, SpentView, Take};
use crate::text::clean::CleanText;
use crate::text::mention::{Called, is_mentioned};
use crate::text::names;
use crate::text::session_name::SessionName;
pub(super) use digest::{DIGEST_ABOVE, DIGEST_ROWS, Digest, MAX_DIGEST_BYTES};
pub(super) use pairs::Pairs;
pub(super) use spent::Spent;

/// Of whom a message wants to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// The session it is given to.
    You,
    /// Whoever hears the room.
    All,
    /// Others, though it may be read.
    Others,
}

/// Whether a session that is called so is the one a message names: for all of this identity's, or for it by name. Of a room that
/// stays here all is this identity's own, and one session of it may mean another.
pub(super) fn is_named(to: &str, own: bool, stays_here: bool, session: Option<&str>) -> bool {
    let Some(session) = session.map(SessionName::of) else { return true };
    if stays_here { SessionName::of(to).means(&session) } else { !own && to == session.label }
}

/// How much of a room is given in a day.
pub(super) fn budget_chars(budgets: &[(RoomId, u64)], room: RoomId) -> u64 {
    let set = budgets.iter().find(|(of, _)| *of == room).map(|(_, chars)| *chars);
    set.unwrap_or(limits::USUAL_BUDGET_CHARS)
}

/// Whether two names on one machine may be one session's: each is as long as it had to be when it was written.
pub(super) fn may_be_one(name: &str, other: &str) -> bool {
    let (name, other) = (SessionName::of(name), SessionName::of(other));
    name.means(&other) || other.means(&name)
}

/// Whether a message is for a session that is called so.
pub(super) fn is_for(view: &MessageView, stays_here: bool, session: Option<&str>) -> bool {
    view.to.as_ref().is_none_or(|to| is_named(to.as_str(), view.own, stays_here, session))
}

impl Engine {
    /// Whether a room never leaves this node.
    pub(super) fn stays_here(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|held| held.local.stays_here)
    }

    /// Whether a session of this identity may be spoken to alone in a room.
    pub(super) fn has_some_for_others(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|held| held.local.stays_here || held.local.direct.is_some())
    }

    /// What a session is called in a room, cleaned: by its label, or where there are only sessions of one machine by its name
    /// there.
    pub(super) fn session_shown(&self, room: &RoomId, text: &str) -> CleanText {
        if self.stays_here(room) { SessionName::of(text).shown() } else { names::session_label(text) }
    }

    /// Of whom a message wants to be heard that a session may be given.
    pub(super) fn aim(&self, view: &MessageView, take: &Take) -> Aim {
        let named = [
            view.to.is_some() && is_for(view, self.stays_here(&view.room), take.label.as_deref()),
            view.tags.iter().any(|tag| take.tags.contains(tag)),
            !view.own && view.peers.contains(&self.me),
        ];
        let is_for_some = view.to.is_some() || !view.tags.is_empty() || !view.peers.is_empty();
        match (named.contains(&true), is_for_some) {
            (true, _) => Aim::You,
            (false, true) => Aim::Others,
            (false, false) if self.direct_peer(&view.room).is_some() && !view.own => Aim::You,
            (false, false) => Aim::All,
        }
    }

    /// Whether it is addressed to the session, or names it.
    pub(super) fn concerns(&self, view: &MessageView, take: &Take) -> bool {
        match self.aim(view, take) {
            Aim::You => true,
            Aim::Others => false,
            Aim::All => {
                let session = SessionName::of(take.label.as_deref().unwrap_or_default());
                let called = Called { nick: &self.nick, session: &session, tags: &take.tags };
                is_mentioned(view.text.as_str(), &called)
            }
        }
    }

    /// Whether a message is told by number alone: one of low priority, an acknowledgement, one of somebody whom the session is not to
    /// hear, for others, below the level of its room, or one that has become nobody's business but the asker's.
    pub(super) fn is_counted_only(&self, view: &MessageView, take: &Take) -> bool {
        let below = || match take.level(view.room) {
            Level::All => false,
            Level::Mentions => !self.concerns(view, take),
            Level::Asks => view.ask.is_none() || !self.concerns(view, take),
            Level::None => true,
        };
        view.priority < Priority::GIVEN_AT_PROMPT
            || view.form.is_some()
            || take.deny.contains(&(view.room, view.peer))
            || self.aim(view, take) == Aim::Others
            || (view.priority == Priority::Normal && self.is_settled_for(view, take))
            || below()
    }

    /// Whether so much of a room was given today that what is unread is only counted. Who asks by itself is given it.
    pub(super) fn is_spent(&self, take: &Take, room: RoomId) -> bool {
        take.moment != Moment::Check && self.has_spent(room, budget_chars(&take.budgets, room))
    }

    /// Whether the reserve is used up as well, which is for questions to the session alone.
    pub(super) fn is_reserve_spent(&self, take: &Take, room: RoomId) -> bool {
        take.moment != Moment::Check && self.has_spent_reserve(room, budget_chars(&take.budgets, room))
    }

    pub(super) fn has_spent(&self, room: RoomId, budget: u64) -> bool {
        self.spent.today(room, self.now.wall_ms) >= budget
    }

    pub(super) fn has_spent_reserve(&self, room: RoomId, budget: u64) -> bool {
        self.has_spent(room, budget.saturating_add(budget / limits::RESERVE_PART))
    }

    /// What was given of rooms, to which session, in characters.
    pub fn spent(&self) -> Vec<SpentView> {
        self.spent.all(self.now.wall_ms)
    }

    /// How often this author's session may still disturb a session here in this hour.
    pub(super) fn may_disturb(&self, session: &str, peer: PeerId, label: Option<&str>) -> usize {
        self.pairs.left(session, peer, label, self.now.mono_ms)
    }

    /// How often all of this author's sessions may. What sessions of this identity are called is known.
    pub(super) fn may_peer_disturb(&self, session: &str, peer: PeerId) -> usize {
        if peer == self.me { usize::MAX } else { self.pairs.left_of_peer(session, peer, self.now.mono_ms) }
    }

    /// What is left to be remembered of messages that were given: who disturbed whom, and through how many agents they came.
    pub(super) fn note_given(&mut self, session: &str, noted: Noted) {
        for (room, chars) in noted.chars {
            self.spent.add(room, session, chars, self.now.wall_ms, &mut self.ops);
        }
        for (peer, label) in noted.disturbed_by {
            self.pairs.note(session, peer, label, self.now.mono_ms);
        }
        if noted.hops > 0 {
            self.pairs.heard(session, noted.hops, self.now.mono_ms);
        }
    }
}

/// What is remembered of a text once it was written out.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// How much of which room.
    pub chars: Vec<(RoomId, u64)>,
    /// Whose sessions have disturbed the one it was given to.
    pub disturbed_by: Vec<(PeerId, Option<String>)>,
    /// The most agents in a row it came through; 0 where it came with a human's prompt.
    pub hops: u8,
}

impl Noted {
    /// Of these messages of one room, given at such a moment.
    pub(super) fn add(&mut self, views: &[&MessageView], chars: u64, take: &Take) {
        let Some(first) = views.first() else { return };
        self.chars.push((first.room, chars));
        if take.moment.is_between_prompts() {
            let by = views
                .iter()
                .map(|view| (view.peer, view.session.as_ref().map(|label| label.as_str().to_owned())));
            self.disturbed_by.extend(by);
        }
        // What comes with a human's own words is answered for that human.
        if !take.by_human {
            let agents = views.iter().filter(|view| view.author == Author::Agent);
            self.hops = agents.map(|view| view.hops).max().unwrap_or(0).max(self.hops);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
