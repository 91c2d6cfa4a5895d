//! Any bytes as the settings file of Claude Code: installing into it and uninstalling again never panic, installing twice is
//! installing once, what is refused is left alone, and what was there is there afterwards.

use std::path::Path;

use parlor_agents::claude::Claude;
use parlor_agents::{AgentProgram, CommandLine, InstallRequest, Invocation, Output, Place, RunError, Scope};

/// One input.
pub fn run(bytes: &[u8]) {
    is_taken(bytes);
}

/// One input. Whether it was edited.
pub fn is_taken(bytes: &[u8]) -> bool {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join(".claude/settings.json");
    std::fs::create_dir_all(home.path().join(".claude")).expect("a directory");
    std::fs::write(&path, bytes).expect("a file");
    let now = || std::fs::read(&path).expect("it is there");
    let place = Place::new(home.path(), []);
    let command =
        |args: &[&str]| CommandLine::new(Path::new("/opt/parlor/bin/parlor-hook"), args).expect("a command");
    let request = InstallRequest { hook: command(&[]), mcp: command(&["mcp"]) };
    let Ok(install) = Claude.plan_install(&place, &Scope::User, &request) else {
        assert_eq!(now(), bytes, "what is refused is left alone");
        return false;
    };
    let _ = install.diff();
    install.apply(&nothing_runs).expect("what was planned can be done");
    let again = Claude.plan_install(&place, &Scope::User, &request).expect("what was written can be read");
    assert!(again.diff().is_empty(), "{}", again.diff());
    let uninstall = Claude.plan_uninstall(&place, &Scope::User).expect("what was written can be read");
    uninstall.apply(&nothing_runs).expect("what was planned can be done");
    let has_ours = String::from_utf8_lossy(bytes).contains("parlor");
    assert!(has_ours || now() == bytes, "{:?}", String::from_utf8_lossy(&now()));
    true
}

fn nothing_runs(run: &Invocation) -> Result<Output, RunError> {
    panic!("no program was found, and {:?} is run", run.args)
}
