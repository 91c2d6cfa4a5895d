//! Any bytes as the content of a ticket, in a text whose checksum holds: reading never panics, and what is read says
//! the same when it is written again.

use data_encoding::Specification;
use parlor_wire::domain;
use parlor_wire::limits;
use parlor_wire::ticket::TicketText;

/// The text that holds these bytes, whatever they are.
pub fn text_of(content: &[u8]) -> String {
    let content = &content[..content.len().min(255)];
    let mut bytes = vec![1, content.len() as u8];
    bytes.extend_from_slice(content);
    let checksum = blake3::derive_key(domain::TICKET_CHECKSUM, &bytes);
    bytes.extend_from_slice(&checksum[..4]);
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    let letters = letters.encoding().expect("32 letters");
    format!("parlor1{}", letters.encode(&bytes))
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Ok(ticket) = TicketText::parse(&text_of(bytes)) else { return };
    assert!(ticket.endpoints.len() <= limits::MAX_TICKET_ENDPOINTS);
    let again = ticket.to_text();
    assert!(again.len() <= limits::MAX_TICKET_CHARS, "{again}");
    assert_eq!(TicketText::parse(&again), Ok(ticket), "{again}");
}
