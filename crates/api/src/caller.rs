//! What a client says of itself in its hello, found out from its own process. Must not conclude anything from it.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use crate::API_VERSION;
use crate::line::Hello;

impl Hello {
    /// The hello of this process. `env` names the variables that are forwarded; no others are.
    pub fn of_this_process(surface: &str, env: &[&str]) -> Self {
        Self {
            api: API_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            // After an upgrade in place the path leads nowhere any more, and nobody can be started from it.
            exe: std::env::current_exe().ok().filter(|exe| exe.exists()),
            surface: surface.into(),
            cwd: std::env::current_dir().ok(),
            parent_pid: parent_pid(),
            terminal: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
            env: forwarded(env),
        }
    }
}

/// The parent process; none when it is gone already.
pub fn parent_pid() -> Option<u32> {
    Some(std::os::unix::process::parent_id()).filter(|pid| *pid > 1)
}

/// Those of the named environment variables that are set, and are text.
pub fn forwarded(names: &[&str]) -> BTreeMap<String, String> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_variables_that_are_set_are_forwarded() {
        let hello = Hello::of_this_process("cli", &["PATH", "PARLOR_SURELY_NOT_SET"]);
        assert_eq!(hello.env.keys().collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(hello.api, API_VERSION);
        assert_eq!(hello.cwd, std::env::current_dir().ok());
        assert_eq!(hello.parent_pid, Some(std::os::unix::process::parent_id()));
    }
}
