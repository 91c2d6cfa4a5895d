//! Between what a session says of itself and what stands in its signal. Every text passes the one cleaning function, on
//! the way out and on the way in. Must not decide who is believed.

use parlor_wire::limits;

use crate::engine::api::{Presence, Priority, Reached, Status};
use crate::room::said::Said;
use crate::text::clean::is_visible;
use crate::text::{Mode, clean, mention, names};

/// The bits of `reach` that mean something here.
const KNOWN_REACH: u8 = Reached::TOOLS | Reached::STOP | Reached::WAKE;

/// What is put into a signal.
pub(super) fn said(presence: &Presence) -> Said {
    // What nobody may show, nobody needs to be told: it is cut here as it is there, so that a signal always fits.
    let presence = cleaned(presence.clone());
    Said {
        label: presence.label,
        program: presence.program,
        summary: presence.summary,
        directory: presence.directory,
        branch: presence.branch,
        status: presence.status.map(Status::number),
        threshold: presence.threshold.map(|priority| priority as u8),
        tags: (!presence.tags.is_empty()).then_some(presence.tags),
        reach: presence.reach.map(|reach| reach.0),
    }
}

/// What a signal says, as it is shown.
pub(super) fn heard(said: Said) -> Presence {
    cleaned(Presence {
        label: said.label,
        program: said.program,
        summary: said.summary,
        directory: said.directory,
        branch: said.branch,
        status: said.status.and_then(Status::of),
        threshold: said.threshold.and_then(Priority::of),
        tags: said.tags.unwrap_or_default(),
        reach: said.reach.map(|bits| Reached(bits & KNOWN_REACH)),
        left_ms: None,
    })
}

fn cleaned(presence: Presence) -> Presence {
    Presence {
        label: names::session_label(&presence.label).into_string(),
        program: names::session_label(&presence.program).into_string(),
        summary: presence.summary.map(|text| line(&text, limits::MAX_SUMMARY_CHARS)),
        directory: presence.directory.filter(|text| is_visible(text)).map(|text| directory(&text)),
        branch: presence
            .branch
            .filter(|text| is_visible(text))
            .map(|text| line(&text, limits::MAX_BRANCH_CHARS)),
        tags: presence.tags.iter().filter_map(|text| mention::tag(text)).take(limits::MAX_TAGS).collect(),
        ..presence
    }
}

/// One name: whoever sends a path is shown by its end.
fn directory(text: &str) -> String {
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    line(name, limits::MAX_DIRECTORY_CHARS)
}

fn line(text: &str, limit_chars: usize) -> String {
    clean(text, Mode::Line { limit_chars }).into_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What encryption adds.
    const SEALING_BYTES: usize = 16;

    fn full(text: &str) -> Presence {
        Presence {
            label: text.into(),
            program: text.into(),
            summary: Some(text.into()),
            directory: Some(text.into()),
            branch: Some(text.into()),
            status: Some(Status::Dnd),
            threshold: Some(Priority::Now),
            tags: vec!["x".repeat(24); 9],
            reach: Some(Reached(KNOWN_REACH)),
            left_ms: None,
        }
    }

    #[test]
    fn the_fullest_signal_fits() {
        let sealed = said(&full(&"\u{1f600}".repeat(5_000))).encode().len() + SEALING_BYTES;
        assert!(sealed > 1_700 && sealed <= limits::MAX_SIGNAL_BYTES, "{sealed}");
    }

    #[test]
    fn what_is_said_is_heard_and_texts_are_lines() {
        let presence = Presence { status: Some(Status::Working), ..full("api") };
        let presence = Presence { tags: vec!["x".repeat(24); limits::MAX_TAGS], ..presence };
        assert_eq!(heard(said(&presence)), presence);
        let forged = full("x\u{1b}[31m\ny\u{202e}");
        let shown = heard(Said {
            label: forged.label.clone(),
            program: forged.program.clone(),
            summary: forged.summary.clone(),
            directory: forged.directory.clone(),
            branch: forged.branch.clone(),
            status: Some(9),
            threshold: Some(9),
            tags: Some(vec!["@Backend".into(), "not one".into(), "x\u{202e}".into()]),
            reach: Some(0xff),
        });
        for text in [Some(shown.label), Some(shown.program), shown.summary, shown.directory, shown.branch] {
            let text = text.unwrap();
            assert!(text == "x y" || text == "x-y", "{text:?}");
        }
        assert_eq!((shown.status, shown.threshold), (None, None), "of a later Parlor");
        assert_eq!(shown.tags, ["backend"]);
        assert_eq!(shown.reach, Some(Reached(7)), "so much of it is known");
    }

    #[test]
    fn a_directory_is_a_name_and_never_a_path() {
        let of = |text: &str| said(&Presence { directory: Some(text.into()), ..full("x") }).directory;
        assert_eq!(of("/home/bob/secret-client/api").as_deref(), Some("api"));
        assert_eq!(of("api/").as_deref(), Some("api"));
        assert_eq!(of("\u{200b}"), None);
    }

    proptest! {
        #[test]
        fn any_text_of_others_is_clean_and_short(text in "\\PC{0,300}|[\\x00-\\x1f\\u{200b}-\\u{202f}/ ]{0,20}") {
            let presence = heard(said(&full(&text)));
            prop_assert_eq!(&heard(said(&presence)), &presence, "cleaning twice is cleaning once");
            let fields = [presence.summary.as_ref(), presence.directory.as_ref(), presence.branch.as_ref()];
            for text in fields.into_iter().flatten() {
                prop_assert!(text.chars().count() <= limits::MAX_SUMMARY_CHARS);
                prop_assert!(!text.chars().any(char::is_control));
            }
            prop_assert!(presence.directory.is_none_or(|name| !name.contains('/')));
        }
    }
}
