//! What is told of a room in which too much is unread: by whom how much, in a line, instead of all of it. Must not count as
//! given: what it counts stays unread.

use std::collections::BTreeMap;

use crate::engine::api::MessageView;
use crate::text::clean::CleanText;
use crate::text::{Mode, clean, names};

/// More than so many unread messages of one room are counted, but for those addressed to the session.
pub(in crate::engine) const DIGEST_ABOVE: usize = 64;
/// How far is looked for messages addressed to the session: eight readings of the store.
pub(in crate::engine) const DIGEST_ROWS: u64 = 1024;
/// The most all that is counted may take, in bytes.
pub(in crate::engine) const MAX_DIGEST_BYTES: usize = 2048;
/// Authors named of one room.
const AUTHORS: usize = 16;

/// Who has written how much of what is unread.
#[derive(Debug, Default)]
pub(in crate::engine) struct Digest {
    by: BTreeMap<String, u64>,
    /// Rows that were looked at.
    pub rows: u64,
}

impl Digest {
    pub(in crate::engine) fn count(&mut self, views: &[MessageView]) {
        for view in views {
            let session = view.session.as_ref().map(|label| format!("/{}", label.as_str()));
            *self.by.entry(format!("@{}{}", view.name.as_str(), session.unwrap_or_default())).or_default() +=
                1;
        }
    }

    /// How many were counted.
    pub(in crate::engine) fn total(&self) -> u64 {
        self.by.values().sum()
    }

    /// In a line. `beyond` more were not looked at.
    pub(in crate::engine) fn words(&self, room_name: &CleanText, beyond: u64) -> String {
        let mut by: Vec<(&String, &u64)> = self.by.iter().collect();
        by.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
        let mut named: Vec<String> =
            by.iter().take(AUTHORS).map(|(name, count)| format!("{count} of {name}")).collect();
        let others = by.iter().skip(AUTHORS).map(|(_, count)| **count).sum::<u64>().saturating_add(beyond);
        if others > 0 {
            named.push(format!("{others} more"));
        }
        let total = self.total().saturating_add(beyond);
        let room = names::room_name(room_name.as_str()).into_string();
        let line = format!("Unread in {room}, and only counted: {total} ({})", named.join(", "));
        // Names are cut each, and the line once more: nothing of others makes it another one.
        clean(&line, Mode::Line { limit_chars: MAX_DIGEST_BYTES / 4 }).into_string() + "\n"
    }
}
