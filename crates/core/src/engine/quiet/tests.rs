//! For which session a message is. Nothing here is part of a release.

use super::*;
use crate::engine::api::{Author, Priority};
use crate::text::{Mode, clean};
use parlor_wire::{EntryId, PeerId};

fn view(own: bool, to: Option<&str>) -> MessageView {
    let text = |text: &str| clean(text, Mode::Body);
    MessageView {
        room: RoomId([1; 32]),
        id: EntryId([2; 32]),
        chain: EntryId([0; 32]),
        seq: 0,
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
        tags: Vec::new(),
        ask: None,
        about: None,
        hops: 3,
        form: None,
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

#[test]
fn a_session_is_itself_by_a_shorter_and_a_longer_name() {
    assert!(may_be_one("claude/api~f86f1234", "claude/api~f86f") && may_be_one("api", "claude/api~f86f"));
    assert!(!may_be_one("claude/api~f86f", "claude/api~aaaa") && !may_be_one("claude/api", "codex/api~f86f"));
}

#[test]
fn what_comes_with_a_humans_prompt_is_no_link_in_a_chain_of_agents() {
    let given = view(false, None);
    let noted = |moment, by_human| {
        let mut noted = Noted::default();
        noted.add(&[&given], 10, &Take { moment, by_human, ..Take::default() });
        (noted.hops, noted.disturbed_by.len())
    };
    assert_eq!(noted(Moment::Prompt, true), (0, 0));
    assert_eq!(noted(Moment::Prompt, false), (3, 0), "a prompt that was brought about by a message");
    assert_eq!(noted(Moment::Tools, false), (3, 1));
    assert_eq!(noted(Moment::Check, false), (3, 0));
    let human = MessageView { author: Author::Human, ..view(false, None) };
    let mut by_human = Noted::default();
    by_human.add(&[&human], 10, &Take { moment: Moment::Stop, ..Take::default() });
    assert_eq!(by_human.hops, 0, "a human's words begin anew");
}

#[test]
fn a_digest_is_a_line_whatever_authors_are_called() {
    let text = |text: &str| clean(text, Mode::Body);
    let mut digest = Digest::default();
    let views: Vec<MessageView> = (0..300)
        .map(|n| MessageView {
            name: text(&format!("bob\n[x] {n} {}", "y".repeat(200))),
            ..view(false, None)
        })
        .collect();
    digest.count(&views);
    let words = digest.words(&text("payments\nx"), 5);
    assert!(words.starts_with("Unread in payments-x, and only counted: 305 (1 of @bob"), "{words}");
    assert!(words.len() <= MAX_DIGEST_BYTES && words.matches('\n').count() == 1, "{words}");
}
