//! Writes the vectors of what core derives to `testdata/vectors`. Only for a change of a construction that is meant: the
//! test `derivations` compares what lies there with what the code does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/derivation_parts/mod.rs"]
mod derivation_parts;

fn main() -> std::io::Result<()> {
    for (name, text) in derivation_parts::files() {
        std::fs::write(derivation_parts::folder().join(name), text)?;
    }
    Ok(())
}
