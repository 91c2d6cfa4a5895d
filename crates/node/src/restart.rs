//! Becoming as new as a newer client: which program to go on as, and going on as it in the same process. Must
//! not be asked before everything is durable and closed.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;

/// Says to the node that starts for which version it was started again, so that it does not do so for ever
/// where no newer program is to be had.
const RESTARTED_FOR_VARIABLE: &str = "PARLOR_RESTARTED_FOR";
/// What Linux appends to the path of a program that was replaced while it runs.
const REPLACED: &[u8] = b" (deleted)";

/// Whether a client of this version makes a node of that one start again.
pub(crate) fn is_due(client: &str, own: &str) -> bool {
    let restarted_for = std::env::var(RESTARTED_FOR_VARIABLE).ok();
    is_newer(client, own) && restarted_for.as_deref() != Some(client)
}

fn is_newer(client: &str, own: &str) -> bool {
    match (Version::parse(client), Version::parse(own)) {
        (Ok(client), Ok(own)) => client > own,
        _ => false,
    }
}

/// The client's program, if nobody but this user and root could have made it.
pub(crate) fn trusted(exe: Option<&Path>) -> Option<PathBuf> {
    let exe = exe.filter(|exe| exe.is_absolute())?.canonicalize().ok()?;
    let metadata = exe.metadata().ok()?;
    let ours = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
    let closed = metadata.mode() & 0o022 == 0;
    let runs = metadata.is_file() && metadata.mode() & 0o111 != 0;
    (ours && closed && runs).then_some(exe)
}

/// This node's own program, or what has taken its place since.
fn own() -> io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let bytes = exe.as_os_str().as_bytes();
    Ok(match bytes.strip_suffix(REPLACED) {
        Some(path) => PathBuf::from(OsString::from_vec(path.to_vec())),
        None => exe,
    })
}

/// Goes on as another program. Returns only when that is impossible.
pub(crate) fn go_on_as(exe: Option<PathBuf>, version: &str, args: &[OsString]) -> io::Result<Infallible> {
    let run = |exe: &Path| Command::new(exe).args(args).env(RESTARTED_FOR_VARIABLE, version).exec();
    if let Some(exe) = exe {
        let error = run(&exe);
        tracing::warn!(%error, "{} cannot be run", exe.display());
    }
    Err(run(&own()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_later_version_is_newer() {
        for (client, own, newer) in [
            ("0.2.0", "0.1.9", true),
            ("0.10.0", "0.9.0", true),
            ("1.0.0", "1.0.0-beta.1", true),
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.2.0", false),
            ("", "0.1.0", false),
            ("newest", "0.1.0", false),
        ] {
            assert_eq!(is_newer(client, own), newer, "{client} {own}");
        }
    }

    #[test]
    fn a_program_that_others_may_have_written_is_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().canonicalize().unwrap().join("parlor");
        std::fs::write(&exe, "#!/bin/sh\n").unwrap();
        for (mode, is_trusted) in
            [(0o755, true), (0o700, true), (0o775, false), (0o757, false), (0o644, false)]
        {
            std::fs::set_permissions(&exe, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(trusted(Some(&exe)).is_some(), is_trusted, "{mode:o}");
        }
        assert_eq!(trusted(Some(dir.path())), None);
        assert_eq!(trusted(Some(&dir.path().join("none"))), None);
        assert_eq!(trusted(Some(Path::new("parlor"))), None);
        assert_eq!(trusted(None), None);
    }
}
