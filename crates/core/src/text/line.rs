//! One message as one line of an injection: its header, its body, and what is said when it is cut.
//!
//! Whatever a name or a body contains, nothing of it begins a line here.

use super::clean::{CleanText, is_joiner};
use super::names::tidy;
use super::time;

pub(super) const INDENT: &str = "    ";
/// Names in a header are bounded here again, whatever their maker thought of lengths.
const HEADER_WORD_CHARS: usize = 48;
const ID_CHARS: usize = 60;
const MARKS: usize = 4;

/// Who wrote a message, as the writer's node signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person.
    Human,
    /// A session of an agent program.
    Agent,
    /// Anything else that ran `parlor`.
    Program,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Characters as JavaScript counts them (UTF-16 units), never fewer than there are.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Line {
    /// The writer as shown to this reader.
    pub name: CleanText,
    /// The writer's session; none for a person's own seat.
    pub session: Option<CleanText>,
    /// What the writer is.
    pub who: Who,
    /// The writer's time stamp.
    pub time_ms: u64,
    /// The id, short or whole, by which it can be fetched.
    pub id: String,
    /// The text.
    pub body: CleanText,
    /// Whether it is addressed to the session that is given it.
    pub to_you: bool,
    /// Whether it is a question to others than its writer.
    pub asks: bool,
    /// Whether it is of a kind this version does not know.
    pub newer_kind: bool,
    /// What else there is to say of it, in our own words: `sealed under an older roster`.
    pub marks: Vec<&'static str>,
}

/// `[payments @bob/api-fix (agent) 14:05Z k7m2qd] body`, within `share`; none if not even a cut one is.
pub(super) fn laid_out(
    room_name: &CleanText,
    line: &Line,
    now_ms: u64,
    share: usize,
    unit: Unit,
) -> Option<String> {
    let header = header(room_name, line, now_ms);
    let left = share.checked_sub(measure(&header, unit) + 1)?;
    let body = line.body.as_str().trim_start_matches('\n').trim_end();
    let whole = indented(body);
    let body = if measure(&whole, unit) <= left { whole } else { cut(body, &id(line), left, unit)? };
    Some(format!("{header}{body}\n"))
}

fn header(room_name: &CleanText, line: &Line, now_ms: u64) -> String {
    let session =
        line.session.as_ref().map_or_else(String::new, |session| format!("/{}", header_word(session)));
    let mut label = match line.who {
        Who::Human => "human",
        Who::Agent => "agent",
        Who::Program => "program",
    }
    .to_owned();
    let asks = if line.to_you { "asks you" } else { "asks" };
    let known =
        [(line.asks, asks), (line.to_you && !line.asks, "to you"), (line.newer_kind, "from a newer Parlor")];
    let known = known.into_iter().filter_map(|(so, mark)| so.then_some(mark));
    for mark in known.chain(line.marks.iter().copied().take(MARKS)) {
        label.push_str(", ");
        label.push_str(mark);
    }
    let (room, name) = (header_word(room_name), header_word(&line.name));
    let time = time::for_people(line.time_ms, now_ms);
    format!("[{room} @{name}{session} ({label}) {time} {}] ", id(line))
}

/// A word that cannot end a header or begin another.
fn header_word(text: &CleanText) -> String {
    let word = tidy(text.as_str(), &['[', ']', '(', ')'], HEADER_WORD_CHARS);
    if word.is_empty() { "?".to_owned() } else { word }
}

fn id(line: &Line) -> String {
    line.id.chars().filter(char::is_ascii_alphanumeric).take(ID_CHARS).collect()
}

/// Further lines are indented: none of a body's own begins where a header or the fence would.
fn indented(body: &str) -> String {
    body.replace('\n', &format!("\n{INDENT}"))
}

/// As much of the body as fits beside the words that say how to fetch the rest.
fn cut(body: &str, id: &str, left: usize, unit: Unit) -> Option<String> {
    let words = |more: usize| format!("… cut, {} more characters: parlor log {id}", grouped(count(more)));
    let all = body.chars().count();
    let mut left = left.checked_sub(measure(&words(all), unit))?;
    let mut end = 0;
    for (at, c) in body.char_indices() {
        let size = if c == '\n' { 1 + INDENT.len() } else { size(c, unit) };
        let Some(rest) = left.checked_sub(size) else { break };
        left = rest;
        end = at + c.len_utf8();
    }
    let kept = body[..end].trim_end_matches(|c: char| c.is_whitespace() || is_joiner(c));
    Some(indented(kept) + &words(all - kept.chars().count()))
}

fn size(c: char, unit: Unit) -> usize {
    match unit {
        Unit::Chars => c.len_utf16(),
        Unit::Bytes => c.len_utf8(),
    }
}

pub(super) fn measure(text: &str, unit: Unit) -> usize {
    text.chars().map(|c| size(c, unit)).sum()
}

pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// `5,120`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
