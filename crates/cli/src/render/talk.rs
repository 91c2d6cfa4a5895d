//! The log as people read it on a terminal: by days, what one person says together, in its colour, broken between words.
//! Pure: width and time zone are given. What a program reads is `super::message`.

use anstyle::{AnsiColor, Color, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parlor_api::{Message, Priority};
use unicode_width::UnicodeWidthStr;

use super::{DIM, dim, paint, short};

/// What one person says within so long stands under one name, in milliseconds.
const TOGETHER_MS: u64 = 5 * 60 * 1000;
/// Longer lines are harder to read than to break.
const MOST_COLUMNS: usize = 120;
/// Narrower than this nothing is broken well.
const LEAST_COLUMNS: usize = 30;
/// Where texts begin: behind `14:05  `.
const INDENT: &str = "       ";
/// Of the terminal's own colours, those that are read on dark and on light and mean no alarm.
const COLOURS: [AnsiColor; 8] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
];
/// As wide as a space, and no place to break a line.
const FILL: char = '\u{2007}';
const ALARM: Style = AnsiColor::Red.on_default().bold();
const FRESH: Style = AnsiColor::Red.on_default();

/// The log so far, as far as the next message needs it.
pub struct Talk {
    width: usize,
    zone: TimeZone,
    day: String,
    last: Option<Message>,
    fresh: bool,
}

impl Talk {
    /// A log that begins, for a terminal of so many columns.
    pub fn new(columns: usize, zone: TimeZone) -> Self {
        let width = columns.clamp(LEAST_COLUMNS, MOST_COLUMNS);
        Self { width, zone, day: String::new(), last: None, fresh: false }
    }

    /// The next message, with what has to stand above it.
    pub fn message(&mut self, message: &Message) -> Vec<String> {
        let mut lines = Vec::new();
        let (day, time) = self.when(message.time_ms);
        let new_day = day != self.day;
        if new_day {
            lines.push(self.rule(&day, DIM));
            self.day = day;
        }
        let begins_fresh = message.unread && !self.fresh;
        self.fresh |= begins_fresh;
        if begins_fresh {
            lines.push(self.rule("new", FRESH));
        }
        let together =
            !new_day && !begins_fresh && self.last.as_ref().is_some_and(|last| goes_on(last, message));
        if !together {
            lines.push(format!("{}  {}  {}", dim(&time), head(message), dim(short(&message.id))));
        }
        lines.extend(self.text(message));
        self.last = Some(message.clone());
        lines
    }

    fn when(&self, time_ms: u64) -> (String, String) {
        let time = i64::try_from(time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let Some(time) = time.map(|time| time.to_zoned(self.zone.clone())) else {
            return ("?".into(), "?    ".into());
        };
        (time.strftime("%A, %-d %B %Y").to_string(), time.strftime("%H:%M").to_string())
    }

    /// `── what ─────`, as wide as the log.
    fn rule(&self, what: &str, style: Style) -> String {
        let rest = self.width.saturating_sub(what.width() + "── ".width() + 1);
        paint(style, &format!("── {what} {}", "─".repeat(rest)))
    }

    fn text(&self, message: &Message) -> Vec<String> {
        let marks = marks(message);
        let text = match message.newer {
            true => "(written by a newer Parlor: update this one to read it)",
            false => message.text.trim_end(),
        };
        // Styles have no width: marks are put before what was broken for as much room as they take.
        let styled: String = marks.iter().map(|(mark, style)| format!("{} ", paint(*style, mark))).collect();
        let taken: usize = marks.iter().map(|(mark, _)| mark.width() + 1).sum();
        let apart = taken > self.width / 2;
        let room = FILL.to_string().repeat(if apart { 0 } else { taken });
        let marked = format!("{room}{text}");
        let options = textwrap::Options::new(self.width).initial_indent(INDENT).subsequent_indent(INDENT);
        let mut lines: Vec<String> = marked
            .split('\n')
            .flat_map(|line| textwrap::wrap(line, &options))
            .map(|line| line.trim_end().to_owned())
            .collect();
        match lines.first_mut() {
            Some(first) if !apart => *first = first.replacen(&room, &styled, 1),
            _ => lines.insert(0, format!("{INDENT}{}", styled.trim_end())),
        }
        lines
    }
}

/// Whether a message stands under the name of the one before it.
fn goes_on(last: &Message, next: &Message) -> bool {
    let of = |message: &Message| {
        let Message { peer, session, author, to, revoked, .. } = message.clone();
        (peer, session, author, to, revoked)
    };
    // A question is answered by its id, which stands beside the name.
    let asks = next.asks_until.is_some();
    !asks && of(last) == of(next) && next.time_ms.abs_diff(last.time_ms) < TOGETHER_MS
}

fn head(message: &Message) -> String {
    let seat = message.session.as_ref().map(|label| format!("/{label}")).unwrap_or_default();
    let name = paint(style_of(message), &format!("{}{seat}", message.name));
    let kind = if message.author == "human" { String::new() } else { dim(&format!(" ({})", message.author)) };
    let own = if message.own { dim(" · you") } else { String::new() };
    let to = super::addressee(message);
    let revoked = if message.revoked { paint(ALARM, " [revoked identity]") } else { String::new() };
    format!("{name}{kind}{own}{to}{revoked}")
}

/// Everybody's own, the same tomorrow; one's own is bold and plain.
fn style_of(message: &Message) -> Style {
    if message.own {
        return Style::new().bold();
    }
    let sum = message.peer.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Style::new().bold().fg_color(Some(Color::Ansi(COLOURS[sum % COLOURS.len()])))
}

fn marks(message: &Message) -> Vec<(&'static str, Style)> {
    let mut marks = Vec::new();
    if message.sealed_unfit {
        marks.push(("[key known to outsiders]", ALARM));
    }
    if message.asks_until.is_some() {
        marks.push(("[asks]", Style::new().bold()));
    }
    if message.about.is_some() {
        marks.push(("[answer]", DIM));
    }
    match message.priority {
        Priority::Now => marks.push(("[now]", ALARM)),
        Priority::Low => marks.push(("[low]", DIM)),
        Priority::Normal => {}
    }
    marks
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::render::tests::said;

    const HOUR_MS: u64 = 3_600_000;

    fn at(time: &str, name: &str, text: &str) -> Message {
        let time: Timestamp = format!("{time}:00Z").parse().unwrap();
        let time_ms = u64::try_from(time.as_millisecond()).unwrap();
        let (author, own, session) = ("human".into(), name == "alice", None);
        Message { peer: format!("p{name}"), name: name.into(), time_ms, author, own, session, ..said(text) }
    }

    fn styled(messages: &[Message], columns: usize) -> Vec<String> {
        let mut talk = Talk::new(columns, TimeZone::UTC);
        messages.iter().flat_map(|message| talk.message(message)).collect()
    }

    fn plain(messages: &[Message], columns: usize) -> String {
        let lines = styled(messages, columns);
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string() + "\n").collect()
    }

    #[test]
    fn a_log_is_laid_out_by_days_and_people() {
        let agent = Message {
            author: "agent".into(),
            session: Some("api-fix".into()),
            ..at("2026-11-21T09:07", "bob", "on it")
        };
        let urgent = Message {
            priority: Priority::Now,
            unread: true,
            ..at("2026-11-21T09:20", "bob", "stop, the migration is wrong and has to go back")
        };
        let later = Message { unread: true, ..at("2026-11-21T09:21", "bob", "please") };
        let log = [
            at("2026-11-20T23:58", "alice", "postgres, we have it"),
            at("2026-11-20T23:59", "alice", "two lines,\nthe second"),
            at("2026-11-21T00:01", "alice", "another day"),
            at("2026-11-21T09:06", "bob", "日本語のとても長い行はどこでも折り返せる"),
            agent,
            urgent,
            later,
        ];
        let id = short(&log[0].id).to_owned();
        let golden = "\
── Friday, 20 November 2026 ────────────
23:58  alice · you  ID
       postgres, we have it
       two lines,
       the second
── Saturday, 21 November 2026 ──────────
00:01  alice · you  ID
       another day
09:06  bob  ID
       日本語のとても長い行はどこでも折
       り返せる
09:07  bob/api-fix (agent)  ID
       on it
── new ─────────────────────────────────
09:20  bob  ID
       [now] stop, the migration is
       wrong and has to go back
       please
";
        assert_eq!(plain(&log, 40).replace(&id, "ID"), golden);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_but_a_head() {
        let long = at("2026-11-20T12:00", "bob", &format!("{} {}", "x".repeat(300), "日本".repeat(90)));
        for columns in [0, 30, 41, 80, 500] {
            let text = plain(std::slice::from_ref(&long), columns);
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= columns.clamp(LEAST_COLUMNS, MOST_COLUMNS), "{columns}: {text}");
            assert_eq!(text.matches('x').count(), 300);
        }
    }

    #[test]
    fn everybody_has_a_colour_that_stays_and_oneself_none() {
        let first = |name: &str| styled(&[at("2026-11-20T12:00", name, "x")], 80)[1].clone();
        let again = |name: &str| {
            styled(&[at("2026-11-20T11:00", "alice", "y"), at("2026-11-20T12:00", name, "x")], 80)
        };
        assert!(again("bob").contains(&first("bob")));
        let colour = |name: &str| style_of(&at("2026-11-20T12:00", name, "x")).get_fg_color();
        assert!(colour("bob").is_some() && colour("bob") == colour("bob"));
        assert_eq!(colour("alice"), None);
        let of_id = |id: &str| style_of(&Message { peer: id.into(), ..at("2026-11-20T12:00", "bob", "x") });
        let different = ["pa", "pb", "pc", "pd"].map(of_id);
        assert!(different.iter().any(|style| *style != different[0]));
    }

    #[test]
    fn what_comes_later_or_otherwise_stands_under_a_name_of_its_own() {
        let one = at("2026-11-20T12:00", "bob", "x");
        let names = |next: Message| plain(&[one.clone(), next], 80).matches("bob").count();
        assert_eq!(names(at("2026-11-20T12:04", "bob", "y")), 1);
        assert_eq!(names(at("2026-11-20T12:05", "bob", "y")), 2);
        assert_eq!(names(Message { author: "agent".into(), ..one.clone() }), 2);
        assert_eq!(names(Message { to: Some("x".into()), ..one.clone() }), 2);
        assert_eq!(names(Message { time_ms: one.time_ms + HOUR_MS, ..one.clone() }), 2);
    }

    #[test]
    fn a_time_that_is_none_breaks_nothing() {
        assert!(plain(&[Message { time_ms: u64::MAX, ..said("x") }], 80).contains('x'));
    }
}
