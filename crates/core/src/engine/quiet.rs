//! Who is disturbed by a message, and who only finds it in the log: for which session it is. Pure but for what the engine
//! holds of rooms; must not give anything itself and must not move a cursor.

use parlor_wire::RoomId;

use super::Engine;
use super::api::MessageView;
use crate::text::clean::CleanText;
use crate::text::names;
use crate::text::session_name::SessionName;

/// Whether a message is for a session that is called so: for all of this identity's, or for it by name. Of a room that
/// stays here all is this identity's own, and one session of it may mean another.
pub(super) fn is_for(view: &MessageView, stays_here: bool, session: Option<&str>) -> bool {
    let (Some(to), Some(session)) = (&view.to, session) else { return true };
    is_to(to.as_str(), view.own, stays_here, session)
}

/// Whether what is addressed so, by this identity or another, is for the session that is called so.
pub(super) fn is_to(to: &str, own: bool, stays_here: bool, session: &str) -> bool {
    let session = SessionName::of(session);
    if stays_here { SessionName::of(to).means(&session) } else { !own && to == session.label }
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
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::engine::api::{Author, Priority};
    use crate::text::{Mode, clean};
    use parlor_wire::{EntryId, PeerId};

    fn view(own: bool, to: Option<&str>) -> MessageView {
        let text = |text: &str| clean(text, Mode::Body);
        MessageView {
            room: RoomId([1; 32]),
            id: EntryId([2; 32]),
            peer: PeerId([3; 32]),
            name: text("alice"),
            session: None,
            author: Author::Agent,
            time_ms: 0,
            sort_ms: 0,
            arrival: 1,
            priority: Priority::Normal,
            text: text("hi"),
            own,
            newer: false,
            to: to.map(text),
            peers: Vec::new(),
            ask: None,
            about: None,
            revoked: false,
            sealed_unfit: false,
            file: None,
        }
    }

    #[test]
    fn on_one_machine_one_session_means_another_by_name_and_elsewhere_none_means_its_own() {
        let (whole, other) = (Some("claude/api~f86f"), Some("codex/api~aaaa"));
        for to in ["api", "claude/api", "claude/api~f8"] {
            assert!(is_for(&view(true, Some(to)), true, whole), "{to}");
        }
        assert!(!is_for(&view(true, Some("claude/api")), true, other));
        assert!(is_for(&view(true, Some("api")), true, other), "both are called so");
        assert!(!is_for(&view(true, Some("api")), false, whole), "one's own word to another's session");
        assert!(is_for(&view(false, Some("api")), false, whole));
        assert!(!is_for(&view(false, Some("web")), false, whole));
        assert!(is_for(&view(true, None), true, whole) && is_for(&view(true, Some("web")), true, None));
    }
}
