//! Ticket texts as they travel: round trips, and what survives the ways people pass them on. Cases of single wrong
//! characters are beside the code.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::samples;
use parlor_wire::ticket::{PREFIX, TicketError, TicketText, looks_like_ticket};
use parlor_wire::{ids, limits};
use proptest::prelude::*;

#[test]
fn t1_ticket_texts_round_trip_in_one_word_within_the_limit() {
    for (name, ticket) in samples::tickets() {
        let text = ticket.to_text();
        assert!(text.len() <= limits::MAX_TICKET_CHARS, "{name}: {}", text.len());
        assert!(
            text.starts_with(PREFIX) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        );
        assert_eq!(TicketText::parse(&text).unwrap(), ticket, "{name}");
        assert!(looks_like_ticket(&text) && looks_like_ticket(&format!(" {} ", text.to_uppercase())));
    }
    assert!(!looks_like_ticket("parlor join") && !looks_like_ticket("parlor"));
}

#[test]
fn t2_a_text_of_another_form_is_newer_and_not_mistyped() {
    let (_, ticket) = &samples::tickets()[1];
    let text = ticket.to_text();
    let bytes = ids::base32().decode(&text.as_bytes()[PREFIX.len()..]).unwrap();
    let content = &bytes[2..bytes.len() - 4];
    // The same content with something behind it that this version does not know.
    let with_more = |content: &[u8]| {
        let mut bytes = vec![1, content.len() as u8];
        bytes.extend_from_slice(content);
        let sum = blake3::derive_key("parlor/1 ticket text checksum;", &bytes);
        bytes.extend_from_slice(&sum[..4]);
        format!("{PREFIX}{}", ids::base32().encode(&bytes))
    };
    assert_eq!(with_more(content), text, "built the same way");
    assert_eq!(TicketText::parse(&with_more(&[content, &[0]].concat())), Err(TicketError::Newer));
    assert_eq!(TicketText::parse(&with_more(&[0xa0])), Err(TicketError::Newer));
}

#[test]
fn t3_the_seed_is_not_shown() {
    let (_, ticket) = &samples::tickets()[1];
    let shown = format!("{ticket:?}");
    assert!(!shown.contains("119") && !shown.contains("77"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t4_line_breaks_case_and_words_around_change_nothing(
        which in 0..4usize,
        breaks in prop::collection::vec((1..300usize, "[ \\t\\r\\n]{1,3}"), 0..5),
        before in "([A-Za-z,.!?:]{0,8} ){0,3}",
        behind in "( [A-Za-z0-9,.!?:]{1,8}){0,3}",
        upper in any::<bool>(),
    ) {
        let (_, ticket) = samples::tickets().swap_remove(which);
        let mut text = ticket.to_text();
        if upper {
            text = text.to_uppercase();
        }
        let mut places: Vec<_> = breaks.into_iter().filter(|(at, _)| *at > PREFIX.len() && *at < text.len()).collect();
        places.sort();
        for (at, space) in places.into_iter().rev() {
            text.insert_str(at, &space);
        }
        let pasted = format!("{before}{text}{behind}");
        prop_assert_eq!(TicketText::parse(&pasted), Ok(ticket), "{}", pasted);
    }

    #[test]
    fn t5_any_text_is_read_or_refused(text in "\\PC{0,400}", tail in "parlor1[a-z2-7]{0,200}") {
        for text in [&text, &tail, &format!("{text} {tail}")] {
            if let Ok(ticket) = TicketText::parse(text) {
                prop_assert_eq!(TicketText::parse(&ticket.to_text()), Ok(ticket));
            }
        }
    }
}
