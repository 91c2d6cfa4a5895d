//! Sessions as lines of text: others' as `who` shows them, one's own as `status` does. Pure, like all that is rendered.

use parlor_api::{OwnSession, Priority, Session, SessionStatus, ago};

use super::{bold, columns, dim};
use crate::clock;

/// Two beginnings of ids that are alike are rare at this length.
const ID_CHARS: usize = 8;

/// A status in one word.
pub fn status(status: SessionStatus) -> &'static str {
    match status {
        SessionStatus::Idle => "idle",
        SessionStatus::Working => "working",
        SessionStatus::Dnd => "dnd",
    }
}

/// One session of somebody's: what it is, where, how, since when or how long ago it was heard of, and what it does.
pub fn one(session: &Session, is_near: bool) -> String {
    let mut known = vec![session.program.clone()];
    known.extend(
        session.directory.as_ref().filter(|name| **name != session.label).map(|name| format!("in {name}")),
    );
    known.extend(session.branch.as_ref().map(|branch| format!("on {branch}")));
    known.extend(session.status.map(|it| status(it).to_owned()));
    known.extend(session.tags.iter().map(|tag| format!("@{tag}")));
    known.extend(session.threshold.and_then(interrupts).map(str::to_owned));
    known.extend(session.hears.filter(|hears| !hears.wake).map(|_| "cannot be woken".to_owned()));
    let heard =
        session.heard_ago_s.filter(|_| !is_near).map(|seconds| format!("last heard {}", ago(seconds)));
    let since = || session.since.as_ref().map(|at| format!("since {}", clock::stamp_of(at)));
    known.extend(heard.or_else(since));
    let summary = session.summary.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    format!("{} ({}){summary}", session.label, known.join(", "))
}

/// What is given to it at its prompt, where that is not as usual.
fn interrupts(threshold: Priority) -> Option<&'static str> {
    match threshold {
        Priority::Low => Some("hears low"),
        Priority::Normal => None,
        Priority::Now => Some("hears only now"),
    }
}

/// What stands above the sessions of this machine.
pub const HERE: &str = "on this machine:";

/// The sessions of this machine, a row each: what to call each of them, where it is, and how.
pub fn local(sessions: &[OwnSession]) -> Vec<String> {
    let row = |session: &OwnSession| {
        let summary = session.summary.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let you = if session.you { " (you)" } else { "" };
        vec![
            format!("{}{you}", bold(&session.name)),
            session.status.map_or_else(String::new, |it| status(it).into()),
            session.branch.as_ref().map(|branch| format!("on {branch}")).unwrap_or_default(),
            format!("{}{summary}", session.dir.display()),
        ]
    };
    columns(&sessions.iter().map(row).collect::<Vec<_>>())
}

/// One's own sessions, a row each.
pub fn own(sessions: &[OwnSession]) -> Vec<String> {
    let row = |session: &OwnSession| {
        let id: String = session.id.chars().take(ID_CHARS).collect();
        vec![
            session.status.map_or_else(|| dim("not said"), |it| bold(status(it))),
            session.label.clone(),
            session.program.clone(),
            session.branch.as_ref().map(|branch| format!("on {branch}")).unwrap_or_default(),
            session.dir.display().to_string(),
            dim(&id),
        ]
    };
    columns(&sessions.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            label: "api".into(),
            program: "claude".into(),
            summary: Some("tests".into()),
            directory: Some("api".into()),
            branch: Some("main".into()),
            status: Some(SessionStatus::Working),
            threshold: Some(Priority::Normal),
            hears: None,
            since: Some("2026-11-20T10:00:00Z".into()),
            last_heard: Some("2026-11-20T10:00:00Z".into()),
            heard_ago_s: Some(40),
            tags: Vec::new(),
        }
    }

    #[test]
    fn a_session_says_all_that_is_known_of_it_and_nothing_twice() {
        let near = one(&session(), true);
        assert!(near.starts_with("api (claude, on main, working, since 2026-11-20 "), "{near}");
        assert!(near.ends_with("): tests"), "{near}");
        assert_eq!(one(&session(), false), "api (claude, on main, working, last heard 40 s ago): tests");
        let other = Session { directory: Some("web".into()), threshold: Some(Priority::Now), ..session() };
        assert_eq!(
            one(&other, false),
            "api (claude, in web, on main, working, hears only now, last heard 40 s ago): tests"
        );
        let tagged = Session { tags: vec!["backend".into()], ..session() };
        assert!(one(&tagged, false).contains("working, @backend, last heard"), "{}", one(&tagged, false));
        let early = Session { label: "api".into(), program: "claude".into(), ..Session::default() };
        assert_eq!(one(&early, true), "api (claude)", "of an earlier Parlor");
    }

    #[test]
    fn own_sessions_are_shown_with_what_nobody_has_said() {
        let mine = OwnSession {
            id: "f86f8701-7df6".into(),
            name: "claude/api".into(),
            you: false,
            label: "api".into(),
            program: "claude".into(),
            dir: "/srv/api".into(),
            branch: None,
            status: None,
            summary: None,
        };
        let lines = own(&[OwnSession { status: Some(SessionStatus::Dnd), ..mine.clone() }, mine]);
        let plain: Vec<_> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(plain[0], "dnd       api  claude    /srv/api  f86f8701");
        assert_eq!(plain[1], "not said  api  claude    /srv/api  f86f8701");
    }
}
