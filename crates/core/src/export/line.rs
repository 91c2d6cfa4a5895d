//! The lines of an export, each a JSON object of one exact form. What may be read in a line of an entry is worked out from
//! the entry alone, so that it can be compared. Must not let a character through that a terminal would act upon.

use std::io::{self, Write};

use data_encoding::BASE64;
use parlor_wire::{Control, Data, PeerId};
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;

use crate::crypto;
use crate::engine::api::Author;
use crate::room::body::{Body, KIND_MESSAGE, KIND_PROFILE, KIND_REVOKED, KIND_ROOM};
use crate::text::time::rfc3339;

/// The first line: who says what of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    /// The version of the form of the file.
    pub parlor_export: u32,
    /// The room.
    pub room: String,
    /// What the exporter calls it.
    pub room_name: String,
    /// Who exports.
    pub exporter: String,
    /// When, by the exporter's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where chains begin that are not whole: with what was sorted not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// The exporter's signature over this line with this field empty.
    pub signature: String,
}

/// A control entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlLine {
    /// Its id.
    pub id: String,
    /// Whose.
    pub author: String,
    /// When, by its author's clock.
    pub time: String,
    /// Its bytes.
    pub control: String,
}

/// A data entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataLine {
    /// Its id.
    pub id: String,
    /// Whose chain it is in.
    pub author: String,
    /// When, by its author's clock.
    pub time: String,
    /// What it says; absent where it is not opened here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Says>,
    /// Its bytes.
    pub entry: String,
    /// The key of this one entry; absent where it is not opened here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What stands in an opened body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// `message`, `profile`, `room`, `revoked`, or `newer`.
    pub kind: String,
    /// The words, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the author calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// The session it was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// `human`, `agent` or `program`, by the author's node.
    pub by: String,
    /// The one session it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndLine {
    /// What it ends.
    pub end: Counts,
    /// The exporter's signature over the hash of all lines before this one and the counts.
    pub signature: String,
}

/// How much an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Control entries.
    pub control: u64,
    /// Data entries.
    pub entries: u64,
    /// Of these, opened ones.
    pub opened: u64,
}

impl Counts {
    /// What the last signature is over, behind the hash.
    pub(super) fn bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (part, count) in bytes.chunks_mut(8).zip([self.control, self.entries, self.opened]) {
            part.copy_from_slice(&count.to_be_bytes());
        }
        bytes
    }
}

/// The one line of a control entry.
pub fn of_control(control: &Control) -> ControlLine {
    ControlLine {
        id: control.id.to_string(),
        author: control.header.author.to_string(),
        time: rfc3339(control.header.time),
        control: BASE64.encode(&control.encode()),
    }
}

impl DataLine {
    /// Whether it says something to people, and not what its author is called or the like.
    pub fn is_message(&self) -> bool {
        self.says.as_ref().is_some_and(|says| says.kind == MESSAGE)
    }
}

/// What `kind` is of a message.
const MESSAGE: &str = "message";

/// The one line of a data entry, opened with its own key if there is one; none when that does not open it.
pub fn of_data(data: &Data, author: &PeerId, key: Option<&[u8; 32]>) -> Option<DataLine> {
    let says = match key {
        None => None,
        Some(key) => {
            let sealed = data.body.as_deref()?;
            Some(of_body(&crypto::open_with_entry_key(key, &data.header, sealed).ok()?))
        }
    };
    Some(DataLine {
        id: data.id.to_string(),
        author: author.to_string(),
        time: rfc3339(data.header.time),
        says,
        entry: BASE64.encode(&data.encode()),
        key: key.map(|key| BASE64.encode(key)),
    })
}

fn of_body(bytes: &[u8]) -> Says {
    let body = Body::decode(bytes);
    let kind = match body.kind {
        KIND_MESSAGE => MESSAGE,
        KIND_PROFILE => "profile",
        KIND_ROOM => "room",
        KIND_REVOKED => "revoked",
        _ => "newer",
    };
    let by = match body.author() {
        Author::Human => "human",
        Author::Agent => "agent",
        Author::Program => "program",
    };
    Says {
        kind: kind.into(),
        text: body.text,
        nick: body.nick,
        session: body.session,
        by: by.into(),
        to: body.to,
    }
}

/// The exact bytes of a line, its end included.
pub fn encode<T: Serialize>(line: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Strings and numbers always become JSON, and a vector takes everything.
    let _ = line.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Plain));
    bytes.push(b'\n');
    bytes
}

/// JSON in which every character stands that is seen, and an escape for every other: the words are of others, and
/// somebody will look at the file in a terminal.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Characters that change how others are shown, or are not shown themselves. The list is part of the form of the file.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_upon_stands_in_a_line() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}\n\"ü数\"";
        let line = encode(&serde_json::json!({ "text": text }));
        let shown = String::from_utf8(line.clone()).unwrap();
        assert_eq!(
            shown,
            "{\"text\":\"a\\u001b[2J\\u007f\\u009b\\u202e\\u200b\\udb40\\udc41\\n\\\"ü数\\\"\"}\n"
        );
        let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["text"], text);
    }
}
