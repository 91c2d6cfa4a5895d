//! Any bytes as what comes over the node's socket: cutting into lines and reading never panic, no line is longer than
//! allowed however it was cut up, and what is read says the same when it is written again.

use parlor_api::lines::Lines;
use parlor_api::{ClientLine, MAX_LINE_BYTES, NodeLine};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One input.
pub fn run(bytes: &[u8]) {
    let whole = cut(bytes, bytes.len().max(1));
    let parts = usize::from(bytes.first().copied().unwrap_or(0)) % 7 + 1;
    assert_eq!(cut(bytes, parts), whole, "where a read ends decides nothing");
    for line in &whole {
        assert!(line.len() <= MAX_LINE_BYTES && !line.contains(&b'\n'));
        says_the_same::<ClientLine>(line);
        says_the_same::<NodeLine>(line);
    }
}

/// The lines of what came in parts of so many bytes.
fn cut(bytes: &[u8], part: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    for part in bytes.chunks(part) {
        lines.push(part);
        while let Ok(Some(line)) = lines.next_line() {
            all.push(line.to_vec());
        }
    }
    all
}

fn says_the_same<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(line: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(line) else { return };
    let again = serde_json::to_string(&read).expect("what was read can be written");
    assert!(!again.contains('\n'), "one line");
    assert_eq!(serde_json::from_str::<T>(&again).ok(), Some(read), "{again}");
}
