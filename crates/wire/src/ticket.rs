//! The text of a ticket: `parlor1` and lower-case base32 of version, length, content and checksum, one word, at
//! most 320 characters. Must not derive keys from the seed; core does.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::ids::{PeerId, RoomId};
use crate::{TimeMs, cbor, domain, ids, limits};

/// What every ticket text begins with; the digit is the version of the text form.
pub const PREFIX: &str = "parlor1";
/// In the place of the relay: the room stays in the local network.
pub const LAN: &str = "lan";
/// In the place of the relay: whichever of the default relays its maker is at.
pub const DEFAULT_RELAYS: &str = "default";
const ANY_PREFIX: &str = "parlor";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
/// Characters whose bytes begin with version and length.
const START_CHARS: usize = 8;
/// The fewest characters a ticket has: room and seed, nobody to ask, no expiry.
const FEWEST_CHARS: usize = 7 + 122;

/// Somebody who carries the room, and where they were last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose node.
    pub peer: PeerId,
    /// Where it listened when the ticket was made.
    pub addresses: Vec<SocketAddr>,
}

/// What a ticket text says.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketText {
    /// The room.
    pub room: RoomId,
    /// The seed its signing and sealing keys come from.
    pub seed: Zeroizing<[u8; 32]>,
    /// Who to ask.
    pub endpoints: Vec<Endpoint>,
    /// A relay or hub, as a URL; or one of the words [`LAN`] and [`DEFAULT_RELAYS`].
    pub relay: Option<String>,
    /// When it expires.
    pub expires: Option<TimeMs>,
}

impl std::fmt::Debug for TicketText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TicketText({:?}, {} endpoints)", self.room, self.endpoints.len())
    }
}

/// Why a text is no ticket, in words for whoever pasted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It does not begin like one.
    #[error("this is not a ticket: a ticket is one word that begins with `{PREFIX}`")]
    NotATicket,
    /// It stops early.
    #[error("the ticket is cut short: {have} of {want} characters arrived")]
    Truncated {
        /// Characters there are.
        have: usize,
        /// Characters it says it has.
        want: usize,
    },
    /// Its checksum does not match.
    #[error("the ticket is mistyped: its checksum does not match")]
    Mistyped,
    /// It is of a later form.
    #[error("the ticket was made by a newer Parlor")]
    Newer,
    /// The words around it hold more than one.
    #[error("there is more than one ticket in this text")]
    Several,
}

/// Arrays, not maps: every byte counts here, and the version stands in front.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Content {
    #[n(0)]
    room: RoomId,
    #[n(1)]
    seed: ids::BodyHash,
    #[n(2)]
    endpoints: Vec<ContentEndpoint>,
    #[n(3)]
    expires_s: Option<u64>,
    #[n(4)]
    relay: Option<String>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct ContentEndpoint {
    #[n(0)]
    peer: PeerId,
    #[n(1)]
    addresses: Vec<ByteVec>,
}

impl TicketText {
    /// The text. What does not fit is left out: addresses first, the last first, for mDNS and the node's memory
    /// find an endpoint too; then endpoints, the last first; then the relay.
    pub fn to_text(&self) -> String {
        let mut shown = self.clone();
        shown.endpoints.truncate(limits::MAX_TICKET_ENDPOINTS);
        for endpoint in &mut shown.endpoints {
            endpoint.addresses.truncate(limits::MAX_TICKET_ADDRESSES);
        }
        loop {
            let content = shown.content();
            let bytes = content.len() + 2 + CHECKSUM_BYTES;
            if PREFIX.len() + chars_of(bytes) <= limits::MAX_TICKET_CHARS || !shown.drop_something() {
                return text_of(&content);
            }
        }
    }

    fn drop_something(&mut self) -> bool {
        // The last of those with the most addresses.
        let most = self.endpoints.iter_mut().rev().min_by_key(|endpoint| Reverse(endpoint.addresses.len()));
        most.is_some_and(|endpoint| endpoint.addresses.pop().is_some())
            || self.endpoints.pop().is_some()
            || self.relay.take().is_some()
    }

    fn content(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(cbor::encode(&Content {
            room: self.room,
            seed: ids::BodyHash(*self.seed),
            endpoints: self
                .endpoints
                .iter()
                .map(|endpoint| ContentEndpoint {
                    peer: endpoint.peer,
                    addresses: endpoint.addresses.iter().map(address_bytes).collect(),
                })
                .collect(),
            relay: self.relay.clone(),
            expires_s: self.expires.map(|ms| ms / 1000),
        }))
    }

    /// Reads a ticket out of what somebody pasted: white space, line breaks, upper case and words around it are
    /// forgiven, nothing else.
    pub fn parse(pasted: &str) -> Result<Self, TicketError> {
        let pasted = pasted.to_ascii_lowercase();
        let text = find(&pasted)?;
        let Some(rest) = text.strip_prefix(PREFIX) else {
            let digit = text.as_bytes().get(ANY_PREFIX.len()).copied().unwrap_or(b'0');
            return Err(if digit > b'1' { TicketError::Newer } else { TicketError::NotATicket });
        };
        let bytes = Zeroizing::new(read(rest)?);
        Self::from_content(&bytes[2..bytes.len() - CHECKSUM_BYTES])
    }

    fn from_content(bytes: &[u8]) -> Result<Self, TicketError> {
        // The checksum held, so a shape we do not know is a later one, not a typing error.
        let content: Content = cbor::decode(bytes, 255).map_err(|_| TicketError::Newer)?;
        let too_long = PREFIX.len() + chars_of(2 + bytes.len() + CHECKSUM_BYTES) > limits::MAX_TICKET_CHARS;
        let many = |endpoint: &ContentEndpoint| endpoint.addresses.len() > limits::MAX_TICKET_ADDRESSES;
        let too_many =
            content.endpoints.len() > limits::MAX_TICKET_ENDPOINTS || content.endpoints.iter().any(many);
        let expires = content.expires_s.map(|s| s.checked_mul(1000));
        if too_long || too_many || expires == Some(None) {
            return Err(TicketError::Newer);
        }
        let endpoints = content
            .endpoints
            .into_iter()
            .map(|endpoint| Endpoint {
                peer: endpoint.peer,
                addresses: endpoint.addresses.iter().filter_map(|bytes| address(bytes)).collect(),
            })
            .collect();
        Ok(Self {
            room: content.room,
            seed: Zeroizing::new(content.seed.0),
            endpoints,
            relay: content.relay,
            expires: expires.flatten(),
        })
    }
}

/// Whether a pasted text looks like a ticket, so that it alone on the command line means `join`.
pub fn looks_like_ticket(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    text.strip_prefix(ANY_PREFIX).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The text from where the one ticket in it begins.
fn find(lower: &str) -> Result<&str, TicketError> {
    let mut starts = lower
        .match_indices(ANY_PREFIX)
        .map(|(at, _)| at)
        .filter(|at| lower.as_bytes().get(at + ANY_PREFIX.len()).is_some_and(u8::is_ascii_digit))
        .filter(|at| *at == 0 || !lower.as_bytes()[at - 1].is_ascii_alphanumeric());
    match (starts.next(), starts.next()) {
        (None, _) => Err(TicketError::NotATicket),
        (Some(at), None) => Ok(&lower[at..]),
        (Some(_), Some(_)) => Err(TicketError::Several),
    }
}

/// The bytes of the ticket that `rest` begins with, its prefix taken off: version, length, content, checksum, and
/// the checksum holds.
fn read(rest: &str) -> Result<Vec<u8>, TicketError> {
    let run = Run::new(rest);
    let cut = |want: usize| TicketError::Truncated { have: PREFIX.len() + run.chars.len(), want };
    let Some(start) = run.decode(START_CHARS) else { return Err(run.wrong_or(cut(FEWEST_CHARS))) };
    if start[0] != VERSION {
        // A later form may be longer than its second byte can say, so all there is counts.
        let whole = run.decode(run.chars.len()).filter(|bytes| checksum_holds(bytes));
        return Err(if whole.is_some() { TicketError::Newer } else { TicketError::Mistyped });
    }
    let want = chars_of(2 + usize::from(start[1]) + CHECKSUM_BYTES);
    if run.chars.len() < want {
        return Err(run.wrong_or(cut(PREFIX.len() + want)));
    }
    if !run.may_end_at(want) {
        return Err(TicketError::Mistyped);
    }
    run.decode(want).filter(|bytes| checksum_holds(bytes)).ok_or(TicketError::Mistyped)
}

/// The characters from the beginning of a text that may be a ticket's, white space left out.
struct Run<'a> {
    chars: String,
    /// Which of them stand before white space.
    word_ends: Vec<usize>,
    /// What stands behind them, if anything.
    rest: &'a str,
}

impl<'a> Run<'a> {
    /// Longer than any ticket and the words that might follow it.
    const LIMIT: usize = 2 * limits::MAX_TICKET_CHARS;

    fn new(text: &'a str) -> Self {
        let mut run = Self { chars: String::new(), word_ends: Vec::new(), rest: "" };
        for (at, c) in text.char_indices() {
            if c.is_whitespace() {
                run.word_ends.push(run.chars.len());
            } else if matches!(c, 'a'..='z' | '2'..='7') && run.chars.len() < Self::LIMIT {
                run.chars.push(c);
            } else {
                run.rest = &text[at..];
                break;
            }
        }
        run
    }

    /// The first characters as bytes, if there are so many.
    fn decode(&self, count: usize) -> Option<Vec<u8>> {
        ids::base32().decode(self.chars.get(..count)?.as_bytes()).ok()
    }

    /// Whether a ticket of so many characters may end there: at the end, before white space, or before what is no
    /// letter or digit.
    fn may_end_at(&self, count: usize) -> bool {
        let at_end = self.chars.len() == count && !self.rest.starts_with(char::is_alphanumeric);
        at_end || self.word_ends.contains(&count)
    }

    /// A wrong character inside a word is a typing error; otherwise what is said of the length holds.
    fn wrong_or(&self, error: TicketError) -> TicketError {
        let mut rest = self.rest.chars();
        let inside = !self.word_ends.contains(&self.chars.len());
        let wrong = match (rest.next(), rest.next()) {
            (Some(first), _) if first.is_alphanumeric() => true,
            (Some(_), Some(second)) => second.is_alphanumeric(),
            _ => false,
        };
        if wrong && inside { TicketError::Mistyped } else { error }
    }
}

fn chars_of(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

fn text_of(content: &[u8]) -> String {
    let mut bytes = Zeroizing::new(vec![VERSION, content.len() as u8]);
    bytes.extend_from_slice(content);
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    format!("{PREFIX}{}", ids::base32().encode(&bytes))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::derive_key(domain::TICKET_CHECKSUM, bytes);
    [hash[0], hash[1], hash[2], hash[3]]
}

fn checksum_holds(bytes: &[u8]) -> bool {
    let Some(at) = bytes.len().checked_sub(CHECKSUM_BYTES) else { return false };
    checksum(&bytes[..at]) == bytes[at..]
}

fn address_bytes(address: &SocketAddr) -> ByteVec {
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend_from_slice(&address.port().to_be_bytes());
    bytes.into()
}

fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip = match ip.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ticket(endpoints: usize, addresses: usize) -> TicketText {
        TicketText {
            room: RoomId([1; 32]),
            seed: Zeroizing::new([2; 32]),
            endpoints: (0..endpoints)
                .map(|n| Endpoint {
                    peer: PeerId([n as u8; 32]),
                    addresses: (0..addresses)
                        .map(|a| SocketAddr::from(([192, 168, n as u8, a as u8], 4000 + a as u16)))
                        .collect(),
                })
                .collect(),
            relay: None,
            expires: Some(1_800_000_000_000),
        }
    }

    #[test]
    fn round_trips_within_the_limit() {
        for endpoints in 0..=3 {
            for addresses in 0..=6 {
                let text = ticket(endpoints, addresses).to_text();
                assert!(text.len() <= limits::MAX_TICKET_CHARS, "{}", text.len());
                let read = TicketText::parse(&text).unwrap();
                assert_eq!(read.room, RoomId([1; 32]));
                assert_eq!(read.endpoints.len(), endpoints);
                assert_eq!(read.to_text(), text);
            }
        }
    }

    #[test]
    fn forgives_what_chat_programs_do() {
        let text = ticket(1, 2).to_text();
        let (a, b) = text.split_at(60);
        for pasted in [
            format!("parlor join {text}\n"),
            format!("{a}\n  {b}"),
            text.to_uppercase(),
            format!("  {text}  "),
        ] {
            assert_eq!(TicketText::parse(&pasted).unwrap().to_text(), text, "{pasted}");
        }
    }

    #[test]
    fn forgives_words_and_marks_behind_it() {
        let text = ticket(1, 2).to_text();
        let (a, b) = text.split_at(60);
        for pasted in [
            format!("{text} see you there"),
            format!("({text})"),
            format!("{a}\n{b}\nBob"),
            format!("`{text}`."),
            format!("„{text}“"),
        ] {
            assert_eq!(TicketText::parse(&pasted).unwrap().to_text(), text, "{pasted}");
        }
        assert_eq!(TicketText::parse(&format!("{text}see")), Err(TicketError::Mistyped));
        assert_eq!(TicketText::parse(&format!("{text}1")), Err(TicketError::Mistyped));
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let mut one_more = 0;
        for letters in 0..20 {
            let mut long = ticket(2, 4);
            long.relay = Some(format!("https://{}.example", "r".repeat(letters)));
            let read = TicketText::parse(&long.to_text()).unwrap();
            let kept: Vec<usize> = read.endpoints.iter().map(|endpoint| endpoint.addresses.len()).collect();
            assert!(kept[0] >= kept[1] && kept[0] <= kept[1] + 1, "{kept:?}");
            one_more += usize::from(kept[0] > kept[1]);
            assert_eq!(read.relay, long.relay);
            assert_eq!(read.endpoints[0].addresses[..], long.endpoints[0].addresses[..kept[0]]);
        }
        assert!(one_more > 0, "of two with as many it is the last that loses one");
    }

    #[test]
    fn a_relay_too_long_for_any_ticket_is_left_out_and_spoils_nothing() {
        let mut long = ticket(1, 1);
        long.relay = Some(format!("https://{}.example", "r".repeat(300)));
        let read = TicketText::parse(&long.to_text()).unwrap();
        assert_eq!((read.relay, *read.seed), (None, *long.seed));
    }

    #[test]
    fn says_what_is_wrong() {
        let text = ticket(1, 2).to_text();
        assert_eq!(TicketText::parse("hello"), Err(TicketError::NotATicket));
        assert_eq!(TicketText::parse(&text.replacen('1', "2", 1)), Err(TicketError::Newer));
        assert_eq!(TicketText::parse(&format!("{text} {text}")), Err(TicketError::Several));
        let fewest = TicketText { expires: None, ..ticket(0, 0) }.to_text();
        assert_eq!(fewest.len(), FEWEST_CHARS);
        for cut in PREFIX.len()..text.len() {
            let error = TicketText::parse(&text[..cut]).unwrap_err();
            let want = if cut < PREFIX.len() + START_CHARS { FEWEST_CHARS } else { text.len() };
            assert_eq!(error, TicketError::Truncated { have: cut, want });
        }
    }

    #[test]
    fn a_character_that_no_ticket_has_is_a_typing_error_and_not_an_end() {
        let text = ticket(1, 2).to_text();
        for at in PREFIX.len()..text.len() {
            for wrong in ["0", "1", "8", "-", "é"] {
                let mistyped = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
                let said = match TicketText::parse(&mistyped) {
                    // The last one changed into a mark: what is left looks cut.
                    Err(TicketError::Truncated { .. }) if at + 1 == text.len() && wrong == "-" => continue,
                    other => other,
                };
                assert_eq!(said, Err(TicketError::Mistyped), "{at} {wrong}");
            }
        }
    }

    #[test]
    fn a_later_version_with_its_checksum_is_newer_and_without_mistyped() {
        let mut bytes = vec![VERSION + 1, 0];
        bytes.extend_from_slice(&[9; 100]);
        let sum = checksum(&bytes);
        let of = |bytes: &[u8]| format!("{PREFIX}{}", ids::base32().encode(bytes));
        assert_eq!(TicketText::parse(&of(&[&bytes[..], &sum].concat())), Err(TicketError::Newer));
        assert_eq!(TicketText::parse(&of(&[&bytes[..], &[0; 4]].concat())), Err(TicketError::Mistyped));
    }

    #[test]
    fn every_single_wrong_character_is_noticed() {
        let text = ticket(1, 2).to_text();
        for at in PREFIX.len()..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'q' { b'z' } else { b'q' };
            let wrong = String::from_utf8(bytes).unwrap();
            assert!(TicketText::parse(&wrong).is_err(), "{at}");
        }
    }
}
