//! Where this tree is, and how its tools are asked: git for the list of files, cargo for the graph.
//! Runs programs and reads files; decides nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The root of the checkout this program was built from.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// `cargo`, the one that runs us when there is one.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Run a command to its end and return its stdout; its stderr becomes the error.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !done.status.success() {
        let stderr = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{command:?} failed ({}):\n{stderr}", done.status).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// Every file of the checkout that git knows or would add, relative to the root, with whether it is tracked.
pub fn files() -> Result<Vec<(String, bool)>> {
    let listed = |arguments: &[&str]| -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.arg("-C").arg(root()).arg("ls-files").arg("-z").args(arguments);
        let text = output(&mut git)?;
        Ok(text.split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect())
    };
    let mut all = Vec::new();
    all.extend(listed(&["--cached"])?.into_iter().map(|path| (path, true)));
    all.extend(listed(&["--others", "--exclude-standard"])?.into_iter().map(|path| (path, false)));
    all.retain(|(path, _)| root().join(path).is_file());
    all.sort();
    all.dedup_by(|a, b| a.0 == b.0);
    Ok(all)
}
