//! Writes the vectors of the wire to `testdata/vectors`. Only for a change of the wire that is meant: the test
//! `vectors` compares what lies there with what the code does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/common/mod.rs"]
mod common;

fn main() -> std::io::Result<()> {
    let folder = common::vectors::folder();
    std::fs::create_dir_all(&folder)?;
    for (name, text) in common::vectors::files() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
