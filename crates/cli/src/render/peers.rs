//! Peers and safety numbers as lines of text. Pure, like all that is rendered.

use parlor_api::{Peer, Safety};

use super::{bold, columns, dim, short};
use crate::clock;

/// Digits and words stand in lines short enough to be read to somebody.
const GROUPS_A_LINE: usize = 4;
const WORDS_A_LINE: usize = 6;

/// Everybody known, a row each.
pub fn peers(peers: &[Peer]) -> Vec<String> {
    columns(&peers.iter().map(row).collect::<Vec<_>>())
}

fn row(peer: &Peer) -> Vec<String> {
    let nick = peer.nick.as_ref().filter(|_| peer.petname.is_some());
    let verified = if peer.verified.is_some() { "verified" } else { "not verified" };
    let seen = match (peer.connected, &peer.last_seen) {
        (true, _) => "linked".into(),
        (false, Some(seen)) => dim(&format!("seen {}", clock::stamp_of(seen))),
        (false, None) => dim("not seen yet"),
    };
    vec![
        bold(&peer.name),
        nick.map_or_else(String::new, |nick| format!("calls itself {nick}")),
        match (&peer.revoked, peer.own) {
            (Some(_), _) => "revoked".into(),
            (None, true) => "you".into(),
            (None, false) => verified.into(),
        },
        if peer.own { String::new() } else { seen },
        peer.rooms.join(", "),
        dim(short(&peer.peer)),
    ]
}

/// What a peer is called now.
pub fn named(peer: &Peer) -> String {
    let id = short(&peer.peer);
    match (&peer.petname, &peer.nick) {
        (Some(petname), Some(nick)) => format!("{id} is {petname} to you; it calls itself {nick}"),
        (Some(petname), None) => format!("{id} is {petname} to you"),
        (None, _) => format!("{id} is {} again", peer.name),
    }
}

/// A safety number, as digits and as words.
pub fn safety(safety: &Safety) -> Vec<String> {
    let mut lines =
        vec![format!("The safety number of you and {} {}", bold(&safety.peer.name), dim(&safety.peer.peer))];
    let mut block = |text: &str, most: usize| {
        let words: Vec<&str> = text.split_whitespace().collect();
        lines.push(String::new());
        lines.extend(words.chunks(most).map(|chunk| format!("  {}", chunk.join(" "))));
    };
    block(&safety.digits, GROUPS_A_LINE);
    block(&safety.words, WORDS_A_LINE);
    lines.push(String::new());
    lines.push(verified(&safety.peer));
    lines
}

/// Whether a peer is verified, and since when.
pub fn verified(peer: &Peer) -> String {
    match &peer.verified {
        Some(at) => format!("verified {}", clock::stamp_of(at)),
        None => "not verified yet".into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn bob() -> Peer {
        Peer {
            peer: "pk7m2qdabcdefgh".into(),
            name: "robert".into(),
            petname: Some("robert".into()),
            nick: Some("bob".into()),
            own: false,
            rooms: vec!["payments".into(), "ops".into()],
            connected: true,
            last_seen: None,
            revoked: None,
            verified: None,
        }
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_peer_is_shown_by_your_name_for_it_and_by_its_own_beside() {
        let alice = Peer { own: true, name: "alice".into(), petname: None, connected: false, ..bob() };
        let lines = plain(&peers(&[alice, bob()]));
        assert!(lines[0].starts_with("alice ") && lines[0].contains("  you  "), "{lines:?}");
        assert_eq!(lines[1], "robert  calls itself bob  not verified  linked  payments, ops  pk7m2qda");
        assert_eq!(named(&bob()), "pk7m2qda is robert to you; it calls itself bob");
        assert_eq!(named(&Peer { petname: None, name: "bob".into(), ..bob() }), "pk7m2qda is bob again");
    }

    #[test]
    fn a_safety_number_stands_in_lines_that_can_be_read_aloud() {
        let (digits, words) = (["01234"; 12].join(" "), ["abandon"; 18].join(" "));
        let lines = plain(&safety(&Safety { peer: bob(), digits, words }));
        assert_eq!(lines.len(), 1 + 4 + 4 + 2);
        assert_eq!(lines[2], "  01234 01234 01234 01234");
        assert_eq!(lines[6], "  abandon abandon abandon abandon abandon abandon");
        assert_eq!(lines[10], "not verified yet");
    }
}
