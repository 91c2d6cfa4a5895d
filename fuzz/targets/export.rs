//! Any bytes as the file of an export: verifying never panics, and what is vouched for is one whole file.

use parlor_core::export::{Fault, Verified, Verifier};

/// One input.
pub fn run(bytes: &[u8]) {
    let _ = verify(bytes);
}

/// What the file says, or what is wrong with it.
pub fn verify(bytes: &[u8]) -> Result<Verified, Fault> {
    let mut verifier = Verifier::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        verifier.line(line)?;
    }
    let verified = verifier.end()?;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count() as u64;
    assert_eq!(lines, verified.counts.control + verified.counts.entries + 2, "nothing else is in it");
    assert!(verified.counts.opened <= verified.counts.entries);
    Ok(verified)
}
