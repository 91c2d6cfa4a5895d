//! What a person has decided about being disturbed, as lines. Pure, like all that is rendered.

use parlor_api::{Allowed, Budgeted, Leveled, MayDo};

use super::{bold, columns, dim};
use crate::clock;

fn what(what: MayDo) -> &'static str {
    match what {
        MayDo::Inject => "inject",
        MayDo::Tools => "tools",
        MayDo::Wake => "wake",
        MayDo::Files => "files",
    }
}

/// What others' messages may do, a row each.
pub fn allowed(all: &[Allowed]) -> Vec<String> {
    let row = |one: &Allowed| {
        let whose = match (&one.name, one.peer.is_some()) {
            (None, _) => dim("everybody else"),
            (Some(name), true) => format!("{name} (peer)"),
            (Some(name), false) => format!("{name} (room)"),
        };
        vec![what(one.what).to_owned(), bold(if one.allowed { "allowed" } else { "denied" }), whose]
    };
    columns(&all.iter().map(row).collect::<Vec<_>>())
}

/// What of rooms is given by itself, a row each.
pub fn levels(all: &[Leveled]) -> Vec<String> {
    let row = |one: &Leveled| {
        let muted = match (&one.muted_until, one.muted) {
            (Some(until), _) => format!("muted until {}", clock::until(until)),
            (None, true) => "muted".into(),
            (None, false) => String::new(),
        };
        vec![bold(&one.room_name), one.level.word().into(), muted, dim(&one.dir.display().to_string())]
    };
    columns(&all.iter().map(row).collect::<Vec<_>>())
}

/// What rooms cost, a row each, and below each the sessions it was given to.
pub fn budgets(all: &[Budgeted]) -> Vec<String> {
    let mut rows = Vec::new();
    for one in all {
        let words = |today, week| (format!("{today} today"), format!("{week} in 7 days"));
        let (today, week) = words(one.today, one.week);
        rows.push(vec![bold(&one.room_name), today, week, dim(&format!("of {} a day", one.budget))]);
        for by in &one.sessions {
            let (today, week) = words(by.today, by.week);
            rows.push(vec![format!("  {}", by.session), today, week, String::new()]);
        }
    }
    columns(&rows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use parlor_api::Level;

    use super::*;

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn what_holds_for_all_stands_beside_what_was_said() {
        let usual = Allowed { what: MayDo::Wake, allowed: false, room: None, peer: None, name: None };
        let bob =
            Allowed { allowed: true, peer: Some("p".into()), name: Some("bob".into()), ..usual.clone() };
        let room =
            Allowed { room: Some("r".into()), peer: None, name: Some("payments".into()), ..bob.clone() };
        let lines = plain(&allowed(&[usual, bob, room]));
        assert_eq!(
            lines,
            ["wake  denied   everybody else", "wake  allowed  bob (peer)", "wake  allowed  payments (room)"]
        );
    }

    #[test]
    fn a_level_is_shown_with_its_directory() {
        let one = Leveled {
            room: "r".into(),
            room_name: "payments".into(),
            dir: "/srv/api".into(),
            level: Level::Mentions,
            muted: true,
            muted_until: None,
        };
        assert_eq!(plain(&levels(&[one])), ["payments  mentions  muted  /srv/api"]);
    }
}
