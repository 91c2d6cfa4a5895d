//! Files as people read of them. Pure.

use parlor_api::{Dropped, File};
use parlor_wire::file::size;

use super::{columns, dim, reached, short};
use crate::clock;

/// That a file was dropped, and whom the word of it has reached.
pub fn dropped(dropped: &Dropped) -> String {
    format!(
        "{}  {} {} dropped in {} · {}",
        short(&dropped.id),
        dropped.file,
        size(dropped.bytes),
        dropped.room_name,
        reached(dropped.reached, dropped.of)
    )
}

/// One line a file, the newest first: its id, name, size, whose, since when, and where it is.
pub fn list(files: &[File]) -> Vec<String> {
    let row = |file: &File| {
        let there = match &file.path {
            Some(path) => path.display().to_string(),
            None if file.held => dim("held here"),
            None => dim(&format!("parlor get {}", short(&file.id))),
        };
        let whose = if file.own { "you".to_owned() } else { format!("@{}", file.name) };
        vec![
            short(&file.id).to_owned(),
            file.file.clone(),
            size(file.bytes),
            whose,
            clock::stamp_of(&file.time),
            there,
        ]
    };
    columns(&files.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn file(path: Option<&str>, held: bool) -> File {
        File {
            id: "mabcdefghij".into(),
            room: "r1".into(),
            room_name: "payments".into(),
            file: "schema.sql".into(),
            bytes: 12_400,
            peer: "p1".into(),
            name: "bob".into(),
            time: "2026-11-21T14:05:00Z".into(),
            own: false,
            path: path.map(Into::into),
            held,
        }
    }

    #[test]
    fn a_line_says_where_a_file_is_or_how_it_is_had() {
        let lines = list(&[file(Some("/h/schema.sql"), true), file(None, true), file(None, false)]);
        let plain: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert!(plain[0].starts_with("mabcdefg  schema.sql  12 KiB  @bob  "), "{}", plain[0]);
        assert!(plain[0].ends_with("/h/schema.sql") && plain[1].ends_with("held here"), "{plain:?}");
        assert!(plain[2].ends_with("parlor get mabcdefg"), "{}", plain[2]);
    }
}
