//! Any text as an id or a ticket: reading never panics, and what is read is written the same way again.

use parlor_wire::ticket::{self, TicketText};
use parlor_wire::{EntryId, KeyId, PeerId, RecipientId, RoomId, limits};

/// One input.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    macro_rules! id {
        ($($name:ident),*) => {$(
            if let Ok(id) = text.parse::<$name>() {
                assert_eq!(id.to_string(), text, "one id, one text");
            }
        )*};
    }
    id!(PeerId, RoomId, EntryId, KeyId, RecipientId);
    let _ = ticket::looks_like_ticket(&text);
    if let Ok(ticket) = TicketText::parse(&text) {
        let again = ticket.to_text();
        assert!(again.len() <= limits::MAX_TICKET_CHARS);
        // Addresses of a family this version does not know are not written again.
        let read = TicketText::parse(&again).map(|read| (read.room, read.seed, read.relay));
        assert_eq!(read, Ok((ticket.room, ticket.seed, ticket.relay)));
    }
}
