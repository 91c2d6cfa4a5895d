//! Questions and what is urgent, as surfaces see them. Read-only, and every text of others is clean.

use parlor_wire::{EntryId, RoomId};

use super::Urgent;
use crate::engine::Engine;
use crate::engine::api::{AskView, Listener, TakeRoom, UrgentView};
use crate::engine::quiet::budget_chars;

impl Engine {
    /// What does not wait for a session's prompt, of these rooms; of one whose budget is spent, questions to this session
    /// until the reserve is.
    pub fn urgent(&self, rooms: &[TakeRoom], to: &Listener) -> Vec<UrgentView> {
        let of_room = |heard: &TakeRoom| {
            let budget = budget_chars(&to.budgets, heard.room);
            let (spent, reserve_spent) =
                (self.has_spent(heard.room, budget), self.has_spent_reserve(heard.room, budget));
            let may = move |view: &UrgentView| !spent || (view.asks && view.to_you && !reserve_spent);
            self.urgent_in(heard.room, to).into_iter().filter(may)
        };
        rooms.iter().flat_map(of_room).collect()
    }

    /// Whether something is held out to a session that is not known yet to have been written out.
    pub fn is_being_given(&self, session: &str) -> bool {
        self.deliveries.is_leased(session)
    }

    /// A question that is remembered.
    pub fn ask(&self, id: &EntryId) -> Option<AskView> {
        let (at, urgent) = self.urgents.ask(id)?;
        Some(self.ask_view(*at, urgent))
    }

    /// The questions of a room that nobody has answered, oldest first: those asked here, and those that are for this identity
    /// or for all.
    pub fn unanswered(&self, room: &RoomId) -> Vec<AskView> {
        let open = self.urgents.in_room(*room).filter(|(_, urgent)| {
            let record = &urgent.record;
            let for_others = record.peers.as_ref().is_some_and(|peers| !peers.contains(&self.me));
            record.asks_ms.is_some() && record.answered == 0 && (record.peer == self.me || !for_others)
        });
        open.map(|(at, urgent)| self.ask_view(*at, urgent)).collect()
    }

    fn ask_view(&self, (room, arrival): (RoomId, u64), urgent: &Urgent) -> AskView {
        let record = &urgent.record;
        AskView {
            room,
            id: record.id,
            chain: record.chain,
            seq: record.seq,
            arrival,
            peer: record.peer,
            name: self.name_of(room, record.peer),
            origin: record.origin.clone(),
            label: record.label.as_deref().map(|label| self.session_shown(&room, label)),
            begins: record.begins.clone().unwrap_or_default(),
            own: record.peer == self.me,
            deadline: record.deadline.unwrap_or_default(),
            peers: record.peers.clone(),
            tags: record.tags.clone(),
            reached: self.acknowledged(&room, &record.chain, record.seq),
            open: urgent.is_open(self.now.mono_ms),
            answered: record.answered,
            answers: record.answers.clone(),
            to: record.to.as_deref().map(|to| self.session_shown(&room, to)),
            to_all: urgent.is_to_all(self.direct_peer(&room).is_some()),
        }
    }
}
