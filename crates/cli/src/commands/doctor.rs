//! `parlor doctor`: tries every link, from the home to the agent program, and says what to do about what fails.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use parlor_agents::{AgentProgram, CheckState, Place, Scope, SystemRunner};
use parlor_api::paths::Home;
use parlor_api::{ApiError, Check, Reply, Request};

use super::{Context, current_dir, install};
use crate::errors::{Failure, Outcome};
use crate::reach::Reach;
use crate::{clock, render};

/// Exit code when a link does not hold.
const FAILED: u8 = 7;

pub fn run(context: &Context) -> Outcome {
    let mut has_failed = false;
    let mut show = |check: Check| {
        has_failed |= check.state == "fail";
        // Each as it is found: the next one may take its time.
        context.out.answer(&check, || render::check(&check))
    };
    show(clock())?;
    show(home(&context.home))?;
    show(socket(&context.home))?;
    for check in node(context) {
        show(check)?;
    }
    for check in agents() {
        show(check)?;
    }
    if has_failed { Err(Failure::Said(FAILED)) } else { Ok(()) }
}

fn ok(name: &str, detail: impl Into<String>) -> Check {
    Check { name: name.into(), state: "ok".into(), detail: detail.into(), hint: None }
}

fn warn(name: &str, detail: impl Into<String>, hint: &str) -> Check {
    Check { state: "warn".into(), hint: Some(hint.into()), ..ok(name, detail) }
}

fn fail(name: &str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { state: "fail".into(), hint: Some(hint.into()), ..ok(name, detail) }
}

fn failed(name: &str, error: ApiError) -> Check {
    Check { state: "fail".into(), hint: error.hint, ..ok(name, error.message) }
}

fn clock() -> Check {
    match clock::complaint() {
        // The node's own line is called `clock`.
        Some(complaint) => fail("this clock", complaint, "set it"),
        None => ok("this clock", format!("{} here", clock::stamp(clock::now_ms()))),
    }
}

fn home(home: &Home) -> Check {
    let name = "home";
    let dir = home.dir();
    let metadata = match std::fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return warn(
                name,
                format!("{} is not there yet", dir.display()),
                "`parlor start` or `parlor join` makes it",
            );
        }
        Err(error) => return fail(name, format!("{}: {error}", dir.display()), "choose another with --home"),
        Ok(metadata) => metadata,
    };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_dir() {
        fail(
            name,
            format!("{} is no directory", dir.display()),
            "move it away, or choose another with --home",
        )
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        fail(name, format!("{} belongs to somebody else", dir.display()), "choose another with --home")
    } else if mode & 0o077 != 0 {
        let hint = format!("chmod 700 {}", dir.display());
        fail(
            name,
            format!("{} holds your key, and others may enter it (mode {mode:03o})", dir.display()),
            hint,
        )
    } else if let Err(error) = writable(dir) {
        fail(
            name,
            format!("nothing can be written in {}: {error}", dir.display()),
            "free space, or make it writable",
        )
    } else {
        ok(name, dir.display().to_string())
    }
}

fn writable(dir: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&[0; 4096])?;
    file.sync_all()
}

fn socket(home: &Home) -> Check {
    match home.socket() {
        Ok(path) => ok("socket path", format!("{} bytes", path.as_os_str().len())),
        Err(error) => fail("socket path", error.to_string(), "set PARLOR_HOME to a short directory"),
    }
}

/// Brings the node up as any command would, and has it try its own links.
fn node(context: &Context) -> Vec<Check> {
    let name = "node";
    if !context.home.identity().exists() {
        return vec![warn(name, "there is no identity yet", "`parlor start` or `parlor join` makes one")];
    }
    let answer = Reach::new(&context.home).and_then(|mut reach| {
        let status = reach.ask(&Request::Status, 0)?;
        let version = reach.node_version().map(str::to_owned);
        Ok((status, version, reach.ask(&Request::Doctor, 0)?))
    });
    match answer {
        Ok((Reply::Status(status), version, Reply::Checks(checks))) => {
            let mut all = vec![ok(name, format!("answers, pid {}", status.pid)), same_version(version)];
            all.extend(checks);
            all
        }
        Ok(_) | Err(Failure::Said(_)) => {
            vec![fail(name, "it answers nonsense", "`parlor node stop`, then try again")]
        }
        Err(Failure::Error(error)) => vec![failed(name, error)],
    }
}

fn same_version(node: Option<String>) -> Check {
    let mine = env!("CARGO_PKG_VERSION");
    match node {
        Some(node) if node == mine => ok("version", format!("{mine}, node and command")),
        Some(node) => {
            warn("version", format!("command {mine}, node {node}"), "`parlor node stop`, then try again")
        }
        None => warn("version", "the node does not say its version", "`parlor node stop`, then try again"),
    }
}

fn agents() -> Vec<Check> {
    let place = match install::place() {
        Ok(place) => place,
        Err(Failure::Error(error)) => return vec![failed("agents", error)],
        Err(Failure::Said(_)) => return Vec::new(),
    };
    let programs = parlor_agents::programs();
    let checks: Vec<_> = programs.iter().flat_map(|program| agent(*program, &place)).collect();
    if checks.is_empty() {
        let names: Vec<_> = programs.iter().map(|program| program.name()).collect();
        let detail = format!("none of {} is on PATH, and none is wired in", names.join(", "));
        return vec![warn("agents", detail, "install the one you want to hear, then `parlor install`")];
    }
    checks
}

fn agent(program: &dyn AgentProgram, place: &Place) -> Vec<Check> {
    let plugged_in = program.is_plugged_in(place).then_some(Scope::User);
    let Some(scope) = scope_in_use(program, place).or(plugged_in) else {
        let hint = format!("run `parlor install {}`, if you want it to hear", program.name());
        let here = program.detect(place).map(|path| format!("{} is not wired in", path.display()));
        return here.map(|detail| warn(program.name(), detail, &hint)).into_iter().collect();
    };
    let checks = program.doctor(place, &scope, &SystemRunner);
    checks.into_iter().map(|check| of_agent(program.name(), check)).collect()
}

/// Where Parlor is wired in: in this project, else for the user.
fn scope_in_use(program: &dyn AgentProgram, place: &Place) -> Option<Scope> {
    let scopes = [current_dir().ok().map(Scope::Project), Some(Scope::User)];
    // Settings that cannot be read may be wired in: they are looked at, and what is wrong is said.
    let is_wired = |scope: &Scope| !program.plan_uninstall(place, scope).is_ok_and(|plan| plan.is_nothing());
    scopes.into_iter().flatten().find(is_wired)
}

fn of_agent(program: &str, check: parlor_agents::Check) -> Check {
    let state = match check.state {
        CheckState::Ok => "ok",
        CheckState::Warn => "warn",
        CheckState::Fail => "fail",
    };
    let hint = Some(check.hint).filter(|hint| !hint.is_empty());
    Check { name: format!("{program}: {}", check.name), state: state.into(), detail: check.detail, hint }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_tried_and_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home");
        let state = || home(&Home::at(&path)).state;
        assert_eq!(state(), "warn");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(state(), "fail");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(state(), "ok");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "trying leaves nothing behind");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(state(), "fail");
    }

    #[test]
    fn wound_41_a_socket_path_too_long_fails() {
        assert_eq!(socket(&Home::at("/short")).state, "ok");
        assert_eq!(socket(&Home::at(format!("/{}", "x".repeat(120)))).state, "fail");
    }

    #[test]
    fn an_older_node_is_noticed() {
        assert_eq!(same_version(Some(env!("CARGO_PKG_VERSION").into())).state, "ok");
        assert_eq!(same_version(Some("0.0.1".into())).state, "warn");
    }
}
