//! The committed vectors of what core derives are what the code makes, byte for byte. `check.py` works them out once
//! more with other libraries.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod derivation_parts;

#[test]
fn the_committed_derivations_are_what_the_code_makes() {
    for (name, made) in derivation_parts::files() {
        let committed = std::fs::read_to_string(derivation_parts::folder().join(name)).unwrap_or_default();
        let differs = committed.lines().zip(made.lines()).position(|(a, b)| a != b);
        assert!(
            committed == made,
            "testdata/vectors/{name} is not what the code makes (line {differs:?}); if a construction was meant to \
             change, run `cargo run -p parlor-core --example make_derivations` and look at the difference"
        );
    }
}
